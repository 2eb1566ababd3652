"""`StepRule`: how an optimizer moves one number, traced from the function of numbers that is its rule.

A rule goes in; two graphs come out, one for what all numbers share (the step size, the count of the steps)
and one for each number. Next door: `codegen/c_descent.py` prints them as C, `runtime/step_arrays.py` runs
them on arrays, and `runtime/descent.py` takes steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from autograd_lite.compiler.frontend.functions import trace_function
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.core.primitive import Scalar

SIZE, DATA, GRADIENT, MEMORY = range(4)  # the places of the inputs: step size, number, gradient, memory ...


class StepRule(NamedTuple):
    """A rule as two graphs, whose inputs are arguments: the step size, x, its gradient and its memory.

    ``clocks`` are the memories that no number has for itself, such as Adam's count of steps: their new values
    depend on nothing but themselves and constants. What depends on them and on the step size alone stands in
    the graph ``shared``, whose results are inputs of the graph ``each``, after the other inputs.
    """

    memory: tuple[str, ...]
    clocks: tuple[int, ...]  # their places among the inputs
    shared: Graph
    shares: list[int]  # the results of ``shared``
    each: Graph
    outputs: list[int]  # the new x and the new memory


def trace_rule(rule: Callable[..., tuple[Scalar, ...]], memory: Sequence[str]) -> StepRule:
    """Return a rule, ``rule(lr, x, g, *memory)``, which returns the new x and the new memory.

    Raises `TraceError` if the rule branches on a number, and `ValueError` if it returns too few or too many.
    """
    names = ["lr", "x", "g", *memory]
    found = trace_function(rule, names, [0.5] * len(names))
    if len(found.outputs) != 1 + len(memory):
        raise ValueError(
            f"the rule must return x and its memory, {1 + len(memory)} numbers, got {len(found.outputs)}"
        )
    graph, outputs = found.graph, found.outputs
    needs = _inputs_needed(graph)
    clocks = {MEMORY + k for k in range(len(memory)) if needs[outputs[1 + k]] <= {MEMORY + k}}
    uniform = [needed <= {SIZE, *clocks} for needed in needs]
    live = graph.live(outputs)
    shares = {k for i in live if not uniform[i] for k in graph.operands[i]} | {*outputs}
    shares = {i for i in shares if uniform[i] and graph.operands[i]}
    shared, first = Graph(), sorted(shares)
    placed = _copied(graph, graph.live(first), shared, {})
    each = Graph()
    given = {i: each.input("argument", len(names) + k, f"shared_{k + 1}") for k, i in enumerate(first)}
    wanted = [i for i in live if not (uniform[i] and graph.operands[i])]
    last = _copied(graph, wanted, each, given)
    return StepRule(
        tuple(memory), tuple(sorted(clocks)), shared, [placed[i] for i in first], each,
        [last[i] for i in outputs],
    )  # fmt: skip


def _inputs_needed(graph: Graph) -> list[frozenset[int]]:
    """Return for each node the places of the inputs that it depends on."""
    needs: list[frozenset[int]] = []
    for i, operands in enumerate(graph.operands):
        own = frozenset([graph.numbers[i]]) if graph.ops[i] == "argument" else frozenset[int]()
        needs.append(own.union(*[needs[k] for k in operands]))
    return needs


def _copied(graph: Graph, nodes: Sequence[int], into: Graph, known: dict[int, int]) -> dict[int, int]:
    """Copy nodes, which are simplified already, into another graph; return their new places."""
    place = dict(known)
    for i in nodes:
        if graph.ops[i] == "constant":
            place[i] = into.constant(graph.numbers[i])
        elif graph.ops[i] == "argument":
            place[i] = into.input("argument", graph.numbers[i], graph.labels[i])
        else:
            place[i] = into.copied(graph.ops[i], tuple([place[k] for k in graph.operands[i]]))
    return place
