"""What the core's sources use of Cython, for Python to run them as they are: it does nothing."""

from __future__ import annotations

from typing import TypeVar

Class = TypeVar("Class", bound=type)
compiled = False


def cclass(kind: Class) -> Class:
    """Return the class; compiled, its attributes are those of a C struct."""
    return kind


def no_gc(kind: Class) -> Class:
    """Return the class; compiled, Python's cyclic collector does not look at its objects."""
    return kind
