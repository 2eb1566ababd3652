"""Causes of a gradient that is 0, tiny, huge, NaN or infinite, found in the graph of one backward pass.

`why.py` chooses the pass to look at and asks this module for a `Finding`. `Words` names nodes and writes
operations in the sentences of both modules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import Between, Edge
from autograd_lite.explain.lines import written_at
from autograd_lite.explain.paths import count, largest, many, product
from autograd_lite.explain.shown import ends
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import TEXT

TINY, HUGE = 1e-6, 1e6  # |∂root/∂value| below or above which a gradient is called tiny or huge
_DIGITS = 4

# What a local partial of exactly 0 means, by row.
_FLAT = {
    "relu": "inactive relu",
    "leaky_relu": "inactive relu",
    "mul": "multiplied by 0",
    "dot": "multiplied by 0",
    "prod": "multiplied by 0",
    "clip": "clipped",
    "maximum": "not selected",
    "minimum": "not selected",
}


class Finding(NamedTuple):
    """A cause in a word or two, and the evidence in sentences."""

    cause: str
    evidence: str


class Words:
    """Names and operations for the sentences of one diagnosis."""

    def __init__(self, nodes: Iterable[Value]) -> None:
        self._namer = Namer(nodes)

    def name(self, node: Value) -> str:
        """Return the name of a node."""
        return self._namer(node, TEXT).text

    def number(self, x: float) -> str:
        """Return a number in few digits."""
        return TEXT.number(x, _DIGITS).text

    def call(self, node: Value) -> str:
        """Return the operation that made a node: relu(z)."""
        assert node.primitive is not None
        operands = [
            "…" if x is None else self.name(x) if isinstance(x, Value) else self.number(x)
            for x in ends(node.operands, 4)
        ]
        return f"{node.primitive.name}({', '.join(operands)})"

    def operands(self, node: Value) -> str:
        """Return the values that a node was made from: z = −0.3."""
        values = {x: None for x in node.operands if isinstance(x, Value)}
        return ", ".join(
            ["…" if x is None else f"{self.name(x)} = {self.number(x.data)}" for x in ends([*values], 4)]
        )

    def sum(self, terms: list[float]) -> str:
        """Return terms as a sum: (3) + (−3)."""
        return " + ".join(["…" if x is None else f"({self.number(x)})" for x in ends(terms, 6)])


class Gradient:
    """∂root/∂value · seed, as one backward pass computes it along the paths in `between`."""

    def __init__(self, between: Between, adjoints: dict[Value, float], seed: float, words: Words) -> None:
        self._between = between
        self._adjoints = adjoints
        self._seed = seed
        self._words = words
        self.number = adjoints[between.order[0]]

    def finding(self, shown: float) -> Finding:
        """Return the cause; `shown` is the number that is explained, the gradient or its sum over passes."""
        if not math.isfinite(shown):
            return self._not_finite()
        if self.number == 0.0:
            return self._zero()
        return self._healthy() if TINY <= abs(self.number) <= HUGE else self._size()

    def _healthy(self) -> Finding:
        words, paths = self._words, count(self._between)
        along = "one path"
        if paths > 1:
            (first, *_), _ = largest(self._between, 1)
            share = words.number(first.contribution * self._seed)
            along = f"{many(paths, TEXT)} paths; the largest contributes {share}"
        root = words.name(self._between.order[-1])
        return Finding("healthy", f"nothing is wrong with it. It comes from {root} along {along}.")

    # --- 0

    def _zero(self) -> Finding:
        words = self._words
        if self._seed == 0.0:
            return Finding("zero seed", "backward() was called with the seed 0.")
        contributions: dict[Value, list[float]] = {}
        found: dict[str, list[str]] = {}
        for node in reversed(self._between.order):
            upstream = self._adjoints[node]
            for edge in self._between.edges(node):
                contributions.setdefault(edge.operand, []).append(upstream * edge.partial)
                if upstream != 0.0 and edge.partial == 0.0:
                    cause = _FLAT.get(edge.row.name, "flat")
                    found.setdefault(cause, []).append(self._flat(edge, cause))
                elif upstream != 0.0 and upstream * edge.partial == 0.0:
                    found.setdefault("underflow", []).append(
                        f"{words.number(upstream)} · {words.number(edge.partial)} at {words.name(node)} is "
                        "below the smallest float"
                    )
        for node, terms in contributions.items():
            if self._adjoints[node] == 0.0 and any(terms):
                found.setdefault("cancellation", []).append(
                    f"the contributions to {words.name(node)}, {words.sum(terms)}, add up to exactly 0"
                )
        causes = sorted(found, key=lambda cause: -len(found[cause]))
        return Finding(causes[0], "; ".join([_several(found[cause], cause) for cause in causes]) + ".")

    def _flat(self, edge: Edge, cause: str) -> str:
        words, node = self._words, edge.consumer
        if cause != "multiplied by 0":
            return f"{words.call(node)} is flat at {words.operands(node)}{written_at(node)}"
        half = len(node.operands) // 2
        if edge.row.name == "prod":
            others = [x for k, x in enumerate(node.operands) if k != edge.position]
        else:  # the other factor of a product of two, or of w·x
            others = [node.operands[(edge.position + half) % (2 * half)]]
        zero = next((x for x in others if (x.data if isinstance(x, Value) else x) == 0.0), others[0])
        by = f"{words.name(zero)} = 0" if isinstance(zero, Value) else "the constant 0"
        made = f"{words.name(node)} = {words.call(node)}{written_at(node)}"
        return f"{words.name(edge.operand)} is multiplied by {by} in {made}"

    # --- NaN and infinity

    def _not_finite(self) -> Finding:
        words = self._words
        if not math.isfinite(self._seed):
            seed = words.number(self._seed)
            return Finding("not finite from the start", f"backward() was called with the seed {seed}.")
        for node in reversed(self._between.order):
            upstream = self._adjoints[node]
            if not math.isfinite(upstream):
                return Finding(
                    "overflow",
                    f"the sum of the contributions to {words.name(node)} is beyond the range of a float.",
                )
            for edge in self._between.edges(node):
                if not math.isfinite(edge.partial):
                    return self._partial_not_finite(edge)
                if not math.isfinite(upstream * edge.partial):
                    factors = f"{words.number(upstream)} · {words.number(edge.partial)}"
                    return Finding(
                        "overflow",
                        f"upstream gradient times local partial, {factors} at {words.name(node)} = "
                        f"{words.call(node)}, is beyond the range of a float{written_at(node)}.",
                    )
        return Finding(
            "overflow",
            "each backward pass added a finite number, but their sum is beyond the range of a float.",
        )

    def _partial_not_finite(self, edge: Edge) -> Finding:
        words, node = self._words, edge.consumer
        for x in topological_order(node):
            if not math.isfinite(x.data):
                return self._value_not_finite(x)
        edges = f" ({edge.row.edges})" if edge.row.edges else ""
        return Finding(
            "partial",
            f"the local partial of {words.call(node)} is {words.number(edge.partial)} "
            f"at {words.operands(node)}{edges}{written_at(node)}.",
        )

    def _value_not_finite(self, x: Value) -> Finding:
        words = self._words
        number = words.number(x.data)
        if x.primitive is None:
            return Finding("not finite from the start", f"{words.name(x)} is {number} from the start.")
        constants = [y for y in x.operands if not isinstance(y, Value) and not math.isfinite(y)]
        given = f", with the constant {words.number(constants[0])}" if constants else ""
        return Finding(
            "operation",
            f"the first number that is not finite is {words.name(x)} = {words.call(x)} = {number} "
            f"at {words.operands(x)}{given}{written_at(x)}.",
        )

    # --- Tiny and huge

    def _size(self) -> Finding:
        number = self._words.number
        (path, *_), _ = largest(self._between, 1)
        groups: dict[str, list[float]] = {}
        for edge in path.edges:
            groups.setdefault(edge.row.name, []).append(edge.partial)
        if self._seed != 1.0:
            groups["seed"] = [self._seed]
        tiny = abs(self.number) < TINY
        sizes = {name: sum([math.log(abs(factor)) for factor in factors]) for name, factors in groups.items()}
        blamed = min(sizes, key=lambda name: sizes[name] if tiny else -sizes[name])
        factors = groups.pop(blamed)
        if len(factors) > 1:
            bound = max(map(abs, factors)) if tiny else min(map(abs, factors))
            evidence = (
                f"{len(factors)} factors of {blamed}, each {'at most' if tiny else 'at least'} "
                f"{number(bound)} in size, multiply to {number(product(factors))}"
            )
        else:
            what = "the seed" if blamed == "seed" else f"the factor of {blamed}"
            evidence = f"{what} is {number(factors[0])}"
        rest = [factor for others in groups.values() for factor in others]
        if rest:
            multiply = "factor is" if len(rest) == 1 else f"{len(rest)} factors multiply to"
            evidence += f"; the other {multiply} {number(product(rest))}"
        paths = count(self._between)
        along = "" if paths == 1 else f"along the largest of {many(paths, TEXT)} paths, "
        return Finding("tiny" if tiny else "huge", f"{along}{evidence}.")


def _several(sentences: list[str], cause: str) -> str:
    if len(sentences) > 1:
        return f"{cause} in {len(sentences)} places, for instance {sentences[0]}"
    return sentences[0] if cause.split()[0] in sentences[0] else f"{sentences[0]} ({cause})"
