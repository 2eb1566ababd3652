"""`Value`: a number that remembers how it was made, and the backward pass over what it remembers.

Every operation makes a node that holds its operands and its local partials, as floats, at once: the
gradient is that of the computation as recorded, whatever happens to ``.data`` later.

The derivative rules live in `primitives.py`; derivatives of functions, and of derivatives, in
`functional.py`.
"""

from __future__ import annotations

import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from itertools import compress
from math import isfinite
from typing import Any, NamedTuple, NoReturn, SupportsIndex, TypeAlias
from weakref import ref

from autograd_lite import copying
from autograd_lite import primitives as table
from autograd_lite.primitives import Primitive, Recordable, Undecided, is_real, real

Operand: TypeAlias = "Value | float"

# Asked at every operation, so two globals say whether the context variables, ten times as slow to ask, may
# hold anything: the pauses that some context still knows, which a copied one does for longer than the block
# is open, and whether a scope ever was.
paused: ContextVar[frozenset[_Pause]] = ContextVar("autograd_lite_paused", default=frozenset())
_pauses: set[ref[_Pause]] = set()
_scope: ContextVar[scope | None] = ContextVar("autograd_lite_scope", default=None)
_left: ContextVar[frozenset[scope]] = ContextVar("autograd_lite_left", default=frozenset())  # out of order
_scoped = False
_place: Callable[[], scope | Line | None] = _scope.get  # what a new node keeps, once `_scoped`

# The latest backward passes, for questions that come after the fact (`ledger`): the root's id, its data, the
# seed. The float object tells the root from a later node at the same address, and keeps no graph alive.
passes: deque[tuple[int, float, float]] = deque(maxlen=1000)

# While a function is traced (`program`) comparisons of Values, too, have no answer yet: this one is asked. It
# is told of `no_grad` and `detach`, which a program, whose nodes all pass derivatives on, has nothing for.
judge: ContextVar[Callable[[Any, str, Any], Any] | None] = ContextVar("autograd_lite_judge", default=None)

_traversal = threading.RLock()  # the scratch slot of a node serves one traversal at a time
with suppress(
    AttributeError
):  # Windows has no fork: else no process begins with a lock that nobody gives back
    os.register_at_fork(
        before=_traversal.acquire, after_in_parent=_traversal.release, after_in_child=_traversal.release
    )
_ASCII = str.maketrans({"−": "-", "×": "*", "÷": "/"})


class scope:  # noqa: N801 - it is used like a function
    """Within ``with scope("name"):`` nodes are made as parts of one named thing; scopes nest.

    Modules open one for each call. Pictures draw it as a box; ``parent`` is the scope around it, or None.

    >>> with scope("loss"):
    ...     y = Value(2.0) * 3.0
    >>> y.scope.name
    'loss'
    """

    __slots__ = ("_open", "name", "parent")

    def __init__(self, name: str, parent: scope | None = None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a scope's name is text, got {type(name).__name__} {name!r}")
        self.name = name
        self.parent = parent
        self._open = False

    def __enter__(self) -> scope:
        global _scoped
        if self._open:
            raise RuntimeError(f"the scope {self.name!r} is open already: make one for each block")
        _scoped = self._open = True
        self.parent = _scope.get()
        _scope.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        left = _left.get()
        if _scope.get() is not self:  # generators end in any order: one within this one is still open
            _left.set(left | {self})
            return
        self._open = False
        outer = self.parent
        while outer is not None and outer in left:
            outer._open = False
            outer = outer.parent
        _scope.set(outer)
        if left and outer is None:
            _left.set(frozenset())

    def __reduce__(self) -> tuple[Any, ...]:
        return scope, (self.name, self.parent)


def current_scope() -> scope | None:
    """The innermost open `scope`, or None."""
    return _scope.get()


class Line(NamedTuple):
    """Where an operation was written, with the scope that it belongs to."""

    scope: scope | None
    file: str
    number: int


def keep_places(place: Callable[[], Line] | None) -> None:
    """Have each new node keep what `place` returns (`record_lines`), or with None its scope alone."""
    global _place, _scoped
    _place = place or _scope.get
    _scoped = True


class _Pause:
    """An open `no_grad` block."""

    ended = False


def _is_paused() -> bool:
    """Whether operations record nothing here, because of `no_grad`."""
    held = paused.get()
    if held and all(pause.ended for pause in held):
        paused.set(frozenset())
        return False
    return bool(held)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within ``with no_grad():`` (or a function decorated with it) operations on Values record nothing.

    Their results are leaves. It holds for this thread or task alone, and for the tasks that are started
    within the block, to their ends.

    >>> with no_grad():
    ...     (Value(2.0) * 3.0).operands
    ()
    """
    if (undecided := judge.get()) is not None:
        undecided(None, "no_grad", None)
    pause = _Pause()
    _pauses.add(ref(pause, _pauses.discard))
    token = paused.set(paused.get() | {pause})
    try:
        yield
    finally:
        others = paused.get() - {pause}  # generators end in any order, so not what was before
        try:
            paused.reset(token)
        except ValueError:  # in another context, where the collector ends an asynchronous generator
            pause.ended = True
        paused.set(others)
        del pause, token, others  # the frame lives on in the traceback of an error


# --- Recording: a closure for each row and number of operands ---------------------------------------
# They make their node in line: a call more would cost a fifth of the whole.


def _operand(x: Any) -> tuple[Any, float | None]:
    """The slow path of recording: `x` as it is kept, and its number; no number if it is no operand."""
    if isinstance(x, Value):
        return x, getattr(x, "_data", None)  # a traced one has none: it records the operation itself
    try:
        number = real(x)
    except TypeError:
        return x, None
    return number, number


def _failed(row: Primitive, operands: tuple[Any, ...], error: Exception) -> Any:
    """Raise `error` with the operation, its operands and their labels.

    While a function is traced, record the operation in its program instead, which reads data as it runs.
    """
    if (undecided := judge.get()) and (node := undecided(row, "record", operands)) is not None:
        return node
    shown = ", ".join(
        f"{x.label}={x._data!r}" if isinstance(x, Value) and x.label else repr(_operand(x)[1])
        for x in operands
    )
    domain = f" (domain: {row.domain})" if row.domain and not isinstance(error, OverflowError) else ""
    raise type(error)(f"{row.name}({shown}): {error}{domain}") from error


@cache
def _unary(row: Primitive) -> Callable[[Any], Any]:
    forward, rule, new = row.forward, row.rule_on_floats, object.__new__

    def record(x: Any) -> Any:
        try:
            a = x._data
        except AttributeError:  # a traced one records the operation itself
            return x._record(row, (x,))
        try:
            out = forward(a)
            if _pauses and _is_paused():
                return Value(out)
            (partial,) = rule(out, a)
        except (ArithmeticError, ValueError) as error:
            return _failed(row, (x,), error)
        node = new(Value)
        node._data = out
        node.primitive = row
        node._x = x
        node._dx = partial
        node._y = None
        node._dy = None
        node._scratch = None
        node._grad = None
        if _scoped:
            node._scope = _place()
        return node

    record.__name__, record.__doc__ = row.name, row.__doc__
    record.__qualname__ = f"Value.{row.name}"  # by which a pickled layer finds its activation
    return record


@cache
def _binary(row: Primitive) -> Callable[[Any, Any], Any]:
    forward, rule, new = row.forward, row.rule_on_floats, object.__new__

    def record(x: Any, y: Any) -> Any:
        if type(x) is Value:
            a = x._data
        else:
            x, number = _operand(x)
            if number is None:
                return NotImplemented
            a = number
        if type(y) is Value:
            b = y._data
        elif type(y) is float:
            b = y
        else:
            y, number = _operand(y)
            if number is None:
                return NotImplemented
            b = number
        try:
            out = forward(a, b)
            if _pauses and _is_paused():
                return Value(out)
            p, q = rule(out, a, b)
        except (ArithmeticError, ValueError) as error:
            return _failed(row, (x, y), error)
        node = new(Value)
        node._data = out
        node.primitive = row
        node._x = x
        node._dx = None if x is a else p
        node._y = y
        node._dy = None if y is b else q
        node._scratch = None
        node._grad = None
        if _scoped:
            node._scope = _place()
        return node

    record.__name__, record.__doc__ = row.name, row.__doc__
    return record


def _traced(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The node, where an operand is undecided, for then that one records; else None."""
    undecided = [x for x in operands if isinstance(x, Undecided)]
    return undecided[0]._record(row, operands) if undecided else None


@cache
def _variadic(row: Primitive) -> Callable[[tuple[Any, ...]], Any]:
    at_once, forward, rule, new = row.at_once, row.forward, row.rule_on_floats, object.__new__

    def record(operands: tuple[Any, ...]) -> Any:
        # Constants are common where a vector of them begins: to ask there is cheaper than to fail.
        constants = type(operands[len(operands) // 2]) is float
        try:
            numbers = [] if constants else [x._data for x in operands]
        except AttributeError:
            constants = True
        if constants:
            try:
                numbers = [x if type(x) is float else x._data for x in operands]
            except AttributeError:
                what = f"an operand of {row.name}"
                node = _traced(row, operands)
                if node is None:
                    node = record(tuple([x if isinstance(x, Value) else real(x, what) for x in operands]))
                return node
        try:
            if at_once is not None:
                out, partials = at_once(numbers)
            else:
                out = forward(*numbers)
            if _pauses and _is_paused():
                return Value(out)
            if at_once is None:
                partials = rule(out, *numbers)
        except (ArithmeticError, ValueError) as error:
            return _failed(row, operands, error)
        node = new(Value)
        node._data = out
        node.primitive = row
        node._x = node._y = operands
        node._dx = node._dy = partials
        if row.selects:
            # What was not selected stands last in _y, where _dy has ended: it belongs to the graph too.
            node._dx = tuple([partial or None for partial in partials])
            edges = [edge for edge in zip(operands, node._dx, strict=True) if type(edge[0]) is not float]
            edges.sort(key=lambda edge: edge[1] is None)
            node._y = tuple([x for x, _ in edges])
            node._dy = tuple([partial for _, partial in edges if partial is not None])
        elif constants:
            are_values = [type(x) is not float for x in operands]
            node._y = tuple(compress(operands, are_values))
            node._dy = tuple(compress(partials, are_values))
        node._scratch = None
        node._grad = None
        if _scoped:
            node._scope = _place()
        return node

    record.__name__, record.__doc__ = row.name, row.__doc__
    return record


def affine(W: Sequence[Sequence[Any]], x: Sequence[Any], b: Sequence[Any] | None = None) -> list[Any]:
    """Return W·x + b, a `dot` node for each row: ``[dot(w, x, bi) for w, bi in zip(W, b)]``.

    It records a layer of neurons in half the time, for x is read once for all rows.
    Raises `ValueError` if a row is not as long as x, or b as W.

    >>> affine([[1.0, 2.0], [3.0, 4.0]], [Value(1.0), Value(-1.0)], [0.5, 0.5])
    [Value(-0.5), Value(-0.5)]
    """
    if b is not None and len(b) != len(W):
        raise ValueError(f"affine needs a bias for each row, got {len(b)} for {len(W)} rows")
    if b is None or _pauses or {len(x)} != {*map(len, W)}:
        return [table.dot(w, x, None if b is None else b[i]) for i, w in enumerate(W)]
    nodes, new, row, value, rule = [], object.__new__, table.dot, table.dot_value, table.dot_rule
    place = _place() if _scoped else None
    try:
        numbers = [xi._data for xi in x]
        rows = [tuple([wi._data for wi in w]) for w in W]
        # One object of each of these serves all rows. To the rule a row of numbers is like a number.
        inputs, by_w_b, by_x = tuple(x), [*rule((), numbers, b[:1])], rule(rows, (), ())
        for w, bi, weights, by_xi in zip(W, b, rows, by_x, strict=True):
            node = new(Value)
            node._data = value(weights, numbers, (bi._data,))
            node.primitive = row
            node._x = (*w, bi)
            node._dx = by_w_b
            node._y = inputs
            node._dy = by_xi
            node._scratch = None
            node._grad = None
            if place is not None:
                node._scope = place
            nodes.append(node)
    except (AttributeError, ArithmeticError, ValueError):  # constants, traced ones; or an error to be located
        return [table.dot(w, x, bi) for w, bi in zip(W, b, strict=True)]
    return nodes


def _operator(row: Primitive) -> tuple[Callable[[Value, Any], Value], Callable[[Value, Any], Value]]:
    record = _binary(row)
    return record, lambda self, other: record(other, self)


def _method(row: Primitive) -> Callable[[Value, Any], Value]:
    return lambda self, other: row(self, other)


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Any], bool]:
    def method(self: Value, other: Any) -> Any:
        if (undecided := judge.get()) is not None:
            return undecided(self, compare.__name__, other)
        if isinstance(other, Value):
            return compare(self._data, other._data)
        if not is_real(other):
            return NotImplemented
        # Against Python's own numbers a float is compared exactly; NumPy would round it to its type first.
        return compare(self._data, other.item() if hasattr(other, "item") else other)

    return method


# --- Order -----------------------------------------------------------------------------------------


def _topological_order(roots: Iterable[Value]) -> list[Value]:
    # Depth first: a node is listed once all that it pushed is, which is all it was made from. The caller
    # holds _traversal; what an earlier traversal left in the scratch slots is of no account, for each marks
    # with objects of its own. A listed node holds a -0.0, which is also where a sum of adjoints starts.
    opened, listed = object(), float("-0.0")
    order: list[Value] = []
    stack = [*roots]
    known = ()  # a tuple of operands that are all listed: neurons of one layer share their inputs
    while stack:
        node = stack.pop()
        state = node._scratch
        if state is opened:
            node._scratch = listed
            order.append(node)
            continue
        while state is not listed:
            node._scratch = opened
            stack.append(node)
            x = node._x
            if type(x) is tuple:
                if node._y is not known:
                    pending = len(stack)
                    for operand in node._y:
                        if operand._scratch is not listed:
                            stack.append(operand)
                    if len(stack) == pending:
                        known = node._y
                if type(node._dx) is list:
                    for operand in x:
                        if operand._scratch is not listed:
                            stack.append(operand)
                break
            if node._dy is not None and node._y._scratch is not listed:
                stack.append(node._y)
            if node._dx is None:
                break
            node = x  # the first operand need not wait on the stack
            state = x._scratch
    return order


def _taken(root: Value) -> set[Value]:
    """The nodes that an adjoint reaches: `root` depends on them by more than branches not taken."""
    found, stack = {root}, [root]
    while stack:
        node = stack.pop()
        for x, partial in zip(node.operands, node.partials, strict=True):
            if isinstance(x, Value) and partial is not None and x not in found:
                found.add(x)
                stack.append(x)
    return found


def topological_order(*roots: Value) -> list[Value]:
    """Return every node the roots were made from, roots included, each after all of its operands.

    It takes no recursion, so depth is no limit, and the order depends on the graph alone.

    >>> a = Value(2.0, "a")
    >>> b = a * a
    >>> topological_order(b + a) == [a, b, b + a]
    True
    """
    with _traversal:
        return _topological_order(roots)


class Value(Recordable):
    """A scalar and, if an operation made it, a node of the graph: ``Value(data, label=None)``.

    ``data`` is a float. ``grad`` is ∂root/∂self, summed over all backward passes since `zero_grad`, and
    None until one reaches it. ``primitive`` is the operation that made it (None for a leaf), ``operands``
    what it was applied to, in order, ``partials`` ∂self/∂operand for each.

    Raises `TypeError` if `data` is no real number, or `label` no text. A pickle of Values can run any code
    when it is loaded, as every pickle can: load only those that you trust.

    >>> w, x, b = Value(2.0, "w"), Value(-3.0, "x"), Value(1.0, "b")
    >>> y = (w * x + b).tanh()
    >>> y.backward()
    >>> w
    w = Value(2.0, grad=-0.0005447...)
    """

    # An operation with one or two operands keeps them in fixed slots, where tuples would cost half as much
    # memory again; an operand that is a constant has the partial None. One with more keeps all operands
    # and all partials, as tuples, in _x and _dx, those of Values alone in _y and _dy. A neuron that `affine`
    # made keeps w and b in _x, x in _y; x and the partials in _dx, a list, are one object for a whole layer.
    # Most nodes have no label and no scope: those slots stay unset, which the garbage collector passes over.
    __slots__ = ("_data", "_dx", "_dy", "_grad", "_label", "_scope", "_scratch", "_x", "_y", "primitive")

    _data: float
    _grad: float | None
    primitive: Primitive | None
    _label: str | None
    _scope: scope | Line | None
    _x: Any
    _y: Any
    _dx: Any
    _dy: Any
    _scratch: Any

    def __init__(self, data: Any, label: str | None = None) -> None:
        self._data = real(data, "the data of a Value")
        self._grad = None
        self.label = label
        self.primitive = self._x = self._y = self._dx = self._dy = self._scratch = None
        if _scoped:
            self._scope = _place()

    # --- What it holds

    @property
    def data(self) -> float:
        """The number. Setting it takes any real number, and leaves what was recorded as it was."""
        return self._data

    @data.setter
    def data(self, number: Any) -> None:
        self._data = real(number, "the data of a Value")

    @property
    def grad(self) -> float | None:
        """∂root/∂self, summed over all backward passes since `zero_grad`; it is set to any real number."""
        return self._grad

    @grad.setter
    def grad(self, number: Any) -> None:
        self._grad = None if number is None else real(number, "the grad of a Value")

    @property
    def label(self) -> str | None:
        """The name that pictures, messages and explanations use, or None."""
        return getattr(self, "_label", None)

    @label.setter
    def label(self, text: str | None) -> None:
        if text is not None and not isinstance(text, str):
            raise TypeError(f"a label is text, got {type(text).__name__} {text!r}")
        self._label = text

    @property
    def scope(self) -> scope | None:
        """The innermost `scope` that was open when the node was made, or None."""
        place = getattr(self, "_scope", None)
        return place.scope if isinstance(place, Line) else place

    @property
    def line(self) -> Line | None:
        """The file and the line that made the node, if it was made within `record_lines`, else None."""
        place = getattr(self, "_scope", None)
        return place if isinstance(place, Line) else None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """What the operation was applied to, in order: Values, and floats for constants."""
        if self.primitive is None:
            return ()
        if type(self._dx) is list:
            *w, b = self._x
            return (*w, *self._y, b)
        if type(self._x) is tuple:
            return self._x
        return (self._x,) if self._y is None else (self._x, self._y)

    @property
    def partials(self) -> tuple[float | None, ...]:
        """∂self/∂operand for each operand; None for a constant and for a branch not taken."""
        if self.primitive is None:
            return ()
        if type(self._dx) is list:
            *by_w, by_b = self._dx
            return (*by_w, *self._dy, by_b)
        if type(self._x) is tuple:
            pairs = zip(self._x, self._dx, strict=True)
            return tuple([None if type(x) is float else partial for x, partial in pairs])
        return (self._dx,) if self._y is None else (self._dx, self._dy)

    @property
    def _prev(self) -> tuple[Value, ...]:  # micrograd's name
        return tuple(x if isinstance(x, Value) else Value(x) for x in self.operands)

    @property
    def _op(self) -> str:  # micrograd's name, in its spelling
        return "" if self.primitive is None else self.primitive.symbol.translate(_ASCII)

    # --- Backward

    def backward(self, seed: float = 1.0) -> None:
        """Add ∂self/∂node · `seed` to ``grad`` of every node that self was made from, self included.

        Each adjoint is complete before it is passed on, because the nodes are taken in topological order:
        adjoint(operand) = Σ adjoint(consumer) · ∂consumer/∂operand. Passes over graphs that share nodes
        may run in several threads. Raises `TypeError` if `seed` is no real number.
        """
        seed = real(seed, "the seed")
        with _traversal:
            passes.append((id(self), self._data, seed))
            order = _topological_order((self,))
            nothing = self._scratch
            self._scratch = seed
            finite: Any = None  # the latest partials seen to be so: neurons of one layer share them
            taken: set[Value] | None = None
            for node in reversed(order):
                upstream = node._scratch
                grad = node._grad
                node._grad = upstream if grad is None else grad + upstream
                partial, other = node._dx, node._dy
                if upstream == 0.0:
                    # A zero goes no further, which saves the work below a dead unit: only 0 · ∞ would show.
                    node._grad = grad or 0.0
                    if type(other) is tuple:
                        if isfinite(sum(other)):
                            if type(partial) is tuple or partial is finite:
                                continue
                            if isfinite(sum(partial)):
                                finite = partial
                                continue
                    elif (partial is None or isfinite(partial)) and (other is None or isfinite(other)):
                        continue
                    if upstream is nothing:
                        taken = taken or _taken(self)
                        if node not in taken:
                            continue
                if type(partial) is float:
                    node._x._scratch += upstream * partial
                elif partial is not None:
                    for operand, weight in zip(node._y, other):  # noqa: B905 - _y may be longer
                        operand._scratch += upstream * weight
                    if type(partial) is list:
                        for operand, weight in zip(node._x, partial):  # noqa: B905
                            operand._scratch += upstream * weight
                    continue
                if other is not None:
                    node._y._scratch += upstream * other

    def zero_grad(self) -> None:
        """Set ``grad`` to None in the whole graph that self was made from."""
        for node in topological_order(self):
            node._grad = None

    def detach(self) -> Value:
        """Return a leaf with the same data and label: no gradient flows through it."""
        if (undecided := judge.get()) is not None:
            undecided(self, "detach", None)
        return Value(self._data, self.label)

    # --- Operations: each is a row of the table

    def _record(self, row: Primitive, operands: tuple[Any, ...]) -> Any:
        if len(operands) > 2 or row.selects:
            return _variadic(row)(operands)
        node = _unary(row)(*operands) if len(operands) == 1 else _binary(row)(*operands)
        if node is NotImplemented:
            node = _traced(row, operands)
            if node is None:
                wrong = next(x for x in operands if not isinstance(x, Value) and not is_real(x))
                real(wrong, f"an operand of {row.name}")
        return node

    __add__, __radd__ = _operator(table.add)
    __sub__, __rsub__ = _operator(table.sub)
    __mul__, __rmul__ = _operator(table.mul)
    __truediv__, __rtruediv__ = _operator(table.div)
    __pow__, __rpow__ = _operator(table.pow)
    __neg__ = _unary(table.neg)
    __abs__ = _unary(table.abs)

    def __pos__(self) -> Value:
        return self

    conjugate = __pos__  # NumPy's variance asks for it

    exp = _unary(table.exp)
    expm1 = _unary(table.expm1)
    log = _unary(table.log)
    log1p = _unary(table.log1p)
    log2 = _unary(table.log2)
    log10 = _unary(table.log10)
    sqrt = _unary(table.sqrt)
    cbrt = _unary(table.cbrt)
    square = _unary(table.square)
    reciprocal = _unary(table.reciprocal)
    sin = _unary(table.sin)
    cos = _unary(table.cos)
    tan = _unary(table.tan)
    asin = arcsin = _unary(table.asin)
    acos = arccos = _unary(table.acos)
    atan = arctan = _unary(table.atan)
    sinh = _unary(table.sinh)
    cosh = _unary(table.cosh)
    tanh = _unary(table.tanh)
    asinh = arcsinh = _unary(table.asinh)
    acosh = arccosh = _unary(table.acosh)
    atanh = arctanh = _unary(table.atanh)
    sigmoid = _unary(table.sigmoid)
    relu = _unary(table.relu)
    softplus = _unary(table.softplus)
    atan2 = arctan2 = _method(table.atan2)
    hypot = _method(table.hypot)
    maximum = _method(table.maximum)
    minimum = _method(table.minimum)

    # --- Reading the number

    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        if (undecided := judge.get()) is not None:
            return bool(undecided(self, "ne", 0.0))
        return self._data != 0.0

    def __round__(self, digits: SupportsIndex | None = None) -> float:
        return round(self._data, digits)

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        name = f"{self.label} = " if self.label else ""
        return (
            f"{name}Value({self._data!r})"
            if self._grad is None
            else f"{name}Value({self._data!r}, grad={self._grad!r})"
        )

    def _no_number(self, *_: Any) -> NoReturn:
        raise TypeError(
            f"{self!r} is not turned into a plain number behind your back, for that would lose its gradient: "
            "write v.data for the number, or autograd_lite's own function (exp for math.exp) for a Value"
        )

    __float__ = __int__ = __complex__ = __trunc__ = __floor__ = __ceil__ = _no_number

    # --- Copies: a graph is copied whole, without recursion

    def __copy__(self) -> Value:
        return copying.shallow(self)  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deep(topological_order(self), memo)  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return copying.reduced(self, topological_order)
