"""What each value of a graph is to its reader."""

from autograd_lite import Value, dot, leaky_relu, scope, sigmoid, tanh
from autograd_lite.pictures.cards import cards
from tests.pictures.graphs import called_twice, logistic, recurrent, rows_of


def test_constants_are_rows_that_say_where_they_stand():
    x = Value(2.0, "x")
    assert rows_of(1.0 - x)[-1] == ["c −", "−"]
    assert rows_of(x - 1.0)[-1] == ["− c", "−"]
    assert rows_of(x**3) == [["x"], ["x³"]]
    assert rows_of(x**0.5)[-1] == ["y", "^"]
    assert rows_of(leaky_relu(x))[-1] == ["slope", "leaky_relu"]
    made = cards(1.0 - x)
    assert (made.cards[-1].rows[0].kind, made.cards[-1].rows[0].data) == ("constant", 1.0)
    neuron = cards(dot([Value(2.0, "w1"), Value(3.0, "w2")], [5.0, x], 0.5))
    assert [(row.name, row.partial) for row in neuron.cards[-1].rows] == [
        ("w₁", 5.0),
        ("w₂", 2.0),
        ("c", None),
        ("", None),
    ]


def test_inputs_and_parameters_are_told_apart():
    kinds = {row.name: row.kind for card in cards(logistic()).cards for row in card.rows if row.name}
    assert [kinds[name] for name in ("x₁", "x₂", "y", "w₁", "w₂", "b")] == ["input"] * 3 + ["parameter"] * 3
    a, b = Value(1.0, "a"), Value(2.0, "b")
    assert {card.kind for card in cards(a * b).cards} == {"input", "output"}  # no weights, no bias
    unnamed = cards(dot([Value(1.0)], [Value(2.0)], Value(3.0)))
    assert [row.kind for card in unnamed.cards for row in card.rows] == [
        "input",
        *["parameter"] * 2,
        "operation",
    ]


def test_a_module_called_twice_has_two_boxes_and_shared_weights():
    made = cards(called_twice())
    assert [box.name for box in made.boxes if box.parent is None] == ["layer, call 1", "layer, call 2"]
    weights = [card for card in made.cards if card.kind == "parameter"]
    assert len(weights) == 6
    for card in weights:
        assert len([edge for edge in made.edges if edge.tail == card.id]) == 2


def test_four_steps_of_a_recurrent_cell():
    made = cards(recurrent(4))
    names = {box.id: box.name for box in made.boxes}
    around = {box.id: box.parent for box in made.boxes}
    calls = {
        card.rows[-1].name: names[around[card.box]]
        for card in made.cards
        if card.rows[-1].name[:1] == "h" and card.box
    }
    assert calls == {f"h{digit}": f"cell, call {k}" for k, digit in enumerate("₁₂₃₄", 1)}
    shared = [card for card in made.cards if card.kind == "parameter"]
    assert sorted(card.rows[0].name for card in shared) == ["b", "wₓ", "wₕ"]
    for card in shared:
        assert len([edge for edge in made.edges if edge.tail == card.id]) == 4


def test_a_scope_that_holds_more_than_neurons_has_no_neuron_boxes():
    x, w = Value(1.0, "x"), Value(2.0, "w")
    with scope("cell"):
        y = tanh(dot([w], [x])) * x
    assert [box.name for box in cards(y).boxes] == ["cell"]
    with scope("custom"):  # an activation of several operations is one
        z = dot([w], [x])
        z = z * sigmoid(z)
    assert [box.name for box in cards(z).boxes] == ["custom", "neuron 1"]
    assert [card.title for card in cards(z, collapse="neuron").cards] == ["", "neuron 1"]
