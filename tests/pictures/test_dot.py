"""Pictures: cards, and the SVG that Graphviz really drew of them."""

import base64
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import graphviz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_lite import (
    Value,
    dot,
    exp,
    leaky_relu,
    log,
    log1p,
    mean,
    scope,
    sigmoid,
    sqrt,
    square,
    tanh,
    where,
)
from autograd_lite import sum as total
from autograd_lite.cli import main
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, half_squared_error, log_loss_from_scores
from autograd_lite.notation.names import short
from autograd_lite.pictures import Picture, draw, tree
from autograd_lite.pictures.cards import cards
from autograd_lite.pictures.colour import DARK, LIGHT, contrast, mix, strength
from autograd_lite.pictures.markup import text_width as _width
from tests.pictures.test_tree import chain


def has_pygraphviz() -> bool:
    try:
        import pygraphviz  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


RENDERERS = {"dot": shutil.which("dot") is not None, "pygraphviz": has_pygraphviz()}
needs_graphviz = pytest.mark.skipif(not any(RENDERERS.values()), reason="neither dot nor pygraphviz is here")


@pytest.fixture(params=RENDERERS)
def renderer(request, monkeypatch):
    if not RENDERERS[request.param]:
        pytest.skip(f"{request.param} is not here")
    if request.param == "pygraphviz":
        monkeypatch.setenv("PATH", "")
    return request.param


# --- Graphs ---------------------------------------------------------------------------------------


def layer(number: int, weights, x, activation=sigmoid):
    with scope(f"layer {number}"):
        return [
            activation(dot([Value(wi, f"w{i}") for i, wi in enumerate(w, 1)], x, Value(b, "b")))
            for w, b in weights
        ]


def network() -> Value:
    """Two inputs, two sigmoid units, one sigmoid unit, squared error."""
    x = [Value(1.0, "x1"), Value(-2.0, "x2")]
    hidden = layer(1, [([-0.529, -1.05], 0.151), ([-1.28, 0.108], -0.134)], x)
    (out,) = layer(2, [([-1.33, 0.022], -0.463)], hidden)
    out.label = "y_hat"
    error = out - Value(1.0, "y")
    error.label = "error"
    loss = error**2
    loss.label = "loss"
    loss.backward()
    return loss


def logistic() -> Value:
    x1, x2, y = Value(1.0, "x1"), Value(2.0, "x2"), Value(1.0, "y")
    z = Value(0.5, "w1") * x1 + Value(-0.25, "w2") * x2 + Value(0.1, "b")
    z.label = "z"
    p = sigmoid(z)
    p.label = "y_hat"
    loss = -(y * log(p) + (1.0 - y) * log1p(-p))
    loss.label = "L"
    loss.backward()
    return loss


def mlp(inputs: int, sizes: list[int], examples: int = 1) -> Value:
    number = (math.sin(k) for k in itertools.count(1))  # any numbers, the same each time
    shape = list(itertools.pairwise([inputs, *sizes]))
    weights = [
        [
            ([Value(next(number), f"w{i}") for i in range(1, n + 1)], Value(next(number), "b"))
            for _ in range(m)
        ]
        for n, m in shape
    ]
    losses = []
    for _ in range(examples):
        x = [Value(next(number), f"x{i}") for i in range(1, inputs + 1)]
        for k, neurons in enumerate(weights, 1):
            with scope(f"layer {k}"):
                x = [tanh(dot(w, x, b)) for w, b in neurons]
        losses.append(square(total(x) - 1.0))
    loss = mean(losses) if examples > 1 else losses[0]
    loss.label = "loss"
    loss.backward()
    return loss


def recurrent(steps: int) -> Value:
    w_x, w_h, b, h = Value(0.5, "w_x"), Value(0.8, "w_h"), Value(0.1, "b"), Value(0.3, "h0")
    for t in range(1, steps + 1):
        with scope("cell"):
            h = tanh(dot([w_x, w_h], [Value(math.sin(t), f"x{t}"), h], b))
            h.label = f"h{t}"
    loss = square(h - 1.0)
    loss.backward()
    return loss


def called_twice() -> Value:
    weights = [([Value(0.1 * i * j, f"w{i}") for i in (1, 2)], Value(0.1, "b")) for j in (1, 2)]
    x = [Value(1.0, "x1"), Value(2.0, "x2")]
    for _ in range(2):
        with scope("layer"):
            x = [sigmoid(dot(w, x, b)) for w, b in weights]
    y = total(x)
    y.backward()
    return y


HOSTILE = [
    '<b>&"x"</b>',
    "a:b:c",
    "a->b; }",
    "&lt;&amp;",
    "\\N\\G\\",
    "'",
    "]]>",
    "名前 ±",
    "x\n\x00\ud800y",
    "%",
    " ",
]


def hostile() -> Value:
    with scope('</TABLE> & "s:cope" \\N'):
        y = total([Value(1.0, label) * Value(2.0, label) for label in HOSTILE])
    y.label = '<TABLE BORDER="9">'
    y.backward()
    return y


def not_finite() -> Value:
    x, y, n = Value(0.0, "x"), Value(2.0, "y"), Value(math.nan, "n")
    z = sqrt(x) * y + n * n
    z.backward()
    return z


def not_yet() -> Value:
    return Value(2.0, "w1") * Value(3.0, "x") + 1.0


def parallel() -> Value:
    a = Value(2.0, "a")
    b = a + a
    c = b * b
    c.backward()
    return c


def branches() -> Value:
    x, y = Value(-1.0, "x"), Value(2.0, "y")
    z = where(x > 0.0, x, y) + leaky_relu(x) + (2.0 - x) / 3.0
    z.backward()
    return z


def one() -> Value:
    return Value(3.0, "x")


GRAPHS = {
    f.__name__: f
    for f in (network, logistic, called_twice, hostile, not_finite, not_yet, parallel, branches, one)
} | {
    "recurrent": lambda: recurrent(4),
    "batch": lambda: mlp(2, [4, 1], examples=100),
    "folded": lambda: mlp(3, [8, 8, 8, 8]),
    "crowded": lambda: mlp(3, [8, 8, 1]),
    "deep": lambda: chain_with_gradients(1000),
}


def chain_with_gradients(length):
    y = chain(length)
    y.backward()
    return y


# --- Reading what was drawn -----------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Shape:
    fill: str
    stroke: str
    dashed: bool
    width: float
    x0: float
    y0: float
    x1: float
    y1: float

    def holds(self, x, y):
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1


@dataclass
class Text:
    text: str
    fill: str
    x: float
    y: float
    under: list[Shape] = field(default_factory=list)

    @property
    def background(self):
        return next(shape.fill for shape in reversed(self.under) if shape.holds(self.x + 1.0, self.y - 2.0))


@dataclass
class Group:
    id: str
    classes: list[str]
    title: str
    shapes: list[Shape]
    texts: list[Text]


def read(svg: str) -> dict[str, Group]:
    """The groups of the SVG by id, each with its shapes and texts; each text knows what lies under it."""
    groups: dict[str, Group] = {}
    painted: list[Shape] = []

    def walk(element, group):
        if element.tag == SVG + "g" and element.get("class"):
            title = element.find(SVG + "title")
            group = Group(
                element.get("id"), element.get("class").split(), "" if title is None else title.text, [], []
            )
            assert group.id not in groups, f"two elements have the id {group.id}"
            groups[group.id] = group
        elif element.tag in (SVG + "path", SVG + "polygon", SVG + "polyline"):
            numbers = list(map(float, re.findall(r"-?\d+\.?\d*", element.get("d") or element.get("points"))))
            x, y = numbers[::2], numbers[1::2]
            shape = Shape(
                element.get("fill"),
                element.get("stroke"),
                element.get("stroke-dasharray") is not None,
                float(element.get("stroke-width", 1)),
                min(x), min(y), max(x), max(y),
            )  # fmt: skip
            group.shapes.append(shape)
            if shape.fill != "none" and "edge" not in group.classes:
                painted.append(shape)
        elif element.tag == SVG + "text":
            group.texts.append(
                Text(
                    element.text,
                    element.get("fill"),
                    float(element.get("x")),
                    float(element.get("y")),
                    painted[:],
                )
            )
        for child in element:
            walk(child, group)

    walk(ET.fromstring(svg.encode()), None)
    return groups


def drawn(value, **options):
    picture = draw(value, **options)
    return picture.cards, read(picture.pipe("svg", encoding="utf-8"))


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").strip()


# --- What is drawn --------------------------------------------------------------------------------


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
            expected.update([row.name, row.symbol, short(row.data), gradient])
            if row.partial not in (None, 1.0):
                expected.update([f"×{short(row.partial, 2)}"])
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
        assert labels[edge.id] == ([] if edge.partial == 1.0 else [f"×{short(edge.partial, 2)}"])
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
    rules = dict(re.findall(r'\[fill="(#\w{6})"\]\{fill:(#\w{6})\}', svg[start:end]))
    assert rules == dict(re.findall(r'\[stroke="(#\w{6})"\]\{stroke:(#\w{6})\}', svg[start:end]))
    assert "prefers-color-scheme: dark" in svg[start:end]
    bare = svg[:start] + svg[end:]
    colours = re.compile(r'(?<=")#\w{6}(?=")')
    turned = colours.sub(lambda match: rules.get(match[0], match[0]).lower(), bare)
    assert turned == draw(value, theme="dark").pipe("svg", encoding="utf-8")
    light = draw(value).pipe("svg", encoding="utf-8")
    for ours, theirs in zip(colours.findall(bare), colours.findall(light), strict=True):
        assert contrast(ours, theirs) < 1.01  # the same to the eye
    assert b"<style>" not in draw(value, theme="dark").pipe("svg")


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.pictures = []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.pictures.append(dict(attributes)["src"])


def test_what_jupyter_gets(renderer):
    picture = draw(network())
    bundle = picture._repr_mimebundle_()
    assert bundle.keys() == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == tree(network()).text
    assert bundle["image/svg+xml"] == picture.pipe("svg", encoding="utf-8")
    page = _Tags()
    page.feed(bundle["text/html"])
    (source,) = page.pictures
    kind, _, data = source.partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert base64.b64decode(data).decode() == bundle["image/svg+xml"]
    assert picture._repr_mimebundle_(include=["text/plain"]).keys() == {"text/plain"}
    assert picture._repr_mimebundle_(exclude=["text/html"]).keys() == {"image/svg+xml", "text/plain"}


@pytest.mark.parametrize("has_graphviz", [True, False])
def test_ipython_shows_it(has_graphviz, monkeypatch, capfd):
    formatters = pytest.importorskip("IPython.core.formatters")
    if has_graphviz and not any(RENDERERS.values()):
        pytest.skip("neither dot nor pygraphviz is here")
    if not has_graphviz:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
    data, _ = formatters.DisplayFormatter().format(draw(network()))
    assert data.keys() == {"text/plain", *["text/html", "image/svg+xml"] * has_graphviz}
    assert ("drawing needs Graphviz" in data["text/plain"]) is not has_graphviz
    assert capfd.readouterr() == ("", "")


def test_labels_are_text_whatever_they_hold(renderer):
    wanted, groups = drawn(hostile(), legend=False)
    texts = [plain(text.text) for card in wanted.cards for text in groups[card.id].texts]
    shown = ["x \ufffd\ufffdy" if "\x00" in label else label for label in HOSTILE]
    for label in shown:
        assert texts.count(label) >= 2 or not label.strip()
    assert '<TABLE BORDER="9">' in texts
    assert '</TABLE> & "s:cope" \\N' in [text.text for box in wanted.boxes for text in groups[box.id].texts]


def test_tooltips_hold_the_numbers_in_full(renderer):
    x = Value(0.1234567890123, 'a<b>&"\\N')
    y = x * x
    y.backward()
    svg = draw(y).pipe("svg", encoding="utf-8")
    title = "{http://www.w3.org/1999/xlink}title"
    tooltips = [a.get(title) for a in ET.fromstring(svg.encode()).iter(SVG + "a")]
    assert 'a<b>&"\\N = 0.1234567890123, gradient 0.2469135780246' in tooltips
    assert "local partial 0.1234567890123, gradient that flows here: 0.1234567890123" in tooltips


@given(st.text(min_size=1, max_size=30))
@settings(max_examples=25)
def test_any_label_makes_a_well_formed_picture(label):
    with scope(label):
        y = Value(1.0, label) * Value(2.0, "w")
    picture = draw(y)
    for table in re.findall(r"label=<(<TABLE.*</TABLE>)>", picture.source):
        ET.fromstring(table)
    if any(RENDERERS.values()):
        read(picture.pipe("svg", encoding="utf-8"))


@needs_graphviz
def test_long_labels_are_cut_and_kept_in_the_tooltip():
    svg = draw(Value(1.0, "very " * 100)).pipe("svg", encoding="utf-8")
    assert "very very very very…" in svg.replace("\u00a0", " ")
    assert "very " * 100 in svg
    width = float(re.search(r'<svg width="(\d+)pt"', svg)[1])
    assert width < 300.0


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


# --- Cards ----------------------------------------------------------------------------------------


def rows_of(value, **options):
    return [[row.name or row.symbol for row in card.rows] for card in cards(value, **options).cards]


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


def test_sums_and_single_use_parameters_are_folded():
    assert rows_of(logistic())[:6] == [["y"], ["x₁"], ["w₁", "×"], ["x₂"], ["w₂", "×"], ["b", "z"]]
    w, x = Value(2.0, "w"), Value(3.0, "x")
    assert rows_of(w * x + w) == [["w"], ["x"], ["×"], ["+"]]  # w is used twice
    made = cards(x + 1.0 + (w + x))  # sums within sums
    assert [[row.symbol or row.name for row in card.rows] for card in made.cards] == [
        ["x"],
        ["+ c", "w", "Σ"],
    ]
    assert len(made.edges) == 2
    named = w + x
    named.label = "s"
    assert rows_of(named + x) == [["x"], ["w", "s"], ["+"]]


def test_a_sum_that_was_a_root_of_its_own_is_not_folded():
    inner = Value(1.0, "a") + Value(2.0, "x")
    outer = inner + Value(3.0, "y")
    outer.backward()
    assert len(cards(outer).cards) == 4
    inner.backward()  # now its gradient is 2, and not that of the sum around it
    assert len(cards(outer).cards) == 5


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


def test_a_branch_that_is_not_taken_gets_nothing():
    x, y = Value(math.inf, "x"), Value(2.0, "y")
    z = where(False, x * 1.0, y)
    z.backward()
    flows = {edge.operand: edge.flow for edge in cards(z).edges if edge.head == cards(z).cards[-1].id}
    assert sorted(flows.values()) == [0.0, 1.0]


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


# --- Folding --------------------------------------------------------------------------------------


def test_columns_of_short_names_and_numbers_are_as_wide_as_those_of_others():
    w, x = Value(2.0, "w"), Value(3.0, "x")
    y = w * x
    y.backward()
    widths = re.findall(r'WIDTH="(\d+)"', draw(y, legend=False).source)
    assert widths == ["36", "46", "60"] * 3  # name, value, gradient


def test_neurons_can_be_collapsed():
    made = cards(network(), collapse="neuron")
    folded = [card for card in made.cards if card.title]
    assert [card.title for card in folded] == ["neuron 1", "neuron 2", "neuron 1"]
    first = made.values[folded[0].rows[0].id]
    (neuron,) = [x for x in first.operands if isinstance(x, Value)]
    norm = math.hypot(*[x.grad for k, x in enumerate(neuron.operands) if k not in (2, 3)])
    assert folded[0].detail == f"3 params · ‖∇θ‖ {short(norm)}"
    assert [box.name for box in made.boxes] == ["layer 1", "layer 2"]
    assert len(made.edges) == 9  # 4 into layer 1, 2 into layer 2, 3 after it


@pytest.mark.parametrize(
    ("max_cards", "groups"),
    [
        (12, []),
        (11, ["neuron 1", "neuron 2", "neuron 3", "neuron 1"]),
        (9, ["neuron 1", "neuron 2", "neuron 3", "neuron 1"]),
        (8, ["layer 1", "layer 2"]),
        (6, ["… more", "layer 1", "layer 2"]),
    ],
)
def test_as_little_is_folded_as_it_takes(max_cards, groups):
    loss = half_squared_error(MLP(2, [3, 1], "tanh", rng=0)([1.0, 2.0]), 1.0)
    drawn = cards(loss, max_cards=max_cards)
    assert [card.title for card in drawn.cards if card.title] == groups
    assert len(drawn.cards) <= max_cards


def test_layers_can_be_collapsed():
    made = cards(network(), collapse="layer")
    assert [(card.title, card.detail.partition(" · ‖")[0]) for card in made.cards if card.title] == [
        ("layer 1", "2 neurons · 6 params"),
        ("layer 2", "3 params"),
    ]
    assert made.boxes == ()
    between = [edge for edge in made.edges if edge.count > 1]
    assert [edge.count for edge in between] == [2, 2, 2]  # x₁, x₂, and both neurons into the next
    x1 = next(edge for edge in between if made.values[edge.operand].label == "x1")
    assert x1.flow == pytest.approx(made.values[x1.operand].grad, rel=1e-15)


def test_a_batch_becomes_one_example():
    loss = mlp(2, [4, 1], examples=100)
    made = cards(loss)
    (rest,) = [card for card in made.cards if card.title]
    assert rest.title == "… 99 more"
    values = made.total - len([row for c in made.cards for row in c.rows if row.kind != "constant"]) + 1
    assert rest.detail == f"{values:,} values"
    terms = [x.data for x in loss.operands[1:]]
    assert rest.rows[0].data == pytest.approx(math.fsum(terms) / 99, rel=1e-14)
    assert rest.rows[0].gradient == 0.01
    assert not cards(loss, batch=False, max_cards=10_000).folded
    assert cards(mlp(2, [2, 1], examples=3), batch=True).folded
    assert not cards(mlp(2, [2, 1], examples=3), max_cards=60).folded


def test_a_batch_that_was_summed_by_python_is_one_too():
    x, w = [Value(float(i), f"x{i}") for i in range(100)], Value(0.5, "w")
    loss = sum([square(w * xi - 1.0) for xi in x])
    loss.backward()
    assert [card.title for card in cards(loss).cards if card.title] == ["… 99 more"]


def test_labels_do_not_split_a_batch():
    model = MLP(2, [4, 1], "tanh", rng=0)
    x = [[math.sin(i), math.cos(i)] for i in range(100)]
    loss = log_loss_from_scores([model(xi) for xi in x], [i % 2 for i in range(100)], "mean")
    assert [card.title for card in cards(loss).cards if card.title] == ["… 99 more"]
    model = MLP(2, [4, 3], "tanh", rng=0)
    loss = cross_entropy([model(xi) for xi in x], [i % 3 for i in range(100)])
    assert [card.title for card in cards(loss).cards if card.title] == ["… 99 more"]
    assert {box.name for box in cards(loss).boxes} >= {"layer 1", "layer 2", "neuron 4"}


def test_steps_of_a_recurrence_are_no_batch():
    h, total_loss = Value(0.1, "x"), Value(0.0)
    for _ in range(60):
        h = tanh(h * 1.5)
        total_loss = total_loss + square(h - 1.0)
    assert {card.title for card in cards(total_loss).cards} == {"", "… more"}


def test_many_leaves_become_one_card():
    x = [Value(math.sin(i), f"x{i}") for i in range(784)]
    y = total(layer(1, [([math.cos(i + j) for i in range(784)], 0.0) for j in range(10)], x, tanh))
    y.backward()
    made = cards(y)
    assert len(made.cards) <= 40
    folded = next(card for card in made.cards if card.title == "784 inputs")
    assert [row.name for row in folded.rows] == ["x₀", "x₁", "x₂", "x₃"]
    norm = math.hypot(*[xi.grad for xi in x[4:]])
    assert folded.note == f"… 780 more values · ‖∇‖ {short(norm)}"
    assert folded.kind == "input"


def test_many_parameters_of_one_card_are_shortened():
    y = dot([Value(1.0, f"w{i}") for i in range(100)], [Value(2.0, f"x{i}") for i in range(100)])
    y.backward()
    (card,) = [card for card in cards(y).cards if card.kind == "output"]
    assert len(card.rows) == 5
    assert card.note == "… 96 more operands · ‖∇‖ " + short(math.sqrt(96 * 4.0))


def test_max_cards_is_kept():
    loss = mlp(3, [8, 8, 8, 8])
    assert len(cards(loss).cards) <= 40
    for limit in (1, 2, 5, 10, 20):
        assert len(cards(loss, max_cards=limit).cards) <= max(limit, 2)
    whole = cards(loss, max_cards=math.inf)
    assert not whole.folded
    assert sum(len(card.rows) for card in whole.cards) > 100
    assert len(cards(chain(1000), max_cards=15).cards) == 15


def test_alike_terms_of_other_parameters_are_folded_last():
    weights = [Value(math.sin(i), f"w{i}") for i in range(100)]
    penalty = total([square(w) for w in weights])
    assert [card.title for card in cards(penalty).cards if card.title] == ["… 99 more"]
    layers = cards(mlp(3, [16, 16, 16]))
    assert [card.title for card in layers.cards if card.title] == ["layer 1", "layer 2", "layer 3"]


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


def test_where_many_edges_are_drawn_their_labels_are_left_to_tooltips():
    wanted, groups = drawn(mlp(3, [8, 8, 1]))
    assert len(wanted.edges) > 60
    assert all(groups[edge.id].texts == [] for edge in wanted.edges)


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
    if value.grad is not None and not made.folded:
        for key, operand in made.values.items():
            flows = [edge.flow for edge in made.edges if edge.operand == key]
            if flows and operand is not value:
                assert math.fsum(flows) == pytest.approx(operand.grad, rel=1e-9, abs=1e-9)


def test_scopes_fold_from_the_inside_out():
    x = Value(0.5, "x")
    y = x
    for _ in range(3):
        with scope("block"):
            for _ in range(20):
                with scope("step"):
                    y = tanh(y * 1.5)
    y.backward()
    made = cards(y)
    assert [card.title for card in made.cards if card.title] == [
        "block, call 1",
        "block, call 2",
        "block, call 3",
    ]
    made = cards(y, max_cards=70)
    assert len([card for card in made.cards if card.title.startswith("step")]) == 60
    assert len(made.boxes) == 3


@needs_graphviz
@pytest.mark.parametrize(
    "make",
    [
        lambda: chain_with_gradients(100_000),
        lambda: mlp(3, [6, 3, 1], examples=4000),
        lambda: total([Value(float(i), f"x{i}") * 2.0 for i in range(50_000)]),
    ],
    ids=["chain", "batch", "sum"],
)
def test_a_hundred_thousand_values_are_drawn(make):
    value = make()
    start = time.process_time()  # other processes may keep the clock on the wall busy
    picture = draw(value)
    svg = picture.pipe("svg", encoding="utf-8")
    limit = 5.0 if sys.gettrace() is None else 30.0  # the coverage of the tests traces every line
    assert time.process_time() - start < limit  # measured: 1.5 to 2.5 s
    made = picture.cards
    assert made.total > 99_000
    assert len(made.cards) <= 40
    assert "more" in "".join(card.title for card in made.cards)
    assert len([g for g in read(svg).values() if "card" in g.classes]) == len(made.cards)


def test_what_was_left_out_is_counted():
    made = cards(chain_with_gradients(1000))
    rest = next(card for card in made.cards if card.title)
    assert rest.title == "… more"
    assert rest.detail == f"{1001 - 39:,} values"


# --- Options --------------------------------------------------------------------------------------


@needs_graphviz
def test_networks_run_down_and_the_rest_to_the_right():
    assert "rankdir=TB" in draw(network()).source
    assert "rankdir=LR" in draw(network(), collapse="neuron").source
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


# --- Files, and machines without Graphviz ---------------------------------------------------------


def test_it_is_a_digraph(renderer, tmp_path):
    picture = draw(network(), theme="auto")
    assert isinstance(picture, graphviz.Digraph)
    assert picture.pipe("png").startswith(b"\x89PNG")
    assert picture.pipe("pdf").startswith(b"%PDF")
    with pytest.raises(ValueError, match="unknown format 'doodle'"):
        picture.pipe("doodle")

    path = picture.render(outfile=tmp_path / "net.svg")
    assert path == str(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text(encoding="utf-8") == picture.pipe("svg", encoding="utf-8")
    assert (tmp_path / "net.gv").read_text(encoding="utf-8") == picture.source

    path = picture.render("other", tmp_path / "sub", format="png", cleanup=True)
    assert path == str(tmp_path / "sub" / "other.png")
    assert [file.name for file in (tmp_path / "sub").iterdir()] == ["other.png"]

    with pytest.raises(FileExistsError, match=re.escape("net.svg exists already")):
        picture.render(outfile=tmp_path / "net.svg", raise_if_result_exists=True)
    with pytest.raises(ValueError, match="would overwrite its source"):
        picture.render("same.gv", tmp_path, outfile="same.gv", format="svg")

    copied = picture.copy()
    assert copied.pipe("svg") == picture.pipe("svg")
    assert copied.cards is picture.cards


def test_view_opens_what_was_rendered(renderer, tmp_path, monkeypatch):
    picture = draw(network())
    opened = []
    monkeypatch.setattr(picture, "_view", lambda path, **options: opened.append((path, options)))
    picture.format = "svg"
    picture.view(tmp_path / "seen.gv")
    assert opened == [(str(tmp_path / "seen.gv.svg"), {"format": "svg", "quiet": False})]
    assert (tmp_path / "seen.gv.svg").exists()


def test_nothing_is_written_to_stderr(renderer, capfd):
    for make in GRAPHS.values():
        draw(make(), theme="auto").pipe("svg")
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not RENDERERS["pygraphviz"], reason="pygraphviz is not here")
def test_the_wheel_draws_without_a_program(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert b"graphviz version" in draw(network()).pipe("svg")
    assert "drawing needs" not in str(draw(network()))


WITHOUT = """
import sys
sys.modules["pygraphviz"] = None
from autograd_lite import Value
from autograd_lite.pictures import draw, tree
x = Value(2.0, "x")
y = x * x
y.backward()
picture = draw(y)
print(repr(picture) == str(picture) == tree(y).text + "\\n" + {line!r})
print(sorted(picture._repr_mimebundle_()))
for request in (
    lambda: picture.pipe("svg"),
    lambda: picture.pipe("png"),
    lambda: picture.render(outfile="x.svg"),
    lambda: picture.render("x", format="pdf", cleanup=True),
    lambda: picture.view(),
):
    try:
        request()
    except RuntimeError as error:
        print(error)
print("digraph" in picture.source)
"""


def test_without_graphviz_there_is_text(tmp_path):
    line = (
        "drawing needs Graphviz: install autograd-lite[viz], which brings one, "
        "or any package that puts the program dot on the PATH"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT.format(line=line)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True", "['text/plain']", *[line] * 5, "True"]
    assert list(tmp_path.iterdir()) == []


# --- Colours --------------------------------------------------------------------------------------


@given(st.floats(0.0, 1.0), st.sampled_from([LIGHT, DARK]), st.sampled_from([1.0, -1.0]))
def test_ink_can_be_read_on_every_pill(x, theme, sign):
    pill = theme.gradient(sign * x, 1.0)
    assert contrast(theme.ink_on(pill), pill) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_scale_grows_with_the_magnitude(theme):
    for sign, end in ((1.0, theme.plus), (-1.0, theme.minus)):
        steps = [theme.gradient(sign * 10.0**-k, 1.0) for k in (0, 1, 2, 3)]
        away = [contrast(step, theme.zero) for step in steps]
        assert steps[0] == end
        assert away == sorted(away, reverse=True)
    assert theme.gradient(0.0, 1.0) == theme.zero
    assert theme.gradient(-5e-324, 5e-324) == theme.minus
    assert theme.gradient(1e308, 1.7e308) != theme.zero
    assert theme.gradient(math.nan, 1.0) == theme.gradient(-math.inf, 1.0) == theme.alarm


def test_strength_is_a_symmetric_log_over_three_decades():
    assert strength(0.0, 1.0) == 0.0
    assert strength(-1.0, 1.0) == strength(2.0, 1.0) == 1.0
    assert strength(1e-3, 1.0) == pytest.approx(math.log(2.0) / math.log(1001.0), rel=1e-14)
    assert strength(0.0, 0.0) == 0.0
    assert strength(1.0, 0.0) == 1.0


def test_mixing_keeps_the_ends_and_goes_through_oklab():
    # Ottosson's own example of the space: L of white is 1, of black 0, and half way is #636363
    assert mix("#000000", "#FFFFFF", 0.5) == "#636363"
    for a, b in itertools.combinations([LIGHT.plus, LIGHT.minus, DARK.zero, "#FFFFFF", "#000000"], 2):
        assert (mix(a, b, 0.0), mix(a, b, 1.0)) == (a, b)


def test_contrast_is_that_of_wcag():
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == contrast("#FFFFFF", "#777777") == pytest.approx(4.48, abs=0.005)


def test_pictures_can_be_made_by_hand():
    picture = Picture("other")
    picture.node("a")
    assert str(picture) in ("", "drawing needs Graphviz")
    assert exp(0.0) == 1.0


# --- In a browser ---------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]

# Texts that run out of the picture, over an edge of what is filled, or by more than a space into each other,
# where letters are 20 % larger than they were drawn: no common font is as much wider than Arial.
IN_A_WIDE_FONT = """
const picture = document.querySelector("svg")
const parts = kinds => [...picture.querySelectorAll(kinds)].filter(part => !part.closest(".edge"))
const texts = parts("text"), place = part => part.getBoundingClientRect()
for (const text of texts) text.setAttribute("font-size", 1.2 * text.getAttribute("font-size"))
const shapes = parts("path, polygon").map(place)
const middle = r => (r.top + r.bottom) / 2
const common = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left)
const outside = (a, b) => common(a, b) < a.width - 1
const within = (a, b) => b.top < middle(a) && middle(a) < b.bottom
const meet = (a, b) => common(a, b) > 4 && Math.abs(middle(a) - middle(b)) < 4
return texts.filter((text, k) => {
  const r = place(text)
  return outside(r, place(picture))
    || shapes.some(s => common(r, s) > 1 && outside(r, s) && within(r, s))
    || texts.some((other, j) => j < k && meet(r, place(other)))
}).map(text => text.textContent)
"""


def cut_in_a_wide_font(browser, tmp_path, svg):
    page = tmp_path / "picture.html"
    page.write_text(f'<meta charset="utf-8">{svg[svg.index("<svg") :]}', encoding="utf-8")
    browser.get(page.as_uri())
    assert browser.execute_script("return document.querySelectorAll('text').length") > 0
    return browser.execute_script(IN_A_WIDE_FONT)


@pytest.mark.parametrize("options", [{}, {"collapse": "layer"}, {"theme": "dark"}])
@pytest.mark.parametrize("name", ["network", "not_finite", "batch", "recurrent", "folded"])
def test_nothing_is_cut_off_in_a_wide_font(name, options, renderer, browser, tmp_path):
    svg = draw(GRAPHS[name](), **options).pipe("svg", encoding="utf-8")
    assert cut_in_a_wide_font(browser, tmp_path, svg) == []


def test_stored_pictures_are_not_cut_off_in_a_wide_font(browser, tmp_path):
    stored = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("notebooks/pictures/*.svg")}
    for path in ROOT.glob("notebooks/*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                svg = "".join(output.get("data", {}).get("image/svg+xml", ()))
                if svg:
                    stored[f"{path.name} {cell['id']}"] = svg
    assert len(stored) > 1
    cut = {name: cut_in_a_wide_font(browser, tmp_path, svg) for name, svg in stored.items()}
    assert not any(cut.values()), cut


# --- A dot that fails, and what else may go wrong ---------------------------------------------------

DOTS = {
    "fails": "#!/bin/sh\n/bin/cat > /dev/null\necho 'Error: in line 1' >&2\nexit 1\n",
    "writes junk": "#!/bin/sh\n/bin/cat > /dev/null\necho '<svg junk'\n",
    "writes a page": "#!/bin/sh\n/bin/cat > /dev/null\necho '<html><svg/></html>'\n",
    "writes no text": "#!/bin/sh\n/bin/cat > /dev/null\nprintf '\\377\\376'\n",
    "writes nothing": "#!/bin/sh\n/bin/cat > /dev/null\n",
    "reads nothing": "#!/bin/sh\nexit 3\n",
    "dies": "#!/bin/sh\nkill -9 $$\n",
    "is no program": "\x7fELF junk",
}


@pytest.fixture(params=DOTS)
def broken_dot(request, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "dot").write_text(DOTS[request.param])
    (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.skipif(not RENDERERS["pygraphviz"], reason="pygraphviz is not here")
def test_where_dot_fails_pygraphviz_draws(broken_dot, monkeypatch):
    found = draw(network())
    drawn = {kind: found.pipe(kind) for kind in ("svg", "png", "pdf")}
    assert drawn["png"].startswith(b"\x89PNG")
    assert drawn["pdf"].startswith(b"%PDF")
    monkeypatch.setenv("PATH", "")
    assert drawn["svg"] == draw(network()).pipe("svg")


def test_where_nothing_draws_one_line_says_so_and_the_tree_remains(broken_dot, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    picture = draw(network())
    with pytest.raises(RuntimeError, match=r"^dot failed \(.+\); drawing needs Graphviz: install") as raised:
        picture.pipe("svg")
    assert "\n" not in str(raised.value)
    bundle = picture._repr_mimebundle_()
    assert bundle == {"text/plain": f"{picture}\n{raised.value}"}
    target = tmp_path / "out.svg"
    target.write_text("old")
    assert main(["draw", "x*x", "x=3", "-o", str(target)]) == 2
    out, err = capsys.readouterr()
    assert "9.00" in out
    assert (err.count("\n"), err.startswith("autograd-lite: dot failed (")) == (1, True)
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    "label", ["]", "[]", "x" * 17_000, '&"' * 9_000, "\\" * 17_000, "\U0001f600" * 9_000]
)
def test_labels_that_dot_could_not_read(label, renderer, monkeypatch):
    if renderer == "dot":
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
    wanted, groups = drawn(Value(1.0, label) * 2.0)
    texts = [plain(text.text) for card in wanted.cards for text in groups[card.id].texts]
    shown = label if len(label) <= 20 else label[:19] + "…"
    assert shown in texts


def test_a_picture_without_a_format_is_in_that_of_the_picture(renderer):
    picture = draw(one())
    assert picture.pipe() == picture.pipe("pdf") or picture.pipe().startswith(b"%PDF")
    picture.format = "svg"
    assert picture.pipe() == picture.pipe("svg")
    picture.format = "png"
    assert picture.pipe().startswith(b"\x89PNG")


def test_wide_characters_have_the_room_they_take():
    """Each is as wide as the font is high; other unknown characters are 0.6 of that."""
    assert _width("名前", 10.0) == 20.0
    assert _width("\u2e80", 10.0) == 10.0
    assert _width("\u2e7f", 10.0) == 6.0
    assert _width("名前", 10.0, "B") == pytest.approx(22.0)
    wide, narrow = (draw(Value(1.0, label)).source for label in ("名" * 10, "i" * 10))
    columns = [int(re.search(r'WIDTH="(\d+)"', source)[1]) for source in (wide, narrow)]
    assert columns == [math.ceil(1.1 * 130.0), 36]


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


@pytest.mark.parametrize(("gradient", "width"), [(1.0, 60), (-1.2345e-300, None)])
def test_pills_are_60_wide_or_as_wide_as_their_number_needs(gradient, width):
    x = Value(1.0, "x")
    x.grad = gradient
    source = draw(x, legend=False).source
    (pill,) = re.findall(r'ALIGN="CENTER" WIDTH="(\d+)"><FONT POINT-SIZE="10"', source)
    needed = math.ceil(1.1 * _width(short(gradient), 10.0) + 4.0)
    assert int(pill) == (width or max(60, needed))
    assert needed <= int(pill)


def test_a_pill_grows_with_its_number(monkeypatch):
    monkeypatch.setattr("autograd_lite.pictures.dot.short", lambda x, digits=3: "0" * 20)
    x = Value(1.0, "x")
    x.grad = 1.0
    (pill,) = re.findall(r'ALIGN="CENTER" WIDTH="(\d+)"><FONT POINT-SIZE="10"', draw(x, legend=False).source)
    assert int(pill) == math.ceil(1.1 * 20 * 5.56 + 4.0)  # digits are 0.556 of the font size
