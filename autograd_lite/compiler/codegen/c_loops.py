"""Loop nests as C functions, each for a block of samples, several samples to a vector.

The results of a block stay in the nearest caches, and a weight that was loaded serves several samples. Next
door: `c_products.py` prints sums of products, `c_function.py` the complete program around these functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from autograd_lite.compiler.codegen.c_operands import Operands
from autograd_lite.compiler.codegen.c_products import SumsOfProducts, matrix_product_lines
from autograd_lite.compiler.codegen.c_text import (
    affine_address,
    check_row,
    loop_heads,
    nested,
    plus,
    row_major,
)
from autograd_lite.compiler.codegen.c_workspace import Block, Workspace
from autograd_lite.compiler.codegen.printer import CHOICE
from autograd_lite.compiler.loops.ir import NESTS, Access, LoopProgram, step_groups
from autograd_lite.compiler.loops.strides import affine_access
from autograd_lite.core import rules as table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PART = 40  # nests in a function: a compiler takes more time for each loop of a longer one
OVER_VECTORS = "for (int q = 0; q < Q; q++)"


@dataclass
class _Part:
    """Nests that become one function: those that must round as written, or those that may fuse."""

    lines: list[str]
    nests: int
    as_written: bool | None  # None: there are no sums of products, so it makes no difference


@dataclass
class LoopWriter:
    """Prints the nests of a program for blocks of different sizes; `functions` collects the parts."""

    program: LoopProgram
    workspace: Workspace
    operands: Operands
    lanes: int
    functions: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, program: LoopProgram, numpy: ModuleType, real: str, lanes: int, vectors: int) -> LoopWriter:
        """Return a writer for blocks of at most `vectors` vectors; `real` is "double" or "float".

        Raises `ValueError` if an operation cannot be written in C.
        """
        for nest in program.nests:
            if nest.op is not table.entry:
                check_row(nest.op)
        workspace = Workspace(program, numpy, lanes, vectors)
        return cls(program, workspace, Operands(program, workspace, numpy, real), lanes)

    # --- Functions

    def block(self, name: str, block: Block) -> str:
        """Return the function that works on one block of samples."""
        real = self.operands.real
        lines = [*self.nests(name, block), *self._each_sample()]
        return "\n".join(
            [
                f"static void {name}(const V *restrict x, const {real} *restrict w,",
                f"        const {real} *restrict f, V *restrict g, {real} *restrict sums,",
                f"        {real} *restrict each, V *restrict room, int count)",
                *self._body(lines, block, "(void)sums; (void)each; (void)room; (void)count;"),
            ]
        )

    def nests(self, name: str, block: Block, *, after: bool = False) -> list[str]:
        """Return the nests that run in a block, or calls of the functions that they were split into.

        Sums that must round as they are written and sums that may fuse are functions of their own. `after`:
        the nests that run after the samples.
        """
        parts: list[_Part] = []
        for group in step_groups(self.program.nests):
            part = self._part(group, block, after)
            if part is None:
                continue
            last = parts[-1] if parts else None
            if last and last.nests + part.nests <= PART and self._alike(last, part):
                last.lines += part.lines
                last.nests += part.nests
                last.as_written = part.as_written if last.as_written is None else last.as_written
            else:
                parts.append(part)
        if len(parts) < 2 and not any(part.as_written is False for part in parts):
            return [line for part in parts for line in part.lines]
        calls = []
        for k, part in enumerate(parts):
            self.functions.append(self._function(f"{name}_{k}_", part, block))
            calls.append(f"{name}_{k}_(x, w, f, g, sums, room, {'count' if block.lanes else '0'});")
        return calls

    def _alike(self, one: _Part, other: _Part) -> bool:
        return None in (one.as_written, other.as_written) or one.as_written == other.as_written

    def _part(self, group: list[int], block: Block, after: bool) -> _Part | None:
        """Return the nests that run together, step by step where they have steps; None if none runs here."""
        body = [line for k in group for line in self._nest(k, block, after)]
        if not body:
            return None
        nests = [self.program.nests[k] for k in group]
        lines = [line for k in group for line in self._started(k, block)]
        if nests[0].steps:
            body = nested([f"for (int step = 0; step < {nests[0].steps}; step++)"], body)
        sums = [nest.ordered for nest in nests if nest.op is None]
        return _Part(lines + body, len(group), any(sums) or self.lanes == 1 if sums else None)

    def _function(self, name: str, part: _Part, block: Block) -> str:
        """Return a function of some nests; it fuses products with sums unless they must round as written."""
        real, fuses = self.operands.real, part.as_written is False
        return "\n".join(
            [
                f"{'FUSED' if fuses else 'PART'} static void {name}(const V *restrict x, "
                f"const {real} *restrict w,",
                f"        {'const ' * bool(block.lanes)}{real} *restrict f, V *restrict g, "
                f"{real} *restrict sums, V *restrict room, int count)",
                *self._body(part.lines, block, "(void)sums; (void)room; (void)count;", fuses),
            ]
        )

    def _body(self, lines: list[str], block: Block, unused: str, fuses: bool = False) -> list[str]:
        """Return the body of a function; `unused` keeps compilers from warning of parameters."""
        used = {*re.findall(r"\b[nt]\d+\b", "\n".join(lines))}
        return [
            "{",
            *(["    FUSE"] if fuses else []),
            f"    enum {{ Q = {block.vectors} }};",
            *self.workspace.declarations(used.__contains__, block.vectors),
            f"    (void)x; (void)w; (void)f; (void)g; {unused}",
            *[f"    {line}" for line in lines],
            "}",
        ]

    # --- Nests

    def _nest(self, k: int, block: Block, after: bool) -> list[str]:
        """Return a nest as loops over its nodes and the samples of a block; nothing if it runs elsewhere."""
        nest, space = self.program.nests[k], self.workspace
        if k in space.inlined or nest.varies != bool(block.lanes) or nest.after != after:
            return []
        if nest.varies and k not in space.blocks and k not in space.sums:
            return []  # nothing reads it
        title = f"/* {nest.name}: {nest.size} of {len(list(nest.slots()))} operands */"
        if nest.op is table.entry:
            return [title, *self._entries(k, block)]
        if nest.targets is not None:
            return [title, *self._scattered(k, block, nest.targets)]
        if nest.op is not None:
            return [title, *self._elementwise(k, block)]
        if k in space.products:
            return [title, *matrix_product_lines(self.operands, k, block)]
        return [title, *SumsOfProducts(self.operands, k, block).lines()]

    def _started(self, k: int, block: Block) -> list[str]:
        """Return the loops that copy the first results of a nest from others."""
        nest, lines, at = self.program.nests[k], list[str](), 0
        q = block.q if nest.varies else ""
        for access in nest.start:
            size = len(access.index)
            extents, (address,) = self.operands.loops([Access(access.space, access.index[:, 0])], size)
            node = plus(at, affine_address(0, row_major(extents)))
            source = self.operands.element(access.space, address, q)
            heads = [*loop_heads(extents), *([OVER_VECTORS] if q else [])]
            lines += nested(heads, [f"{self.operands.element(NESTS + k, node, q)} = {source};"])
            at += size
        return lines

    def _elementwise(self, k: int, block: Block) -> list[str]:
        """Return the loops of a nest that applies one operation to every node."""
        nest, operands, found = self.program.nests[k], self.operands, list[Access]()
        located = [operands.located(nest, access) for access in nest.operands]
        first = [Access(access.space, access.index[:, 0]) for access in located]
        text = operands.operation(nest, first, found, CHOICE)
        extents, addresses = operands.addresses(found, nest)
        q, lane = block.q, "l" if block.lanes > 1 else None
        inner = []
        for a, (access, address) in enumerate(zip(found, addresses, strict=True)):
            varies = self.program.varies(access.space)
            element = operands.element(access.space, address, q if varies else "", lane if varies else None)
            if nest.op is table.where:
                # All operands are read before the choice, because GCC 12 miscompiled loops whose choices read
                # memory.
                inner.append(f"const {operands.real} a{a} = {element};")
                element = f"a{a}"
            text = text.replace(f"@{a}@", element)
        node = plus(nest.size - nest.rows, operands.row(nest, extents))
        total = f"g[{plus(self.workspace.sums.get(k, 0), node)}]" + (f"[{lane}]" if lane else "")
        if k in self.workspace.blocks or not nest.varies:
            target = operands.element(NESTS + k, node, q, lane)
            inner.append(f"{target} = {text};")
            text = target
        if k in self.workspace.sums:
            inner.append(f"{total} += {text};")
        heads = [*loop_heads(extents), *([OVER_VECTORS] if q else [])]
        heads += [f"for (int l = 0; l < {block.lanes}; l++)"] if lane else []
        return nested(heads, inner)

    def _row(self, access: Access, address: str, rows: int, q: str, lane: str | None) -> str:
        """Return the line that reads the number of a row; ROW keeps it within the table."""
        varies = self.program.varies(access.space)
        index = self.operands.element(access.space, address, q if varies else "", lane if varies else None)
        return f"const int r = ROW({index}, {rows});"

    def _entries(self, k: int, block: Block) -> list[str]:
        """Return the loops of a nest that reads entries of tables."""
        nest, operands, sums = self.program.nests[k], self.operands, self.workspace.sums
        index, entries = [operands.located(nest, access) for access in nest.operands]
        first = [Access(index.space, index.index[:, 0]), Access(entries.space, entries.index[:, 0])]
        extents, (at, start) = operands.addresses(first, nest)
        node = plus(nest.size - nest.rows, operands.row(nest, extents))
        address = operands.in_row(entries.index, start, operands.row(nest, extents))
        q, lane = block.q, "l" if block.lanes > 1 else None
        varies = self.program.varies(entries.space)
        text = operands.element(entries.space, address, q if varies else "", lane if varies else None)
        body = [self._row(index, at, entries.index.shape[1], q, lane)]
        if k in self.workspace.blocks or not nest.varies:
            body.append(f"{operands.element(NESTS + k, node, q, lane)} = {text};")
        if k in sums:
            body.append(f"g[{plus(sums[k], node)}]{f'[{lane}]' if lane else ''} += {text};")
        return nested([*loop_heads(extents), *self._samples(block)], body)

    def _samples(self, block: Block) -> list[str]:
        """Return the heads of the loops over the samples of a block, one by one."""
        heads = [OVER_VECTORS] if block.q else []
        return heads + ([f"for (int l = 0; l < {block.lanes}; l++)"] if block.lanes > 1 else [])

    def _scattered(self, k: int, block: Block, targets: NDArray[np.int64]) -> list[str]:
        """Return the loops of a nest that adds numbers to the results that an index selects."""
        nest, operands, workspace = self.program.nests[k], self.operands, self.workspace
        given = [operands.located(nest, access) for access in nest.operands]
        first = [Access(access.space, access.index[:, 0]) for access in given]
        to = Access(NESTS + k, targets[:, 0])
        extents, (at, number, start) = operands.loops([*first, to], len(targets))
        node = affine_address(0, row_major(extents))
        q, lane = block.q, "l" if block.lanes > 1 else None
        varies = self.program.varies(given[1].space)
        text = operands.element(given[1].space, number, q if varies else "", lane if varies else None)
        body = [
            self._row(given[0], at, targets.shape[1], q, lane),
            f"const int to = {operands.in_row(targets, start, node)};",
        ]
        guard = "if (to >= 0) " if (targets < 0).any() else ""
        lines = []
        if k in workspace.blocks or not nest.varies:
            zero = "(V){0}" if nest.varies else "0"
            cleared = f"{operands.element(NESTS + k, 'i0', q)} = {zero};"
            lines += nested([*loop_heads([nest.size]), *([OVER_VECTORS] if q else [])], [cleared])
            body.append(f"{guard}{operands.element(NESTS + k, 'to', q, lane)} += {text};")
        if k in workspace.sums:
            total = f"g[{plus(workspace.sums[k], 'to')}]" + (f"[{lane}]" if lane else "")
            body.append(f"{guard}{total} += {text};")
        return lines + nested([*loop_heads(extents), *self._samples(block)], body)

    def _each_sample(self) -> list[str]:
        """Return the loops that write the outputs of each sample."""
        np, operands, lines = self.operands.np, self.operands, list[str]()
        pairs: dict[int, list[tuple[int, int]]] = {}  # of each nest: places, and the numbers of its nodes
        for i, (space, number) in enumerate(self.program.each):
            pairs.setdefault(space - NESTS, []).append((i, number))
        for k, found in pairs.items():
            columns = np.array(found).T
            strides = affine_access(columns, np)
            if strides is None:
                extents = [len(found)]
                place, node = [f"{operands.table(column)}[i0]" for column in columns]
            else:
                extents = strides[0]
                place, node = map(affine_address, found[0], strides[1])
            lines += nested(
                [*loop_heads(extents), "for (int s = 0; s < count; s++)"],
                [
                    f"each[s * {len(self.program.each)} + {place}] = "
                    f"((const {operands.real} *)&n{k}[({node}) * Q])[s];"
                ],
            )
        return lines
