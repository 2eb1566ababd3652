"""`trace_function`: a function of numbers as a graph, with its checks and the leaves that it reads.

Next door: what happens while the function runs (`trace.py`), and a recorded loss (`recording.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    return _finished(trace, returned, list(zip(names, trees, strict=True)))


def trace_call(
    function: Callable[[Iterator[TracedValue], Iterator[TracedValue]], Pytree],
    labels: Sequence[tuple[str, str]],
    given: Sequence[Value],
) -> TracedFunction:
    """Run a function once on traced numbers and on traced Values, which are leaves: those in `given`.

    `labels` are the kind and the name of each, "int" and "float" for numbers, "Value" for the leaves. The
    only argument of the traced function is the list of the numbers. A float is refused as an index.
    """
    trace = Trace(Graph(share=False), pull_back)
    trace.leaves = [*given]
    numbers: list[TracedValue] = []
    values: list[TracedValue] = []
    for kind, label in labels:
        found, op = (values, "leaf") if kind == "Value" else (numbers, "argument")
        found.append(trace.traced(trace.graph.input(op, len(found), label)))
        if kind != "int":
            trace.fractions[found[-1].index] = kind
    returned = trace.run(lambda: function(iter(numbers), iter(values)), [])
    arguments = [("numbers", flatten([0.0] * len(numbers), "the numbers").tree)] if numbers else []
    return _finished(trace, returned, arguments)


def _finished(trace: Trace, returned: Pytree, arguments: list[tuple[str, Tree]]) -> TracedFunction:
    """Return what was traced, simplified."""
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
    return TracedFunction(graph, outputs, checks, result, arguments, leaves)


def _leaves_read(trace: Trace, *graphs: Graph) -> list[Value]:
    """Return the leaves that the graphs still read, and renumber them in the graphs."""
    used = [(g, i) for g in graphs for i, op in enumerate(g.ops) if op == "leaf"]
    places = sorted({g.numbers[i] for g, i in used})
    number = {place: k for k, place in enumerate(places)}
    for g, i in used:
        g.numbers[i] = number[g.numbers[i]]
    return [trace.leaves[place] for place in places]
