"""`LinearMap`: the derivative of outputs with respect to inputs in a recorded graph, applied either way.

`pull` takes adjoints from the outputs to the inputs (reverse mode), `push` takes tangents from the inputs to
the outputs (forward mode). Next door: `derivatives.py` records the graphs. The derivative rules are in
`core/rules.py`; `Value.backward`, which adds to ``.grad``, is in `core/value.py`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from autograd_lite.core.tracing import Tracer
from autograd_lite.core.value import Value

Scalar: TypeAlias = "Value | float"
Partials: TypeAlias = "tuple[Scalar | None, ...]"  # None where no derivative flows


class Variable(Value):
    """A leaf made by a derivative. It counts as a variable while ``live``, and as a constant after that."""

    __slots__ = ("live",)

    def __init__(self, data: float, live: bool = True) -> None:
        super().__init__(data)
        self.live = live


class LinearMap:
    """The derivative of outputs with respect to inputs in a recorded graph.

    - ``order``: the nodes that link inputs to outputs, operands before consumers
    - ``linked``: these nodes and the inputs
    - ``live``: whether the outputs depend on the variable of a derivative that is under way
    - ``foreign``: whether they depend on leaves that no derivative made

    With `within`, the search for ``live`` and ``foreign`` stops at the inputs.
    """

    def __init__(self, outputs: Sequence[Scalar], inputs: list[Value], within: bool) -> None:
        self.outputs, self.inputs, self.linked = outputs, inputs, set(inputs)
        self.order: list[Value] = []
        self.live = self.foreign = self.recorded = False
        self.partials: Callable[[Value], Partials] = operator.attrgetter("partials")
        seen = set(inputs) if within else set()
        stack: list[Any] = [y for y in outputs if isinstance(y, Value)]
        while stack:
            node = stack.pop()
            if node is None:  # all operands of the next node are done
                node = stack.pop()
                for x, partial in zip(node.operands, node.partials, strict=True):
                    if partial is not None and x in self.linked:
                        self.order.append(node)
                        self.linked.add(node)
                        break
            elif node not in seen:
                seen.add(node)
                if node.primitive is not None:
                    stack += node, None
                    for x, partial in zip(node.operands, node.partials, strict=True):
                        if partial is not None and x not in seen:
                            stack.append(x)
                elif isinstance(node, Variable):
                    self.live = self.live or getattr(node, "live", False)  # a copy has no such slot
                else:
                    self.foreign = True

    def record(self) -> None:
        """Take the partials as functions of the operands, so that the results can be differentiated."""
        self.recorded = True
        kept = {node: partials_as_values(node) for node in self.order}
        # A partial may be a leaf, as ∂(w·x)/∂x = w is, whose data may change before the map is applied.
        numbers = {node: _numbers(partials) for node, partials in kept.items()}

        def partials(node: Value) -> Partials:
            found = kept[node]
            if not all(map(same, _numbers(found), numbers[node])):
                raise ValueError(_CHANGED.format(described(node)))
            return found

        self.partials = partials

    def pull(self, seeds: Iterable[tuple[Scalar, Scalar]]) -> list[Scalar]:
        """Reverse mode, from outputs to inputs: adjoint(x) = Σ adjoint(node) · ∂node/∂x."""
        tracer = next((node for node in self.order if isinstance(node, Tracer)), None)
        if tracer is not None:  # only a trace knows the conditions under which an adjoint arrives
            return self._finished(self.inputs, tracer._pulled(seeds, self.inputs))
        adjoints: dict[Scalar, Scalar] = {}
        for y, seed in seeds:
            _add(adjoints, y, seed)
        for node in reversed(self.order):
            if node in adjoints:
                upstream = adjoints[node]
                for x, partial in zip(node.operands, self.partials(node), strict=True):
                    if partial is not None and x in self.linked:
                        _add(adjoints, x, upstream * partial)
        return self._finished(self.inputs, adjoints)

    def push(self, tangents: dict[Scalar, Scalar]) -> list[Scalar]:
        """Forward mode, from inputs to outputs: tangent(node) = Σ ∂node/∂x · tangent(x)."""
        for node in self.order:
            for x, partial in zip(node.operands, self.partials(node), strict=True):
                if partial is not None and x in tangents:
                    _add(tangents, node, partial * tangents[x])
        return self._finished(self.outputs, tangents)

    def _finished(self, nodes: Sequence[Scalar], found: dict[Scalar, Scalar]) -> list[Scalar]:
        recorded = self.recorded or any(
            isinstance(x, Value) for x in found.values()
        )  # the seeds may be Values
        return floats_or_values([found.get(x, 0.0) for x in nodes], recorded)


def _add(totals: dict[Scalar, Scalar], node: Scalar, term: Scalar) -> None:
    totals[node] = totals[node] + term if node in totals else term


def floats_or_values(numbers: Iterable[Scalar], recorded: bool) -> list[Scalar]:
    """Return results as floats; as Values if they were recorded, because callers may use their methods."""
    if recorded:
        return [x if isinstance(x, Value) else Variable(x, live=False) for x in numbers]
    return [x.data if isinstance(x, Value) else x for x in numbers]


# --- The partials of a node, as Values -------------------------------------------------------------

_CHANGED = (
    "{} no longer holds: data was changed after recording, so its rule cannot be run again; "
    "record the computation anew"
)


def partials_as_values(node: Value) -> Partials:
    """Return the partials of a node as functions of its operands, by running its rule on these.

    Raises `ValueError` if data was changed after recording: the rule would give other partials.
    """
    row, operands = node.primitive, node.operands
    assert row is not None
    if isinstance(node, Tracer):  # while a function is traced there is no data yet
        try:
            return row.rule(node, *operands)
        except (ArithmeticError, ValueError):  # from constants among the operands: the node itself fails, too
            return (math.nan * node,) * len(operands)
    numbers = [x.data if isinstance(x, Value) else x for x in operands]
    try:
        out = row.forward(*numbers)
        pairs = [*zip(node.partials, row.rule_on_floats(out, *numbers), strict=True)]
        fits = same(out, node.data) and all(before is None or same(before, now) for before, now in pairs)
    except (ArithmeticError, ValueError):
        fits = False
    if not fits:
        raise ValueError(_CHANGED.format(described(node)))
    rule = row.rule(node, *operands)
    return tuple([None if p is None else r for p, r in zip(node.partials, rule, strict=True)])


def described(node: Value) -> str:
    """Return a node with its operation, for messages: ``Value(6.0) = mul(x = Value(3.0), 2.0)``."""
    row = node.primitive
    assert row is not None
    return f"{node!r} = {row.name}({', '.join(map(repr, node.operands))})"


def _numbers(partials: Partials) -> list[float | None]:
    """Return the present numbers of partials; None for one that is missing or, while tracing, unknown."""
    return [None if isinstance(p, Tracer) else p.data if isinstance(p, Value) else p for p in partials]


def same(a: float | None, b: float | None) -> bool:
    """Return whether two numbers are equal, where NaN equals NaN."""
    return a == b or (a != a and b != b)
