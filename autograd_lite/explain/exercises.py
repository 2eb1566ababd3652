"""`Exercise`: a question about a gradient that checks answers, and finds the slip in a wrong one.

A gradient is a sum over paths of products of local partials, so it is linear in each of them. For each there
is one number which, put in its place, would give the wrong answer. If that number is a common slip (1, for a
factor left out; the wrong sign; the partial of another operand; the value instead of the slope), this is
where to look. Next door: `graph.py` gives the adjoints, `notation` reads and writes the formulas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from autograd_lite.core.primitive import ATOM
from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import Between, Edge, adjoints, edges
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import TEXT
from autograd_lite.transforms.pytrees import flatten

_LARGEST = 2000  # the search for a slip takes at most this many local partials on the paths
_LISTED, _DEFINED = 5, 3  # the most partials that are listed, and names that are defined

# Slips at every local partial p of a row: how rare the slip is, what replaces p, and its words.
_EVERYWHERE: list[tuple[int, Callable[[float], float], str]] = [
    (1, lambda p: 1.0, "leaves them out"),
    (3, lambda p: -p, "has them with the wrong sign"),
    (3, lambda p: p * p, "multiplies by them twice"),
    (3, lambda p: 1.0 / p if p else math.inf, "divides by them"),
]


class Slip(NamedTuple):
    """A slip at one local partial p: how rare it is, what replaces p, and its words.

    ``thing`` is named by the ``{}`` in the words.
    """

    rarity: int
    stand_in: float
    words: str
    thing: Edge | Value | None = None


@dataclass(frozen=True, repr=False)
class Verdict:
    """The verdict on an answer: whether it is ``right``, and its ``words``, which say why not."""

    right: bool
    words: str

    def __repr__(self) -> str:
        return self.words


class Exercise:
    """A question for ∂output/∂wrt: call it with an answer to learn that it is right, or where to look.

    `wrt` is a Value of the graph, or Values in lists, tuples, dicts or arrays. An answer has numbers in the
    same containers, which must agree with the gradient to `digits` significant digits. Called with ``...``,
    the exercise says what it asks for. No ``.grad`` is read or changed. Raises `TypeError` if part of `wrt`
    is not a Value, `ValueError` if the output does not depend on it.

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
            raise TypeError("an answer holds numbers, not Values: take them out of Values with .data")
        entries = dict(zip(given.paths, given.leaves, strict=True))
        if self._right(entries):
            return Verdict(True, f"✓ Right: {self._question(say)}{say.definitions()}")
        if self._right({re.sub(r"^(\[\d+])(\[\d+])$", r"\2\1", path): x for path, x in entries.items()}):
            return Verdict(False, "✗ The numbers are right, but transposed.")
        if entries.keys() != self._asked.keys():
            wanted, got = _shape([*self._asked]), _shape(given.paths)
            return Verdict(
                False, f"✗ The gradient has the shape of its variable, {wanted}; your answer is {got}."
            )
        wrong = [path for path, x in entries.items() if not self._agree(x, self._adjoints[self._asked[path]])]
        slip = self._slip(entries[wrong[0]], self._asked[wrong[0]], say)
        if wrong[0]:
            count = f"{len(wrong)} of {len(entries)} entries {'is' if len(wrong) == 1 else 'are'} wrong."
            slip = f"{count} In answer{wrong[0]}, {slip[0].lower()}{slip[1:]}"
        return Verdict(False, f"✗ {slip}{say.definitions()}")

    def __repr__(self) -> str:
        return f"<exercise: {self._question(_Words(self._reader, self._order))}>"

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
            return f"There are {len(way)} local partials on the paths, too many to search for a slip"
        gradient, tangents = self._adjoints[wrt], _tangents(between)
        if gradient and self._agree(answer, -gradient) and all(edge.partial >= 0.0 for edge in way):
            return "Look at the signs: no local partial on the paths is negative"
        explaining: list[tuple[Slip, Edge | str]] = []  # with the place: a local partial, or a row's name
        for edge in way:
            weight = self._adjoints[edge.consumer] * tangents[edge.operand]
            for slip in _slips(edge):
                off = weight * (slip.stand_in - edge.partial)
                # Leaving out the only path gives 0, which many slips explain.
                if off and (gradient + off or slip.stand_in) and self._agree(answer, gradient + off):
                    explaining.append((slip, edge))
        for row in dict.fromkeys([edge.row for edge in way]):
            for rarity, change, words in _EVERYWHERE:
                if self._agree(answer, _tangents(between, {row: change})[self._output]):
                    explaining.append((Slip(rarity, math.nan, words), row.name))
        if explaining:
            slip, place = min(explaining, key=lambda each: each[0].rarity)  # the first from the output on
            where = f"every local partial of {place}" if isinstance(place, str) else say(place)
            return f"Look at {where}: your answer {slip.words.format(say(slip.thing))}"
        carry = [
            edge for edge in way if edge.partial * self._adjoints[edge.consumer] * tangents[edge.operand]
        ]
        factors = list(dict.fromkeys([say(edge) for edge in carry if edge.partial != 1.0]))
        more = f"; and {len(factors) - _LISTED} more" if len(factors) > _LISTED else ""
        checks = "; ".join(factors[:_LISTED])
        return f"No single slip explains your answer. Starting from the output, check {checks}{more}"


def _tangents(
    between: Between, changed: Mapping[Any, Callable[[float], float]] = MappingProxyType({})
) -> dict[Value, float]:
    """Return ∂node/∂wrt for the nodes on the paths, with the local partials of some rows changed."""
    wrt, *others = between.order
    found = {wrt: 1.0}
    for node in others:
        change = changed.get(node.primitive, float)
        found[node] = sum([change(edge.partial) * found[edge.operand] for edge in between.edges(node)])
    return found


def _slips(edge: Edge) -> Iterator[Slip]:
    """Yield the slips to look for at one local partial."""
    node, x, p = edge.consumer, edge.operand, edge.partial
    yield Slip(0, 1.0, "leaves it out")
    for other in edges(node):
        if other.operand is not x:
            yield Slip(2, other.partial, "has {} in its place", other)
    yield Slip(1 if p < 0.0 else 3, -p, "has the wrong sign")
    yield Slip(1, node.data, "has {} in its place", node)
    yield Slip(2, x.data, "has {} in its place", x)
    yield Slip(2, p * p, "multiplies by it twice")
    yield Slip(2, 0.0, "leaves out the path through it")
    if p:
        yield Slip(3, 1.0 / p, "divides by it")
    yield Slip(5, 2.0 * p, "has twice its value")
    yield Slip(5, 0.5 * p, "has half its value")


class _Words:
    """The names in one verdict, and formulas in these names."""

    def __init__(self, reader: Reader, order: Sequence[Value]) -> None:
        self._reader, self._namer = reader, Namer(order)

    def __call__(self, thing: Edge | Value | None) -> str:
        """Return a node by its name or formula, a local partial with its formula."""
        if isinstance(thing, Edge):
            formula = self._reader.partial(thing.consumer, thing.position).written(TEXT, self._namer, 4).text
            return f"∂{self(thing.consumer)}/∂{self(thing.operand)} = {formula}"
        if thing is None:
            return ""
        written = self._reader.formula(thing).written(TEXT, self._namer)
        return written.text if written.precedence == ATOM else f"({written.text})"

    def definitions(self) -> str:
        """Return the definitions of made-up names, which end the sentence."""
        found = self._reader.definitions(self._namer, _DEFINED)
        said = [f"{self(node)} = {formula.written(TEXT, self._namer, 4).text}" for node, formula in found]
        return f". ({', '.join(said)})" if said else "."


def _shape(paths: Sequence[str]) -> str:
    """Return the shape of nested containers in words, from the paths to their leaves."""
    if [*paths] == [""]:
        return "one number"
    sizes = [
        1 + max(map(int, steps)) for steps in zip(*[re.findall(r"\d+", path) for path in paths], strict=False)
    ]
    regular = len(sizes) > 1 and math.prod(sizes) == len(paths)
    return "×".join(map(str, sizes)) if regular else f"{len(paths)} numbers"
