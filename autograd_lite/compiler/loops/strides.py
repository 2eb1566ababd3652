"""Strides: addresses that advance by constant steps become loops; others are looked up in a table."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from autograd_lite.compiler.loops.ir import ProductTerms

    Booleans = NDArray[numpy.bool_]
    Integers = NDArray[numpy.int64]


def affine_access(index: Integers, np: ModuleType) -> tuple[list[int], list[list[int]]] | None:
    """Return the loops in which addresses advance by constant strides; None if that takes more than 4.

    `index` has a row for each operand and a column for each pass through the loops. Returned are the extents
    of the loops, outermost first, and for each operand its strides.

    >>> import numpy
    >>> affine_access(numpy.array([[0, 0, 5, 5], [1, 2, 1, 2]]), numpy)
    ([2, 2], [[5, 0], [0, 1]])
    """
    extents: list[int] = []
    strides: list[Integers] = []
    rest = index
    while rest.shape[1] > 1:
        step = rest[:, 1] - rest[:, 0]
        breaks = (rest[:, 1:] - rest[:, :-1] != step[:, None]).any(axis=0)
        inner = int(breaks.argmax()) + 1 if breaks.any() else rest.shape[1]
        if rest.shape[1] % inner or len(extents) == 4:
            return None
        blocks = rest.reshape(len(rest), -1, inner)
        if (blocks - blocks[:, :, :1] != (np.arange(inner) * step[:, None])[:, None, :]).any():
            return None
        extents.insert(0, inner)
        strides.insert(0, step)
        rest = blocks[:, :, 0]
    return extents, [[int(step[k]) for step in strides] for k in range(len(index))]


def access_by_step(index: Integers, steps: int, np: ModuleType) -> tuple[Integers, list[int]] | None:
    """Return the addresses of the first of several steps, and the stride of each row from step to step.

    None if some row does not advance by a constant stride. `index` has a row for each operand.
    """
    blocks = index.reshape(len(index), steps, -1)
    stride = blocks[:, 1, 0] - blocks[:, 0, 0]
    if (blocks != blocks[:, :1] + (stride[:, None] * np.arange(steps))[:, :, None]).any():
        return None
    return blocks[:, 0], stride.tolist()


def kept_terms(terms: ProductTerms, np: ModuleType) -> Booleans:
    """Return which terms count, shape (nodes, terms)."""
    counts = terms.counts if terms.counts is not None else np.full(len(terms.factors[0].index), terms.terms)
    kept: Booleans = np.arange(terms.terms) < counts[:, None]
    return kept


def term_offsets(terms: ProductTerms, index: Integers, np: ModuleType) -> Integers | None:
    """Return how far each term is from the first, shape (terms,), if that is the same for all nodes.

    `index` is that of a factor, or of anything else with a number for each node and term.
    """
    offsets = index - index[:, :1]
    longest: Integers = offsets[0 if terms.counts is None else int(terms.counts.argmax())]
    differs = offsets != longest
    if terms.counts is not None:
        differs &= kept_terms(terms, np)
    return None if differs.any() else longest
