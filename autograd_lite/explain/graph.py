"""What explanations ask of recorded graphs: adjoints, the part between two nodes, what is alive, past passes.

No ``.grad`` is read or changed here. Recording and `backward` itself live in `value.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from autograd_lite.core import modes
from autograd_lite.core.value import Value


class Edge(NamedTuple):
    """One use of an operand, at a position among the consumer's: ``partial`` = ∂consumer/∂operand."""

    consumer: Value
    position: int
    operand: Value
    partial: float


def edges(node: Value) -> Iterator[Edge]:
    """The uses that carry gradient: neither constants nor branches that were not taken."""
    if node.primitive is not None:
        for position, (x, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
            if partial is not None:
                yield Edge(node, position, x, partial)  # type: ignore[arg-type]  # constants have none


def adjoints(order: list[Value], seed: float = 1.0) -> dict[Value, float]:
    """∂root/∂node · seed for the nodes that gradient reaches, to the last bit as `backward` adds them up.

    `order` is a topological order whose last node is the root.
    """
    found = {order[-1]: seed}
    for node in reversed(order):
        if node in found:
            for edge in edges(node):
                found[edge.operand] = found.get(edge.operand, 0.0) + found[node] * edge.partial
    return found


class Between:
    """The paths from an output, the last node of a topological order, down to one node.

    ``order`` is the nodes on them, operands first, both ends included; empty if there is no path.
    """

    def __init__(self, order: list[Value], wrt: Value) -> None:
        found: dict[Value, list[Edge]] = {wrt: []}
        for node in order:
            if node is not wrt:
                linked = [edge for edge in edges(node) if edge.operand in found]
                if linked:
                    found[node] = linked
        # What depends on wrt need not lead to the output.
        needed = {order[-1]} if order[-1] in found else set()
        for node in reversed(order):
            if node in needed:
                needed.update([edge.operand for edge in found[node]])
        self.order = [node for node in order if node in needed]
        self._edges = found

    def edges(self, node: Value) -> list[Edge]:
        """The uses by `node` of what lies on a path."""
        return self._edges[node]


# --- What is alive ---------------------------------------------------------------------------------


def alive() -> list[Value]:
    """Every Value that exists now, as the garbage collector knows it."""
    # Not isinstance, which asks foreign objects for their `__class__`: some load themselves, some raise.
    return [thing for thing in gc.get_objects() if issubclass(type(thing), Value)]


def consumers(values: Iterable[Value]) -> dict[Value, list[Value]]:
    """For each Value the nodes among `values` that were made from it; the branch not taken counts."""
    found: dict[Value, list[Value]] = {}
    for node in values:
        for x in node.operands:
            if isinstance(x, Value):
                found.setdefault(x, []).append(node)
    return found


def above(value: Value, made_from: dict[Value, list[Value]]) -> dict[Value, None]:
    """What was made from `value`, directly or not, `value` included."""
    found = {value: None}
    stack = [value]
    while stack:
        for node in made_from.get(stack.pop(), ()):
            if node not in found:
                found[node] = None
                stack.append(node)
    return found


class Pass(NamedTuple):
    """A backward pass that ran: its root, or None where the root is gone, and its seed."""

    root: Value | None
    seed: float


def passes(values: Iterable[Value]) -> list[Pass]:
    """The latest backward passes, in order, their roots looked for among `values`."""
    log = [*modes.backward_log]
    wanted = {identity for identity, _, _ in log}
    roots = {id(node): node for node in values if id(node) in wanted}
    return [
        Pass(roots[identity] if identity in roots and roots[identity].data is data else None, seed)
        for identity, data, seed in log
    ]
