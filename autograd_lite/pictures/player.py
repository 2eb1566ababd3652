"""The player: a page that shows, step by step, how values are computed and how the gradient flows back.

`play` puts the picture that `draw` makes and the steps into ``player.html``, a page that needs no other file
and loads nothing. `steps.py` writes the steps; `dot.py` draws the picture.
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
    """Return a page of this folder with each ``{{name}}`` replaced by ``fills[name]``."""
    page = Path(__file__).with_name(template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fills[match[1]], page)


# --- The picture ----------------------------------------------------------------------------------

_SVG, _TITLE = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}title"


def _straighten(path: ET.Element) -> None:
    """Turn the path that outlines a box with round corners into a rectangle, which is a third as long."""
    numbers = [float(x) for x in re.findall(r"-?[\d.]+", path.attrib.pop("d"))]
    xs, ys = sorted(set(numbers[::2])), sorted(set(numbers[1::2]))
    place = {"x": xs[0], "y": ys[0], "width": xs[-1] - xs[0], "height": ys[-1] - ys[0], "rx": xs[2] - xs[0]}
    path.tag = f"{_SVG}rect"
    path.attrib.update({name: f"{x:.4g}" for name, x in place.items()})
    if path.get("stroke") == "transparent":
        del path.attrib["stroke"]


def _marked(svg: str, drawn: Cards) -> tuple[str, float]:
    """Return the picture adapted to the page, and its height in px.

    It has no background and no links, and its tooltips are titles. Values and gradients are marked with the
    ids of their rows.
    """
    picture = ET.fromstring(re.sub(r"<!(?:DOCTYPE|--).*?>", "", svg, flags=re.DOTALL))
    for style in picture.findall(f"{_SVG}style"):  # the page has its own
        picture.remove(style)
    graph = picture.find(f"{_SVG}g")
    assert graph is not None
    graph.remove(next(graph.iter(f"{_SVG}polygon")))
    _simplify(graph)
    _mark_rows(graph, drawn)
    height = float(picture.get("height", "0pt").removesuffix("pt")) * 4.0 / 3.0
    ET.register_namespace("", _SVG[1:-1])
    return re.sub(r">\s+<", "><", ET.tostring(picture, encoding="unicode")), height


def _simplify(graph: ET.Element) -> None:
    """Replace links by titles and paths by rectangles, and drop fonts that the page sets anyway."""
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
        del text.attrib["font-family"]
        if text.get("text-anchor") == "start":
            del text.attrib["text-anchor"]


def _mark_rows(graph: ET.Element, drawn: Cards) -> None:
    """Mark the value and the gradient of each row: a card's texts stand in the order of its rows."""
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
                # Centred and without a fixed width, because the lengths of running sums differ.
                for held in ("textLength", "lengthAdjust"):
                    number.attrib.pop(held, None)
                middle = float(pill.attrib["x"]) + float(pill.attrib["width"]) / 2.0
                number.attrib.update({"x": f"{middle:.6g}", "text-anchor": "middle"})


# --- The page -------------------------------------------------------------------------------------


class Player:
    """The page that `play` makes. It displays in Jupyter; elsewhere it prints as a tree of text."""

    def __init__(self, value: Value, picture: Picture) -> None:
        assert picture.cards is not None
        self.cards, self.picture = picture.cards, picture
        self.steps = steps(value, picture.cards)
        self.title = pretty(value.label or "") or "the graph"

    @property
    def html(self) -> str:
        """The page, as HTML. Raises `RuntimeError` if there is no Graphviz."""
        return self._page()[0]

    def _page(self) -> tuple[str, float]:
        svg, height = _marked(self.picture.pipe("svg", encoding="utf-8"), self.cards)
        listed = json.dumps([_slim(step) for step in self.steps], ensure_ascii=False, separators=(",", ":"))
        fills = {
            "title": html.escape(f"The gradient of {self.title}"),
            "dark": self.picture.dark_rules(svg, within=".dark "),
            "svg": svg,
            "steps": re.sub("<(?=[!sS])", r"\\u003c", listed.replace("</", r"<\/")),
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
        """The page in a frame, as HTML to put in another page. Raises `RuntimeError` without Graphviz."""
        page, height = self._page()
        return (
            f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="backward player" '
            f'style="width:100%;height:{min(max(round(height) + 190, 380), 760)}px;'
            'border:1px solid #8886;border-radius:8px"></iframe>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        text = repr(self)
        try:
            frame, still = self.frame, base64.b64encode(self.picture.pipe("svg")).decode()
        except RuntimeError as error:
            return {"text/plain": f"{text}\n{error}"}
        # A notebook that is not trusted drops the frame and shows the picture under it.
        image = f'<img alt="the graph with its gradients" src="data:image/svg+xml;base64,{still}">'
        return {
            "text/plain": text,
            "text/html": f"{frame}<details><summary>Still picture</summary>{image}</details>",
        }


def _slim(step: Step) -> dict[str, object]:
    return {key: entry for key, entry in asdict(step).items() if entry}


def play(
    value: Value,
    *,
    direction: Direction | None = None,
    collapse: Collapse = None,
    batch: bool | None = None,
    max_cards: float = 40,
) -> Player:
    """Return a player that shows, step by step, how `value` is computed and how its gradient flows back.

    It displays in Jupyter. ``play(loss).save("loss.html")`` writes a page that needs no other file. The
    options are those of `draw`; a graph with more than `max_cards` cards is folded until it fits.

    Raises `ValueError` if the picture has more than 150 cards, `TypeError` if `value` is not a Value.
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
            f"the player shows at most {MOST_CARDS} cards, and this picture has {len(picture.cards.cards)}: "
            f'fold it with collapse="neuron" or "layer", or with a max_cards of at most {MOST_CARDS}'
        )
    return Player(value, picture)
