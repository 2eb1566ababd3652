"""Cards, edges and boxes: what a picture shows, before it is drawn."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_lite import Value, dot, scope, sigmoid, square, tanh, where
from autograd_lite import sum as total
from autograd_lite.notation.names import short
from autograd_lite.pictures.cards import cards
from tests.pictures.graphs import chain_with_gradients, network


def test_a_neuron_is_one_card_and_its_activation_another():
    made = cards(network())
    assert [[row.name or row.symbol for row in card.rows] for card in made.cards] == [
        ["x₁"],
        ["x₂"],
        ["w₁", "w₂", "b", "Σ"],
        ["σ"],
        ["w₁", "w₂", "b", "Σ"],
        ["σ"],
        ["w₁", "w₂", "b", "Σ"],
        ["ŷ"],
        ["y"],
        ["error"],
        ["loss"],
    ]
    names = {box.id: box.name for box in made.boxes}
    around = {box.id: box.parent for box in made.boxes}
    where_is = [card.box and (names[around[card.box]], names[card.box]) for card in made.cards]
    assert where_is == [
        None,
        None,
        *[("layer 1", "neuron 1")] * 2,
        *[("layer 1", "neuron 2")] * 2,
        *[("layer 2", "neuron 1")] * 2,
        None,
        None,
        None,
    ]
    assert [card.kind for card in made.cards if card.kind != "operation"] == ["input"] * 3 + ["output"]
    weight = made.cards[2].rows[1]
    assert (weight.kind, weight.partial) == ("parameter", -2.0)


def test_edges_carry_local_partial_times_upstream():
    made = cards(network())
    for edge in made.edges:
        operand, consumer = made.values[edge.operand], made.values[edge.consumer]
        position = next(
            k
            for k, (x, p) in enumerate(zip(consumer.operands, consumer.partials, strict=True))
            if x is operand and p == edge.partial
        )
        assert edge.flow == consumer.partials[position] * consumer.grad
    for value in made.values.values():  # what flows along the edges of a card makes its gradient
        flows = [edge.flow for edge in made.edges if made.values[edge.operand] is value]
        assert not flows or math.fsum(flows) == pytest.approx(value.grad, rel=1e-15)


def test_parallel_edges_are_kept():
    a = Value(2.0, "a")
    assert len(cards(a + a).edges) == 2
    assert len({edge.id for edge in cards(a * a).edges}) == 2
    many = cards(total([a] * 100)).edges
    assert [edge.count for edge in many] == [100]


def test_a_branch_that_is_not_taken_gets_nothing():
    x, y = Value(math.inf, "x"), Value(2.0, "y")
    z = where(False, x * 1.0, y)
    z.backward()
    flows = {edge.operand: edge.flow for edge in cards(z).edges if edge.head == cards(z).cards[-1].id}
    assert sorted(flows.values()) == [0.0, 1.0]


def test_many_parameters_of_one_card_are_shortened():
    y = dot([Value(1.0, f"w{i}") for i in range(100)], [Value(2.0, f"x{i}") for i in range(100)])
    y.backward()
    (card,) = [card for card in cards(y).cards if card.kind == "output"]
    assert len(card.rows) == 5
    assert card.note == "… 96 more operands · ‖∇‖ " + short(math.sqrt(96 * 4.0))


UNARY = [tanh, sigmoid, square, lambda x: x + 1.0, lambda x: 2.0 - x, lambda x: x**3, lambda x: x]


BINARY = [
    lambda x, y: x + y,
    lambda x, y: x * y,
    lambda x, y: x - y,
    lambda x, y: dot([x, y], [y, x], x),
    lambda x, y: total([x, y, x, 1.0]),
    lambda x, y: where(x > y, x, y),
]


@st.composite
def graphs(draw_from):
    """Graphs of any shape: shared values, scopes that nest and are left again, parallel edges."""
    values = [Value(draw_from(st.floats(-2.0, 2.0)), name) for name in ("x", "w1", "b", "k")]
    scopes = [scope("outer"), scope("inner"), None]
    for _ in range(draw_from(st.integers(0, 30))):
        pick = st.sampled_from(values)
        within = draw_from(st.sampled_from(scopes))
        operation = draw_from(st.sampled_from(UNARY + BINARY))
        operands = [draw_from(pick) for _ in range(1 + (operation in BINARY))]
        if within is None:
            values.append(operation(*operands))
        else:
            with within:
                values.append(operation(*operands))
    if draw_from(st.booleans()):
        values[-1].backward()
    return values[-1]


@given(
    graphs(),
    st.sampled_from([None, "neuron", "layer"]),
    st.sampled_from([None, True, False]),
    st.sampled_from([1, 3, 10, 40, math.inf]),
)
@settings(max_examples=200)
def test_any_graph_has_cards(value, collapse, batch, max_cards):
    made = cards(value, collapse=collapse, batch=batch, max_cards=max_cards)
    ids = [card.id for card in made.cards]
    assert len(set(ids)) == len(ids)
    assert len({edge.id for edge in made.edges}) == len(made.edges)
    assert {edge.tail for edge in made.edges} | {edge.head for edge in made.edges} <= set(ids)
    assert [card.kind for card in made.cards].count("output") == 1
    rows = [row.id for card in made.cards for row in card.rows]
    assert len(set(rows)) == len(rows)
    assert made.values.keys() <= set(rows)
    boxes = [box.id for box in made.boxes]
    for place, box in enumerate(made.boxes):
        assert box.parent is None or box.parent in boxes[:place]
    assert {card.box for card in made.cards} <= {None, *boxes}
    if not made.folded:
        inner_sums = sum(value.primitive is not None for value in made.values.values())
        assert made.total >= len(made.values) >= inner_sums
    if value.reached and not made.folded:
        for key, operand in made.values.items():
            flows = [edge.flow for edge in made.edges if edge.operand == key]
            if flows and operand is not value:
                assert math.fsum(flows) == pytest.approx(operand.grad, rel=1e-9, abs=1e-9)


def test_what_was_left_out_is_counted():
    made = cards(chain_with_gradients(1000))
    rest = next(card for card in made.cards if card.title)
    assert rest.title == "… more"
    assert rest.detail == f"{1001 - 39:,} values"
