"""A recorded loss as lists of integers: a node takes 32 bytes here and 233 in a `Graph`.

These are the figures for a loss of 54,005 nodes. Building its graph takes 1.5 times as long as recording it.
Loops (`loops/grouping.py`) are found in the lists, so most programs of a recorded loss never need the graph.
Next door: the graph of a function, which is traced (`functions.py`, `trace.py`).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from autograd_lite.compiler.frontend.trace import BRANCH_TAKEN, TraceError
from autograd_lite.compiler.ir.graph import LINEAR, Graph
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive
from autograd_lite.core.value import Value, topological_order
from autograd_lite.transforms.linear_map import Variable

LEAF = -1


@dataclass
class Recording:
    """A list of nodes: node i is ``rows[codes[i]]`` of ``counts[i]`` operands; a leaf has the code `LEAF`.

    ``operands`` holds the operands of all nodes in turn, as indices of earlier nodes; -1 - k stands for the
    number ``constants[k]``. The last node is the loss. The first rows are the linear ones, in the order of
    `LINEAR`.
    """

    rows: list[Primitive]
    codes: array[int]
    counts: array[int]
    operands: array[int]
    constants: array[float]
    labels: dict[int, str]

    @property
    def operations(self) -> int:
        """The number of nodes that are not leaves."""
        return len(self.codes) - self.codes.count(LEAF)

    def graph(self) -> tuple[Graph, list[int]]:
        """Return the same as a simplified graph, and its output."""
        graph, place = Graph(), list[int]()
        at = leaves = 0
        for i, (code, count) in enumerate(zip(self.codes, self.counts, strict=True)):
            if code == LEAF:
                place.append(graph.input("leaf", leaves, self.labels.get(i) or f"leaf_{leaves + 1}"))
                leaves += 1
                continue
            given = self.operands[at : at + count]
            at += count
            operands = [place[k] if k >= 0 else graph.constant(self.constants[-1 - k]) for k in given]
            place.append(graph.add(self.rows[code], tuple(operands)))
            if i in self.labels:
                graph.labels.setdefault(place[i], self.labels[i])
        return graph, place[-1:]


def recorded(root: Value) -> tuple[Recording, list[Value]]:
    """Return the graph of a Value, in topological order, and its leaves.

    Raises `TraceError` if it contains a `where`.
    """
    rows = [*LINEAR]
    code_of = {row: code for code, row in enumerate(rows)}
    leaves: list[Value] = []
    codes: list[int] = []
    counts: list[int] = []
    operands: list[int] = []
    constants: list[float] = []
    order = topological_order(root)
    at = dict(zip(order, range(len(order)), strict=True))
    for node in order:
        row = node.primitive
        if row is None:
            if isinstance(node, Variable):  # from a derivative within the loss, which made a constant of it
                constants.append(node.data)
                operands.append(-len(constants))
                codes.append(code_of[table.sum])
                counts.append(1)
            else:
                codes.append(LEAF)
                counts.append(0)
                leaves.append(node)
            continue
        code = code_of.get(row)
        if code is None:
            if row is table.where:
                raise TraceError(BRANCH_TAKEN)
            code = code_of[row] = len(rows)
            rows.append(row)
        codes.append(code)
        counts.append(len(node.operands))
        for x in node.operands:
            if isinstance(x, float):
                constants.append(x)
                operands.append(-len(constants))
            else:
                operands.append(at[x])
    labels = {i: node.label for i, node in enumerate(order) if node.label}
    lists = array("q", codes), array("q", counts), array("q", operands), array("d", constants)
    return Recording(rows, *lists, labels), leaves
