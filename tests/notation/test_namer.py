"""Names of nodes: labels, numbers where two are alike, and names that are made up."""

from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value
from autograd_lite.core.value import topological_order
from autograd_lite.nn import MLP
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import LATEX, TEXT


@given(st.lists(st.sampled_from(["x", "x", "v1", "v2", None]), min_size=1, max_size=6))
def test_no_two_nodes_of_one_text_share_a_name(labels):
    nodes = [Value(0.0, label) for label in labels]
    namer = Namer(nodes)
    assert len({namer.key(node) for node in nodes}) == len(nodes)
    assert len({namer(node, TEXT).text for node in nodes}) == len(nodes)
    assert namer.named() == nodes


def test_names_are_made_up_in_the_order_of_the_nodes_whichever_is_asked_for_first():
    first, second, label = Value(1.0), Value(2.0), Value(3.0, "v1")
    namer = Namer([first, second, label])
    assert [namer.key(node) for node in (second, first, label, second)] == [
        ("v3", 1),
        ("v2", 1),
        ("v1", 1),
        ("v3", 1),
    ]
    assert namer(second, LATEX).text == "v_{3}"
    assert namer.named() == [second, first, label]
    assert namer.key(Value(4.0)) == ("v4", 1)


def test_layers_are_named_from_first_to_last():
    """Whatever the order of the leaves: those of the last layer come first in the topological order."""
    model = MLP(2, [2, 1], "tanh", rng=0)
    out = model([1.0, 2.0])
    order = topological_order(out)
    namer = Namer(order)
    keys = [namer.key(w) for layer in model.layers for neuron in layer.neurons for w in neuron.w]
    assert keys == [(f"w{i}", k) for k in (1, 2, 3) for i in (1, 2)]
    assert order.index(model.layers[1].neurons[0].w[0]) == 0
    made_up = [int(namer.key(node)[0][1:]) for node in order if not node.label]
    assert made_up == [1, 2, 3, 4, 5]


def test_a_number_is_skipped_where_another_label_reads_like_it():
    a, b, c = Value(1.0, "w"), Value(2.0, "w"), Value(3.0, "w__2")
    namer = Namer([a, b, c])
    assert [namer.key(node) for node in (a, b, c)] == [("w", 1), ("w", 3), ("w__2", 1)]
