"""What the printers share: expressions with as few parentheses as can be, names, and the order of statements.

What does not live here: the languages (`python.py`, `arrays.py`, `c.py`).
"""

from __future__ import annotations

import itertools
import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from autograd_lite.compiler.ir.graph import COMPARISONS, CONDITIONS, INPUTS, Graph, Op
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive

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
            return op.template.get(self.target) or f"{op.name}({{}})"
        return self.conditions.get(op) or f"{{0}} {_SIGNS[op]} {{1}}"

    def precedence(self, op: Op) -> tuple[int, tuple[int, ...]]:
        """How tightly the template holds, and what it asks of the operands."""
        return self.where if op is table.where else _BINDS.get(op, _CALL)


PYTHON = Language(
    "python",
    {"and": "{0} and {1}", "or": "{0} or {1}", "not": "not {0}"},
    (CHOICE, (OR, OR, CHOICE)),
    lazy=True,
)


def in_parentheses(number: str) -> str:
    """Return a number as a factor: in parentheses if it is negative."""
    return f"({number})" if number[0] == "-" else number


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


Way: TypeAlias = tuple[tuple[int, bool], ...]  # conditions that all hold, or do not, as they say
Region: TypeAlias = tuple[tuple[int | tuple[Way, ...], bool], ...]  # also: one of some ways holds
# What never raises on finite floats.
_SAFE: set[Op] = {
    table.add, table.sub, table.mul, table.neg, table.abs, table.where, *CONDITIONS,
    table.sin, table.cos, table.tanh, table.atan, table.erf, table.erfc,
}  # fmt: skip
MOST_GUARDS = 8  # conditions for one node: more of them take longer than they save


@dataclass
class Statement:
    """``name = text``, to be run where all ``conditions`` are as they say."""

    node: int
    name: str
    text: str
    conditions: Region


def _regions(graph: Graph, live: list[int], outputs: Iterable[int]) -> dict[int, Region]:
    """For each node, the conditions under which alone it is used, the outer ones first.

    If its uses have no condition in common, a node that cannot fail runs in any case, and one that may fail
    runs if one of the uses does. Nodes that decide a condition are exempt: conditions might await each other.
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
            inner = _within(graph, i, slot, known)
            shared[k] = _common(shared[k], inner) if k in shared else inner
            uses.setdefault(k, []).append(_within(graph, i, slot, regions[i]))
    return regions


def _common(a: Region, b: Region) -> Region:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]


def _guarded(known: Region, uses: list[Region]) -> Region:
    """The region of a node: what is `known` to hold for all its uses, and that one of them holds."""
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
    """The conditions of a region, also those within others."""
    for c, _ in region:
        if isinstance(c, int):
            yield c
        else:
            yield from (k for way in c for k, _ in way)


def _within(graph: Graph, i: int, slot: int, region: Region) -> Region:
    """The conditions under which an operand is used, by a node that is used under those of `region`."""
    op, first = graph.ops[i], graph.operands[i][0]
    if slot == 0 or not (op is table.where or op in ("and", "or")):
        return region
    more: list[tuple[int, bool]] = []
    stack = [(first, slot == 1 if op is table.where else op == "and")]
    while stack:  # of "and" that holds both do, of "or" that does not hold neither
        c, holds = stack.pop()
        if graph.ops[c] == "not":
            stack.append((graph.operands[c][0], not holds))
        elif graph.ops[c] == ("and" if holds else "or"):
            stack += [(k, holds) for k in reversed(graph.operands[c])]
        elif (c, holds) not in region and (c, holds) not in more:
            more.append((c, holds))
    return (*region, *more)


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
        self._failing: set[int] = set()
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
                once = region == _within(graph, user, graph.operands[user].index(i), regions[user])
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
        """A node as it is written within an expression that asks for an operand that holds `least`."""
        if i in self.names:
            return self.names[i]
        text = self._texts[i]
        return text if self._levels[i] >= least else f"({text})"

    def condition(self, i: int | tuple[Way, ...], holds: bool, least: int = CHOICE) -> str:
        """A condition, or its opposite, as the head of an ``if``."""
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
        if template.endswith("({})"):
            return template.format(", ".join([self.text(k) for k in operands]))
        return template.format(*[self.text(k, least) for k, least in zip(operands, asked, strict=False)])


def _ordered(graph: Graph, live: list[int], regions: dict[int, Region]) -> Iterable[int]:
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
            missing = [k for k in (*graph.operands[i], *decided(regions[i])) if k not in done]
            if missing:
                stack += missing
            else:
                done.add(i)
                order.append(i)
                stack.pop()
    return order
