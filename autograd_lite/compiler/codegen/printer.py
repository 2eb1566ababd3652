"""Print the expressions and statements of a graph: few parentheses, names, and an order that can run.

Next door: `regions.py` finds the conditions under which a node is needed; `python.py`, `arrays.py` and
`c_text.py` define languages and print functions.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from autograd_lite.compiler.codegen.regions import Region, Way, decided, regions_of, within
from autograd_lite.compiler.ir.graph import COMPARISONS, INPUTS, Graph, Op
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive

# How tightly an expression binds, in all languages that are printed.
CHOICE, OR, AND, NOT, COMPARE, SUM, PRODUCT, UNARY, ATOM = range(9)

_PRECEDENCE: dict[Op, tuple[int, tuple[int, ...]]] = {
    table.add: (SUM, (SUM, PRODUCT)),
    table.sub: (SUM, (SUM, PRODUCT)),
    table.mul: (PRODUCT, (PRODUCT, UNARY)),
    table.div: (PRODUCT, (PRODUCT, UNARY)),
    table.neg: (UNARY, (ATOM,)),
    "and": (AND, (NOT, NOT)),
    "or": (OR, (AND, AND)),
    "not": (NOT, (ATOM,)),
    **dict.fromkeys(COMPARISONS, (COMPARE, (SUM, SUM))),
    "whole": (COMPARE, (UNARY,)),
}
_CALL = (ATOM, (CHOICE,) * 99)
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


@dataclass(frozen=True)
class Language:
    """A language: how it writes conditions and numbers, and the target of the rows' templates.

    `where` is the precedence of a choice and of its three operands.
    """

    target: str
    conditions: dict[str, str]
    where: tuple[int, tuple[int, ...]]
    number: Callable[[float], str] = repr
    lazy: bool = False  # whether only the branch taken of a `where` runs

    def template(self, op: Op) -> str:
        """Return the template of an operation."""
        if isinstance(op, Primitive):
            return op.template.get(self.target) or f"{op.name}({{}})"
        return self.conditions.get(op) or f"{{0}} {_SIGNS[op]} {{1}}"

    def precedence(self, op: Op) -> tuple[int, tuple[int, ...]]:
        """Return how tightly the template binds, and how tightly each operand must."""
        return self.where if op is table.where else _PRECEDENCE.get(op, _CALL)


PYTHON = Language(
    "python",
    {"and": "{0} and {1}", "or": "{0} or {1}", "not": "not {0}", "whole": "{0} % 1.0 == 0.0"},
    (CHOICE, (OR, OR, CHOICE)),
    lazy=True,
)


def in_parentheses(number: str) -> str:
    """Return a number as a factor: in parentheses if it is negative."""
    return f"({number})" if number[0] == "-" else number


def called(template: str) -> set[str]:
    """Return the functions that a template calls."""
    return set(re.findall(r"([A-Za-z_]\w*)\(", template))


def identifier(label: str, taken: set[str]) -> str:
    """Return a name for a label that is not in `taken`, and put it there."""
    # Python reads names in this normal form, in which ﬁ and fi are the same; x₁ and x² become names.
    normal = unicodedata.normalize("NFKC", label)
    words = "".join([x if f"a{x}".isidentifier() else " " for x in normal]).split()
    name = "_".join(words).strip("_") or "v"
    if keyword.iskeyword(name):
        name = f"{name}_"
    elif not name.isidentifier():  # after a "v" it is one; a leading accent combines with the v
        name = unicodedata.normalize("NFKC", f"v{name}")
    candidate, k = name, 1
    while candidate in taken:
        k += 1
        candidate = f"{name}_{k}"
    taken.add(candidate)
    return candidate


@dataclass
class Statement:
    """``name = text``, to run where all ``conditions`` have their given truth values."""

    node: int
    name: str
    text: str
    conditions: Region


class Printer:
    """Prints a lowered graph as statements; a node used once is written where it is used."""

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
        # Parameters keep their names, except for names that the text uses for something else.
        hidden = {*functions, "leaves", "_"}
        self.given = {x: identifier(x, self.taken) if x in hidden else x for x in given}
        self.names: dict[int, str] = {}
        self.called: set[str] = set()  # functions that the text needs
        self.opaque: dict[str, Primitive] = {}  # rows without a template, called by their names
        self._levels: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        self._failing: set[int] = set()
        for i in self.live:
            if graph.ops[i] in INPUTS:
                label = graph.labels[i]
                own = graph.ops[i] == "argument" and label in given
                self.names[i] = self.given[label] if own else identifier(label, self.taken)

    def statements(self, kept: Iterable[int] = ()) -> Iterator[Statement]:
        """Yield the statements in an order that can run; `kept` nodes always get a variable."""
        graph, lazy = (
            self.graph,
            self.language.lazy and any(self.graph.ops[i] is table.where for i in self.live),
        )
        regions = regions_of(graph, self.live, self.outputs) if lazy else {}
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
            if op == "constant" or self._fails(i):
                number = math.nan if op != "constant" else graph.numbers[i]
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
                once = region == within(graph, user, graph.operands[user].index(i), regions[user])
            if once and len(text) < self.longest:
                self._texts[i], self._levels[i] = text, self.language.precedence(op)[0]
                continue
            self.names[i] = self._name(i)
            yield Statement(i, self.names[i], text, region)

    def _fails(self, i: int) -> bool:
        """Return whether node i of an array program fails: an operation on constants alone, not folded.

        It is written as NaN. Python's numbers would raise, although the branch may not be taken; NaN is
        harmless there, and where the branch is taken it makes the eager engine raise the error.
        """
        operands = self.graph.operands[i]
        if self.language.target != "array" or not operands:
            return False
        if not all(k in self.graph.constants or k in self._failing for k in operands):
            return False
        self._failing.add(i)
        return True

    def _name(self, i: int) -> str:
        of = self.graph.adjoints.get(i)
        if i in self.graph.labels:
            return identifier(self.graph.labels[i], self.taken)
        if of is not None and of in self.names:
            return identifier(f"d_{self.names[of]}", self.taken)
        return identifier(f"v{len(self.names) + 1}", self.taken)

    def text(self, i: int, least: int = CHOICE) -> str:
        """Return a node as an operand; in parentheses if it binds less tightly than `least`."""
        if i in self.names:
            return self.names[i]
        text = self._texts[i]
        return text if self._levels[i] >= least else f"({text})"

    def condition(self, i: int | tuple[Way, ...], holds: bool, least: int = CHOICE) -> str:
        """Return a condition, or its opposite, as the head of an ``if``."""
        if isinstance(i, int):
            return self.text(i, least) if holds else f"not {self.text(i, ATOM)}"
        return " or ".join([" and ".join([self.condition(*side, NOT) for side in way]) for way in i])

    def _expression(self, i: int) -> str:
        op, operands = self.graph.ops[i], self.graph.operands[i]
        template = self.language.template(op)
        _, asked = self.language.precedence(op)
        self.called |= called(template)
        if isinstance(op, Primitive) and self.language.target not in op.template:
            self.opaque[op.name] = op
        if op is table.entry and self.language is PYTHON:
            index, *rows = self.text(operands[0], ATOM), *map(self.text, operands[1:])
            # A check refuses a wrong index, but none in a branch that is not taken.
            return f"({', '.join(rows)},)[int({index}) if 0.0 <= {index} < {len(rows)}.0 else 0]"
        if template.endswith("({})"):
            return template.format(", ".join([self.text(k) for k in operands]))
        return template.format(*[self.text(k, least) for k, least in zip(operands, asked, strict=False)])


def _ordered(graph: Graph, live: list[int], regions: dict[int, Region]) -> Iterable[int]:
    """Return the live nodes, each after its operands and after the conditions it runs under."""
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
            missing = [k for k in (*graph.operands[i], *decided(regions[i])) if k not in done]
            if missing:
                stack += missing
            else:
                done.add(i)
                order.append(i)
                stack.pop()
    return order
