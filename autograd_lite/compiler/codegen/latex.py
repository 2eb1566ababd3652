"""A graph written as mathematics: one equation for each node that has a name or several uses.

Next door: `notation/writing.py` writes rows of the table and numbers, `notation/names.py` names of variables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograd_lite.compiler.ir.graph import INPUTS, Graph
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import ATOM, PRODUCT, SUM, Primitive
from autograd_lite.notation import names
from autograd_lite.notation.writing import LATEX, Printed

_SIGNS = {"lt": "<", "le": r"\le", "gt": ">", "ge": r"\ge", "eq": "=", "ne": r"\ne"}
_JOINS = {"and": r"\wedge", "or": r"\vee"}


def _apply(op: Primitive | str, operands: Sequence[Printed]) -> Printed:
    def held(x: Printed, least: int) -> str:
        return x.text if x.precedence >= least else rf"\left({x.text}\right)"

    if op in (table.sum, table.dot) and operands:
        parts = list(operands)
        if op is table.dot:
            n = len(parts) // 2
            pairs = zip(parts[:n], parts[n : 2 * n], strict=True)
            parts = [
                Printed(rf"{held(w, PRODUCT)} \cdot {held(x, PRODUCT)}", PRODUCT) for w, x in pairs
            ] + parts[2 * n :]
        return Printed(
            " + ".join(held(x, SUM) for x in parts).replace("+ -", "- "),
            SUM if len(parts) > 1 else parts[0].precedence,
        )
    if isinstance(op, Primitive):
        return LATEX.apply(op, operands)
    if op == "whole":
        return Printed(rf"{held(operands[0], ATOM)} \in \mathbb{{Z}}", SUM)
    if op in _SIGNS:
        return Printed(rf"{operands[0].text} {_SIGNS[op]} {operands[1].text}", SUM)
    if op in _JOINS:
        return Printed(f" {_JOINS[op]} ".join(held(x, ATOM) for x in operands), SUM)
    return Printed(rf"\neg {held(operands[0], ATOM)}", ATOM)


def _name(label: str) -> str:
    return names.latex(re.sub(r"[\[\]'\"]+", "_", label).strip("_"))


def equations(graph: Graph, outputs: Sequence[int], values: int, name: str, inputs: Sequence[str]) -> str:
    r"""Return the ``aligned`` equations of a program: `values` outputs, then the derivatives by `inputs`.

    Nodes without a name that are used more than once are called v₁, v₂, ...
    """
    live = graph.live(outputs)
    uses: dict[int, int] = {}
    for i in live:
        for k in graph.operands[i]:
            uses[k] = uses.get(k, 0) + 1
    titles = [name] if values == 1 else [f"{name}_{k + 1}" for k in range(values)]
    shown: dict[int, Printed] = {}
    lines: list[str] = []
    numbered = 0
    for i in live:
        op = graph.ops[i]
        if op == "constant":
            shown[i] = LATEX.number(graph.constants[i], None)
        elif op in INPUTS:
            shown[i] = Printed(_name(graph.labels[i]), ATOM)
        else:
            shown[i] = _apply(op, [shown[k] for k in graph.operands[i]])
            if i in graph.labels or uses.get(i, 0) > 1:
                if i in graph.labels:
                    text = _name(graph.labels[i])
                else:
                    numbered += 1
                    text = f"v_{{{numbered}}}"
                lines.append(f"{text} &= {shown[i].text}")
                shown[i] = Printed(text, ATOM)
    lines += [f"{_name(title)} &= {shown[i].text}" for title, i in zip(titles, outputs, strict=False)]
    lines += [
        f"{LATEX.derivative(_name(titles[0]), _name(x))} &= {shown[i].text}"
        for x, i in zip(inputs, outputs[values:], strict=False)
    ]
    return "\n".join([r"\begin{aligned}", " \\\\\n".join(lines), r"\end{aligned}"])
