"""Sums of products in C, computed several nodes and several vectors of samples at a time, in registers.

A sum over samples of products of two results, which is the gradient by a matrix of weights, is a matrix
product: one factor is transposed, so that a vector holds several nodes of one sample. Next door:
`c_loops.py` prints all other nests and puts the loops into functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograd_lite.compiler.codegen.c_operands import Operands
from autograd_lite.compiler.codegen.c_text import (
    added,
    affine_address,
    loop_heads,
    nested,
    plus,
    round_up,
    shifted,
)
from autograd_lite.compiler.codegen.c_workspace import Block
from autograd_lite.compiler.loops.ir import CONSTANT, NESTS, Access, LoopNest, ProductTerms, common_number
from autograd_lite.compiler.loops.strides import affine_access, term_offsets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A tile is `NODES` nodes of a sum of products, for `VECTORS` vectors of samples. Its 16 sums fit the
# registers, and 8 independent additions hide the latency of one. Measured on networks of 8 to 256 neurons in
# a layer; blocks of more vectors are not faster.
NODES, VECTORS = 8, 2


def tiled(extents: list[int], tile: Callable[[int], list[str]]) -> list[str]:
    """Return loops over nodes, several of which `tile` prints at a time; the remainder follows."""
    if not extents:
        return nested([], tile(1))
    outer = loop_heads(extents)[:-1]
    letter, whole = f"i{len(outer)}", extents[-1] // NODES * NODES
    lines = []
    if whole:
        lines += nested([f"for (int {letter} = 0; {letter} < {whole}; {letter} += {NODES})"], tile(NODES))
    if extents[-1] > whole:
        lines += nested([], [f"enum {{ {letter} = {whole} }};", *tile(extents[-1] - whole)])
    return nested(outer, lines) if outer else lines


@dataclass
class _Terms:
    """Terms of one shape, and their operands, numbered among all operands of the nest."""

    terms: ProductTerms
    coefficient: float  # 1 if it differs: then it is an operand
    own: list[int]
    offsets: list[NDArray[np.int64]]  # from the first term, (terms,); or an operand's index, (nodes, terms)
    count: int | None  # where the numbers of terms differ: their place among the operands


class SumsOfProducts:
    """The loops of a nest of sums of products."""

    def __init__(self, operands: Operands, k: int, block: Block) -> None:
        self.operands, self.k, self.block = operands, k, block
        self.program, self.workspace = operands.program, operands.workspace
        self.nest: LoopNest = self.program.nests[k]
        self.accesses: list[Access] = []  # of each operand for the first term: indices of the shape (nodes,)
        self.terms = [self._collected(terms) for terms in self.nest.products]
        self.extents, self.addresses = operands.addresses(self.accesses, self.nest)
        self.row = operands.row(self.nest, self.extents)
        self.node = plus(self.nest.size - self.nest.rows, self.row)
        self.total = f"g[{plus(self.workspace.sums.get(k, 0), self.node)}]"
        self.stores = k in self.workspace.blocks or not self.nest.varies
        self.adds_up = k in self.workspace.sums

    def _collected(self, terms: ProductTerms) -> _Terms:
        """Number the operands of terms, and find the offset of each term from the address of the first."""
        accesses, coefficient = [self.operands.located(self.nest, access) for access in terms.factors], 1.0
        if terms.coefficient is not None:
            number = common_number(terms.coefficient)
            if number is None:
                accesses.insert(0, self.operands.coefficients(terms.coefficient))
            else:
                coefficient = number
        own: list[int] = []
        offsets: list[NDArray[np.int64]] = []
        for access in accesses:
            own.append(len(self.accesses))
            self.accesses.append(Access(access.space, access.index[:, 0]))
            offset = term_offsets(terms, access.index, self.operands.np)
            offsets.append(access.index if offset is None else offset)
        count = None
        if terms.counts is not None:
            count = len(self.accesses)
            self.accesses.append(Access(CONSTANT, terms.counts))
        return _Terms(terms, coefficient, own, offsets, count)

    def lines(self) -> list[str]:
        """Return the loops as lines of C."""
        if any(terms.count is not None for terms in self.terms):
            return nested(loop_heads(self.extents), self._tile(1))
        if any(terms.terms.terms > 1 for terms in self.terms):
            return tiled(self.extents, self._tile)
        text = " + ".join([self._product(terms, self._first(terms), self.block.q) for terms in self.terms])
        if self.nest.varies and not self.stores:
            return self._added_up(text)
        target = self._target(self.block.q)
        if self.block.lanes and not any(self.program.varies(access.space) for access in self.accesses):
            text += " - (V){0}"  # a vector of one number; adding 0 would lose the sign of -0.0
        body = [f"{target} = {text};"]
        if self.adds_up:
            body.append(f"{self.total} += {target};")
        return nested(
            [*loop_heads(self.extents), *(["for (int q = 0; q < Q; q++)"] * bool(self.block.q))], body
        )

    def _target(self, q: str) -> str:
        return self.operands.element(NESTS + self.k, self.node, q)

    def _first(self, terms: _Terms) -> list[tuple[int, str]]:
        """Return the space and the address of each factor of the first term."""
        return [(self.accesses[a].space, self.addresses[a]) for a in terms.own]

    def _product(self, terms: _Terms, factors: list[tuple[int, str]], q: str) -> str:
        if not self.nest.written or terms.terms.commutes():  # numbers first, then vectors
            factors = sorted(factors, key=lambda factor: self.program.varies(factor[0]))
        return self.operands.product(terms.coefficient, factors, q)

    def _added_up(self, text: str) -> list[str]:
        """Return sums over the samples, which stay in registers over all vectors of a block."""
        if not self.block.q:
            return nested(loop_heads(self.extents), [f"{self.total} += {text};"])

        def tile(nodes: int) -> list[str]:
            totals, texts = [[self._moved(t, u) for u in range(nodes)] for t in (self.total, text)]
            return [
                f"V {', '.join(f's{u} = {t}' for u, t in enumerate(totals))};",
                *nested(["for (int q = 0; q < Q; q++)"], [f"s{u} += {t};" for u, t in enumerate(texts)]),
                *[f"{t} = s{u};" for u, t in enumerate(totals)],
            ]

        return tiled(self.extents, tile)

    def _moved(self, text: str, nodes: int) -> str:
        """Return a text moved forward by some nodes of the inner loop."""
        return shifted(text, f"i{len(self.extents) - 1}", nodes) if nodes else text

    def _tile(self, nodes: int) -> list[str]:
        """Return the sums of some neighbouring nodes, for all vectors of the block."""
        places = [(u, v) for u in range(nodes) for v in range(self.block.vectors)]

        def each(text: Callable[[str], str]) -> list[tuple[str, str]]:
            """Pair each sum's register with the text for its node and its vector."""
            q = [str(v) if self.block.q else "" for v in range(self.block.vectors)]
            return [(f"s{u}_{v}", self._moved(text(q[v]), u)) for u, v in places]

        zero = "{0}" if self.block.lanes else "0"
        names = ", ".join([f"s{u}_{v} = {zero}" for u, v in places])
        body = [f"{'V' if self.block.lanes else self.operands.real} {names};"]
        for terms in self.terms:
            heads, factors = self._terms_loop(terms)
            sums = [f"{s} += {text};" for s, text in each(lambda q: self._product(terms, factors, q))]  # noqa: B023
            body += nested(heads, sums) if heads else sums
        if self.stores:
            body += [f"{target} = {s};" for s, target in each(self._target)]
        if self.adds_up:
            body += [f"{total} += {s};" for s, total in each(lambda q: self.total)]
        return body

    def _terms_loop(self, terms: _Terms) -> tuple[list[str], list[tuple[int, str]]]:
        """Return the heads of the loops over terms, and the space and the address of each factor in them."""
        count = terms.terms.terms
        if count == 1:
            return [], self._first(terms)
        found = None
        if terms.offsets and all(offset.ndim == 1 for offset in terms.offsets):
            found = affine_access(self.operands.np.stack(terms.offsets), self.operands.np)
        if terms.count is not None and found is not None and len(found[0]) > 1:
            found = None
        if found is not None:
            heads = loop_heads(found[0], "t")
            steps = [affine_address(0, strides, "t") for strides in found[1]]
            addresses = [added(self.addresses[a], step) for a, step in zip(terms.own, steps, strict=True)]
        else:
            heads, table = loop_heads([count], "t"), self.operands.table
            addresses = [
                added(self.addresses[a], f"{table(offset)}[t0]")
                if offset.ndim == 1
                else f"{table(offset.ravel())}[({self.row}) * {count} + t0]"
                for a, offset in zip(terms.own, terms.offsets, strict=True)
            ]
        if terms.count is not None:
            heads = loop_heads([self.addresses[terms.count]], "t")
        return heads, [(self.accesses[a].space, text) for a, text in zip(terms.own, addresses, strict=True)]


def matrix_product_lines(operands: Operands, k: int, block: Block) -> list[str]:
    """Return the loops of a matrix product over samples; its lanes are columns of a transposed copy."""
    product, workspace = operands.workspace.products[k], operands.workspace
    lanes, real = block.lanes, operands.real
    width = round_up(product.columns, lanes) // lanes
    column = product.column.index[:, 0]
    step = int(column[1] - column[0]) if len(column) > 1 else 1
    columns = (product.column.space, int(column[0]), step, product.columns)
    q, lines, copy = "0" if block.q else "", list[str](), workspace.transposed(columns)
    if columns not in block.transposed:
        block.transposed.add(columns)
        first = operands.element(product.column.space, str(columns[1]), q)
        lines.append(f"columns(&{first}, {step}, {product.columns}, {block.vectors}, {copy}, {width});")
    row = product.row.index[:, 0]
    found = affine_access(row[None, :], operands.np)
    assert found is not None, "rows of a product advance by one stride"
    rows = affine_address(int(row[0]), [found[1][0][0] if found[0] else 0])
    base, stride = workspace.sums[k], width * lanes

    def place(u: int, v: int) -> str:
        return f"*(V *)&sums[{base + v * lanes} + {stride} * (i0 + {u}) + {lanes} * j]"

    def factor(u: int) -> str:
        element = operands.element(product.row.space, shifted(rows, "i0", u), q)
        return f"((const {real} *)&{element})[s]"

    def tile(nodes: int, vectors: int) -> list[str]:
        """Return the sums of some rows and some vectors of columns."""
        places = [(u, v) for u in range(nodes) for v in range(vectors)]
        inner = [f"const V {', '.join(f'y{v} = {copy}[s * {width} + j + {v}]' for v in range(vectors))};"]
        inner += [f"const {real} a{u} = {factor(u)};" for u in range(nodes)]
        inner += [f"s{u}_{v} += a{u} * y{v};" for u, v in places]
        return [
            f"V {', '.join(f's{u}_{v} = {place(u, v)}' for u, v in places)};",
            *nested(["for (int s = 0; s < count; s++)"], inner),
            *[f"{place(u, v)} = s{u}_{v};" for u, v in places],
        ]

    def rows_of(nodes: int) -> list[str]:
        """Return the loop over the columns for some rows, in pairs of vectors and then a single one."""
        whole, text = width - width % VECTORS, list[str]()
        if whole:
            text = nested([f"for (int j = 0; j < {whole}; j += {VECTORS})"], tile(nodes, VECTORS))
        for j in range(whole, width):
            text += nested([], [f"enum {{ j = {j} }};", *tile(nodes, 1)])
        return text

    return lines + tiled([product.rows], rows_of)
