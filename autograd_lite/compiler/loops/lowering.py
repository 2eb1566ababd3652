"""Lowering to loops: from graphs and recordings, and from their derivatives, to nests of loops.

Each group of nodes that are made alike becomes a nest (`Lowering`), and so does each group of adjoints
(`adjoints.py`). Rules and decompositions of the table run once for a group, not once for a node. Products are
multiplied and sums added up as they are written. Only a sum that is a loop, or an adjoint, adds up terms of
one kind together, in the order of their operands' numbers.

Next door: `grouping.py` finds the groups, `templates.py` holds operations that are not linear, `builder.py`
writes the nests, `recurrences.py` lowers long chains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from autograd_lite.compiler.frontend.recording import Recording
from autograd_lite.compiler.ir.graph import CONDITIONS, LINEAR, Graph, Op
from autograd_lite.compiler.loops.adjoints import Adjoints
from autograd_lite.compiler.loops.builder import Builder, Products, Vector
from autograd_lite.compiler.loops.grouping import Group, grouped
from autograd_lite.compiler.loops.ir import ARGUMENT, CONSTANT, PARAMETER, LoopProgram
from autograd_lite.compiler.loops.nodes import DOT, SUM, Nodes, Writing, nodes_of_graph, nodes_of_recording
from autograd_lite.compiler.loops.recurrences import is_chain, lower_recurrence
from autograd_lite.compiler.loops.templates import Template, TemplateClasses, kept_rows
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.core import rules as table
from autograd_lite.core.collector import collector_paused

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Integers = NDArray[numpy.int64]

# An operation with more constants than this among its operands gets one template for all of them. A template
# for each, which may be simpler, would not pay.
MANY_NUMBERS = 64
# A group takes a tenth of a millisecond. A graph with more of them than this is irregular.
MOST_GROUPS = 10_000
# In a chain without steps that repeat, every operation is a group.
MOST_OF_A_CHAIN = 5_000
# A template takes a fifth of a millisecond for each operand: `logsumexp` of 1, 2, 3, ... values has one for
# each.
MOST_OPERANDS = 5_000


class IrregularError(ValueError):
    """Raised for a graph not to be lowered to loops: it is too irregular, or they would lose precision."""


class Lowering:
    """The nests of a graph's values, for a target. With `derives` templates hold partials as well."""

    def __init__(self, target: str, np: Any, *, derives: bool) -> None:
        self.target, self.np, self.derives = target, np, derives
        self.templates: list[Template] = []
        self._codes: dict[Any, int] = {}
        self._numbered: dict[Any, int] = {}
        self._general: dict[Any, Writing] = {}
        self._written_out = 0

    # --- Operations that are not linear

    def write(self, op: Op, numbers: tuple[float | None, ...]) -> Writing:
        """Return code and operands of an operation. Its constants become operands like the others."""
        pattern = (op, tuple([number is None for number in numbers]))
        self._numbered[pattern] = self._numbered.get(pattern, 0) + 1
        # The numbers of classes and the entries of tables are data: a template for each would say nothing.
        general = self._numbered[pattern] > MANY_NUMBERS or op in (table.entry, table.masked)
        if general:
            numbers = (None,) * len(numbers)
            if (op, numbers) in self._general:
                return self._general[op, numbers]
        self._written_out += len(numbers)
        if self._written_out > MOST_OPERANDS:
            raise IrregularError(
                f"{self._written_out:,} operands of operations all unlike are too many for loops"
            )
        template = Template(op, numbers, self.target, self.derives)
        written = template.linear() or self._coded(template)
        if general:
            self._general[op, numbers] = written
        return written

    def _coded(self, template: Template) -> Writing:
        """Return the code of a template, equal for equal ones, and its operands, then its constants."""
        code = self._codes.setdefault(template.signature, len(self.templates))
        if code == len(self.templates):
            self.templates.append(template)
        constants = [template.graph.constants[i] for i in template.constants]
        return len(LINEAR) + code, (*template.open, *constants)

    def template(self, group: Group) -> Template:
        """Return the template of a group of operations that are not linear."""
        return self.templates[group.code - len(LINEAR)]

    # --- Values

    def values(self, nodes: Nodes, outputs: list[int], leaves: int) -> None:
        """Find the groups of nodes and write their nests.

        ``number[i]`` is then where node i is found in the space ``space[shape of i]``.
        """
        np = self.np
        self.nodes = nodes
        self.grouped = grouped(nodes, [i for i in outputs if i >= 0], np)
        if self.grouped.lost:
            raise IrregularError("loops would multiply constants whose product is beyond a float's range")
        if len(self.grouped.groups) > MOST_GROUPS:
            raise IrregularError(f"{len(self.grouped.groups):,} kinds of nodes are too many to be loops")
        self.build = Builder(leaves, np)
        n = self.grouped.size
        self.number: Integers = np.full((n + len(self.grouped.constants), 1), -1, dtype=np.int64)
        if nodes.place:
            self.number[list(nodes.place), 0] = list(nodes.place.values())
        self.space = {ARGUMENT: ARGUMENT, PARAMETER: PARAMETER, CONSTANT: CONSTANT}
        self.number[n:, 0] = self.build.constants(self.grouped.constants).index
        self.emit(self.grouped.groups, self.number, self.space, self.name, self._apply_template)

    def name(self, group: Group) -> str:
        """Return a name for a group: the label of its first node, or its operation."""
        i = int(group.members[0])
        name = self.nodes.labels.get(i)
        if name is None:
            code = self.nodes.codes[i]
            name = LINEAR[code].name if code <= DOT else self.templates[code - len(LINEAR)].name
        return re.sub(r"\W+", "_", name)

    def emit(
        self,
        chosen: Iterable[Group],
        number: Integers,
        space: dict[int, int],
        name: Callable[[Group], str],
        apply: Callable[[Group, list[Vector], str], Vector],
    ) -> None:
        """Write the nests of some groups; set `number` and `space` of their nodes.

        Each node stands for as many numbers as `number` has columns.
        """
        width = number.shape[1]
        for group in chosen:
            if group.code == SUM:
                terms = self._terms(group, number, space)
                if terms[0].counts is not None:
                    found = self._ragged(terms[0], name(group), group.ordered)
                else:
                    add = self.build.ordered if group.ordered else partial(self.build.sums, written=True)
                    found = add(terms, name(group))
            else:
                operands = [
                    Vector(space[s], number[group.operands[:, j]].ravel()) for j, s in enumerate(group.shapes)
                ]
                found = apply(group, operands, name(group))
            space[group.shape] = found.space
            number[group.members] = found.index.reshape(len(group.members), width)

    def _terms(self, group: Group, number: Integers, space: dict[int, int]) -> list[Products]:
        """Return the terms of a group of sums, with a row for each node and column of `number`."""
        np, width = self.np, number.shape[1]
        n = len(group.members) * width
        found = []
        for terms in group.terms:
            t = terms.coefficients.shape[1]
            factors = [
                Vector(space[s], number[terms.factors[:, :, f]].transpose(0, 2, 1).reshape(n, t))
                for f, s in enumerate(terms.shapes)
            ]
            counts = None if terms.counts is None else np.repeat(terms.counts, width)
            found.append(Products(np.repeat(terms.coefficients, width, axis=0), factors, counts))
        return found

    def _ragged(self, terms: Products, name: str, exact: bool) -> Vector:
        """Write sums of different numbers of terms, in their order; return their results."""
        terms = self.build.product(terms)
        if terms.factors:
            return self.build.nest([terms], name, written=True, exact=exact)
        return self.build.sums([terms], name)

    def _apply_template(self, group: Group, operands: list[Vector], name: str) -> Vector:
        """Write the values of a group of operations that are not linear."""
        template = self.template(group)
        parts = template.classes(tuple([x.space for x in operands[: len(template.open)]]), None, self.np)
        number, space = self.inputs(template, parts, operands)
        self.emit(parts.grouped.groups, number, space, lambda _: name, self.applying(parts))
        (out,) = parts.outputs
        return Vector(space[int(parts.grouped.shape[out])], number[out])

    def inputs(
        self, template: Template, parts: TemplateClasses, operands: list[Vector]
    ) -> tuple[Integers, dict[int, int]]:
        """Return numbers and spaces for the nodes of a template, with those of its inputs set."""
        np = self.np
        number = np.full((len(parts.nodes), len(operands[0].index)), -1, dtype=np.int64)
        space = {CONSTANT: CONSTANT}
        for i, x in zip([*template.arguments, *template.constants], operands, strict=True):
            if i is not None and i in parts.went:
                number[parts.went[i]] = x.index
                space[int(parts.grouped.shape[parts.went[i]])] = x.space
        return number, space

    def applying(self, parts: TemplateClasses) -> Callable[[Group, list[Vector], str], Vector]:
        """Return the function that writes a group of operations inside a template."""
        return lambda group, operands, name: self.build.operation(
            parts.ops[group.code - len(LINEAR)], operands, name
        )

    def finished(self, outputs: list[int], gradients: list[tuple[int, int]]) -> LoopProgram:
        """Return the loops, whose outputs are some nodes, then gradients."""
        ends = [
            (CONSTANT, int(self.build.constants(self.np.array([self.nodes.constants[-1 - i]])).index[0]))
            if i < 0
            else (self.space[int(self.grouped.shape[i])], int(self.number[i, 0]))
            for i in outputs
        ]
        return self.build.finished([*ends, *gradients])


def _leaves(nodes: Nodes) -> int:
    """Return how many leaves there are, up to the last one that is used."""
    return 1 + max(
        [place for i, place in nodes.place.items() if nodes.codes[i] == -1 - PARAMETER], default=-1
    )


def lower_to_loops(graph: Graph, outputs: Sequence[int], target: str, np: Any) -> LoopProgram:
    """Return the loops of a graph as it is, in the operations of a target."""
    with collector_paused():
        low, out = decompose(graph, list(outputs), target, kept_rows(target))
        if is_chain(low.operands):
            low, out = decompose(graph, list(outputs), target, kept_rows(target) - {table.entry})
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
    """Return the loops of one output and of its derivatives by the `count` inputs of a kind."""
    with collector_paused():
        lowering = Lowering(target, np, derives=True)
        nodes, went = nodes_of_graph(graph, [output], lowering.write)
        return _with_gradient(
            lowering, nodes, went[output], ARGUMENT if kind == "argument" else PARAMETER, count
        )


def lower_recording(recording: Recording, target: str, np: Any) -> LoopProgram:
    """Return the loops of a recorded loss and of its derivatives by its leaves."""
    with collector_paused():
        lowering = Lowering(target, np, derives=True)
        nodes = nodes_of_recording(recording, lowering.write, np)
        return _with_gradient(lowering, nodes, len(nodes) - 1, PARAMETER, len(nodes.place))


def _with_gradient(lowering: Lowering, nodes: Nodes, root: int, by: int, count: int) -> LoopProgram:
    """Return the loops of node `root` and of its derivatives; a negative root is a constant."""
    lowering.values(nodes, [root], max(_leaves(nodes), count if by == PARAMETER else 0))
    if root >= 0:
        gradients = Adjoints(lowering, by, count).gradients(root)
    else:
        zero = lowering.build.constants(lowering.np.zeros(1))
        gradients = [(CONSTANT, int(zero.index[0]))] * count
    return lowering.finished([root], gradients)


def derives(graph: Graph, output: int) -> bool:
    """Return whether `lower_gradient` can derive an output: not one with choices, nor a long chain.

    A choice decides which derivatives there are.
    """
    live = graph.live([output])
    if any(graph.ops[i] in CONDITIONS or graph.ops[i] is table.where for i in live):
        return False
    return not is_chain(graph.operands)


def derives_recording(recording: Recording) -> bool:
    """Return whether `lower_recording` can derive a recording: not a long chain."""
    ends = accumulate(recording.counts)
    operands = recording.operands.tolist()
    return not is_chain(operands[end - n : end] for n, end in zip(recording.counts, ends, strict=True))
