"""Which values share a card: a graph that is too large for a picture is folded until it fits.

`Folding` assigns every node to a card. Similar terms of a sum (a batch) fold first, into the first term and
"… 99 more". Leaves that feed the same cards follow, then neurons, then scopes from the inside out. If that is
not enough, only values on the ways along which most gradient flows keep cards. `roles.py` classifies nodes;
`cards.py` makes the cards.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal, NamedTuple, TypeAlias

from autograd_lite.core.modes import scope
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import adjoints
from autograd_lite.pictures.roles import (
    SUMS,
    find_neurons,
    find_scopes,
    is_part_of_sum,
    parameters,
    sources_of,
)

Collapse: TypeAlias = Literal["neuron", "layer"] | None
AlikeBy: TypeAlias = Literal["parameters", "shape"]
Level: TypeAlias = Literal["nothing", "neuron"] | int  # a number folds scopes up to that height

ALIKE_BY: tuple[AlikeBy, ...] = ("parameters", "shape")
_PARALLEL = 4  # more edges than these between two cards are drawn as one
_ALIKE = 3  # the least number of similar terms in a batch; more leaves than that get a card of their own
_LAST_FUNCTIONS = 3  # terms of a sum count as similar even if their last functions differ, up to this many
_EDGES_PER_CARD = 3  # with more edges than this nobody can follow them: the graph is folded further


class Link(NamedTuple):
    """Operand `position` of node `consumer` is node `operand`."""

    consumer: int
    position: int
    operand: int
    partial: float | None


class Folding:
    """Which node is drawn on which card. Nodes are numbered by their place in topological order.

    - ``unit[i]``: the node that names the card of node i
    - ``groups``: the units that stand for more than one value, with their titles
    - ``more``: for each sum the terms that are left out, in groups of similar ones
    - ``examples``: the terms that are drawn for others with the same parameters, each with their number
    - ``alive[i]``: whether node i is drawn at all; the nodes of terms left out are not
    - ``sources[i]``: the operands of node i; ~j in place of j if that term is left out
    """

    def __init__(self, root: Value) -> None:
        self.nodes = topological_order(root)
        self.sources = sources_of(self.nodes)
        self.root = len(self.nodes) - 1
        self.is_parameter = parameters(self.nodes, self.sources)
        self.more: dict[int, list[list[Link]]] = {}
        self.examples: list[tuple[int, int]] = []
        self._find_uses()

    def links(self, i: int) -> list[Link]:
        """Return the operands of node i that are not left out."""
        node = self.nodes[i]
        operands = zip(node.operands, node.partials, strict=True)
        values = [(position, p) for position, (x, p) in enumerate(operands) if isinstance(x, Value)]
        return [
            Link(i, position, j, partial)
            for (position, partial), j in zip(values, self.sources[i], strict=True)
            if j >= 0
        ]

    def _find_uses(self) -> None:
        """Update everything that depends on the terms left out."""
        self.alive = [False] * len(self.nodes)
        self.alive[self.root] = True
        self.uses: list[list[int]] = [[] for _ in self.nodes]
        for i in range(self.root, -1, -1):
            if self.alive[i]:
                for j in self.sources[i]:
                    if j >= 0:
                        self.alive[j] = True
                        self.uses[j].append(i)
        self.shown = [i for i, alive in enumerate(self.alive) if alive]
        self.joins_user = [
            len(users) == 1 and (self.is_parameter[i] or is_part_of_sum(self.nodes[i], self.nodes[users[0]]))
            for i, users in enumerate(self.uses)
        ]
        self.neurons = find_neurons(self.nodes, self.sources, self.shown, self.is_parameter)
        self.scope_names, self.heights = find_scopes([self.nodes[i] for i in self.shown])
        self.fold("nothing")

    def fold(self, level: Level, leaves: bool = False) -> None:
        """Assign every node to a card, from scratch.

        Sums within sums are always folded, and so is a parameter that is used once, into the card that uses
        it. The level ``"neuron"`` folds neurons; a number folds them and all scopes up to that height.
        `leaves` folds leaves that feed the same cards.
        """
        self.unit = list(range(len(self.nodes)))
        self.groups: dict[int, str] = {}
        self.group_scope: dict[int, scope | None] = {}
        if level != "nothing":
            for nodes, number in self.neurons.values():
                self._group(nodes, f"neuron {number}", self.nodes[nodes[0]].scope)
        if isinstance(level, int):
            self._fold_scopes(level)
        for i in reversed(self.shown[:-1]):
            if self.unit[i] == i and (self.joins_user[i] or self.is_parameter[i]):
                users = {self.unit[j] for j in self.uses[i]}
                if self.joins_user[i] or (len(users) == 1 and users <= self.groups.keys()):
                    self.unit[i] = users.pop()
        if leaves:
            self._fold_leaves()

    def _fold_scopes(self, height: int) -> None:
        within: dict[scope, list[int]] = defaultdict(list)
        for i in self.shown:
            found, outermost = self.nodes[i].scope, None
            while found is not None and self.heights[found] <= height:
                found, outermost = found.parent, found
            if outermost is not None:
                within[outermost].append(i)
        for around, nodes in within.items():
            self._group(nodes, self.scope_names[around], around.parent)

    def _fold_leaves(self) -> None:
        feeding: dict[object, list[int]] = defaultdict(list)
        for i in self.shown[:-1]:
            if self.unit[i] == i and self.nodes[i].primitive is None:
                users = {self.unit[j] for j in self.uses[i]}
                feeding[self.is_parameter[i], self.nodes[i].scope, frozenset(users)].append(i)
        for nodes in feeding.values():
            if len(nodes) > _ALIKE:
                kind = "parameters" if self.is_parameter[nodes[0]] else "inputs"
                self._group(nodes, f"{len(nodes):,} {kind}", self.nodes[nodes[0]].scope)

    def _group(self, nodes: list[int], title: str, around: scope | None) -> None:
        unit = nodes[-1]
        for i in nodes:
            self.groups.pop(i, None)
            self.unit[i] = unit
        self.groups[unit], self.group_scope[unit] = title, around

    def members(self) -> dict[int, list[int]]:
        """Return the nodes on each card, in order."""
        found: dict[int, list[int]] = defaultdict(list)
        for i in self.shown:
            found[self.unit[i]].append(i)
        return found

    def bundles(self) -> dict[tuple[int, int], list[Link]]:
        """Return the operands that lead from one card to another, by the two cards."""
        found: dict[tuple[int, int], list[Link]] = defaultdict(list)
        unit = self.unit
        for i in self.shown:
            if any(j >= 0 and unit[j] != unit[i] for j in self.sources[i]):  # few, if much is folded
                for link in self.links(i):
                    if unit[link.operand] != unit[i]:
                        found[unit[link.operand], unit[i]].append(link)
        return found

    def is_one_edge(self, tail: int, head: int, links: list[Link]) -> bool:
        """Return whether the operands between two cards are drawn as one edge."""
        return len(links) > _PARALLEL or (len(links) > 1 and (tail in self.groups or head in self.groups))

    def batches(self, unit: int) -> int:
        """Return how many cards of terms left out stand beside the card of `unit`."""
        return 0 if unit in self.groups else len(self.more.get(unit, ()))

    def count(self) -> int:
        """Return the number of cards."""
        units = {self.unit[i] for i in self.shown}
        return len(units) + sum([self.batches(unit) for unit in self.more.keys() & units])

    def fits(self, max_cards: float) -> bool:
        """Return whether there are at most `max_cards` cards, and not too many edges between them."""
        if self.count() > max_cards:
            return False
        edges = [
            1 if self.is_one_edge(*ends, links) else len(links) for ends, links in self.bundles().items()
        ]
        return sum(edges) <= max_cards * _EDGES_PER_CARD

    def fold_batches(self, alike_by: AlikeBy) -> bool:
        """Leave out all but the first of three or more similar terms of a sum; return whether any were.

        A mean counts as a sum. Call it after ``fold("nothing")``. The order of operands is ignored, because a
        label may choose which comes first. So are the last functions of a term: log p or log(1 − p).
        """
        signature = self._signatures(alike_by)
        members = self.members()
        found_any = False
        alive = [False] * len(self.nodes)
        alive[self.root] = True
        for i in range(self.root, -1, -1):
            if not alive[i]:
                continue
            is_sum = self.unit[i] == i and self.nodes[i].primitive in (*SUMS, TABLE["mean"])
            if is_sum and sum([len(self.sources[member]) for member in members[i]]) >= _ALIKE:
                terms: dict[int, dict[int, Link]] = defaultdict(dict)
                for member in members[i]:
                    for link in self.links(member):
                        if self.unit[link.operand] != i or self.nodes[link.operand].primitive is None:
                            j = self._core(link.operand)
                            terms[signature[j]][j] = link
                several = [[*links.values()] for links in terms.values() if len(links) >= _ALIKE]
                alike = [links[1:] for links in several]
                if alike:
                    if alike_by == "parameters":
                        self.examples += [(links[0].operand, len(links)) for links in several]
                    found_any = True
                    self.more[i] = self.more.get(i, []) + alike
                    self._leave_out([link for group in alike for link in group])
            for j in self.sources[i]:
                if j >= 0:
                    alive[j] = True
        if found_any:
            self._find_uses()
        return found_any

    def example(self) -> tuple[set[int], int]:
        """Return the nodes that the one example belongs to which is drawn of a batch, and how many it has.

        Parameters belong to the whole batch. There are no such nodes if several batches are drawn, if the
        terms share more than parameters, or if a scope holds both some of them and others.
        """
        if len(self.examples) != 1:
            return set(), 0
        ((term, count),) = self.examples
        users: list[list[int]] = [[] for _ in self.nodes]
        for i, sources in enumerate(self.sources):
            for j in sources:
                users[max(j, ~j)].append(i)
        found = {term}
        for i in range(term, -1, -1):
            if i in found:
                found.update([j for j in [max(k, ~k) for k in self.sources[i]] if not self.is_parameter[j]])
        if any(i != term and not found.issuperset(users[i]) for i in found):
            return set(), 0  # others share it, like the scores of a softmax
        inside = {_outermost(self.nodes[i].scope) for i in found}
        outside = {_outermost(self.nodes[i].scope) for i in self.shown if i not in found}
        if (inside & outside) - {None}:
            return set(), 0
        return found, count

    def _signatures(self, alike_by: AlikeBy) -> list[int]:
        """Return for each node a number that it shares with the nodes made the same way.

        By ``"parameters"``, they must also use the same parameters: the examples of a batch do, the neurons
        of a layer do not. By ``"shape"``, parameters may differ, as in the squares of all weights.
        """
        signatures: dict[object, int] = {}
        signature: list[int] = []
        for i, (node, sources) in enumerate(zip(self.nodes, self.sources, strict=True)):
            parameter = None if not self.is_parameter[i] else i if alike_by == "parameters" else -1
            made_of = sorted([signature[j] for j in sources if j >= 0])
            key = node.primitive, parameter, len(node.operands), *made_of
            signature.append(signatures.setdefault(key, len(signatures)))
        return signature

    def _core(self, i: int) -> int:
        """Return the node below the last functions of one operand."""
        for _ in range(_LAST_FUNCTIONS):
            if len(self.sources[i]) == 1 and self.sources[i][0] >= 0:
                i = self.sources[i][0]
        return i

    def _leave_out(self, links: list[Link]) -> None:
        by_consumer: dict[int, set[int]] = defaultdict(set)
        for link in links:
            by_consumer[link.consumer].add(link.position)
        for i, positions in by_consumer.items():
            values = [position for position, x in enumerate(self.nodes[i].operands) if isinstance(x, Value)]
            self.sources[i] = [
                ~j if position in positions else j
                for position, j in zip(values, self.sources[i], strict=True)
            ]

    def cut(self, max_cards: int) -> None:
        """Keep the ways from the root to leaves along which most gradient flows, and fold the rest.

        What is left out is folded by the first card that it leads to, so that no two cards feed each other.
        """
        strengths, users = self._strengths()
        kept = {self.unit[self.root]}
        while True:
            ways = [
                (flow, head, tail)
                for head in kept
                for tail, flow in strengths[head].items()
                if tail not in kept
            ]
            if not ways:
                break
            way = [max(ways)[2]]
            passed = {*kept, *way}  # a scope that is entered again has a card on a cycle
            while below := {tail: x for tail, x in strengths[way[-1]].items() if tail not in passed}:
                way.append(max(below, key=lambda tail: (below[tail], tail)))
                passed.add(way[-1])
            for count in range(min(len(way), max_cards), -1, -1):
                # Both ends of a way that is too long, or as much of them as there is room for.
                more = kept.union(way[: count - count // 2], way[len(way) - count // 2 :])
                cards = len(more) + sum(map(self.batches, more))
                if cards + len({*self._feeds(more, users).values()}) <= max_cards:
                    break
            is_full = count < len(way)
            kept = more
            if is_full:
                break
        feeds = self._feeds(kept, users)
        rest: dict[int, list[int]] = defaultdict(list)
        for i in self.shown:
            if self.unit[i] in feeds:
                rest[feeds[self.unit[i]]].append(i)
        for nodes in rest.values():
            self._group(nodes, "… more", None)

    def _strengths(self) -> tuple[dict[int, dict[int, float]], dict[int, set[int]]]:
        """Return how much gradient flows between cards, by head and tail, and the users of each card."""
        adjoint = adjoints(self.nodes)
        strengths: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        users: dict[int, set[int]] = defaultdict(set)
        for (tail, head), links in self.bundles().items():
            users[tail].add(head)
            for link in links:
                flow = abs(adjoint.get(self.nodes[link.consumer], 0.0) * (link.partial or 0.0))
                strengths[head][tail] += flow if flow == flow else math.inf
        return strengths, users

    def _feeds(self, kept: set[int], users: dict[int, set[int]]) -> dict[int, int]:
        """Return, for each card that is not kept, the first kept card that it leads to."""
        found: dict[int, int] = {}
        for unit in sorted({self.unit[i] for i in self.shown}, reverse=True):
            if unit not in kept:
                heads = [head if head in kept else found.get(head) for head in users[unit]]
                found[unit] = min([head for head in heads if head is not None], default=self.unit[self.root])
        return found


def _outermost(inner: scope | None) -> scope | None:
    while inner is not None and inner.parent is not None:
        inner = inner.parent
    return inner


def folded(root: Value, collapse: Collapse, batch: bool | None, max_cards: float) -> Folding:
    """Return the graph of `root`, folded as asked for and as far as `max_cards` cards take; see `cards`."""
    folding = Folding(root)
    if batch:
        any(folding.fold_batches(alike_by) for alike_by in ALIKE_BY)  # the first that finds any
    start: Level = "nothing" if collapse is None else "neuron" if collapse == "neuron" else 0
    folding.fold(start)
    if not (folding.fits(max_cards) if collapse is None else folding.count() <= max_cards):
        _fold_until_it_fits(folding, collapse, batch, max_cards)
    return folding


def _fold_until_it_fits(folding: Folding, collapse: Collapse, batch: bool | None, max_cards: float) -> None:
    levels: list[Level]
    for alike_by in ALIKE_BY if batch is None else [None]:
        if alike_by is not None:
            folding.fold("nothing")
            folding.fold_batches(alike_by)
        levels = ["nothing"]
        if folding.neurons:
            levels.append("neuron")
        if folding.heights:
            levels += range(1 + max(folding.heights.values()))
        for level in levels[(None, "neuron", "layer").index(collapse) :] or levels[-1:]:
            for leaves in (False, True):
                folding.fold(level, leaves)
                if folding.fits(max_cards):
                    return
    if folding.count() > max_cards:
        folding.cut(int(max_cards))
