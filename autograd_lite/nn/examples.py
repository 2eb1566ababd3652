"""Rows of examples: lists, NumPy arrays, pandas DataFrames and Series become lists, one entry an example.

Whatever a user's data come in goes in; lists of numbers, or of lists of them, come out. No array library is
imported. Next door: `modules.py` predicts from rows, and `fit` in `train` learns from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from autograd_lite.core.numbers import is_real

Rows: TypeAlias = Any  # examples or targets: an array, a DataFrame, a Series, a list or an iterator


def rows_of(data: Rows, what: str) -> list[Any]:
    """Return the examples in `data` as a list; a row of a DataFrame is the list of its numbers.

    In a DataFrame, True is 1 and False is 0, because these are what one-hot columns hold. Raises `TypeError`,
    naming `what`, if `data` does not hold rows, or if a field of a DataFrame is not a number.
    """
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        names = list(data.columns)
        return [
            [_field(x, f"column {name!r} of {what}") for name, x in zip(names, row, strict=True)]
            for row in data.to_numpy().tolist()
        ]
    if isinstance(data, str | dict) or not (hasattr(data, "tolist") or isinstance(data, Iterable)):
        raise TypeError(
            f"{what} must hold a row for each example, in a list, an array or a DataFrame, "
            f"got {type(data).__name__} {data!r:.60}"
        )
    rows = data.tolist() if hasattr(data, "tolist") else list(data)
    if not isinstance(rows, list):
        raise TypeError(f"{what} must hold a row for each example, got the one number {rows!r}")
    return rows


def _field(x: object, where: str) -> float:
    if isinstance(x, bool):
        return float(x)
    if not is_real(x):
        raise TypeError(
            f"{where} holds {x!r:.60}, which is not a number: make it one, for example by pandas.get_dummies"
        )
    return x  # type: ignore[return-value]
