"""Print a graph as Python, for people to read and for the interpreter to run.

The text needs nothing but `math`. Next door: `printer.py` prints the expressions, `arrays.py` the same
program for whole arrays.
"""

from __future__ import annotations

import itertools
import linecache
import math
import re
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from autograd_lite.compiler.codegen.printer import PYTHON, Printer, Statement
from autograd_lite.compiler.codegen.regions import Region, decided
from autograd_lite.compiler.frontend.checks import Checks
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.passes.decompose import Decomposer
from autograd_lite.core.primitive import Primitive
from autograd_lite.transforms.pytrees import Tree

_numbers = itertools.count(1)


_WORD = re.compile(r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s'"])+""")


def _filled(text: str, margin: str) -> list[str]:
    """Return the text on lines of at most 100 characters, broken at spaces outside strings."""
    lines = [margin]
    for word in _WORD.findall(text):
        if lines[-1] == margin:
            lines[-1] += word
        elif len(lines[-1]) + len(word) < 100:
            lines[-1] += f" {word}"
        else:
            lines.append(margin + word)
    return lines


def _wrapped(line: str) -> Iterator[str]:
    """Yield a statement on lines of at most 100 characters, in parentheses if there are several."""
    if len(line) <= 100:
        yield line
        return
    head, _, text = line.partition("= ")
    text, hash_, comment = text.partition("  # ")
    margin = " " * (len(head) - len(head.lstrip()) + 4)
    yield f"{head}= ({hash_}{comment}"
    yield from _filled(text, margin)
    yield margin[4:] + ")"


def _block(printer: Printer, statements: Iterable[Statement], indent: str, comments: bool) -> Iterator[str]:
    graph = printer.graph
    opened: Region = ()
    for statement in statements:
        region = statement.conditions
        common = 0
        while common < min(len(opened), len(region)) and opened[common] == region[common]:
            common += 1
        for depth in range(common, len(region)):
            head = printer.condition(*region[depth])
            margin = indent + "    " * depth
            if len(margin) + len(head) < 96:
                yield f"{margin}if {head}:"
            else:
                yield from (f"{margin}if (", *_filled(head, f"{margin}    "), f"{margin}):")
        opened = region
        comment = ""
        if comments:
            of = graph.adjoints.get(statement.node)
            said = f"∂/∂{printer.names[of]}" if of in printer.names else graph.origins.get(statement.node, "")
            comment = f"  # {said}" if said else ""
        yield from _wrapped(f"{indent}{'    ' * len(region)}{statement.name} = {statement.text}{comment}")


def _header(printer: Printer, title: str) -> list[str]:
    functions = sorted(name for name in printer.called - set(printer.opaque) if hasattr(math, name))
    lines = [f'"""{title}"""', ""]
    if functions:
        lines += [*_wrapped_names(f"from math import {', '.join(functions)}"), ""]
    for name in sorted(printer.opaque):
        lines.append(
            f"# {name}: a primitive of your own, whose forward function cannot be printed; bind it here."
        )
    return lines


def _wrapped_names(line: str) -> Iterator[str]:
    if len(line) <= 100:
        yield line
    else:
        head, _, names = line.partition("import ")
        yield f"{head}import ("
        yield from _filled(names + ",", "    ")
        yield ")"


def function_source(
    graph: Graph,
    outputs: Sequence[int],
    *,
    name: str,
    title: str,
    arguments: Sequence[tuple[str, Tree]],
    leaves: int,
    result: Callable[[list[str]], str],
    forward: int,
    named: bool,
    checks: Checks,
) -> tuple[str, dict[str, Primitive]]:
    """Return the text of a function of the arguments and the numbers of the leaves, and the rows it calls.

    The first `forward` outputs are the values; the others are the backward half. With `named`, for readers,
    every output has a line and a name. Without it, an output that is used nowhere else is written in the
    return statement, which saves 4 % of the time of a small network's gradient.
    """
    low, out, demands = _lowered(graph, outputs, checks)
    taken = {*dir(math), "math", name, "leaves"}
    printer = Printer(low, out + demands, PYTHON, taken, given=[given for given, _ in arguments])
    lines = list(_unpacked(printer, arguments, leaves))
    statements = list(printer.statements(kept=[i for i in out if named and low.operands[i]]))
    before, of_values = (_needed(low, statements, of) for of in (demands, out[:forward]))
    checked = [s for s in statements if s.node in before]
    first = [s for s in statements if s.node in of_values and s.node not in before]
    rest = [s for s in statements if s.node not in of_values and s.node not in before]
    lines += _block(printer, checked, "    ", True)
    lines += _refusals(printer, demands, checks, "    ")
    lines += ["    # forward"] if first else []
    lines += _block(printer, first, "    ", True)
    lines += ["    # backward"] if rest else []
    lines += _block(printer, rest, "    ", True)
    parameters = [printer.given[given] for given, _ in arguments] + (["leaves"] if leaves else [])
    text = [
        *_header(printer, title),
        "",
        f"def {name}({', '.join(parameters)}):",
        *lines,
        *_wrapped_return(result([printer.text(i) for i in out])),
        "",
    ]
    return "\n".join(text), printer.opaque


def _needed(graph: Graph, statements: Sequence[Statement], nodes: Sequence[int]) -> set[int]:
    """Return the nodes that some nodes need, the conditions of their statements included."""
    found, under = set[int](), {*nodes}
    while not under <= found:
        found |= {*graph.live(under)}
        under = {c for s in statements if s.node in found for c in decided(s.conditions)}
    return found


def _lowered(graph: Graph, outputs: Sequence[int], checks: Checks) -> tuple[Graph, list[int], list[int]]:
    """Return one graph for the outputs and for the checks of the inputs."""
    writer = Decomposer("python")
    demands, out = writer.write(checks.graph, checks.demands), writer.write(graph, outputs)
    low = writer.graph
    return low, out, demands


def _refusals(printer: Printer, demands: Sequence[int], checks: Checks, indent: str) -> Iterator[str]:
    for demand, check in zip(demands, checks.checks, strict=True):
        yield from _wrapped_pattern(f"{indent}if {printer.condition(demand, False)}:")
        yield f"{indent}    raise {check.error}({check.sentence!r})"


def _wrapped_return(text: str) -> list[str]:
    if len(text) < 90:
        return [f"    return {text}"]
    return ["    return (", *_filled(text, " " * 8), "    )"]


def _unpacked(printer: Printer, arguments: Sequence[tuple[str, Tree]], leaves: int) -> Iterator[str]:
    graph = printer.graph
    place = {
        (graph.ops[i], graph.numbers[i]): printer.names[i]
        for i in printer.live
        if graph.ops[i] in ("argument", "leaf")
    }
    k = 0
    for given, tree in arguments:
        n = len(tree.paths)
        names = [place.get(("argument", k + i), "_") for i in range(n)]
        k += n
        if set(names) == {"_"}:
            continue
        given = printer.given[given]
        target = tree.pattern(iter(names))
        if target is not None:
            if target != given:
                yield from _wrapped_pattern(f"    {target} = {given}")
        else:
            for variable, path in zip(names, tree.paths, strict=True):
                if variable != "_":
                    yield f"    {variable} = {given}{path}"
    if leaves:
        names = [place.get(("leaf", i), "_") for i in range(leaves)]
        yield from _wrapped_pattern(f"    ({', '.join(names)},) = leaves")


def _wrapped_pattern(line: str) -> list[str]:
    """Return a line that unpacks into names in brackets, broken within the brackets if it is long."""
    if len(line) <= 100:
        return [line]
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    opened, last = re.search(r"[(\[]", line).start() + 1, max(line.rfind(")"), line.rfind("]"))  # type: ignore[union-attr]
    return [line[:opened], *_filled(line[opened:last], margin), margin[4:] + line[last:]]


def loop_source(
    graph: Graph, outputs: Sequence[int], *, name: str, title: str, n: int, leaves: int, checks: Checks
) -> tuple[str, dict[str, Primitive]]:
    """Return the text of a function that sums the outputs over samples, each a flat tuple of `n` numbers."""
    low, out, demands = _lowered(graph, outputs, checks)
    totals = [f"total_{k}" for k in range(len(out))]
    printer = Printer(low, out + demands, PYTHON, {*dir(math), "math", name, "samples", "leaves", *totals})
    place = {
        (low.ops[i], low.numbers[i]): printer.names[i]
        for i in printer.live
        if low.ops[i] in ("argument", "leaf")
    }
    lines = []
    if leaves:
        names = [place.get(("leaf", i), "_") for i in range(leaves)]
        lines += _wrapped_pattern(f"    ({', '.join(names)},) = leaves")
    lines += [f"    {total} = 0.0" for total in totals]
    names = [place.get(("argument", i), "_") for i in range(n)]
    lines += _wrapped_pattern(f"    for ({', '.join(names)},) in samples:" if n else "    for _ in samples:")
    statements = list(printer.statements())
    before = _needed(low, statements, demands)
    lines += _block(printer, [s for s in statements if s.node in before], "        ", False)
    lines += _refusals(printer, demands, checks, "        ")
    lines += _block(printer, [s for s in statements if s.node not in before], "        ", False)
    for group in _grouped(printer, out, totals):
        lines += group
    lines += _wrapped_return(f"[{', '.join(totals)}]")
    return "\n".join(
        [*_header(printer, title), "", f"def {name}(samples{', leaves' if leaves else ''}):", *lines, ""]
    ), printer.opaque


def _grouped(printer: Printer, out: list[int], totals: list[str]) -> Iterator[list[str]]:
    """Yield the additions; products with a common factor are skipped together where that factor is 0."""
    graph = printer.graph
    common: dict[int, list[str]] = {}
    for i, total in zip(out, totals, strict=True):
        line = f"{total} += {printer.text(i)}"
        factor = next((k for k in graph.operands[i] if k in printer.names and k in graph.adjoints), None)
        if i in printer.names and i in graph.adjoints:
            factor = i
        if factor is None or (i not in printer.names and getattr(graph.ops[i], "name", "") != "mul"):
            yield [f"        {line}"]
        else:
            common.setdefault(factor, []).append(line)
    for factor, lines in common.items():
        yield [f"        if {printer.names[factor]}:", *[f"            {line}" for line in lines]]


def load(text: str, name: str, opaque: dict[str, Any]) -> Callable[..., Any]:
    """Return the function defined by a text; `linecache` gets its lines, for tracebacks and debuggers."""
    file = f"<autograd_lite program {next(_numbers)}: {name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__name__": name, **opaque}
    code = compile(text, file, "exec")
    first = next(x for x in code.co_consts if isinstance(x, types.CodeType))
    weakref.finalize(first, linecache.cache.pop, file, None).atexit = False  # the lines go with the function
    exec(code, names)
    return names[name]  # type: ignore[no-any-return]
