"""Pictures drawn for a column, and dense layers as cards: what Graphviz really drew of them."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from autograd_lite import Value
from autograd_lite.notation.names import short
from autograd_lite.pictures import draw
from autograd_lite.pictures.cards import cards
from autograd_lite.pictures.colour import DARK, LIGHT
from tests.pictures.graphs import SVG, called_twice, drawn, logistic, network, plain, tangled, trained

MADE = {
    "2-2-1": network,
    "logistic": logistic,
    "3-8-8-1": lambda: trained(3, [8, 8, 1]),
    "16-32-10": lambda: trained(16, [32, 10]),
    "batch": lambda: trained(2, [4, 4, 1], examples=30),
    "300": lambda: tangled(300),
}


def sizes(svg: str, width: float) -> list[float]:
    """The sizes in px of the letters of a picture in a column that is `width` px wide."""
    picture = ET.fromstring(svg.encode())
    natural = float(picture.get("width").removesuffix("pt")) * 4.0 / 3.0
    assert float(picture.get("viewBox").split()[2]) == pytest.approx(
        natural * 0.75, abs=0.5
    )  # one unit is a point
    scale = min(1.0, width / natural)
    return [4.0 / 3.0 * scale * float(text.get("font-size")) for text in picture.iter(SVG + "text")]


@pytest.mark.parametrize("width", [560, 800, 1280])
@pytest.mark.parametrize("name", MADE)
def test_no_letter_is_smaller_than_9_px_in_the_column(name, width, renderer):
    assert min(sizes(draw(MADE[name](), width=width).pipe("svg", encoding="utf-8"), width)) >= 9.0


def test_a_phone_gets_a_picture_of_its_own(renderer):
    phone = draw(network(), width=390).pipe("svg", encoding="utf-8")
    assert min(sizes(phone, 390)) >= 9.0
    assert min(sizes(draw(network()).pipe("svg", encoding="utf-8"), 390)) < 9.0


def test_no_more_is_folded_than_the_column_asks_for(renderer):
    loss = trained(3, [8, 8, 1])
    count = [len(draw(loss, width=width).cards.cards) for width in (560, 800, 1280, 4000, None)]
    assert count == sorted(count)
    assert not draw(loss, width=None).cards.folded
    assert not draw(loss, width=4000).cards.folded
    assert [card.title for card in draw(loss).cards.cards if card.title] == ["layer 1", "layer 2", "layer 3"]
    assert not draw(network()).cards.folded
    assert not draw(logistic()).cards.folded


def test_the_caller_decides_how_far_to_fold_and_which_way_to_draw(renderer):
    loss = trained(3, [8, 8, 1])
    assert not draw(loss, max_cards=math.inf).cards.folded
    by_neuron = draw(loss, collapse="neuron").cards
    assert [card.title for card in by_neuron.cards if card.title][:2] == ["neuron 1", "neuron 2"]
    for direction in ("LR", "TB"):
        assert f"rankdir={direction}" in draw(loss, direction=direction).source
    # From left to right if that fits, else from top to bottom.
    x = Value(1.0, "x")
    assert "rankdir=LR" in draw(x * x + x, width=800).source
    assert "rankdir=TB" in draw(x * x + x, width=300).source
    assert len(draw(x * x + x, width=1).cards.cards) <= 3  # the narrowest that there is


@pytest.mark.parametrize("wrong", [0, -1, math.nan])
def test_a_width_is_above_0(wrong):
    with pytest.raises(ValueError, match=f"width must be above 0, or None for any width, got {wrong}"):
        draw(network(), width=wrong)


def test_without_graphviz_a_picture_is_not_folded_for_a_column(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("autograd_lite.pictures.picture._pygraphviz", lambda: None)
    assert not draw(trained(3, [8, 8, 1])).cards.folded


# --- Dense layers ---------------------------------------------------------------------------------


def test_a_layer_is_one_card_with_a_row_for_each_neuron():
    loss = trained(3, [8, 8, 1])
    made = cards(loss, collapse="layer")
    first = next(card for card in made.cards if card.title == "layer 1")
    assert [row.name for row in first.rows] == [str(k) for k in range(1, 9)]
    assert [[w.name for w in row.weights] for row in first.rows] == [["w₁", "w₂", "w₃", "b"]] * 8
    for row in first.rows:
        unit = made.values[row.id]
        (neuron,) = unit.operands
        assert [w.data for w in row.weights] == [
            x.data for k, x in enumerate(neuron.operands) if k not in (3, 4, 5)
        ]
        assert [w.gradient for w in row.weights] == [
            x.grad for k, x in enumerate(neuron.operands) if k not in (3, 4, 5)
        ]
    assert not {w.id for row in first.rows for w in row.weights} & made.values.keys()
    (last,) = [card for card in made.cards if card.title == "layer 3"]
    assert [(row.name, row.symbol, len(row.weights)) for row in last.rows] == [("", "Σ", 9)]


def test_large_layers_show_ten_neurons():
    (card,) = [c for c in cards(trained(3, [13, 1]), collapse="layer").cards if c.title == "layer 1"]
    assert len(card.rows) == 10
    assert card.note.startswith("… 3 more neurons")
    (card,) = [c for c in cards(trained(3, [12, 1]), collapse="layer").cards if c.title == "layer 1"]
    assert (len(card.rows), card.note) == (12, "")


def strips(svg: str) -> dict[str, tuple[str, str, float]]:
    """The colour, the title and the left side of each cell of a strip, by its id."""
    found = {}
    for group in ET.fromstring(svg.encode()).iter(SVG + "g"):
        match = re.fullmatch(r"a_(v\d+-[wg]\d+)", group.get("id", ""))
        if match:
            (link,) = group.findall(SVG + "a")
            shape = link.find(SVG + "polygon")
            left = float(shape.get("points").partition(",")[0])
            found[match[1]] = shape.get("fill"), link.get("{http://www.w3.org/1999/xlink}title"), left
            assert not [key for key in link.attrib if key.endswith("href")]
    return found


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_weights_and_gradients_of_a_layer_are_a_heat_map(theme, renderer):
    loss = trained(3, [8, 8, 1])
    picture = draw(loss, theme="light" if theme is LIGHT else "dark")
    found = strips(picture.pipe("svg", encoding="utf-8"))
    rows = [row for card in picture.cards.cards for row in card.rows if row.weights]
    assert len(found) == 2 * (8 * 4 + 8 * 9 + 9)
    for row in rows:
        for k, weight in enumerate(row.weights):
            common = f" ({weight.made_up} in formulas)" if weight.made_up else ""  # of a label that repeats
            title = f"{weight.name}{common} = {weight.data!r}, gradient {weight.gradient!r}"
            assert found[f"{row.id}-w{k}"][1] == found[f"{row.id}-g{k}"][1] == title
    for card in picture.cards.cards:
        weights = {row.id: [w.data for w in row.weights] for row in card.rows if row.weights}
        largest = max([abs(x) for several in weights.values() for x in several], default=0.0)
        for key, several in weights.items():
            for k, x in enumerate(several):
                assert found[f"{key}-w{k}"][0] == theme.weight(x, largest).lower()
        # The columns of all neurons stand below each other.
        lefts = [[found[f"{key}-{kind}0"][2] for key in weights] for kind in "wg"]
        assert all(max(each) - min(each) < 0.1 for each in lefts if each)
        assert all(w < g for w, g in zip(*lefts, strict=True))


def test_a_strip_tells_signs_and_sizes_apart():
    assert LIGHT.weight(2.0, 2.0) == LIGHT.weights[1]
    assert LIGHT.weight(-2.0, 2.0) == LIGHT.weights[0]
    assert LIGHT.weight(0.0, 2.0) == LIGHT.weight(0.0, 0.0) == LIGHT.cards["parameter"][0]
    assert LIGHT.weight(math.nan, 2.0) == LIGHT.alarm


def test_many_weights_share_the_cells_of_a_strip(renderer):
    loss = trained(40, [3, 1])
    picture = draw(loss, collapse="layer")
    found = strips(picture.pipe("svg", encoding="utf-8"))
    (first, *_), *_ = [card.rows for card in picture.cards.cards if card.title == "layer 1"]
    cells = [key for key in found if key.startswith(f"{first.id}-w")]
    assert len(cells) == 14  # 41 weights, three in a cell
    largest = max(first.weights[:3], key=lambda w: abs(w.data))
    title = f"w₁ to w₃: {largest.name} = {largest.data!r}, gradient {largest.gradient!r}"
    assert found[cells[0]][1] == title
    steepest = max(first.weights[:3], key=lambda w: abs(w.gradient))
    assert found[f"{first.id}-g0"][1].startswith(f"w₁ to w₃: {steepest.name} = ")


def test_before_backward_a_layer_shows_its_weights_alone():
    loss = trained(3, [8, 1])
    fresh = Value(2.0) * loss
    _, groups = drawn(fresh, collapse="layer")
    texts = [plain(text.text) for group in groups.values() for text in group.texts]
    assert "weights" in texts
    assert "gradients" not in texts
    found = strips(draw(fresh, collapse="layer").pipe("svg", encoding="utf-8"))
    assert len(found) == 8 * 4 + 9
    assert {key.partition("-")[2][0] for key in found} == {"w"}


def test_a_layer_that_is_called_twice_shows_its_weights_both_times():
    made = cards(called_twice(), collapse="layer")
    both = [card for card in made.cards if card.title.startswith("layer")]
    assert [[[short(w.data) for w in row.weights] for row in card.rows] for card in both] == [
        [["0.100", "0.200", "0.100"], ["0.200", "0.400", "0.100"]]
    ] * 2
