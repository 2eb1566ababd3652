"""`decompose`: rows that a target does not print, written in terms of rows that it prints.

How each row prints or decomposes is registered in `decompositions.py`; a user's own row may define both.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Sequence

from autograd_lite.compiler.frontend.trace import Trace
from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.compiler.passes import decompositions
from autograd_lite.compiler.passes.differentiate import pull_back
from autograd_lite.compiler.passes.rebuild import rebuild
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import TABLE, TRACED, Primitive, Scalar


def decompose(
    graph: Graph, outputs: Sequence[int], target: str, keep: Collection[Primitive] = ()
) -> tuple[Graph, list[int]]:
    """Return a graph of operations that the target prints, and its outputs. Rows to `keep` stay whole."""
    writer = Decomposer(target, keep)
    return writer.graph, writer.write(graph, outputs)


class Decomposer(Trace):
    """Writes graphs into one ``graph``, in operations that a target, such as "c", prints.

    Any other row is replaced by its decomposition, which is decomposed in turn. A row without a decomposition
    stays whole: the printer calls it by name or refuses it.
    """

    def __init__(self, target: str, keep: Collection[Primitive] = ()) -> None:
        super().__init__(Graph(), pull_back)
        self.target = target
        # A user's row that has been redefined since is not in the table, so it is decomposed.
        printed = {row for row in (*TABLE.values(), *TRACED.values()) if target in row.template}
        self.plain = {row for row in printed if (row, target) not in _FOR_TARGET} | set(keep)

    def write(self, graph: Graph, outputs: Sequence[int]) -> list[int]:
        """Write what the outputs need; return the new outputs."""
        _, found = rebuild(graph, outputs, self.graph, self._rewrite)
        return found

    def _rewrite(self, op: Op, operands: tuple[int, ...]) -> int:
        # An operation that the target prints was simplified when it was first written.
        return self.graph.copied(op, operands) if op in self.plain else self.add(op, operands)

    def add(self, op: Op, operands: tuple[int, ...]) -> int:
        """Write an operation, decomposed if need be; return its node."""
        if isinstance(op, Primitive) and op not in self.plain:
            decomposition = _FOR_TARGET.get((op, self.target)) or _decomposition(op)
            if decomposition is not None:
                try:
                    return self.index(decomposition(*self.operands(operands)))
                except TypeError:  # the decomposition needs a number: the row can only be called
                    pass
                except (ArithmeticError, ValueError):  # the eager engine will locate it
                    return self.graph.constant(math.nan)
        return self.graph.add(op, operands)


class _RowsForMath:
    """Stands for `math` in a user's forward function: its functions are the rows of the table."""

    def __getattr__(self, name: str) -> object:
        row = TABLE.get({"fabs": "abs", "fsum": "sum"}.get(name, name))
        return getattr(math, name) if row is None else row


def _decomposition(row: Primitive) -> Callable[..., Scalar] | None:
    """Return the decomposition of a row; for a user's row maybe its forward function with `math` replaced."""
    given = row.decomposition
    if not isinstance(given, types.FunctionType) or given.__module__ == decompositions.__name__:
        return given
    names = {name: _RowsForMath() if x is math else x for name, x in given.__globals__.items()}
    return types.FunctionType(given.__code__, names, row.name, given.__defaults__, given.__closure__)


def _rsqrt_without_errors(x: Scalar) -> Scalar:
    return 1.0 / abs(table.sqrt(x))  # -0.0 gives ∞, as 0.0 does


# Decompositions that suit one target better than the row's own.
_FOR_TARGET: dict[tuple[Primitive, str], Callable[..., Scalar]] = {
    **{(table.rsqrt, target): _rsqrt_without_errors for target in ("array", "c", "javascript")},
}
