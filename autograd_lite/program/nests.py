"""Nests run by NumPy: matrix products and whole-array functions, built once for a program.

Results of a nest are an array with a row per node and, if they vary, a column per sample. What does not live
here: where the nests come from (`loops.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autograd_lite.primitives import Primitive
from autograd_lite.program.arrays import ARRAY, functions
from autograd_lite.program.code import called
from autograd_lite.program.graph import CONDITIONS
from autograd_lite.program.loops import NESTS, Lifted, Nest, Run, Slot, X, affine, in_turn
from autograd_lite.program.samples import Recorded

BLOCK = 1024  # samples: some dozen rows of so many doubles fit a cache of the second level

Step = Callable[[list[Any]], Any]


def _taken(index: Any, numpy: Any) -> Any:
    """What takes the rows of an index: a slice where they follow each other."""
    if len(index) == 1 or (index == index[0]).all():
        return slice(int(index[0]), int(index[0]) + 1)
    step = int(index[1] - index[0])
    if step > 0 and (numpy.diff(index) == step).all():
        return slice(int(index[0]), int(index[-1]) + 1, step)
    return index


class Kernel:
    """The sums over samples of a lifted program: called with a column per argument, and the leaves."""

    def __init__(self, found: Lifted | Recorded, numpy: Any) -> None:
        self.np, self.recorded = numpy, found if isinstance(found, Recorded) else None
        self.lifted = lifted = found if isinstance(found, Lifted) else found.lifted
        # Once a block as large as this is freed, C's allocator keeps memory for the arrays of the next call,
        # which it would else return to the system and fetch anew: 7 ms instead of 2 for 10,000 samples.
        numpy.empty(2**21)
        rows = [nest.op for nest in lifted.nests if nest.op is not None]
        names = {name for op in rows for name in called(ARRAY.template(op))}
        opaque = {op.name: op for op in rows if isinstance(op, Primitive) and "array" not in op.source}
        self.bound = functions(numpy, names, opaque)
        used: set[int] = set()
        summed = {space - NESTS for space, _ in lifted.outputs}
        for nest in lifted.nests:
            (summed if nest.after else used).update([slot.space - NESTS for slot in nest.reads()])
        used |= {space - NESTS for space, _ in lifted.each}
        self.functions: dict[str, Any] = {}
        self.steps: list[Step] = []
        self.after: list[tuple[int, Step]] = []
        self.totals: list[tuple[int, Step]] = []
        for k, nest in enumerate(lifted.nests):
            if k in summed and nest.varies:
                self.totals.append((NESTS + k, self._total(k, nest, k in used)))
            if nest.after:
                self.after.append((NESTS + k, self._step(nest)))
        for group in in_turn(lifted.nests):
            nest = lifted.nests[group[0]]
            idle = nest.after or (nest.varies and group[0] not in used)
            if nest.steps:
                self.steps += self._by_steps(group)
            else:
                self.steps.append((lambda spaces: None) if idle else self._started(nest))
        self.parts = sorted({space for space, _ in lifted.outputs if space >= NESTS})
        starts, at = {}, 0
        for space in self.parts:
            starts[space] = at
            at += lifted.nests[space - NESTS].size
        self.plain = [(space, number) for space, number in lifted.outputs if space < NESTS]
        rest = iter(range(at, at + len(self.plain)))
        self.order = numpy.array(
            [starts[s] + number if s >= NESTS else next(rest) for s, number in lifted.outputs]
        )

    def samples(self, columns: list[Any]) -> Any:
        """The columns as `sums` takes them."""
        return self.np.stack(columns) if columns else self.np.zeros((0, 1))

    def __call__(self, columns: list[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """The sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), self.np.array(leaves)).tolist()
        return value, gradients

    def sums(self, samples: Any, leaves: Any) -> Any:
        """The sums of the outputs over the columns of `samples`, in blocks that stay in the cache."""
        np, lifted = self.np, self.lifted
        given = samples if self.recorded is None else self.recorded.rows(leaves).T
        times = given.shape[1] if self.recorded is None else 1
        leaves = leaves[lifted.leaves]
        added: list[Any] = []
        each = np.empty((given.shape[1], len(lifted.each)))
        with np.errstate(all="ignore"):
            for start in range(0, given.shape[1], BLOCK):
                block = given[:, start : start + BLOCK] if given.shape[1] > BLOCK else given
                spaces: list[Any] = [block, leaves, lifted.constants]
                for step in self.steps:
                    spaces.append(step(spaces))
                for k, (space, number) in enumerate(lifted.each):
                    each[start : start + BLOCK, k] = spaces[space][number]
                totals = [total(spaces).ravel() for _, total in self.totals]
                added = [a + b for a, b in zip(added, totals, strict=True)] if start else totals
            for (space, _), total in zip(self.totals, added, strict=True):
                spaces[space] = total
            for space, step in self.after:
                spaces[space] = step(spaces)
            found = [self._result(spaces, space, times) for space in self.parts]
            if self.plain:
                numbers = [given[k].sum() if s == X else spaces[s][k] * times for s, k in self.plain]
                found.append(np.array(numbers, dtype=float))
        out = np.concatenate(found)[self.order]
        return out if self.recorded is None else np.concatenate([out, each.ravel()])[self.recorded.order]

    def _result(self, spaces: list[Any], space: int, times: int) -> Any:
        return spaces[space] if times == 1 or self.lifted.varies(space) else spaces[space] * times

    # --- One nest

    def _operand(self, slot: Slot, varies: bool) -> Step:
        take, space = _taken(slot.index[:, 0], self.np), slot.space
        if varies and not self.lifted.varies(space):
            return lambda spaces: spaces[space][take][:, None]
        return lambda spaces: spaces[space][take]

    def _started(self, nest: Nest) -> Step:
        """A nest whose first results may be copied from others."""
        step = self._step(nest)
        if not nest.start:
            return step
        firsts = [self._operand(slot, nest.varies) for slot in nest.start]
        return lambda spaces: self.np.concatenate([*[first(spaces) for first in firsts], step(spaces)])

    def _by_steps(self, group: list[int]) -> list[Step]:
        """Nests that run together, step by step: each result has its array, the last one's step fills all."""
        np, nests = self.np, [self.lifted.nests[k] for k in group]
        steps = nests[0].steps
        parts: list[tuple[int, int, int, Step]] = []  # the space, the rows, and what they are set to
        for k, nest in zip(group, nests, strict=True):
            at = 0
            for slot in nest.start:
                parts.append((NESTS + k, at, at + len(slot.index), self._operand(slot, nest.varies)))
                at += len(slot.index)
        for t in range(steps):
            for k, nest in zip(group, nests, strict=True):
                n, at = nest.rows // steps, nest.size - nest.rows
                step = self._step(nest.part(t * n, (t + 1) * n))
                parts.append((NESTS + k, at + t * n, at + (t + 1) * n, step))

        def room(nest: Nest) -> Step:
            kind = bool if nest.op in CONDITIONS else float
            if nest.varies:
                return lambda spaces: np.empty((nest.size, spaces[X].shape[1]), kind)
            return lambda spaces: np.empty(nest.size, kind)

        *first, last = map(room, nests)

        def filled(spaces: list[Any]) -> Any:
            found = last(spaces)
            whole = [*spaces, found]
            for space, start, end, step in parts:
                whole[space][start:end] = step(whole)
            return found

        return [*first, filled]

    def _step(self, nest: Nest) -> Step:
        if nest.op is None:
            runs = [self._run(run, nest) for run in nest.runs]
            if len(runs) == 1:
                return runs[0]

            def added(spaces: list[Any]) -> Any:
                total = runs[0](spaces) + runs[1](spaces)
                for run in runs[2:]:
                    total = total + run(spaces)
                return total

            return self._whole(added, nest)
        operands = [self._operand(slot, nest.varies) for slot in nest.operands]
        letters = [f"a{k}" for k in range(len(operands))]
        template = ARRAY.template(nest.op)
        text = template.format(", ".join(letters)) if template.endswith("({})") else template.format(*letters)
        if text not in self.functions:
            self.functions[text] = eval(f"lambda {', '.join(letters)}: {text}", self.bound)
        function = self.functions[text]
        if len(operands) == 2:
            x, y = operands
            return self._whole(lambda spaces: function(x(spaces), y(spaces)), nest)
        return self._whole(lambda spaces: function(*[x(spaces) for x in operands]), nest)

    def _whole(self, step: Step, nest: Nest) -> Step:
        """A step whose result has a row for each node, and a column for each sample if it varies."""
        np, n = self.np, nest.rows
        if not nest.varies:
            return lambda spaces: np.broadcast_to(step(spaces), (n,))

        def full(spaces: list[Any]) -> Any:
            found = step(spaces)
            shape = (n, spaces[X].shape[1])
            return found if found.shape == shape else np.broadcast_to(found, shape)

        return full

    def _run(self, run: Run, nest: Nest) -> Step:
        np = self.np
        constant = run.coefficient
        if not run.factors:
            number = np.ones(nest.rows) if constant is None else constant.sum(axis=1)
            column = number[:, None] if nest.varies else number
            return lambda spaces: column
        if run.terms == 1:
            operands = [self._operand(slot, nest.varies) for slot in run.factors]
            scale = None if constant is None else (constant if nest.varies else constant[:, 0])
            if scale is not None and (scale == scale.flat[0]).all():
                scale = float(scale.flat[0])

            def product(spaces: list[Any]) -> Any:
                found = operands[0](spaces)
                for x in operands[1:]:
                    found = found * x(spaces)
                return found if scale is None else found * scale

            return self._whole(product, nest)
        fixed = [slot for slot in run.factors if not self.lifted.varies(slot.space)]
        moving = [slot for slot in run.factors if self.lifted.varies(slot.space)]
        if nest.varies and len(moving) == 1 and (moving[0].index == moving[0].index[0]).all():
            take = _taken(moving[0].index[0], np)
            space = moving[0].space
            if (moving[0].index[0] == moving[0].index[0][0]).all() and run.terms > 1:
                take = moving[0].index[0]  # the same row again and again
            if not fixed:
                weights = np.ones((nest.rows, run.terms)) if constant is None else constant
                return lambda spaces: weights @ spaces[space][take]
            if len(fixed) == 1:
                get = self._matrix(fixed[0])
                if constant is None:
                    return lambda spaces: get(spaces) @ spaces[space][take]
                return lambda spaces: (get(spaces) * constant) @ spaces[space][take]
        # Term by term, or all at once where nothing varies.
        indices = [(slot.space, slot.index) for slot in run.factors]
        if not nest.varies:

            def at_once(spaces: list[Any]) -> Any:
                space, index = indices[0]
                found = spaces[space][index]
                for space, index in indices[1:]:
                    found = found * spaces[space][index]
                return (found if constant is None else found * constant).sum(axis=1)

            return at_once
        columns = [
            self._run(
                Run(
                    None if constant is None else constant[:, t : t + 1],
                    [Slot(slot.space, slot.index[:, t : t + 1]) for slot in run.factors],
                    1,
                ),
                nest,
            )
            for t in range(run.terms)
        ]

        def term_by_term(spaces: list[Any]) -> Any:
            found = columns[0](spaces) + columns[1](spaces)
            for column in columns[2:]:
                found += column(spaces)
            return found

        return term_by_term

    def _matrix(self, slot: Slot) -> Step:
        """A fixed operand as a matrix of nodes by terms: a view where its addresses advance by strides."""
        np, space, index = self.np, slot.space, slot.index
        if (index.ravel() == index[0, 0] + np.arange(index.size)).all():
            start, shape = int(index[0, 0]), index.shape
            return lambda spaces: spaces[space][start : start + shape[0] * shape[1]].reshape(shape)
        turned = index.T
        if (turned.ravel() == index[0, 0] + np.arange(index.size)).all():
            start, shape = int(index[0, 0]), turned.shape
            return lambda spaces: spaces[space][start : start + shape[0] * shape[1]].reshape(shape).T
        return lambda spaces: spaces[space][index]

    # --- Sums over samples

    def _total(self, k: int, nest: Nest, stored: bool) -> Step:
        np = self.np
        if not stored and nest.op is None and len(nest.runs) == 1:
            run = nest.runs[0]
            moving = [slot for slot in run.factors if self.lifted.varies(slot.space)]
            if run.terms == 1 and len(run.factors) == 2 and len(moving) == 2:
                found = affine(np.stack([slot.index[:, 0] for slot in moving]), np)
                if found is not None and len(found[0]) == 2:
                    (n1, n2), (first, second) = found
                    if first[1] == 0 and second[0] == 0:
                        return self._outer(run, moving[0], moving[1], n1, n2)
                    if first[0] == 0 and second[1] == 0:
                        return self._outer(run, moving[1], moving[0], n1, n2)
        if stored:
            return lambda spaces: spaces[NESTS + k].sum(axis=1)
        step = self._step(nest)
        return lambda spaces: step(spaces).sum(axis=1)

    def _outer(self, run: Run, rows: Slot, columns: Slot, n1: int, n2: int) -> Step:
        """Σ over samples of rows[i] · columns[j]: a matrix product."""
        np = self.np
        take1 = _taken(rows.index[::n2, 0], np)
        take2 = _taken(columns.index[:n2, 0], np)
        a, b = rows.space, columns.space
        if run.coefficient is None:
            return lambda spaces: spaces[a][take1] @ spaces[b][take2].T
        scale = run.coefficient.reshape(n1, n2)
        return lambda spaces: (spaces[a][take1] @ spaces[b][take2].T) * scale
