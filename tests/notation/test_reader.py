"""Formulas read off graphs: definitions and local partials keep their values."""

import math

import pytest
from hypothesis import given, reject

from autograd_lite import (
    Value,
    cos,
    exp,
    log,
    mean,
    relu,
    sigmoid,
    sin,
    softmax_cross_entropy,
    tanh,
    topological_order,
    where,
)
from autograd_lite.core.primitive import TABLE
from autograd_lite.explain.graph import adjoints
from autograd_lite.explain.links import Links
from autograd_lite.notation.formula import Sum
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import _READ_AS, Reader, depth_first, to_latex, to_text
from autograd_lite.notation.writing import TEXT
from tests.notation.test_formula import value
from tests.random_graphs import any_graphs, without_choices
from tests.sampling import call


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
            (atom, exponent), said = reading(Reader(out).symbol(out), Reader(x).symbol(x))
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
    assert told == [("v₃", "exp(v₂)"), ("v₂", "sin(v₁)"), ("v₁", "tanh(x)")]
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
        ValueError, match=r"a graph of 102 nodes is too large for one formula, which has at most 2000 names"
    ):
        to_latex(deep)
    shared = x
    for _ in range(30):
        shared = sin(shared) + cos(shared)  # written out, 2³⁰ sines
    with pytest.raises(ValueError, match=r"a graph of 91 nodes is too large for one formula"):
        to_text(shared)
    with pytest.raises(TypeError, match=r"to_latex takes a Value, got float 1\.0"):
        to_latex(1.0)


def test_depth_first_puts_operands_first_and_stops_where_it_is_told_to():
    x = Value(0.5, "x")
    a, b = sin(x), cos(x)
    y = a * b + a

    def all_operands(node):
        return [operand for operand in node.operands if isinstance(operand, Value)]

    order = depth_first(y, all_operands)
    assert set(order) == set(topological_order(y))
    assert len(order) == len(set(order)) == 5
    for node in order:
        assert all(order.index(operand) < order.index(node) for operand in all_operands(node))
    assert depth_first(y, lambda node: [z for z in all_operands(node) if z not in (a, b)])[-1] is y
    assert x not in depth_first(y, lambda node: [z for z in all_operands(node) if z not in (a, b)])
