"""Repeated blocks of nests, the steps of a chain or of a recurrent cell, as loops over the steps.

The list of nests is searched for periods: blocks that follow each other and are made alike, each reading
what the block before it made, or what moves with the steps. Nest j of all such blocks becomes one nest, with
its results one step after the other. What no step hands on to the next needs no order: it is a nest like
others, over all steps. The rest runs step by step (`Nest.steps`).

What does not live here: where the nests come from (`lift.py`), what they look like (`loops.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from autograd_lite.collector import collector_paused
from autograd_lite.program.graph import CONDITIONS
from autograd_lite.program.loops import NESTS, Lifted, Nest, Run, Slot, W

LONGEST = 256  # nests in a block
FEWEST = 4  # blocks that are worth a loop


def rolled(lifted: Lifted, np: Any) -> Lifted:
    """The same program, with repeated blocks of nests as loops."""
    if len(lifted.nests) < 2 * FEWEST:
        return lifted
    with collector_paused():
        return _Rolls(lifted, np).run()


class _Rolls:
    def __init__(self, lifted: Lifted, np: Any) -> None:
        self.lifted, self.np = lifted, np
        self.old = lifted.nests
        self.slots = [[*nest.slots()] for nest in self.old]
        self.reads = [[slot.space - NESTS for slot in slots] for slots in self.slots]
        self.new: list[Nest] = []
        self.home: list[tuple[int, int]] = []  # of each old nest: the new one, and its first row there
        self.seen: list[tuple[int, int]] = []  # the same, for those who read it later
        self.rolls = 0

    def run(self) -> Lifted:
        old, k = self.old, 0
        covers = self.covers()
        while k < len(old):
            period, steps = self.block(k, covers)
            if steps and self.roll(k, period, steps):
                k += period * steps
                continue
            self.home.append((len(self.new), 0))
            self.seen.append((len(self.new), 0))
            self.new.append(self.merged(old[k], [self.moved(slot) for slot in self.slots[k]]))
            k += 1
        return replace(
            self.lifted,
            nests=self.new,
            outputs=[self.end(*end) for end in self.lifted.outputs],
            each=[self.end(*end) for end in self.lifted.each],
        )

    def end(self, space: int, number: int) -> tuple[int, int]:
        """Where an output is."""
        if space < NESTS:
            return space, number
        nest, row = self.home[space - NESTS]
        return NESTS + nest, row + number

    # --- Where blocks repeat

    def covers(self) -> Any:
        """For each period and each nest, how many nests from it on may be blocks of that period, at most."""
        np = self.np
        known: dict[Any, int] = {}
        # What comes after the samples is left as it is.
        signs = [(k,) if nest.after else _signature(nest) for k, nest in enumerate(self.old)]
        ids = np.array([known.setdefault(sign, len(known)) for sign in signs])
        n = len(ids)
        rows = []
        for p in range(1, min(LONGEST, n // FEWEST) + 1):
            differs = np.ones(n, bool)
            differs[: n - p] = ids[:-p] != ids[p:]
            next_one = np.minimum.accumulate(np.where(differs, np.arange(n), n)[::-1])[::-1]
            steps = (next_one - np.arange(n)) // p + 1
            rows.append(np.where(steps >= FEWEST, steps * p, 0).astype(np.int32))
        return np.stack(rows)

    def block(self, k: int, covers: Any) -> tuple[int, int]:
        """The period of the blocks that begin with nest k, and how many there are; 0 if there are none."""
        column = covers[:, k]
        most = int(column.max())
        best = (0, 0)
        if most:
            for p in (self.np.flatnonzero(column * 4 >= most * 3) + 1).tolist():
                steps = self.repeats(k, p, int(column[p - 1]) // p)
                if steps * p * 4 >= most * 3:
                    return p, steps
                if steps >= FEWEST and steps * p > best[0] * best[1]:
                    best = p, steps
        return best

    def repeats(self, k: int, p: int, steps: int) -> int:
        """How many blocks from nest k on read alike."""
        for i in range(k, k + p * (steps - 1)):
            for a, b in zip(self.reads[i], self.reads[i + p], strict=True):
                if b < 0 or (b - a == p and b >= k):
                    continue
                # What stands before the blocks: one nest, or one row of such. Or it is what the first step
                # starts from, where those of the other steps are in the blocks.
                if a >= k or b >= k or (self.seen[a][0] != self.seen[b][0] and b - a != p):
                    return (i - k) // p + 1
        return steps

    # --- One loop

    def roll(self, k: int, p: int, steps: int) -> bool:
        """Write p nests for `steps` blocks of as many; False if a step starts from what is no such nest."""
        np, old = self.np, self.old
        size = [nest.size for nest in old[k : k + p]]
        last = k + (steps - 1) * p
        # What nest j reads within the blocks: nest i of so many steps before.
        inner: list[list[tuple[int, int] | None]] = []
        before = [0] * p
        for j in range(p):
            inner.append([])
            for read in self.reads[last + j]:
                if read < k:
                    inner[j].append(None)
                    continue
                lag, i = steps - 1 - (read - k) // p, (read - k) % p
                inner[j].append((i, lag))
                before[i] = max(before[i], lag)
        for j, lag in enumerate(before):
            for b in range(1, lag + 1):
                first = k + j - b * p
                if first < 0 or old[first].size != size[j] or old[first].varies != old[k + j].varies:
                    return False
                if old[k + j].op in CONDITIONS:  # which are no results
                    return False
        for j in range(p):  # where all steps but the first read within the blocks, they do so alike
            for s, found in enumerate(inner[j]):
                reads = [self.reads[k + t * p + j][s] for t in range(steps)]
                if found is None:
                    if len({self.seen[r][0] for r in reads if r >= 0}) > 1:
                        return False
                elif any(r != k + (t - found[1]) * p + found[0] for t, r in enumerate(reads)):
                    return False

        place: dict[int, int] = {}
        order = [*_components(p, inner)]
        for j in [j for part in order for j in part]:
            place[j] = len(self.new) + len(place)
        start = [before[j] * size[j] for j in range(p)]
        for part in order:
            ordered = len(part) > 1 or any(found and found[0] == part[0] for found in inner[part[0]])
            self.rolls += ordered
            for j in part:
                slots = []
                for s in range(len(inner[j])):
                    found, each = inner[j][s], []
                    for t in range(steps):
                        slot = self.slots[k + t * p + j][s]
                        if found is None:
                            each.append(self.moved(slot))
                        else:
                            i, lag = found
                            row = start[i] + (t - lag) * size[i]
                            each.append(Slot(NESTS + place[i], slot.index + row))
                    slots.append(Slot(each[0].space, np.concatenate([slot.index for slot in each])))
                runs = [
                    Run(
                        None
                        if all(nest.runs[r].coefficient is None for nest in old[k + j : last + j + 1 : p])
                        else np.concatenate(
                            [
                                _coefficients(nest.runs[r], nest.size, np)
                                for nest in old[k + j : last + j + 1 : p]
                            ]
                        ),
                        run.factors,
                        run.terms,
                    )
                    for r, run in enumerate(old[k + j].runs)
                ]
                whole = self.merged(replace(old[k + p + j], runs=runs), slots)
                firsts = range(k + j - before[j] * p, k + j, p)
                whole.start = [
                    Slot(NESTS + self.seen[q][0], self.seen[q][1] + np.arange(size[j])[:, None])
                    for q in firsts
                ]
                whole.size = start[j] + steps * size[j]
                if ordered:
                    whole.steps, whole.roll = steps, self.rolls
                self.new.append(whole)
        for j, lag in enumerate(before):
            for b in range(1, lag + 1):
                self.seen[k + j - b * p] = (place[j], start[j] - b * size[j])
        for t in range(steps):
            for j in range(p):
                at = (place[j], start[j] + t * size[j])
                self.home.append(at)
                self.seen.append(at)
        return True

    def moved(self, slot: Slot) -> Slot:
        """An operand in the new nests."""
        if slot.space < NESTS:
            return slot
        nest, row = self.seen[slot.space - NESTS]
        return Slot(NESTS + nest, slot.index + row)

    def merged(self, nest: Nest, slots: list[Slot]) -> Nest:
        """A nest with other operands; terms that came from several nests, now in one, are one run."""
        if nest.op is not None:
            return replace(nest, operands=slots)
        kinds: dict[tuple[int, ...], list[Run]] = {}
        at = iter(slots)
        for run in nest.runs:
            factors = sorted([next(at) for _ in run.factors], key=lambda slot: slot.space)
            kinds.setdefault(tuple([slot.space for slot in factors]), []).append(
                Run(run.coefficient, factors, run.terms)
            )
        return replace(nest, runs=[self.one(runs) for _, runs in sorted(kinds.items())])

    def one(self, runs: list[Run]) -> Run:
        """Runs of one kind as one, its terms in the order of their operands' numbers."""
        np = self.np
        if len(runs) == 1:
            return runs[0]
        n = len(runs[0].factors[0].index)
        coefficient = None
        if any(run.coefficient is not None for run in runs):
            coefficient = np.concatenate([_coefficients(run, n, np) for run in runs], axis=1)
        factors = [
            Slot(slot.space, np.concatenate([run.factors[f].index for run in runs], axis=1))
            for f, slot in enumerate(runs[0].factors)
        ]
        keys = [slot.index for slot in reversed(factors) if slot.space != W] or [factors[0].index]
        order = np.lexsort(keys, axis=1)
        if coefficient is not None:
            coefficient = np.take_along_axis(coefficient, order, axis=1)
        factors = [Slot(slot.space, np.take_along_axis(slot.index, order, axis=1)) for slot in factors]
        return Run(coefficient, factors, sum(run.terms for run in runs))


def _signature(nest: Nest) -> Any:
    return (
        nest.op,
        nest.size,
        nest.varies,
        tuple([(min(slot.space, NESTS), slot.index.shape[1]) for slot in nest.slots()]),
        tuple([(len(run.factors), run.terms) for run in nest.runs]),
    )


def _coefficients(run: Run, n: int, np: Any) -> Any:
    return np.ones((n, run.terms)) if run.coefficient is None else run.coefficient


def _components(p: int, inner: list[list[tuple[int, int] | None]]) -> Iterator[list[int]]:
    """The nests that hand on to each other from step to step, in an order that can be run."""
    reads = [{found[0] for found in each if found} for each in inner]
    reach = [sum(1 << i for i in each) for each in reads]  # what a nest reads, at last: bits
    for k in range(p):
        for j in range(p):
            if reach[j] >> k & 1:
                reach[j] |= reach[k]
    left = [*range(p)]
    while left:
        part = next(
            part
            for j in left
            for part in [[i for i in left if i == j or (reach[i] >> j & 1 and reach[j] >> i & 1)]]
            if not any(reach[i] >> other & 1 for i in part for other in left if other not in part)
        )
        yield part
        left = [j for j in left if j not in part]
