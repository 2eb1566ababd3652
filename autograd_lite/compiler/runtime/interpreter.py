"""Run a program node by node: by the eager engine, which locates errors, or as a `Tape`.

A graph and numbers go in; the outputs or the adjoints come out. Next door: loops and machine code
(`machine.py`), which run many samples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from autograd_lite.compiler.ir.graph import COMPARISONS, CONDITIONS, Graph, Op
from autograd_lite.compiler.runtime.interface import Columns, Numbers
from autograd_lite.core import modes
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive, Scalar
from autograd_lite.core.value import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def input_values(graph: Graph, arguments: Sequence[float], leaves: Sequence[float]) -> dict[int, Value]:
    """Return a Value for each node of the graph that is an argument or a leaf."""
    given = {"argument": arguments, "leaf": leaves}
    return {
        i: Value(given[op][graph.numbers[i]], graph.labels.get(i))
        for i, op in enumerate(graph.ops)
        if op == "argument" or op == "leaf"
    }


@modes.enable_grad()
def replay(graph: Graph, outputs: Sequence[int], inputs: dict[int, Value]) -> list[Scalar]:
    """Return the outputs, recorded by the eager engine.

    Only the necessary nodes run: one branch of a `where`, and the second operand of `and` and `or` if the
    first does not decide.
    """
    known: dict[int, Scalar] = dict(inputs)
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
        if op is table.where or op is table.entry or op in ("and", "or"):
            first, *others = operands
            if first not in known:
                stack.append(first)
                continue
            if op is table.where:
                taken = others[0] if known[first] else others[1]
            elif op is table.entry:
                taken = others[int(known[first].data)]
            else:  # the second may have no value where the first one decides
                taken = first if bool(known[first]) == (op == "or") else others[0]
            if taken in known:
                known[i] = known[taken]
            else:
                stack.append(taken)
            continue
        missing = [k for k in operands if k not in known]
        if missing:
            stack += missing
        else:
            known[i] = _applied(op, [known[k] for k in operands])
    return [known[i] for i in outputs]


def _applied(op: Op, x: list[Scalar]) -> Scalar:
    if isinstance(op, Primitive):
        node = next((xi for xi in x if isinstance(xi, Value)), None)
        return op.forward(*x) if node is None else node._record(op, tuple(x))
    return COMPARISONS[op](*x) if op in COMPARISONS else not x[0]


_Forward: TypeAlias = Callable[..., float]
_Rule: TypeAlias = Callable[..., tuple[float, ...]]


class Tape:
    """The steps of a graph without conditions, run forward and backward by the rows' functions on floats.

    It replaces source code for a graph so large that compiling the source costs more time than it saves.
    """

    def __init__(self, graph: Graph, output: int) -> None:
        self.inputs: list[tuple[int, str, int]] = []
        self.output = output
        self.start = [0.0] * len(graph)
        self.steps: list[
            tuple[int, Callable[..., float], Callable[..., tuple[float, ...]], tuple[int, ...]]
        ] = []
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
        """Return whether the graph has no choices; those need the eager engine."""
        return not any(op in CONDITIONS or op is table.where for op in graph.ops)

    def run(self, arguments: Sequence[float], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """Return the value, and the adjoint of every node."""
        v = [*self.start]
        for i, kind, place in self.inputs:
            v[i] = arguments[place] if kind == "argument" else leaves[place]
        partials = []
        for i, forward, rule, operands in self.steps:
            x = [v[k] for k in operands]
            v[i] = out = forward(*x)
            partials.append(rule(out, *x))
        adjoints = [-0.0] * len(v)
        adjoints[self.output] = 1.0
        for i, _, _, operands in reversed(self.steps):
            upstream = adjoints[i]
            for k, partial in zip(operands, partials.pop(), strict=True):
                adjoints[k] += upstream * partial
        return v[self.output], adjoints


class TapeKernel:
    """Sums over samples by the tape, one sample after the other, for a graph too irregular for loops."""

    def __init__(
        self, run: Callable[[Sequence[float], Sequence[float]], tuple[float, list[float]]], numpy: ModuleType
    ) -> None:
        self.run, self.np = run, numpy

    def samples(self, columns: Columns) -> NDArray[np.float64]:
        """Return the samples as rows, shape (samples, arguments)."""
        rows: NDArray[np.float64] = self.np.stack(columns, axis=1) if columns else self.np.zeros((1, 0))
        return rows

    def chosen(self, samples: NDArray[np.float64], rows: Sequence[int]) -> NDArray[np.float64]:
        """Return some of the samples."""
        return samples[rows]

    def sums(self, samples: NDArray[np.float64], leaves: Numbers) -> NDArray[np.float64]:
        """Return the sums of the value and of the gradients over the samples, shape (1 + inputs,)."""
        given = leaves.tolist() if hasattr(leaves, "tolist") else leaves
        rows = [self.run(sample, given) for sample in samples.tolist()]
        sums: NDArray[np.float64] = self.np.array([[value, *gradients] for value, gradients in rows]).sum(
            axis=0
        )
        return sums

    def __call__(self, columns: Columns, leaves: Sequence[float]) -> tuple[float, list[float]]:
        """Return the sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), leaves).tolist()
        return value, gradients
