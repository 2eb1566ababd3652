"""`to_sympy`: the graph of a Value as a SymPy expression (extra ``sympy``).

A table says which SymPy function is the *value* of a row. Derivatives are neither written here nor computed
by SymPy: they come from the rows' own rules, read as formulas (`reader.py`). Next door: `closed_form.py`
brings gradients to closed form.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import ModuleType
from typing import Any, TypeAlias

from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.value import Value
from autograd_lite.notation.formula import Call, Sum, Symbol
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader

Expr: TypeAlias = Any  # SymPy ships no types


@functools.cache
def load_sympy() -> ModuleType:
    """Return the module SymPy. Raises `ModuleNotFoundError`, saying what to install, if there is none."""
    try:
        import sympy
    except ModuleNotFoundError:
        message = "this needs SymPy: pip install 'autograd-lite[sympy]'"
        raise ModuleNotFoundError(message, name="sympy") from None
    return sympy  # type: ignore[no-any-return]


@functools.cache
def functions() -> dict[str, Callable[..., Expr]]:
    """Return the SymPy function of each row by name; formulas carry out arithmetic themselves."""
    s = load_sympy()
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
    # SymPy knows a user's row only by its name.
    function = functions().get(row.name) or load_sympy().Function(row.name)
    return function(*operands)


@functools.cache
def _constants() -> dict[float, Expr]:
    s = load_sympy()
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
    """Return the exact number that a float stands for: 1/10 for 0.1, 1/3 for 0.333..., π for `math.pi`."""
    s = load_sympy()
    if not math.isfinite(x):
        return s.nan if math.isnan(x) else s.oo if x > 0.0 else -s.oo
    if math.fabs(x) in _constants():
        return int(math.copysign(1.0, x)) * _constants()[math.fabs(x)]
    ratio = Fraction(x).limit_denominator(1000)
    return s.Rational(ratio.numerator, ratio.denominator) if float(ratio) == x else s.Rational(repr(x))


class Translator:
    """Translates formulas to SymPy; a node of the graph is always the same symbol."""

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.symbols: dict[Value, Expr] = {}
        self.sigmoids: dict[Expr, Expr] = {}  # a name for each σ(x) met, also within σ(−x), by operand

    def symbol(self, node: Value) -> Expr:
        """Return the symbol of a node, which is known to be real."""
        if node not in self.symbols:
            label, ordinal = self.namer.key(node)
            name = label if ordinal == 1 else f"{label}__{ordinal}"  # printed as a superscript
            self.symbols[node] = load_sympy().Dummy(name, real=True)
        return self.symbols[node]

    def expression(self, formula: Sum) -> Expr:
        """Return a formula as an expression."""
        s = load_sympy()
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
            self.sigmoids.setdefault(x, load_sympy().Dummy("sigma", positive=True))
        return _applied(atom.row, operands)

    def plain(self, expression: Expr) -> Expr:
        """Return an expression with plain symbols, as ``sympy.symbols`` makes them."""
        return expression.xreplace({x: load_sympy().Symbol(x.name) for x in expression.free_symbols})


def to_sympy(value: Value) -> Expr:
    """Return the formula that computed `value` from its leaves, as a SymPy expression.

    A leaf is a plain symbol named by its label, or v1, v2, ... without one; the second leaf with the label w1
    is ``w1__2``. Constants are exact: 0.1 is 1/10. A `where` is the branch it took.

    Raises `TypeError` if `value` is not a Value, `ValueError` if the graph is too large for one formula, and
    `ModuleNotFoundError` without SymPy.

    >>> from autograd_lite import sigmoid
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> to_sympy(sigmoid(w * x) - 0.1)
    -1/10 + 1/(1 + exp(-w*x))
    """
    if not isinstance(value, Value):
        raise TypeError(f"to_sympy takes a Value, got {type(value).__name__} {value!r}")
    reader = Reader(value, expand=True)
    translator = Translator(Namer(reader.order))
    return translator.plain(translator.expression(reader.definition(value)))
