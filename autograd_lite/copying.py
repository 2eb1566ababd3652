"""How a graph is copied and pickled: whole, and without recursion, so that depth is no limit.

It knows the slots of a node; what they mean is said in `value.py`. What a subclass of `Value` adds of its own
is not copied.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

_KEPT = ("_data", "_grad", "_label", "_scope", "primitive", "_x", "_y", "_dx", "_dy")
_running = threading.local()


def shallow(node: Any) -> Any:
    """Return a copy of a node that has the same operands."""
    return _restored(type(node), (), *_parts(node))


def deep(order: Sequence[Any], memo: dict[int, Any]) -> Any:
    """Copy the nodes of `order`, operands first, that `memo` lacks; return the copy of the last."""
    for node in order:
        if id(node) not in memo:
            memo[id(node)] = _restored(type(node), (), *[_copied(part, memo) for part in _parts(node)])
    return memo[id(order[-1])]


def reduced(node: Any, topological_order: Callable[[Any], Sequence[Any]]) -> tuple[Any, ...]:
    """Return what `pickle` needs to rebuild a node.

    A pickle saves what the node was made from before the node, in order; then each finds its operands
    saved already, and nesting stays flat. Graphs that share nodes in one pickle go on sharing them.
    """
    listed = getattr(_running, "listed", _nothing_listed)()
    if listed is not None and id(node) in listed.ids:
        return _restored, (type(node), (), *_parts(node))
    ancestors = topological_order(node)[:-1]
    return _restored, (type(node), (ancestors, _Listed(ancestors)), *_parts(node))


class _Listed:
    """The ids of the nodes that a running pickle saves before the node that it was asked for.

    The thread knows of it by a weak reference, so that it is forgotten with a pickle that fails.
    """

    def __init__(self, nodes: Sequence[Any]) -> None:
        self.ids = {id(node) for node in nodes}
        _running.listed = weakref.ref(self)

    def __reduce__(self) -> tuple[Any, ...]:
        self.ids.clear()  # it is saved after the nodes: they are done
        return tuple, ()


def _nothing_listed() -> None:
    return None


def _restored(kind: type, _: Any, *parts: Any) -> Any:
    node: Any = object.__new__(kind)
    for slot, part in zip(_KEPT, parts, strict=True):
        setattr(node, slot, part)
    node._scratch = None
    return node


def _parts(node: Any) -> list[Any]:
    return [getattr(node, slot, None) for slot in _KEPT]


def _copied(part: Any, memo: dict[int, Any]) -> Any:
    if type(part) is tuple:
        return tuple([memo.get(id(x), x) for x in part])
    return memo.get(id(part), part)
