"""The engine, in one sitting: the table of derivative rules, the node, and how an operation makes a node.

Read `rules.py`, `value.py` and `recording.py`, in this order. Numbers go in; Values with their graphs and
gradients come out. Next door: `transforms` differentiates functions; everything else walks the graph.

The modules that have a ``.pxd`` file are compiled where the machine that builds the package has a C compiler.
`compiled` says whether the compiled modules run. With AUTOGRAD_LITE_PURE=1 in the environment, Python runs.
"""

from autograd_lite.core import native

compiled = native.prefer_libraries(__name__)  # before anything else of this room is imported

from autograd_lite.core.indexing import take
from autograd_lite.core.modes import Line, no_grad, scope
from autograd_lite.core.primitive import Primitive, lookup, primitive
from autograd_lite.core.recording import linear
from autograd_lite.core.value import Value, topological_order

__all__ = [
    "Line",
    "Primitive",
    "Value",
    "compiled",
    "linear",
    "lookup",
    "no_grad",
    "primitive",
    "scope",
    "take",
    "topological_order",
]
