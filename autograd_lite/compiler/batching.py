"""`Batching`: a program over many samples at once, in columns with an entry for each sample.

Batches, shaped like the arguments with one more axis in front, go in; sums, or the results of each sample,
come out. Where a fast form gives a number that is not finite, the eager engine computes it again. Next door:
one sample (`calls.py`), the forms of a program (`forms.py`), and workers that take parts of a batch
(`runtime/executor.py`).
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import cached_property
from typing import Any

from autograd_lite.compiler.calls import Calls
from autograd_lite.compiler.codegen import arrays
from autograd_lite.compiler.forms import in_sample
from autograd_lite.compiler.runtime.executor import split_sums
from autograd_lite.compiler.runtime.interface import Kernel
from autograd_lite.compiler.runtime.machine import Machine
from autograd_lite.core.value import Value
from autograd_lite.transforms.batches import Column, columns_of, row_count, stacked
from autograd_lite.transforms.pytrees import Pytree


class Batching(Calls):
    """Runs a program over batches. A *column* holds one number of every sample, shape (samples,)."""

    # --- From batches to columns

    def converted(self, batches: Sequence[Pytree]) -> tuple[list[Column], int]:
        """Return a column for each number (lists without NumPy) and the number of samples."""
        if len(batches) != len(self.arguments):
            raise TypeError(f"{self.name}.batch() takes {len(self.arguments)} batches, got {len(batches)}")
        if not batches:
            raise TypeError(f"{self.name} takes no arguments: there is nothing to make a batch of; call it")
        try:
            np = arrays.numpy()
        except ModuleNotFoundError:
            np = None
        columns = [
            column
            for (given, tree), batch in zip(self.arguments, batches, strict=True)
            for column in columns_of(tree, batch, given, np)
        ]
        sizes = {len(column) for column in columns}
        if len(sizes) > 1:
            raise ValueError(f"the batches differ in the number of samples: {sorted(sizes)}")
        if sizes == {0} or not sizes:
            raise ValueError(f"{self.name}.batch() of no samples is undefined")
        return columns, sizes.pop()

    def checked_columns(self, batches: Sequence[Pytree]) -> tuple[list[Column], int]:
        """Return the columns of batches that passed the checks, and the number of samples."""
        columns, m = self.converted(batches)
        if not isinstance(columns[0], list):  # without NumPy the loop itself checks each sample
            self.check(columns, self.leaf_numbers())
        return columns, m

    def _samples(self, kernel: Any, batches: Sequence[Pytree]) -> tuple[Any, int]:
        """Return the samples as a kernel reads them; machine code reads whole arrays without a copy."""
        if not self.arguments and not batches:
            return kernel.samples([]), 1
        if isinstance(kernel, Machine) and len(batches) == len(self.arguments):
            if self.checks:
                self.checked_columns(batches)
            sizes = {row_count(tree, x) for (_, tree), x in zip(self.arguments, batches, strict=True)}
            if len(sizes) == 1 and 0 not in sizes:
                samples = kernel.rows(batches)
                return samples, samples.m
        columns, m = self.checked_columns(batches)
        return kernel.samples(columns), m

    def prepared(self, batches: Sequence[Pytree]) -> tuple[Kernel, Any, int]:
        """Return the kernel for the gradients of leaves, the batches as it reads them, and their size."""
        kernel: Any = self.kernel("leaf")
        return kernel, *self._samples(kernel, batches)

    # --- Checks

    @property
    def checks_leaves(self) -> bool:
        """Whether a check of the inputs reads the leaves."""
        return self.checks.moves

    def check(self, columns: list[Column], leaves: Sequence[float]) -> None:
        """Raise the eager engine's error for the first sample with a label that it refuses."""
        if not self.checks:
            return
        suspects: Any = range(len(columns[0]))
        if not isinstance(columns[0], list):
            suspects = self._suspects(columns, leaves)
        for i in suspects:
            with in_sample(i):
                self.checks.run([float(column[i]) for column in columns], leaves)

    def _suspects(self, columns: list[Column], leaves: Sequence[float]) -> Any:
        """Return the indices of the samples that fail a check, an array of integers."""
        np, m = arrays.numpy(), len(columns[0])
        if "checks" not in self._columnwise:
            self._columnwise["checks"] = self._demands(np)
        with np.errstate(all="ignore"):
            found = self._columnwise["checks"](columns, np.array(leaves))
            holds = np.all([np.broadcast_to(x, m) for x in found], axis=0)
        return np.flatnonzero(~holds)

    # --- Sums over samples

    def _reduced(
        self, kind: str, batches: Sequence[Pytree], mean: bool, executor: Executor | None, deterministic: bool
    ) -> tuple[float, list[float]]:
        """Return the sums, or means, of the value and of the gradients over the samples."""
        leaves = self.leaf_numbers()
        if kind == "leaf" and executor is None and not deterministic and self._machine:
            samples, m = self._samples(self._machine, batches)
            out = self._machine.sums(samples, leaves)
            if not arrays.all_finite(out, self._machine.np):
                columns = self.checked_columns(batches)[0] if batches else []
                value, gradients = self.settled_sums(columns, m, leaves, kind)
                out = self._machine.np.array([value, *gradients])
            if mean:
                out /= m
            value, *gradients = out.tolist()
            return value, gradients
        columns, m = self.checked_columns(batches)
        value, gradients = split_sums(self, kind, columns, m, leaves, executor, deterministic)
        if not math.isfinite(value) or not all(map(math.isfinite, gradients)):
            value, gradients = self.settled_sums(columns, m, leaves, kind)
        if mean:
            value, gradients = value / m, [gradient / m for gradient in gradients]
        return value, gradients

    @cached_property
    def packed(self) -> bytes:
        """The program as sent to a worker: its pickle, and the settings of its machine code."""
        for kind in ("leaf", "argument"):
            self._nodes(kind)
        travels = copy.copy(self)
        travels.leaves = tuple([Value(leaf.data, leaf.label) for leaf in self.leaves])  # no graphs
        return pickle.dumps((travels, self._native))

    # --- Each sample

    def _per_sample(self, batches: Sequence[Pytree], kind: str, reduce: str | None) -> Pytree:
        """Return the value and the gradients of each sample, of shape (samples, ...), or reduced."""
        np, leaves = arrays.numpy(), self.leaf_numbers()
        if self._native is not None:
            machine = self._each(kind, self._native)
            samples, m = self._samples(machine, batches)
            out = [*machine.each_sample(samples, leaves).T.astype(float, copy=True)]
        else:
            columns, m = self.checked_columns(batches)
            out = [x.copy() for x in self._each_in_numpy(columns, m, leaves, kind)]
        if not all(np.isfinite(x).all() for x in out):
            self._settle(out, self.checked_columns(batches)[0] if batches else [], leaves, kind)
        rest = iter(out)
        value = self.result.build(rest)
        if not self.scalar:
            return value
        scale = 1.0 / m if reduce == "mean" else 1.0
        if reduce is not None:
            value = float(value.sum()) * scale
        if kind == "leaf":
            return value, np.stack(list(rest), axis=1)
        scaled = (x * scale for x in rest)
        built = [stacked(tree, scaled, np) for _, tree in self.arguments]
        return value, built[0] if len(built) == 1 else tuple(built)

    def _each_in_numpy(
        self, columns: list[Column], m: int, leaves: Sequence[float], kind: str
    ) -> list[Column]:
        """Return a column for each output."""
        np = arrays.numpy()
        if kind not in self._columnwise:
            self._columnwise[kind] = self._array_function(kind, np)
        with np.errstate(all="ignore"):
            # The leaves become NumPy's numbers: Python's raise an error where NumPy's give ∞.
            out = self._columnwise[kind](columns, np.array(leaves))
            return [np.broadcast_to(np.asarray(x, dtype=float), m) for x in out]

    # --- Numbers that are not finite

    def settled_sums(
        self, columns: list[Column], m: int, leaves: Sequence[float], kind: str
    ) -> tuple[float, list[float]]:
        """Return the sums over samples by the eager engine, because a faster form gave ∞ or NaN.

        The engine runs the samples whose results in NumPy are not finite; if there are none, it runs all. It
        raises its own errors.
        """
        if not columns or isinstance(columns[0], list):
            outputs: list[Column] = [[math.nan] * m for _ in range(1 + len(self._inputs(kind)))]
        else:
            outputs = [x.copy() for x in self._each_in_numpy(columns, m, leaves, kind)]
        self._settle(outputs, columns, leaves, kind)
        value, *gradients = [sum(map(float, x)) for x in outputs]
        return value, gradients

    def _settle(
        self, outputs: list[Column], columns: list[Column], leaves: Sequence[float], kind: str
    ) -> None:
        """Write eager results into each sample with an output that is not finite; without any, into all."""
        suspects: Any = []
        if not isinstance(outputs[0], list):
            np = arrays.numpy()
            suspects = np.flatnonzero(~np.all([np.isfinite(x) for x in outputs], axis=0))
        for i in suspects if len(suspects) else range(len(outputs[0])):
            if columns:
                values, gradients = self._eager_sample(i, [float(x[i]) for x in columns], leaves, kind)
            else:
                values, gradients = self._eager([], leaves, kind)
            for x, number in zip(outputs, (*values, *gradients), strict=True):
                x[i] = number
