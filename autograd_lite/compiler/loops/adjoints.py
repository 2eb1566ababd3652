"""Adjoints as loop nests: what each group of nodes passes back to its operands, from output to inputs.

An adjoint sums up the terms that the users of a node pass back. The nodes of one shape are divided by the
kinds of terms that they receive; each part is one nest. Next door: `lowering.py` writes the nests of the
values before, `templates.py` holds the partials of operations that are not linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from autograd_lite.compiler.loops.builder import Products, Vector
from autograd_lite.compiler.loops.grouping import RAGGED, Group, Terms
from autograd_lite.compiler.loops.ir import CONSTANT, PARAMETER
from autograd_lite.compiler.loops.nodes import SUM
from autograd_lite.compiler.loops.templates import Template, partials_of_product
from autograd_lite.core import rules

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from autograd_lite.compiler.loops.lowering import Lowering

    Integers = NDArray[numpy.int64]
    Floats = NDArray[numpy.float64]

# Terms of one kind: the elements that receive them, their coefficients, and for each factor its index.
Passed = tuple["Integers", "Floats", list["Integers"]]


class Adjoints:
    """The adjoints of the nodes that `lowering` has written, by the `count` inputs of the space `by`.

    The *elements* of a shape are its nodes; those that turned out to be the same number are one element.
    """

    def __init__(self, lowering: Lowering, by: int, count: int) -> None:
        self.lowering, self.build, self.np = lowering, lowering.build, lowering.np
        self.by, self.count = by, count
        self.passed: dict[int, dict[tuple[int, ...], list[Passed]]] = {}
        self.depends = {by}  # the shapes that depend on the inputs
        self.element: Integers = self.np.full(len(lowering.number), -1, dtype=self.np.int64)  # of each node
        self.first: dict[int, Integers] = {}  # of each shape: a member for each element
        nodes = lowering.nodes
        if nodes.place:
            self.element[list(nodes.place)] = list(nodes.place.values())
        for group in lowering.grouped.groups:
            if {*group.shapes}.union(*[terms.shapes for terms in group.terms]) & self.depends:
                self.depends.add(group.shape)
                _, self.first[group.shape], self.element[group.members] = self.np.unique(
                    lowering.number[group.members, 0], return_index=True, return_inverse=True
                )

    def gradients(self, root: int) -> list[tuple[int, int]]:
        """Write the nests; return space and number of the derivative of `root` by each input."""
        np, groups = self.np, self.lowering.grouped.groups
        shape = int(self.lowering.grouped.shape[root])
        if shape in self.depends:
            self._pass_back(shape, np.array([root]), np.ones(1), [])
        for group in reversed(groups):
            if group.shape in self.depends:
                for elements, terms in self._received(group.shape, len(self.first[group.shape])):
                    backward = self._sum_backward if group.code == SUM else self._template_backward
                    backward(group, elements, terms)
        zero = self.build.constants(np.zeros(1))
        found = [(CONSTANT, int(zero.index[0]))] * self.count
        for elements, terms in self._received(self.by, self.count):
            adjoint = self.build.sums(terms, "d_w" if self.by == PARAMETER else "d_x")
            for k, i in zip(elements.tolist(), adjoint.index.tolist(), strict=True):
                found[k] = (adjoint.space, i)
        return found

    def _pass_back(self, shape: int, nodes: Integers, coefficients: Floats, factors: list[Vector]) -> None:
        """Add a term to the adjoint of each of some nodes of one shape."""
        for x in factors:
            if x.space == CONSTANT:
                coefficients = coefficients * self.build.values(x.index)
        factors = sorted([x for x in factors if x.space != CONSTANT], key=lambda x: x.space)
        self.passed.setdefault(shape, {}).setdefault(tuple([x.space for x in factors]), []).append(
            (self.element[nodes], coefficients, [x.index for x in factors])
        )

    def _received(self, shape: int, size: int) -> Iterator[tuple[Integers, list[Products]]]:
        """Divide the `size` elements of a shape by the kinds of terms that they received; yield both."""
        np = self.np
        kinds = []
        for spaces, parts in sorted(self.passed.pop(shape, {}).items()):
            to = np.concatenate([part[0] for part in parts])
            coefficients = np.concatenate([part[1] for part in parts])
            factors = [np.concatenate([part[2][f] for part in parts]) for f in range(len(spaces))]
            count = np.bincount(to, minlength=size)
            if not spaces:
                total = np.bincount(to, weights=coefficients, minlength=size)
                count = (count > 0).astype(np.int64)
                to = np.flatnonzero(count)
                coefficients = total[to]
            order = np.argsort(to, kind="stable")
            at = np.cumsum(count) - count
            kinds.append((spaces, coefficients[order], [factor[order] for factor in factors], count, at))
        pattern = self._patterns([count for *_, count, _ in kinds], size)
        for p in range(int(pattern.max()) + 1 if kinds else 0):
            elements = np.flatnonzero(pattern == p)
            terms = []
            for spaces, coefficients, factors, count, at in kinds:
                own = count[elements]
                if t := int(own.max()):
                    rows = at[elements][:, None] + np.minimum(np.arange(t), own[:, None] - 1)
                    vectors = [Vector(s, factor[rows]) for s, factor in zip(spaces, factors, strict=True)]
                    terms.append(Products(coefficients[rows], vectors, None if (own == t).all() else own))
            if terms:
                yield elements, terms

    def _patterns(self, counts: list[Integers], size: int) -> Integers:
        """Number the elements by how many terms of each kind they received.

        Many numbers of terms of one kind, such as a position receives from those after it, count as one.
        """
        np = self.np
        pattern: Integers = np.zeros(size, dtype=np.int64)
        for own in (*[np.minimum(count, 1) for count in counts], *counts):
            wide = int(own.max()) + 1
            numbers = np.bincount(np.unique(pattern * wide + own) // wide)  # of each pattern so far
            own = np.where(numbers[pattern] >= RAGGED, 0, own)
            _, pattern = np.unique(pattern * wide + own, return_inverse=True)
        return pattern

    def _upstream(self, terms: list[Products], group: Group, inline: int) -> Products:
        """Return an adjoint as a factor: a term of at most `inline` factors as it is, else a nest."""
        coefficients, factors, _ = terms[0]
        if len(terms) == 1 and coefficients.shape[1] == 1 and len(factors) <= inline:
            return Products(coefficients[:, 0], [Vector(x.space, x.index[:, 0]) for x in factors])
        found = self.build.sums(terms, f"d_{self.lowering.name(group)}")
        return Products(self.np.ones(len(coefficients)), [found])

    def _sum_backward(self, group: Group, elements: Integers, adjoint: list[Products]) -> None:
        """Pass the adjoints of some elements of a group of sums back to the factors of its terms."""
        np, number, space = self.np, self.lowering.number, self.lowering.space
        rows = self.first[group.shape][elements]
        uses = 0
        passing: list[tuple[Terms, list[Integers], int, float]] = []
        for terms in group.terms:
            columns = [terms.factors[rows, :, f] for f in range(len(terms.shapes))]
            for f, times in self._distinct(terms, columns).items():
                if terms.shapes[f] in self.depends:
                    passing.append((terms, columns, f, times))
                    uses += terms.coefficients.shape[1]
        upstream = self._upstream(adjoint, group, 1 if uses == 1 else 0)
        for terms, columns, f, times in passing:
            kept = np.ones((len(rows), terms.coefficients.shape[1]), bool)
            if terms.counts is not None:
                kept = np.arange(kept.shape[1]) < terms.counts[rows][:, None]
            row = np.repeat(np.arange(len(rows)), kept.sum(axis=1))
            factors = [Vector(x.space, x.index[row]) for x in upstream.factors]
            for k in partials_of_product(len(columns))[f]:
                factors.append(Vector(space[terms.shapes[k]], number[columns[k][kept], 0]))
            coefficients = terms.coefficients[rows][kept] * upstream.coefficients[row] * times
            self._pass_back(terms.shapes[f], columns[f][kept], coefficients, factors)

    @staticmethod
    def _distinct(terms: Terms, columns: list[Integers]) -> dict[int, float]:
        """Return the factors of terms that differ, each with how often it occurs: x * x passes back twice."""
        counted: dict[int, float] = {}
        for f, column in enumerate(columns):
            same = (k for k in counted if terms.shapes[k] == terms.shapes[f] and (columns[k] == column).all())
            k = next(same, f)
            counted[k] = counted.get(k, 0.0) + 1.0
        return counted

    def _template_backward(self, group: Group, elements: Integers, adjoint: list[Products]) -> None:
        """Pass adjoints back through an operation that is not linear, by the partials in its template."""
        np, lowering = self.np, self.lowering
        template = lowering.template(group)
        if template.op is rules.entry:
            self._entry_backward(group, template, elements, adjoint)
            return
        nodes = group.operands[self.first[group.shape]]
        wanted = tuple([j for j in range(len(template.open)) if group.shapes[j] in self.depends])
        operands = [
            Vector(lowering.space[s], lowering.number[nodes[:, j], 0]) for j, s in enumerate(group.shapes)
        ]
        parts = template.classes(tuple([x.space for x in operands[: len(template.open)]]), wanted, np)
        number, space = lowering.inputs(template, parts, operands)
        apply = lowering.applying(parts)
        lowering.emit(parts.before, number, space, partial(parts.name, template.name), apply)
        if len(elements) < number.shape[1]:
            number = number[:, elements]
        upstream = self._upstream(adjoint, group, 2 if parts.passes else -1)
        own = parts.went.get(template.adjoint, -1)
        if own >= 0 and not parts.passes:
            (whole,) = upstream.factors
            number[own] = whole.index
            space[int(parts.grouped.shape[own])] = whole.space
        replaced = {own: upstream} if parts.passes else {}
        to = dict(zip(parts.outputs, wanted, strict=True))
        for part in parts.after:
            passing = [k for k, i in enumerate(part.members.tolist()) if i in to]
            if len(passing) < len(part.members):
                lowering.emit([part], number, space, lambda _: f"d_{lowering.name(group)}", apply)
            for k in passing:
                j = to[int(part.members[k])]
                for term in self._partial(part, k, number, space, replaced):
                    self._pass_back(group.shapes[j], nodes[elements, j], term.coefficients, term.factors)

    def _entry_backward(
        self, group: Group, template: Template, elements: Integers, adjoint: list[Products]
    ) -> None:
        """Pass the adjoints of entries back to the tables: a scatter for each shape of their entries."""
        np, lowering = self.np, self.lowering
        nodes = group.operands[self.first[group.shape][elements]]
        (upstream,) = self._upstream(adjoint, group, -1).factors
        index = Vector(lowering.space[group.shapes[0]], lowering.number[nodes[:, 0], 0])
        rows = [
            (j, operand - 1) for j, operand in enumerate(template.open) if operand
        ]  # constants are not open
        for shape in sorted({group.shapes[j] for j, _ in rows} & self.depends):
            of_shape = [(j, row) for j, row in rows if group.shapes[j] == shape]
            given = nodes[:, [j for j, _ in of_shape]]
            _, first, place = np.unique(self.element[given], return_index=True, return_inverse=True)
            targets = np.full((len(nodes), template.operands - 1), -1)
            targets[:, [row for _, row in of_shape]] = place.reshape(given.shape)
            found = self.build.scatter(index, upstream, targets, len(first), f"d_{lowering.name(group)}")
            self._pass_back(shape, given.ravel()[first], np.ones(len(first)), [found])

    def _partial(
        self,
        part: Group,
        k: int,
        number: Integers,
        space: dict[int, int],
        replaced: dict[int, Products],
    ) -> Iterator[Products]:
        """Yield the terms of node k of a group of sums in a template; products replace some factors."""
        for terms in part.terms:
            for t, coefficient in enumerate(terms.coefficients[k].tolist()):
                coefficients = self.np.full(number.shape[1], coefficient)
                factors = []
                for i, s in zip(terms.factors[k, t].tolist(), terms.shapes, strict=True):
                    if i in replaced:
                        coefficients = coefficients * replaced[i].coefficients
                        factors += replaced[i].factors
                    else:
                        factors.append(Vector(space[s], number[i]))
                yield Products(coefficients, factors)
