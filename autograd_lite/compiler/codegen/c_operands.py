"""Operands as C text: the address of each for every node of a nest, and expressions made of them.

Addresses that advance by strides are written in the loop variables i0, i1, ...; all others are looked up in
tables. Next door: `c_products.py` and `c_loops.py` print the loops around the expressions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from autograd_lite.compiler.codegen.c_text import (
    LANGUAGE,
    added,
    affine_address,
    c_number,
    plus,
    row_major,
    vector_address,
)
from autograd_lite.compiler.codegen.c_workspace import Workspace
from autograd_lite.compiler.codegen.printer import CHOICE, in_parentheses
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    NESTS,
    PARAMETER,
    Access,
    LoopNest,
    LoopProgram,
    common_number,
)
from autograd_lite.compiler.loops.strides import access_by_step, affine_access

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The space that the nests after the samples read: the sums over the samples.
SUMS = -1


class Operands:
    """Writes operands; it keeps the tables of addresses and the constants that the text refers to."""

    def __init__(self, program: LoopProgram, workspace: Workspace, numpy: ModuleType, real: str) -> None:
        self.program, self.workspace, self.np, self.real = program, workspace, numpy, real
        self.constants: NDArray[np.float64] = program.constants
        self.tables: dict[bytes, tuple[str, NDArray[np.int32]]] = {}  # names and entries, by their bytes
        self._coefficients: dict[bytes, int] = {}  # offsets among the constants

    # --- Addresses

    def located(self, nest: LoopNest, access: Access) -> Access:
        """Return where an operand is while a nest runs: after the samples, sums replace results that vary."""
        if nest.after and self.program.varies(access.space):
            return Access(SUMS, self.workspace.sum_place(access.space - NESTS, access.index))
        return access

    def addresses(self, accesses: list[Access], nest: LoopNest) -> tuple[list[int], list[str]]:
        """Return the extents of a nest's loops, and the address of each access in the loop variables.

        The indices have the shape (nodes,). In a nest that runs in steps the loops are those of one step.
        """
        if not nest.steps:
            return self.loops(accesses, nest.rows)
        index = self.np.stack([access.index for access in accesses]) if accesses else None
        moves = None if index is None else access_by_step(index, nest.steps, self.np)
        size = nest.rows // nest.steps
        if moves is None:
            row = added("step" if size == 1 else f"{size} * step", "i0" if size > 1 else "0")
            return [size] * (size > 1), [f"{self.table(access.index)}[{row}]" for access in accesses]
        first = [Access(access.space, index) for access, index in zip(accesses, moves[0], strict=True)]
        extents, addresses = self.loops(first, size)
        steps = [f"{stride} * step" if stride else "0" for stride in moves[1]]
        return extents, [added(a, step) for a, step in zip(addresses, steps, strict=True)]

    def loops(self, accesses: list[Access], size: int) -> tuple[list[int], list[str]]:
        """Return the extents of loops over `size` nodes, and each access as an address in their variables."""
        if size == 1:
            return [], [str(int(access.index[0])) for access in accesses]
        if not accesses:
            return [size], []
        found = affine_access(self.np.stack([access.index for access in accesses]), self.np)
        if found is None:
            return [size], [f"{self.table(access.index)}[i0]" for access in accesses]
        extents, strides = found
        return extents, [
            affine_address(int(access.index[0]), along)
            for access, along in zip(accesses, strides, strict=True)
        ]

    def table(self, index: NDArray[np.int64]) -> str:
        """Return the name of a table of addresses."""
        entries = self.np.ascontiguousarray(index, dtype=self.np.int32)
        key = entries.tobytes()
        if key not in self.tables:
            self.tables[key] = (f"table_{len(self.tables)}", entries)
        return self.tables[key][0]

    def in_row(self, table: NDArray[np.int64], start: str, node: str) -> str:
        """Return the address of entry ``table[node, r]``, given that of the node's first entry."""
        offsets = table - table[:, :1]
        if (offsets != offsets[0]).any():
            return f"{self.table(table.ravel())}[({node}) * {table.shape[1]} + r]"
        step = int(offsets[0, 1]) if table.shape[1] > 1 else 0
        if (offsets[0] == step * self.np.arange(table.shape[1])).all():
            return added(start, affine_address(0, [step]).replace("i0", "r"))
        return added(start, f"{self.table(offsets[0])}[r]")

    def row(self, nest: LoopNest, extents: list[int]) -> str:
        """Return the number of the node at which the loops are."""
        row = affine_address(0, row_major(extents))
        return added(row, f"{nest.rows // nest.steps} * step") if nest.steps else row

    # --- Expressions

    def number(self, x: float) -> str:
        """Return a constant in the type of the numbers: C refuses a vector of floats with a double."""
        text = c_number(x) + ("f" if self.real == "float" and math.isfinite(x) else "")
        return in_parentheses(text)

    def element(self, space: int, address: str, q: str, lane: str | None = None) -> str:
        """Return an operand for vector `q` of a block: a vector, or with `lane` one of its numbers."""
        k = space - NESTS
        if space == SUMS:
            return f"sums[{address}]"
        if space == PARAMETER:
            return f"w[{address}]"
        if space == CONSTANT:
            return f"c[{address}]"
        if space >= NESTS and not self.program.nests[k].varies:
            return f"f[{plus(self.workspace.fixed[k], address)}]"
        name = "x" if space == ARGUMENT else f"n{k}"
        return f"{name}[{vector_address(address, q)}]" + (f"[{lane}]" if lane else "")

    def operand(self, access: Access, found: list[Access], least: int = CHOICE) -> str:
        """Return an operand with ``@k@`` for the address of ``found[k]``; conditions are written out."""
        k = access.space - NESTS
        if k in self.workspace.inlined:
            nest = self.program.nests[k]
            inside = [self.located(nest, operand) for operand in nest.operands]
            inside = [Access(operand.space, operand.index[access.index, 0]) for operand in inside]
            return self.operation(nest, inside, found, least)
        if access.space == CONSTANT:
            number = common_number(self.constants[access.index])
            if number is not None:
                return self.number(number)
        found.append(access)
        return f"@{len(found) - 1}@"

    def operation(self, nest: LoopNest, operands: list[Access], found: list[Access], least: int) -> str:
        """Return an operation, in parentheses if it binds less tightly than `least`."""
        assert nest.op is not None, "sums of products are printed by `c_products`"
        level, asked = LANGUAGE.precedence(nest.op)
        texts = [self.operand(access, found, want) for access, want in zip(operands, asked, strict=False)]
        text = LANGUAGE.template(nest.op).format(*texts)
        return text if level >= least else f"({text})"

    def product(self, coefficient: float, factors: Sequence[tuple[int, str]], q: str) -> str:
        """Return one product of a coefficient and of factors, each given by its space and its address."""
        texts = [] if coefficient == 1.0 else [self.number(coefficient)]
        for space, address in factors:
            if space == CONSTANT and address.isdigit():
                texts.append(self.number(float(self.constants[int(address)])))
            else:
                texts.append(self.element(space, address, q if self.program.varies(space) else ""))
        return " * ".join(texts) or self.number(1.0)

    def coefficients(self, values: NDArray[np.float64]) -> Access:
        """Return the place of differing coefficients, shape (nodes, terms), among the constants."""
        key = values.tobytes()
        if key not in self._coefficients:
            self._coefficients[key] = len(self.constants)
            self.constants = self.np.concatenate([self.constants, values.ravel()])
        return Access(CONSTANT, self._coefficients[key] + self.np.arange(values.size).reshape(values.shape))
