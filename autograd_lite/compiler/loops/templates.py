"""Templates: the value and the partials of an operation as a small graph, for a whole class of nodes.

The table's own decomposition and rule write the graph once; each of its nodes then stands for all nodes of
the class. Next door: `lowering.py` applies templates, `grouping.py` finds the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from autograd_lite.compiler.ir.graph import LINEAR, Graph, Op
from autograd_lite.compiler.loops.grouping import Group, grouped
from autograd_lite.compiler.loops.ir import CONSTANT, NESTS
from autograd_lite.compiler.loops.nodes import SUM, Writing, nodes_of_graph
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.compiler.passes.differentiate import differentiate
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import TABLE, TRACED, Primitive


def kept_rows(target: str) -> set[Primitive]:
    """Return the rows that are not decomposed; in loops to show, rows whose names say more than a formula."""
    if target != "shown":
        return {table.sum, table.dot, table.entry}
    return {*TABLE.values(), *TRACED.values()} - {table.square, table.reciprocal, table.mean, table.prod}


class Template:
    """An operation and its partials as a small graph, in operations that a target prints.

    Its inputs are ``arguments`` (the operands that are not constants), the adjoint, and ``constants``.
    """

    def __init__(self, op: Op, numbers: Sequence[float | None], target: str, derives: bool) -> None:
        graph = Graph()
        self.op = op
        self.name = op if isinstance(op, str) else op.name
        self.operands = len(numbers)
        self.open = [k for k, number in enumerate(numbers) if number is None]
        place = {k: graph.input("argument", j, "x") for j, k in enumerate(self.open)}
        adjoint = graph.input("argument", len(self.open), "adjoint")
        operands = [
            place[k] if number is None else graph.constant(number) for k, number in enumerate(numbers)
        ]
        out = graph.add(op, tuple(operands))
        outputs = [out]
        if derives and op is not table.entry:  # its derivative is a nest of its own kind (`adjoints.py`)
            outputs += differentiate(graph, out, list(place.values()), adjoint)
        self.graph, (self.out, *self.gradients) = decompose(graph, outputs, target, kept_rows(target))
        inputs = {self.graph.numbers[i]: i for i, op in enumerate(self.graph.ops) if op == "argument"}
        self.arguments = [inputs.get(j) for j in range(len(self.open))]
        self.adjoint = inputs.get(len(self.open), -1)
        self.constants = [i for i, op in enumerate(self.graph.ops) if op == "constant"]
        self._cache: dict[Any, Any] = {}

    @property
    def signature(self) -> Any:
        """What two templates share if they differ in their constants alone."""
        graph = self.graph
        return self.op, tuple(graph.ops), tuple(graph.operands), self.out, *self.gradients

    def linear(self) -> Writing | None:
        """Return the linear operation on the operands that the template amounts to; None if to none."""
        graph, out = self.graph, self.out
        op, operands = (
            (table.sum, (out,)) if not graph.operands[out] else (graph.ops[out], graph.operands[out])
        )
        if op not in LINEAR or any(graph.operands[k] for k in operands):
            return None
        taken = [
            graph.constants[k] if graph.ops[k] == "constant" else self.open[graph.numbers[k]]
            for k in operands
        ]
        return LINEAR.index(op), tuple(taken)

    def classes(self, spaces: tuple[int, ...], wanted: tuple[int, ...] | None, np: Any) -> TemplateClasses:
        """Return the groups of the value, or of the partials `wanted`; inputs of one space are alike."""
        first: dict[int, int] = {}
        alike = tuple([s if s <= CONSTANT else first.setdefault(s, NESTS + len(first)) for s in spaces])
        key = (alike, wanted)
        if key not in self._cache:
            self._cache[key] = TemplateClasses(self, alike, wanted, np)
        return self._cache[key]  # type: ignore[no-any-return]


class TemplateClasses:
    """The nodes of a template in groups, for operands of given shapes."""

    def __init__(
        self, template: Template, given: tuple[int, ...], wanted: tuple[int, ...] | None, np: Any
    ) -> None:
        self.ops: list[Op] = []
        shapes = {i: shape for i, shape in zip(template.arguments, given, strict=True) if i is not None}
        own = shapes[template.adjoint] = max([*given, CONSTANT]) + 1
        outputs = [template.out] if wanted is None else [template.gradients[j] for j in wanted]
        self.nodes, self.went = nodes_of_graph(template.graph, outputs, self._write, shapes)
        self.outputs = [self.went[i] for i in outputs]
        if wanted is not None:  # sums, whose terms become terms of adjoints
            self.outputs = [self.nodes.node(SUM, [i]) for i in self.outputs]
        self.grouped = grouped(self.nodes, self.outputs, np)
        depends = {own}
        self.before: list[Group] = []  # groups that do not depend on the adjoint
        self.after: list[Group] = []
        for group in self.grouped.groups:
            used = {*group.shapes}.union(*[terms.shapes for terms in group.terms])
            if used & depends:
                depends.add(group.shape)
            (self.after if used & depends else self.before).append(group)
        # Whether the adjoint occurs once, as a factor of a term that is passed back.
        mine = self.went.get(template.adjoint, -1)
        uses = [int((terms.factors == mine).sum()) for group in self.after for terms in group.terms]
        self.passes = sum(uses) == 1 and {i for group in self.after for i in group.members.tolist()} <= {
            *self.outputs
        }

    def name(self, whole: str, group: Group) -> str:
        """Return a name for a group: its operation; for a sum, `whole`, the name of the template."""
        if group.code == SUM:
            return whole
        op = self.ops[group.code - len(LINEAR)]
        return op if isinstance(op, str) else op.name

    def _write(self, op: Op, numbers: tuple[float | None, ...]) -> Writing:
        """Return code and operands of an operation, as they are."""
        if op not in self.ops:
            self.ops.append(op)
        return len(LINEAR) + self.ops.index(op), tuple(range(len(numbers)))


@cache
def partials_of_product(n: int) -> list[tuple[int, ...]]:
    """Return for each of n factors which of them the partial by it multiplies, by the rule of `mul`."""
    graph = Graph()
    x = [graph.input("argument", k, "x") for k in range(n)]
    product = x[0]
    for xk in x[1:]:
        product = graph.add(table.mul, (product, xk))
    partials = []
    for i in differentiate(graph, product, x):
        found, stack = [], [i]
        while stack:
            k = stack.pop()
            stack += graph.operands[k]
            if graph.ops[k] == "argument":
                found.append(graph.numbers[k])
        partials.append(tuple(sorted(found)))
    return partials
