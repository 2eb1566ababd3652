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
from functools import cache
from pathlib import Path
from typing import Any

from autograd_lite.program import c
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


class NoCompilerError(RuntimeError):
    """There is no C compiler here."""


@cache
def compiler() -> tuple[str, ...]:
    """The command of the C compiler; `NoCompilerError` says what to install."""
    given = os.environ.get("CC")
    if given and shutil.which(shlex.split(given)[0]):
        return tuple(shlex.split(given))
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
            if done.returncode:
                raise RuntimeError(
                    f"{' '.join(command)} failed on a program's C source:\n{done.stderr[-2000:]}"
                )
            os.replace(made, library)
    return ctypes.CDLL(str(library))


class Machine:
    """A program as machine code: called with samples and leaves, it gives sums over the samples.

    One call at a time: the leaves, the results and the room for work have their places, prepared once.
    """

    def __init__(
        self,
        found: Lifted | Recorded,
        arguments: Sequence[tuple[str, int]],
        leaves: int,
        real: str,
        fastmath: bool,
        numpy: Any,
    ) -> None:
        self.recorded = found if isinstance(found, Recorded) else None
        lifted = found if isinstance(found, Lifted) else found.lifted
        if self.recorded:
            arguments = [("the data", self.recorded.data.shape[1])]
        self.np, self.sizes, self.leaves = numpy, [size for _, size in arguments], leaves
        self.type = numpy.dtype(real)
        number = {"float64": "double", "float32": "float"}[real]
        lanes = 64 // self.type.itemsize if arguments else 1
        layout = c.c_layout(
            lifted,
            numpy,
            name="program",
            arguments=arguments,
            lanes=lanes,
            real=number,
            recorded=bool(self.recorded),
        )
        self.outputs, self.each = len(lifted.outputs), len(lifted.each)
        descends = self.outputs == leaves + 1  # all derivatives are sums
        text = layout.text + (c.descent(layout, "program", number, leaves, lanes) if descends else "")
        library = built(text, FAST if fastmath else ())
        self.run, self.run_steps = library.program, library.program_descend if descends else None
        self.run.restype = None
        if self.run_steps is not None:
            self.run_steps.restype = ctypes.c_long
        self.pack = struct.Struct(f"{leaves}{self.type.char}").pack_into
        self.room = numpy.zeros(layout.work + 64, self.type)
        start = -self.room.ctypes.data % 64 // self.room.itemsize
        self.w, self.work = numpy.zeros(leaves, self.type), self.room[start:]
        self.lock = threading.Lock()
        self.data: Any = self.recorded and self.rows([self.recorded.data])

    def rows(self, arrays: Sequence[Any]) -> Any:
        """Where the samples are: for each argument an array with a row for each, copied if it must be."""
        arrays = [self.np.ascontiguousarray(array, self.type) for array in arrays]
        return (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays]), arrays

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

    def sums(self, samples: Any, leaves: Sequence[float]) -> Any:
        """The sums of the outputs over the samples."""
        at, arrays = samples
        m = len(arrays[0]) if arrays else 1
        out = self.np.empty(self.outputs + m * self.each, self.type)
        with self.lock:
            self.pack(self.w, 0, *leaves)
            if self.recorded is not None and self.each:
                arrays[0][...] = self.recorded.rows(self.w)
            self.run(ctypes.c_long(m), at, *map(_at, (self.w, out, self.work)))
        return out if self.recorded is None else out[self.recorded.order]

    def steps(self, samples: Any, w: Any, count: int) -> tuple[Any, Any, Callable[[], int]]:
        """Room for `count` step sizes and for the means before each step, and what takes the steps.

        It moves the leaves `w` and returns how many steps it took: fewer where numbers end to be finite.
        """
        at, arrays = samples
        lr, values = self.np.empty(count, self.type), self.np.empty(count, self.type)
        out = self.np.empty(self.leaves + 1, self.type)
        kept = (arrays, lr, w, values, out, self.work)
        m = ctypes.c_long(len(arrays[0]) if arrays else 1)
        given = (ctypes.c_long(count), _at(lr), m, at, *map(_at, (w, values, out, self.work)))

        def take(kept: Any = kept) -> int:
            with self.lock:
                return int(self.run_steps(*given))  # type: ignore[misc]

        return lr, values, take


def _at(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
