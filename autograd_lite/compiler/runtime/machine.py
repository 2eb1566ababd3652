"""C compiled and loaded: the fastest form of a batch, where there is a compiler.

The compiler is `$CC`, `cc`, `gcc`, `clang`, `zig` or the `ziglang` wheel: the first that can build the text.
Libraries are kept in the user's cache directory, named by the hash of all that they were made from and by
their own. One is loaded only if nobody else can have put it there, and if it is what was written.

Not here: the text (`c.py`, `instructions.py`).
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from autograd_lite.compiler.codegen import bytecode as instructions
from autograd_lite.compiler.codegen import c_descent, c_function
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.loops.ir import ARGUMENT, CONSTANT, NESTS, PARAMETER, Access, LoopProgram
from autograd_lite.compiler.loops.vectorize import VectorizedBatch

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

# The text is unrolled already: -O3 takes half as long again to compile, and its code 5 % longer to run.
FLAGS = (
    *("-std=gnu99", "-O2", "-ftree-vectorize", "-march=native", "-fno-math-errno"),
    "-ffp-contract=off",  # products and sums round as they are written, but in loops that say otherwise
    *("-fPIC", "-shared", "-w"),
)
# What -ffast-math allows of reassociation, but not that option itself: with it GCC links start-up code that,
# once the library is loaded, makes the whole process, Python's floats included, take subnormal numbers for 0.
FAST = (
    "-ffp-contract=fast",
    "-fassociative-math",
    "-freciprocal-math",
    "-fno-signed-zeros",
    "-fno-trapping-math",
)


# A C compiler takes some 0.3 ms for a loop: where there are more of them, instructions are interpreted.
IRREGULAR = 1000
ALONE = 64  # samples from which a thread of its own is worth its start, some 30 µs


ROOM = 2**27  # bytes of libraries that are kept: some thousands


class NoCompilerError(RuntimeError):
    """There is no C compiler here."""


class _FailedError(RuntimeError):
    """A compiler made nothing that can be loaded."""


def compilers() -> list[tuple[str, ...]]:
    """The commands of the C compilers, in the order to try; `NoCompilerError` says what to install."""
    try:
        given = tuple(shlex.split(os.environ.get("CC", "")))
    except ValueError as error:
        raise NoCompilerError(f"CC={os.environ['CC']} is not a command ({error})") from None
    commands = [given, ("cc",), ("gcc",), ("clang",), ("zig", "cc")]
    found = [(path, *command[1:]) for command in commands if command and (path := shutil.which(command[0]))]
    if importlib.util.find_spec("ziglang"):
        found.append((sys.executable, "-m", "ziglang", "cc"))
    if not found:
        raise NoCompilerError(
            "no C compiler (cc, gcc, clang, zig): pip install 'autograd-lite[native]' brings one"
        )
    return [*dict.fromkeys(found)]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:  # not a program, after all
        return subprocess.CompletedProcess(command, 1, "", str(error))


@cache
def _version(command: tuple[str, ...]) -> str:
    return _run([*command, "--version"]).stdout + platform.processor() + platform.machine() + _features()


def _features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.node()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


# --- The cache


def _cache_folder() -> Path | None:
    """The folder in which libraries are kept; None where another user could put one of theirs."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = given if given.is_absolute() else Path.home() / ".cache"
        folder = base / "autograd_lite"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        real = folder.resolve()
        return real if _is_private(real) and _is_fixed(folder) and _is_fixed(real) else None
    except (OSError, RuntimeError):  # no home, a file in the way, links in a circle
        return None


def _is_private(folder: Path) -> bool:
    """Whether the folder is ours, and closed to all others."""
    found = folder.lstat()
    return not hasattr(os, "getuid") or (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
    )


def _is_fixed(path: Path) -> bool:
    """Whether no other user can put something else in the place of the path, or of a part of it."""
    if not hasattr(os, "getuid"):  # Windows, where a profile is open to its user alone
        return True
    for part in (path, *path.parents):
        found = part.lstat()
        # In a folder with the sticky bit, as /tmp, each entry is its owner's to exchange.
        is_open = (
            not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        )
        if is_open or found.st_uid not in (0, os.getuid()):
            return False
    return True


@contextmanager
def _building(folder: Path | None) -> Iterator[None]:
    """Hold a lock that says that something is built in the folder; where nothing else is, tidy it first."""
    if folder is None or fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # someone else builds
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _tidy(folder)
        with suppress(OSError):  # no locks on this file system: then nothing is tidied either
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _tidy(folder: Path) -> None:
    """Remove the folders of builds that were killed, and the libraries unused for longest beyond `ROOM`."""
    found, room = [], 0
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            info = entry.stat(follow_symlinks=False)
            found.append((info.st_mtime_ns, info.st_size, entry.path))
    for _, size, path in sorted(found, reverse=True):
        room += size
        if room > ROOM:
            Path(path).unlink(missing_ok=True)


def _file_name(digest: str, content: bytes) -> str:
    return f"{digest}.{hashlib.sha256(content).hexdigest()[:32]}.so"


def _kept(folder: Path | None, digest: str) -> Any:
    """The library that is kept for a digest; None if there is none, or if it is not what was written."""
    for name in [] if folder is None else os.listdir(folder):
        if name.startswith(digest):
            path = folder / name  # type: ignore[operator]
            with suppress(OSError, _FailedError):
                if name == _file_name(digest, path.read_bytes()):
                    library = _loaded(path)
                    os.utime(path)
                    return library
            with suppress(OSError):
                path.unlink()
    return None


# --- Building


def built(text: str, more: tuple[str, ...] = ()) -> Any:
    """The library compiled from the text by the first compiler that can.

    Two processes that build the same one do not disturb each other. Raises `RuntimeError` if no compiler can.
    """
    flags, folder = (*FLAGS, *more), _cache_folder()
    failures: list[str] = []
    for command in compilers():
        made_from = "\0".join([text, *command, *flags, _version(command)])
        digest = hashlib.sha256(made_from.encode()).hexdigest()[:32]
        try:
            return _kept(folder, digest) or _made(text, [*command, *flags], folder, digest)
        except _FailedError as error:
            failures.append(f"{' '.join(command)} failed on a program's C source: {error}")
    raise RuntimeError("\n".join(failures))


def _made(text: str, command: list[str], folder: Path | None, digest: str) -> Any:
    """The library, built and put into the cache; where that has no room, it is loaded and forgotten."""
    problem: OSError | None = None
    for place in dict.fromkeys((folder, None)):
        try:
            with _building(place), tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as work:
                source, made = Path(work, "program.c"), Path(work, "program.so")
                source.write_text(text)
                done = _run([*command, "-o", str(made), str(source), "-lm"])
                if done.returncode or not made.is_file():
                    raise _FailedError(
                        done.stderr[-2000:] or f"it ended with {done.returncode}, without a library"
                    )
                content = made.read_bytes()
                if not _is_whole(content):
                    raise _FailedError("what it made is cut off")
                if place is None and not _is_fixed(made.resolve()):
                    raise _FailedError(f"others can exchange what is in {made.parent.parent}")
                library = _loaded(made)
                if place is not None:
                    made.replace(place / _file_name(digest, content))
                return library
        except OSError as error:
            problem = error
    raise _FailedError(str(problem))


def _loaded(path: Path) -> Any:
    """The library in a file, if it has the program's function."""
    try:
        library = ctypes.CDLL(str(path))
        library.program  # noqa: B018
    except (OSError, AttributeError) as error:
        raise _FailedError(f"what it made cannot be loaded: {error}") from error
    return library


def _is_whole(library: bytes) -> bool:
    """Whether an ELF file holds all that it says is loaded: reading past its end would kill the process."""
    if library[:5] != b"\x7fELF\x02":
        return True  # the loader knows other files by their beginning
    try:
        order = "<" if library[5] == 1 else ">"
        (start,) = struct.unpack_from(f"{order}Q", library, 32)
        size, count = struct.unpack_from(f"{order}HH", library, 54)
        segments = [struct.unpack_from(f"{order}8xQ16xQ", library, start + size * k) for k in range(count)]
    except struct.error:
        return False
    return all(at + length <= len(library) for at, length in segments)


# --- Running


class Samples(NamedTuple):
    """Where a machine finds its samples: for each argument an array with a row for each."""

    key: object  # of the machine that they were prepared for
    at: Any  # the addresses of the arrays, and of the machine's tables
    arrays: tuple[Any, ...]
    m: int
    kept: tuple[Any, ...]  # weak references: an array that has one cannot be resized, which would move it


def _check(program: LoopProgram, arguments: int, leaves: int, numpy: Any) -> None:
    """Raise `ValueError` if a nest reads what there is not: C would read other memory."""
    sizes = {ARGUMENT: arguments, PARAMETER: len(program.leaves), CONSTANT: len(program.constants)}
    sizes |= {NESTS + k: nest.size for k, nest in enumerate(program.nests)}
    outputs = [Access(space, numpy.array(number)) for space, number in (*program.outputs, *program.each)]
    for slot in (*[slot for nest in program.nests for slot in nest.reads()], *outputs):
        _within(slot.index, sizes.get(slot.space, 0))
    _within(program.leaves, leaves)


def _within(index: Any, size: int) -> None:
    if index.size and not 0 <= index.min() <= index.max() < size:
        raise ValueError(
            f"a program reads number {index.max()} of {size}: it was changed since it was compiled"
        )


class Machine:
    """A program as machine code: called with samples and leaves, it gives sums over the samples.

    One call at a time: the leaves, the results and the room for work have their places, prepared once.
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
    ) -> None:
        self.recorded = found if isinstance(found, VectorizedBatch) else None
        if self.recorded:
            arguments = [("the data", self.recorded.data.shape[1])]
        self.np, self.sizes, self.leaves = numpy, tuple([size for _, size in arguments]), leaves
        self.type = numpy.dtype(real)
        number = {"float64": "double", "float32": "float"}[real]
        lanes = 64 // self.type.itemsize if arguments else 1
        self.tables: tuple[Any, ...] = ()
        if isinstance(found, tuple):
            layout, (codes, constants) = instructions.layout(
                *found,
                numpy,
                added=not each,
                name="program",
                arguments=arguments,
                leaves=leaves,
                lanes=lanes,
                real=number,
            )
            with numpy.errstate(over="ignore"):
                self.tables = (codes, constants.astype(self.type))
            self.outputs, self.each = (0, len(found[1])) if each else (len(found[1]), 0)
        else:
            program = found if isinstance(found, LoopProgram) else found.program
            _check(program, sum(self.sizes), leaves, numpy)
            if each:
                program = replace(program, outputs=[], each=program.outputs)
            layout = c_function.c_layout(
                program,
                numpy,
                name="program",
                arguments=arguments,
                lanes=lanes,
                real=number,
                recorded=self.recorded is not None,
            )
            self.outputs, self.each = len(program.outputs), len(program.each)
        self.moves = (
            self.recorded is not None and self.recorded.leaves.size > 0
        )  # some of the data are leaves
        descends = self.outputs == leaves + 1 and not self.moves  # all derivatives are sums
        text = layout.text + (c_descent.descent(layout, "program", number, leaves, lanes) if descends else "")
        library = built(text, FAST if fastmath else ())
        self._run, self._run_steps = library.program, library.program_descend if descends else None
        self._run.restype = None
        if self._run_steps is not None:
            self._run_steps.restype = ctypes.c_long
        self._pack = struct.Struct(f"{leaves}{self.type.char}").pack_into
        self._w = numpy.zeros(leaves, self.type)
        # A recorded loss is what its samples' sums are made into: sums of parts of them do not add up to it.
        threads = 1 if self.recorded else threads
        self._work = [_aligned(layout.work, self.type, numpy) for _ in range(threads)]
        self._out: Any = None
        self._places: list[ctypes.c_void_p] = []
        order = self.recorded and self.recorded.order.tolist()
        self.order = None if not order or order == [*range(len(order))] else self.recorded.order  # type: ignore[union-attr]
        self._key = object()
        self._renew()
        _machines.add(self)
        given = [self.recorded.data] if self.recorded else []
        self.data: Samples | None = self.rows(given) if len(given) == len(self.sizes) else None

    def _renew(self) -> None:
        """Make what a forked process does not take over: threads, and a lock that none of them holds."""
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(len(self._work)) if len(self._work) > 1 else None

    def _converted(self, array: Any) -> Any:
        """An array as C reads it: itself, if it can be."""
        if self.type.itemsize == 8:
            found = self.np.ascontiguousarray(array, self.type)
        else:
            with self.np.errstate(over="ignore"):  # what is not finite is settled in doubles
                found = self.np.ascontiguousarray(array, self.type)
        return found if found.flags.aligned else found.copy()

    def rows(self, arrays: Sequence[Any]) -> Samples:
        """Where the samples are: for each argument an array with a row for each, copied if it must be."""
        np = self.np
        if len(arrays) != len(self.sizes):
            raise ValueError(f"the program takes {len(self.sizes)} arrays, got {len(arrays)}")
        held, m, views = [], 1, list[Any]()
        for array, size in zip(arrays, self.sizes, strict=True):
            found = self._converted(array)
            owner = found
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            held.append(weakref.ref(owner))
            view = found[...]  # whose shape nobody else can change
            m = m if views else len(view)
            if len(view) != m or view.size != m * size:
                raise ValueError(f"the program takes arrays of {m} x {size} numbers, got {view.shape}")
            views.append(view)
        addresses = [view.ctypes.data for view in (*views, *self.tables)]
        return Samples(
            self._key, (ctypes.c_void_p * len(addresses))(*addresses), tuple(views), m, tuple(held)
        )

    def samples(self, columns: Sequence[Any]) -> Samples:
        """The rows of columns."""
        if self.data is not None:
            return self.data
        if len(columns) != sum(self.sizes):
            raise ValueError(f"the program takes {sum(self.sizes)} columns, got {len(columns)}")
        at, arrays = 0, []
        for size in self.sizes:
            arrays.append(self.np.stack(columns[at : at + size], axis=1))
            at += size
        return self.rows(arrays)

    def __call__(self, columns: Sequence[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """The sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), leaves).tolist()
        return value, gradients

    def each_sample(self, samples: Samples, leaves: Sequence[float]) -> Any:
        """The outputs of each sample, a row for each, of a program of which nothing is added up."""
        return self.sums(samples, leaves).reshape(-1, self.each)

    def sums(self, samples: Samples, leaves: Sequence[float]) -> Any:
        """The sums of the outputs over the samples."""
        self._needs(samples)
        if len(leaves) != self.leaves:
            raise ValueError(f"the program takes {self.leaves} leaves, got {len(leaves)}")
        m = samples.m
        with self._lock:
            if self._out is None or len(self._out) != self.outputs + m * self.each:
                self._out = self.np.empty(self.outputs + m * self.each, self.type)
                self._places = [*map(_at, (self._w, self._out, self._work[0]))]
            try:
                self._pack(self._w, 0, *leaves)
            except OverflowError:  # beyond float32: what is not finite is settled in doubles
                with self.np.errstate(over="ignore"):
                    self._w[:] = leaves
            if self.recorded is not None and self.moves:
                with self.np.errstate(over="ignore"):
                    samples.arrays[0][...] = self.recorded.rows(self._w)
            if self._pool is None or m < ALONE * len(self._work):
                self._run(ctypes.c_long(m), samples.at, *self._places)
            else:
                self._run_parts(self._pool, samples, self._out)
            return self._out.copy() if self.order is None else self._out[self.order]

    def _needs(self, samples: Samples) -> None:
        if samples.key is not self._key:
            raise ValueError("the samples were prepared for another program")

    def _run_parts(self, pool: ThreadPoolExecutor, samples: Samples, out: Any) -> None:
        """Each thread takes some samples that follow each other; the sums are added up in their order."""
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

    def steps(self, samples: Samples, w: Any, count: int) -> tuple[Any, Any, Callable[[], int]] | None:
        """Room for `count` step sizes and for the means before each step, and what takes the steps.

        It moves the leaves `w` and returns how many steps it took: fewer where a number is not finite.
        None where the steps have to be taken one by one: with threads, and with data that are leaves.
        """
        self._needs(samples)
        if self._run_steps is None or self._pool is not None:
            return None
        lr, values = self.np.empty(count, self.type), self.np.empty(count, self.type)
        out = self.np.empty(self.leaves + 1, self.type)
        w = w[...]
        if w.dtype != self.type or w.shape != (self.leaves,) or not w.flags.carray:
            raise ValueError(f"the leaves must be {self.leaves} numbers of type {self.type} in a row")
        kept = (samples, lr, w, values, out, weakref.ref(w if w.base is None else w.base))
        m = ctypes.c_long(samples.m)
        given = (ctypes.c_long(count), _at(lr), m, samples.at, *map(_at, (w, values, out, self._work[0])))

        def take(kept: Any = kept) -> int:
            with self._lock:
                return int(self._run_steps(*given))  # type: ignore[misc]

        return lr, values, take


_machines: weakref.WeakSet[Machine] = weakref.WeakSet()


def _renewed() -> None:
    for machine in _machines:
        machine._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renewed)


def _aligned(size: int, kind: Any, numpy: Any) -> Any:
    """Room for numbers whose start is a multiple of 64 bytes."""
    room = numpy.zeros(size + 64, kind)
    return room[-room.ctypes.data % 64 // room.itemsize :]


def _at(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
