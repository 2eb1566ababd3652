"""The operations of a Value: operators, methods, NumPy, comparisons."""

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from autograd_lite.core import rules as table
from autograd_lite.core.operators import Operators
from autograd_lite.core.primitive import Primitive, lookup
from autograd_lite.core.value import Value
from tests.core.common import NO_REALS, REALS
from tests.sampling import call, points

# --- Operators -------------------------------------------------------------------------------------

OPERATORS: list[tuple[Callable[[Any, Any], Any], Primitive]] = [
    (operator.add, table.add),
    (operator.sub, table.sub),
    (operator.mul, table.mul),
    (operator.truediv, table.div),
    (operator.pow, table.pow),
]
each_operator = pytest.mark.parametrize(("apply", "row"), OPERATORS, ids=lambda x: getattr(x, "name", ""))


@each_operator
def test_operator_records_its_row(apply, row):
    x, y = Value(2.5), Value(1.5)
    node = apply(x, y)
    assert node.primitive is row
    assert node.data == apply(2.5, 1.5)
    assert node.operands[0] is x
    assert node.operands[1] is y
    assert node.partials == row.rule_on_floats(node.data, 2.5, 1.5)


@each_operator
@pytest.mark.parametrize("number", REALS, ids=repr)
def test_operator_takes_real_numbers_on_both_sides(apply, row, number):
    x = Value(2.5)
    right, left = apply(x, number), apply(number, x)
    for node, operands in ((right, (2.5, 3.0)), (left, (3.0, 2.5))):
        assert type(node) is Value
        assert node.data == apply(*operands)
        k = operands.index(2.5)
        assert node.operands[k] is x
        assert type(node.operands[1 - k]) is float
        assert node.operands[1 - k] == 3.0
        assert node.partials[k] == row.rule_on_floats(node.data, *operands)[k]
        assert node.partials[1 - k] is None


@each_operator
@pytest.mark.parametrize("thing", NO_REALS, ids=repr)
def test_operator_refuses_what_is_no_real_number(apply, row, thing):
    for operands in ((Value(2.5), thing), (thing, Value(2.5))):
        with pytest.raises(TypeError):
            apply(*operands)


@pytest.mark.parametrize("apply", [operator.floordiv, operator.mod, divmod, operator.matmul, operator.lshift])
def test_what_has_no_derivative_is_no_operator(apply):
    with pytest.raises(TypeError, match="unsupported operand"):
        apply(Value(5.0), 2)
    with pytest.raises(TypeError):
        pow(Value(2.0), 3, 5)


def test_number_beyond_a_float_is_refused_as_an_operand():
    with pytest.raises(OverflowError, match=r"^an operand of add is beyond the range of a float"):
        Value(1.0) + 10**400


def test_in_place_operator_makes_a_new_node():
    x = y = Value(3.0)
    y *= 2.0
    y += x
    y -= 1
    y /= 4
    y **= 2
    assert (x.data, x.primitive) == (3.0, None)
    assert y.data == 4.0


def test_signs():
    x = Value(-2.0)
    assert (-x).data == 2.0
    assert (-x).primitive is table.neg
    assert +x is x
    assert abs(x).primitive is table.abs
    assert abs(x).data == 2.0


# A condition is not a value to call a method of.
METHODS = [row.name for row in table.TABLE.values() if row.arity is not None and row is not table.where]
ALIASES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2"}
ALIASES |= {"arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"}
ALIASES |= {"max": "maximum", "min": "minimum"}


@pytest.mark.parametrize("name", [*METHODS, *ALIASES])
def test_method_is_its_row(name):
    row = lookup(ALIASES.get(name, name))
    operands = points(row)[-1]
    values = tuple(map(Value, operands))
    node, expected = getattr(values[0], name)(*values[1:]), call(row, values)
    assert node.primitive is row
    assert (node.data, node.partials) == (expected.data, expected.partials)
    assert all(x is y for x, y in zip(node.operands, values, strict=True))
    if len(operands) == 2:  # a number is as good as a Value
        assert getattr(values[0], name)(operands[1]).operands == operands
        with pytest.raises(
            TypeError, match=rf"^an operand of {row.name} must be a real number, got str 'a'$"
        ):
            getattr(values[0], name)("a")


def test_methods_leave_out_what_their_rows_leave_out():
    x = Value(-2.0)
    assert x.leaky_relu().operands == (x, 0.01)
    assert x.leaky_relu(slope=0.5).data == -1.0
    assert (x.clip(-1.0).data, x.clip(high=-3.0).data, x.clip(-5.0, 5.0).data) == (-1.0, -3.0, -2.0)


@pytest.mark.parametrize("name", [name for name in vars(Operators) if name in table.TABLE])
def test_method_named_like_a_row_is_in_the_list_above(name):
    assert name in METHODS


def test_item_is_the_number():
    assert type(Value(2).item()) is float
    assert Value(2.5).item() == 2.5


# --- NumPy -----------------------------------------------------------------------------------------

UFUNCS = [
    *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "square", "reciprocal"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh"),
    *("absolute", "negative", "positive"),
]


@pytest.mark.parametrize("name", UFUNCS)
def test_ufunc_of_an_object_array(name):
    data = np.array([0.25, 0.5])
    values = np.array([*map(Value, data)])
    results = getattr(np, name)(values)
    assert results.dtype == object
    np.testing.assert_allclose([y.data for y in results], getattr(np, name)(data), rtol=4e-16)
    y = results[1] * 1.0
    y.backward()
    row = lookup(
        {"absolute": "abs", "negative": "neg", "positive": "add"}.get(name, name.replace("arc", "a"))
    )
    truth = Value(0.5)
    call(row, (truth, 0.0) if row is table.add else (truth,)).backward()
    assert values[1].grad == pytest.approx(truth.grad, rel=4e-16)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "arctan2", "hypot"])
def test_ufunc_of_two_arrays(name):
    a, b = np.array([0.25, 0.5]), np.array([2.0, 3.0])
    values = np.array([*map(Value, a)])
    for results, expected in (
        (getattr(np, name)(values, b), getattr(np, name)(a, b)),
        (getattr(np, name)(values, 3.0), getattr(np, name)(a, 3.0)),
        (getattr(np, name)(values, np.array([*map(Value, b)])), getattr(np, name)(a, b)),
    ):
        assert [type(y) for y in results] == [Value, Value]
        np.testing.assert_allclose([y.data for y in results], expected, rtol=4e-16)


def test_reductions_and_products_of_object_arrays():
    w, x = np.array([Value(1.0), Value(2.0), Value(4.0)]), np.array([3.0, 5.0, 7.0])
    assert np.dot(w, x).data == (w @ x).data == (x @ w).data == 1.0 * 3.0 + 2.0 * 5.0 + 4.0 * 7.0
    assert np.sum(w).data == 7.0
    assert np.prod(w).data == 8.0
    assert np.mean(w).data == 7.0 / 3.0
    assert np.var(w).data == pytest.approx(np.var([1.0, 2.0, 4.0]), rel=4e-16)
    assert np.linalg.norm(w).data == math.sqrt(21.0)
    assert np.max(w) is w[2]
    assert np.argmin(w) == 0
    matrix = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    product = matrix @ np.array([10.0, 100.0])
    assert [y.data for y in product] == [210.0, 430.0]
    np.mean(product).backward()
    assert [[v.grad for v in line] for line in matrix] == [[5.0, 50.0], [5.0, 50.0]]


def test_float_array_takes_no_value():
    with pytest.raises((TypeError, ValueError)) as raised:
        np.zeros(2)[0] = Value(1.0)
    assert "v.data" in f"{raised.value} {raised.value.__cause__}"
    with pytest.raises(TypeError, match=r"v\.data"):
        np.asarray([Value(1.0)], dtype=float)


# --- Reading the number ----------------------------------------------------------------------------

COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


# NumPy before version 2 reports that Python compares with NaN.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("b", [*REALS, 2**53 + 1, 10**400, -(10**400), math.inf, math.nan], ids=repr)
def test_comparison_is_that_of_the_numbers(b):
    number = b.item() if isinstance(b, np.generic) else b  # NumPy would round the other to its own kind
    for a in (2.0, 3.0, 4.0, math.nan, 2.0**53):
        if isinstance(b, Decimal) and math.isnan(a):
            continue  # Python itself has no order there
        for compare in COMPARISONS:
            assert compare(Value(a), b) is compare(a, number)
            assert bool(compare(b, Value(a))) is compare(number, a)
            if not abs(number) > 1e308:
                assert compare(Value(a), Value(b)) is compare(a, float(b))


def test_comparison_rounds_nothing():
    assert Value(2.0**53) != 2**53 + 1
    assert Value(0.1) != np.float32(0.1)
    assert Value(0.1) != Fraction(1, 10)
    assert Value(0.1) < Decimal("0.1000000000000000056")
    assert [Value(3.0)] == [np.int64(3)]


@pytest.mark.parametrize("thing", NO_REALS, ids=repr)
def test_comparison_with_what_is_no_real_number(thing):
    value = Value(3.0)
    assert [value] != [thing]
    for compare in COMPARISONS[2:]:
        with pytest.raises(TypeError):
            compare(value, thing)


def test_hash_is_identity():
    x, y = Value(2.0), Value(2.0)
    assert x == y
    assert len({x, y}) == 2
    assert {x: "x"}[x] == "x"
    assert hash(x) == hash(x)


def test_truth_is_that_of_the_number():
    assert [bool(Value(x)) for x in (0.0, -0.0, 1e-310, -2.0, math.nan)] == [False, False, True, True, True]


def test_max_min_and_sorted_choose_a_value():
    a, b, c = Value(2.0), Value(3.0), Value(1.0)
    assert max(a, b, c) is b
    assert min(a, b, c) is c
    assert [x.data for x in sorted([a, b, c])] == [1.0, 2.0, 3.0]
    assert sum([a, b, c]).data == 6.0


def test_round_and_format_are_those_of_the_number():
    value = Value(2.675)
    assert round(value) == 3
    assert type(round(value)) is int
    assert round(value, 2) == round(2.675, 2)
    assert f"{value:.1f} {value:8.2e} {value:+g}" == f"{2.675:.1f} {2.675:8.2e} {2.675:+g}"
    assert f"{value}" == str(value) == repr(value) == "Value(2.675)"
    with pytest.raises(ValueError, match="'d'"):
        f"{value:d}"


def test_repr_shows_label_and_gradient():
    w = Value(2.0, "w")
    assert repr(w) == "w = Value(2.0)"
    y = w * 3.0
    y.backward()
    assert repr(w) == "w = Value(2.0, grad=3.0)"
    assert repr(y) == "Value(6.0, grad=1.0)"
    assert repr([Value(-0.1)]) == "[Value(-0.1)]"


@pytest.mark.parametrize(
    "turn", [float, int, complex, math.exp, math.floor, math.ceil, math.trunc, np.float64]
)
def test_number_is_not_taken_out_by_accident(turn):
    with pytest.raises(TypeError, match=r"w = Value\(2\.5\).* lose its gradient: write v\.data") as raised:
        turn(Value(2.5, "w"))
    assert "exp for math.exp" in str(raised.value)
