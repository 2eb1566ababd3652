"""How a graph is copied and pickled: whole and without recursion, so depth is no limit.

It copies the slots of a node, which `value.py` explains. Attributes that a subclass of `Value` adds are not
copied.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from autograd_lite.core.modes import Label

if TYPE_CHECKING:
    from autograd_lite.core.value import Value

_KEPT = ("_data", "_grad", "_note", "primitive", "_operands", "_partials")
_running = threading.local()


def shallow(node: Value) -> Value:
    """Return a copy of a node that has the same operands."""
    return _restored(type(node), (), *_parts(node))


def deep(order: Sequence[Value], memo: dict[int, Any]) -> Value:
    """Copy the nodes of `order`, operands first, that `memo` lacks; return the copy of the last."""
    for node in order:
        if id(node) not in memo:
            memo[id(node)] = copy = shallow(node)
            copy._operands = tuple([memo.get(id(x), x) for x in node._operands])
    return memo[id(order[-1])]  # type: ignore[no-any-return]


def reduced(node: Value, topological_order: Callable[[Value], Sequence[Value]]) -> tuple[object, ...]:
    """Return what `pickle` needs to rebuild a node.

    A pickle saves what the node was made from before the node, in order. Each then finds its operands saved
    already, and nesting stays flat. Graphs that share nodes in one pickle go on sharing them.
    """
    listed = getattr(_running, "listed", _nothing_listed)()
    if listed is not None and id(node) in listed.ids:
        return _restored, (type(node), (), *_parts(node))
    ancestors = topological_order(node)[:-1]
    return _restored, (type(node), (ancestors, _Listed(ancestors)), *_parts(node))


class _Listed:
    """The ids of the nodes that a running pickle saves ahead of the node it was asked for.

    The thread holds it by a weak reference, so a pickle that fails leaves nothing behind.
    """

    def __init__(self, nodes: Sequence[Value]) -> None:
        self.ids = {id(node) for node in nodes}
        _running.listed = weakref.ref(self)

    def __reduce__(self) -> tuple[object, ...]:
        self.ids.clear()  # saved after the nodes, which are done by now
        return tuple, ()


def _nothing_listed() -> None:
    return None


def _restored(kind: type[Value], _: object, *parts: Any) -> Value:
    node = kind.__new__(kind)
    for slot, part in zip(_KEPT, parts if len(parts) == len(_KEPT) else _of_version_0_1(*parts), strict=True):
        setattr(node, slot, part)
    node._mark = None
    return node


def _parts(node: Value) -> list[object]:
    return [getattr(node, slot, None) for slot in _KEPT]


def _of_version_0_1(
    data: Any, grad: Any, label: Any, scope: Any, primitive: Any, x: Any, y: Any, dx: Any, dy: Any
) -> tuple[object, ...]:
    """The parts of a node of version 0.1, which kept one or two operands in slots of their own."""
    operands: tuple[object, ...]
    partials: tuple[float | None, ...]
    if primitive is None:
        operands = partials = ()
    elif type(dx) is list:  # a neuron of a layer: w and b in x, the inputs in y
        operands, partials = (*x[:-1], *y, x[-1]), (*dx[:-1], *dy, dx[-1])
    elif type(x) is tuple:
        operands, partials = x, tuple([None if type(k) is float else p for k, p in zip(x, dx, strict=True)])
    else:
        operands, partials = ((x,), (dx,)) if y is None else ((x, y), (dx, dy))
    note = scope if label is None else Label(label, scope)
    return data, grad, note, primitive, operands, partials
