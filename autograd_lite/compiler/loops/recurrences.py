"""Loops for long recurrences of few numbers: the steps of an integrator, written out, become one loop again.

Congruence classes (`grouping.py`) find nothing to share in a chain: each state is computed from the state
before, so every node is a class of its own, and lowering a class takes 0.3 ms. Here whole stretches of the
list of operations are laid side by side instead. A stretch consists of blocks of operations that read alike:
each operand comes from the same place of an earlier block, or from one nest outside. Operation j of all
blocks becomes one nest, with a row for each step. `reroll.py` does the same for nests of many nodes.

It buys: the first call of a recorded Runge-Kutta integration of 1,000 steps of x' = -a x takes 0.3 s, not
12 s. Differentiating and lowering it for machine code takes half a second of processor time, without gcc.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from autograd_lite.compiler.ir.graph import CONDITIONS, LINEAR, Graph
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    NESTS,
    PARAMETER,
    Access,
    LoopNest,
    LoopProgram,
    ProductTerms,
)
from autograd_lite.compiler.loops.reroll import FEWEST, components
from autograd_lite.core import rules as table

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Integers = NDArray[numpy.int64]

LONG = 1_000  # operations: shorter graphs are lowered class by class in less than half a second
WIDE = 8  # operations at one depth: a graph of more has classes of several nodes
NEAR = 32  # operations: alike blocks read results nearer than this at the same distance
PERIODS = 4  # distances that are tried for sequences of one length
LONGEST_PERIOD = 2_000  # operations in a block
LAYERS = 3  # of operations before and after the steps
MOST_NESTS = 2_000
_SPACES = {"argument": ARGUMENT, "leaf": PARAMETER, "constant": CONSTANT}


def is_chain(operands: Iterable[Sequence[int]]) -> bool:
    """Return whether a graph is a long chain: few of its operations could run at the same time.

    `operands` are those of each node in topological order; negative ones are constants.
    """
    depth: list[int] = []
    operations = 0
    for own in operands:
        operations += bool(own)
        depth.append(1 + max([depth[k] for k in own if k >= 0], default=0) if own else 0)
    return operations > LONG and operations < WIDE * max(depth)


def lower_recurrence(graph: Graph, outputs: Sequence[int], leaves: int, np: Any) -> LoopProgram | None:
    """Return the loops of a graph that repeats itself step by step; None if too little of it does."""
    return _Recurrence(graph, outputs, np).lower(leaves)


@dataclass
class _Stretch:
    """`steps` blocks of `period` operations from position `first` on.

    ``inner[j][s]`` says of operand s of operation j which operation of the blocks it is, and how many steps
    before; None if it comes from outside.
    """

    first: int
    period: int
    steps: int
    inner: list[list[tuple[int, int] | None]]

    def before(self) -> list[int]:
        """Return for each operation how many steps before the first are read."""
        lags = [0] * self.period
        for found in chain.from_iterable(self.inner):
            if found is not None:
                lags[found[0]] = max(lags[found[0]], found[1])
        return lags


class _Recurrence:
    """The operations that the outputs need, by position in their list; inputs have the position -1."""

    def __init__(self, graph: Graph, outputs: Sequence[int], np: Any) -> None:
        self.graph, self.outputs, self.np = graph, outputs, np
        live = graph.live(outputs)
        n = len(graph)
        self.ahead, operations, self.behind = self.layers(live)
        self.order: Integers = np.array(operations, dtype=np.int64)
        self.position: Integers = np.full(n, -1)
        self.position[self.order] = np.arange(len(operations))
        self.count: Integers = np.array([len(graph.operands[i]) for i in operations], dtype=np.int64)
        self.start: Integers = np.cumsum(self.count) - self.count
        self.operand: Integers = np.fromiter(
            chain.from_iterable([graph.operands[i] for i in operations]), np.int64, int(self.count.sum())
        )
        self.varies: list[bool] = [False] * n
        self.space: Integers = np.full(n, -1)  # of each node, once that is known
        self.row: Integers = np.full(n, -1)
        self.constants: list[float] = []
        self.nests: list[LoopNest] = []
        self.rolls = 0
        for i in live:
            op = graph.ops[i]
            if isinstance(op, str) and op in _SPACES:
                self.varies[i] = op == "argument"
                self.space[i] = _SPACES[op]
                self.row[i] = len(self.constants) if op == "constant" else graph.numbers[i]
                if op == "constant":
                    self.constants.append(graph.constants[i])
            else:
                self.varies[i] = any(self.varies[k] for k in graph.operands[i])

    def layers(self, live: list[int]) -> tuple[list[list[int]], list[int], list[list[int]]]:
        """Divide operations into the first layers, those of the steps, and the last layers.

        Products of inputs with numbers that depend on the time are among the first, terms of sums over all
        steps among the last. They would break the blocks: nodes that are equal in two steps stand only once.
        """
        operands = self.graph.operands
        depth, height = dict.fromkeys(live, 0), dict.fromkeys(live, 0)
        for i in live:
            if operands[i]:
                depth[i] = 1 + max([depth[k] for k in operands[i]])
        for i in reversed(live):
            for k in operands[i]:
                height[k] = max(height[k], height[i] + 1)
        ahead: list[list[int]] = [[] for _ in range(LAYERS)]
        behind: list[list[int]] = [[] for _ in range(LAYERS)]
        steps = []
        for i in live:
            if not operands[i]:
                continue
            if depth[i] <= LAYERS:
                ahead[depth[i] - 1].append(i)
            elif height[i] < LAYERS:
                behind[LAYERS - 1 - height[i]].append(i)
            else:
                steps.append(i)
        return ahead, steps, behind

    def write_layer(self, layer: list[int]) -> None:
        """Write operations that do not read each other; those that read the same nests become one nest."""
        alike: dict[Any, list[int]] = {}
        for i in layer:
            spaces = [int(self.space[k]) for k in self.graph.operands[i]]
            alike.setdefault((self.graph.ops[i], self.varies[i], *spaces), []).append(i)
        for members in alike.values():
            operands = [
                Access(int(self.space[read[0]]), self.row[list(read)][:, None])
                for read in zip(*[self.graph.operands[i] for i in members], strict=True)
            ]
            self.space[members], self.row[members] = NESTS + len(self.nests), self.np.arange(len(members))
            self.nests.append(self.nest(members[0], len(members), operands))

    def lower(self, leaves: int) -> LoopProgram | None:
        """Write the nests: the first layers, the steps, the last layers."""
        for layer in self.ahead:
            self.write_layer(layer)
        if not self.write_steps():
            return None
        for layer in self.behind:
            self.write_layer(layer)
        ends = [(int(self.space[i]), int(self.row[i])) for i in self.outputs]
        constants = self.np.array(self.constants)
        return LoopProgram(self.nests, self.np.arange(leaves), constants, ends)

    def write_steps(self) -> bool:
        """Write stretches as loops, the rest one by one; return False if the rest is too long."""
        at, end = 0, len(self.order)
        for first, period, steps in _repeats(self.kinds(NEAR), self.kinds(1), self.np):
            if first < at:
                steps -= -(-(at - first) // period)
                first += -(-(at - first) // period) * period
            while steps >= FEWEST:
                if (stretch := self.stretch(first, period, steps, at)) is None:
                    break
                if not self.one_by_one(at, stretch.first):
                    return False
                self.roll(stretch)
                at = stretch.first + stretch.period * stretch.steps
                steps -= (at - first) // period
                first = at
        return self.one_by_one(at, end)

    # --- Where blocks repeat

    def kinds(self, near: int) -> Integers:
        """Return a number for each operation, equal for those that are made alike.

        They read from the same spaces, or at the same distance if it is less than `near` operations.
        """
        known: dict[Any, int] = {}
        space, position, graph = self.space.tolist(), self.position.tolist(), self.graph
        kinds = []
        for at, i in enumerate(self.order.tolist()):
            reads = []
            for k in graph.operands[i]:
                behind = at - position[k]
                reads.append(space[k] if space[k] >= 0 else -behind if behind < near else -near)
            kinds.append(known.setdefault((graph.ops[i], self.varies[i], *reads), len(known)))
        found: Integers = self.np.array(kinds, dtype=self.np.int64)
        return found

    def stretch(self, first: int, period: int, steps: int, at: int) -> _Stretch | None:
        """Return the longest run of these blocks that read alike, if it is long enough."""
        np = self.np
        while steps >= FEWEST:
            nodes = self.order[first : first + period * steps].reshape(steps, period)
            inner: list[list[tuple[int, int] | None]] = []
            good = np.ones(steps - 1, bool)  # whether a block reads as the next one does
            for j in range(period):
                inner.append([])
                for s in range(int(self.count[first + j])):
                    read = self.operand[self.start[self.position[nodes[:, j]]] + s]
                    position = self.position[read]
                    if position[-1] >= first:
                        behind = first + j + period * np.arange(steps) - position
                        good &= (behind[1:] == behind[:-1]) & (position[:-1] >= 0)
                        lag, i = divmod(int(behind[-1]) - j, period)
                        inner[j].append((-i % period, lag + (i > 0)))
                    else:
                        # Operands before the blocks are in nests, except those that are not written yet.
                        space = np.where(position >= at, NESTS + len(self.order) + position, self.space[read])
                        good &= space[1:] == space[:-1]
                        inner[j].append(None)
            if good.all():
                stretch = _Stretch(first, period, steps, inner)
                return stretch if self.starts(stretch) else None
            bounds = np.concatenate([[-1], np.flatnonzero(~good), [steps - 1]])
            longest = int(np.diff(bounds).argmax())
            first += period * (int(bounds[longest]) + 1)
            steps = int(bounds[longest + 1] - bounds[longest])
        return None

    def starts(self, stretch: _Stretch) -> bool:
        """Return whether the values that the first steps read can be copied to the front of the results."""
        for j, lag in enumerate(stretch.before()):
            own = int(self.order[stretch.first + j])
            for b in range(1, lag + 1):
                at = stretch.first + j - b * stretch.period
                if (
                    at < 0
                    or self.graph.ops[own] in CONDITIONS
                    or self.graph.ops[int(self.order[at])] in CONDITIONS
                ):
                    return False
                if self.varies[int(self.order[at])] != self.varies[own]:
                    return False
        return True

    # --- Nests

    def one_by_one(self, first: int, end: int) -> bool:
        """Write operations as nests of one node; return whether there is room for them."""
        if len(self.nests) + end - first > MOST_NESTS:
            return False
        for i in self.order[first:end].tolist():
            operands = [Access(int(self.space[k]), self.row[[[k]]]) for k in self.graph.operands[i]]
            self.space[i], self.row[i] = NESTS + len(self.nests), 0
            self.nests.append(self.nest(i, 1, operands))
        return True

    def roll(self, stretch: _Stretch) -> None:
        """Write the nests of a stretch; those that read each other's results run step by step."""
        np, first, period, steps = self.np, stretch.first, stretch.period, stretch.steps
        before = stretch.before()
        nodes = self.order[first : first + period * steps].reshape(steps, period)
        parts = components([[found[0] for found in own if found] for own in stretch.inner])
        place = {j: NESTS + len(self.nests) + k for k, j in enumerate(chain.from_iterable(parts))}
        for j in range(period):
            self.space[nodes[:, j]], self.row[nodes[:, j]] = place[j], before[j] + np.arange(steps)
        for part in parts:
            in_steps = len(part) > 1 or any(found and found[0] == part[0] for found in stretch.inner[part[0]])
            self.rolls += in_steps
            for j in part:
                operands = []
                for s, found in enumerate(stretch.inner[j]):
                    if found is None:
                        read = self.operand[self.start[self.position[nodes[:, j]]] + s]
                        operands.append(Access(int(self.space[read[0]]), self.row[read][:, None]))
                    else:
                        i, lag = found
                        rows = before[i] - lag + np.arange(steps)
                        operands.append(Access(place[i], rows[:, None]))
                nest = self.nest(int(nodes[0, j]), steps, operands)
                nest.size += before[j]
                for b in range(before[j], 0, -1):
                    start = self.order[first + j - b * period]
                    nest.start.append(Access(int(self.space[start]), self.row[[[start]]]))
                if in_steps:
                    nest.steps, nest.roll = steps, self.rolls
                self.nests.append(nest)

    def nest(self, i: int, size: int, operands: list[Access]) -> LoopNest:
        """Return the nest of nodes like node i."""
        op = self.graph.ops[i]
        name = op if isinstance(op, str) else op.name
        nest = LoopNest(None, size, name, varies=self.varies[i], written=True)
        if op not in LINEAR:
            nest.op, nest.operands, nest.written = op, operands, False
        elif op is table.mul:
            nest.products = [ProductTerms(None, operands, 1)]
        elif op is table.dot:
            half = len(operands) // 2
            pairs = [[x, w] for w, x in zip(operands[:half], operands[half:], strict=False)]
            nest.products = _terms([*pairs, *[[b] for b in operands[2 * half :]]], self.np)
        else:
            nest.products = _terms([[x] for x in operands], self.np)
            if op in (table.neg, table.sub):
                nest.products[-1].coefficient = self.np.full((size, 1), -1.0)
        return nest


def _periods(kinds: Integers, np: Any) -> set[int]:
    """Return the distances at which sequences of operations are most often followed by the same ones."""
    length, found = 1, set[int]()
    windows = np.random.default_rng(0).integers(1, 2**62, int(kinds.max()) + 1)[kinds]
    while 4 * length < len(kinds) and length < 2 * LONGEST_PERIOD:
        windows = windows[:-length] * 0x1E3779B97F4A7C15 + windows[length:]
        length *= 2
        order = np.argsort(windows, kind="stable")
        apart = np.diff(order)[windows[order][1:] == windows[order][:-1]]
        distances, often = np.unique(apart, return_counts=True)
        found |= {*distances[np.argsort(-often, kind="stable")[:PERIODS]].tolist()}
    return {period for period in found if period <= LONGEST_PERIOD}


def _repeats(kinds: Integers, wide: Integers, np: Any) -> list[tuple[int, int, int]]:
    """Return first position, period and number of blocks for each stretch of alike operations.

    Operations of equal `kinds` are alike. `wide` kinds ignore distances; they extend stretches at both ends.
    """
    n = len(kinds)
    if n < FEWEST:
        return []
    found = []
    for period in _periods(kinds, np):
        differs = np.flatnonzero(kinds[:-period] != kinds[period:])
        bounds = np.concatenate([[-1], differs, [n - period]])
        lengths = np.diff(bounds) - 1
        for k in np.flatnonzero(lengths >= (FEWEST - 1) * period).tolist():
            found.append((int(bounds[k]) + 1, int(bounds[k + 1]) + period, period))
    kept: list[tuple[int, int, int]] = []
    for first, end, period in sorted(
        found, key=lambda each: (-((each[1] - each[0]) // each[2] * each[2]), each[2])
    ):
        if all(first >= other_end or end <= other for other, other_end, _ in kept):
            kept.append((first, end, period))
    kept.sort()
    # Extend the stretches: their first blocks may read nearer operations than the later ones.
    blocks, before = [], 0
    for (first, end, period), (after, _, _) in zip(kept, [*kept[1:], (n, n, 0)], strict=True):
        differs = np.flatnonzero(wide[before : after - period] != wide[before + period : after]) + before
        k = int(np.searchsorted(differs, first))
        first = int(differs[k - 1]) + 1 if k else before
        end = int(differs[k]) + period if k < len(differs) else after
        blocks.append((first, period, (end - first) // period))
        before = end
    return blocks


def _terms(terms: list[list[Access]], np: Any) -> list[ProductTerms]:
    """Return terms of a sum; many terms with factors from the same spaces are put together."""
    if len(terms) <= FEWEST:
        return [ProductTerms(None, factors, 1) for factors in terms]
    kinds: dict[tuple[int, ...], list[list[Access]]] = {}
    for factors in terms:
        kinds.setdefault(tuple([x.space for x in factors]), []).append(factors)
    return [
        ProductTerms(
            None,
            [
                Access(space, np.concatenate([factors[f].index for factors in several], axis=1))
                for f, space in enumerate(spaces)
            ],
            len(several),
        )
        for spaces, several in kinds.items()
    ]
