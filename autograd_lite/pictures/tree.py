"""`tree`: the graph as text, with a line for each value, below the value that was made from it.

`roles.py` says which sums read as one and how operations are marked; `dot.py` draws the graph.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value, topological_order
from autograd_lite.notation import columns
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.names import short
from autograd_lite.notation.writing import TEXT
from autograd_lite.pictures.colour import largest_of, strength
from autograd_lite.pictures.roles import constants, is_part_of_sum, symbol_of

_BAR = 8  # blocks of the largest gradient
_CHILDREN = 4  # operands of each value that are shown if not all lines fit
_LEAST = 8  # columns that each name gets
_NAME = 16  # columns that a name should get; indentation shrinks to make room
_COLOURS = {"dim": "2", "plus": "38;5;75", "minus": "38;5;208", "alarm": "1;7;35"}
_ASCII = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "█": "#", "−": "-", "·": "*", "…": "."})


@dataclass
class _Line:
    """A line for a value, for a constant (no node), or for operands left out (no data)."""

    parent: int  # the number of the line above it in the tree, -1 for the root
    depth: int
    name: str
    node: Value | None = None
    data: float | None = None
    gradient: float | None = None
    is_last: bool = True
    sums: int = 0  # the sums within this one, which have no lines


def _plain(kind: str, text: str) -> str:
    return text


def _coloured(kind: str, text: str) -> str:
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if text else ""


def _takes_colour() -> bool:
    """Return whether output goes to a terminal with colours, and the environment allows them."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb" if os.name == "posix" else "") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()


def _operands(node: Value, uses: Counter[int]) -> tuple[list[tuple[str, Value | float]], int]:
    """Return the operands of `node`, each constant with its caption, and how many sums are within it.

    A weight is followed by its input. A sum lists the terms of the sums within it.
    """
    found: list[tuple[str, Value | float]] = []
    waiting: list[Value | tuple[str, Value | float]] = [node]
    sums = -1
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            found.append(item)
            continue
        sums += 1
        captions = constants(item)
        operands = list(enumerate(item.operands))
        if item.primitive is TABLE["dot"]:
            n = len(operands) // 2
            operands = [operands[k] for i in range(n) for k in (i, n + i)] + operands[2 * n :]
        for position, x in reversed(operands):
            if not isinstance(x, Value):
                if position in captions:
                    waiting.append((captions[position], x))
            elif uses[id(x)] == 1 and is_part_of_sum(x, item):
                waiting.append(x)
            else:
                waiting.append(("", x))
    return found, sums


class Tree:
    """The graph as text, which `tree` returns; ``text`` is the plain string, without colours."""

    def __init__(self, value: Value, width: int | None = None, max_lines: int = 100) -> None:
        if not isinstance(value, Value):
            raise TypeError(f"a tree is drawn of a Value, got {type(value).__name__} {value!r:.60}")
        if not max_lines >= 1:
            raise ValueError(f"max_lines must be at least 1, got {max_lines!r}")
        nodes = topological_order(value)
        uses = Counter([id(x) for node in nodes for x in node.operands if isinstance(x, Value)])
        self._width = width
        self._total = len(nodes)
        self._has_gradients = value.reached
        self._namer = Namer(nodes)
        self._lines = self._grow(value, uses, max_lines, None)
        if len(self._lines) > max_lines:
            self._lines = self._grow(value, uses, max_lines, _CHILDREN)[:max_lines]
        self._largest = largest_of([line.gradient for line in self._lines])

    def _grow(self, root: Value, uses: Counter[int], max_lines: int, most: int | None) -> list[_Line]:
        """Return the lines, each with the first `most` operands below it, up to one more than `max_lines`.

        A line for "1 more" would take the place of the operand itself, so there is none.
        """
        lines: list[_Line] = []
        seen: set[int] = set()
        waiting = [_Line(-1, 0, "", root)]
        while waiting and len(lines) <= max_lines:
            line = waiting.pop()
            number, node = len(lines), line.node
            lines.append(line)
            if node is None:
                continue
            name, symbol = self._namer(node, TEXT).text, symbol_of(node)
            line.data, line.gradient = node.data, node.grad if self._has_gradients else None
            if id(node) in seen:
                line.name = f"{name} {symbol} (above)" if symbol else f"{name} (above)"
                continue
            seen.add(id(node))
            operands, line.sums = _operands(node, uses)
            shown = operands if most is None or len(operands) <= most + 1 else operands[:most]
            line.name = f"{name} {'Σ' if line.sums else symbol}".rstrip()
            below = [
                _Line(number, line.depth + 1, "", x)
                if isinstance(x, Value)
                else _Line(number, line.depth + 1, caption, data=x)
                for caption, x in shown
            ]
            if len(operands) > len(below):
                left = len(operands) - len(below)
                below.append(_Line(number, line.depth + 1, f"… {left:,} more operands"))
            for sibling in below[:-1]:
                sibling.is_last = False
            waiting += reversed(below)
        return lines

    @property
    def text(self) -> str:
        """The tree without colours, as wide as asked for, else as the terminal, else 100 columns."""
        return self._render(_plain)

    def __str__(self) -> str:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        text = self._render(_coloured if _takes_colour() else _plain)
        try:
            text.encode(encoding)
        except UnicodeEncodeError:  # an old console, or ASCII: lines and minus signs have substitutes
            text = text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
        return text

    __repr__ = __str__

    def _render(self, paint: Callable[[str, str], str]) -> str:
        lines = self._lines
        values = ["" if line.data is None else short(line.data) for line in lines]
        gradients = ["" if line.gradient is None else short(line.gradient) for line in lines]
        value_width = max(map(len, ["value", *values]))
        gradient_width = max(map(len, ["gradient", *gradients]))
        width = self._width or shutil.get_terminal_size((100, 24)).columns
        beside = value_width + 2 + (gradient_width + _BAR + 4 if self._has_gradients else 0)
        room = max(width - beside, 10)
        needed = [(line.depth, min(max(columns.width(line.name), _LEAST), _NAME)) for line in lines]
        indent = 3 if all(3 * depth + name <= room for depth, name in needed) else 2
        deepest = (room - _LEAST) // indent

        below: list[str] = []  # the prefix of the lines below each line
        drawn: list[tuple[str, str, str]] = []
        shown: set[int] = set()
        inner_sums = 0
        for line, value, gradient in zip(lines, values, gradients, strict=True):
            if line.depth > deepest:
                below.append("")
                continue
            name, prefix = line.name, ""
            if line.parent < 0:
                below.append("")
            else:
                prefix = below[line.parent] + ("└" if line.is_last else "├") + "─ "[: indent - 1]
                below.append(below[line.parent] + (" " if line.is_last else "│") + " " * (indent - 1))
            if line.node is not None:
                shown.add(id(line.node))
                inner_sums += line.sums
                if line.depth == deepest and line.node.primitive is not None:
                    name += " …"
            numbers = f"  {value:>{value_width}}"
            drawn.append(
                (prefix, name, numbers + self._gradient(line.gradient, gradient, gradient_width, paint))
            )

        column = min(max([columns.width(prefix + name) for prefix, name, _ in drawn]), room)
        heading = f"{' ' * column}  {'value':>{value_width}}"
        if self._has_gradients:
            heading += f"  {'gradient':>{gradient_width}}  log size"
        text = [paint("dim", heading)]
        for prefix, name, numbers in drawn:
            text.append(
                (paint("dim", prefix) + columns.fitted(name, column - len(prefix)) + numbers).rstrip()
            )
        if not self._has_gradients:
            text.append(paint("dim", "no gradients yet: call backward()"))
        left_out = self._total - len(shown) - inner_sums
        if left_out > 0:
            text.append(paint("dim", f"… {left_out:,} of {self._total:,} values left out"))
        return "\n".join(text)

    def _gradient(self, x: float | None, text: str, width: int, paint: Callable[[str, str], str]) -> str:
        if x is None:
            return ""
        if not math.isfinite(x):
            return paint("alarm", f"  {text:>{width}}  {'!' * _BAR}")
        blocks = round(_BAR * strength(x, self._largest))
        bar = "█" * blocks if blocks or x == 0.0 else "·"
        return paint("plus" if x > 0.0 else "minus" if x < 0.0 else "dim", f"  {text:>{width}}  {bar}")


def tree(value: Value, *, width: int | None = None, max_lines: int = 100) -> Tree:
    """Return the graph that `value` was made from as a tree of text: below each value its operands.

    Every line shows the value, the gradient, and a bar for the gradient's size on a log scale. An
    value that is used again is marked "(above)" and not repeated. The tree prints in colour on a terminal
    that supports it, unless ``NO_COLOR`` is set; ``.text`` is plain. It is as wide as the terminal, or
    `width` columns. Of a graph with more than `max_lines` lines it shows the first operands and says how
    many values are left out.

    Raises `TypeError` if `value` is not a Value, `ValueError` if `max_lines` is below 1.

    >>> w, x = Value(2.0, "w1"), Value(-3.0, "x")
    >>> loss = (w * x + 1.0) ** 2
    >>> loss.backward()
    >>> print(tree(loss).text)
                 value  gradient  log size
    v₃ x²         25.0      1.00  ████
    └─ v₂ +      −5.00     −10.0  ███████
       ├─ v₁ ×   −6.00     −10.0  ███████
       │  ├─ w₁   2.00      30.0  ████████
       │  └─ x   −3.00     −20.0  ████████
       └─ + c     1.00
    """
    return Tree(value, width, max_lines)
