"""`Graph`: a program as a flat list of operations, numbered so that operands come before what uses them.

A node is a row of the table or one of a few words: "argument", "leaf" (a Value whose data is read when the
program runs), "constant", and what decides a `where`: "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not".
A graph that shares folds constants, drops operations that do nothing and keeps one node for equal ones.

What does not live here: how a function becomes a graph and how a graph is differentiated (`trace.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive

Op: TypeAlias = Primitive | str

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")
}
CONDITIONS = {*COMPARISONS, "and", "or", "not"}
INPUTS = {"argument", "leaf"}
MOST_PARTS = 8  # conditions that are compared with as many others
# What is written out in sums of products where loops are looked for, and kept as it is elsewhere.
LINEAR = (table.add, table.sub, table.neg, table.sum, table.mul, table.dot)


class Graph:
    """``ops[i]`` made node i of ``operands[i]``; ``numbers[i]`` is a constant or an input's place."""

    def __init__(self, *, share: bool = True) -> None:
        self.ops: list[Op] = []
        self.operands: list[tuple[int, ...]] = []
        self.numbers: dict[int, Any] = {}
        self.constants: dict[int, float] = {}
        self.labels: dict[int, str] = {}
        self.adjoints: dict[int, int] = {}  # of a node that is one: the node whose adjoint it is
        self.origins: dict[int, str] = {}  # of a node written out by a formula: the row's name
        self._known: dict[Any, int] | None = {} if share else None

    def __len__(self) -> int:
        return len(self.ops)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}  # what travels is finished

    def _append(self, op: Op, operands: tuple[int, ...], key: Any = None) -> int:
        if self._known is not None:
            known = self._known.get(key)
            if known is not None:
                return known
            self._known[key] = len(self.ops)
        self.ops.append(op)
        self.operands.append(operands)
        return len(self.ops) - 1

    def constant(self, number: float) -> int:
        """The node that is this number (−0.0 and NaN are themselves)."""
        i = self._append("constant", (), number.hex())
        self.numbers[i] = self.constants[i] = number
        return i

    def input(self, kind: str, place: int, label: str) -> int:
        """The node of an argument or a leaf, `place` counted among its kind."""
        i = self._append(kind, (), (kind, place))
        self.numbers[i] = place
        self.labels[i] = label
        return i

    def number(self, i: int) -> float | None:
        """The number of a constant; None for any other node."""
        return self.constants.get(i)

    def is_condition(self, i: int) -> bool:
        """Whether node i is true or false, and no number."""
        return self.ops[i] in CONDITIONS

    def add(self, op: Op, operands: tuple[int, ...]) -> int:
        """The node of an operation: a new one, unless it is known or one with the same value is simpler."""
        if self._known is None:
            return self._append(op, operands)
        simpler = self._simpler(op, operands)
        if simpler is not None:
            return simpler
        if len(operands) == 2 and op in _COMMUTE and operands[0] > operands[1]:
            key: Any = (op, operands[::-1])
        else:
            key = (op, operands)
        return self._append(op, operands, key)

    def copied(self, op: Op, operands: tuple[int, ...]) -> int:
        """The node of an operation that is known to be as simple as can be."""
        return self._append(op, operands, (op, operands))

    def _simpler(self, op: Op, operands: tuple[int, ...]) -> int | None:
        get = self.constants.get
        numbers = [get(i) for i in operands]
        if op == "and" or op == "or":
            for i, number in enumerate(numbers):
                if number is not None:
                    return operands[1 - i] if (number != 0.0) == (op == "and") else operands[i]
            return self._either(op, *operands)
        if op == "not":
            if self.ops[operands[0]] == "not":
                return self.operands[operands[0]][0]
            return None if numbers[0] is None else self.constant(float(numbers[0] == 0.0))
        if numbers and None not in numbers:
            try:
                if op in COMPARISONS:
                    return self.constant(float(COMPARISONS[op](*numbers)))
                return self.constant(op.forward(*numbers))  # type: ignore[union-attr]
            except (ArithmeticError, ValueError):
                return None  # it is for the run to say so
        rewrite = _REWRITES.get(op)
        return None if rewrite is None else rewrite(self, numbers, *operands)

    def _opposite(self, a: int, b: int) -> bool:
        return (self.ops[a] == "not" and self.operands[a][0] == b) or (
            self.ops[b] == "not" and self.operands[b][0] == a
        )

    def _parts(self, op: Op, i: int) -> set[int]:
        """The conditions that a chain of "and" or of "or" is made of; of a long one itself alone."""
        found: set[int] = set()
        rest = [i]
        while rest and len(found) + len(rest) <= MOST_PARTS:
            k = rest.pop()
            if self.ops[k] == op:
                rest += self.operands[k]
            else:
                found.add(k)
        return {i} if rest else found

    def _either(self, op: Op, a: int, b: int) -> int | None:
        """The simpler of two conditions where it says all that both say, or what is known of them."""
        other = "or" if op == "and" else "and"
        for one, two in ((a, b), (b, a)):
            parts = self._parts(other, two)  # a and (a or c) is a, as is a or (a and c)
            if any(self._parts(other, k) <= parts for k in self._parts(op, one)):
                return one
            if op == "and" and self._parts("and", two) <= self._parts("and", one):
                return one
        if op == "and":
            if any(self._opposite(c, d) for c in self._parts("and", a) for d in self._parts("and", b)):
                return self.constant(0.0)
        elif self._opposite(a, b):
            return self.constant(1.0)
        elif self.ops[a] == self.ops[b] == "and":  # h and c, or h and not c
            for h, c in (self.operands[a], self.operands[a][::-1]):
                for g, d in (self.operands[b], self.operands[b][::-1]):
                    if g == h and self._opposite(c, d):
                        return h
        return None

    def live(self, outputs: Iterable[int]) -> list[int]:
        """The nodes that the outputs need, in order."""
        needed = bytearray(len(self.ops))
        for i in outputs:
            needed[i] = 1
        for i in range(len(self.ops) - 1, -1, -1):
            if needed[i]:
                for k in self.operands[i]:
                    needed[k] = 1
        return [i for i, wanted in enumerate(needed) if wanted]

    def dependent(self, inputs: Iterable[int]) -> bytearray:
        """For each node, whether a derivative by one of the inputs may be other than 0."""
        depends = bytearray(len(self.ops))
        for i in inputs:
            depends[i] = 1
        for i, (op, operands) in enumerate(zip(self.ops, self.operands, strict=True)):
            if operands and op not in CONDITIONS and any(depends[k] for k in operands):
                depends[i] = 1
        return depends


# --- Operations that do nothing --------------------------------------------------------------------
# x + 0 is taken for x, also where x is -0.0. x · 0 stays: it is NaN where x is not finite.

_COMMUTE = {table.add, table.mul, "eq", "ne"}


def _add(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    if numbers[0] == 0.0:
        return y
    if numbers[1] == 0.0:
        return x
    if graph.ops[y] is table.neg:
        return graph.add(table.sub, (x, graph.operands[y][0]))
    return graph.add(table.sub, (y, graph.operands[x][0])) if graph.ops[x] is table.neg else None


def _sub(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    if numbers[1] == 0.0:
        return x
    if numbers[0] == 0.0:
        return graph.add(table.neg, (y,))
    return graph.add(table.add, (x, graph.operands[y][0])) if graph.ops[y] is table.neg else None


def _mul(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    for number, other in ((numbers[0], y), (numbers[1], x)):
        if number == 1.0:
            return other
        if number == -1.0:
            return graph.add(table.neg, (other,))
    return None


def _div(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    return x if numbers[1] == 1.0 else None


def _neg(graph: Graph, numbers: list[float | None], x: int) -> int | None:
    return graph.operands[x][0] if graph.ops[x] is table.neg else None


def _abs(graph: Graph, numbers: list[float | None], x: int) -> int | None:
    inside = graph.ops[x] in (table.neg, table.abs)
    return graph.add(table.abs, graph.operands[x]) if inside else None


def _pow(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    if numbers[1] == 0.0:
        return graph.constant(1.0)
    if numbers[1] == 1.0:
        return x
    if numbers[1] == -1.0:
        return graph.add(table.div, (graph.constant(1.0), x))
    return graph.add(table.mul, (x, x)) if numbers[1] == 2.0 else None


def _where(graph: Graph, numbers: list[float | None], c: int, x: int, y: int) -> int | None:
    if numbers[0] is not None:
        return x if numbers[0] else y
    if graph.ops[c] == "not":
        return graph.add(table.where, (graph.operands[c][0], y, x))
    if graph.ops[x] is table.where and graph.operands[x][0] == c:
        return graph.add(table.where, (c, graph.operands[x][1], y))
    if graph.ops[y] is table.where and graph.operands[y][0] == c:
        return graph.add(table.where, (c, x, graph.operands[y][2]))
    return x if x == y else None


def _few(op: Primitive, nothing: float) -> Callable[..., int | None]:
    def rewrite(graph: Graph, numbers: list[float | None], *x: int) -> int | None:
        if len(x) > 2:
            return None
        return graph.add(op, x) if len(x) == 2 else x[0] if x else graph.constant(nothing)

    return rewrite


_REWRITES: dict[Op, Callable[..., int | None]] = {
    table.add: _add,
    table.sub: _sub,
    table.mul: _mul,
    table.div: _div,
    table.neg: _neg,
    table.abs: _abs,
    table.pow: _pow,
    table.where: _where,
    table.sum: _few(table.add, 0.0),
    table.prod: _few(table.mul, 1.0),
}
