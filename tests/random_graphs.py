"""Random recorded graphs, for properties that hold of any."""

from collections.abc import Callable
from typing import Any

from hypothesis import assume, reject
from hypothesis import strategies as st

from autograd_lite import (
    Value,
    atan,
    cos,
    dot,
    exp,
    hypot,
    log1p,
    logsumexp,
    maximum,
    mean,
    prod,
    relu,
    sigmoid,
    sin,
    softmax_cross_entropy,
    softplus,
    sqrt,
    square,
    tanh,
    where,
)
from autograd_lite import sum as total

ARITHMETIC: list[Callable[..., Any]] = [
    lambda x, y, z: x + y,
    lambda x, y, z: x - y,
    lambda x, y, z: x * y,
    lambda x, y, z: -x,
    lambda x, y, z: 2.0 - x,
    lambda x, y, z: 3.0 * x,
    lambda x, y, z: square(x),
    lambda x, y, z: x**3,
    lambda x, y, z: total([x, y, z, x]),
    lambda x, y, z: prod([x, y, z]),
    lambda x, y, z: dot([x, 2.0], [y, z], x),
]
CHOICES: list[Callable[..., Any]] = [
    lambda x, y, z: where(x > y, x, z),
    lambda x, y, z: maximum(x, y),
    lambda x, y, z: relu(x),
]
SMOOTH: list[Callable[..., Any]] = [
    lambda x, y, z: x / (2.0 + square(y)),
    lambda x, y, z: exp(x / 8.0),
    lambda x, y, z: tanh(x),
    lambda x, y, z: sigmoid(x),
    lambda x, y, z: softplus(x),
    lambda x, y, z: sin(x) * cos(y),
    lambda x, y, z: atan(x),
    lambda x, y, z: sqrt(1.0 + square(x)),
    lambda x, y, z: log1p(square(x)),
    lambda x, y, z: hypot(x, 1.0 + square(y)),
    lambda x, y, z: mean([x, y, z]),
    lambda x, y, z: logsumexp([x, y, z]),
    lambda x, y, z: softmax_cross_entropy([x, y, z], 1),
]


@st.composite
def graphs(
    draw: st.DrawFn, operations: list[Callable[..., Any]], numbers: st.SearchStrategy[float], most: int = 9
) -> tuple[list[Value], Value]:
    """Leaves x1, x2, ... and a root over them; some nodes in between are labelled, too."""
    leaves = [Value(draw(numbers), f"x{k}") for k in range(1, draw(st.integers(2, 4)))]
    nodes: list[Value] = [*leaves]
    for k in range(draw(st.integers(1, most))):
        operands = [nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(3)]
        try:
            node = draw(st.sampled_from(operations))(*operands)
        except OverflowError:  # exp of what products have made large
            reject()
        assume(abs(node.data) < 2.0**40)
        node.label = f"h{k}" if draw(st.booleans()) and node.label is None else node.label
        nodes.append(node)
    assume(nodes[-1].primitive is not None)
    return leaves, nodes[-1]


whole = st.integers(-3, 3).map(float)
# Arithmetic on small whole numbers is exact in floats, in whatever order.
exact_graphs = graphs([*ARITHMETIC, *CHOICES], whole)
arithmetic_graphs = graphs(ARITHMETIC, whole)
any_graphs = graphs([*ARITHMETIC, *CHOICES, *SMOOTH], st.floats(-3.0, 3.0), 15)
smooth_graphs = graphs([*ARITHMETIC[:6], *SMOOTH], st.floats(0.25, 2.0), 6)
without_choices = graphs([*ARITHMETIC, *SMOOTH], st.floats(-3.0, 3.0), 15)
