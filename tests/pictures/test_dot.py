"""`draw`: the SVG that Graphviz really drew of the cards."""

import itertools
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from autograd_lite import Value
from autograd_lite.notation.names import brief, short
from autograd_lite.pictures import draw
from autograd_lite.pictures.cards import cards
from autograd_lite.pictures.colour import LIGHT, contrast
from autograd_lite.pictures.markup import text_width as _width
from tests.pictures.graphs import (
    GRAPHS,
    SVG,
    chain,
    drawn,
    mlp,
    needs_graphviz,
    network,
    not_finite,
    not_yet,
    parallel,
    plain,
    read,
)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_card_edge_and_box_is_drawn(name, renderer):
    wanted, groups = drawn(GRAPHS[name]())
    by_class = {
        kind: {key for key, group in groups.items() if kind in group.classes}
        for kind in ("card", "edge", "box")
    }
    assert by_class["card"] == {card.id for card in wanted.cards}
    assert by_class["edge"] == {edge.id for edge in wanted.edges}
    assert by_class["box"] == {box.id for box in wanted.boxes}
    for edge in wanted.edges:
        assert groups[edge.id].title == f"{edge.tail}->{edge.head}"
    for box in wanted.boxes:
        assert [text.text for text in groups[box.id].texts] == [box.name]


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "hostile"])
def test_every_name_value_and_gradient_is_on_its_card(name, renderer):
    wanted, groups = drawn(GRAPHS[name]())
    for card in wanted.cards:
        texts = Counter(plain(text.text) for text in groups[card.id].texts if plain(text.text))
        expected = Counter([card.title, card.detail, card.note])
        for row in card.rows:
            gradient = "" if row.gradient is None else short(row.gradient)
            expected.update([row.name or row.made_up, row.symbol, short(row.data), gradient])
            if row.partial not in (None, 1.0):
                expected.update([f"×{brief(row.partial)}"])
        if len(card.rows) > 1 and all(row.weights for row in card.rows):
            expected.update(["weights", "gradients"])
        del expected[""]
        assert texts == expected


@needs_graphviz
@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_have_the_colour_of_their_sign(name):
    wanted, groups = drawn(GRAPHS[name]())

    def sign(colour):
        red, blue = int(colour[1:3], 16), int(colour[5:7], 16)
        return "plus" if blue > red + 12 else "minus" if red > blue + 12 else "none"

    for card in wanted.cards:
        pills = [t.background for t in groups[card.id].texts if t.fill in ("#000000", "#ffffff")]
        gradients = [row.gradient for row in card.rows if row.gradient is not None]
        assert len(pills) == len(gradients)
        for pill, gradient in zip(pills, gradients, strict=True):
            if not math.isfinite(gradient):
                assert pill == LIGHT.alarm.lower()
            elif gradient == 0.0:
                assert pill == LIGHT.zero.lower()
            elif short(gradient) != "0" and sign(pill) != "none":
                assert sign(pill) == ("plus" if gradient > 0.0 else "minus")
    for edge in wanted.edges:
        line = groups[edge.id].shapes[0]
        (kind,) = set(groups[edge.id].classes) - {"edge"}
        assert line.dashed == (edge.flow == 0.0)
        if edge.flow is None or edge.flow == 0.0:
            assert kind == ("idle" if edge.flow is None else "zero")
            assert line.stroke == LIGHT.idle.lower()
        elif not math.isfinite(edge.flow):
            assert kind == "alarm"
            assert line.stroke == LIGHT.alarm.lower()
        else:
            assert kind == ("plus" if edge.flow > 0.0 else "minus")
            assert sign(line.stroke) in (kind, "none" if line.width < 0.8 else kind)


@needs_graphviz
def test_wide_edges_carry_much():
    wanted, groups = drawn(network())
    by_flow = sorted(wanted.edges, key=lambda edge: abs(edge.flow))
    widths = [groups[edge.id].shapes[0].width for edge in by_flow]
    assert widths == sorted(widths)
    assert widths[-1] == pytest.approx(4.3)
    assert widths[0] < 0.75


@needs_graphviz
def test_local_partials_are_written_on_edges():
    wanted, groups = drawn(network())
    labels = {edge.id: [text.text for text in groups[edge.id].texts] for edge in wanted.edges}
    for edge in wanted.edges:
        assert labels[edge.id] == ([] if edge.partial == 1.0 else [f"×{brief(edge.partial)}"])
    assert sum(map(bool, labels.values())) == 11
    wanted, groups = drawn(network(), partials=False)
    texts = [text.text for group in groups.values() for text in group.texts]
    assert not any("×" in text for text in texts)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_card_overlaps_another_and_each_lies_in_its_boxes_alone(name, renderer):
    wanted, groups = drawn(GRAPHS[name]())
    outline = {card.id: groups[card.id].shapes[0] for card in wanted.cards}
    for (first, a), (second, b) in itertools.combinations(outline.items(), 2):
        apart = a.x1 < b.x0 or b.x1 < a.x0 or a.y1 < b.y0 or b.y1 < a.y0
        assert apart, f"{first} overlaps {second}"
    parents = {box.id: box.parent for box in wanted.boxes}
    for card in wanted.cards:
        around = set()
        box = card.box
        while box is not None:
            around.add(box)
            box = parents[box]
        a = outline[card.id]
        for other in parents:
            b = groups[other].shapes[0]
            if other in around:
                assert b.holds(a.x0, a.y0)
                assert b.holds(a.x1, a.y1)
            else:
                assert a.x1 < b.x0 or b.x1 < a.x0 or a.y1 < b.y0 or b.y1 < a.y0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_text_can_be_read(name, theme, renderer):
    _, groups = drawn(GRAPHS[name](), theme=theme)
    texts = [text for group in groups.values() for text in group.texts if plain(text.text)]
    assert texts
    for text in texts:
        assert contrast(text.fill, text.background) >= 4.5, text.text


@pytest.mark.parametrize("name", ["network", "not_finite", "batch", "not_yet"])
def test_the_automatic_theme_is_the_light_one_that_turns_into_the_dark_one(name, renderer):
    value = GRAPHS[name]()
    both = draw(value, theme="auto")
    svg = both.pipe("svg", encoding="utf-8")
    start, end = svg.index("<style>"), svg.index("</style>") + len("</style>\n")
    found = re.findall(r'\[(fill|stroke)="(#\w{6})"\]\{\1:(#\w{6})\}', svg[start:end])
    rules = {(paint, ours): theirs for paint, ours, theirs in found}
    assert "prefers-color-scheme: dark" in svg[start:end]
    bare = svg[:start] + svg[end:]
    colours = re.compile(r'(?<=")#\w{6}(?=")')
    turned = re.sub(
        r'(fill|stroke)="(#\w{6})"', lambda m: f'{m[1]}="{rules.get((m[1], m[2]), m[2]).lower()}"', bare
    )
    assert turned == draw(value, theme="dark").pipe("svg", encoding="utf-8")
    light = draw(value).pipe("svg", encoding="utf-8")
    for ours, theirs in zip(colours.findall(bare), colours.findall(light), strict=True):
        assert contrast(ours, theirs) < 1.01  # the same to the eye
    assert b"<style>" not in draw(value, theme="dark").pipe("svg")


def test_tooltips_hold_the_numbers_in_full(renderer):
    x = Value(0.1234567890123, 'a<b>&"\\N')
    y = x * x
    y.backward()
    svg = draw(y).pipe("svg", encoding="utf-8")
    title = "{http://www.w3.org/1999/xlink}title"
    tooltips = [a.get(title) for a in ET.fromstring(svg.encode()).iter(SVG + "a")]
    assert 'a<b>&"\\N = 0.1234567890123, gradient 0.2469135780246' in tooltips
    assert "local partial 0.1234567890123, gradient that flows here: 0.1234567890123" in tooltips


@needs_graphviz
def test_before_backward_it_says_so_and_shows_no_gradient():
    for legend in (True, False):
        wanted, groups = drawn(not_yet(), legend=legend)
        texts = [text.text for group in groups.values() for text in group.texts]
        assert texts.count("no gradients yet: call backward()") == 1
        assert all(row.gradient is None for card in wanted.cards for row in card.rows)
        assert all(edge.flow is None for edge in wanted.edges)
    stale = Value(2.0, "w")
    (stale * stale).backward()
    assert not cards(stale * 3.0).gradients  # of another graph
    _, groups = drawn(network())
    assert "no gradients yet" not in str(groups)


@needs_graphviz
def test_gradients_that_are_not_finite_are_marked():
    _, groups = drawn(not_finite())
    alarm = LIGHT.alarm.lower()
    infinite = next(g for g in groups.values() if "card" in g.classes and "∞" in [t.text for t in g.texts])
    assert infinite.shapes[-1].stroke == alarm
    assert infinite.shapes[-1].width == 2
    assert [t.background for t in infinite.texts if t.text == "∞"] == [alarm]
    assert "NaN, ∞" in [text.text for text in groups["graph0"].texts]  # the legend
    values = [t for g in groups.values() for t in g.texts if t.text == "NaN" and t.fill == alarm]
    assert len(values) == 3  # n, n · n and the sum: values, not gradients


@needs_graphviz
def test_the_legend_can_be_left_out():
    _, groups = drawn(network())
    texts = [text.text for text in groups["graph0"].texts]
    assert texts[:4] == ["input", "parameter", "operation", "output"]
    _, groups = drawn(network(), legend=False)
    assert groups["graph0"].texts == []
    assert "TABLE" not in draw(network(), legend=False).source.partition("node [")[0]


def test_columns_of_short_names_and_numbers_are_as_wide_as_those_of_others():
    w, x = Value(2.0, "w"), Value(3.0, "x")
    y = w * x
    y.backward()
    widths = re.findall(r'WIDTH="(\d+)"', draw(y, legend=False).source)
    assert widths == ["32", "40", "50"] * 3  # name, value, gradient


def test_where_many_edges_are_drawn_their_labels_are_left_to_tooltips():
    wanted, groups = drawn(mlp(3, [8, 8, 1]), width=None)
    assert len(wanted.edges) > 60
    assert all(groups[edge.id].texts == [] for edge in wanted.edges)


@needs_graphviz
def test_networks_run_down_and_the_rest_to_the_right():
    assert "rankdir=TB" in draw(network()).source
    assert "rankdir=LR" in draw(network(), collapse="layer", width=None).source
    assert "rankdir=LR" in draw(parallel()).source
    assert "rankdir=LR" in draw(chain(3)).source
    assert "rankdir=TB" in draw(chain(4)).source  # the leaf is a card, too
    assert "rankdir=BT" in draw(network(), direction="BT").source
    wanted, groups = drawn(network(), direction="LR")
    x = {card.id: groups[card.id].shapes[0].x0 for card in wanted.cards}
    assert all(x[edge.tail] < x[edge.head] for edge in wanted.edges)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "blue"}, "theme must be 'light', 'dark' or 'auto', got 'blue'"),
        ({"direction": "up"}, "direction must be 'TB', 'LR', 'BT' or 'RL', got 'up'"),
        ({"collapse": "all"}, "collapse must be None, 'neuron' or 'layer', got 'all'"),
        ({"max_cards": 0}, "max_cards must be at least 1, got 0"),
        ({"max_cards": math.nan}, "max_cards must be at least 1, got nan"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        draw(network(), **options)


@pytest.mark.parametrize("wrong", [3.0, None, [Value(1.0)]])
def test_only_values_are_drawn(wrong):
    with pytest.raises(TypeError, match="a picture is drawn of a Value, got"):
        draw(wrong)


@pytest.mark.parametrize(
    ("data", "gradient", "bold"),
    [(1.0, 1.0, 0), (math.inf, 1.0, 1), (1.0, math.nan, 1), (math.nan, -math.inf, 2), (0.0, 0.0, 0)],
)
def test_numbers_that_are_not_finite_are_bold(data, gradient, bold):
    x = Value(data, "x")
    x.grad = gradient
    source = draw(x, legend=False).source
    numbers = re.findall(r"<B>(NaN|−?∞|[^<]*[0-9.]+)</B>", source)
    assert len(numbers) == bold
    assert numbers == [short(number) for number in (data, gradient) if not math.isfinite(number)]


@pytest.mark.parametrize(("gradient", "width"), [(1.0, 50), (-1.2345e-300, None)])
def test_pills_are_50_wide_or_as_wide_as_their_number_needs(gradient, width):
    x = Value(1.0, "x")
    x.grad = gradient
    source = draw(x, legend=False).source
    (pill,) = re.findall(r'ALIGN="CENTER" WIDTH="(\d+)"><FONT POINT-SIZE="10"', source)
    needed = math.ceil(1.1 * _width(short(gradient), 10.0) + 4.0)
    assert int(pill) == (width or max(50, needed))
    assert needed <= int(pill)


def test_a_pill_grows_with_its_number(monkeypatch):
    monkeypatch.setattr("autograd_lite.pictures.dot.short", lambda x, digits=3: "0" * 20)
    x = Value(1.0, "x")
    x.grad = 1.0
    (pill,) = re.findall(r'ALIGN="CENTER" WIDTH="(\d+)"><FONT POINT-SIZE="10"', draw(x, legend=False).source)
    assert int(pill) == math.ceil(1.1 * 20 * 5.56 + 4.0)  # digits are 0.556 of the font size


def curve(svg, edge_id):
    """Points along the line of an edge, a Bézier curve."""
    for group in ET.fromstring(svg.encode()).iter(SVG + "g"):
        if group.get("id") == edge_id:
            path = next(group.iter(SVG + "path")).get("d")
            numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*", path)]
            points = list(zip(numbers[::2], numbers[1::2], strict=True))
            for k in range(0, len(points) - 1, 3):
                for step in range(21):
                    t = step / 20.0
                    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                    yield tuple(
                        sum(w * p[axis] for w, p in zip(weights, points[k : k + 4], strict=True))
                        for axis in (0, 1)
                    )


@pytest.mark.parametrize("name", ["network", "recurrent", "batch", "folded", "deep", "logistic"])
def test_no_edge_strikes_through_a_title(name, renderer):
    picture = draw(GRAPHS[name]())
    svg = picture.pipe("svg", encoding="utf-8")
    groups = read(svg)
    for box in picture.cards.boxes:
        (title,) = groups[box.id].texts
        width = _width(title.text, 11.0)
        for edge in picture.cards.edges:
            for x, y in curve(svg, edge.id):
                struck = title.x < x < title.x + width and title.y - 8.0 < y < title.y
                assert not struck, (box.name, edge)


def test_the_seed_does_not_set_the_colours():
    x = Value(2.0, "x")
    y = x * 1e-4
    y.backward()
    made = cards(y)
    assert made.largest == 1e-4
    assert draw(y).source.count(LIGHT.plus) >= 2  # the pill of x, and that of the result
    alone = Value(1.0, "x")
    alone.backward()
    assert cards(alone).largest == 1.0
