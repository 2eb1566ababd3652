"""`Links`: the part of a graph between two nodes, reduced to the nodes that formulas name.

A link joins two named nodes; nodes that formulas write out disappear into the links. Next door: `chain.py`
reads the chain rule off the links, `notation/reader.py` decides which nodes have names.
"""

from __future__ import annotations

from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import Between
from autograd_lite.notation.formula import Sum, number
from autograd_lite.notation.reader import Reader, depth_first


class Links:
    """The part of a graph between two nodes, reduced to the nodes that have a name in formulas.

    ``nodes`` are the named nodes, from the output down. ``partials[node]`` gives, for each named node x next
    below, ∂node/∂x and the number of paths in between; ``consumers`` is the reverse.
    """

    def __init__(self, output: Value, wrt: Value) -> None:
        self.order = topological_order(output)
        self.between = Between(self.order, wrt)
        self.reader = Reader(output, also=[wrt])
        self.nodes = [node for node in reversed(self.between.order) if node in self.reader]
        self.partials = {node: self._linked(node) for node in self.nodes}
        self._formulas: dict[Value, dict[Value, Sum]] = {}
        self._places = self._as_read()
        self.consumers: dict[Value, list[Value]] = {}
        for node in sorted(self.nodes, key=self._places.__getitem__):
            for x in self.partials[node]:
                self.consumers.setdefault(x, []).append(node)

    def _as_read(self) -> dict[Value, int]:
        """Return the position of each named node in formulas read from the output down."""
        places: dict[Value, int] = {}
        stack = self.nodes[:1]
        while stack:
            node = stack.pop()
            if node not in places:
                places[node] = len(places)
                stack += reversed(self.partials[node])
        return places

    def _written_out(self, node: Value) -> list[Value]:
        """Return `node` and the nodes that are written out in it, consumers first."""

        def unnamed(x: Value) -> list[Value]:
            return [edge.operand for edge in self.between.edges(x) if edge.operand not in self.reader]

        return depth_first(node, unnamed)[::-1]

    def _linked(self, node: Value) -> dict[Value, tuple[float, int]]:
        """Return ∂node/∂x and the number of paths, for the named nodes x next below a node."""
        found = {node: (1.0, 1)}
        for x in self._written_out(node):
            for edge in self.between.edges(x):
                total, paths = found.get(edge.operand, (-0.0, 0))
                found[edge.operand] = total + found[x][0] * edge.partial, paths + found[x][1]
        return {x: link for x, link in found.items() if x in self.reader and x is not node}

    def formulas(self, node: Value) -> dict[Value, Sum]:
        """Return ∂node/∂x for the named nodes x next below a node, as formulas."""
        if node not in self._formulas:
            found = {node: number(1.0)}
            for x in self._written_out(node):
                for edge in self.between.edges(x):
                    term = found[x] * self.reader.partial(x, edge.position)
                    found[edge.operand] = found.get(edge.operand, Sum(())) + term
            self._formulas[node] = {x: found[x].combined() for x in self.partials[node]}
        return self._formulas[node]

    def waists(self) -> list[int]:
        """Return the positions in `nodes` that every path leads through."""
        places = {node: k for k, node in enumerate(self.nodes)}
        found, furthest = [], 0
        for k, node in enumerate(self.nodes):
            if k >= furthest:
                found.append(k)
            furthest = max([furthest, *[places[x] for x in self.partials[node]]])
        return found
