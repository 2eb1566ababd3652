"""The player: a page that shows how values arise and how the gradient then flows back, step by step.

`play` bakes the picture that `draw` makes, and the steps, into ``player.html``, which needs nothing else and
loads nothing. What does not live here: what the steps say (`steps.py`), what is drawn and how (`cards.py`,
`dot.py`).
"""

from __future__ import annotations

import base64
import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograd_lite.core.value import Value
from autograd_lite.files import write_whole
from autograd_lite.notation.names import pretty, short
from autograd_lite.pictures.cards import Cards
from autograd_lite.pictures.dot import Direction, draw
from autograd_lite.pictures.folding import Collapse
from autograd_lite.pictures.picture import Picture
from autograd_lite.pictures.steps import Step, steps

MOST_CARDS = 150


def filled(template: str, fills: Mapping[str, str]) -> str:
    """A page of this folder with ``{{name}}`` replaced by each of `fills`."""
    page = Path(__file__).with_name(template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fills[match[1]], page)


# --- The picture ----------------------------------------------------------------------------------

_SVG, _TITLE = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}title"


def _straighten(path: ET.Element) -> None:
    """Make the outline of a box with round corners, as Graphviz draws it, a rectangle: a third as long."""
    numbers = [float(x) for x in re.findall(r"-?[\d.]+", path.attrib.pop("d"))]
    xs, ys = sorted(set(numbers[::2])), sorted(set(numbers[1::2]))
    place = {"x": xs[0], "y": ys[0], "width": xs[-1] - xs[0], "height": ys[-1] - ys[0], "rx": xs[2] - xs[0]}
    path.tag = f"{_SVG}rect"
    path.attrib.update({name: f"{x:.4g}" for name, x in place.items()})
    if path.get("stroke") == "transparent":
        del path.attrib["stroke"]


def _marked(svg: str, drawn: Cards) -> tuple[str, float]:
    """The picture as the page takes it, and its height in px.

    It has no background and no links, its tooltips are titles, and values and gradients are marked with the
    ids of their rows: the texts of a card stand in the order of its rows, each ending in value and gradient.
    """
    picture = ET.fromstring(re.sub(r"<!(?:DOCTYPE|--).*?>", "", svg, flags=re.DOTALL))
    for style in picture.findall(f"{_SVG}style"):  # the page brings its own
        picture.remove(style)
    graph = picture.find(f"{_SVG}g")
    assert graph is not None
    graph.remove(next(graph.iter(f"{_SVG}polygon")))
    for group in [graph, *graph.iter(f"{_SVG}g")]:
        title = group.find(f"{_SVG}title")
        for wrapped in group.findall(f"{_SVG}g"):
            link = wrapped.find(f"{_SVG}a")
            if link is not None:
                group.remove(wrapped)
                group.extend(link)
                if title is not None:
                    title.text = link.get(_TITLE, "")
    for group in graph.iter(f"{_SVG}g"):
        if "edge" not in group.get("class", "").split():
            for path in group.findall(f"{_SVG}path"):
                _straighten(path)
    for text in graph.iter(f"{_SVG}text"):
        del text.attrib["font-family"]  # the page has the same
        if text.get("text-anchor") == "start":
            del text.attrib["text-anchor"]
    cards = {card.id: card for card in drawn.cards}
    for group in graph.iter(f"{_SVG}g"):
        pieces = list(group)
        texts = iter([k for k, piece in enumerate(pieces) if piece.tag == f"{_SVG}text"])
        for row in cards[group.get("id", "")].rows if group.get("id") in cards else ():
            k = next(k for k in texts if pieces[k].text == short(row.data))
            pieces[k].attrib.update({"class": "value", "data-row": row.id})
            if row.gradient is not None:
                k = next(texts)
                number, pill = pieces[k], pieces[k - 1]
                for piece in (number, pill):
                    piece.attrib.update({"class": "pill", "data-row": row.id})
                # In the middle, as wide as it is: running sums are longer or shorter than what was placed.
                for held in ("textLength", "lengthAdjust"):
                    number.attrib.pop(held, None)
                middle = float(pill.attrib["x"]) + float(pill.attrib["width"]) / 2.0
                number.attrib.update({"x": f"{middle:.6g}", "text-anchor": "middle"})
    height = float(picture.get("height", "0pt").removesuffix("pt")) * 4.0 / 3.0
    ET.register_namespace("", _SVG[1:-1])
    return re.sub(r">\s+<", "><", ET.tostring(picture, encoding="unicode")), height


# --- The page -------------------------------------------------------------------------------------


class Player:
    """The page that `play` makes. In Jupyter it shows itself, elsewhere as a tree of text."""

    def __init__(self, value: Value, picture: Picture) -> None:
        assert picture.cards is not None
        self.cards, self.picture = picture.cards, picture
        self.steps = steps(value, picture.cards)
        self.title = pretty(value.label or "") or "the graph"

    @property
    def html(self) -> str:
        """The page. Raises `RuntimeError` if there is no Graphviz to draw with."""
        return self._page()[0]

    def _page(self) -> tuple[str, float]:
        svg, height = _marked(self.picture.pipe("svg", encoding="utf-8"), self.cards)
        dark = "".join(
            [
                f'.dark [{paint}="{ours.lower()}"]{{{paint}:{theirs}}}'
                for ours, theirs in self.picture.dark.items()
                if ours != theirs
                for paint in ("fill", "stroke")
                if f'{paint}="{ours.lower()}"' in svg
            ]
        )
        said = json.dumps([_slim(step) for step in self.steps], ensure_ascii=False, separators=(",", ":"))
        fills = {
            "title": html.escape(f"The gradient of {self.title}"),
            "dark": dark,
            "svg": svg,
            "steps": re.sub("<(?=[!sS])", r"\\u003c", said.replace("</", r"<\/")),
            "note": "" if self.cards.gradients else "no gradients yet: call backward(), then play again",
        }
        return filled("player.html", fills), height

    def save(self, path: str | Path) -> Path:
        """Write the page to the file `path` and return it. Raises `RuntimeError` if there is no Graphviz."""
        page = self.html
        write_whole(path, page.encode())
        return Path(path)

    def __repr__(self) -> str:
        return repr(self.picture.tree)

    @property
    def frame(self) -> str:
        """The page in a frame, as HTML for other pages. Raises `RuntimeError` if there is no Graphviz."""
        page, height = self._page()
        return (
            f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="backward player" '
            f'style="width:100%;height:{min(max(round(height) + 190, 380), 760)}px;'
            'border:1px solid #8886;border-radius:8px"></iframe>'
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        text = repr(self)
        try:
            frame, still = self.frame, base64.b64encode(self.picture.pipe("svg")).decode()
        except RuntimeError as error:
            return {"text/plain": f"{text}\n{error}"}
        # A notebook that is not trusted drops the frame, and shows what is under it.
        image = f'<img alt="the graph with its gradients" src="data:image/svg+xml;base64,{still}">'
        return {
            "text/plain": text,
            "text/html": f"{frame}<details><summary>Still picture</summary>{image}</details>",
        }


def _slim(step: Step) -> dict[str, Any]:
    return {key: entry for key, entry in asdict(step).items() if entry}


def play(
    value: Value,
    *,
    direction: Direction | None = None,
    collapse: Collapse = None,
    batch: bool | None = None,
    max_cards: float = 40,
) -> Player:
    """Return the player of the graph that `value` was made from: how values arise, how the gradient flows.

    It shows itself in Jupyter, and ``play(loss).save("loss.html")`` writes a page that needs nothing else.
    The options are those of `draw`; a graph of more than `max_cards` cards is folded as it takes.

    Raises `ValueError` if it still has more than 150 cards, `TypeError` if `value` is no Value.
    """
    picture = draw(
        value,
        theme="auto",
        direction=direction,
        collapse=collapse,
        batch=batch,
        max_cards=max_cards,
        legend=False,
    )
    assert picture.cards is not None
    if len(picture.cards.cards) > MOST_CARDS:
        raise ValueError(
            f"the player shows at most {MOST_CARDS} cards and this picture has {len(picture.cards.cards)}: "
            f'fold it with collapse="neuron" or "layer", or a max_cards of at most {MOST_CARDS}'
        )
    return Player(value, picture)
