"""Apply a function of scalars to each entry of lists and arrays: ``tanh([x, y])``, ``maximum(array, 0.0)``.

`Primitive` calls this for rows with a fixed number of operands. Rows of several values, such as `sum` and
`dot`, take their list as one argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def has_entries(x: Any) -> bool:
    """Return whether `x` is a list, a tuple or an array, rather than a number."""
    return isinstance(x, list | tuple) or getattr(x, "ndim", 0) > 0


def each(f: Callable[..., Any], name: str, operands: tuple[Any, ...]) -> Any:
    """Return ``f(*operands)`` for each entry, in the containers of the operands.

    A scalar goes with every entry. Arrays are broadcast as in NumPy. Their result is an array, of floats or,
    if it holds Values, of objects. Lists and tuples must have one shape: `ValueError` otherwise.

    >>> each(lambda x, y: x + y, "add", ([[1.0, 2.0], [3.0]], 10.0))
    [[11.0, 12.0], [13.0]]
    """
    lists = [x for x in operands if isinstance(x, list | tuple)]
    if len(lists) < sum(map(has_entries, operands)):
        import numpy as np

        with np.errstate(
            all="ignore"
        ):  # overflow within Python's own functions, which raise what is an error
            entries = np.frompyfunc(f, len(operands), 1)(*operands)
        return entries.astype(float) if all(type(y) is float for y in np.ravel(entries)) else entries
    shapes = dict.fromkeys(map(_shape, lists))
    if len(shapes) > 1:
        raise ValueError(f"{name} needs lists of one shape, got the shapes {' and '.join(map(str, shapes))}")
    columns = [x if isinstance(x, list | tuple) else [x] * len(lists[0]) for x in operands]
    kind = tuple if all(isinstance(x, tuple) for x in lists) else list
    return kind(
        [
            each(f, name, entries) if any(map(has_entries, entries)) else f(*entries)
            for entries in zip(*columns, strict=True)
        ]
    )


def _shape(x: Any) -> tuple[int, ...]:
    if not isinstance(x, list | tuple):
        return ()
    return (len(x), *_shape(x[0])) if x else (0,)
