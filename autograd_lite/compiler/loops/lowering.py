"""From groups of nodes to nests of loops, and their derivatives: a rule is run once for a group of nodes.

Nodes of one shape become a nest, numbered by the numbers of their operands, which lays layers and batches out
contiguously, in whatever order they were written. Leaves are numbered at their first use, so that a weight
matrix lies in order. Products are multiplied and sums added up as they are written; of a sum that is a loop,
and of an adjoint, terms of one kind are added up together, in the order of their operands' numbers.

An operation that is not linear is a `Template`: its value and its partials, by the table's formula
and rule into a graph of a few nodes, each of which stands for a whole group. An adjoint sums up what the
groups that use a node pass back to it; nodes that are passed back the same kinds of terms are one nest again.

Next door: `grouping.py` finds the groups, `templates.py` holds the operations, `builder.py` writes the nests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from autograd_lite.compiler.frontend.recording import Recording
from autograd_lite.compiler.ir.graph import CONDITIONS, LINEAR, Graph, Op
from autograd_lite.compiler.loops.builder import Builder, Products, Vector
from autograd_lite.compiler.loops.grouping import Group, grouped
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    PARAMETER,
    LoopProgram,
)
from autograd_lite.compiler.loops.nodes import DOT, SUM, Nodes, Writing, nodes_of_graph, nodes_of_recording
from autograd_lite.compiler.loops.recurrences import is_chain, lower_recurrence
from autograd_lite.compiler.loops.templates import Template, TemplateClasses, kept_rows, partials_of_product
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.core import rules as table
from autograd_lite.core.collector import collector_paused

# An operation with so many different numbers among its operands takes them as they come: a form for each of
# them, which might be simpler, would not pay.
MANY_NUMBERS = 64
# Groups take a tenth of a millisecond each: a graph with more of them is no regular one, or a chain so long
# that the tape has run it a hundred times before its loops are found.
MOST_GROUPS = 10_000
# In a chain every node is a class, in which no steps were found.
MOST_OF_A_CHAIN = 5_000
# A form takes a fifth of a millisecond for each operand: `logsumexp` of 1, 2, 3, ... values has one for each.
MOST_OPERANDS = 5_000


class IrregularError(ValueError):
    """A graph is not to be loops: it has so many groups of nodes that they do not pay, or they would err."""


class Lowering:
    """The nests of a graph, for a target; with `derives` they hold derivatives by its rows' rules too."""

    def __init__(self, target: str, np: Any, *, derives: bool) -> None:
        self.target, self.np, self.derives = target, np, derives
        self.forms: list[Template] = []
        self._codes: dict[Any, int] = {}
        self._numbered: dict[Any, int] = {}
        self._general: dict[Any, Writing] = {}
        self._written_out = 0

    # --- Operations that are not linear

    def write(self, op: Op, numbers: tuple[float | None, ...]) -> Writing:
        """Code and operands of an operation: its constants are operands like the others."""
        pattern = (op, tuple([number is None for number in numbers]))
        self._numbered[pattern] = self._numbered.get(pattern, 0) + 1
        if self._numbered[pattern] > MANY_NUMBERS:
            numbers = (None,) * len(numbers)
            if (op, numbers) in self._general:
                return self._general[op, numbers]
        self._written_out += len(numbers)
        if self._written_out > MOST_OPERANDS:
            raise IrregularError(
                f"{self._written_out:,} operands of operations all unlike are too many for loops"
            )
        form = Template(op, numbers, self.target, self.derives)
        written = form.linear() or self.coded(form)
        if self._numbered[pattern] > MANY_NUMBERS:
            self._general[op, numbers] = written
        return written

    def coded(self, form: Template) -> Writing:
        """The code of a form, its own or that of one alike, and its operands, then its constants."""
        code = self._codes.setdefault(form.signature, len(self.forms))
        if code == len(self.forms):
            self.forms.append(form)
        constants = [form.graph.constants[i] for i in form.constants]
        return len(LINEAR) + code, (*form.open, *constants)

    # --- Values

    def values(self, nodes: Nodes, outputs: list[int], leaves: int) -> None:
        """Find the groups, and write the nests of their values."""
        np = self.np
        self.nodes = nodes
        self.grouped = grouped(nodes, [i for i in outputs if i >= 0], np)
        if self.grouped.lost:
            raise IrregularError("loops would multiply constants whose product is beyond a float's range")
        if len(self.grouped.groups) > MOST_GROUPS:
            raise IrregularError(f"{len(self.grouped.groups):,} kinds of nodes are too many to be loops")
        self.build = Builder(leaves, np)
        n = self.grouped.size
        self.number = np.full((n + len(self.grouped.constants), 1), -1, dtype=np.int64)
        if nodes.place:
            self.number[list(nodes.place), 0] = list(nodes.place.values())
        self.space = {ARGUMENT: ARGUMENT, PARAMETER: PARAMETER, CONSTANT: CONSTANT}
        self.number[n:, 0] = self.build.constants(self.grouped.constants).index
        self.emit(self.grouped.groups, self.number, self.space, self.name, self.form_applied)

    def name(self, group: Group) -> str:
        """What a group is called: by the label of its first node, else by its operation."""
        i = int(group.members[0])
        name = self.nodes.labels.get(i)
        if name is None:
            code = self.nodes.codes[i]
            name = LINEAR[code].name if code <= DOT else self.forms[code - len(LINEAR)].name
        return re.sub(r"\W+", "_", name)

    def emit(
        self,
        chosen: Iterable[Group],
        number: Any,
        space: dict[int, int],
        name: Callable[[Group], str],
        applied: Callable[[Group, list[Vector], str], Vector],
    ) -> None:
        """Write the nests of some groups. Each node stands for as many numbers as `number` has columns."""
        width = number.shape[1]
        for group in chosen:
            if group.code == SUM:
                terms = self.terms(group, number, space)
                add = self.build.ordered if group.ordered else partial(self.build.sums, written=True)
                found = add(terms, name(group))
            else:
                operands = [
                    Vector(space[s], number[group.operands[:, j]].ravel()) for j, s in enumerate(group.shapes)
                ]
                found = applied(group, operands, name(group))
            space[group.shape] = found.space
            number[group.members] = found.index.reshape(len(group.members), width)

    def terms(self, group: Group, number: Any, space: dict[int, int]) -> list[Products]:
        """The terms of a group of sums, a row for each node and column of `number`."""
        np, width = self.np, number.shape[1]
        n = len(group.members) * width
        found = []
        for terms in group.terms:
            t = terms.coefficients.shape[1]
            factors = [
                Vector(space[s], number[terms.factors[:, :, f]].transpose(0, 2, 1).reshape(n, t))
                for f, s in enumerate(terms.shapes)
            ]
            found.append(Products(np.repeat(terms.coefficients, width, axis=0), factors))
        return found

    def form_applied(self, group: Group, operands: list[Vector], name: str) -> Vector:
        """The value of an operation that is not linear."""
        form = self.forms[group.code - len(LINEAR)]
        parts = form.groups(tuple([x.space for x in operands[: len(form.open)]]), None, self.np)
        number, space = self.inputs(form, parts, operands)
        self.emit(parts.grouped.groups, number, space, lambda _: name, self.applied(parts))
        (out,) = parts.outputs
        return Vector(space[int(parts.grouped.shape[out])], number[out])

    def inputs(
        self, form: Template, parts: TemplateClasses, operands: list[Vector]
    ) -> tuple[Any, dict[int, int]]:
        """The numbers of the nodes of a form, of which the inputs are known."""
        np = self.np
        number = np.full((len(parts.nodes), len(operands[0].index)), -1, dtype=np.int64)
        space = {CONSTANT: CONSTANT}
        for i, x in zip([*form.arguments, *form.constants], operands, strict=True):
            if i is not None and i in parts.went:
                number[parts.went[i]] = x.index
                space[int(parts.grouped.shape[parts.went[i]])] = x.space
        return number, space

    def applied(self, parts: TemplateClasses) -> Callable[[Group, list[Vector], str], Vector]:
        """What writes the nest of an operation of a form."""
        return lambda group, operands, name: self.build.operation(
            parts.ops[group.code - len(LINEAR)], operands, name
        )

    # --- Derivatives

    def gradients(self, root: int, by: int, count: int) -> list[tuple[int, int]]:
        """Write the derivatives of a node by the inputs of a kind: where each of them is."""
        np, shape = self.np, self.grouped.shape
        self.depends = {by}
        for group in self.grouped.groups:
            if {*group.shapes}.union(*[terms.shapes for terms in group.terms]) & self.depends:
                self.depends.add(group.shape)
        # The elements of a group: nodes that turned out to be one number have one adjoint.
        self.element = np.full(len(self.number), -1, dtype=np.int64)
        if self.nodes.place:
            self.element[list(self.nodes.place)] = list(self.nodes.place.values())
        first: dict[int, Any] = {}
        for group in self.grouped.groups:
            if group.shape in self.depends:
                _, first[group.shape], inverse = np.unique(
                    self.number[group.members, 0], return_index=True, return_inverse=True
                )
                self.element[group.members] = inverse
        self.passed: dict[int, dict[tuple[int, ...], list[tuple[Any, Any, list[Any]]]]] = {}
        self.size = {
            group.shape: len(first[group.shape]) for group in self.grouped.groups if group.shape in first
        }
        self.size[by] = count
        one = np.array([root])
        if int(shape[root]) in self.depends:
            self.pass_back(int(shape[root]), one, np.ones(1), [])
        for group in reversed(self.grouped.groups):
            if group.shape in self.depends:
                for elements, terms in self.adjoints(group.shape):
                    self.backward(group, first[group.shape], elements, terms)
        zero = self.build.constants(np.zeros(1))
        found = [(CONSTANT, int(zero.index[0]))] * count
        for elements, terms in self.adjoints(by):
            adjoint = self.build.sums(terms, "d_w" if by == PARAMETER else "d_x")
            for k, i in zip(elements.tolist(), adjoint.index.tolist(), strict=True):
                found[k] = (adjoint.space, i)
        return found

    def pass_back(self, shape: int, nodes: Any, coefficients: Any, factors: list[Vector]) -> None:
        """Add terms to the adjoints of nodes of a shape."""
        for x in factors:
            if x.space == CONSTANT:
                coefficients = coefficients * self.build.values(x.index)
        factors = sorted([x for x in factors if x.space != CONSTANT], key=lambda x: x.space)
        self.passed.setdefault(shape, {}).setdefault(tuple([x.space for x in factors]), []).append(
            (self.element[nodes], coefficients, [x.index for x in factors])
        )

    def adjoints(self, shape: int) -> Iterator[tuple[Any, list[Products]]]:
        """The elements of a shape by the kinds of terms that their adjoints have, with those terms."""
        np = self.np
        passed = self.passed.pop(shape, {})
        kinds = []
        pattern = np.zeros(self.size.get(shape, 0), dtype=np.int64)
        for spaces, parts in sorted(passed.items()):
            to = np.concatenate([part[0] for part in parts])
            coefficients = np.concatenate([part[1] for part in parts])
            factors = [np.concatenate([part[2][f] for part in parts]) for f in range(len(spaces))]
            count = np.bincount(to, minlength=len(pattern))
            if not spaces:
                total = np.bincount(to, weights=coefficients, minlength=len(pattern))
                count = (count > 0).astype(np.int64)
                to = np.flatnonzero(count)
                coefficients = total[to]
            order = np.argsort(to, kind="stable")
            at = np.cumsum(count) - count
            kinds.append((spaces, coefficients[order], [factor[order] for factor in factors], count, at))
            _, pattern = np.unique(pattern * (int(count.max()) + 1) + count, return_inverse=True)
        if not kinds:
            return
        for p in range(int(pattern.max()) + 1):
            elements = np.flatnonzero(pattern == p)
            terms = []
            for spaces, coefficients, factors, count, at in kinds:
                t = int(count[elements[0]])
                if t:
                    rows = at[elements][:, None] + np.arange(t)
                    terms.append(
                        Products(
                            coefficients[rows],
                            [Vector(s, factor[rows]) for s, factor in zip(spaces, factors, strict=True)],
                        )
                    )
            if terms:
                yield elements, terms

    def upstream(self, terms: list[Products], group: Group, inline: int) -> Products:
        """An adjoint: the factor that it is as a nest, or, of at most `inline` factors, those themselves."""
        coefficients, factors = terms[0]
        if len(terms) == 1 and coefficients.shape[1] == 1 and len(factors) <= inline:
            return Products(coefficients[:, 0], [Vector(x.space, x.index[:, 0]) for x in factors])
        found = self.build.sums(terms, f"d_{self.name(group)}")
        return Products(self.np.ones(len(coefficients)), [found])

    def backward(self, group: Group, first: Any, elements: Any, adjoint: list[Products]) -> None:
        """Pass the adjoints of some elements of a group back to the operands."""
        np = self.np
        if group.code != SUM:
            self.form_backward(group, first, elements, adjoint)
            return
        rows = first[elements]
        uses = 0
        passing = []
        for terms in group.terms:
            columns = [terms.factors[rows, :, f] for f in range(len(terms.shapes))]
            counted: dict[int, float] = {}  # a factor that stands twice passes the same terms twice
            for f, column in enumerate(columns):
                same = (
                    k for k in counted if terms.shapes[k] == terms.shapes[f] and (columns[k] == column).all()
                )
                k = next(same, f)
                counted[k] = counted.get(k, 0.0) + 1.0
            for f, times in counted.items():
                if terms.shapes[f] in self.depends:
                    passing.append((terms, columns, f, times))
                    uses += terms.coefficients.shape[1]
        upstream = self.upstream(adjoint, group, 1 if uses == 1 else 0)
        for terms, columns, f, times in passing:
            t = terms.coefficients.shape[1]
            factors = [Vector(x.space, np.repeat(x.index, t)) for x in upstream.factors]
            for k in partials_of_product(len(columns))[f]:
                factors.append(Vector(self.space[terms.shapes[k]], self.number[columns[k].ravel(), 0]))
            coefficients = terms.coefficients[rows] * upstream.coefficients[:, None] * times
            self.pass_back(terms.shapes[f], columns[f].ravel(), coefficients.ravel(), factors)

    def form_backward(self, group: Group, first: Any, elements: Any, adjoint: list[Products]) -> None:
        """Pass adjoints back through an operation that is not linear: its rule is in its form."""
        np = self.np
        form = self.forms[group.code - len(LINEAR)]
        nodes = group.operands[first]
        wanted = tuple([j for j in range(len(form.open)) if group.shapes[j] in self.depends])
        operands = [Vector(self.space[s], self.number[nodes[:, j], 0]) for j, s in enumerate(group.shapes)]
        parts = form.groups(tuple([x.space for x in operands[: len(form.open)]]), wanted, np)
        name = f"d_{self.name(group)}"
        number, space = self.inputs(form, parts, operands)
        self.emit(parts.before, number, space, partial(parts.name, form.name), self.applied(parts))
        if len(elements) < number.shape[1]:
            number = number[:, elements]
        upstream = self.upstream(adjoint, group, 2 if parts.passes else -1)
        own = parts.went.get(form.adjoint, -1)
        if own >= 0 and not parts.passes:
            (whole,) = upstream.factors
            number[own] = whole.index
            space[int(parts.grouped.shape[own])] = whole.space
        to = dict(zip(parts.outputs, wanted, strict=True))
        for part in parts.after:
            passing = [k for k, i in enumerate(part.members.tolist()) if i in to]
            if len(passing) < len(part.members):
                self.emit([part], number, space, lambda _: name, self.applied(parts))
            for k in passing:
                j = to[int(part.members[k])]
                for terms in part.terms:
                    for t, coefficient in enumerate(terms.coefficients[k].tolist()):
                        coefficients = np.full(len(elements), coefficient)
                        factors = []
                        for i, s in zip(terms.factors[k, t].tolist(), terms.shapes, strict=True):
                            if i == own and parts.passes:
                                coefficients = coefficients * upstream.coefficients
                                factors += upstream.factors
                            else:
                                factors.append(Vector(space[s], number[i]))
                        self.pass_back(group.shapes[j], nodes[elements, j], coefficients, factors)

    def finished(self, outputs: list[int], gradients: list[tuple[int, int]]) -> LoopProgram:
        """The program of some nodes, and of gradients."""
        ends = [
            (CONSTANT, int(self.build.constants(self.np.array([self.nodes.constants[-1 - i]])).index[0]))
            if i < 0
            else (self.space[int(self.grouped.shape[i])], int(self.number[i, 0]))
            for i in outputs
        ]
        return self.build.finished([*ends, *gradients])


def _leaves(nodes: Nodes) -> int:
    return 1 + max(
        [place for i, place in nodes.place.items() if nodes.codes[i] == -1 - PARAMETER], default=-1
    )


def lower_to_loops(graph: Graph, outputs: Sequence[int], target: str, np: Any) -> LoopProgram:
    """The loops of a graph as it is, in the operations of a target."""
    with collector_paused():
        low, out = decompose(graph, list(outputs), target, kept_rows(target))
        if is_chain(low.operands):
            leaves = 1 + max([low.numbers[i] for i, op in enumerate(low.ops) if op == "leaf"], default=-1)
            if (found := lower_recurrence(low, out, leaves, np)) is not None:
                return found
            if len(low) > MOST_OF_A_CHAIN:
                raise IrregularError(f"no steps repeat in a chain of {len(low):,} operations")
        lowering = Lowering(target, np, derives=False)
        nodes, went = nodes_of_graph(low, out, lowering.write)
        ends = [went[i] for i in out]
        lowering.values(nodes, ends, _leaves(nodes))
        return lowering.finished(ends, [])


def lower_gradient(graph: Graph, output: int, kind: str, count: int, target: str, np: Any) -> LoopProgram:
    """The loops of a node of a graph and of its derivatives by the `count` inputs of a kind."""
    with collector_paused():
        lowering = Lowering(target, np, derives=True)
        nodes, went = nodes_of_graph(graph, [output], lowering.write)
        return _with_gradient(
            lowering, nodes, went[output], ARGUMENT if kind == "argument" else PARAMETER, count
        )


def lower_recording(recording: Recording, target: str, np: Any) -> LoopProgram:
    """The loops of a recorded loss and of its derivatives by its leaves."""
    with collector_paused():
        lowering = Lowering(target, np, derives=True)
        nodes = nodes_of_recording(recording, lowering.write, np)
        return _with_gradient(lowering, nodes, len(nodes) - 1, PARAMETER, len(nodes.place))


def _with_gradient(lowering: Lowering, nodes: Nodes, root: int, by: int, count: int) -> LoopProgram:
    lowering.values(nodes, [root], max(_leaves(nodes), count if by == PARAMETER else 0))
    gradients = lowering.gradients(root, by, count) if root >= 0 else None
    if gradients is None:
        zero = lowering.build.constants(lowering.np.zeros(1))
        gradients = [(CONSTANT, int(zero.index[0]))] * count
    return lowering.finished([root], gradients)


def derives(graph: Graph) -> bool:
    """Whether `lower_gradient` is the way to the derivatives.

    It is not where a choice decides which of them there are, and of a long chain.
    """
    return not any(op in CONDITIONS or op is table.where for op in graph.ops) and not is_chain(graph.operands)


def derives_recording(recording: Recording) -> bool:
    """Whether `lower_recording` is the way to the derivatives: it is not for a long chain."""
    ends = accumulate(recording.counts)
    operands = recording.operands.tolist()
    return not is_chain(operands[end - n : end] for n, end in zip(recording.counts, ends, strict=True))
