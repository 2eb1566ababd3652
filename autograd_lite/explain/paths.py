"""The paths from an output to one node: how many there are, and which carry most."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from autograd_lite.core.value import Value
from autograd_lite.explain.graph import Between, Edge
from autograd_lite.notation.writing import Notation

_Steps: TypeAlias = Any  # None, or (the steps before, an edge)


@dataclass(frozen=True)
class Path:
    """One path, from the output down, as its edges; its ``contribution`` is the product of their partials."""

    edges: tuple[Edge, ...]

    @property
    def contribution(self) -> float:
        """Π ∂consumer/∂operand, without overflow or underflow on the way."""
        return product([edge.partial for edge in self.edges])


def product(factors: Sequence[float]) -> float:
    """Return the product of floats, in which nothing overflows or underflows but the result.

    >>> product([1e-200, 1e-200, 1e300, 1e200])
    1e+100
    """
    mantissa, exponent = 1.0, 0
    for factor in factors:
        mantissa, power = math.frexp(mantissa * math.frexp(factor)[0])
        exponent += power + math.frexp(factor)[1]
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def count(between: Between) -> int:
    """The exact number of paths; two uses of one operand make two."""
    counts: dict[Value, int] = {}
    last_use = {edge.operand: node for node in between.order for edge in between.edges(node)}
    done: dict[Value, list[Value]] = {}
    for operand, node in last_use.items():
        done.setdefault(node, []).append(operand)
    total = 0
    for k, node in enumerate(between.order):
        total = counts[node] = 1 if k == 0 else sum([counts[edge.operand] for edge in between.edges(node)])
        for operand in done.get(node, ()):  # numbers of thousands of digits need not pile up
            del counts[operand]
    return total


def _size(partial: float) -> float:
    """The logarithm of |partial|; NaN is as large as can be, for nothing explains more."""
    if partial == 0.0:
        return -math.inf
    return math.inf if math.isnan(partial) else math.log2(abs(partial))


def _times(a: float, b: float) -> float:
    return math.inf if math.isnan(a + b) else a + b  # 0 · ∞ is NaN


def _behind(best: float, size: float) -> float:
    return 0.0 if best == size else best - size  # ∞ - ∞


def largest(between: Between, k: int) -> tuple[list[Path], float]:
    """Return the k paths with the largest |contribution|, largest first, and the sum of all the others.

    The best way down from each node is known, so a search from the top that always follows what falls least
    behind it never turns back. What it has put aside at the end are all the other paths.
    """
    if not between.order:
        return [], 0.0
    wrt, output = between.order[0], between.order[-1]
    best = {wrt: 0.0}  # log2 of the largest |∂node/∂wrt| along one path
    total = {wrt: 1.0}  # ∂node/∂wrt
    for node in between.order[1:]:
        edges = between.edges(node)
        best[node] = max([_times(_size(edge.partial), best[edge.operand]) for edge in edges])
        total[node] = sum([edge.partial * total[edge.operand] for edge in edges])

    # How far it falls behind; of equals the longest, then the first. Its end, product so far, and steps so
    # far.
    heap: list[tuple[float, int, int, Value, float, _Steps]] = [(0.0, 0, 0, output, 1.0, None)]
    found: list[Path] = []
    made = 0
    while heap and len(found) < k:
        behind, depth, _, node, so_far, steps = heapq.heappop(heap)
        if node is wrt:
            found.append(_path(steps))
            continue
        for edge in between.edges(node):
            made += 1
            loss = _behind(best[node], _times(_size(edge.partial), best[edge.operand]))
            entry = (behind + loss, depth - 1, made, edge.operand, so_far * edge.partial, (steps, edge))
            heapq.heappush(heap, entry)
    found.sort(key=lambda path: -_size(path.contribution))  # the search knows sizes up to rounding
    return found, sum([so_far * total[node] for *_, node, so_far, _ in heap])


def _path(steps: _Steps) -> Path:
    edges = []
    while steps is not None:
        steps, edge = steps
        edges.append(edge)
    return Path(tuple(reversed(edges)))


def many(n: int, notation: Notation) -> str:
    """Return a number of paths as it is best read.

    >>> from autograd_lite.notation.writing import TEXT
    >>> many(12345, TEXT), many(2**50, TEXT), many(3**100, TEXT)
    ('12,345', '2⁵⁰', 'about 10⁴⁸')
    """
    if n > 2**20 and n.bit_count() == 1:
        return notation.power(2, n.bit_length() - 1)
    return f"{n:,}" if n < 10**15 else f"{notation.word('about ')}{notation.power(10, round(math.log10(n)))}"
