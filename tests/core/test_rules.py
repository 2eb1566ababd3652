"""The table of primitives: every row against mpmath, its edges, its domain, its print; rows of one's own."""

import copy
import inspect
import math
import pickle
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from autograd_lite.core import rules as table
from autograd_lite.core.numbers import real
from autograd_lite.core.primitive import Primitive, lookup, primitive
from autograd_lite.core.tracing import Traceable, Tracer
from autograd_lite.core.value import Value
from tests.sampling import ABOVE_1, BELOW_1, TINY, Point, call, points

inf, nan = math.inf, math.nan

# What the module itself defines, whatever other tests have added to TABLE.
ROWS = [row for name, row in table.TABLE.items() if getattr(table, name, None) is row]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture
def own_rows() -> Iterator[None]:
    """Rows that a test defines are gone after it."""
    before = dict(table.TABLE)
    yield
    table.TABLE.clear()
    table.TABLE.update(before)


def same(got: float, expected: float) -> bool:
    return got == expected or (got != got and expected != expected)


# --- Against mpmath ---------------------------------------------------------------------------------

# tanh x differs from 1 by e^(-2x), which is beyond a float from x = 372 on (10^-324): with 400 digits mpmath
# sees whatever a float can hold, in the value and, working at twice that, in a difference quotient.
DIGITS = 400


def _far(function: Callable[[mpf], mpf], left: Callable[[mpf], Any], right: Callable[[mpf], Any]):
    """`function`, with its asymptotes where no float is left of the difference and mpmath gives up."""
    return lambda x: left(x) if x < -1e4 else right(x) if x > 1e4 else function(x)


def zero(x: mpf) -> mpf:
    return mpf(0)


def one(x: mpf) -> mpf:
    return mpf(1)


def identity(x: mpf) -> mpf:
    return x


# The value of each row, said once more, by another hand and without a thought of rounding.
TWINS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": mp.power,
    "abs": mp.fabs,
    "square": lambda x: mp.power(x, 2),
    "reciprocal": lambda x: 1 / x,
    "sqrt": mp.sqrt,
    "rsqrt": lambda x: 1 / mp.sqrt(x),
    "cbrt": lambda x: mp.sign(x) * mp.root(abs(x), 3),
    "exp": mp.exp,
    "expm1": _far(mp.expm1, lambda x: mpf(-1), mp.expm1),
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda x: mp.log(x, 2),
    "log10": mp.log10,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": _far(mp.tanh, lambda x: mpf(-1), one),
    "sech": _far(mp.sech, zero, zero),
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "hypot": mp.hypot,
    "erf": lambda x: mp.sign(x) if abs(x) > 50 else mp.erf(x),
    "erfc": lambda x: 1 - mp.sign(x) if abs(x) > 50 else mp.erfc(x),
    "sigmoid": _far(lambda x: 1 / (1 + mp.exp(-x)), zero, one),
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "softplus": _far(lambda x: mp.log1p(mp.exp(x)), zero, identity),
    "silu": _far(lambda x: x / (1 + mp.exp(-x)), zero, identity),
    "gelu": lambda x: x * mp.ncdf(x) if abs(x) < 50 else max(x, mpf(0)),
    "maximum": max,
    "minimum": min,
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda c, x, y: x if c > 0.5 else y,
    "sign": mp.sign,
    "heaviside": lambda x: mpf(x > 0),
    "sum": lambda *x: mp.fsum(x),
    "mean": lambda *x: mp.fsum(x) / len(x),
    "prod": lambda *x: mp.fprod(x),
    "dot": lambda *x: (
        mp.fdot(zip(x[: len(x) // 2], x[len(x) // 2 :], strict=False)) + sum(x[-1:]) * (len(x) % 2)
    ),
    "logsumexp": lambda *x: mp.log(mp.fsum(map(mp.exp, x))),
    "softmax_cross_entropy": lambda f_y, *others: mp.log1p(mp.fsum(mp.exp(f - f_y) for f in others)),
}


def twin(row: Primitive) -> Callable[..., Any]:
    assert row.name in TWINS, f"{row.name} is new: add its formula in mpmath to TWINS in {__name__}"
    return TWINS[row.name]


def exact_partial(row: Primitive, operands: tuple[mpf, ...], k: int) -> mpf:
    def along(x: mpf) -> mpf:
        return twin(row)(*operands[:k], x, *operands[k + 1 :])

    return mp.diff(along, operands[k]) if mp.isfinite(operands[k]) else mpf(0)


def ulps(got: float, exact: mpf) -> float:
    """How far off, in units of the last place of the exact number; ∞ for a NaN or an undue infinity."""
    rounded = float(exact)
    if got == rounded:
        return 0.0
    if not (math.isfinite(got) and math.isfinite(rounded)):
        return inf
    return float(abs(mpf(got) - exact) / math.ulp(rounded))


# C's math library is good to 1 or 2 units in the last place, glibc's cbrt to 4; a row adds an operation or
# two, a partial two or three. Where the formula itself must lose more, this is how much, and why.
VALUE_ULPS = PARTIAL_ULPS = 4.0


def of_a_square(out: float, x: float) -> float:
    """In e^(-x²) the rounding of x² is one of the exponent."""
    return x * x


def of_differences(out: float, *x: float) -> float:
    """In e^(x - y) the rounding of the difference is one of the exponent."""
    return 2.0 * max(map(math.fabs, (out, *x)))


LOOSER_VALUE: dict[str, Callable[..., float]] = {"gelu": of_a_square, "softmax_cross_entropy": of_differences}
LOOSER_PARTIAL: dict[str, Callable[..., float]] = {
    "cbrt": lambda out, x: 5.0,  # the square of C's
    "erf": of_a_square,
    "erfc": of_a_square,
    "gelu": lambda out, x: x * x + (500.0 if x == -0.75 else 0.0),  # near its root it cancels, to 0.002 there
    "silu": lambda out, x: 50.0 if x == -1.25 else 0.0,  # likewise, to 0.015
    "hypot": lambda out, *x: TINY / out / math.ulp(1.0),  # a subnormal has fewer digits
    "logsumexp": of_differences,
    "softmax_cross_entropy": of_differences,
}


def excess(
    got: float, exact: mpf, bound: float, looser: dict[str, Any], row: Primitive, out: float, x: Point
) -> float:
    return ulps(got, exact) - bound - looser.get(row.name, lambda *_: 0.0)(out, *x)


@each_row
def test_value_and_partials_agree_with_mpmath(row):
    for operands in points(row):
        out = call(row, operands)
        with mp.workdps(DIGITS):
            exact = tuple(map(mpf, operands))
            assert excess(out, twin(row)(*exact), VALUE_ULPS, LOOSER_VALUE, row, out, operands) <= 0.0, (
                operands
            )
            for k, partial in enumerate(row.rule_on_floats(out, *operands)):
                truth = exact_partial(row, exact, k)
                loss = excess(partial, truth, PARTIAL_ULPS, LOOSER_PARTIAL, row, out, operands)
                assert loss <= 0.0, f"∂/∂operand {k} at {operands} is {partial!r}, exactly {float(truth)!r}"


# What 50 digits leave in a second difference; and P(1 - P), where P is 1 to the last digit.
LOOSER_SECOND = {"logsumexp": math.ulp(1.0)}


@each_row
def test_rule_runs_on_values_and_gives_second_derivatives(row):
    """∂²out/∂xᵢ∂xⱼ by the rule on Values, one more backward, and mpmath: at most 20 roundings apart."""
    checked = 0
    for operands in points(row):
        if len(operands) > 4 or not all(x == 0.0 or 0.01 <= math.fabs(x) <= 50.0 for x in operands):
            continue  # farther out the second derivatives leave the range of a float, or mpmath its patience
        values = [Value(x) for x in operands]
        out = call(row, tuple(values))
        for i, partial in enumerate(row.rule(out, *out.operands)):
            for value in values:
                value.grad = 0.0
            if isinstance(partial, Value):  # else it is a constant
                partial.backward()
            for j, value in enumerate(values):
                order = [0] * len(operands)
                order[i] += 1
                order[j] += 1
                with mp.workdps(50):
                    at = tuple(map(mpf, operands))
                    exact = (
                        mp.diff(twin(row), at, tuple(order)) if len(at) > 1 else mp.diff(twin(row), *at, 2)
                    )
                    tolerance = 20.0 * math.ulp(1.0) * abs(exact) + LOOSER_SECOND.get(row.name, 1e-30)
                    assert abs(value.grad - exact) <= tolerance, (operands, i, j, value.grad, float(exact))
                    checked += 1
    assert checked


@each_row
def test_float_call_is_value_call(row):
    for operands in points(row):
        number = call(row, operands)
        values = tuple(map(Value, operands))
        node = call(row, values)
        assert type(number) is type(node.data) is float
        assert node.data == number
        assert node.primitive is row
        assert len(node.operands) == len(node.partials) == len(operands)
        for operand, value in zip(node.operands, values, strict=True):
            assert operand is value or row.name == "where"  # a condition is a constant


@each_row
def test_partials_on_a_node_are_those_of_the_rule(row):
    """Eagerly recorded, by the rule's float copy, and by the rule as written: the same to the last bit."""
    for operands in points(row):
        out = call(row, operands)
        partials = row.rule_on_floats(out, *operands)
        assert partials == row.rule(out, *operands)
        assert all(type(partial) is float for partial in partials)
        for recorded, partial in zip(call(row, tuple(map(Value, operands))).partials, partials, strict=True):
            assert recorded == partial or (recorded is None and row.masks and partial == 0.0)


@each_row
def test_operands_may_be_mixed_with_constants(row):
    """A constant has no partial; the gradients of the others stay what they were."""
    for operands in points(row):
        values = [Value(x) for x in operands]
        call(row, tuple(values)).backward()
        for k in range(len(operands)):
            if row.name == "where" and k == 0:
                continue
            alone = Value(operands[k])
            node = call(row, (*operands[:k], alone, *operands[k + 1 :]))
            node.backward()
            assert alone.grad == values[k].grad
            assert [type(x) for x in node.operands].count(float) == len(operands) - 1
            assert [p for x, p in zip(node.operands, node.partials, strict=True) if type(x) is float] == [
                None
            ] * (len(operands) - 1)


# --- Edges ------------------------------------------------------------------------------------------

# At these operands the derivative is a choice: (operands, local partials).
EDGES: dict[str, tuple[tuple[Point, tuple[float | None, ...]], ...]] = {
    "pow": (
        ((0.0, 0.0), (0.0, 0.0)),
        ((0.0, 0.5), (inf, 0.0)),
        ((0.0, 1.0), (1.0, 0.0)),
        ((0.0, 1.5), (0.0, 0.0)),
        ((0.0, 2.0), (0.0, 0.0)),
        ((2.5, 0.0), (0.0, math.log(2.5))),
        ((1e-310, 0.0), (0.0, math.log(1e-310))),
        ((-3.0, 2.0), (-6.0, nan)),
        ((-2.0, 3.0), (12.0, nan)),
        ((-2.0, -1.0), (-0.25, nan)),
        ((-2.0, 0.0), (0.0, nan)),
    ),
    "abs": (((0.0,), (0.0,)), ((-0.0,), (0.0,))),
    "sqrt": (((0.0,), (inf,)),),
    "rsqrt": (((0.0,), (-inf,)),),
    "cbrt": (((0.0,), (inf,)), ((-0.0,), (inf,))),
    "asin": (((1.0,), (inf,)), ((-1.0,), (inf,))),
    "acos": (((1.0,), (-inf,)), ((-1.0,), (-inf,))),
    "acosh": (((1.0,), (inf,)),),
    "hypot": (((0.0, 0.0), (0.0, 0.0)),),
    "relu": (((0.0,), (0.0,)), ((-0.0,), (0.0,)), ((-inf,), (0.0,)), ((inf,), (1.0,))),
    "leaky_relu": (((0.0, 0.25), (0.25, 0.0)),),
    "maximum": (((2.0, 2.0), (0.5, 0.5)), ((0.0, -0.0), (0.5, 0.5))),
    "minimum": (((2.0, 2.0), (0.5, 0.5)), ((0.0, -0.0), (0.5, 0.5))),
    "clip": (((1.0, 1.0, 3.0), (0.0, 1.0, 0.0)), ((3.0, 1.0, 3.0), (0.0, 0.0, 1.0))),
    "where": (((1.0, 2.0, nan), (None, 1.0, None)), ((0.0, nan, 2.0), (None, None, 1.0))),
    "sign": (((0.0,), (0.0,)),),
    "heaviside": (((0.0,), (0.0,)),),
}


def test_every_row_that_speaks_of_edges_shows_them():
    assert EDGES.keys() == {row.name for row in ROWS if row.edges}


@pytest.mark.parametrize(
    ("name", "operands", "expected"),
    [(name, *edge) for name, edges in EDGES.items() for edge in edges],
    ids=lambda x: x if isinstance(x, str) else repr(x),
)
def test_edge(name, operands, expected):
    partials = call(lookup(name), tuple(map(Value, operands))).partials
    assert len(partials) == len(expected)
    for partial, choice in zip(partials, expected, strict=True):
        assert partial is choice if choice is None else same(partial, choice)


@pytest.mark.parametrize(
    ("row", "operands", "value"),
    [
        (table.pow, (0.0, 0.0), 1.0),
        (table.rsqrt, (0.0,), inf),
        (table.hypot, (0.0, 0.0), 0.0),
        (table.relu, (-inf,), 0.0),
        (table.relu, (-3.0,), 0.0),
        (table.relu, (-0.0,), 0.0),
        (table.softplus, (-inf,), 0.0),
        (table.softplus, (inf,), inf),
        (table.sign, (0.0,), 0.0),
        (table.heaviside, (0.0,), 0.0),
        (table.logsumexp, (-inf, -inf), -inf),
        (table.logsumexp, (inf, 0.0), inf),
    ],
    ids=lambda x: x.name if isinstance(x, Primitive) else repr(x),
)
def test_value_at_an_end(row, operands, value):
    got = call(row, operands)
    assert got == value
    assert math.copysign(1.0, got) == math.copysign(1.0, value)  # relu(-3) prints 0.0, not -0.0


# --- Not a number -----------------------------------------------------------------------------------

# Where an operand may be NaN and the result is a number all the same, because it does not depend on it: a
# condition that is not 0 holds, a branch not taken does not count, and the one class there is has P = 1.
INDEPENDENT: dict[str, Callable[[Point, int], bool]] = {
    "where": lambda operands, k: k != (1 if operands[0] else 2),
    "softmax_cross_entropy": lambda operands, k: len(operands) == 1,
}


@each_row
def test_nan_is_hidden_nowhere_but_where_nothing_depends_on_it(row):
    """Trap 16, for every row: a NaN among the operands shows in the value or in a partial."""
    for operands in points(row):
        for k in range(len(operands)):
            node = call(row, (*map(Value, operands[:k]), Value(nan), *map(Value, operands[k + 1 :])))
            shown = any(map(math.isnan, [node.data, *(p for p in node.partials if p is not None)]))
            assert shown != INDEPENDENT.get(row.name, lambda *_: False)(operands, k), (operands, k)


@pytest.mark.parametrize("operands", [(nan, 0.0), (1.0, nan), (0.0, nan), (nan, 1.0), (nan, nan)])
def test_power_that_is_1_whatever_the_nan_keeps_it_in_a_partial(operands):
    assert any(map(math.isnan, table.pow(*map(Value, operands)).partials))


# --- Domains ----------------------------------------------------------------------------------------

# Operands just outside, on the end where it does not belong to the domain, and far outside.
OUTSIDE: dict[str, tuple[Point, ...]] = {
    "div": ((1.0, 0.0), (0.0, 0.0), (1.0, -0.0)),
    "pow": ((0.0, -1.0), (-8.0, 1.0 / 3.0), (-TINY, 0.5)),
    "reciprocal": ((0.0,), (-0.0,)),
    "sqrt": ((-TINY,), (-4.0,), (-inf,)),
    "rsqrt": ((-TINY,), (-4.0,)),
    "log": ((0.0,), (-0.0,), (-TINY,), (-3.0,)),
    "log2": ((0.0,), (-3.0,)),
    "log10": ((0.0,), (-3.0,)),
    "log1p": ((-1.0,), (-ABOVE_1,), (-3.0,)),
    "asin": ((ABOVE_1,), (-ABOVE_1,), (3.0,)),
    "acos": ((ABOVE_1,), (-ABOVE_1,), (3.0,)),
    "atanh": ((1.0,), (-1.0,), (3.0,)),
    "acosh": ((BELOW_1,), (-3.0,)),
    "atan2": ((0.0, 0.0), (-0.0, 0.0), (0.0, -0.0)),
    "clip": ((0.0, 1.0, BELOW_1),),
}


def test_every_row_with_a_domain_has_operands_outside():
    assert OUTSIDE.keys() == {row.name for row in ROWS if row.domain}


@pytest.mark.parametrize(
    ("name", "operands"),
    [(name, operands) for name, cases in OUTSIDE.items() for operands in cases],
    ids=repr,
)
def test_outside_the_domain_the_operation_itself_raises(name, operands):
    row = lookup(name)
    labels = "pqr"[: len(operands)]
    labelled = tuple(map(Value, operands, labels))
    with pytest.raises((ValueError, ZeroDivisionError)) as raised:
        call(row, labelled)
    message = str(raised.value)
    assert message.startswith(
        f"{name}({', '.join(f'{p}={x!r}' for p, x in zip(labels, operands, strict=True))}): "
    )
    assert message.endswith(f" (domain: {row.domain})")
    assert all(not value.reached for value in labelled)

    with pytest.raises(raised.type) as plain:  # without labels, and with a constant, it shows the numbers
        call(row, (Value(operands[0]), *operands[1:]))
    assert str(plain.value).startswith(f"{name}({', '.join(map(repr, operands))}): ")

    if name == "atan2":  # an angle is defined to be 0 there; only its derivatives are not
        assert math.fabs(call(row, operands)) in (0.0, math.pi)
    else:
        with pytest.raises(raised.type):
            call(row, operands)


@pytest.mark.parametrize(
    ("name", "operands"),
    [("exp", (1000.0,)), ("expm1", (710.0,)), ("sinh", (711.0,)), ("cosh", (711.0,)), ("pow", (1e200, 2.0))],
)
def test_overflow_raises_at_the_operation(name, operands):
    with pytest.raises(OverflowError, match="^" + re.escape(f"{name}(z={operands[0]!r}")):
        call(lookup(name), (Value(operands[0], "z"), *operands[1:]))
    with pytest.raises(OverflowError):
        call(lookup(name), operands)


def test_sum_beyond_the_range_names_its_operands():
    with pytest.raises(OverflowError, match=r"^sum\(a=1e\+308, 1e\+308, 1e\+308\): "):
        table.sum([Value(1e308, "a"), 1e308, Value(1e308)])


# --- How a row prints -------------------------------------------------------------------------------


@each_row
def test_row_is_complete(row):
    assert table.TABLE[row.name] is row
    assert row.symbol
    assert row.doc
    assert repr(row) == f"<primitive {row.name}>"
    parameters = [*inspect.signature(row.rule).parameters.values()][1:]
    varies = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    assert row.arity == (None if varies else len(parameters))
    assert len(row.precedence) == 1 + (row.arity or 0)
    assert set(row.precedence) <= {table.SUM, table.PRODUCT, table.POWER, table.ATOM}


@each_row
def test_latex_template_takes_the_operands(row):
    operands = [f"operand_{k}" for k in range(row.arity or 0)]
    formula = row.latex.format(*operands)
    assert all(operand in formula for operand in operands)
    depth = 0
    for brace in (character for character in formula if character in "{}"):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, formula
    assert depth == 0, formula
    assert formula.count(r"\left") == formula.count(r"\right")


TARGETS = {"python", "array", "c", "javascript"}


@each_row
def test_row_prints_in_every_target_or_has_a_formula(row):
    assert row.template.keys() <= TARGETS
    assert row.template.keys() == TARGETS or row.decomposition
    holes = [f"operand_{k}" for k in range(row.arity or 0)]
    for template in row.template.values():
        code = template.format(*holes)
        assert all(hole in code for hole in holes)
        assert code.count("(") == code.count(")")


@pytest.mark.parametrize("row", [row for row in ROWS if row.decomposition], ids=lambda row: row.name)
def test_formula_says_what_the_row_computes(row):
    """Within two roundings. Of derivatives it says nothing: programs take them from the rule."""
    lost = math.ulp(1.0) if row is table.logsumexp else TINY  # there the lesser terms are added to a 1
    for operands in points(row):
        assert row.decomposition(*operands) == pytest.approx(call(row, operands), rel=4e-16, abs=lost), (
            operands
        )


# --- Calls ------------------------------------------------------------------------------------------


@each_row
def test_row_is_pickled_by_name(row):
    assert pickle.loads(pickle.dumps(row)) is row
    assert copy.deepcopy(row) is row


@each_row
def test_wrong_number_of_operands_is_refused(row):
    if row.arguments is None:
        least = most = row.arity
        message = rf"^{row.name}\(\) takes {row.arity} operand.*, got "
    else:  # a signature of its own, which Python checks
        signature = inspect.signature(row.arguments).parameters.values()
        least = sum(parameter.default is parameter.empty for parameter in signature)
        most = len(signature)
        message = rf"^{row.name}\(\) (missing|takes)"
    for count in (least - 1, most + 1):
        for operand in (2.0, Value(2.0), [2.0], [Value(2.0)]):
            with pytest.raises(TypeError, match=message + (rf"{count}$" if row.arguments is None else "")):
                row(*[operand] * count)


@each_row
@pytest.mark.parametrize("wrong", ["a", None, True, 1j, [1.0], np.ones(2)], ids=repr)
def test_operand_that_is_no_real_number_is_refused(row, wrong):
    if row.arity is not None and isinstance(wrong, list | np.ndarray):
        return  # it takes each entry: test_elementwise.py
    operands = next(x for x in points(row) if len(x) == max(map(len, points(row))))
    for k in range(row.name == "where", len(operands)):
        if wrong is None and row is table.dot and k == len(operands) - 1:
            continue  # no bias
        for kind in (float, Value):
            others = tuple(map(kind, operands))
            given = (*others[:k], wrong, *others[k + 1 :])
            with pytest.raises(TypeError, match=rf"^an operand of {row.name} must be a real number, got "):
                call(row, given)


@pytest.mark.parametrize("number", [3, Fraction(3), Decimal(3), np.float64(3), np.float32(3), np.int64(3)])
def test_row_takes_any_real_number(number):
    for row in (table.square, table.hypot, table.sum):
        operands = (number,) * (row.arity or 3)
        assert type(call(row, operands)) is float
        assert call(row, operands) == call(row, tuple(map(float, operands)))


def test_keywords_are_taken_where_the_signature_has_them():
    assert table.clip(3.0, high=2.0) == 2.0
    assert table.clip(-3.0, low=-2.0) == -2.0
    assert table.leaky_relu(-2.0) == -0.02
    assert table.leaky_relu(-2.0, slope=0.5) == -1.0
    assert table.dot([1.0], x=[2.0], b=3.0) == 5.0
    assert table.softmax_cross_entropy([0.0, 0.0], label=1) == math.log(2.0)
    with pytest.raises(TypeError, match=r"^sin\(\) takes no keyword arguments, got x$"):
        table.sin(x=1.0)


def test_recordable_must_say_how_it_records():
    with pytest.raises(NotImplementedError):
        table.sin(Traceable())
    with pytest.raises(NotImplementedError):
        Tracer()._pulled([], [])


def test_real():
    assert [real(x) for x in (3, 2.5, Fraction(1, 4), Decimal("0.1"), np.float32(0.5))] == [
        3.0,
        2.5,
        0.25,
        0.1,
        0.5,
    ]
    assert all(type(real(x)) is float for x in (3, 2**60, np.float64(2.0), np.int8(3), Fraction(1, 3)))
    assert real(2**53 + 1) == float(2**53)
    assert real(Decimal("inf")) == real(np.inf) == inf
    assert math.isnan(real(Decimal("nan")))
    for number in (10**400, -(10**400), Fraction(10**400, 3), Decimal("1e400")):
        with pytest.raises(OverflowError, match=r"^it is beyond the range of a float \(about 1\.8e308\)$"):
            real(number, "it")
    with pytest.raises(TypeError, match=r"^an operand must be a real number, got bool True$"):
        real(True)
    with pytest.raises(TypeError, match=r"got bool"):
        real(np.bool_(True))
    with pytest.raises(TypeError, match=r"take the number out of it with \.data$"):
        real(Value(1.0))


# --- Rows that do not take numbers alone ------------------------------------------------------------


def test_vectors_must_be_of_one_length():
    with pytest.raises(ValueError, match=r"^dot needs two vectors of one length, got 2 and 3 numbers$"):
        table.dot([1.0, 2.0], [Value(1.0), 2.0, 3.0])


def test_dot_takes_arrays_and_a_bias():
    w, x, b = np.array([Value(2.0), Value(3.0)]), np.array([5.0, 7.0]), Value(11.0)
    node = table.dot(w, x, b)
    assert node.data == 2.0 * 5.0 + 3.0 * 7.0 + 11.0
    assert node.operands == (2.0, 3.0, 5.0, 7.0, 11.0)
    assert node.partials == (5.0, 7.0, None, None, 1.0)
    assert table.dot([2.0], [3.0], 0.0) == 6.0


def test_sum_and_dot_round_once():
    assert table.sum([1e16, 1.0, -1e16]) == 1.0
    assert table.dot([1e16, 1.0, -1e16], [1.0, 1.0, 1.0]) == 1.0
    assert table.mean([0.1] * 10) == 0.1


@pytest.mark.parametrize("row", [table.mean, table.logsumexp])
def test_of_no_values_is_undefined(row):
    with pytest.raises(ValueError, match=rf"^{row.name} of no values is undefined: give it at least one$"):
        row([])


def test_several_values_may_come_from_an_iterator():
    assert table.sum(Value(x) for x in (1.0, 2.0, 3.0)).data == 6.0


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        (3, ValueError, r"^label 3 is not a class: the 3 scores are numbered from 0$"),
        (-1, ValueError, r"^label -1 is not a class"),
        (1.0, TypeError, r"^the label must be a class number, got float 1\.0$"),
        (None, TypeError, r"got NoneType None$"),
        (True, TypeError, r"^the label must be a class number, got "),
        (Value(1.0), TypeError, r"got Value Value\(1\.0\)$"),
    ],
)
def test_label_is_a_class_number(label, error, message):
    with pytest.raises(error, match=message):
        table.softmax_cross_entropy([Value(1.0), 2.0, 3.0], label)


def test_right_class_stands_first():
    scores = [Value(0.0), Value(1.0), Value(2.0)]
    node = table.softmax_cross_entropy(scores, np.int64(1))
    assert [x is y for x, y in zip(node.operands, (scores[1], scores[0], scores[2]), strict=True)] == [
        True
    ] * 3
    assert [score.data for score in scores] == [0.0, 1.0, 2.0]
    assert sum(node.partials) == 0.0
    assert [*map(math.copysign, (1.0,) * 3, node.partials)] == [-1.0, 1.0, 1.0]


def test_where_runs_the_branch_taken_alone():
    def never() -> float:
        raise AssertionError("the branch not taken ran")

    x, y = Value(2.0), Value(3.0)
    assert table.where(True, lambda: x * 2.0, never).data == 4.0
    assert table.where(False, never, lambda: y * 2.0).data == 6.0
    assert table.where(1.0, 2.0, never) == 2.0
    assert table.where(0.0, never, 3.0) == 3.0
    assert table.where(x < y, x, y).operands == (1.0, 2.0, 3.0)
    assert table.where(Value(0.0), x, y).operands[0] == 0.0
    assert table.where(np.bool_(True), x, never).data == 2.0


# --- Rows of one's own ------------------------------------------------------------------------------


def sinc_row(name: str = "sinc_of_a_test", **more: Any) -> Primitive:
    def rule(out: Any, x: Any) -> tuple[Any, ...]:
        return ((table.cos(x) - out) / x,)

    return primitive(name, lambda x: math.sin(x) / x, rule, **more)


@pytest.mark.usefixtures("own_rows")
class TestOwnRow:
    def test_is_a_function_of_floats_and_values(self):
        sinc = sinc_row()
        assert sinc(2.0) == math.sin(2.0) / 2.0
        x = Value(2.0)
        node = sinc(x)
        assert node.data == sinc(2)
        assert node.primitive is sinc
        assert lookup("sinc_of_a_test") is sinc
        (node * 3.0).backward()
        with mp.workdps(50):
            exact = mp.diff(lambda t: 3 * mp.sin(t) / t, mpf(2))
        assert ulps(x.grad, exact) <= PARTIAL_ULPS

    def test_has_second_derivatives_by_its_rule_on_values(self):
        sinc, x = sinc_row(), Value(2.0)
        (partial,) = sinc.rule(sinc(x), x)
        partial.backward()
        with mp.workdps(50):
            exact = mp.diff(lambda t: mp.sin(t) / t, mpf(2), 2)
        assert ulps(x.grad, exact) <= 10.0

    def test_names_itself_in_errors(self):
        with pytest.raises(ZeroDivisionError, match=r"^sinc_of_a_test\(t=0\.0\): float division by zero$"):
            sinc_row()(Value(0.0, "t"))
        with pytest.raises(ZeroDivisionError, match=r" \(domain: x ≠ 0\)$"):
            sinc_row(domain="x ≠ 0")(Value(0.0))
        with pytest.raises(TypeError, match=r"^sinc_of_a_test\(\) takes 1 operand.*, got 2$"):
            sinc_row()(1.0, Value(2.0))

    @pytest.mark.parametrize("count", [1, 2, 3, 5])
    def test_takes_any_number_of_operands(self, count):
        weights = (2.0, 3.0, 5.0, 7.0, 11.0)[:count]
        holes = ", ".join(f"x{k}" for k in range(count))
        rule = eval(f"lambda out, {holes}: {weights}")
        row = primitive("weighted", lambda *x: math.fsum(map(math.prod, zip(weights, x, strict=True))), rule)
        values = [Value(1.0) for _ in weights]
        node = row(*values)
        node.backward()
        assert node.data == math.fsum(weights)
        assert tuple(value.grad for value in values) == weights
        assert row.arity == count
        assert (
            row.latex.format(*"abcde"[:count])
            == rf"\operatorname{{weighted}}\left({', '.join('abcde'[:count])}\right)"
        )
        assert row.precedence == (table.ATOM,) + (table.SUM,) * count

    def test_may_take_vectors(self):
        def rule(out: Any, *x: Any) -> tuple[Any, ...]:
            return tuple(-out / xi for xi in x)

        row = primitive("inverse_product", lambda *x: 1.0 / math.prod(x), rule, arguments=lambda x: tuple(x))
        values = [Value(2.0), Value(4.0), Value(8.0)]
        row(values).backward()
        assert [value.grad for value in values] == [-1.0 / 128.0, -1.0 / 256.0, -1.0 / 512.0]
        assert row.arity is None
        assert row.latex.format() == r"\operatorname{inverse\_product}"

    def test_may_select(self):
        row = primitive(
            "third",
            lambda x, y, z: z,
            lambda out, x, y, z: (0.0, 0.0, 1.0),
            masks=True,
            symbol="3",
            edges="none",
        )
        x, y = Value(0.0), Value(7.0)
        node = row(table.sqrt(x), 1.0, y)  # the slope of the root at 0 is infinite: 0 times it would be NaN
        node.backward()
        assert node.partials == (None, None, 1.0)
        assert (x.grad, y.grad) == (0.0, 1.0)

    def test_prints_with_what_it_is_given(self):
        row = sinc_row(
            symbol="sinc",
            latex=r"\frac{{\sin {0}}}{{{0}}}",
            precedence=(table.ATOM, table.ATOM),
            doc="sin x / x.",
        )
        assert (row.symbol, row.doc, row.precedence) == ("sinc", "sin x / x.", (table.ATOM, table.ATOM))
        assert row.latex.format("x") == r"\frac{\sin x}{x}"
        plain = sinc_row()
        assert plain.symbol == "sinc_of_a_test"
        assert plain.latex.format("x") == r"\operatorname{sinc\_of\_a\_test}\left(x\right)"
        assert "sinc_of_a_test" in plain.doc

    def test_is_pickled_by_name(self):
        sinc = sinc_row()
        assert pickle.loads(pickle.dumps(sinc)) is sinc
        saved = pickle.dumps(sinc(Value(2.0)))
        assert pickle.loads(saved).primitive is sinc
        del table.TABLE["sinc_of_a_test"]
        with pytest.raises(
            KeyError, match="no primitive is named 'sinc_of_a_test': define it before loading"
        ):
            pickle.loads(saved)

    def test_may_be_redefined(self):
        first, x = sinc_row(), Value(2.0)
        node = first(x)
        second = primitive("sinc_of_a_test", lambda x: x, lambda out, x: (1.0,))
        assert lookup("sinc_of_a_test") is second
        assert node.primitive is first
        assert first(x).data == node.data  # what holds the old function keeps it
        assert second(x).data == 2.0

    @pytest.mark.parametrize("name", [row.name for row in ROWS])
    def test_may_not_replace_a_built_in_one(self, name):
        with pytest.raises(
            ValueError, match=f"^'{name}' is a primitive of the built-in table: choose another name$"
        ):
            sinc_row(name)

    @pytest.mark.parametrize("name", ["", "2x", "a b", "a-b", "f(x)", "x.y", "lambda", None, 5])
    def test_must_be_named_by_an_identifier(self, name):
        before = dict(table.TABLE)
        with pytest.raises(ValueError, match=r"^a primitive's name must be an identifier, got "):
            sinc_row(name)
        assert before == table.TABLE

    @pytest.mark.parametrize("number", [3, np.float64(3.0), Fraction(3)])
    def test_may_return_any_real_numbers(self, number):
        for count in (1, 2, 3):
            rule = [lambda o, x: (number,), lambda o, x, y: (number,) * 2, lambda o, x, y, z: [number] * 3][
                count - 1
            ]
            row = primitive("three", lambda *x: number, rule)
            node = row(*[Value(1.0)] * count)
            assert type(node.data) is float
            assert [*map(type, node.partials)] == [float] * count
            assert type(row(*[1.0] * count)) is float

    @pytest.mark.parametrize("given", [0, 1, 2, 4])
    def test_whose_rule_gives_too_few_or_too_many_partials_is_refused_when_called(self, given):
        row = primitive("wrong", lambda x, y, z: x, lambda out, x, y, z: (1.0,) * given)
        message = rf"^the rule of wrong gave {given} partials for 3 operands$"
        for operands in ((Value(1.0), Value(2.0), Value(3.0)), (Value(1.0), 2.0, 3.0)):
            with pytest.raises(TypeError, match=message):
                row(*operands)

    def test_that_returns_no_number_is_refused_when_called(self):
        with pytest.raises(TypeError, match=r"^the value of none must be a real number, got NoneType None$"):
            primitive("none", lambda x: None, lambda out, x: (1.0,))(Value(1.0))
        with pytest.raises(TypeError, match=r"^a partial of none must be a real number, got NoneType None$"):
            primitive("none", lambda x: x, lambda out, x: (None,))(Value(1.0))


def test_lookup_says_what_is_missing():
    assert lookup("sin") is table.sin
    with pytest.raises(KeyError, match="no primitive is named 'sinus'"):
        lookup("sinus")


@pytest.mark.parametrize("condition", ["no", None, {}, ["no"]])
def test_a_condition_is_one_truth(condition):
    with pytest.raises(TypeError, match="the condition of where must be true or false, got"):
        table.where(condition, Value(1.0), 2.0)


def test_a_score_of_minus_infinity_is_an_infinite_loss_and_a_nan_is_not_hidden():
    assert table.softmax_cross_entropy([-math.inf, 0.0], 0) == math.inf
    assert math.isnan(table.softmax_cross_entropy([-math.inf, 0.0, math.nan], 0))
    assert math.isnan(table.logsumexp([-math.inf, math.nan]))
    assert table.logsumexp([-math.inf, -math.inf]) == -math.inf
