"""What is measured: each workload, written for each engine as its users would write it.

A workload returns a dict of figures, ``seconds`` first. Run by `__main__.py`, one process a call.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

WARM_UP = 10  # small runs before a measured one: CPython specializes a function after eight calls


def moons(count: int = 100) -> tuple[list[list[float]], list[int]]:
    """Two noisy half circles, labelled 1 and -1, as micrograd's demo draws them."""
    rng = random.Random(1337)
    X, y = [], []
    for k in range(count):
        angle = rng.uniform(0.0, math.pi)
        point = (
            (math.cos(angle), math.sin(angle)) if k % 2 else (1.0 - math.cos(angle), 0.5 - math.sin(angle))
        )
        X.append([coordinate + rng.gauss(0.0, 0.1) for coordinate in point])
        y.append(1 if k % 2 else -1)
    return X, y


# --- A chain of tanh(x·b + c): three operations a step, b and c Values or plain numbers --------------


def _chain(make: Callable[[float], Any], steps: int, parameter: Callable[[float], Any]) -> float:
    for length in [30] * WARM_UP + [steps]:
        x, b, c = make(0.5), parameter(1.0), parameter(0.0)
        start = time.process_time()
        h = x
        for _ in range(length):
            h = (h * b + c).tanh()
        h.backward()
        seconds = time.process_time() - start
    assert 0.0 < x.grad < 1.0
    return seconds


def chain_autograd_lite(steps: int = 100_000, constants: bool = False) -> dict[str, float]:
    from autograd_lite import Value

    return {"seconds": _chain(Value, steps, float if constants else Value)}


def chain_micrograd(steps: int = 100_000, constants: bool = False) -> dict[str, float]:
    from micrograd.engine import Value

    def tanh(self: Any) -> Any:  # which micrograd 0.1.0 lacks, in its own style
        t = math.tanh(self.data)
        out = Value(t, (self,), "tanh")

        def _backward() -> None:
            self.grad += (1 - t * t) * out.grad

        out._backward = _backward
        return out

    Value.tanh = tanh
    sys.setrecursionlimit(10**9)  # its backward recurses
    return {"seconds": _chain(Value, steps, float if constants else Value)}


def memory_autograd_lite(steps: int = 100_000) -> dict[str, float]:
    from autograd_lite import Value

    tracemalloc.start()
    start = time.process_time()
    x, b, c = Value(0.5), Value(1.0), Value(0.0)
    h = x
    for _ in range(steps):
        h = (h * b + c).tanh()
    h.backward()
    return {
        "seconds": time.process_time() - start,
        "bytes_per_node": tracemalloc.get_traced_memory()[0] / (3 * steps),
    }


def deep_autograd_lite(depth: int = 1_000_000) -> dict[str, float]:
    from autograd_lite import Value

    def run() -> float:
        x = Value(1.0)
        h = x
        for _ in range(depth):
            h = h + 1.0
        h.backward()
        assert x.grad == 1.0
        return time.process_time()

    start = time.process_time()
    ran = run() - start
    freed = time.process_time() - start - ran
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    return {"seconds": ran, "seconds_to_free": freed, "peak_bytes_per_node": peak / depth}


# --- micrograd's demo: one step of training on 100 moons --------------------------------------------


def _steps(step: Callable[[], float], count: int) -> dict[str, float]:
    losses, seconds = [], []
    for _ in range(count):
        start = time.process_time()
        losses.append(step())
        seconds.append(time.process_time() - start)
    assert losses[-1] < losses[0]
    return {"seconds": statistics.median(seconds[2:])}


def demo_autograd_lite(count: int = 12) -> dict[str, float]:
    from autograd_lite import sum as sum_
    from autograd_lite.nn import MLP
    from autograd_lite.optim import GradientDescent

    X, y = moons()
    model = MLP(2, [16, 16, 1], init="uniform", rng=1337)
    optimizer = GradientDescent(model.parameters(), lr=0.1)

    def step() -> float:
        losses = [(1.0 - yi * model(xi)).relu() for xi, yi in zip(X, y, strict=True)]
        penalty = sum_([p * p for p in model.parameters()])
        loss = sum_(losses) * (1.0 / len(losses)) + 1e-4 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    return _steps(step, count)


def demo_micrograd(count: int = 5) -> dict[str, float]:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    X, y = moons()
    random.seed(1337)
    model = MLP(2, [16, 16, 1])

    def step() -> float:
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
        return loss.data

    return _steps(step, count)


def demo_xad(count: int = 8) -> dict[str, float]:
    import xad.math as xm
    from xad.adj_1st import Real, Tape

    X, y = moons()
    rng = random.Random(1337)
    sizes = [2, 16, 16, 1]
    layers = [
        [[rng.uniform(-1.0, 1.0) for _ in range(n)] + [0.0] for _ in range(m)]
        for n, m in itertools.pairwise(sizes)
    ]

    def step() -> float:
        with Tape() as tape:
            net = [[[Real(w) for w in neuron] for neuron in layer] for layer in layers]
            parameters = [w for layer in net for neuron in layer for w in neuron]
            tape.registerInputs(parameters)
            tape.newRecording()
            total = Real(0.0)
            for xi, yi in zip(X, y, strict=True):
                h: list[Any] = xi
                for depth, layer in enumerate(net):
                    out = []
                    for neuron in layer:
                        z = neuron[-1]
                        for w, hi in zip(neuron, h, strict=False):
                            z = z + w * hi
                        out.append(xm.max(z, 0.0) if depth < 2 else z)
                    h = out
                total = total + xm.max(1.0 - yi * h[0], 0.0)
            loss = total * (1.0 / len(X))
            penalty = Real(0.0)
            for w in parameters:
                penalty = penalty + w * w
            loss = loss + 1e-4 * penalty
            tape.registerOutput(loss)
            loss.derivative = 1.0
            tape.computeAdjoints()
            for layer, theirs in zip(layers, net, strict=True):
                for neuron, reals in zip(layer, theirs, strict=True):
                    neuron[:] = [w - 0.1 * real.derivative for w, real in zip(neuron, reals, strict=True)]
            return float(loss.value)

    return _steps(step, count)


WORKLOADS: dict[str, dict[str, Callable[[], dict[str, float]]]] = {
    "chain of 100,000 tanh(x·b + c), record and backward, b and c numbers": {
        "autograd_lite": partial(chain_autograd_lite, constants=True),
        "micrograd": partial(chain_micrograd, constants=True),
    },
    "chain of 100,000 tanh(x·b + c), record and backward, b and c Values": {
        "autograd_lite": chain_autograd_lite,
        "micrograd": chain_micrograd,
    },
    "the same, memory": {"autograd_lite": memory_autograd_lite},
    "a graph 1,000,000 deep": {"autograd_lite": deep_autograd_lite},
    "micrograd's demo, one training step": {
        "autograd_lite": demo_autograd_lite,
        "micrograd": demo_micrograd,
        "xad": demo_xad,
    },
}
