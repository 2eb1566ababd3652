"""Drawn graphs: from cards to DOT, and from DOT to pictures with whatever Graphviz there is.

`draw` gives a `Picture`, a `graphviz.Digraph` that is drawn by ``dot`` where that is on the PATH, else within
this process by the pygraphviz wheel. Without either it is a tree of text.

Cards, edges and boxes keep their ids, and their classes say what they are: ``card input``, ``edge minus``,
``box``. What does not live here: what is drawn (`cards.py`), and the colours themselves (`colour.py`).
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import graphviz

from autograd_lite.core.value import Value
from autograd_lite.files import write_whole
from autograd_lite.notation.names import short
from autograd_lite.pictures.cards import Box, Card, Cards, Collapse, Edge, Row, cards
from autograd_lite.pictures.colour import DARK, LIGHT, Theme, largest_of, strength
from autograd_lite.pictures.tree import Tree, tree

ThemeName: TypeAlias = Literal["light", "dark", "auto"]
Direction: TypeAlias = Literal["TB", "LR", "BT", "RL"]
_Part: TypeAlias = tuple[str, float, str, str]  # text, size, colour, style

NO_GRAPHVIZ = (
    "drawing needs Graphviz: install autograd-lite[viz], which brings one, "
    "or any package that puts the program dot on the PATH"
)

_FONT = "Helvetica,Arial,sans-serif"
_SPACE = "\u00a0"  # SVG would drop a plain one at the start of a text
_NAME, _TITLE = 20, 40  # letters of a name and of a title that are shown; the tooltip has all of them
_LONGEST_TOOLTIP = 2_700  # characters, of which escaping makes at most six bytes each
_LONGEST_LINE, _LONGEST_FOLDED_LINE = 4, 9  # cards side by side that can be read in a column
_CROWD = 60  # so many edges have no room for their labels: they are spread out, and tooltips have to do


# --- Markup: HTML-like labels, as strings ---------------------------------------------------------


def _text(text: str, size: float, colour: str, style: str = "") -> str:
    r"""`text` as it stands, whatever is in it, as part of an HTML-like label.

    >>> print(_text(r'<b> & "\N"', 11, "#000000", "I"))
    <FONT POINT-SIZE="11" COLOR="#000000"><I>&lt;b&gt; &amp; &quot;\\N&quot;</I></FONT>
    """
    escaped = html.escape(text).replace("\\", "\\\\")  # \N would become the name of the node
    escaped = escaped.replace("]", "&#93;")  # alone between tags it ends the label, to Graphviz 2.43
    for tag in style:
        escaped = f"<{tag}>{escaped}</{tag}>"
    return f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{escaped}</FONT>'


def _tag(name: str, content: str, **attributes: object) -> str:
    spelled = "".join([f' {key}="{value}"' for key, value in attributes.items() if value is not None])
    return f"<{name}{spelled}>{content}</{name}>"


def _cell(content: str, **attributes: object) -> str:
    return _tag("TD", content, **{"ALIGN": "LEFT", **attributes})


def _table(rows: Iterable[str], *, padding: int = 2, fill: str | None = None, **attributes: object) -> str:
    """A table of rows of cells, with round corners if it is filled."""
    layout = {"BORDER": 0, "CELLBORDER": 0, "CELLSPACING": 0, "CELLPADDING": padding}
    look = {} if fill is None else {"STYLE": "ROUNDED", "BGCOLOR": fill}
    return _tag("TABLE", "".join([f"<TR>{row}</TR>" for row in rows]), **{**layout, **look, **attributes})


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


# How wide letters are in Arial, in thousandths of the font size; what it lacks, as other fonts have it.
# fmt: off
_WIDTHS = {letter: width / 1000.0 for width, letters in {
    0: "\u0302\u0303\u0304\u0307", 190: "'′", 222: "ijl", 260: "|", 278: " \u00a0!,./:;I[\\]ft·",
    333: "()-`r¹²³{}", 355: '"', 389: "*", 400: "⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", 469: "^",
    500: "Jcksvxyzŷλ∂‖", 528: "⁻", 549: "√÷≤≥", 556: "#$0123456789?L_abdeghnopquθδ", 578: "αβμ",
    584: "+<=>~−×", 611: "FTZ", 618: "σΣ", 648: "φ", 667: "&ABEKPSVXY∇", 722: "CDHNRUw∞", 778: "GOQ",
    833: "Mm½", 889: "%", 944: "W", 1000: "…", 1015: "@",
}.items() for letter in letters}
# fmt: on


def _width(text: str, size: float, style: str = "") -> float:
    bold = 1.1 if "B" in style else 1.0
    widths = [_WIDTHS.get(c, 0.6 if c < "\u2e80" else 1.0) * (bold if c.isalpha() else 1.0) for c in text]
    return size * sum(widths)


def _room(text: str, size: float, style: str = "") -> float:
    """The width of a column for `text`: what Graphviz measures wider than its column shifts its row."""
    return 1.1 * _width(text, size, style)


_SET = re.compile(
    rf'(<text [^>]*font-family="{_FONT}"(?: font-weight="(bold)")?[^>]* font-size="([\d.]+)"[^>]*)>([^<]*)<'
)


def _held(svg: str) -> str:
    """The picture with each text as wide as in Arial, as it was placed, whatever font the reader has."""

    def held(match: re.Match[str]) -> str:
        text = html.unescape(match[4])
        if not _WIDTHS.keys() >= set(text):
            return match[0]  # not known well enough
        width = _width(text, float(match[3]), "B" if match[2] else "")
        return f'{match[1]} textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">{match[4]}<'

    return _SET.sub(held, svg)


# --- From cards to DOT ----------------------------------------------------------------------------


class _Painter:
    """Writes the parts of a picture as DOT, in the colours of one theme."""

    def __init__(self, drawn: Cards, theme: Theme, partials: bool) -> None:
        self.theme = theme
        self.partials = partials
        self.is_crowded = len(drawn.edges) > _CROWD
        rows = [row.gradient for card in drawn.cards for row in card.rows]
        self.largest = largest_of([*rows, *[edge.flow for edge in drawn.edges]])

    def name(self, row: Row) -> list[_Part]:
        """What stands in the first column of a row: text, size, colour and style of each part."""
        theme, name = self.theme, _cut(row.name, _NAME)
        if row.symbol:
            parts: list[_Part] = [(_cut(row.symbol, _NAME), 14, theme.ink, "B")]
            return [*parts, (f"{_SPACE}{name}", 11, theme.muted, "I")] if name else parts
        if row.kind == "constant":
            return [(name, 11, theme.muted, "")]
        parts = [(name, 13, theme.ink, "I")] if name else []
        if self.partials and row.partial is not None and row.partial != 1.0:
            parts.append((f"{_SPACE}×{short(row.partial, 2)}", 8.5, theme.muted, ""))
        return parts

    def row(self, row: Row, widths: tuple[int, int, int], fill: str | None) -> str:
        theme = self.theme
        is_number = math.isfinite(row.data)
        cells = [
            _cell("".join([_text(*part) for part in self.name(row)]), WIDTH=widths[0]),
            _cell(
                _text(short(row.data), 11, theme.ink if is_number else theme.alarm, "" if is_number else "B"),
                ALIGN="RIGHT",
                WIDTH=widths[1],
            ),
        ]
        if widths[2] and row.gradient is None:
            cells.append(_cell(_table([_cell(_text(" ", 10, theme.ink), WIDTH=widths[2])])))
        elif row.gradient is not None:
            colour = theme.gradient(row.gradient, self.largest)
            style = "" if math.isfinite(row.gradient) else "B"
            pill = _text(short(row.gradient), 10, theme.ink_on(colour), style)
            cells.append(_cell(_table([_cell(pill, ALIGN="CENTER", WIDTH=widths[2])], fill=colour)))
        return _table(["".join(cells)], fill=fill)

    def card(self, card: Card) -> str:
        theme = self.theme
        fill, border = theme.cards[card.kind]
        gradients = [row.gradient for row in card.rows if row.gradient is not None]
        is_alarming = not all(map(math.isfinite, gradients))
        names = [sum([_room(*part[:2], part[3]) for part in self.name(row)]) for row in card.rows]
        widths = (
            math.ceil(max(36.0, *names)),
            math.ceil(max(46.0, *[_room(short(row.data), 11) for row in card.rows])),
            math.ceil(max(60.0, *[_room(short(g), 10) + 4.0 for g in gradients])) if gradients else 0,
        )
        note = [_table([_cell(_text(card.note, 10, theme.muted))])] if card.note else []
        if card.title:
            heading = _text(_cut(card.title, _TITLE), 13, theme.ink, "B")
            if card.detail:
                heading += _text(f"{_SPACE * 2}{card.detail}", 10, theme.muted)
            rows = [_table([_cell(heading)]), *[self.row(row, widths, None) for row in card.rows], *note]
        else:
            *inside, own = card.rows
            rows = [self.row(row, widths, theme.cards[row.kind][0]) for row in inside]
            rows += [*note, self.row(own, widths, None)]
        return _table(
            [_cell(row) for row in rows],
            padding=1,
            fill=fill,
            COLOR=theme.alarm if is_alarming else border,
            BORDER=2 if is_alarming or card.kind == "output" else 1,
        )

    def edge(self, edge: Edge) -> dict[str, str]:
        theme, flow = self.theme, edge.flow
        t = 0.0 if flow is None else strength(flow, self.largest)
        width = 0.7 + 3.6 * t * t
        words = []
        if self.partials and not self.is_crowded and edge.partial is not None and edge.partial != 1.0:
            words.append(f"×{short(edge.partial, 2)}")
        if edge.count > 1 and not edge.operand.startswith("m"):
            words.append(f"{edge.count:,} edges")
        attributes = {
            "id": edge.id,
            "class": f"edge {_sign(flow)}",
            "color": theme.flow(flow, self.largest),
            "penwidth": f"{width:.2f}",
            "style": "dashed" if flow == 0.0 else "solid",
            "tooltip": _tooltip([_edge_in_words(edge)]),
        }
        if words:  # padded, so that it stands beside the line and not on it
            text = _text(" · ".join(words), 8.5, theme.muted)
            attributes["label"] = f"<{_table([_cell(text)], padding=2 + round(width / 2))}>"
        return attributes

    def box(self, box: Box, depth: int) -> dict[str, str]:
        return {
            "id": box.id,
            "class": "box",
            "label": f"<{_text(_cut(box.name, _TITLE), 11, self.theme.muted)}>",
            "labeljust": "l",
            "labelloc": "t",
            "style": "rounded,filled",
            "margin": "10",
            "fillcolor": self.theme.boxes[depth % 2],
            "color": self.theme.box_border,
            "tooltip": _tooltip([box.name]),
        }

    def legend(self, drawn: Cards) -> list[str]:
        """The rows of a table that says what the colours of cards and edges mean."""
        theme = self.theme
        rows = [row for card in drawn.cards for row in card.rows]
        kinds = {card.kind for card in drawn.cards}
        kinds |= {row.kind for card in drawn.cards if not card.title for row in card.rows[:-1]}
        chips = []
        for kind in ("input", "parameter", "constant", "operation", "output"):
            if kind in kinds:
                fill, border = theme.cards[kind]
                chip = _table(
                    [_cell(_text(kind, 9, theme.ink), ALIGN="CENTER")], fill=fill, COLOR=border, BORDER=1
                )
                chips.append(_cell(chip))
        lines = [_cell(_table(["".join(chips)]))]
        if drawn.gradients:
            scale = {"−": theme.minus, "0": theme.zero, "+": theme.plus}
            if not all(math.isfinite(row.gradient or 0.0) for row in rows):
                scale["NaN, ∞"] = theme.alarm
            pills = [_cell(_text("gradient", 9, theme.muted))]
            for sign, colour in scale.items():
                text = _text(sign, 9, theme.ink_on(colour))
                pills.append(_cell(_table([_cell(text, ALIGN="CENTER", WIDTH=18)], fill=colour)))
            words = "edges: wide where much gradient flows, dashed where none"
            if self.partials and not self.is_crowded:
                words += ", × local partial"
            lines.append(_cell(_table(["".join([*pills, _cell(_text(words, 9, theme.muted))])])))
        return lines


def _sign(flow: float | None) -> str:
    if flow is None:
        return "idle"
    return "alarm" if not math.isfinite(flow) else "plus" if flow > 0.0 else "minus" if flow < 0.0 else "zero"


def _in_words(row: Row) -> str:
    words = f"{row.name or row.symbol or row.kind} = {row.data!r}"
    return words if row.gradient is None else f"{words}, gradient {row.gradient!r}"


def _edge_in_words(edge: Edge) -> str:
    if edge.flow is None:
        return "no gradient has flowed here yet"
    partial = "" if edge.partial is None else f"local partial {edge.partial!r}, "
    return f"{partial}gradient that flows here: {edge.flow!r}"


def _tooltip(lines: list[str]) -> str:
    # Graphviz resolves escapes in tooltips twice, and reads no string of more than 16,384 bytes.
    said = _cut("\n".join(lines), _LONGEST_TOOLTIP)
    return html.escape(said).replace("\\", "\\" * 4).replace("\n", "&#10;")


def _digraph(drawn: Cards, theme: Theme, direction: str, partials: bool, legend: bool) -> Picture:
    painter = _Painter(drawn, theme, partials)
    below = painter.legend(drawn) if legend else []
    if not drawn.gradients:
        below.append(_cell(_text("no gradients yet: call backward()", 11, theme.ink, "B"), ALIGN="CENTER"))
    picture = Picture(
        "picture",
        graph_attr={
            "rankdir": direction,
            "nodesep": ".14",
            "ranksep": "1" if painter.is_crowded and direction in ("LR", "RL") else ".38",
            "pad": ".25",
            "splines": "spline",
            "fontname": _FONT,
            "bgcolor": theme.background,
            "label": f"<{_table(below)}>" if below else "",
            "labelloc": "b",
        },
        # As "plain", but with a little room around, so that wide arrows end before the card and not on it.
        node_attr={"shape": "none", "width": "0", "height": "0", "margin": ".045", "fontname": _FONT},
        edge_attr={"arrowsize": ".55", "fontsize": "8.5", "fontname": _FONT},
    )
    inside: dict[str | None, graphviz.Digraph] = {None: picture}
    within: dict[str | None, list[str]] = {None: []}
    depths: dict[str | None, int] = {None: -1}
    for box in drawn.boxes:
        within[box.parent].append(box.id)
        within[box.id] = []
        depths[box.id] = depths[box.parent] + 1
        inside[box.id] = graphviz.Digraph(f"cluster_{box.id}", graph_attr=painter.box(box, depths[box.id]))
    for card in drawn.cards:
        words = [card.title] * bool(card.title) + [_in_words(row) for row in card.rows]
        about = {"id": card.id, "class": f"card {card.kind}", "tooltip": _tooltip(words)}
        inside[card.box].node(card.id, f"<{painter.card(card)}>", _attributes=about)
    for around in [*[box.id for box in reversed(drawn.boxes)], None]:  # the innermost first
        for box_id in within[around]:
            inside[around].subgraph(inside[box_id])
    for edge in drawn.edges:
        picture.edge(edge.tail, edge.head, _attributes=painter.edge(edge))
    return picture


def _direction(drawn: Cards) -> Direction:
    """Networks from top to bottom; small expressions and folded graphs from left to right."""
    longest = dict.fromkeys([card.id for card in drawn.cards], 1)
    place = {card.id: k for k, card in enumerate(drawn.cards)}
    for edge in sorted(drawn.edges, key=lambda edge: place[edge.head]):
        if place[edge.tail] < place[edge.head]:
            longest[edge.head] = max(longest[edge.head], longest[edge.tail] + 1)
    if any(card.title and not card.id.startswith("m") for card in drawn.cards):  # "m" is but a batch
        return "LR" if max(longest.values()) <= _LONGEST_FOLDED_LINE else "TB"
    return "LR" if max(longest.values()) <= _LONGEST_LINE and not drawn.boxes else "TB"


# --- Both themes in one picture -------------------------------------------------------------------

# An attribute's value; in text a quotation mark is written &quot;, so that no label can look like one.
_COLOUR = re.compile(r'(?<=")#[0-9A-F]{6}(?=")|^#[0-9A-F]{6}$')


def _merge(light: Picture, dark: Picture) -> None:
    """Let `light` look like `dark`, which differs in colours alone, where the reader's theme is dark.

    Where one colour stands for several of the other theme, each after the first gets one as near as can be.
    """
    told_apart: dict[tuple[str, str], str] = {}

    def distinct(pair: tuple[str, str]) -> str:
        if pair not in told_apart:
            near = (f"#{int(pair[0][1:], 16) ^ bits:06X}" for bits in range(0x100))
            told_apart[pair] = next(colour for colour in near if colour not in light.dark)
            light.dark[told_apart[pair]] = pair[1]
        return told_apart[pair]

    def merged(ours: str, theirs: str) -> str:
        pairs = zip(_COLOUR.findall(ours), _COLOUR.findall(theirs), strict=True)
        return _COLOUR.sub(lambda match: distinct(next(pairs)), ours)

    light.body = [merged(*lines) for lines in zip(light.body, dark.body, strict=True)]
    light.graph_attr = {key: merged(text, dark.graph_attr[key]) for key, text in light.graph_attr.items()}


# --- Graphviz -------------------------------------------------------------------------------------

_one_at_a_time = threading.Lock()  # the Graphviz library has global state, and the process one stderr


@contextmanager
def _silence() -> Iterator[None]:
    """Within it nothing gets to stderr, not even what C code writes to file descriptor 2."""
    with redirect_stderr(io.StringIO()), open(os.devnull, "wb") as nowhere:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _pygraphviz() -> Any:
    """The module, or None if it is not installed."""
    try:
        import pygraphviz
    except ImportError:
        return None
    return pygraphviz


def _draw_here(source: str, file_format: str, engine: str) -> bytes:
    """The picture as the pygraphviz wheel draws it, in this process."""
    with _one_at_a_time, _silence():
        pygraphviz = _pygraphviz()
        if pygraphviz is None:
            raise RuntimeError(NO_GRAPHVIZ)
        try:
            return bytes(pygraphviz.AGraph(string=source).draw(format=file_format, prog=engine))
        except (OSError, ValueError) as error:
            raise RuntimeError(f"pygraphviz cannot draw this as {file_format}: {error}") from None


def _is_picture(drawn: bytes, file_format: str) -> bool:
    """Whether a program that calls itself dot returned a picture in this format, as far as one can see."""
    if file_format == "svg":
        try:
            return ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"
        except ET.ParseError:
            return False
    return drawn.startswith({"png": b"\x89PNG\r\n", "pdf": b"%PDF"}.get(file_format, b"")) and drawn != b""


def _stderr(error: Exception) -> str:
    """What a program that failed has said."""
    said = getattr(error, "stderr", None) or b""
    return said if isinstance(said, str) else said.decode(errors="replace")


class Picture(graphviz.Digraph):  # type: ignore[misc]
    """A drawn graph: all that a `graphviz.Digraph` does, drawn by the Graphviz there is.

    ``source`` is its DOT, ``save(file)`` writes that, ``pipe("svg")`` and ``render(outfile="x.svg")`` draw
    it. In Jupyter it shows itself as a picture, elsewhere as a tree of text. Without any Graphviz all but
    drawing works: that raises `RuntimeError`, with a line that says what to install, and leaves no file.
    """

    cards: Cards | None = None
    tree: Tree | None = None
    dark: dict[str, str]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.dark = {}  # for the theme "auto": what each colour becomes

    def copy(self) -> Self:
        """Return an independent copy."""
        copied: Self = super().copy()
        copied.cards, copied.tree, copied.dark = self.cards, self.tree, dict(self.dark)
        return copied

    def pipe(
        self,
        format: str | None = None,  # noqa: A002 - the name that graphviz gave it
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = True,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """Return the picture as bytes, or as text if an `encoding` is given; see `graphviz.Digraph.pipe`.

        Where ``dot`` fails, pygraphviz draws. Raises `RuntimeError` if there is no Graphviz, or none can.
        """
        engine, format = engine or self.engine, format or self.format
        if format not in graphviz.FORMATS:
            raise ValueError(f"unknown format {format!r}: Graphviz draws svg, png, pdf and others")
        failed = None
        if shutil.which(engine):
            try:
                drawn = graphviz.pipe(
                    engine,
                    format,
                    self.source.encode(),
                    renderer=renderer,
                    formatter=formatter,
                    neato_no_op=neato_no_op,
                    quiet=quiet,
                )
                failed = None if _is_picture(drawn, format) else f"it did not return a {format}"
            except (OSError, subprocess.SubprocessError) as error:
                failed = _cut(" ".join((_stderr(error) or str(error)).split()), 200)
        if failed or not shutil.which(engine):
            try:
                drawn = _draw_here(self.source, format, engine)
            except RuntimeError as error:
                raise RuntimeError(f"{engine} failed ({failed}); {error}" if failed else str(error)) from None
        if format == "svg":
            drawn = self._with_both_themes(_held(drawn.decode()).encode())
        return drawn if encoding is None else drawn.decode(encoding)

    def save(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        *,
        skip_existing: bool = False,
    ) -> str:
        """Write the DOT source, all of it or nothing; return its path. See `graphviz.Digraph.save`."""
        if filename is not None:
            self.filename = os.fspath(filename)
        if directory is not None:
            self.directory = os.fspath(directory)
        target = Path(self.filepath)
        if not (skip_existing and target.exists()):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, self.source.encode(self.encoding))
        return os.fspath(self.filepath)

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,  # noqa: A002 - the name that graphviz gave it
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = True,
        quiet_view: bool = False,
        *,
        outfile: str | os.PathLike[str] | None = None,
        engine: str | None = None,
        raise_if_result_exists: bool = False,
        overwrite_source: bool = False,
    ) -> str:
        """Write the DOT source and the picture; return the picture's path. See `graphviz.Digraph.render`.

        Raises `RuntimeError`, and writes nothing, if there is no Graphviz.
        """
        format = format or (Path(outfile).suffix[1:].lower() if outfile else "") or self.format
        drawn = self.pipe(format, renderer, formatter, neato_no_op, quiet, engine=engine)
        if directory is not None:
            self.directory = os.fspath(directory)
        if outfile is not None and filename is None:
            filename = Path(outfile).with_suffix(".gv")
        source = Path(self.directory, filename or self.filename)
        target = Path(self.directory, outfile or f"{source.name}.{format}")
        if outfile is None:
            target = source.with_name(target.name)
        if raise_if_result_exists and target.exists():
            raise FileExistsError(f"{target} exists already")
        if not overwrite_source and target.absolute() == source.absolute():
            raise ValueError(f"the picture would overwrite its source, {source}: give it another name")
        self.save(filename)
        write_whole(target, drawn)
        if cleanup:
            source.unlink()
        if view or quiet_view:
            self._view(os.fspath(target), format=format, quiet=quiet_view)
        return os.fspath(target)

    def __str__(self) -> str:
        lines = [] if self.tree is None else [str(self.tree)]
        if not shutil.which(self.engine) and _pygraphviz() is None:
            lines.append(NO_GRAPHVIZ)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None, **_: Any
    ) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": str(self)}
        try:
            svg = self.pipe("svg", encoding="utf-8")
        except RuntimeError as error:
            if NO_GRAPHVIZ not in bundle["text/plain"]:
                bundle["text/plain"] += f"\n{error}"
        else:
            # An <img>, because a notebook that is not trusted shows that and no other form of SVG.
            data = base64.b64encode(svg.encode()).decode()
            picture = f'<img style="max-width: 100%" alt="graph" src="data:image/svg+xml;base64,{data}">'
            bundle |= {"text/html": picture, "image/svg+xml": svg}
        wanted = set(bundle if include is None else include) - set(exclude or ())
        return {kind: form for kind, form in bundle.items() if kind in wanted}

    def _with_both_themes(self, drawn: bytes) -> bytes:
        if not self.dark:
            return drawn
        rules = "".join(
            [
                f'[{paint}="{ours.lower()}"]{{{paint}:{theirs}}}'
                for ours, theirs in self.dark.items()
                if ours != theirs
                for paint in ("fill", "stroke")
            ]
        )
        style = f"<style>@media (prefers-color-scheme: dark) {{{rules}}}</style>".encode()
        start = drawn.index(b">", drawn.index(b"<svg")) + 1
        return drawn[:start] + b"\n" + style + drawn[start:]


def draw(
    value: Value,
    *,
    theme: ThemeName = "light",
    direction: Direction | None = None,
    collapse: Collapse = None,
    batch: bool | None = None,
    max_cards: float = 40,
    partials: bool = True,
    legend: bool = True,
) -> Picture:
    """Return a picture of the graph that `value` was made from, with the gradients of the last `backward`.

    Every value has a card with its operation, name and data, and its gradient as a pill: blue is positive,
    orange negative, pale small, on a log scale over three decades. An edge is as wide, and coloured as, the
    gradient that flows along it, local partial · upstream; it is dashed where that is 0.

    - `theme`: ``"light"``, ``"dark"``, or ``"auto"``, which in SVG follows the reader's setting
    - `direction`: ``"TB"`` (from top to bottom), ``"LR"``, ``"BT"``, ``"RL"``; None chooses by the shape
    - `collapse`: ``"neuron"`` or ``"layer"`` (any innermost scope) makes one card of each
    - `batch`: whether alike terms of a sum or a mean become the first and "… 99 more"; None: if they must
    - `max_cards`: a graph with more is folded until it fits, and each card says what it stands for
    - `partials`: whether local partials are written beside weights and, up to 60 of them, on edges
    - `legend`: whether the colours are explained

    Raises `TypeError` if `value` is no Value, `ValueError` for an unknown option.

    >>> w, x = Value(2.0, "w1"), Value(-3.0, "x")
    >>> picture = draw((w * x).tanh())
    >>> "w₁" in picture.source and "no gradients yet" in picture.source
    True
    """
    themes = {"light": LIGHT, "dark": DARK, "auto": LIGHT}
    if theme not in themes:
        raise ValueError(f"theme must be 'light', 'dark' or 'auto', got {theme!r}")
    if direction not in (None, "TB", "LR", "BT", "RL"):
        raise ValueError(f"direction must be 'TB', 'LR', 'BT' or 'RL', got {direction!r}")
    drawn = cards(value, collapse=collapse, batch=batch, max_cards=max_cards)
    rankdir = direction or _direction(drawn)
    picture = _digraph(drawn, themes[theme], rankdir, partials, legend)
    if theme == "auto":
        _merge(picture, _digraph(drawn, DARK, rankdir, partials, legend))
    picture.cards, picture.tree = drawn, tree(value)
    return picture
