"""The steps of the player: what each says, and what it changes in the picture.

`steps` gives one for every operation, in order, then one for every use of every value that is drawn, from
the root back. What is said of an operation and its local partial is read off the row's own rule
(`formulas.py`). What does not live here: what is drawn (`cards.py`), the page (`player.py`).
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from autograd_lite.core.primitive import ATOM, SUM
from autograd_lite.core.value import Value
from autograd_lite.notation.formula import Sum, Symbol
from autograd_lite.notation.names import pretty, short
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import TEXT, Notation, Printed
from autograd_lite.pictures.cards import Card, Cards, Edge, Row, in_order, is_part_of_sum, symbol_of
from autograd_lite.pictures.colour import DARK, LIGHT, largest_of

_NAME = 16  # characters of a formula that may stand for a value without a name
_FORMULA = 60  # and of one that a step shows


@dataclass(frozen=True)
class Step:
    """One step: what is said, in MathML and as text, and why; and what changes in the picture.

    ``rows`` get their value (forward) or their gradient (backward), ``edges`` are lit, ``cards`` marked, the
    first of them as the one that it is about. ``running`` is what the pills show while more is to come: the
    text, then fill and ink in both themes; empty for the gradient as it is drawn.
    """

    phase: Literal["forward", "backward"]
    mathml: str
    text: str
    reason: str
    rows: list[str]
    cards: list[str]
    edges: list[str]
    running: list[str]


# --- Formulas as MathML ---------------------------------------------------------------------------
# A name in a formula stands as one character of the private area, so that nothing in it is taken for more.

_FIRST = 0xE000
_STRETCHING = tuple("()|[]")
_OPEN, _CLOSE = ['<mo stretchy="false">' + bracket + "</mo>" for bracket in "()"]
_TOKEN = re.compile(r"([\ue000-\uf8ff])|(\d[\d.]*)|([⁻⁰¹²³⁴-⁹⁽⁾]+)|([^\W\d_]\w*)|(\s+)|(.)")
_INDEX = re.compile(r"(.+?)([₀-₉ₐₑₕ-ₜᵢⱼᵣᵤᵥₓ,]+)")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789aehijklmnoprstuvx")
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", "−0123456789()")


class Name(NamedTuple):
    """A value's name or formula in text and in MathML, and how tightly it holds together."""

    text: str
    mathml: str
    precedence: int = ATOM


Parts: TypeAlias = list[Name | str]  # of a line: what is not a name is an operator


def _tag(name: str, *content: str) -> str:
    return f"<{name}>{''.join(content)}</{name}>"


def _labelled(label: str) -> Name:
    """
    >>> _labelled("w1").mathml, _labelled("a < b").mathml
    ('<msub><mi>w</mi><mn>1</mn></msub>', '<mtext>a &lt; b</mtext>')
    """
    text = pretty(label)
    match = _INDEX.fullmatch(text)
    base, index = match.groups() if match else (text, "")
    if not base.replace("\u0304", "").replace("\u0307", "").isalpha():
        return Name(text, _tag("mtext", html.escape(text)))
    mathml = _tag("mi", html.escape(base))
    return Name(text, _tag("msub", mathml, _tag("mn", index.translate(_LOWERED))) if index else mathml)


def _typeset(formula: str, names: list[Name]) -> Name:
    """A formula whose names are characters of the private area.

    >>> _typeset("\\ue000² + 0.5", [_labelled("x")]).mathml
    '<mrow><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mn>0.5</mn></mrow>'
    """
    parts: list[str] = []
    for name, number, power, word, space, sign in _TOKEN.findall(formula):
        if name:
            parts.append(names[ord(name) - _FIRST].mathml)
        elif power:
            parts[-1:] = [
                _tag("msup", *(parts[-1:] or ["<mrow></mrow>"]), _tag("mn", power.translate(_RAISED)))
            ]
        elif number:
            parts.append(_tag("mn", number))
        elif word:
            parts.append(_tag("mi" if len(word) == 1 else "mtext", html.escape(word)))
        elif sign in _STRETCHING:
            parts.append(f'<mo stretchy="false">{sign}</mo>')
        elif sign == "−" and (not parts or re.search(r"[^)|\]]</mo>$", parts[-1])):
            parts.append('<mo form="prefix">−</mo>')  # of a number, not between two
        elif not space:
            parts.append(_tag("mo", html.escape(sign)))
    text = "".join([names[ord(c) - _FIRST].text if "\ue000" <= c <= "\uf8ff" else c for c in formula])
    return Name(text, parts[0] if len(parts) == 1 else _tag("mrow", *parts))


def _number(x: float, in_product: bool = False) -> Name:
    name = _typeset(short(x), [])
    return _bracketed(name) if in_product and not x >= 0.0 and x == x else name


def _bracketed(name: Name) -> Name:
    return Name(f"({name.text})", _tag("mrow", _OPEN, name.mathml, _CLOSE))


def _joined(*parts: Name | str) -> Name:
    """Parts beside each other; a string is an operator."""
    text = "".join([f" {part} " if isinstance(part, str) else part.text for part in parts])
    mathml = [_tag("mo", part) if isinstance(part, str) else part.mathml for part in parts]
    return Name(text, _tag("mrow", *mathml))


def _derivative(y: Name, x: Name) -> Name:
    sides = [_bracketed(name) if name.precedence < ATOM else name for name in (y, x)]
    numerator, denominator = [_tag("mrow", "<mo>∂</mo>", side.mathml) for side in sides]
    return Name(f"∂{sides[0].text}/∂{sides[1].text}", _tag("mfrac", numerator, denominator))


def _result(name: Name, signed: float = 0.0) -> Name:
    """A result, in the colour of its sign if it is a gradient."""
    kind = " plus" if signed > 0.0 else " minus" if signed < 0.0 else ""
    return Name(name.text, f'<mrow class="result{kind}">{name.mathml}</mrow>')


def _words(text: str) -> Name:
    return Name(text, _tag("mtext", html.escape(text)))


class _Scribe:
    """Writes the values' names, and what an operation computes and its local partials are, in these names."""

    def __init__(self, root: Value) -> None:
        self.root = root
        self.names: dict[Value, Name] = {}
        self.read: dict[Value, tuple[Value, Reader] | None] = {}

    def name(self, node: Value) -> Name:
        """Its label; else what it is made of, if that is short; else its symbol."""
        if node not in self.names:
            self.names[node] = self._named(node)
        return self.names[node]

    def _named(self, node: Value) -> Name:
        if node.label:
            return _labelled(node.label)
        if node.primitive is None:
            return Name("leaf", _tag("mtext", "leaf"))
        operands = [x for x in node.operands if isinstance(x, Value)]
        # Only of what has a name: formulas do not go deeper than one operation.
        if len(operands) <= 4 and all(x.label for x in operands):
            formula = self.formula(node)
            if formula is not None and len(formula.text) <= _NAME:
                return formula
        symbol = "root" if node is self.root else symbol_of(node)
        return Name(symbol, _tag("mi", html.escape(symbol)))

    def reader(self, node: Value) -> tuple[Value, Reader] | None:
        """The operation of a node alone, applied to leaves; None if its data do not allow it any more."""
        if node not in self.read:
            leaves = {x: Value(x.data) for x in node.operands if isinstance(x, Value)}
            operands = tuple([leaves[x] if isinstance(x, Value) else x for x in node.operands])
            first = next(iter(leaves.values()))
            try:
                # In a fresh context nothing is paused: a player may be made within `no_grad`.
                alone: Value = Context().run(first._record, node.primitive, operands)  # type: ignore[arg-type]
                self.read[node] = alone, Reader(alone)
            except (ArithmeticError, ValueError):
                self.read[node] = None
        return self.read[node]

    def written(self, formula: Sum, node: Value, alone: Value, numbers: bool = False) -> Name:
        """A formula about an operation that was read alone, in its values' names, or in their numbers."""
        real = {alone: node, **dict(zip(alone.operands, node.operands, strict=True))}
        names: list[Name] = []

        def namer(leaf: Value, notation: Notation) -> Printed:
            x = real[leaf]
            assert isinstance(x, Value)
            if numbers:
                return Printed(short(x.data), SUM if x.data < 0.0 else ATOM)
            names.append(self.name(x))
            return Printed(chr(_FIRST + len(names) - 1), names[-1].precedence)

        printed = formula.written(TEXT, namer, 3)
        return _typeset(printed.text.replace("+ −", "− "), names)._replace(precedence=printed.precedence)

    def formula(self, node: Value, numbers: bool = False) -> Name | None:
        """What the operation of a node computes, or None if that is long."""
        read = self.reader(node)
        if read is None:
            return None
        alone, reader = read
        written = self.written(reader.definition(alone), node, alone, numbers)
        return written if len(written.text) <= _FORMULA else None

    def reason(self, node: Value, position: int) -> str:
        """What the local partial is, in plain words, as the row's rule has it."""
        read = self.reader(node)
        if read is None:
            return "the local partial as it was recorded"
        alone, reader = read
        try:
            partial = reader.partial(alone, position)
        except (ArithmeticError, ValueError):
            return "the local partial as it was recorded"
        if partial.constant is not None:
            c = partial.constant
            known = {
                1.0: "passes the gradient on as it is",
                -1.0: "turns the sign",
                0.0: "lets nothing through",
            }
            return known.get(c, f"scales the gradient by {short(c)}")
        written = self.written(partial, node, alone)
        if len(written.text) > _FORMULA:
            return "the local partial at this point"
        match partial.terms:
            case ((1.0, ((Symbol(node=leaf), 1),)),) if leaf is alone:
                return f"the local partial is the value itself, {written.text}"
            case ((1.0, ((Symbol(), 1),)),):
                return f"the local partial is the other factor, {written.text}"
        return f"the local partial is {written.text}"


# --- Steps ----------------------------------------------------------------------------------------


class _Use(NamedTuple):
    """The use of a value as operand number `position` of `consumer`, which is drawn as `shown`."""

    operand: Value
    consumer: Value
    position: int
    shown: Value


class _Director:
    """Makes the steps of a drawn graph."""

    def __init__(self, root: Value, drawn: Cards) -> None:
        self.root, self.drawn, self.scribe = root, drawn, _Scribe(root)
        self.order = in_order(root)
        self.index = {node: i for i, node in enumerate(self.order)}
        self.card_of = {row.id: card for card in drawn.cards for row in card.rows}
        rows = [row for card in drawn.cards for row in card.rows]
        self.row_of = {drawn.values[row.id]: row for row in rows if row.id in drawn.values}
        self.edges = {edge.id: edge for edge in drawn.edges}
        self.batches: dict[str, list[Edge]] = defaultdict(list)  # "… 99 more", by the row that sums them
        for edge in drawn.edges:
            if edge.operand not in drawn.values and edge.operand in self.card_of:
                self.batches[edge.consumer].append(edge)
        self.largest = largest_of([*[row.gradient for row in rows], *[edge.flow for edge in drawn.edges]])
        self.paths: dict[str | None, str] = {None: ""}
        for box in drawn.boxes:
            around = self.paths[box.parent]
            self.paths[box.id] = f"{around} › {box.name}" if around else box.name
        self.uses, self.count = self.find_uses()

    def find_uses(self) -> tuple[dict[Value, list[_Use]], Counter[Value]]:
        """The uses of drawn values by drawn values, by who uses them; and how many each value has in all."""
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
        said: Name,
        reason: str,
        rows: list[Row],
        cards: list[Card],
        edges: list[Edge],
        running: list[str] | None = None,
    ) -> Step:
        """A step, with the box that its first card is in added to the reason."""
        place = self.paths.get(cards[0].box, "")
        return Step(
            phase,
            said.mathml,
            said.text,
            " · ".join([part for part in (reason, place) if part]),
            [row.id for row in rows],
            list(dict.fromkeys([card.id for card in cards])),
            [edge.id for edge in edges],
            running or [],
        )

    # --- Forward

    def forward(self) -> Iterator[Step]:
        computed = [node for node in self.order if node in self.row_of and node.primitive is not None]
        later = {self.row_of[node].id for node in computed}
        later.update([edge.operand for edges in self.batches.values() for edge in edges])
        given = [row for card in self.drawn.cards for row in card.rows if row.id not in later]
        if given:
            said = _words("what is given: inputs, parameters and constants")
            cards = [self.card_of[row.id] for row in given]
            yield self.step("forward", said, "leaves of the graph: nothing made them", given, cards, [])
        for node in computed:
            row = self.row_of[node]
            name, formula = self.scribe.name(node), self.scribe.formula(node)
            sides = [name] + ([formula] if formula is not None and formula.text != name.text else [])
            sides += [each for each in [self.scribe.formula(node, numbers=True)] if each is not None]
            said = _joined(*[part for side in sides for part in (side, "=")], _result(_number(node.data)))
            assert node.primitive is not None
            what = node.primitive.__doc__.partition(" (0")[0].removesuffix(".")  # without its source
            rows = [*[self.row(edge) for edge in self.batches[row.id]], row]
            into = [edge for edge in self.drawn.edges if edge.consumer == row.id]
            yield self.step("forward", said, what, rows, [self.card_of[row.id]], into)

    def row(self, batch: Edge) -> Row:
        """The row of the card at the tail of an edge that stands for the terms left out."""
        (row,) = self.card_of[batch.operand].rows
        return row

    # --- Backward

    def backward(self) -> Iterator[Step]:
        seed, row = self.root.grad, self.row_of[self.root]
        assert seed is not None
        name = self.scribe.name(self.root)
        said = _joined(_derivative(name, name), "=", _result(_number(seed), seed))
        reason = "the seed: what backward() starts with at the root"
        yield self.step("backward", said, reason, [row], [self.card_of[row.id]], [])
        flows: dict[Value, list[float]] = defaultdict(list)
        lit: set[str] = set()
        for node in reversed(self.order):
            if node not in self.row_of or node.grad is None:
                continue
            if node is not self.root:
                yield from self.rest(node, flows[node], lit)
            for edge in self.batches[self.row_of[node].id]:
                lit.add(edge.id)
                yield self.batch(edge)
            for use in self.uses[node]:
                if use.operand.grad is not None:
                    edges = [self.edges[key] for key in [self.edge_of(use)] if key in self.edges]
                    lit.update([edge.id for edge in edges])
                    yield self.use(use, flows[use.operand], edges)

    def edge_of(self, use: _Use) -> str:
        return f"e{self.index[use.consumer]}-{use.position}"

    def use(self, use: _Use, flows: list[float], edges: list[Edge]) -> Step:
        """One use of a value: upstream times local partial, added to what came before."""
        partial, upstream, gradient = use.consumer.partials[use.position], use.shown.grad, use.operand.grad
        assert upstream is not None
        assert gradient is not None
        before: Parts = [_number(sum(flows)), "+"] if flows else []
        # A branch that was not taken gets nothing, not 0 · ∞.
        flows.append(0.0 if partial is None else upstream * partial)
        total, count = sum(flows), self.count[use.operand]
        is_complete = len(flows) == count and _same(total, gradient, flows)
        result = gradient if is_complete else total

        root, consumer, operand = map(self.scribe.name, (self.root, use.shown, use.operand))
        if consumer.text == operand.text:
            consumer = Name(
                f"{consumer.text}′", _tag("msup", consumer.mathml, "<mo>′</mo>"), consumer.precedence
            )
        symbols: Parts = [_derivative(root, consumer), "·", _derivative(consumer, operand)]
        numbers: Parts = [_number(upstream, bool(before)), "·", _number(partial or 0.0, in_product=True)]
        said = _joined(
            *[_derivative(root, operand), "=", *before, *symbols],
            *["=", *before, *numbers, "=", _result(_number(result), result)],
        )
        reason = "the branch that was not taken: it gets exactly nothing"
        if partial is not None:
            reason = f"{symbol_of(use.shown)}: {self.scribe.reason(use.consumer, use.position)}"
        if count > 1:
            reason += f" · use {len(flows)} of {count:,}" + (", more to come" if len(flows) < count else "")
        row, shown = self.row_of[use.operand], self.row_of[use.shown]
        cards = [self.card_of[row.id], self.card_of[shown.id]]
        running = [] if is_complete else self.pill(result)
        return self.step("backward", said, reason, [row], cards, edges, running)

    def rest(self, node: Value, flows: list[float], lit: set[str]) -> Iterator[Step]:
        """What a value gets from where nothing is drawn: folded cards, or another backward pass."""
        gradient, total, folded = node.grad, sum(flows), self.count[node] - len(flows)
        assert gradient is not None
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
            reason = f"the sum over {folded:,} use{'s' * (folded > 1)} in {through}"
        added = _number(gradient - total, in_product=True)
        before: Parts = [_number(total), "+", added, "="] if flows else []
        derivative = _derivative(self.scribe.name(self.root), self.scribe.name(node))
        said = _joined(derivative, "=", *before, _result(_number(gradient), gradient))
        cards = [card, *[each for each in self.drawn.cards if each.id in {edge.head for edge in edges}]]
        yield self.step("backward", said, reason, [row], cards, edges)

    def batch(self, edge: Edge) -> Step:
        card, row = self.card_of[edge.operand], self.row(edge)
        each = "" if row.gradient is None else f", each with the gradient {short(row.gradient)}"
        said = _words(f"{card.title} like the one that is drawn{each}")
        return self.step("backward", said, "terms of one sum get what the sum gets", [row], [card], [edge])

    def pill(self, x: float) -> list[str]:
        fills = [theme.gradient(x, self.largest) for theme in (LIGHT, DARK)]
        return [short(x), fills[0], LIGHT.ink_on(fills[0]), fills[1], DARK.ink_on(fills[1])]


def _same(total: float, gradient: float, flows: list[float]) -> bool:
    """Whether a gradient is the sum of what flowed in, up to the order of summation."""
    return not abs(gradient - total) > 1e-9 * max(map(abs, [gradient, *flows]))


def steps(root: Value, drawn: Cards) -> list[Step]:
    """Return the steps of the graph of `root` as it is drawn; before `backward` there are only values.

    >>> from autograd_lite.pictures.cards import cards
    >>> w, x = Value(2.0, "w"), Value(3.0, "x")
    >>> loss = w * x
    >>> loss.label = "loss"
    >>> loss.backward()
    >>> for step in steps(loss, cards(loss)):
    ...     print(f"{step.text}  ({step.reason})")
    what is given: inputs, parameters and constants  (leaves of the graph: nothing made them)
    loss = w·x = 2.00·3.00 = 6.00  (x · y)
    ∂loss/∂loss = 1.00  (the seed: what backward() starts with at the root)
    ∂loss/∂w = ∂loss/∂loss · ∂loss/∂w = 1.00 · 3.00 = 3.00  (×: the local partial is the other factor, x)
    ∂loss/∂x = ∂loss/∂loss · ∂loss/∂x = 1.00 · 2.00 = 2.00  (×: the local partial is the other factor, w)
    """
    director = _Director(root, drawn)
    return [*director.forward(), *(director.backward() if drawn.gradients else ())]
