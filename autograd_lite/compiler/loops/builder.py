"""`Builder` writes loop nests: it sorts their rows by the operands, and writes equal nodes once.

Rows in this order lay layers and batches out contiguously, in whatever order they were written. Leaves are
numbered at their first use, so that a weight matrix stands in order. Next door: `lowering.py` decides which
nests there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from autograd_lite.compiler.ir.graph import Op
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    NESTS,
    PARAMETER,
    SCATTER,
    Access,
    LoopNest,
    LoopProgram,
    ProductTerms,
    bits,
)
from autograd_lite.core import rules

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Integers = NDArray[numpy.int64]
    Floats = NDArray[numpy.float64]


class Vector(NamedTuple):
    """Numbers of a program: entries ``index`` of a space, in an array of any shape."""

    space: int
    index: Any  # integers; not typed as such, because it hides the method `index` of tuples


class Products(NamedTuple):
    """Terms of sums, a row for each sum: coefficients and factors, in arrays of one shape."""

    coefficients: Floats
    factors: list[Vector]
    counts: Integers | None = None  # of each sum, where they differ: how many terms count


class Builder:
    """The nests that are written so far; `operation`, `ordered` and `sums` add to them."""

    def __init__(self, leaves: int, np: Any) -> None:
        self.np = np
        self.nests: list[LoopNest] = []
        self.numbers: Floats = np.empty(64)  # the constants, with room for more
        self.leaf: Integers = np.full(leaves, -1, dtype=np.int64)  # the number of each leaf, once it has one
        self.leaves = 0
        self._numbers: dict[int, int] = {}
        self._known: dict[Any, int] = {}

    def constants(self, values: Floats) -> Vector:
        """Return numbers as entries of the space of constants."""
        np = self.np
        patterns, inverse = np.unique(bits(values), return_inverse=True)
        at = []
        for key, number in zip(patterns.tolist(), patterns.view(float).tolist(), strict=True):
            if key not in self._numbers:
                if len(self._numbers) == len(self.numbers):
                    self.numbers = np.concatenate([self.numbers, np.empty_like(self.numbers)])
                self.numbers[len(self._numbers)] = number
                self._numbers[key] = len(self._numbers)
            at.append(self._numbers[key])
        return Vector(CONSTANT, np.array(at, dtype=np.int64)[inverse].reshape(values.shape))

    def values(self, index: Integers) -> Floats:
        """Return constants by their index."""
        return self.numbers[index]

    def _key(self, vector: Vector) -> Integers:
        """Return sort keys: leaves without a number come after the others, in their order."""
        key: Integers = vector.index
        if vector.space != PARAMETER:
            return key
        number = self.leaf[key]
        key = self.np.where(number < 0, len(self.leaf) + vector.index, number)
        return key

    def _placed(self, keys: list[Integers], columns: list[Integers], n: int) -> tuple[Integers, Integers]:
        """Sort n rows and drop duplicates; return the rows left, and the place of each row among them.

        Rows are duplicates if they agree in all columns.
        """
        np = self.np
        if n == 1 or not keys:
            return np.arange(n), np.arange(n)
        order = np.lexsort(keys[::-1])
        same = np.ones(n - 1, bool)
        for column in columns:
            found = column[order]
            equal = found[1:] == found[:-1]
            same &= equal if equal.ndim == 1 else equal.all(axis=1)
            if not same.any():
                break
        fresh = np.concatenate([[True], ~same])
        number = np.empty(n, np.int64)
        number[order] = np.cumsum(fresh) - 1
        return order[fresh], number

    def _use(self, leaves: Integers) -> None:
        """Number leaves that have no number yet, in the order in which they stand."""
        np, flat = self.np, leaves.ravel()
        new = flat[self.leaf[flat] < 0]
        if len(new):
            fresh, first = np.unique(new, return_index=True)
            fresh = fresh[np.argsort(first)]
            self.leaf[fresh] = self.leaves + np.arange(len(fresh))
            self.leaves += len(fresh)

    def _access(self, vector: Vector, rows: Integers) -> Access:
        """Return the access to some rows of a vector."""
        index = vector.index[rows]
        if vector.space == PARAMETER:
            self._use(index)
            index = self.leaf[index]
        return Access(vector.space, index if index.ndim == 2 else index[:, None])

    def _added(self, nest: LoopNest, number: Integers) -> Vector:
        """Add a nest, if there is no equal one; return entries `number` of its results."""
        key = (
            nest.op,
            nest.size,
            *[(slot.space, slot.index.shape, slot.index.tobytes()) for slot in nest.slots()],
            *[None if run.coefficient is None else run.coefficient.tobytes() for run in nest.products],
            *[len(run.factors) for run in nest.products],
            *[None if run.counts is None else run.counts.tobytes() for run in nest.products],
            nest.exact,
            None if nest.targets is None else nest.targets.tobytes(),
        )
        k = self._known.setdefault(key, len(self.nests))
        if k == len(self.nests):
            nest.varies = any(
                slot.space == ARGUMENT or (slot.space >= NESTS and self.nests[slot.space - NESTS].varies)
                for slot in nest.slots()
            )
            self.nests.append(nest)
        return Vector(NESTS + k, number)

    def operation(self, op: Op, operands: list[Vector], name: str) -> Vector:
        """Write an operation on vectors of one length; return its results."""
        if op is rules.entry:
            return self.entry(operands[0], operands[1:], name)
        n = len(operands[0].index)
        rows, number = self._placed([self._key(x) for x in operands], [x.index for x in operands], n)
        nest = LoopNest(op, len(rows), name, operands=[self._access(x, rows) for x in operands])
        return self._added(nest, number)

    def entry(self, index: Vector, rows: Sequence[Vector], name: str) -> Vector:
        """Write entries of tables; ``rows[k]`` are the entries for the index k. Return the results."""
        n, table = len(index.index), self.np.stack([x.index for x in rows], axis=1)
        if len({x.space for x in rows}) > 1:
            return self._chosen(index, rows, name)
        space = rows[0].space
        keys = [self._key(index), *[self._key(x) for x in rows]]
        chosen, number = self._placed(keys, [index.index, table], n)
        for x in rows:  # number leaves row by row
            if space == PARAMETER:
                self._use(x.index[chosen])
        operands = [self._access(index, chosen), self._access(Vector(space, table), chosen)]
        return self._added(LoopNest(rules.entry, len(chosen), name, operands=operands), number)

    def _chosen(self, index: Vector, rows: Sequence[Vector], name: str) -> Vector:
        """Write the same as choices between two rows at a time, which may be in different spaces."""
        found = rows[-1]
        for k in range(len(rows) - 2, -1, -1):
            number = self.constants(self.np.full(len(index.index), float(k)))
            condition = self.operation("eq", [index, number], name)
            found = self.operation(rules.where, [condition, rows[k], found], name)
        return found

    def scatter(self, index: Vector, numbers: Vector, targets: Integers, size: int, name: str) -> Vector:
        """Write a `SCATTER` of numbers to `size` results; return the results."""
        rows = self.np.arange(len(index.index))
        operands = [self._access(index, rows), self._access(numbers, rows)]
        nest = LoopNest(SCATTER, size, name, operands=operands, targets=targets)
        return self._added(nest, self.np.arange(size))

    def product(self, terms: Products) -> Products:
        """Multiply constants into coefficients where that rounds as written; sort factors that commute."""
        coefficients, factors, counts = terms
        kept: list[Vector] = []
        for x in factors:
            if x.space == CONSTANT and (not kept or (len(kept) == 1 and (abs(coefficients) == 1.0).all())):
                coefficients = coefficients * self.values(x.index)
            else:
                kept.append(x)
        if len(kept) == 2 and (abs(coefficients) == 1.0).all():
            kept.sort(key=lambda x: x.space)
        return Products(coefficients, kept, counts)

    def ordered(self, given: Sequence[Products], name: str) -> Vector:
        """Write sums whose terms are added up from the first to the last; return their results."""
        terms = [self.product(each) for each in given]
        while len(terms) > 1 and not (terms[0].factors or terms[1].factors):
            terms[:2] = [Products(terms[0].coefficients + terms[1].coefficients, [])]
        if len(terms) == 1 and not terms[0].factors:
            return self.constants(terms[0].coefficients[:, 0])
        terms[:2] = sorted(terms[:2], key=lambda each: [x.space for x in each.factors])
        return self.nest(terms, name, written=True)

    def sums(self, given: Iterable[Products], name: str, written: bool = False) -> Vector:
        """Write sums that add up terms of one kind together; return their results.

        Factors are multiplied in any order, unless `written`; constants go into the coefficients.
        """
        np = self.np
        kinds: dict[tuple[int, ...], list[Products]] = {}
        ragged: list[Products] = []
        for terms in given:
            coefficients, factors, counts = terms
            if written:
                coefficients, factors, counts = self.product(terms)
            else:
                for x in factors:
                    if x.space == CONSTANT:
                        coefficients = coefficients * self.values(x.index)
                factors = sorted([x for x in factors if x.space != CONSTANT], key=lambda x: x.space)
            if counts is not None and not factors:
                coefficients = np.where(np.arange(coefficients.shape[1]) < counts[:, None], coefficients, 0.0)
            elif counts is not None:
                ragged.append(Products(coefficients, factors, counts))
                continue
            kinds.setdefault(tuple([x.space for x in factors]), []).append(Products(coefficients, factors))
        products: list[Products] = []
        for spaces, several in sorted(kinds.items()):
            coefficients = np.concatenate([terms.coefficients for terms in several], axis=1)
            if not spaces:
                coefficients = coefficients.sum(axis=1, keepdims=True)
                if len(kinds) == 1 and not ragged:
                    return self.constants(coefficients[:, 0])
                if not coefficients.any():
                    continue
            factors = [
                Vector(space, np.concatenate([terms.factors[f].index for terms in several], axis=1))
                for f, space in enumerate(spaces)
            ]
            products.append(self._sorted(Products(coefficients, factors)))
        return self.nest([*products, *ragged], name, written)

    def nest(self, products: list[Products], name: str, written: bool, exact: bool = False) -> Vector:
        """Write one nest of sums of products; return its results. `exact`: the terms keep their order."""
        if len(products) == 1 and len(products[0].factors) == 1:
            coefficients, (x,), _ = products[0]
            if coefficients.shape[1] == 1 and (coefficients == 1.0).all():
                return Vector(x.space, x.index[:, 0])
        keys = [self._key(Vector(x.space, x.index[:, 0])) for run in products for x in run.factors]
        columns = [x.index for run in products for x in run.factors]
        columns += [bits(run.coefficients) for run in products]
        counts = [run.counts for run in products if run.counts is not None]
        rows, number = self._placed([*keys, *counts], [*columns, *counts], len(products[0].coefficients))
        nest = LoopNest(None, len(rows), name, written=written, exact=exact)
        # Leaves in terms of one kind are numbered side by side, also where each term stands alone.
        alike: dict[tuple[int, ...], list[Products]] = {}
        for run in products:
            alike.setdefault(tuple([x.space for x in run.factors]), []).append(run)
        for spaces, several in alike.items():
            for f in [f for f, space in enumerate(spaces) if space == PARAMETER]:
                self._use(self.np.concatenate([run.factors[f].index for run in several], axis=1)[rows])
        for run in products:
            c = run.coefficients[rows]
            slots = [self._access(x, rows) for x in run.factors]
            own = None if run.counts is None else run.counts[rows]
            nest.products.append(ProductTerms(None if (c == 1.0).all() else c, slots, c.shape[1], own))
        return self._added(nest, number)

    def _sorted(self, terms: Products) -> Products:
        """Sort the terms of each row by the numbers of their operands, leaves aside."""
        np = self.np
        coefficients, factors, _ = terms
        if coefficients.shape[1] == 1 or not factors:
            return terms
        keys = [x.index for x in reversed(factors) if x.space != PARAMETER] or [self._key(factors[0])]
        if all((key[:, 1:] >= key[:, :-1]).all() for key in keys[-1:]) and len(keys) == 1:
            return terms
        order = np.lexsort(keys, axis=1)
        return Products(
            np.take_along_axis(coefficients, order, axis=1),
            [Vector(x.space, np.take_along_axis(x.index, order, axis=1)) for x in factors],
        )

    def finished(self, outputs: list[tuple[int, int]]) -> LoopProgram:
        """Return the program with these outputs; unused constants and leaves are dropped."""
        np = self.np
        slots = [slot for nest in self.nests for slot in nest.slots() if slot.space == CONSTANT]
        used = [slot.index.ravel() for slot in slots]
        used.append(np.array([k for space, k in outputs if space == CONSTANT], dtype=np.int64))
        kept = np.unique(np.concatenate(used))
        renumbered = np.zeros(len(self._numbers), dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        for slot in slots:
            slot.index = renumbered[slot.index]
        ends = []
        for space, k in outputs:
            if space == PARAMETER and self.leaf[k] < 0:
                self.leaf[k] = self.leaves
                self.leaves += 1
            place = renumbered[k] if space == CONSTANT else self.leaf[k] if space == PARAMETER else k
            ends.append((space, int(place)))
        leaves = np.zeros(self.leaves, dtype=np.int64)
        numbered = np.flatnonzero(self.leaf >= 0)
        leaves[self.leaf[numbered]] = numbered
        constants = self.numbers[kept]
        return LoopProgram(self.nests, leaves, constants, ends)
