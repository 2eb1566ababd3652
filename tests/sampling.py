"""Sample points: for each row of the table, operands where it has a derivative, extreme ones included."""

import math
from collections.abc import Callable
from typing import Any

from autograd_lite.core.primitive import Primitive

Point = tuple[float, ...]

TINY = math.ulp(0.0)  # the least subnormal, 5e-324
HUGE = math.nextafter(math.inf, 0.0)
ABOVE_1, BELOW_1 = math.nextafter(1.0, 2.0), math.nextafter(1.0, 0.0)

# Both signs, 0, subnormals, where tanh, sigmoid and erf are flat to the last bit, where exp nearly overflows.
REAL = (-700.0, -37.5, -19.5, -3.25, -1.0, -0.3, -1e-9, -1e-310, 0.0, TINY, 1e-200, 1e-9, 0.3, 0.7, 1.0)
REAL += (2.5, 19.5, 37.5, 350.25, 700.0)
FAR = (*REAL, -1000.0, 1000.0, -1e200, 1e200, -HUGE, HUGE)
POSITIVE = (TINY, 1e-310, 1e-200, 1e-9, 0.3, BELOW_1, 1.0, ABOVE_1, 2.5, 700.0, 1e200, HUGE)
NEGATIVE = (-1e200, -8.0, -0.3, -1e-310)
INSIDE = (-BELOW_1, -0.7, -1e-9, -1e-310, 0.0, TINY, 0.3, 0.999, BELOW_1)  # of the interval from -1 to 1

PAIRS = ((2.0, 3.0), (-0.7, 2.5), (-4.0, -0.25), (1e-310, 0.3), (0.0, -2.0), (1e150, -1e-150), (1e200, 0.5))
PLANE = ((1.0, 2.0), (-3.0, 4.0), (0.3, -0.7), (0.0, 2.0), (1e200, 2e200), (-1e-160, 3e-160), (1e-310, 1.0))
LISTS = ((2.5,), (0.3, -0.7), (-2.0, 0.5, 4.0), (1e-9, 3.0, -1e9, 0.25), (1.0, -1.0, 1e-310))
SCORES = ((2.5,), (0.3, -1.0, 2.0), (0.25, 0.5), (40.0, 1.0, 0.0), (700.0, -700.0), (-700.0, 700.0))
SCORES += ((1000.0, 0.0), (0.0, 1000.0), (-800.0, 0.0), (1000.0, 0.0, -1000.0), (-1000.0,) * 4)


def _unary(*points: float) -> tuple[Point, ...]:
    return tuple((x,) for x in points)


_NOT_0 = _unary(*filter(None, FAR))

# The operands of each row, flat, as its node holds them; none on a kink or at an end of the domain.
POINTS: dict[str, tuple[Point, ...]] = {
    "add": PAIRS,
    "sub": PAIRS,
    "mul": PAIRS,
    "div": (*PAIRS, (1e-310, 1e-310), (5.0, 49.0), (1e200, 1e200), (HUGE, 3.0)),
    "neg": _unary(*FAR),
    "pow": (
        (2.0, 3.0),
        (0.3, -2.5),
        (2.5, 0.0),
        (1.0, -3.0),
        (1e-9, 0.5),
        (1e-100, 2.5),
        (1e100, 3.0),
        (0.7, 300.0),
    ),
    "abs": _NOT_0,
    "square": _unary(*REAL, -1e150, 1e150),
    "reciprocal": _unary(*POSITIVE, *NEGATIVE),
    "sqrt": _unary(*POSITIVE),
    "rsqrt": _unary(*POSITIVE),
    "cbrt": _unary(*POSITIVE, *NEGATIVE),
    "exp": _unary(*REAL, -745.0, 709.7),
    "expm1": _unary(*REAL, -1e200, 709.7),
    "log": _unary(*POSITIVE),
    "log1p": _unary(*POSITIVE, -BELOW_1, -0.3, -1e-9, 0.0),
    "log2": _unary(*POSITIVE),
    "log10": _unary(*POSITIVE),
    "sin": _unary(*FAR, 1e22),
    "cos": _unary(*FAR, 1e22),
    "tan": _unary(*REAL, 1e22, math.pi / 2.0),
    "asin": _unary(*INSIDE),
    "acos": _unary(*INSIDE),
    "atan": _unary(*FAR),
    "atan2": PLANE,
    "sinh": _unary(*REAL, 710.4),
    "cosh": _unary(*REAL, 710.4),
    "tanh": _unary(*FAR),
    "sech": _unary(*FAR, -712.5, 740.0),
    "asinh": _unary(*FAR),
    "acosh": _unary(ABOVE_1, 1.0 + 1e-9, 1.3, 2.5, 700.0, 1e200, HUGE),
    "atanh": _unary(*INSIDE),
    "hypot": (*PLANE, (1e-310, 2e-310)),
    "erf": _unary(*FAR, 5.9, -26.0),
    "erfc": _unary(*FAR, 5.9, 26.0),
    "sigmoid": _unary(*FAR, -710.0),
    "relu": _NOT_0,
    "leaky_relu": ((2.0, 0.01), (-3.0, 0.01), (-1e-310, 0.25), (1e200, 0.5), (-1e200, 0.5)),
    "softplus": _unary(*FAR, -710.0),
    "silu": _unary(*FAR, -710.0, -1.25),
    "gelu": _unary(*FAR, -5.0, -0.75, 5.0),
    "maximum": (*PAIRS, (1.0, ABOVE_1), (-1e-310, TINY), (1e200, -1e200)),
    "minimum": (*PAIRS, (1.0, ABOVE_1), (-1e-310, TINY), (1e200, -1e200)),
    "clip": ((0.3, -1.0, 1.0), (-2.0, -1.0, 1.0), (3.0, -1.0, 1.0), (2.0, -math.inf, math.inf)),
    "where": ((1.0, 2.0, 3.0), (0.0, 2.0, 3.0), (1.0, -1e200, 1e-310)),
    "sign": _NOT_0,
    "heaviside": _NOT_0,
    "sum": LISTS,
    "mean": LISTS,
    "prod": (*LISTS, (0.0, 2.0, 3.0), (0.0, 0.0, 3.0)),
    "dot": (
        (0.5,),
        (2.0, 3.0),
        (2.0, 3.0, 0.5),
        (0.3, -0.7, 2.5, 4.0),
        (1.0, 2.0, 3.0, -4.0, 5.0, 6.0, 0.25),
    ),
    "logsumexp": (*SCORES, (-40.0, 0.0)),
    "softmax_cross_entropy": SCORES,
}

# How users hand these operands to the rows that take vectors.
_CALLS: dict[str, Callable[..., tuple[Any, ...]]] = {
    **dict.fromkeys(("sum", "mean", "prod", "logsumexp"), lambda *x: (x,)),
    "dot": lambda *x: (x[: len(x) // 2], x[len(x) // 2 : len(x) // 2 * 2], *x[len(x) // 2 * 2 :]),
    "softmax_cross_entropy": lambda *x: (x, 0),  # its node's first operand is the score of the right class
}


def points(row: Primitive) -> tuple[Point, ...]:
    assert row.name in POINTS, f"{row.name} is new: add sample points to POINTS in tests/sampling.py"
    return POINTS[row.name]


def call(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The public function on flat operands, floats or Values."""
    return row(*_CALLS.get(row.name, lambda *x: x)(*operands))
