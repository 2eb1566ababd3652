"""What several tests of the core use: numbers, deep chains, random graphs."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from autograd_lite.core import rules as table
from autograd_lite.core.value import Value

REALS = [
    3,
    3.0,
    Fraction(3),
    Decimal(3),
    np.float64(3.0),
    np.float32(3.0),
    np.float16(3.0),
    np.int64(3),
    np.uint8(3),
]
NO_REALS = [True, np.bool_(True), "3", None, 1j, np.complex128(1j), [3.0], b"3", object()]


def chain(depth: int, x: Value | None = None) -> Value:
    """x + 1 + 1 + ..., deeper than Python's stack."""
    y = Value(0.5) if x is None else x
    for _ in range(depth):
        y = y + 1.0
    return y


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Value], Value]:
    """Leaves with small whole numbers, and a root over them: operations on which floats are exact."""
    leaves = [Value(draw(st.integers(-3, 3))) for _ in range(draw(st.integers(1, 4)))]
    nodes: list[Any] = [*leaves]

    def pick() -> Any:
        return nodes[draw(st.integers(0, len(nodes) - 1))]

    operations: list[Callable[[], Any]] = [
        lambda: pick() + pick(),
        lambda: pick() - pick(),
        lambda: pick() * pick(),
        lambda: -pick(),
        lambda: 2.0 - pick(),
        lambda: pick() * 3,
        lambda: table.square(pick()),
        lambda: table.sum([pick(), pick(), pick()]),
        lambda: table.dot([pick(), 2.0], [pick(), pick()]),
        lambda: table.prod([pick(), pick(), pick()]),
        lambda: table.where(draw(st.booleans()), pick(), pick()),
        lambda: table.maximum(pick(), pick()),
    ]
    for _ in range(draw(st.integers(1, 9))):
        node = draw(st.sampled_from(operations))()
        assume(abs(node.data) < 2.0**40)
        nodes.append(node)
    return leaves, nodes[-1]


def reachable(root: Value) -> dict[int, Value]:
    found: dict[int, Value] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found[id(node)] = node
            stack += [x for x in node.operands if isinstance(x, Value)]
    return found
