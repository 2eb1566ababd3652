"""A program run node by node: by the eager engine, which says where a number went wrong, and as a tape.

A tape takes the place of source where a graph is so large that compiling it would take longer than it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autograd_lite.compiler.ir.graph import COMPARISONS, CONDITIONS, Graph
from autograd_lite.core import modes
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive
from autograd_lite.core.value import Value


@modes.enable_grad()
def replay(graph: Graph, outputs: Sequence[int], inputs: dict[int, Value]) -> list[Any]:
    """The outputs, recorded by the eager engine; of a `where` only the branch that is taken is run."""
    known: dict[int, Any] = dict(inputs)
    stack = [*reversed(outputs)]
    while stack:
        i = stack[-1]
        if i in known:
            stack.pop()
            continue
        op, operands = graph.ops[i], graph.operands[i]
        if op == "constant":
            known[i] = graph.numbers[i]
            continue
        if op is table.where:
            if operands[0] in known:
                taken = operands[1] if known[operands[0]] else operands[2]
                if taken in known:
                    known[i] = known[taken]
                else:
                    stack.append(taken)
            else:
                stack.append(operands[0])
            continue
        missing = [k for k in operands if k not in known]
        if missing:
            stack += missing
            continue
        x = [known[k] for k in operands]
        if isinstance(op, Primitive):
            node = next((xi for xi in x if isinstance(xi, Value)), None)
            known[i] = op.forward(*x) if node is None else node._record(op, tuple(x))
        elif op in COMPARISONS:
            known[i] = COMPARISONS[op](*x)
        else:
            known[i] = not x[0] if op == "not" else all(x) if op == "and" else any(x)
    return [known[i] for i in outputs]


class Tape:
    """The value and the gradient of a graph without conditions, by the rows' functions on floats."""

    def __init__(self, graph: Graph, output: int) -> None:
        self.inputs: list[tuple[int, str, int]] = []
        self.output = output
        self.start = [0.0] * len(graph)
        self.steps: list[tuple[int, Any, Any, tuple[int, ...]]] = []
        for i in graph.live([output]):
            op = graph.ops[i]
            if isinstance(op, Primitive):
                self.steps.append((i, op.forward, op.rule_on_floats, graph.operands[i]))
            elif op == "constant":
                self.start[i] = graph.numbers[i]
            else:
                self.inputs.append((i, op, graph.numbers[i]))

    @staticmethod
    def fits(graph: Graph) -> bool:
        """Whether the graph has no choices, which take the eager engine."""
        return not any(op in CONDITIONS or op is table.where for op in graph.ops)

    def run(
        self, arguments: Sequence[float], leaves: Sequence[float], gradient: bool = True
    ) -> tuple[float, list[float]]:
        """The value, and the adjoint of every node."""
        v = [*self.start]
        for i, kind, place in self.inputs:
            v[i] = arguments[place] if kind == "argument" else leaves[place]
        partials = []
        for i, forward, rule, operands in self.steps:
            x = [v[k] for k in operands]
            v[i] = out = forward(*x)
            if gradient:
                partials.append(rule(out, *x))
        adjoints = [-0.0] * len(v)
        if gradient:
            adjoints[self.output] = 1.0
            for i, _, _, operands in reversed(self.steps):
                upstream = adjoints[i]
                for k, partial in zip(operands, partials.pop(), strict=True):
                    adjoints[k] += upstream * partial
        return v[self.output], adjoints


class TapeKernel:
    """Sums over samples by the tape, one sample after the other: for what is no loops."""

    def __init__(
        self, run: Callable[[Sequence[float], Sequence[float]], tuple[float, list[float]]], numpy: Any
    ) -> None:
        self.run, self.np = run, numpy

    def samples(self, columns: Sequence[Any]) -> Any:
        """The columns as `sums` takes them."""
        return self.np.stack(columns, axis=1) if columns else self.np.zeros((1, 0))

    def sums(self, samples: Any, leaves: Any) -> Any:
        """The sums of the value and of the gradients over the samples."""
        given = leaves.tolist() if hasattr(leaves, "tolist") else leaves
        rows = [self.run(sample, given) for sample in samples.tolist()]
        return self.np.array([[value, *gradients] for value, gradients in rows]).sum(axis=0)

    def __call__(self, columns: Sequence[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """The sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), leaves).tolist()
        return value, gradients
