"""The player's words for an operation: names of values, formulas, reasons for local partials.

A formula is an operation with its own operands. Local partials are read off the row's own rule
(`notation/reader.py`). `steps.py` composes the steps; `mathml.py` typesets them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context

from autograd_lite.core.given import given
from autograd_lite.core.primitive import ATOM, PRODUCT, SUM, TABLE, Primitive
from autograd_lite.core.value import Value
from autograd_lite.notation.formula import Sum, Symbol
from autograd_lite.notation.names import short
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import TEXT, Notation, Printed
from autograd_lite.pictures.markup import shortened
from autograd_lite.pictures.mathml import FIRST, Name, as_read, digits_for, labelled, printed, typeset
from autograd_lite.pictures.roles import SUMS

_NAME = 20  # letters of a name that are shown
_PARTIAL = 40  # characters of a local partial that are shown
_TERMS = 8  # of a sum that are written out; the middle of more is left out
_CONSTANT = 6  # significant digits of a constant


class Wording:
    """Describes operations and local partials in the names that values have on their cards."""

    def __init__(self, names: Mapping[Value, str]) -> None:
        self.names = names
        self.read: dict[Value, tuple[Value, Reader] | None] = {}

    def name(self, node: Value) -> Name:
        """Return the name of a value on its card, else its label; empty text if it has neither."""
        return labelled(shortened(self.names.get(node) or node.label or "", _NAME))

    # --- The operation that made a value

    def formula(self, node: Value) -> tuple[Name, Name, str] | None:
        """Return the operation that made a node in names, in numbers, and "=" or "≈" for its result.

        None if an operand has no name, or if the value and its partials were given.
        """
        row = node.primitive
        assert row is not None
        operands = self._operands(node)
        values = [x for x in operands if isinstance(x, Value)]
        names = [self.name(x) for x in values]
        if row is given or not all(name.text for name in names):
            return None
        apply = _written_as(row)

        constants = [None if isinstance(x, Value) else TEXT.number(x, _CONSTANT) for x in operands]

        def filled(values: Iterable[Printed]) -> str:
            rest = iter(values)
            return apply([next(rest) if known is None else known for known in constants]).text

        def computed(*data: float) -> float:
            rest = iter(data)
            x = [next(rest) if known is None else as_read(known.text) for known in constants]
            if row in SUMS:  # with the terms of other sums
                return math.fsum(x)
            return x[0] if row is TABLE["where"] else row.forward(*x)

        data = [x.data for x in values]
        digits, equals = digits_for(data, computed, node.data) if len(operands) <= 2 * _TERMS else (3, "=")
        symbols = filled([Printed(chr(FIRST + k), ATOM) for k in range(len(names))])
        numbers = filled([printed(x, digits) for x in data])
        return typeset(symbols, names), typeset(numbers, []), equals

    def _operands(self, node: Value) -> Sequence[Value | float]:
        """Return the operands of a node: of a `where` the branch taken, of a sum those of the sums in it."""
        if node.primitive is TABLE["where"]:
            condition, x, y = node.operands
            return [x if (condition.data if isinstance(condition, Value) else condition) else y]
        if node.primitive not in SUMS:
            return node.operands
        found: list[Value | float] = []
        stack = [*reversed(node.operands)]
        while stack:
            x = stack.pop()
            if isinstance(x, Value) and x.primitive in SUMS and not self.name(x).text:
                stack += reversed(x.operands)
            elif isinstance(x, Value) or x != 0.0:
                found.append(x)
        return found

    # --- Local partials

    def partial(self, node: Value, position: int) -> tuple[Name | None, str]:
        """Return a local partial as the row's rule gives it, and in words; None if it is a number or long."""
        read = self._reader(node)
        try:
            formula = None if read is None else read[1].partial(read[0], position)
        except (ArithmeticError, ValueError):
            formula = None
        if read is None or formula is None:
            return None, "the local partial as it was recorded"
        if formula.constant is not None:
            known = {
                1.0: "passes the gradient on unchanged",
                -1.0: "flips the sign of the gradient",
                0.0: "lets no gradient through",
            }
            return None, known.get(formula.constant, f"scales the gradient by {short(formula.constant)}")
        alone, _ = read
        written = self._written(formula, node, alone)
        if written is None or len(written.text) > _PARTIAL:
            return None, "the local partial at this point"
        match formula.terms:
            case ((1.0, ((Symbol(node=leaf), 1),)),) if leaf is alone:
                return written, f"the local partial is the value itself, {written.text}"
            case ((1.0, ((Symbol(), 1),)),):
                return written, f"the local partial is the other factor, {written.text}"
        return written, f"the local partial is {written.text}"

    def _reader(self, node: Value) -> tuple[Value, Reader] | None:
        """Return the operation of a node applied to leaves; None if the data were changed and it fails."""
        if node not in self.read:
            leaves = {x: Value(x.data) for x in node.operands if isinstance(x, Value)}
            operands = tuple([leaves[x] if isinstance(x, Value) else x for x in node.operands])
            first = next(iter(leaves.values()))
            try:
                # A player may be made within `no_grad`; in a fresh context recording is on.
                alone: Value = Context().run(first._record, node.primitive, operands)  # type: ignore[arg-type]
                self.read[node] = alone, Reader(alone)
            except (ArithmeticError, TypeError, ValueError):  # TypeError: partials of one's own, no formula
                self.read[node] = None
        return self.read[node]

    def _written(self, formula: Sum, node: Value, alone: Value) -> Name | None:
        """Return a formula of `alone` in the names of the values of `node`; None if one has no name."""
        real = {alone: node, **dict(zip(alone.operands, node.operands, strict=True))}
        names: list[Name] = []

        def namer(leaf: Value, notation: Notation) -> Printed:
            x = real[leaf]
            assert isinstance(x, Value)
            names.append(self.name(x))
            return Printed(chr(FIRST + len(names) - 1), ATOM)

        written = formula.written(TEXT, namer, 3)
        if not all(name.text for name in names):
            return None
        return typeset(written.text, names)._replace(precedence=written.precedence)


# --- Operations as people write them --------------------------------------------------------------


def _written_as(row: Primitive) -> Callable[[Sequence[Printed]], Printed]:
    """Return how to write `row` applied to operands."""
    return _WRITTEN.get(row.name) or functools.partial(TEXT.apply, row)


def _plus(terms: Sequence[Printed]) -> Printed:
    if len(terms) == 1:
        return terms[0]
    texts = [term.text for term in terms]
    if len(texts) > _TERMS:
        texts[3:-1] = ["…"]
    return Printed(" + ".join(texts).replace("+ −", "− "), SUM)


def _chained(operator: str, x: Sequence[Printed]) -> Printed:
    """Return factors with an operator between them; only the first may begin with a minus."""
    first, *others = x
    brackets = first.precedence < PRODUCT and not _is_negative(first)
    text = f"({first.text})" if brackets else first.text
    least = PRODUCT if operator == "·" else ATOM
    for other in others:
        text += operator + (f"({other.text})" if other.precedence < least else other.text)
    return Printed(text, SUM if _is_negative(first) else PRODUCT)


def _is_negative(x: Printed) -> bool:
    return x.text.startswith("−") and " " not in x.text


def _dot(x: Sequence[Printed]) -> Printed:
    half = len(x) // 2
    products = [_chained("·", pair) for pair in zip(x[:half], x[half : 2 * half], strict=True)]
    return _plus([*products, *x[2 * half :]])


def _mean(x: Sequence[Printed]) -> Printed:
    return _chained("/", [_plus(x), TEXT.number(float(len(x)), None)])


def _logsumexp(x: Sequence[Printed]) -> Printed:
    return TEXT.apply(TABLE["log"], [_plus([TEXT.apply(TABLE["exp"], [each]) for each in x])])


_WRITTEN: dict[str, Callable[[Sequence[Printed]], Printed]] = {
    "add": _plus,
    "sum": _plus,
    "mul": functools.partial(_chained, "·"),
    "div": functools.partial(_chained, "/"),
    "prod": functools.partial(_chained, "·"),
    "dot": _dot,
    "mean": _mean,
    "where": _plus,  # the branch taken
    "logsumexp": _logsumexp,
    "softmax_cross_entropy": lambda x: TEXT.apply(TABLE["sub"], [_logsumexp(x), x[0]]),
}
