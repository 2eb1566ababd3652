"""`Namer`: the names of the nodes in one text.

Next door: `names.py` typesets a label, `formula.py` asks for names while it writes a formula.
"""

from __future__ import annotations

from collections.abc import Iterable

from autograd_lite.core.value import Value
from autograd_lite.notation.writing import Notation, Printed


class Namer:
    """Names nodes by their labels, and nodes without a label v1, v2, ... in the order of `nodes`.

    Two nodes with the same label are told apart by a number. For the topological order of a graph the names
    are the same in every text and picture of it. No made-up name is the label of another of `nodes`. Nodes
    that are not among them are named when they are first asked for.

    >>> from autograd_lite.notation.writing import TEXT
    >>> w, other, x = Value(2.0, "w"), Value(3.0, "w"), Value(4.0)
    >>> namer = Namer([w, other, x])
    >>> [namer(node, TEXT).text for node in (x, other, w)]
    ['v₁', 'w⁽²⁾', 'w']
    """

    def __init__(self, nodes: Iterable[Value]) -> None:
        order = [*nodes]
        self._labels = {node.label for node in order if node.label}
        self._names: dict[Value, tuple[str, int]] = {}
        self._uses: dict[str, int] = {}
        self._made_up = 0
        waiting: set[object] = {id(node) for node in order if node.primitive is None}
        for node in order:
            if node.primitive is not None:
                # A leaf has its turn where it is first used, so that layers are named from first to last.
                for x in node.operands:
                    if id(x) in waiting:
                        waiting.discard(id(x))
                        self._assign(x)  # type: ignore[arg-type]
                self._assign(node)
        for node in order:
            self._assign(node)
        self._asked: dict[Value, None] = {}

    def __call__(self, node: Value, notation: Notation) -> Printed:
        """Return the node's name in a notation."""
        return notation.name(*self.key(node))

    def key(self, node: Value) -> tuple[str, int]:
        """Return the node's label, its own or made up, and its number among the nodes of that label."""
        self._asked[node] = None
        self._assign(node)
        return self._names[node]

    def _assign(self, node: Value) -> None:
        if node in self._names:
            return
        label = node.label
        while not label:
            self._made_up += 1
            label = None if f"v{self._made_up}" in self._labels else f"v{self._made_up}"
        ordinal = self._uses.get(label, 0) + 1
        while ordinal > 1 and f"{label}__{ordinal}" in self._labels:  # that is its symbol in SymPy
            ordinal += 1
        self._uses[label] = ordinal
        self._names[node] = label, ordinal

    def named(self) -> list[Value]:
        """Return the nodes that have been asked for so far, in that order."""
        return [*self._asked]
