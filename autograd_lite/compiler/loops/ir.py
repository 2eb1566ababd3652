"""Loops: nests of nodes that are made alike, and the addresses that they read.

Addresses that advance by constant strides (`affine`) are loops over dimensions; others are looked up in a
table. What does not live here: where nests come from (`groups.py`, `lift.py`), and what they are printed in
(`nests.py`, `c.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from autograd_lite.compiler.ir.graph import Op

X, W, C = 0, 1, 2  # spaces: arguments, leaves, constants; a nest's results are the space 3 + its place
NESTS = 3


@dataclass
class Slot:
    """Where an operand is found: node n (and term t) of a nest takes ``space[index[n, t]]``."""

    space: int
    index: Any  # an array of the numbers of nodes by the number of terms


@dataclass
class Run:
    """Terms of one shape: for each node and each term ``((coefficient * factor) * factor) * ...``."""

    coefficient: Any  # like an index; None where all are 1
    factors: list[Slot]
    terms: int

    def commutes(self) -> bool:
        """Whether the order of the factors is no matter: there are two at most, and signs."""
        signs = self.coefficient is None or bool((abs(self.coefficient) == 1.0).all())
        return len(self.factors) + (not signs) <= 2


@dataclass
class Nest:
    """``size`` nodes of one shape: sums of products in ``runs``, or an operation on ``operands``."""

    op: Op | None
    size: int
    name: str
    runs: list[Run] = field(default_factory=list)
    operands: list[Slot] = field(default_factory=list)
    varies: bool = False  # from sample to sample
    written: bool = False  # factors are multiplied in their order; so are terms added up, if none is a loop
    after: bool = False  # it comes after the samples: results that vary are read as sums over them
    start: list[Slot] = field(default_factory=list)  # copied to the first results; the nodes follow
    steps: int = 0  # run step by step, with those next to it of the same roll: each reads the one before
    roll: int = 0

    @property
    def rows(self) -> int:
        """The number of nodes: the results without those that are copied."""
        return self.size - sum([len(slot.index) for slot in self.start])

    def part(self, first: int, end: int) -> Nest:
        """A nest of some of the nodes."""
        operands = [Slot(slot.space, slot.index[first:end]) for slot in self.operands]
        runs = [
            Run(
                None if run.coefficient is None else run.coefficient[first:end],
                [Slot(slot.space, slot.index[first:end]) for slot in run.factors],
                run.terms,
            )
            for run in self.runs
        ]
        return replace(self, size=end - first, runs=runs, operands=operands, start=[], steps=0, roll=0)

    @property
    def ordered(self) -> bool:
        """Whether the runs are terms that are added up in their order."""
        return self.written and all(run.terms == 1 for run in self.runs)

    def slots(self) -> Iterable[Slot]:
        """All operands of the nodes."""
        yield from self.operands
        for run in self.runs:
            yield from run.factors

    def reads(self) -> Iterable[Slot]:
        """All that is read."""
        yield from self.start
        yield from self.slots()


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


def stepped(index: Any, steps: int, numpy: Any) -> tuple[Any, list[int]] | None:
    """Rows of addresses, in as many steps, as those of the first step and what each step adds to each row.

    None if that is not the same for all of them.
    """
    blocks = index.reshape(len(index), steps, -1)
    stride = blocks[:, 1, 0] - blocks[:, 0, 0]
    if (blocks != blocks[:, :1] + (stride[:, None] * numpy.arange(steps))[:, :, None]).any():
        return None
    return blocks[:, 0], stride.tolist()


def in_turn(nests: list[Nest]) -> Iterator[list[int]]:
    """The nests as they run: one, or those that run step by step together."""
    k = 0
    while k < len(nests):
        end = k + 1
        while nests[k].steps and end < len(nests) and nests[end].roll == nests[k].roll:
            end += 1
        yield [*range(k, end)]
        k = end


def shown(lifted: Lifted, numpy: Any) -> str:
    """The nests as nested loops in a notation that is read, not run."""
    names = ["x", "w", "c", *[f"{nest.name}{k}" for k, nest in enumerate(lifted.nests)]]
    lines = []
    for group in in_turn(lifted.nests):
        steps = lifted.nests[group[0]].steps
        for k in group:
            at = 0
            for slot in lifted.nests[k].start:
                copy = Nest(None, len(slot.index), "", [Run(None, [slot], 1)])
                lines += _shown(copy, names[NESTS + k], at, names, numpy)
                at += len(slot.index)
        lines += [f"for step in range({steps}):"] if steps else []
        for k in group:
            nest = lifted.nests[k]
            body = _shown(nest, names[NESTS + k], nest.size - nest.rows, names, numpy)
            lines += [f"    {line}" for line in body] if steps else body
    return "\n".join(lines)


def _sum(parts: Iterable[tuple[int, str]]) -> str:
    """Strides times letters, added up; the letter of a number is empty."""
    texts = [str(s) if not i else i if s == 1 else f"{s} * {i}" for s, i in parts if s]
    return " + ".join(texts) or "0"


def _shown(nest: Nest, target: str, start: int, names: list[str], numpy: Any) -> list[str]:
    """The loops of one nest, which writes `target` from `start` on."""
    slots = list(nest.slots())
    n = nest.rows // (nest.steps or 1)
    index = numpy.stack([slot.index[:, 0] for slot in slots] or [numpy.zeros(nest.rows, int)])
    strides, found = [0] * len(index), None
    moves = stepped(index, nest.steps, numpy) if nest.steps else (index, strides)
    if moves is not None:
        index, strides = moves
        found = affine(index, numpy)
    extents = [n] if found is None else found[0]
    letters = [f"i{d}" for d in range(len(extents))]
    at = iter(range(len(slots)))

    def where(slot: Slot, terms: int) -> str:
        j = next(at)
        parts = [(int(index[j, 0]), "")]
        if found is None:
            parts.append((1, "index[step, i0]" if nest.steps else "index[i0]"))
        else:
            parts += [(strides[j], "step"), *zip(found[1][j], letters, strict=True)]
        if terms > 1:
            offsets = slot.index - slot.index[:, :1]
            steps = affine(offsets[:1], numpy)
            if steps is None or (offsets != offsets[0]).any():
                parts.append((1, "index[i0, t]"))
            elif len(steps[0]) == 1:
                parts.append((steps[1][0][0], "t"))
            elif steps[0]:
                parts.append((1, "index[t]"))
        return f"{names[slot.space]}[{_sum(parts)}]"

    address: list[tuple[int, str]] = []
    step = 1
    for letter, extent in reversed(list(zip(letters, extents, strict=True))):
        address.insert(0, (step, letter))
        step *= extent
    whole = f"{target}[{_sum([(start, ''), (n if nest.steps else 0, 'step'), *address])}]"
    if nest.op is None:
        texts = []
        for run in nest.runs:
            factors = " * ".join(where(slot, run.terms) for slot in run.factors)
            if run.coefficient is not None:
                c = run.coefficient
                number = f"{float(c.flat[0])!r}" if (c == c.flat[0]).all() else "c"
                factors = f"{number} * {factors}".removesuffix(" * ")
            texts.append(f"sum({factors} for t in range({run.terms}))" if run.terms > 1 else factors or "1.0")
        line = f"{whole} = {' + '.join(texts)}"
    else:
        name = nest.op if isinstance(nest.op, str) else nest.op.name
        line = f"{whole} = {name}({', '.join(where(slot, 1) for slot in nest.operands)})"
    lines, indent = [], ""
    for letter, extent in zip(letters, extents, strict=True):
        if extent > 1:
            lines.append(f"{indent}for {letter} in range({extent}):")
            indent += "    "
    return [*lines, indent + line]
