"""`rebuild`: copy the part of a graph that some outputs need into a graph that shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.core.primitive import Primitive


def rebuild(
    graph: Graph,
    outputs: Sequence[int],
    into: Graph | None = None,
    add: Callable[[Op, tuple[int, ...]], int] | None = None,
) -> tuple[Graph, list[int]]:
    """Copy the nodes that the outputs need into a graph, a new one or `into`; return it and the new outputs.

    `add` writes each operation; a pass may supply its own, the default is that of the graph.
    """
    new = Graph() if into is None else into
    add = add or new.add
    place: dict[int, int] = {}
    for i in graph.live(outputs):
        op = graph.ops[i]
        if op == "constant":
            place[i] = new.constant(graph.numbers[i])
        elif op in ("argument", "leaf"):
            place[i] = new.input(op, graph.numbers[i], graph.labels[i])
        else:
            place[i] = add(op, tuple([place[k] for k in graph.operands[i]]))
        if i in graph.labels:
            new.labels.setdefault(place[i], graph.labels[i])
        if i in graph.adjoints and graph.adjoints[i] in place:
            new.adjoints.setdefault(place[i], place[graph.adjoints[i]])
        if isinstance(op, Primitive):
            new.origins.setdefault(place[i], graph.origins.get(i, op.name))
    return new, [place[i] for i in outputs]
