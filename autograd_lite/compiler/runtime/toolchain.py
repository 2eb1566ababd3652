"""The C toolchain: the compilers on this machine, their flags, and how one of them runs.

The compilers are `$CC`, `cc`, `gcc`, `clang`, `zig` and the `ziglang` wheel, tried in this order. Next door:
`library.py` decides which of them builds, and keeps the libraries; `codegen` prints the C.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

Command: TypeAlias = tuple[str, ...]  # a program and its arguments

# The text is unrolled already: with -O3 it takes half as long again to compile, and its code runs 5 % longer.
FLAGS = (
    *("-std=gnu99", "-O2", "-ftree-vectorize", "-march=native", "-fno-math-errno"),
    "-ffp-contract=off",  # products and sums round as written; loops that may be fused say so in the text
    *("-fPIC", "-shared", "-w"),
)
# For programs of one sample, whose loops are short. With the flags above a GPT of scalars takes twice as long
# to compile, and its code runs longer: 41 µs instead of 36 for 8 tokens; 1.8 ms instead of 0.9 if 64 wide.
SINGLE = ("-O1", "-fno-tree-vectorize")
# For `fastmath`: what -ffast-math allows, without that option itself. With it GCC links start-up code: once
# the library is loaded, the whole process, Python's floats included, treats subnormal numbers as 0.
REORDERING = (
    "-ffp-contract=fast",
    "-fassociative-math",
    "-freciprocal-math",
    "-fno-signed-zeros",
    "-fno-trapping-math",
)


class NoCompilerError(RuntimeError):
    """There is no C compiler on this machine."""


class BuildError(RuntimeError):
    """A compiler failed, or its output is not a library that can be loaded."""


def compilers() -> list[Command]:
    """Return the commands of the C compilers, in the order to try them.

    Raises `NoCompilerError`, which says what to install, if there is none.
    """
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


def compiled(text: str, command: Sequence[str], folder: Path) -> Path:
    """Compile C to a shared library in `folder` and return its path.

    `command` is a compiler with its flags. Raises `BuildError` if it fails or writes an incomplete file.
    """
    source, library = folder / "program.c", folder / "program.so"
    source.write_text(text)
    done = _run([*command, "-o", str(library), str(source), "-lm"])
    if done.returncode or not library.is_file():
        raise BuildError(done.stderr[-2000:] or f"it ended with {done.returncode}, without a library")
    if not _is_complete(library.read_bytes()):
        raise BuildError("its library is cut off")
    return library


@cache
def fingerprint(command: Command) -> str:
    """Return the other inputs of a library: the compiler's version and the processor's features."""
    return _run([*command, "--version"]).stdout + platform.processor() + platform.machine() + _features()


def _features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.node()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:  # the file is executable, but not a program
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _is_complete(library: bytes) -> bool:
    """Return whether an ELF file holds every segment it announces: reading past its end kills the process."""
    if library[:5] != b"\x7fELF\x02":
        return True  # the loader rejects other files by their first bytes
    try:
        order = "<" if library[5] == 1 else ">"
        (start,) = struct.unpack_from(f"{order}Q", library, 32)
        size, count = struct.unpack_from(f"{order}HH", library, 54)
        segments = [struct.unpack_from(f"{order}8xQ16xQ", library, start + size * k) for k in range(count)]
    except struct.error:
        return False
    return all(at + length <= len(library) for at, length in segments)
