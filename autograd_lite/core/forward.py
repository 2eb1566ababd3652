"""Forward functions of rows for which `math` has no function, or no stable one.

Each is the `forward` of the row of the same name in `rules.py`, which holds the derivative. They take floats
only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

inf, nan = math.inf, math.nan
T = TypeVar("T")


def sigmoid(x: float) -> float:
    e = math.exp(-math.fabs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


def sech(x: float) -> float:
    return 1.0 / math.cosh(x) if -700.0 < x < 700.0 else 2.0 * math.exp(-math.fabs(x))


def rsqrt(x: float) -> float:
    return inf if x == 0.0 else 1.0 / math.sqrt(x)


def pow(x: float, y: float) -> float:
    # A square and a reciprocal round once, as they do in programs, which write them as x · x and 1 / x.
    if y == 2.0 and -1e150 < x < 1e150:
        return x * x
    if y == -1.0 and math.fabs(x) > 1e-300:
        return 1.0 / x
    return math.pow(x, y)


def relu(x: float) -> float:
    return 0.0 if x <= 0.0 else x  # NaN stays NaN


def softplus(x: float) -> float:
    return relu(x) + math.log1p(math.exp(-math.fabs(x)))


def sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x  # 0 and NaN are their own sign


def heaviside(x: float) -> float:
    return 1.0 if x > 0.0 else 0.0 if x <= 0.0 else x


def maximum(x: float, y: float) -> float:
    return x if x > y or x != x else y  # `max` would drop a NaN in second place


def minimum(x: float, y: float) -> float:
    return x if x < y or x != x else y


def where(condition: float, x: float | Callable[[], float], y: float | Callable[[], float]) -> float:
    taken = x if condition else y
    return taken() if callable(taken) else taken


def entry(i: float, *x: float) -> float:
    k = int(i)
    if k != i or not 0 <= k < len(x):
        raise ValueError(f"there is no entry {i!r} of {len(x)}")
    return x[k]


def clip(x: float, low: float, high: float) -> float:
    if low > high:
        raise ValueError(f"the lower bound {low!r} is above the upper bound {high!r}")
    return low if x < low else high if x > high else x


def logsumexp(*x: float) -> float:
    top = max(x)
    if math.isinf(top):
        return nan if any(xi != xi for xi in x) else top
    others = [*x]
    others.remove(top)
    return top + math.log1p(math.fsum([math.exp(xi - top) for xi in others]))


def softmax_cross_entropy(f_y: float, *others: float) -> float:
    # -log P_y = log(1 + Σ e^(f_k - f_y)): while the right class leads, log1p keeps every term.
    gaps = [f_k - f_y for f_k in others]
    top = max(gaps, default=0.0)
    if top <= 0.0:
        return math.log1p(math.fsum(map(math.exp, gaps)))
    if top == inf:
        return nan if any(gap != gap for gap in gaps) else inf
    return top + math.log(math.fsum([math.exp(-top), *[math.exp(gap - top) for gap in gaps]]))


def factors(operands: tuple[T, ...]) -> tuple[tuple[T, ...], tuple[T, ...], tuple[T, ...]]:
    n = len(operands) // 2
    return operands[:n], operands[n : 2 * n], operands[2 * n :]


def dot(w: Sequence[float], x: Sequence[float], b: Sequence[float]) -> float:
    """Σ wᵢ xᵢ + b, rounded once; b is one number or none."""
    terms = [(wk := w[k]) * xk for k, xk in enumerate(x)]  # noqa: F841 - typed in `forward.pxd`
    terms += b
    return math.fsum(terms)
