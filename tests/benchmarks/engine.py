"""Recording and backward, written for each engine as its users would write it.

A row returns a dict of figures, ``seconds`` first. Run by `__main__.py`, in a process of its own.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.benchmarks import stored
from tests.benchmarks.measuring import COMPILED, PYTHON, Table, both_forms, moons, timed

WARM_UP = 10  # small runs before a measured one: CPython specializes a function after eight calls


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
        "bytes a node": tracemalloc.get_traced_memory()[0] / (3 * steps),
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
    return {"seconds": ran, "freed in s": freed, "bytes a node at most": peak / depth}


# --- micrograd's demo: one step of training on 100 moons --------------------------------------------


def trained(step: Callable[[], float]) -> dict[str, float]:
    """The time of a step that returns the loss, which must fall."""
    first = step()
    figures = timed(step)
    assert step() < first
    return figures


def demo_autograd_lite(penalty: float = 0.0) -> dict[str, float]:
    from autograd_lite import sum as sum_
    from autograd_lite.nn import MLP
    from autograd_lite.train import GradientDescent

    X, y = moons()
    model = MLP(2, [16, 16, 1], init="uniform", rng=1337)
    optimizer = GradientDescent(model.parameters(), lr=0.1)

    def step() -> float:
        losses = [(1.0 - yi * model(xi)).relu() for xi, yi in zip(X, y, strict=True)]
        loss = sum_(losses) * (1.0 / len(losses))
        if penalty:
            loss = loss + penalty * sum_([p * p for p in model.parameters()])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    return trained(step)


def demo_micrograd(penalty: float = 0.0) -> dict[str, float]:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    X, y = moons()
    random.seed(1337)
    model = MLP(2, [16, 16, 1])

    def step() -> float:
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses))
        if penalty:
            loss = loss + penalty * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
        return loss.data

    return trained(step)


def demo_xad(penalty: float = 0.0) -> dict[str, float]:
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
            if penalty:
                squares = Real(0.0)
                for w in parameters:
                    squares = squares + w * w
                loss = loss + penalty * squares
            tape.registerOutput(loss)
            loss.derivative = 1.0
            tape.computeAdjoints()
            for layer, theirs in zip(layers, net, strict=True):
                for neuron, reals in zip(layer, theirs, strict=True):
                    neuron[:] = [w - 0.1 * real.derivative for w, real in zip(neuron, reals, strict=True)]
            return float(loss.value)

    return trained(step)


TABLES = [
    Table(
        "100,000 × tanh(x·b + c), recorded and differentiated, b and c numbers",
        {
            **both_forms(chain_autograd_lite, constants=True),
            "micrograd": partial(chain_micrograd, constants=True),
        },
        against=(COMPILED, PYTHON),
    ),
    Table(
        "100,000 × tanh(x·b + c), recorded and differentiated, b and c Values",
        {**both_forms(chain_autograd_lite), "micrograd": chain_micrograd},
        against=(COMPILED, PYTHON),
    ),
    Table("Memory of 100,000 × tanh(x·b + c)", both_forms(memory_autograd_lite)),
    Table("A graph 1,000,000 deep", both_forms(deep_autograd_lite)),
    Table(
        "A step of micrograd's demo, recorded anew: MLP(2, [16, 16, 1]), 100 samples, hinge loss and penalty",
        {
            **both_forms(demo_autograd_lite, penalty=1e-4),
            "micrograd": partial(demo_micrograd, penalty=1e-4),
            "XAD": partial(demo_xad, penalty=1e-4),
        },
        against=(COMPILED, PYTHON),
    ),
    Table(
        "A GPT of scalars, recorded anew: 16 wide, one layer, 4 heads, a document of 8 letters",
        {
            **both_forms(stored.autograd_lite),
            "by hand: plain Python, stored local gradients": stored.stored,
            "by hand: plain Python, closures": stored.closures,
        },
        against=(COMPILED, PYTHON),
    ),
]
