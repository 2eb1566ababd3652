"""The order of cards side by side, as Graphviz drew them: inputs, neurons and classes from first to last."""

import itertools
import math

import pytest

from autograd_lite import Value, mean, scope, sigmoid, square, tanh
from autograd_lite import sum as total
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import softmax
from tests.pictures.graphs import GRAPHS, drawn, layer, mlp, network


def dense(inputs, sizes):
    out = MLP(inputs, sizes, "tanh", rng=0)([math.sin(i) for i in range(inputs)])
    loss = square(total([*out]) if isinstance(out, list) else out - 1.0)
    loss.backward()
    return loss


def batch():
    model = MLP(2, [4, 4, 2], "tanh", rng=0)
    loss = mean([square(total(model([math.sin(i), math.cos(i)]))) for i in range(30)])
    loss.backward()
    return loss


def classes():
    loss = total([square(p) for p in softmax(MLP(2, [5], "linear", rng=1)([1.0, -2.0]))])
    loss.backward()
    return loss


def unboxed():
    """Six units without a scope; one is deeper, and one more input comes later."""
    x = [Value(math.sin(i), f"x{i}") for i in range(1, 4)]
    units = [sigmoid(total([Value(0.1 * i * k, f"w{i}") * xi for i, xi in enumerate(x)])) for k in range(6)]
    y = total([*units, sigmoid(sigmoid(x[1])), Value(1.0, "x4")])
    y.backward()
    return y


def uneven():
    """A layer whose first two lanes branch, and hold more than one kind of card."""
    x = [Value(1.0, "x1"), Value(2.0, "x2")]
    with scope("block"):
        lanes = [sigmoid(xi * 2.0) + tanh(xi - 3.0) for xi in x]
    with scope("outer"):
        inner = layer(1, [([0.1, 0.2], 0.3), ([0.3, 0.1], 0.2)], lanes) + layer(2, [([0.2, 0.2], 0.1)], lanes)
    y = total(inner)
    y.backward()
    return y


MADE = {
    "2-2-1": network,
    "3-8-8-1": lambda: dense(3, [8, 8, 1]),
    "6-7-1": lambda: dense(6, [7, 1]),
    "batch": batch,
    "classes": classes,
    "unboxed": unboxed,
    "uneven": uneven,
    "called twice": GRAPHS["called_twice"],
    "other weights": lambda: mlp(4, [5, 6, 3]),
}


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("name", MADE)
def test_cards_side_by_side_stand_from_first_to_last(name, direction, renderer):
    if name == "batch" and direction in ("LR", "RL"):
        direction = "TB"  # sideways, some versions of Graphviz turn round boxes within a box
    made, groups = drawn(MADE[name](), direction=direction, collapse=None, max_cards=math.inf, batch=True)
    outline = {card.id: groups[card.id].shapes[0] for card in made.cards}
    boxes = {box.id: box for box in made.boxes}

    def family(card):
        """What the cards side by side have in common: the box around theirs, and all that they feed."""
        names = [row.name[:1] for row in card.rows if row.symbol == ""]
        feeds = frozenset() if card.box else frozenset(e.head for e in made.edges if e.tail == card.id)
        parent = boxes[card.box].parent if card.box else None
        return parent, card.kind, [row.symbol for row in card.rows][-1], len(card.rows), *names[:1], feeds

    across, along = (0, 1) if direction in ("TB", "BT") else (1, 0)
    middle = {k: ((s.x0 + s.x1) / 2, (s.y0 + s.y1) / 2) for k, s in outline.items()}
    compared = 0
    for first, second in itertools.combinations(made.cards, 2):
        near = abs(middle[first.id][along] - middle[second.id][along]) < 3.0
        if near and family(first) == family(second):
            compared += 1
            assert middle[first.id][across] < middle[second.id][across], (first, second)
    assert compared >= 1


def test_nothing_of_what_sets_the_order_is_seen(renderer):
    made, groups = drawn(dense(3, [8, 8, 1]), direction="TB", max_cards=math.inf)
    assert {key for key, group in groups.items() if {"node", "card"} & {*group.classes}} == {
        card.id for card in made.cards
    }
    assert "guide" not in str(groups)
