"""The role of each value of a graph: parameter or input, its symbol, its neuron, its scopes.

The graph is only read. `folding.py` decides which values share a card; `tree.py` writes them as text.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable

from autograd_lite.core.modes import scope
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import Value
from autograd_lite.notation.names import pretty

SUMS = TABLE["add"], TABLE["sum"]
_INFIX = ("add", "sub", "mul", "div")
_POWERS = {float(n): "x" + digit for n, digit in zip(range(2, 10), "²³⁴⁵⁶⁷⁸⁹", strict=True)}

_WEIGHTS = re.compile(r"(w|W|θ|weights?)\b|(w|W|θ|weight)(?![a-zA-Z])")
_BIASES = re.compile(r"(b|B|bias)(?![a-zA-Z])")
_INPUTS = re.compile(r"(x|X|y|Y|t|input|target)(?![a-zA-Z])")


def sources_of(nodes: list[Value]) -> list[list[int]]:
    """Return, for each of `nodes` (operands before consumers), the indices of its operands in `nodes`.

    Constants have no index.
    """
    places = {id(node): i for i, node in enumerate(nodes)}
    return [[places[id(x)] for x in node.operands if isinstance(x, Value)] for node in nodes]


# --- One value ------------------------------------------------------------------------------------


def parameters(nodes: list[Value], sources: list[list[int]]) -> list[bool]:
    """Return which nodes are parameters: leaves in the place of a weight or a bias, or named like one.

    A leaf does not know its role. The name b means a bias only where there are weights; x and y always name
    inputs.
    """
    names = [
        pretty(node.label).rpartition(".")[2] if node.primitive is None and node.label else ""
        for node in nodes
    ]
    found = [_WEIGHTS.match(name) is not None for name in names]
    for node, operands in zip(nodes, sources, strict=True):
        if node.primitive is TABLE["dot"]:
            n = len(node.operands) // 2
            weights = sum([isinstance(x, Value) for x in node.operands[:n]])
            has_bias = any(isinstance(x, Value) for x in node.operands[2 * n :])
            for i in operands[:weights] + operands[-1:] * has_bias:
                if nodes[i].primitive is None and not _INPUTS.match(names[i]):
                    found[i] = True
    if any(found):
        for i, name in enumerate(names):
            found[i] = found[i] or _BIASES.match(name) is not None
    return found


def symbol_of(node: Value) -> str:
    """Return the mark of an operation: its symbol, x³ for a constant power, Σ for a neuron's w·x + b."""
    row, operands = node.primitive, node.operands
    if row is None:
        return ""
    if row is TABLE["dot"]:
        return "Σ"
    if row is TABLE["pow"] and not isinstance(operands[1], Value):
        return _POWERS.get(operands[1], row.symbol)
    return row.symbol


def constants(node: Value) -> dict[int, str]:
    """Return the positions of the constant operands that the symbol does not show, each with a caption.

    The caption stands beside the number: ``c −`` if it comes before a minus, ``− c`` after one, the name of
    the rule's argument (``slope``), or just ``c``.
    """
    row = node.primitive
    if row is None or symbol_of(node) in _POWERS.values():
        return {}
    captions = {}
    names = list(inspect.signature(row.rule).parameters)[1:]
    for position, x in enumerate(node.operands):
        if isinstance(x, Value) or (row in SUMS and x == 0.0):
            continue
        if row.name in _INFIX:
            captions[position] = f"{row.symbol} c" if position else f"c {row.symbol}"
        else:
            captions[position] = "c" if row.arity is None else names[position]
    return captions


def is_part_of_sum(inner: Value, outer: Value) -> bool:
    """Return whether `inner`, which only `outer` uses, reads best as some of the terms of `outer`."""
    return (
        inner.primitive in SUMS
        and outer.primitive in SUMS
        and not inner.label
        and inner.scope is outer.scope
        # The gradients differ if one of the two was the root of a pass of its own. As text, NaN equals NaN.
        and repr(inner.grad) == repr(outer.grad)
    )


# --- Groups of values -----------------------------------------------------------------------------


def find_scopes(nodes: Iterable[Value]) -> tuple[dict[scope, str], dict[scope, int]]:
    """Return the name and the height of each scope, outer scopes first.

    The height is how deep other scopes nest in it: 0 for an innermost one. A module that is called twice
    has two scopes of one name, which are numbered by call.
    """
    nodes = [*nodes]
    heights: dict[scope, int] = {}
    # Order by the first operation in each, because a leaf may be read long before.
    operations = [node.scope for node in nodes if node.primitive is not None]
    for found in dict.fromkeys([*operations, *[node.scope for node in nodes]]):
        chain = []
        while found is not None:
            chain.append(found)
            found = found.parent
        for inner in reversed(chain):
            heights.setdefault(inner, 0)
        for height, around in enumerate(chain):
            heights[around] = max(heights[around], height)
    namesakes: dict[tuple[scope | None, str], list[scope]] = defaultdict(list)
    for found in heights:
        namesakes[found.parent, found.name].append(found)
    names = {}
    for (_, name), scopes in namesakes.items():
        for k, found in enumerate(scopes, 1):
            names[found] = pretty(name) + (f", call {k}" if len(scopes) > 1 else "")
    return names, heights


def find_neurons(
    nodes: list[Value], sources: list[list[int]], shown: list[int], is_parameter: list[bool]
) -> dict[int, tuple[list[int], int]]:
    """Return the neurons by the place of their `dot`: the places of their nodes, and their number.

    A neuron is a `dot` and the nodes computed from it and from parameters alone. Neurons count only in a
    scope that holds nothing else, like that of a layer.
    """
    owner: dict[int, int] = {}
    mixed: set[scope] = set()  # scopes that hold something else
    for i in shown:
        node = nodes[i]
        if node.primitive is None or node.scope is None:
            continue
        if node.primitive is TABLE["dot"]:
            owner[i] = i
            continue
        owners = {owner.get(j, -1) for j in sources[i] if j >= 0 and not is_parameter[j]}
        d = owners.pop() if len(owners) == 1 else -1
        if d >= 0 and nodes[d].scope is node.scope:
            owner[i] = d
        else:
            mixed.add(node.scope)
    neurons: dict[int, tuple[list[int], int]] = {}
    numbers: dict[scope, int] = defaultdict(int)
    for i, d in owner.items():
        within = nodes[d].scope
        if within is not None and within not in mixed:
            if i == d:
                numbers[within] += 1
                neurons[d] = [], numbers[within]
            neurons[d][0].append(i)
    return neurons
