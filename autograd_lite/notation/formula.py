"""Which formula a graph stands for, in the graph's own names.

A `Sum` is a formula in a normal form that is read as people write: a sum of products of powers. It knows
rational arithmetic and nothing of calculus; what is no arithmetic stands in it as a `Call`, a row applied to
formulas. `Reader` turns nodes into formulas, and their local partials, which it gets by running the row's
rule.

What does not live here: how a formula is written (`latex.py`), the algebra of SymPy (`algebra.py`), and any
derivative: those are in `primitives.py`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

from autograd_lite.core.modes import enable_grad
from autograd_lite.core.primitive import ATOM, PRODUCT, TABLE, Primitive
from autograd_lite.core.value import Value, topological_order
from autograd_lite.notation.writing import LATEX, TEXT, Notation, Printed
from autograd_lite.transforms.derivatives import partials_as_values

Factor: TypeAlias = "tuple[Atom, int]"
Term: TypeAlias = "tuple[float, tuple[Factor, ...]]"
Atom: TypeAlias = "Symbol | Call | Sum"

_EXPANDED = 64  # terms that multiplying out may give, before it is not worth it
_SHOWN = 8  # terms of a sum that are written out
_CONSUMERS = 4  # of a node that are written out


# --- The normal form -------------------------------------------------------------------------------


class Symbol:
    """A node of the graph as it stands in a formula; its name is chosen when the formula is written."""

    __slots__ = ("node",)

    def __init__(self, node: Value) -> None:
        self.node = node

    def written(self, notation: Notation, namer: Namer) -> Printed:
        """Its name."""
        return namer(self.node, notation)


class Adjoint(Symbol):
    """δ(node), the derivative of the output with respect to a node."""

    __slots__ = ()

    def written(self, notation: Notation, namer: Namer) -> Printed:
        """δ of the node's name."""
        return Printed(notation.adjoint(namer(self.node, notation).text), ATOM)

    @property
    def formula(self) -> Sum:
        """It as a formula."""
        return Sum([(1.0, ((self, 1),))])


@dataclass(frozen=True)
class Call:
    """A row that is no arithmetic, applied to formulas."""

    row: Primitive
    operands: tuple[Sum, ...]


class Sum:
    """Σ coefficient · Π atom^exponent. Two are equal if they have the same terms, in whatever order."""

    __slots__ = ("_key", "terms")

    def __init__(self, terms: Iterable[Term]) -> None:
        collected: dict[frozenset[Factor], Term] = {}
        for coefficient, factors in terms:
            key = frozenset(factors)
            before = collected[key][0] if key in collected else 0.0
            collected[key] = before + coefficient, collected.get(key, (0.0, factors))[1]
        self.terms = tuple([term for term in collected.values() if term[0] != 0.0])
        self._key = frozenset([(term[0], frozenset(term[1])) for term in self.terms])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __add__(self, other: Sum) -> Sum:
        return Sum([*self._unwrapped(), *other._unwrapped()])

    def __neg__(self) -> Sum:
        return number(-1.0) * self

    def __sub__(self, other: Sum) -> Sum:
        return self + -other

    def __mul__(self, other: Sum) -> Sum:
        if not self.terms or not other.terms:
            return Sum(())
        (a, left), (b, right) = self._term(), other._term()
        coefficient, powers = a * b, dict(left)
        for atom, exponent in right:
            if isinstance(atom, Sum) and atom not in powers:
                opposite = Sum([(-c, factors) for c, factors in atom.terms])
                if opposite in powers:
                    atom, coefficient = opposite, coefficient * (-1.0) ** exponent
            powers[atom] = powers.get(atom, 0) + exponent
        return Sum([(coefficient, tuple([power for power in powers.items() if power[1]]))])._plain()

    def __pow__(self, exponent: int) -> Sum:
        coefficient, factors = self._term()
        try:
            power = coefficient**exponent
        except ArithmeticError:  # 1 / 0, or beyond the floats: it stands as it was written
            return _called(TABLE["pow"], self, number(float(exponent)))
        return Sum([(power, tuple([(atom, n * exponent) for atom, n in factors]))])._plain()

    def __truediv__(self, other: Sum) -> Sum:
        return self * other**-1

    def _term(self) -> Term:
        """The whole as one term: itself as a factor, if it has several."""
        if len(self.terms) == 1:
            return self.terms[0]
        return (1.0, ((self, 1),)) if self.terms else (0.0, ())

    def _unwrapped(self) -> Iterator[Term]:
        # x - (y - z) has three terms
        for coefficient, factors in self.terms:
            inner, exponent = factors[0] if len(factors) == 1 else (None, 0)
            if abs(coefficient) == 1.0 and exponent == 1 and isinstance(inner, Sum):
                yield from [(coefficient * c, inside) for c, inside in inner.terms]
            else:
                yield coefficient, factors

    def _plain(self) -> Sum:
        return Sum(self._unwrapped())

    @property
    def constant(self) -> float | None:
        """The number that it is, or None if it is none."""
        if not self.terms:
            return 0.0
        return self.terms[0][0] if len(self.terms) == 1 and not self.terms[0][1] else None

    def symbols(self) -> dict[Symbol, None]:
        """The symbols in it, in the order of their first appearance."""
        found: dict[Symbol, None] = {}
        for _, factors in self.terms:
            for atom, _ in factors:
                if isinstance(atom, Symbol):
                    found[atom] = None
                else:
                    for inner in atom.operands if isinstance(atom, Call) else (atom,):
                        found |= inner.symbols()
        return found

    def cost(self) -> int:
        """How much there is to read: the atoms and the coefficients."""
        total = 0
        for coefficient, factors in self.terms:
            total += abs(coefficient) != 1.0 or not factors
            for atom, _ in factors:
                inner = atom.operands if isinstance(atom, Call) else (atom,) if isinstance(atom, Sum) else ()
                total += sum([x.cost() for x in inner]) if inner else 1
        return total

    def combined(self) -> Sum:
        """It over one denominator, or with common factors taken out, if that is less to read."""
        below: dict[Atom, int] = {}
        for _, factors in self.terms:
            for atom, exponent in factors:
                below[atom] = min(below.get(atom, 0), exponent)
        denominator = Sum([(1.0, tuple([(atom, n) for atom, n in below.items() if n < 0]))])
        numerator: list[Term] = []
        for term in self.terms:
            lifted = (Sum([term]) / denominator)._multiplied_out()
            if lifted is None or len(numerator) + len(lifted) > _EXPANDED:
                return self
            numerator += lifted
        above = Sum(numerator)
        if not above.terms:
            return above
        common = dict(above.terms[0][1])
        for _, factors in above.terms[1:]:
            powers = dict(factors)
            common = {atom: min(n, powers[atom]) for atom, n in common.items() if atom in powers}
        sizes = {math.fabs(coefficient) for coefficient, _ in above.terms}
        shared = Sum([(sizes.pop() if len(sizes) == 1 else 1.0, tuple(common.items()))])
        best = shared * Sum([term for t in above.terms for term in (Sum([t]) / shared).terms]) * denominator
        return best if best.cost() < self.cost() else self

    def _multiplied_out(self) -> list[Term] | None:
        """Its terms without sums as factors, but below a fraction line; None if they are too many."""
        done: list[Term] = []
        for coefficient, factors in self.terms:
            sums = [(atom, n) for atom, n in factors if isinstance(atom, Sum) and n > 0]
            product = Sum([(coefficient, tuple([factor for factor in factors if factor not in sums]))])
            for atom, exponent in sums:
                for _ in range(exponent):
                    pairs = [(Sum([a]), Sum([b])) for a in product.terms for b in atom.terms]
                    if len(pairs) > _EXPANDED:
                        return None
                    product = Sum([term for a, b in pairs for term in (a * b).terms])
            done += product.terms
        return done

    # --- Writing it

    def written(
        self, notation: Notation, namer: Namer, digits: int | None = None, shown: int | None = _SHOWN
    ) -> Printed:
        """The formula in a notation; of more terms than `shown` the middle is left out."""
        terms = [*self.terms]
        if not terms:
            return notation.number(0.0, digits)
        if terms[0][0] < 0.0:  # 1 − x rather than −x + 1
            terms.sort(key=lambda term: term[0] < 0.0)
        out = _term_written(terms[0], notation, namer, digits)
        left_out = (
            range(len(terms) - 1, 0) if shown is None or len(terms) <= shown else range(3, len(terms) - 1)
        )
        for k, (coefficient, factors) in enumerate(terms[1:], 1):
            if k in left_out:
                if k == left_out[0]:
                    out = notation.apply(TABLE["add"], [out, Printed(notation.dots, PRODUCT)])
                continue
            row = TABLE["sub" if coefficient < 0.0 else "add"]
            term = _term_written((math.fabs(coefficient), factors), notation, namer, digits)
            out = notation.apply(row, [out, term])
        return out


def number(x: float) -> Sum:
    """The formula that is the number x."""
    return Sum([(x, ())])


def _called(row: Primitive, *operands: Sum) -> Sum:
    return Sum([(1.0, ((Call(row, operands), 1),))])


def _term_written(term: Term, notation: Notation, namer: Namer, digits: int | None) -> Printed:
    coefficient, factors = term
    size = math.fabs(coefficient)
    above, below = _ratio(size)
    parts: tuple[list[Printed], list[Printed]] = [], []
    for atom, exponent in sorted(factors, key=lambda factor: factor[1] < 0 and isinstance(factor[0], Sum)):
        parts[exponent < 0].append(_power_written(atom, abs(exponent), notation, namer, digits))
    for x, part in zip((above, below), parts, strict=True):
        if x != 1.0:
            part.insert(0, notation.number(x, digits))
    out = _product(parts[0], notation)
    if parts[1]:
        out = notation.apply(TABLE["div"], [out, _product(parts[1], notation)])
    return notation.apply(TABLE["neg"], [out]) if coefficient < 0.0 else out


def _ratio(size: float) -> tuple[float, float]:
    """A coefficient as numerator and denominator: 1 and 3 of a third, 0.5 and 1 of a half."""
    if math.isfinite(size) and len(repr(size)) > 8 and 1e-3 < size < 1e3:
        ratio = Fraction(size).limit_denominator(1000)
        if float(ratio) == size:
            return float(ratio.numerator), float(ratio.denominator)
    return size, 1.0


def _product(parts: list[Printed], notation: Notation) -> Printed:
    if not parts:
        return notation.number(1.0, None)
    out = parts[0]
    for part in parts[1:]:
        out = notation.apply(TABLE["mul"], [out, part])
    return out


def _power_written(
    atom: Atom, exponent: int, notation: Notation, namer: Namer, digits: int | None
) -> Printed:
    if isinstance(atom, Symbol):
        base = atom.written(notation, namer)
    elif isinstance(atom, Sum):
        base = atom.written(notation, namer, digits)
    else:
        base = notation.apply(atom.row, [x.written(notation, namer, digits) for x in atom.operands])
    if exponent == 1:
        return base
    if exponent == 2:
        return notation.apply(TABLE["square"], [base])
    return notation.apply(TABLE["pow"], [base, notation.number(float(exponent), None)])


def adjoint_written(
    partials: Iterator[tuple[Value, Sum]], count: int, notation: Notation, namer: Namer, digits: int | None
) -> str:
    """δ of a node by its consumers, Σ δ(consumer) · ∂consumer/∂node; of many only the first are looked at."""
    terms = [Adjoint(consumer).formula * partial for consumer, partial in islice(partials, _CONSUMERS)]
    written = Sum([term for each in terms for term in each.terms]).written(notation, namer, digits)
    if count > _CONSUMERS:
        more = Printed(f"{notation.dots} ({count - _CONSUMERS}{notation.word(' more')})", PRODUCT)
        written = notation.apply(TABLE["add"], [written, more])
    return written.text


# --- Names -----------------------------------------------------------------------------------------


class Namer:
    """Names the nodes of one text: by their labels, numbered where two share one, else v1, v2, ...

    Numbers go by the order in which the nodes are first asked for.
    """

    def __init__(self, nodes: Iterable[Value]) -> None:
        self._taken = {node.label for node in nodes if node.label}
        self._names: dict[Value, tuple[str, int]] = {}
        self._uses: dict[str, int] = {}
        self._count = 0

    def key(self, node: Value) -> tuple[str, int]:
        """The label and its ordinal."""
        if node not in self._names:
            label = node.label
            while not label:
                self._count += 1
                label = None if f"v{self._count}" in self._taken else f"v{self._count}"
            ordinal = self._uses.get(label, 0) + 1
            while ordinal > 1 and f"{label}__{ordinal}" in self._taken:  # SymPy's name for it is a label
                ordinal += 1
            self._uses[label] = ordinal
            self._names[node] = label, ordinal
        return self._names[node]

    def __call__(self, node: Value, notation: Notation) -> Printed:
        """Return the node's name in a notation."""
        return notation.name(*self.key(node))

    def __contains__(self, node: Value) -> bool:
        return node in self._names

    def named(self) -> list[Value]:
        """The nodes named so far, in that order."""
        return [*self._names]


def to_latex(value: Value) -> str:
    r"""Return the formula that `value` was computed by, in its leaves, as LaTeX for math mode.

    A leaf stands under its label, or v₁, v₂, ...; a `where` is the branch taken. Constants are exact.
    Raises `TypeError` if `value` is no Value, `ValueError` if the graph is too large for one formula.

    >>> w, x = Value(0.5, "w1"), Value(2.0, "x1")
    >>> print(to_latex((w * x - 1.0) ** 2 / x))
    \frac{\left(w_{1} \cdot x_{1} - 1\right)^{2}}{x_{1}}
    """
    return _whole(value, LATEX, "to_latex")


def to_text(value: Value) -> str:
    """Return what `to_latex` does, as Unicode text.

    >>> w, x = Value(0.5, "w1"), Value(2.0, "x1")
    >>> to_text((w * x - 1.0) ** 2 / x)
    '(w₁·x₁ − 1)²/x₁'
    """
    return _whole(value, TEXT, "to_text")


def _whole(value: Value, notation: Notation, name: str) -> str:
    if not isinstance(value, Value):
        raise TypeError(f"{name} takes a Value, got {type(value).__name__} {value!r}")
    reader = Reader(value, expand=True)
    return reader.definition(value).written(notation, Namer(reader.order), shown=None).text


# --- Reading a graph -------------------------------------------------------------------------------

# An unlabelled node of these rows is written out where it is used: 1 − y needs no name of its own.
_ARITHMETIC = (
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "square",
    "reciprocal",
    "pow",
    "sum",
    "mean",
    "prod",
    "where",
)
_INLINED = 12  # operations that may be written out at one place
_WHOLE = 2000  # names and operations in a whole graph as one formula
_NESTED = 100  # and how deep

# The rules keep to forms that lose no digits; these say the same in the name of the node itself, as it is
# read: σ(−x) = 1 − σ(x), and sech² x = 1 − tanh² x.
_READ_AS = {
    "sigmoid": lambda out, x: {(Call(TABLE["sigmoid"], (-x,)), 1): number(1.0) - out},
    "tanh": lambda out, x: {(Call(TABLE["sech"], (x,)), 2): number(1.0) - out**2},
}


class Reader:
    """Reads formulas off the graph of `roots`.

    A node stands under its own name if it is a leaf, has a label, is in `roots` or `also`, is made by a row
    that is no arithmetic, or if writing it out would be long; else it is written out. ``expand=True`` writes
    out everything but leaves, and raises `ValueError` if the graph is too large for that.
    """

    def __init__(self, *roots: Value, also: Iterable[Value] = (), expand: bool = False) -> None:
        self.order = topological_order(*roots)
        self._symbols: dict[Value, Symbol] = {}
        self._partials: dict[Value, list[Sum]] = {}
        self._read: dict[Value, Sum] = {}
        self._named = {*roots, *also}
        if expand:
            self._name_leaves()
        else:
            self._name_some()

    def _name_some(self) -> None:
        sizes: dict[Value, int] = {}
        for node in self.order:
            row = node.primitive
            operands = [x for x in node.operands if isinstance(x, Value)]
            if row is not None and row.name not in (*_ARITHMETIC, "dot"):
                # What a function is applied to gets a name if it depends on more than one thing.
                self._named.update([x for x in operands if len(self._parts(x)) > 1])
            size = 1 + sum([sizes[x] for x in operands if x not in self._named])
            if row is None or node.label or row.name not in _ARITHMETIC or size > _INLINED:
                self._named.add(node)
            sizes[node] = size

    def _name_leaves(self) -> None:
        depths: dict[Value, int] = {}
        sizes: dict[Value, int] = {}  # what is used twice is written twice
        for node in self.order:
            operands = [x for x in node.operands if isinstance(x, Value)]
            depths[node] = 1 + max([depths[x] for x in operands], default=0)
            sizes[node] = 1 + sum([sizes[x] for x in operands])
            if depths[node] > _NESTED or sizes[node] > _WHOLE:
                raise ValueError(
                    f"a graph of {len(self.order)} nodes is too large for one formula, of at most {_WHOLE} "
                    f"names and operations, {_NESTED} deep: ask for a part of it"
                )
            if node.primitive is None:
                self._named.add(node)
        for node in self.order:
            self.definition(node)

    def _parts(self, node: Value) -> set[Value]:
        """The named nodes that a node is made of where it is written out."""
        if node in self._named:
            return {node}
        return {part for x in node.operands if isinstance(x, Value) for part in self._parts(x)}

    def name_all(self) -> None:
        """Let every node stand under its own name."""
        self._named.update(self.order)

    def __contains__(self, node: Value) -> bool:
        """Whether the node stands under its own name."""
        return node in self._named

    def symbol(self, node: Value) -> Sum:
        """The node under its own name."""
        return Sum([(1.0, ((self._symbols.setdefault(node, Symbol(node)), 1),))])

    def formula(self, x: Value | float) -> Sum:
        """The node or number as it stands in other formulas."""
        if not isinstance(x, Value):
            return number(x)
        return self.symbol(x) if x in self._named else self.definition(x)

    def definition(self, node: Value) -> Sum:
        """What the node was made from."""
        if node.primitive is None:
            return self.symbol(node)
        if node not in self._read:
            self._read[node] = _applied(node.primitive, [self.formula(x) for x in node.operands])
        return self._read[node]

    def partial(self, node: Value, position: int) -> Sum:
        """∂node/∂operand for the operand at a position, as the row's rule gives it.

        Raises `ValueError`, naming the node, if data was changed since the node was recorded.
        """
        if node not in self._partials:
            self._partials[node] = self._partials_read(node)
        return self._partials[node][position]

    def _partials_read(self, node: Value) -> list[Sum]:
        try:
            with enable_grad():
                recorded = partials_as_values(node)
        except ArithmeticError:  # the rule's own derivatives, which nobody asks for, are beyond the floats
            recorded = node.partials
        known = {x: self.formula(x) for x in (node, *node.operands) if isinstance(x, Value)}
        out = known[node]
        # No gradient goes to a constant, nor into a branch that was not taken.
        read = [Sum(()) if partial is None else _rule_read(partial, known) for partial in recorded]
        assert node.primitive is not None
        if node.primitive.name in _READ_AS:
            written = _READ_AS[node.primitive.name](out, self.formula(node.operands[0]))
            for power, said in written.items():
                read = [_replaced(partial, power, said) for partial in read]
        return read

    def definitions(self, namer: Namer, most: int) -> list[tuple[Value, Sum]]:
        """What the made-up names stand for, and the names that this needs in turn, `most` at most."""
        done: dict[Value, Sum] = {}
        while len(done) < most:
            node = next((node for node in namer.named() if not node.label and node not in done), None)
            if node is None:
                break
            done[node] = self.definition(node) if node.primitive else number(node.data)
            for symbol in done[node].symbols():
                namer.key(symbol.node)
        return [*done.items()]


def _replaced(formula: Sum, power: Factor, said: Sum) -> Sum:
    total = Sum(())
    for coefficient, factors in formula.terms:
        rest = Sum([(coefficient, tuple([factor for factor in factors if factor != power]))])
        total += rest * said if power in factors else rest
    return total


def _rule_read(partial: Value | float, read: dict[Value, Sum]) -> Sum:
    """What a rule has recorded, as a formula of what it was given: `read`, which is added to."""
    if not isinstance(partial, Value):
        return number(partial)
    stack = [partial]
    while stack:
        node = stack.pop()
        if node in read:
            continue
        assert node.primitive is not None
        waiting = [x for x in node.operands if isinstance(x, Value) and x not in read]
        if waiting:
            stack += [node, *waiting]
        else:
            operands = [read[x] if isinstance(x, Value) else number(x) for x in node.operands]
            read[node] = _applied(node.primitive, operands)
    return read[partial]


def _applied(row: Primitive, x: Sequence[Sum]) -> Sum:
    """A row applied to formulas: arithmetic is done, anything else stands as a call."""
    name = row.name
    if name in _DONE:
        return _DONE[name](*x)
    if name == "pow":
        exponent = x[1].constant
        if exponent is not None and abs(exponent) <= 16.0 and exponent == int(exponent):
            return x[0] ** int(exponent)
    if name == "where":
        return x[1] if x[0].constant else x[2]
    if name in ("logsumexp", "softmax_cross_entropy") and len(x) <= _SHOWN:
        total = _called(TABLE["log"], _total(*[_called(TABLE["exp"], xi) for xi in x]))
        return total if name == "logsumexp" else total - x[0]
    return _called(row, *x)


def _total(*x: Sum) -> Sum:
    return Sum([term for each in x for term in each.terms])


def _dot(*x: Sum) -> Sum:
    half = len(x) // 2
    return _total(*map(operator.mul, x[:half], x[half : 2 * half]), *x[2 * half :])


_DONE: dict[str, Callable[..., Sum]] = {
    "add": operator.add,
    "sub": operator.sub,
    "neg": operator.neg,
    "mul": operator.mul,
    "div": operator.truediv,
    "reciprocal": lambda x: x**-1,
    "square": lambda x: x**2,
    "log1p": lambda x: _called(TABLE["log"], number(1.0) + x),
    "expm1": lambda x: _called(TABLE["exp"], x) - number(1.0),
    "sum": _total,
    "mean": lambda *x: number(1.0 / len(x)) * _total(*x),
    "prod": lambda *x: math.prod(x, start=number(1.0)),
    "dot": _dot,
}
