"""Pytrees: numbers in lists, tuples, dicts and NumPy arrays, taken apart and put together again.

`flatten` takes an example apart; its `Tree` is the shape without the numbers. Derivatives and programs use
trees to take arguments apart and to build results. Next door: `batches.py` takes many arguments of one shape
apart at once, and `compiler` keeps the trees of a program's arguments and result.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple, TypeAlias

from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value

_FLOAT = {float}
LISTS = {list, tuple}
NUMBER_TYPES = {float, int}  # which `float` converts as `real` does

Pytree: TypeAlias = Any  # numbers, or lists, tuples, dicts and NumPy arrays of pytrees
Leaf: TypeAlias = Any  # what stands in place of a number: a float, a Value, an array, a traced value


class Flat(NamedTuple):
    """A pytree taken apart: its shape, and its leaves, which are floats and Values."""

    tree: Tree
    leaves: list[Leaf]

    @property
    def paths(self) -> list[str]:
        """The Python subscripts that lead to each leaf: ``"['a'][1]"``."""
        return self.tree.paths

    def around(self, leaves: Iterable[Leaf]) -> Pytree:
        """Return the same containers around other leaves."""
        return self.tree.build(iter(leaves))

    def leaves_of(self, other: Flat, names: str) -> list[Leaf]:
        """Return the leaves of `other` in the order of this; `ValueError` unless their paths are the same."""
        leaves, wanted = dict(zip(other.paths, other.leaves, strict=True)), dict.fromkeys(self.paths)
        odd = [path for path in (*wanted, *leaves) if not (path in wanted and path in leaves)]
        if odd:
            what = f"has {odd[0]}" if odd[0] else "is a single number"
            raise ValueError(f"{names} must have the same containers, but only one of them {what}")
        return [leaves[path] for path in self.paths]


def flatten(example: Pytree, what: str) -> Flat:
    """Take a pytree apart. Raises `TypeError` for a leaf that is not a number, naming it from `what` on.

    >>> flat = flatten({"w": [1.0, 2.0], "b": 3}, "parameters")
    >>> flat.paths, flat.leaves
    (["['w'][0]", "['w'][1]", "['b']"], [1.0, 2.0, 3.0])
    >>> flat.around([4.0, 5.0, 6.0])
    {'w': [4.0, 5.0], 'b': 6.0}
    """
    leaves: list[Leaf] = []
    return Flat(Tree(example, what, leaves), leaves)


class Tree:
    """The shape of a pytree: its containers without the numbers, and the ``paths`` to the numbers.

    ``kind`` is "number", "dict", "array", "0-d array", `list`, `tuple` or the class of a named tuple;
    ``children`` are the trees inside, ``keys`` those of a dict. The leaves of the example are appended to
    `leaves`.
    """

    def __init__(self, example: Pytree, what: str, leaves: list[Leaf]) -> None:
        self.kind: str | type
        self.keys: list[object] = []
        self.children: list[Tree] = []
        if isinstance(example, dict):
            self.kind, self.keys, parts = "dict", list(example), list(example.values())
        elif isinstance(example, list | tuple):
            named = isinstance(example, tuple) and hasattr(example, "_fields")
            self.kind = type(example) if named else list if isinstance(example, list) else tuple
            parts = list(example)
        elif type(example).__name__ == "ndarray":
            self.kind = "array" if example.ndim else "0-d array"
            parts = example.tolist() if example.ndim else [example.item()]
        else:
            self.kind, self.paths = "number", [""]
            leaves.append(example if isinstance(example, Value) else real(example, what))
            return
        steps = self._steps(len(parts))
        self.children = [Tree(part, what + step, leaves) for step, part in zip(steps, parts, strict=True)]
        self.paths = [
            step + path for step, child in zip(steps, self.children, strict=True) for path in child.paths
        ]

    def _steps(self, parts: int) -> list[str]:
        """Return the Python subscript or attribute that leads to each part."""
        if self.kind == "0-d array":
            return [""]
        if hasattr(self.kind, "_fields"):
            return [f".{name}" for name in self.kind._fields]
        return [f"[{key!r}]" for key in (self.keys or range(parts))]

    def check_printable(self, what: str) -> None:
        """Raise `TypeError` if the text of a program cannot write these containers."""
        if self.kind == "0-d array":
            raise TypeError(f"{what} is an array without axes: give a float")
        for key in self.keys:
            if not _is_literal(key):
                raise TypeError(f"{what} has the key {key!r}, which the text of a program cannot name")
        for step, child in zip(self._steps(len(self.children)), self.children, strict=True):
            child.check_printable(what + step)

    # --- Putting together

    def build(self, leaves: Iterator[Leaf]) -> Pytree:
        """Return the containers around the next of `leaves`."""
        if self.kind == "number":
            return next(leaves)
        built = [child.build(leaves) for child in self.children]
        if self.kind == "dict":
            return dict(zip(self.keys, built, strict=True))
        if self.kind in ("array", "0-d array"):
            import numpy

            return numpy.array(built if self.kind == "array" else built[0])
        if hasattr(self.kind, "_make"):
            return self.kind._make(built)
        return self.kind(built)  # type: ignore[operator]

    def text(self, names: Iterator[str]) -> str:
        """Return the Python source that builds the containers around variables with these names."""
        if self.kind == "number":
            return next(names)
        built = [child.text(names) for child in self.children]
        if self.kind == "dict":
            return "{" + ", ".join(f"{key!r}: {x}" for key, x in zip(self.keys, built, strict=True)) + "}"
        if self.kind in ("array", list):
            return f"[{', '.join(built)}]"
        return f"({', '.join(built)}{',' if len(built) == 1 else ''})"

    def pattern(self, names: Iterator[str]) -> str | None:
        """Return the Python pattern that unpacks an argument into names, or None if a dict is inside."""
        if self.kind == "number":
            return next(names)
        if self.kind == "dict":
            return None
        parts = [child.pattern(names) for child in self.children]
        if None in parts:
            return None
        return f"[{', '.join(parts)}]"  # type: ignore[arg-type]

    # --- Taking apart an argument of this shape

    def flat(self, argument: Pytree, what: str) -> list[float]:
        """Return the numbers of an argument; `TypeError` or `ValueError` if it has another shape."""
        if self.kind == "number":
            return [real(argument, what)]
        parts = self._parts_of(argument, what)
        if self._is_row and {*map(type, parts)} <= NUMBER_TYPES:
            with suppress(OverflowError):  # `real` says which number is beyond the range of a float
                return [*map(float, parts)]
        return [
            number
            for child, part, step in zip(self.children, parts, self._steps(len(parts)), strict=True)
            for number in child.flat(part, what + step)
        ]

    def _parts_of(self, argument: Pytree, what: str) -> list[Pytree]:
        if self.kind == "dict":
            if not isinstance(argument, dict) or set(argument) != set(self.keys):
                raise TypeError(f"{what} must be a dict with the keys {self.keys}, got {argument!r}")
            return [argument[key] for key in self.keys]
        try:
            parts: list[Pytree] = argument.tolist() if hasattr(argument, "tolist") else list(argument)
        except TypeError:
            raise TypeError(f"{what} must hold {len(self.children)} parts, got {argument!r}") from None
        if len(parts) != len(self.children):
            raise ValueError(f"{what} must hold {len(self.children)} parts, got {len(parts)}")
        return parts

    def floats(self, argument: Pytree, what: str) -> Pytree:
        """Return an argument in lists and dicts with floats for its numbers, or itself if it holds floats."""
        if self.holds_floats(argument):
            return argument
        if self.kind == "number":
            return real(argument, what)
        if hasattr(argument, "tolist") and self.holds_floats(listed := argument.tolist()):
            return listed
        return self._in_lists(iter(self.flat(argument, what)))

    def holds_floats(self, argument: Pytree) -> bool:
        """Return whether an argument has this shape, in lists, tuples and dicts, and holds only floats.

        For 10 lists of 10 numbers, checking whole levels takes 6 µs; taking the lists apart takes 40.
        """
        if self.kind == "number":
            return type(argument) is float
        if self.kind == "dict":
            if type(argument) is not dict or argument.keys() != {*self.keys}:
                return False
            argument = [argument[key] for key in self.keys]
        elif type(argument) not in LISTS or len(argument) != len(self.children):
            return False
        if self.sample_shape is None:
            return all(map(Tree.holds_floats, self.children, argument))
        for size in self.sample_shape[1:]:
            if not LISTS.issuperset(map(type, argument)) or {*map(len, argument)} != {size}:
                return False
            argument = [*chain.from_iterable(argument)]
        return _FLOAT.issuperset(map(type, argument))

    def _in_lists(self, numbers: Iterator[float]) -> Pytree:
        if self.kind == "number":
            return next(numbers)
        if self._is_row:
            return [*islice(numbers, len(self.children))]
        parts = [child._in_lists(numbers) for child in self.children]
        return dict(zip(self.keys, parts, strict=True)) if self.kind == "dict" else parts

    def collect(self, argument: Pytree, leaves: list[Leaf]) -> None:
        """Append the leaves of `argument`, which may be arrays, tensors or tracers."""
        if self.kind == "number":
            leaves.append(argument)
            return
        parts = [argument[key] for key in self.keys] if self.kind == "dict" else argument
        for child, part in zip(self.children, parts, strict=True):
            child.collect(part, leaves)

    @property
    def has_arrays(self) -> bool:
        """Whether a NumPy array is among the containers."""
        return self.kind == "array" or any(child.has_arrays for child in self.children)

    @cached_property
    def sample_shape(self) -> tuple[int, ...] | None:
        """The shape of an array that holds one sample, or None if only dicts or uneven lists can hold it."""
        if self.kind == "number":
            return ()
        shapes = {child.sample_shape for child in self.children}
        if self.kind in ("dict", "0-d array") or len(shapes) > 1 or None in shapes:
            return None
        return (len(self.children), *(shapes.pop() or () if shapes else ()))

    @property
    def _is_row(self) -> bool:
        return self.sample_shape is not None and len(self.sample_shape) == 1


def _is_literal(key: object) -> bool:
    """Return whether the printed key, read as Python, gives an equal key."""
    try:
        return bool(ast.literal_eval(repr(key)) == key)
    except (ValueError, SyntaxError):
        return False
