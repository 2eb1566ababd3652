"""Batches: many arguments of one shape, taken apart into a column for each number, and put together again.

The samples are the first axis of an array or the entries of a list. `compiler` runs programs over batches.
Next door: `pytrees.py` takes a single argument apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import ModuleType
from typing import Any, TypeAlias

from autograd_lite.core.numbers import real
from autograd_lite.transforms.pytrees import LISTS, NUMBER_TYPES, Pytree, Tree

_NUMBERS = "fiu"  # kinds of NumPy's types; a bool is a mistake, here as elsewhere

Column: TypeAlias = Any  # one number of every sample: an array of shape (samples,), or a list without NumPy


def row_count(tree: Tree, batch: Pytree) -> int:
    """Return the number of samples if `batch` is an array with a row for each, else 0."""
    shape = getattr(batch, "shape", ())
    numbers = getattr(getattr(batch, "dtype", None), "kind", "f") in _NUMBERS
    return shape[0] if shape and shape[1:] == tree.sample_shape and numbers else 0


def numbers_of(tree: Tree, argument: Pytree, what: str) -> Any:
    """Return the numbers of one argument in a row: a list, or an array as it is, if it has this shape."""
    shape = getattr(argument, "shape", None)
    if shape and shape == tree.sample_shape and getattr(argument.dtype, "kind", "") in _NUMBERS:
        return argument.reshape(-1)
    return tree.flat(argument, what)


def columns_of(tree: Tree, batch: Pytree, what: str, numpy: ModuleType | None) -> list[Column]:
    """Return an array of shape (samples,) for each number of a sample; without `numpy`, a list.

    Raises `ValueError` or `TypeError`, naming the part, if the batch has another shape.
    """
    if tree.kind == "dict":
        if not isinstance(batch, dict) or set(batch) != set(tree.keys):
            raise TypeError(f"{what} must be a dict of batches with the keys {tree.keys}")
        return [
            column
            for child, key in zip(tree.children, tree.keys, strict=True)
            for column in columns_of(child, batch[key], f"{what}[{key!r}]", numpy)
        ]
    if numpy is None:
        return _columns_of_lists(tree, batch, what)
    try:
        array = numpy.asarray(batch, dtype=object if _has_bool(batch) else None)
    except ValueError:  # ragged
        array = None
    plain = array is not None and array.dtype.kind in _NUMBERS
    if plain and array.size and array.ndim and array.shape[1:] == tree.sample_shape:
        return [*array.astype(float, copy=False).reshape(len(array), -1).T]
    if tree.kind == "number":
        if array is None or array.ndim != 1:
            shape = "" if array is None else f", got an array of shape {array.shape}"
            raise ValueError(f"{what} must be a number per sample{shape}")
        return [numpy.array([real(x, what) for x in array.tolist()], float)]
    if not plain and (array is None or array.ndim < 2):  # ragged or with dicts inside: part by part
        return _columns_of_parts(tree, batch, what, numpy)
    if array.ndim < 2 or array.shape[1] != len(tree.children):
        if array.shape[:1] == (0,):
            return [numpy.zeros(0)] * len(tree.paths)
        raise ValueError(f"{what} must be of shape (samples, {len(tree.children)}, ...), got {array.shape}")
    return [
        column
        for k, child in enumerate(tree.children)
        for column in columns_of(child, array[:, k], f"{what}[{k}]", numpy)
    ]


def _columns_of_lists(tree: Tree, batch: Pytree, what: str) -> list[Column]:
    try:
        rows = list(batch)
    except TypeError:
        raise TypeError(f"{what} must hold samples, got {batch!r:.80}") from None
    if tree.kind == "number":
        return [[real(x, what) for x in rows]]
    return _columns_of_parts(tree, rows, what, None) if rows else [[]] * len(tree.paths)


def _columns_of_parts(tree: Tree, batch: Pytree, what: str, numpy: ModuleType | None) -> list[Column]:
    try:
        parts = list(zip(*batch, strict=True))
    except (TypeError, ValueError):
        parts = []
    if len(parts) != len(tree.children):
        raise ValueError(f"{what} must hold {len(tree.children)} parts in each sample, got {batch!r:.80}")
    return [
        column
        for k, (child, part) in enumerate(zip(tree.children, parts, strict=True))
        for column in columns_of(child, list(part), f"{what}[{k}]", numpy)
    ]


def stacked(tree: Tree, columns: Iterator[Column], numpy: ModuleType) -> Pytree:
    """Undo `columns_of`: return arrays with the samples in front, in dicts where the shape has dicts."""
    if tree.kind == "number":
        return next(columns)
    parts = [stacked(child, columns, numpy) for child in tree.children]
    if tree.kind == "dict":
        return dict(zip(tree.keys, parts, strict=True))
    if any(isinstance(part, dict | tuple) or part.shape != parts[0].shape for part in parts):
        return tuple(parts)
    return numpy.stack(parts, axis=1)


def _has_bool(batch: Pytree) -> bool:
    """Return whether a list holds a bool, which NumPy would take for a number."""
    if not isinstance(batch, list | tuple):
        return False
    kinds = {*map(type, batch)}
    if kinds <= NUMBER_TYPES or (kinds <= LISTS and {*map(type, chain.from_iterable(batch))} <= NUMBER_TYPES):
        return False  # checking all rows at once takes a fifth of the time
    return not {"bool", "bool_"}.isdisjoint(kind.__name__ for kind in kinds) or (
        not kinds.isdisjoint((list, tuple)) and any(map(_has_bool, batch))
    )
