"""The interfaces between a program and what runs it: `Kernel` and `BatchProgram`.

`Program` (`compiler/program.py`) is a `BatchProgram`. Descent on a batch (`descent.py`) and batches that are
split over workers (`executor.py`) need nothing else of a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from autograd_lite.core.value import Value

Numbers: TypeAlias = "Sequence[float] | NDArray[np.floating[Any]]"
# A column holds one number of every sample, shape (samples,): an array, or a list where NumPy is missing.
Columns: TypeAlias = "Sequence[NDArray[np.float64]] | Sequence[Sequence[float]]"
Sums: TypeAlias = "tuple[float, list[float]]"  # of the value and of each gradient


class Summing(Protocol):
    """A function that returns the sums of the value and of each gradient over samples."""

    def __call__(self, columns: Columns, leaves: Sequence[float], /) -> Sums:
        """Return the sums over the samples in `columns`, at the numbers in `leaves`."""


class Kernel(Summing, Protocol):
    """A `Summing` that prepares a batch once and then runs it many times, at other numbers of the leaves."""

    def samples(self, columns: Columns, /) -> Any:
        """Return the samples in the layout that `sums` reads."""

    def chosen(self, samples: Any, rows: Any, /) -> Any:
        """Return some of the samples, by their numbers."""

    def sums(self, samples: Any, leaves: Numbers, /) -> NDArray[Any]:
        """Return the sums of the value and of each gradient, shape (1 + leaves,)."""


class BatchProgram(Protocol):
    """A program with leaves that runs over batches.

    `kind` is "leaf" or "argument": the inputs that the gradients are taken with respect to.
    """

    @property
    def leaves(self) -> Sequence[Value]:
        """The Values whose numbers the program reads at each call."""

    @property
    def checks_leaves(self) -> bool:
        """Whether a check of the inputs reads the leaves, and must be repeated when they move."""

    @property
    def packed(self) -> bytes:
        """The program as sent to a worker: its pickle, and the settings of its machine code."""

    def leaf_numbers(self) -> list[float]:
        """Return the data of the leaves."""

    def set_leaf_numbers(self, numbers: Sequence[float]) -> None:
        """Set the data of the leaves."""

    def add_gradients(self, gradients: Sequence[float], scale: float) -> None:
        """Add `scale` times the gradients to the ``grad`` of the leaves."""

    def checked_columns(self, batches: Sequence[Any]) -> tuple[Any, int]:
        """Return the columns of batches that passed the checks, and the number of samples."""

    def check(self, columns: Any, leaves: Sequence[float]) -> None:
        """Raise the eager engine's error for the first sample that it refuses."""

    def kernel(self, kind: str) -> Summing:
        """Return the fastest form that the program has been compiled to."""

    def prepared(self, batches: Sequence[Any]) -> tuple[Kernel, Any, int]:
        """Return the kernel for the gradients of leaves, the batches as it reads them, and their size."""

    def settled_sums(self, columns: Any, m: int, leaves: Sequence[float], kind: str) -> Sums:
        """Return the sums by the eager engine, because a faster form gave ∞ or NaN."""


class Stepper(Protocol):
    """An optimizer, as `Descent` needs it: how it moves one number, and what it remembers of each."""

    memory: list[tuple[float, ...]]  # of each parameter
    steps: int  # taken so far
    lr: float

    @property
    def parameters(self) -> Sequence[Value]:
        """The Values that it moves."""

    @property
    def remembers(self) -> Sequence[str]:
        """The names of the numbers that it keeps about each parameter."""

    def size(self, step: int) -> float:
        """Return the size of a step, counted from 0."""

    def rule(self, lr: Any, x: Any, g: Any, *memory: Any) -> tuple[Any, ...]:
        """Return the new x and its new memory, for a step of size `lr` with the gradient `g`."""

    def step(self) -> None:
        """Take a step by the ``grad`` of the parameters, or raise an error."""
