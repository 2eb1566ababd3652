"""`differentiate`: the gradient of a node, written into the same graph by the table's rules.

The rules run on traced values (`frontend/trace.py`), so no derivative stands here. Next door: rows that a
target lacks are decomposed (`decompose.py`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence

from autograd_lite.compiler.frontend.trace import Condition, Trace, TracedValue, as_number
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive, Scalar
from autograd_lite.core.value import Value


def differentiate(graph: Graph, output: int, inputs: Iterable[int], seed: int | None = None) -> list[int]:
    """Write the gradient of a node into the graph; return the nodes of its derivatives, one for each input.

    `seed` is the node of the adjoint of the output, 1 by default.
    """
    zero, inputs = graph.constant(0.0), list(inputs)
    start = {output: [graph.constant(1.0) if seed is None else seed]}
    found = pull_back(Trace(graph, pull_back), start, inputs)
    return [found.get(i, zero) for i in inputs]


def pull_back(trace: Trace, terms: dict[int, list[int]], inputs: list[int]) -> dict[int, int]:
    """Write the adjoints of the inputs into the graph of a trace; return those that are not zero.

    The adjoint of each output is the sum of its nodes in `terms`.
    """
    sweep = _Sweep(trace, terms, inputs)
    for i in range(sweep.last, -1, -1):
        if i in sweep.terms:
            sweep.visit(i)
    return sweep.adjoints


def local_partials(trace: Trace, i: int) -> list[int]:
    """Write the local partials of a node into the graph of a trace; return them, one for each operand."""
    row, operands = trace.graph.ops[i], trace.graph.operands[i]
    if isinstance(row, str):
        return []
    found = _Sweep(trace, {}, []).partials(i, row, operands)
    return [x if type(x) is int else trace.index(as_number(x)) for x in found]


class _Sweep:
    """A reverse sweep over a graph: adjoint(operand) = Σ adjoint(node) · partial.

    The branch of a `where` that is not taken contributes exactly zero, and so does everything that only this
    branch uses. Each node therefore records the conditions under which an adjoint reaches it. Where they do
    not hold it passes on zero, whatever its partials are.
    """

    def __init__(self, trace: Trace, terms: dict[int, list[int]], inputs: list[int]) -> None:
        self.trace, self.graph = trace, trace.graph
        self.terms = terms
        self.last = max(terms, default=-1)  # the sweep itself writes the nodes above
        # An adjoint reaches the node where one of these conditions holds; with None, always.
        self.conditions: dict[int, list[int] | None] = dict.fromkeys(terms)
        self.wanted = set(inputs)
        self.depends = self.graph.dependent(inputs)
        self.adjoints: dict[int, int] = {}
        self.zero = self.graph.constant(0.0)
        self._known: dict[tuple[Primitive, int], list[int | float] | None] = {}

    def visit(self, i: int) -> None:
        """Add up the adjoint of a node, all of whose terms are known, and pass it on to the operands."""
        graph = self.graph
        terms = self.terms.pop(i)
        adjoint = terms[0] if len(terms) == 1 else graph.add(table.sum, tuple(terms))
        conditions = self.conditions.pop(i)
        if i in self.wanted:
            self.adjoints[i] = adjoint
        if adjoint > self.last and graph.operands[adjoint]:
            graph.adjoints.setdefault(adjoint, i)
        row, operands = graph.ops[i], graph.operands[i]
        if not self.depends[i] or isinstance(row, str):
            return
        holds: int | None = None
        if conditions is not None:
            holds = conditions[0]
            for condition in conditions[1:]:
                holds = graph.add("or", (holds, condition))
            if graph.number(holds) == 0.0:  # no adjoint ever reaches it
                return
            if graph.number(holds) is not None:  # one of the two branches always passes it on
                holds = None
            elif graph.ops[adjoint] is table.where and graph.operands[adjoint][0] == holds:
                adjoint = graph.operands[adjoint][1]  # each term is masked by the same condition anyway
        for k, partial in zip(operands, self.partials(i, row, operands), strict=True):
            if self.depends[k] and not (type(partial) is float and partial == 0.0):
                self.contribute(k, adjoint, partial, holds)

    def partials(self, i: int, row: Primitive, operands: tuple[int, ...]) -> Sequence[Scalar]:
        """Return the partials of a node: nodes as integers, traced values or floats."""
        key = row, len(operands)
        if key not in self._known:
            self._known[key] = _constant_partials(*key)
        known = self._known[key]
        if known is not None:
            return [operands[p] if type(p) is int else p for p in known]
        node = self.trace.traced(i)
        try:
            partials = row.rule(node, *self.trace.operands(operands))
        except (ArithmeticError, ValueError):  # from constants among the operands: the node itself fails, too
            partials = (math.nan * node,) * len(operands)
        if len(partials) != len(operands):
            raise TypeError(
                f"the rule of {row.name} gave {len(partials)} partials for {len(operands)} operands"
            )
        return partials

    def contribute(self, k: int, adjoint: int, partial: Scalar, holds: int | None) -> None:
        """Add the term adjoint · partial to node k, under the condition `holds`."""
        graph, reaches = self.graph, holds
        if isinstance(partial, Condition):
            condition = self.trace.index(partial)
            reaches = condition if holds is None else graph.add("and", (holds, condition))
            term = graph.add(table.where, (reaches, adjoint, self.zero))
        else:
            node = partial if type(partial) is int else self.trace.index(as_number(partial))
            term = _product(graph, adjoint, node)
            if holds is not None:
                term = graph.add(table.where, (holds, term, self.zero))
        self.terms.setdefault(k, []).append(term)
        before = self.conditions.get(k, [])
        if reaches is None or before is None:
            self.conditions[k] = None
        elif reaches not in before:
            self.conditions[k] = [*before, reaches]


def _product(graph: Graph, adjoint: int, partial: int) -> int:
    """Return adjoint · partial. It may combine constants and divide by y: no user chose this rounding."""
    for a, b in ((adjoint, partial), (partial, adjoint)):
        number, operands = graph.number(a), graph.operands[b]
        second = graph.number(operands[0]) if graph.ops[b] in (table.mul, table.div) else None
        if graph.ops[b] is table.div and second == 1.0:
            return graph.add(table.div, (a, operands[1]))
        if graph.ops[b] is table.mul and number is not None and second is not None:
            product = number * second
            if sys.float_info.min <= abs(product) <= sys.float_info.max:
                return graph.add(table.mul, (graph.constant(product), operands[1]))
    return graph.add(table.mul, (adjoint, partial))


def _constant_partials(row: Primitive, n: int) -> list[int | float] | None:
    """Return the partials of a row with n operands if each is a number or an operand, given by its place.

    Most nodes are like this: add, mul, dot. Not running their rules for each node saves a tenth of
    `differentiate` on a recurrence of 300 steps. A constant 0 also stays a factor, as in the eager engine,
    where 0 · ∞ is NaN.
    """
    trace = Trace(Graph(share=False), pull_back)
    x = [trace.traced(trace.graph.input("argument", k, "x")) for k in range(n + 1)]
    found: list[int | float] = []
    try:
        partials = row.rule(x[n], *x[:n])
    except (TypeError, ValueError, ArithmeticError):
        return None
    for partial in partials:
        if isinstance(partial, TracedValue):
            if isinstance(partial, Condition) or partial.index >= n:
                return None
            found.append(partial.index)
        elif isinstance(partial, Value):
            return None
        else:
            found.append(float(partial))
    return found if not row.masks else None
