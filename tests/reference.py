"""notebooks/reference.md, written from the code: `python -m tests.reference` writes it anew.

The formulas come from the rows' templates and from running their rules; nothing about a primitive is typed
here but a point inside its domain and names for its operands.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import autograd_lite
from autograd_lite import Primitive, Value
from autograd_lite.core.primitive import TABLE
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.reader import Reader
from autograd_lite.notation.writing import LATEX

PAGE = Path(__file__).parent.parent / "notebooks" / "reference.md"

# Operands for rows that do not take 0.6, 0.7, 0.8; names for those of rows that take any number.
POINTS = {"acosh": [1.5], "clip": [0.6, 0.1, 0.9], "where": [1.0, 0.6, 0.7]}
OPERANDS = {
    **{name: ["x_1", "x_2", "x_3"] for name in ("sum", "mean", "prod", "logsumexp")},
    "dot": ["w_1", "w_2", "x_1", "x_2", "b"],
    "softmax_cross_entropy": ["f_1", "f_2", "f_3"],
}

INTRODUCTION = """\
# Reference

Written from the code by `python -m tests.reference`; a test compares. The formulas of the local partials are
typed nowhere: they are what the rules in `autograd_lite/primitives.py` record when they are run.

- [Primitives](#primitives): the operations, with value, local partials, domain and edges
- [Functions and classes](#functions-and-classes): everything else that `autograd_lite` exports, a line each
- [Errata of the five documents](errata.md), on a page of their own
"""

PRIMITIVES = """\
## Primitives

Each takes floats or Values. $f$ is the value itself; the local partials are those with respect to the
operands, in order. They hold inside the domain. What is chosen at a kink or at the end of a domain stands in
the last column, below the domain. $[x > 0]$ is 1 where it holds and 0 elsewhere; $\\operatorname{sgn}$ is the
sign. Of `where`, the partials are those with a condition that holds.

| primitive | value | local partials | domain, edges |
|---|---|---|---|"""


def names(row: Primitive) -> list[str]:
    """What the operands are called: as in the rule, if it gives names."""
    return OPERANDS.get(row.name) or [*inspect.signature(row.rule).parameters][1:]


def node(row: Primitive) -> Value:
    """The row, recorded at a point inside its domain."""
    labels = names(row)
    point = POINTS.get(row.name) or [0.6 + k / 10 for k in range(len(labels))]
    operands = tuple([Value(x, label) for x, label in zip(point, labels, strict=True)])
    recorded: Value = operands[0]._record(row, operands)
    recorded.label = "f"
    return recorded


def written(row: Primitive) -> tuple[str, list[str]]:
    """The value and the local partials, as LaTeX."""
    recorded = node(row)
    reader, namer = Reader(recorded), Namer([recorded])
    partials = [
        reader.partial(recorded, k).written(LATEX, namer, 6).text for k in range(len(recorded.operands))
    ]
    if row.arity is None:
        return reader.definition(recorded).written(LATEX, namer, 6).text, partials
    return LATEX.apply(row, [namer(x, LATEX) for x in recorded.operands]).text, partials


def cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ").replace("``", "`")


def math(text: str) -> str:
    r"""LaTeX in a cell: a bar would end it, an escaped one means another sign; \\ may lose a backslash."""
    safe = text.replace("|", r"\vert ").replace(r"\\", r"\cr").strip()
    return f"${safe}$"


def primitives() -> Iterator[str]:
    yield PRIMITIVES
    for row in TABLE.values():
        if row in vars(autograd_lite).values():
            value, partials = written(row)
            columns = [
                cell(f"`{row.name}`<br>{row.__doc__}"),
                math(value),
                "<br>".join(map(math, partials)),
                cell("<br>".join(filter(None, [row.domain, row.edges]))),
            ]
            yield f"| {' | '.join(columns)} |"


def described(name: str, thing: Any) -> str:
    """The call, and the first sentence of the docstring."""
    with suppress(ValueError):  # an exception has no signature of its own
        parameters = [*inspect.signature(thing).parameters]
        name += f"({', '.join(parameters if len(parameters) < 10 else [*parameters[:3], '...'])})"
    first, _, _ = (inspect.getdoc(thing) or "").partition("\n\n")
    return f"| `{name}` | {cell(first)} |"


def exports() -> Iterator[str]:
    modules: dict[str, list[str]] = {}
    for name in autograd_lite.__all__:
        thing = getattr(autograd_lite, name)
        if not isinstance(thing, Primitive):
            modules.setdefault(thing.__module__, []).append(described(name, thing))
    for module, lines in sorted(modules.items()):
        title, _, _ = (sys.modules[module].__doc__ or "").partition("\n\n")
        yield f"\n### {module}\n\n{cell(title)}\n\n| name | what it is |\n|---|---|"
        yield from lines


def page() -> str:
    return "\n".join([INTRODUCTION, *primitives(), "\n## Functions and classes", *exports()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
