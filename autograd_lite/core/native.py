"""Choose the form in which the engine runs: as compiled libraries if they are there, otherwise as Python.

The build compiles each module of this room that has a ``.pxd`` file beside it, and puts the libraries into
the folder `_native`, with a stamp of the sources they were compiled from (`.build/compile_core.py`). Both
forms have the same source and behave alike.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import source_hash
from pathlib import Path

FOLDER = "_native"
SUFFIX = EXTENSION_SUFFIXES[0]  # of a library for this interpreter: ".cpython-313-darwin.so"
STAMP = f"stamp{SUFFIX}.txt"


def sources(core: Path) -> dict[str, str]:
    """Return the modules that are compiled, by name, with a hash of the source of each."""
    names = sorted(name.removesuffix(".pxd") for name in os.listdir(core) if name.endswith(".pxd"))
    files = {name: [core / f"{name}.py", core / f"{name}.pxd"] for name in names}
    return {name: source_hash(b"".join(path.read_bytes() for path in files[name])).hex() for name in names}


def stamp(compiled_from: dict[str, str], folder: Path) -> str:
    """Return a line for each library in `folder`: its name, the hash of its source, its size."""
    return "".join(
        f"{name} {digest} {(folder / f'{name}{SUFFIX}').stat().st_size}\n"
        for name, digest in compiled_from.items()
    )


def is_set(variable: str) -> bool:
    """Return whether an environment variable says yes: it is neither empty nor 0."""
    return os.environ.get(variable, "") not in ("", "0")


def prefer_libraries(package: str) -> bool:
    """Load the compiled modules of `package` and return True, or leave it as it is and return False.

    All of them are loaded or none. Libraries that do not fit the sources, or cannot be loaded, are left alone
    with a warning.
    """
    search: list[str] = sys.modules[package].__path__  # type: ignore[assignment]
    core = Path(search[0])
    folder = core / FOLDER
    if is_set("AUTOGRAD_LITE_PURE") or not (folder / STAMP).is_file():
        return False
    before = {*sys.modules}
    try:
        found = sources(core)
        if (folder / STAMP).read_text() != stamp(found, folder):
            raise ImportError("they were not compiled from this source")
        search.insert(0, str(folder))
        for name in found:
            import_module(f"{package}.{name}")
        return True
    except Exception as error:  # a library may raise anything while it is loaded
        _forget(package, before)
        search[:] = [str(core)]
        warnings.warn(
            f"the engine runs as Python, which is slower, because its libraries in {folder} are not usable: "
            f"{error}. Install autograd_lite again (in a checkout: `pip install -e .`), or set "
            "AUTOGRAD_LITE_PURE=1.",
            RuntimeWarning,
            stacklevel=2,
        )
        return False


def _forget(package: str, before: set[str]) -> None:
    """Forget the submodules of `package` that were not loaded before, so that they are imported anew."""
    for name in sys.modules.keys() - before:
        if name.startswith(f"{package}."):
            del sys.modules[name]
            vars(sys.modules[package]).pop(name.removeprefix(f"{package}."), None)
