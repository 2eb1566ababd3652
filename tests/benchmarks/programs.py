"""Compiled programs against their peers: ``python -m tests.benchmarks.programs [--rounds 15] [--wide]``.

Everything runs in one process and one thread, in float64, in turn within each round, so that a slow minute of
the machine is everybody's. Peers that are not installed are left out.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse
import ctypes
import gc
import importlib.metadata
import importlib.util
import math
import platform
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import autograd_lite as ag
from autograd_lite import Value, nn
from autograd_lite.program import compile, native
from tests.benchmarks.workloads import moons


def report(title: str, first: str, runs: dict[str, Callable[[], Any]], rounds: int) -> None:
    """Print the median and the spread of each run, and how many times as long as `first` it takes."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    counts = {}
    for name, run in runs.items():
        run()
        start = time.perf_counter()
        run()
        counts[name] = max(1, int(0.02 / (time.perf_counter() - start + 1e-7)))
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(counts[name]):
                run()
            times[name].append((time.perf_counter() - start) / counts[name])
    print(f"\n{title}")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times[first], strict=True))
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"  {name:44}{middle * 1e6:12,.2f} µs   {low * 1e6:,.2f} … {high * 1e6:,.2f}   {ratio:.3g} ×")


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


# --- One gradient of a 3-2-1 sigmoid network --------------------------------------------------------


def small(rounds: int) -> None:
    exp = math.exp

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

    rng = random.Random(1)
    x, w = [0.1, 0.2, 0.3], [rng.uniform(-1.0, 1.0) for _ in range(11)]
    leaves = [Value(wi) for wi in w]

    def loss(x: Any) -> Any:
        h1 = ag.sigmoid(ag.dot(leaves[0:3], x, leaves[3]))
        h2 = ag.sigmoid(ag.dot(leaves[4:7], x, leaves[7]))
        return 0.5 * ag.square(ag.sigmoid(ag.dot(leaves[8:10], [h1, h2], leaves[10])) - 1.0)

    program = compile(loss, x)
    generated = program.leaf_function
    runs: dict[str, Callable[[], Any]] = {
        "Python by hand": lambda: by_hand(x, w),
        "autograd_lite: generated Python": lambda: generated(x, w),
        "autograd_lite: program.backward(x)": lambda: program.backward(x),
        "autograd_lite: eager": lambda: loss(x).backward(),
    }
    if installed("micrograd"):
        from micrograd.engine import Value as Micro

        micro = [Micro(wi) for wi in w]

        def micrograd() -> None:
            def neuron(w: list[Any], x: list[Any], b: Any) -> Any:
                z = sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)
                return z.relu()  # it has no sigmoid

            h = [neuron(micro[0:3], x, micro[3]), neuron(micro[4:7], x, micro[7])]
            e = neuron(micro[8:10], h, micro[10]) - 1.0
            (e * e * 0.5).backward()

        runs["micrograd (with relu)"] = micrograd
    if installed("torch"):
        import torch

        tw = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        tx = torch.tensor(x, dtype=torch.float64)

        def pytorch() -> None:
            h = torch.sigmoid(tw[:8].view(2, 4)[:, :3] @ tx + tw[:8].view(2, 4)[:, 3])
            o = torch.sigmoid(tw[8:10] @ h + tw[10])
            (0.5 * (o - 1.0) ** 2).backward()

        runs["PyTorch"] = pytorch
    if installed("jax"):
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)

        def f(w: Any, x: Any) -> Any:
            m = w[:8].reshape(2, 4)
            h = jax.nn.sigmoid(m[:, :3] @ x + m[:, 3])
            return 0.5 * (jax.nn.sigmoid(w[8:10] @ h + w[10]) - 1.0) ** 2

        step, jw, jx = jax.jit(jax.value_and_grad(f)), jnp.array(w), jnp.array(x)
        runs["jax.jit"] = lambda: jax.block_until_ready(step(jw, jx))
    if installed("casadi"):
        import casadi

        cw, cx = casadi.SX.sym("w", 11), casadi.SX.sym("x", 3)

        def sigma(z: Any) -> Any:
            return 1 / (1 + casadi.exp(-z))

        h1 = sigma(cw[0] * cx[0] + cw[1] * cx[1] + cw[2] * cx[2] + cw[3])
        h2 = sigma(cw[4] * cx[0] + cw[5] * cx[1] + cw[6] * cx[2] + cw[7])
        value = 0.5 * (sigma(cw[8] * h1 + cw[9] * h2 + cw[10]) - 1) ** 2
        function = casadi.Function("f", [cx, cw], [value, casadi.gradient(value, cw)])
        runs["CasADi"] = lambda: function(x, w)
    report("One gradient of a 3-2-1 sigmoid network", "Python by hand", runs, rounds)


# --- One step of training ---------------------------------------------------------------------------

BY_HAND = """
#define H 16
void step(long m, const double *x, const double *y, double *w, double lr)
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


def _torch_step(sizes: list[int], X: Any, y: Any, lr: float) -> Callable[[], None]:
    import torch

    torch.set_num_threads(1)
    layers: list[Any] = []
    for n, m in pairwise(sizes):
        layers += [torch.nn.Linear(n, m, dtype=torch.float64), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    tX, ty = torch.tensor(X), torch.tensor(y)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)

    def step() -> None:
        optimizer.zero_grad()
        torch.relu(1.0 - ty * net(tX)[:, 0]).mean().backward()
        optimizer.step()

    return step


def _jax_step(sizes: list[int], X: Any, y: Any, lr: float) -> Callable[[], None]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(0)
    state = [[(jnp.array(rng.normal(size=(n, m)) / n**0.5), jnp.zeros(m)) for n, m in pairwise(sizes)]]

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        h = X
        for W, b in parameters[:-1]:
            h = jnp.maximum(h @ W + b, 0.0)
        W, b = parameters[-1]
        return jnp.maximum(1.0 - y * (h @ W + b)[:, 0], 0.0).mean()

    @jax.jit
    def update(parameters: Any, X: Any, y: Any) -> Any:
        gradients = jax.grad(loss)(parameters, X, y)
        return jax.tree.map(lambda p, g: p - lr * g, parameters, gradients)

    jX, jy = jnp.array(X), jnp.array(y)

    def step() -> None:
        state[0] = jax.block_until_ready(update(state[0], jX, jy))

    return step


def _program(sizes: list[int]) -> Any:
    model = nn.MLP(sizes[0], sizes[1:], rng=1337)
    return compile(lambda x, y: ag.relu(1.0 - y * model(x)), [0.0] * sizes[0], 0.0), model


def demo(rounds: int) -> None:
    inputs, labels = moons()
    X, y = np.array(inputs), np.array(labels, dtype=float)
    lr = 1e-3
    arrays, _ = _program([2, 16, 16, 1])
    machine = _program([2, 16, 16, 1])[0].native()
    loop = arrays.loop("leaf")
    columns = [X[:, 0].tolist(), X[:, 1].tolist(), y.tolist()]

    def generated() -> None:
        _, gradients = loop(columns, [leaf.data for leaf in arrays.leaves])
        for leaf, g in zip(arrays.leaves, gradients, strict=True):
            leaf.data = leaf.data - lr / 100 * g

    def backward(program: Any) -> Callable[[], None]:
        def step() -> None:
            for leaf in program.leaves:
                leaf.grad = None
            program.batch(X, y, backward=True)
            for leaf in program.leaves:
                leaf.data = leaf.data - lr * leaf.grad

        return step

    runs: dict[str, Callable[[], Any]] = {
        "autograd_lite: generated Python, loop inside": generated,
        "autograd_lite: batch(backward), update, NumPy": backward(arrays),
        "autograd_lite: batch(backward), update, C": backward(machine),
        "autograd_lite: descend, NumPy": lambda: arrays.descend(X, y, lr=lr),
        "autograd_lite: descend, C": lambda: machine.descend(X, y, lr=lr),
    }
    hundred = lambda: machine.descend(X, y, lr=lr, steps=100)  # noqa: E731
    runs["autograd_lite: descend(steps=100), C, all of it"] = hundred
    try:
        library = native.built(BY_HAND)
    except native.NoCompilerError:
        pass
    else:
        w = np.random.default_rng(0).normal(size=337) * 0.3
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (X, y, w)]
        library.step.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 3, ctypes.c_double]
        runs["C by hand, -O3 -march=native"] = lambda: library.step(100, *pointers, lr)
    if installed("torch"):
        runs["PyTorch"] = _torch_step([2, 16, 16, 1], X, y, lr)
    if installed("jax"):
        runs["jax.jit"] = _jax_step([2, 16, 16, 1], X, y, lr)
    if installed("micrograd"):
        from micrograd.engine import Value as Micro
        from micrograd.nn import MLP

        micro = MLP(2, [16, 16, 1])

        def micrograd() -> None:
            losses = [
                (1 + -t * micro(list(map(Micro, x)))).relu() for x, t in zip(inputs, labels, strict=True)
            ]
            loss = sum(losses) * (1.0 / len(losses))
            micro.zero_grad()
            loss.backward()
            for p in micro.parameters():
                p.data -= lr * p.grad

        gc.freeze()  # what else was imported is no matter for its garbage collector
        runs["micrograd"] = micrograd
    report(
        "micrograd's demo: a step on 100 samples, MLP(2, [16, 16, 1])",
        "autograd_lite: descend, C",
        runs,
        rounds,
    )
    many, labels10 = np.tile(X, (100, 1)), np.tile(y, 100)
    runs = {
        "autograd_lite: program.batch, NumPy": lambda: arrays.batch(many, labels10),
        "autograd_lite: program.batch, C": lambda: machine.batch(many, labels10),
    }
    if installed("torch"):
        runs["PyTorch"] = _torch_step([2, 16, 16, 1], many, labels10, lr)
    if installed("jax"):
        runs["jax.jit"] = _jax_step([2, 16, 16, 1], many, labels10, lr)
    report("The same on 10,000 samples", "autograd_lite: program.batch, C", runs, rounds)


def networks(rounds: int, wide: bool) -> None:
    for size in (8, 16, 32, 64, 128) + ((256,) if wide else ()):
        sizes = [size, size, size, size, 1]
        rng = np.random.default_rng(size)
        X = rng.normal(size=(128, size))
        y = np.sign(rng.normal(size=128))
        start = time.perf_counter()
        program, _ = _program(sizes)
        program.native()
        built = time.perf_counter() - start
        arrays, _ = _program(sizes)
        runs: dict[str, Callable[[], Any]] = {
            "autograd_lite: descend(steps=10)/10, C": partial(program.descend, X, y, lr=1e-4, steps=10),
            "autograd_lite: descend(steps=10)/10, NumPy": partial(arrays.descend, X, y, lr=1e-4, steps=10),
        }
        for name, make in (("torch", _torch_step), ("jax", _jax_step)):
            if installed(name):
                step = make(sizes, X, y, 1e-4)
                runs[f"{name}, 10 steps"] = lambda step=step: [step() for _ in range(10)]
        title = f"{size}³-1, batch 128, 10 steps; from function to machine code: {built:.2f} s"
        report(title, "autograd_lite: descend(steps=10)/10, C", runs, rounds)


def recorded(rounds: int) -> None:
    inputs, labels = moons()
    model = nn.MLP(2, [16, 16, 1], rng=1337)

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
    loss = loss * 0.01
    start = time.perf_counter()
    program = compile(loss)
    nests = program.loops.count("\n")
    middle = time.perf_counter()
    program.native()
    end = time.perf_counter()
    print(f"\nA whole recorded batch: {len(ag.topological_order(loss)):,} nodes, loops in {nests} lines,")
    print(f"  shown after {middle - start:.2f} s, machine code {end - middle:.2f} s later")
    report("Its gradient", "program()", {"program()": program}, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--wide", action="store_true", help="256³-1 too, which takes a minute to compile")
    options = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    names = ("numpy", "torch", "jax", "micrograd", "casadi")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names if installed(name)))
    small(options.rounds)
    demo(options.rounds)
    recorded(options.rounds)
    networks(options.rounds, options.wide)


if __name__ == "__main__":
    main()
