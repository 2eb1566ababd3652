"""What a function asks of its numbers while it runs: a loss refuses a label that is not a class.

The eager engine looks at each label when it records. A traced label is not known yet, so the trace keeps the
condition that it must fulfil, and each form of the program asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autograd_lite.compiler.frontend.trace import Trace, rebuilt
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.runtime.interpreter import replay
from autograd_lite.core.value import Value


@dataclass
class Check:
    """Where all nodes ``given`` are true, ``holds`` must be, else ``refuse`` raises for the node ``number``.

    ``sentence`` says the same in the text of a program.
    """

    given: list[int]
    holds: int
    number: int
    refuse: Callable[[float], None]
    sentence: str


@dataclass
class Checks:
    """The checks of a function, in a graph of their own; ``demands`` are its nodes that must all be true."""

    graph: Graph = field(default_factory=Graph)
    checks: list[Check] = field(default_factory=list)
    demands: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, trace: Trace) -> Checks:
        """What was asked for while a function was traced."""
        add = trace.graph.add
        nodes: list[int] = []
        for given, holds, number, _, _ in trace.checks:
            demand = holds
            for condition in reversed(given):
                demand = add("or", (add("not", (condition,)), demand))
            nodes += [demand, *given, holds, number]
        graph, found = rebuilt(trace.graph, nodes)
        rest = iter(found)
        demands, checks = [], []
        for given, _, _, refuse, sentence in trace.checks:
            demands.append(next(rest))
            checks.append(Check([next(rest) for _ in given], next(rest), next(rest), refuse, sentence))
        return cls(graph, checks, demands)

    def __bool__(self) -> bool:
        return bool(self.checks)

    @property
    def moves(self) -> bool:
        """Whether a check asks for the leaves, so that a step may turn its answer round."""
        return "leaf" in self.graph.ops

    def run(self, arguments: Sequence[float], leaves: Sequence[float]) -> None:
        """Raise what the eager engine raises for numbers that it refuses."""
        given = {"argument": arguments, "leaf": leaves}
        inputs = {
            i: Value(given[op][self.graph.numbers[i]], self.graph.labels.get(i))
            for i, op in enumerate(self.graph.ops)
            if op == "argument" or op == "leaf"
        }
        for check in self.checks:
            # One by one: below a branch that is not taken nothing is computed.
            if all(replay(self.graph, [c], inputs)[0] for c in check.given):
                holds, number = replay(self.graph, [check.holds, check.number], inputs)
                if not holds:
                    check.refuse(number.data if isinstance(number, Value) else float(number))
