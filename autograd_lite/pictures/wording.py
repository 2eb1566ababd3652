"""The player's words for an operation: names of values, formulas, reasons for local partials.

Formulas and partials are read off the row's own rule (`notation/reader.py`). `steps.py` composes the steps;
`mathml.py` typesets them.
"""

from __future__ import annotations

import html
from contextvars import Context

from autograd_lite.core.primitive import ATOM, SUM
from autograd_lite.core.value import Value
from autograd_lite.notation.formula import Sum, Symbol
from autograd_lite.notation.names import short
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import TEXT, Notation, Printed
from autograd_lite.pictures.mathml import FIRST, Name, labelled, typeset
from autograd_lite.pictures.roles import symbol_of

_NAME = 16  # characters of a formula that may stand for a value without a name
_FORMULA = 60  # characters of a formula that a step shows


class Wording:
    """Names the values of a graph, and describes operations and local partials in these names."""

    def __init__(self, root: Value) -> None:
        self.root = root
        self.names: dict[Value, Name] = {}
        self.read: dict[Value, tuple[Value, Reader] | None] = {}

    def name(self, node: Value) -> Name:
        """Return the label of a value, else its formula if that is short, else its symbol."""
        if node not in self.names:
            self.names[node] = self._named(node)
        return self.names[node]

    def _named(self, node: Value) -> Name:
        if node.label:
            return labelled(node.label)
        if node.primitive is None:
            return Name("leaf", "<mtext>leaf</mtext>")
        operands = [x for x in node.operands if isinstance(x, Value)]
        # Only if all operands have labels: a formula is one operation deep.
        if len(operands) <= 4 and all(x.label for x in operands):
            formula = self.formula(node)
            if formula is not None and len(formula.text) <= _NAME:
                return formula
        symbol = "root" if node is self.root else symbol_of(node)
        return Name(symbol, f"<mi>{html.escape(symbol)}</mi>")

    def reader(self, node: Value) -> tuple[Value, Reader] | None:
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

    def written(self, formula: Sum, node: Value, alone: Value, numbers: bool = False) -> Name:
        """Return a formula of `alone`, written in the names or the numbers of the values of `node`."""
        real = {alone: node, **dict(zip(alone.operands, node.operands, strict=True))}
        names: list[Name] = []

        def namer(leaf: Value, notation: Notation) -> Printed:
            x = real[leaf]
            assert isinstance(x, Value)
            if numbers:
                return Printed(short(x.data), SUM if x.data < 0.0 else ATOM)
            names.append(self.name(x))
            return Printed(chr(FIRST + len(names) - 1), names[-1].precedence)

        printed = formula.written(TEXT, namer, 3)
        return typeset(printed.text.replace("+ −", "− "), names)._replace(precedence=printed.precedence)

    def formula(self, node: Value, numbers: bool = False) -> Name | None:
        """Return the formula of a node's operation, or None if it is long."""
        read = self.reader(node)
        if read is None:
            return None
        alone, reader = read
        written = self.written(reader.definition(alone), node, alone, numbers)
        return written if len(written.text) <= _FORMULA else None

    def reason(self, node: Value, position: int) -> str:
        """Return a local partial in words, as the row's rule gives it."""
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
                1.0: "passes the gradient on unchanged",
                -1.0: "flips the sign of the gradient",
                0.0: "lets no gradient through",
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
