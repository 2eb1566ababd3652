"""Random graphs, regular and irregular, as a whole recorded loss and as a loss of one sample.

``python -m tests.compiler.graphs [COUNT [FIRST]]`` compares all forms of so many with the eager engine.
"""

import collections
import itertools
import math
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import autograd_lite as ag
from autograd_lite import Value, dot, exp, relu, sigmoid, softmax_cross_entropy, sqrt, tanh, where
from autograd_lite.core.primitive import TABLE
from tests.compiler.fuzz import step

ACTIVATIONS = (relu, tanh, sigmoid, ag.softplus, ag.gelu, lambda x: x, lambda x: ag.leaky_relu(x, 0.1))


def leaves(choose: random.Random, n: int) -> list[Value]:
    return [Value(choose.uniform(-1.0, 1.0)) for _ in range(n)]


def neuron(choose: random.Random, w: list[Any], x: list[Any], b: Any) -> Any:
    """A weighted sum, in one of the ways that people write it."""
    way = choose.randrange(3)
    if way == 0:
        return dot(w, x, b)
    if way == 1:
        total = b
        for wi, xi in zip(w, x, strict=True):
            total = total + wi * xi
        return total
    return ag.sum([wi * xi for wi, xi in zip(w, x, strict=True)]) + b


def connected(choose: random.Random, n: int) -> Any:
    """A network whose neurons, and the terms of each, come in any order."""
    sizes = [n, *[choose.randint(1, 6) for _ in range(choose.randint(1, 3))], 1]
    layers = []
    for m, k in itertools.pairwise(sizes):
        order = list(range(m))
        choose.shuffle(order)
        layers.append((order, [(leaves(choose, m), *leaves(choose, 1)) for _ in range(k)]))
    act, way = choose.choice(ACTIVATIONS), choose.randrange(1000)

    def network(x: list[Any], t: Any) -> Any:
        style = random.Random(way)
        for k, (order, units) in enumerate(layers):
            x = [neuron(style, [w[i] for i in order], [x[i] for i in order], b) for w, b in units]
            x = x if k == len(layers) - 1 else [act(z) for z in x]
        return ag.square(x[0] - t) * 0.5

    return network


def shared(choose: random.Random, n: int) -> Any:
    w, v = leaves(choose, n), leaves(choose, 1)[0]
    return lambda x, t: relu(dot(w, x, v) * w[0] + dot(x, w) - t * v) + 1e-3 * ag.sum([wi * wi for wi in w])


def sliding(choose: random.Random, n: int) -> Any:
    width = choose.randint(1, n)
    kernel, b = leaves(choose, width), leaves(choose, 1)[0]

    def convolution(x: list[Any], t: Any) -> Any:
        y = [tanh(dot(kernel, x[i : i + width], b)) for i in range(n - width + 1)]
        return ag.square(ag.mean(y) - t) + ag.sum([a * a for a in y])

    return convolution


def recurrent(choose: random.Random, n: int) -> Any:
    u, w, b = leaves(choose, 2), leaves(choose, 4), leaves(choose, 2)

    def cell(x: list[Any], t: Any) -> Any:
        h = [0.0, 0.0]
        for xi in x:
            h = [tanh(u[k] * xi + w[2 * k] * h[0] + w[2 * k + 1] * h[1] + b[k]) for k in range(2)]
        return ag.square(h[0] * h[1] - t)

    return cell


def attention(choose: random.Random, n: int) -> Any:
    q, k, v = leaves(choose, n), leaves(choose, n), leaves(choose, n)

    def head(x: list[Any], t: Any) -> Any:
        total = 0.0
        for i in range(n):
            scores = [exp(x[i] * q[i] * x[j] * k[j]) for j in range(n)]
            norm = ag.sum(scores)
            total = total + dot(scores, [x[j] * v[j] for j in range(n)]) / norm
        return ag.square(total - t)

    return head


def classes(choose: random.Random, n: int) -> Any:
    w = [leaves(choose, n) for _ in range(3)]

    def loss(x: list[Any], t: Any) -> Any:
        scores = [dot(row, x) for row in w]
        return softmax_cross_entropy(scores, 1) * t + ag.logsumexp(scores)

    return loss


def choices(choose: random.Random, n: int) -> Any:
    w = leaves(choose, n)

    def loss(x: list[Any], t: Any) -> Any:
        parts = [
            where(xi * wi > 0.1, lambda a=xi, b=wi: sqrt(a * b), lambda a=xi, b=wi: a - b)
            for xi, wi in zip(x, w, strict=True)
        ]
        return ag.sum(parts) * t + ag.maximum(parts[0], parts[-1]) + ag.clip(parts[0], -0.2, 0.3)

    return loss


def anything(choose: random.Random, n: int) -> Any:
    w, seed = leaves(choose, n), choose.randrange(10**6)
    names = choose.choices(list(TABLE), k=choose.randint(1, 12))

    def loss(x: list[Any], t: Any) -> Any:
        style = random.Random(seed)
        pool = [*x, *w, t]
        for name in names:
            pool.append(step(style, pool, name))
        return ag.sum(pool[2 * n :])

    return loss


def repeated(choose: random.Random, n: int) -> Any:
    """A block of a few operations again and again, on what the steps before made; some steps differ."""
    w, lags = leaves(choose, 2), choose.choice((1, 1, 2, 3))
    unary = (tanh, sigmoid, ag.sin, lambda x: -0.7 * x, relu)
    binary = (lambda a, b: a * b, lambda a, b: a - b, ag.maximum, lambda a, b: a / (1.5 + tanh(b)))
    block = [
        (choose.randrange(9), *[choose.randrange(60) for _ in range(2)]) for _ in range(choose.randint(1, 5))
    ]
    steps, odd = choose.randint(3, 14), choose.randrange(30)
    every = choose.random() < 0.5

    def run(x: list[Any], t: Any) -> Any:
        before = [[w[0], x[0]]]
        total = t
        for k in range(steps):
            pool = [v for lag in range(1, lags + 1) for v in before[-min(lag, len(before))]]
            pool += [*w, tanh(w[1]), x[k % n]]
            for op, i, j in block:
                i, j = (j, i) if k == odd else (i, j)
                a, b = pool[i % len(pool)], pool[j % len(pool)]
                pool.insert(0, tanh(unary[op](a) if op < 5 else binary[op - 5](a, b)))
            before.append(pool[:2])
            if every:
                total = total + pool[0] * pool[1]
        return total * 0.1 + before[-1][0]

    return run


KINDS = (connected, shared, sliding, recurrent, attention, classes, choices, anything, repeated)


def graph(seed: int) -> tuple[str, Any, list[list[float]], list[float]]:
    """The kind of a random loss of one sample, the loss, and some samples with targets."""
    choose = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    n = choose.randint(1, 5)
    loss = kind(choose, n)
    m = choose.randint(1, 21)
    X = [[choose.uniform(-1.0, 1.0) for _ in range(n)] for _ in range(m)]
    return kind.__name__, loss, X, [choose.uniform(-1.0, 1.0) for _ in range(m)]


def eager(loss: Any, X: Any, t: Any, leaves: list[Value]) -> tuple[Any, list[float]]:
    """The sum of the losses, and its value and gradients by the eager engine."""
    for leaf in leaves:
        leaf.grad = None
    total = ag.sum([loss(x, ti) for x, ti in zip(X, t, strict=True)])
    if isinstance(total, Value):
        total.backward()
    return total, [total.data if isinstance(total, Value) else total, *[leaf.grad for leaf in leaves]]


def off(got: list[float], want: list[float]) -> float:
    """The largest difference, in units of the largest number, or of 1."""
    scale = max(1.0, *map(abs, want))
    return max(abs(a - b) / scale for a, b in zip(got, want, strict=True))


def _chooses(total: Value) -> bool:
    """Whether a `where` was recorded, which took its branch: a program cannot be made of that."""
    return any(node.primitive is TABLE["where"] for node in ag.topological_order(total))


def forms(seed: int) -> Iterator[tuple[str, float]]:
    """The forms of a graph, and how far the numbers of each are from those of the eager engine."""
    import numpy as np

    from autograd_lite.compiler import Program, compile
    from autograd_lite.compiler.runtime import machine as native

    _, loss, X, t = graph(seed)
    program = compile(loss, X[0], t[0])
    leaves = program.leaves
    try:
        total, want = eager(loss, X, t, leaves)
    except (ArithmeticError, ValueError):  # outside a domain: there is nothing to compare with
        return
    if not leaves:
        return
    recorded = isinstance(total, Value) and not _chooses(total)

    def batch(program: Program) -> float:
        value, gradients = program.batch(np.array(X), np.array(t), reduce="sum")
        return off([value, *gradients], want)

    def whole(program: Program) -> float:
        value, *gradients = program.kernel("leaf")([], [leaf.data for leaf in program.leaves])  # type: ignore[misc]
        found = dict(zip(program.leaves, gradients[0], strict=True))
        return off([value, *[found.get(leaf, 0.0) for leaf in leaves]], want)

    yield "NumPy", batch(program)
    yield "C", batch(program.native())
    machine = native.IRREGULAR
    native.IRREGULAR = -1
    try:
        yield "C, interpreted", batch(compile(loss, X[0], t[0]).native())
        if recorded:
            yield "C, interpreted, recorded", whole(compile(total).native())
    finally:
        native.IRREGULAR = machine
    if recorded:
        yield "NumPy, recorded", whole(compile(total))
        yield "C, recorded", whole(compile(total).native())


def main(count: int = 5000, first: int = 0) -> None:
    """Print the graphs that are off by more than 1e-13, and the worst of each form and kind."""
    from autograd_lite.compiler.runtime import toolchain

    toolchain.FLAGS = (
        *toolchain.FLAGS,
        "-O1",
        "-fno-tree-vectorize",
    )  # the C compiler takes most of the time
    worst: dict[tuple[str, str], float] = collections.defaultdict(float)
    failed, start = 0, time.time()
    for seed in range(first, first + count):
        kind = KINDS[seed % len(KINDS)].__name__
        try:
            for form, far in forms(seed):
                worst[kind, form] = max(worst[kind, form], far)
                if not far <= 1e-13 or math.isnan(far):
                    failed += 1
                    print(f"{seed} {kind}, {form}: off by {far:.2g}", flush=True)
        except Exception as error:
            failed += 1
            print(f"{seed} {kind}: {error!r}", flush=True)
        if seed % 500 == 499:
            print(f"# {seed + 1} graphs, {failed} failures, {time.time() - start:.0f} s", flush=True)
    for (kind, form), far in sorted(worst.items()):
        print(f"{kind:12}{form:26}{far:.1e}")
    print(f"{count} graphs, {failed} failures")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
