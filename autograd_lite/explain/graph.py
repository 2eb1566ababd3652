"""Queries on recorded graphs: adjoints, the part between two nodes, and past backward passes.

Recording stores nothing for explanations. The nodes made from a Value are found among all Values that
are alive, and adjoints are computed again. No ``.grad`` is read or changed here. Next door:
`paths.py` counts and ranks paths; `core/value.py` holds `backward` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from autograd_lite.core import modes, tracing
from autograd_lite.core.primitive import Primitive
from autograd_lite.core.value import Value


class Edge(NamedTuple):
    """One use of an operand by a consumer: its position there, and ``partial`` = ∂consumer/∂operand."""

    consumer: Value
    position: int
    operand: Value
    partial: float

    @property
    def row(self) -> Primitive:
        """The operation that made the consumer."""
        assert self.consumer.primitive is not None
        return self.consumer.primitive


def edges(node: Value) -> Iterator[Edge]:
    """Yield the uses of operands that carry gradient: neither constants nor branches not taken."""
    if node.primitive is not None:
        for position, (x, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
            if partial is not None:
                yield Edge(node, position, x, partial)  # type: ignore[arg-type]  # constants have none


def adjoints(order: list[Value], seed: float = 1.0) -> dict[Value, float]:
    """Return ∂root/∂node · seed for each node that gradient reaches, bit for bit as in `backward`.

    `order` is a topological order, and its last node is the root.
    """
    found = {order[-1]: seed}
    for node in reversed(order):
        if node in found:
            for edge in edges(node):
                found[edge.operand] = found.get(edge.operand, 0.0) + found[node] * edge.partial
    return found


class Between:
    """The part of a graph on the paths from an output, the last node of a topological order, to one node.

    ``order`` holds the nodes on the paths, operands first, both ends included; it is empty without a path.
    """

    def __init__(self, order: list[Value], wrt: Value) -> None:
        found: dict[Value, list[Edge]] = {wrt: []}
        for node in order:
            if node is not wrt:
                linked = [edge for edge in edges(node) if edge.operand in found]
                if linked:
                    found[node] = linked
        # Not every node that depends on wrt leads to the output.
        needed = {order[-1]} if order[-1] in found else set()
        for node in reversed(order):
            if node in needed:
                needed.update([edge.operand for edge in found[node]])
        self.order = [node for node in order if node in needed]
        self._edges = found

    def edges(self, node: Value) -> list[Edge]:
        """Return the uses of operands by `node` that are steps of a path."""
        return self._edges[node]


# --- Live Values and past passes -------------------------------------------------------------------


def alive() -> list[Value]:
    """Return every Value alive now."""
    return [thing for thing in tracing.alive() if isinstance(thing, Value)]


def consumers(values: Iterable[Value]) -> dict[Value, list[Value]]:
    """Return, for each Value, the nodes among `values` made from it, even by a branch not taken."""
    found: dict[Value, list[Value]] = {}
    for node in values:
        for x in node.operands:
            if isinstance(x, Value):
                found.setdefault(x, []).append(node)
    return found


def above(value: Value, made_from: dict[Value, list[Value]]) -> dict[Value, None]:
    """Return `value` and every node made from it, directly or not."""
    found = {value: None}
    stack = [value]
    while stack:
        for node in made_from.get(stack.pop(), ()):
            if node not in found:
                found[node] = None
                stack.append(node)
    return found


class Pass(NamedTuple):
    """A backward pass that ran: its root, or None if the root is gone, and its seed."""

    root: Value | None
    seed: float


def passes(values: Iterable[Value]) -> list[Pass]:
    """Return the latest backward passes, in order; their roots are looked up among `values`."""
    log = [*modes.backward_log]
    wanted = {identity for identity, _, _ in log}
    roots = {id(node): node for node in values if id(node) in wanted}
    return [
        Pass(roots[identity] if identity in roots and roots[identity].data is data else None, seed)
        for identity, data, seed in log
    ]
