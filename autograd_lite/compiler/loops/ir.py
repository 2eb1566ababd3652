"""The data structures of loops: a `LoopProgram` of `LoopNest`s, whose operands are `Access`es to arrays.

A nest holds nodes that are made alike; an access says for each of them which number of which space it reads.
Next door: `strides.py` finds addresses that advance by constant steps, `lowering.py` makes the nests, and
`show.py` writes them as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autograd_lite.compiler.ir.graph import Op

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Integers = NDArray[numpy.int64]
    Floats = NDArray[numpy.float64]

# The operation of a nest that adds each of its numbers to one of its results: the derivative of `entry`.
SCATTER = "scatter"

# The spaces that operands are read from: arguments, leaves, constants. The results of nest k are space NESTS
# + k.
ARGUMENT, PARAMETER, CONSTANT, NESTS = range(4)


def bits(numbers: Floats) -> Integers:
    """Return numbers as integers, which differ for 0.0 and -0.0: 1 / x and atan2 tell those apart."""
    return numbers.copy().view("int64")


def common_number(numbers: Floats) -> float | None:
    """Return the number that all of these are; None if they differ."""
    found = bits(numbers).ravel()
    return float(numbers.flat[0]) if (found == found[0]).all() else None


@dataclass
class Access:
    """Where an operand is found: node n and term t of a nest read entry ``index[n, t]`` of a space."""

    space: int
    index: (
        Integers  # nodes by terms; for an operation one column; for an `entry` one for each row of its table
    )


@dataclass
class ProductTerms:
    """Terms of one shape: for each node and each term ``((coefficient * factor) * factor) * ...``."""

    coefficient: Floats | None  # nodes by terms; None if all are 1
    factors: list[Access]
    terms: int
    counts: Integers | None = None  # of each node, where they differ: how many terms count; the others repeat

    def commutes(self) -> bool:
        """Return whether the order of the factors does not matter: at most two numbers are multiplied."""
        signs = self.coefficient is None or bool((abs(self.coefficient) == 1.0).all())
        return len(self.factors) + (not signs) <= 2


@dataclass
class LoopNest:
    """``size`` nodes of one shape: an operation on ``operands``, or without one sums of ``products``.

    An `entry` has two operands, the index and the table. The operands of a `SCATTER` are an index and a
    number: number n is added to result ``targets[n, index]``, to none where that is -1.
    """

    op: Op | None
    size: int
    name: str
    products: list[ProductTerms] = field(default_factory=list)
    operands: list[Access] = field(default_factory=list)
    varies: bool = False  # the results differ from sample to sample
    written: bool = False  # factors keep their order; so do terms, if none of the products is a loop
    exact: bool = False  # terms keep their order although there may be many
    after: bool = False  # runs once after all samples: results that vary are read as sums over the samples
    start: list[Access] = field(default_factory=list)  # copied to the first results; the nodes follow
    steps: int = 0  # runs in so many steps, each of which reads the one before; 0: all at once
    roll: int = 0  # neighbours of the same roll run together, step by step
    targets: Integers | None = None  # of a `SCATTER`: numbers by indices

    @property
    def rows(self) -> int:
        """Return the number of nodes: of the results without the copied ones."""
        return self.size - sum([len(slot.index) for slot in self.start])

    def part(self, first: int, end: int) -> LoopNest:
        """Return a nest of the nodes from `first` to before `end`."""
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
        """Return whether the terms are added up in their order, each product rounded."""
        return self.exact or (self.written and all(run.terms == 1 for run in self.products))

    def slots(self) -> Iterable[Access]:
        """Yield all operands of the nodes."""
        yield from self.operands
        for run in self.products:
            yield from run.factors

    def reads(self) -> Iterable[Access]:
        """Yield the operands and the accesses that the nest starts with."""
        yield from self.start
        yield from self.slots()


@dataclass
class LoopProgram:
    """A program as nests, in an order that can be run."""

    nests: list[LoopNest]
    leaves: Integers  # entry k of the space PARAMETER is leaf ``leaves[k]``
    constants: Floats
    outputs: list[tuple[int, int]]  # space and index of each
    each: list[tuple[int, int]] = field(default_factory=list)  # outputs for each sample, not summed

    def varies(self, space: int) -> bool:
        """Return whether the numbers in a space differ from sample to sample."""
        return space == ARGUMENT or (space >= NESTS and self.nests[space - NESTS].varies)


def step_groups(nests: list[LoopNest]) -> Iterator[list[int]]:
    """Yield the positions of nests that run together: one nest, or several of one roll."""
    k = 0
    while k < len(nests):
        end = k + 1
        while nests[k].steps and end < len(nests) and nests[end].roll == nests[k].roll:
            end += 1
        yield [*range(k, end)]
        k = end
