"""Strides: addresses that advance by constant steps become loops; others are looked up in a table."""

from __future__ import annotations

from typing import Any


def affine_access(index: Any, numpy: Any) -> tuple[list[int], list[list[int]]] | None:
    """Extents and strides with which rows of addresses advance together; None if one has more than 4 loops.

    `index` holds a row per operand. The extents are those of a nest of loops, outermost first, that walks
    through the columns in order; the strides are given for each operand.

    >>> import numpy
    >>> affine(numpy.array([[0, 0, 5, 5], [1, 2, 1, 2]]), numpy)
    ([2, 2], [[5, 0], [0, 1]])
    """
    extents: list[int] = []
    strides: list[Any] = []
    rest = index
    while rest.shape[1] > 1:
        step = rest[:, 1] - rest[:, 0]
        breaks = (rest[:, 1:] - rest[:, :-1] != step[:, None]).any(axis=0)
        inner = int(breaks.argmax()) + 1 if breaks.any() else rest.shape[1]
        if rest.shape[1] % inner or len(extents) == 4:
            return None
        blocks = rest.reshape(len(rest), -1, inner)
        if (blocks - blocks[:, :, :1] != (numpy.arange(inner) * step[:, None])[:, None, :]).any():
            return None
        extents.insert(0, inner)
        strides.insert(0, step)
        rest = blocks[:, :, 0]
    return extents, [[int(step[k]) for step in strides] for k in range(len(index))]


def access_by_step(index: Any, steps: int, numpy: Any) -> tuple[Any, list[int]] | None:
    """Rows of addresses, in as many steps, as those of the first step and what each step adds to each row.

    None if that is not the same for all of them.
    """
    blocks = index.reshape(len(index), steps, -1)
    stride = blocks[:, 1, 0] - blocks[:, 0, 0]
    if (blocks != blocks[:, :1] + (stride[:, None] * numpy.arange(steps))[:, :, None]).any():
        return None
    return blocks[:, 0], stride.tolist()
