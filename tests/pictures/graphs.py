"""Graphs that the tests of pictures draw, and a reader of the SVG that Graphviz drew of them."""

import itertools
import math
import random
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

import pytest

from autograd_lite import (
    Value,
    dot,
    leaky_relu,
    log,
    log1p,
    mean,
    scope,
    sigmoid,
    sin,
    sqrt,
    square,
    tanh,
    where,
)
from autograd_lite import sum as total
from autograd_lite.nn import MLP
from autograd_lite.pictures import draw
from autograd_lite.pictures.cards import cards
from tests.optional import MISSING

RENDERERS = {"dot": shutil.which("dot") is not None, "pygraphviz": "pygraphviz" not in MISSING}


needs_graphviz = pytest.mark.skipif(not any(RENDERERS.values()), reason="neither dot nor pygraphviz is here")


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


def chain(length: int) -> Value:
    x = Value(0.5, "x")
    y = x
    for _ in range(length):
        y = tanh(y)
    return y


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


def rows_of(value, **options):
    return [[row.name or row.symbol for row in card.rows] for card in cards(value, **options).cards]


def named_network() -> Value:
    """The loss of a small network of sigmoids: two inputs, each used by two neurons."""
    x = [Value(1.0, "x1"), Value(-2.0, "x2")]
    a = []
    with scope("layer 1"):
        for k, w in enumerate(([-0.529, -1.05], [-1.28, 0.108])):
            z = dot([Value(w_i, f"w{i}") for i, w_i in enumerate(w, 1)], x, Value(0.1 - k, "b"))
            z.label = f"z{k + 1}"
            a.append(z.sigmoid())
    with scope("layer 2"):
        y_hat = dot([Value(-1.33, "w1"), Value(0.022, "w2")], a, Value(-0.463, "b")).sigmoid()
    y_hat.label = "y_hat"
    error = y_hat - Value(1.0, "y")
    error.label = "error"
    loss = error**2
    loss.label = "loss"
    loss.backward()
    return loss


def trained(inputs: int, sizes: list[int], examples: int = 1) -> Value:
    """The loss of an `MLP`, on one example or averaged over several."""
    model = MLP(inputs, sizes, "tanh", rng=0)
    losses = []
    for i in range(examples):
        out = model([math.sin(i + k) for k in range(inputs)])
        losses.append(square((total([*out]) if isinstance(out, list) else out) - 1.0))
    loss = mean(losses) if examples > 1 else losses[0]
    loss.label = "loss"
    loss.backward()
    return loss


def tangled(size: int) -> Value:
    """A graph of about `size` values without structure, from eight inputs."""
    rng = random.Random(0)
    values = [Value(rng.uniform(-1.0, 1.0), f"x{i}") for i in range(1, 9)]
    while len(values) < size:
        a, b = rng.choice(values[-40:]), rng.choice(values[-60:])
        values.append([a * b, a + b, a - b, tanh(a), sin(b)][len(values) % 5])
    used = {id(x) for value in values for x in value.operands}
    loss = total([value for value in values if id(value) not in used])
    loss.label = "loss"
    loss.backward()
    return loss
