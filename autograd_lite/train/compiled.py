"""What `fit` runs: the mean loss of a batch and its gradient, in the fastest form there is.

What does not live here: the steps that are made with it (`optim.py`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.compiler.program import Program, compile

# Operands times samples times steps from which machine code, a second to compile, pays for itself: measured
# on micrograd's demo, where it saves 0.15 ms of each step of 100 samples.
WORTH_COMPILING = 1e8


def _content(program: Program) -> tuple[Any, ...]:
    graph = program.graph
    return graph.ops, graph.operands, graph.constants, program.outputs


class Training:
    """The mean loss over some of the samples, and its gradient, which is added to ``grad``.

    ``form`` says what runs: "machine code", "NumPy" or "Python". Raises `TraceError` if only the eager engine
    can run the loss, which branches on numbers or is not the same each time; and what the loss itself raises.
    """

    def __init__(
        self,
        model: Callable[[Any], Any],
        loss: Callable[[Any, Any], Any],
        inputs: Sequence[Any],
        targets: Sequence[Any],
        steps: int,
    ) -> None:
        self.program, again = [
            compile(lambda x, y: loss(model(x), y), inputs[0], targets[0], name="loss") for _ in range(2)
        ]
        if _content(self.program) != _content(again):
            raise TraceError(
                "the loss is not the same each time it runs, as with random numbers in the model"
            )
        if not self.program.scalar or not self.program.leaves:
            raise TraceError("the loss must be one number that depends on the model")
        self.columns, self.count = self.program.converted((inputs, targets))
        self.form = "Python" if isinstance(self.columns[0], list) else "NumPy"
        work = sum(map(len, self.program.graph.operands)) * len(inputs) * steps
        if self.form == "NumPy" and work > WORTH_COMPILING:
            # No compiler, none that works, or a row that has no form in C: NumPy runs, and `form` says so.
            with warnings.catch_warnings(), suppress(RuntimeError, ValueError):
                warnings.simplefilter("ignore", RuntimeWarning)
                self.program.native()
            self.form = "machine code" if self.program.is_native else "NumPy"
        self.kernel = self.program.kernel("leaf")

    def check(self, inputs: Sequence[Any] | None = None, targets: Sequence[Any] = ()) -> None:
        """Raise what the loss raises for the first example, of its own or of those given, that it refuses."""
        columns = self.columns
        if inputs is not None:
            try:
                columns, _ = self.program.converted((inputs, targets))
            except (ValueError, TypeError):  # of another shape, which the engine may take
                return
        self.program.check(columns, [leaf.data for leaf in self.program.leaves])

    def __call__(self, chosen: Sequence[int] | None = None) -> float:
        """The mean loss of the samples with the numbers `chosen`, or of all."""
        columns, m = self.columns, self.count
        if chosen is not None:
            m = len(chosen)
            if self.form == "Python":
                columns = [[column[i] for i in chosen] for column in columns]
            else:
                columns = [column[list(chosen)] for column in columns]
        leaves = [leaf.data for leaf in self.program.leaves]
        if self.program.checks_leaves:
            self.program.check(columns, leaves)
        value, gradients = self.kernel(columns, leaves)
        if not math.isfinite(value) or not all(map(math.isfinite, gradients)):
            value, gradients = self.program.settled_sums(columns, m, leaves, "leaf")
        self.program.add_gradients(gradients, 1.0 / m)
        return float(value) / m
