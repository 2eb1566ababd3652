"""Text in columns of a terminal, and tables, as text and as HTML.

- `width`, `padded`, `fitted`: how many columns a text takes, and the text filled or cut to a number of
  columns
- `aligned`: rows of cells as lines of text
- `html_table`: rows of cells as HTML, in which every cell is text

Next door: `writing.py` writes the formulas that stand in the cells.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes: two for a wide character, none for an accent.

    >>> width("x̄₂"), width("名前")
    (2, 4)
    """
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):  # combining accents, formatting characters
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, columns: int, side: str = "left") -> str:
    """Return `text` filled with spaces to `columns`, aligned left, right or centred.

    >>> padded("ŷ", 3, "right")
    '  ŷ'
    """
    missing = max(columns - width(text), 0)
    before = {"left": 0, "right": missing, "centre": missing // 2}[side]
    return " " * before + text + " " * (missing - before)


def fitted(text: str, columns: int) -> str:
    """Return `text` in exactly `columns` columns: filled with spaces, or cut off with an ellipsis.

    >>> fitted("learning rate", 6), fitted("ŷ", 3)
    ('learn…', 'ŷ  ')
    """
    if width(text) > columns:
        used, kept = 1, ""
        for character in text:
            used += _columns(character)
            if used > columns:
                break
            kept += character
        text = kept + "…"
    return padded(text, columns)


def aligned(rows: Iterable[Sequence[str]], sides: Sequence[str], gap: str = "  ") -> list[str]:
    """Return a line for each row, its cells in columns; `sides` says where in its column a cell stands.

    >>> aligned([("w₁", "0.5"), ("bias", "−12")], ("left", "right"))
    ['w₁    0.5', 'bias  −12']
    """
    table = [*rows]
    columns = [max(map(width, cells)) for cells in zip(*table, strict=True)]
    return [
        gap.join([padded(*cell) for cell in zip(row, columns, sides, strict=True)]).rstrip() for row in table
    ]


def html_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 0, caption: str = ""
) -> str:
    """Return a table as HTML; markup in a cell or in the caption is shown as text.

    The first `left` columns are left-aligned; the page aligns the others.

    >>> html_table(["name"], [["<b>"]])
    '<table><thead><tr><th>name</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """

    def line(cells: Sequence[str], tag: str) -> str:
        styles = [' style="text-align:left"' if k < left else "" for k in range(len(cells))]
        shown = [f"<{tag}{style}>{escape(x)}</{tag}>" for x, style in zip(cells, styles, strict=True)]
        return f"<tr>{''.join(shown)}</tr>"

    if caption:
        caption = f'<caption style="text-align:left"><code>{escape(caption)}</code></caption>'
    body = "".join([line(row, "td") for row in rows])
    return f"<table>{caption}<thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
