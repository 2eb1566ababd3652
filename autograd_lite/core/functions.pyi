"""The functions of the table, for editors and type checkers: `python -m tests.stubs` wrote this file."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

from autograd_lite.core.value import Value

Number: TypeAlias = Value | float
Choice: TypeAlias = Number | Callable[[], Number]
Real_co = TypeVar("Real_co", bound=Number, covariant=True)
Container: TypeAlias = list[Any] | tuple[Any, ...] | Array
Entries = TypeVar("Entries", bound=Container)

class Array(Protocol):
    """An array of NumPy, or what looks like one."""

    @property
    def ndim(self) -> int: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...

class Vector(Protocol[Real_co]):
    """A list, a tuple or an array of numbers."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Real_co]: ...

@overload
def add(x: float, y: float, /) -> float:
    """x + y.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> add(2.0, 3.0)
    5.0
    >>> grad(add)(2.0, 3.0)
    1.0
    """

@overload
def add(x: Value, y: Number, /) -> Value: ...
@overload
def add(x: Number, y: Value, /) -> Value: ...
@overload
def add(x: Entries, y: Any, /) -> Entries: ...
@overload
def add(x: Number, y: Entries, /) -> Entries: ...
@overload
def sub(x: float, y: float, /) -> float:
    """x − y.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> sub(2.0, 3.0)
    -1.0
    >>> grad(sub)(2.0, 3.0)
    1.0
    """

@overload
def sub(x: Value, y: Number, /) -> Value: ...
@overload
def sub(x: Number, y: Value, /) -> Value: ...
@overload
def sub(x: Entries, y: Any, /) -> Entries: ...
@overload
def sub(x: Number, y: Entries, /) -> Entries: ...
@overload
def mul(x: float, y: float, /) -> float:
    """x · y.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> mul(2.0, 3.0)
    6.0
    >>> grad(mul)(2.0, 3.0)
    3.0
    """

@overload
def mul(x: Value, y: Number, /) -> Value: ...
@overload
def mul(x: Number, y: Value, /) -> Value: ...
@overload
def mul(x: Entries, y: Any, /) -> Entries: ...
@overload
def mul(x: Number, y: Entries, /) -> Entries: ...
@overload
def div(x: float, y: float, /) -> float:
    """x / y.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: y ≠ 0.

    >>> div(3.0, 2.0)
    1.5
    >>> grad(div)(3.0, 2.0)
    0.5
    """

@overload
def div(x: Value, y: Number, /) -> Value: ...
@overload
def div(x: Number, y: Value, /) -> Value: ...
@overload
def div(x: Entries, y: Any, /) -> Entries: ...
@overload
def div(x: Number, y: Entries, /) -> Entries: ...
@overload
def neg(x: float, /) -> float:
    """−x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> neg(2.0)
    -2.0
    >>> grad(neg)(2.0)
    -1.0
    """

@overload
def neg(x: Value, /) -> Value: ...
@overload
def neg(x: Entries, /) -> Entries: ...
@overload
def pow(x: float, y: float, /) -> float:
    """x to the power y; the exponent is an operand like any other.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x > 0, or x = 0 and y ≥ 0, or x < 0 and y a whole number.

    Edge cases of the derivative: ∂/∂x = 0 where y = 0, also at x = 0; ∂/∂x = +∞ at x = 0 where 0 < y <
    1; ∂/∂y = 0 at x = 0 and NaN for x < 0, where x^y exists at whole y only.

    >>> pow(3.0, 2.0)
    9.0
    >>> grad(pow)(3.0, 2.0)
    6.0
    """

@overload
def pow(x: Value, y: Number, /) -> Value: ...
@overload
def pow(x: Number, y: Value, /) -> Value: ...
@overload
def pow(x: Entries, y: Any, /) -> Entries: ...
@overload
def pow(x: Number, y: Entries, /) -> Entries: ...
@overload
def abs(x: float, /) -> float:
    """|x|.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: 0 at x = 0.

    >>> abs(-2.0)
    2.0
    >>> grad(abs)(-2.0)
    -1.0
    """

@overload
def abs(x: Value, /) -> Value: ...
@overload
def abs(x: Entries, /) -> Entries: ...
@overload
def square(x: float, /) -> float:
    """x².

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> square(3.0)
    9.0
    >>> grad(square)(3.0)
    6.0
    """

@overload
def square(x: Value, /) -> Value: ...
@overload
def square(x: Entries, /) -> Entries: ...
@overload
def reciprocal(x: float, /) -> float:
    """1/x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x ≠ 0.

    >>> reciprocal(2.0)
    0.5
    >>> grad(reciprocal)(2.0)
    -0.25
    """

@overload
def reciprocal(x: Value, /) -> Value: ...
@overload
def reciprocal(x: Entries, /) -> Entries: ...
@overload
def sqrt(x: float, /) -> float:
    """√x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x ≥ 0.

    Edge cases of the derivative: +∞ at x = 0.

    >>> sqrt(4.0)
    2.0
    >>> grad(sqrt)(4.0)
    0.25
    """

@overload
def sqrt(x: Value, /) -> Value: ...
@overload
def sqrt(x: Entries, /) -> Entries: ...
@overload
def rsqrt(x: float, /) -> float:
    """1/√x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x ≥ 0.

    Edge cases of the derivative: the value at 0 is +∞, its slope −∞.

    >>> rsqrt(4.0)
    0.5
    >>> grad(rsqrt)(4.0)
    -0.0625
    """

@overload
def rsqrt(x: Value, /) -> Value: ...
@overload
def rsqrt(x: Entries, /) -> Entries: ...
@overload
def cbrt(x: float, /) -> float:
    """The cube root, also of x < 0.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: +∞ at x = 0.

    >>> cbrt(-8.0)
    -2.0
    >>> grad(cbrt)(-8.0)
    0.08333...
    """

@overload
def cbrt(x: Value, /) -> Value: ...
@overload
def cbrt(x: Entries, /) -> Entries: ...
@overload
def exp(x: float, /) -> float:
    """eˣ; OverflowError above x ≈ 709.78.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> exp(1.0)
    2.71828...
    >>> grad(exp)(1.0)
    2.71828...
    """

@overload
def exp(x: Value, /) -> Value: ...
@overload
def exp(x: Entries, /) -> Entries: ...
@overload
def expm1(x: float, /) -> float:
    """eˣ − 1, exact near 0.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> expm1(1e-20)
    1e-20
    >>> grad(expm1)(1e-20)
    1.0
    """

@overload
def expm1(x: Value, /) -> Value: ...
@overload
def expm1(x: Entries, /) -> Entries: ...
@overload
def log(x: float, /) -> float:
    """The natural logarithm.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x > 0.

    >>> log(2.0)
    0.69314...
    >>> grad(log)(2.0)
    0.5
    """

@overload
def log(x: Value, /) -> Value: ...
@overload
def log(x: Entries, /) -> Entries: ...
@overload
def log1p(x: float, /) -> float:
    """log(1 + x), exact near 0.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x > −1.

    >>> log1p(1e-20)
    1e-20
    >>> grad(log1p)(1e-20)
    1.0
    """

@overload
def log1p(x: Value, /) -> Value: ...
@overload
def log1p(x: Entries, /) -> Entries: ...
@overload
def log2(x: float, /) -> float:
    """The logarithm to base 2.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x > 0.

    >>> log2(8.0)
    3.0
    >>> grad(log2)(8.0)
    0.18033...
    """

@overload
def log2(x: Value, /) -> Value: ...
@overload
def log2(x: Entries, /) -> Entries: ...
@overload
def log10(x: float, /) -> float:
    """The logarithm to base 10.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x > 0.

    >>> log10(100.0)
    2.0
    >>> grad(log10)(100.0)
    0.00434...
    """

@overload
def log10(x: Value, /) -> Value: ...
@overload
def log10(x: Entries, /) -> Entries: ...
@overload
def sin(x: float, /) -> float:
    """sin x, x in radians.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> sin(0.0)
    0.0
    >>> grad(sin)(0.0)
    1.0
    """

@overload
def sin(x: Value, /) -> Value: ...
@overload
def sin(x: Entries, /) -> Entries: ...
@overload
def cos(x: float, /) -> float:
    """cos x, x in radians.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> cos(0.5)
    0.87758...
    >>> grad(cos)(0.5)
    -0.47942...
    """

@overload
def cos(x: Value, /) -> Value: ...
@overload
def cos(x: Entries, /) -> Entries: ...
@overload
def tan(x: float, /) -> float:
    """tan x, x in radians.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> tan(0.0)
    0.0
    >>> grad(tan)(0.0)
    1.0
    """

@overload
def tan(x: Value, /) -> Value: ...
@overload
def tan(x: Entries, /) -> Entries: ...
@overload
def asin(x: float, /) -> float:
    """arcsin x, in radians.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: −1 ≤ x ≤ 1.

    Edge cases of the derivative: +∞ at x = ±1.

    >>> asin(0.5)
    0.52359...
    >>> grad(asin)(0.5)
    1.15470...
    """

@overload
def asin(x: Value, /) -> Value: ...
@overload
def asin(x: Entries, /) -> Entries: ...
@overload
def acos(x: float, /) -> float:
    """arccos x, in radians.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: −1 ≤ x ≤ 1.

    Edge cases of the derivative: −∞ at x = ±1.

    >>> acos(0.5)
    1.04719...
    >>> grad(acos)(0.5)
    -1.15470...
    """

@overload
def acos(x: Value, /) -> Value: ...
@overload
def acos(x: Entries, /) -> Entries: ...
@overload
def atan(x: float, /) -> float:
    """arctan x, in radians.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> atan(0.5)
    0.46364...
    >>> grad(atan)(0.5)
    0.8
    """

@overload
def atan(x: Value, /) -> Value: ...
@overload
def atan(x: Entries, /) -> Entries: ...
@overload
def atan2(y: float, x: float, /) -> float:
    """The angle of the point (x, y), in radians: atan2(y, x).

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: (y, x) ≠ (0, 0), where it has no derivative.

    >>> atan2(1.0, 0.0)
    1.57079...
    >>> grad(atan2)(1.0, 0.0)
    0.0
    """

@overload
def atan2(y: Value, x: Number, /) -> Value: ...
@overload
def atan2(y: Number, x: Value, /) -> Value: ...
@overload
def atan2(y: Entries, x: Any, /) -> Entries: ...
@overload
def atan2(y: Number, x: Entries, /) -> Entries: ...
@overload
def sinh(x: float, /) -> float:
    """sinh x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> sinh(0.5)
    0.52109...
    >>> grad(sinh)(0.5)
    1.12762...
    """

@overload
def sinh(x: Value, /) -> Value: ...
@overload
def sinh(x: Entries, /) -> Entries: ...
@overload
def cosh(x: float, /) -> float:
    """cosh x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> cosh(0.5)
    1.12762...
    >>> grad(cosh)(0.5)
    0.52109...
    """

@overload
def cosh(x: Value, /) -> Value: ...
@overload
def cosh(x: Entries, /) -> Entries: ...
@overload
def tanh(x: float, /) -> float:
    """tanh x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> tanh(0.5)
    0.46211...
    >>> grad(tanh)(0.5)
    0.78644...
    """

@overload
def tanh(x: Value, /) -> Value: ...
@overload
def tanh(x: Entries, /) -> Entries: ...
@overload
def sech(x: float, /) -> float:
    """1 / cosh x, without overflow.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> sech(0.5)
    0.88681...
    >>> grad(sech)(0.5)
    -0.40981...
    """

@overload
def sech(x: Value, /) -> Value: ...
@overload
def sech(x: Entries, /) -> Entries: ...
@overload
def asinh(x: float, /) -> float:
    """arsinh x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> asinh(0.5)
    0.48121...
    >>> grad(asinh)(0.5)
    0.89442...
    """

@overload
def asinh(x: Value, /) -> Value: ...
@overload
def asinh(x: Entries, /) -> Entries: ...
@overload
def acosh(x: float, /) -> float:
    """arcosh x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: x ≥ 1.

    Edge cases of the derivative: +∞ at x = 1.

    >>> acosh(2.0)
    1.31695...
    >>> grad(acosh)(2.0)
    0.57735...
    """

@overload
def acosh(x: Value, /) -> Value: ...
@overload
def acosh(x: Entries, /) -> Entries: ...
@overload
def atanh(x: float, /) -> float:
    """artanh x.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: −1 < x < 1.

    >>> atanh(0.5)
    0.54930...
    >>> grad(atanh)(0.5)
    1.33333...
    """

@overload
def atanh(x: Value, /) -> Value: ...
@overload
def atanh(x: Entries, /) -> Entries: ...
@overload
def hypot(x: float, y: float, /) -> float:
    """√(x² + y²), without overflow.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: 0 and 0 at (0, 0).

    >>> hypot(3.0, 4.0)
    5.0
    >>> grad(hypot)(3.0, 4.0)
    0.6
    """

@overload
def hypot(x: Value, y: Number, /) -> Value: ...
@overload
def hypot(x: Number, y: Value, /) -> Value: ...
@overload
def hypot(x: Entries, y: Any, /) -> Entries: ...
@overload
def hypot(x: Number, y: Entries, /) -> Entries: ...
@overload
def erf(x: float, /) -> float:
    """The error function.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> erf(0.5)
    0.52049...
    >>> grad(erf)(0.5)
    0.87878...
    """

@overload
def erf(x: Value, /) -> Value: ...
@overload
def erf(x: Entries, /) -> Entries: ...
@overload
def erfc(x: float, /) -> float:
    """1 − erf x, exact where erf is near 1.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> erfc(0.5)
    0.47950...
    >>> grad(erfc)(0.5)
    -0.87878...
    """

@overload
def erfc(x: Value, /) -> Value: ...
@overload
def erfc(x: Entries, /) -> Entries: ...
@overload
def sigmoid(x: float, /) -> float:
    """σ(x) = 1 / (1 + e⁻ˣ) (document 000, equation 2).

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> sigmoid(0.0)
    0.5
    >>> grad(sigmoid)(0.0)
    0.25
    """

@overload
def sigmoid(x: Value, /) -> Value: ...
@overload
def sigmoid(x: Entries, /) -> Entries: ...
@overload
def relu(x: float, /) -> float:
    """max(x, 0).

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: 0 at x = 0.

    >>> relu(-2.0)
    0.0
    >>> grad(relu)(-2.0)
    0.0
    """

@overload
def relu(x: Value, /) -> Value: ...
@overload
def relu(x: Entries, /) -> Entries: ...
@overload
def leaky_relu(x: float, slope: float = ...) -> float:
    """x for x > 0, otherwise slope · x: leaky_relu(x, slope=0.01).

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: the slope of the negative side at x = 0.

    >>> leaky_relu(-2.0)
    -0.02
    >>> grad(leaky_relu)(-2.0)
    0.01
    """

@overload
def leaky_relu(x: Value, slope: Number = ...) -> Value: ...
@overload
def leaky_relu(x: Number, slope: Value) -> Value: ...
@overload
def leaky_relu(x: Entries, slope: Any = ...) -> Entries: ...
@overload
def leaky_relu(x: Number, slope: Entries) -> Entries: ...
@overload
def softplus(x: float, /) -> float:
    """log(1 + eˣ), without overflow.

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> softplus(0.0)
    0.69314...
    >>> grad(softplus)(0.0)
    0.5
    """

@overload
def softplus(x: Value, /) -> Value: ...
@overload
def softplus(x: Entries, /) -> Entries: ...
@overload
def silu(x: float, /) -> float:
    """x · σ(x).

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> silu(0.5)
    0.31122...
    >>> grad(silu)(0.5)
    0.73996...
    """

@overload
def silu(x: Value, /) -> Value: ...
@overload
def silu(x: Entries, /) -> Entries: ...
@overload
def gelu(x: float, /) -> float:
    """x · Φ(x), Φ the normal distribution function (exact, no tanh).

    It takes numbers and Values, and each entry of lists and arrays of them.

    >>> gelu(0.5)
    0.34573...
    >>> grad(gelu)(0.5)
    0.86749...
    """

@overload
def gelu(x: Value, /) -> Value: ...
@overload
def gelu(x: Entries, /) -> Entries: ...
@overload
def maximum(x: float, y: float, /) -> float:
    """The greater of x and y.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: ½ and ½ where x = y.

    >>> maximum(2.0, 3.0)
    3.0
    >>> grad(maximum)(2.0, 3.0)
    0.0
    """

@overload
def maximum(x: Value, y: Number, /) -> Value: ...
@overload
def maximum(x: Number, y: Value, /) -> Value: ...
@overload
def maximum(x: Entries, y: Any, /) -> Entries: ...
@overload
def maximum(x: Number, y: Entries, /) -> Entries: ...
@overload
def minimum(x: float, y: float, /) -> float:
    """The lesser of x and y.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: ½ and ½ where x = y.

    >>> minimum(2.0, 3.0)
    2.0
    >>> grad(minimum)(2.0, 3.0)
    1.0
    """

@overload
def minimum(x: Value, y: Number, /) -> Value: ...
@overload
def minimum(x: Number, y: Value, /) -> Value: ...
@overload
def minimum(x: Entries, y: Any, /) -> Entries: ...
@overload
def minimum(x: Number, y: Entries, /) -> Entries: ...
@overload
def clip(x: float, low: float = ..., high: float = ...) -> float:
    """x kept between two bounds: clip(x, low, high).

    It takes numbers and Values, and each entry of lists and arrays of them.

    Domain: low ≤ high.

    Edge cases of the derivative: ∂/∂x = 0 at a bound, where the bound takes it; ½ and ½ where both
    bounds are there.

    >>> clip(2.5, -1.0, 1.0)
    1.0
    >>> grad(clip)(2.5, -1.0, 1.0)
    0.0
    """

@overload
def clip(x: Value, low: Number = ..., high: Number = ...) -> Value: ...
@overload
def clip(x: Number, low: Value, high: Number = ...) -> Value: ...
@overload
def clip(x: Number, low: Number, high: Value) -> Value: ...
@overload
def clip(x: Entries, low: Any = ..., high: Any = ...) -> Entries: ...
@overload
def clip(x: Number, low: Entries, high: Any = ...) -> Entries: ...
@overload
def clip(x: Number, low: Number, high: Entries) -> Entries: ...
@overload
def where(condition: Container, x: Choice, y: Choice) -> Any:
    """x if the condition holds, else y: where(condition, x, y).

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: the branch not taken contributes exactly zero; given as a function
    (lambda: log(x)), it is not even computed.

    >>> where(True, 3.0, 4.0)
    3.0
    >>> grad(where, 1)(True, 3.0, 4.0)
    1.0
    """

@overload
def where(condition: object, x: float | Callable[[], float], y: float | Callable[[], float]) -> float: ...
@overload
def where(condition: object, x: Value | Callable[[], Value], y: Choice) -> Value: ...
@overload
def where(condition: object, x: Choice, y: Value | Callable[[], Value]) -> Value: ...
@overload
def where(condition: object, x: Entries, y: Any) -> Entries: ...
@overload
def where(condition: object, x: Choice, y: Entries) -> Entries: ...
@overload
def sign(x: float, /) -> float:
    """−1, 0 or 1.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: 0 at x = 0.

    >>> sign(-2.0)
    -1.0
    >>> grad(sign)(-2.0)
    0.0
    """

@overload
def sign(x: Value, /) -> Value: ...
@overload
def sign(x: Entries, /) -> Entries: ...
@overload
def heaviside(x: float, /) -> float:
    """1 for x > 0, else 0.

    It takes numbers and Values, and each entry of lists and arrays of them.

    Edge cases of the derivative: 0 at x = 0.

    >>> heaviside(2.0)
    1.0
    >>> grad(heaviside)(2.0)
    0.0
    """

@overload
def heaviside(x: Value, /) -> Value: ...
@overload
def heaviside(x: Entries, /) -> Entries: ...
@overload
def sum(values: Iterable[float]) -> float:  # type: ignore[overload-overlap]
    """The sum of some values, rounded once: sum([x, y, z]).

    >>> sum([1.0, 2.0, 3.0])
    6.0
    >>> grad(sum)([1.0, 2.0, 3.0])
    [1.0, 1.0, 1.0]
    """

@overload
def sum(values: Iterable[Number]) -> Value: ...
@overload
def mean(values: Iterable[float]) -> float:  # type: ignore[overload-overlap]
    """The mean of some values: mean([x, y, z]).

    >>> mean([1.0, 2.0, 6.0, 3.0])
    3.0
    >>> grad(mean)([1.0, 2.0, 6.0, 3.0])
    [0.25, 0.25, 0.25, 0.25]
    """

@overload
def mean(values: Iterable[Number]) -> Value: ...
@overload
def prod(values: Iterable[float]) -> float:  # type: ignore[overload-overlap]
    """The product of some values: prod([x, y, z]).

    >>> prod([2.0, 3.0, 4.0])
    24.0
    >>> grad(prod)([2.0, 3.0, 4.0])
    [12.0, 8.0, 6.0]
    """

@overload
def prod(values: Iterable[Number]) -> Value: ...
@overload
def dot(w: Vector[float], x: Vector[float], b: float | None = None) -> float:  # type: ignore[overload-overlap]
    """w·x + b = Σ wᵢ xᵢ + b, a whole neuron in one node: dot(w, x, b=None).

    >>> dot([1.0, 2.0], [3.0, 4.0], 0.5)
    11.5
    >>> grad(dot)([1.0, 2.0], [3.0, 4.0], 0.5)
    [3.0, 4.0]
    """

@overload
def dot(w: Vector[Number], x: Vector[Number], b: Number | None = None) -> Value: ...
@overload
def logsumexp(values: Iterable[float]) -> float:  # type: ignore[overload-overlap]
    """log Σ exp(xᵢ), without overflow: logsumexp([x, y, z]).

    >>> logsumexp([0.0, 0.0])
    0.69314...
    >>> grad(logsumexp)([0.0, 0.0])
    [0.5, 0.5]
    """

@overload
def logsumexp(values: Iterable[Number]) -> Value: ...
@overload
def softmax_cross_entropy(scores: Iterable[float], label: SupportsIndex) -> float:  # type: ignore[overload-overlap]
    """−log P_y with P = softmax(scores), y the label, counted from 0: softmax_cross_entropy(scores, y)
    (document 001, equation 1). The node's first operand is the score of the right class.

    >>> softmax_cross_entropy([0.0, 0.0], 1)
    0.69314...
    >>> grad(softmax_cross_entropy)([0.0, 0.0], 1)
    [0.5, -0.5]
    """

@overload
def softmax_cross_entropy(scores: Iterable[Number], label: SupportsIndex) -> Value: ...
