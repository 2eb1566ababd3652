"""Compiled programs, and their peers as their users write them: float64, one thread.

A row returns a dict of figures, ``seconds`` first. Run by `__main__.py`, in a process of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from tests.benchmarks.engine import demo_autograd_lite, demo_micrograd, demo_xad
from tests.benchmarks.measuring import Skipped, Table, moons, timed

# --- One gradient of a 3-2-1 sigmoid network: the value and 11 partials ------------------------------


def _small() -> tuple[list[float], list[float]]:
    rng = random.Random(1)
    return [0.1, 0.2, 0.3], [rng.uniform(-1.0, 1.0) for _ in range(11)]


def small_by_hand() -> dict[str, float]:
    from math import exp

    def by_hand(x: list[float], w: list[float]) -> tuple[float, list[float]]:
        x1, x2, x3 = x
        w1, w2, w3, b1, w4, w5, w6, b2, v1, v2, c = w
        h1 = 1.0 / (1.0 + exp(-(w1 * x1 + w2 * x2 + w3 * x3 + b1)))
        h2 = 1.0 / (1.0 + exp(-(w4 * x1 + w5 * x2 + w6 * x3 + b2)))
        o = 1.0 / (1.0 + exp(-(v1 * h1 + v2 * h2 + c)))
        e = o - 1.0
        d = e * o * (1.0 - o)
        d1 = d * v1 * h1 * (1.0 - h1)
        d2 = d * v2 * h2 * (1.0 - h2)
        return 0.5 * e * e, [d1 * x1, d1 * x2, d1 * x3, d1, d2 * x1, d2 * x2, d2 * x3, d2, d * h1, d * h2, d]

    x, w = _small()
    return timed(lambda: by_hand(x, w))


def small_numpy() -> dict[str, float]:
    import numpy as np

    def by_hand(x: Any, W: Any, b: Any, v: Any, c: Any) -> Any:
        h = 1.0 / (1.0 + np.exp(-(W @ x + b)))
        o = 1.0 / (1.0 + np.exp(-(v @ h + c)))
        e = o - 1.0
        d = e * o * (1.0 - o)
        dh = d * v * h * (1.0 - h)
        return 0.5 * e * e, (dh[:, None] * x, dh, d * h, d)

    x, w = _small()
    layer = np.array(w[:8]).reshape(2, 4)
    W, b, v, c = layer[:, :3].copy(), layer[:, 3].copy(), np.array(w[8:10]), w[10]
    row = np.array(x)
    return timed(lambda: by_hand(row, W, b, v, c))


def small_autograd_lite(form: str) -> dict[str, float]:
    from autograd_lite import Value, compile, dot, sigmoid, square

    x, w = _small()
    leaves = [Value(wi) for wi in w]

    def loss(x: Any) -> Any:
        h1 = sigmoid(dot(leaves[0:3], x, leaves[3]))
        h2 = sigmoid(dot(leaves[4:7], x, leaves[7]))
        return 0.5 * square(sigmoid(dot(leaves[8:10], [h1, h2], leaves[10])) - 1.0)

    if form == "eager":
        return timed(lambda: loss(x).backward())
    program = compile(loss, x)
    if form == "backward":
        return timed(lambda: program.backward(x))
    generated = program.leaf_function
    return timed(lambda: generated(x, w))


def small_micrograd() -> dict[str, float]:
    from math import exp

    from micrograd.engine import Value

    def sigmoid(z: Any) -> Any:  # which micrograd 0.1.0 lacks, in its own style
        s = 1 / (1 + exp(-z.data))
        out = Value(s, (z,), "sigmoid")

        def _backward() -> None:
            z.grad += s * (1 - s) * out.grad

        out._backward = _backward
        return out

    def neuron(w: list[Any], x: list[Any], b: Any) -> Any:
        return sigmoid(sum((wi * xi for wi, xi in zip(w, x, strict=True)), b))

    x, numbers = _small()
    w = [Value(wi) for wi in numbers]

    def gradient() -> None:
        for wi in w:
            wi.grad = 0
        h = [neuron(w[0:3], x, w[3]), neuron(w[4:7], x, w[7])]
        e = neuron(w[8:10], h, w[10]) - 1.0
        (0.5 * e * e).backward()

    return timed(gradient)


def small_xad() -> dict[str, float]:
    from xad.adj_1st import Real, Tape
    from xad.math import exp

    def neuron(w: list[Any], x: list[Any], b: Any) -> Any:
        return 1.0 / (1.0 + exp(-sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)))

    x, numbers = _small()
    with Tape() as tape:  # one tape for all calls: a new one each time takes three times as long
        w = [Real(wi) for wi in numbers]

        def gradient() -> list[float]:
            tape.registerInputs(w)
            tape.newRecording()
            h = [neuron(w[0:3], x, w[3]), neuron(w[4:7], x, w[7])]
            e = neuron(w[8:10], h, w[10]) - 1.0
            loss = 0.5 * e * e
            tape.registerOutput(loss)
            loss.derivative = 1.0
            tape.computeAdjoints()
            return [wi.derivative for wi in w]

        return timed(gradient)


def small_casadi() -> dict[str, float]:
    import casadi

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + casadi.exp(-z))

    w, x = casadi.SX.sym("w", 11), casadi.SX.sym("x", 3)
    h1 = sigmoid(casadi.dot(w[0:3], x) + w[3])
    h2 = sigmoid(casadi.dot(w[4:7], x) + w[7])
    loss = 0.5 * (sigmoid(w[8] * h1 + w[9] * h2 + w[10]) - 1) ** 2
    function = casadi.Function("f", [x, w], [loss, casadi.gradient(loss, w)])
    given = [casadi.DM(numbers) for numbers in _small()]  # from lists it takes three times as long
    return timed(lambda: function(*given))


def _flat_network(sigmoid: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """The loss of a vector w of 11 numbers, for libraries of arrays."""

    def loss(w: Any, x: Any) -> Any:
        layer = w[:8].reshape((2, 4))
        h = sigmoid(layer[:, :3] @ x + layer[:, 3])
        return 0.5 * (sigmoid(w[8:10] @ h + w[10]) - 1.0) ** 2

    return loss


def small_hips() -> dict[str, float]:
    import autograd.numpy as np
    from autograd import value_and_grad

    gradient = value_and_grad(_flat_network(lambda z: 1.0 / (1.0 + np.exp(-z))))
    x, w = map(np.array, _small())
    return timed(lambda: gradient(w, x))


def small_jax() -> dict[str, float]:
    import jax

    jax.config.update("jax_enable_x64", True)
    gradient = jax.jit(jax.value_and_grad(_flat_network(jax.nn.sigmoid)))
    x, w = map(jax.numpy.array, _small())
    return timed(lambda: jax.block_until_ready(gradient(w, x)))


def small_torch() -> dict[str, float]:
    import torch

    loss = _flat_network(torch.sigmoid)
    numbers, weights = _small()
    x = torch.tensor(numbers, dtype=torch.float64)
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)

    def gradient() -> None:
        w.grad = None
        loss(w, x).backward()

    return timed(gradient)


# --- A step of training: hinge loss, its gradient, the update ----------------------------------------

DEMO = (2, 16, 16, 1)

BY_HAND = """
#define H 16
void program(long m, const double *x, const double *y, double *w, double lr)
{
    double *W1 = w, *b1 = W1 + 2 * H, *W2 = b1 + H, *b2 = W2 + H * H, *W3 = b2 + H, *b3 = W3 + H;
    double g[H * H + 5 * H + 1] = {0};
    double *gW1 = g, *gb1 = gW1 + 2 * H, *gW2 = gb1 + H, *gb2 = gW2 + H * H, *gW3 = gb2 + H, *gb3 = gW3 + H;
    for (long s = 0; s < m; s++) {
        double h1[H], h2[H], d1[H] = {0}, d2[H], out = *b3;
        for (int i = 0; i < H; i++) {
            double z = b1[i] + W1[2 * i] * x[2 * s] + W1[2 * i + 1] * x[2 * s + 1];
            h1[i] = z > 0 ? z : 0;
        }
        for (int i = 0; i < H; i++) {
            double z = b2[i];
            for (int j = 0; j < H; j++) z += W2[i * H + j] * h1[j];
            h2[i] = z > 0 ? z : 0;
        }
        for (int i = 0; i < H; i++) out += W3[i] * h2[i];
        if (1 - y[s] * out <= 0) continue;
        double d = -y[s];
        *gb3 += d;
        for (int i = 0; i < H; i++) {
            gW3[i] += d * h2[i];
            d2[i] = h2[i] > 0 ? d * W3[i] : 0;
            gb2[i] += d2[i];
        }
        for (int i = 0; i < H; i++)
            for (int j = 0; j < H; j++) {
                gW2[i * H + j] += d2[i] * h1[j];
                d1[j] += d2[i] * W2[i * H + j];
            }
        for (int i = 0; i < H; i++) {
            double e = h1[i] > 0 ? d1[i] : 0;
            gb1[i] += e;
            gW1[2 * i] += e * x[2 * s];
            gW1[2 * i + 1] += e * x[2 * s + 1];
        }
    }
    for (int k = 0; k < H * H + 5 * H + 1; k++) w[k] -= lr / m * g[k];
}
"""


def by_hand_c() -> dict[str, float]:
    import ctypes

    import numpy as np

    from autograd_lite.compiler.runtime import library as libraries
    from autograd_lite.compiler.runtime import toolchain

    try:
        library = libraries.build(BY_HAND, ("-O3",))
    except toolchain.NoCompilerError as error:
        raise Skipped(str(error)) from error
    X, y = _arrays(1)
    w = np.random.default_rng(0).normal(size=337) * 0.3
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (X, y, w)]
    library.program.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 3, ctypes.c_double]
    return timed(lambda: library.program(len(X), *pointers, LR))


def by_hand_numpy() -> dict[str, float]:
    import numpy as np

    X, y = _arrays(1)
    (W1, b1), (W2, b2), (W3, b3) = _weights(DEMO)

    def step() -> None:
        h1 = np.maximum(X @ W1 + b1, 0.0)
        h2 = np.maximum(h1 @ W2 + b2, 0.0)
        margin = 1.0 - y * (h2 @ W3 + b3)[:, 0]
        np.maximum(margin, 0.0).mean()
        d3 = np.where(margin > 0.0, -y / len(y), 0.0)[:, None]
        d2 = d3 @ W3.T * (h2 > 0.0)
        d1 = d2 @ W2.T * (h1 > 0.0)
        for W, b, h, d in ((W3, b3, h2, d3), (W2, b2, h1, d2), (W1, b1, X, d1)):
            W -= LR * (h.T @ d)
            b -= LR * d.sum(axis=0)

    return timed(step)


LR = 1e-6  # so small that the work stays the same, however many steps


def _arrays(copies: int) -> tuple[Any, Any]:
    """The moons, so many times over."""
    import numpy as np

    X, y = moons()
    return np.tile(np.array(X), (copies, 1)), np.tile(np.array(y, dtype=float), copies)


def _random(size: int, m: int = 128) -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.default_rng(size)
    return rng.normal(size=(m, size)), np.sign(rng.normal(size=m))


def _weights(sizes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    import numpy as np

    rng = np.random.default_rng(0)
    return [(rng.normal(size=(n, m)) / n**0.5, np.zeros(m)) for n, m in pairwise(sizes)]


def _program(sizes: tuple[int, ...], machine: bool) -> Any:
    from autograd_lite import MLP, compile, relu
    from autograd_lite.compiler.runtime import toolchain

    model = MLP(sizes[0], sizes[1:], rng=1337)
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0] * sizes[0], 0.0)
    if machine:
        try:
            toolchain.compilers()
        except toolchain.NoCompilerError as error:
            raise Skipped(str(error)) from error
        program.native()
    return program


def step_loop(data: Callable[[], Any]) -> dict[str, float]:
    """Generated Python and nothing else: the loop over the samples is inside."""
    program = _program(DEMO, machine=False)
    loop = program.loop("leaf")
    X, y = data()
    columns, m = [*X.T.tolist(), y.tolist()], len(X)

    def step() -> None:
        _, gradients = loop(columns, [leaf.data for leaf in program.leaves])
        for leaf, g in zip(program.leaves, gradients, strict=True):
            leaf.data = leaf.data - LR / m * g

    return timed(step)


def step_batch(data: Callable[[], Any], machine: bool = False) -> dict[str, float]:
    """The training loop that people know: gradients into ``grad``, and an update."""
    program = _program(DEMO, machine)
    X, y = data()

    def step() -> None:
        for leaf in program.leaves:
            leaf.grad = None
        program.batch(X, y, backward=True)
        for leaf in program.leaves:
            leaf.data = leaf.data - LR * leaf.grad

    return timed(step)


def step_descend(
    sizes: tuple[int, ...], data: Callable[[], Any], machine: bool = False, steps: int = 1
) -> dict[str, float]:
    import autograd_lite.compiler  # noqa: F401  whose import is no part of building

    start = time.perf_counter()
    program = _program(sizes, machine)
    built = time.perf_counter() - start
    X, y = data()
    figures = timed(lambda: program.descend(X, y, lr=LR, steps=steps))
    return {"seconds": figures["seconds"] / steps, "built in s": built}


def step_descent() -> dict[str, float]:
    """One call for each step, with the parameters in an array meanwhile, as the peers keep theirs."""
    program = _program(DEMO, machine=True)
    with program.descent(*_arrays(1), lr=LR) as step:
        return timed(step)


def step_casadi(sizes: tuple[int, ...], data: Callable[[], Any]) -> dict[str, float]:
    """Whole matrices; expanded to scalars, or mapped over the samples, it takes 5 to 12 times as long."""
    import casadi

    X, y = data()
    m = len(X)
    x, t = casadi.MX.sym("x", sizes[0], m), casadi.MX.sym("t", 1, m)
    w = casadi.MX.sym("w", sum((n + 1) * k for n, k in pairwise(sizes)))
    h, place = x, 0
    for n, k in pairwise(sizes):
        W, b = casadi.reshape(w[place : place + n * k], k, n), w[place + n * k : place + (n + 1) * k]
        place += (n + 1) * k
        h = W @ (h if n == sizes[0] and place == (n + 1) * k else casadi.fmax(h, 0)) + casadi.repmat(b, 1, m)
    loss = casadi.sum2(casadi.fmax(1 - t * h, 0)) / m
    update = casadi.Function("update", [w, x, t], [loss, w - LR * casadi.gradient(loss, w)])
    state = casadi.vertcat(*[casadi.vertcat(casadi.vec(casadi.DM(W.T)), b) for W, b in _weights(sizes)])
    dx, dt = casadi.DM(X.T), casadi.DM(y).T

    def step() -> None:
        nonlocal state
        _, state = update(state, dx, dt)

    return timed(step)


def _hinge(namespace: Any, parameters: Any, X: Any, y: Any) -> Any:
    h = X
    for W, b in parameters[:-1]:
        h = namespace.maximum(namespace.dot(h, W) + b, 0.0)
    W, b = parameters[-1]
    return namespace.mean(namespace.maximum(1.0 - y * (namespace.dot(h, W) + b)[:, 0], 0.0))


def step_hips(sizes: tuple[int, ...], data: Callable[[], Any]) -> dict[str, float]:
    import autograd.numpy as np
    from autograd import value_and_grad

    parameters = _weights(sizes)
    gradient = value_and_grad(partial(_hinge, np))
    X, y = data()

    def step() -> None:
        nonlocal parameters
        _, gradients = gradient(parameters, X, y)
        parameters = [
            (W - LR * gW, b - LR * gb) for (W, b), (gW, gb) in zip(parameters, gradients, strict=True)
        ]

    return timed(step)


def step_jax(sizes: tuple[int, ...], data: Callable[[], Any]) -> dict[str, float]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    parameters = jax.tree.map(jnp.array, _weights(sizes))

    @jax.jit
    def update(parameters: Any, X: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(partial(_hinge, jnp))(parameters, X, y)
        return loss, jax.tree.map(lambda p, g: p - LR * g, parameters, gradients)

    X, y = map(jnp.array, data())

    def step() -> None:
        nonlocal parameters
        _, parameters = jax.block_until_ready(update(parameters, X, y))

    return timed(step)


def step_torch(sizes: tuple[int, ...], data: Callable[[], Any]) -> dict[str, float]:
    import torch

    layers: list[Any] = []
    for n, m in pairwise(sizes):
        layers += [torch.nn.Linear(n, m, dtype=torch.float64), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    X, y = map(torch.tensor, data())
    optimizer = torch.optim.SGD(net.parameters(), lr=LR)

    def step() -> None:
        optimizer.zero_grad()
        torch.relu(1.0 - y * net(X)[:, 0]).mean().backward()
        optimizer.step()

    return timed(step)


# --- A whole batch recorded as one graph, whose loops are found again --------------------------------


def _recorded() -> Any:
    """The demo's loss, written as loops over samples, neurons and inputs."""
    from autograd_lite import MLP

    inputs, labels = moons()
    model = MLP(2, [16, 16, 1], rng=1337)

    def network(x: list[Any]) -> Any:
        for k, layer in enumerate(model.layers):
            out = []
            for neuron in layer.neurons:
                z = neuron.b
                for w, xi in zip(neuron.w, x, strict=True):
                    z = z + w * xi
                out.append(z.relu() if k < 2 else z)
            x = out
        return x[0]

    loss: Any = 0.0
    for x, t in zip(inputs, labels, strict=True):
        loss = loss + (1.0 + -float(t) * network(x)).relu()
    return loss * 0.01


def recorded() -> dict[str, float]:
    """A call of the program of its gradient."""
    from autograd_lite import compile, topological_order

    loss = _recorded()
    nodes = len(topological_order(loss))
    start = time.perf_counter()
    program = compile(loss)
    lines = program.loops.count("\n")
    shown = time.perf_counter() - start
    program.native()
    built = time.perf_counter() - start - shown
    return {
        **timed(program),
        "nodes": nodes,
        "lines of loops": lines,
        "found in s": shown,
        "built in s": built,
    }


def recorded_steps(machine: bool) -> dict[str, float]:
    """A step of descent, with the parameters in an array meanwhile."""
    from autograd_lite import compile

    program = compile(_recorded())
    if machine:
        program.native()
    with program.descent(lr=LR) as step:
        return timed(step)


def _networks(size: int) -> Table:
    sizes, data = (size, size, size, size, 1), partial(_random, size)
    return Table(
        f"A step, MLP({size}, [{size}, {size}, {size}, 1]), 128 samples",
        {
            "autograd_lite: C": partial(step_descend, sizes, data, machine=True, steps=10),
            "autograd_lite: NumPy": partial(step_descend, sizes, data, steps=10),
            "JAX: jit": partial(step_jax, sizes, data),
            "PyTorch": partial(step_torch, sizes, data),
        },
    )


_one, _hundred = partial(_arrays, 1), partial(_arrays, 100)

TABLES = [
    Table(
        "One gradient of a 3-2-1 sigmoid network",
        {
            "by hand: Python": small_by_hand,
            "autograd_lite: generated Python": partial(small_autograd_lite, "generated"),
            "autograd_lite: program.backward(x)": partial(small_autograd_lite, "backward"),
            "autograd_lite: recorded anew": partial(small_autograd_lite, "eager"),
            "by hand: NumPy": small_numpy,
            "JAX: jit": small_jax,
            "CasADi": small_casadi,
            "XAD": small_xad,
            "micrograd": small_micrograd,
            "PyTorch": small_torch,
            "HIPS autograd": small_hips,
        },
        against=("autograd_lite: generated Python",),
    ),
    Table(
        "A step of micrograd's demo: MLP(2, [16, 16, 1]), 100 samples, hinge loss",
        {
            "autograd_lite: generated Python": partial(step_loop, _one),
            "autograd_lite: batch, NumPy": partial(step_batch, _one),
            "autograd_lite: batch, C": partial(step_batch, _one, machine=True),
            "autograd_lite: descend, NumPy": partial(step_descend, DEMO, _one),
            "autograd_lite: descend, C": partial(step_descend, DEMO, _one, machine=True),
            "autograd_lite: a step of descent, C": step_descent,
            "autograd_lite: 100 steps of descend, C": partial(
                step_descend, DEMO, _one, machine=True, steps=100
            ),
            "by hand: C": by_hand_c,
            "by hand: NumPy": by_hand_numpy,
            "CasADi": partial(step_casadi, DEMO, _one),
            "JAX: jit": partial(step_jax, DEMO, _one),
            "PyTorch": partial(step_torch, DEMO, _one),
            "HIPS autograd": partial(step_hips, DEMO, _one),
            "autograd_lite: recorded anew": demo_autograd_lite,
            "XAD": demo_xad,
            "micrograd": demo_micrograd,
        },
        against=("autograd_lite: generated Python", "autograd_lite: a step of descent, C"),
    ),
    Table(
        "A step of micrograd's demo on 10,000 samples",
        {
            "autograd_lite: batch, NumPy": partial(step_batch, _hundred),
            "autograd_lite: batch, C": partial(step_batch, _hundred, machine=True),
            "CasADi": partial(step_casadi, DEMO, _hundred),
            "JAX: jit": partial(step_jax, DEMO, _hundred),
            "PyTorch": partial(step_torch, DEMO, _hundred),
            "HIPS autograd": partial(step_hips, DEMO, _hundred),
        },
        against=("autograd_lite: batch, NumPy", "autograd_lite: batch, C"),
    ),
    Table(
        "The demo's 100 samples recorded as one graph: a call of the program of its gradient",
        {
            "autograd_lite: C": recorded,
            "autograd_lite: a step of descent, C": partial(recorded_steps, machine=True),
            "autograd_lite: a step of descent, NumPy": partial(recorded_steps, machine=False),
            "by hand: C, a step": by_hand_c,
            "JAX: jit, a step": partial(step_jax, DEMO, _one),
            "PyTorch: a step": partial(step_torch, DEMO, _one),
        },
    ),
    *map(_networks, (8, 16, 32, 64, 128, 256)),
]
