"""`trace_function`: a function of numbers as a graph, with its checks and the leaves that it reads.

Next door: what happens while the function runs (`trace.py`), and a recorded loss (`recording.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from autograd_lite.compiler.frontend.checks import Checks
from autograd_lite.compiler.frontend.trace import Trace, TracedValue
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.passes.differentiate import pull_back
from autograd_lite.compiler.passes.rebuild import rebuild
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.value import Value
from autograd_lite.transforms.pytrees import Pytree, Tree, flatten


class TracedFunction(NamedTuple):
    """A function as a graph: its outputs, the shape of its result, and its arguments by name."""

    graph: Graph
    outputs: list[int]
    checks: Checks
    result: Tree
    arguments: list[tuple[str, Tree]]
    leaves: list[Value]


def trace_function(
    function: Callable[..., Pytree], names: Sequence[str], example: Sequence[Pytree]
) -> TracedFunction:
    """Run a function once on traced values, arranged like the example; `names` name the arguments."""
    trace = Trace(Graph(share=False), pull_back)
    trees = [flatten(x, f"the example {given}").tree for given, x in zip(names, example, strict=True)]
    inputs: list[TracedValue] = []
    for given, tree in zip(names, trees, strict=True):
        tree.check_printable(f"the example {given}")
        for path in tree.paths:
            place = trace.graph.input("argument", len(inputs), f"{given}{path}")
            inputs.append(trace.traced(place))
    rest = iter(inputs)
    returned = trace.run(function, [tree.build(rest) for tree in trees])
    result, values = flatten(returned, "what the function returned")
    result.check_printable("what the function returned")
    outputs = [trace.index(x) for x in values]
    for i, traced in trace.values.items():
        if traced.label:
            trace.graph.labels[i] = traced.label
    with collector_paused():
        graph, outputs = rebuild(trace.graph, outputs)
    checks = Checks.of(trace)
    leaves = _leaves_read(trace, graph, checks.graph)
    return TracedFunction(graph, outputs, checks, result, list(zip(names, trees, strict=True)), leaves)


def _leaves_read(trace: Trace, *graphs: Graph) -> list[Value]:
    """Return the leaves that the graphs still read, and renumber them in the graphs."""
    used = [(g, i) for g in graphs for i, op in enumerate(g.ops) if op == "leaf"]
    places = sorted({g.numbers[i] for g, i in used})
    number = {place: k for k, place in enumerate(places)}
    for g, i in used:
        g.numbers[i] = number[g.numbers[i]]
    return [trace.leaves[place] for place in places]
