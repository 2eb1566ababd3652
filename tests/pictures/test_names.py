"""One value has one name: on its card, in the tree, and in every explanation."""

import re

import pytest

from autograd_lite import Value, explain, ledger, sin, square, tanh, trace_table, why
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import TEXT
from autograd_lite.pictures import draw, tree
from autograd_lite.pictures.cards import cards
from autograd_lite.pictures.live import live
from tests.pictures.graphs import trained


@pytest.fixture
def graph():
    """A loss with unlabelled values in a row and side by side, and one of them with a relative of its own."""
    w, x = Value(0.5, "w"), Value(2.0, "x")
    inner = sin(w * x)
    loss = square(tanh(inner) - w * inner + Value(3.0))
    loss.label = "loss"
    loss.backward()
    return loss, w, inner


def test_pictures_and_explanations_agree_on_names(graph):
    loss, w, inner = graph
    table = trace_table(loss)
    names = {node: line.name for node, line in zip(table.nodes, table.lines(), strict=True)}
    assert len(set(names.values())) == len(names)
    assert names[inner] == "v₂"
    made = cards(loss)
    for card in made.cards:
        for row in card.rows:
            if row.id in made.values:
                assert (row.made_up or row.name) == names[made.values[row.id]]
    for line in tree(loss).text.splitlines()[1:]:
        name = re.sub(r"^[ ├└│─]+", "", line).split()[0]
        assert name in names.values()
    assert f"through     {names[inner]} " not in ledger(w).text
    through = re.findall(r"^1 +loss +(\S+)", ledger(w).text, re.MULTILINE)
    users = {names[node] for node in table.nodes if any(x is w for x in node.operands)}
    assert {*through} == users
    text = explain(loss, w).text
    where = dict(re.findall(r"^  (v\S+) +=(.*)$", text.partition("where\n")[2], re.MULTILINE))
    assert where
    assert where.keys() <= {*names.values()}
    assert where[names[inner]].strip() == f"sin({names[inner.operands[0]]})"
    assert names[inner] in why(inner).text
    page = live(loss)
    assert {row.name for card in page.picture.cards.cards for row in card.rows} >= {"v₂", "w", "x", "loss"}


def test_equal_labels_are_told_apart_by_place_and_by_number():
    loss = trained(2, [2, 1])
    made = cards(loss)
    second = next(box.id for box in made.boxes if box.name == "neuron 2")
    (row,) = [row for card in made.cards if card.box == second for row in card.rows if row.name == "w₁"]
    w = made.values[row.id]
    assert row.made_up == "w₁⁽²⁾" == Namer(trace_table(loss).nodes)(w, TEXT).text
    title = f"layer 1 · neuron 2&#10;w₁ (w₁⁽²⁾ in formulas) = {w.data!r}"
    assert title.replace("-", "&#45;") in draw(loss).pipe("svg", encoding="utf-8")
    assert "├─ w₁⁽²⁾ " in tree(loss).text
    assert explain(loss, w).text.startswith("∂loss/∂w₁⁽²⁾ =")
    assert ledger(w).text.startswith("w₁⁽²⁾.grad =")
    assert why(w).text.startswith("w₁⁽²⁾.grad is")
