"""Checks: the conditions that a function places on its numbers, such as a loss on its labels.

The eager engine checks each label when it records. A traced label is not known yet, so the trace keeps the
condition (`Check` in `trace.py`), and each form of the program checks it before it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autograd_lite.compiler.frontend.trace import Check, Trace
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.passes.rebuild import rebuild
from autograd_lite.compiler.runtime.interpreter import input_values, replay
from autograd_lite.core.value import Value


@dataclass
class Checks:
    """The checks of a function, in a graph of their own; all nodes ``demands`` must be true."""

    graph: Graph = field(default_factory=Graph)
    checks: list[Check] = field(default_factory=list)
    demands: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, trace: Trace) -> Checks:
        """Return the traced checks in one simplified graph."""
        add = trace.graph.add
        nodes: list[int] = []
        for check in trace.checks:
            holds = check.holds
            for condition in reversed(check.given):
                holds = add("or", (add("not", (condition,)), holds))
            nodes += [holds, *check.given, check.holds, check.number]
        graph, found = rebuild(trace.graph, nodes)
        rest = iter(found)
        demands, checks = [], []
        for check in trace.checks:
            demands.append(next(rest))
            given = [next(rest) for _ in check.given]
            checks.append(check._replace(given=given, holds=next(rest), number=next(rest)))
        return cls(graph, checks, demands)

    def __bool__(self) -> bool:
        return bool(self.checks)

    @property
    def moves(self) -> bool:
        """Whether a check reads the leaves, so that a step of training may change its answer."""
        return "leaf" in self.graph.ops

    def run(self, arguments: Sequence[float], leaves: Sequence[float]) -> None:
        """Raise the eager engine's error for the first number that it refuses."""
        inputs = input_values(self.graph, arguments, leaves)
        for check in self.checks:
            # One by one, because the operations of a branch not taken might raise an error.
            if all(replay(self.graph, [c], inputs)[0] for c in check.given):
                holds, number = replay(self.graph, [check.holds, check.number], inputs)
                if not holds:
                    check.refuse(number.data if isinstance(number, Value) else float(number))
