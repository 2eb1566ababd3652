"""notebooks/reference.md, generated from the code: `python -m tests.reference` writes it again.

The formulas come from the rows' templates and from running their rules. Only two things about a primitive
are written here: a point inside its domain, and names for its operands.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import autograd_lite
from autograd_lite import Primitive, Value, datasets
from autograd_lite.core.primitive import TABLE
from autograd_lite.nn import GPT
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

`python -m tests.reference` generates this page from the code, and a test checks that it is up to date. The
formulas of the local partials are what the rules in `autograd_lite/core/rules.py` record when they run.

- [Primitives](#primitives): the operations, with value, local partials, domain and edge cases
- [Functions and classes](#functions-and-classes): everything else that `autograd_lite` exports, one line each
- [The five documents](documents.md), to which citations such as (document 002, equation 10) refer
- [Errata of the five documents](errata.md)
"""

PRIMITIVES = """\
## Primitives

Each primitive takes floats or Values. $f$ is its value. The local partials are listed in the order of the
operands, and hold inside the domain. The last column gives the domain, and below it what is chosen at a kink
or at the end of the domain. $[x > 0]$ is 1 where the condition holds and 0 elsewhere; $\\operatorname{sgn}$
is the sign. The partials of `where` are those for a condition that holds.

| primitive | value | local partials | domain, edge cases |
|---|---|---|---|"""


def names(row: Primitive) -> list[str]:
    """Return the names of the operands: those in the rule, if it has names."""
    return OPERANDS.get(row.name) or [*inspect.signature(row.rule).parameters][1:]


def node(row: Primitive) -> Value:
    """Return the row, recorded at a point inside its domain."""
    labels = names(row)
    point = POINTS.get(row.name) or [0.6 + k / 10 for k in range(len(labels))]
    operands = tuple([Value(x, label) for x, label in zip(point, labels, strict=True)])
    recorded: Value = operands[0]._record(row, operands)
    recorded.label = "f"
    return recorded


def written(row: Primitive) -> tuple[str, list[str]]:
    """Return the value and the local partials, as LaTeX."""
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
    r"""Return LaTeX for a cell: a bar would end the cell, and Markdown would take a backslash from \\."""
    safe = text.replace("|", r"\vert ").replace(r"\\", r"\cr").strip()
    return f"${safe}$"


def primitives() -> Iterator[str]:
    yield PRIMITIVES
    for row in TABLE.values():
        if row in vars(autograd_lite).values():
            value, partials = written(row)
            columns = [
                cell(f"`{row.name}`<br>{row.doc}"),
                math(value),
                "<br>".join(map(math, partials)),
                cell("<br>".join(filter(None, [row.domain, row.edges]))),
            ]
            yield f"| {' | '.join(columns)} |"


def described(name: str, thing: Any) -> str:
    """Return a row with the call and the first paragraph of the docstring."""
    with suppress(ValueError):  # an exception has no signature of its own
        parameters = [*inspect.signature(thing).parameters]
        name += f"({', '.join(parameters if len(parameters) < 10 else [*parameters[:3], '...'])})"
    first, _, _ = (inspect.getdoc(thing) or "").partition("\n\n")
    return f"| `{name}` | {cell(first)} |"


def exports() -> Iterator[str]:
    modules: dict[str, list[str]] = {}
    public = vars(autograd_lite) | {f"datasets.{name}": vars(datasets)[name] for name in datasets.__all__}
    for name, thing in sorted((public | {"nn.GPT": GPT}).items()):
        if not name.startswith("_") and not isinstance(thing, Primitive | ModuleType):
            modules.setdefault(thing.__module__, []).append(described(name, thing))
    for module, lines in sorted(modules.items()):
        title, _, _ = (sys.modules[module].__doc__ or "").partition("\n\n")
        yield f"\n### {module}\n\n{cell(title)}\n\n| name | what it is |\n|---|---|"
        yield from lines


def page() -> str:
    return "\n".join([INTRODUCTION, *primitives(), "\n## Functions and classes", *exports()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
