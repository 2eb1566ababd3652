"""Graphviz's HTML-like labels as strings: text, cells, tables, and how wide a text will be.

Every label passes through `text_part`, which escapes it. `dot.py` composes cards of these parts.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

FONT = "Helvetica,Arial,sans-serif"
NOWHERE = "#"  # Graphviz draws the title of a cell only if the cell is a link
SPACE = "\u00a0"  # SVG would drop a plain space at the start of a text
_LONGEST_TOOLTIP = 2_700  # characters, of which escaping makes at most six bytes each


def text_part(text: str, size: float, colour: str, style: str = "") -> str:
    r"""Return `text` as part of a label; markup in it is shown as text.

    >>> print(text_part(r'<b> & "\N"', 11, "#000000", "I"))
    <FONT POINT-SIZE="11" COLOR="#000000"><I>&lt;b&gt; &amp; &quot;\\N&quot;</I></FONT>
    """
    escaped = html.escape(text).replace("\\", "\\\\")  # \N would become the name of the node
    escaped = escaped.replace("]", "&#93;")  # Graphviz 2.43 ends the label at a ] alone between tags
    for tag in style:
        escaped = f"<{tag}>{escaped}</{tag}>"
    return f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{escaped}</FONT>'


def _tag(name: str, content: str, **attributes: object) -> str:
    spelled = "".join([f' {key}="{value}"' for key, value in attributes.items() if value is not None])
    return f"<{name}{spelled}>{content}</{name}>"


def cell(content: str, **attributes: object) -> str:
    """Return a cell of a table, with its content on the left unless ``ALIGN`` says otherwise."""
    return _tag("TD", content, **{"ALIGN": "LEFT", **attributes})


def table(rows: Iterable[str], *, padding: int = 2, fill: str | None = None, **attributes: object) -> str:
    """Return a table of rows of cells, with round corners if it is filled."""
    layout = {"BORDER": 0, "CELLBORDER": 0, "CELLSPACING": 0, "CELLPADDING": padding}
    look = {} if fill is None else {"STYLE": "ROUNDED", "BGCOLOR": fill}
    return _tag("TABLE", "".join([f"<TR>{row}</TR>" for row in rows]), **{**layout, **look, **attributes})


def shortened(text: str, length: int) -> str:
    """Return `text` cut to `length` characters, with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def tooltip(lines: list[str]) -> str:
    """Return a tooltip of several lines, as an attribute of a node or an edge."""
    # Graphviz resolves escapes in tooltips twice, and reads no string of more than 16,384 bytes.
    text = shortened("\n".join(lines), _LONGEST_TOOLTIP)
    return html.escape(text).replace("\\", "\\" * 4).replace("\n", "&#10;")


# --- Widths ---------------------------------------------------------------------------------------

# Widths of letters in Arial, in thousandths of the font size; for letters it lacks, those of other fonts.
# fmt: off
_WIDTHS = {letter: width / 1000.0 for width, letters in {
    0: "\u0302\u0303\u0304\u0307", 190: "'′", 222: "ijl", 260: "|", 278: " \u00a0!,./:;I[\\]ft·",
    333: "()-`r¹²³{}", 355: '"', 389: "*", 400: "⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", 469: "^",
    500: "Jcksvxyzŷλ∂‖", 528: "⁻", 549: "√÷≤≥", 556: "#$0123456789?L_abdeghnopquθδ", 578: "αβμ",
    584: "+<=>~−×", 611: "FTZ", 618: "σΣ", 648: "φ", 667: "&ABEKPSVXY∇", 722: "CDHNRUw∞", 778: "GOQ",
    833: "Mm½", 889: "%", 944: "W", 1000: "…", 1015: "@",
}.items() for letter in letters}
# fmt: on


def text_width(text: str, size: float, style: str = "") -> float:
    """Return the width of `text` in Arial, in points; letters that are not listed count as wide."""
    bold = 1.1 if "B" in style else 1.0
    widths = [_WIDTHS.get(c, 0.6 if c < "\u2e80" else 1.0) * (bold if c.isalpha() else 1.0) for c in text]
    return size * sum(widths)


def column_width(text: str, size: float, style: str = "") -> float:
    """Return a column width for `text` with a margin: a row shifts if Graphviz measures its text as wider."""
    return 1.1 * text_width(text, size, style)


_TEXT_ELEMENT = re.compile(
    rf'(<text [^>]*font-family="{FONT}"(?: font-weight="(bold)")?[^>]* font-size="([\d.]+)"[^>]*)>([^<]*)<'
)


def without_links(svg: str) -> str:
    """Return the SVG with titles only where there were links to nowhere, which would scroll the page."""
    return svg.replace(f' xlink:href="{NOWHERE}"', "")


def with_fixed_widths(svg: str) -> str:
    """Return the SVG with each text stretched to its width in Arial, whatever font the reader has."""

    def fixed(match: re.Match[str]) -> str:
        text = html.unescape(match[4])
        if not _WIDTHS.keys() >= set(text):
            return match[0]  # a width is not known well enough
        width = text_width(text, float(match[3]), "B" if match[2] else "")
        return f'{match[1]} textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">{match[4]}<'

    return _TEXT_ELEMENT.sub(fixed, svg)
