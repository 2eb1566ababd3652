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
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from autograd_lite.program import c
from autograd_lite.program.c import Layout

FLAGS = ("-std=gnu99", "-O3", "-march=native", "-fno-math-errno", "-fPIC", "-shared", "-w")
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


def built(text: str, fastmath: bool = False) -> Any:
    """The library compiled from the text; two processes that build the same one do not disturb each other."""
    command = compiler()
    flags = (*FLAGS, *FAST) if fastmath else FLAGS
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
    """A lifted program as machine code: called with columns and leaves, it gives sums over the samples."""

    def __init__(self, layout: Layout, n: int, real: str, fastmath: bool, numpy: Any, name: str) -> None:
        self.np, self.n, self.layout = numpy, n, layout
        self.type = numpy.float64 if real == "float64" else numpy.float32
        descent = c.descent(layout, name, {"float64": "double", "float32": "float"}[real])
        library = built(layout.text + descent, fastmath)
        self.run = getattr(library, name)
        self.run_steps = getattr(library, f"{name}_descend") if descent else None
        self.run.restype = None
        if self.run_steps is not None:
            self.run_steps.restype = ctypes.c_long
        self.run.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 5
        self.fixed = numpy.zeros(max(layout.fixed, 1), self.type)
        self.order = numpy.array([number for _, number in layout.order])
        kinds = [kind for kind, _ in layout.order]
        self.all_sums = set(kinds) == {"sum"}
        self.where = {kind: numpy.array([k == kind for k in kinds]) for kind in set(kinds)}
        size = layout.work + 64 + len(layout.leaves)
        self.work = numpy.zeros(size, self.type)
        start = -self.work.ctypes.data % 64 // self.work.itemsize
        self.work_at = self.work.ctypes.data + start * self.work.itemsize
        self.lock = threading.Lock()

    def __call__(self, columns: Sequence[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """The sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), self.np.array(leaves, dtype=self.type)).tolist()
        return value, gradients

    def samples(self, columns: Sequence[Any]) -> Any:
        """The columns as the machine code takes them: one sample after the other."""
        samples = self.np.empty((len(columns[0]) if self.n else 1, self.n), self.type)
        for k, column in enumerate(columns):
            samples[:, k] = column
        return samples

    def descend(self, samples: Any, leaves: Any, sizes: Sequence[float]) -> tuple[list[float], Any]:
        """The means before each step of gradient descent that could be taken, and the leaves after them."""
        np, layout = self.np, self.layout
        w, lr = leaves[layout.leaves].astype(self.type), np.array(sizes, self.type)
        values, sums = np.empty(len(lr), self.type), np.empty(max(layout.sums, 1), self.type)
        pointers = [
            ctypes.c_void_p(array.ctypes.data) for array in (lr, samples, w, values, sums, self.fixed)
        ]
        at = iter(pointers)
        with self.lock:
            taken = self.run_steps(  # type: ignore[misc]
                ctypes.c_long(len(lr)),
                next(at),
                ctypes.c_long(len(samples)),
                *at,
                ctypes.c_void_p(self.work_at),
            )
        moved = np.array(leaves, dtype=float)
        moved[layout.leaves] = w
        return values[:taken].tolist(), moved

    def sums(self, samples: Any, leaves: Any) -> Any:
        """The sums of the outputs over the samples, given the leaves as an array."""
        np, layout, m = self.np, self.layout, len(samples)
        w = leaves[layout.leaves]
        sums = np.zeros(max(layout.sums, 1), self.type)
        with self.lock:
            self.run(
                m, samples.ctypes.data, w.ctypes.data, sums.ctypes.data, self.fixed.ctypes.data, self.work_at
            )
            if self.all_sums:
                return sums[self.order]
            fixed = self.fixed * m
        out = np.empty(len(self.order), self.type)
        sources = {"sum": sums, "fixed": fixed, "leaf": w * m, "constant": layout.lifted.constants * m}
        for kind, here in self.where.items():
            source = samples.sum(axis=0) if kind == "argument" else sources[kind]
            out[here] = source[self.order[here]]
        return out
