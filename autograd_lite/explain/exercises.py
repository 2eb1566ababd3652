"""Exercises whose answer the engine knows: `Exercise`, which also finds the slip in a wrong answer.

A gradient is a sum over paths of products of local partials, so it is linear in each of them: for each, one
number in its place would explain a wrong answer. If that number is a usual slip (1: left out; the other
sign; the partial of another operand; the value for the slope), that is where to look.

What does not live here: how formulas are read and written (`formulas.py`, `latex.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from autograd_lite.core.primitive import ATOM
from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import Between, Edge, adjoints, edges
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import TEXT
from autograd_lite.transforms.pytrees import flatten

_LARGEST = 2000  # local partials on the paths, among which a slip is still looked for
_LISTED, _DEFINED = 5, 3  # partials in a row, and names that are explained

# Slips at every local partial p of a primitive: how rare they are, what then stands for p, and in words.
_EVERYWHERE: list[tuple[int, Callable[[float], float], str]] = [
    (1, lambda p: 1.0, "leaves them out"),
    (3, lambda p: -p, "has them with the other sign"),
    (3, lambda p: p * p, "has them twice"),
    (3, lambda p: 1.0 / p if p else math.inf, "divides by them"),
]


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is ``right``, and in ``words`` what is wrong with it, as which it shows itself."""

    right: bool
    words: str

    def __repr__(self) -> str:
        return self.words


class Exercise:
    """The question for ∂output/∂wrt: call it with an answer, and it says right or where to look.

    `wrt` is a Value of the graph or a tree of Values; an answer is built alike, of numbers that agree with
    the gradient to `digits` significant digits. Called with ``...`` it says what is asked. No ``.grad`` is
    read or changed. Raises `TypeError` if one of `wrt` is no Value, `ValueError` if the output does not
    depend on it.

    >>> from autograd_lite import sigmoid
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> y = sigmoid(w * x)
    >>> y.label = "y"
    >>> check = Exercise(y, w)
    >>> check(0.3932)
    ✓ Right: ∂y/∂w.
    >>> check(0.1966)
    ✗ Look at ∂v₁/∂w = x: your answer leaves it out. (v₁ = w·x)
    >>> check(0.7311 * 2.0)
    ✗ Look at ∂y/∂v₁ = y(1 − y): your answer has y in its place. (v₁ = w·x)
    """

    def __init__(self, output: Value, wrt: Any, digits: int = 4) -> None:
        flat = flatten(wrt, "wrt")
        self._output, self._asked = output, dict(zip(flat.paths, flat.leaves, strict=True))
        self._order, self._tolerance = topological_order(output), 5.0 * 10.0**-digits
        self._adjoints = adjoints(self._order)
        for path, node in self._asked.items():
            if not isinstance(node, Value):
                raise TypeError(f"wrt{path} must be a Value, got {type(node).__name__} {node!r}")
            if node not in self._adjoints:
                raise ValueError(f"the output does not depend on wrt{path}, {node!r}")
        self._reader = Reader(output, also=flat.leaves)

    def __call__(self, answer: Any) -> Verdict:
        """Return the verdict on an answer."""
        say = _Words(self._reader, self._order)
        if answer is ...:
            return Verdict(False, f"? Your turn: {self._question(say)}{say.definitions()}")
        given = flatten(answer, "the answer")
        if any(isinstance(number, Value) for number in given.leaves):
            raise TypeError("an answer is built of numbers: take them out of Values with .data")
        entries = dict(zip(given.paths, given.leaves, strict=True))
        if self._right(entries):
            return Verdict(True, f"✓ Right: {self._question(say)}{say.definitions()}")
        if self._right({re.sub(r"^(\[\d+])(\[\d+])$", r"\2\1", path): x for path, x in entries.items()}):
            return Verdict(False, "✗ The right numbers, but transposed.")
        if entries.keys() != self._asked.keys():
            wanted, got = _shape([*self._asked]), _shape(given.paths)
            return Verdict(False, f"✗ The gradient is shaped like its variable, {wanted}; yours is {got}.")
        wrong = [path for path, x in entries.items() if not self._agree(x, self._adjoints[self._asked[path]])]
        count = f"{len(wrong)} of {len(entries)} entries are off; answer{wrong[0]}: " if wrong[0] else ""
        slip = self._slip(entries[wrong[0]], self._asked[wrong[0]], say)
        return Verdict(False, f"✗ {count}{slip}{say.definitions()}")

    def _question(self, say: _Words) -> str:
        nodes = [*self._asked.values()]
        shown = nodes if len(nodes) <= _LISTED else nodes[:3]
        asked = [f"∂{say(self._output)}/∂{say(node)}" for node in shown]
        return ", ".join(asked) + (f" and {len(nodes) - 3} more" if len(nodes) > len(shown) else "")

    def _right(self, entries: dict[str, float]) -> bool:
        return entries.keys() == self._asked.keys() and all(
            self._agree(x, self._adjoints[self._asked[path]]) for path, x in entries.items()
        )

    def _agree(self, a: float, b: float) -> bool:
        return math.isclose(a, b, rel_tol=self._tolerance)

    def _slip(self, answer: float, wrt: Value, say: _Words) -> str:
        between = Between(self._order, wrt)
        way = [edge for node in reversed(between.order) if node is not wrt for edge in between.edges(node)]
        if len(way) > _LARGEST:
            return f"There are {len(way)} local partials on the way, too many to look for a slip"
        gradient, tangents = self._adjoints[wrt], _tangents(between)
        if gradient and self._agree(answer, -gradient) and all(edge.partial >= 0.0 for edge in way):
            return "Look at the signs: no local partial on the way is negative"
        explained: list[tuple[int, str, Edge | None, str, Edge | Value | None]] = []
        for edge in way:
            weight = self._adjoints[edge.consumer] * tangents[edge.operand]
            for rank, stand_in, slip, thing in _slips(edge):
                off = weight * (stand_in - edge.partial)
                # Without the only path there is 0 left, which does not say where it is from.
                if off and (gradient + off or stand_in) and self._agree(answer, gradient + off):
                    explained.append((rank, "{}: your answer", edge, slip, thing))
        for row in filter(None, dict.fromkeys([edge.consumer.primitive for edge in way])):
            for rank, change, slip in _EVERYWHERE:
                if self._agree(answer, _tangents(between, {row: change})[self._output]):
                    explained.append(
                        (rank, f"every local partial of {row.name}: your answer", None, slip, None)
                    )
        if explained:
            explained.sort(key=lambda each: each[0])  # of equals the first from the output on
            _, where, place, slip, thing = explained[0]
            return f"Look at {where.format(say(place))} {slip.format(say(thing))}"
        carry = [
            edge for edge in way if edge.partial * self._adjoints[edge.consumer] * tangents[edge.operand]
        ]
        factors = list(dict.fromkeys([say(edge) for edge in carry if edge.partial != 1.0]))
        more = f"; and {len(factors) - _LISTED} more" if len(factors) > _LISTED else ""
        return f"No single slip explains it. From the output on, check {'; '.join(factors[:_LISTED])}{more}"


def _tangents(
    between: Between, changed: Mapping[Any, Callable[[float], float]] = MappingProxyType({})
) -> dict[Value, float]:
    """∂node/∂wrt for the nodes on the paths, with the local partials of some rows changed."""
    wrt, *others = between.order
    found = {wrt: 1.0}
    for node in others:
        change = changed.get(node.primitive, float)
        found[node] = sum([change(edge.partial) * found[edge.operand] for edge in between.edges(node)])
    return found


def _slips(edge: Edge) -> Iterator[tuple[int, float, str, Edge | Value | None]]:
    """Slips at a local partial p: how rare it is, what then stands in the place of p, and in words."""
    node, x, p = edge.consumer, edge.operand, edge.partial
    yield 0, 1.0, "leaves it out", None
    for other in edges(node):
        if other.operand is not x:
            yield 2, other.partial, "has {} in its place", other
    yield (1 if p < 0.0 else 3), -p, "has the other sign", None
    yield 1, node.data, "has {} in its place", node
    yield 2, x.data, "has {} in its place", x
    yield 2, p * p, "has it twice", None
    yield 2, 0.0, "leaves out the path through it", None
    if p:
        yield 3, 1.0 / p, "divides by it", None
    yield 5, 2.0 * p, "has twice as much", None
    yield 5, 0.5 * p, "has half as much", None


class _Words:
    """Names for one verdict, and formulas in them."""

    def __init__(self, reader: Reader, order: Sequence[Value]) -> None:
        self._reader, self._namer = reader, Namer(order)

    def __call__(self, thing: Edge | Value | None) -> str:
        """A node by name or formula, a local partial with its formula."""
        if isinstance(thing, Edge):
            formula = self._reader.partial(thing.consumer, thing.position).written(TEXT, self._namer, 4).text
            return f"∂{self(thing.consumer)}/∂{self(thing.operand)} = {formula}"
        if thing is None:
            return ""
        written = self._reader.formula(thing).written(TEXT, self._namer)
        return written.text if written.precedence == ATOM else f"({written.text})"

    def definitions(self) -> str:
        found = self._reader.definitions(self._namer, _DEFINED)
        said = [f"{self(node)} = {formula.written(TEXT, self._namer, 4).text}" for node, formula in found]
        return f". ({', '.join(said)})" if said else "."


def _shape(paths: Sequence[str]) -> str:
    """A tree's shape in words, from the paths to its leaves."""
    if [*paths] == [""]:
        return "one number"
    sizes = [
        1 + max(map(int, steps)) for steps in zip(*[re.findall(r"\d+", path) for path in paths], strict=False)
    ]
    regular = len(sizes) > 1 and math.prod(sizes) == len(paths)
    return "×".join(map(str, sizes)) if regular else f"{len(paths)} numbers"
