"""Habits of people who come from other libraries: one line of their code each, and what happens here.

The last expression of each is shown as Python shows it, or the error is there, whole. The names are those of
``from autograd_lite import *``, with v = 2, w = 3 and `model`, a small network.
"""

import copy
import math
import pickle
import random
from doctest import ELLIPSIS, OutputChecker
from typing import Any

import numpy as np
import pytest

import autograd_lite
from autograd_lite import MLP, Value, nn, optim
from autograd_lite.core.habits import MODULE, NN, PACKAGE

NOT_A_NUMBER = TypeError(
    "v = Value(2.0) does not become a plain number by itself, because that would lose its gradient: "
    "write v.data for the number, or autograd_lite's own function (exp for math.exp) for a Value"
)


def no_attribute(owner: str, name: str, cure: str = "") -> AttributeError:
    return AttributeError(f"{owner} has no attribute {name!r}{cure}")


MICROGRAD = {
    "loss = v * w; loss.backward(); v.data -= 0.1 * v.grad; v": "v = Value(1.7, grad=3.0)",
    "for p in model.parameters(): p.data += -0.01 * p.grad\nlen(model.parameters())": "17",
    "v.grad, v._prev, v._op, (v + w)._op": "(0.0, (), '', '+')",
    "v.grad += 1.0; v.grad = 0; v.grad": "0.0",
    "(v * w).backward(); v.grad = None; v.grad": "0.0",
    "a = Value(-4.0, label='a'); a": "a = Value(-4.0)",
    "d = v * w; d.label = 'd'; d": "d = Value(6.0)",
    "e = v + 1; e += e + 1; e += 3 * e + (w - v).relu(); e": "Value(29.0)",
    "n = Neuron(2, nonlin=False); len(n.w), n.b": "(2, b = Value(0.0))",
    "sum((wi * xi for wi, xi in zip([v, w], [1.0, 2.0])), Value(0.5))": "Value(8.5)",
    "random.seed(7); a = MLP(2, [3, 1]); random.seed(7); b = MLP(2, [3, 1]); a([1, 2]) == b([1, 2])": "True",
    "ypred = [model(row) for row in [[2.0, 3.0], [3.0, -1.0]]]; loss = sum((yo - 1.0)**2 for yo in ypred); "
    "model.zero_grad(); loss.backward(); all(p.reached for p in model.parameters())": "True",
    "model([1.0, 2.0])[0]": TypeError(
        "'Value' object is not subscriptable"
    ),  # a layer of one neuron returns it
    "c = v * w; c._backward()": AttributeError(
        "a Value has no _backward and no _children: write Value(data, children, local_grads), with the "
        "partials ∂data/∂child; operands and partials are what it was made from"
    ),
    "c = Value(6.0, (v, w), (3.0, 2.0)); c.backward(); v.grad": "3.0",
    "autograd_lite.draw_dot(v * w)": no_attribute("module 'autograd_lite'", "draw_dot", ": write draw(loss)"),
}

TORCH = {
    "optimizer = optim.SGD(model.parameters(), lr=0.1); loss = (model([1.0, 2.0]) - 1.0)**2\n"
    "before = loss.item(); optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
    "(model([1.0, 2.0]) - 1.0).pow(2).item() < before": "True",
    "with no_grad():\n    y = v * w\ny.operands": "()",
    "v.item(), (v * w).detach().operands": "(2.0, ())",
    "v.mul(w).add(1).clip(0.0, 5.0), v.abs().sqrt().sigmoid().item()": "(Value(5.0), 0.8044...)",
    "cross_entropy([v, w], 1), mse_loss(v, 1.0)": "(Value(0.3132...), Value(1.0))",
    "log_softmax([0.0, 0.0]), argmax([v, w])": "([-0.6931..., -0.6931...], 1)",
    "state = model.state_dict(); model.load_state_dict(state); sorted(state)[0]": "'layers.0.neurons.0.b'",
    "max([v, w]), min(v, w), maximum(v, w)": "(w = Value(3.0), v = Value(2.0), Value(3.0))",
    "grad(v * w, [v, w])": TypeError(
        "grad takes a function, and Value(6.0) is a recorded Value: write gradients(loss, [a, b]) for its "
        "gradients, or grad(lambda a, b: a * b, (0, 1))(2.0, 3.0) for those of a function"
    ),
    "v.requires_grad_()": no_attribute("'Value' object", "requires_grad_"),
    "nn.Linear(2, 3)": no_attribute(
        "module 'autograd_lite.nn'", "Linear", ": write Layer(inputs, outputs, activation=None)"
    ),
    "nn.Sequential(nn.Layer(2, 3))": no_attribute(
        "module 'autograd_lite.nn'",
        "Sequential",
        ": write MLP(inputs, sizes, activation), or a Module that calls its layers in turn",
    ),
    "nn.ReLU()": no_attribute(
        "module 'autograd_lite.nn'", "ReLU", ": give the activation's name: MLP(2, [16, 1], 'relu')"
    ),
    "model.eval()": no_attribute(
        "'MLP' object", "eval", ": nothing needs to be moved or switched here, so leave it out"
    ),
    "model.forward([1.0, 2.0])": no_attribute("'MLP' object", "forward", ": call the model itself, model(x)"),
    "v.backward(retain_graph=True)": TypeError(
        "backward() got an unexpected keyword argument 'retain_graph'"
    ),
    "autograd_lite.manual_seed(0)": no_attribute(
        "module 'autograd_lite'", "manual_seed", ": give rng=0 to a model and seed=0 to fit"
    ),
    "Value([1.0, 2.0])": TypeError(
        "the data of a Value must be a real number, got list [1.0, 2.0]: take its numbers one by one"
    ),
}

JAX = {
    "grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)": "(12.0, 12.0)",
    "grad(lambda x, y: x * y, argnums=1)(3.0, 4.0), grad(lambda x, y: x * y, argnums=(0, 1))(3.0, 4.0)": (
        "(3.0, (4.0, 3.0))"
    ),
    "value_and_grad(lambda p: p['w'] * p['b'])({'w': 2.0, 'b': 3.0})": "(6.0, {'w': 3.0, 'b': 2.0})",
    "grad(lambda x: autograd_lite.sum(x * x))(np.array([1.0, 2.0]))": "array([2., 4.])",
    "where(v > 1.0, v, 0.0), where(np.array([1.0, -1.0]) > 0.0, [5.0, 6.0], 0.0)": (
        "(Value(2.0), array([5., 0.]))"
    ),
    "jacobian(lambda x: [x[0] * x[1]])([2.0, 3.0]), hessian(lambda x: x**3)(2.0)": "([[3.0, 2.0]], 12.0)",
    "autograd_lite.vmap(tanh)": no_attribute(
        "module 'autograd_lite'", "vmap", ": write [f(x) for x in xs], or compile f and call program.batch"
    ),
    "jit(lambda x: x * x)(3.0), jit(grad(lambda x: x * x))(3.0)": "(9.0, 6.0)",
    "grad(lambda x: (x * x, 'aux'), has_aux=True)(2.0), grad(lambda x, y: x * y, argnums='y')(1.0, 2.0)": (
        "((4.0, 'aux'), 1.0)"
    ),
}

NUMPY = {
    "np.exp(v), np.sqrt([v + 2.0, w + 1.0])[0], np.maximum(v, 0.0)": (
        "(Value(7.3890...), Value(2.0), v = Value(2.0))"
    ),
    "tanh(np.array([0.0, 0.5])), sigmoid([0.0, v])": (
        "(array([0.        , 0.46211716]), [0.5, Value(0.8807...)])"
    ),
    "np.array([v, w]) @ np.array([1.0, 2.0]), np.dot([v, w], [w, v]), np.mean([v, w])": (
        "(Value(8.0), Value(12.0), Value(2.5))"
    ),
    "np.float64(2.0) * v, v * np.array([1.0, 2.0]), Value(np.float32(1.5))": (
        "(Value(4.0), array([Value(2.0), Value(4.0)], dtype=object), Value(1.5))"
    ),
    "model(np.array([1.0, 2.0])) == model([1, 2])": "True",
    "Value(np.array([1.0, 2.0]))": TypeError(
        "the data of a Value must be a real number, got ndarray array([1., 2.]): take its numbers one by one"
    ),
    "autograd_lite.arctan(v), v.arctan()": no_attribute(
        "module 'autograd_lite'", "arctan", ": names are those of math: asin, acos, atan, atan2"
    ),
}

PYTHON = {
    "math.exp(v)": NOT_A_NUMBER,
    "float(v)": NOT_A_NUMBER,
    "'%.2f' % v": NOT_A_NUMBER,
    "f'{v:.2f}', f'{v}', round(v * 1.26, 1), '%.2f' % v.data": "('2.00', 'v = Value(2.0)', 2.5, '2.00')",
    "v**0.5, 2**v, v**w, abs(-v), 1 / v": (
        "(Value(1.4142...), Value(4.0), Value(8.0), Value(2.0), Value(0.5))"
    ),
    "sum([v, w]), sorted([w, v]), v == 2, v is v, v > 0 and w < 4": (
        "(Value(5.0), [v = Value(2.0), w = Value(3.0)], True, True, True)"
    ),
    "'positive' if v > 0 else 'negative'": "'positive'",
    "pickle.loads(pickle.dumps(v * w)).operands, copy.deepcopy(v * w) == 6": (
        "((v = Value(2.0), w = Value(3.0)), True)"
    ),
    "v @ w": TypeError("unsupported operand type(s) for @: 'Value' and 'Value'"),
    "v.gard": no_attribute("'Value' object", "gard"),
    "v.data = w": TypeError(
        "the data of a Value must be a real number, got Value w = Value(3.0): "
        "take the number out of it with .data"
    ),
    "sigmoid('a')": TypeError("an operand of sigmoid must be a real number, got str 'a'"),
    "sigmoid(v, w)": TypeError("sigmoid() takes 1 operand, got 2"),
}

IDIOMS = [
    pytest.param(code, happens, id=f"{library}: {' '.join(code.split())[:60]}")
    for library, idioms in {
        "micrograd": MICROGRAD,
        "PyTorch": TORCH,
        "JAX": JAX,
        "NumPy": NUMPY,
        "Python": PYTHON,
    }.items()
    for code, happens in idioms.items()
]


def ran(code: str) -> Any:
    """Run a user's lines and return the value of the last expression."""
    names: dict[str, Any] = {"v": Value(2.0, "v"), "w": Value(3.0, "w"), "model": MLP(2, [4, 1], rng=0)}
    names |= {"np": np, "math": math, "random": random, "pickle": pickle, "copy": copy}
    names |= {"nn": nn, "optim": optim, "autograd_lite": autograd_lite}
    exec("from autograd_lite import *", names)
    before, newline, last = code.rpartition("\n")
    statements, _, expression = last.rpartition("; ")
    exec(before + newline + statements, names)
    if " = " in expression.partition("(")[0]:
        return exec(expression, names)
    return eval(expression, names)


@pytest.mark.parametrize(("code", "happens"), IDIOMS)
def test_idiom(code, happens):
    if isinstance(happens, str):
        assert OutputChecker().check_output(happens, repr(ran(code)), ELLIPSIS), repr(ran(code))
        return
    with pytest.raises(type(happens)) as raised:
        ran(code)
    # Compiled, the class has a longer name and its methods a shorter one.
    found = (
        str(raised.value).replace("autograd_lite.core.value.", "").replace("Value.backward()", "backward()")
    )
    assert found == str(happens)


def test_there_are_forty_at_least():
    assert len(IDIOMS) >= 40


@pytest.mark.parametrize(
    ("owner", "described", "habits"),
    [
        (autograd_lite, "module 'autograd_lite'", PACKAGE),
        (nn, "module 'autograd_lite.nn'", NN),
        (MLP(1, [1]), "'MLP' object", MODULE),
    ],
    ids=["package", "nn", "model"],
)
def test_missing_attribute_says_what_to_write(owner, described, habits):
    for name, cure in habits.items():
        assert not hasattr(owner, name)
        with pytest.raises(AttributeError) as raised:
            getattr(owner, name)
        assert str(raised.value) == f"{described} has no attribute {name!r}: {cure}"
        assert (raised.value.name, raised.value.obj) == (name, owner)
    with pytest.raises(AttributeError, match=rf"^{described} has no attribute 'whatever'$"):
        owner.whatever  # noqa: B018
