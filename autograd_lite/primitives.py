"""The table of primitives: every derivative rule of the library stands here, once.

A row holds an operation's value on floats and its *rule*: the local partials, one for each operand,
written with arithmetic and other rows only. The same rule therefore runs on floats (recording) and on
Values (higher derivatives), and reads like a page of calculus. A row *is* the public function:
``sin(0.3)`` is a float, ``sin(Value(0.3))`` is a node.

At a kink the derivative is a choice: the true derivative where there is one, else the subgradient of
least norm, else what continuity gives. Each row's ``edges`` says which.

What does not live here: nodes, recording and the backward pass (`value.py`).
"""

from __future__ import annotations

import inspect
import keyword
import math
import operator
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial, reduce
from itertools import accumulate, chain
from numbers import Real
from types import FunctionType
from typing import Any, TypeGuard

inf, nan = math.inf, math.nan
_ONES = (), (1.0,)
_EXACT = 2**53
LN2, LN10 = math.log(2.0), math.log(10.0)

# How tightly a printed formula holds together; see `Primitive.binds`.
SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4


class Recordable:
    """What a row looks for among its operands: an object that records the operation itself."""

    __slots__ = ()

    def _record(self, row: Primitive, operands: tuple[Any, ...]) -> Any:
        raise NotImplementedError


class Undecided(Recordable):
    """An operand whose number is not known yet: what a function is traced with (`program`)."""

    __slots__ = ()

    def _require(self, holds: Callable[[], Any], sentence: str, refuse: Callable[[float], None]) -> None:
        """Take note of a condition, which `refuse` knows; it raises for a number that does not fulfil it."""

    def _branch(self, given: Any, taken: bool) -> Any:
        """Return the branch of a `where` with this condition: `given`, or what that returns."""
        return given() if callable(given) else given

    def _pulled(self, seeds: Iterable[tuple[Any, Any]], inputs: list[Any]) -> dict[Any, Any]:
        """Return the adjoint of each input that has one, given pairs of nodes and their adjoints."""
        raise NotImplementedError


def is_real(number: object) -> TypeGuard[Real]:
    """Whether `number` is a real number; a bool is one to Python, but a slip here."""
    return isinstance(number, Real | Decimal) and not isinstance(number, bool)


def real(number: object, what: str = "an operand") -> float:
    """Return `number` as a plain float: an int, a float, a NumPy scalar or another real number.

    Raises `TypeError` for everything else (bool, str, None, complex, arrays) and `OverflowError` where
    the number is beyond the range of a float; `what` names the culprit in the message.

    >>> real(3)
    3.0
    """
    if type(number) is float:
        return number
    if type(number) is int and -_EXACT <= number <= _EXACT:  # common, and quicker than what follows
        return float(number)
    if is_real(number):
        try:
            converted = float(number)
        except OverflowError:
            converted = inf
        if math.isinf(converted) and converted != number:
            raise OverflowError(f"{what} is beyond the range of a float (about 1.8e308)")
        return converted
    cure = ": take the number out of it with .data" if isinstance(number, Recordable) else ""
    raise TypeError(f"{what} must be a real number, got {type(number).__name__} {number!r}{cure}")


@dataclass(eq=False, repr=False)
class Primitive:
    """A row of the table, and the function it stands for.

    ``forward(*floats)`` is the value. ``rule(out, *operands)`` is the tuple of local partials
    ∂out/∂operand. ``arguments``, where given, turns the arguments of a call into the flat tuple of
    operands (`dot(w, x, b)` has the operands ``(*w, *x, b)``).

    ``symbol`` and ``latex`` print it; ``binds`` says how tightly the formula holds, first as a whole,
    then what each operand must have to stand without parentheses. ``domain`` is where the value exists,
    ``edges`` what is chosen at kinks and at the ends of the domain. ``selects`` marks a row that takes one
    of its operands and leaves the others: what is left contributes exactly nothing, not 0 · ∞. ``arity`` is
    the number of operands, None if it varies.

    ``at_once``, where given, takes the list of the numbers and returns value and partials, with less copying
    of a long one than `forward` and `rule` would need.

    ``source`` prints it in a compiled program: a template for each target that has the operation, "python",
    "array" or "c"; ``formula`` is its value in terms of other rows, with no branch but `where`, for the rest.
    """

    name: str
    forward: Callable[..., float]
    rule: Callable[..., tuple[Any, ...]]
    symbol: str
    latex: str
    binds: tuple[int, ...]
    domain: str
    edges: str
    arguments: Callable[..., tuple[Any, ...]] | None
    selects: bool
    arity: int | None
    rule_on_floats: Callable[..., tuple[Any, ...]]
    __doc__: str
    source: Mapping[str, str] = field(default_factory=dict)
    formula: Callable[..., Any] | None = None
    at_once: Callable[[list[float]], tuple[float, tuple[float, ...]]] | None = None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return the value for floats, the node that was recorded where one operand is a Value."""
        operands = arguments
        if self.arguments is not None:
            operands = self.arguments(*arguments, **options)
        elif options:
            raise TypeError(f"{self.name}() takes no keyword arguments, got {', '.join(options)}")
        if len(operands) != self.arity and self.arity is not None:
            raise TypeError(f"{self.name}() takes {self.arity} operand(s), got {len(operands)}")
        for operand in operands:
            if isinstance(operand, Recordable):
                return operand._record(self, operands)
        return self.forward(*[real(operand, f"an operand of {self.name}") for operand in operands])

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return lookup, (self.name,)


TABLE: dict[str, Primitive] = {}


def lookup(name: str) -> Primitive:
    """Return the row called `name`; `KeyError` says which primitive is missing (pickles use it)."""
    try:
        return TABLE[name]
    except KeyError:
        raise KeyError(f"no primitive named {name!r} here: define it before loading what uses it") from None


def primitive(
    name: str,
    forward: Callable[..., float],
    rule: Callable[..., tuple[Any, ...]],
    *,
    symbol: str | None = None,
    latex: str | None = None,
    binds: tuple[int, ...] | None = None,
    domain: str = "",
    edges: str = "",
    arguments: Callable[..., tuple[Any, ...]] | None = None,
    selects: bool = False,
    doc: str = "",
    source: Mapping[str, str] | None = None,
    formula: Callable[..., Any] | None = None,
    at_once: Callable[[list[float]], tuple[float, tuple[float, ...]]] | None = None,
) -> Primitive:
    """Add a row to the table and return it: a function of floats or Values that works everywhere.

    `forward` takes floats and returns a float; `rule(out, *operands)` returns one local partial per
    operand, written with arithmetic and other primitives (no ``if``, no ``math``), so that it can itself
    be differentiated; the number of operands is read off its signature. A row of your own may be redefined.
    Raises `ValueError` if `name` is a row of the built-in table or no identifier.

    >>> from autograd_lite import Value, cos, primitive
    >>> sinc = primitive("sinc", lambda x: math.sin(x) / x, lambda out, x: ((cos(x) - out) / x,))
    >>> x = Value(2.0)
    >>> sinc(x).backward()
    >>> x.grad == (math.cos(2.0) - math.sin(2.0) / 2.0) / 2.0
    True
    """
    if not str(name).isidentifier() or keyword.iskeyword(str(name)):
        raise ValueError(f"a primitive's name must be an identifier, got {name!r}")
    name = unicodedata.normalize("NFKC", name)  # as Python reads it where a program calls it
    if name in _BUILT_IN:
        raise ValueError(f"{name!r} is a primitive of the built-in table: pick another name")
    parameters = inspect.signature(rule).parameters.values()
    varies = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    arity = None if varies else len(parameters) - 1
    if latex is None:
        holes = ", ".join(f"{{{k}}}" for k in range(arity or 0))
        latex = rf"\operatorname{{{{{name.replace('_', chr(92) + '_')}}}}}" + (
            "" if varies else rf"\left({holes}\right)"
        )
    row = Primitive(
        name=name,
        forward=forward,
        rule=rule,
        symbol=symbol or name,
        latex=latex,
        binds=binds or (ATOM,) + (SUM,) * (arity or 0),
        domain=domain,
        edges=edges,
        arguments=arguments,
        selects=selects,
        __doc__=doc or f"{name}(...), a primitive of your own.",
        arity=arity,
        rule_on_floats=rule,
        source=source or {},
        formula=formula,
        at_once=at_once,
    )
    if _BUILT_IN:
        _distrust(row)
    TABLE[name] = row
    return row


def _distrust(row: Primitive) -> None:
    """Check what the functions of a row from outside the table return, each time they are called."""
    forward, rule, name = row.forward, row.rule, row.name

    def checked_rule(out: float, *operands: float) -> tuple[float, ...]:
        partials = tuple([real(partial, f"a partial of {name}") for partial in rule(out, *operands)])
        if len(partials) != len(operands):
            raise TypeError(f"the rule of {name} gave {len(partials)} partials for {len(operands)} operands")
        return partials

    row.forward = lambda *operands: real(forward(*operands), f"the value of {name}")
    row.rule_on_floats = checked_rule
    row.formula = row.formula or forward  # which may do as one, with rows for `math`


_BUILT_IN: frozenset[str] = frozenset()


# --- Values on floats, where `math` has none that is stable or says what is meant ------------------


def _sigmoid(x: float) -> float:
    e = math.exp(-math.fabs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


def _sech(x: float) -> float:
    return 1.0 / math.cosh(x) if -700.0 < x < 700.0 else 2.0 * math.exp(-math.fabs(x))


def _rsqrt(x: float) -> float:
    return inf if x == 0.0 else 1.0 / math.sqrt(x)


def _pow(x: float, y: float) -> float:
    # A square and a reciprocal round once, as they do in programs, which write them as x · x and 1 / x.
    if y == 2.0 and -1e150 < x < 1e150:
        return x * x
    if y == -1.0 and math.fabs(x) > 1e-300:
        return 1.0 / x
    return math.pow(x, y)


def _relu(x: float) -> float:
    return 0.0 if x <= 0.0 else x  # a NaN stays one


def _softplus(x: float) -> float:
    return _relu(x) + math.log1p(math.exp(-math.fabs(x)))


def _sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x  # 0 and NaN are their own sign


def _heaviside(x: float) -> float:
    return 1.0 if x > 0.0 else 0.0 if x <= 0.0 else x


def _maximum(x: float, y: float) -> float:
    return x if x > y or x != x else y  # `max` would drop a NaN that stands second


def _minimum(x: float, y: float) -> float:
    return x if x < y or x != x else y


def _where(condition: float, x: Any, y: Any) -> float:
    taken = x if condition else y
    return taken() if callable(taken) else taken  # type: ignore[no-any-return]


def _clip(x: float, low: float, high: float) -> float:
    if low > high:
        raise ValueError(f"the lower bound {low!r} is above the upper bound {high!r}")
    return low if x < low else high if x > high else x


def _logsumexp(*x: float) -> float:
    top = max(x)
    if math.isinf(top):
        return nan if any(xi != xi for xi in x) else top
    others = [*x]
    others.remove(top)
    return top + math.log1p(math.fsum([math.exp(xi - top) for xi in others]))


def _softmax_cross_entropy(f_y: float, *others: float) -> float:
    # -log P_y = log(1 + Σ e^(f_k - f_y)): as long as the right class leads, no term is lost beside the 1.
    gaps = [f_k - f_y for f_k in others]
    top = max(gaps, default=0.0)
    if top <= 0.0:
        return math.log1p(math.fsum(map(math.exp, gaps)))
    if top == inf:
        return nan if any(gap != gap for gap in gaps) else inf
    return top + math.log(math.fsum([math.exp(-top), *[math.exp(gap - top) for gap in gaps]]))


def _factors(operands: Any) -> tuple[Any, Any, Any]:
    n = len(operands) // 2
    return operands[:n], operands[n : 2 * n], operands[2 * n :]


# --- Arguments: from what a caller writes to the flat tuple of operands ----------------------------


def _several(name: str, least: int = 0) -> Callable[..., tuple[Any, ...]]:
    def arguments(values: Iterable[Any]) -> tuple[Any, ...]:
        operands = tuple(values)
        if len(operands) < least:
            raise ValueError(f"{name} of no values is undefined: give it at least one")
        return operands

    return arguments


def _dot_arguments(w: Sequence[Any], x: Sequence[Any], b: Any = None) -> tuple[Any, ...]:
    if len(w) != len(x):
        raise ValueError(f"dot needs two vectors of one length, got {len(w)} and {len(x)} numbers")
    return (*w, *x) if b is None else (*w, *x, b)


def _where_arguments(condition: Any, x: Any, y: Any) -> tuple[Any, ...]:
    # A branch given as a function runs only if it is taken; what stands for the other is not used.
    if isinstance(condition, Undecided):
        return condition, condition._branch(x, True), condition._branch(y, False)
    if isinstance(condition, str | list | tuple | dict | None):
        raise TypeError(f"the condition of where must be true or false, got {condition!r}")
    if type(condition) is int and condition < 0:  # ~True is -2 and ~False is -1: the lowest bit is the truth
        condition &= 1
    if condition:
        return 1.0, x() if callable(x) else x, 0.0 if callable(y) else y
    return 0.0, 0.0 if callable(x) else x, y() if callable(y) else y


def _class_number(label: Any, classes: int) -> int:
    try:
        y = operator.index(label if type(label) is not bool else "a bool")  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"the label must be a class number, got {type(label).__name__} {label!r}") from None
    if not 0 <= y < classes:
        raise ValueError(f"label {label} is no class: the {classes} scores are numbered from 0")
    return y


def _refuse_label(classes: int, number: float) -> None:
    _class_number(int(number) if number.is_integer() else number, classes)


def _class_arguments(scores: Iterable[Any], label: int) -> tuple[Any, ...]:
    operands = list(scores)
    if isinstance(label, Undecided) and operands:
        # The score of the right class, then all, of which that one counts nothing.
        right = [label == k for k in range(len(operands))]
        sentence = f"the label must be a class number, from 0 to {len(operands) - 1}"
        refuse = partial(_refuse_label, len(operands))
        label._require(lambda: reduce(operator.or_, right), sentence, refuse)
        f_y = operands[-1]
        for is_right, f_k in zip(right[-2::-1], operands[-2::-1], strict=True):
            f_y = where(is_right, f_k, f_y)
        return f_y, *[where(is_right, -inf, f_k) for is_right, f_k in zip(right, operands, strict=True)]
    return operands.pop(_class_number(0 if isinstance(label, Undecided) else label, len(operands))), *operands


# --- Rules that take more than a line --------------------------------------------------------------


def _pow_rule(out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    # ∂/∂x is 0 for y = 0, also at x = 0, where a root has a vertical tangent. ∂/∂y needs a positive base.
    # Where y is 0, y · out / x says the same as y · x^(y-1), with the same derivatives, and cannot overflow.
    return (
        where(
            x == 0.0,
            lambda: where(y < 1.0, lambda: where(y == 0.0, 0.0, inf), lambda: y * pow(x, y - 1.0)),
            lambda: where(y == 0.0, lambda: y * out / x, lambda: y * pow(x, y - 1.0)),
        ),
        where(x > 0.0, lambda: out * log(x), lambda: where(x == 0.0, 0.0, lambda: nan * x)),
    )


def _clip_rule(out: Any, x: Any, low: Any, high: Any) -> tuple[Any, ...]:
    above, below = heaviside(x - low), heaviside(high - x)
    both = 0.5 * (1.0 - above) * (1.0 - below)
    return above * below, 1.0 - above - both, 1.0 - below - both


def _prod_rule(out: Any, *x: Any) -> tuple[Any, ...]:
    # The product of the others, from the left and from the right: no division, so zeros are no trouble.
    before = accumulate(x[:-1], operator.mul, initial=1.0)
    after = list(accumulate(x[:0:-1], operator.mul, initial=1.0))
    return tuple(map(operator.mul, before, reversed(after)))


def dot_value(w: Sequence[float], x: Sequence[float], b: Sequence[float]) -> float:
    """Σ wᵢ xᵢ + b, rounded once; b is one number or none."""
    return math.fsum(chain(map(operator.mul, w, x), b))


def dot_rule(w: Sequence[Any], x: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    """The local partials of `dot` by its vectors: of each factor the other."""
    return (*x, *w, *_ONES[len(b)])


def _dot_at_once(numbers: list[float]) -> tuple[float, tuple[float, ...]]:
    factors = _factors(numbers)
    return dot_value(*factors), dot_rule(*factors)


def _softmax_cross_entropy_rule(out: Any, f_y: Any, *others: Any) -> tuple[Any, ...]:
    # P_k = e^(f_k - f_y - out); P_y - 1 as minus the sum of the others, which cancels nothing.
    p = [exp(f_k - f_y - out) for f_k in others]
    return (-sum(p), *p)


# --- The table -------------------------------------------------------------------------------------
# name · value on floats · local partials, then how it prints, where it exists, what its edges are.
# fmt: off

# Rows that rules name before their own turn.
cos: Primitive
cosh: Primitive
heaviside: Primitive
hypot: Primitive
rsqrt: Primitive
sech: Primitive
sigmoid: Primitive
sign: Primitive
where: Primitive


def _function(command: str) -> str:
    return rf"{command}\left({{0}}\right)"


# Arithmetic

add = primitive("add", operator.add,                    lambda out, x, y: (1.0, 1.0),
                symbol="+", latex="{0} + {1}", binds=(SUM, SUM, SUM), doc="x + y.")
sub = primitive("sub", operator.sub,                    lambda out, x, y: (1.0, -1.0),
                symbol="−", latex="{0} - {1}", binds=(SUM, SUM, PRODUCT), doc="x − y.")
mul = primitive("mul", operator.mul,                    lambda out, x, y: (y, x),
                symbol="×", latex=r"{0} \cdot {1}", binds=(PRODUCT, PRODUCT, PRODUCT), doc="x · y.")
div = primitive("div", operator.truediv,                lambda out, x, y: (1.0 / y, -out / y),
                symbol="÷", latex=r"\frac{{{0}}}{{{1}}}", binds=(PRODUCT, SUM, SUM), domain="y ≠ 0", doc="x / y.")
neg = primitive("neg", operator.neg,                    lambda out, x: (-1.0,),
                symbol="−", latex="-{0}", binds=(SUM, PRODUCT), doc="−x.")
pow = primitive("pow", _pow,                            _pow_rule,
                symbol="^", latex="{0}^{{{1}}}", binds=(POWER, ATOM, SUM),
                domain="x > 0, or x = 0 and y ≥ 0, or x < 0 and y a whole number",
                edges="∂/∂x = 0 where y = 0, also at x = 0; ∂/∂x = +∞ at x = 0 where 0 < y < 1; "
                      "∂/∂y = 0 at x = 0 and NaN for x < 0, where x^y exists at whole y only",
                doc="x to the power y; the exponent is an operand like any other.")
abs = primitive("abs", math.fabs,                       lambda out, x: (sign(x),),
                symbol="|x|", latex=r"\left|{0}\right|", binds=(ATOM, SUM), edges="0 at x = 0", doc="|x|.")
square = primitive("square", lambda x: x * x,           lambda out, x: (2.0 * x,),
                symbol="x²", latex="{0}^{{2}}", binds=(POWER, ATOM), doc="x².")
reciprocal = primitive("reciprocal", lambda x: 1.0 / x, lambda out, x: (-out * out,),
                symbol="1/x", latex=r"\frac{{1}}{{{0}}}", binds=(PRODUCT, SUM), domain="x ≠ 0", doc="1/x.")
sqrt = primitive("sqrt", math.sqrt,                     lambda out, x: (0.5 * rsqrt(x),),
                symbol="√", latex=r"\sqrt{{{0}}}", binds=(ATOM, SUM), domain="x ≥ 0",
                edges="+∞ at x = 0", doc="√x.")
rsqrt = primitive("rsqrt", _rsqrt,                      lambda out, x: (-0.5 * out * out * out,),
                symbol="1/√", latex=r"\frac{{1}}{{\sqrt{{{0}}}}}", binds=(PRODUCT, SUM), domain="x ≥ 0",
                edges="the value at 0 is +∞, its slope −∞", doc="1/√x.")
cbrt = primitive("cbrt", math.cbrt,                     lambda out, x: (where(x == 0.0, inf, lambda: 1.0 / (3.0 * out * out)),),
                symbol="∛", latex=r"\sqrt[3]{{{0}}}", binds=(ATOM, SUM), edges="+∞ at x = 0", doc="The cube root, also of x < 0.")

# Exponentials and logarithms

exp = primitive("exp", math.exp,                        lambda out, x: (out,),
                latex="e^{{{0}}}", binds=(POWER, SUM), doc="eˣ; OverflowError above x ≈ 709.78.")
expm1 = primitive("expm1", math.expm1,                  lambda out, x: (exp(x),),
                symbol="eˣ−1", latex="e^{{{0}}} - 1", binds=(SUM, SUM), doc="eˣ − 1, exact near 0.")
log = primitive("log", math.log,                        lambda out, x: (1.0 / x,),
                latex=_function(r"\log"), domain="x > 0", doc="The natural logarithm.")
log1p = primitive("log1p", math.log1p,                  lambda out, x: (1.0 / (1.0 + x),),
                latex=r"\log\left(1 + {0}\right)", binds=(ATOM, SUM), domain="x > −1", doc="log(1 + x), exact near 0.")
log2 = primitive("log2", math.log2,                     lambda out, x: (1.0 / LN2 / x,),
                latex=_function(r"\log_2"), domain="x > 0", doc="The logarithm to base 2.")
log10 = primitive("log10", math.log10,                  lambda out, x: (1.0 / LN10 / x,),
                latex=_function(r"\log_{{10}}"), domain="x > 0", doc="The logarithm to base 10.")

# Circular and hyperbolic functions, their inverses, and the error function

sin = primitive("sin", math.sin,                        lambda out, x: (cos(x),),
                latex=_function(r"\sin"), doc="sin x, x in radians.")
cos = primitive("cos", math.cos,                        lambda out, x: (-sin(x),),
                latex=_function(r"\cos"), doc="cos x, x in radians.")
tan = primitive("tan", math.tan,                        lambda out, x: (1.0 + out * out,),
                latex=_function(r"\tan"), doc="tan x, x in radians.")
asin = primitive("asin", math.asin,                     lambda out, x: (rsqrt(1.0 - x) * rsqrt(1.0 + x),),
                latex=_function(r"\arcsin"), domain="−1 ≤ x ≤ 1", edges="+∞ at x = ±1", doc="arcsin x, in radians.")
acos = primitive("acos", math.acos,                     lambda out, x: (-rsqrt(1.0 - x) * rsqrt(1.0 + x),),
                latex=_function(r"\arccos"), domain="−1 ≤ x ≤ 1", edges="−∞ at x = ±1", doc="arccos x, in radians.")
atan = primitive("atan", math.atan,                     lambda out, x: (1.0 / (1.0 + x * x),),
                latex=_function(r"\arctan"), doc="arctan x, in radians.")
atan2 = primitive("atan2", math.atan2,                  lambda out, y, x: (x / hypot(x, y) / hypot(x, y), -y / hypot(x, y) / hypot(x, y)),
                latex=r"\operatorname{{atan2}}\left({0}, {1}\right)", binds=(ATOM, SUM, SUM),
                domain="(y, x) ≠ (0, 0), where it has no derivative", doc="The angle of the point (x, y), in radians: atan2(y, x).")
sinh = primitive("sinh", math.sinh,                     lambda out, x: (cosh(x),),
                latex=_function(r"\sinh"), doc="sinh x.")
cosh = primitive("cosh", math.cosh,                     lambda out, x: (sinh(x),),
                latex=_function(r"\cosh"), doc="cosh x.")
tanh = primitive("tanh", math.tanh,                     lambda out, x: (square(sech(x)),),  # 1 - out² is 0 from x ≈ 19 on
                latex=_function(r"\tanh"), doc="tanh x.")
sech = primitive("sech", _sech,                         lambda out, x: (-out * tanh(x),),
                latex=_function(r"\operatorname{{sech}}"), doc="1 / cosh x, without overflow.")
asinh = primitive("asinh", math.asinh,                  lambda out, x: (1.0 / hypot(1.0, x),),
                latex=_function(r"\operatorname{{arsinh}}"), doc="arsinh x.")
acosh = primitive("acosh", math.acosh,                  lambda out, x: (rsqrt(x - 1.0) * rsqrt(x + 1.0),),
                latex=_function(r"\operatorname{{arcosh}}"), domain="x ≥ 1", edges="+∞ at x = 1", doc="arcosh x.")
atanh = primitive("atanh", math.atanh,                  lambda out, x: (1.0 / ((1.0 - x) * (1.0 + x)),),
                latex=_function(r"\operatorname{{artanh}}"), domain="−1 < x < 1", doc="artanh x.")
hypot = primitive("hypot", math.hypot,                  lambda out, x, y: (where(out == 0.0, 0.0, lambda: x / out), where(out == 0.0, 0.0, lambda: y / out)),
                latex=r"\sqrt{{{0}^2 + {1}^2}}", binds=(ATOM, ATOM, ATOM), edges="0 and 0 at (0, 0)", doc="√(x² + y²), without overflow.")
erf = primitive("erf", math.erf,                        lambda out, x: (2.0 / math.sqrt(math.pi) * exp(-x * x),),
                latex=_function(r"\operatorname{{erf}}"), doc="The error function.")
erfc = primitive("erfc", math.erfc,                     lambda out, x: (-2.0 / math.sqrt(math.pi) * exp(-x * x),),
                latex=_function(r"\operatorname{{erfc}}"), doc="1 − erf x, exact where erf is near 1.")

# Activations

sigmoid = primitive("sigmoid", _sigmoid,                lambda out, x: (out * sigmoid(-x),),  # out · (1 - out) is 0 from x ≈ 37 on
                symbol="σ", latex=_function(r"\sigma"), doc="σ(x) = 1 / (1 + e⁻ˣ) (000.2, 004.5).")
relu = primitive("relu", _relu,                         lambda out, x: (heaviside(x),),
                symbol="ReLU", latex=_function(r"\operatorname{{relu}}"), edges="0 at x = 0", doc="max(x, 0).")
leaky_relu = primitive("leaky_relu", lambda x, slope: x if x > 0.0 else slope * x,
                                                        lambda out, x, slope: (heaviside(x) + slope * (1.0 - heaviside(x)), x * (1.0 - heaviside(x))),
                latex=r"\operatorname{{lrelu}}_{{{1}}}\left({0}\right)", binds=(ATOM, SUM, SUM), edges="the slope of the negative side at x = 0",
                arguments=lambda x, slope=0.01: (x, slope), doc="x for x > 0, else slope · x: leaky_relu(x, slope=0.01).")
softplus = primitive("softplus", _softplus,             lambda out, x: (sigmoid(x),),
                latex=r"\log\left(1 + e^{{{0}}}\right)", binds=(ATOM, SUM), doc="log(1 + eˣ), without overflow.")
silu = primitive("silu", lambda x: x * _sigmoid(x),     lambda out, x: (sigmoid(x) * (1.0 + x * sigmoid(-x)),),
                latex=_function(r"\operatorname{{silu}}"), doc="x · σ(x).")
gelu = primitive("gelu", lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2.0)),
                                                        lambda out, x: (0.5 * erfc(-x / math.sqrt(2.0)) + x * exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi),),
                latex=_function(r"\operatorname{{gelu}}"), doc="x · Φ(x), Φ the normal distribution function (exact, no tanh).")

# Choices

maximum = primitive("maximum", _maximum,                lambda out, x, y: (0.5 + 0.5 * sign(x - y), 0.5 + 0.5 * sign(y - x)),
                symbol="max", latex=r"\max\left({0}, {1}\right)", binds=(ATOM, SUM, SUM), edges="½ and ½ where x = y", doc="The greater of x and y.")
minimum = primitive("minimum", _minimum,                lambda out, x, y: (0.5 + 0.5 * sign(y - x), 0.5 + 0.5 * sign(x - y)),
                symbol="min", latex=r"\min\left({0}, {1}\right)", binds=(ATOM, SUM, SUM), edges="½ and ½ where x = y", doc="The less of x and y.")
clip = primitive("clip", _clip,                         _clip_rule,
                latex=r"\operatorname{{clip}}\left({0}, {1}, {2}\right)", binds=(ATOM, SUM, SUM, SUM), domain="low ≤ high",
                edges="∂/∂x = 0 at a bound, where the bound takes it; ½ and ½ where both bounds are there", arguments=lambda x, low=-inf, high=inf: (x, low, high),
                doc="x kept between two bounds: clip(x, low, high).")
where = primitive("where", _where, lambda out, c, x, y: (0.0, c, 1.0 - c),
                latex=r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{else}} \end{{cases}}", binds=(ATOM, SUM, SUM, SUM),
                arguments=_where_arguments, selects=True,
                edges="the branch not taken contributes exactly nothing; given as a function (lambda: log(x)) it is not even computed",
                doc="x if the condition holds, else y: where(condition, x, y).")
sign = primitive("sign", _sign,                         lambda out, x: (0.0,),
                symbol="sgn", latex=_function(r"\operatorname{{sgn}}"), edges="0 at x = 0", doc="−1, 0 or 1.")
heaviside = primitive("heaviside", _heaviside,          lambda out, x: (0.0,),
                symbol="[x>0]", latex=r"\left[{0} > 0\right]", binds=(ATOM, SUM), edges="0 at x = 0", doc="1 for x > 0, else 0.")

# Of several values: one node, however many operands

sum = primitive("sum", lambda *x: math.fsum(x),         lambda out, *x: (1.0,) * len(x),
                symbol="Σ", latex=r"\sum", arguments=_several("sum"), doc="The sum of some values, rounded once: sum([x, y, z]).")
mean = primitive("mean", lambda *x: math.fsum(x) / len(x), lambda out, *x: (1.0 / len(x),) * len(x),
                latex=r"\operatorname{{mean}}", arguments=_several("mean", least=1), doc="The mean of some values: mean([x, y, z]).")
prod = primitive("prod", lambda *x: math.prod(x, start=1.0), _prod_rule,
                symbol="∏", latex=r"\prod", arguments=_several("prod"), doc="The product of some values: prod([x, y, z]).")
dot = primitive("dot", lambda *x: dot_value(*_factors(x)), lambda out, *x: dot_rule(*_factors(x)),
                symbol="·", latex=r"\cdot", arguments=_dot_arguments, at_once=_dot_at_once, doc="w·x + b = Σ wᵢ xᵢ + b, a whole neuron in one node: dot(w, x, b=None).")
logsumexp = primitive("logsumexp", _logsumexp,          lambda out, *x: tuple(exp(xi - out) for xi in x),
                latex=r"\log\sum\exp", arguments=_several("logsumexp", least=1), doc="log Σ exp(xᵢ), without overflow: logsumexp([x, y, z]).")
softmax_cross_entropy = primitive("softmax_cross_entropy", _softmax_cross_entropy, _softmax_cross_entropy_rule,
                symbol="−log P", latex=r"-\log P", arguments=_class_arguments,
                doc="−log P_y with P = softmax(scores), y the label, counted from 0: softmax_cross_entropy(scores, y) (001.1). "
                    "The node's first operand is the score of the right class.")
# fmt: on

# --- How rows print in compiled programs -----------------------------------------------------------
# The operators are written alike everywhere and `math` and C share their functions; what is left has a formula.

for _row, _hole in (
    (add, "{0} + {1}"),
    (sub, "{0} - {1}"),
    (mul, "{0} * {1}"),
    (div, "{0} / {1}"),
    (neg, "-{0}"),
):
    _row.source = dict.fromkeys(("python", "array", "c"), _hole)
for _row in (
    pow, sqrt, cbrt, exp, expm1, log, log1p, log2, log10, sin, cos, tan, asin, acos, atan, atan2,
    sinh, cosh, tanh, asinh, acosh, atanh, hypot, erf, erfc,
):  # fmt: skip
    _holes = "({0}, {1})" if _row.arity == 2 else "({0})"
    _row.source = dict.fromkeys(("python", "array", "c"), _row.name + _holes)
abs.source = {"python": "fabs({0})", "array": "abs({0})", "c": "fabs({0})"}
where.source = {"python": "{1} if {0} else {2}", "array": "where({0}, {1}, {2})", "c": "{0} ? {1} : {2}"}
# An array has these whole, where a formula would take several passes over it.
maximum.source = {"array": "maximum({0}, {1})"}
minimum.source = {"array": "minimum({0}, {1})"}
relu.source = {"array": "maximum({0}, 0.0)"}


def _sech_formula(x: Any) -> Any:
    e = exp(-abs(x))
    return 2.0 * e / (1.0 + e * e)


def _sigmoid_formula(x: Any) -> Any:
    e = exp(-abs(x))
    return where(x >= 0.0, 1.0, e) / (1.0 + e)


def _logsumexp_formula(*x: Any) -> Any:
    top, others = x[0], []
    for xi in x[1:]:
        others.append(minimum(top, xi))
        top = maximum(top, xi)
    # Of an infinite top the gaps would be NaN.
    return where(abs(top) < inf, lambda: top + log1p(sum([exp(xi - top) for xi in others])), top)


def _softmax_cross_entropy_formula(f_y: Any, *others: Any) -> Any:
    gaps = [f_k - f_y for f_k in others]
    top = reduce(maximum, gaps, 0.0)
    rest = sum([exp(gap - top) for gap in gaps])
    # Of an infinite top the rest is NaN.
    return where(
        top > 0.0, lambda: where(top < inf, lambda: top + log(exp(-top) + rest), top), lambda: log1p(rest)
    )


def _dot_formula(*operands: Any) -> Any:
    n = len(operands) // 2
    return sum([*map(operator.mul, operands[:n], operands[n:]), *operands[2 * n :]])


square.formula = lambda x: x * x
reciprocal.formula = lambda x: 1.0 / x
rsqrt.formula = lambda x: 1.0 / sqrt(x)
sech.formula = _sech_formula
sigmoid.formula = _sigmoid_formula
relu.formula = lambda x: where(x <= 0.0, 0.0, x)
leaky_relu.formula = lambda x, slope: where(x > 0.0, x, slope * x)
softplus.formula = lambda x: relu(x) + log1p(exp(-abs(x)))
silu.formula = lambda x: x * sigmoid(x)
gelu.formula = lambda x: 0.5 * x * erfc(-x / math.sqrt(2.0))
sign.formula = lambda x: where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))
heaviside.formula = lambda x: where(x > 0.0, 1.0, relu(x))  # 0, or the NaN that relu keeps
maximum.formula = lambda x, y: where(x > y, x, where(x == x, y, x))
minimum.formula = lambda x, y: where(x < y, x, where(x == x, y, x))
clip.formula = lambda x, low, high: where(low > high, nan, where(x < low, low, where(x > high, high, x)))
sum.formula = lambda *x: reduce(operator.add, x, 0.0)
mean.formula = lambda *x: sum(x) / len(x)
prod.formula = lambda *x: reduce(operator.mul, x, 1.0)
dot.formula = _dot_formula
logsumexp.formula = _logsumexp_formula
softmax_cross_entropy.formula = _softmax_cross_entropy_formula

_BUILT_IN = frozenset(TABLE)


def _on_floats(row: Primitive) -> Callable[..., float]:
    arguments, forward = row.arguments, row.forward
    return forward if arguments is None else lambda *x: forward(*arguments(*x))


# Recording runs each rule on floats, where the other rows it names need not ask what they were given: the
# same code, with these names bound to the rows' float functions, takes a quarter of the time.
_FLOATS = {**globals(), **{name: _on_floats(row) for name, row in TABLE.items()}, "where": _where}
for _row in TABLE.values():
    _row.rule_on_floats = FunctionType(_row.rule.__code__, _FLOATS)
    if _row.arguments is not None:  # Python counts a call's arguments, and names the function in the error
        _row.arguments.__qualname__ = _row.name
