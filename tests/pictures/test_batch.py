"""A batch of which one example is drawn: what belongs to the example, and what to all of them."""

import math

import pytest

from autograd_lite import Value, log, mean, scope, square, tanh
from autograd_lite import sum as total
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import softmax
from autograd_lite.pictures import draw
from autograd_lite.pictures.cards import cards
from autograd_lite.pictures.colour import LIGHT
from tests.pictures.graphs import drawn, network, plain, read, trained


@pytest.fixture
def loss():
    return trained(2, [4, 4, 1], examples=30)


def boxes_around(made, card):
    boxes = {box.id: box for box in made.boxes}
    found, box = [], card.box
    while box is not None:
        found.append(boxes[box].name)
        box = boxes[box].parent
    return found[::-1]


def test_one_example_stands_in_a_box_of_its_own(loss):
    made = cards(loss)
    assert made.examples == 30
    outside = [card for card in made.cards if boxes_around(made, card)[:1] != ["example 1 of 30"]]
    assert [card.title or card.rows[-1].name for card in outside] == ["… 29 more", "loss"]
    tanh_card = next(card for card in made.cards if card.rows[-1].symbol == "tanh")
    assert boxes_around(made, tanh_card) == ["example 1 of 30", "layer 1", "neuron 1"]
    # Every value in the box is that of the first example.
    first = loss.operands[0]
    inputs = [row.data for card in made.cards for row in card.rows if row.kind == "input"]
    assert inputs == [0.0, math.sin(1.0)]
    assert [made.values[card.rows[-1].id] for card in made.cards if card.rows[-1].symbol == "x²"] == [first]


@pytest.mark.parametrize("collapse", ["neuron", "layer"])
def test_folded_cards_stand_in_it_too(loss, collapse):
    made = cards(loss, collapse=collapse, batch=True)
    for card in made.cards:
        is_outside = card.title == "… 29 more" or card.kind == "output"
        assert boxes_around(made, card)[:1] == ([] if is_outside else ["example 1 of 30"])


def test_the_card_of_the_others_does_not_contradict_the_mean(loss):
    made = cards(loss)
    (rest,) = [card.rows[0] for card in made.cards if card.title]
    edges = {edge.operand: edge for edge in made.edges if edge.head == made.cards[-1].id}
    first = next(edge for key, edge in edges.items() if key != rest.id)
    others = edges[rest.id]
    assert (others.tail, rest.symbol) == (rest.id, "mean")
    drawn_one = made.values[first.operand]
    assert first.partial * drawn_one.data + others.partial * rest.data == pytest.approx(loss.data, rel=1e-14)
    assert first.partial + others.partial == pytest.approx(1.0, rel=1e-15)
    assert rest.gradient == pytest.approx(29 / 30, rel=1e-15)
    assert others.flow == rest.gradient
    sums = total([square(Value(0.5, "w") * 1.0 - float(i)) for i in range(3)])
    assert not cards(sums).examples


def test_the_card_of_the_others_does_not_contradict_a_sum():
    w = Value(0.5, "w")
    loss = total([square(w * Value(float(i), "x") - 1.0) for i in range(30)])
    loss.backward()
    made = cards(loss)
    (rest,) = [card.rows[0] for card in made.cards if card.title]
    (edge,) = [edge for edge in made.edges if edge.tail == rest.id]
    assert (rest.symbol, rest.gradient, edge.partial, edge.flow) == ("Σ", 1.0, 1.0, 1.0)
    assert rest.data == pytest.approx(loss.data - loss.operands[0].data, rel=1e-14)


def test_before_backward_the_others_have_a_mean_and_a_partial_alone():
    w = Value(0.5, "w")
    made = cards(mean([square(w * Value(float(i), "x")) for i in range(50)]), batch=True)
    (rest,) = [card.rows[0] for card in made.cards if card.title]
    (edge,) = [edge for edge in made.edges if edge.tail == rest.id]
    assert (rest.gradient, edge.flow) == (None, None)
    assert edge.partial == pytest.approx(49 / 50, rel=1e-14)


def test_gradients_of_the_whole_batch_have_a_rim(loss, renderer):
    made, groups = drawn(loss, width=None)
    for card in made.cards:
        pills = [
            shape
            for shape in groups[card.id].shapes
            if shape.stroke == LIGHT.ink.lower() and shape.x1 - shape.x0 >= 45.0
        ]
        assert len(pills) == sum(row.kind == "parameter" for row in card.rows)
    words = [plain(text.text) for text in groups["graph0"].texts]
    assert "gradients of parameters: all 30 examples together" in words
    made, groups = drawn(network())
    assert "together" not in str(groups["graph0"].texts)
    assert not [
        s for g in groups.values() if "card" in g.classes for s in g.shapes if s.stroke == LIGHT.ink.lower()
    ]
    assert "all 30 examples together" in str(read(draw(loss).pipe("svg", encoding="utf-8"))["graph0"].texts)


def test_there_is_no_box_for_what_is_no_example():
    weights = [Value(math.sin(i), f"w{i}") for i in range(100)]
    penalty = cards(total([square(w) for w in weights]))
    assert (penalty.examples, penalty.boxes) == (0, ())
    assert cards(network()).examples == 0
    # A scope that holds the whole batch cannot stand in the box of an example.
    w = Value(0.5, "w")
    with scope("loss"):
        whole = mean([square(tanh(w * Value(float(i), "x"))) for i in range(50)])
    made = cards(whole, batch=True)
    assert made.examples == 0
    assert [box.name for box in made.boxes] == ["loss"]


def test_a_parameter_with_a_card_of_its_own_belongs_to_the_batch():
    w = Value(0.5, "w")
    loss = mean([square(w * Value(float(i), "x") - w) for i in range(50)])
    loss.backward()
    made = cards(loss)
    (card,) = [card for card in made.cards if card.kind == "parameter"]
    assert card.box is None
    assert made.examples == 50


def test_a_softmax_is_a_box_even_below_a_logarithm():
    p = softmax(MLP(2, [3], "linear", rng=1)([1.0, -2.0]))
    made = cards(-log(p[1]))
    (box,) = [box for box in made.boxes if box.name == "softmax"]
    assert [card.rows[-1].symbol for card in made.cards if card.box == box.id] == ["−log P", "−", "exp"]
    folded = cards(-log(p[1]), collapse="layer")
    assert "softmax" in [card.title for card in folded.cards]
