"""State of the running code: `no_grad`, the open `scope`, the comparison hook, the latest backward passes.

All but the log of passes are context variables, with a value of their own in each thread and task.
Next door: `recording.py` asks here at every operation, `value.py` at every comparison and backward pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from weakref import ref

# The latest backward passes, which `ledger` reports: the root's id, its data and the seed. The data object
# tells the root from a later node at the same address without keeping the root's graph alive.
backward_log: deque[tuple[int, float, float]] = deque(maxlen=1000)

# While a function is traced (`compiler`), the result of a comparison of Values is not known yet, so the
# comparison calls this hook. `no_grad` and `detach` call it, too: a program cannot honour them, because each
# of its nodes passes derivatives on.
comparison_hook: ContextVar[Callable[[Any, str, Any], Any] | None] = ContextVar(
    "autograd_lite_comparison_hook", default=None
)

# --- no_grad ---------------------------------------------------------------------------------------
# Every operation asks whether recording is paused, and a context variable takes ten times as long to read as
# a global. `pauses` is that global: it is empty if no context can hold a pause. A copied context can hold one
# after its block has ended.

_paused: ContextVar[frozenset[_Pause]] = ContextVar("autograd_lite_paused", default=frozenset())
pauses: set[ref[_Pause]] = set()


class _Pause:
    """An open `no_grad` block."""

    ended = False


def is_paused() -> bool:
    """Return whether operations record nothing here, because of `no_grad`."""
    held = _paused.get()
    if held and all(pause.ended for pause in held):
        _paused.set(frozenset())
        return False
    return bool(held)


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing within ``with no_grad():``, or within a function decorated with it.

    Results of operations are leaves. It holds for this thread or task, and for tasks started within the
    block.

    >>> from autograd_lite import Value
    >>> with no_grad():
    ...     (Value(2.0) * 3.0).operands
    ()
    """
    if (hook := comparison_hook.get()) is not None:
        hook(None, "no_grad", None)
    pause = _Pause()
    pauses.add(ref(pause, pauses.discard))
    token = _paused.set(_paused.get() | {pause})
    try:
        yield
    finally:
        others = _paused.get() - {pause}  # generators end in any order
        try:
            _paused.reset(token)
        except ValueError:  # in another context, where the collector ends an asynchronous generator
            pause.ended = True
        _paused.set(others)
        del pause, token, others  # the frame lives on in the traceback of an error


@contextmanager
def enable_grad() -> Iterator[None]:
    """Record within ``with enable_grad():``, also inside `no_grad`: a derivative needs the graph."""
    token = _paused.set(frozenset())
    try:
        yield
    finally:
        _paused.reset(token)


# --- Scopes and lines ------------------------------------------------------------------------------

_scope: ContextVar[scope | None] = ContextVar("autograd_lite_scope", default=None)
_left: ContextVar[frozenset[scope]] = ContextVar("autograd_lite_left", default=frozenset())  # out of order
provenance: Callable[[], scope | Line | None] | None = None  # returns what a new node keeps; None: nothing


class scope:  # noqa: N801 - it is used like a function
    """Group the nodes made within ``with scope("name"):`` under one name; scopes nest.

    Modules open one for each call, and pictures draw it as a box. ``parent`` is the scope around it, or None.
    Raises `TypeError` if the name is not text, `RuntimeError` if the scope is already open.

    >>> from autograd_lite import Value
    >>> with scope("loss"):
    ...     y = Value(2.0) * 3.0
    >>> y.scope.name
    'loss'
    """

    __slots__ = ("_open", "name", "parent")

    def __init__(self, name: str, parent: scope | None = None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a scope's name must be text, got {type(name).__name__} {name!r}")
        self.name = name
        self.parent = parent
        self._open = False

    def __repr__(self) -> str:
        return f"scope({self.name!r})"

    def __enter__(self) -> scope:
        global provenance
        if self._open:
            raise RuntimeError(f"the scope {self.name!r} is already open: make a new one for each block")
        self._open = True
        provenance = provenance or _scope.get
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


class Line(NamedTuple):
    """The source line of an operation, and the scope it belongs to."""

    scope: scope | None
    file: str
    number: int


class Label(NamedTuple):
    """The name of a node, and its scope or line."""

    text: str
    provenance: scope | Line | None


def labelled(text: object, provenance: scope | Line | None) -> Label:
    """Return the label `text`; raise `TypeError` if it is not text."""
    if not isinstance(text, str):
        raise TypeError(f"a label must be text, got {type(text).__name__} {text!r}")
    return Label(text, provenance)


def current_scope() -> scope | None:
    """Return the innermost open `scope`, or None."""
    return _scope.get()


def keep_provenance(source: Callable[[], Line] | None) -> None:
    """Make each new node keep the result of `source` (`record_lines`); with None, only its scope."""
    global provenance
    provenance = source or _scope.get
