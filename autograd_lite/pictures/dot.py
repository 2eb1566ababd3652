"""`draw`: from cards to a picture, written as DOT.

Cards, edges and boxes keep their ids, and their classes say their kind: ``card input``, ``edge minus``,
``box``. `cards.py` decides what is drawn, `colour.py` holds the colours, `picture.py` runs Graphviz.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

import graphviz

from autograd_lite.core.value import Value, topological_order
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.names import brief, short
from autograd_lite.pictures.cards import Box, Card, Cards, Edge, Row, cards, magnitude
from autograd_lite.pictures.colour import DARK, LIGHT, Theme, largest_of, strength
from autograd_lite.pictures.folding import Collapse
from autograd_lite.pictures.markup import (
    FONT,
    NOWHERE,
    SPACE,
    cell,
    column_width,
    shortened,
    table,
    text_part,
    text_width,
    tooltip,
)
from autograd_lite.pictures.order import depths, in_order
from autograd_lite.pictures.picture import Picture
from autograd_lite.pictures.tree import tree

ThemeName: TypeAlias = Literal["light", "dark", "auto"]
Direction: TypeAlias = Literal["TB", "LR", "BT", "RL"]
_Part: TypeAlias = tuple[str, float, str, str]  # text, size, colour, style

_NAME, _TITLE = 20, 40  # letters of a name and of a title that are shown; the tooltip has all of them
_LONGEST_LINE, _LONGEST_FOLDED_LINE = 4, 9  # cards side by side that still fit into a page
_MOST, _FEWER = 40, 0.8  # cards of a picture; of one that is too wide, that share is tried next
_PAD = 0.25  # inches around the picture
_STRIP = 18  # cells of a strip of weights
_WIDE = -8.8e-88  # a number that is printed as wide as any
_CROWD = 60  # with more edges there is no room for labels: edges are spread out, with tooltips only


class _Painter:
    """Writes the parts of a picture as DOT, in the colours of one theme."""

    def __init__(self, drawn: Cards, theme: Theme, partials: bool, live: bool) -> None:
        self.theme = theme
        self.partials = partials
        self.live = live
        self.examples = drawn.examples
        self.is_crowded = len(drawn.edges) > _CROWD
        self.largest = drawn.largest

    def name(self, row: Row) -> list[_Part]:
        """Return the parts of the first column of a row."""
        theme, name = self.theme, shortened(row.name or row.made_up, _NAME)
        if row.symbol:
            parts: list[_Part] = [(shortened(row.symbol, _NAME), 14, theme.ink, "B")]
            return [*parts, (f"{SPACE}{name}", 11, theme.muted, "I")] if name else parts
        if row.kind == "constant":
            return [(name, 11, theme.muted, "")]
        parts = [(name, 13, theme.ink, "I")] if name else []
        if self.partials and row.partial is not None and (row.partial != 1.0 or self.live):
            parts.append((f"{SPACE}×{brief(row.partial)}", 9, theme.muted, ""))
        return parts

    def row(self, row: Row, widths: tuple[int, int, int], largest: float = 0.0) -> str:
        """Return the cells of a row; `widths` are those of name, value and gradient, 0 for no gradient.

        `largest` is the largest magnitude of a weight on the card.
        """
        theme = self.theme
        ink, style = (theme.ink, "") if math.isfinite(row.data) else (theme.alarm, "B")
        cells = [cell("".join([text_part(*part) for part in self.name(row)]), WIDTH=widths[0])]
        if row.weights:
            cells += [cell(strip) for strip in self.strips(row, largest)]
        cells.append(cell(text_part(short(row.data), 11, ink, style), ALIGN="RIGHT", WIDTH=widths[1]))
        if widths[2] and row.gradient is None:
            cells.append(cell(table([cell(text_part(" ", 10, theme.ink), WIDTH=widths[2])])))
        elif row.gradient is not None:
            colour = theme.gradient(row.gradient, self.largest)
            style = "" if math.isfinite(row.gradient) else "B"
            pill = text_part(short(row.gradient), 10, theme.ink_on(colour), style)
            of_batch = self.examples > 0 and row.kind == "parameter"
            shown = [cell(pill, ALIGN="CENTER", WIDTH=widths[2])]
            border = int(of_batch)  # what belongs to the whole batch has a rim
            cells.append(cell(table(shown, fill=colour, BORDER=border, COLOR=theme.ink if border else None)))
        return "".join(cells)

    def strips(self, row: Row, largest: float) -> list[str]:
        """Return the weights of a neuron as a strip of colours, and their gradients as another."""
        theme = self.theme
        cells: list[list[str]] = [[], []]
        width = _cell_width(row)
        for several in _binned(row.weights):
            weight = max(several, key=lambda w: magnitude(w.data))
            slope = max(several, key=lambda w: magnitude(w.gradient or 0.0))
            words = f"{several[0].name} to {several[-1].name}: " if len(several) > 1 else ""
            colours = [theme.weight(weight.data, largest)]
            if slope.gradient is not None:
                colours.append(theme.gradient(slope.gradient, self.largest))
            for k, (colour, each) in enumerate(zip(colours, (weight, slope), strict=False)):
                look = {"BGCOLOR": colour, "TITLE": tooltip([words + _in_words(each)]), "HREF": NOWHERE}
                look["ID"] = f"{row.id}-{'wg'[k]}{len(cells[k])}"
                cells[k].append(cell("", WIDTH=width, HEIGHT=13, FIXEDSIZE="TRUE", **look))
        return [table(["".join(strip)], padding=0, CELLSPACING=1) for strip in cells if strip]

    def card(self, card: Card) -> str:
        """Return the label of a card's node."""
        theme = self.theme
        fill, border = theme.cards[card.kind]
        gradients = [row.gradient for row in card.rows if row.gradient is not None]
        is_alarming = not all(map(math.isfinite, gradients))
        names = [sum([column_width(*part[:2], part[3]) for part in self.name(row)]) for row in card.rows]
        widths = (
            math.ceil(max(32.0, *names)),
            math.ceil(
                max(40.0, *[column_width(short(x), 11) for x in self.room(row.data for row in card.rows)])
            ),
            math.ceil(max(50.0, *[column_width(short(g), 10) + 4.0 for g in self.room(gradients)]))
            if gradients
            else 0,
        )
        note = [table([cell(text_part(card.note, 10, theme.muted))])] if card.note else []
        if card.title:
            heading = text_part(shortened(card.title, _TITLE), 13, theme.ink, "B")
            if card.detail:
                heading += text_part(f"{SPACE * 2}{card.detail}", 10, theme.muted)
            largest = largest_of([w.data for row in card.rows for w in row.weights])
            lines = [self.row(row, widths, largest) for row in card.rows]
            heads = ["", "weights", "gradients"][: 3 if gradients else 2]
            if len(lines) > 1 and all(row.weights for row in card.rows):
                # One table, so that the columns of all its rows are equally wide.
                cells = [cell(text_part(head, 9, theme.muted) if head else "") for head in heads]
                rows = [table([cell(heading)]), table(["".join(cells), *lines])]
            else:
                rows = [table([cell(heading)]), *[table([line]) for line in lines]]
            rows += note
        else:
            *inside, own = card.rows
            rows = [table([self.row(row, widths)], fill=theme.cards[row.kind][0]) for row in inside]
            rows += [*note, table([self.row(own, widths)])]
        return table(
            [cell(row) for row in rows],
            padding=1,
            fill=fill,
            COLOR=theme.alarm if is_alarming else border,
            BORDER=2 if is_alarming or card.kind == "output" else 1,
        )

    def room(self, numbers: Iterable[float]) -> list[float]:
        """Return the numbers for which a column needs room: in a page, other ones may take their place."""
        return [*numbers, *([_WIDE] if self.live else [])]

    def edge(self, edge: Edge) -> dict[str, str]:
        """Return the attributes of an edge."""
        theme, flow = self.theme, edge.flow
        t = 0.0 if flow is None else strength(flow, self.largest)
        width = 0.7 + 3.6 * t * t
        words = []
        if self.partials and not self.is_crowded and edge.partial is not None and edge.partial != 1.0:
            words.append(f"×{brief(edge.partial)}")
        if edge.count > 1 and not edge.operand.startswith("m"):
            words.append(f"{edge.count:,} edges")
        attributes = {
            "id": edge.id,
            "class": f"edge {_sign(flow)}",
            "color": theme.flow(flow, self.largest),
            "penwidth": f"{width:.2f}",
            "style": "dashed" if flow == 0.0 else "solid",
            "tooltip": tooltip([_edge_in_words(edge)]),
        }
        if self.live:  # the page sets width, colour and dashes; the gradient flows back
            attributes |= {"penwidth": "1", "style": "solid", "dir": "back"}
        if words:  # the padding keeps the label beside the line
            text = text_part(" · ".join(words), 9, theme.muted)
            attributes["label"] = f"<{table([cell(text)], padding=2 + round(width / 2))}>"
        return attributes

    def box(self, box: Box, depth: int, below: bool) -> dict[str, str]:
        """Return the attributes of a box's cluster, with its title below its cards or above them."""
        return {
            "id": box.id,
            "class": "box",
            "label": f"<{text_part(shortened(box.name, _TITLE), 11, self.theme.muted)}>",
            "labeljust": "l",
            "labelloc": "b" if below else "t",
            "style": "rounded,filled",
            "margin": "10",
            "fillcolor": self.theme.boxes[depth % 2],
            "color": self.theme.box_border,
            "tooltip": tooltip([box.name]),
        }

    def legend(self, drawn: Cards) -> list[str]:
        """Return the rows of a table that explains the colours of cards and edges."""
        theme = self.theme
        rows = [row for card in drawn.cards for row in card.rows]
        kinds = {card.kind for card in drawn.cards}
        kinds |= {row.kind for card in drawn.cards if not card.title for row in card.rows[:-1]}
        lines: list[list[tuple[str, float]]] = [[]]  # parts with their widths
        for kind in ("input", "parameter", "constant", "operation", "output"):
            if kind in kinds:
                lines[0] += [self.chip("", *theme.cards[kind]), self.words(kind)]
        if drawn.gradients:
            scale = [("−", theme.minus), ("0", theme.zero), ("+", theme.plus)]
            if not all(math.isfinite(row.gradient or 0.0) for row in rows):
                scale.append(("NaN, ∞", theme.alarm))
            lines.append([self.words("gradient"), *[self.chip(*each) for each in scale]])
            if any(row.weights for row in rows):
                signs = zip("−+", theme.weights, strict=True)
                lines[1] += [self.words("weight"), *[self.chip(*each) for each in signs]]
            if drawn.examples:
                lines.append([self.chip("", theme.zero, theme.ink)] if "parameter" in kinds else [])
                lines[-1].append(
                    self.words(f"gradients of parameters: all {drawn.examples:,} examples together")
                )
            words = "edge width: gradient · dashed: none"
            if self.partials and not self.is_crowded:
                words += " · ×: local partial"
            lines.append([self.words(words)])
        # Graphviz spreads the cells of a short line, so an empty one at its end fills it up.
        lengths = [sum([width for _, width in line]) for line in lines]
        rests = [cell("", WIDTH=math.ceil(max(lengths) - length)) for length in lengths]
        return [
            cell(table(["".join([part for part, _ in line]) + rest]))
            for line, rest in zip(lines, rests, strict=True)
        ]

    def words(self, text: str) -> tuple[str, float]:
        """Return a cell of the legend with words, and its width."""
        return cell(text_part(text, 9, self.theme.muted)), text_width(text, 9) + 10.0

    def chip(self, sign: str, fill: str, border: str | None = None) -> tuple[str, float]:
        """Return a cell of the legend with a sign on a colour, and its width."""
        width = max(10, math.ceil(column_width(sign, 9)) + 4)
        text = text_part(sign, 9, self.theme.ink_on(fill)) if sign else ""
        look = {"WIDTH": width, "HEIGHT": 10, "FIXEDSIZE": None if sign else "TRUE"}
        rim = {} if border is None else {"COLOR": border, "BORDER": 1}
        chip = table([cell(text, ALIGN="CENTER", **look)], padding=0, fill=fill, **rim)
        return cell(chip), width + 6.0


def _cell_width(row: Row) -> int:
    """Return the width of the cells of a strip: few weights get wide ones."""
    return max(4, min(12, 72 // max(len(_binned(row.weights)), 1)))


def _binned(weights: tuple[Row, ...]) -> list[tuple[Row, ...]]:
    """Return the weights of a neuron in as many groups as a strip has room for."""
    size = -(-len(weights) // _STRIP)
    return [weights[k : k + size] for k in range(0, len(weights), max(size, 1))]


def _sign(flow: float | None) -> str:
    if flow is None:
        return "idle"
    return "alarm" if not math.isfinite(flow) else "plus" if flow > 0.0 else "minus" if flow < 0.0 else "zero"


def _in_words(row: Row) -> str:
    name = row.name or row.made_up
    also = f" ({row.made_up} in formulas)" if row.name and row.made_up else ""
    words = f"{name}{also} = {row.data!r}"
    return words if row.gradient is None else f"{words}, gradient {row.gradient!r}"


def _edge_in_words(edge: Edge) -> str:
    if edge.flow is None:
        return "no gradient has flowed here yet"
    partial = "" if edge.partial is None else f"local partial {edge.partial!r}, "
    return f"{partial}gradient that flows here: {edge.flow!r}"


def _digraph(drawn: Cards, theme: Theme, direction: str, partials: bool, legend: bool, live: bool) -> Picture:
    painter = _Painter(drawn, theme, partials, live)
    below = painter.legend(drawn) if legend else []
    if not drawn.gradients:
        below.append(cell(text_part("no gradients yet: call backward()", 11, theme.ink, "B"), ALIGN="CENTER"))
    picture = Picture(
        "picture",
        graph_attr={
            "rankdir": direction,
            "nodesep": ".14",
            "ranksep": "1" if painter.is_crowded and direction in ("LR", "RL") else ".38",
            "pad": str(_PAD),
            "splines": "spline",
            "fontname": FONT,
            "bgcolor": theme.background,
            "label": f"<{table(below)}>" if below else "",
            "labelloc": "b",
        },
        # As "plain", but with a margin: wide arrows end before the card and not on it.
        node_attr={"shape": "none", "width": "0", "height": "0", "margin": ".045", "fontname": FONT},
        edge_attr={"arrowsize": ".55", "fontsize": "9", "fontname": FONT},
    )
    inside: dict[str | None, graphviz.Digraph] = {None: picture}
    within: dict[str | None, list[str]] = {None: []}
    depths: dict[str | None, int] = {None: -1}
    paths: dict[str | None, list[str]] = {None: []}
    entered = _entered(drawn)
    for box in drawn.boxes:
        within[box.parent].append(box.id)
        within[box.id] = []
        depths[box.id] = depths[box.parent] + 1
        paths[box.id] = [*paths[box.parent], box.name]
        inside[box.id] = graphviz.Digraph(
            f"cluster_{box.id}",
            graph_attr=painter.box(box, depths[box.id], direction == "TB" and box.id in entered),
        )
    for card in drawn.cards:
        place = " · ".join([*paths[card.box], *[card.title] * bool(card.title)])
        words = [place] * bool(place) + [_in_words(row) for row in card.rows]
        about = {"id": card.id, "class": f"card {card.kind}", "tooltip": tooltip(words)}
        inside[card.box].node(card.id, f"<{painter.card(card)}>", _attributes=about)
    for box_id, statements in in_order(drawn, direction).items():
        inside[box_id].body += [f"\t{statement}\n" for statement in statements]
    for around in [*[box.id for box in reversed(drawn.boxes)], None]:  # the innermost first
        for box_id in within[around]:
            inside[around].subgraph(inside[box_id])
    for edge in drawn.edges:
        picture.edge(edge.tail, edge.head, _attributes=painter.edge(edge))
    return picture


def _entered(drawn: Cards) -> set[str]:
    """Return the boxes that edges come into. These come from afar, and would strike through a title above."""
    around: dict[str | None, set[str]] = {None: set()}
    for box in drawn.boxes:
        around[box.id] = around[box.parent] | {box.id}
    boxes = {card.id: around[card.box] for card in drawn.cards}
    return {box for edge in drawn.edges for box in boxes[edge.head] - boxes[edge.tail]}


# --- Drawn for the column -------------------------------------------------------------------------


def _directions(drawn: Cards) -> tuple[Direction, Direction]:
    """Return the directions to try, the better one first: from top to bottom for networks, from left to right
    for short expressions and folded graphs.
    """
    longest = 1 + max(depths(drawn).values())
    if any(card.title and not card.id.startswith("m") for card in drawn.cards):  # "m": a batch alone
        is_line = longest <= _LONGEST_FOLDED_LINE
    else:
        is_line = longest <= _LONGEST_LINE and not drawn.boxes
    return ("LR", "TB") if is_line else ("TB", "LR")


def _foldings(
    value: Value, collapse: Collapse, batch: bool | None, max_cards: float | None
) -> Iterator[Cards]:
    """Yield the cards of a graph, folded further and further unless the caller has chosen how far."""
    namer = Namer(topological_order(value)) if isinstance(value, Value) else None
    most = _MOST if max_cards is None else max_cards
    drawn = cards(value, collapse=collapse, batch=batch, max_cards=most, namer=namer)
    yield drawn
    while collapse is None and max_cards is None and len(drawn.cards) > 1:
        folded = cards(value, batch=batch, max_cards=int(_FEWER * len(drawn.cards)), namer=namer)
        if len(folded.cards) >= len(drawn.cards):
            return
        drawn = folded
        yield drawn


def _points(picture: Picture) -> float:
    """Return the width of a picture as Graphviz lays it out, 0 without Graphviz."""
    try:
        plain = picture.pipe("plain", encoding="utf-8")
    except RuntimeError:
        return 0.0
    return 72.0 * (float(plain.split()[2]) + 2.0 * _PAD)


def _fitted(
    foldings: Iterable[Cards],
    direction: Direction | None,
    width: float,
    paint: Callable[[Cards, Direction], Picture],
) -> Picture:
    """Return the first picture that fits into a column, else the narrowest.

    The smallest letters are 9 points, 12 px in a picture of its own size. They are 9 px or more in a column
    that has at least three quarters of the width: as many px as the picture has points.
    """
    found: list[tuple[float, Picture]] = []
    for drawn in foldings:
        for rankdir in _directions(drawn) if direction is None else (direction,):
            picture = paint(drawn, rankdir)
            found.append((_points(picture), picture))
            if found[-1][0] <= width:
                return picture
    return min(found, key=lambda each: each[0])[1]


# --- Both themes in one picture -------------------------------------------------------------------

# An attribute's value; in text a quotation mark is written &quot;, so that no label can look like one.
_COLOUR = re.compile(r'(?<=")#[0-9A-F]{6}(?=")|^#[0-9A-F]{6}$')


def _merge(light: Picture, dark: Picture) -> None:
    """Give `light` the colours of `dark`, the same picture, where the reader's theme is dark.

    A light colour that becomes several dark ones stays as it is for the first and is changed as little as
    possible for each of the others.
    """
    chosen: dict[tuple[str, str], str] = {}

    def distinct(pair: tuple[str, str]) -> str:
        if pair not in chosen:
            near = (f"#{int(pair[0][1:], 16) ^ bits:06X}" for bits in range(0x100))
            chosen[pair] = next(colour for colour in near if colour not in light.dark)
            light.dark[chosen[pair]] = pair[1]
        return chosen[pair]

    def merged(ours: str, theirs: str) -> str:
        pairs = zip(_COLOUR.findall(ours), _COLOUR.findall(theirs), strict=True)
        return _COLOUR.sub(lambda match: distinct(next(pairs)), ours)

    light.body = [merged(*lines) for lines in zip(light.body, dark.body, strict=True)]
    light.graph_attr = {key: merged(text, dark.graph_attr[key]) for key, text in light.graph_attr.items()}


def draw(
    value: Value,
    *,
    theme: ThemeName = "light",
    direction: Direction | None = None,
    collapse: Collapse = None,
    batch: bool | None = None,
    max_cards: float | None = None,
    width: float | None = 800,
    partials: bool = True,
    legend: bool = True,
) -> Picture:
    """Return a picture of the graph that `value` was made from, with the gradients of the last `backward`.

    Every value has a card with its operation, its name and its data. A pill shows its gradient: blue if
    positive, orange if negative, paler the smaller it is, on a log scale over three decades. The width and
    the colour of an edge show the gradient that flows along it, local partial · upstream gradient. An edge
    is dashed where that is 0.

    - `theme`: ``"light"``, ``"dark"``, or ``"auto"``, which in SVG follows the reader's setting
    - `direction`: ``"TB"`` (from top to bottom), ``"LR"``, ``"BT"``, ``"RL"``; None chooses by the shape
    - `collapse`: ``"neuron"`` or ``"layer"`` (any innermost scope) draws each as one card
    - `batch`: whether to draw the first of the similar terms of a sum or a mean and fold the others into
      "… 99 more"; None does so only if the graph is too large
    - `width`: the width in px of the column that the picture is for: direction and folding are chosen so that
      no text is smaller than 9 px there. None for any width
    - `max_cards`: a graph with more cards is folded until it fits, and each folded card says what it
      contains; None for at most 40, and fewer where `width` needs it
    - `partials`: whether to write local partials beside weights and, up to 60 of them, on edges
    - `legend`: whether to explain the colours

    Raises `TypeError` if `value` is not a Value, `ValueError` for an unknown option.

    >>> w, x = Value(2.0, "w1"), Value(-3.0, "x")
    >>> picture = draw((w * x).tanh())
    >>> "w₁" in picture.source and "no gradients yet" in picture.source
    True
    """
    if width is not None and not width > 0:
        raise ValueError(f"width must be above 0, or None for any width, got {width!r}")
    foldings = _foldings(value, collapse, batch, max_cards)
    paint = functools.partial(painted, theme=theme, partials=partials, legend=legend)
    if width is None:
        picture = paint(next(foldings), direction)
    else:
        picture = _fitted(foldings, direction, width, paint)
    picture.tree = tree(value)
    return picture


def painted(
    drawn: Cards,
    direction: Direction | None,
    *,
    theme: ThemeName,
    partials: bool = True,
    legend: bool = False,
    live: bool = False,
) -> Picture:
    """Return a picture of cards; the options are those of `draw`.

    If it is `live`, a page is going to change its numbers and its edges: columns have room for any number,
    and arrows point the way the gradient flows. Raises `ValueError` for an unknown option.
    """
    themes = {"light": LIGHT, "dark": DARK, "auto": LIGHT}
    if theme not in themes:
        raise ValueError(f"theme must be 'light', 'dark' or 'auto', got {theme!r}")
    if direction not in (None, "TB", "LR", "BT", "RL"):
        raise ValueError(f"direction must be 'TB', 'LR', 'BT' or 'RL', got {direction!r}")
    rankdir = direction or _directions(drawn)[0]
    picture = _digraph(drawn, themes[theme], rankdir, partials, legend, live)
    if theme == "auto":
        _merge(picture, _digraph(drawn, DARK, rankdir, partials, legend, live))
    picture.cards = drawn
    return picture
