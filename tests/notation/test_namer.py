"""Names of nodes: labels, numbers where two are alike, and names that are made up."""

from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import LATEX, TEXT


@given(st.lists(st.sampled_from(["x", "x", "v1", "v2", None]), min_size=1, max_size=6))
def test_no_two_nodes_of_one_text_share_a_name(labels):
    nodes = [Value(0.0, label) for label in labels]
    namer = Namer(nodes)
    assert len({namer.key(node) for node in nodes}) == len(nodes)
    assert len({namer(node, TEXT).text for node in nodes}) == len(nodes)
    assert namer.named() == nodes


def test_names_are_made_up_in_the_order_in_which_they_are_asked_for():
    first, second, label = Value(1.0), Value(2.0), Value(3.0, "v1")
    namer = Namer([first, second, label])
    assert [namer.key(node) for node in (second, first, label, second)] == [
        ("v2", 1),
        ("v3", 1),
        ("v1", 1),
        ("v2", 1),
    ]
    assert namer(second, LATEX).text == "v_{2}"
    assert namer.named() == [second, first, label]


def test_a_number_is_skipped_where_another_label_reads_like_it():
    a, b, c = Value(1.0, "w"), Value(2.0, "w"), Value(3.0, "w__2")
    namer = Namer([a, b, c])
    assert [namer.key(node) for node in (a, b, c)] == [("w", 1), ("w", 3), ("w__2", 1)]
