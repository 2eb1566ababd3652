"""The build's hook: compile the engine where Cython, a C compiler and Python's headers are at hand.

Each module of `autograd_lite/core` that has a ``.pxd`` file beside it becomes a library. Where that is not
possible, the build says why in one line and goes on without libraries: the same modules then run as Python.

- AUTOGRAD_LITE_PURE=1: compile nothing
- AUTOGRAD_LITE_COMPILED=1: fail where nothing can be compiled, with all that Cython and the compiler said
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "autograd_lite.core"
CORE = Path(*PACKAGE.split("."))
CYTHON = (3, 1)  # the oldest version that will do
DIRECTIVES = {"language_level": 3, "annotation_typing": False, "binding": True, "auto_pickle": False}
WINDOWS = os.name == "nt"  # where setuptools finds Microsoft's compiler
# Without the last one, a compiler may round a * b + c once, where Python rounds twice.
FLAGS = [] if WINDOWS else ["-O2", "-g0", "-ffp-contract=off"]


class NotCompiledError(Exception):
    """The reason why nothing was compiled, in one line."""


class CompileCore(BuildHookInterface[Any]):
    """Adds the libraries to a wheel; for an editable installation, puts them into the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before hatchling collects the files of the wheel."""
        core = Path(self.root) / CORE
        native = runpy.run_path(str(core / "native.py"))
        folder, stamp, suffix = core / native["FOLDER"], native["STAMP"], native["SUFFIX"]
        self.work = Path(tempfile.mkdtemp())
        try:
            if version == "editable":  # whatever happens now, no old library is left
                for old in [folder / stamp, *folder.glob(f"*{suffix}")]:
                    old.unlink(missing_ok=True)
            sources = native["sources"](core)
            if not sources or native["is_set"]("AUTOGRAD_LITE_PURE"):
                return
            built = compiled(Path(self.root), [*sources], self.work)
            (built / stamp).write_text(native["stamp"](sources, built))
            if version == "editable":
                folder.mkdir(exist_ok=True)
                for file in [*(name + suffix for name in sources), stamp]:  # without a stamp, none is loaded
                    shutil.move(built / file, folder / file)
            else:
                build_data["force_include"][str(built)] = (CORE / native["FOLDER"]).as_posix()
                build_data["pure_python"], build_data["infer_tag"] = False, True
        except (NotCompiledError, OSError) as reason:
            if native["is_set"]("AUTOGRAD_LITE_COMPILED"):
                raise
            self.app.display_warning(
                f"autograd_lite: the engine is not compiled and runs as Python: {reason}"
            )

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what Cython and the compiler wrote."""
        shutil.rmtree(self.work, ignore_errors=True)


def compiled(root: Path, names: Sequence[str], work: Path) -> Path:
    """Compile modules of the package at `root` and return the folder within `work` that holds the libraries.

    Raises `NotCompiledError` if something that is needed is missing, or if Cython or the compiler fails.
    """
    # In a process of its own, so that what the tools print can be held back.
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), str(work), *names],
        cwd=root,
        env=os.environ | compiler(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        lines = done.stdout.strip().splitlines() or [f"it ended with {done.returncode}"]
        error = NotCompiledError(next((line for line in lines if re.search(r"\berror: ", line)), lines[-1]))
        error.add_note(done.stdout)
        raise error
    return work / "libraries" / CORE


def compiler() -> dict[str, str]:
    """Return the value of $CC for setuptools to find a C compiler; none is needed where it finds one anyway.

    Raises `NotCompiledError`, which says what this machine lacks, if it cannot compile.
    """
    if platform.python_implementation() != "CPython":
        raise NotCompiledError(f"it gains nothing under {platform.python_implementation()}")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise NotCompiledError("it needs the global interpreter lock, which this Python does without")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise NotCompiledError("Python's headers are missing (Debian's package python3-dev)")
    try:
        importlib.metadata.version("setuptools")
        cython = importlib.metadata.version("cython")
    except importlib.metadata.PackageNotFoundError as error:
        raise NotCompiledError(f"{error.name} is missing") from None
    if tuple(map(int, re.findall(r"\d+", cython)[:2])) < CYTHON:
        raise NotCompiledError(f"Cython {cython} is too old")
    own = sysconfig.get_config_var("CC") or "cc"  # what built Python
    if WINDOWS or os.environ.get("CC") or shutil.which(own.split()[0]):
        return {}
    for command in ("cc", "gcc", "clang"):
        if shutil.which(command):
            return {"CC": command}
    raise NotCompiledError("there is no C compiler (cc, gcc or clang)")


def compile_modules(work: str, names: Sequence[str]) -> None:
    """Compile modules of the package in the current directory, several at a time."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    extensions = cythonize(
        [
            Extension(f"{PACKAGE}.{name}", [f"{CORE.as_posix()}/{name}.py"], extra_compile_args=FLAGS)
            for name in names
        ],
        build_dir=work,
        nthreads=min(len(names), os.cpu_count() or 1),
        compiler_directives=DIRECTIVES,
    )
    build = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    build.build_lib, build.build_temp, build.parallel = f"{work}/libraries", f"{work}/objects", True
    build.ensure_finalized()
    build.run()


if __name__ == "__main__":
    compile_modules(sys.argv[1], sys.argv[2:])
