"""Formulas in normal form: they read well, and they keep their value."""

import math
from fractions import Fraction

import pytest
from hypothesis import given

from autograd_lite import Value, dot
from autograd_lite.notation.formula import Adjoint, Call, Sum, Symbol, number
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader, to_text
from autograd_lite.notation.writing import TEXT
from tests.random_graphs import arithmetic_graphs


def value(formula: Sum, reached: dict[Value, float] | None = None) -> float:
    """The number that a formula has where its names stand for the data of their nodes."""
    total = 0.0
    for coefficient, factors in formula.terms:
        for atom, exponent in factors:
            if isinstance(atom, Adjoint):
                x = (reached or {})[atom.node]
            elif isinstance(atom, Symbol):
                x = atom.node.data
            elif isinstance(atom, Call):
                x = atom.row.forward(*[value(operand, reached) for operand in atom.operands])
            else:
                x = value(atom, reached)
            coefficient *= x**exponent
        total += coefficient
    return total


def symbols(names: str) -> list[Sum]:
    return [Reader(x).symbol(x) for x in (Value(0.0, name) for name in names.split())]


LOWER = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def shown(formula: Sum) -> str:
    return formula.written(TEXT, Namer([])).text


def test_arithmetic():
    x, y, z = symbols("x y z")
    one = number(1.0)
    assert shown(x + x - y) == "2·x − y"
    assert shown(x - (y - z)) == "x − y + z"
    assert shown(-(x - y)) == "y − x"
    assert shown(x * y / x) == "y"
    assert shown((x + y) * (x + y)) == "(x + y)²"
    assert shown((x - y) * (y - x)) == "−(x − y)²"
    assert shown((x - y) / (y - x)) == "−1"
    assert shown(x / (y * z)) == "x/(y·z)"
    assert shown(one / (one - x) ** 3) == "1/(1 − x)³"
    assert shown((-x) ** 2 * number(0.5)) == "0.5·x²"
    assert shown(number(2.0) * (x + y)) == "2(x + y)"
    assert shown(x - x) == "0"
    assert shown((x - x) * y) == "0"
    assert shown(one - one + number(0.0) * x) == "0"
    assert x + y == y + x
    assert hash(x + y) == hash(y + x)
    assert x * y - z != x * y + z
    assert x != "x"


def test_coefficients_are_written_as_they_are_meant():
    (x,) = symbols("x")
    coefficients = (1 / 3, 2 / 3, 0.1, 0.5, 1e-7, 1 / 7 * 3, -1 / 3, 1.25, math.inf)
    assert [shown(number(c) * x) for c in coefficients] == [
        "x/3",
        "2·x/3",
        "0.1·x",
        "0.5·x",
        "1·10⁻⁷·x",
        "3·x/7",
        "−x/3",
        "1.25·x",
        "∞·x",
    ]


def test_what_cannot_be_folded_stands_as_it_was_written():
    (x,) = symbols("x")
    assert shown(number(0.0) ** -1) == "0⁻¹"
    assert shown((number(1e-310) * x) ** -1) == "(1·10⁻³¹⁰·x)⁻¹"


def test_fractions_over_one_denominator_if_that_is_less_to_read():
    y, p = symbols("y p")
    one = number(1.0)
    assert shown((one - y) / (one - p) - y / p) == "(1 − y)/(1 − p) − y/p"
    assert shown(((one - y) / (one - p) - y / p).combined()) == "(p − y)/(p(1 − p))"
    assert shown((one / y + one / p).combined()) == "1/y + 1/p"
    assert shown((y * p - y * y).combined()) == "y·p − y²"
    assert shown((y * p * p - y * p * number(3.0) + y * p * y).combined()) == "y·p(p − 3 + y)"
    assert shown((y / number(3.0) - p / number(3.0)).combined()) == "(y − p)/3"
    assert (y - y).combined() == Sum(())
    many = symbols(" ".join(f"x{k}" for k in range(9)))
    big = sum(many[1:], many[0]) * sum(many[:5], y) * (sum(many[3:], p)) / (y + p) + one
    assert big.combined() == big  # multiplied out, it would be longer than anyone reads


def test_fractions_within_fractions_keep_their_value():
    x, y = Value(0.5, "x"), Value(3.0, "y")
    reader = Reader(x, y)
    a, b, one = reader.symbol(x), reader.symbol(y), number(1.0)
    nested = one + a**2 / (one + b)
    for formula in (
        one / nested - a * b / nested,
        (one / nested + a / b) / (one + b),
        a / (one + b) / nested - a,
    ):
        assert value(formula.combined()) == pytest.approx(value(formula), rel=1e-14)


@given(arithmetic_graphs)
def test_equal_polynomials_combine_to_the_same_number(graph):
    _, root = graph
    formula = Reader(root, expand=True).definition(root)
    assert Fraction(value(formula)) == Fraction(root.data)
    assert value(formula.combined()) == root.data


def test_sums_of_many_terms_leave_out_the_middle():
    xs = [Value(float(k), f"x{k}") for k in range(1, 11)]
    y = Value(1.0, "y")
    assert (
        to_text(dot(xs, [1.0] * 10, y)) == " + ".join(f"x{k}".translate(LOWER) for k in range(1, 11)) + " + y"
    )
    reader = Reader(dot(xs, [1.0] * 10))
    assert reader.definition(reader.order[-1]).written(TEXT, Namer([])).text == "x₁ + x₂ + x₃ + … + x₁₀"
