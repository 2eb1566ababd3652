"""Print a recorded graph as JavaScript: its values, adjoints and local partials as straight-line code.

The text needs nothing but `Math` and, for a few values that `Math` lacks, the functions in `functions.js`.
Next door: `printer.py` prints the expressions; `pictures/live.py` puts the text into a page.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograd_lite.compiler.codegen.printer import CHOICE, OR, Language, Printer
from autograd_lite.compiler.frontend.trace import Trace
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.compiler.passes.differentiate import local_partials, pull_back
from autograd_lite.compiler.passes.rebuild import rebuild
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value, topological_order

HELPERS = ("pow", "erf", "erfc")  # defined in functions.js


def number(x: float) -> str:
    """Return a float as JavaScript."""
    if math.isfinite(x):
        return repr(x)
    return "NaN" if x != x else "Infinity" if x > 0.0 else "-Infinity"


JAVASCRIPT = Language(
    "javascript",
    {"and": "{0} && {1}", "or": "{0} || {1}", "not": "!{0}", "eq": "{0} === {1}", "ne": "{0} !== {1}"},
    (CHOICE, (OR, OR, CHOICE)),
    number=number,
)

# Names that a variable cannot have: words of the language, and what the text uses for something else.
_WORDS = """
    abstract arguments async await boolean break byte case catch char class const continue debugger default
    delete do double enum eval export extends false final finally float for function gauss goto if implements
    import in instanceof int interface let long native new null of package private protected public return
    short static super switch synchronized this throw throws transient true try typeof undefined var void
    volatile while with yield Infinity Math NaN leaves
"""
TAKEN = {*_WORDS.split(), *TABLE, *HELPERS}


def function_source(graph: Graph, parts: Sequence[Sequence[int]], *, name: str, leaves: int) -> str:
    """Return the text of a function of the leaves' numbers, which returns an array for each of the `parts`.

    A part is a list of nodes. Raises `ValueError` if a row of the user's own has no form in JavaScript.
    """
    low, found = decompose(*rebuild(graph, [i for part in parts for i in part]), "javascript")
    printer = Printer(low, found, JAVASCRIPT, {*TAKEN, name})
    named = {low.numbers[i]: printer.names[i] for i in printer.live if low.ops[i] == "leaf"}
    lines = [f"const {each.name} = {each.text}" for each in printer.statements()]
    for row in printer.opaque:
        raise ValueError(
            f"{row} has no form in JavaScript: give it a decomposition, written with other rows, "
            'or template={"javascript": "…"}'
        )
    given = ", ".join([named.get(k, "") for k in range(leaves)])
    outputs = iter([printer.text(i) for i in found])
    arrays = [f"[{', '.join([next(outputs) for _ in part])}]," for part in parts]
    known = sorted((printer.called & {*TABLE}) - {*HELPERS})
    text = [
        *([f"const {{{', '.join(known)}}} = Math", ""] if known else []),
        *([_HELPERS, ""] if printer.called & {*HELPERS} else []),
        f"function {name}([{given}]) {{",
        *[f"  {line}" for line in lines],
        "  return [",
        *[line for array in arrays for line in _filled(array, "    ")],
        "  ]",
        "}",
        "",
    ]
    return "\n".join(text)


_HELPERS = Path(__file__).with_name("functions.js").read_text(encoding="utf-8").rstrip()


def _filled(text: str, margin: str) -> list[str]:
    """Return the text on lines of at most 110 characters, broken at spaces."""
    return textwrap.wrap(
        text,
        110,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


@dataclass(frozen=True)
class Script:
    """A recorded graph in JavaScript: ``text`` defines the function ``name``.

    It takes an array with a number for each of ``leaves`` and returns three arrays: the value of each node in
    topological order, the adjoint of each, and the local partials ``(consumer, position)`` of ``edges``.
    ``leaves`` and ``edges`` name nodes by their places in that order.
    """

    name: str
    text: str
    leaves: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]


def script(root: Value, name: str = "program") -> Script:
    """Return the graph of a Value in JavaScript; the adjoint of `root` itself is 1.

    Raises `TraceError` if the graph contains a `where`, whose branch was taken when it was recorded, and
    `ValueError` if a row of the user's own has no form in JavaScript.

    >>> from autograd_lite import exp
    >>> w, x = Value(2.0, "w"), Value(3.0, "x")
    >>> z = w * x
    >>> z.label = "z"
    >>> print(script(exp(z)).text)
    const {exp} = Math
    <BLANKLINE>
    function program([w, x]) {
      const z = w * x
      const d_z = exp(z)
      return [
        [w, x, z, d_z],
        [d_z * x, d_z * w, d_z, 1.0],
        [x, w, d_z],
      ]
    }
    <BLANKLINE>
    """
    trace = Trace(Graph(share=False), pull_back)  # equal nodes stay apart: each has an adjoint of its own
    order = topological_order(root)
    seed = trace.graph.constant(1.0)
    last = trace.index(root)
    place = [trace.index(node) for node in order]
    partials = {(k, p): i for k, node in enumerate(order) for p, i in _partials(trace, place[k], node)}
    adjoints = pull_back(trace, {last: [seed]}, place)
    zero = trace.graph.constant(0.0)
    parts = [place, [adjoints.get(i, zero) for i in place], [*partials.values()]]
    numbered = {leaf: k for k, leaf in enumerate(order)}
    leaves = tuple([numbered[leaf] for leaf in trace.leaves])
    text = function_source(trace.graph, parts, name=name, leaves=len(leaves))
    return Script(name, text, leaves, tuple(partials))


def _partials(trace: Trace, place: int, node: Value) -> list[tuple[int, int]]:
    """Return the positions of a node's operands that are Values, each with the node of its local partial."""
    return [
        (position, partial)
        for position, (x, partial) in enumerate(zip(node.operands, local_partials(trace, place), strict=True))
        if isinstance(x, Value)
    ]
