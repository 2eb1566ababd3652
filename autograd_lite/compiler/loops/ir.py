"""The data structures of loops: a `LoopProgram` of `LoopNest`s, whose operands are `Access`es to arrays.

A nest holds nodes that are made alike; an access says for each of them which number of which space it reads.
Next door: `strides.py` finds addresses that advance by constant steps, `lowering.py` makes the nests, and
`show.py` writes them as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from autograd_lite.compiler.ir.graph import Op

ARGUMENT, PARAMETER, CONSTANT = (
    0,
    1,
    2,
)  # spaces: arguments, leaves, constants; a nest's results are the space 3 + its place
NESTS = 3


@dataclass
class Access:
    """Where an operand is found: node n (and term t) of a nest takes ``space[index[n, t]]``."""

    space: int
    index: Any  # an array of the numbers of nodes by the number of terms


@dataclass
class ProductTerms:
    """Terms of one shape: for each node and each term ``((coefficient * factor) * factor) * ...``."""

    coefficient: Any  # like an index; None where all are 1
    factors: list[Access]
    terms: int

    def commutes(self) -> bool:
        """Whether the order of the factors is no matter: there are two at most, and signs."""
        signs = self.coefficient is None or bool((abs(self.coefficient) == 1.0).all())
        return len(self.factors) + (not signs) <= 2


@dataclass
class LoopNest:
    """``size`` nodes of one shape: sums of products in ``runs``, or an operation on ``operands``."""

    op: Op | None
    size: int
    name: str
    products: list[ProductTerms] = field(default_factory=list)
    operands: list[Access] = field(default_factory=list)
    varies: bool = False  # from sample to sample
    written: bool = False  # factors are multiplied in their order; so are terms added up, if none is a loop
    after: bool = False  # it comes after the samples: results that vary are read as sums over them
    start: list[Access] = field(default_factory=list)  # copied to the first results; the nodes follow
    steps: int = 0  # run step by step, with those next to it of the same roll: each reads the one before
    roll: int = 0

    @property
    def rows(self) -> int:
        """The number of nodes: the results without those that are copied."""
        return self.size - sum([len(slot.index) for slot in self.start])

    def part(self, first: int, end: int) -> LoopNest:
        """A nest of some of the nodes."""
        operands = [Access(slot.space, slot.index[first:end]) for slot in self.operands]
        products = [
            ProductTerms(
                None if run.coefficient is None else run.coefficient[first:end],
                [Access(slot.space, slot.index[first:end]) for slot in run.factors],
                run.terms,
            )
            for run in self.products
        ]
        return replace(
            self, size=end - first, products=products, operands=operands, start=[], steps=0, roll=0
        )

    @property
    def ordered(self) -> bool:
        """Whether the runs are terms that are added up in their order."""
        return self.written and all(run.terms == 1 for run in self.products)

    def slots(self) -> Iterable[Access]:
        """All operands of the nodes."""
        yield from self.operands
        for run in self.products:
            yield from run.factors

    def reads(self) -> Iterable[Access]:
        """All that is read."""
        yield from self.start
        yield from self.slots()


@dataclass
class LoopProgram:
    """A program as nests, in an order that can be run."""

    nests: list[LoopNest]
    leaves: Any  # of the leaves in the order of their numbers: which they are
    constants: Any
    outputs: list[tuple[int, int]]  # space and number
    each: list[tuple[int, int]] = field(default_factory=list)  # the same of what is returned for each sample

    def varies(self, space: int) -> bool:
        """Whether what is in a space differs from sample to sample."""
        return space == ARGUMENT or (space >= NESTS and self.nests[space - NESTS].varies)


def step_groups(nests: list[LoopNest]) -> Iterator[list[int]]:
    """The nests as they run: one, or those that run step by step together."""
    k = 0
    while k < len(nests):
        end = k + 1
        while nests[k].steps and end < len(nests) and nests[end].roll == nests[k].roll:
            end += 1
        yield [*range(k, end)]
        k = end
