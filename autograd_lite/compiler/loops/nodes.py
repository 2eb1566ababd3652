"""A graph as lists of integers: `Nodes`, made from a recording or from a `Graph`.

All operands stand in one list, so that NumPy can work on whole graphs. Next door: `flattening.py` writes sums
and products of these nodes as sums of products, `grouping.py` collects the nodes that are made alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from autograd_lite.compiler.frontend.recording import LEAF, Recording
from autograd_lite.compiler.ir.graph import LINEAR, Graph, Op
from autograd_lite.compiler.loops.ir import ARGUMENT, CONSTANT, PARAMETER

# Codes of operations: the linear ones come first, in the order of `LINEAR`. An input has the code -1 - shape.
ADD, SUB, NEG, SUM, MUL, DOT = range(6)
_CODE: dict[Op, int] = {op: code for code, op in enumerate(LINEAR)}

# How an operation is written: a code, and for each operand the position of a given operand, or a constant.
Writing = tuple[int, tuple[int | float, ...]]
# Returns how to write an operation that is not linear, given its constant operands and None for the others.
Write = Callable[[Op, tuple[float | None, ...]], Writing]


class Nodes:
    """Nodes in topological order: node i is the operation ``codes[i]`` of ``counts[i]`` operands.

    ``operands`` lists the operands of all nodes; -1 - k stands for the number ``constants[k]``. ``place[i]``
    is the number of an input among those of its kind. ``write`` is called once for each operation that is not
    linear and its constants.
    """

    def __init__(self, write: Write) -> None:
        self.codes: list[int] = []
        self.counts: list[int] = []
        self.operands: list[int] = []
        self.constants: list[float] = []
        self.place: dict[int, int] = {}
        self.labels: dict[int, str] = {}
        self._write = write
        self._written: dict[Any, Writing] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def constant(self, number: float) -> int:
        """Add a constant; return the operand that stands for it."""
        self.constants.append(number)
        return -len(self.constants)

    def input(self, shape: int, place: int) -> int:
        """Add an input, number `place` of its kind; return its node."""
        self.place[len(self.codes)] = place
        self.codes.append(-1 - shape)
        self.counts.append(0)
        return len(self.codes) - 1

    def node(self, code: int, operands: Sequence[int]) -> int:
        """Add an operation; return its node."""
        self.codes.append(code)
        self.counts.append(len(operands))
        self.operands += operands
        return len(self.codes) - 1

    def written(
        self, op: Op, operands: Sequence[int], numbers: tuple[float | None, ...]
    ) -> tuple[int, Sequence[int]]:
        """Return code and operands of any operation; `numbers` holds its constants and None for the rest."""
        code = _CODE.get(op)
        if code is not None:
            return code, operands
        key = (op, tuple([None if number is None else number.hex() for number in numbers]))  # -0.0 is not 0.0
        if key not in self._written:
            self._written[key] = self._write(op, numbers)
        code, taken = self._written[key]
        return code, [operands[k] if type(k) is int else self.constant(k) for k in taken]


def nodes_of_recording(recording: Recording, write: Write, np: ModuleType) -> Nodes:
    """Return the nodes of a recorded loss. The loss is the last node."""
    nodes = Nodes(write)
    codes, counts = np.array(recording.codes), np.array(recording.counts)
    operands = np.array(recording.operands, dtype=np.int64)
    nodes.constants = recording.constants.tolist()
    leaves = np.flatnonzero(codes == LEAF)
    nodes.place = dict(zip(leaves.tolist(), range(len(leaves)), strict=True))
    others = np.flatnonzero(codes > DOT)
    codes[leaves] = -1 - PARAMETER
    users = np.repeat(np.arange(len(codes)), counts)
    starts = np.cumsum(counts) - counts
    # Operations that are not linear are written anew, one by one.
    to: list[int] = []
    taken: list[int] = []
    rest = np.flatnonzero(codes[users] <= DOT)
    for i, code, start, count in zip(
        *[each[others].tolist() for each in (np.arange(len(codes)), codes, starts, counts)], strict=True
    ):
        given = recording.operands[start : start + count].tolist()
        numbers = tuple([None if k >= 0 else recording.constants[-1 - k] for k in given])
        codes[i], written = nodes.written(recording.rows[code], given, numbers)
        counts[i] = len(written)
        to += [i] * len(written)
        taken += written
    if to:
        users = np.concatenate([users[rest], to])
        operands = np.concatenate([operands[rest], taken])[np.argsort(users, kind="stable")]
    nodes.codes, nodes.counts, nodes.operands = codes, counts, operands
    nodes.labels = recording.labels
    return nodes


def nodes_of_graph(
    graph: Graph, outputs: Iterable[int], write: Write, shapes: dict[int, int] | None = None
) -> tuple[Nodes, dict[int, int]]:
    """Return the nodes that some outputs of a graph need, and for each node of the graph its new number.

    `shapes` gives inputs shapes of their own. Constants are then inputs as well.
    """
    nodes = Nodes(write)
    went: dict[int, int] = {}
    for i in graph.live(outputs):
        op = graph.ops[i]
        if shapes is not None and not graph.operands[i] and (op == "constant" or op == "argument"):
            went[i] = nodes.input(shapes.get(i, CONSTANT), i)
        elif op == "constant":
            went[i] = nodes.constant(graph.constants[i])
        elif op == "argument" or op == "leaf":
            went[i] = nodes.input(ARGUMENT if op == "argument" else PARAMETER, graph.numbers[i])
        else:
            operands = graph.operands[i]
            numbers = tuple([None if went[k] >= 0 else graph.constants[k] for k in operands])
            went[i] = nodes.node(*nodes.written(op, [went[k] for k in operands], numbers))
        if i in graph.labels and went[i] >= 0 and graph.operands[i]:
            nodes.labels[went[i]] = graph.labels[i]
    return nodes, went
