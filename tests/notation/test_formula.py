"""Formulas: the normal form, what a reader takes off a graph, and that both keep their value."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from autograd_lite import (
    Value,
    cos,
    dot,
    exp,
    log,
    mean,
    relu,
    sigmoid,
    sin,
    softmax_cross_entropy,
    tanh,
    where,
)
from autograd_lite.core.primitive import TABLE
from autograd_lite.explain.chain import Links
from autograd_lite.explain.graph import adjoints
from autograd_lite.notation.formula import (
    _READ_AS,
    Adjoint,
    Call,
    Namer,
    Reader,
    Sum,
    Symbol,
    number,
    to_latex,
    to_text,
)
from autograd_lite.notation.writing import TEXT
from tests.random_graphs import any_graphs, arithmetic_graphs, without_choices
from tests.sampling import call


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


def shown(formula: Sum) -> str:
    return formula.written(TEXT, Namer([])).text


# --- The normal form -------------------------------------------------------------------------------


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


LOWER = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

# --- Reading graphs --------------------------------------------------------------------------------


@given(any_graphs)
def test_a_definition_has_the_value_of_its_node(graph):
    _, root = graph
    for expand in (False, True):
        reader = Reader(root, expand=expand)
        for node in reader.order:
            if node.primitive is not None:
                try:
                    found = value(reader.definition(node))
                except OverflowError:  # log Σ exp, written plainly
                    reject()
                # Reassociated sums round anew; terms as large as 2⁴⁰ may have cancelled.
                assert found == pytest.approx(node.data, rel=1e-9, abs=1e-3)


# At a kink a formula may take another side than the number, for it does not round: 2 − (2 − x) is x.
@given(without_choices)
def test_formulas_of_derivatives_have_their_values(graph):
    leaves, root = graph
    for x in leaves:
        links = Links(root, x)
        reached = adjoints(links.order)
        scale = max([abs(a) for a in reached.values()]) + 1.0
        for node in links.nodes:
            for y, formula in links.formulas(node).items():
                partial, _ = links.partials[node][y]
                tolerance = 1e-9 * (1.0 + abs(partial)) + 1e-12 * scale
                assert value(formula) == pytest.approx(partial, rel=1e-6, abs=tolerance)


def test_the_readings_of_stable_forms_are_identities():
    # σ(−x) is 1 − σ(x) and sech² x is 1 − tanh² x: where digits are not lost, to the last few bits.
    for name, reading in _READ_AS.items():
        for point in (-3.0, -0.5, 0.0, 0.25, 2.0):
            x = Value(point, "x")
            out = TABLE[name](x)
            (((atom, exponent), said),) = reading(Reader(out).symbol(out), Reader(x).symbol(x)).items()
            written = Sum([(1.0, ((atom, exponent),))])
            assert value(written) == pytest.approx(value(said), rel=1e-14)


@pytest.mark.parametrize("name", TABLE)
def test_every_row_reads_its_partials(name):
    row = TABLE[name]
    count = row.arity or 4
    numbers = (0.5, -0.25, 1.5, 0.75)[:count]
    if name in ("where", "clip", "acosh"):
        numbers = {"where": (1.0, 2.0, 3.0), "clip": (0.5, 0.0, 1.0), "acosh": (1.5,)}[name]
    operands = [Value(x, f"x{k}") for k, x in enumerate(numbers, 1)]
    node = call(row, tuple(operands))
    reader = Reader(node)
    for position, partial in enumerate(node.partials):
        if partial is not None and not math.isnan(partial):
            assert value(reader.partial(node, position)) == pytest.approx(partial, rel=1e-14, abs=1e-16)


def test_what_a_function_is_applied_to_has_a_name_if_it_depends_on_two_things():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    z = w * x
    reader = Reader(sigmoid(z))
    assert z in reader
    once = 3.0 - x
    reader = Reader(log(once))
    assert once not in reader


def test_long_arithmetic_is_cut_by_names():
    x = Value(1.0, "x")
    y = x
    for _ in range(100):
        y = y * 1.5 + 0.25
    reader = Reader(y)
    named = [node for node in reader.order if node in reader]
    assert 10 < len(named) < 30
    for node in named:
        assert len(reader.definition(node).written(TEXT, Namer([])).text) < 200


def test_definitions_explain_made_up_names_and_what_these_need():
    x = Value(0.5, "x")
    y = exp(sin(tanh(x)))
    reader = Reader(y)
    namer = Namer(reader.order)
    namer.key(y)
    told = [(namer(node, TEXT).text, f.written(TEXT, namer).text) for node, f in reader.definitions(namer, 5)]
    assert told == [("v₁", "exp(v₂)"), ("v₂", "sin(v₃)"), ("v₃", "tanh(x)")]
    assert len(reader.definitions(Namer(reader.order), 5)) == 0
    again = Namer(reader.order)
    again.key(y)
    assert len(reader.definitions(again, 2)) == 2


def test_the_branch_taken_is_what_is_read():
    x = Value(2.0, "x")
    assert to_text(where(x > 0.0, x * x, 1.0 / x)) == "x²"
    assert to_text(where(x < 0.0, x * x, 1.0 / x)) == "1/x"


def test_to_text_and_to_latex_write_out_everything():
    w, x, b = Value(0.5, "w1"), Value(2.0, "x1"), Value(0.1, "b")
    z = w * x + b
    z.label = "z"
    y = relu(z) / (1.0 + exp(-z))
    assert to_text(y) == "ReLU(w₁·x₁ + b)/(1 + exp(−w₁·x₁ − b))"
    assert to_latex(y) == (
        r"\frac{\operatorname{relu}\left(w_{1} \cdot x_{1} + b\right)}{1 + e^{-w_{1} \cdot x_{1} - b}}"
    )
    assert to_latex(x) == "x_{1}"
    assert to_text(mean([w, x, b])) == "(w₁ + x₁ + b)/3"
    assert to_text(softmax_cross_entropy([w, x], 1)) == "log(exp(x₁) + exp(w₁)) − x₁"


def test_a_graph_too_large_for_one_formula_is_a_clear_error():
    x = Value(0.5, "x")
    deep = x
    for _ in range(101):
        deep = sin(deep)
    with pytest.raises(
        ValueError, match=r"a graph of 102 nodes is too large for one formula, of at most 2000 names"
    ):
        to_latex(deep)
    shared = x
    for _ in range(30):
        shared = sin(shared) + cos(shared)  # written out, 2³⁰ sines
    with pytest.raises(ValueError, match=r"a graph of 91 nodes is too large for one formula"):
        to_text(shared)
    with pytest.raises(TypeError, match=r"to_latex takes a Value, got float 1\.0"):
        to_latex(1.0)


@given(st.lists(st.sampled_from(["x", "x", "v1", "v2", None]), min_size=1, max_size=6))
def test_no_two_nodes_of_one_text_share_a_name(labels):
    nodes = [Value(0.0, label) for label in labels]
    namer = Namer(nodes)
    assert len({namer.key(node) for node in nodes}) == len(nodes)
    assert len({namer(node, TEXT).text for node in nodes}) == len(nodes)
    assert all(node in namer for node in nodes)
    assert namer.named() == nodes
