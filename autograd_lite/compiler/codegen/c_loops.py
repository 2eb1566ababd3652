"""Nests printed as C99: one function that adds the outputs up over samples, several samples to a vector.

Samples are worked on in blocks of some vectors, so that what a block computes stays in the nearest caches and
a weight that was loaded serves several samples. Sums of products are computed several nodes at a time, in
registers. A sum over samples of products of two results, which is the gradient by a matrix of weights, is a
product of matrices itself: one factor is turned, a vector then holds several nodes of one sample.

What does not live here: where the nests come from (`loops.py`), compilers (`native.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from autograd_lite.compiler.codegen.c_text import (
    LANGUAGE,
    added,
    affine_address,
    c_number,
    check_row,
    loop_heads,
    nested,
    plus,
    round_up,
    row_major,
    shifted,
    vector_address,
)
from autograd_lite.compiler.codegen.printer import CHOICE
from autograd_lite.compiler.ir.graph import CONDITIONS
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    NESTS,
    PARAMETER,
    Access,
    LoopNest,
    LoopProgram,
    ProductTerms,
    step_groups,
)
from autograd_lite.compiler.loops.strides import access_by_step, affine_access
from autograd_lite.core import rules as table

# So many nodes of a sum of products, for so many vectors of samples, are computed at a time: 16 sums are kept
# in registers, where 8 hide the time that one takes. Measured with networks of 8 to 256 neurons in a layer;
# longer blocks of samples than these vectors are no quicker.
NODES, VECTORS = 8, 2
PART = 40  # nests in a function


# What a nest of sums reads after the samples: the sum of a result over all of them.
SUMS = -1


@dataclass
class _Access:
    """An operand in an expression: an address for each node of the nest."""

    space: int
    index: Any


@dataclass
class _Product:
    """Sums over samples of ``row · column``: where these are found, and how many there are."""

    row: Access
    column: Access
    rows: int
    columns: int
    turned: bool  # the columns are the outer loop of the nest

    def place(self, number: Any, lanes: int) -> Any:
        """The place of node `number` among the sums, whose rows are filled up to whole vectors."""
        first, second = divmod(number, self.rows if self.turned else self.columns)
        row, column = (second, first) if self.turned else (first, second)
        return row * round_up(self.columns, lanes) + column


class LoopWriter:
    """Writes nests for blocks of `vectors` vectors of `lanes` samples; 0 lanes: what no sample changes."""

    def __init__(
        self,
        program: LoopProgram,
        numpy: Any,
        tables: dict[bytes, tuple[str, Any]],
        real: str,
        lanes: int,
        vectors: int,
    ) -> None:
        self.program, self.np, self.tables, self.real, self.lanes = program, numpy, tables, real, lanes
        nests = program.nests
        self.inlined = {k for k, nest in enumerate(nests) if nest.op in CONDITIONS}
        self.returned = {space - NESTS for space, _ in program.outputs}
        self.used: set[int] = set()
        for nest in nests:
            check_row(nest.op)
            read = {slot.space - NESTS for slot in nest.reads() if slot.space >= NESTS}
            (self.returned if nest.after else self.used).update(read)
        self.used |= {space - NESTS for space, _ in program.each}
        self.products = {
            k: product
            for k in sorted(self.returned - self.used)
            if vectors > 1 and nests[k].varies and (product := self.product_of_matrices(k))
        }
        # Room: a block of vectors for each result that varies, one for each sum, a number for the others.
        self.place: dict[int, int] = {}
        self.sum_place: dict[int, int] = {}
        self.fixed_place: dict[int, int] = {}
        room = sums = fixed = 0
        for k, nest in enumerate(nests):
            if k in self.inlined:
                continue
            if not nest.varies:
                self.fixed_place[k] = fixed
                fixed += nest.size
                continue
            if k in self.returned and k not in self.products:
                self.sum_place[k] = sums
                sums += nest.size
            if k in self.used:
                self.place[k] = room
                room += nest.size
        sums = round_up(sums, lanes)
        self.in_vectors = sums
        for k, product in self.products.items():
            self.sum_place[k] = sums
            sums += product.rows * round_up(product.columns, lanes)
        self.room, self.sums, self.fixed = room, sums, fixed
        self.columns: dict[tuple[int, int, int, int], tuple[str, int]] = {}  # of which turned copies are kept
        self.kept: dict[bytes, int] = {}
        self.functions: list[str] = []

    def product_of_matrices(self, k: int) -> _Product | None:
        """A nest as a product of matrices over the samples, if it is one."""
        nest = self.program.nests[k]
        if nest.op is not None or nest.steps or len(nest.products) != 1 or nest.products[0].terms != 1:
            return None
        (run,) = nest.products
        varies = [self.program.varies(slot.space) for slot in run.factors]
        if varies != [True, True] or run.coefficient is not None:
            return None
        found = affine_access(self.np.stack([slot.index[:, 0] for slot in run.factors]), self.np)
        if found is None or not 1 <= len(found[0]) <= 2:
            return None
        extents, (first, second) = found
        if len(extents) == 1:
            extents, first, second = [1, *extents], [0, *first], [0, *second]
        a, b = run.factors
        if first[0] == 0 and second[1] == 0:
            a, b, first, second = b, a, second, first
        if first[1] or second[0]:
            return None
        outer, inner = Access(a.space, a.index[:: extents[1]]), Access(b.space, b.index[: extents[1]])
        # Columns are what follows each other in the outputs, unless a vector would be mostly empty.
        numbers = [number for space, number in self.program.outputs if space == NESTS + k]
        along = extents[1] > 1 and len(numbers) > 1 and numbers[1] - numbers[0] == extents[1]
        inner_first = not along if min(extents) >= self.lanes // 2 else extents[1] >= extents[0]
        if inner_first:
            product = _Product(outer, inner, extents[0], extents[1], False)
        else:
            product = _Product(inner, outer, extents[1], extents[0], True)
        return product if 2 * product.columns >= self.lanes else None

    def summed(self, k: int, number: Any) -> Any:
        """The place of a node among the sums."""
        product = self.products.get(k)
        return self.sum_place[k] + (number if product is None else product.place(number, self.lanes))

    def number(self, x: float) -> str:
        """A constant in the type of the numbers, in which alone it may meet a vector."""
        return c_number(x) + ("f" if self.real == "float" and math.isfinite(x) else "")

    # --- Addresses

    def access(self, nest: LoopNest, slot: Access) -> Access:
        """Where an operand is found when the nest runs: after the samples, sums take the place of results."""
        if nest.after and self.program.varies(slot.space):
            return Access(SUMS, self.summed(slot.space - NESTS, slot.index))
        return slot

    def expression(self, space: int, index: Any, accesses: list[_Access], least: int = CHOICE) -> str:
        """An operand as text, with ``@k@`` for the address of access k; conditions are written out."""
        k = space - NESTS
        if space >= NESTS and k in self.inlined:
            nest = self.program.nests[k]
            operands = [self.access(nest, slot) for slot in nest.operands]
            return self.operation(
                nest, [(slot.space, slot.index[index, 0]) for slot in operands], accesses, least
            )
        if space == CONSTANT:
            values = self.np.unique(self.program.constants[index])
            if len(values) == 1:
                text = self.number(float(values[0]))
                return f"({text})" if text[0] == "-" else text
        accesses.append(_Access(space, index))
        return f"@{len(accesses) - 1}@"

    def operation(
        self, nest: LoopNest, operands: list[tuple[int, Any]], accesses: list[_Access], least: int
    ) -> str:
        """Return an operation on operands as text, in parentheses if it binds less tightly than `least`."""
        level, asked = LANGUAGE.precedence(nest.op)  # type: ignore[arg-type]
        texts = [
            self.expression(space, index, accesses, want)
            for (space, index), want in zip(operands, asked, strict=False)
        ]
        text = LANGUAGE.template(nest.op).format(*texts)  # type: ignore[arg-type]
        return text if level >= least else f"({text})"

    def loops(self, accesses: list[_Access], size: int, steps: int = 0) -> tuple[list[int], list[str]]:
        """The extents of a nest and the address of each access, in terms of i0, i1, ..., and of the step."""
        np = self.np
        if steps:
            moves = (
                access_by_step(np.stack([access.index for access in accesses]), steps, np)
                if accesses
                else None
            )
            size //= steps
            if moves is None:
                row = added("step" if size == 1 else f"{size} * step", "i0" if size > 1 else "0")
                return [size] * (size > 1), [f"{self.lookup(access.index)}[{row}]" for access in accesses]
            first = [_Access(access.space, index) for access, index in zip(accesses, moves[0], strict=True)]
            extents, addresses = self.loops(first, size)
            texts = [f"{stride} * step" if stride else "0" for stride in moves[1]]
            return extents, [added(a, text) for a, text in zip(addresses, texts, strict=True)]
        if size == 1:
            return [], [str(int(access.index[0])) for access in accesses]
        if not accesses:
            return [size], []
        found = affine_access(np.stack([access.index for access in accesses]), np)
        if found is None:
            return [size], [f"{self.lookup(access.index)}[i0]" for access in accesses]
        extents, strides = found
        return extents, [
            affine_address(int(access.index[0]), strides[k]) for k, access in enumerate(accesses)
        ]

    def lookup(self, index: Any) -> str:
        """The name of a table of addresses."""
        index = self.np.ascontiguousarray(index, dtype=self.np.int32)
        key = index.tobytes()
        if key not in self.tables:
            self.tables[key] = (f"table_{len(self.tables)}", index)
        return self.tables[key][0]

    # --- Statements

    def nests(self, name: str, vectors: int, lanes: int, after: bool = False) -> list[str]:
        """The nests, those of a roll in a loop over its steps; calls of functions, where they are several.

        What is to round as it is written and what is not are functions of their own, and none is long: a
        compiler takes more time for each loop of a longer one.
        """
        parts: list[tuple[list[str], int, bool | None]] = []  # lines, nests, whether it is as written
        for group in step_groups(self.program.nests):
            body = [line for k in group for line in self.nest(k, vectors, lanes, after)]
            if not body:
                continue
            lines = [line for k in group for line in self.started(k, vectors)]
            steps = self.program.nests[group[0]].steps
            lines += nested([f"for (int step = 0; step < {steps}; step++)"], body) if steps else body
            kinds = {nest.ordered for k in group if (nest := self.program.nests[k]).op is None}
            as_written = True in kinds or self.lanes == 1 if kinds else None
            if parts:
                before, count, kind = parts[-1]
                if count + len(group) <= PART and (None in (as_written, kind) or as_written == kind):
                    as_written = kind if as_written is None else as_written
                    parts[-1] = before + lines, count + len(group), as_written
                    continue
            parts.append((lines, len(group), as_written))
        if len(parts) < 2 and not any(kind is False for _, _, kind in parts):
            return [line for lines, _, _ in parts for line in lines]
        calls = []
        for k, (lines, _, as_written) in enumerate(parts):
            self.functions.append(self.function(f"{name}_{k}_", lines, vectors, bool(lanes), as_written))
            calls.append(f"{name}_{k}_(x, w, f, g, sums, room, {'count' if lanes else '0'});")
        return calls

    def function(
        self, name: str, lines: list[str], vectors: int, moves: bool, as_written: bool | None
    ) -> str:
        """A function of some nests, which may fuse products with sums unless they are as written."""
        used = {*re.findall(r"\b[nt]\d+\b", "\n".join(lines))}
        # Rooms are counted in results of a block.
        rooms = [(f"n{k}", place) for k, place in self.place.items()] + [*self.columns.values()]
        fuses = as_written is False
        return "\n".join(
            [
                f"{'FUSED' if fuses else 'PART'} static void {name}(const V *restrict x, "
                f"const {self.real} *restrict w,",
                f"        {'const ' * moves}{self.real} *restrict f, V *restrict g, "
                f"{self.real} *restrict sums, V *restrict room, int count)",
                "{",
                *(["    FUSE"] if fuses else []),
                f"    enum {{ Q = {vectors} }};",
                *[f"    V *{room} = room + {place * vectors};" for room, place in rooms if room in used],
                "    (void)x; (void)w; (void)f; (void)g; (void)sums; (void)room; (void)count;",
                *[f"    {line}" for line in lines],
                "}",
            ]
        )

    def started(self, k: int, vectors: int) -> list[str]:
        """The results of a nest that are copied from others."""
        lines, at, varies = [], 0, self.program.nests[k].varies
        q = "q" if vectors > 1 and varies else ""
        for slot in self.program.nests[k].start:
            access = _Access(slot.space, slot.index[:, 0])
            extents, (address,) = self.loops([access], len(slot.index))
            target = self.target(k, plus(at, affine_address(0, row_major(extents))), q)
            heads = [*loop_heads(extents), *(["for (int q = 0; q < Q; q++)"] if q else [])]
            lines += nested(heads, [f"{target} = {self.element(access, address, q)};"])
            at += len(slot.index)
        return lines

    def row(self, nest: LoopNest, extents: list[int]) -> str:
        """Which node of the nest the loops are at."""
        row = affine_address(0, row_major(extents))
        return added(row, f"{nest.rows // nest.steps} * step") if nest.steps else row

    def nest(self, k: int, vectors: int, lanes: int, after: bool = False) -> list[str]:
        """A nest as loops over its nodes and the samples of a block."""
        nest = self.program.nests[k]
        if k in self.inlined or nest.varies != bool(lanes) or nest.after != after:
            return []
        if nest.varies and k not in self.place and k not in self.sum_place:
            return []  # nothing reads it
        title = f"/* {nest.name}: {nest.size} of {len(list(nest.slots()))} operands */"
        if nest.op is not None:
            return [title, *self.elementwise(k, nest, vectors, lanes)]
        if k in self.products:
            return [title, *self.sums_of_samples(k, self.products[k], vectors, lanes)]
        return [title, *self.sums_of_products(k, nest, vectors, lanes)]

    def element(self, access: _Access, address: str, q: str, lane: str | None = None) -> str:
        """An operand for vector q of a block: a vector, or with `lane` one of its numbers."""
        k = access.space - NESTS
        if access.space == SUMS:
            return f"sums[{address}]"
        if access.space == PARAMETER:
            return f"w[{address}]"
        if access.space == CONSTANT:
            return f"c[{address}]"
        if access.space >= NESTS and not self.program.nests[k].varies:
            return f"f[{plus(self.fixed_place[k], address)}]"
        name = "x" if access.space == ARGUMENT else f"n{k}"
        return f"{name}[{vector_address(address, q)}]" + (f"[{lane}]" if lane else "")

    def target(self, k: int, node: str, q: str, lane: str | None = None) -> str:
        """Return the place of a node's result."""
        return self.element(_Access(NESTS + k, None), node, q, lane)

    def elementwise(self, k: int, nest: LoopNest, vectors: int, lanes: int) -> list[str]:
        """Print a nest that applies one operation to every node."""
        accesses: list[_Access] = []
        operands = [self.access(nest, slot) for slot in nest.operands]
        text = self.operation(nest, [(slot.space, slot.index[:, 0]) for slot in operands], accesses, CHOICE)
        extents, addresses = self.loops(accesses, nest.rows, nest.steps)
        q = "q" if vectors > 1 else ""
        lane = "l" if lanes > 1 else None
        inner = []
        for a, (access, address) in enumerate(zip(accesses, addresses, strict=True)):
            varies = self.program.varies(access.space)
            element = self.element(access, address, q if varies else "", lane if varies else None)
            if nest.op is table.where:
                # All is read before the choice: of a choice that reads, GCC 12 made loops that read wrong.
                inner.append(f"const {self.real} a{a} = {element};")
                element = f"a{a}"
            text = text.replace(f"@{a}@", element)
        node = plus(nest.size - nest.rows, self.row(nest, extents))
        total = f"g[{plus(self.sum_place.get(k, 0), node)}]" + (f"[{lane}]" if lane else "")
        if k in self.place or not nest.varies:
            inner.append(f"{self.target(k, node, q, lane)} = {text};")
            if k in self.sum_place:
                inner.append(f"{total} += {self.target(k, node, q, lane)};")
        else:
            inner.append(f"{total} += {text};")
        heads = loop_heads(extents)
        heads += ["for (int q = 0; q < Q; q++)"] if q else []
        heads += [f"for (int l = 0; l < {lanes}; l++)"] if lane else []
        return nested(heads, inner)

    def sums_of_products(self, k: int, nest: LoopNest, vectors: int, lanes: int) -> list[str]:
        """Print a nest of sums of products."""
        # The address of the first term advances with the node, the terms by steps that all nodes share.
        np = self.np
        accesses: list[_Access] = []
        plans: list[tuple[Any, list[int], list[Any], str]] = []  # run, its accesses, steps, coefficient
        for run in nest.products:
            own: list[int] = []
            steps: list[Any] = []
            slots = [self.access(nest, slot) for slot in run.factors]
            coefficient = ""
            if run.coefficient is not None:
                if (run.coefficient == run.coefficient.flat[0]).all():
                    coefficient = self.number(float(run.coefficient.flat[0]))
                else:
                    slots.insert(0, self.coefficients(run.coefficient))
            for slot in slots:
                own.append(len(accesses))
                accesses.append(_Access(slot.space, slot.index[:, 0]))
                offset = slot.index - slot.index[:, :1]
                steps.append(offset[0] if (offset == offset[0]).all() else slot.index)
            plans.append((run, own, steps, coefficient))
        extents, addresses = self.loops(accesses, nest.rows, nest.steps)
        row = self.row(nest, extents)
        node = plus(nest.size - nest.rows, row)

        def product(run: ProductTerms, factors: list[tuple[_Access, str]], coefficient: str, q: str) -> str:
            if not nest.written or run.commutes():  # numbers first, then vectors
                factors = sorted(factors, key=lambda factor: self.program.varies(factor[0].space))
            return self.product(factors, coefficient, q)

        def term(plan: Any, q: str) -> str:
            run, own, _, coefficient = plan
            return product(run, [(accesses[a], addresses[a]) for a in own], coefficient, q)

        if all(run.terms == 1 for run in nest.products):
            q = "q" if vectors > 1 else ""
            text = " + ".join([term(plan, q) for plan in plans])
            total = f"g[{plus(self.sum_place.get(k, 0), node)}]"
            if nest.varies and k not in self.place:
                return self.added_up(extents, total, text, bool(q))
            target = self.target(k, node, q)
            moving = any(self.program.varies(access.space) for access in accesses)
            body = [f"{target} = {'' if moving or not lanes else '(V){0} + '}{text};"]
            if k in self.sum_place:
                body.append(f"{total} += {target};")
            return nested([*loop_heads(extents), *(["for (int q = 0; q < Q; q++)"] if q else [])], body)

        def tile(nodes: int) -> list[str]:
            """So many neighbouring nodes, for as many vectors as there are registers for."""
            sums = [(u, v) for u in range(nodes) for v in range(vectors)]
            letter = f"i{len(extents) - 1}"

            def each(make: Callable[[str], str], sign: str) -> list[str]:
                lines = []
                for u, v in sums:
                    text = make(str(v) if vectors > 1 else "")
                    lines.append(f"s{u}_{v} {sign} {text if u == 0 else shifted(text, letter, u)};")
                return lines

            def stored(make: Callable[[str], str], sign: str) -> list[str]:
                return [
                    f"{target} {sign} {name};"
                    for line in each(make, "=")
                    for name, target in [line.removesuffix(";").split(" = ", 1)]
                ]

            names = ", ".join(f"s{u}_{v} = {'{0}' if lanes else '0'}" for u, v in sums)
            body = [f"{'V' if lanes else self.real} {names};"]
            for plan in plans:
                run, own, steps, coefficient = plan
                if run.terms == 1:
                    body += each(partial(term, plan), "+=")
                    continue
                flat = (
                    affine_access(np.stack(steps), np)
                    if steps and all(step.ndim == 1 for step in steps)
                    else None
                )
                if flat is not None:
                    heads = loop_heads(flat[0], "t")
                    moved = [
                        added(addresses[a], affine_address(0, flat[1][j], "t")) for j, a in enumerate(own)
                    ]
                else:
                    heads = loop_heads([run.terms], "t")
                    moved = [
                        added(addresses[a], f"{self.lookup(step)}[t0]")
                        if step.ndim == 1
                        else f"{self.lookup(step.ravel())}[({row}) * {run.terms} + t0]"
                        for a, step in zip(own, steps, strict=True)
                    ]
                factors = [(accesses[a], address) for a, address in zip(own, moved, strict=True)]
                body += nested(
                    heads,
                    each(partial(product, run, factors, coefficient), "+="),
                )
            if k in self.place or not nest.varies:
                body += stored(lambda q: self.target(k, node, q), "=")
            if k in self.sum_place:
                body += stored(lambda q: f"g[{plus(self.sum_place[k], node)}]", "+=")
            return body

        return tiled(extents, tile)

    def added_up(self, extents: list[int], total: str, text: str, blocks: bool) -> list[str]:
        """Sums over the samples, which stay in registers over all vectors of a block."""
        if not blocks:
            return nested(loop_heads(extents), [f"{total} += {text};"])
        letter = f"i{len(extents) - 1}"

        def tile(nodes: int) -> list[str]:
            totals, texts = [[shifted(t, letter, u) if u else t for u in range(nodes)] for t in (total, text)]
            return [
                f"V {', '.join(f's{u} = {t}' for u, t in enumerate(totals))};",
                *nested(["for (int q = 0; q < Q; q++)"], [f"s{u} += {t};" for u, t in enumerate(texts)]),
                *[f"{t} = s{u};" for u, t in enumerate(totals)],
            ]

        return tiled(extents, tile)

    def sums_of_samples(self, k: int, product: _Product, vectors: int, lanes: int) -> list[str]:
        """A product of matrices over the samples: its columns are the lanes, of a copy that is turned."""
        np = self.np
        width = round_up(product.columns, lanes) // lanes
        column = product.column.index[:, 0]
        step = int(column[1] - column[0]) if len(column) > 1 else 1
        key = (product.column.space, int(column[0]), step, product.columns)
        lines = []
        if key not in self.columns:
            self.columns[key] = (f"t{len(self.columns)}", self.room)
            self.room += width * lanes
        turned = self.columns[key][0]
        if key not in self.done:
            self.done.add(key)
            name = self.element(_Access(product.column.space, None), str(key[1]), "0" if vectors > 1 else "")
            lines.append(f"columns(&{name}, {step}, {product.columns}, {vectors}, {turned}, {width});")
        row = product.row.index[:, 0]
        found = affine_access(row[None, :], np)
        assert found is not None, "rows of a product advance by one stride"
        rows = affine_address(int(row[0]), [found[1][0][0] if found[0] else 0])
        name = self.element(_Access(product.row.space, None), "@", "0" if vectors > 1 else "")
        base, stride = self.sum_place[k], width * lanes

        def tile(nodes: int) -> list[str]:
            def columns(count: int) -> list[str]:
                sums = [(u, v) for u in range(nodes) for v in range(count)]

                def place(u: int, v: int) -> str:
                    return f"*(V *)&sums[{base + v * lanes} + {stride} * (i0 + {u}) + {lanes} * j]"

                at = [
                    f"((const {self.real} *)&{name.replace('@', shifted(rows, 'i0', u))})[s]"
                    for u in range(nodes)
                ]
                body = [f"V {', '.join(f's{u}_{v} = {place(u, v)}' for u, v in sums)};"]
                inner = [
                    f"const V {', '.join(f'y{v} = {turned}[s * {width} + j + {v}]' for v in range(count))};"
                ]
                for u in range(nodes):
                    inner.append(f"const {self.real} a{u} = {at[u]};")
                inner += [f"s{u}_{v} += a{u} * y{v};" for u, v in sums]
                body += nested(["for (int s = 0; s < count; s++)"], inner)
                return [*body, *[f"{place(u, v)} = s{u}_{v};" for u, v in sums]]

            whole = width - width % VECTORS
            lines = (
                nested([f"for (int j = 0; j < {whole}; j += {VECTORS})"], columns(VECTORS)) if whole else []
            )
            for j in range(whole, width):
                lines += ["{", *[f"    {line}" for line in [f"enum {{ j = {j} }};", *columns(1)]], "}"]
            return lines

        return lines + tiled([product.rows], tile)

    def coefficients(self, values: Any) -> Access:
        """Coefficients that differ, as constants."""
        program = self.program
        key = values.tobytes()
        if key not in self.kept:
            self.kept[key] = len(program.constants)
            program.constants = self.np.concatenate([program.constants, values.ravel()])
        return Access(CONSTANT, self.kept[key] + self.np.arange(values.size).reshape(values.shape))

    def product(self, factors: list[tuple[_Access, str]], coefficient: str, q: str) -> str:
        """Return one product as text."""
        texts = []
        if coefficient and coefficient != self.number(1.0):
            texts.append(f"({coefficient})" if coefficient[0] == "-" else coefficient)
        varies = self.program.varies
        for access, address in factors:
            if access.space == CONSTANT and address.isdigit():
                value = self.number(float(self.program.constants[int(address)]))
                texts.append(f"({value})" if value[0] == "-" else value)
            else:
                texts.append(self.element(access, address, q if varies(access.space) else ""))
        return " * ".join(texts) if texts else (coefficient or self.number(1.0))

    def block(self, vectors: int, lanes: int, name: str) -> str:
        """The function that works on one block of samples."""
        self.done: set[tuple[int, int, int, int]] = set()
        lines = self.nests(name, vectors, lanes)
        width = len(self.program.each)
        results: dict[int, list[tuple[int, int]]] = {}  # of each nest: places, and the numbers of its nodes
        for i, (space, number) in enumerate(self.program.each):
            results.setdefault(space - NESTS, []).append((i, number))
        for k, pairs in results.items():
            found = affine_access(self.np.array(pairs).T, self.np)
            extents = [len(pairs)] if found is None else found[0]
            if found is None:
                place, node = [f"{self.lookup(column)}[i0]" for column in self.np.array(pairs).T]
            else:
                place, node = [
                    affine_address(first, strides) for first, strides in zip(pairs[0], found[1], strict=True)
                ]
            lines += nested(
                [*loop_heads(extents), "for (int s = 0; s < count; s++)"],
                [f"each[s * {width} + {place}] = ((const {self.real} *)&n{k}[({node}) * Q])[s];"],
            )
        used = {*re.findall(r"\b[nt]\d+\b", "\n".join(lines))}
        # Rooms are counted in results of a block.
        rooms = [(f"n{k}", place) for k, place in self.place.items()] + [*self.columns.values()]
        return "\n".join(
            [
                f"static void {name}(const V *restrict x, const {self.real} *restrict w,",
                f"        const {self.real} *restrict f, V *restrict g, {self.real} *restrict sums,",
                f"        {self.real} *restrict each, V *restrict room, int count)",
                "{",
                f"    enum {{ Q = {vectors} }};",
                *[f"    V *{room} = room + {place * vectors};" for room, place in rooms if room in used],
                "    (void)x; (void)w; (void)f; (void)g; (void)sums; (void)each; (void)room; (void)count;",
                *[f"    {line}" for line in lines],
                "}",
            ]
        )


def tiled(extents: list[int], tile: Callable[[int], list[str]]) -> list[str]:
    """Loops that work on some nodes at a time; what is left over of the innermost one follows."""
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
