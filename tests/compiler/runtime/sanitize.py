"""AddressSanitizer and UndefinedBehaviorSanitizer over the C of random programs, and over every misuse.

``python -m tests.compiler.runtime.sanitize [COUNT [FIRST]]`` builds COUNT programs of `graphs.py` with both
sanitizers, each in C and in another form, runs them, and runs `misuse.py`. The first error ends it.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Without optimization a compiler takes a quarter of the time, and drops no access that is out of bounds.
FLAGS = ("-std=gnu99", "-O0", "-march=native", "-fno-math-errno", "-fPIC", "-shared", "-w")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = {"clang": "libclang_rt.asan-x86_64.so", "gcc": "libasan.so"}


def preloaded() -> dict[str, str] | None:
    """The environment in which Python loads sanitized libraries; None where no compiler has sanitizers."""
    for compiler, name in COMPILERS.items():
        if shutil.which(compiler):
            command = [compiler, f"-print-file-name={name}"]
            found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
            if os.path.isabs(found):
                return {
                    **os.environ,
                    "CC": compiler,
                    "LD_PRELOAD": found,
                    # Python frees little at its end, and is answered when it asks for too much.
                    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:symbolize=0",
                    "UBSAN_OPTIONS": "print_stacktrace=1:symbolize=0",
                    "OPENBLAS_NUM_THREADS": "1",
                }
    return None


@contextmanager
def sanitized() -> Iterator[None]:
    """Meanwhile machine code is built with the sanitizers, and its room for work ends where it ends."""
    from autograd_lite.compiler.runtime import machine as native
    from autograd_lite.compiler.runtime import toolchain

    poison, rooms = ctypes.CDLL(None).__asan_poison_memory_region, []
    flags, aligned = toolchain.FLAGS, native._aligned

    def exact(size: int, kind: Any, numpy: Any) -> Any:
        room = aligned(size, kind, numpy)
        rooms.append(room)  # never freed: it stays poisoned
        end = room.ctypes.data + size * room.itemsize
        rest = room[size:].nbytes
        poison(ctypes.c_void_p(end), ctypes.c_size_t(rest))
        return room

    shared = ("-shared-libasan",) if os.environ.get("CC") == "clang" else ()
    toolchain.FLAGS, native._aligned = (*FLAGS, *SANITIZERS, *shared), exact
    try:
        yield
    finally:
        toolchain.FLAGS, native._aligned = flags, aligned


def plain_c(program: Any, batches: list[Any]) -> list[float]:
    """The sums by the text that `c_source` shows, which has one lane."""
    import numpy as np

    from autograd_lite.compiler.runtime import library as libraries

    text = program.c_source
    library = libraries.build(text)
    (room,) = re.findall(r"room for (\d+) numbers", text)
    leaves = np.array(program.leaf_numbers())
    out, work = np.zeros(len(leaves) + 1), np.zeros(int(room))
    samples = [np.ascontiguousarray(batch, float) for batch in batches]
    at = (ctypes.c_void_p * len(samples))(*[x.ctypes.data for x in samples])
    places = [ctypes.c_void_p(x.ctypes.data) for x in (leaves, out, work)]
    library.program(ctypes.c_long(len(samples[0])), at, *places)
    return out.tolist()  # type: ignore[no-any-return]


FORMS = ("C99", "float32", "leaves", "arguments", "interpreted", "interpreted leaves", "recorded")


def forms(seed: int) -> Iterator[tuple[str, float]]:
    """Two forms of machine code of a random program, and how far each is from the eager engine."""
    import numpy as np

    from autograd_lite import Value
    from autograd_lite.compiler import compile
    from autograd_lite.compiler.runtime import machine as native
    from tests.compiler.graphs import KINDS, _chooses, eager, graph, off

    _, loss, X, t = graph(seed)
    program = compile(loss, X[0], t[0], name="program")
    try:
        total, want = eager(loss, X, t, program.leaves)  # type: ignore[arg-type]
    except (ArithmeticError, ValueError):
        return
    if not program.leaves:
        return
    batches = [np.array(X), np.array(t)]

    def summed(program: Any) -> float:
        value, gradients = program.batch(*batches, reduce="sum")
        for m in {1, 2, len(X) - 1} & {*range(1, len(X))}:
            program.batch(*[x[:m] for x in batches])
        before = program.leaf_numbers()
        with suppress(ArithmeticError, ValueError):  # a step may leave the domain
            program.descend(*batches, lr=1e-3, steps=3)
        for leaf, number in zip(program.leaves, before, strict=True):
            leaf.data = number
        return off([value, *gradients], want)

    def each(program: Any, wrt: str) -> float:
        values, _ = program.batch(*batches, reduce=None, wrt=wrt)
        return off([float(values.sum())], want[:1])

    form = FORMS[seed // len(KINDS) % len(FORMS)]
    if form == "C99":
        yield form, off(plain_c(program, batches), want)
    program.native(threads=1 + seed % 2)
    yield "C", summed(program)
    if form in ("leaves", "arguments"):
        yield form, each(program, form)
    elif form == "float32":
        yield form, 1e-9 * summed(program.native("float32"))
    elif form == "recorded":
        if isinstance(total, Value) and not _chooses(total):
            recorded = compile(total).native()
            yield form, off([recorded()[0]], want[:1])
            recorded.descend(lr=1e-3)
    elif form != "C99":
        before, native.IRREGULAR = native.IRREGULAR, -1
        try:
            program.native()
            yield form, summed(program) if form == "interpreted" else each(program, "leaves")
        finally:
            native.IRREGULAR = before


def inside(count: int, first: int) -> None:
    """Run it all in this process, which has the sanitizers loaded."""
    from tests.compiler.runtime.misuse import MISUSES

    start, worst = time.time(), 0.0
    with sanitized():
        for misuse in MISUSES:
            misuse()
            print(f"# {misuse.__name__}: {time.time() - start:.0f} s", flush=True)
        for seed in range(first, first + count):
            for form, far in forms(seed):
                worst = max(worst, far)
                if not far <= 1e-12:
                    print(f"{seed} {form}: off by {far:.2g}", flush=True)
            if seed % 10 == 9:
                print(f"# {seed + 1 - first} programs, {time.time() - start:.0f} s", flush=True)
    print(f"{count} programs and {len(MISUSES)} misuses without an error; off by at most {worst:.1e}")


def main(count: int = 300, first: int = 0) -> int:
    """Start a process with the sanitizers loaded; return how it ended."""
    environment = preloaded()
    if environment is None:
        print("no sanitizers are installed")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        environment["XDG_CACHE_HOME"] = folder
        command = [sys.executable, "-m", "tests.compiler.runtime.sanitize", "inside", str(count), str(first)]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        inside(*map(int, sys.argv[2:]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
