"""Loops recovered from a scalar graph: nodes that are made alike become one nest of loops.

Sums and products are written as sums of products first. Each node then has a *shape*: its operation and the
shapes of its operands. Nodes of one shape form a `Nest`; within it they are numbered by the numbers of their
operands, which lays layers and batches out contiguously, in whatever order they were written. Leaves and
constants are numbered at their first use, so that a weight matrix lies in order. Addresses that advance by
constant strides (`affine`) are loops over dimensions; others are looked up in a table.

A sum is added up term by term, terms of one shape together, in the order of their operands' numbers.

What does not live here: the languages that nests are printed in (`nests_numpy.py`, `c.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_lite import primitives as table
from autograd_lite.collector import collector_paused
from autograd_lite.program.graph import Graph, Op
from autograd_lite.program.trace import lowered

X, W, C = 0, 1, 2  # spaces: arguments, leaves, constants; a nest's results are the space 3 + its place
NESTS = 3

_LINEAR = {table.add, table.sub, table.neg, table.sum, table.dot, table.mul}
_SUMS = {table.add, table.sub, table.neg, table.sum}


@dataclass
class Slot:
    """Where an operand is found: node n (and term t) of a nest takes ``space[index[n, t]]``."""

    space: int
    index: Any  # an array of the numbers of nodes by the number of terms


@dataclass
class Run:
    """Terms of one shape: for each node and each term a coefficient times some factors."""

    coefficient: Any  # like an index; None where all are 1
    factors: list[Slot]
    terms: int


@dataclass
class Nest:
    """``size`` nodes of one shape: sums of products in ``runs``, or an operation on ``operands``."""

    op: Op | None
    size: int
    name: str
    runs: list[Run] = field(default_factory=list)
    operands: list[Slot] = field(default_factory=list)
    varies: bool = False  # from sample to sample

    def slots(self) -> Iterable[Slot]:
        """All operands."""
        yield from self.operands
        for run in self.runs:
            yield from run.factors


@dataclass
class Lifted:
    """A program as nests, in an order that can be run."""

    nests: list[Nest]
    leaves: Any  # of the leaves in the order of their numbers: which they are
    constants: Any
    outputs: list[tuple[int, int]]  # space and number

    def varies(self, space: int) -> bool:
        """Whether what is in a space differs from sample to sample."""
        return space == X or (space >= NESTS and self.nests[space - NESTS].varies)


def affine(index: Any, numpy: Any) -> tuple[list[int], list[list[int]]] | None:
    """Extents and strides with which rows of addresses advance together; None if one has more than 4 loops.

    `index` holds a row per operand. The extents are those of a nest of loops, outermost first, that walks
    through the columns in order; the strides are given for each operand.

    >>> import numpy
    >>> affine(numpy.array([[0, 0, 5, 5], [1, 2, 1, 2]]), numpy)
    ([2, 2], [[5, 0], [0, 1]])
    """
    extents: list[int] = []
    strides: list[Any] = []
    rest = index
    while rest.shape[1] > 1:
        step = rest[:, 1] - rest[:, 0]
        breaks = (rest[:, 1:] - rest[:, :-1] != step[:, None]).any(axis=0)
        inner = int(breaks.argmax()) + 1 if breaks.any() else rest.shape[1]
        if rest.shape[1] % inner or len(extents) == 4:
            return None
        blocks = rest.reshape(len(rest), -1, inner)
        if (blocks - blocks[:, :, :1] != (numpy.arange(inner) * step[:, None])[:, None, :]).any():
            return None
        extents.insert(0, inner)
        strides.insert(0, step)
        rest = blocks[:, :, 0]
    return extents, [[int(step[k]) for step in strides] for k in range(len(index))]


class _Lift:
    def __init__(self, graph: Graph, outputs: Sequence[int], numpy: Any) -> None:
        self.graph, self.outputs, self.np = graph, list(outputs), numpy
        self.live = graph.live(self.outputs)
        self.shapes: dict[Any, int] = {"argument": X, "leaf": W, "constant": C}
        self.shape: dict[int, int] = {}
        self.depth = [0, 0, 0]
        self.members: list[list[int]] = [[], [], []]  # of each shape
        self.made: list[Any] = [None, None, None]  # of each shape: its op, or the shapes of its terms
        self.terms: dict[int, dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]]] = {}

    def absorbed(self) -> bytearray:
        """For each node, whether it is written out within the only one that uses it."""
        graph, ops = self.graph, self.graph.ops
        uses = [0] * len(graph)
        user = [0] * len(graph)
        for i in self.live:
            for k in graph.operands[i]:
                uses[k] += 1
                user[k] = i
        for i in self.outputs:
            uses[i] = 2
        flags = bytearray(len(graph))  # 1: as terms of a sum, 2: as factors of a product
        for i in reversed(self.live):
            op = ops[i]
            if uses[i] == 1 and op in _LINEAR:
                by = ops[user[i]]
                if by is table.mul or (by is table.neg and flags[user[i]] == 2):
                    flags[i] = 2 if op is table.mul or op is table.neg else 0
                elif by in _SUMS:
                    flags[i] = 1
        return flags

    def expanded(self, i: int, inside: bytearray) -> list[tuple[float, tuple[int, ...]]]:
        """A node as a sum of products: coefficients and factors."""
        ops, operands, numbers = self.graph.ops, self.graph.operands, self.graph.numbers
        terms: list[tuple[float, tuple[int, ...]]] = []
        stack = [(i, 1.0)]
        while stack:
            k, coefficient = stack.pop()
            op = ops[k]
            if op == "constant":
                terms.append((coefficient * numbers[k], ()))
            elif k != i and not inside[k]:
                terms.append((coefficient, (k,)))
            elif op in (table.add, table.sum):
                stack += [(x, coefficient) for x in reversed(operands[k])]
            elif op is table.sub:
                x, y = operands[k]
                stack += [(y, -coefficient), (x, coefficient)]
            elif op is table.neg:
                stack.append((operands[k][0], -coefficient))
            elif op is table.dot:
                n = len(operands[k]) // 2
                stack += [(x, coefficient) for x in operands[k][2 * n :]]
                terms += [
                    self.product((w, x), coefficient, inside)
                    for w, x in zip(operands[k][:n], operands[k][n : 2 * n], strict=True)
                ]
            else:
                terms.append(self.product(operands[k], coefficient, inside))
        return terms

    def product(
        self, factors: Iterable[int], coefficient: float, inside: bytearray
    ) -> tuple[float, tuple[int, ...]]:
        ops, operands = self.graph.ops, self.graph.operands
        found: list[int] = []
        stack = [*factors]
        while stack:
            k = stack.pop()
            op = ops[k]
            if op == "constant":
                coefficient *= self.graph.numbers[k]
            elif inside[k] and op is table.mul:
                stack += operands[k]
            elif inside[k] and op is table.neg:
                coefficient = -coefficient
                stack += operands[k]
            else:
                found.append(k)
        return coefficient, tuple(sorted(found, key=lambda k: (self.shape[k], k)))

    def intern(self, key: Any, depth: int) -> int:
        shape = self.shapes.setdefault(key, len(self.shapes))
        if shape == len(self.depth):
            self.depth.append(depth)
            self.members.append([])
            self.made.append(key)
        return shape

    def classify(self) -> None:
        graph, shape = self.graph, self.shape
        inside = self.absorbed()
        for i in self.live:
            op = graph.ops[i]
            if op in ("argument", "leaf", "constant"):
                shape[i] = self.shapes[op]
            elif inside[i]:
                continue
            elif op in _LINEAR:
                kinds: dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]] = {}
                for term in self.expanded(i, inside):
                    kinds.setdefault(tuple([shape[k] for k in term[1]]), []).append(term)
                if () in kinds:
                    total = sum(coefficient for coefficient, _ in kinds.pop(()))
                    kinds[()] = [(total, ())]
                key: Any = ("sum", tuple(sorted((kind, len(terms)) for kind, terms in kinds.items())))
                depth = 1 + max([self.depth[s] for kind in kinds for s in kind], default=0)
                shape[i] = self.intern(key, depth)
                self.terms[i] = kinds
            else:
                key = (op, tuple([shape[k] for k in graph.operands[i]]))
                shape[i] = self.intern(key, 1 + max(self.depth[s] for s in key[1]))
            self.members[shape[i]].append(i)

    def run(self) -> Lifted:
        np, graph = self.np, self.graph
        self.classify()
        number = np.full(len(graph), -1, dtype=np.int64)
        for i in self.members[X]:
            number[i] = graph.numbers[i]
        counted = [0, 0, 0]
        space = {X: X, W: W, C: C}
        nests: list[Nest] = []
        for s in sorted(range(3, len(self.depth)), key=lambda s: (self.depth[s], s)):
            members, key = self.members[s], self.made[s]
            blocks: list[tuple[Any, Any, tuple[int, ...]]] = []  # coefficients, nodes (n, t, factor), shapes
            if key[0] == "sum":
                for kind, t in key[1]:
                    rows = [self.terms[i][kind] for i in members]
                    coefficients = np.array([[c for c, _ in row] for row in rows], dtype=float)
                    nodes = np.array([[f for _, f in row] for row in rows], dtype=np.int64).reshape(
                        len(members), t, len(kind)
                    )
                    blocks.append((coefficients, nodes, kind))
            else:
                nodes = np.array([graph.operands[i] for i in members], dtype=np.int64)[:, None, :]
                blocks.append((None, nodes, key[1]))
            if key[0] == "sum":
                blocks = [self.sorted_terms(number, *block) for block in blocks]
            order = self.order(number, blocks)
            blocks = [(None if c is None else c[order], nodes[order], kind) for c, nodes, kind in blocks]
            number[np.array(members)[order]] = np.arange(len(members))
            for _, nodes, kind in blocks:
                for f, k in enumerate(kind):
                    if k in (W, C):
                        flat = nodes[:, :, f].ravel()
                        new = flat[number[flat] < 0]
                        if len(new):
                            _, first = np.unique(new, return_index=True)
                            fresh = new[np.sort(first)]
                            number[fresh] = counted[k] + np.arange(len(fresh))
                            counted[k] += len(fresh)
            nest = Nest(None if key[0] == "sum" else key[0], len(members), self.name(members))
            for c, nodes, kind in blocks:
                slots = [Slot(space[k], number[nodes[:, :, f]]) for f, k in enumerate(kind)]
                if c is None:
                    nest.operands = slots
                else:
                    nest.runs.append(Run(None if (c == 1.0).all() else c, slots, c.shape[1]))
            nest.varies = any(
                slot.space == X or (slot.space >= NESTS and nests[slot.space - NESTS].varies)
                for slot in nest.slots()
            )
            space[s] = NESTS + len(nests)
            nests.append(nest)
        for i in self.outputs:  # an output may be a leaf or a constant itself
            s = self.shape[i]
            if s in (W, C) and number[i] < 0:
                number[i] = counted[s]
                counted[s] += 1
        leaves = np.zeros(counted[W], dtype=np.int64)
        for i in self.members[W]:
            if number[i] >= 0:
                leaves[number[i]] = graph.numbers[i]
        constants = np.zeros(counted[C])
        for i in self.members[C]:
            if number[i] >= 0:
                constants[number[i]] = graph.numbers[i]
        outputs = [(space[self.shape[i]], int(number[i])) for i in self.outputs]
        return Lifted(nests, leaves, constants, outputs)

    def sorted_terms(
        self, number: Any, c: Any, nodes: Any, kind: tuple[int, ...]
    ) -> tuple[Any, Any, tuple[int, ...]]:
        np = self.np
        if nodes.shape[1] > 1 and kind:
            keys = [number[nodes[:, :, f]] for f in reversed(range(len(kind))) if kind[f] != W] or [
                number[nodes[:, :, 0]]
            ]
            order = np.lexsort(keys, axis=1)
            c = np.take_along_axis(c, order, axis=1)
            nodes = np.take_along_axis(nodes, order[:, :, None], axis=1)
        return c, nodes, kind

    def order(self, number: Any, blocks: list[Any]) -> Any:
        keys = [number[nodes[:, 0, f]] for _, nodes, kind in blocks for f in range(len(kind))]
        return self.np.lexsort(keys[::-1]) if keys else self.np.arange(len(blocks[0][1]))

    def name(self, members: list[int]) -> str:
        graph = self.graph
        i = members[0]
        if i in graph.labels:
            return graph.labels[i]
        of = graph.adjoints.get(i)
        op = graph.ops[i]
        origin = graph.origins.get(i) or (op if isinstance(op, str) else op.name)
        return f"d_{origin}" if of is not None else origin


def lift(graph: Graph, outputs: Sequence[int], target: str, numpy: Any) -> Lifted:
    """The loops of a program, in the operations of a target."""
    with collector_paused():
        low, out = lowered(graph, list(outputs), target, keep={table.sum, table.dot})
        return _Lift(low, out, numpy).run()


def shown(lifted: Lifted, numpy: Any) -> str:
    """The nests as nested loops in a notation that is read, not run."""
    spaces = ["x", "w", "c", *[f"{nest.name}{k}" for k, nest in enumerate(lifted.nests)]]
    lines = []
    for k, nest in enumerate(lifted.nests):
        slots = list(nest.slots())
        first = (
            numpy.stack([slot.index[:, 0] for slot in slots]) if slots else numpy.zeros((1, nest.size), int)
        )
        found = affine(first, numpy)
        extents = [nest.size] if found is None else found[0]
        letters = [f"i{d}" for d in range(len(extents))]
        indent = ""
        for letter, extent in zip(letters, extents, strict=True):
            if extent > 1:
                lines.append(f"{indent}for {letter} in range({extent}):")
                indent += "    "
        at = iter(range(len(slots)))

        def where(
            slot: Slot,
            terms: int,
            at: Any = at,
            first: Any = first,
            found: Any = found,
            letters: Any = letters,
        ) -> str:
            j = next(at)
            start = int(first[j, 0])
            moves = [] if found is None else [(s, i) for s, i in zip(found[1][j], letters, strict=True) if s]
            parts = [f"{s} * {i}" if s != 1 else i for s, i in moves]
            if found is None:
                parts = ["index[i0]"]
            if terms > 1:
                steps = affine((slot.index[:1] - slot.index[0, 0]), numpy)
                if (
                    steps is None
                    or (slot.index - slot.index[:, :1] != slot.index[0] - slot.index[0, 0]).any()
                ):
                    parts.append("index[i0, t]")
                else:
                    (_, (strides,)) = steps
                    parts += [f"{s} * t" if s != 1 else "t" for s in strides if s]
            if start or not parts:
                parts.insert(0, str(start))
            return f"{spaces[slot.space]}[{' + '.join(parts)}]"

        address: list[str] = []
        step = 1
        for letter, extent in reversed(list(zip(letters, extents, strict=True))):
            address.insert(0, letter if step == 1 else f"{step} * {letter}")
            step *= extent
        target = f"{spaces[NESTS + k]}[{' + '.join(address) or 0}]"
        if nest.op is None:
            texts = []
            for run in nest.runs:
                factors = " * ".join(where(slot, run.terms) for slot in run.factors)
                if run.coefficient is not None:
                    c = run.coefficient
                    number = f"{float(c.flat[0])!r}" if (c == c.flat[0]).all() else "c"
                    factors = f"{number} * {factors}".removesuffix(" * ")
                texts.append(
                    f"sum({factors} for t in range({run.terms}))" if run.terms > 1 else factors or "1.0"
                )
            lines.append(f"{indent}{target} = {' + '.join(texts)}")
        else:
            name = nest.op if isinstance(nest.op, str) else nest.op.name
            lines.append(f"{indent}{target} = {name}({', '.join(where(slot, 1) for slot in nest.operands)})")
    return "\n".join(lines)
