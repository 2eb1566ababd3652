"""Steps of an optimizer on programs: parameters and memory stay in arrays, out of reach of Python's floats.

Programs with their samples, and an optimizer, go in; parameters that have moved come out. The programs may be
several, for samples of several structures: they share the parameters and the optimizer's memory. With machine
code, many steps are one call. A number that is not finite stops it; the step is then taken again in NumPy,
with the eager engine's word on the value and the gradient.

Next door: `codegen/c_descent.py` prints the steps, `step_arrays.py` takes them in NumPy, `machine.py` and
`numpy_kernel.py` compute the sums that they need. `train/optimizers.py` has the optimizers.
"""

from __future__ import annotations

import ctypes
import math
import operator
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from autograd_lite.compiler.codegen import arrays, c_descent
from autograd_lite.compiler.frontend.step_rule import trace_rule
from autograd_lite.compiler.runtime import library
from autograd_lite.compiler.runtime.interface import BatchProgram, Kernel, Stepper
from autograd_lite.compiler.runtime.machine import NUMBER, Machine
from autograd_lite.compiler.runtime.step_arrays import array_step
from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Wholes: TypeAlias = NDArray[np.int64]

# The numbers of the samples of a step; None stands for all samples.
Batch: TypeAlias = Sequence[int] | None

_OUTSIDE = "steps are taken within a block: with program.descent(...) as step"


class GradientSteps:
    """Plain gradient descent, for a step size without an optimizer: it remembers nothing."""

    remembers = ()

    def __init__(self, parameters: Sequence[Value], lr: float | Callable[[int], float]) -> None:
        self.parameters, self.steps, self._lr = parameters, 0, lr
        if not callable(lr):
            self.size(0)

    def size(self, step: int) -> float:
        """Return the size of a step, which must be finite: parameters that became NaN never recover."""
        size = real(self._lr(step) if callable(self._lr) else self._lr, "lr")
        if not math.isfinite(size):
            raise ValueError(f"lr must be finite, got {size!r} for step {step}")
        return size

    def rule(self, lr: Any, x: Any, g: Any) -> tuple[Any, ...]:
        """Return the new x."""
        return (x - lr * g,)


class Descent:
    """Steps of an optimizer, from `Program.descent` or `jit`: inside ``with``, each call is a step.

    A call returns the mean before its step. The parameters get their numbers at the end of the block, also if
    it ends with an error, or when ``read_back()`` is called; so do their ``grad`` and the optimizer's memory
    if there is an optimizer. Numbers written to the parameters inside the block are lost.
    """

    def __init__(
        self,
        given: Sequence[tuple[BatchProgram, tuple[Any, ...]]],
        stepper: GradientSteps | Stepper,
        samples: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Take programs with their batches. `samples` says of each sample its program and its row there."""
        np = arrays.numpy()  # raises before anything else is done if NumPy is missing
        self.stepper = stepper
        places: dict[int, int] = {}  # of each leaf and parameter, in the arrays
        self._values: list[Value] = []
        for program, _ in sorted(given, key=lambda pair: -len(pair[0].leaves)):
            self._place(program.leaves, places)
        self._place(stepper.parameters, places)
        moved = {id(x) for x in stepper.parameters}
        self._moved = np.array([id(x) in moved for x in self._values])
        self.parts = [
            _Part(program, batches, np.array([places[id(leaf)] for leaf in program.leaves]), self._moved)
            for program, batches in given
        ]
        if not any(part.moving.size for part in self.parts):
            raise ValueError("no parameter of the optimizer is among the leaves: there is nothing to move")
        if samples is None:
            samples = [(k, row) for k, part in enumerate(self.parts) for row in range(part.m)]
        self._samples: Wholes = np.array(samples, np.int64).reshape(-1, 2).T
        self.taken = 0
        self._places = places
        self._w: Floats | None = None
        self._shown: Floats | None = None
        self._last: tuple[_Part, Floats] | None = None  # what was computed last: the mean and its gradient
        self._one: _Plan | None = None  # a single step on all samples
        self._rule = trace_rule(stepper.rule, stepper.remembers)
        self._on_arrays = array_step(self._rule)
        machines = [part.kernel for part in self.parts if isinstance(part.kernel, Machine)]
        ready = len(machines) == len(self.parts) and all(machine.can_descend for machine in machines)
        kinds = {machine.type for machine in machines}
        self._kind = kinds.pop() if len(kinds) == 1 and len(machines) == len(self.parts) else np.dtype(float)
        # A check that reads the leaves is repeated before each step, so steps are taken one by one.
        checked = any(part.program.checks_leaves for part in self.parts)
        self._native = self._compiled() if ready and not kinds and not checked else None
        self._machines = sorted({*machines}, key=id)  # all threads lock them in the same order

    def _place(self, values: Sequence[Value], places: dict[int, int]) -> None:
        for x in values:
            if id(x) not in places:
                places[id(x)] = len(self._values)
                self._values.append(x)

    def _compiled(self) -> _Native | None:
        try:
            text, constants = c_descent.descent(self._rule, NUMBER[self._kind.name])
            return _Native(_library(text), arrays.numpy().array(constants, self._kind))
        except (ValueError, RuntimeError):  # a row of the user's has no form in C, or the compiler fails
            return None

    # --- The block

    @property
    def w(self) -> Any:
        """The leaves, which can be changed in place; None outside the block."""
        return self._shown

    @w.setter
    def w(self, numbers: Any) -> None:
        w = self._open()
        given = arrays.numpy().asarray(numbers, w.dtype)
        if given.shape != w.shape:
            raise ValueError(f"w must be {len(w)} numbers, got an array of shape {given.shape}")
        w[...] = given

    def _open(self) -> Floats:
        if self._w is None:
            raise RuntimeError(_OUTSIDE)
        return self._w

    def __enter__(self) -> Descent:
        self.load()
        return self

    def load(self) -> None:
        """Read the parameters and the optimizer's memory into new arrays, at the start or after a change."""
        np = arrays.numpy()
        count = len(self._values)
        with np.errstate(over="ignore"):
            self._w = np.array([x._data for x in self._values], self._kind)
            memory = np.zeros((len(self.stepper.remembers), count), self._kind)
            if not isinstance(self.stepper, GradientSteps):
                at = [self._places[id(x)] for x in self.stepper.parameters]
                memory[:, at] = np.array(self.stepper.memory, self._kind).reshape(len(at), -1).T
        self._memory: list[Floats] = [*memory]
        self._shown = self._w[...]  # a view: a change of its shape or type leaves ours as it is
        most = 1 + max(len(part.places) for part in self.parts)
        # For C: the leaves of a program; the last mean and its gradient; the new numbers and memory.
        self._scratch = [np.empty(size, self._kind) for size in (most, most, (1 + len(memory)) * most)]
        self._one = self._plan([None]) if len(self.parts) == 1 else None

    def __exit__(self, *_: object) -> None:
        if self._w is not None:
            self.read_back()
        self.forget()

    def forget(self) -> None:
        """End the block without giving the parameters their numbers."""
        self._w = self._shown = self._one = None

    def read_back(self) -> None:
        """Give the parameters their numbers and, with an optimizer, their ``grad``, and it its memory."""
        numbers = self._open().tolist()
        for x, number, moved in zip(self._values, numbers, self._moved.tolist(), strict=True):
            if moved:
                x._data = number
        stepper = self.stepper
        if isinstance(stepper, GradientSteps):
            return
        at = [self._places[id(x)] for x in stepper.parameters]
        columns = [memory[at].tolist() for memory in self._memory]
        stepper.memory = [*zip(*columns, strict=True)] if columns else [()] * len(at)
        if self._last is not None:
            part, out = self._last
            found = dict(zip(part.places.tolist(), out[1 : len(part.places) + 1].tolist(), strict=True))
            for place, x in zip(at, stepper.parameters, strict=True):
                x._grad = found.get(place)

    # --- Steps

    def __call__(self) -> float:
        """Take a step on all samples; return the mean before it.

        Raises `FloatingPointError`, or what the eager engine raises, if the value, its gradient or the step
        is not finite. The parameters are then as before the step.
        """
        return self.over([None])[0]

    def run(self, steps: int) -> list[float]:
        """Take `steps` steps on all samples, in a single call if there is machine code; return the means."""
        return self.over([None] * operator.index(steps))

    def over(self, batches: Sequence[Batch]) -> list[float]:
        """Take a step on each batch, given by the numbers of its samples; return the means before each step.

        None stands for all samples. Samples of different programs cannot share a batch.
        """
        return self._over(batches, settle=True)

    def attempt(self, batches: Sequence[Batch]) -> list[float]:
        """Do the same as `over`, but stop before the first step with a number that is not finite."""
        return self._over(batches, settle=False)

    def _over(self, batches: Sequence[Batch], settle: bool) -> list[float]:
        self._open()
        if self._one is not None and len(batches) == 1 and batches[0] is None:
            plan = self._one
        else:
            plan = self._plan(batches)
        means: list[float] = []
        sizes, error = self._sizes(len(batches))
        with arrays.numpy().errstate(over="ignore"):  # a step beyond float32 is not finite
            plan.sizes[: len(sizes)] = sizes
        while len(means) < len(sizes):
            if self._native is not None:
                means += self._taken(plan, len(means), len(sizes))
                if len(means) == len(sizes):
                    break
            mean = self._settled(plan, len(means), settle)
            if mean is None:
                return means
            means.append(mean)
        if error is not None and settle:
            raise error
        return means

    def _sizes(self, count: int) -> tuple[list[float], Exception | None]:
        """Return the sizes of the next steps, and the error of the first that has none."""
        stepper, sizes = self.stepper, list[float]()
        first = self.taken if isinstance(stepper, GradientSteps) else stepper.steps
        try:
            for step in range(first, first + count):
                sizes.append(stepper.size(step))
        except Exception as error:
            return sizes, error
        return sizes, None

    def _plan(self, batches: Sequence[Batch]) -> _Plan:
        """Return the steps on batches as arrays. Raises `ValueError` or `IndexError` for a wrong batch."""
        np = arrays.numpy()
        part_of, row_of = self._samples
        lengths = [0 if batch is None else len(batch) for batch in batches]
        if any(n == 0 and batch is not None for n, batch in zip(lengths, batches, strict=True)):
            raise ValueError("a batch of no samples has no mean")
        if len(self.parts) > 1 and any(batch is None for batch in batches):
            raise ValueError(
                "the samples belong to several programs: give the numbers of those in each batch"
            )
        numbers = np.array([i for batch in batches if batch is not None for i in batch], np.int64)
        if numbers.size and not -len(row_of) <= numbers.min() <= numbers.max() < len(row_of):
            raise IndexError(f"there are {len(row_of)} samples, numbered from 0")
        starts = np.zeros(len(batches) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        which, own = np.zeros(len(batches), np.int64), np.array(lengths, np.int64) > 0
        if numbers.size:
            which[own] = part_of[numbers[starts[:-1][own]]]
            if (np.repeat(which, lengths) != part_of[numbers]).any():
                raise ValueError("a batch holds samples of several programs, which cannot share a step")
        longest = [0] * len(self.parts)
        for k, n in zip(which.tolist(), lengths, strict=True):
            longest[k] = max(longest[k], n)
        for part, n in zip(self.parts, longest, strict=True):
            part.make_room(n)
        kind, count = self._kind, len(batches)
        plan = _Plan(which, starts, row_of[numbers], np.empty(count, kind), np.empty(count, kind), ())
        return plan if self._native is None else plan._replace(given=self._given(plan, 0))

    def _taken(self, plan: _Plan, start: int, stop: int) -> list[float]:
        """Take steps in machine code; return the means, fewer if a number is not finite."""
        given = plan.given if start == 0 else self._given(plan, start)
        with ExitStack() as stack:
            for machine in self._machines:
                stack.enter_context(machine.lock)
            taken: int = self._native.run(stop - start, *given)  # type: ignore[union-attr]
        if taken:
            last = start + taken - 1
            self._count(self.parts[plan.which[last]], self._scratch[1], taken, plan.sizes[last])
        if taken < stop - start:  # the gradient of the step that failed is in the way
            self._last = None
        means: list[float] = plan.means[start : start + taken].tolist()
        return means

    def _given(self, plan: _Plan, start: int) -> tuple[Any, ...]:
        """Return what the function in C takes after the number of steps, for steps from `start` on."""
        native, w = self._native, self._open()
        parts = (_PartInC * len(self.parts))(*[part.in_c for part in self.parts])
        memory = (ctypes.c_void_p * max(len(self._memory), 1))(*[m.ctypes.data for m in self._memory])
        which, starts, sizes, means = [x[start:] for x in (plan.which, plan.starts, plan.sizes, plan.means)]
        before = [_at(x) for x in (which, starts, plan.rows, sizes, native.constants, w)]  # type: ignore[union-attr]
        return parts, *before, memory, *[_at(x) for x in (*self._scratch, means)]

    def _count(self, part: _Part, out: Floats, taken: int, size: float) -> None:
        self.taken += taken
        self._last = part, out
        self.stepper.steps += taken
        if not isinstance(self.stepper, GradientSteps):
            self.stepper.lr = float(size)

    def _settled(self, plan: _Plan, k: int, settle: bool) -> float | None:
        """Take step k of a plan in NumPy; return the mean before it.

        If it is not finite, return None or, to `settle` it, take the engine's result or raise an error.
        """
        np, w, part = arrays.numpy(), self._open(), self.parts[plan.which[k]]
        rows = plan.rows[plan.starts[k] : plan.starts[k + 1]]
        numbers, m = w[part.places], len(rows) or part.m
        if part.program.checks_leaves:
            part.program.check(part.columns(rows), numbers.tolist())
        samples = part.kernel.chosen(part.samples, rows) if len(rows) else part.samples
        out = part.kernel.sums(samples, numbers)
        if not arrays.all_finite(out, np):
            if not settle:
                return None
            value, gradients = part.program.settled_sums(part.columns(rows), m, numbers.tolist(), "leaf")
            out = np.array([value, *gradients])
        out = out / (1 if part.recorded else m)
        at = part.places[part.moving]
        size = float(plan.sizes[k])
        new = self._on_arrays(size, w[at], out[1:][part.moving], [memory[at] for memory in self._memory])
        finite = arrays.all_finite(out, np)
        if not finite or not all(arrays.all_finite(x, np) for x in new):
            if settle:
                return self._refused(part, out, finite)
            return None
        for old, x in zip((w, *self._memory), new, strict=True):
            old[at] = x
        self._count(part, out, 1, size)
        return float(out[0])

    def _refused(self, part: _Part, out: Floats, finite: bool) -> float:
        """Let the optimizer take a step that is not finite: it raises its own error, or knows what to do."""
        single = self._kind.itemsize == 4  # the optimizer would go on in doubles, which do not fit
        if isinstance(self.stepper, GradientSteps) or single or not math.isfinite(out[0]):
            what = "the step" if finite else "the value or its gradient"
            raise FloatingPointError(f"step {self.taken}: {what} is not finite")
        self._last = part, out
        self.read_back()
        self.stepper.step()
        self.load()
        self.taken += 1
        return float(out[0])


# --- Programs and their samples --------------------------------------------------------------------


class _PartInC(ctypes.Structure):
    """The struct `Part` in `codegen/c_descent.py`."""

    _fields_ = [
        ("run", ctypes.c_void_p),
        *[(name, ctypes.c_long) for name in ("m", "recorded", "arguments", "leaves", "reads", "moves")],
        *[(name, ctypes.c_void_p) for name in ("samples", "given", "room", "sizes", "read", "move", "work")],
    ]


class _Part:
    """A program, its samples, and the places of its leaves in the arrays of all parameters."""

    def __init__(
        self, program: BatchProgram, batches: tuple[Any, ...], places: Wholes, moved: NDArray[np.bool_]
    ) -> None:
        np = arrays.numpy()
        self.program, self.batches, self.places = program, batches, places
        self.kernel: Kernel
        self.kernel, self.samples, self.m = program.prepared(batches)
        if isinstance(self.kernel, Machine) and self.kernel.leaves != len(places):
            raise ValueError(f"the program takes {self.kernel.leaves} leaves, got {len(places)}")
        self.recorded = getattr(self.kernel, "recorded", None) is not None
        self.moving: Wholes = np.flatnonzero(moved[places])  # the leaves that the optimizer moves
        self._read, self._move = (
            _runs(places, np.arange(len(places))),
            _runs(places[self.moving], self.moving),
        )
        self._room: list[Floats] = []

    @cached_property
    def _columns(self) -> list[Any]:
        columns: list[Any] = self.program.checked_columns(self.batches)[0] if self.batches else []
        return columns

    def columns(self, rows: Wholes) -> list[Any]:
        """Return the columns of some samples, or of all if there are no rows."""
        return [column[rows] for column in self._columns] if len(rows) else self._columns

    def make_room(self, m: int) -> None:
        """Make room for the samples of a step, and the struct that C reads."""
        machine = self.kernel
        if not isinstance(machine, Machine):
            return
        np = arrays.numpy()
        if not self._room or len(self._room[0]) < m:
            self._room = [np.empty((max(m, 1), size), machine.type) for size in machine.sizes]
        samples, self._given = machine.addresses(self.samples)
        self._rooms = (ctypes.c_void_p * max(len(self._room), 1))(*[x.ctypes.data for x in self._room])
        self._sizes = np.array(machine.sizes, np.int64)
        self.in_c = _PartInC(
            machine.function, self.m, self.recorded, len(machine.sizes), len(self.places),
            len(self._read), len(self._move), samples, ctypes.addressof(self._given),
            ctypes.addressof(self._rooms), self._sizes.ctypes.data, self._read.ctypes.data,
            self._move.ctypes.data, machine.work,
        )  # fmt: skip


class _Plan(NamedTuple):
    """Steps as arrays: of each its part, where its rows start, its size and, afterwards, its mean."""

    which: Wholes
    starts: Wholes
    rows: Wholes
    sizes: Floats
    means: Floats
    given: tuple[Any, ...]  # to the function in C


class _Native(NamedTuple):
    """The function that takes steps, and its constants."""

    run: Any
    constants: Floats


def _runs(places: Wholes, leaves: Wholes) -> Wholes:
    """Return the runs in which both go up by one, shape (runs, 3): first place, first leaf, how many."""
    np = arrays.numpy()
    breaks = np.flatnonzero((np.diff(places) != 1) | (np.diff(leaves) != 1)) + 1
    starts = np.concatenate([[0], breaks]).astype(np.int64) if len(places) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(places))[: len(starts)]
    runs: Wholes = np.ascontiguousarray(np.stack([places[starts], leaves[starts], ends - starts], axis=1))
    return runs


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def _library(text: str) -> Any:
    run = library.build(text, ("-O3",)).program
    run.restype, run.argtypes = ctypes.c_long, (ctypes.c_long, *[ctypes.c_void_p] * 12)
    return run
