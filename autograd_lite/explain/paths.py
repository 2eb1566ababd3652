"""The paths from an output to one node: how many there are, and which contribute most.

Next door: `graph.py` finds the part of the graph that the paths lead through.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograd_lite.core.value import Value
from autograd_lite.explain.graph import Between, Edge
from autograd_lite.notation.writing import Notation


class _Steps(NamedTuple):
    """A path so far, from the output down: its last edge, and the steps before it, which paths share."""

    before: _Steps | None
    edge: Edge


@dataclass(frozen=True)
class Path:
    """One path from the output down, as its edges."""

    edges: tuple[Edge, ...]

    @property
    def contribution(self) -> float:
        """Π ∂consumer/∂operand over the edges; only the result can overflow or underflow."""
        return product([edge.partial for edge in self.edges])


def product(factors: Sequence[float]) -> float:
    """Return the product of floats; only the result can overflow or underflow.

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
    """Return the exact number of paths; two uses of one operand are two paths."""
    counts: dict[Value, int] = {}
    last_use = {edge.operand: node for node in between.order for edge in between.edges(node)}
    done: dict[Value, list[Value]] = {}
    for operand, node in last_use.items():
        done.setdefault(node, []).append(operand)
    total = 0
    for k, node in enumerate(between.order):
        total = counts[node] = 1 if k == 0 else sum([counts[edge.operand] for edge in between.edges(node)])
        for operand in done.get(node, ()):  # counts may have thousands of digits: keep few
            del counts[operand]
    return total


def _size(partial: float) -> float:
    """Return log₂ |partial|. NaN counts as infinite, because a path with a NaN decides the gradient."""
    if partial == 0.0:
        return -math.inf
    return math.inf if math.isnan(partial) else math.log2(abs(partial))


def _times(a: float, b: float) -> float:
    return math.inf if math.isnan(a + b) else a + b  # 0 · ∞ is NaN


def _behind(best: float, size: float) -> float:
    return 0.0 if best == size else best - size  # ∞ - ∞


def largest(between: Between, k: int) -> tuple[list[Path], float]:
    """Return the k paths with the largest |contribution|, largest first, and the sum of all the others.

    The best way down from each node is computed first. The search then starts at the output and always
    extends the path that falls least behind, so it finds the paths in order. The paths that it has put aside
    when it stops are all the others.
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

    # An entry is how far a path falls behind the best (of equals the longest goes first, then the oldest),
    # the node where it ends, its product and its steps.
    heap: list[tuple[float, int, int, Value, float, _Steps | None]] = [(0.0, 0, 0, output, 1.0, None)]
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
            entry = (behind + loss, depth - 1, made, edge.operand, so_far * edge.partial, _Steps(steps, edge))
            heapq.heappush(heap, entry)
    found.sort(key=lambda path: -_size(path.contribution))  # the search compares rounded logarithms
    return found, sum([so_far * total[node] for *_, node, so_far, _ in heap])


def _path(steps: _Steps | None) -> Path:
    edges = []
    while steps is not None:
        edges.append(steps.edge)
        steps = steps.before
    return Path(tuple(reversed(edges)))


def many(n: int, notation: Notation) -> str:
    """Return a number of paths as text: digits, or a power if it is very large.

    >>> from autograd_lite.notation.writing import TEXT
    >>> many(12345, TEXT), many(2**50, TEXT), many(3**100, TEXT)
    ('12,345', '2⁵⁰', 'about 10⁴⁸')
    """
    if n > 2**20 and n.bit_count() == 1:
        return notation.power(2, n.bit_length() - 1)
    return f"{n:,}" if n < 10**15 else f"{notation.word('about ')}{notation.power(10, round(math.log10(n)))}"
