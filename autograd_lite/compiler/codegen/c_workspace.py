"""The workspace of a C function for the results of loop nests: vectors of samples, sums, fixed numbers.

A loop program goes in; the places of its results, and the sums over samples that are matrix products, come
out. Next door: `c_operands.py` turns the places into text, `c_function.py` says where the three areas begin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from autograd_lite.compiler.codegen.c_text import round_up
from autograd_lite.compiler.ir.graph import CONDITIONS
from autograd_lite.compiler.loops.ir import NESTS, Access, LoopProgram
from autograd_lite.compiler.loops.strides import affine_access

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A copy of the columns of a matrix product: the space, the first node, the step between nodes, their number.
Columns = tuple[int, int, int, int]
Place = TypeVar("Place", int, "NDArray[np.int64]")


@dataclass
class Block:
    """The samples that one function works on: `vectors` vectors of `lanes` samples; 0 lanes: none at all.

    Nests that do not vary run outside the samples, in a block without lanes.
    """

    vectors: int
    lanes: int
    transposed: set[Columns] = field(default_factory=set)  # the copies that the block has made so far

    @property
    def q(self) -> str:
        """The variable that counts the vectors; empty if there is one."""
        return "q" if self.vectors > 1 else ""


@dataclass
class MatrixProduct:
    """Sums over samples of ``row[i] * column[j]``, one for each of `rows` times `columns` nodes."""

    row: Access
    column: Access
    rows: int
    columns: int
    columns_outside: bool  # the nodes of one column follow each other

    def place(self, number: Place, lanes: int) -> Place:
        """Return the place of a node among the sums, whose rows are padded to whole vectors."""
        first, second = divmod(number, self.rows if self.columns_outside else self.columns)
        row, column = (second, first) if self.columns_outside else (first, second)
        return row * round_up(self.columns, lanes) + column


class Workspace:
    """The place of each result: `blocks` in vectors, `sums` in a sum over the samples, `fixed` in neither.

    Results that vary have a vector for each vector of a block. Conditions are written out where they are
    used and have no place.
    """

    def __init__(self, program: LoopProgram, numpy: ModuleType, lanes: int, vectors: int) -> None:
        self.program, self.lanes = program, lanes
        self.inlined = {k for k, nest in enumerate(program.nests) if nest.op in CONDITIONS}
        summed, used = _readers(program)
        self.products: dict[int, MatrixProduct] = {}
        for k in sorted(summed - used) if vectors > 1 else ():
            product = matrix_product(program, k, lanes, numpy)
            if product is not None:
                self.products[k] = product
        self.blocks: dict[int, int] = {}
        self.sums: dict[int, int] = {}
        self.fixed: dict[int, int] = {}
        self.block_size = self.fixed_size = sums = 0
        for k, nest in enumerate(program.nests):
            if k in self.inlined:
                continue
            if not nest.varies:
                self.fixed[k] = self.fixed_size
                self.fixed_size += nest.size
                continue
            if k in summed and k not in self.products:
                self.sums[k] = sums
                sums += nest.size
            if k in used:
                self.blocks[k] = self.block_size
                self.block_size += nest.size
        # These sums are kept in a vector each until the samples end; those of matrix products are not.
        self.sums_in_vectors = self.sum_size = round_up(sums, lanes)
        for k, product in self.products.items():
            self.sums[k] = self.sum_size
            self.sum_size += product.rows * round_up(product.columns, lanes)
        self.copies: dict[Columns, tuple[str, int]] = {}  # the name and the place of each transposed copy

    def sum_place(self, k: int, number: Place) -> Place:
        """Return the place of a node of nest `k` among the sums."""
        product = self.products.get(k)
        return self.sums[k] + (number if product is None else product.place(number, self.lanes))

    def transposed(self, columns: Columns) -> str:
        """Return the name of a transposed copy; make room for it the first time."""
        if columns not in self.copies:
            self.copies[columns] = (f"t{len(self.copies)}", self.block_size)
            self.block_size += round_up(columns[-1], self.lanes)
        return self.copies[columns][0]

    def declarations(self, used: Callable[[str], bool], vectors: int) -> list[str]:
        """Return the declarations of the results and copies that a function uses."""
        places = [(f"n{k}", place) for k, place in self.blocks.items()] + [*self.copies.values()]
        return [f"    V *{name} = room + {place * vectors};" for name, place in places if used(name)]


def _readers(program: LoopProgram) -> tuple[set[int], set[int]]:
    """Return the nests whose sums over the samples are read, and those whose results are."""
    summed = {space - NESTS for space, _ in program.outputs}
    used = {space - NESTS for space, _ in program.each}
    for nest in program.nests:
        read = {access.space - NESTS for access in nest.reads() if access.space >= NESTS}
        (summed if nest.after else used).update(read)
    return summed, used


def matrix_product(program: LoopProgram, k: int, lanes: int, numpy: ModuleType) -> MatrixProduct | None:
    """Return a nest as a matrix product over the samples; None if it is not one, or if its rows are short.

    It is one if its nodes are products of two varying results, each of which depends on one index alone. The
    gradient with respect to a matrix of weights is an example.
    """
    nest = program.nests[k]
    if not nest.varies or nest.op is not None or nest.steps or len(nest.products) != 1:
        return None
    (terms,) = nest.products
    if terms.terms != 1 or terms.coefficient is not None:
        return None
    if [program.varies(access.space) for access in terms.factors] != [True, True]:
        return None
    found = affine_access(numpy.stack([access.index[:, 0] for access in terms.factors]), numpy)
    if found is None or not 1 <= len(found[0]) <= 2:
        return None
    extents, (first, second) = found
    if len(extents) == 1:
        extents, first, second = [1, *extents], [0, *first], [0, *second]
    a, b = terms.factors
    if first[0] == 0 and second[1] == 0:
        a, b, first, second = b, a, second, first
    if first[1] or second[0]:
        return None
    outer, inner = Access(a.space, a.index[:: extents[1]]), Access(b.space, b.index[: extents[1]])
    # Nodes that follow each other in the outputs are columns, unless a vector would be mostly empty.
    numbers = [number for space, number in program.outputs if space == NESTS + k]
    along = extents[1] > 1 and len(numbers) > 1 and numbers[1] - numbers[0] == extents[1]
    inner_are_columns = not along if min(extents) >= lanes // 2 else extents[1] >= extents[0]
    if inner_are_columns:
        product = MatrixProduct(outer, inner, extents[0], extents[1], columns_outside=False)
    else:
        product = MatrixProduct(inner, outer, extents[1], extents[0], columns_outside=True)
    return product if 2 * product.columns >= lanes else None
