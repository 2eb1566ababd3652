"""The steps of the player: the text of each, and its changes to the picture.

`steps` makes a step for every operation, in order. Then it makes one for every use of every value that is
drawn, from the root back. `wording.py` writes formulas and reasons, `player.py` makes the page.
"""

from __future__ import annotations

import operator
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from autograd_lite.core.given import given
from autograd_lite.core.primitive import PRODUCT, TABLE
from autograd_lite.core.value import Value, topological_order
from autograd_lite.notation.names import short
from autograd_lite.pictures.cards import Card, Cards, Edge, Row
from autograd_lite.pictures.colour import DARK, LIGHT
from autograd_lite.pictures.mathml import (
    Line,
    Parts,
    bracketed,
    derivative,
    digits_for,
    joined,
    line,
    number,
    plain_words,
    primed,
    result,
)
from autograd_lite.pictures.roles import is_part_of_sum, symbol_of
from autograd_lite.pictures.wording import Wording

_PLAIN = {
    "dot",
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "pow",
    "square",
    "reciprocal",
    "abs",
    "sum",
    "mean",
    "prod",
}
_MORE = re.compile(r" \((?:document )?00|: \w+\(|; ")  # a citation, an example call, or a limit


@dataclass(frozen=True)
class Step:
    """One step: a line in MathML and as text, the reason for it, and what changes in the picture.

    ``mathml`` are the sides of the line, each in pieces between which it may be broken; none for words.
    ``rows`` show their value (forward) or their gradient (backward) from now on. ``edges`` light up, and
    ``cards`` are outlined, the first as the subject of the step. ``running`` is the content of a pill while
    its gradient is incomplete: the text, then fill and ink in the light and in the dark theme.
    """

    phase: Literal["forward", "backward"]
    mathml: list[list[str]]
    text: str
    reason: str
    rows: list[str]
    cards: list[str]
    edges: list[str]
    running: list[str]


class _Use(NamedTuple):
    """The use of a value as operand number `position` of `consumer`, which is drawn as `shown`."""

    operand: Value
    consumer: Value
    position: int
    shown: Value


def name_of(row: Row) -> str:
    """Return the name of a row; that of a neuron which has its number alone on the card of its layer."""
    return row.made_up if row.made_up and row.name.isdigit() else row.name or row.made_up


class _StepBuilder:
    """Makes the steps of a drawn graph."""

    def __init__(self, root: Value, drawn: Cards) -> None:
        self.root, self.drawn = root, drawn
        self.order = topological_order(root)
        self.index = {node: i for i, node in enumerate(self.order)}
        self.card_of = {row.id: card for card in drawn.cards for row in card.rows}
        rows = [row for card in drawn.cards for row in card.rows]
        self.row_of = {drawn.values[row.id]: row for row in rows if row.id in drawn.values}
        self.wording = Wording({value: name_of(row) for value, row in self.row_of.items()})
        self.edges = {edge.id: edge for edge in drawn.edges}
        self.batches: dict[str, list[Edge]] = defaultdict(list)  # "… 99 more", by the row that sums them
        for edge in drawn.edges:
            if edge.operand not in drawn.values and edge.operand in self.card_of:
                self.batches[edge.consumer].append(edge)
        self.largest = drawn.largest
        self.paths: dict[str | None, str] = {None: ""}
        for box in drawn.boxes:
            around = self.paths[box.parent]
            self.paths[box.id] = f"{around} › {box.name}" if around else box.name
        self.uses, self.count = self.find_uses()

    def find_uses(self) -> tuple[dict[Value, list[_Use]], Counter[Value]]:
        """Return the uses of drawn values, by the drawn value that uses them, and how many each value has."""
        users: dict[Value, list[Value]] = defaultdict(list)
        for node in self.order:
            for x in node.operands:
                if isinstance(x, Value):
                    users[x].append(node)
        found: dict[Value, list[_Use]] = defaultdict(list)
        for consumer in reversed(self.order):
            shown = consumer
            # A sum within a sum is not drawn; the one around it has the same adjoint.
            while (
                shown not in self.row_of and len(users[shown]) == 1 and is_part_of_sum(shown, *users[shown])
            ):
                (shown,) = users[shown]
            if shown in self.row_of:
                for position, x in enumerate(consumer.operands):
                    if isinstance(x, Value) and x in self.row_of:
                        found[shown].append(_Use(x, consumer, position, shown))
        return found, Counter({x: len(consumers) for x, consumers in users.items()})

    def step(
        self,
        phase: Literal["forward", "backward"],
        line: Line,
        reason: str,
        rows: list[Row],
        cards: list[Card],
        edges: list[Edge],
        running: list[str] | None = None,
    ) -> Step:
        """Return a step; the place of its first card is added to the reason."""
        neuron = f"neuron {rows[-1].name}" if rows[-1].name.isdigit() and cards[0].title else ""
        place = " › ".join(filter(None, [self.paths[cards[0].box], cards[0].title if neuron else "", neuron]))
        return Step(
            phase,
            line.mathml,
            line.text,
            " · ".join([part for part in (reason, place) if part]),
            [row.id for row in rows],
            list(dict.fromkeys([card.id for card in cards])),
            [edge.id for edge in edges],
            running or [],
        )

    # --- Forward

    def forward(self) -> Iterator[Step]:
        """Yield a step for the leaves and constants, and one for each operation."""
        computed = [node for node in self.order if node in self.row_of and node.primitive is not None]
        later = {self.row_of[node].id for node in computed}
        later.update([edge.operand for edges in self.batches.values() for edge in edges])
        leaves = [row for card in self.drawn.cards for row in card.rows if row.id not in later]
        if leaves:
            words = plain_words("given: inputs, parameters and constants")
            cards = [self.card_of[row.id] for row in leaves]
            reason = "the leaves of the graph: no operation made them"
            step = self.step("forward", words, reason, leaves, cards, [])
            yield replace(step, reason=reason)  # without a place: they have many
        for node in computed:
            row = self.row_of[node]
            name, number_ = self.wording.name(node), result(number(node.data))
            formula = self.wording.formula(node)
            if formula is None:
                sides, about = [("=", number_)], self.origin(node)
            else:
                symbols, numbers, equals = formula
                sides = [("=", symbols), ("=", numbers), (equals, number_)]
                if numbers.text == number_.text:
                    del sides[1]
                about = self.about(node)
            rows = [*[self.row(edge) for edge in self.batches[row.id]], row]
            into = [edge for edge in self.drawn.edges if edge.consumer == row.id]
            yield self.step("forward", line(name, *sides), about, rows, [self.card_of[row.id]], into)

    def about(self, node: Value) -> str:
        """Return what an operation is; "" for one whose formula says it all."""
        assert node.primitive is not None
        if node.primitive.name in _PLAIN:
            return ""
        return _MORE.split(node.primitive.doc)[0].removesuffix(".")

    def origin(self, node: Value) -> str:
        """Return where a value without a formula comes from."""
        if node.primitive is given:
            return "given with partials of its own"
        row = self.row_of[node]
        card, similar = self.card_of[row.id], self.batches[row.id]
        if similar:
            what = "mean" if node.primitive is TABLE["mean"] else "sum"
            others = " and of ".join([self.card_of[edge.operand].title for edge in similar])
            return f"the {what} of what is drawn and of {others.replace('… ', '')} like it"
        if card.title and not card.title.startswith("…"):
            return f"computed within {card.title}"
        return "computed from values that are not drawn"

    def row(self, batch: Edge) -> Row:
        """Return the row of the card that stands for the terms left out, at the tail of its edge."""
        (row,) = self.card_of[batch.operand].rows
        return row

    # --- Backward

    def backward(self) -> Iterator[Step]:
        """Yield a step for the seed, and one for each use of each value, consumers first."""
        seed, row = self.root.grad, self.row_of[self.root]
        name = self.wording.name(self.root)
        seeded = line(derivative(name, name), ("=", result(number(seed), seed)))
        reason = "the seed: what backward() starts with at the root"
        yield self.step("backward", seeded, reason, [row], [self.card_of[row.id]], [])
        flows: dict[Value, list[float]] = defaultdict(list)
        lit: set[str] = set()
        for node in reversed(self.order):
            if node not in self.row_of or not node.reached:
                continue
            if node is not self.root:
                yield from self.rest(node, flows[node], lit)
            for edge in self.batches[self.row_of[node].id]:
                lit.add(edge.id)
                yield self.batch(edge)
            for use in self.uses[node]:
                if use.operand.reached:
                    key = f"e{self.index[use.consumer]}-{use.position}"
                    edges = [self.edges[key]] if key in self.edges else []
                    lit.update([edge.id for edge in edges])
                    yield self.use(use, flows[use.operand], edges)

    def use(self, use: _Use, flows: list[float], edges: list[Edge]) -> Step:
        """Return the step of one use of a value: upstream gradient · local partial, added to earlier uses."""
        partial, upstream, gradient = use.consumer.partials[use.position], use.shown.grad, use.operand.grad
        before = sum(flows) if flows else None
        # A branch not taken gets exactly zero, even where upstream is infinite.
        flows.append(0.0 if partial is None else upstream * partial)
        total, count = sum(flows), self.count[use.operand]
        is_complete = len(flows) == count and _same(total, gradient, flows)
        so_far = gradient if is_complete else total

        root, consumer, operand = map(self.wording.name, (self.root, use.shown, use.operand))
        if consumer.text == operand.text:
            consumer = primed(consumer)
        reason, formula = "the branch not taken: it gets exactly zero", None
        if partial is not None:
            formula, reason = self.wording.partial(use.consumer, use.position)
            reason = f"{symbol_of(use.shown)}: {reason}"
        if count > 1:
            reason += f" · use {len(flows)} of {count:,}" + (", more to come" if len(flows) < count else "")

        factors = [upstream, partial or 0.0]
        known = factors if before is None else [before, *factors]
        digits, equals = digits_for(known, lambda *x: sum(x[:-2]) + x[-2] * x[-1], so_far)
        start: Parts = [] if before is None else [number(before, digits), "+"]
        numbers = [number(factors[0], digits, in_product=before is not None)]
        numbers.append(number(factors[1], digits, in_product=True))
        upwards = derivative(root, consumer)
        sides = [joined(*start, upwards, "·", derivative(consumer, operand))]
        if formula is not None:
            sides.append(
                joined(*start, upwards, "·", bracketed(formula) if formula.precedence < PRODUCT else formula)
            )
        sides.append(joined(*start, numbers[0], "·", numbers[1]))
        equal = line(
            derivative(root, operand),
            *[("=", side) for side in sides],
            (equals, result(number(so_far), so_far)),
        )
        row, shown = self.row_of[use.operand], self.row_of[use.shown]
        cards = [self.card_of[row.id], self.card_of[shown.id]]
        running = [] if is_complete else self.pill(so_far)
        return self.step("backward", equal, reason, [row], cards, edges, running)

    def rest(self, node: Value, flows: list[float], lit: set[str]) -> Iterator[Step]:
        """Yield a step if a part of the gradient came from folded cards or from another backward pass."""
        gradient, total, folded = node.grad, sum(flows), self.count[node] - len(flows)
        if not folded and _same(total, gradient, flows):
            return
        row = self.row_of[node]
        card = self.card_of[row.id]
        edges, reason = [], "added by another backward pass"
        if folded:
            edges = [
                edge
                for edge in self.drawn.edges
                if edge.tail == card.id and edge.id not in lit and (edge.operand == row.id or edge.count > 1)
            ]
            heads = {edge.head for edge in edges}
            titles = [each.title for each in self.drawn.cards if each.id in heads and each.title]
            through = " and ".join(titles) or "values that are not drawn"
            count = f"the sum over {folded:,} uses" if folded > 1 else "through its use"
            reason = f"{count} in {through}"
        sides, equals = [], "="
        if flows:
            digits, equals = digits_for([total, gradient - total], operator.add, gradient)
            added = number(gradient - total, digits, in_product=True)
            sides = [("=", joined(number(total, digits), "+", added))]
        left = derivative(self.wording.name(self.root), self.wording.name(node))
        equal = line(left, *sides, (equals, result(number(gradient), gradient)))
        cards = [card, *[each for each in self.drawn.cards if each.id in {edge.head for edge in edges}]]
        yield self.step("backward", equal, reason, [row], cards, edges)

    def batch(self, edge: Edge) -> Step:
        """Return the step of the terms of a sum that are left out."""
        card, row = self.card_of[edge.operand], self.row(edge)
        what = "mean" if row.symbol == "mean" else "sum"
        theirs = "" if row.gradient is None else f"; the gradient of their {what} is {short(row.gradient)}"
        words = plain_words(f"{card.title} like the one that is drawn{theirs}")
        reason = "similar terms of a sum get the same gradient"
        return self.step("backward", words, reason, [row], [card], [edge])

    def pill(self, x: float) -> list[str]:
        """Return the content of a pill for an incomplete gradient: the text, fill and ink, light and dark."""
        fills = [theme.gradient(x, self.largest) for theme in (LIGHT, DARK)]
        return [short(x), fills[0], LIGHT.ink_on(fills[0]), fills[1], DARK.ink_on(fills[1])]


def _same(total: float, gradient: float, flows: list[float]) -> bool:
    """Return whether a gradient is the sum of its contributions, up to the order of summation."""
    return not abs(gradient - total) > 1e-9 * max(map(abs, [gradient, *flows]))


def steps(root: Value, drawn: Cards) -> list[Step]:
    """Return the steps of the graph of `root` as it is drawn; before `backward`, only the forward ones.

    >>> from autograd_lite.pictures.cards import cards
    >>> w, x = Value(2.0, "w"), Value(3.0, "x")
    >>> loss = w * x
    >>> loss.label = "loss"
    >>> loss.backward()
    >>> for step in steps(loss, cards(loss)):
    ...     print(step.text)
    given: inputs, parameters and constants
    loss = w·x = 2.00·3.00 = 6.00
    ∂loss/∂loss = 1.00
    ∂loss/∂w = ∂loss/∂loss · ∂loss/∂w = ∂loss/∂loss · x = 1.00 · 3.00 = 3.00
    ∂loss/∂x = ∂loss/∂loss · ∂loss/∂x = ∂loss/∂loss · w = 1.00 · 2.00 = 2.00
    """
    builder = _StepBuilder(root, drawn)
    return [*builder.forward(), *(builder.backward() if drawn.gradients else ())]
