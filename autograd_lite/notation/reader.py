"""`Reader`: which formula a graph stands for, and the formulas of its local partials.

The formula of a local partial comes from the row's own rule: the rule runs on Values, and its recording is
read. No derivative is written here. `to_latex` and `to_text` give a whole graph as one formula. Next door:
`formula.py` defines formulas, `namer.py` names the nodes in them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence

from autograd_lite.core.modes import enable_grad
from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.value import Value, topological_order
from autograd_lite.notation.formula import Call, Factor, Sum, Symbol, called, number, symbol
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import LATEX, TEXT, Notation
from autograd_lite.transforms.linear_map import partials_as_values

# An unlabelled node of these rows is written out where it is used: 1 − y needs no name of its own.
_ARITHMETIC = frozenset(
    ["add", "sub", "mul", "div", "neg", "square", "reciprocal", "pow", "sum", "mean", "prod", "where"]
)
_WRITTEN_OUT = 12  # the most operations that are written out in one place
_WHOLE = 2000  # the most names and operations in a whole graph as one formula
_NESTED = 100  # and the deepest nesting of such a formula
_UNROLLED = 8  # the most scores of a softmax whose sum is written out

# The rules keep to forms that lose no digits. Formulas use these shorter forms, written with the node itself:
# σ(−x) = 1 − σ(x), and sech² x = 1 − tanh² x.
_READ_AS: dict[str, Callable[[Sum, Sum], tuple[Factor, Sum]]] = {
    "sigmoid": lambda out, x: ((Call(TABLE["sigmoid"], (-x,)), 1), number(1.0) - out),
    "tanh": lambda out, x: ((Call(TABLE["sech"], (x,)), 2), number(1.0) - out**2),
}


def to_latex(value: Value) -> str:
    r"""Return the formula that computed `value` from its leaves, as LaTeX for math mode.

    A leaf is written as its label, or as v₁, v₂, ...; a `where` as the branch it took. Constants are exact.
    Raises `TypeError` if `value` is not a Value, `ValueError` if the graph is too large for one formula.

    >>> w, x = Value(0.5, "w1"), Value(2.0, "x1")
    >>> print(to_latex((w * x - 1.0) ** 2 / x))
    \frac{\left(w_{1} \cdot x_{1} - 1\right)^{2}}{x_{1}}
    """
    return _whole(value, LATEX, "to_latex")


def to_text(value: Value) -> str:
    """Return the formula of `to_latex` as Unicode text.

    >>> w, x = Value(0.5, "w1"), Value(2.0, "x1")
    >>> to_text((w * x - 1.0) ** 2 / x)
    '(w₁·x₁ − 1)²/x₁'
    """
    return _whole(value, TEXT, "to_text")


def _whole(value: Value, notation: Notation, name: str) -> str:
    if not isinstance(value, Value):
        raise TypeError(f"{name} takes a Value, got {type(value).__name__} {value!r}")
    reader = Reader(value, expand=True)
    return reader.definition(value).written(notation, Namer(reader.order), shown=None).text


class Reader:
    """Reads formulas off the graph of `roots`.

    A node stands in formulas under its own name if it is a leaf, has a label, is one of `roots` or `also`, is
    not made by arithmetic, or is too long to be written out; any other node is written out. With
    ``expand=True`` only leaves have names. Raises `ValueError` if the graph is too large for that.
    """

    def __init__(self, *roots: Value, also: Iterable[Value] = (), expand: bool = False) -> None:
        self.order = topological_order(*roots)
        self._symbols: dict[Value, Symbol] = {}
        self._partials: dict[Value, list[Sum]] = {}
        self._definitions: dict[Value, Sum] = {}
        self._named = {*roots, *also}
        if expand:
            self._name_leaves()
        else:
            self._name_some()

    def _name_some(self) -> None:
        sizes: dict[Value, int] = {}
        for node in self.order:
            row = node.primitive
            operands = [x for x in node.operands if isinstance(x, Value)]
            if row is not None and row.name not in _ARITHMETIC and row.name != "dot":
                # The operand of a function has a name if it depends on more than one thing.
                self._named.update([x for x in operands if len(self._parts(x)) > 1])
            size = 1 + sum([sizes[x] for x in operands if x not in self._named])
            if row is None or node.label or row.name not in _ARITHMETIC or size > _WRITTEN_OUT:
                self._named.add(node)
            sizes[node] = size

    def _name_leaves(self) -> None:
        self._named = {node for node in self.order if node.primitive is None}
        depths: dict[Value, int] = {}
        sizes: dict[Value, int] = {}  # a node that is used twice is written twice
        for node in self.order:
            operands = [x for x in node.operands if isinstance(x, Value)]
            depths[node] = 1 + max([depths[x] for x in operands], default=0)
            sizes[node] = 1 + sum([sizes[x] for x in operands])
            if depths[node] > _NESTED or sizes[node] > _WHOLE:
                raise ValueError(
                    f"a graph of {len(self.order)} nodes is too large for one formula, which has at most "
                    f"{_WHOLE} names and operations, nested {_NESTED} deep: ask for a part of the graph"
                )
        for node in self.order:  # operands first, so that no definition asks deeper than one step
            self.definition(node)

    def _parts(self, node: Value) -> set[Value]:
        """Return the named nodes in the formula of a node."""
        if node in self._named:
            return {node}
        return {part for x in node.operands if isinstance(x, Value) for part in self._parts(x)}

    def name_all(self) -> None:
        """Let every node stand under its own name."""
        self._named.update(self.order)

    def __contains__(self, node: Value) -> bool:
        """Return whether the node stands under its own name."""
        return node in self._named

    def symbol(self, node: Value) -> Sum:
        """Return the node under its own name, as a formula."""
        return symbol(self._symbols.setdefault(node, Symbol(node)))

    def formula(self, x: Value | float) -> Sum:
        """Return the node or number as it stands in other formulas."""
        if not isinstance(x, Value):
            return number(x)
        return self.symbol(x) if x in self._named else self.definition(x)

    def definition(self, node: Value) -> Sum:
        """Return the operation that made the node, as a formula; the symbol of a leaf."""
        if node.primitive is None:
            return self.symbol(node)
        if node not in self._definitions:
            self._definitions[node] = _applied(node.primitive, [self.formula(x) for x in node.operands])
        return self._definitions[node]

    def partial(self, node: Value, position: int) -> Sum:
        """Return ∂node/∂operand, for the operand at a position, as the row's rule gives it.

        Raises `ValueError`, naming the node, if data was changed since the node was recorded.
        """
        if node not in self._partials:
            self._partials[node] = self._partials_of(node)
        return self._partials[node][position]

    def _partials_of(self, node: Value) -> list[Sum]:
        try:
            with enable_grad():
                recorded = partials_as_values(node)
        except ArithmeticError:  # an unneeded second derivative is beyond the range of a float
            recorded = node.partials
        known = {x: self.formula(x) for x in (node, *node.operands) if isinstance(x, Value)}
        out = known[node]
        # No gradient flows to a constant, nor into a branch that was not taken.
        partials = [Sum(()) if partial is None else _read(partial, known) for partial in recorded]
        row = node.primitive
        if row is not None and row.name in _READ_AS:
            power, equal = _READ_AS[row.name](out, self.formula(node.operands[0]))
            partials = [_replaced(partial, power, equal) for partial in partials]
        return partials

    def definitions(self, namer: Namer, most: int) -> list[tuple[Value, Sum]]:
        """Return the definitions of made-up names, and of the names in these definitions, at most `most`."""
        done: dict[Value, Sum] = {}
        while len(done) < most:
            node = next((node for node in namer.named() if not node.label and node not in done), None)
            if node is None:
                break
            done[node] = self.definition(node) if node.primitive else number(node.data)
            for each in done[node].symbols():
                namer.key(each.node)
        return [*done.items()]


def depth_first(root: Value, operands: Callable[[Value], Iterable[Value]]) -> list[Value]:
    """Return the nodes that `operands` leads to from `root`, root included, each after its operands.

    `topological_order` does this for a whole graph; here `operands` says where to stop.
    """
    order: dict[Value, None] = {}
    stack = [(root, False)]
    while stack:
        node, is_complete = stack.pop()
        if is_complete:
            order[node] = None
        elif node not in order:
            stack += [(node, True), *[(x, False) for x in operands(node)]]
    return [*order]


def _read(partial: Value | float, known: dict[Value, Sum]) -> Sum:
    """Return the recording of a rule as a formula of the nodes in `known`, which gains the nodes read."""

    def unknown(node: Value) -> list[Value]:
        return [x for x in node.operands if isinstance(x, Value) and x not in known]

    if not isinstance(partial, Value):
        return number(partial)
    if partial not in known:
        for node in depth_first(partial, unknown):
            assert node.primitive is not None
            operands = [known[x] if isinstance(x, Value) else number(x) for x in node.operands]
            known[node] = _applied(node.primitive, operands)
    return known[partial]


def _replaced(formula: Sum, power: Factor, equal: Sum) -> Sum:
    """Return `formula` with `power` replaced by its equal."""
    total = Sum(())
    for coefficient, factors in formula.terms:
        rest = Sum([(coefficient, tuple([factor for factor in factors if factor != power]))])
        total += rest * equal if power in factors else rest
    return total


# --- Rows applied to formulas ----------------------------------------------------------------------


def _applied(row: Primitive, x: Sequence[Sum]) -> Sum:
    """Return a row applied to formulas: arithmetic is carried out, any other row stands as a call."""
    name = row.name
    if name in _CARRIED_OUT:
        return _CARRIED_OUT[name](*x)
    if name == "pow":
        exponent = x[1].constant
        if exponent is not None and abs(exponent) <= 16.0 and exponent == int(exponent):
            return x[0] ** int(exponent)
    if name == "where":
        return x[1] if x[0].constant else x[2]
    if name in ("logsumexp", "softmax_cross_entropy") and len(x) <= _UNROLLED:
        total = called(TABLE["log"], _total(*[called(TABLE["exp"], xi) for xi in x]))
        return total if name == "logsumexp" else total - x[0]
    return called(row, *x)


def _total(*x: Sum) -> Sum:
    return Sum([term for each in x for term in each.terms])


def _dot(*x: Sum) -> Sum:
    half = len(x) // 2
    return _total(*map(operator.mul, x[:half], x[half : 2 * half]), *x[2 * half :])


_CARRIED_OUT: dict[str, Callable[..., Sum]] = {
    "add": operator.add,
    "sub": operator.sub,
    "neg": operator.neg,
    "mul": operator.mul,
    "div": operator.truediv,
    "reciprocal": lambda x: x**-1,
    "square": lambda x: x**2,
    "log1p": lambda x: called(TABLE["log"], number(1.0) + x),
    "expm1": lambda x: called(TABLE["exp"], x) - number(1.0),
    "sum": _total,
    "mean": lambda *x: number(1.0 / len(x)) * _total(*x),
    "prod": lambda *x: math.prod(x, start=number(1.0)),
    "dot": _dot,
}
