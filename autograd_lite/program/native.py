"""C compiled and loaded: the quickest form of a batch, where there is a compiler.

The compiler is `$CC`, `cc`, `gcc` or `clang`, else the `ziglang` wheel. What it made is kept in the user's
cache directory under the hash of all that it was made from.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from autograd_lite.program import c, instructions
from autograd_lite.program.graph import Graph
from autograd_lite.program.loops import Lifted
from autograd_lite.program.samples import Recorded

# The text is unrolled already: -O3 takes half as long again to compile, and its code 5 % longer to run.
FLAGS = (
    *("-std=gnu99", "-O2", "-ftree-vectorize", "-march=native", "-fno-math-errno"),
    *("-fPIC", "-shared", "-w"),
)
# What -ffast-math allows of reassociation, but not that option itself: with it GCC links start-up code that,
# once the library is loaded, makes the whole process, Python's floats included, take subnormal numbers for 0.
FAST = ("-fassociative-math", "-freciprocal-math", "-fno-signed-zeros", "-fno-trapping-math")


# A C compiler takes some 0.3 ms for a loop: where there are more of them, instructions are interpreted.
IRREGULAR = 1000
ALONE = 64  # samples from which a thread of its own is worth its start, some 30 µs


class NoCompilerError(RuntimeError):
    """There is no C compiler here."""


@cache
def compiler() -> tuple[str, ...]:
    """The command of the C compiler; `NoCompilerError` says what to install."""
    try:
        given = tuple(shlex.split(os.environ.get("CC", "")))
    except ValueError as error:
        raise NoCompilerError(f"CC={os.environ['CC']} is no command ({error})") from None
    if given and shutil.which(given[0]):
        return given
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return (found,)
    try:
        import ziglang  # noqa: F401
    except ModuleNotFoundError:
        raise NoCompilerError(
            "no C compiler (cc, gcc, clang): pip install 'autograd-lite[native]' brings one"
        ) from None
    return (sys.executable, "-m", "ziglang", "cc")


@cache
def _version(command: tuple[str, ...]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout + platform.processor() + platform.machine() + _features()


def _features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.node()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "autograd_lite"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        directory = Path(tempfile.gettempdir()) / f"autograd_lite_{os.getuid()}"
        directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def built(text: str, more: tuple[str, ...] = ()) -> Any:
    """The library compiled from the text; two processes that build the same one do not disturb each other."""
    command = compiler()
    flags = (*FLAGS, *more)
    digest = hashlib.sha256("\0".join([text, *command, *flags, _version(command)]).encode()).hexdigest()[:32]
    library = _cache_directory() / f"{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as work:
            source, made = Path(work) / "program.c", Path(work) / "program.so"
            source.write_text(text)
            done = subprocess.run(
                [*command, *flags, "-o", str(made), str(source), "-lm"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode or not made.exists():
                raise RuntimeError(
                    f"{' '.join(command)} failed on a program's C source:\n{done.stderr[-2000:]}"
                )
            os.replace(made, library)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise RuntimeError(f"a program's machine code cannot be loaded: {error}") from error


class Machine:
    """A program as machine code: called with samples and leaves, it gives sums over the samples.

    One call at a time: the leaves, the results and the room for work have their places, prepared once.
    """

    def __init__(
        self,
        found: Lifted | Recorded | tuple[Graph, Sequence[int]],
        each: bool,
        arguments: Sequence[tuple[str, int]],
        leaves: int,
        real: str,
        fastmath: bool,
        threads: int,
        numpy: Any,
    ) -> None:
        self.recorded = found if isinstance(found, Recorded) else None
        if self.recorded:
            arguments = [("the data", self.recorded.data.shape[1])]
        self.np, self.sizes, self.leaves = numpy, [size for _, size in arguments], leaves
        self.type = numpy.dtype(real)
        number = {"float64": "double", "float32": "float"}[real]
        lanes = 64 // self.type.itemsize if arguments else 1
        self.tables: list[Any] = []
        if isinstance(found, tuple):
            layout, self.tables = instructions.layout(
                *found,
                numpy,
                added=not each,
                name="program",
                arguments=arguments,
                leaves=leaves,
                lanes=lanes,
                real=number,
            )
            self.tables[1] = self.tables[1].astype(self.type)
            self.outputs, self.each = (0, len(found[1])) if each else (len(found[1]), 0)
        else:
            lifted = found if isinstance(found, Lifted) else found.lifted
            if each:
                lifted = replace(lifted, outputs=[], each=lifted.outputs)
            layout = c.c_layout(
                lifted,
                numpy,
                name="program",
                arguments=arguments,
                lanes=lanes,
                real=number,
                recorded=self.recorded is not None,
            )
            self.outputs, self.each = len(lifted.outputs), len(lifted.each)
        self.moves = (
            self.recorded is not None and self.recorded.leaves.size > 0
        )  # some of the data are leaves
        descends = self.outputs == leaves + 1 and not self.moves  # all derivatives are sums
        text = layout.text + (c.descent(layout, "program", number, leaves, lanes) if descends else "")
        library = built(text, FAST if fastmath else ())
        self.run, self.run_steps = library.program, library.program_descend if descends else None
        self.run.restype = None
        if self.run_steps is not None:
            self.run_steps.restype = ctypes.c_long
        self.pack = struct.Struct(f"{leaves}{self.type.char}").pack_into
        self.w = numpy.zeros(leaves, self.type)
        # A recorded loss is what its samples' sums are made into: sums of parts of them do not add up to it.
        threads = 1 if self.recorded else threads
        self.work = [_aligned(layout.work, self.type, numpy) for _ in range(threads)]
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.out: Any = None
        self.places: list[ctypes.c_void_p] = []
        order = self.recorded and self.recorded.order.tolist()
        self.order = None if not order or order == [*range(len(order))] else self.recorded.order  # type: ignore[union-attr]
        self.lock = threading.Lock()
        self.data: Any = self.recorded and self.rows([self.recorded.data])

    def rows(self, arrays: Sequence[Any]) -> Any:
        """Where the samples are: for each argument an array with a row for each, copied if it must be."""
        arrays = [self.np.ascontiguousarray(array, self.type) for array in arrays]
        pointers = [array.ctypes.data for array in (*arrays, *self.tables)]
        return (ctypes.c_void_p * len(pointers))(*pointers), arrays

    def samples(self, columns: Sequence[Any]) -> Any:
        """The rows of columns."""
        if self.data is not None:
            return self.data
        at, arrays = 0, []
        for size in self.sizes:
            arrays.append(self.np.stack(columns[at : at + size], axis=1))
            at += size
        return self.rows(arrays)

    def __call__(self, columns: Sequence[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """The sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), leaves).tolist()
        return value, gradients

    def each_sample(self, samples: Any, leaves: Sequence[float]) -> Any:
        """The outputs of each sample, a row for each, of a program of which nothing is added up."""
        return self.sums(samples, leaves).reshape(-1, self.each)

    def sums(self, samples: Any, leaves: Sequence[float]) -> Any:
        """The sums of the outputs over the samples."""
        at, arrays = samples
        m = len(arrays[0]) if arrays else 1
        with self.lock:
            if self.out is None or len(self.out) != self.outputs + m * self.each:
                self.out = self.np.empty(self.outputs + m * self.each, self.type)
                self.places = [*map(_at, (self.w, self.out, self.work[0]))]
            self.pack(self.w, 0, *leaves)
            if self.recorded is not None and self.moves:
                arrays[0][...] = self.recorded.rows(self.w)
            if self.pool is None or m < ALONE * len(self.work):
                self.run(ctypes.c_long(m), at, *self.places)
            else:
                self.run_parts(arrays, m, self.out)
            return self.out.copy() if self.order is None else self.out[self.order]

    def run_parts(self, arrays: Sequence[Any], m: int, out: Any) -> None:
        """Each thread takes some samples that follow each other; the sums are added up in their order."""
        parts = len(self.work)
        bounds = [m * k // parts for k in range(parts + 1)]
        outs, done = [], []
        for start, end, work in zip(bounds, bounds[1:], self.work, strict=False):
            at, _ = self.rows([array[start:end] for array in arrays])
            outs.append(self.np.empty(self.outputs + (end - start) * self.each, self.type))
            given = (ctypes.c_long(end - start), at, *map(_at, (self.w, outs[-1], work)))
            done.append(self.pool.submit(self.run, *given))  # type: ignore[union-attr]
        for future in done:
            future.result()
        out[: self.outputs] = sum(part[: self.outputs] for part in outs)
        out[self.outputs :] = self.np.concatenate([part[self.outputs :] for part in outs])

    def steps(self, samples: Any, w: Any, count: int) -> tuple[Any, Any, Callable[[], int]] | None:
        """Room for `count` step sizes and for the means before each step, and what takes the steps.

        It moves the leaves `w` and returns how many steps it took: fewer where numbers end to be finite.
        None where the steps have to be taken one by one: with threads, and with data that are leaves.
        """
        if self.run_steps is None or self.pool is not None:
            return None
        at, arrays = samples
        lr, values = self.np.empty(count, self.type), self.np.empty(count, self.type)
        out = self.np.empty(self.leaves + 1, self.type)
        kept = (arrays, lr, w, values, out, self.work[0])
        m = ctypes.c_long(len(arrays[0]) if arrays else 1)
        given = (ctypes.c_long(count), _at(lr), m, at, *map(_at, (w, values, out, self.work[0])))

        def take(kept: Any = kept) -> int:
            with self.lock:
                return int(self.run_steps(*given))  # type: ignore[misc]

        return lr, values, take


def _aligned(size: int, kind: Any, numpy: Any) -> Any:
    """Room for numbers whose start is a multiple of 64 bytes."""
    room = numpy.zeros(size + 64, kind)
    return room[-room.ctypes.data % 64 // room.itemsize :]


def _at(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
