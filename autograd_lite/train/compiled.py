"""`CompiledLoss`: the mean loss of a batch and its gradient as a program, in the fastest form available.

A model, a loss and examples go in; a function that takes the numbers of some examples comes out. Next door:
`steps.py` decides when `fit` uses it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.compiler.program import Program, compile

Example: TypeAlias = Any  # an input or a target: whatever the model and the loss take
Output: TypeAlias = Any  # what the model returns and the loss takes: a Value, or a container of Values
Model: TypeAlias = Callable[[Example], Output]
Loss: TypeAlias = Callable[[Output, Example], Output]

# Operands times samples times steps from which machine code is compiled. On micrograd's demo it takes 0.09 ms
# for a step of 100 samples where NumPy takes 0.19, and 1.1 ms for one of 10,000 where NumPy takes 4.9. The
# first build takes 0.7 s, which pays off from about 1e9; a build found in the cache pays off from 2e7.
WORTH_COMPILING = 1e8


class CompiledLoss:
    """The mean loss of some examples; a call adds its gradient to ``grad`` of the parameters.

    ``form`` says what runs: "machine code", "NumPy" or "Python". Raises `TraceError` if only the eager engine
    can run the loss, because it branches on numbers or changes from call to call. Errors of the loss pass
    through.
    """

    def __init__(
        self,
        model: Model,
        loss: Loss,
        inputs: Sequence[Example],
        targets: Sequence[Example],
        steps: int,
    ) -> None:
        def of_one(x: Example, y: Example) -> Output:
            return loss(model(x), y)

        self.program, again = [compile(of_one, inputs[0], targets[0], name="loss") for _ in range(2)]
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
            # NumPy takes over if there is no working compiler, or if a row has no form in C.
            with warnings.catch_warnings(), suppress(RuntimeError, ValueError):
                warnings.simplefilter("ignore", RuntimeWarning)
                self.program.native()
            self.form = "machine code" if self.program.is_native else "NumPy"
        self.kernel = self.program.kernel("leaf")

    def check(self, inputs: Sequence[Example] | None = None, targets: Sequence[Example] = ()) -> None:
        """Raise the error of the loss for the first example that it refuses, own or given."""
        columns = self.columns
        if inputs is not None:
            try:
                columns, _ = self.program.converted((inputs, targets))
            except (ValueError, TypeError):  # another shape, which the engine may accept
                return
        self.program.check(columns, self.program.leaf_numbers())

    def __call__(self, chosen: Sequence[int] | None = None) -> float:
        """Return the mean loss of the examples with the numbers `chosen`, or of all; add its gradient."""
        columns, m = self.columns, self.count
        if chosen is not None:
            m = len(chosen)
            if self.form == "Python":
                columns = [[column[i] for i in chosen] for column in columns]
            else:
                columns = [column[list(chosen)] for column in columns]
        leaves = self.program.leaf_numbers()
        if self.program.checks_leaves:
            self.program.check(columns, leaves)
        value, gradients = self.kernel(columns, leaves)
        if not math.isfinite(value) or not all(map(math.isfinite, gradients)):
            value, gradients = self.program.settled_sums(columns, m, leaves, "leaf")
        self.program.add_gradients(gradients, 1.0 / m)
        return float(value) / m


def _content(program: Program) -> tuple[object, ...]:
    graph = program.graph
    return graph.ops, graph.operands, graph.constants, program.outputs
