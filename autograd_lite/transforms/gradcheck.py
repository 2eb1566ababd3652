"""`gradcheck`: compare every derivative in a computation with finite differences.

A function and a point go in; True comes out, or an error that names the wrong operation. Next door:
`derivatives.py` runs the function.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import partial

from autograd_lite.core.modes import no_grad
from autograd_lite.core.value import Value
from autograd_lite.transforms.derivatives import Function, Run
from autograd_lite.transforms.linear_map import described
from autograd_lite.transforms.pytrees import Pytree, flatten

_SEARCH = "; each rule by itself is right, so look for .data, detach, no_grad or a kink in the function"


class GradcheckError(AssertionError):
    """A wrong derivative that `gradcheck` found, with the operation, the operand and both numbers."""


def gradcheck(f: Function, *point: Pytree) -> bool:
    """Compare every derivative in ``f(*point)`` with finite differences: each rule, then the whole.

    Returns True. Raises `GradcheckError` for the first derivative that is further off than the differences'
    own estimate of their error allows, and names the operation and the operand: a primitive with a wrong rule
    is found inside a large function. At a kink any number between the slopes on the two sides is right. Where
    the differences converge to no slope, at a jump or a vertical tangent, it raises, too, and says so.

    >>> gradcheck(lambda x, y: (x * y).tanh() + x**y, 0.5, 2.0)
    True
    """
    run = Run(f, range(len(point)), point)
    for node in run.linear.order:
        row, numbers = node.primitive, _data(node.operands)
        assert row is not None
        for k, derivative in enumerate(node.partials):
            if derivative is not None:
                _check(derivative, row.forward, numbers, k, f"{described(node)}, operand {k}: the rule")

    def output(j: int, *numbers: float) -> float:
        with no_grad():
            result = f(*run.like_arguments([Value(x) for x in numbers]))
        return _data(flatten(result, "the result").leaves)[j]

    inputs = _data(run.linear.inputs)
    for j, y in enumerate(run.linear.outputs):
        for k, derivative in enumerate(_data(run.linear.pull([(y, 1.0)]))):
            what = f"∂result{run.result.paths[j]}/∂arguments{run.arguments.paths[k]}: the chain rule"
            _check(derivative, partial(output, j), inputs, k, what, _SEARCH)
    return True


def _data(scalars: Sequence[Value | float]) -> list[float]:
    return [x.data if isinstance(x, Value) else x for x in scalars]


def _check(
    derivative: float, f: Callable[..., float], numbers: Sequence[float], k: int, what: str, hint: str = ""
) -> None:
    """Raise `GradcheckError` unless `derivative` is the slope of `f` by its argument k at `numbers`."""

    def along(x: float) -> float:
        return f(*numbers[:k], x, *numbers[k + 1 :])

    found: list[tuple[float, float]] = []
    for sides in ((0,), (-1, 1)):  # a kink has two slopes, and the difference across it is neither
        slopes = [slope for side in sides if (slope := _slope(along, numbers[k], side)) is not None]
        if len(slopes) == len(sides):
            found = slopes
            room = [(slope, 10.0 * error + 1e-9 * math.fabs(slope)) for slope, error in found]
            if min(s - r for s, r in room) <= derivative <= max(s + r for s, r in room):
                return
    shown = " and ".join(f"{slope!r} (± {error:.1g})" for slope, error in found)
    raise GradcheckError(
        f"{what} gives {derivative!r}, differences give {shown or 'no slope at this point'}{hint}"
    )


def _slope(f: Callable[[float], float], x: float, side: int) -> tuple[float, float] | None:
    """Return f'(x) by differences and an estimate of its error; None if they do not converge.

    A `side` of ±1 takes differences on that side of x, 0 across it. The step is halved each time. Entry n of
    a row combines the differences of n + 1 steps so that their errors cancel up to the power n of the step,
    2n for differences across x (Richardson's extrapolation).
    """
    size = max(1.0, math.fabs(x))
    unseen = math.ulp(f(x)) / size + sys.float_info.min  # a slope this small is lost in rounding
    step = 0.25 * max(1.0, size * 2.0**-20)
    best: tuple[float, float] | None = None
    least = math.inf
    coarser: list[float] = []
    while step > 1e-18:
        left, right = x - step * (side <= 0), x + step * (side >= 0)
        step *= 0.5
        try:
            a, b = f(left), f(right)
            row = [(b - a) / (right - left)]
            rounding = (math.ulp(a) + math.ulp(b)) / (right - left)
        except (ArithmeticError, ValueError):  # outside the domain, or left equals right
            row, rounding = [math.nan], math.nan  # NaN spreads to every entry that uses it
        for n, other in enumerate(coarser, 1):
            better = row[-1] + (row[-1] - other) / (2.0 ** (n if side else 2 * n) - 1.0)
            error = max(math.fabs(better - row[-1]), math.fabs(better - other)) + rounding
            row.append(better)
            relative = error / (math.fabs(better) + unseen)
            if relative < least and error <= 1e-4 * math.fabs(better) + 1e4 * rounding:
                best, least = (better, error), relative
        if best is not None and (least < 1e-11 or rounding > 1e3 * best[1]):
            break
        coarser = row[:7]
    return best
