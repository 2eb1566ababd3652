"""`Value`: a number that remembers how it was made, and the backward pass over what it remembers.

A node holds what it was made from (``operands``) and how fast it changes with each (``partials``): that is
the whole graph. Here are the node, the order of a graph, and the backward pass. `recording.py` makes nodes,
`rules.py` holds the derivative rules, `operators.py` the operations that a Value inherits.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

if TYPE_CHECKING:
    from autograd_lite.core import cython
else:
    try:
        import cython
    except ImportError:  # pragma: no cover - the stand-in has a test of its own
        from autograd_lite.core import cython

from autograd_lite.core import copying, locks, modes, operators
from autograd_lite.core.given import by_hand
from autograd_lite.core.modes import Label, Line, backward_log, comparison_hook
from autograd_lite.core.numbers import real
from autograd_lite.core.operators import Operators
from autograd_lite.core.primitive import Operands, Primitive, Scalar

Operand: TypeAlias = "Value | float"


@cython.no_gc
@cython.cclass
class Value(Operators):
    """A scalar and, if an operation made it, a node of the graph: ``Value(data, label=None)``.

    - ``data``: the number, a float
    - ``grad``: ∂root/∂self, summed over all backward passes since `zero_grad`; 0.0 until one reaches it
    - ``reached``: whether one did, so that a derivative of 0 differs from one that was never computed
    - ``primitive``: the operation that made it; None for a leaf
    - ``operands``: what the operation was applied to; ``partials``: ∂self/∂operand for each of them

    ``Value(data, children, local_grads)`` is a node with operands and local partials of one's own. Raises
    `TypeError` if `data` is not a real number or `label` is not text. Load only pickles that you trust.
    >>> w, x, b = Value(2.0, "w"), Value(-3.0, "x"), Value(1.0, "b")
    >>> y = (w * x + b).tanh()
    >>> y.backward()
    >>> w
    w = Value(2.0, grad=-0.0005447...)
    """

    __slots__ = ("_adjoint", "_data", "_grad", "_mark", "_note", "_operands", "_partials", "primitive")

    def __init__(
        self, data: object, label: str | Operands | None = None, local_grads: Operands | None = None
    ) -> None:
        self._data = real(data, "the data of a Value")
        self._adjoint = 0.0  # ∂root/∂self, set and read by the backward pass that is running
        self._grad: float | None = None  # until a backward pass comes here
        self._mark: object = None  # the latest traversal that came here
        self._operands: tuple[Operand, ...] = ()
        self._partials: tuple[float | None, ...] = ()
        self.primitive: Primitive | None = None
        if local_grads is not None or isinstance(label, tuple | list):
            self.primitive, self._operands, self._partials = by_hand(label, local_grads)
            label = None
        place = modes.provenance() if modes.provenance else None
        self._note = place if label is None else modes.labelled(label, place)

    # --- Backward

    def backward(self, seed: float = 1.0) -> None:
        """Add ∂self/∂node · `seed` to ``grad`` of every node that self was made from, self included.

        The nodes are taken in reverse topological order, so each adjoint is complete before it is passed on:
        adjoint(operand) = Σ adjoint(consumer) · ∂consumer/∂operand. Passes over graphs that share nodes may
        run in several threads. Raises `TypeError` if `seed` is not a real number.
        """
        seed = real(seed, "the seed")
        with locks.traversal:
            backward_log.append((id(self), self._data, seed))
            _pass_back(self, seed)

    def zero_grad(self) -> None:
        """Set ``grad`` to 0.0, not reached, in the whole graph that self was made from."""
        for node in topological_order(self):
            node._grad = None

    def detach(self) -> Value:
        """Return a leaf with the same data and label: no gradient flows through it."""
        if (hook := comparison_hook.get()) is not None:
            hook(self, "detach", None)
        return Value(self._data, self.label)

    # --- What it holds

    @property
    def data(self) -> float:
        """The number. Setting it takes any real number and leaves recorded partials as they are."""
        return self._data

    @data.setter
    def data(self, number: object) -> None:
        self._data = real(number, "the data of a Value")

    @property
    def grad(self) -> float:
        """∂root/∂self, summed over all backward passes since `zero_grad`; 0.0 until one reaches self.

        It takes any real number. Setting it to 0 or None resets it: self then counts as not reached.
        """
        return 0.0 if self._grad is None else self._grad

    @grad.setter
    def grad(self, number: object) -> None:
        self._grad = None if number is None else real(number, "the grad of a Value") or None

    @property
    def reached(self) -> bool:
        """Whether a backward pass has reached self, or ``grad`` was set, since it was last reset."""
        return self._grad is not None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The operands of the operation, in order: Values, and floats for constants."""
        return self._operands

    @property
    def partials(self) -> tuple[float | None, ...]:
        """∂self/∂operand for each operand; None for a constant and for a branch not taken."""
        return self._partials

    @property
    def label(self) -> str | None:
        """The name that pictures, messages and explanations use, or None."""
        note = getattr(self, "_note", None)
        return note.text if isinstance(note, Label) else None

    @label.setter
    def label(self, text: str | None) -> None:
        self._note = self._provenance() if text is None else modes.labelled(text, self._provenance())

    @property
    def scope(self) -> modes.scope | None:
        """The innermost `scope` that was open when the node was made, or None."""
        place = self._provenance()
        return place.scope if isinstance(place, Line) else place

    @property
    def line(self) -> Line | None:
        """The file and the line that made the node, if it was made within `record_lines`, else None."""
        place = self._provenance()
        return place if isinstance(place, Line) else None

    def _provenance(self) -> modes.scope | Line | None:
        note = getattr(self, "_note", None)
        return note.provenance if isinstance(note, Label) else note

    def _record(self, row: Primitive, operands: Operands) -> Scalar:
        return operators.record(row, operands)

    # --- How it is shown

    def __round__(self, digits: SupportsIndex | None = None) -> float:
        return round(self._data, digits)

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        name = f"{self.label} = " if self.label else ""
        grad = "" if self._grad is None else f", grad={self._grad!r}"
        return f"{name}Value({self._data!r}{grad})"

    # --- Copies: a graph is copied whole, without recursion

    def __copy__(self) -> Value:
        return copying.shallow(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deep(topological_order(self), memo)

    def __reduce__(self) -> tuple[object, ...]:
        return copying.reduced(self, topological_order)


# --- The pass and its order -------------------------------------------------------------------------


def _pass_back(root: Value, seed: float) -> None:
    not_taken: list[Value] = []
    order = _ordered((root,), not_taken)
    for node in order:
        node._adjoint = 0.0
    root._adjoint = seed
    while order:  # it shrinks as gradients take up room
        node = order.pop()
        upstream = node._adjoint
        node._grad = upstream if node._grad is None else node._grad + upstream
        operands = node._operands
        for k, slope in enumerate(node._partials):
            if slope is not None:
                operand, partial = operands[k], slope
                operand._adjoint += upstream * partial  # type: ignore[union-attr]
    for node in topological_order(*not_taken):
        node._grad = node._grad or 0.0


def topological_order(*roots: Value) -> list[Value]:
    """Return every node the roots were made from, roots included, each after all of its operands.

    There is no recursion, so depth is no limit. The order depends on the graph alone.

    >>> a = Value(2.0, "a")
    >>> b = a * a
    >>> topological_order(b + a) == [a, b, b + a]
    True
    """
    for root in roots:
        if not isinstance(root, Value):
            raise TypeError(f"topological_order takes Values, got {type(root).__name__} {root!r}")
    with locks.traversal:
        return _ordered(roots)


def _ordered(roots: Iterable[Value], not_taken: list[Value] | None = None) -> list[Value]:
    # Depth first. A traversal has marks of its own, so one that is interrupted leaves nothing behind.
    # Operands of branches that were not taken are listed in `not_taken`, if it is given, and not followed.
    opened, listed = object(), object()
    order: list[Value] = []
    stack: list[Any] = [*roots]
    while stack:
        node = stack.pop()
        if node._mark is opened:  # all its operands are listed
            node._mark = listed
            order.append(node)
        elif node._mark is not listed:
            node._mark = opened
            stack.append(node)
            operands = node._operands
            if not_taken is not None and operands and node.primitive.masks:
                taken = [partial is not None for partial in node._partials]
                not_taken += [x for x, t in zip(operands, taken, strict=True) if not (t or type(x) is float)]
                operands = tuple(compress(operands, taken))
            for operand in reversed(operands):
                if type(operand) is not float:
                    node = operand
                    if node._mark is not listed:
                        stack.append(node)
    return order
