"""`simplify`: rewrites of conditions and of single operations, such as x + 0 to x.

`Graph.add` calls it for each operation that it adds to a graph that shares. A rewrite never changes a
rounding: sums and products keep their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive

if TYPE_CHECKING:
    from autograd_lite.compiler.ir.graph import Graph, Op

COMMUTATIVE = {table.add, table.mul, "eq", "ne"}
# Chains of more conditions than this are not compared part by part.
MOST_PARTS = 8


def simplify(graph: Graph, op: Op, operands: tuple[int, ...], numbers: list[float | None]) -> int | None:
    """Return a simpler node with the same value, or None. `numbers` are those of constant operands."""
    if op == "and" or op == "or":
        for i, number in enumerate(numbers):
            if number is not None:
                return operands[1 - i] if (number != 0.0) == (op == "and") else operands[i]
        return _combined(graph, op, *operands)
    if op == "not":
        inside, of = graph.ops[operands[0]], graph.operands[operands[0]]
        if inside == "not":
            return of[0]
        if inside == "eq" or inside == "ne":
            return graph.add("ne" if inside == "eq" else "eq", of)
        return None if numbers[0] is None else graph.constant(float(numbers[0] == 0.0))
    rewrite = _REWRITES.get(op)
    return None if rewrite is None else rewrite(graph, numbers, *operands)


# --- Conditions ------------------------------------------------------------------------------------


def _opposite(graph: Graph, a: int, b: int) -> bool:
    if {graph.ops[a], graph.ops[b]} == {"eq", "ne"}:
        return {*graph.operands[a]} == {*graph.operands[b]}
    return (graph.ops[a] == "not" and graph.operands[a][0] == b) or (
        graph.ops[b] == "not" and graph.operands[b][0] == a
    )


def _parts(graph: Graph, op: Op, i: int) -> set[int]:
    """Return the conditions that a chain of "and" or of "or" combines; a long chain counts as one."""
    found: set[int] = set()
    rest = [i]
    while rest and len(found) + len(rest) <= MOST_PARTS:
        k = rest.pop()
        if graph.ops[k] == op:
            rest += graph.operands[k]
        else:
            found.add(k)
    return {i} if rest else found


def _combined(graph: Graph, op: Op, a: int, b: int) -> int | None:
    """Return one condition equivalent to both, a constant if they settle it, or None."""
    other = "or" if op == "and" else "and"
    for one, two in ((a, b), (b, a)):
        parts = _parts(graph, other, two)  # a and (a or c) is a, as is a or (a and c)
        if any(_parts(graph, other, k) <= parts for k in _parts(graph, op, one)):
            return one
        if op == "and" and _parts(graph, "and", two) <= _parts(graph, "and", one):
            return one
    if op == "and":
        if any(_opposite(graph, c, d) for c in _parts(graph, "and", a) for d in _parts(graph, "and", b)):
            return graph.constant(0.0)
    elif any(_opposite(graph, c, d) for c in _parts(graph, "or", a) for d in _parts(graph, "or", b)):
        return graph.constant(1.0)
    elif graph.ops[a] == graph.ops[b] == "and":  # h and c, or h and not c
        for h, c in (graph.operands[a], graph.operands[a][::-1]):
            for g, d in (graph.operands[b], graph.operands[b][::-1]):
                if g == h and _opposite(graph, c, d):
                    return h
    return None


# --- Rows ------------------------------------------------------------------------------------------
# x - 0 becomes x. x + 0 and 0 - x stay: for -0.0 and 0.0 they give 0.0. So does x · 0: it is NaN where x is
# not finite.


def _is_zero(number: float | None, sign: float) -> bool:
    return number == 0.0 and math.copysign(1.0, number) == sign


def _add(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    if _is_zero(numbers[0], -1.0):
        return y
    if _is_zero(numbers[1], -1.0):
        return x
    if graph.ops[y] is table.neg:
        return graph.add(table.sub, (x, graph.operands[y][0]))
    return graph.add(table.sub, (y, graph.operands[x][0])) if graph.ops[x] is table.neg else None


def _sub(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    if _is_zero(numbers[1], 1.0):
        return x
    if _is_zero(numbers[0], -1.0):
        return graph.add(table.neg, (y,))
    return graph.add(table.add, (x, graph.operands[y][0])) if graph.ops[y] is table.neg else None


def _mul(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    for number, other in ((numbers[0], y), (numbers[1], x)):
        if number == 1.0:
            return other
        if number == -1.0:
            return graph.add(table.neg, (other,))
    return None


def _div(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    return x if numbers[1] == 1.0 else None


def _neg(graph: Graph, numbers: list[float | None], x: int) -> int | None:
    return graph.operands[x][0] if graph.ops[x] is table.neg else None


def _abs(graph: Graph, numbers: list[float | None], x: int) -> int | None:
    inside = graph.ops[x] in (table.neg, table.abs)
    return graph.add(table.abs, graph.operands[x]) if inside else None


def _pow(graph: Graph, numbers: list[float | None], x: int, y: int) -> int | None:
    if numbers[1] == 0.0:
        return graph.constant(1.0)
    if numbers[1] == 1.0:
        return x
    if numbers[1] == -1.0:
        return graph.add(table.div, (graph.constant(1.0), x))
    return graph.add(table.mul, (x, x)) if numbers[1] == 2.0 else None


def _where(graph: Graph, numbers: list[float | None], c: int, x: int, y: int) -> int | None:
    if numbers[0] is not None:
        return x if numbers[0] else y
    if graph.ops[c] == "not":
        return graph.add(table.where, (graph.operands[c][0], y, x))
    if graph.ops[x] is table.where and graph.operands[x][0] == c:
        return graph.add(table.where, (c, graph.operands[x][1], y))
    if graph.ops[y] is table.where and graph.operands[y][0] == c:
        return graph.add(table.where, (c, x, graph.operands[y][2]))
    return x if x == y else None


def _entry(graph: Graph, numbers: list[float | None], i: int, *x: int) -> int | None:
    k = numbers[0]
    if k is not None and k % 1.0 == 0.0 and 0.0 <= k < len(x):
        return x[int(k)]
    return None


def _few(op: Primitive, nothing: float) -> Callable[..., int | None]:
    # The sum of one number stays: `loops` then finds it made like longer ones, as over the positions so far.
    kept = 1 if op is table.add else 0

    def rewrite(graph: Graph, numbers: list[float | None], *x: int) -> int | None:
        if len(x) > 2 or len(x) == kept:
            return None
        return graph.add(op, x) if len(x) == 2 else x[0] if x else graph.constant(nothing)

    return rewrite


_REWRITES: dict[Op, Callable[..., int | None]] = {
    table.add: _add,
    table.sub: _sub,
    table.mul: _mul,
    table.div: _div,
    table.neg: _neg,
    table.abs: _abs,
    table.pow: _pow,
    table.where: _where,
    table.entry: _entry,
    table.sum: _few(table.add, 0.0),
    table.prod: _few(table.mul, 1.0),
}
