"""`take`: a row of a table by its number, which need not be known while a function is traced.

Eager code indexes; a traced index records an `entry` of the table in `rules.py` for each number of the row.
Next door: `nn.Embedding`, which is a table of parameters, and `arguments.py`, which checks labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from autograd_lite.core import numbers, rules
from autograd_lite.core.primitive import Scalar
from autograd_lite.core.tracing import Tracer


def take(rows: Sequence[Scalar], index: int) -> Scalar:
    """Return ``rows[index]``, where `index` may be an argument of a function that is compiled.

    `rows` is a list, a tuple or an array of numbers, of Values, or of rows of these, to any depth. Python's
    own ``rows[index]`` needs the number while the function is traced; `take` reads it at every call of the
    program. The rows not taken have the derivative 0. A negative index counts from the end.

    Raises `TypeError` if the index is not a whole number, and `IndexError` if there is no such row. A program
    raises the same, with the name of its argument, before it computes or changes anything. Raises
    `ValueError` while traced if the rows are not built alike.

    >>> take([[1.0, 2.0], [3.0, 4.0]], 1)
    [3.0, 4.0]
    """
    n = len(rows)
    if isinstance(index, Tracer):
        name = index._name()
        if not n:
            raise IndexError(f"{name} numbers one of 0 rows: there is nothing to take")
        sentence = f"{name} must be the number of one of {n} rows"
        index._require_whole(-n, n - 1, sentence, partial(_refuse, name, n), IndexError)
        index._meet(_flat(rows))  # row by row, as they stand in memory
        return _entries([*rows], rules.wrapped(index, float(n)))
    return rows[_row(index, n, "the index")]


def _flat(rows: Scalar) -> Iterator[Scalar]:
    for row in rows:
        if isinstance(row, list | tuple) or getattr(row, "shape", None):
            yield from _flat(row)
        else:
            yield row


def _row(index: object, n: int, name: str) -> int:
    """Return an index of one of `n` rows as an int."""
    try:
        i = numbers.index(index)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {type(index).__name__} {index!r}") from None
    if not -n <= i < n:
        raise IndexError(f"{name} is {i}, but there are {n} rows, numbered from 0")
    return i


def _refuse(name: str, n: int, number: float) -> None:
    """Raise the error of `_row` for an index given as a float, which is how programs hold it."""
    _row(int(number) if number.is_integer() else number, n, name)


def _entries(rows: list[Scalar], index: Scalar) -> Scalar:
    """Return the row with a traced index, in the containers of the first one."""
    first = rows[0]
    if not isinstance(first, list | tuple) and not getattr(first, "shape", None):
        return rules.entry(index, *rows)
    sizes = {len(row) if hasattr(row, "__len__") else -1 for row in rows}
    if len(sizes) > 1:
        raise ValueError(f"take needs rows that are built alike, got rows of {sorted(sizes)} entries")
    parts = [_entries([*column], index) for column in zip(*rows, strict=True)]
    if isinstance(first, list):
        return parts
    if isinstance(first, tuple):
        return tuple(parts)
    row = first.astype(object)
    for k, part in enumerate(parts):
        row[k] = part
    return row
