"""Graphs as SymPy expressions, and gradients brought to closed form by algebra (extra ``sympy``).

The table below says which SymPy function a row's *value* is. Derivatives are not typed here, and not asked of
SymPy either: they are the rows' own rules, read as formulas (`formulas.py`).
"""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, count
from types import ModuleType
from typing import Any, TypeAlias

from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.value import Value
from autograd_lite.notation.formula import Call, Sum, Symbol
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader

Expr: TypeAlias = Any  # SymPy ships no types

_LARGE = 300  # operations in an expression that SymPy still simplifies in good time
_SMALL = 60  # and with which other forms of it are tried
_PRODUCTS = 2000  # operations in the adjoint of a node


@functools.cache
def _sympy() -> ModuleType:
    try:
        import sympy
    except ModuleNotFoundError:
        raise ModuleNotFoundError("this needs SymPy: pip install 'autograd-lite[sympy]'") from None
    return sympy  # type: ignore[no-any-return]


@functools.cache
def _functions() -> dict[str, Callable[..., Expr]]:
    """What the rows mean, for SymPy; those that are arithmetic a formula has done already."""
    s = _sympy()
    exp, log, sqrt = s.exp, s.log, s.sqrt
    same = "exp log sqrt sin cos tan asin acos atan atan2 sinh cosh tanh sech asinh acosh atanh erf erfc sign"
    return {
        **{name: getattr(s, name) for name in same.split()},
        "pow": lambda x, y: x**y,
        "abs": s.Abs,
        "rsqrt": lambda x: 1 / sqrt(x),
        "cbrt": lambda x: s.real_root(x, 3),
        "log2": lambda x: log(x) / log(2),
        "log10": lambda x: log(x) / log(10),
        "hypot": lambda x, y: sqrt(x**2 + y**2),
        "sigmoid": lambda x: 1 / (1 + exp(-x)),
        "relu": lambda x: s.Max(x, 0),
        "leaky_relu": lambda x, slope: s.Piecewise((x, x > 0), (slope * x, True)),
        "softplus": lambda x: log(1 + exp(x)),
        "silu": lambda x: x / (1 + exp(-x)),
        "gelu": lambda x: x * s.erfc(-x / sqrt(2)) / 2,
        "maximum": s.Max,
        "minimum": s.Min,
        "clip": lambda x, low, high: s.Min(s.Max(x, low), high),
        "heaviside": lambda x: s.Piecewise((s.Integer(1), x > 0), (0, True)),
        "logsumexp": lambda *x: log(s.Add(*map(exp, x))),
        "softmax_cross_entropy": lambda x, *others: log(s.Add(*[exp(y) for y in (x, *others)])) - x,
    }


def _applied(row: Primitive, operands: Sequence[Expr]) -> Expr:
    # Of a row of your own SymPy knows no more than the name.
    function = _functions().get(row.name) or _sympy().Function(row.name)
    return function(*operands)


@functools.cache
def _constants() -> dict[float, Expr]:
    s = _sympy()
    exact = [
        s.pi,
        s.E,
        s.log(2),
        s.log(10),
        s.sqrt(2),
        s.sqrt(3),
        s.sqrt(s.pi),
        s.sqrt(2 * s.pi),
        2 / s.sqrt(s.pi),
    ]
    return {float(x): x for x in exact}


def _number(x: float) -> Expr:
    """A float as what it was written for: 1/10 for 0.1, 1/3 for 0.333..., π for `math.pi`."""
    s = _sympy()
    if not math.isfinite(x):
        return s.nan if math.isnan(x) else s.oo if x > 0.0 else -s.oo
    if math.fabs(x) in _constants():
        return int(math.copysign(1.0, x)) * _constants()[math.fabs(x)]
    ratio = Fraction(x).limit_denominator(1000)
    return s.Rational(ratio.numerator, ratio.denominator) if float(ratio) == x else s.Rational(repr(x))


class _Translator:
    """Formulas into SymPy, each node of the graph always the same symbol."""

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.symbols: dict[Value, Expr] = {}
        self.sigmoids: dict[
            Expr, Expr
        ] = {}  # by operand, a name for each σ(x) that was met, as such or as σ(−x)

    def symbol(self, node: Value) -> Expr:
        if node not in self.symbols:
            label, ordinal = self.namer.key(node)
            name = label if ordinal == 1 else f"{label}__{ordinal}"  # SymPy prints it raised
            self.symbols[node] = _sympy().Dummy(name, real=True)
        return self.symbols[node]

    def expression(self, formula: Sum) -> Expr:
        s = _sympy()
        terms = []
        for coefficient, factors in formula.terms:
            terms.append(s.Mul(_number(coefficient), *[self._atom(atom) ** n for atom, n in factors]))
        return s.Add(*terms)

    def _atom(self, atom: Symbol | Call | Sum) -> Expr:
        if isinstance(atom, Symbol):
            return self.symbol(atom.node)
        if isinstance(atom, Sum):
            return self.expression(atom)
        operands = [self.expression(x) for x in atom.operands]
        if atom.row is TABLE["sigmoid"]:
            x = -operands[0] if operands[0].could_extract_minus_sign() else operands[0]
            self.sigmoids.setdefault(x, _sympy().Dummy("sigma", positive=True))
        return _applied(atom.row, operands)

    def plain(self, expression: Expr) -> Expr:
        """With symbols as ``sympy.symbols`` makes them, of which nothing is assumed."""
        return expression.xreplace({x: _sympy().Symbol(x.name) for x in expression.free_symbols})


def to_sympy(value: Value) -> Expr:
    """Return the expression that `value` was computed by, in its leaves, as SymPy writes it.

    A leaf is a symbol of its label's name (without a label: v1, v2, ...), and nothing is assumed of it; the
    second of one label is ``w1__2``. Constants are exact: 0.1 is 1/10. A `where` is the branch that was
    taken.

    Raises `ModuleNotFoundError` without SymPy, `ValueError` if the graph is too large for one formula,
    `TypeError` if `value` is no Value.

    >>> from autograd_lite import sigmoid
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> to_sympy(sigmoid(w * x) - 0.1)
    -1/10 + 1/(1 + exp(-w*x))
    """
    if not isinstance(value, Value):
        raise TypeError(f"to_sympy takes a Value, got {type(value).__name__} {value!r}")
    reader = Reader(value, expand=True)
    translator = _Translator(Namer(reader.order))
    return translator.plain(translator.expression(reader.definition(value)))


# --- Closed forms ----------------------------------------------------------------------------------

Meaning: TypeAlias = "tuple[Expr, Expr]"  # a name, and what it stands for


class ClosedForm:
    """A gradient as short as algebra finds it, in the names of the graph and of `through`, and a softmax's P.

    `nodes` are the named nodes from the output down; `partials` gives ∂node/∂x for those next below a node.
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
        self._translator = _Translator(namer)
        self._softmaxes = [node for node in nodes if node.primitive is TABLE["softmax_cross_entropy"]]
        self.gradient: Expr = self._found(nodes, partials) if nodes else _sympy().Integer(0)

    def _found(self, nodes: Sequence[Value], partials: Callable[[Value], dict[Value, Sum]]) -> Expr:
        s = _sympy()
        found = {nodes[0]: s.Integer(1)}
        for node in nodes[:-1]:
            found[node] = s.factor_terms(found[node])
            if found[node].count_ops() > _PRODUCTS:
                raise ValueError(
                    f"{len(nodes)} nodes are too many for one closed form: explain a part, from or to a node "
                    "between"
                )
            for x, formula in partials(node).items():
                found[x] = found.get(x, s.Integer(0)) + found[node] * self._partial(node, x, formula)
        gradient = _signs(_through_names(_shortened(found[nodes[-1]]), self._labelled))
        # A σ(x) had a name for the time of the algebra alone.
        return gradient.xreplace(dict(self._sigmoids())) if self._translator.sigmoids else gradient

    def _partial(self, node: Value, x: Value, formula: Sum) -> Expr:
        s = _sympy()
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
            meaning = _functions()["sigmoid"](x)
            if meaning not in named:
                yield name, meaning

    @functools.cached_property
    def _definitions(self) -> dict[Value, Expr]:
        """What each named node was made from, operands first."""
        return {
            node: self._translator.expression(reader.definition(node))
            for reader in reversed(self._readers)
            for node in reader.order
            if node.primitive is not None and node in reader
        }

    @functools.cached_property
    def _labelled(self) -> list[Meaning]:
        """What the labels stand for; names that were made up for want of a label are not used in that."""
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
        """P_k = e^(f_k) / Σ e^(f_j), for each softmax cross-entropy and each of its scores f."""
        s = _sympy()
        found: dict[tuple[Value, Value], Meaning] = {}
        names = {meaning: name for name, meaning in self._labelled}  # one may have a label
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
        """The gradient, in plain symbols."""
        return self._translator.plain(self.gradient)

    def meanings(self) -> dict[Expr, Expr]:
        """What each name that is no leaf's stands for, in other names, operands first, in plain symbols."""
        found = {self._translator.symbol(node): definition for node, definition in self._definitions.items()}
        found |= dict(self._probabilities.values())
        plain = self._translator.plain
        return {plain(name): plain(meaning) for name, meaning in found.items()}


def _probability(score: str | None, taken: set[str | None]) -> str:
    """A name for the P of a score: P_2 of f_2, else P and a number of its own."""
    index = (score or "").lstrip(string.ascii_letters).strip("_")
    names = chain([f"P_{index}"] if index else [], (f"P_{k}" for k in count(1)))
    return next(name for name in names if name not in taken)


def _cost(expression: Expr) -> tuple[int, int]:
    """What there is to read: names and operations."""
    atoms = sum([1 for x in _sympy().preorder_traversal(expression) if x.is_Atom])
    return atoms + expression.count_ops(), len(str(expression))


def _terms(expression: Expr) -> int:
    """How many terms there are once products are multiplied out, which SymPy's ways to shorten begin with."""
    if expression.is_Add:
        return sum(map(_terms, expression.args))
    if expression.is_Mul:
        return math.prod(map(_terms, expression.args))
    if expression.is_Pow and expression.exp.is_Integer:
        return int(_terms(expression.base) ** min(abs(int(expression.exp)), 64))
    return 1


def _shortened(expression: Expr) -> Expr:
    s = _sympy()
    if expression.count_ops() > _LARGE or _terms(expression) > _LARGE:
        return s.factor_terms(expression)
    term_by_term = s.Add(*map(s.factor, s.Add.make_args(expression)))
    options = [expression, term_by_term, s.factor(expression), s.cancel(expression), s.simplify(expression)]
    shorter = min(options, key=_cost)
    return min([shorter, s.factor(shorter)], key=_cost)


def _signs(expression: Expr) -> Expr:
    """`expression` with 1 − x for x − 1 in products, and no minus before one that a difference can take."""
    s = _sympy()

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
    """`expression` with names in place of what they stand for, as far as that makes it shorter.

    Exponentials are taken as unknowns, in which names and what they stand for are rational: of P = E / (E +
    F) algebra solves for E, and puts that in. Tried with and without the name of the node that it is a
    partial of. If its `own` name, the P of a score, is enough, no other is looked for.
    """
    best = expression
    for start in (expression, expression.subs(*itself)):
        if start.count_ops() > _LARGE:
            continue
        exponentials = _Exponentials()
        current = exponentials.hidden(start)
        if own is not None:
            for solution in exponentials.solved(own[0], exponentials.hidden(own[1])):
                alone = _sympy().factor(current.subs(*solution))
                if not exponentials.unknowns & alone.free_symbols:
                    return alone
        known = [(name, exponentials.hidden(meaning)) for name, meaning in meanings if name != itself[0]]
        while current is not None:
            best = min([best, exponentials.shown(current)], key=_cost)
            options = [
                _sympy().factor(current.subs(*solution))
                for name, meaning in known
                for solution in exponentials.solved(name, meaning)
                if solution[0] in current.free_symbols
            ]
            before = _cost(exponentials.shown(current))
            shorter = [x for x in options if _cost(exponentials.shown(x)) < before]
            current = min(shorter, key=_cost, default=None)
    return best


def _through_names(expression: Expr, meanings: Sequence[Meaning]) -> Expr:
    """As `_renamed`, by arithmetic alone.

    Where a name is linear in some symbol it is solved for that, and put in.
    """
    s = _sympy()
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
    """Exponentials as unknowns: each e^t is one of its own, and e^(s + 2t) a product of those of s and t."""

    def __init__(self) -> None:
        self._unknowns: dict[Expr, Expr] = {}

    @property
    def unknowns(self) -> set[Expr]:
        """All unknowns that were made."""
        return {*self._unknowns.values()}

    def hidden(self, expression: Expr) -> Expr:
        """`expression` with unknowns for exponentials."""
        s = _sympy()
        return expression.rewrite(s.exp).replace(s.exp, self._product)

    def _product(self, exponent: Expr) -> Expr:
        s = _sympy()
        factors = []
        for term in s.Add.make_args(s.expand(exponent)):
            times, rest = term.as_coeff_Mul()
            if not times.is_Integer:
                times, rest = s.Integer(1), term
            unknown = self._unknowns.setdefault(rest, s.Dummy("E", positive=True))
            factors.append(unknown**times)
        return s.Mul(*factors)

    def shown(self, expression: Expr) -> Expr:
        """`expression` with exponentials again."""
        exp = _sympy().exp
        return expression.xreplace({unknown: exp(exponent) for exponent, unknown in self._unknowns.items()})

    def solved(self, name: Expr, meaning: Expr) -> Iterator[tuple[Expr, Expr]]:
        """An unknown that is linear in name = meaning, the only one or the only one above, and what it is."""
        s = _sympy()
        above, _ = s.together(meaning).as_numer_denom()
        unknowns = [x for x in self._unknowns.values() if x in meaning.free_symbols]
        if len(unknowns) > 1:
            unknowns = [x for x in unknowns if x in above.free_symbols]
        if len(unknowns) == 1:
            equation = s.together(name - meaning).as_numer_denom()[0]
            if equation.is_polynomial(*unknowns) and s.degree(equation, *unknowns) == 1:
                slope, rest = s.Poly(equation, *unknowns).all_coeffs()
                yield unknowns[0], -rest / slope
