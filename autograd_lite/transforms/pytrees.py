"""`Tree`: the shape of an argument, which is a number or lists, tuples, dicts and arrays of such.

What does not live here: what is done with the numbers (`__init__.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value

_FLOAT = {float}
_NUMBERS = "fiu"  # kinds of NumPy's types; a bool is a slip, here as elsewhere


class Tree:
    """The containers around some numbers, and the ``paths`` to them: ``""``, ``"[0]"``, ``"['a'][1]"``.

    The numbers of the example, floats or Values, are appended to `numbers`.
    """

    def __init__(self, example: Any, what: str, numbers: list[Any]) -> None:
        self.kind: str | type
        self.keys: list[Any] = []
        if type(example).__name__ == "ndarray":
            self.kind = "array"
            children = example.tolist() if example.ndim else [float(example)]
            if not example.ndim:
                raise TypeError(f"{what} is an array without axes: give a float")
        elif isinstance(example, dict):
            self.kind = "dict"
            self.keys = list(example)
            for key in self.keys:
                if not _is_literal(key):
                    raise TypeError(f"{what} has the key {key!r}, which the text of a program cannot name")
            children = list(example.values())
        elif isinstance(example, list | tuple):
            self.kind = type(example)
            children = list(example)
        else:
            self.kind = "number"
            self.paths = [""]
            numbers.append(example if isinstance(example, Value) else real(example, what))
            self.children: list[Tree] = []
            return
        steps = [f"[{key!r}]" for key in (self.keys or range(len(children)))]
        self.children = [
            Tree(child, what + step, numbers) for step, child in zip(steps, children, strict=True)
        ]
        self.paths = [
            step + path for step, child in zip(steps, self.children, strict=True) for path in child.paths
        ]

    def build(self, numbers: Iterator[Any]) -> Any:
        """The same containers around other numbers."""
        if self.kind == "number":
            return next(numbers)
        built = [child.build(numbers) for child in self.children]
        if self.kind == "dict":
            return dict(zip(self.keys, built, strict=True))
        if self.kind == "array":
            import numpy

            return numpy.array(built)
        if hasattr(self.kind, "_make"):
            return self.kind._make(built)
        return self.kind(built)  # type: ignore[operator]

    def text(self, names: Iterator[str]) -> str:
        """`build` of names, as Python source."""
        if self.kind == "number":
            return next(names)
        built = [child.text(names) for child in self.children]
        if self.kind == "dict":
            return "{" + ", ".join(f"{key!r}: {x}" for key, x in zip(self.keys, built, strict=True)) + "}"
        if self.kind in ("array", list):
            return f"[{', '.join(built)}]"
        return f"({', '.join(built)}{',' if len(built) == 1 else ''})"

    def pattern(self, names: Iterator[str]) -> str | None:
        """What unpacks an argument into names; None where a dict stands in the way."""
        if self.kind == "number":
            return next(names)
        if self.kind == "dict":
            return None
        parts = [child.pattern(names) for child in self.children]
        if None in parts:
            return None
        return f"[{', '.join(parts)}]"  # type: ignore[arg-type]

    def flat(self, argument: Any, what: str) -> list[float]:
        """The numbers of an argument of this shape; an error says what is wrong with another."""
        if self.kind == "number":
            return [real(argument, what)]
        if self.kind == "dict":
            if not isinstance(argument, dict) or set(argument) != set(self.keys):
                raise TypeError(f"{what} must be a dict with the keys {self.keys}, got {argument!r}")
            parts = [argument[key] for key in self.keys]
        else:
            try:
                parts = argument.tolist() if hasattr(argument, "tolist") else list(argument)
            except TypeError:
                raise TypeError(f"{what} must hold {len(self.children)} parts, got {argument!r}") from None
            if len(parts) != len(self.children):
                raise ValueError(f"{what} must hold {len(self.children)} parts, got {len(parts)}")
        steps = [f"[{key!r}]" for key in (self.keys or range(len(parts)))]
        return [
            number
            for child, part, step in zip(self.children, parts, steps, strict=True)
            for number in child.flat(part, what + step)
        ]

    def floats(self, argument: Any, what: str) -> Any:
        """The argument in lists and dicts, its numbers as floats; itself where they are floats already."""
        if self.kind == "number":
            return argument if type(argument) is float else real(argument, what)
        if type(argument) in (list, tuple) and self.kind != "dict" and len(argument) == len(self.children):
            if self.row is not None:
                if {*map(type, argument)} == _FLOAT:
                    return argument
            elif all(map(Tree._has_floats, self.children, argument)):
                return argument
        return self._plain(iter(self.flat(argument, what)))

    def _has_floats(self, argument: Any) -> bool:
        """Whether an argument is what `floats` would make of it, where a glance tells."""
        if type(argument) in (list, tuple):
            return self.row == (len(argument),) and {*map(type, argument)} == _FLOAT
        return self.kind == "number" and type(argument) is float

    def _plain(self, numbers: Iterator[float]) -> Any:
        if self.kind == "number":
            return next(numbers)
        parts = [child._plain(numbers) for child in self.children]
        return dict(zip(self.keys, parts, strict=True)) if self.kind == "dict" else parts

    @cached_property
    def row(self) -> tuple[int, ...] | None:
        """The shape of a sample in an array: () of a number; None where it is no list of numbers."""
        if self.kind == "number":
            return ()
        flat = self.kind != "dict" and all(child.kind == "number" for child in self.children)
        return (len(self.children),) if flat else None

    def rows(self, batch: Any) -> int:
        """How many samples a batch has that is an array with a row for each; 0 for another."""
        shape = getattr(batch, "shape", ())
        numbers = getattr(getattr(batch, "dtype", None), "kind", "f") in _NUMBERS
        return shape[0] if shape and shape[1:] == self.row and numbers else 0

    def columns(self, batch: Any, what: str, numpy: Any) -> list[Any]:
        """For each number, the array of what it is in each sample of a batch; a list without NumPy."""
        if self.kind == "dict":
            if not isinstance(batch, dict) or set(batch) != set(self.keys):
                raise TypeError(f"{what} must be a dict of batches with the keys {self.keys}")
            return [
                column
                for child, key in zip(self.children, self.keys, strict=True)
                for column in child.columns(batch[key], f"{what}[{key!r}]", numpy)
            ]
        if numpy is None:
            return self._lists(batch, what)
        try:
            array = numpy.asarray(batch, dtype=object if _has_bool(batch) else None)
        except ValueError:  # ragged
            array = None
        plain = array is not None and array.dtype.kind in _NUMBERS
        if self.kind == "number":
            if array is None or array.ndim != 1:
                shape = "" if array is None else f", got an array of shape {array.shape}"
                raise ValueError(f"{what} must be a number per sample{shape}")
            return [
                array.astype(float, copy=False)
                if plain
                else numpy.array([real(x, what) for x in array.tolist()])
            ]
        if not plain and (array is None or array.ndim < 2):  # ragged or with dicts inside: part by part
            return self._parts(batch, what, numpy)
        if array.ndim < 2 or array.shape[1] != len(self.children):
            if array.shape[:1] == (0,):
                return [numpy.zeros(0)] * len(self.paths)
            raise ValueError(
                f"{what} must be of shape (samples, {len(self.children)}, ...), got {array.shape}"
            )
        return [
            column
            for k, child in enumerate(self.children)
            for column in child.columns(array[:, k], f"{what}[{k}]", numpy)
        ]

    def _lists(self, batch: Any, what: str) -> list[Any]:
        try:
            rows = list(batch)
        except TypeError:
            raise TypeError(f"{what} must hold samples, got {batch!r:.80}") from None
        if self.kind == "number":
            return [[real(x, what) for x in rows]]
        return self._parts(rows, what, None) if rows else [[]] * len(self.paths)

    def _parts(self, batch: Any, what: str, numpy: Any) -> list[Any]:
        try:
            parts = list(zip(*batch, strict=True))
        except (TypeError, ValueError):
            parts = []
        if len(parts) != len(self.children):
            raise ValueError(f"{what} must hold {len(self.children)} parts a sample, got {batch!r:.80}")
        return [
            column
            for k, (child, part) in enumerate(zip(self.children, parts, strict=True))
            for column in child.columns(list(part), f"{what}[{k}]", numpy)
        ]

    def stacked(self, columns: list[Any], numpy: Any) -> Any:
        """`columns` turned back: arrays with the samples in front; dicts of such where there are dicts."""
        rest = iter(columns)
        return self._stacked(rest, numpy)

    def _stacked(self, rest: Iterator[Any], numpy: Any) -> Any:
        if self.kind == "number":
            return next(rest)
        parts = [child._stacked(rest, numpy) for child in self.children]
        if self.kind == "dict":
            return dict(zip(self.keys, parts, strict=True))
        if any(isinstance(part, dict | tuple) or part.shape != parts[0].shape for part in parts):
            return tuple(parts)
        return numpy.stack(parts, axis=1)


def _has_bool(batch: Any) -> bool:
    """Whether a list holds a bool, which NumPy would take for a number."""
    if not isinstance(batch, list | tuple):
        return False
    kinds = {*map(type, batch)}
    return not {"bool", "bool_"}.isdisjoint(kind.__name__ for kind in kinds) or (
        not kinds.isdisjoint((list, tuple)) and any(map(_has_bool, batch))
    )


def _is_literal(key: Any) -> bool:
    """Whether a key, as it is printed, is itself."""
    try:
        return bool(ast.literal_eval(repr(key)) == key)
    except (ValueError, SyntaxError):
        return False
