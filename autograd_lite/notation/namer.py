"""`Namer`: the names of the nodes in one text.

Next door: `names.py` typesets a label, `formula.py` asks for names while it writes a formula.
"""

from __future__ import annotations

from collections.abc import Iterable

from autograd_lite.core.value import Value
from autograd_lite.notation.writing import Notation, Printed


class Namer:
    """Names the nodes of one text by their labels, and nodes without a label v1, v2, ...

    Two nodes with the same label are told apart by a number. Numbers follow the order in which the nodes are
    first asked for; no made-up name is the label of another of `nodes`.

    >>> from autograd_lite.notation.writing import TEXT
    >>> w, other, x = Value(2.0, "w"), Value(3.0, "w"), Value(4.0)
    >>> namer = Namer([w, other, x])
    >>> [namer(node, TEXT).text for node in (w, other, x)]
    ['w', 'w⁽²⁾', 'v₁']
    """

    def __init__(self, nodes: Iterable[Value]) -> None:
        self._labels = {node.label for node in nodes if node.label}
        self._names: dict[Value, tuple[str, int]] = {}
        self._uses: dict[str, int] = {}
        self._made_up = 0

    def __call__(self, node: Value, notation: Notation) -> Printed:
        """Return the node's name in a notation."""
        return notation.name(*self.key(node))

    def key(self, node: Value) -> tuple[str, int]:
        """Return the node's label, its own or made up, and its number among the nodes of that label."""
        if node not in self._names:
            label = node.label
            while not label:
                self._made_up += 1
                label = None if f"v{self._made_up}" in self._labels else f"v{self._made_up}"
            ordinal = self._uses.get(label, 0) + 1
            while ordinal > 1 and f"{label}__{ordinal}" in self._labels:  # that is its symbol in SymPy
                ordinal += 1
            self._uses[label] = ordinal
            self._names[node] = label, ordinal
        return self._names[node]

    def named(self) -> list[Value]:
        """Return the nodes that have been named so far, in that order."""
        return [*self._names]
