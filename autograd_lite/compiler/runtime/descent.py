"""Gradient descent on one batch, whose parameters stay in one array: no step passes through Python's floats.

What does not live here: the sums that a step is made with (`nests.py`, `native.py`), and optimizers with a
memory (`optim.py`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from autograd_lite.compiler.codegen import arrays
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime.interface import BatchProgram
from autograd_lite.core.numbers import real

_OUTSIDE = "steps are taken within a block: with program.descent(...) as step"


class Descent:
    """Steps of gradient descent on one batch, made by `Program.descent`: ``with`` it, each call is a step.

    A call returns the mean before its step. The leaves get their numbers at the end of the block, also where
    it ends with an error; what is written to them meanwhile is lost.
    """

    def __init__(
        self, program: BatchProgram, batches: tuple[Any, ...], lr: float | Callable[[int], float]
    ) -> None:
        arrays.numpy()  # which it needs: it says so, before anything is done
        self.program, self.batches, self.lr = program, batches, lr
        self.kernel, self._samples, self.m = program.prepared(batches)
        # What depends on the leaves is checked anew before each step, so they are taken one by one.
        self.checked = program.checked_columns(batches)[0] if program.checks_leaves else None
        self.taken = 0
        self._w: Any = None
        self._shown: Any = None
        self._step: Callable[[], int] | None = None
        if not callable(lr):
            self._size_of(0)

    @property
    def w(self) -> Any:
        """The parameters, in an array that may be changed in place; None outside the block."""
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
        """The size of a step; it is checked here, for numbers that it spoils are spoiled for good."""
        size = real(self.lr(step) if callable(self.lr) else self.lr, "lr")
        if not math.isfinite(size):
            raise ValueError(f"lr must be finite, got {size!r} for step {step}")
        return size

    def __enter__(self) -> Descent:
        np = arrays.numpy()
        machine = self.kernel if isinstance(self.kernel, native.Machine) else None
        with np.errstate(over="ignore"):
            self._w = np.array(self.program.leaf_numbers(), machine.type if machine else float)
        self._shown = self._w[...]  # a view: what becomes of its shape or type leaves ours alone
        steps = machine.steps(self._samples, self._w, 1) if machine else None
        if steps is not None:
            self._size, self._value, self._step = steps
        return self

    def __exit__(self, *_: object) -> None:
        if self._w is None:
            return
        self.program.set_leaf_numbers(self._w.tolist())
        self._w = self._shown = self._step = None

    def __call__(self) -> float:
        """Take a step; return the mean before it."""
        if self._w is None:
            raise RuntimeError(_OUTSIDE)
        size = self._size_of(self.taken)
        if self.checked is not None:
            self.program.check(self.checked, self._w.tolist())
        if self._step is not None:
            self._size[0] = size
            if self._step():
                self.taken += 1
                return float(self._value[0])
        np = arrays.numpy()
        out = self.kernel.sums(self._samples, self._w)
        if not arrays.all_finite(out, np):
            columns = self.program.checked_columns(self.batches)[0] if self.batches else []
            value, gradients = self.program.settled_sums(columns, self.m, self._w.tolist(), "leaf")
            out = np.array([value, *gradients])
        if not arrays.all_finite(out, np):
            raise FloatingPointError(f"step {self.taken}: the value or its gradient is not finite")
        with np.errstate(all="ignore"):  # the next step says so
            self._w -= out[1:] * (size / self.m)
        self.taken += 1
        return float(out[0]) / self.m

    def run(self, steps: int) -> list[float]:
        """Take `steps` steps, in one call where there is machine code; return the means before each."""
        steps, values = operator.index(steps), []
        machine = self.kernel if isinstance(self.kernel, native.Machine) else None
        if machine and self._step is not None and self.checked is None and steps > 1:
            prepared = machine.steps(self._samples, self._w, steps)
            if prepared is not None:
                sizes, means, take = prepared
                sizes[:] = [self._size_of(self.taken + k) for k in range(steps if callable(self.lr) else 1)]
                taken = take()
                self.taken += taken
                values = means[:taken].tolist()
        while len(values) < steps:  # all of them, or the one that machine code refused
            values.append(self())
        return values
