"""Let tests skip where a package that they use is not installed, and say which one it is.

Everything but pytest may be missing. Without NumPy, a test's ``import numpy as np`` gives a stand-in.
A module may make examples of it; a test that uses it, or is given such an example, skips.
Imports by the package are left alone: it behaves as it does for a user without NumPy, and a test
that ends in its ImportError skips too.
"""

import builtins
import doctest
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import pytest

PACKAGES = [
    "IPython",
    "dask",
    "distributed",
    "hatchling",
    "hypothesis",
    "ipykernel",
    "jedi",
    "latex2mathml",
    "matplotlib",
    "mpmath",
    "nbclient",
    "nbformat",
    "numpy",
    "pandas",
    "pygraphviz",
    "selenium",
    "sympy",
]
MISSING = frozenset(name for name in PACKAGES if importlib.util.find_spec(name) is None)


needs_numpy = pytest.mark.skipif("numpy" in MISSING, reason="numpy is not installed")
needs_matplotlib = pytest.mark.skipif("matplotlib" in MISSING, reason="matplotlib is not installed")


class Absent:
    """Stands for a package that is not installed, and for anything made with it."""

    def __init__(self, name: str) -> None:
        self._name = self.__name__ = name

    def __getattr__(self, attribute: str) -> "Absent":
        if attribute.startswith("__"):  # pytest looks at what a module holds
            raise AttributeError(attribute)
        return self()

    def __call__(self, *arguments: object, **options: object) -> "Absent":
        # As a decorator it would hide a test, so the whole module skips.
        if not _collecting or isinstance(next(iter(arguments), None), FunctionType):
            pytest.skip(f"{self._name} is not installed", allow_module_level=True)
        return self

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return ()  # as the base of a class

    def __repr__(self) -> str:
        return self._name


_collecting = True
_import = builtins.__import__


def import_for_tests(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> Any:
    """Import for a test: a stand-in for what is not installed."""
    package = name.partition(".")[0]
    importer = str((globals or {}).get("__name__"))
    if level or package not in MISSING or importer.partition(".")[0] != "tests":
        return _import(name, globals, locals, fromlist, level)
    return Absent(package)


if MISSING:
    builtins.__import__ = import_for_tests


def stand_ins(thing: object) -> Iterator[Absent]:
    """The stand-ins in a test's example."""
    if isinstance(thing, Absent):
        yield thing
    elif isinstance(thing, Mapping):
        yield from stand_ins([*thing.values()])
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from stand_ins(part)


def pytest_collection_finish() -> None:
    global _collecting
    _collecting = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Skip a test whose examples need a package that is not installed, or that fails for lack of one."""
    for absent in stand_ins(item.callspec.params if hasattr(item, "callspec") else {}):
        absent()
    try:
        return (yield)
    except Exception as error:
        failure = error.exc_info[1] if isinstance(error, doctest.UnexpectedException) else error
        # What was being handled when it was raised, its __context__, is not its cause.
        for reason in (failure, failure.__cause__):
            if isinstance(reason, ImportError) and str(reason.name).partition(".")[0] in MISSING:
                Absent(str(reason.name))()
            if "pygraphviz" in MISSING and str(reason).startswith("drawing needs Graphviz"):
                Absent("pygraphviz")()
        raise
