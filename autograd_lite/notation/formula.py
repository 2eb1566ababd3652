"""Formulas in a normal form that reads as people write: sums of products of powers.

A `Sum` knows rational arithmetic and nothing of calculus. Any other operation stands in it as a `Call`: a row
of the table, applied to formulas. Next door: `reader.py` reads formulas off a graph, `namer.py` names the
nodes in them, `writing.py` writes them, `sympy.py` hands them to SymPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

from autograd_lite.core.primitive import ATOM, PRODUCT, TABLE, Primitive
from autograd_lite.core.value import Value
from autograd_lite.notation.writing import Names, Notation, Printed

Factor: TypeAlias = "tuple[Atom, int]"
Term: TypeAlias = "tuple[float, tuple[Factor, ...]]"
Atom: TypeAlias = "Symbol | Call | Sum"

_EXPANDED = 64  # the most terms that multiplying out may give
_SHOWN = 8  # the most terms of a sum that are written out
_CONSUMERS = 4  # the most consumers of a node whose contributions to its adjoint are written out


# --- The normal form -------------------------------------------------------------------------------


class Symbol:
    """A node of the graph in a formula; its name is chosen when the formula is written."""

    __slots__ = ("node",)

    def __init__(self, node: Value) -> None:
        self.node = node

    def written(self, notation: Notation, names: Names) -> Printed:
        """Return the node's name."""
        return names(self.node, notation)


class Adjoint(Symbol):
    """δ(node) = ∂output/∂node in a formula."""

    __slots__ = ()

    def written(self, notation: Notation, names: Names) -> Printed:
        """Return δ of the node's name."""
        return Printed(notation.adjoint(names(self.node, notation).text), ATOM)


@dataclass(frozen=True)
class Call:
    """A row of the table applied to formulas, for operations that are not arithmetic."""

    row: Primitive
    operands: tuple[Sum, ...]


class Sum:
    """A formula: Σ coefficient · Π atom^exponent. Two are equal if they have the same terms, in any order."""

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
        except ArithmeticError:  # 1 / 0, or beyond the range of a float: the power stays as it is
            return called(TABLE["pow"], self, number(float(exponent)))
        return Sum([(power, tuple([(atom, n * exponent) for atom, n in factors]))])._plain()

    def __truediv__(self, other: Sum) -> Sum:
        return self * other**-1

    def _term(self) -> Term:
        """Return the formula as one term; a sum of several terms becomes a factor of it."""
        if len(self.terms) == 1:
            return self.terms[0]
        return (1.0, ((self, 1),)) if self.terms else (0.0, ())

    def _unwrapped(self) -> Iterator[Term]:
        """Yield the terms, with ±(…) resolved: x − (y − z) has three terms."""
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
        """The number, if the formula is one, else None."""
        if not self.terms:
            return 0.0
        return self.terms[0][0] if len(self.terms) == 1 and not self.terms[0][1] else None

    def symbols(self) -> dict[Symbol, None]:
        """Return the symbols in the formula, in the order of their first appearance."""
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
        """Return how much there is to read: the number of atoms and coefficients."""
        total = 0
        for coefficient, factors in self.terms:
            total += abs(coefficient) != 1.0 or not factors
            for atom, _ in factors:
                inner = atom.operands if isinstance(atom, Call) else (atom,) if isinstance(atom, Sum) else ()
                total += sum([x.cost() for x in inner]) if inner else 1
        return total

    def combined(self) -> Sum:
        """Return the formula over one denominator or with common factors taken out, if that is shorter."""
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
        """Return the terms with all sums in numerators multiplied out, or None if that gives too many."""
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

    def written(
        self, notation: Notation, names: Names, digits: int | None = None, shown: int | None = _SHOWN
    ) -> Printed:
        """Return the formula in a notation; the middle of more than `shown` terms is left out."""
        if not self.terms:
            return notation.number(0.0, digits)
        first, *others = self.terms
        if first[0] < 0.0:  # 1 − x rather than −x + 1
            first, *others = sorted(self.terms, key=lambda term: term[0] < 0.0)
        pieces: list[Term | None] = [*others]
        if shown is not None and len(self.terms) > shown:
            pieces[2:-1] = [None]
        out = _term_written(first, notation, names, digits)
        for term in pieces:
            if term is None:
                out = notation.apply(TABLE["add"], [out, Printed(notation.dots, PRODUCT)])
                continue
            coefficient, factors = term
            piece = _term_written((math.fabs(coefficient), factors), notation, names, digits)
            out = notation.apply(TABLE["sub" if coefficient < 0.0 else "add"], [out, piece])
        return out


def number(x: float) -> Sum:
    """Return the formula that is the number x."""
    return Sum([(x, ())])


def symbol(atom: Symbol) -> Sum:
    """Return the formula that is this symbol."""
    return Sum([(1.0, ((atom, 1),))])


def called(row: Primitive, *operands: Sum) -> Sum:
    """Return the formula that is `row` applied to formulas."""
    return Sum([(1.0, ((Call(row, operands), 1),))])


# --- Writing it ------------------------------------------------------------------------------------


def _term_written(term: Term, notation: Notation, names: Names, digits: int | None) -> Printed:
    coefficient, factors = term
    size = math.fabs(coefficient)
    above, below = _ratio(size)
    parts: tuple[list[Printed], list[Printed]] = [], []
    for atom, exponent in sorted(factors, key=lambda factor: factor[1] < 0 and isinstance(factor[0], Sum)):
        parts[exponent < 0].append(_power_written(atom, abs(exponent), notation, names, digits))
    for x, part in zip((above, below), parts, strict=True):
        if x != 1.0:
            part.insert(0, notation.number(x, digits))
    out = _product(parts[0], notation)
    if parts[1]:
        out = notation.apply(TABLE["div"], [out, _product(parts[1], notation)])
    return notation.apply(TABLE["neg"], [out]) if coefficient < 0.0 else out


def _ratio(size: float) -> tuple[float, float]:
    """Return a coefficient as numerator and denominator: 1 and 3 for a third, 0.5 and 1 for a half."""
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
    atom: Atom, exponent: int, notation: Notation, names: Names, digits: int | None
) -> Printed:
    if isinstance(atom, Symbol):
        base = atom.written(notation, names)
    elif isinstance(atom, Sum):
        base = atom.written(notation, names, digits)
    else:
        base = notation.apply(atom.row, [x.written(notation, names, digits) for x in atom.operands])
    if exponent == 1:
        return base
    if exponent == 2:
        return notation.apply(TABLE["square"], [base])
    return notation.apply(TABLE["pow"], [base, notation.number(float(exponent), None)])


def adjoint_written(
    partials: Iterator[tuple[Value, Sum]], count: int, notation: Notation, names: Names, digits: int | None
) -> str:
    """Return δ(node) = Σ δ(consumer) · ∂consumer/∂node, given each consumer and its local partial.

    Only the first of many consumers are written out, and `partials` yields no more than theirs; `count` is
    the number of all.
    """
    terms = [symbol(Adjoint(consumer)) * partial for consumer, partial in islice(partials, _CONSUMERS)]
    written = Sum([term for each in terms for term in each.terms]).written(notation, names, digits)
    if count > _CONSUMERS:
        more = Printed(f"{notation.dots} ({count - _CONSUMERS}{notation.word(' more')})", PRODUCT)
        written = notation.apply(TABLE["add"], [written, more])
    return written.text
