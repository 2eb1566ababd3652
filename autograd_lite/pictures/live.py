"""`live`: a page of a graph whose leaves can be dragged, and whose values and gradients follow.

The page holds the picture, the graph as JavaScript (`compiler/codegen/javascript.py`), and what its scripts
need to know of each value. The scripts stand in ``live_page/``; `page.py` puts the parts together.
"""

from __future__ import annotations

import copy
import html
import inspect
import math
from dataclasses import replace
from pathlib import Path

from autograd_lite.compiler.codegen.javascript import Script, number, script
from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.core.value import Value, topological_order
from autograd_lite.notation.names import pretty
from autograd_lite.pictures.cards import Card, Cards, Row, cards
from autograd_lite.pictures.colour import DARK, LIGHT, Theme, mix
from autograd_lite.pictures.dot import Direction, painted
from autograd_lite.pictures.mathml import labelled
from autograd_lite.pictures.page import MOST_CARDS, Page, embedded, filled
from autograd_lite.pictures.tree import tree

MOST_VALUES = 1_500  # beyond, the page takes seconds to open
_TONES = 32  # steps of a scale of colours
_PAGE = Path(__file__).with_name("live_page")
_SCRIPTS = ("numbers", "graph", "picture", "hand", "panel", "plot", "downhill", "view")  # in this order


class Live(Page):
    """The page that `live` makes. It displays in Jupyter; elsewhere it prints as a tree of text."""

    about = "live graph"
    verb = "drag its numbers"

    def __init__(self, root: Value, drawn: Cards, program: Script, direction: Direction | None) -> None:
        picture = painted(drawn, direction, theme="auto", live=True)
        still = painted(drawn, direction, theme="auto")
        still.tree = tree(root)
        super().__init__(picture, still)
        self.program = program
        self.facts = _facts(root, self.cards, program)
        self.title = pretty(root.label or "") or "the result"

    def _page(self) -> tuple[str, float]:
        fills, height = self._fills()
        fills["title"] = html.escape(f"{self.title}, live")
        fills["graph"] = embedded(self.facts)
        fills["program"] = self.program.text
        fills["css"] = (_PAGE / "style.css").read_text(encoding="utf-8")
        fills["js"] = "\n".join([(_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS])
        return filled("live_page/page.html", fills), height


def live(value: Value, *, direction: Direction | None = None) -> Live:
    """Return a page on which every leaf of the graph of `value` can be dragged.

    Values, gradients and the chain rule follow at once. A plot shows `value` against the leaf in hand, with
    the gradient as its slope; gradient descent takes steps. The page displays in Jupyter, and
    ``live(loss).save("loss.html")`` writes it to a file that needs no other. Gradients are those of `value`
    alone, whatever ``grad`` holds. `direction` is that of `draw`.

    Raises `ValueError` if the graph has more than 1,500 values or 150 cards, a `where`, or a primitive of
    your own that JavaScript cannot compute; `TypeError` if `value` is not a Value.
    """
    if not isinstance(value, Value):
        raise TypeError(f"a live page shows a Value, got {type(value).__name__} {value!r:.60}")
    _check("values", MOST_VALUES, len(topological_order(value)))
    root = copy.deepcopy(value)
    root.zero_grad()
    root.backward()
    drawn = cards(root, batch=False, max_cards=math.inf, max_rows=math.inf)
    _check("cards", MOST_CARDS, len(drawn.cards))
    try:
        program = script(root)
    except TraceError:
        raise ValueError(
            "a live page cannot follow a recorded where, which has taken its branch: "
            "write the choice with maximum, minimum, relu or clip"
        ) from None
    return Live(root, _named(drawn), program, direction)


def _check(what: str, most: int, count: int) -> None:
    if count > most:
        raise ValueError(
            f"a live page shows at most {most:,} {what}, and this graph has {count:,}: "
            "show a part of it, such as the loss of one example"
        )


def _named(drawn: Cards) -> Cards:
    """Return the cards with names for the values that have no label: v₁, v₂, ...."""

    def named(row: Row) -> Row:
        return replace(row, name=row.name or row.made_up)

    def with_names(card: Card) -> Card:
        return replace(card, rows=tuple([named(row) for row in card.rows]))

    return replace(drawn, cards=tuple([with_names(card) for card in drawn.cards]))


def _facts(root: Value, drawn: Cards, program: Script) -> dict[str, object]:
    """Return what the page's script needs to know of the graph, besides its picture and its program."""
    order = topological_order(root)
    place = {node: i for i, node in enumerate(order)}
    paths: dict[str | None, str] = {None: ""}
    for box in drawn.boxes:
        paths[box.id] = " · ".join([part for part in (paths[box.parent], box.name) if part])
    shown = {row.id: (row, card) for card in drawn.cards for row in card.rows}
    nodes: list[dict[str, object]] = []
    for i, node in enumerate(order):
        fact: dict[str, object] = {}
        if f"v{i}" in shown:
            row, card = shown[f"v{i}"]
            fact = {"name": row.name, "math": labelled(row.name).mathml, "place": paths[card.box]}
        if node.primitive is not None:
            fact["op"] = node.primitive.name
            fact["of"] = [place[x] if isinstance(x, Value) else number(x) for x in node.operands]
        nodes.append({key: entry for key, entry in fact.items() if entry != ""})
    rows = {node.primitive.name: node.primitive for node in order if node.primitive is not None}
    parameters = [k for k, i in enumerate(program.leaves) if shown[f"v{i}"][0].kind == "parameter"]
    number_of = {use: k for k, use in enumerate(program.edges)}
    return {
        "nodes": nodes,
        "rows": {
            name: {"domain": row.domain, "given": [*inspect.signature(row.rule).parameters][1:]}
            for name, row in rows.items()
        },
        "leaves": program.leaves,
        "start": [number(order[i].data) for i in program.leaves],  # as text, which may be "NaN"
        "moving": parameters or [*range(len(program.leaves))],
        "moves": "parameter" if parameters else "number",
        "edges": [(consumer, place[order[consumer].operands[p]]) for consumer, p in program.edges],  # type: ignore[index]
        "lines": {edge.id: [number_of[use] for use in edge.uses] for edge in drawn.edges},
        "colours": {"light": _colours(LIGHT), "dark": _colours(DARK)},
    }


def _colours(theme: Theme) -> dict[str, object]:
    """Return the scales of a theme, from weak to strong: fills and inks of pills, and colours of edges."""
    steps = [k / _TONES for k in range(_TONES + 1)]
    alarm = {"fill": theme.alarm, "ink": theme.ink_on(theme.alarm), "flow": theme.alarm}
    scales: dict[str, object] = {"idle": theme.idle, "alarm": alarm}
    for name, colour in (("plus", theme.plus), ("minus", theme.minus)):
        fills = [mix(theme.zero, colour, t) for t in steps]
        scales[name] = {
            "fills": fills,
            "inks": [theme.ink_on(fill) for fill in fills],
            "flows": [mix(theme.idle, colour, 0.15 + 0.85 * t) for t in steps],
        }
    return scales
