"""From groups of nodes to nests of loops, and their derivatives: a rule is run once for a group of nodes.

Nodes of one shape become a nest, numbered by the numbers of their operands, which lays layers and batches out
contiguously, in whatever order they were written. Leaves are numbered at their first use, so that a weight
matrix lies in order. Products are multiplied and sums added up as they are written; of a sum that is a loop,
and of an adjoint, terms of one kind are added up together, in the order of their operands' numbers.

An operation that is not linear is a `_Form`: its value and its partials, written by the table's own formula
and rule into a graph of a few nodes, each of which stands for a whole group. An adjoint sums up what the
groups that use a node pass back to it; nodes that are passed back the same kinds of terms are one nest again.

What does not live here: how groups are found (`groups.py`), what nests look like (`loops.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from autograd_lite.compiler.frontend.recording import Recording
from autograd_lite.compiler.frontend.trace import differentiated, lowered
from autograd_lite.compiler.ir.graph import CONDITIONS, LINEAR, Graph, Op
from autograd_lite.compiler.loops import grouping as groups
from autograd_lite.compiler.loops.grouping import DOT, SUM, Group, Nodes, Writing
from autograd_lite.compiler.loops.ir import NESTS, C, Lifted, Nest, Run, Slot, W, X
from autograd_lite.core import rules as table
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.primitive import TABLE, Primitive

# An operation with so many different numbers among its operands takes them as they come: a form for each of
# them, which might be simpler, would not pay.
MANY_NUMBERS = 64
# Groups take a tenth of a millisecond each: a graph with more of them is no regular one, or a chain so long
# that the tape has run it a hundred times before its loops are found.
MOST_GROUPS = 10_000
# A form takes a fifth of a millisecond for each operand: `logsumexp` of 1, 2, 3, ... values has one for each.
MOST_OPERANDS = 5_000


def _kept(target: str) -> set[Primitive]:
    """The rows that stay as they are: where loops are "shown", those whose name says more than a formula."""
    if target != "shown":
        return {table.sum, table.dot}
    return {*TABLE.values()} - {table.square, table.reciprocal, table.mean, table.prod}


class IrregularError(ValueError):
    """A graph is not to be loops: it has so many groups of nodes that they do not pay, or they would err."""


class Vector(NamedTuple):
    """Some numbers of a program: ``index`` says where in a space each of them is."""

    space: int
    index: Any


class _Terms(NamedTuple):
    """Terms of a sum: coefficients, and the factors that they are multiplied by, in arrays of one shape."""

    coefficients: Any
    factors: list[Vector]


class _Form:
    """An operation and its partials as a small graph, in operations that a target prints.

    The inputs are ``arguments`` (the operands that are no numbers), the adjoint, and ``constants``.
    """

    def __init__(self, op: Op, numbers: Sequence[float | None], target: str, derives: bool) -> None:
        graph = Graph()
        self.op = op
        self.name = op if isinstance(op, str) else op.name
        self.open = [k for k, number in enumerate(numbers) if number is None]
        place = {k: graph.input("argument", j, "x") for j, k in enumerate(self.open)}
        adjoint = graph.input("argument", len(self.open), "adjoint")
        operands = [
            place[k] if number is None else graph.constant(number) for k, number in enumerate(numbers)
        ]
        out = graph.add(op, tuple(operands))
        outputs = [out]
        if derives:
            outputs += differentiated(graph, out, list(place.values()), adjoint)
        self.graph, (self.out, *self.gradients) = lowered(graph, outputs, target, _kept(target))
        inputs = {self.graph.numbers[i]: i for i, op in enumerate(self.graph.ops) if op == "argument"}
        self.arguments = [inputs.get(j) for j in range(len(self.open))]
        self.adjoint = inputs.get(len(self.open), -1)
        self.constants = [i for i, op in enumerate(self.graph.ops) if op == "constant"]
        self._cache: dict[Any, Any] = {}

    @property
    def signature(self) -> Any:
        """What forms have in common that differ in their constants alone."""
        graph = self.graph
        return self.op, tuple(graph.ops), tuple(graph.operands), self.out, *self.gradients

    def linear(self) -> Writing | None:
        """The linear operation on the operands that this is, if it is one."""
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

    def groups(self, spaces: tuple[int, ...], wanted: tuple[int, ...] | None, np: Any) -> _FormGroups:
        """The groups of the value, or of the partials `wanted`; inputs of one space are alike."""
        first: dict[int, int] = {}
        alike = tuple([s if s <= C else first.setdefault(s, NESTS + len(first)) for s in spaces])
        key = (alike, wanted)
        if key not in self._cache:
            self._cache[key] = _FormGroups(self, alike, wanted, np)
        return self._cache[key]  # type: ignore[no-any-return]


class _FormGroups:
    """The nodes of a form in groups, for operands of given shapes."""

    def __init__(self, form: _Form, given: tuple[int, ...], wanted: tuple[int, ...] | None, np: Any) -> None:
        self.ops: list[Op] = []
        shapes = {i: shape for i, shape in zip(form.arguments, given, strict=True) if i is not None}
        own = shapes[form.adjoint] = max([*given, C]) + 1
        outputs = [form.out] if wanted is None else [form.gradients[j] for j in wanted]
        self.nodes, self.went = groups.of_graph(form.graph, outputs, self._write, shapes)
        self.outputs = [self.went[i] for i in outputs]
        if wanted is not None:  # each as a sum of terms, which go into the sum that is the adjoint
            self.outputs = [self.nodes.node(SUM, [i]) for i in self.outputs]
        self.grouped = groups.grouped(self.nodes, self.outputs, np)
        depends = {own}
        self.before: list[Group] = []  # what does not depend on the adjoint
        self.after: list[Group] = []
        for group in self.grouped.groups:
            used = {*group.shapes}.union(*[terms.shapes for terms in group.terms])
            if used & depends:
                depends.add(group.shape)
            (self.after if used & depends else self.before).append(group)
        # Whether the adjoint is but a factor of what is passed back, once.
        mine = self.went.get(form.adjoint, -1)
        uses = [int((terms.factors == mine).sum()) for group in self.after for terms in group.terms]
        self.passes = sum(uses) == 1 and {i for group in self.after for i in group.members.tolist()} <= {
            *self.outputs
        }

    def name(self, whole: str, group: Group) -> str:
        """What a group is called: by its operation, a sum by that of the form."""
        if group.code == SUM:
            return whole
        op = self.ops[group.code - len(LINEAR)]
        return op if isinstance(op, str) else op.name

    def _write(self, op: Op, numbers: tuple[float | None, ...]) -> Writing:
        if op not in self.ops:
            self.ops.append(op)
        return len(LINEAR) + self.ops.index(op), tuple(range(len(numbers)))


def _products() -> Callable[[int], list[tuple[int, ...]]]:
    known: dict[int, list[tuple[int, ...]]] = {}

    def partials(n: int) -> list[tuple[int, ...]]:
        """The partials of a product of n factors, by the rule of `mul`: which factors each one multiplies."""
        if n not in known:
            graph = Graph()
            x = [graph.input("argument", k, "x") for k in range(n)]
            product = x[0]
            for xk in x[1:]:
                product = graph.add(table.mul, (product, xk))
            known[n] = []
            for i in differentiated(graph, product, x):
                found, stack = [], [i]
                while stack:
                    k = stack.pop()
                    stack += graph.operands[k]
                    if graph.ops[k] == "argument":
                        found.append(graph.numbers[k])
                known[n].append(tuple(sorted(found)))
        return known[n]

    return partials


_partials_of_product = _products()


class _Builder:
    """Writes nests: each number that is made alike from the same operands is made once."""

    def __init__(self, leaves: int, np: Any) -> None:
        self.np = np
        self.nests: list[Nest] = []
        self.numbers = np.empty(64)  # the constants, with room for more
        self.leaf = np.full(leaves, -1, dtype=np.int64)  # the number of each leaf, once it has one
        self.leaves = 0
        self._numbers: dict[int, int] = {}
        self._known: dict[Any, int] = {}

    def constants(self, values: Any) -> Vector:
        """Numbers as a vector."""
        np = self.np
        bits, inverse = np.unique(
            np.ascontiguousarray(values).view(np.int64), return_inverse=True
        )  # -0.0 is no 0.0
        at = []
        for key, number in zip(bits.tolist(), bits.view(float).tolist(), strict=True):
            if key not in self._numbers:
                if len(self._numbers) == len(self.numbers):
                    self.numbers = np.concatenate([self.numbers, np.empty_like(self.numbers)])
                self.numbers[len(self._numbers)] = number
                self._numbers[key] = len(self._numbers)
            at.append(self._numbers[key])
        return Vector(C, np.array(at, dtype=np.int64)[inverse].reshape(values.shape))

    def values(self, index: Any) -> Any:
        """The numbers of a vector of constants."""
        return self.numbers[index]

    def _key(self, vector: Vector) -> Any:
        """What rows are ordered by: leaves without a number come after the others, in the order they have."""
        if vector.space != W:
            return vector.index
        number = self.leaf[vector.index]
        return self.np.where(number < 0, len(self.leaf) + vector.index, number)

    def _placed(self, keys: list[Any], columns: list[Any], n: int) -> tuple[Any, Any]:
        """Rows in the order of the keys, equal ones once; and for each of n rows its place among those."""
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

    def _use(self, leaves: Any) -> None:
        """Give leaves that have no number one, in their order."""
        np, flat = self.np, leaves.ravel()
        new = flat[self.leaf[flat] < 0]
        if len(new):
            fresh, first = np.unique(new, return_index=True)
            fresh = fresh[np.argsort(first)]
            self.leaf[fresh] = self.leaves + np.arange(len(fresh))
            self.leaves += len(fresh)

    def _slot(self, vector: Vector, rows: Any) -> Slot:
        index = vector.index[rows]
        if vector.space == W:
            self._use(index)
            index = self.leaf[index]
        return Slot(vector.space, index if index.ndim == 2 else index[:, None])

    def _added(self, nest: Nest, number: Any) -> Vector:
        key = (
            nest.op,
            nest.size,
            *[(slot.space, slot.index.shape, slot.index.tobytes()) for slot in nest.slots()],
            *[None if run.coefficient is None else run.coefficient.tobytes() for run in nest.runs],
            *[len(run.factors) for run in nest.runs],
        )
        k = self._known.setdefault(key, len(self.nests))
        if k == len(self.nests):
            nest.varies = any(
                slot.space == X or (slot.space >= NESTS and self.nests[slot.space - NESTS].varies)
                for slot in nest.slots()
            )
            self.nests.append(nest)
        return Vector(NESTS + k, number)

    def operation(self, op: Op, operands: list[Vector], name: str) -> Vector:
        """The results of an operation."""
        n = len(operands[0].index)
        rows, number = self._placed([self._key(x) for x in operands], [x.index for x in operands], n)
        nest = Nest(op, len(rows), name, operands=[self._slot(x, rows) for x in operands])
        return self._added(nest, number)

    def product(self, terms: _Terms) -> _Terms:
        """Terms with the constants that their factors begin with in the coefficients."""
        coefficients, factors = terms
        kept: list[Vector] = []
        for x in factors:
            if x.space == C and (not kept or (len(kept) == 1 and (abs(coefficients) == 1.0).all())):
                coefficients = coefficients * self.values(x.index)
            else:
                kept.append(x)
        if len(kept) == 2 and (abs(coefficients) == 1.0).all():
            kept.sort(key=lambda x: x.space)
        return _Terms(coefficients, kept)

    def ordered(self, given: Sequence[_Terms], name: str) -> Vector:
        """Sums of a few products, a row for each, whose terms are added up from the first to the last."""
        terms = [self.product(each) for each in given]
        while len(terms) > 1 and not (terms[0].factors or terms[1].factors):
            terms[:2] = [_Terms(terms[0].coefficients + terms[1].coefficients, [])]
        if len(terms) == 1 and not terms[0].factors:
            return self.constants(terms[0].coefficients[:, 0])
        terms[:2] = sorted(terms[:2], key=lambda each: [x.space for x in each.factors])
        return self.nest(terms, name, written=True)

    def sums(self, given: Iterable[_Terms], name: str, written: bool = False) -> Vector:
        """Sums of products, a row for each, terms of one kind together.

        Factors are multiplied in any order, unless they are `written`; constants go into the coefficients.
        """
        np = self.np
        kinds: dict[tuple[int, ...], list[_Terms]] = {}
        for terms in given:
            coefficients, factors = terms
            if written:
                coefficients, factors = self.product(terms)
            else:
                for x in factors:
                    if x.space == C:
                        coefficients = coefficients * self.values(x.index)
                factors = sorted([x for x in factors if x.space != C], key=lambda x: x.space)
            kinds.setdefault(tuple([x.space for x in factors]), []).append(_Terms(coefficients, factors))
        runs: list[_Terms] = []
        for spaces, several in sorted(kinds.items()):
            coefficients = np.concatenate([terms.coefficients for terms in several], axis=1)
            if not spaces:
                coefficients = coefficients.sum(axis=1, keepdims=True)
                if len(kinds) == 1:
                    return self.constants(coefficients[:, 0])
                if not coefficients.any():
                    continue
            factors = [
                Vector(space, np.concatenate([terms.factors[f].index for terms in several], axis=1))
                for f, space in enumerate(spaces)
            ]
            runs.append(self._sorted(_Terms(coefficients, factors)))
        return self.nest(runs, name, written)

    def nest(self, runs: list[_Terms], name: str, written: bool) -> Vector:
        """The results of sums of terms."""
        if len(runs) == 1 and len(runs[0].factors) == 1:
            coefficients, (x,) = runs[0]
            if coefficients.shape[1] == 1 and (coefficients == 1.0).all():
                return Vector(x.space, x.index[:, 0])
        keys = [self._key(Vector(x.space, x.index[:, 0])) for run in runs for x in run.factors]
        columns = [x.index for run in runs for x in run.factors] + [run.coefficients for run in runs]
        rows, number = self._placed(keys, columns, len(runs[0].coefficients))
        nest = Nest(None, len(rows), name, written=written)
        # Terms of one kind that are runs of their own have their leaves side by side, as in a run.
        alike: dict[tuple[int, ...], list[_Terms]] = {}
        for run in runs:
            alike.setdefault(tuple([x.space for x in run.factors]), []).append(run)
        for spaces, several in alike.items():
            for f in [f for f, space in enumerate(spaces) if space == W]:
                self._use(self.np.concatenate([run.factors[f].index for run in several], axis=1)[rows])
        for coefficients, factors in runs:
            c = coefficients[rows]
            slots = [self._slot(x, rows) for x in factors]
            nest.runs.append(Run(None if (c == 1.0).all() else c, slots, c.shape[1]))
        return self._added(nest, number)

    def _sorted(self, terms: _Terms) -> _Terms:
        np = self.np
        coefficients, factors = terms
        if coefficients.shape[1] == 1 or not factors:
            return terms
        keys = [x.index for x in reversed(factors) if x.space != W] or [self._key(factors[0])]
        if all((key[:, 1:] >= key[:, :-1]).all() for key in keys[-1:]) and len(keys) == 1:
            return terms
        order = np.lexsort(keys, axis=1)
        return _Terms(
            np.take_along_axis(coefficients, order, axis=1),
            [Vector(x.space, np.take_along_axis(x.index, order, axis=1)) for x in factors],
        )

    def finished(self, outputs: list[tuple[int, int]]) -> Lifted:
        """The program: constants and leaves that are used, each with its number."""
        np = self.np
        slots = [slot for nest in self.nests for slot in nest.slots() if slot.space == C]
        used = [slot.index.ravel() for slot in slots]
        used.append(np.array([k for space, k in outputs if space == C], dtype=np.int64))
        kept = np.unique(np.concatenate(used))
        renumbered = np.zeros(len(self._numbers), dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        for slot in slots:
            slot.index = renumbered[slot.index]
        ends = []
        for space, k in outputs:
            if space == W and self.leaf[k] < 0:
                self.leaf[k] = self.leaves
                self.leaves += 1
            ends.append((space, int(renumbered[k] if space == C else self.leaf[k] if space == W else k)))
        leaves = np.zeros(self.leaves, dtype=np.int64)
        numbered = np.flatnonzero(self.leaf >= 0)
        leaves[self.leaf[numbered]] = numbered
        constants = self.numbers[kept]
        return Lifted(self.nests, leaves, constants, ends)


class Lift:
    """The nests of a graph, for a target; with `derives` they hold derivatives by its rows' rules too."""

    def __init__(self, target: str, np: Any, *, derives: bool) -> None:
        self.target, self.np, self.derives = target, np, derives
        self.forms: list[_Form] = []
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
        form = _Form(op, numbers, self.target, self.derives)
        written = form.linear() or self.coded(form)
        if self._numbered[pattern] > MANY_NUMBERS:
            self._general[op, numbers] = written
        return written

    def coded(self, form: _Form) -> Writing:
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
        self.grouped = groups.grouped(nodes, [i for i in outputs if i >= 0], np)
        if self.grouped.lost:
            raise IrregularError("loops would multiply constants whose product is beyond a float's range")
        if len(self.grouped.groups) > MOST_GROUPS:
            raise IrregularError(f"{len(self.grouped.groups):,} kinds of nodes are too many to be loops")
        self.build = _Builder(leaves, np)
        n = self.grouped.size
        self.number = np.full((n + len(self.grouped.constants), 1), -1, dtype=np.int64)
        if nodes.place:
            self.number[list(nodes.place), 0] = list(nodes.place.values())
        self.space = {X: X, W: W, C: C}
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

    def terms(self, group: Group, number: Any, space: dict[int, int]) -> list[_Terms]:
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
            found.append(_Terms(np.repeat(terms.coefficients, width, axis=0), factors))
        return found

    def form_applied(self, group: Group, operands: list[Vector], name: str) -> Vector:
        """The value of an operation that is not linear."""
        form = self.forms[group.code - len(LINEAR)]
        parts = form.groups(tuple([x.space for x in operands[: len(form.open)]]), None, self.np)
        number, space = self.inputs(form, parts, operands)
        self.emit(parts.grouped.groups, number, space, lambda _: name, self.applied(parts))
        (out,) = parts.outputs
        return Vector(space[int(parts.grouped.shape[out])], number[out])

    def inputs(self, form: _Form, parts: _FormGroups, operands: list[Vector]) -> tuple[Any, dict[int, int]]:
        """The numbers of the nodes of a form, of which the inputs are known."""
        np = self.np
        number = np.full((len(parts.nodes), len(operands[0].index)), -1, dtype=np.int64)
        space = {C: C}
        for i, x in zip([*form.arguments, *form.constants], operands, strict=True):
            if i is not None and i in parts.went:
                number[parts.went[i]] = x.index
                space[int(parts.grouped.shape[parts.went[i]])] = x.space
        return number, space

    def applied(self, parts: _FormGroups) -> Callable[[Group, list[Vector], str], Vector]:
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
        found = [(C, int(zero.index[0]))] * count
        for elements, terms in self.adjoints(by):
            adjoint = self.build.sums(terms, "d_w" if by == W else "d_x")
            for k, i in zip(elements.tolist(), adjoint.index.tolist(), strict=True):
                found[k] = (adjoint.space, i)
        return found

    def pass_back(self, shape: int, nodes: Any, coefficients: Any, factors: list[Vector]) -> None:
        """Add terms to the adjoints of nodes of a shape."""
        for x in factors:
            if x.space == C:
                coefficients = coefficients * self.build.values(x.index)
        factors = sorted([x for x in factors if x.space != C], key=lambda x: x.space)
        self.passed.setdefault(shape, {}).setdefault(tuple([x.space for x in factors]), []).append(
            (self.element[nodes], coefficients, [x.index for x in factors])
        )

    def adjoints(self, shape: int) -> Iterator[tuple[Any, list[_Terms]]]:
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
                        _Terms(
                            coefficients[rows],
                            [Vector(s, factor[rows]) for s, factor in zip(spaces, factors, strict=True)],
                        )
                    )
            if terms:
                yield elements, terms

    def upstream(self, terms: list[_Terms], group: Group, inline: int) -> _Terms:
        """An adjoint: the factor that it is as a nest, or, of at most `inline` factors, those themselves."""
        coefficients, factors = terms[0]
        if len(terms) == 1 and coefficients.shape[1] == 1 and len(factors) <= inline:
            return _Terms(coefficients[:, 0], [Vector(x.space, x.index[:, 0]) for x in factors])
        found = self.build.sums(terms, f"d_{self.name(group)}")
        return _Terms(self.np.ones(len(coefficients)), [found])

    def backward(self, group: Group, first: Any, elements: Any, adjoint: list[_Terms]) -> None:
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
            for k in _partials_of_product(len(columns))[f]:
                factors.append(Vector(self.space[terms.shapes[k]], self.number[columns[k].ravel(), 0]))
            coefficients = terms.coefficients[rows] * upstream.coefficients[:, None] * times
            self.pass_back(terms.shapes[f], columns[f].ravel(), coefficients.ravel(), factors)

    def form_backward(self, group: Group, first: Any, elements: Any, adjoint: list[_Terms]) -> None:
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

    def finished(self, outputs: list[int], gradients: list[tuple[int, int]]) -> Lifted:
        """The program of some nodes, and of gradients."""
        ends = [
            (C, int(self.build.constants(self.np.array([self.nodes.constants[-1 - i]])).index[0]))
            if i < 0
            else (self.space[int(self.grouped.shape[i])], int(self.number[i, 0]))
            for i in outputs
        ]
        return self.build.finished([*ends, *gradients])


def _leaves(nodes: Nodes) -> int:
    return 1 + max([place for i, place in nodes.place.items() if nodes.codes[i] == -1 - W], default=-1)


def lift(graph: Graph, outputs: Sequence[int], target: str, np: Any) -> Lifted:
    """The loops of a graph as it is, in the operations of a target."""
    with collector_paused():
        low, out = lowered(graph, list(outputs), target, _kept(target))
        lifting = Lift(target, np, derives=False)
        nodes, went = groups.of_graph(low, out, lifting.write)
        ends = [went[i] for i in out]
        lifting.values(nodes, ends, _leaves(nodes))
        return lifting.finished(ends, [])


def lift_gradient(graph: Graph, output: int, kind: str, count: int, target: str, np: Any) -> Lifted:
    """The loops of a node of a graph and of its derivatives by the `count` inputs of a kind."""
    with collector_paused():
        lifting = Lift(target, np, derives=True)
        nodes, went = groups.of_graph(graph, [output], lifting.write)
        return _with_gradient(lifting, nodes, went[output], X if kind == "argument" else W, count)


def lift_recorded(recording: Recording, target: str, np: Any) -> Lifted:
    """The loops of a recorded loss and of its derivatives by its leaves."""
    with collector_paused():
        lifting = Lift(target, np, derives=True)
        nodes = groups.of_recording(recording, lifting.write, np)
        return _with_gradient(lifting, nodes, len(nodes) - 1, W, len(nodes.place))


def _with_gradient(lifting: Lift, nodes: Nodes, root: int, by: int, count: int) -> Lifted:
    lifting.values(nodes, [root], max(_leaves(nodes), count if by == W else 0))
    gradients = lifting.gradients(root, by, count) if root >= 0 else None
    if gradients is None:
        zero = lifting.build.constants(lifting.np.zeros(1))
        gradients = [(C, int(zero.index[0]))] * count
    return lifting.finished([root], gradients)


def derives(graph: Graph) -> bool:
    """Whether `lift_gradient` knows the derivatives: no choice decides which of them there are."""
    return not any(op in CONDITIONS or op is table.where for op in graph.ops)
