"""The engine, in one sitting: the table of derivative rules, the node, and how an operation makes a node.

Read `rules.py`, `value.py` and `recording.py`, in this order. Numbers go in; Values with their graphs and
gradients come out. Next door: `transforms` differentiates functions; everything else walks the graph.
"""

from autograd_lite.core.modes import Line, no_grad, scope
from autograd_lite.core.primitive import Primitive, lookup, primitive
from autograd_lite.core.recording import linear
from autograd_lite.core.value import Value, topological_order

__all__ = [
    "Line",
    "Primitive",
    "Value",
    "linear",
    "lookup",
    "no_grad",
    "primitive",
    "scope",
    "topological_order",
]
