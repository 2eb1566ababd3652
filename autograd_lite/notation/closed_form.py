"""`ClosedForm`: a gradient brought to closed form by algebra, in the names of the graph (extra ``sympy``).

The local partials come from the rows' own rules. They are multiplied along the graph, and SymPy shortens the
result and puts names in place of definitions. Next door: `sympy.py` translates formulas.
"""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from typing import TypeAlias

from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value
from autograd_lite.notation.formula import Sum
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.sympy import Expr, Translator, functions, load_sympy

Meaning: TypeAlias = "tuple[Expr, Expr]"  # a name and its definition

_LARGE = 300  # the most operations in an expression that SymPy simplifies in good time
_SMALL = 60  # the most operations in an expression of which other forms are tried
_PRODUCTS = 2000  # the most operations in the adjoint of a node


class ClosedForm:
    """A gradient in the shortest form that algebra finds, in the names of the graph and of `through`.

    `nodes` are the named nodes from the output down; `partials(node)` gives ∂node/∂x for the named nodes x
    next below it. The probabilities P of a softmax have names of their own.
    """

    def __init__(
        self,
        nodes: Sequence[Value],
        partials: Callable[[Value], dict[Value, Sum]],
        reader: Reader,
        namer: Namer,
        through: Sequence[Value] = (),
    ) -> None:
        self._readers = [reader, Reader(*through, also=nodes)] if through else [reader]
        self._translator = Translator(namer)
        self._softmaxes = [node for node in nodes if node.primitive is TABLE["softmax_cross_entropy"]]
        self.gradient: Expr = self._found(nodes, partials) if nodes else load_sympy().Integer(0)

    def _found(self, nodes: Sequence[Value], partials: Callable[[Value], dict[Value, Sum]]) -> Expr:
        s = load_sympy()
        found = {nodes[0]: s.Integer(1)}
        for node in nodes[:-1]:
            found[node] = s.factor_terms(found[node])
            if found[node].count_ops() > _PRODUCTS:
                raise ValueError(
                    f"a graph of {len(nodes)} named nodes is too large for one closed form: explain a part "
                    "of it, from or to a node in between"
                )
            for x, formula in partials(node).items():
                found[x] = found.get(x, s.Integer(0)) + found[node] * self._partial(node, x, formula)
        gradient = _signs(_through_names(_shortened(found[nodes[-1]]), self._labelled))
        # The names of σ(x) serve the algebra alone.
        return gradient.xreplace(dict(self._sigmoids())) if self._translator.sigmoids else gradient

    def _partial(self, node: Value, x: Value, formula: Sum) -> Expr:
        s = load_sympy()
        partial = self._translator.expression(formula)
        if not partial.has(s.exp, s.log):
            return partial
        itself = (
            self._translator.symbol(node),
            self._translator.expression(self._readers[0].definition(node)),
        )
        own = self._probabilities.get((node, x))
        return _renamed(partial, itself, [*self._meanings, *self._sigmoids()], own)

    def _sigmoids(self) -> Iterator[Meaning]:
        named = {meaning for _, meaning in self._meanings}
        for x, name in self._translator.sigmoids.items():
            meaning = functions()["sigmoid"](x)
            if meaning not in named:
                yield name, meaning

    @functools.cached_property
    def _definitions(self) -> dict[Value, Expr]:
        """The definition of each named node, operands first."""
        return {
            node: self._translator.expression(reader.definition(node))
            for reader in reversed(self._readers)
            for node in reader.order
            if node.primitive is not None and node in reader
        }

    @functools.cached_property
    def _labelled(self) -> list[Meaning]:
        """The definitions of labelled nodes, in which made-up names are written out."""
        made_up: dict[Expr, Expr] = {}
        found = []
        for node, definition in self._definitions.items():
            meaning = definition.xreplace(made_up)
            if node.label:
                found.append((self._translator.symbol(node), meaning))
            elif meaning.count_ops() <= _SMALL:
                made_up[self._translator.symbol(node)] = meaning
        return found

    @functools.cached_property
    def _meanings(self) -> list[Meaning]:
        made_up = [(self._translator.symbol(x), made) for x, made in self._definitions.items() if not x.label]
        return [*self._labelled, *self._probabilities.values(), *made_up]

    @functools.cached_property
    def _probabilities(self) -> dict[tuple[Value, Value], Meaning]:
        """The name and definition of P_k = e^(f_k) / Σ e^(f_j) for each cross-entropy and score f_k."""
        s = load_sympy()
        found: dict[tuple[Value, Value], Meaning] = {}
        names = {meaning: name for name, meaning in self._labelled}  # a probability may have a label
        taken = {node.label for reader in self._readers for node in reader.order}
        for node in self._softmaxes:
            powers = [s.exp(self._translator.expression(self._readers[0].formula(x))) for x in node.operands]
            for x, power in zip(node.operands, powers, strict=True):
                meaning = power / s.Add(*powers)
                if isinstance(x, Value):
                    if meaning not in names:
                        name = _probability(self._translator.symbol(x).name if x.label else None, taken)
                        names[meaning] = s.Dummy(name, positive=True)
                        taken.add(name)
                    found[node, x] = (names[meaning], meaning)
        return found

    @property
    def expression(self) -> Expr:
        """The gradient in plain symbols."""
        return self._translator.plain(self.gradient)

    def meanings(self) -> dict[Expr, Expr]:
        """Return the definitions of all names but those of leaves, operands first, in plain symbols."""
        found = {self._translator.symbol(node): definition for node, definition in self._definitions.items()}
        found |= dict(self._probabilities.values())
        plain = self._translator.plain
        return {plain(name): plain(meaning) for name, meaning in found.items()}


def _probability(score: str | None, taken: set[str | None]) -> str:
    """Return a name for the P of a score: P_2 for f_2, otherwise P and the next free number."""
    index = (score or "").lstrip(string.ascii_letters).strip("_")
    names = chain([f"P_{index}"] if index else [], (f"P_{k}" for k in count(1)))
    return next(name for name in names if name not in taken)


def _cost(expression: Expr) -> tuple[int, int]:
    """Return how much there is to read: the number of names and operations, then of characters."""
    atoms = sum([1 for x in load_sympy().preorder_traversal(expression) if x.is_Atom])
    return atoms + expression.count_ops(), len(str(expression))


def _terms(expression: Expr) -> int:
    """Return the number of terms after multiplying out products, which is SymPy's first step."""
    if expression.is_Add:
        return sum(map(_terms, expression.args))
    if expression.is_Mul:
        return math.prod(map(_terms, expression.args))
    if expression.is_Pow and expression.exp.is_Integer:
        return int(_terms(expression.base) ** min(abs(int(expression.exp)), 64))
    return 1


def _shortened(expression: Expr) -> Expr:
    s = load_sympy()
    if expression.count_ops() > _LARGE or _terms(expression) > _LARGE:
        return s.factor_terms(expression)
    term_by_term = s.Add(*map(s.factor, s.Add.make_args(expression)))
    options = [expression, term_by_term, s.factor(expression), s.cancel(expression), s.simplify(expression)]
    shorter = min(options, key=_cost)
    return min([shorter, s.factor(shorter)], key=_cost)


def _signs(expression: Expr) -> Expr:
    """Return `expression` with 1 − x for x − 1 in products, and y − x for −(x − y)."""
    s = load_sympy()

    def flipped(product: Expr) -> Expr:
        factors = list(product.args)
        from_one = [k for k, x in enumerate(factors) if x.is_Add and len(x.args) == 2 and abs(x.args[0]) == 1]
        others = [k for k, x in enumerate(factors) if _is_difference(x) and k not in from_one]
        sign = 1
        for k in from_one:
            if factors[k].args[0] == -1:
                factors[k], sign = -factors[k], -sign
        if sign * s.Mul(*factors).as_coeff_Mul()[0] < 0:
            for k in (*others, *from_one)[:1]:
                factors[k], sign = -factors[k], -sign
        return s.Mul(sign, *factors)

    return expression.replace(lambda x: x.is_Mul, flipped)


def _is_difference(x: Expr) -> bool:
    return bool(x.is_Add and len(x.args) == 2 and sum([y.could_extract_minus_sign() for y in x.args]) == 1)


def _renamed(expression: Expr, itself: Meaning, meanings: Sequence[Meaning], own: Meaning | None) -> Expr:
    """Return `expression` with names in place of their definitions, as far as that makes it shorter.

    Exponentials are taken as unknowns, in which names and definitions are rational: P = E / (E + F) is solved
    for E, and the solution is put in. This is tried with and without `itself`, the name of the node that the
    expression is a partial of. If the `own` name, the P of a score, is enough, no other is tried.
    """
    best = expression
    for start in (expression, expression.subs(*itself)):
        if start.count_ops() > _LARGE:
            continue
        exponentials = _Exponentials()
        current = exponentials.hidden(start)
        if own is not None:
            for solution in exponentials.solved(own[0], exponentials.hidden(own[1])):
                alone = load_sympy().factor(current.subs(*solution))
                if not exponentials.unknowns & alone.free_symbols:
                    return alone
        known = [(name, exponentials.hidden(meaning)) for name, meaning in meanings if name != itself[0]]
        while current is not None:
            best = min([best, exponentials.shown(current)], key=_cost)
            options = [
                load_sympy().factor(current.subs(*solution))
                for name, meaning in known
                for solution in exponentials.solved(name, meaning)
                if solution[0] in current.free_symbols
            ]
            before = _cost(exponentials.shown(current))
            shorter = [x for x in options if _cost(exponentials.shown(x)) < before]
            current = min(shorter, key=_cost, default=None)
    return best


def _through_names(expression: Expr, meanings: Sequence[Meaning]) -> Expr:
    """Return `expression` with names put in as by `_renamed`, but by arithmetic alone.

    A definition that is linear in a symbol is solved for it, and the solution is put in.
    """
    s = load_sympy()
    while expression.count_ops() <= _SMALL:
        options = []
        for name, meaning in [each for each in meanings if each[1].is_Add]:
            equation = s.together(name - meaning).as_numer_denom()[0]
            for x in sorted(meaning.free_symbols & expression.free_symbols, key=str):
                if len(meaning.free_symbols & expression.free_symbols) > 1 and equation.is_polynomial(x):
                    polynomial = s.Poly(equation, x)
                    if polynomial.degree() == 1:
                        slope, rest = polynomial.all_coeffs()
                        options.append(s.factor(expression.subs(x, -rest / slope)))
        shorter = min(options, key=_cost, default=expression)
        if _cost(shorter) >= _cost(expression):
            break
        expression = shorter
    return expression


class _Exponentials:
    """Exponentials as unknowns: E for e^s and F for e^t make E·F² of e^(s + 2t)."""

    def __init__(self) -> None:
        self._unknowns: dict[Expr, Expr] = {}

    @property
    def unknowns(self) -> set[Expr]:
        """The unknowns made so far."""
        return {*self._unknowns.values()}

    def hidden(self, expression: Expr) -> Expr:
        """Return `expression` with unknowns for exponentials."""
        s = load_sympy()
        return expression.rewrite(s.exp).replace(s.exp, self._product)

    def _product(self, exponent: Expr) -> Expr:
        s = load_sympy()
        factors = []
        for term in s.Add.make_args(s.expand(exponent)):
            times, rest = term.as_coeff_Mul()
            if not times.is_Integer:
                times, rest = s.Integer(1), term
            unknown = self._unknowns.setdefault(rest, s.Dummy("E", positive=True))
            factors.append(unknown**times)
        return s.Mul(*factors)

    def shown(self, expression: Expr) -> Expr:
        """Return `expression` with exponentials again."""
        exp = load_sympy().exp
        return expression.xreplace({unknown: exp(exponent) for exponent, unknown in self._unknowns.items()})

    def solved(self, name: Expr, meaning: Expr) -> Iterator[tuple[Expr, Expr]]:
        """Yield an unknown and its solution from name = meaning, if the equation is linear in it.

        The unknown must be the only one in `meaning`, or the only one in its numerator.
        """
        s = load_sympy()
        above, _ = s.together(meaning).as_numer_denom()
        unknowns = [x for x in self._unknowns.values() if x in meaning.free_symbols]
        if len(unknowns) > 1:
            unknowns = [x for x in unknowns if x in above.free_symbols]
        if len(unknowns) == 1:
            equation = s.together(name - meaning).as_numer_denom()[0]
            if equation.is_polynomial(*unknowns) and s.degree(equation, *unknowns) == 1:
                slope, rest = s.Poly(equation, *unknowns).all_coeffs()
                yield unknowns[0], -rest / slope
