"""How the rows of the table print in compiled programs: templates and decompositions.

A row has a *template* for each target that has the operation. Any other row is decomposed: its value is
written in terms of other rows. This file has no derivatives: a program is differentiated by the rows' rules
(`differentiate.py`). Next door: the pass that applies the decompositions (`decompose.py`).
"""

from __future__ import annotations

import math
import operator
from functools import reduce
from math import inf, nan

from autograd_lite.core.primitive import Scalar
from autograd_lite.core.rules import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    clip,
    cos,
    cosh,
    div,
    dot,
    entry,
    erf,
    erfc,
    exp,
    expm1,
    gelu,
    heaviside,
    hypot,
    leaky_relu,
    log,
    log1p,
    log2,
    log10,
    logsumexp,
    masked,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    pow,
    prod,
    reciprocal,
    relu,
    rsqrt,
    sech,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softmax_cross_entropy,
    softplus,
    sqrt,
    square,
    sub,
    sum,
    tan,
    tanh,
    where,
    wrapped,
)

# --- Templates -------------------------------------------------------------------------------------
# Operators look the same in all targets; `math`, NumPy, C and JavaScript share the names of these functions.

_TARGETS = "python", "array", "c", "javascript"
for _row, _hole in (
    (add, "{0} + {1}"),
    (sub, "{0} - {1}"),
    (mul, "{0} * {1}"),
    (div, "{0} / {1}"),
    (neg, "-{0}"),
):
    _row.template = dict.fromkeys(_TARGETS, _hole)
for _row in (
    pow, sqrt, cbrt, exp, expm1, log, log1p, log2, log10, sin, cos, tan, asin, acos, atan, atan2,
    sinh, cosh, tanh, asinh, acosh, atanh, hypot, erf, erfc,
):  # fmt: skip
    _holes = "({0}, {1})" if _row.arity == 2 else "({0})"
    _row.template = dict.fromkeys(_TARGETS, _row.name + _holes)
abs.template = {"python": "fabs({0})", "array": "abs({0})", "c": "fabs({0})", "javascript": "abs({0})"}
where.template = {
    "python": "{1} if {0} else {2}",
    "array": "where({0}, {1}, {2})",
    **dict.fromkeys(("c", "javascript"), "{0} ? {1} : {2}"),
}
# For arrays, one function replaces a decomposition of several passes over the array.
# Python indexes a tuple, arrays call a function of `arrays.py`; loops in C address memory (`c_loops.py`).
entry.template = {"python": "entry({})", "array": "entry({})"}
maximum.template = {"array": "maximum({0}, {1})"}
minimum.template = {"array": "minimum({0}, {1})"}
relu.template = {"array": "maximum({0}, 0.0)"}


# --- Decompositions --------------------------------------------------------------------------------


def _sech_decomposition(x: Scalar) -> Scalar:
    e = exp(-abs(x))
    return 2.0 * e / (1.0 + e * e)


def _sigmoid_decomposition(x: Scalar) -> Scalar:
    e = exp(-abs(x))
    return where(x >= 0.0, 1.0, e) / (1.0 + e)


def _logsumexp_decomposition(*x: Scalar) -> Scalar:
    top, others = x[0], []
    for xi in x[1:]:
        others.append(minimum(top, xi))
        top = maximum(top, xi)
    # If top is infinite, the gaps are NaN.
    return where(abs(top) < inf, lambda: top + log1p(sum([exp(xi - top) for xi in others])), top)


def _softmax_cross_entropy_decomposition(f_y: Scalar, *others: Scalar) -> Scalar:
    gaps = [f_k - f_y for f_k in others]
    top = reduce(maximum, gaps, 0.0)
    rest = sum([exp(gap - top) for gap in gaps])
    # If top is infinite, the rest is NaN.
    return where(
        top > 0.0, lambda: where(top < inf, lambda: top + log(exp(-top) + rest), top), lambda: log1p(rest)
    )


def _dot_decomposition(*operands: Scalar) -> Scalar:
    n = len(operands) // 2
    return sum([*map(operator.mul, operands[:n], operands[n:]), *operands[2 * n :]])


def _entry_decomposition(i: Scalar, *x: Scalar) -> Scalar:
    found = x[-1]
    for k in range(len(x) - 2, -1, -1):
        found = where(i == float(k), x[k], found)
    return found


entry.decomposition = _entry_decomposition
wrapped.decomposition = lambda i, n: where(i < 0.0, i + n, i)
masked.decomposition = lambda x, i, k: where(i == k, -inf, x)
square.decomposition = lambda x: x * x
reciprocal.decomposition = lambda x: 1.0 / x
rsqrt.decomposition = lambda x: 1.0 / sqrt(x)
sech.decomposition = _sech_decomposition
sigmoid.decomposition = _sigmoid_decomposition
relu.decomposition = lambda x: where(x <= 0.0, 0.0, x)
leaky_relu.decomposition = lambda x, slope: where(x > 0.0, x, slope * x)
softplus.decomposition = lambda x: relu(x) + log1p(exp(-abs(x)))
silu.decomposition = lambda x: x * sigmoid(x)
gelu.decomposition = lambda x: 0.5 * x * erfc(-x / math.sqrt(2.0))
sign.decomposition = lambda x: where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))
heaviside.decomposition = lambda x: where(x > 0.0, 1.0, relu(x))  # 0, or the NaN that relu keeps
maximum.decomposition = lambda x, y: where(x > y, x, where(x == x, y, x))
minimum.decomposition = lambda x, y: where(x < y, x, where(x == x, y, x))
clip.decomposition = lambda x, low, high: where(
    low > high, nan, where(x < low, low, where(x > high, high, x))
)
sum.decomposition = lambda *x: reduce(operator.add, x) if x else 0.0
mean.decomposition = lambda *x: sum(x) / len(x)
prod.decomposition = lambda *x: reduce(operator.mul, x, 1.0)
dot.decomposition = _dot_decomposition
logsumexp.decomposition = _logsumexp_decomposition
softmax_cross_entropy.decomposition = _softmax_cross_entropy_decomposition
