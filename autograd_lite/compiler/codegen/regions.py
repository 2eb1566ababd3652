"""Regions: the conditions under which a node is needed, which keep a branch not taken from running.

A graph with choices goes in; a region for each node comes out. Next door: `printer.py` prints the statements
of a region under its conditions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from autograd_lite.compiler.ir.graph import CONDITIONS, Graph, Op
from autograd_lite.core import rules as table

Way: TypeAlias = tuple[tuple[int, bool], ...]  # conditions, each of which holds or does not
Region: TypeAlias = tuple[tuple[int | tuple[Way, ...], bool], ...]  # or: one of several ways holds
# What never raises on finite floats.
_SAFE: set[Op] = {
    table.add, table.sub, table.mul, table.neg, table.abs, table.where, *CONDITIONS,
    table.entry, table.sin, table.cos, table.tanh, table.atan, table.erf, table.erfc,
}  # fmt: skip
MOST_GUARDS = 8  # conditions for one node: more of them take longer than they save


def regions_of(graph: Graph, live: list[int], outputs: Iterable[int]) -> dict[int, Region]:
    """Return for each node the conditions that hold whenever it is used, the outer ones first.

    If its uses have no condition in common, a node that cannot fail always runs, and a node that may fail
    runs if one of its uses does. Nodes that decide a condition are exempt, because conditions could then wait
    for each other.
    """
    decides, fails = bytearray(len(graph)), bytearray(len(graph))
    for i in live:
        op, operands = graph.ops[i], graph.operands[i]
        fails[i] = (bool(operands) and op not in _SAFE) or any(fails[k] for k in operands)
    for i in reversed(live):
        if decides[i] or graph.is_condition(i):
            for k in graph.operands[i]:
                decides[k] = 1
    regions: dict[int, Region] = {}
    shared: dict[int, Region] = dict.fromkeys(outputs, ())  # the conditions in common
    uses: dict[int, list[Region]] = {i: [()] for i in shared}
    for i in reversed(live):
        known = shared[i]
        if decides[i] or graph.is_condition(i) or not fails[i]:
            regions[i] = known
        else:
            regions[i] = _guarded(known, uses.pop(i))
        for slot, k in enumerate(graph.operands[i]):
            inner = within(graph, i, slot, known)
            shared[k] = _common(shared[k], inner) if k in shared else inner
            uses.setdefault(k, []).append(within(graph, i, slot, regions[i]))
    return regions


def _common(a: Region, b: Region) -> Region:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]


def _guarded(known: Region, uses: list[Region]) -> Region:
    """Return the region of a node: the conditions `known` to hold for all uses, and that one use runs."""
    ways: set[Way] = set()
    for region in dict.fromkeys(uses):
        found: list[Way] = [()]
        for c, holds in [side for side in region if side not in known]:
            more = c if isinstance(c, tuple) else (((c, holds),),)
            found = [(*way, *[side for side in ext if side not in way]) for way in found for ext in more]
            if len(found) > MOST_GUARDS:
                return known
        ways.update([way for way in found if not any((c, not holds) in way for c, holds in way)])
    merged = True
    while merged:
        ways = {way for way in ways if not any({*less} < {*way} for less in ways)}
        merged = False
        for a, b in itertools.combinations(sorted(ways), 2):
            odd = {*a} ^ {*b}
            if len(odd) == 2 and len({c for c, _ in odd}) == 1:  # one more condition holds or not
                ways = ways - {a, b} | {tuple([side for side in a if side in b])}
                merged = True
                break
    if () in ways or not ways or sum(map(len, ways)) > MOST_GUARDS:
        return known
    if len(ways) == 1:
        return (*known, *ways.pop())
    return (*known, (tuple(sorted(ways)), True))


def decided(region: Region) -> Iterator[int]:
    """Yield the conditions of a region, also those within others."""
    for c, _ in region:
        if isinstance(c, int):
            yield c
        else:
            yield from (k for way in c for k, _ in way)


def within(graph: Graph, i: int, slot: int, region: Region) -> Region:
    """Return the conditions under which a node in `region` uses one of its operands."""
    op, first = graph.ops[i], graph.operands[i][0]
    if slot == 0 or not (op is table.where or op in ("and", "or")):
        return region
    more: list[tuple[int, bool]] = []
    stack = [(first, slot == 1 if op is table.where else op == "and")]
    while stack:  # if "and" holds, both do; if "or" fails, both do
        c, holds = stack.pop()
        if graph.ops[c] == "not":
            stack.append((graph.operands[c][0], not holds))
        elif graph.ops[c] == ("and" if holds else "or"):
            stack += [(k, holds) for k in reversed(graph.operands[c])]
        elif (c, holds) not in region and (c, holds) not in more:
            more.append((c, holds))
    return (*region, *more)
