"""Loops as text: nested ``for`` loops to read, not to run. `Program.loops` returns them."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from autograd_lite.compiler.loops.ir import (
    CONSTANT,
    NESTS,
    Access,
    LoopNest,
    LoopProgram,
    ProductTerms,
    common_number,
    step_groups,
)
from autograd_lite.compiler.loops.strides import access_by_step, affine_access, term_offsets
from autograd_lite.core import rules


def show_loops(program: LoopProgram, np: ModuleType) -> str:
    """Return the nests as nested loops in a notation like Python."""
    names = ["x", "w", "c", *[f"{nest.name}{k}" for k, nest in enumerate(program.nests)]]
    lines = []
    for group in step_groups(program.nests):
        steps = program.nests[group[0]].steps
        for k in group:
            at = 0
            for slot in program.nests[k].start:
                copy = LoopNest(None, len(slot.index), "", [ProductTerms(None, [slot], 1)])
                lines += _Shown(copy, program, names, np).lines(names[NESTS + k], at)
                at += len(slot.index)
        lines += [f"for step in range({steps}):"] if steps else []
        for k in group:
            nest = program.nests[k]
            body = _Shown(nest, program, names, np).lines(names[NESTS + k], nest.size - nest.rows)
            lines += [f"    {line}" for line in body] if steps else body
    return "\n".join(lines)


def _sum(parts: Iterable[tuple[int, str]]) -> str:
    """Return a sum of strides times letters; a number on its own has an empty letter."""
    texts = [str(s) if not i else i if s == 1 else f"{s} * {i}" for s, i in parts if s]
    return " + ".join(texts) or "0"


class _Shown:
    """One nest as text: loops over the letters i0, i1, ..., and one assignment."""

    def __init__(self, nest: LoopNest, program: LoopProgram, names: list[str], np: ModuleType) -> None:
        self.nest, self.constants, self.names, self.np = nest, program.constants, names, np
        slots = list(nest.operands)
        for run in nest.products:
            slots += run.factors
            if run.counts is not None:
                slots.append(Access(CONSTANT, run.counts[:, None]))
        self.rows = nest.rows // (nest.steps or 1)
        if nest.targets is not None:
            slots.append(Access(NESTS, nest.targets))
            self.rows = len(nest.targets)
        index = np.stack([slot.index[:, 0] for slot in slots] or [np.zeros(nest.rows, int)])
        self.step_strides, self.affine = [0] * len(index), None
        moves = access_by_step(index, nest.steps, np) if nest.steps else (index, self.step_strides)
        if moves is not None:
            index, self.step_strides = moves
            self.affine = affine_access(index, np)
        self.first = index[:, 0].tolist()
        self.extents = [self.rows] if self.affine is None else self.affine[0]
        self.letters = [f"i{d}" for d in range(len(self.extents))]
        self.at = iter(range(len(slots)))  # operands are shown in this order

    def lines(self, target: str, start: int) -> list[str]:
        """Return the lines of the loops, which write `target` from position `start` on."""
        address: list[tuple[int, str]] = []
        stride = 1
        for letter, extent in reversed(list(zip(self.letters, self.extents, strict=True))):
            address.insert(0, (stride, letter))
            stride *= extent
        step = self.rows if self.nest.steps else 0
        if self.nest.targets is not None:
            index, number = [self.operand(slot, 1) for slot in self.nest.operands]
            to = self.address(Access(NESTS, self.nest.targets), self.nest.targets.shape[1], f"int({index})")
            line = f"{target}[{to}] += {number}"
        else:
            line = f"{target}[{_sum([(start, ''), (step, 'step'), *address])}] = {self.result()}"
        lines, indent = [], ""
        for letter, extent in zip(self.letters, self.extents, strict=True):
            if extent > 1:
                lines.append(f"{indent}for {letter} in range({extent}):")
                indent += "    "
        return [*lines, indent + line]

    def result(self) -> str:
        """Return the right-hand side of the assignment."""
        op = self.nest.op
        if op is None:
            return " + ".join(map(self.terms, self.nest.products))
        if op is rules.entry:
            index, table = self.nest.operands
            row = f"int({self.operand(index, 1)})"
            return f"{self.names[table.space]}[{self.address(table, table.index.shape[1], row)}]"
        name = op if isinstance(op, str) else op.name
        return f"{name}({', '.join(self.operand(slot, 1) for slot in self.nest.operands)})"

    def terms(self, run: ProductTerms) -> str:
        """Return terms of one shape."""
        factors = [self.operand(slot, run.terms, run) for slot in run.factors]
        if run.coefficient is not None:
            number = common_number(run.coefficient)
            factors.insert(0, "c" if number is None else repr(number))
        product, count = " * ".join(factors), str(run.terms)
        if run.counts is not None:
            count = self.address(Access(CONSTANT, run.counts[:, None]), 1, "t")
            count = count if self.affine is not None else "length[i0]"
        return f"sum({product} for t in range({count}))" if run.terms > 1 else product or "1.0"

    def operand(self, slot: Access, terms: int, run: ProductTerms | None = None) -> str:
        """Return an operand: the number of a constant that does not change, else a name and an address."""
        if slot.space == CONSTANT:
            number = common_number(self.constants[slot.index])
            if number is not None:
                next(self.at)
                return repr(number)
        return f"{self.names[slot.space]}[{self.address(slot, terms, 't', run)}]"

    def address(self, slot: Access, terms: int, letter: str, run: ProductTerms | None = None) -> str:
        """Return an address in the letters of the loops and of the loop over the terms, or of a row."""
        j = next(self.at)
        parts = [(self.first[j], "")]
        if self.affine is None:
            parts.append((1, "index[step, i0]" if self.nest.steps else "index[i0]"))
        else:
            parts += [(self.step_strides[j], "step"), *zip(self.affine[1][j], self.letters, strict=True)]
        if terms > 1:
            offsets = term_offsets(run or ProductTerms(None, [slot], terms), slot.index, self.np)
            steps = None if offsets is None else affine_access(offsets[None], self.np)
            if steps is None:
                parts.append((1, f"index[i0, {letter}]"))
            elif len(steps[0]) == 1:
                parts.append((steps[1][0][0], letter))
            elif steps[0]:
                parts.append((1, f"index[{letter}]"))
        return _sum(parts)
