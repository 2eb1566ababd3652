"""Loops: nests of nodes that are made alike, and the addresses that they read.

Addresses that advance by constant strides (`affine`) are loops over dimensions; others are looked up in a
table. What does not live here: where nests come from (`groups.py`, `lift.py`), and what they are printed in
(`nests.py`, `c.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autograd_lite.program.graph import Op

X, W, C = 0, 1, 2  # spaces: arguments, leaves, constants; a nest's results are the space 3 + its place
NESTS = 3


@dataclass
class Slot:
    """Where an operand is found: node n (and term t) of a nest takes ``space[index[n, t]]``."""

    space: int
    index: Any  # an array of the numbers of nodes by the number of terms


@dataclass
class Run:
    """Terms of one shape: for each node and each term a coefficient times some factors."""

    coefficient: Any  # like an index; None where all are 1
    factors: list[Slot]
    terms: int


@dataclass
class Nest:
    """``size`` nodes of one shape: sums of products in ``runs``, or an operation on ``operands``."""

    op: Op | None
    size: int
    name: str
    runs: list[Run] = field(default_factory=list)
    operands: list[Slot] = field(default_factory=list)
    varies: bool = False  # from sample to sample
    after: bool = False  # it comes after the samples: results that vary are read as sums over them

    def slots(self) -> Iterable[Slot]:
        """All operands."""
        yield from self.operands
        for run in self.runs:
            yield from run.factors


@dataclass
class Lifted:
    """A program as nests, in an order that can be run."""

    nests: list[Nest]
    leaves: Any  # of the leaves in the order of their numbers: which they are
    constants: Any
    outputs: list[tuple[int, int]]  # space and number
    each: list[tuple[int, int]] = field(default_factory=list)  # the same of what is returned for each sample

    def varies(self, space: int) -> bool:
        """Whether what is in a space differs from sample to sample."""
        return space == X or (space >= NESTS and self.nests[space - NESTS].varies)


def affine(index: Any, numpy: Any) -> tuple[list[int], list[list[int]]] | None:
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


def shown(lifted: Lifted, numpy: Any) -> str:
    """The nests as nested loops in a notation that is read, not run."""
    spaces = ["x", "w", "c", *[f"{nest.name}{k}" for k, nest in enumerate(lifted.nests)]]
    lines = []
    for k, nest in enumerate(lifted.nests):
        slots = list(nest.slots())
        first = (
            numpy.stack([slot.index[:, 0] for slot in slots]) if slots else numpy.zeros((1, nest.size), int)
        )
        found = affine(first, numpy)
        extents = [nest.size] if found is None else found[0]
        letters = [f"i{d}" for d in range(len(extents))]
        indent = ""
        for letter, extent in zip(letters, extents, strict=True):
            if extent > 1:
                lines.append(f"{indent}for {letter} in range({extent}):")
                indent += "    "
        at = iter(range(len(slots)))

        def where(
            slot: Slot,
            terms: int,
            at: Any = at,
            first: Any = first,
            found: Any = found,
            letters: Any = letters,
        ) -> str:
            j = next(at)
            start = int(first[j, 0])
            moves = [] if found is None else [(s, i) for s, i in zip(found[1][j], letters, strict=True) if s]
            parts = [f"{s} * {i}" if s != 1 else i for s, i in moves]
            if found is None:
                parts = ["index[i0]"]
            if terms > 1:
                steps = affine((slot.index[:1] - slot.index[0, 0]), numpy)
                if (
                    steps is None
                    or (slot.index - slot.index[:, :1] != slot.index[0] - slot.index[0, 0]).any()
                ):
                    parts.append("index[i0, t]")
                else:
                    (_, (strides,)) = steps
                    parts += [f"{s} * t" if s != 1 else "t" for s in strides if s]
            if start or not parts:
                parts.insert(0, str(start))
            return f"{spaces[slot.space]}[{' + '.join(parts)}]"

        address: list[str] = []
        step = 1
        for letter, extent in reversed(list(zip(letters, extents, strict=True))):
            address.insert(0, letter if step == 1 else f"{step} * {letter}")
            step *= extent
        target = f"{spaces[NESTS + k]}[{' + '.join(address) or 0}]"
        if nest.op is None:
            texts = []
            for run in nest.runs:
                factors = " * ".join(where(slot, run.terms) for slot in run.factors)
                if run.coefficient is not None:
                    c = run.coefficient
                    number = f"{float(c.flat[0])!r}" if (c == c.flat[0]).all() else "c"
                    factors = f"{number} * {factors}".removesuffix(" * ")
                texts.append(
                    f"sum({factors} for t in range({run.terms}))" if run.terms > 1 else factors or "1.0"
                )
            lines.append(f"{indent}{target} = {' + '.join(texts)}")
        else:
            name = nest.op if isinstance(nest.op, str) else nest.op.name
            lines.append(f"{indent}{target} = {name}({', '.join(where(slot, 1) for slot in nest.operands)})")
    return "\n".join(lines)
