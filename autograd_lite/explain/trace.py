"""`trace_table`: the evaluation trace of a value (Wengert list), each node's value beside its adjoint.

Next door: `chain.py` follows one value through the graph, `ledger.py` one gradient through the passes.
"""

from __future__ import annotations

import functools
from functools import cached_property
from typing import NamedTuple

from autograd_lite.core.value import Value
from autograd_lite.explain.graph import adjoints, edges
from autograd_lite.explain.shown import Shown, ends
from autograd_lite.notation.columns import aligned, html_table
from autograd_lite.notation.formula import Adjoint, Sum, adjoint_written
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import LATEX, TEXT, Notation

_DIGITS = 6


class Line(NamedTuple):
    """One node: its name, formula and value, and its adjoint δ with formula and value.

    A leaf has no formula; the output has no formula of its adjoint.
    """

    name: str
    formula: str
    value: str
    adjoint: str
    adjoint_formula: str
    adjoint_value: str


class TraceTable(Shown):
    """The answer of `trace_table`: ``nodes``, operands first, and their ``adjoints``."""

    def __init__(self, output: Value, rows: int) -> None:
        self._rows = rows
        self._reader = Reader(output)
        self.nodes = self._reader.order
        self._reader.name_all()
        found = adjoints(self.nodes)
        self.adjoints: dict[Value, float] = {node: found.get(node, 0.0) for node in self.nodes}
        self._consumers: dict[Value, dict[Value, list[int]]] = {}
        for node in self.nodes:
            for edge in edges(node):
                self._consumers.setdefault(edge.operand, {}).setdefault(node, []).append(edge.position)
        self._namer = Namer(self.nodes)
        for node in self.nodes:
            self._namer.key(node)
        self._text = self._written()

    @property
    def text(self) -> str:
        """The table as text."""
        return self._text

    def _line(self, node: Value, notation: Notation) -> Line:
        def number(x: float) -> str:
            return notation.number(x, _DIGITS).text

        uses = self._consumers.get(node, {})
        terms = (
            (consumer, functools.reduce(Sum.__add__, [self._reader.partial(consumer, k) for k in positions]))
            for consumer, positions in uses.items()
        )
        formula = ""
        if node.primitive is not None:
            formula = self._reader.definition(node).written(notation, self._namer, _DIGITS).text
        return Line(
            self._namer(node, notation).text,
            formula,
            number(node.data),
            Adjoint(node).written(notation, self._namer).text,
            adjoint_written(terms, len(uses), notation, self._namer, _DIGITS) if uses else "",
            number(self.adjoints[node]),
        )

    def lines(self, notation: Notation = TEXT) -> list[Line | None]:
        """Return the lines that are shown, in a notation; None stands for those left out in the middle."""
        return [None if node is None else self._line(node, notation) for node in ends(self.nodes, self._rows)]

    @property
    def _left_out(self) -> str:
        return f"{len(self.nodes) - self._rows} more"

    def _written(self) -> str:
        cells: list[tuple[str, ...]] = [("primal trace", "", "", "│", "adjoint trace, read upwards", "", "")]
        for line in self.lines():
            if line is None:
                cells.append(("⋮", self._left_out, "", "│", "⋮", "", ""))
                continue
            parts = [
                x and f"= {x}" for x in (line.formula, line.value, line.adjoint_formula, line.adjoint_value)
            ]
            cells.append((line.name, *parts[:2], "│", line.adjoint, *parts[2:]))
        return "\n".join(_header_apart(cells))

    @cached_property
    def html(self) -> str:
        """The table as HTML."""
        head = ("", "formula", "value", "adjoint", "formula", "value")
        left_out = ("⋮", self._left_out, "", "", "", "")
        return html_table(head, [left_out if line is None else line for line in self.lines()])

    @cached_property
    def latex(self) -> str:
        """The table as LaTeX for math mode."""
        rows = []
        for line in self.lines(LATEX):
            if line is None:
                rows.append(rf"\vdots & \text{{{self._left_out}}} & & \vdots & &")
                continue
            parts = [
                x and f"= {x}" for x in (line.formula, line.value, line.adjoint_formula, line.adjoint_value)
            ]
            rows.append(" & ".join([line.name, *parts[:2], line.adjoint, *parts[2:]]))
        return "\\begin{array}{lll|lll}\n" + " \\\\\n".join(rows) + "\n\\end{array}"


def _header_apart(cells: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table whose head may be wider than its columns."""
    head, *rows = cells
    lines = aligned(rows, ["left"] * 7)
    before = lines[0].index("│")
    return [f"{head[0]:{before}}│  {head[4]}", *lines]


def trace_table(output: Value, *, rows: int = 60) -> TraceTable:
    """Return the evaluation trace of `output` (Wengert list): how each value and each adjoint was computed.

    Read the values downwards and the adjoints δ = ∂output/∂node upwards: each adjoint is computed from local
    partials and the adjoints below it, bit for bit as in one `backward` pass. If there are more nodes than
    `rows`, the middle is left out. No ``.grad`` is read or changed.

    Raises `TypeError` if `output` is not a Value, and `ValueError`, naming the node, if data was changed
    after recording.

    >>> x, y = Value(2.0, "x"), Value(5.0, "y")
    >>> z = x * y + x
    >>> z.label = "z"
    >>> trace_table(z)
    primal trace        │  adjoint trace, read upwards
    x             = 2   │  δ(x)   = δ(v₁)·y + δ(z)  = 6
    y             = 5   │  δ(y)   = δ(v₁)·x         = 2
    v₁  = x·y     = 10  │  δ(v₁)  = δ(z)            = 1
    z   = v₁ + x  = 12  │  δ(z)                     = 1
    """
    if not isinstance(output, Value):
        raise TypeError(f"trace_table takes a Value, got {type(output).__name__} {output!r}")
    return TraceTable(output, rows)
