"""Loops as text: nested ``for`` loops to read, not to run. `Program.loops` returns them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd_lite.compiler.loops.ir import NESTS, Access, LoopNest, LoopProgram, ProductTerms, step_groups
from autograd_lite.compiler.loops.strides import access_by_step, affine_access


def show_loops(program: LoopProgram, numpy: Any) -> str:
    """The nests as nested loops in a notation that is read, not run."""
    names = ["x", "w", "c", *[f"{nest.name}{k}" for k, nest in enumerate(program.nests)]]
    lines = []
    for group in step_groups(program.nests):
        steps = program.nests[group[0]].steps
        for k in group:
            at = 0
            for slot in program.nests[k].start:
                copy = LoopNest(None, len(slot.index), "", [ProductTerms(None, [slot], 1)])
                lines += _shown(copy, names[NESTS + k], at, names, numpy)
                at += len(slot.index)
        lines += [f"for step in range({steps}):"] if steps else []
        for k in group:
            nest = program.nests[k]
            body = _shown(nest, names[NESTS + k], nest.size - nest.rows, names, numpy)
            lines += [f"    {line}" for line in body] if steps else body
    return "\n".join(lines)


def _sum(parts: Iterable[tuple[int, str]]) -> str:
    """Strides times letters, added up; the letter of a number is empty."""
    texts = [str(s) if not i else i if s == 1 else f"{s} * {i}" for s, i in parts if s]
    return " + ".join(texts) or "0"


def _shown(nest: LoopNest, target: str, start: int, names: list[str], numpy: Any) -> list[str]:
    """The loops of one nest, which writes `target` from `start` on."""
    slots = list(nest.slots())
    n = nest.rows // (nest.steps or 1)
    index = numpy.stack([slot.index[:, 0] for slot in slots] or [numpy.zeros(nest.rows, int)])
    strides, found = [0] * len(index), None
    moves = access_by_step(index, nest.steps, numpy) if nest.steps else (index, strides)
    if moves is not None:
        index, strides = moves
        found = affine_access(index, numpy)
    extents = [n] if found is None else found[0]
    letters = [f"i{d}" for d in range(len(extents))]
    at = iter(range(len(slots)))

    def where(slot: Access, terms: int) -> str:
        j = next(at)
        parts = [(int(index[j, 0]), "")]
        if found is None:
            parts.append((1, "index[step, i0]" if nest.steps else "index[i0]"))
        else:
            parts += [(strides[j], "step"), *zip(found[1][j], letters, strict=True)]
        if terms > 1:
            offsets = slot.index - slot.index[:, :1]
            steps = affine_access(offsets[:1], numpy)
            if steps is None or (offsets != offsets[0]).any():
                parts.append((1, "index[i0, t]"))
            elif len(steps[0]) == 1:
                parts.append((steps[1][0][0], "t"))
            elif steps[0]:
                parts.append((1, "index[t]"))
        return f"{names[slot.space]}[{_sum(parts)}]"

    address: list[tuple[int, str]] = []
    step = 1
    for letter, extent in reversed(list(zip(letters, extents, strict=True))):
        address.insert(0, (step, letter))
        step *= extent
    whole = f"{target}[{_sum([(start, ''), (n if nest.steps else 0, 'step'), *address])}]"
    if nest.op is None:
        texts = []
        for run in nest.products:
            factors = " * ".join(where(slot, run.terms) for slot in run.factors)
            if run.coefficient is not None:
                c = run.coefficient
                number = f"{float(c.flat[0])!r}" if (c == c.flat[0]).all() else "c"
                factors = f"{number} * {factors}".removesuffix(" * ")
            texts.append(f"sum({factors} for t in range({run.terms}))" if run.terms > 1 else factors or "1.0")
        line = f"{whole} = {' + '.join(texts)}"
    else:
        name = nest.op if isinstance(nest.op, str) else nest.op.name
        line = f"{whole} = {name}({', '.join(where(slot, 1) for slot in nest.operands)})"
    lines, indent = [], ""
    for letter, extent in zip(letters, extents, strict=True):
        if extent > 1:
            lines.append(f"{indent}for {letter} in range({extent}):")
            indent += "    "
    return [*lines, indent + line]
