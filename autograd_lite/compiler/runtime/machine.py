"""Machine code: the C text of a program, compiled, loaded and called with checked arrays.

C reads whatever address it is given, so each call checks everything that Python code may have changed: the
number, shape and type of the arrays, the number of leaves, and the program that samples were prepared for.
Next door: `codegen` prints the C, `library.py` builds and keeps it, `descent.py` takes steps with it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from autograd_lite.compiler.codegen import bytecode, c_function
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.loops.ir import ARGUMENT, CONSTANT, NESTS, PARAMETER, Access, LoopProgram
from autograd_lite.compiler.loops.vectorize import VectorizedBatch
from autograd_lite.compiler.runtime import library, toolchain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]  # of the machine's own precision

# A C compiler takes about 0.3 ms for a loop. A program with more loops than this runs as bytecode.
IRREGULAR = 1000
ALONE = 64  # samples that justify starting a thread, which takes about 30 µs
NUMBER = {"float64": "double", "float32": "float"}  # the type in C


class Samples(NamedTuple):
    """A batch as a machine reads it: for each argument an array of shape (m, numbers of the argument)."""

    key: object  # of the machine that they were prepared for
    at: ctypes.Array[ctypes.c_void_p]  # the addresses of the arrays, and of the machine's tables
    arrays: tuple[Floats, ...]
    m: int
    kept: tuple[weakref.ref[Any], ...]  # NumPy does not resize, and so move, an array that has one


class _Single(NamedTuple):
    """What calls for one sample use again and again."""

    samples: Samples
    rows: list[Floats]  # of each argument
    out: Floats
    given: tuple[Any, ...]  # to the function in C


@dataclass
class _Code:
    """The text of a machine, and what its function expects."""

    text: str
    work: int  # numbers of scratch memory
    tables: tuple[NDArray[Any], ...]  # read-only arrays that it takes after the samples
    outputs: int  # how many sums over the samples it returns
    each: int  # how many results for each sample


class Machine:
    """A program as machine code: it returns sums over samples, or the results of each sample.

    Calls run one at a time: the leaves, the results and the scratch memory have fixed places.
    """

    def __init__(
        self,
        found: LoopProgram | VectorizedBatch | tuple[Graph, Sequence[int]],
        each: bool,
        arguments: Sequence[tuple[str, int]],
        leaves: int,
        real: str,
        fastmath: bool,
        threads: int,
        numpy: Any,
        single: bool = False,
    ) -> None:
        """Compile loops, a recorded batch, or a graph with its outputs, which runs as bytecode.

        With `each` the outputs are returned for each sample, otherwise their sums. `arguments` are names and
        how many numbers each has in a sample; `leaves` is how many leaves the program has. `real` is
        "float64" or "float32". A `single` machine is laid out for one sample at a time.
        """
        self.recorded = found if isinstance(found, VectorizedBatch) else None
        if self.recorded:
            arguments = [("the data", self.recorded.data.shape[1])]
        self.np, self.sizes, self.leaves = numpy, tuple([size for _, size in arguments]), leaves
        self.type: np.dtype[np.floating[Any]] = numpy.dtype(real)
        # A recorded batch has rows in which leaves are data: they are written anew at each call.
        self.moves = self.recorded is not None and self.recorded.leaves.size > 0
        code = _code(found, each, arguments, leaves, self.type, numpy, single)
        self.outputs, self.each, self.tables = code.outputs, code.each, code.tables
        self._table_addresses = [*map(_address, self.tables)]
        self._addresses = ctypes.c_void_p * (len(self.sizes) + len(self.tables))
        flags = (*(toolchain.SINGLE if single else ()), *(toolchain.REORDERING if fastmath else ()))
        self._run = library.build(code.text, flags).program
        self._run.restype = None
        self._pack = struct.Struct(f"{leaves}{self.type.char}").pack_into
        self._w = numpy.zeros(leaves, self.type)
        # The result of a recorded batch is not a sum over its samples, so its parts cannot be added up.
        threads = 1 if self.recorded else threads
        self._work = [_aligned(code.work, self.type, numpy) for _ in range(threads)]
        self._out: Floats = numpy.empty(0, self.type)
        self._places: list[ctypes.c_void_p] = []
        order = self.recorded.order if self.recorded else numpy.arange(0)
        self.order = order if order.tolist() != [*range(len(order))] else None
        self._key = object()
        self._renew()
        _machines.add(self)
        given = [self.recorded.data] if self.recorded else []
        self.data = self.rows(given) if len(given) == len(self.sizes) else None

    def _renew(self) -> None:
        """Make the threads and the lock, which a forked process cannot inherit from its parent."""
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(len(self._work)) if len(self._work) > 1 else None

    # --- Samples

    def rows(self, arrays: Sequence[Any]) -> Samples:
        """Prepare a batch, given for each argument an array of shape (m, numbers of the argument).

        An array is copied only if C cannot read it as it is. Raises `ValueError` if a shape is wrong.
        """
        np = self.np
        if len(arrays) != len(self.sizes):
            raise ValueError(f"the program takes {len(self.sizes)} arrays, got {len(arrays)}")
        held, m, views, addresses = [], 1, list[Any](), list[int]()
        for array, size in zip(arrays, self.sizes, strict=True):
            found = self._converted(array)
            owner = found
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            held.append(weakref.ref(owner))
            view = found[...]  # a view, whose shape nobody else can change
            m = m if views else len(view)
            if len(view) != m or view.size != m * size:
                raise ValueError(f"the program takes arrays of {m} x {size} numbers, got {view.shape}")
            views.append(view)
            addresses.append(_address(view))
        at = self._addresses(*addresses, *self._table_addresses)
        return Samples(self._key, at, tuple(views), m, tuple(held))

    def samples(self, columns: Sequence[Any]) -> Samples:
        """Prepare a batch, given its columns: an array of shape (m,) for each number of a sample."""
        if self.data is not None:
            return self.data
        if len(columns) != sum(self.sizes):
            raise ValueError(f"the program takes {sum(self.sizes)} columns, got {len(columns)}")
        at, arrays = 0, []
        for size in self.sizes:
            arrays.append(self.np.stack(columns[at : at + size], axis=1))
            at += size
        return self.rows(arrays)

    def _converted(self, array: Any) -> Floats:
        """Return an array as C reads it: contiguous, aligned and of this precision."""
        if self.type.itemsize == 8:
            found = self.np.ascontiguousarray(array, self.type)
        else:
            with self.np.errstate(over="ignore"):  # a result that is not finite is computed again in doubles
                found = self.np.ascontiguousarray(array, self.type)
        return found if found.flags.aligned else found.copy()  # type: ignore[no-any-return]

    def _require_own(self, samples: Samples) -> None:
        if samples.key is not self._key:
            raise ValueError("the samples were prepared for another program")

    # --- Calls

    def __call__(self, columns: Sequence[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """Return the sums over the samples of the value and of the gradients."""
        found = self.sums(self.samples(columns), leaves).tolist() if columns else self.one((), leaves)
        return found[0], found[1:]

    def one(self, parts: Sequence[Any], leaves: Sequence[float]) -> list[float]:
        """Return the outputs for one sample, given for each argument its numbers in a row.

        It costs about 2 µs: the arrays and the addresses of a call are prepared once. A recorded program has
        no arguments. Raises `ValueError` if there are too few or too many numbers.
        """
        _, rows, out, given = self._single
        lengths = [*map(len, parts)]
        if len(leaves) != self.leaves or lengths != self._lengths:
            raise ValueError(
                f"the program takes {self._lengths} numbers and {self.leaves} leaves, "
                f"got {lengths} and {len(leaves)}"
            )
        with self._lock:
            self._take(leaves)
            if self.type.itemsize == 8:
                for row, part in zip(rows, parts, strict=False):
                    row[:] = part
            else:
                with self.np.errstate(over="ignore"):
                    for row, part in zip(rows, parts, strict=False):
                        row[:] = part
            if self.recorded is not None and self.moves:
                with self.np.errstate(over="ignore"):
                    rows[0][...] = self.recorded.rows(self._w)
            self._run(*given)
            found: list[float] = (out if self.order is None else out[self.order]).tolist()
            return found

    @cached_property
    def _lengths(self) -> list[int]:
        return [] if self.recorded else [*self.sizes]

    @cached_property
    def _single(self) -> _Single:
        """The arrays of one sample, its outputs, and what the function takes."""
        samples = self.data or self.rows([self.np.zeros((1, size), self.type) for size in self.sizes])
        rows = [array if self.recorded else array[0] for array in samples.arrays]
        out = self.np.empty(self.outputs + samples.m * self.each, self.type)
        given = (ctypes.c_long(samples.m), samples.at, *map(_at, (self._w, out, self._work[0])))
        return _Single(samples, rows, out, given)

    def _take(self, leaves: Sequence[float]) -> None:
        """Write the leaves where the function reads them."""
        try:
            self._pack(self._w, 0, *leaves)
        except OverflowError:  # beyond float32: a result that is not finite is computed again in doubles
            with self.np.errstate(over="ignore"):
                self._w[:] = leaves

    def each_sample(self, samples: Samples, leaves: Sequence[float]) -> Floats:
        """Return the outputs of each sample, shape (m, outputs), of a machine made with `each`."""
        return self.sums(samples, leaves).reshape(-1, self.each)

    def sums(self, samples: Samples, leaves: Sequence[float]) -> Floats:
        """Return the sums of the outputs over the samples, shape (outputs,)."""
        self._require_own(samples)
        if len(leaves) != self.leaves:
            raise ValueError(f"the program takes {self.leaves} leaves, got {len(leaves)}")
        m = samples.m
        with self._lock:
            if not self._places or len(self._out) != self.outputs + m * self.each:
                self._out = self.np.empty(self.outputs + m * self.each, self.type)
                self._places = [*map(_at, (self._w, self._out, self._work[0]))]
            self._take(leaves)
            if self.recorded is not None and self.moves:
                with self.np.errstate(over="ignore"):
                    samples.arrays[0][...] = self.recorded.rows(self._w)
            if self._pool is None or m < ALONE * len(self._work):
                self._run(ctypes.c_long(m), samples.at, *self._places)
            else:
                self._run_parts(self._pool, samples, self._out)
            return self._out.copy() if self.order is None else self._out[self.order]

    def _run_parts(self, pool: ThreadPoolExecutor, samples: Samples, out: Floats) -> None:
        """Give each thread a range of the samples, and add the sums up in the order of the ranges."""
        parts, m = len(self._work), samples.m
        bounds = [m * k // parts for k in range(parts + 1)]
        outs, done = [], []
        for start, end, work in zip(bounds, bounds[1:], self._work, strict=False):
            part = self.rows([array[start:end] for array in samples.arrays])
            outs.append(self.np.empty(self.outputs + part.m * self.each, self.type))
            given = (ctypes.c_long(part.m), part.at, *map(_at, (self._w, outs[-1], work)))
            done.append(pool.submit(self._run, *given))
        for future in done:
            future.result()
        out[: self.outputs] = sum(part[: self.outputs] for part in outs)
        out[self.outputs :] = self.np.concatenate([part[self.outputs :] for part in outs])

    # --- Steps of descent: a function in C calls this one

    @property
    def can_descend(self) -> bool:
        """Whether steps can call the function by itself: on one thread, with leaves that are no data."""
        return (
            self._pool is None and not self.moves and self.order is None and self.outputs == self.leaves + 1
        )

    @property
    def lock(self) -> threading.Lock:
        """Held while the function runs."""
        return self._lock

    @property
    def function(self) -> int:
        """The address of the function, which returns sums over samples."""
        return ctypes.cast(self._run, ctypes.c_void_p).value or 0

    @property
    def work(self) -> int:
        """The address of the scratch memory."""
        return _address(self._work[0])

    def chosen(self, samples: Samples, rows: Sequence[int]) -> Samples:
        """Return some of the samples."""
        self._require_own(samples)
        return self.rows([array[self.np.asarray(rows)] for array in samples.arrays])

    def addresses(self, samples: Samples) -> tuple[int, Any]:
        """Return where the samples are, and an array of as many addresses for others."""
        self._require_own(samples)
        return ctypes.addressof(samples.at), self._addresses(*samples.at)


_machines: weakref.WeakSet[Machine] = weakref.WeakSet()


def _renew_all() -> None:
    for machine in _machines:
        machine._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


# --- Code


def _code(
    found: LoopProgram | VectorizedBatch | tuple[Graph, Sequence[int]],
    each: bool,
    arguments: Sequence[tuple[str, int]],
    leaves: int,
    real: np.dtype[np.floating[Any]],
    numpy: Any,
    single: bool,
) -> _Code:
    """Print the C of a machine."""
    lanes = 64 // real.itemsize if arguments and not single else 1
    tables: tuple[NDArray[Any], ...] = ()
    if isinstance(found, tuple):
        layout, (codes, constants) = bytecode.layout(
            *found,
            numpy,
            added=not each,
            name="program",
            arguments=arguments,
            leaves=leaves,
            lanes=lanes,
            real=NUMBER[real.name],
        )
        with numpy.errstate(over="ignore"):
            tables = (codes, constants.astype(real))
        outputs = 0 if each else len(found[1])
        results = len(found[1]) - outputs
    else:
        loops = found if isinstance(found, LoopProgram) else found.program
        _check_addresses(loops, sum([size for _, size in arguments]), leaves, numpy)
        if each:
            loops = replace(loops, outputs=[], each=loops.outputs)
        layout = c_function.c_layout(
            loops,
            numpy,
            name="program",
            arguments=arguments,
            lanes=lanes,
            real=NUMBER[real.name],
            recorded=isinstance(found, VectorizedBatch),
        )
        outputs, results = len(loops.outputs), len(loops.each)
    return _Code(layout.text, layout.work, tables, outputs, results)


def _check_addresses(loops: LoopProgram, arguments: int, leaves: int, numpy: Any) -> None:
    """Raise `ValueError` if loops read an address that does not exist: C would read other memory."""
    sizes = {ARGUMENT: arguments, PARAMETER: len(loops.leaves), CONSTANT: len(loops.constants)}
    sizes |= {NESTS + k: nest.size for k, nest in enumerate(loops.nests)}
    outputs = [Access(space, numpy.array(number)) for space, number in (*loops.outputs, *loops.each)]
    for access in (*[access for nest in loops.nests for access in nest.reads()], *outputs):
        _check_within(access.index, sizes.get(access.space, 0))
    for nest in loops.nests:
        if nest.targets is not None:
            _check_within(nest.targets + 1, nest.size + 1)
    _check_within(loops.leaves, leaves)


def _check_within(index: NDArray[np.int64], size: int) -> None:
    if index.size and not 0 <= index.min() <= index.max() < size:
        raise ValueError(
            f"a program reads number {index.max()} of {size}: it was changed since it was compiled"
        )


def _aligned(size: int, kind: np.dtype[np.floating[Any]], numpy: Any) -> Floats:
    """Return an array of zeros that starts at a multiple of 64 bytes, as vector instructions need it."""
    room = numpy.zeros(size + 64, kind)
    return room[-room.ctypes.data % 64 // room.itemsize :]  # type: ignore[no-any-return]


def _address(array: NDArray[Any]) -> int:
    try:  # 0.3 µs, where `array.ctypes.data`, the same number, takes 0.9
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # an array that is read-only or empty
        return array.ctypes.data


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(_address(array))
