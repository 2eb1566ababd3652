"""The operations of a `Value`: Python's operators, the functions as methods, comparisons.

Each operation is one line: it hands its row of the table to `recording.py`. No derivative stands here.
`Value` inherits all of it, so `value.py` holds the node alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, cast

if TYPE_CHECKING:
    from autograd_lite.core import cython
else:
    try:
        import cython
    except ImportError:  # pragma: no cover - the stand-in has a test of its own
        from autograd_lite.core import cython

from autograd_lite.core import rules
from autograd_lite.core.modes import comparison_hook
from autograd_lite.core.numbers import is_real
from autograd_lite.core.primitive import Operands, Primitive, Scalar
from autograd_lite.core.tracing import Traceable

if TYPE_CHECKING:
    from autograd_lite.core.value import Operand, Value

# `recording.py` sets these. Importing it here would be a cycle: it makes Values, which inherit this class.
record = cast("Callable[[Primitive, Operands], Scalar]", None)
unary = cast("Callable[[Primitive, Scalar], Value]", None)
binary = cast("Callable[[Primitive, Scalar, Scalar], Value]", None)

_ASCII = str.maketrans({"−": "-", "×": "*", "÷": "/"})


@cython.no_gc
@cython.cclass
class Operators(Traceable):
    """The operations of a Value; each records a node."""

    __slots__ = ()

    # --- Arithmetic

    def __add__(self, other: Operand) -> Value:
        return binary(rules.add, self, other)

    def __radd__(self, other: Operand) -> Value:
        return binary(rules.add, other, self)

    def __sub__(self, other: Operand) -> Value:
        return binary(rules.sub, self, other)

    def __rsub__(self, other: Operand) -> Value:
        return binary(rules.sub, other, self)

    def __mul__(self, other: Operand) -> Value:
        return binary(rules.mul, self, other)

    def __rmul__(self, other: Operand) -> Value:
        return binary(rules.mul, other, self)

    def __truediv__(self, other: Operand) -> Value:
        return binary(rules.div, self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return binary(rules.div, other, self)

    def __pow__(self, other: Operand) -> Value:
        return binary(rules.pow, self, other)

    def __rpow__(self, other: Operand) -> Value:
        return binary(rules.pow, other, self)

    def __neg__(self) -> Value:
        return unary(rules.neg, self)

    def __abs__(self) -> Value:
        return unary(rules.abs, self)

    def __pos__(self) -> Value:
        return self  # type: ignore[return-value]

    def conjugate(self) -> Value:
        """Return self, as NumPy's variance asks for it."""
        return self  # type: ignore[return-value]

    # --- Functions: each row of the table that makes sense for one value, under the row's name

    def add(self, other: Operand) -> Value:
        """self + other."""
        return rules.add(self, other)

    def sub(self, other: Operand) -> Value:
        """self − other."""
        return rules.sub(self, other)

    def mul(self, other: Operand) -> Value:
        """self · other."""
        return rules.mul(self, other)

    def div(self, other: Operand) -> Value:
        """self / other."""
        return rules.div(self, other)

    def neg(self) -> Value:
        """−x."""
        return unary(rules.neg, self)

    def pow(self, other: Operand) -> Value:
        """self to the power other."""
        return rules.pow(self, other)

    def abs(self) -> Value:
        """|x|."""
        return unary(rules.abs, self)

    def exp(self) -> Value:
        """eˣ."""
        return unary(rules.exp, self)

    def expm1(self) -> Value:
        """eˣ − 1, exact near 0."""
        return unary(rules.expm1, self)

    def log(self) -> Value:
        """The natural logarithm."""
        return unary(rules.log, self)

    def log1p(self) -> Value:
        """log(1 + x), exact near 0."""
        return unary(rules.log1p, self)

    def log2(self) -> Value:
        """The logarithm to base 2."""
        return unary(rules.log2, self)

    def log10(self) -> Value:
        """The logarithm to base 10."""
        return unary(rules.log10, self)

    def sqrt(self) -> Value:
        """√x."""
        return unary(rules.sqrt, self)

    def rsqrt(self) -> Value:
        """1/√x."""
        return unary(rules.rsqrt, self)

    def cbrt(self) -> Value:
        """The cube root, also of a negative number."""
        return unary(rules.cbrt, self)

    def square(self) -> Value:
        """x²."""
        return unary(rules.square, self)

    def reciprocal(self) -> Value:
        """1/x."""
        return unary(rules.reciprocal, self)

    def sin(self) -> Value:
        """The sine; the angle is in radians."""
        return unary(rules.sin, self)

    def cos(self) -> Value:
        """The cosine; the angle is in radians."""
        return unary(rules.cos, self)

    def tan(self) -> Value:
        """The tangent; the angle is in radians."""
        return unary(rules.tan, self)

    def asin(self) -> Value:
        """The inverse sine, in radians."""
        return unary(rules.asin, self)

    def acos(self) -> Value:
        """The inverse cosine, in radians."""
        return unary(rules.acos, self)

    def atan(self) -> Value:
        """The inverse tangent, in radians."""
        return unary(rules.atan, self)

    def sinh(self) -> Value:
        """The hyperbolic sine."""
        return unary(rules.sinh, self)

    def cosh(self) -> Value:
        """The hyperbolic cosine."""
        return unary(rules.cosh, self)

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        return unary(rules.tanh, self)

    def sech(self) -> Value:
        """1 / cosh x, without overflow."""
        return unary(rules.sech, self)

    def asinh(self) -> Value:
        """The inverse hyperbolic sine."""
        return unary(rules.asinh, self)

    def acosh(self) -> Value:
        """The inverse hyperbolic cosine."""
        return unary(rules.acosh, self)

    def atanh(self) -> Value:
        """The inverse hyperbolic tangent."""
        return unary(rules.atanh, self)

    def erf(self) -> Value:
        """The error function."""
        return unary(rules.erf, self)

    def erfc(self) -> Value:
        """1 − erf x, exact where erf is near 1."""
        return unary(rules.erfc, self)

    def sigmoid(self) -> Value:
        """σ(x) = 1 / (1 + e⁻ˣ)."""
        return unary(rules.sigmoid, self)

    def relu(self) -> Value:
        """max(x, 0)."""
        return unary(rules.relu, self)

    def leaky_relu(self, slope: Operand = 0.01) -> Value:
        """x for x > 0, otherwise slope · x."""
        return rules.leaky_relu(self, slope)

    def softplus(self) -> Value:
        """log(1 + eˣ), without overflow."""
        return unary(rules.softplus, self)

    def silu(self) -> Value:
        """x · σ(x)."""
        return unary(rules.silu, self)

    def gelu(self) -> Value:
        """x · Φ(x), where Φ is the normal distribution function."""
        return unary(rules.gelu, self)

    def sign(self) -> Value:
        """−1, 0 or 1."""
        return unary(rules.sign, self)

    def heaviside(self) -> Value:
        """1 for x > 0, else 0."""
        return unary(rules.heaviside, self)

    def clip(self, low: Operand = -math.inf, high: Operand = math.inf) -> Value:
        """x kept between two bounds."""
        return rules.clip(self, low, high)

    def atan2(self, other: Operand) -> Value:
        """The angle of the point (other, self), in radians."""
        return rules.atan2(self, other)

    def hypot(self, other: Operand) -> Value:
        """√(self² + other²), without overflow."""
        return rules.hypot(self, other)

    def maximum(self, other: Operand) -> Value:
        """The greater of self and other."""
        return rules.maximum(self, other)

    def minimum(self, other: Operand) -> Value:
        """The lesser of self and other."""
        return rules.minimum(self, other)

    max, min = maximum, minimum

    # NumPy calls these names on the entries of an array of Values.
    arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
    arcsinh, arccosh, arctanh = asinh, acosh, atanh

    # --- Comparisons: of the data; two Values are one key of a dict only if they are one object

    def __eq__(self, other: object) -> bool:
        return _compared(self, operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return _compared(self, operator.ne, other)

    def __lt__(self, other: Operand) -> bool:
        return _compared(self, operator.lt, other)

    def __le__(self, other: Operand) -> bool:
        return _compared(self, operator.le, other)

    def __gt__(self, other: Operand) -> bool:
        return _compared(self, operator.gt, other)

    def __ge__(self, other: Operand) -> bool:
        return _compared(self, operator.ge, other)

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __bool__(self) -> bool:
        return bool(_compared(self, operator.ne, 0.0))

    # --- Not a plain number

    def _not_a_number(self, *_: object) -> NoReturn:
        raise TypeError(
            f"{self!r} does not become a plain number by itself, because that would lose its gradient: write "
            "v.data for the number, or autograd_lite's own function (exp for math.exp) for a Value"
        )

    def __float__(self) -> NoReturn:
        self._not_a_number()

    def __int__(self) -> NoReturn:
        self._not_a_number()

    __complex__ = __trunc__ = __floor__ = __ceil__ = _not_a_number

    # --- Names of other engines

    def item(self) -> float:
        """Return ``data``, the number itself, as in PyTorch and NumPy."""
        return self.data  # type: ignore[attr-defined,no-any-return]

    def _made_by(self, _: object = None) -> NoReturn:
        raise AttributeError(
            "a Value has no _backward and no _children: write Value(data, children, local_grads), with the "
            "partials ∂data/∂child; operands and partials are what it was made from"
        )

    _backward = _children = property(_made_by, _made_by)

    @property
    def _prev(self) -> tuple[Value, ...]:
        return tuple(type(self)(x) if isinstance(x, float) else x for x in self.operands)  # type: ignore

    @property
    def _op(self) -> str:
        row: Primitive | None = self.primitive  # type: ignore[attr-defined]
        return "" if row is None else row.symbol.translate(_ASCII)


def _compared(x: Scalar, compare: Callable[[float, Scalar], bool], y: Scalar) -> bool:
    if (hook := comparison_hook.get()) is not None:
        return hook(x, compare.__name__, y)  # type: ignore[no-any-return]
    if isinstance(y, Operators):
        return compare(x._data, y._data)  # type: ignore[attr-defined]
    if not is_real(y):
        return NotImplemented  # type: ignore[no-any-return]
    # Against Python's own numbers a float is compared exactly; NumPy would round it to its type first.
    return compare(x._data, y.item() if hasattr(y, "item") else y)
