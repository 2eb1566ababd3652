"""A recorded loss as lists of integers: what a program keeps of it, in an eighth of the memory of its Values.

What does not live here: the graph of a function, which is traced (`trace.py`), and what is made of both.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

from autograd_lite import primitives as table
from autograd_lite.functional import Variable
from autograd_lite.primitives import Primitive
from autograd_lite.program.graph import LINEAR, Graph
from autograd_lite.program.trace import TraceError
from autograd_lite.value import Value, topological_order

LEAF = -1


@dataclass
class Recording:
    """Node i is ``rows[codes[i]]`` of ``counts[i]`` operands; ``operands`` are those of all nodes in turn.

    Operands come before what is made of them; one that is -1 - k is the number ``constants[k]``. A leaf has
    the code `LEAF`. The first rows are the linear ones, in the order of `LINEAR`.
    """

    rows: list[Primitive]
    codes: array[int]
    counts: array[int]
    operands: array[int]
    constants: array[float]
    labels: dict[int, str]

    @property
    def operations(self) -> int:
        """The number of nodes that are no leaves."""
        return len(self.codes) - self.codes.count(LEAF)

    def graph(self) -> tuple[Graph, list[int]]:
        """The same as a graph that shares, and its output."""
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
    """What the Value was made from, it being the last node, and its leaves, in topological order.

    Raises `TraceError` if a recorded `where` is among it.
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
            if isinstance(node, Variable):  # of a derivative within: it was made a number
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
                raise TraceError(
                    "a recorded `where` has taken its branch, which a program would take for ever: "
                    "compile the function that computes it, not its result"
                )
            code = code_of[row] = len(rows)
            rows.append(row)
        codes.append(code)
        # By far the most have one or two operands, in slots: see `Value`.
        x: Any = node._x
        y: Any = node._y
        if type(x) is tuple:
            given: tuple[Any, ...] = node.operands
            counts.append(len(given))
            for k in given:
                if type(k) is float:
                    constants.append(k)
                    operands.append(-len(constants))
                else:
                    operands.append(at[k])
            continue
        if type(x) is float:
            constants.append(x)
            operands.append(-len(constants))
        else:
            operands.append(at[x])
        if y is None:
            counts.append(1)
            continue
        counts.append(2)
        if type(y) is float:
            constants.append(y)
            operands.append(-len(constants))
        else:
            operands.append(at[y])
    labels = {i: node._label for i, node in enumerate(order) if hasattr(node, "_label") and node._label}
    lists = array("q", codes), array("q", counts), array("q", operands), array("d", constants)
    return Recording(rows, *lists, labels), leaves
