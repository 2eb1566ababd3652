"""`Graph`: a program as a flat list of operations, numbered with operands before their consumers.

A node is a row of the table or one of a few words: "argument", "leaf" (a Value whose data is read when the
program runs), "constant", and the conditions of `where`: "lt", "le", "gt", "ge", "eq", "ne", "whole", "and",
"or", "not". Next door: how each new operation is simplified (`simplify.py`), how a function becomes a graph
(`frontend`), and how graphs are rewritten (`passes`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeAlias

from autograd_lite.compiler.ir.simplify import COMMUTATIVE, simplify
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive, Scalar

Op: TypeAlias = Primitive | str

COMPARISONS: dict[str, Callable[..., bool]] = {
    name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")
}
COMPARISONS["whole"] = lambda x: (
    (x.data if hasattr(x, "data") else x) % 1.0 == 0.0
)  # of one number: whether it is an integer
_LOGIC = {"and", "or", "not"}
CONDITIONS = {*COMPARISONS, *_LOGIC}
INPUTS = {"argument", "leaf"}
# Rows that `loops` writes out as sums of products; elsewhere they stay whole.
LINEAR = (table.add, table.sub, table.neg, table.sum, table.mul, table.dot)


class Graph:
    """A list of nodes: node i is ``ops[i]`` of the nodes ``operands[i]``.

    ``numbers[i]`` is the number of a constant, or the index of an argument or a leaf. If node i is an
    adjoint, ``adjoints[i]`` is the node it belongs to; ``origins[i]`` is the name of the row that it was
    decomposed from.

    A graph that *shares* folds constants, drops operations without effect and keeps one node for equal ones.
    The gradient of micrograd's demo then has 2,083 nodes instead of 3,560.
    """

    def __init__(self, *, share: bool = True) -> None:
        self.ops: list[Op] = []
        self.operands: list[tuple[int, ...]] = []
        self.numbers: dict[int, Any] = {}
        self.constants: dict[int, float] = {}
        self.labels: dict[int, str] = {}
        self.adjoints: dict[int, int] = {}
        self.origins: dict[int, str] = {}
        self._known: dict[Hashable, int] | None = {} if share else None

    def __len__(self) -> int:
        return len(self.ops)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_known": {}}  # a pickled graph is finished

    def _append(self, op: Op, operands: tuple[int, ...], key: Hashable = None) -> int:
        if self._known is not None:
            known = self._known.get(key)
            if known is not None:
                return known
            self._known[key] = len(self.ops)
        self.ops.append(op)
        self.operands.append(operands)
        return len(self.ops) - 1

    def constant(self, number: float) -> int:
        """Return the node of a number; −0.0 and NaN have nodes of their own."""
        i = self._append("constant", (), number.hex())
        self.numbers[i] = self.constants[i] = number
        return i

    def input(self, kind: str, place: int, label: str) -> int:
        """Return the node of an argument or a leaf: `kind` says which, `place` is its index."""
        i = self._append(kind, (), (kind, place))
        self.numbers[i] = place
        self.labels[i] = label
        return i

    def number(self, i: int) -> float | None:
        """Return the number of a constant, None for any other node."""
        return self.constants.get(i)

    def is_condition(self, i: int) -> bool:
        """Return whether node i is true or false, not a number."""
        return self.ops[i] in CONDITIONS

    def add(self, op: Op, operands: tuple[int, ...]) -> int:
        """Return a node for an operation; in a graph that shares, the simplest node with the same value."""
        if self._known is None:
            return self._append(op, operands)
        get = self.constants.get
        numbers = [get(i) for i in operands]
        if numbers and None not in numbers and op not in _LOGIC:
            found = self._folded(op, numbers)
        else:
            found = simplify(self, op, operands, numbers)
        if found is not None:
            return found
        if op in COMMUTATIVE and operands[0] > operands[1]:
            return self._append(op, operands, (op, operands[::-1]))
        return self._append(op, operands, (op, operands))

    def _folded(self, op: Op, numbers: Sequence[Scalar]) -> int | None:
        """Return the constant result of an operation on numbers, or None if it raises an error."""
        try:
            if op in COMPARISONS:
                return self.constant(float(COMPARISONS[op](*numbers)))
            return self.constant(op.forward(*numbers))  # type: ignore[union-attr]
        except (ArithmeticError, ValueError):
            return None

    def copied(self, op: Op, operands: tuple[int, ...]) -> int:
        """Return a node for an operation that was simplified before.

        With it, decomposing micrograd's demo takes 18 ms; with `add`, 20 ms.
        """
        return self._append(op, operands, (op, operands))

    def live(self, outputs: Iterable[int]) -> list[int]:
        """Return the nodes that the outputs need, in order."""
        needed = bytearray(len(self.ops))
        for i in outputs:
            needed[i] = 1
        for i in range(len(self.ops) - 1, -1, -1):
            if needed[i]:
                for k in self.operands[i]:
                    needed[k] = 1
        return [i for i, wanted in enumerate(needed) if wanted]

    def dependent(self, inputs: Iterable[int]) -> bytearray:
        """Return a 1 for each node with a derivative by some input that may differ from 0, else a 0."""
        depends = bytearray(len(self.ops))
        for i in inputs:
            depends[i] = 1
        for i, (op, operands) in enumerate(zip(self.ops, self.operands, strict=True)):
            if operands and op not in CONDITIONS and any(depends[k] for k in operands):
                depends[i] = 1
        return depends
