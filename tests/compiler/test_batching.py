"""Programs over batches."""

import importlib.util

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, log, tanh, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import machine as native
from tests.compiler.common import needs_cc, same
from tests.compiler.models import demo, demo_without_numpy, hinge

has_torch = importlib.util.find_spec("torch") is not None


def test_batches_agree_with_the_eager_engine():
    model, X, y = demo()
    total = ag.mean([hinge(model)(x, t) for x, t in zip(X.tolist(), y.tolist(), strict=True)])
    total.backward()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    want = [p.grad for p in program.leaves]
    value, gradients = program.batch(X, y)
    assert value == pytest.approx(total.data, rel=1e-14)
    assert gradients == pytest.approx(want, rel=1e-13, abs=1e-15)
    model.zero_grad()
    assert program.batch(X, y, backward=True) == value
    assert [p.grad for p in program.leaves] == gradients
    values, each = program.batch(X, y, reduce=None)
    assert values.mean() == pytest.approx(total.data, rel=1e-14)
    assert each.mean(axis=0) == pytest.approx(want, rel=1e-13, abs=1e-15)
    assert each.shape == (100, 337)
    loop = program.loop("leaf")(*[program.checked_columns((X, y))[0], [p.data for p in program.leaves]])
    assert loop[0] / 100 == pytest.approx(value, rel=1e-14)
    assert [g / 100 for g in loop[1]] == pytest.approx(gradients, rel=1e-13, abs=1e-15)


def test_batches_by_the_arguments():
    program = compile(lambda x, y: x[0] * x[1] + y, [0.0, 0.0], 0.0)
    X, y = np.arange(6.0).reshape(3, 2), np.ones(3)
    values, (dX, dy) = program.batch(X, y, reduce=None)
    assert values.tolist() == [1.0, 7.0, 21.0]
    assert dX.tolist() == X[:, ::-1].tolist()
    assert dy.tolist() == [1.0] * 3
    mean, (dX, _) = program.batch(X.tolist(), y.tolist())
    assert mean == pytest.approx(29.0 / 3.0)
    assert dX == pytest.approx(X[:, ::-1] / 3.0)


def test_batches_that_do_not_fit():
    program = compile(lambda x, y: x[0] * x[1] + y, [0.0, 0.0], 0.0)
    for X, y, said in (
        (np.ones((3, 3)), np.ones(3), "x must be of shape"),
        (np.ones((3, 2)), np.ones(4), "number of samples"),
        (np.ones((0, 2)), np.ones(0), "no samples"),
    ):
        with pytest.raises(ValueError, match=said):
            program.batch(X, y)
    with pytest.raises(ValueError, match="reduce"):
        program.batch(np.ones((3, 2)), np.ones(3), reduce="max")


@pytest.mark.parametrize("machine", [False, pytest.param(True, marks=needs_cc)])
def test_a_batch_that_holds_no_numbers_is_refused(machine):
    """None was NaN to NumPy, a text its number, and a complex number its real part."""
    w = Value(2.0)
    program = compile(lambda x, y: w * x[0] * x[1] * y, [1.0, 1.0], 1.0)
    if machine:
        program.native()
    for wrong in (None, "1", 1j, Value(1.0)):
        for rows in ([[1.0, wrong]] * 3, np.array([[1.0, wrong]] * 3)):
            with pytest.raises(TypeError, match=r"x\[\d\] must be a real number, got"):
                program.batch(rows, np.ones(3))
        with pytest.raises(TypeError, match="y must be a real number, got"):
            program.batch(np.ones((3, 2)), [wrong] * 3)
    for rows in (None, 1.0, [[1.0, 2.0], [1.0]], {1.0}):
        with pytest.raises(ValueError, match="x must "):
            program.batch(rows, np.ones(3))
    large = 10**30  # no integer of NumPy's
    assert program.batch([[1.0, large]], [1])[0] == 2e30
    assert program.batch(np.array([[1.0, large]], object), [1])[0] == 2e30


def test_the_sample_that_goes_wrong_is_named():
    program = compile(lambda x: log(x), 1.0)
    with pytest.raises(ValueError, match=r"sample 2: log\(x=-1.0\)"):
        program.batch(np.array([1.0, 2.0, -1.0]), reduce=None)
    w = Value(1.0)
    program = compile(lambda x: log(w * x), 1.0)
    with pytest.raises(ValueError, match=r"sample 1: log"):
        program.batch(np.array([1.0, -2.0]), backward=True)
    assert not w.reached
    program = compile(lambda x: ag.log2(w) * x, 1.0)
    w.data = 0.0
    for reduce in ("sum", None):
        with pytest.raises(ValueError, match=r"sample 0: log2"):
            program.batch(np.array([1.0, -2.0]), reduce=reduce)


def test_a_leaf_on_a_branch_not_taken_contributes_nothing_to_a_sample():
    w = Value(1.0)
    program = compile(lambda x: where(w > 0.0, lambda: 1.0 / w, lambda: 3.0 * w) * x, 1.0)
    w.data = 0.0
    values, gradients = program.batch(np.array([1.0, 2.0]), reduce=None)
    assert (values.tolist(), gradients.tolist()) == ([0.0, 0.0], [[3.0], [6.0]])


@pytest.mark.skipif(not has_torch, reason="PyTorch is not installed")
def test_training_agrees_with_pytorch():
    import torch

    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    layers = []
    for layer in model.layers:
        linear = torch.nn.Linear(len(layer.neurons[0].w), len(layer.neurons), dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(
                torch.tensor([[w.data for w in n.w] for n in layer.neurons], dtype=torch.float64)
            )
            linear.bias.copy_(torch.tensor([n.b.data for n in layer.neurons], dtype=torch.float64))
        layers.append(linear)
    tX, ty = torch.tensor(X), torch.tensor(y)
    for step in range(100):
        lr = 1.0 - 0.9 * step / 100
        h = tX
        for k, linear in enumerate(layers):
            h = torch.relu(linear(h)) if k < 2 else linear(h)
        squares = torch.stack([(p**2).sum() for linear in layers for p in linear.parameters()]).sum()
        loss = torch.relu(1.0 - ty * h[:, 0]).mean() + 1e-4 * squares
        for linear in layers:
            linear.zero_grad()
        loss.backward()
        with torch.no_grad():
            for linear in layers:
                for p in linear.parameters():
                    p -= lr * p.grad
        _, gradients = program.batch(X, y)
        for p, g in zip(program.leaves, gradients, strict=True):
            p.data = p.data - lr * (g + 2e-4 * p.data)
    for layer, linear in zip(model.layers, layers, strict=True):
        for neuron, row, bias in zip(
            layer.neurons, linear.weight.tolist(), linear.bias.tolist(), strict=True
        ):
            assert [w.data for w in neuron.w] == pytest.approx(row, rel=1e-9, abs=1e-12)
            assert neuron.b.data == pytest.approx(bias, rel=1e-9, abs=1e-12)


def test_without_numpy_a_batch_is_a_loop(no_numpy):
    model, X, y = demo_without_numpy()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    total = ag.mean([hinge(model)(x, t) for x, t in zip(X, y, strict=True)])
    total.backward()
    want = [p.grad for p in program.leaves]
    value, gradients = program.batch(X, y)
    assert value == pytest.approx(total.data, rel=1e-14)
    assert gradients == pytest.approx(want, rel=1e-13, abs=1e-15)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'autograd-lite\[fast\]'"):
        program.batch(X, y, reduce=None)
    w = Value(1.0)
    with pytest.raises(ValueError, match="sample 1: log"):
        compile(lambda x: log(w * x), 1.0).batch([1.0, -1.0])
    nested = compile(lambda d, x: d["u"] * d["v"][0] * x[1][0] * w, {"u": 1.0, "v": [1.0]}, [1.0, [1.0]])
    assert nested.batch({"u": [2.0, 3.0], "v": [[1.0], [2.0]]}, [[0.0, [1.0]]] * 2) == (4.0, [4.0])
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        program.descend(X, y)
    with pytest.raises(ValueError, match="differ in the number of samples"):
        program.batch(X, y[:-1])
    with pytest.raises(ValueError, match="x must hold 2 parts in each sample"):
        program.batch([[1.0]] * len(y), y)
    with pytest.raises(ValueError, match="no samples"):
        program.batch([], [])
    with pytest.raises(TypeError, match="x must hold samples, got None"):
        program.batch(None, y)
    assert compile(lambda x: ag.sigmoid(w * x), 1.0).batch([-1000.0, 0.0], reduce="sum") == (0.5, [0.0])


@needs_cc
@pytest.mark.parametrize("irregular", [False, True])
def test_results_of_each_sample_in_machine_code(irregular, monkeypatch):
    if irregular:
        monkeypatch.setattr(native, "IRREGULAR", -1)
    model, X, y = demo()
    k = Value(0.7, "k")
    functions = [
        (lambda x, y: tanh(1.0 - y * model(x)), ([0.0, 0.0], 0.0), (X, y)),
        (
            lambda x: k * x["a"] + ag.where(x["b"] > 0.0, k, x["a"]),
            ({"a": 0.0, "b": 0.0},),
            ({"a": y, "b": X[:, 0]},),
        ),
        (lambda x, y: ag.exp(x[0]) * y + x[1] ** 2, ([0.0, 0.0], 0.0), (X, y)),
        (lambda x: {"s": ag.sin(x[0]), "t": [x[1], 2.0, x[0] * x[1]]}, ([0.0, 0.0],), (X,)),
    ]
    for function, example, batch in functions:
        program, machine = [compile(function, *example) for _ in range(2)]
        machine.native()
        for m in (1, 8, 21):
            rows = [{key: x[:m] for key, x in b.items()} if isinstance(b, dict) else b[:m] for b in batch]
            for wrt in ("leaves", "arguments") if program.leaves else (None,):
                assert same(
                    machine.batch(*rows, reduce=None, wrt=wrt), program.batch(*rows, reduce=None, wrt=wrt)
                )
            if program.scalar:
                assert same(machine.batch(*rows, wrt="arguments"), program.batch(*rows, wrt="arguments"))
    with pytest.raises(ValueError, match="sample 2: log"):
        compile(lambda x: ag.log(x), 1.0).native().batch([1.0, 2.0, -1.0], reduce=None)
