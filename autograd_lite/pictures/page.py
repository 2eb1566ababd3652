"""`Page`: a page that needs no other file and loads nothing, around a picture that Graphviz drew.

It displays in Jupyter in a frame. Next door: `player.py` and `live.py` say what each page holds.
"""

from __future__ import annotations

import base64
import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from autograd_lite.files import write_whole
from autograd_lite.notation.names import short
from autograd_lite.pictures.cards import Cards
from autograd_lite.pictures.picture import Picture

MOST_CARDS = 150


def filled(template: str, fills: Mapping[str, str]) -> str:
    """Return a page of this folder with each ``{{name}}`` replaced by ``fills[name]``."""
    page = (Path(__file__).parent / template).read_text(encoding="utf-8")
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
    """Mark all that belongs to the value or to the gradient of a row, so that a page can show it in its turn.

    A card's texts stand in the order of its rows.
    """
    cards = {card.id: card for card in drawn.cards}
    for group in graph.iter(f"{_SVG}g"):
        pieces = list(group)
        texts = iter([k for k, piece in enumerate(pieces) if piece.tag == f"{_SVG}text"])
        for row in cards[group.get("id", "")].rows if group.get("id") in cards else ():
            k = next(k for k in texts if pieces[k].text == short(row.data))
            pieces[k].attrib.update({"class": "value", "data-row": row.id})
            if row.partial is not None and "×" in (pieces[k - 1].text or ""):
                pieces[k - 1].attrib.update({"class": "by", "data-row": row.id})
            if row.gradient is not None:
                k = next(texts)
                number, pill = pieces[k], pieces[k - 1]
                for piece in (number, pill):
                    piece.attrib.update({"class": "pill", "data-row": row.id})
                for rim in pieces[k + 1 : k + 2]:
                    if rim.get("fill") == "none" and rim.get("width") == pill.get("width"):
                        group.remove(rim)
                        pill.attrib["stroke"] = rim.attrib["stroke"]
                # Centred and without a fixed width, because the lengths of running sums differ.
                for held in ("textLength", "lengthAdjust"):
                    number.attrib.pop(held, None)
                middle = float(pill.attrib["x"]) + float(pill.attrib["width"]) / 2.0
                number.attrib.update({"x": f"{middle:.6g}", "text-anchor": "middle"})
        for text in group.findall(f"{_SVG}text"):
            words, norm, digits = (text.text or "").partition("‖∇")
            if norm and group.get("id") in cards:
                separator = " · " if words.endswith(" · ") else ""
                text.text = words.removesuffix(separator)
                ET.SubElement(text, f"{_SVG}tspan", {"class": "norm"}).text = separator + norm + digits
        strip = re.fullmatch(r"a_(.+)-([wg])\d+", group.get("id", ""))
        if strip:
            _mark_cell(group, strip[1], is_gradient=strip[2] == "g")


def _mark_cell(group: ET.Element, row: str, *, is_gradient: bool) -> None:
    """Mark a cell of a strip of weights or of their gradients; the title of a weight is its value alone."""
    (link,) = group
    (cell,) = link
    group.remove(link)
    group.append(cell)
    cell.attrib.update({"class": "pill" if is_gradient else "value", "data-row": row})
    words = link.get(_TITLE, "")
    ET.SubElement(cell, f"{_SVG}title").text = words if is_gradient else words.partition(", gradient")[0]


# --- The page -------------------------------------------------------------------------------------

_STILL = (
    '<figure class="autograd-lite-still"><img style="max-width: 100%" alt="the graph with its gradients" '
    'src="data:image/svg+xml;base64,{picture}"><figcaption>This is a still picture. To {verb}, run the cell, '
    "or choose <i>Trust Notebook</i> in the File menu.</figcaption></figure>"
)


def embedded(data: object) -> str:
    """Return data as JSON that can stand in a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return re.sub("<(?=[!sS])", r"\\u003c", text.replace("</", r"<\/"))


class Page:
    """A page around a picture, which displays in Jupyter and elsewhere prints as a tree of text.

    Where no page can run, a notebook shows the picture ``still``.
    """

    about = ""  # what the frame of a notebook is called, for those who do not see it
    verb = ""  # what one does with it

    def __init__(self, picture: Picture, still: Picture) -> None:
        assert picture.cards is not None
        self.cards, self.picture, self.still = picture.cards, picture, still

    @property
    def html(self) -> str:
        """The page, as HTML. Raises `RuntimeError` if there is no Graphviz."""
        return self._page()[0]

    def _page(self) -> tuple[str, float]:
        """Return the page, and the height in px of its picture."""
        raise NotImplementedError

    def _fills(self) -> tuple[dict[str, str], float]:
        """Return the picture and its dark colours, as CSS, for the page, and the height of the picture."""
        svg, height = _marked(self.picture.pipe("svg", encoding="utf-8"), self.cards)
        return {"svg": svg, "dark": self.picture.dark_rules(svg, within=".dark ")}, height

    def save(self, path: str | Path) -> Path:
        """Write the page to the file `path` and return it. Raises `RuntimeError` if there is no Graphviz."""
        page = self.html
        write_whole(path, page.encode())
        return Path(path)

    def __repr__(self) -> str:
        return repr(self.still.tree)

    @property
    def frame(self) -> str:
        """The page in a frame, as HTML to put in another page. Raises `RuntimeError` without Graphviz."""
        page, height = self._page()
        return (
            f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="{self.about}" '
            f'style="width:100%;height:{min(max(round(height) + 190, 380), 760)}px;'
            'border:1px solid #8886;border-radius:8px"></iframe>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        text = repr(self)
        try:
            frame, still = self.frame, base64.b64encode(self.still.pipe("svg")).decode()
        except RuntimeError as error:
            return {"text/plain": f"{text}\n{error}"}
        # A notebook that is not trusted drops the frame and the style, and then shows the picture.
        hide = "<style>iframe + figure.autograd-lite-still { display: none }</style>"
        figure = _STILL.format(picture=still, verb=self.verb)
        return {"text/plain": text, "text/html": f"{hide}{frame}{figure}"}
