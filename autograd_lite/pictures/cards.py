"""From a graph to cards: what is drawn, before it is drawn.

`cards(root)` gives the `Cards` of a graph: a `Card` for each value that is shown, with the values folded into
it as further `Row`s; an `Edge` for each operand that comes from another card; a nested `Box` for each scope
and each neuron in it. A graph that is too large is folded step by step until it fits: alike terms of a sum
(a batch) become the first and "… 99 more", leaves that feed the same cards become one card, then neurons,
then scopes from the inside out, at last all but the values nearest to the root.

Ids are stable: ``v7`` is the value that stands 7th in the order of computation, ``c7`` the card whose own
value it is, ``e7.1`` its edge from operand 1, ``b7`` the box of which it is the last value. What does not
live here: colours and markup (`dot.py`, `player.py`).
"""

from __future__ import annotations

import inspect
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from autograd_lite.core.modes import scope
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value
from autograd_lite.notation.names import pretty, short

Kind: TypeAlias = Literal["input", "parameter", "constant", "operation", "output", "group"]
Collapse: TypeAlias = Literal["neuron", "layer"] | None

_ROWS = 6  # a card with more parameters, constants or outputs shows the first four
_PARALLEL = 4  # more edges than these between two cards are drawn as one
_ALIKE = 3  # so many alike terms are a batch; so many leaves more than that are worth a card of their own
_LAST_FUNCTIONS = 3  # of a term of a sum do not tell it from the others
_ALIKE_BY = ("parameters", "shape")
_EDGES_PER_CARD = 3  # more, and nobody can follow them: the graph is folded further


@dataclass(frozen=True)
class Row:
    """A value on a card: ``id`` (``v7``), what it is, its name as typeset, its data and gradient.

    ``symbol`` is that of the operation, "" for a leaf. ``partial`` is the local partial with respect to a
    weight that is a row of its neuron: the other factor.
    """

    id: str
    kind: Kind
    symbol: str
    name: str
    data: float
    gradient: float | None
    partial: float | None = None


@dataclass(frozen=True)
class Card:
    """A card: ``rows`` from top to bottom; on a card of one value the last row is its own.

    ``title`` and ``detail`` say what a folded card stands for, ``note`` what is left out of its rows
    ("… 780 more"). ``kind`` is "output" for the card that holds the root. ``box`` is the innermost box's id.
    """

    id: str
    kind: Kind
    rows: tuple[Row, ...]
    title: str = ""
    detail: str = ""
    note: str = ""
    box: str | None = None


@dataclass(frozen=True)
class Edge:
    """An operand on its way: from card ``tail`` to card ``head``, from value ``operand`` to ``consumer``.

    ``partial`` is ∂consumer/∂operand, ``flow`` partial · upstream, what the operand's gradient gets along
    this edge; None before `backward`. An edge may stand for ``count`` of them: then ``operand`` and
    ``consumer`` are the first's, ``partial`` is None unless all agree, and ``flow`` the sum if they leave
    one value, else the largest in magnitude.
    """

    id: str
    tail: str
    head: str
    operand: str
    consumer: str
    partial: float | None
    flow: float | None
    count: int = 1


@dataclass(frozen=True)
class Box:
    """A scope, or a neuron within one; ``parent`` is the id of the box around it, or None."""

    id: str
    name: str
    parent: str | None


@dataclass(frozen=True)
class Cards:
    """All that is drawn, in the order of computation, boxes before the boxes within them.

    ``values`` are the Values of the rows by id, ``total`` is the number of values in the graph,
    ``gradients`` whether a backward pass has reached the root, ``folded`` whether cards stand for more than
    single values.
    """

    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    boxes: tuple[Box, ...]
    values: dict[str, Value]
    total: int
    gradients: bool
    folded: bool


class _Link(NamedTuple):
    """Operand `position` of node `consumer` is node `operand`."""

    consumer: int
    position: int
    operand: int
    partial: float | None


# --- Order, and what leaves are -------------------------------------------------------------------


def _read(root: Value) -> tuple[list[Value], list[list[int]]]:
    """Every node after its operands, the first operand's first; and the places of each one's operands."""
    order: list[Value] = []
    sources: list[list[int]] = []
    places: dict[int, int] = {}  # by id; -1 until all operands are listed
    stack = [root]
    while stack:
        node = stack[-1]
        place = places.get(id(node))
        if place is None:
            places[id(node)] = -1
            stack += [x for x in reversed(node.operands) if isinstance(x, Value) and id(x) not in places]
            continue
        stack.pop()
        if place < 0:
            places[id(node)] = len(order)
            order.append(node)
            sources.append([places[id(x)] for x in node.operands if isinstance(x, Value)])
    return order, sources


def in_order(root: Value) -> list[Value]:
    """Every node of the graph after its operands, the first operand's first: the order of reading.

    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> [node.label for node in in_order(x * y + x)]
    ['x', 'y', None, None]
    """
    return _read(root)[0]


_WEIGHTS = re.compile(r"(w|W|θ|weights?)\b|(w|W|θ|weight)(?![a-zA-Z])")
_BIASES = re.compile(r"(b|B|bias)(?![a-zA-Z])")
_INPUTS = re.compile(r"(x|X|y|Y|t|input|target)(?![a-zA-Z])")


def _parameters(nodes: list[Value], sources: list[list[int]]) -> list[bool]:
    """Which leaves are parameters: what stands where a weight or a bias does, or is named like one.

    A leaf does not say what it is. b is a bias only beside weights, and x and y are inputs wherever they are.
    """
    names = [
        pretty(node.label).rpartition(".")[2] if node.primitive is None and node.label else ""
        for node in nodes
    ]
    found = [_WEIGHTS.match(name) is not None for name in names]
    for node, operands in zip(nodes, sources, strict=True):
        if node.primitive is TABLE["dot"]:
            n = len(node.operands) // 2
            weights = sum([isinstance(x, Value) for x in node.operands[:n]])
            has_bias = any(isinstance(x, Value) for x in node.operands[2 * n :])
            for i in operands[:weights] + operands[-1:] * has_bias:
                if nodes[i].primitive is None and not _INPUTS.match(names[i]):
                    found[i] = True
    if any(found):
        for i, name in enumerate(names):
            found[i] = found[i] or _BIASES.match(name) is not None
    return found


_SUMS = TABLE["add"], TABLE["sum"]
_INFIX = ("add", "sub", "mul", "div")
_POWERS = {float(n): "x" + digit for n, digit in zip(range(2, 10), "²³⁴⁵⁶⁷⁸⁹", strict=True)}


def symbol_of(node: Value) -> str:
    """How an operation is marked on a card: its symbol, x³ for a constant power, Σ for a neuron's w·x + b."""
    row, operands = node.primitive, node.operands
    if row is None:
        return ""
    if row is TABLE["dot"]:
        return "Σ"
    if row is TABLE["pow"] and not isinstance(operands[1], Value):
        return _POWERS.get(operands[1], row.symbol)
    return row.symbol


def constants(node: Value) -> dict[int, str]:
    """The positions of the constant operands that the symbol does not show already, each with its place.

    The place is what is written beside the number: ``c −`` before a minus, ``− c`` after it, a parameter's
    name (``slope``), or just ``c``.
    """
    row = node.primitive
    if row is None or symbol_of(node) in _POWERS.values():
        return {}
    places = {}
    names = list(inspect.signature(row.rule).parameters)[1:]
    for position, x in enumerate(node.operands):
        if isinstance(x, Value) or (row in _SUMS and x == 0.0):
            continue
        if row.name in _INFIX:
            places[position] = f"{row.symbol} c" if position else f"c {row.symbol}"
        else:
            places[position] = "c" if row.arity is None else names[position]
    return places


# --- Folding --------------------------------------------------------------------------------------


def is_part_of_sum(inner: Value, outer: Value) -> bool:
    """Whether `inner`, which nothing but `outer` uses, is best read as some of the terms of `outer`."""
    return (
        inner.primitive in _SUMS
        and outer.primitive in _SUMS
        and not inner.label
        and inner.scope is outer.scope
        # They differ if one of them was the root of a pass of its own. A NaN is told by its name.
        and repr(inner.grad) == repr(outer.grad)
    )


class _Plan:
    """Which node is drawn on which card. Nodes go by their place in the order.

    ``unit[i]`` is the node that names the card of node i; ``groups`` are the units that stand for more than
    one value, with their titles. A node that is not ``alive`` is left out with the terms in ``more``: by the
    sum that they belong to, in groups of alike ones.
    """

    def __init__(self, root: Value) -> None:
        self.nodes, self.sources = _read(root)
        self.root = len(self.nodes) - 1
        self.is_parameter = _parameters(self.nodes, self.sources)
        self.more: dict[int, list[list[_Link]]] = {}
        self._find_uses()

    def links(self, i: int) -> list[_Link]:
        """What node i was made from, but for what is left out."""
        node = self.nodes[i]
        operands = zip(node.operands, node.partials, strict=True)
        values = [(position, p) for position, (x, p) in enumerate(operands) if isinstance(x, Value)]
        return [
            _Link(i, position, j, partial)
            for (position, partial), j in zip(values, self.sources[i], strict=True)
            if j >= 0
        ]

    def _find_uses(self) -> None:
        self.alive = [False] * len(self.nodes)
        self.alive[self.root] = True
        self.uses: list[list[int]] = [[] for _ in self.nodes]
        for i in range(self.root, -1, -1):
            if self.alive[i]:
                for j in self.sources[i]:
                    if j >= 0:
                        self.alive[j] = True
                        self.uses[j].append(i)
        self.shown = [i for i, alive in enumerate(self.alive) if alive]
        self.joins_user = [
            len(users) == 1 and (self.is_parameter[i] or is_part_of_sum(self.nodes[i], self.nodes[users[0]]))
            for i, users in enumerate(self.uses)
        ]
        self.neurons = self._find_neurons()
        self.scope_names, self.heights = self._find_scopes()
        self.fold("nothing")

    def _find_scopes(self) -> tuple[dict[scope, str], dict[scope, int]]:
        """The scopes, those around before those within: their names, and how deep others nest in them."""
        heights: dict[scope, int] = {}
        # In the order of the first operation in each: a leaf may be read long before.
        operations = [self.nodes[i].scope for i in self.shown if self.nodes[i].primitive is not None]
        for found in dict.fromkeys([*operations, *[self.nodes[i].scope for i in self.shown]]):
            chain = []
            while found is not None:
                chain.append(found)
                found = found.parent
            for inner in reversed(chain):
                heights.setdefault(inner, 0)
            for height, around in enumerate(chain):
                heights[around] = max(heights[around], height)
        namesakes: dict[tuple[scope | None, str], list[scope]] = defaultdict(list)
        for found in heights:
            namesakes[found.parent, found.name].append(found)
        names = {}
        for (_, name), scopes in namesakes.items():  # a module that is called twice has two boxes
            for k, found in enumerate(scopes, 1):
                names[found] = pretty(name) + (f", call {k}" if len(scopes) > 1 else "")
        return names, heights

    def _find_neurons(self) -> dict[int, tuple[list[int], int]]:
        """By its `dot`, the nodes of each neuron (it, and what is made of it and parameters) and its number.

        Only in a scope that holds nothing but neurons, as that of a layer does.
        """
        owner: dict[int, int] = {}
        others: set[scope] = set()
        for i in self.shown:
            node = self.nodes[i]
            if node.primitive is None or node.scope is None:
                continue
            if node.primitive is TABLE["dot"]:
                owner[i] = i
                continue
            made_of = [j for j in self.sources[i] if j >= 0 and not self.is_parameter[j]]
            owners = {owner.get(j, -1) for j in made_of}
            d = owners.pop() if len(owners) == 1 else -1
            if d >= 0 and self.nodes[d].scope is node.scope:
                owner[i] = d
            else:
                others.add(node.scope)
        neurons: dict[int, tuple[list[int], int]] = {}
        numbers: dict[scope, int] = defaultdict(int)
        for i, d in owner.items():
            within = self.nodes[d].scope
            if within is not None and within not in others:
                if i == d:
                    numbers[within] += 1
                    neurons[d] = [], numbers[within]
                neurons[d][0].append(i)
        return neurons

    def fold(self, level: Collapse | Literal["nothing"] | int, leaves: bool = False) -> None:
        """Give each node its card, from scratch.

        Always folded are sums within sums, and what is used but once: a parameter, into the card that uses
        it. `level` folds ``"neuron"``s, or also all scopes that nest no deeper than a number; `leaves` folds
        leaves that feed the same cards.
        """
        self.unit = list(range(len(self.nodes)))
        self.groups: dict[int, str] = {}
        self.group_scope: dict[int, scope | None] = {}
        if level != "nothing":
            for nodes, number in self.neurons.values():
                self._group(nodes, f"neuron {number}", self.nodes[nodes[0]].scope)
        if isinstance(level, int):
            within: dict[scope, list[int]] = defaultdict(list)
            for i in self.shown:
                found, outermost = self.nodes[i].scope, None
                while found is not None and self.heights[found] <= level:
                    found, outermost = found.parent, found
                if outermost is not None:
                    within[outermost].append(i)
            for around, nodes in within.items():
                self._group(nodes, self.scope_names[around], around.parent)
        for i in reversed(self.shown[:-1]):
            if self.unit[i] == i and (self.joins_user[i] or self.is_parameter[i]):
                users = {self.unit[j] for j in self.uses[i]}
                if self.joins_user[i] or (len(users) == 1 and users <= self.groups.keys()):
                    self.unit[i] = users.pop()
        if leaves:
            feeding: dict[object, list[int]] = defaultdict(list)
            for i in self.shown[:-1]:
                if self.unit[i] == i and self.nodes[i].primitive is None:
                    users = {self.unit[j] for j in self.uses[i]}
                    feeding[self.is_parameter[i], self.nodes[i].scope, frozenset(users)].append(i)
            for nodes in feeding.values():
                if len(nodes) > _ALIKE:
                    kind = "parameters" if self.is_parameter[nodes[0]] else "inputs"
                    self._group(nodes, f"{len(nodes):,} {kind}", self.nodes[nodes[0]].scope)

    def _group(self, nodes: list[int], title: str, around: scope | None) -> None:
        unit = nodes[-1]
        for i in nodes:
            self.groups.pop(i, None)
            self.unit[i] = unit
        self.groups[unit], self.group_scope[unit] = title, around

    def members(self) -> dict[int, list[int]]:
        """The nodes on each card, in order."""
        found: dict[int, list[int]] = defaultdict(list)
        for i in self.shown:
            found[self.unit[i]].append(i)
        return found

    def bundles(self) -> dict[tuple[int, int], list[_Link]]:
        """What leads from one card to another, by the two cards."""
        found: dict[tuple[int, int], list[_Link]] = defaultdict(list)
        unit = self.unit
        for i in self.shown:
            if any(j >= 0 and unit[j] != unit[i] for j in self.sources[i]):  # few, if much is folded
                for link in self.links(i):
                    if unit[link.operand] != unit[i]:
                        found[unit[link.operand], unit[i]].append(link)
        return found

    def is_one_edge(self, tail: int, head: int, links: list[_Link]) -> bool:
        return len(links) > _PARALLEL or (len(links) > 1 and (tail in self.groups or head in self.groups))

    def batches(self, unit: int) -> int:
        """How many cards for batches belong to that of `unit`."""
        return 0 if unit in self.groups else len(self.more.get(unit, ()))

    def count(self) -> int:
        units = {self.unit[i] for i in self.shown}
        return len(units) + sum([self.batches(unit) for unit in self.more.keys() & units])

    def fits(self, max_cards: float) -> bool:
        if self.count() > max_cards:
            return False
        edges = [
            1 if self.is_one_edge(*ends, links) else len(links) for ends, links in self.bundles().items()
        ]
        return sum(edges) <= max_cards * _EDGES_PER_CARD

    def fold_batches(self, alike_by: str) -> bool:
        """Leave out all but the first of three or more terms of a sum or a mean that are made alike.

        Returns whether there were any. What is not yet folded must be as `fold` ("nothing") leaves it.

        The examples of a batch are made with the same parameters; the neurons of a layer are not, nor are
        the squares of all weights, which have but the shape in common. The order of operands does not
        count (a label may choose which comes first), nor do a term's last functions: log p, or log(1 − p).
        """
        signatures: dict[object, int] = {}
        signature: list[int] = []
        for i, (node, sources) in enumerate(zip(self.nodes, self.sources, strict=True)):
            parameter = None if not self.is_parameter[i] else i if alike_by == "parameters" else -1
            made_of = sorted([signature[j] for j in sources if j >= 0])
            key = node.primitive, parameter, len(node.operands), *made_of
            signature.append(signatures.setdefault(key, len(signatures)))

        def core(i: int) -> int:
            for _ in range(_LAST_FUNCTIONS):
                if len(self.sources[i]) == 1 and self.sources[i][0] >= 0:
                    i = self.sources[i][0]
            return i

        members = self.members()
        found_any = False
        alive = [False] * len(self.nodes)
        alive[self.root] = True
        for i in range(self.root, -1, -1):
            if not alive[i]:
                continue
            is_sum = self.unit[i] == i and self.nodes[i].primitive in (*_SUMS, TABLE["mean"])
            if is_sum and sum([len(self.sources[member]) for member in members[i]]) >= _ALIKE:
                terms: dict[int, dict[int, _Link]] = defaultdict(dict)
                for member in members[i]:
                    for link in self.links(member):
                        if self.unit[link.operand] != i or self.nodes[link.operand].primitive is None:
                            j = core(link.operand)
                            terms[signature[j]][j] = link
                alike = [[*links.values()][1:] for links in terms.values() if len(links) >= _ALIKE]
                if alike:
                    found_any = True
                    self.more[i] = self.more.get(i, []) + alike
                    self._leave_out([link for group in alike for link in group])
            for j in self.sources[i]:
                if j >= 0:
                    alive[j] = True
        if found_any:
            self._find_uses()
        return found_any

    def _leave_out(self, links: list[_Link]) -> None:
        by_consumer: dict[int, set[int]] = defaultdict(set)
        for link in links:
            by_consumer[link.consumer].add(link.position)
        for i, positions in by_consumer.items():
            values = [position for position, x in enumerate(self.nodes[i].operands) if isinstance(x, Value)]
            self.sources[i] = [
                ~j if position in positions else j
                for position, j in zip(values, self.sources[i], strict=True)
            ]

    def cut(self, max_cards: int) -> None:
        """Keep the cards nearest to the root, none without all that use it, and make one of the rest."""
        users: dict[int, int] = defaultdict(int)
        makers: dict[int, list[int]] = defaultdict(list)
        unit_of = self.unit
        for tail, head in dict.fromkeys(
            [(unit_of[j], unit_of[i]) for i in self.shown for j in self.sources[i] if j >= 0]
        ):
            if tail != head:
                users[tail] += 1
                makers[head].append(tail)
        queue = [self.unit[self.root]]
        kept: set[int] = set()
        room = max_cards - 1
        for unit in queue:
            room -= 1 + self.batches(unit)
            if kept and room < 0:
                break
            kept.add(unit)
            for tail in makers[unit]:
                users[tail] -= 1
                if not users[tail]:
                    queue.append(tail)
        rest = [i for i in self.shown if self.unit[i] not in kept]
        self._group(rest, "… more", None)


# --- Cards ----------------------------------------------------------------------------------------


def _norm(gradients: Iterable[float | None]) -> str:
    known = [g for g in gradients if g is not None]
    return short(math.hypot(*known)) if known else ""


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


class _Dealer:
    """Makes the cards of a plan."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.nodes = plan.nodes
        self.gradients = self.nodes[plan.root].grad is not None
        self.values: dict[str, Value] = {}
        self.boxes: dict[scope | int, Box] = {}  # by the scope, or the neuron's `dot`
        self.in_neuron = {
            i: d for d, (nodes, _) in plan.neurons.items() for i in nodes if plan.unit[i] not in plan.groups
        }

    def gradient(self, node: Value) -> float | None:
        return node.grad if self.gradients else None

    def row(self, i: int, partial: float | None = None) -> Row:
        node = self.nodes[i]
        kind: Kind = "operation" if node.primitive else "parameter" if self.plan.is_parameter[i] else "input"
        self.values[f"v{i}"] = node
        return Row(
            f"v{i}", kind, symbol_of(node), pretty(node.label or ""), node.data, self.gradient(node), partial
        )

    def constants(self, i: int) -> list[Row]:
        """The constant operands of node i; a constant input is seen beside its weight, as its partial."""
        operands = self.nodes[i].operands
        bias = len(operands) - 1 if self.nodes[i].primitive is TABLE["dot"] and len(operands) % 2 else -1
        return [
            Row(f"k{i}-{position}", "constant", "", place, operands[position], None)  # type: ignore[arg-type]
            for position, place in constants(self.nodes[i]).items()
            if self.nodes[i].primitive is not TABLE["dot"] or position == bias
        ]

    def weights(self, i: int) -> list[Row]:
        """The single-use parameters of node i, in order; beside a weight stands what it is multiplied by."""
        node, unit = self.nodes[i], self.plan.unit
        rows = []
        for link in self.plan.links(i):
            if unit[link.operand] == unit[i] and self.nodes[link.operand].primitive is None:
                is_weight = node.primitive is TABLE["dot"] and link.position < len(node.operands) // 2 * 2
                rows.append(self.row(link.operand, link.partial if is_weight else None))
        return rows

    def shortened(self, rows: list[Row], what: str) -> tuple[list[Row], str]:
        if len(rows) <= _ROWS:
            return rows, ""
        kept, left = rows[: _ROWS - 2], rows[_ROWS - 2 :]
        for row in left:
            self.values.pop(row.id, None)
        norm = _norm([row.gradient for row in left])
        return kept, f"… {len(left):,} more {what}" + (f" · ‖∇‖ {norm}" if norm else "")

    def plain(self, unit: int, members: list[int]) -> Card:
        """The card of one value, or of a sum with the sums in it."""
        node = self.nodes[unit]
        rows: list[Row] = []
        if node.primitive is not None:
            for i in members:
                rows += self.weights(i) + self.constants(i)
        rows, note = self.shortened(rows, "operands")
        own = self.row(unit)
        if node.primitive in _SUMS and len([i for i in members if self.nodes[i].primitive is not None]) > 1:
            own = replace(own, symbol="Σ")
        return Card(f"c{unit}", own.kind, (*rows, own), note=note, box=self.box(unit))

    def group(self, unit: int, members: list[int]) -> Card:
        """The card that stands for several values: what it holds, and the values that others use."""
        plan = self.plan
        title = plan.groups[unit]
        leaves_alone = all(self.nodes[i].primitive is None for i in members)
        parameters = [i for i in members if plan.is_parameter[i]]
        values = len(members) + len(self.left_out([g for i in members for g in plan.more.get(i, [])]))
        neurons = sum([self.nodes[i].primitive is TABLE["dot"] for i in members])
        norm = _norm([self.gradient(self.nodes[i]) for i in parameters])
        detail = [
            _plural(neurons, "neuron") if neurons > 1 else "",
            _plural(len(parameters), "param") if parameters and not leaves_alone else "",
            _plural(values, "value") if not neurons and not leaves_alone else "",
            f"‖∇θ‖ {norm}" if norm else "",
        ]
        used = [i for i in members if i == plan.root or any(plan.unit[j] != unit for j in plan.uses[i])]
        rows, note = self.shortened([self.row(i) for i in used], "values")
        return Card(
            f"c{unit}",
            rows[0].kind if leaves_alone else "group",
            tuple(rows),
            title,
            " · ".join([part for part in detail if part]),
            note,
            self.box_of_scope(plan.group_scope[unit]),
        )

    def left_out(self, alike: Iterable[Iterable[_Link]]) -> set[int]:
        """The nodes that are not drawn because these terms are not."""
        found: set[int] = set()
        stack = [link.operand for group in alike for link in group]
        while stack:
            i = stack.pop()
            if i not in found and not self.plan.alive[i]:
                found.add(i)
                stack += [max(j, ~j) for j in self.plan.sources[i]]
        return found

    def batch(self, unit: int, k: int, alike: list[_Link]) -> tuple[Card, Edge]:
        """The card for the terms of a sum that are made like the one that is drawn, and its edge."""
        terms = [self.nodes[link.operand] for link in alike]
        total = sum([term.data for term in terms])
        is_mean = self.nodes[unit].primitive is TABLE["mean"]
        common = {self.gradient(term) for term in terms}
        row = Row(
            f"m{unit}-{k}",
            "operation",
            "mean" if is_mean else "Σ",
            "",
            total / len(terms) if is_mean else total,
            common.pop() if len(common) == 1 else None,
        )
        values = len(self.left_out([alike]))
        detail = _plural(values, "value") if values > len(terms) else ""
        title = f"… {len(terms):,} more"
        card = Card(row.id, "group", (row,), title, detail, box=self.box(unit))
        return card, replace(self.edge(alike, True), id=f"e{unit}-more{k}", tail=card.id, operand=row.id)

    def edge(self, links: list[_Link], merged: bool) -> Edge:
        first = links[0]
        partials, flows = [], []
        for link in links:
            upstream = self.gradient(self.nodes[link.consumer])
            taken = link.partial is not None  # a branch that was not taken gets nothing, not 0 · ∞
            partials.append(link.partial if link.partial is not None else 0.0)
            flows.append(upstream if upstream is None else upstream * partials[-1] if taken else 0.0)
        known = [flow for flow in flows if flow is not None]
        one_value = len({link.operand for link in links}) == 1
        tail, head = self.plan.unit[first.operand], self.plan.unit[first.consumer]
        return Edge(
            id=f"e{first.consumer}-{first.position}",
            tail=f"c{tail}",
            head=f"c{head}",
            operand=f"v{first.operand}",
            consumer=f"v{first.consumer if head in self.plan.groups else head}",
            partial=partials[0] if len(set(partials)) == 1 else None,
            flow=None if not known else sum(known) if one_value else max(known, key=_magnitude),
            count=len(links) if merged else 1,
        )

    def box(self, i: int) -> str | None:
        """The id of the box around node i: that of its neuron, else of its scope."""
        d = self.in_neuron.get(i)
        if d is None:
            return self.box_of_scope(self.nodes[i].scope)
        if d not in self.boxes:
            around = self.box_of_scope(self.nodes[d].scope)
            self.boxes[d] = Box(f"b{len(self.boxes)}", f"neuron {self.plan.neurons[d][1]}", around)
        return self.boxes[d].id

    def box_of_scope(self, innermost: scope | None) -> str | None:
        missing = []
        found = innermost
        while found is not None and found not in self.boxes:
            missing.append(found)
            found = found.parent
        for found in reversed(missing):
            parent = None if found.parent is None else self.boxes[found.parent].id
            self.boxes[found] = Box(f"b{len(self.boxes)}", self.plan.scope_names[found], parent)
        return None if innermost is None else self.boxes[innermost].id

    def deal(self) -> Cards:
        plan = self.plan
        dealt: list[Card] = []
        edges: list[Edge] = []
        for unit, members in sorted(plan.members().items()):
            if unit in plan.groups:
                dealt.append(self.group(unit, members))
                continue
            for k, alike in enumerate(plan.more.get(unit, [])):
                card, edge = self.batch(unit, k, alike)
                dealt.append(card)
                edges.append(edge)
            dealt.append(self.plain(unit, members))
        for (tail, head), links in plan.bundles().items():
            if plan.is_one_edge(tail, head, links):
                edges.append(self.edge(links, True))
            else:
                edges += [self.edge([link], False) for link in links]
        root_card = f"c{plan.unit[plan.root]}"
        return Cards(
            cards=tuple([replace(c, kind="output") if c.id == root_card else c for c in dealt]),
            edges=tuple(edges),
            boxes=tuple(self.boxes.values()),
            values=self.values,
            total=len(self.nodes),
            gradients=self.gradients,
            folded=bool(plan.groups or plan.more),
        )


def _magnitude(x: float) -> float:
    return abs(x) if x == x else math.inf


def cards(
    root: Value, *, collapse: Collapse = None, batch: bool | None = None, max_cards: float = 40
) -> Cards:
    """Return the cards of the graph that `root` was made from.

    `collapse` folds each ``"neuron"``, or each ``"layer"`` (the scopes that have no scope within them), in
    any case; beyond `max_cards` cards, or three times as many edges, as much is folded as it takes, batches
    first. `batch` folds them always (True), never (False), or then (None).

    Raises `TypeError` if `root` is no Value, `ValueError` for another `collapse` or `max_cards` below 1.

    >>> w, x = Value(2.0, "w"), Value(3.0, "x")
    >>> drawn = cards(w * x)
    >>> [[row.name or row.symbol for row in card.rows] for card in drawn.cards]
    [['x'], ['w', '×']]
    >>> [(edge.tail, edge.head, edge.partial) for edge in drawn.edges]
    [('c1', 'c2', 2.0)]
    """
    if not isinstance(root, Value):
        raise TypeError(f"a picture is drawn of a Value, got {type(root).__name__} {root!r:.60}")
    if collapse not in (None, "neuron", "layer"):
        raise ValueError(f"collapse must be None, 'neuron' or 'layer', got {collapse!r}")
    if not max_cards >= 1:
        raise ValueError(f"max_cards must be at least 1, got {max_cards!r}")
    plan = _Plan(root)
    if batch:
        any(plan.fold_batches(alike_by) for alike_by in _ALIKE_BY)  # the first that finds any
    plan.fold({None: "nothing", "neuron": "neuron", "layer": 0}[collapse])  # type: ignore[arg-type]
    if not (plan.fits(max_cards) if collapse is None else plan.count() <= max_cards):
        _fold_until_it_fits(plan, collapse, batch, max_cards)
    return _Dealer(plan).deal()


def _fold_until_it_fits(plan: _Plan, collapse: Collapse, batch: bool | None, max_cards: float) -> None:
    for alike_by in _ALIKE_BY if batch is None else [None]:
        if alike_by is not None:
            plan.fold("nothing")
            plan.fold_batches(alike_by)
        steps: list[Any] = ["nothing"]
        if plan.neurons:
            steps.append("neuron")
        if plan.heights:
            steps += range(1 + max(plan.heights.values()))
        for step in steps[(None, "neuron", "layer").index(collapse) :] or steps[-1:]:
            for leaves in (False, True):
                plan.fold(step, leaves)
                if plan.fits(max_cards):
                    return
    if plan.count() > max_cards:
        plan.cut(int(max_cards))
