"""SymPy: graphs as expressions."""

import math
import sys
from typing import Any

import pytest
import sympy
from hypothesis import given, settings

from autograd_lite import Value, cos, explain, primitive, sin, to_sympy, where
from autograd_lite.core.primitive import TABLE
from autograd_lite.notation.reader import _READ_AS, Reader
from autograd_lite.notation.sympy import _number, load_sympy
from tests.documents_explained import named
from tests.random_graphs import any_graphs, smooth_graphs
from tests.sampling import call, points

S = sympy.Symbol


def number(expression: Any, values: dict[str, float]) -> float:
    """The expression at floats, in 50 digits."""
    exact = {S(name): sympy.Rational(value) for name, value in values.items()}
    return float(expression.subs(exact).evalf(50))


@pytest.mark.parametrize("name", TABLE)
def test_every_row_is_the_sympy_function_of_its_values(name):
    row, tried = TABLE[name], 0
    for point in points(row):
        if max(map(math.fabs, point)) > 50.0 or min(map(math.fabs, point)) < 1e-9 or len(point) > 8:
            continue
        operands = [Value(x, f"x{k}") for k, x in enumerate(point, 1)]
        node = call(row, tuple(operands))
        assert number(to_sympy(node), {x.label: x.data for x in operands}) == pytest.approx(
            node.data,
            rel=1e-14,
            abs=1e-90,  # erfc far out is off by more
        )
        tried += 1
    assert tried


@given(any_graphs)
@settings(max_examples=50)
def test_random_graphs_have_their_value(graph):
    leaves, root = graph
    found = number(to_sympy(root), {x.label: x.data for x in leaves})
    assert found == pytest.approx(root.data, rel=1e-9, abs=1e-9)


@given(smooth_graphs)
@settings(max_examples=25)
def test_the_derivative_that_sympy_takes_is_the_gradient(graph):
    leaves, root = graph
    expression = to_sympy(root)
    for x in leaves:
        slope = number(sympy.diff(expression, S(x.label)), {y.label: y.data for y in leaves})
        assert explain(root, x).value == pytest.approx(slope, rel=1e-9, abs=1e-9)


def test_constants_are_what_they_were_written_for():
    numbers = (0.5, 0.1, 1.0 / 3.0, -2.0 / 3.0, 1e22, math.pi, -math.e, math.log(2.0), math.inf, -math.inf)
    assert [str(_number(x)) for x in numbers] == [
        "1/2",
        "1/10",
        "1/3",
        "-2/3",
        "10000000000000000000000",
        "pi",
        "-E",
        "log(2)",
        "oo",
        "-oo",
    ]
    assert _number(math.nan) is sympy.nan
    assert float(_number(0.1234567890123456)) == 0.1234567890123456


def test_symbols_are_plain_and_equal_labels_are_told_apart():
    w, v, x = Value(1.0, "w"), Value(2.0, "w"), Value(3.0)
    assert to_sympy(w * v + x) == S("w") * S("w__2") + S("v2")


def test_labels_between_are_not_seen():
    x = Value(0.5, "x")
    z = named(sin(x), "z")
    assert to_sympy(z * z) == sympy.sin(S("x")) ** 2


def test_a_where_is_the_branch_that_was_taken():
    x = Value(2.0, "x")
    assert to_sympy(where(x > 0.0, x * x, 1.0 / x)) == S("x") ** 2


def test_a_row_of_your_own_is_a_function_of_its_name():
    sinc = primitive("sinc_for_sympy", lambda x: math.sin(x) / x, lambda out, x: ((cos(x) - out) / x,))
    x = Value(2.0, "x")
    y = named(sinc(x), "y")
    assert to_sympy(y) == sympy.Function("sinc_for_sympy")(S("x"))
    assert sympy.simplify(explain(y, x).simplify() - (sympy.cos(S("x")) - S("y")) / S("x")) == 0


def test_errors():
    with pytest.raises(TypeError, match=r"to_sympy takes a Value, got float 1\.0"):
        to_sympy(1.0)
    x = Value(0.5, "x")
    deep = x
    for _ in range(101):
        deep = sin(deep)
    with pytest.raises(ValueError, match="too large for one formula"):
        to_sympy(deep)


def test_without_sympy_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    load_sympy.cache_clear()
    try:
        with pytest.raises(
            ModuleNotFoundError, match=r"^this needs SymPy: pip install 'autograd-lite\[sympy\]'$"
        ):
            to_sympy(Value(1.0))
    finally:
        load_sympy.cache_clear()


@pytest.mark.parametrize("name", _READ_AS)
def test_the_readings_of_stable_forms_are_identities(name):
    x = Value(0.3, "x")
    out = TABLE[name](x)
    reader = Reader(out)
    (atom, exponent), said = _READ_AS[name](reader.definition(out), reader.symbol(x))
    written = atom.row.name
    argument = atom.operands[0].written  # only to be sure it is a formula
    assert callable(argument)
    forms = {"sigmoid": 1 / (1 + sympy.exp(S("x"))), "sech": 1 / sympy.cosh(S("x"))}
    values = {"sigmoid": 1 / (1 + sympy.exp(-S("x"))), "tanh": sympy.tanh(S("x"))}
    expected = {"sigmoid": 1 - values["sigmoid"], "tanh": 1 - values["tanh"] ** 2}[name]
    assert sympy.simplify((forms[written] ** exponent - expected).rewrite(sympy.exp)) == 0
    assert said is not None


def test_the_second_of_one_label_is_not_taken_for_another_label():
    a, b, c = Value(2.0, "w"), Value(3.0, "w"), Value(5.0, "w__2")
    assert to_sympy(a * b + c) == S("w") * S("w__3") + S("w__2")
