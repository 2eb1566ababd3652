"""Gradient descent on one batch: the parameters stay in one array, so no step passes through Python's floats.

Next door: `machine.py` and `codegen/numpy_loops.py` compute the sums that a step needs; `train/optimizers.py`
has optimizers with a memory.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autograd_lite.compiler.codegen import arrays
from autograd_lite.compiler.runtime.interface import BatchProgram
from autograd_lite.compiler.runtime.machine import Machine, Steps
from autograd_lite.core.numbers import real

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OUTSIDE = "steps are taken within a block: with program.descent(...) as step"


class Descent:
    """Steps of gradient descent on one batch, from `Program.descent`: inside ``with``, each call is a step.

    A call returns the mean before its step. The leaves get their numbers at the end of the block, also if it
    ends with an error. Numbers written to the leaves inside the block are lost.
    """

    def __init__(
        self, program: BatchProgram, batches: tuple[Any, ...], lr: float | Callable[[int], float]
    ) -> None:
        arrays.numpy()  # raises before anything else is done if NumPy is missing
        self.program, self.batches, self.lr = program, batches, lr
        self.kernel, self._samples, self.m = program.prepared(batches)
        # A check that reads the leaves is repeated before each step, so steps are taken one by one.
        self.checked = program.checked_columns(batches)[0] if program.checks_leaves else None
        self.taken = 0
        self._w: NDArray[np.floating[Any]] | None = None
        self._shown: NDArray[np.floating[Any]] | None = None
        self._one: Steps | None = None  # a single step of machine code
        if not callable(lr):
            self._size_of(0)

    @property
    def w(self) -> Any:
        """The parameters, shape (leaves,), which can be changed in place; None outside the block."""
        return self._shown

    @w.setter
    def w(self, numbers: Any) -> None:
        if self._w is None:
            raise RuntimeError(_OUTSIDE)
        given = arrays.numpy().asarray(numbers, self._w.dtype)
        if given.shape != self._w.shape:
            raise ValueError(f"w must be {len(self._w)} numbers, got an array of shape {given.shape}")
        self._w[...] = given

    def _size_of(self, step: int) -> float:
        """Return the size of a step, which must be finite: parameters that became NaN never recover."""
        size = real(self.lr(step) if callable(self.lr) else self.lr, "lr")
        if not math.isfinite(size):
            raise ValueError(f"lr must be finite, got {size!r} for step {step}")
        return size

    def __enter__(self) -> Descent:
        np = arrays.numpy()
        kind = self.kernel.type if isinstance(self.kernel, Machine) else float
        with np.errstate(over="ignore"):
            self._w = np.array(self.program.leaf_numbers(), kind)
        self._shown = self._w[...]  # a view: a change of its shape or type leaves ours as it is
        self._one = self._prepared(1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._w is None:
            return
        self.program.set_leaf_numbers(self._w.tolist())
        self._w = self._shown = self._one = None

    def _prepared(self, count: int) -> Steps | None:
        """Return steps of machine code, or None if NumPy has to take them."""
        if self._w is None or not isinstance(self.kernel, Machine):
            return None
        return self.kernel.steps(self._samples, self._w, count)

    def __call__(self) -> float:
        """Take a step; return the mean before it.

        Raises `FloatingPointError`, or what the eager engine raises, if the value or its gradient is not
        finite. The parameters are then as before the step.
        """
        if self._w is None:
            raise RuntimeError(_OUTSIDE)
        size = self._size_of(self.taken)
        if self.checked is not None:
            self.program.check(self.checked, self._w.tolist())
        if self._one is not None:
            self._one.sizes[0] = size
            if self._one.take():
                self.taken += 1
                return float(self._one.means[0])
        np = arrays.numpy()
        out = self.kernel.sums(self._samples, self._w)
        if not arrays.all_finite(out, np):
            columns = self.program.checked_columns(self.batches)[0] if self.batches else []
            value, gradients = self.program.settled_sums(columns, self.m, self._w.tolist(), "leaf")
            out = np.array([value, *gradients])
        if not arrays.all_finite(out, np):
            raise FloatingPointError(f"step {self.taken}: the value or its gradient is not finite")
        with np.errstate(all="ignore"):  # the next step finds and reports an overflow
            self._w -= out[1:] * (size / self.m)
        self.taken += 1
        return float(out[0]) / self.m

    def run(self, steps: int) -> list[float]:
        """Take `steps` steps, in a single call if there is machine code; return the means before each."""
        steps, means = operator.index(steps), []
        many = self._prepared(steps) if self._one and self.checked is None and steps > 1 else None
        if many is not None:
            many.sizes[:] = [self._size_of(self.taken + k) for k in range(steps if callable(self.lr) else 1)]
            taken = many.take()
            self.taken += taken
            means = many.means[:taken].tolist()
        while len(means) < steps:  # without machine code, or from the step that it refused
            means.append(self())
        return means
