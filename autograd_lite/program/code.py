"""What the printers share: expressions with as few parentheses as can be, names, and the order of statements.

What does not live here: the languages (`python.py`, `arrays.py`, `c.py`).
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from autograd_lite import primitives as table
from autograd_lite.primitives import Primitive
from autograd_lite.program.graph import COMPARISONS, INPUTS, Graph, Op

# How tightly an expression holds, in the languages that are printed.
CHOICE, OR, AND, NOT, COMPARE, SUM, PRODUCT, UNARY, ATOM = range(9)

_BINDS: dict[Op, tuple[int, tuple[int, ...]]] = {
    table.add: (SUM, (SUM, PRODUCT)),
    table.sub: (SUM, (SUM, PRODUCT)),
    table.mul: (PRODUCT, (PRODUCT, UNARY)),
    table.div: (PRODUCT, (PRODUCT, UNARY)),
    table.neg: (UNARY, (ATOM,)),
    "and": (AND, (NOT, NOT)),
    "or": (OR, (AND, AND)),
    "not": (NOT, (ATOM,)),
    **dict.fromkeys(COMPARISONS, (COMPARE, (SUM, SUM))),
}
_CALL = (ATOM, (CHOICE,) * 99)
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


@dataclass(frozen=True)
class Language:
    """How conditions and numbers are written, and which target of a row's ``source`` is taken."""

    target: str
    conditions: dict[str, str]
    where: tuple[int, tuple[int, ...]]
    number: Callable[[float], str] = repr
    lazy: bool = False  # a branch of a `where` that is not taken is not run

    def template(self, op: Op) -> str:
        """The template of an operation."""
        if isinstance(op, Primitive):
            return op.source.get(self.target) or f"{op.name}({{}})"
        return self.conditions.get(op) or f"{{0}} {_SIGNS[op]} {{1}}"

    def binds(self, op: Op) -> tuple[int, tuple[int, ...]]:
        """How tightly the template holds, and what it asks of the operands."""
        return self.where if op is table.where else _BINDS.get(op, _CALL)


PYTHON = Language(
    "python",
    {"and": "{0} and {1}", "or": "{0} or {1}", "not": "not {0}"},
    (CHOICE, (OR, OR, CHOICE)),
    lazy=True,
)


def called(template: str) -> set[str]:
    """The functions that a template calls."""
    return set(re.findall(r"([A-Za-z_]\w*)\(", template))


def identifier(label: str, taken: set[str]) -> str:
    """Return a name for a label that is not in `taken`, and put it there."""
    # Python reads names in this normal form: ﬁ and fi are one. It makes x₁ and x² names, too.
    normal = unicodedata.normalize("NFKC", label)
    words = "".join([x if f"a{x}".isidentifier() else " " for x in normal]).split()
    name = "_".join(words).strip("_") or "v"
    if keyword.iskeyword(name):
        name = f"{name}_"
    elif not name.isidentifier():  # it may begin with an accent, which then belongs to the v
        name = unicodedata.normalize("NFKC", f"v{name}")
    candidate, k = name, 1
    while candidate in taken:
        k += 1
        candidate = f"{name}_{k}"
    taken.add(candidate)
    return candidate


@dataclass
class Statement:
    """``name = text``, to be run where all ``conditions`` are as they say."""

    node: int
    name: str
    text: str
    conditions: tuple[tuple[int, bool], ...]


def _regions(
    graph: Graph, live: list[int], outputs: Iterable[int]
) -> dict[int, tuple[tuple[int, bool], ...]]:
    """For each node, the conditions under which alone it is used, those of the outer `where` first."""
    regions: dict[int, tuple[tuple[int, bool], ...]] = dict.fromkeys(outputs, ())

    def used(i: int, region: tuple[tuple[int, bool], ...]) -> None:
        known = regions.get(i)
        if known is None:
            regions[i] = region
        elif known != region:
            common = 0
            while common < min(len(known), len(region)) and known[common] == region[common]:
                common += 1
            regions[i] = known[:common]

    for i in reversed(live):
        region, operands = regions[i], graph.operands[i]
        for slot, k in enumerate(operands):
            inner = region
            if graph.ops[i] is table.where and slot:
                side = (operands[0], slot == 1)
                inner = region if side in region else (*region, side)
            used(k, inner)
    return regions


class Printer:
    """Prints a lowered graph as statements; what is used once stands within the expression that uses it."""

    def __init__(
        self,
        graph: Graph,
        outputs: Sequence[int],
        language: Language,
        taken: Iterable[str],
        given: Sequence[str] = (),
        longest: int = 240,
    ) -> None:
        self.graph = graph
        self.language = language
        self.outputs = outputs
        self.longest = longest
        self.live = graph.live(outputs)
        rows = {op for i in self.live if (op := graph.ops[i]) not in INPUTS and op != "constant"}
        functions = set().union(*[called(language.template(row)) for row in rows])
        self.taken = {*taken, *given, *functions}
        # Parameters keep their names, but for those that the text uses for something else.
        hidden = {*functions, "leaves", "_"}
        self.given = {x: identifier(x, self.taken) if x in hidden else x for x in given}
        self.names: dict[int, str] = {}
        self.called: set[str] = set()  # functions that the text needs
        self.opaque: dict[str, Primitive] = {}  # rows that are called as they are
        self._levels: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        for i in self.live:
            if graph.ops[i] in INPUTS:
                label = graph.labels[i]
                own = graph.ops[i] == "argument" and label in given
                self.names[i] = self.given[label] if own else identifier(label, self.taken)

    def statements(self, kept: Iterable[int] = ()) -> Iterator[Statement]:
        """The statements in an order that can be run; `kept` nodes get a variable whatever their use."""
        graph, lazy = (
            self.graph,
            self.language.lazy and any(self.graph.ops[i] is table.where for i in self.live),
        )
        regions = _regions(graph, self.live, self.outputs) if lazy else {}
        uses: dict[int, int] = {}
        reader: dict[int, int] = {}
        for i in self.live:
            for k in graph.operands[i]:
                uses[k] = uses.get(k, 0) + 1
                reader[k] = i
        for i in self.outputs:
            uses[i] = uses.get(i, 0) + 1
        for i in kept:
            uses[i] = 2
        for i in _ordered(graph, self.live, regions):
            op = graph.ops[i]
            if op in INPUTS:
                continue
            if op == "constant":
                number = graph.numbers[i]
                self._texts[i] = self.language.number(number)
                self._levels[i] = UNARY if math.copysign(1.0, number) < 0.0 else ATOM
                if not math.isfinite(number):
                    self.called.add("nan" if number != number else "inf")
                continue
            text = self._expression(i)
            region = regions.get(i, ())
            once = uses.get(i, 0) == 1 and i not in graph.labels
            if once and lazy and i in reader:
                user = reader[i]
                at = regions[user]
                if graph.ops[user] is table.where:
                    c, x, _ = graph.operands[user]
                    side = (c, i == x)
                    inner = at if side in at or i == c else (*at, side)
                    once = region == inner
                else:
                    once = region == at
            if once and len(text) < self.longest:
                self._texts[i], self._levels[i] = text, self.language.binds(op)[0]
                continue
            self.names[i] = self._name(i)
            yield Statement(i, self.names[i], text, region)

    def _name(self, i: int) -> str:
        of = self.graph.adjoints.get(i)
        if i in self.graph.labels:
            return identifier(self.graph.labels[i], self.taken)
        if of is not None and of in self.names:
            return identifier(f"d_{self.names[of]}", self.taken)
        return identifier(f"v{len(self.names) + 1}", self.taken)

    def text(self, i: int, least: int = CHOICE) -> str:
        """A node as it is written within an expression that asks for an operand that holds `least`."""
        if i in self.names:
            return self.names[i]
        text = self._texts[i]
        return text if self._levels[i] >= least else f"({text})"

    def condition(self, i: int, holds: bool) -> str:
        """A condition, or its opposite, as the head of an ``if``."""
        return self.text(i) if holds else f"not {self.text(i, ATOM)}"

    def _expression(self, i: int) -> str:
        op, operands = self.graph.ops[i], self.graph.operands[i]
        template = self.language.template(op)
        _, asked = self.language.binds(op)
        self.called |= called(template)
        if isinstance(op, Primitive) and self.language.target not in op.source:
            self.opaque[op.name] = op
        if template.endswith("({})"):
            return template.format(", ".join([self.text(k) for k in operands]))
        return template.format(*[self.text(k, least) for k, least in zip(operands, asked, strict=False)])


def _ordered(
    graph: Graph, live: list[int], regions: dict[int, tuple[tuple[int, bool], ...]]
) -> Iterable[int]:
    """The live nodes, each after its operands and after the conditions that it stands under."""
    if not any(regions.values()):
        return live
    done: set[int] = set()
    order: list[int] = []
    for start in live:
        stack = [start]
        while stack:
            i = stack[-1]
            if i in done:
                stack.pop()
                continue
            missing = [k for k in (*graph.operands[i], *[c for c, _ in regions[i]]) if k not in done]
            if missing:
                stack += missing
            else:
                done.add(i)
                order.append(i)
                stack.pop()
    return order
