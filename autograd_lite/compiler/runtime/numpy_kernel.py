"""Run loops with NumPy: sums over a batch in blocks of samples that stay in the cache.

A loop program, columns and leaves go in; sums come out. Next door: `codegen/numpy_loops.py` prints the two
functions that are called here, `machine.py` runs the same loops as machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autograd_lite.compiler.codegen import python
from autograd_lite.compiler.codegen.numpy_loops import numpy_text
from autograd_lite.compiler.loops.ir import ARGUMENT, CONSTANT, NESTS, PARAMETER, LoopProgram
from autograd_lite.compiler.loops.vectorize import VectorizedBatch
from autograd_lite.compiler.runtime.interface import Columns, Numbers, Sums

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1024  # samples: a few dozen rows of this length fit a second-level cache


class NumpyKernel:
    """The sums over the samples of a loop program, by NumPy."""

    def __init__(self, found: LoopProgram | VectorizedBatch, numpy: ModuleType) -> None:
        self.np, self.recorded = numpy, found if isinstance(found, VectorizedBatch) else None
        self.program = found if isinstance(found, LoopProgram) else found.program
        # Once a block as large as this is freed, C's allocator keeps memory for the arrays of the next call.
        # Otherwise it returns the memory to the system each time: 7 ms instead of 2 for 10,000 samples.
        numpy.empty(2**21)
        source = numpy_text(self.program, numpy)
        self._block: Callable[..., Any]
        self._parts: Callable[..., Any]
        functions: Any = python.load(source.text, "functions", source.bound)
        self._block, self._parts = functions
        self._fixed = [k in source.fixed for k in source.parts]
        self._inputs = [(space, number) for space, number in self.program.outputs if space < NESTS]
        self._order: NDArray[np.int64] = numpy.array(self._places(source.parts))

    def _places(self, parts: list[int]) -> list[int]:
        """Return where each output is among the parts, the inputs and the results of each sample."""
        program, starts, at = self.program, dict[int, int](), 0
        for k in parts:
            starts[k] = at
            at += program.nests[k].size
        rest = iter(range(at, at + len(self._inputs)))
        order = [starts[s - NESTS] + number if s >= NESTS else next(rest) for s, number in program.outputs]
        if self.recorded is None:
            return order
        first = at + len(self._inputs)
        order += range(first, first + len(program.each) * len(self.recorded.data))
        return [order[k] for k in self.recorded.order]

    def samples(self, columns: Columns) -> NDArray[np.float64]:
        """Return the columns as `sums` reads them, shape (arguments, samples)."""
        array: NDArray[np.float64] = self.np.stack(columns) if columns else self.np.zeros((0, 1))
        return array

    def chosen(self, samples: NDArray[np.float64], rows: Sequence[int]) -> NDArray[np.float64]:
        """Return some of the samples."""
        return samples[:, rows]

    def __call__(self, columns: Columns, leaves: Numbers) -> Sums:
        """Return the sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), leaves).tolist()
        return value, gradients

    def sums(self, samples: NDArray[np.float64], leaves: Numbers) -> NDArray[np.float64]:
        """Return the sums of the outputs over the columns of `samples`, shape (outputs,)."""
        numpy, constants = self.np, self.program.constants
        numbers = numpy.asarray(leaves)
        x = samples if self.recorded is None else self.recorded.rows(numbers).T
        m = x.shape[1]
        w = numbers[self.program.leaves]
        with numpy.errstate(all="ignore"):
            totals, fixed, each = self._block(x if m <= BLOCK else x[:, :BLOCK], w, constants)
            for start in range(BLOCK, m, BLOCK):
                more, fixed, rows = self._block(x[:, start : start + BLOCK], w, constants)
                totals = [a + b for a, b in zip(totals, more, strict=True)]
                each = [numpy.concatenate([a, b], axis=1) for a, b in zip(each, rows, strict=True)]
            found = self._parts(w, constants, *totals, *fixed)
            times = m if self.recorded is None else 1
            if times > 1:
                found = [x * m if fixed else x for x, fixed in zip(found, self._fixed, strict=True)]
            if self._inputs:
                found.append(self._sums_of_inputs(x, w, times))
            if each:
                found.append(numpy.concatenate(each).T.ravel())
        sums: NDArray[np.float64] = numpy.concatenate(found)[self._order]
        return sums

    def _sums_of_inputs(self, x: NDArray[np.float64], w: Sequence[float], times: int) -> NDArray[np.float64]:
        """Return the sums of outputs that are inputs themselves; leaves and constants count `times`."""
        values: dict[int, Any] = {PARAMETER: w, CONSTANT: self.program.constants}
        numbers = [x[k].sum() if s == ARGUMENT else values[s][k] * times for s, k in self._inputs]
        array: NDArray[np.float64] = self.np.array(numbers, dtype=float)
        return array
