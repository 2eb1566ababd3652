"""Random programs over every row of the table, for the tests of `program`."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd_lite import Value, where
from autograd_lite.compiler import compile
from autograd_lite.core.primitive import TABLE
from tests.sampling import call

# Operands that keep a row where it is smooth and of moderate size.
DOMAINS: dict[str, Callable[[Any], Any]] = {
    "log": lambda x: 1.5 + TABLE["tanh"](x),
    "log2": lambda x: 1.5 + TABLE["tanh"](x),
    "log10": lambda x: 1.5 + TABLE["tanh"](x),
    "log1p": lambda x: 0.5 * TABLE["tanh"](x),
    "sqrt": lambda x: 1.5 + TABLE["tanh"](x),
    "rsqrt": lambda x: 1.5 + TABLE["tanh"](x),
    "cbrt": lambda x: 1.5 + TABLE["tanh"](x),
    "reciprocal": lambda x: 1.5 + TABLE["tanh"](x),
    "asin": lambda x: 0.8 * TABLE["tanh"](x),
    "acos": lambda x: 0.8 * TABLE["tanh"](x),
    "atanh": lambda x: 0.8 * TABLE["tanh"](x),
    "acosh": lambda x: 2.5 + TABLE["tanh"](x),
    "tan": lambda x: TABLE["tanh"](x),
    "exp": lambda x: TABLE["tanh"](x),
    "expm1": lambda x: TABLE["tanh"](x),
    "sinh": lambda x: TABLE["tanh"](x),
    "cosh": lambda x: TABLE["tanh"](x),
    "square": lambda x: TABLE["tanh"](x),
}
VARIADIC = ("sum", "mean", "prod", "dot", "logsumexp", "softmax_cross_entropy")


def step(choose: random.Random, pool: list[Any], name: str) -> Any:
    """One more number, made by the row from the pool."""
    row = TABLE[name]

    def pick() -> Any:
        return choose.choice(pool)

    if name in VARIADIC:
        n = choose.randint(1, 4)
        x = [TABLE["tanh"](pick()) for _ in range(2 * n if name == "dot" else n)]
        return call(row, tuple(x))
    if name == "where":
        bound = choose.uniform(-0.5, 0.5)
        a, b, c = pick(), pick(), pick()
        return where(a > bound, lambda: TABLE["tanh"](b) * 2.0, lambda: TABLE["cos"](c))
    if name == "pow":
        if choose.random() < 0.5:
            return (1.5 + TABLE["tanh"](pick())) ** choose.choice([0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -1.5])
        return row(1.5 + TABLE["tanh"](pick()), TABLE["tanh"](pick()))
    if name == "div":
        return pick() / (1.5 + TABLE["tanh"](pick()))
    if name == "clip":
        return row(pick(), -0.4, 0.6)
    if name == "leaky_relu":
        return row(pick(), 0.1)
    if row.arity == 2:
        return row(pick(), pick())
    return row(DOMAINS.get(name, lambda x: x)(pick()))


def recipe(seed: int, names: list[str]) -> Callable[..., Any]:
    """A function of a list of numbers that runs the rows named, in order, on what it has so far."""

    def program(x: list[Any]) -> Any:
        choose = random.Random(seed)
        pool = [*x, 0.75]
        for name in names:
            pool.append(step(choose, pool, name))
        total = pool[len(x) + 1]
        for part in pool[len(x) + 2 :]:
            total = total + choose.uniform(0.5, 2.0) * part
        return total

    return program


def eager(program: Callable[..., Any], x: list[float]) -> tuple[float, list[float]]:
    """The value and the gradient by the eager engine."""
    values = [Value(xi) for xi in x]
    out = program(values)
    if not isinstance(out, Value):
        return out, [0.0] * len(x)
    out.backward()
    return out.data, [v.grad for v in values]


def close(a: float, b: float, scale: float, tolerance: float) -> bool:
    return abs(a - b) <= tolerance * max(scale, abs(a)) or (math.isnan(a) and math.isnan(b))


def agrees(f, *points):
    """Whether source and arrays give what the eager engine gives; the source must not fail."""
    program = compile(lambda x: f(*x), list(points[0]))
    for point in points:
        value, gradient = eager(lambda x: f(*x), list(point))
        got = program.function()(list(point))
        assert got[0] == pytest.approx(value, rel=1e-14)
        assert got[1] == pytest.approx(gradient, rel=1e-14)
        values, gradients = program.batch(np.array([point, point]), reduce=None)
        assert values[1] == pytest.approx(value, rel=1e-14)
        assert [*gradients[1]] == pytest.approx(gradient, rel=1e-14)
