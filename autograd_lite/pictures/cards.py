"""Turn a graph into cards: the content of a picture, before it is drawn.

`cards(root)` returns the `Cards` of a graph: a `Card` for each value that is shown, with the values folded
into it as further `Row`s; an `Edge` for each operand that comes from another card; a nested `Box` for each
scope and for each neuron in it.

Ids are stable: ``v7`` is value number 7 in topological order, counted from 0, ``c7`` the card named for it,
``e7-1`` the edge that brings its operand number 1. ``b0``, ``b1``, … are the boxes. `folding.py` decides
which values share a card; colours and markup are in `dot.py` and `player.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from autograd_lite.core.modes import scope
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.names import pretty, short
from autograd_lite.notation.writing import TEXT
from autograd_lite.pictures.colour import largest_of
from autograd_lite.pictures.folding import Collapse, Folding, Link, folded
from autograd_lite.pictures.roles import SUMS, constants, symbol_of

Kind: TypeAlias = Literal["input", "parameter", "constant", "operation", "output", "group"]

_ROWS = 6  # a card with more parameters, constants or outputs shows the first four
_NEURONS = 12  # a layer with more neurons shows the first ten


@dataclass(frozen=True)
class Row:
    """A value on a card: its id (``v7``), its kind, its typeset label, its data and its gradient.

    ``made_up`` is its name in explanations if that is another: v₃ for a value without a label, w₁⁽²⁾ for the
    second w₁.

    ``symbol`` is the symbol of the operation, "" for a leaf. For a weight in the card of its neuron,
    ``partial`` is the number that multiplies it. The row of a neuron in the card of its layer holds the rows
    of its ``weights``, the bias last.
    """

    id: str
    kind: Kind
    symbol: str
    name: str
    data: float
    gradient: float | None
    partial: float | None = None
    weights: tuple[Row, ...] = ()
    made_up: str = ""


@dataclass(frozen=True)
class Card:
    """A card with ``rows`` from top to bottom; the last row of a card of one value is that value.

    ``title`` and ``detail`` describe a folded card. ``note`` says which rows are left out ("… 780 more").
    ``kind`` is "output" for the card that holds the root. ``box`` is the id of the innermost box around the
    card.
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
    """An edge from card ``tail`` to card ``head``: the value ``operand`` is an operand of ``consumer``.

    ``partial`` is ∂consumer/∂operand. ``flow`` is partial · upstream gradient, the part of the operand's
    gradient that flows along this edge; None before `backward`. An edge may stand for ``count`` edges. Then
    ``operand`` and ``consumer`` are those of the first, ``partial`` is None unless all are equal, and
    ``flow`` is the sum if all leave one value, else the largest in magnitude. ``uses`` are the numbers of
    the consumers, as values, each with the position of the operand.
    """

    id: str
    tail: str
    head: str
    operand: str
    consumer: str
    partial: float | None
    flow: float | None
    count: int = 1
    uses: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Box:
    """A scope, or a neuron within one; ``parent`` is the id of the box around it, or None."""

    id: str
    name: str
    parent: str | None


@dataclass(frozen=True)
class Cards:
    """The content of a picture, in the order of computation; a box precedes the boxes within it.

    ``values`` are the Values of the rows by id. ``total`` is the number of values in the graph.
    ``gradients`` says whether a backward pass has reached the root. ``folded`` says whether any card holds
    several values. ``examples`` is the number of examples in a batch of which one is drawn, in a box of its
    own; else 0. The gradients of parameters are then sums over the batch.
    """

    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    boxes: tuple[Box, ...]
    values: dict[str, Value]
    total: int
    gradients: bool
    folded: bool
    examples: int = 0

    @property
    def largest(self) -> float:
        """The largest finite magnitude of a gradient; the seed at the root does not count if others do."""
        cards = [card for card in self.cards if card.kind != "output"]
        rows = [row.gradient for card in cards or self.cards for row in card.rows]
        return largest_of([*rows, *[edge.flow for edge in self.edges]])


def _norm(gradients: Iterable[float | None]) -> str:
    known = [g for g in gradients if g is not None]
    return short(math.hypot(*known)) if known else ""


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


class _Builder:
    """Makes the cards, edges and boxes of a folded graph."""

    def __init__(self, folding: Folding, max_rows: float, namer: Namer | None) -> None:
        self.folding = folding
        self.max_rows = max_rows
        self.nodes = folding.nodes
        self.namer = Namer(self.nodes) if namer is None else namer
        self.gradients = self.nodes[folding.root].reached
        self.values: dict[str, Value] = {}
        self.boxes: dict[scope | int | str, Box] = {}  # by the scope, or by the `dot` of the neuron
        self.example, self.examples = folding.example()
        self.in_neuron = {
            i: d
            for d, (nodes, _) in folding.neurons.items()
            for i in nodes
            if folding.unit[i] not in folding.groups
        }

    def gradient(self, node: Value) -> float | None:
        """Return the gradient of a node, None if no backward pass has reached the root."""
        return node.grad if self.gradients else None

    def row(self, i: int, partial: float | None = None) -> Row:
        """Return the row of node i."""
        node = self.nodes[i]
        kind: Kind = (
            "operation" if node.primitive else "parameter" if self.folding.is_parameter[i] else "input"
        )
        self.values[f"v{i}"] = node
        name, in_texts = pretty(node.label or ""), self.namer(node, TEXT).text
        return Row(
            f"v{i}",
            kind,
            symbol_of(node),
            name,
            node.data,
            self.gradient(node),
            partial,
            made_up="" if name == in_texts else in_texts,
        )

    def constants(self, i: int) -> list[Row]:
        """Return rows for the constant operands of node i; a constant input stands beside its weight."""
        operands = self.nodes[i].operands
        bias = len(operands) - 1 if self.nodes[i].primitive is TABLE["dot"] and len(operands) % 2 else -1
        return [
            Row(f"k{i}-{position}", "constant", "", caption, operands[position], None)  # type: ignore[arg-type]
            for position, caption in constants(self.nodes[i]).items()
            if self.nodes[i].primitive is not TABLE["dot"] or position == bias
        ]

    def weights(self, i: int) -> list[Row]:
        """Return rows for the parameters of node i that only it uses, in order."""
        node, unit = self.nodes[i], self.folding.unit
        rows = []
        for link in self.folding.links(i):
            if unit[link.operand] == unit[i] and self.nodes[link.operand].primitive is None:
                is_weight = node.primitive is TABLE["dot"] and link.position < len(node.operands) // 2 * 2
                rows.append(self.row(link.operand, link.partial if is_weight else None))
        return rows

    def neuron(self, d: int, number: str) -> Row:
        """Return the row of the neuron that the `dot` d belongs to: its output, with its weights."""
        nodes, _ = self.folding.neurons[d]
        others = {*self.values}  # a weight may have a card of its own
        weights = [
            self.row(j) for j in dict.fromkeys(self.folding.sources[d]) if self.folding.is_parameter[j]
        ]
        for row in weights:
            if row.id not in others:
                self.values.pop(row.id)
        output = self.row(nodes[-1])
        return replace(output, name=output.name or number, weights=tuple(weights))

    def shortened(self, rows: list[Row], what: str, room: float = 0.0) -> tuple[list[Row], str]:
        """Return the rows that a card has room for, and a note on the others."""
        most = max(self.max_rows, room)
        if len(rows) <= most:
            return rows, ""
        kept, left = rows[: int(most) - 2], rows[int(most) - 2 :]
        for row in left:
            self.values.pop(row.id, None)
        norm = _norm([row.gradient for row in left])
        return kept, f"… {len(left):,} more {what}" + (f" · ‖∇‖ {norm}" if norm else "")

    def plain(self, unit: int, members: list[int]) -> Card:
        """Return the card of one value, or of a sum with the sums in it."""
        node = self.nodes[unit]
        rows: list[Row] = []
        if node.primitive is not None:
            for i in members:
                rows += self.weights(i) + self.constants(i)
        rows, note = self.shortened(rows, "operands")
        own = self.row(unit)
        if node.primitive in SUMS and len([i for i in members if self.nodes[i].primitive is not None]) > 1:
            own = replace(own, symbol="Σ")
        return Card(f"c{unit}", own.kind, (*rows, own), note=note, box=self.box(unit))

    def group(self, unit: int, members: list[int]) -> Card:
        """Return the card of several values: a summary, and the values that other cards use."""
        folding = self.folding
        title = folding.groups[unit]
        leaves_alone = all(self.nodes[i].primitive is None for i in members)
        parameters = [i for i in members if folding.is_parameter[i]]
        values = len(members) + len(self.left_out([g for i in members for g in folding.more.get(i, [])]))
        neurons = [i for i in members if self.nodes[i].primitive is TABLE["dot"]]
        norm = _norm([self.gradient(self.nodes[i]) for i in parameters])
        detail = [
            _plural(len(neurons), "neuron") if len(neurons) > 1 else "",
            _plural(len(parameters), "param") if parameters and not leaves_alone else "",
            _plural(values, "value") if not neurons and not leaves_alone else "",
            f"‖∇θ‖ {norm}" if norm else "",
        ]
        used = [
            i for i in members if i == folding.root or any(folding.unit[j] != unit for j in folding.uses[i])
        ]
        if neurons and all(d in folding.neurons for d in neurons):
            numbers = [str(k) if len(neurons) > 1 else "" for k in range(1, len(neurons) + 1)]
            rows, note = self.shortened(list(map(self.neuron, neurons, numbers)), "neurons", _NEURONS)
        else:
            rows, note = self.shortened([self.row(i) for i in used], "values")
        return Card(
            f"c{unit}",
            rows[0].kind if leaves_alone else "group",
            tuple(rows),
            title,
            " · ".join([part for part in detail if part]),
            note,
            self.box_of_scope(folding.group_scope[unit], unit),
        )

    def left_out(self, alike: Iterable[Iterable[Link]]) -> set[int]:
        """Return the nodes that disappear together with these terms."""
        found: set[int] = set()
        stack = [link.operand for group in alike for link in group]
        while stack:
            i = stack.pop()
            if i not in found and not self.folding.alive[i]:
                found.add(i)
                stack += [max(j, ~j) for j in self.folding.sources[i]]
        return found

    def batch(self, unit: int, k: int, alike: list[Link]) -> tuple[Card, Edge]:
        """Return the card for the similar terms of a sum that are not drawn, and its edge."""
        terms = [self.nodes[link.operand] for link in alike]
        total = sum([term.data for term in terms])
        is_mean = self.nodes[unit].primitive is TABLE["mean"]
        common = {self.gradient(term) for term in terms}
        gradient = common.pop() if len(common) == 1 else None
        edge = self.edge(alike, True)
        if is_mean and gradient is not None:  # a change of their mean changes each of them
            gradient *= len(terms)
        if is_mean:
            partial = math.fsum([link.partial or 0.0 for link in alike])
            edge = replace(edge, partial=partial)
        if edge.flow is not None:
            edge = replace(edge, flow=gradient)
        row = Row(
            f"m{unit}-{k}",
            "operation",
            "mean" if is_mean else "Σ",
            "",
            total / len(terms) if is_mean else total,
            gradient,
        )
        values = len(self.left_out([alike]))
        detail = _plural(values, "value") if values > len(terms) else ""
        title = f"… {len(terms):,} more"
        card = Card(row.id, "group", (row,), title, detail, box=self.box(unit))
        return card, replace(edge, id=f"e{unit}-more{k}", tail=card.id, operand=row.id)

    def edge(self, links: list[Link], merged: bool) -> Edge:
        """Return one edge for some operands between the same two cards."""
        first = links[0]
        partials, flows = [], []
        for link in links:
            upstream = self.gradient(self.nodes[link.consumer])
            taken = link.partial is not None  # a branch not taken gets exactly zero, even of ∞
            partials.append(link.partial if link.partial is not None else 0.0)
            flows.append(upstream if upstream is None else upstream * partials[-1] if taken else 0.0)
        known = [flow for flow in flows if flow is not None]
        one_value = len({link.operand for link in links}) == 1
        tail, head = self.folding.unit[first.operand], self.folding.unit[first.consumer]
        return Edge(
            id=f"e{first.consumer}-{first.position}",
            tail=f"c{tail}",
            head=f"c{head}",
            operand=f"v{first.operand}",
            consumer=f"v{first.consumer if head in self.folding.groups else head}",
            partial=partials[0] if len(set(partials)) == 1 else None,
            flow=None if not known else sum(known) if one_value else max(known, key=magnitude),
            count=len(links) if merged else 1,
            uses=tuple([(link.consumer, link.position) for link in links]),
        )

    def box(self, i: int) -> str | None:
        """Return the id of the box around node i: the box of its neuron, else of its scope."""
        d = self.in_neuron.get(i)
        if d is None:
            return self.box_of_scope(self.nodes[i].scope, i)
        if d not in self.boxes:
            around = self.box_of_scope(self.nodes[d].scope, d)
            self.boxes[d] = Box(f"b{len(self.boxes)}", f"neuron {self.folding.neurons[d][1]}", around)
        return self.boxes[d].id

    def box_of_scope(self, innermost: scope | None, i: int) -> str | None:
        """Return the id of the box of the scope of node i, made if it is missing like the boxes around it."""
        outermost = None
        if i in self.example:
            outermost = self.boxes.setdefault(
                "example", Box(f"b{len(self.boxes)}", f"example 1 of {self.examples:,}", None)
            ).id
        missing = []
        found = innermost
        while found is not None and found not in self.boxes:
            missing.append(found)
            found = found.parent
        for found in reversed(missing):
            parent = outermost if found.parent is None else self.boxes[found.parent].id
            self.boxes[found] = Box(f"b{len(self.boxes)}", self.folding.scope_names[found], parent)
        return outermost if innermost is None else self.boxes[innermost].id

    def build(self) -> Cards:
        """Return all cards, edges and boxes."""
        folding = self.folding
        drawn: list[Card] = []
        edges: list[Edge] = []
        for unit, members in sorted(folding.members().items()):
            if unit in folding.groups:
                drawn.append(self.group(unit, members))
                continue
            for k, alike in enumerate(folding.more.get(unit, [])):
                card, edge = self.batch(unit, k, alike)
                drawn.append(card)
                edges.append(edge)
            drawn.append(self.plain(unit, members))
        for (tail, head), links in folding.bundles().items():
            if folding.is_one_edge(tail, head, links):
                edges.append(self.edge(links, True))
            else:
                edges += [self.edge([link], False) for link in links]
        root_card = f"c{folding.unit[folding.root]}"
        return Cards(
            cards=tuple([replace(c, kind="output") if c.id == root_card else c for c in drawn]),
            edges=tuple(edges),
            boxes=tuple(self.boxes.values()),
            values=self.values,
            total=len(self.nodes),
            gradients=self.gradients,
            folded=bool(folding.groups or folding.more),
            examples=self.examples,
        )


def magnitude(x: float) -> float:
    """Return |x|, ∞ for a NaN."""
    return abs(x) if x == x else math.inf  # a NaN is never hidden


def cards(
    root: Value,
    *,
    collapse: Collapse = None,
    batch: bool | None = None,
    max_cards: float = 40,
    max_rows: float = _ROWS,
    namer: Namer | None = None,
) -> Cards:
    """Return the cards of the graph of `root`.

    `collapse` folds each ``"neuron"``, or each ``"layer"`` (the scopes that have no scope within them).
    Beyond `max_cards` cards, or three times as many edges, the graph is folded until it fits, batches
    first. `batch` folds batches always (True), never (False), or only where the graph must be folded (None).
    A card of more than `max_rows` parameters, constants or outputs shows two less than that.
    `namer` names the values; without one it is made.

    Raises `TypeError` if `root` is not a Value, `ValueError` if `collapse` is unknown or `max_cards` is
    below 1.

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
    return _Builder(folded(root, collapse, batch, max_cards), max_rows, namer).build()
