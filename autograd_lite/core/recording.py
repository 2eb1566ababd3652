"""How an operation makes a node: `record`, and makers of the same node that take less time.

`record` is all there is to understand: it computes the value and the local partials, and keeps both with the
operands. The makers below it build the same node, field for field, for the cases that decide how long
recording takes. Rows of the table (`rules.py`) and the operators of `Value` (`operators.py`) call this
module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd_lite.core import cython
else:
    try:
        import cython
    except ImportError:  # pragma: no cover - the stand-in has a test of its own
        from autograd_lite.core import cython

from autograd_lite.core import modes, operators, rules
from autograd_lite.core.forward import dot
from autograd_lite.core.modes import is_paused, pauses
from autograd_lite.core.numbers import is_real, real
from autograd_lite.core.primitive import Operands, Primitive, Scalar
from autograd_lite.core.tracing import Tracer
from autograd_lite.core.value import Operand, Value

_FIRST_ALONE = (1.0, None)


def record(row: Primitive, operands: Operands) -> Scalar:
    """Apply `row` to `operands` (Values and real numbers) and return the node that remembers it.

    The local partials are computed here and now, as floats: the gradient is that of the computation as
    recorded, whatever happens to ``.data`` later. A partial is None where no derivative flows: for a
    constant, and for the branch that a `where` did not take.

    Raises `TypeError` if an operand is neither a Value nor a real number. Outside the row's domain it raises
    what the row's forward function raises, with the operation, its operands and their labels in the message.
    """
    for x in operands:
        if isinstance(x, Tracer):  # its number is not known yet: it records the operation itself
            return x._record(row, operands)
    operands = tuple([x if isinstance(x, Value) else real(x, f"an operand of {row.name}") for x in operands])
    numbers = [x if type(x) is float else x._data for x in operands]
    try:
        out = row.forward(*numbers)
        if pauses and is_paused():
            return Value(out)
        partials = row.rule_on_floats(out, *numbers)
    except (ArithmeticError, ValueError) as error:
        return failed(row, operands, error)
    if row.masks:
        partials = tuple([partial or None for partial in partials])
    return made(
        out,
        row,
        operands,
        tuple([None if type(x) is float else partial for x, partial in zip(operands, partials, strict=True)]),
    )


def made(data: float, row: Primitive, operands: Operands, partials: tuple[float | None, ...]) -> Value:
    """Return the node of an operation whose value and partials are computed; no partial for a constant."""
    node = Value.__new__(Value)
    node._data = data
    node._grad = None
    node.primitive = row
    node._operands = operands
    node._partials = partials
    node._mark = None
    if provenance := modes.provenance:
        node._note = provenance()
    return node


def failed(row: Primitive, operands: Operands, error: Exception) -> Scalar:
    """Raise `error` with the operation, its operands and their labels.

    While a function is traced, record the operation in its program instead: the program reads the data later.
    """
    if (hook := modes.comparison_hook.get()) and (node := hook(row, "record", operands)) is not None:
        return node
    shown = ", ".join(
        f"{x.label}={x._data!r}" if isinstance(x, Value) and x.label else repr(getattr(x, "_data", x))
        for x in operands
    )
    domain = f" (domain: {row.domain})" if row.domain and not isinstance(error, OverflowError) else ""
    raise type(error)(f"{row.name}({shown}): {error}{domain}") from error


# --- The same node in less time --------------------------------------------------------------------
# Each builds its node in line, because calling `_node` would cost a tenth of the whole.


def unary(row: Primitive, x: Scalar) -> Value:
    """Return ``record(row, (x,))``, in half the time: nothing is packed, unpacked or looped over."""
    if type(x) is not Value:
        return record(row, (x,))  # type: ignore[no-any-return]
    a = x._data
    try:
        out = row.forward(a)
        if pauses and is_paused():
            return Value(out)
        partials = row.rule_on_floats(out, a)
    except (ArithmeticError, ValueError) as error:
        return failed(row, (x,), error)  # type: ignore[no-any-return]
    node = Value.__new__(Value)
    node._data = out
    node._grad = None
    node.primitive = row
    node._operands = (x,)
    node._partials = partials
    node._mark = None
    if provenance := modes.provenance:
        node._note = provenance()
    return node


def binary(row: Primitive, x: Scalar, y: Scalar) -> Value:
    """Return ``record(row, (x, y))``, in half the time; `NotImplemented` where that raises `TypeError`.

    Python then asks the other operand, which is how ``Value * ndarray`` gives an array.
    """
    a, b = x, y
    if type(x) is Value:
        node = x
        a = node._data
    if type(y) is Value:
        node = y
        b = node._data
    if type(a) is not float or type(b) is not float:
        known = (isinstance(x, Value) or is_real(x)) and (isinstance(y, Value) or is_real(y))
        return record(row, (x, y)) if known else NotImplemented
    try:
        out = row.forward(a, b)
        if pauses and is_paused():
            return Value(out)
        partials = row.rule_on_floats(out, a, b)
    except (ArithmeticError, ValueError) as error:
        return failed(row, (x, y), error)  # type: ignore[no-any-return]
    node = Value.__new__(Value)
    node._data = out
    node._grad = None
    node.primitive = row
    node._operands = (x, y)
    if x is a:
        partials = None, partials[1]
    elif y is b:  # x + c and x - c share their partials: a fifth of the memory of a chain of them
        partials = _FIRST_ALONE if partials[0] == 1.0 else (partials[0], None)
    node._partials = partials
    node._mark = None
    if provenance := modes.provenance:
        node._note = provenance()
    return node


def linear(
    W: Sequence[Sequence[Scalar]], x: Sequence[Scalar], b: Sequence[Scalar] | None = None
) -> list[Scalar]:
    """Return W·x + b, a `dot` node for each row: ``[dot(w, x, bi) for w, bi in zip(W, b)]``.

    W is an m × n matrix, x has n entries, b has m. A layer of neurons is recorded in a third of the time,
    because the numbers of x are read once for all rows. Raises `ValueError` if the sizes do not fit.

    >>> from autograd_lite import Value
    >>> linear([[1.0, 2.0], [3.0, 4.0]], [Value(1.0), Value(-1.0)], [0.5, 0.5])
    [Value(-0.5), Value(-0.5)]
    """
    if b is not None and len(b) != len(W):
        raise ValueError(f"linear needs a bias for each row of W, got {len(b)} for {len(W)} rows")
    row, rule = rules.dot, rules.dot_rule
    try:
        if pauses or not x or {len(x)} != {*map(len, W)}:
            raise AttributeError("one of the slow cases")
        numbers, inputs, nodes = tuple([xi._data for xi in x]), tuple(x), []
        note = modes.provenance and modes.provenance()
        last: list[Any] = [((), ())] * len(W) if b is None else [((bi,), (bi._data,)) for bi in b]
        for w, (bias, constant) in zip(W, last, strict=True):
            weights = tuple([wi._data for wi in w])
            node = Value.__new__(Value)
            node._data = dot(weights, numbers, constant)
            node._grad = None
            node.primitive = row
            node._operands = (*w, *inputs, *bias)
            node._partials = rule(weights, numbers, bias)
            node._mark = None
            if note is not None:
                node._note = note
            nodes.append(node)
        return nodes
    except (AttributeError, TypeError, ArithmeticError, ValueError):
        # Constants, tracers, or an error to be located.
        return [row(w, x, None if b is None else b[i]) for i, w in enumerate(W)]


operators.record, operators.unary, operators.binary = record, unary, binary
vars(operators).update(Value=Value, Operand=Operand)  # what its annotations mean, for editors
if cython.compiled:  # pragma: no cover - `inspect.signature` reads it off a class written in Python
    _sign(Value, b"Value(data, label=None, local_grads=None)\n--\n\n" + (Value.__doc__ or "").encode())  # type: ignore[name-defined]
