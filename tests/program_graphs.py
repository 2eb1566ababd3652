"""Random graphs, regular and irregular, as a whole recorded loss and as a loss of one sample."""

import itertools
import random
from typing import Any

import autograd_lite as ag
from autograd_lite import Value, dot, exp, relu, sigmoid, softmax_cross_entropy, sqrt, tanh, where
from autograd_lite.primitives import TABLE
from tests.program_fuzz import step

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


KINDS = (connected, shared, sliding, recurrent, attention, classes, choices, anything)


def graph(seed: int) -> tuple[str, Any, list[list[float]], list[float]]:
    """The kind of a random loss of one sample, the loss, and some samples with targets."""
    choose = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    n = choose.randint(1, 5)
    loss = kind(choose, n)
    m = choose.randint(1, 21)
    X = [[choose.uniform(-1.0, 1.0) for _ in range(n)] for _ in range(m)]
    return kind.__name__, loss, X, [choose.uniform(-1.0, 1.0) for _ in range(m)]
