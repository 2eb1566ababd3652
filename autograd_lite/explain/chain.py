"""`explain`: the chain rule from an output down to one value, in symbols, formulas and numbers.

Next door: `links.py` holds the part of the graph that the chain rule runs along, `notation` writes its
formulas, `notation/closed_form.py` finds closed forms.
"""

from __future__ import annotations

import functools
import math
from decimal import Context, Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

from autograd_lite.core.primitive import PRODUCT
from autograd_lite.core.value import Value
from autograd_lite.explain.graph import adjoints
from autograd_lite.explain.links import Links
from autograd_lite.explain.paths import Path, count, largest, many
from autograd_lite.explain.shown import Shown, ends
from autograd_lite.notation.closed_form import ClosedForm
from autograd_lite.notation.columns import aligned, width
from autograd_lite.notation.formula import Adjoint, Sum, adjoint_written, number
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import LATEX, TEXT, Notation, Printed

_DIGITS = 5  # of the result; the factors get as many as their product needs to give these
_FACTORS = 8  # the most factors of one product
_SUMMANDS = 6  # the most paths that one factor sums up
_BETWEEN = 20  # the most nodes on these paths
_WIDE = 120  # the most columns of a product
_LINES = 16  # the most lines of the adjoint form
_DEFINED = 12  # the most made-up names that are defined
_ROUTE = 10  # the most nodes of a path that are listed


class Step:
    """One factor of the chain rule: ∂``consumer``/∂``operand``, over all ``paths`` between the two.

    ``value`` is its number; ``symbol`` and ``formula`` are text.
    """

    def __init__(self, explanation: Explanation, first: int, last: int) -> None:
        self._explanation = explanation
        self._links = links = explanation.links
        self._nodes = links.nodes[first:last]
        self.consumer = links.nodes[first]
        self.operand = links.nodes[last]
        found = {self.consumer: (1.0, 1)}
        for node in self._nodes:
            for x, (partial, paths) in links.partials[node].items():
                total, so_many = found.get(x, (-0.0, 0))
                found[x] = total + found[node][0] * partial, so_many + found[node][1] * paths
        self.value, self.paths = found[self.operand]

    @cached_property
    def _sum(self) -> Sum:
        links = self._links
        found = {self.consumer: number(1.0)}
        for x in [*self._nodes[1:], self.operand]:
            terms = [found[node] * links.formulas(node)[x] for node in links.consumers[x]]
            found[x] = functools.reduce(Sum.__add__, terms).combined()
        return found[self.operand]

    def reads_in(self, paths: int, nodes: int) -> bool:
        """Return whether the formula sums up at most `paths` paths over at most `nodes` nodes."""
        return self.paths <= paths and len(self._nodes) <= nodes

    def written(self, notation: Notation, namer: Namer) -> Printed:
        """Return the formula of the factor in a notation."""
        return self._sum.written(notation, namer, _DIGITS)

    def as_factor(self, notation: Notation, namer: Namer, *, first: bool) -> str:
        """Return the formula, in parentheses if it needs them among other factors."""
        return _factor(self.written(notation, namer), notation, first and len(self._sum.terms) == 1)

    def symbol_in(self, notation: Notation) -> str:
        """Return ∂consumer/∂operand in a notation."""
        return self._explanation.derivative(self.consumer, self.operand, notation)

    @property
    def symbol(self) -> str:
        """∂consumer/∂operand as text."""
        return self.symbol_in(TEXT)

    @property
    def formula(self) -> str | None:
        """The factor as a formula in the graph's own names; None if it would be too long to read."""
        if not self.reads_in(paths=64, nodes=64):
            return None
        return self.written(TEXT, self._explanation.namer).text

    def __repr__(self) -> str:
        parts = [self.symbol, self.formula, TEXT.number(self.value, _DIGITS).text]
        return " = ".join(filter(None, parts))


class Explanation(Shown):
    """The answer of `explain`: ``value`` = ∂output/∂wrt, and the chain rule as text and LaTeX.

    ``count`` is the number of paths. ``steps`` are the factors between the nodes that all paths share, from
    the output down. ``paths`` are those with the largest |contribution|; ``rest`` is the sum of all others.
    """

    def __init__(self, output: Value, wrt: Value, paths: int) -> None:
        self.output = output
        self.wrt = wrt
        self.links = Links(output, wrt)
        self.value: float = adjoints(self.links.order).get(wrt, 0.0)
        self.count: int = count(self.links.between)
        self.paths: list[Path]
        self.rest: float
        self.paths, self.rest = largest(self.links.between, paths)
        self.namer = Namer(self.links.order)
        for node in (output, wrt):
            self.namer.key(node)
        self._text = self._written()

    @property
    def text(self) -> str:
        """The explanation as text."""
        return self._text

    @cached_property
    def steps(self) -> list[Step]:
        """The factors of the chain rule, from the output down; their product is ``value`` up to rounding."""
        waists = self.links.waists()
        return [Step(self, *pair) for pair in pairwise(waists)]

    @cached_property
    def is_product(self) -> bool:
        """Whether the chain rule is written as one product, and not node by node with adjoints δ."""
        if len(self.steps) > _FACTORS or not all(step.reads_in(_SUMMANDS, _BETWEEN) for step in self.steps):
            return False
        namer = Namer(self.links.order)  # a trial: names are assigned when the text is written
        widths = [width(step.as_factor(TEXT, namer, first=False)) for step in self.steps]
        return sum(widths) + len(TEXT.times) * len(widths) <= _WIDE

    def derivative(self, y: Value, x: Value, notation: Notation) -> str:
        """Return ∂y/∂x in a notation."""
        return notation.derivative(self.namer(y, notation).text, self.namer(x, notation).text)

    @cached_property
    def _digits(self) -> int | None:
        """The number of digits at which the product of the printed factors is the printed result, if any."""
        factors = [step.value for step in self.steps]
        if all(map(math.isfinite, [*factors, self.value])):
            for digits in range(_DIGITS, 18):
                product = math.prod([Decimal(f"{x:.{digits}g}") for x in factors], start=Decimal(1))
                if Context(prec=_DIGITS).plus(product) == Decimal(f"{self.value:.{_DIGITS}g}"):
                    return digits
        return None

    def _product(self, notation: Notation) -> tuple[list[list[str]], str]:
        """Return rows of symbols (if there are several factors), formulas and numbers, and the last end."""
        result = notation.number(self.value, _DIGITS).text
        if len(self.steps) == 1:
            return [[self.steps[0].written(notation, self.namer).text], [result]], ""
        digits = self._digits or _DIGITS
        rows = [
            [step.symbol_in(notation) for step in self.steps],
            [step.as_factor(notation, self.namer, first=k == 0) for k, step in enumerate(self.steps)],
            [
                _factor(notation.number(step.value, digits), notation, k == 0)
                for k, step in enumerate(self.steps)
            ],
        ]
        sign = notation.equal if self._digits or not math.isfinite(self.value) else notation.about
        return rows, f" {sign} {result}"

    def _adjoints(self, notation: Notation) -> list[tuple[str, str, str]]:
        """Return δ(node), its sum over consumers and its number, for each node from the output down."""
        links = self.links
        numbers = adjoints(links.order)
        rows = []
        for node in ends(links.nodes, _LINES):
            if node is None:
                rows.append((notation.down, notation.word(f"{len(links.nodes) - _LINES} more nodes"), ""))
                continue
            formula = ""
            if node in links.consumers:
                users = links.consumers[node]
                terms = ((user, links.formulas(user)[node]) for user in users)
                formula = adjoint_written(terms, len(users), notation, self.namer, _DIGITS)
            name = Adjoint(node).written(notation, self.namer).text
            rows.append((name, formula, notation.number(numbers[node], _DIGITS).text))
        return rows

    def _written(self) -> str:
        whole = self.derivative(self.output, self.wrt, TEXT)
        y, x = [self.namer(node, TEXT).text for node in (self.output, self.wrt)]
        if not self.count:
            return f"{whole} = 0: {y} does not depend on {x}"
        if not self.steps:
            return f"{whole} = 1"
        if self.is_product:
            rows, end = self._product(TEXT)
            alone = len(rows[0]) == 1
            lines = aligned(rows, ["left" if alone else "centre"] * len(rows[0]), gap=TEXT.times)
            lines[-1] += end
            starts = [whole, *[""] * len(lines)]
            lines = aligned(
                [(start, f"= {line}") for start, line in zip(starts, lines, strict=False)], ["left"] * 2, " "
            )
        else:
            lines = [f"{whole} = {TEXT.number(self.value, _DIGITS).text}, where δ(v) = ∂{y}/∂v:"]
            cells = [
                [name, formula and f"= {formula}" if last else formula, last and f"= {last}"]
                for name, formula, last in self._adjoints(TEXT)
            ]
            lines += aligned(cells, ["left"] * 3)
        routes = [f"  {line}" for line in aligned(self._routes(TEXT), ["left"] * 2)]
        if routes:
            routes.insert(0, f"{many(self.count, TEXT)} paths and their contributions:")
        names = [f"  {line}" for line in aligned(self._definitions(TEXT), ["left"] * 2)]
        if names:
            names.insert(0, "where")
        return "\n".join([*lines, *routes, *names])

    def _routes(self, notation: Notation) -> list[tuple[str, str]]:
        """Return the named nodes on each path, and its contribution; nothing for a single path."""
        if self.count == 1:
            return []
        rows = []
        for path in self.paths:
            nodes = [self.output, *[edge.operand for edge in path.edges if edge.operand in self.links.reader]]
            route = [
                notation.dots if x is None else self.namer(x, notation).text for x in ends(nodes, _ROUTE)
            ]
            rows.append((notation.arrow.join(route), path.contribution))
        others = self.count - len(self.paths)
        if others == 1:
            rows.append((notation.word("the other one"), self.rest))
        elif others:
            rows.append(
                (
                    f"{notation.word('the other ')}{many(others, notation)}{notation.word(' together')}",
                    self.rest,
                )
            )
        return [(route, notation.number(x, _DIGITS).text) for route, x in rows]

    def _definitions(self, notation: Notation) -> list[tuple[str, str]]:
        return [
            (self.namer(node, notation).text, f"= {formula.written(notation, self.namer, _DIGITS).text}")
            for node, formula in self.links.reader.definitions(self.namer, _DEFINED)
        ]

    @cached_property
    def latex(self) -> str:
        """The explanation as LaTeX for math mode."""
        whole = self.derivative(self.output, self.wrt, LATEX)
        result = LATEX.number(self.value, _DIGITS).text
        if not self.steps:
            return f"{whole} = {result}"
        if self.is_product:
            rows, end = self._product(LATEX)
            lines = [f"&= {LATEX.times.join(row)}" for row in rows]
            lines[0] = f"{whole} {lines[0]}"
            lines[-1] += end
        else:
            lines = [
                f"{name} & {f'= {formula} = {last}' if formula and last else formula or f'= {last}'}"
                for name, formula, last in self._adjoints(LATEX)
            ]
            lines.append(f"{whole} &= {result}")
        lines += [rf"{route} &:\ {contribution}" for route, contribution in self._routes(LATEX)]
        lines += [f"{name} &{definition}" for name, definition in self._definitions(LATEX)]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def simplify(self, *through: Value) -> Any:
        """Return the gradient's closed form as a SymPy expression, in the names of the graph.

        It is found by algebra, from the local partials and the definitions of the names. Names of the Values
        in `through` may appear in it as well, such as a prediction that the loss was not computed from.

        Raises `ValueError` if the graph is too large, `ModuleNotFoundError` without SymPy.
        """
        return self._closed_form(through).expression

    def meanings(self, *through: Value) -> dict[Any, Any]:
        """Return the definitions of the names in `simplify`, leaves excepted: SymPy expressions by symbol.

        A definition may use names that are defined before it in the dict.
        """
        return self._closed_form(through).meanings()

    def _closed_form(self, through: tuple[Value, ...]) -> ClosedForm:
        links = self.links
        return ClosedForm(links.nodes, links.formulas, links.reader, self.namer, through)


def explain(output: Value, wrt: Value, *, paths: int = 5) -> Explanation:
    """Return an explanation of ∂output/∂wrt: the chain rule with symbols, formulas and numbers.

    One path, or a few between the same nodes, are written as one product, and the printed factors multiply to
    the printed result. Otherwise each adjoint δ is written as a sum over the adjoints above it (document 003,
    equation 25). If there are several paths, the `paths` that contribute most are listed; all are counted
    exactly.

    Formulas name nodes by their labels. A node without a label that is more than a little arithmetic gets a
    name, v₁, v₂, ..., and is defined below. No ``.grad`` is read or changed.

    Raises `TypeError` if `output` or `wrt` is not a Value, and `ValueError`, naming the node, if data was
    changed after recording.

    >>> from autograd_lite import sigmoid
    >>> w, x, b = Value(0.5, "w1"), Value(2.0, "x1"), Value(-1.0, "b")
    >>> z = w * x + b
    >>> z.label = "z"
    >>> y_hat = sigmoid(z)
    >>> y_hat.label = "y_hat"
    >>> explain(y_hat, w)
    ∂ŷ/∂w₁ =  ∂ŷ/∂z   · ∂z/∂w₁
           = ŷ(1 − ŷ) ·   x₁
           =   0.25   ·   2 = 0.5
    """
    for what, node in (("output", output), ("wrt", wrt)):
        if not isinstance(node, Value):
            raise TypeError(f"{what} must be a Value, got {type(node).__name__} {node!r}")
    return Explanation(output, wrt, paths)


def _factor(x: Printed, notation: Notation, bare: bool) -> str:
    return x.text if bare or x.precedence >= PRODUCT else notation.parenthesised(x.text)
