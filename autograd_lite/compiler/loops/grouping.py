"""Congruence classes: the nodes of a graph in groups that are made alike.

Two nodes are made alike if they have one *shape*: the same operation, on operands of the same shapes. The
shape of an input is its space. Next door: `flattening.py` first writes sums and products as sums of products;
`lowering.py` turns groups into loop nests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING

from autograd_lite.compiler.loops.flattening import (
    FlatTerms,
    NodeArrays,
    drop_zeros,
    flatten,
    fold_constants,
    inline,
    node_arrays,
    sort_terms,
)
from autograd_lite.compiler.loops.ir import CONSTANT
from autograd_lite.compiler.loops.nodes import DOT, SUM, Nodes

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Integers = NDArray[numpy.int64]
    Floats = NDArray[numpy.float64]
    Booleans = NDArray[numpy.bool_]

# From this many terms of one kind on, a sum is a loop and may be added up in any order. Shorter sums and sums
# of unlike terms are added up as they are written. `sum` and `dot` round once and have no order.
LOOP = 8

# Sums of terms of one kind that differ in their number alone, such as sums over the positions so far, are one
# shape if there are so many numbers of terms.
RAGGED = 3

# How the terms of a sum are added up: in any order; in this order; in this order, whatever their number.
FREE, ORDERED, ANY = range(3)

# The code of the operation; the shapes of the operands, or the kinds of the terms of a sum; and how the terms
# are added up.
Shape = tuple[int, tuple[int, ...], int]


@dataclass
class Terms:
    """Terms of one kind in a group of sums: ``((coefficient * factor) * factor) * ...``."""

    shapes: tuple[int, ...]  # of the factors
    coefficients: Floats  # nodes by terms
    factors: Integers  # nodes by terms by factors
    counts: Integers | None = None  # of each node, where they differ: how many terms count


@dataclass
class Group:
    """Nodes of one shape: sums of products in ``terms``, or an operation, with nodes by ``operands``.

    The terms of an `ordered` group are added up one by one, from the first to the last.
    """

    code: int
    shape: int
    members: Integers
    operands: Integers
    shapes: tuple[int, ...] = ()  # of the operands
    terms: list[Terms] = field(default_factory=list)
    ordered: bool = False


@dataclass
class Grouped:
    """The groups of a graph in an order that can be run; constants are nodes after the others."""

    groups: list[Group]
    shape: Integers  # of each node, -1 for one that is written out where it is used
    constants: Floats
    size: int  # the number of nodes without the constants
    lost: bool  # derivatives would multiply constants whose product leaves a float's range


def grouped(given: Nodes, outputs: Iterable[int], np: ModuleType) -> Grouped:
    """Return the nodes in groups. An output stays a node of its own."""
    nodes = node_arrays(given, outputs, np)
    inlined = inline(nodes, np)
    terms, lost = fold_constants(nodes, flatten(nodes, inlined, np), np)
    roots = np.flatnonzero((nodes.code >= 0) & ~inlined.term & ~inlined.factor)
    terms = sort_terms(drop_zeros(terms, roots[nodes.code[roots] <= DOT], np), np)
    shapes = _shapes(nodes, terms, inlined.free, roots, np)
    shape = np.array(shapes.shape, dtype=np.int64)
    groups = _groups(nodes, terms, shapes, shape, roots[np.argsort(shape[roots], kind="stable")], np)
    return Grouped(groups, shape, nodes.constants, nodes.size, lost)


def _shapes(nodes: NodeArrays, terms: FlatTerms, free: Booleans, roots: Integers, np: ModuleType) -> _Shapes:
    """Return the shapes of the roots. Sums of one kind with many numbers of terms are one shape."""
    sums = roots[nodes.code[roots] <= DOT]
    lengths = np.bincount(terms.root, minlength=len(nodes.code))[sums]
    ragged = set[int]()
    if len(np.unique(lengths)) >= RAGGED:
        # Made alike whatever their numbers of terms: how many numbers are there of each shape?
        merged = _Shapes(nodes, terms, free, {*sums.tolist()})
        merged.find(roots, np)
        numbers: dict[int, set[int]] = {}
        for i, count in merged.alike.items():
            numbers.setdefault(merged.shape[i], set()).add(count)
        ragged = {i for i in merged.alike if len(numbers[merged.shape[i]]) >= RAGGED}
    shapes = _Shapes(nodes, terms, free, ragged)
    shapes.find(roots, np)
    return shapes


class _Shapes:
    """Numbers for the shapes of nodes and for the kinds of terms, in the order in which they are found.

    It works node by node, because a shape needs those of its operands; lists are faster for this than arrays.
    """

    def __init__(self, nodes: NodeArrays, terms: FlatTerms, free: Booleans, ragged: set[int]) -> None:
        self.nodes, self.terms = nodes, terms
        self.ragged = ragged  # sums that are one shape whatever their numbers of terms, if these are alike
        self.alike: dict[int, int] = {}  # of each sum of terms of one kind: how many
        inputs = max(CONSTANT + 1, -int(nodes.code.min()))
        self.made: list[Shape | None] = [None] * inputs  # of each shape what it is; None for inputs
        self.depth = [0] * inputs  # of each shape: it reads only shapes of lower depth
        self.kinds: list[tuple[int, ...]] = []  # of each kind of terms: the shapes of the factors
        # Of each node its shape, -1 if it has none.
        self.shape: list[int] = [-1 - code if code < 0 else -1 for code in nodes.code.tolist()]
        self.kind: list[int] = []  # of each term
        self.rank: list[int] = []  # of each term: its position in the sum, or its kind if the order is free
        self._factors: list[int] = terms.factor.tolist()
        self._coefficient: list[float] = terms.coefficient.tolist()
        self._first: list[bool] = (terms.level == 0).tolist()
        self.free = free
        self._free: list[bool] = free.tolist()
        self._known_kinds: dict[tuple[int, ...], int] = {}
        self._known: dict[Shape, int] = {}

    def find(self, roots: Integers, np: ModuleType) -> None:
        """Number the shapes of the roots, which come in topological order, and the kinds of their terms."""
        shape = self.shape
        term_at = [*np.searchsorted(self.terms.root, roots).tolist(), len(self.terms.root)]
        factor_at = [0, *np.cumsum(self.terms.widths(np)).tolist()]
        operand, operand_at = self.nodes.operand.tolist(), self.nodes.start.tolist()
        for k, (i, code) in enumerate(zip(roots.tolist(), self.nodes.code[roots].tolist(), strict=True)):
            if code <= DOT:
                own = self._kinds_of(factor_at[term_at[k] : term_at[k + 1] + 1])
                self._count(i, own, term_at[k])
                found = self._sum(own, self._free[i], i in self.ragged and i in self.alike)
            else:
                found = code, tuple([shape[j] for j in operand[operand_at[i] : operand_at[i + 1]]]), FREE
            shape[i] = self._number(found)

    def _kinds_of(self, bounds: list[int]) -> list[int]:
        """Return the kinds of terms, whose factors lie between the bounds."""
        shape, factors, own = self.shape, self._factors, []
        shapes: tuple[int, ...]
        for a, b in pairwise(bounds):
            if b - a == 2:  # by far the most frequent
                p, q = shape[factors[a]], shape[factors[a + 1]]
                shapes = (q, p) if p > q and self._first[a] else (p, q)
            else:
                shapes = tuple([shape[j] for j in factors[a:b]])
                if b > a and self._first[a]:
                    shapes = (*sorted(shapes[:2]), *shapes[2:])
            found = self._known_kinds.get(shapes)
            if found is None:
                found = self._known_kinds[shapes] = len(self.kinds)
                self.kinds.append(shapes)
            own.append(found)
        return own

    def _count(self, i: int, own: list[int], first: int) -> None:
        """Count the terms of a sum from term `first` on, if they are of one kind, zeros aside."""
        kinds = [k for t, k in enumerate(own) if self.kinds[k] or self._coefficient[first + t] != 0.0]
        if kinds and kinds.count(kinds[0]) == len(kinds) and self.kinds[kinds[0]]:
            self.alike[i] = len(kinds)

    def _sum(self, own: list[int], free: bool, ragged: bool) -> Shape:
        """Rank the terms of a sum, given their kinds; return the shape of the sum."""
        self.kind += own
        if ragged:  # zeros come last: a loop begins at 0.0
            self.rank += [t if self.kinds[k] else len(own) for t, k in enumerate(own)]
            return SUM, (next(k for k in own if self.kinds[k]),), ANY
        ordered = not free and (len(own) < LOOP or max(Counter(own).values()) < LOOP)
        if not ordered:
            self.rank += own
            own.sort()
        elif len(own) > 1 and own[0] > own[1]:  # the first two commute
            self.rank += [1, 0, *range(2, len(own))]
            own[:2] = own[1::-1]
        else:
            self.rank += range(len(own))
        return SUM, tuple(own), ORDERED if ordered else FREE

    def _number(self, shape: Shape) -> int:
        """Return the number of a shape."""
        found = self._known.get(shape)
        if found is None:
            found = self._known[shape] = len(self.made)
            self.made.append(shape)
            code, parts, _ = shape
            used = parts if code > DOT else {s for kind in {*parts} for s in self.kinds[kind]}
            self.depth.append(1 + max([self.depth[s] for s in used], default=0))
        return found


def _groups(
    nodes: NodeArrays, terms: FlatTerms, shapes: _Shapes, shape: Integers, roots: Integers, np: ModuleType
) -> list[Group]:
    """Return the groups, those that read only inputs first. `roots` are sorted by their `shape`."""
    # Sort terms by shape, then by node, then as they are added up; and factors that are multiplied first by
    # shape, then by how often they are used: of two leaves, a weight that many nodes share precedes an input.
    order = np.lexsort((np.array(shapes.rank, dtype=np.int64), terms.root, shape[terms.root]))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    coefficient, widths = terms.coefficient[order], terms.widths(np)[order]
    kind = np.array(shapes.kind, dtype=np.int64)[order]
    f = terms.factor
    factors = f[np.lexsort((f, -nodes.uses[f], shape[f], terms.level, back[terms.term]))]
    factor_at = np.cumsum(widths) - widths
    ends = range(len(shapes.made) + 1)
    root_bounds = np.searchsorted(shape[roots], ends).tolist()
    term_bounds = np.searchsorted(shape[terms.root[order]], ends).tolist()
    free, groups = shapes.free, list[Group]()
    for s in sorted(ends[:-1], key=lambda s: (shapes.depth[s], s)):
        if (made := shapes.made[s]) is None:
            continue
        code, parts, added = made
        members = roots[root_bounds[s] : root_bounds[s + 1]]
        if code != SUM:
            operands = nodes.operand[nodes.start[members][:, None] + np.arange(len(parts))]
            groups.append(Group(code, s, members, operands, parts))
            continue
        group = Group(SUM, s, members, members.reshape(-1, 1)[:, :0], ordered=added == ORDERED)
        first, end = term_bounds[s : s + 2]
        if added == ANY:
            counts = np.array([shapes.alike[i] for i in members.tolist()])
            starts = np.searchsorted(terms.root[order][first:end], members)
            # Places beyond the last term repeat it.
            block = first + starts[:, None] + np.minimum(np.arange(counts.max()), counts[:, None] - 1)
            group.ordered = bool((~free[members] & (counts < LOOP)).any())
            columns = [(parts[0], block, counts)]
        else:
            block, columns, a = np.arange(first, end).reshape(len(members), -1), [], 0
            own = kind[block[0]].tolist()
            for each, t in [(each, 1) for each in own] if added == ORDERED else Counter(own).items():
                columns.append((each, block[:, a : a + t], None))
                a += t
        for each, places, counts in columns:
            found = shapes.kinds[each]
            at = factor_at[places][:, :, None] + np.arange(len(found))
            group.terms.append(Terms(found, coefficient[places], factors[at], counts))
        groups.append(group)
    return groups
