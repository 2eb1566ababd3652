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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from autograd_lite.compiler.codegen.c_words import WORDS
from autograd_lite.compiler.codegen.printer import CHOICE, OR, Language, identifier
from autograd_lite.compiler.ir.graph import CONDITIONS, Op
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
from autograd_lite.core.primitive import Primitive

# So many nodes of a sum of products, for so many vectors of samples, are computed at a time: 16 sums are kept
# in registers, where 8 hide the time that one takes. Measured with networks of 8 to 256 neurons in a layer;
# longer blocks of samples than these vectors are no quicker.
NODES, VECTORS = 8, 2
PART = 40  # nests in a function


def _number(x: float) -> str:
    if math.isfinite(x):
        return repr(x)
    return "NAN" if x != x else "INFINITY" if x > 0.0 else "-INFINITY"


# What the function cannot be called: words of C, and names that the text has for something else.
TAKEN = WORDS | {
    "V",
    "M",
    "MIX",
    "PART",
    "FUSED",
    "FUSE",
    "c",
    "turn",
    "columns",
    "sums_over",
    "block_1",
    "block_2",
}
LANGUAGE = Language(
    "c", {"and": "{0} && {1}", "or": "{0} || {1}", "not": "!{0}"}, (CHOICE, (OR, OR, CHOICE)), number=_number
)


def function_name(title: str) -> str:
    """A name in C for a title."""
    name = identifier(title.encode("ascii", "replace").decode(), {*TAKEN})
    return f"{name}_" if re.fullmatch(r"table_\d+", name) else name


# What a nest of sums reads after the samples: the sum of a result over all of them.
SUMS = -1


@dataclass
class Layout:
    """The text, and how much room for work it asks for."""

    text: str
    work: int
    scale: str  # "m" where samples are given: then the outputs are sums over them


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
        return row * _whole(self.columns, lanes) + column


def check_row(op: Op | None) -> None:
    """Raise `ValueError` if a row has no form in C."""
    if isinstance(op, Primitive) and "c" not in op.template:
        raise ValueError(
            f"{op.name} has no form in C: give it one by a formula written with other rows, "
            'or template={"c": "name({0})"}; the program runs in its other forms'
        )


class _Writer:
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
        sums = _whole(sums, lanes)
        self.in_vectors = sums
        for k, product in self.products.items():
            self.sum_place[k] = sums
            sums += product.rows * _whole(product.columns, lanes)
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
        return _number(x) + ("f" if self.real == "float" and math.isfinite(x) else "")

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
                row = _sum_text("step" if size == 1 else f"{size} * step", "i0" if size > 1 else "0")
                return [size] * (size > 1), [f"{self.lookup(access.index)}[{row}]" for access in accesses]
            first = [_Access(access.space, index) for access, index in zip(accesses, moves[0], strict=True)]
            extents, addresses = self.loops(first, size)
            texts = [f"{stride} * step" if stride else "0" for stride in moves[1]]
            return extents, [_sum_text(a, text) for a, text in zip(addresses, texts, strict=True)]
        if size == 1:
            return [], [str(int(access.index[0])) for access in accesses]
        if not accesses:
            return [size], []
        found = affine_access(np.stack([access.index for access in accesses]), np)
        if found is None:
            return [size], [f"{self.lookup(access.index)}[i0]" for access in accesses]
        extents, strides = found
        return extents, [_address(int(access.index[0]), strides[k]) for k, access in enumerate(accesses)]

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
            lines += _nested([f"for (int step = 0; step < {steps}; step++)"], body) if steps else body
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
            target = self.target(k, _plus(at, _address(0, _steps(extents))), q)
            heads = [*_heads(extents), *(["for (int q = 0; q < Q; q++)"] if q else [])]
            lines += _nested(heads, [f"{target} = {self.element(access, address, q)};"])
            at += len(slot.index)
        return lines

    def row(self, nest: LoopNest, extents: list[int]) -> str:
        """Which node of the nest the loops are at."""
        row = _address(0, _steps(extents))
        return _sum_text(row, f"{nest.rows // nest.steps} * step") if nest.steps else row

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
            return f"f[{_plus(self.fixed_place[k], address)}]"
        name = "x" if access.space == ARGUMENT else f"n{k}"
        return f"{name}[{_vector(address, q)}]" + (f"[{lane}]" if lane else "")

    def target(self, k: int, node: str, q: str, lane: str | None = None) -> str:
        return self.element(_Access(NESTS + k, None), node, q, lane)

    def elementwise(self, k: int, nest: LoopNest, vectors: int, lanes: int) -> list[str]:
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
        node = _plus(nest.size - nest.rows, self.row(nest, extents))
        total = f"g[{_plus(self.sum_place.get(k, 0), node)}]" + (f"[{lane}]" if lane else "")
        if k in self.place or not nest.varies:
            inner.append(f"{self.target(k, node, q, lane)} = {text};")
            if k in self.sum_place:
                inner.append(f"{total} += {self.target(k, node, q, lane)};")
        else:
            inner.append(f"{total} += {text};")
        heads = _heads(extents)
        heads += ["for (int q = 0; q < Q; q++)"] if q else []
        heads += [f"for (int l = 0; l < {lanes}; l++)"] if lane else []
        return _nested(heads, inner)

    def sums_of_products(self, k: int, nest: LoopNest, vectors: int, lanes: int) -> list[str]:
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
        node = _plus(nest.size - nest.rows, row)

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
            total = f"g[{_plus(self.sum_place.get(k, 0), node)}]"
            if nest.varies and k not in self.place:
                return self.added_up(extents, total, text, bool(q))
            target = self.target(k, node, q)
            moving = any(self.program.varies(access.space) for access in accesses)
            body = [f"{target} = {'' if moving or not lanes else '(V){0} + '}{text};"]
            if k in self.sum_place:
                body.append(f"{total} += {target};")
            return _nested([*_heads(extents), *(["for (int q = 0; q < Q; q++)"] if q else [])], body)

        def tile(nodes: int) -> list[str]:
            """So many neighbouring nodes, for as many vectors as there are registers for."""
            sums = [(u, v) for u in range(nodes) for v in range(vectors)]
            letter = f"i{len(extents) - 1}"

            def each(make: Callable[[str], str], sign: str) -> list[str]:
                lines = []
                for u, v in sums:
                    text = make(str(v) if vectors > 1 else "")
                    lines.append(f"s{u}_{v} {sign} {text if u == 0 else _shifted(text, letter, u)};")
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
                    heads = _heads(flat[0], "t")
                    moved = [_sum_text(addresses[a], _address(0, flat[1][j], "t")) for j, a in enumerate(own)]
                else:
                    heads = _heads([run.terms], "t")
                    moved = [
                        _sum_text(addresses[a], f"{self.lookup(step)}[t0]")
                        if step.ndim == 1
                        else f"{self.lookup(step.ravel())}[({row}) * {run.terms} + t0]"
                        for a, step in zip(own, steps, strict=True)
                    ]
                factors = [(accesses[a], address) for a, address in zip(own, moved, strict=True)]
                body += _nested(
                    heads,
                    each(partial(product, run, factors, coefficient), "+="),
                )
            if k in self.place or not nest.varies:
                body += stored(lambda q: self.target(k, node, q), "=")
            if k in self.sum_place:
                body += stored(lambda q: f"g[{_plus(self.sum_place[k], node)}]", "+=")
            return body

        return _blocked(extents, tile)

    def added_up(self, extents: list[int], total: str, text: str, blocks: bool) -> list[str]:
        """Sums over the samples, which stay in registers over all vectors of a block."""
        if not blocks:
            return _nested(_heads(extents), [f"{total} += {text};"])
        letter = f"i{len(extents) - 1}"

        def tile(nodes: int) -> list[str]:
            totals, texts = [
                [_shifted(t, letter, u) if u else t for u in range(nodes)] for t in (total, text)
            ]
            return [
                f"V {', '.join(f's{u} = {t}' for u, t in enumerate(totals))};",
                *_nested(["for (int q = 0; q < Q; q++)"], [f"s{u} += {t};" for u, t in enumerate(texts)]),
                *[f"{t} = s{u};" for u, t in enumerate(totals)],
            ]

        return _blocked(extents, tile)

    def sums_of_samples(self, k: int, product: _Product, vectors: int, lanes: int) -> list[str]:
        """A product of matrices over the samples: its columns are the lanes, of a copy that is turned."""
        np = self.np
        width = _whole(product.columns, lanes) // lanes
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
        rows = _address(int(row[0]), [found[1][0][0] if found[0] else 0])
        name = self.element(_Access(product.row.space, None), "@", "0" if vectors > 1 else "")
        base, stride = self.sum_place[k], width * lanes

        def tile(nodes: int) -> list[str]:
            def columns(count: int) -> list[str]:
                sums = [(u, v) for u in range(nodes) for v in range(count)]

                def place(u: int, v: int) -> str:
                    return f"*(V *)&sums[{base + v * lanes} + {stride} * (i0 + {u}) + {lanes} * j]"

                at = [
                    f"((const {self.real} *)&{name.replace('@', _shifted(rows, 'i0', u))})[s]"
                    for u in range(nodes)
                ]
                body = [f"V {', '.join(f's{u}_{v} = {place(u, v)}' for u, v in sums)};"]
                inner = [
                    f"const V {', '.join(f'y{v} = {turned}[s * {width} + j + {v}]' for v in range(count))};"
                ]
                for u in range(nodes):
                    inner.append(f"const {self.real} a{u} = {at[u]};")
                inner += [f"s{u}_{v} += a{u} * y{v};" for u, v in sums]
                body += _nested(["for (int s = 0; s < count; s++)"], inner)
                return [*body, *[f"{place(u, v)} = s{u}_{v};" for u, v in sums]]

            whole = width - width % VECTORS
            lines = (
                _nested([f"for (int j = 0; j < {whole}; j += {VECTORS})"], columns(VECTORS)) if whole else []
            )
            for j in range(whole, width):
                lines += ["{", *[f"    {line}" for line in [f"enum {{ j = {j} }};", *columns(1)]], "}"]
            return lines

        return lines + _blocked([product.rows], tile)

    def coefficients(self, values: Any) -> Access:
        """Coefficients that differ, as constants."""
        program = self.program
        key = values.tobytes()
        if key not in self.kept:
            self.kept[key] = len(program.constants)
            program.constants = self.np.concatenate([program.constants, values.ravel()])
        return Access(CONSTANT, self.kept[key] + self.np.arange(values.size).reshape(values.shape))

    def product(self, factors: list[tuple[_Access, str]], coefficient: str, q: str) -> str:
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
                    _address(first, strides) for first, strides in zip(pairs[0], found[1], strict=True)
                ]
            lines += _nested(
                [*_heads(extents), "for (int s = 0; s < count; s++)"],
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


def _whole(n: int, lanes: int) -> int:
    """n rounded up to whole vectors."""
    return -(-n // max(lanes, 1)) * max(lanes, 1)


def _vector(address: str, q: str) -> str:
    return f"({address}) * Q + {q}" if q else address


def _heads(extents: Sequence[int], letter: str = "i") -> list[str]:
    return [
        f"for (int {letter}{d} = 0; {letter}{d} < {extent}; {letter}{d}++)"
        for d, extent in enumerate(extents)
    ]


def _nested(heads: list[str], body: list[str]) -> list[str]:
    """The body in a nest of loops, or in a block of its own."""
    return [*heads[:-1], (heads[-1] + " {") if heads else "{", *[f"    {line}" for line in body], "}"]


def _shifted(text: str, letter: str, by: int) -> str:
    """The text for the node that comes so many after this one."""
    return re.sub(rf"\b{letter}\b", f"({letter} + {by})", text)


def _blocked(extents: list[int], tile: Callable[[int], list[str]]) -> list[str]:
    """Loops that work on some nodes at a time; what is left over of the innermost one follows."""
    if not extents:
        return _nested([], tile(1))
    outer = _heads(extents)[:-1]
    letter, whole = f"i{len(outer)}", extents[-1] // NODES * NODES
    lines = []
    if whole:
        lines += _nested([f"for (int {letter} = 0; {letter} < {whole}; {letter} += {NODES})"], tile(NODES))
    if extents[-1] > whole:
        lines += _nested([], [f"enum {{ {letter} = {whole} }};", *tile(extents[-1] - whole)])
    return _nested(outer, lines) if outer else lines


def _address(base: int, strides: Sequence[int], letter: str = "i") -> str:
    parts = [
        f"{letter}{d}" if stride == 1 else f"{stride} * {letter}{d}"
        for d, stride in enumerate(strides)
        if stride
    ]
    if base or not parts:
        parts.insert(0, str(base))
    return " + ".join(parts).replace("+ -", "- ")


def _plus(base: int, address: str) -> str:
    return address if base == 0 else str(base + int(address)) if address.isdigit() else f"{base} + {address}"


def _sum_text(a: str, b: str) -> str:
    return b if a == "0" else a if b == "0" else f"{a} + {b}"


def _steps(extents: Sequence[int]) -> list[int]:
    steps: list[int] = []
    step = 1
    for extent in reversed(extents):
        steps.insert(0, step)
        step *= extent
    return steps


def _runs(places: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Runs of neighbours: (i, k, j) followed by (i + 1, k, j + 1) and so on, and how many."""
    runs: list[tuple[int, int, int, int]] = []
    for i, k, j in places:
        if runs:
            first_i, of, first_j, n = runs[-1]
            if (i, k, j) == (first_i + n, of, first_j + n):
                runs[-1] = (first_i, of, first_j, n + 1)
                continue
        runs.append((i, k, j, 1))
    return runs


def _copied(to: str, pairs: list[tuple[int, int]], source: str, table: str, factor: str = "") -> list[str]:
    """Statements for ``to[i] = source[j]`` of each pair: as few runs of neighbours as there are."""
    runs = [(i, j, n) for i, _, j, n in _runs([(i, 0, j) for i, j in pairs])]
    if not runs:
        return []
    numbers = ", ".join([f"{{{i}, {j}, {n}}}" for i, j, n in runs])
    return [
        f"static const int {table}[][3] = {{{numbers}}};",
        f"for (int r = 0; r < {len(runs)}; r++)",
        f"    for (int i = 0; i < {table}[r][2]; i++)",
        f"        {to}[{table}[r][0] + i] = {factor}{source}[{table}[r][1] + i];",
    ]


def c_layout(
    program: LoopProgram,
    numpy: Any,
    *,
    name: str,
    arguments: Sequence[tuple[str, int]],
    lanes: int,
    real: str = "double",
    recorded: bool = False,
) -> Layout:
    """The text of ``name``, which adds the outputs of m samples up; with one lane it is plain C99.

    The arguments are given with the number of numbers that each has in a sample; those of a batch that was
    recorded are its data, and the outputs are what they are, once for all samples.
    """
    program = _with_results(program, numpy)
    tables: dict[bytes, tuple[str, Any]] = {}
    vectors = VECTORS if lanes > 1 else 1
    writer = _Writer(program, numpy, tables, real, lanes, vectors)
    nests = program.nests
    n = sum(size for _, size in arguments)
    sizes = sorted({vectors, 1}, reverse=True)
    blocks = [writer.block(size, lanes, f"block_{size}") for size in sizes]
    if writer.columns:
        writer.functions = []
        blocks = [writer.block(size, lanes, f"block_{size}") for size in sizes]
    before, after = writer.nests("before", 1, 0), writer.nests("after", 1, 0, after=True)
    functions = writer.functions
    summed: list[tuple[int, int]] = []
    fixed: list[tuple[int, int]] = []
    for i, (space, number) in enumerate(program.outputs):
        k = space - NESTS
        if nests[k].varies:
            summed.append((i, writer.summed(k, number)))
        else:
            fixed.append((i, writer.fixed_place[k] + number))
    scale = "1" if recorded or not arguments else "m"
    results = _copied("out", summed, "sums", "from_sums")
    results += _copied("out", fixed, "f", "from_fixed", "" if scale == "1" else "m * ")
    leaves = program.leaves.tolist()
    moved = leaves != [*range(len(leaves))]
    taken = _copied("v", list(enumerate(leaves)), "w", "from_leaves") if moved else []
    data = [
        f"static const int {table_name}[] = {{{', '.join(map(str, index.tolist()))}}};"
        for table_name, index in tables.values()
    ]
    if re.search(r"\bc\[", "".join([*functions, *blocks, *before, *after])):
        data.append(
            f"static const {real} c[] = {{{', '.join(_number(float(x)) for x in program.constants)}}};"
        )
    sums_at = _whole(len(leaves), 16) if moved else 0
    fixed_at = sums_at + _whole(writer.sums, 16)
    blocks_at = fixed_at + _whole(writer.fixed, 16)
    in_vectors = writer.in_vectors if lanes > 1 else 0
    work = blocks_at + lanes * (in_vectors + (n + writer.room) * vectors)
    shapes = ", ".join([f"{given} ({size})" for given, size in arguments])
    text = _TEXT.format(
        name=name,
        real=real,
        given=f"of each argument the numbers of m samples, one sample after the other: {shapes}"
        if arguments
        else "none: m is 1",
        leaves=len(leaves),
        outputs=len(program.outputs),
        work=work,
        aligned=", its start a multiple of 64 bytes" if lanes > 1 else "",
        types=types(real, lanes) + (_PARTS if functions else ""),
        turn=_turn(lanes, real, bool(writer.columns)) if lanes > 1 else "",
        data="\n".join(data),
        blocks="\n\n".join([*functions, *(blocks if any(nest.varies for nest in nests) else [])]),
        before="\n".join(f"    {line}" for line in before),
        after="\n".join(f"    {line}" for line in after),
        g="(V *)work" if lanes > 1 else "sums",
        x=f"(V *)work + {in_vectors}",
        room=n * vectors,
        sums=writer.sums,
        in_vectors=in_vectors,
        samples=_samples(arguments, sizes, lanes, in_vectors, len(program.each))
        if any(nest.varies for nest in nests)
        else "",
        each=f", then {len(program.each)} numbers for each sample" if program.each else "",
        v="work" if moved else "w",
        sums_at=sums_at,
        fixed_at=fixed_at,
        blocks_at=blocks_at,
        taken="\n".join(f"    {line}" for line in taken).replace("v[", "((" + real + " *)v)["),
        results="\n".join(f"    {line}" for line in results),
    )
    return Layout(text, work, scale)


def types(real: str, lanes: int) -> str:
    """The header, and the type of the numbers of several samples."""
    if lanes == 1:
        vector = f"typedef {real} V;"
    else:
        bits, integer = (8, "long long") if real == "double" else (4, "int")
        vector = _VECTOR.format(real=real, size=lanes * bits, bits=bits, integer=integer)
    return f"#include <{'math.h' if real == 'double' else 'tgmath.h'}>\n\n{vector}"


def _with_results(program: LoopProgram, numpy: Any) -> LoopProgram:
    """The same with outputs that are all results of nests: what is an input itself is copied."""
    nests, outputs, each = [*program.nests], [*program.outputs], [*program.each]

    def copied(places: list[tuple[int, int]], space: int, varies: bool) -> None:
        """Replace the places in this space by those of a nest that copies them."""
        found = [i for i, (of, _) in enumerate(places) if of == space]
        if found:
            index = numpy.array([[places[i][1]] for i in found])
            for k, i in enumerate(found):
                places[i] = (NESTS + len(nests), k)
            nests.append(
                LoopNest(
                    None,
                    len(found),
                    "copy",
                    products=[ProductTerms(None, [Access(space, index)], 1)],
                    varies=varies,
                )
            )

    for space in (ARGUMENT, PARAMETER, CONSTANT):
        copied(outputs, space, space == ARGUMENT)
    for space in sorted({of for of, _ in each}):
        if space == ARGUMENT or not program.varies(space):
            copied(each, space, True)
    return LoopProgram(nests, program.leaves, program.constants, outputs, each)


def _samples(
    arguments: Sequence[tuple[str, int]], sizes: list[int], lanes: int, in_vectors: int, each: int
) -> str:
    """The loops over the samples: what is left over of whole vectors first, then blocks of vectors."""
    blocks = ""
    lane = "[l]" if lanes > 1 else ""

    def taken(size: int, sample: str) -> str:
        lines, at = [], 0
        for a, (_, n) in enumerate(arguments):
            lines += [
                f"    for (int q = 0; q < {size}; q++)",
                f"        for (int l = 0; l < {lanes}; l++)",
                f"            for (int k = 0; k < {n}; k++)",
                f"                x[(k + {at}) * {size} + q]{lane} = samples[{a}][({sample}) * {n} + k];",
            ]
            at += n
        return "\n".join([f"    {line}" for line in lines])

    if lanes > 1:
        blocks += f"""
    const int left = (int)(m % {lanes});
    if (left) {{ /* the vector is filled up with copies that do not count */
        M counts;
        for (int l = 0; l < {lanes}; l++)
            counts[l] = l < left ? -1 : 0;
{taken(1, "m - left + (l < left ? l : 0)")}
        block_1(x, w, f, g, sums, each + (m - left) * {each}, room, left);
        for (int k = 0; k < {in_vectors}; k++)
            g[k] = (V)((M)g[k] & counts);
    }}"""
    blocks += f"""
    long done = 0;
    const long whole = m{" - left" if lanes > 1 else ""};"""
    for size in sizes:
        step = size * lanes
        blocks += f"""
    for (; done + {step} <= whole; done += {step}) {{
{taken(size, f"done + q * {lanes} + l")}
        block_{size}(x, w, f, g, sums, each + done * {each}, room, {step});
    }}"""
    if lanes > 1 and in_vectors:
        added = " + ".join([f"a[{lane}]" for lane in range(lanes)])
        blocks += f"""
    for (int k = 0; k < {in_vectors}; k += {lanes}) {{
        V a[{lanes}];
        for (int l = 0; l < {lanes}; l++)
            a[l] = g[k + l];
        turn(a);
        *(V *)&sums[k] = {added};
    }}"""
    return blocks


def _turn(lanes: int, real: str, columns: bool) -> str:
    """`turn`, which transposes a square of numbers in registers, in steps that exchange halves of vectors."""
    lines = []
    half = lanes // 2
    while half:
        low = [i - half + lanes if i & half else i for i in range(lanes)]
        high = [i + lanes if i & half else i + half for i in range(lanes)]
        for i in range(lanes):
            if not i & half:
                a, b = f"a[{i}]", f"a[{i + half}]"
                lines += [
                    f"    t = MIX({a}, {b}, {', '.join(map(str, low))});",
                    f"    {b} = MIX({a}, {b}, {', '.join(map(str, high))});",
                    f"    {a} = t;",
                ]
        half //= 2
    text = "\n".join(["static inline void turn(V *a)", "{", "    V t;", *lines, "}"])
    return text + (_COLUMNS.format(lanes=lanes) if columns else "")


def descent(layout: Layout, name: str, real: str, leaves: int, lanes: int) -> str:
    """The text of ``name_descend``, which takes steps of gradient descent with ``name`` on one batch."""
    return _DESCENT.format(
        name=name,
        real=real,
        scale=layout.scale,
        leaves=leaves,
        lanes=lanes,
        whole=(leaves + 1) // lanes * lanes,
    )


_DESCENT = """
/* Takes `steps` steps of gradient descent on the mean over the samples, step k of size lr[k], on `w`;
   the mean before step k goes to values[k]. It returns the number of steps that were taken: less than `steps`
   where the value or a derivative was not finite. */
long {name}_descend(long steps, const {real} *lr, long m, const {real} *const *samples, {real} *w,
        {real} *values, {real} *out, {real} *work)
{{
    for (long k = 0; k < steps; k++) {{
        const {real} size = lr[k] / {scale};
        {name}(m, samples, w, out, work);
        values[k] = out[0] / {scale};
        {real} check = values[k] * 0;
        V checks = {{0}};
        for (int i = 0; i < {whole}; i += {lanes})
            checks += *(const V *)&out[i] * 0;
        for (int i = 0; i < {lanes}; i++)
            check += (({real} *)&checks)[i];
        for (int i = {whole}; i < {leaves} + 1; i++)
            check += out[i] * 0;
        if (!(check == 0))
            return k;
        for (int i = 0; i < {leaves}; i++)
            w[i] -= size * out[i + 1];
    }}
    return steps;
}}
"""

# That products and sums are not fused elsewhere is a flag (`native.py`): there is no portable way to say so.
_PARTS = """
#if defined(__clang__)
#define PART __attribute__((noinline))
#define FUSED PART
#define FUSE _Pragma("clang fp contract(fast)")
#elif defined(__GNUC__)
#define PART __attribute__((noinline))
#define FUSED __attribute__((noinline, optimize("fp-contract=fast")))
#define FUSE
#else
#define PART
#define FUSED
#define FUSE
#endif"""

_VECTOR = """typedef {real} V __attribute__((vector_size({size}), aligned({bits}), may_alias));
typedef {integer} M __attribute__((vector_size({size}), aligned({bits}), may_alias));
#ifdef __clang__
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MIX(a, b, ...) __builtin_shuffle(a, b, (M){{__VA_ARGS__}})
#endif
"""

_COLUMNS = """

/* Rows of n, `step` apart, as columns: a sample's numbers follow each other in `width` vectors of t. */
static void columns(const V *restrict n, long step, int rows, int size, V *restrict t, int width)
{{
    for (int j = 0; j < width; j++)
        for (int q = 0; q < size; q++) {{
            V a[{lanes}];
            for (int r = 0; r < {lanes}; r++) {{
                const int row = j * {lanes} + r;
                a[r] = row < rows ? n[row * step * size + q] : (V){{0}};
            }}
            turn(a);
            for (int l = 0; l < {lanes}; l++)
                t[(q * {lanes} + l) * width + j] = a[l];
        }}
}}"""

_TEXT = """/* {name}: the sums over samples of a value and its gradient.

   void {name}(long m, const {real} *const *samples, const {real} *w, {real} *out, {real} *work)
   samples  {given}
   w        the {leaves} leaves
   out      {outputs} sums: the value, then the derivatives{each}
   work     room for {work} numbers{aligned}
   C99; it needs libm and nothing else. */
{types}
{turn}
{data}

{blocks}

static void sums_over(long m, const {real} *const *samples, const {real} *w, {real} *sums, {real} *f,
        {real} *each, {real} *work)
{{
    V *g = {g}, *x = {x}, *room = x + {room};
    (void)m; (void)samples; (void)w; (void)each; (void)g; (void)x; (void)room;
{before}
    for (int k = 0; k < {in_vectors}; k++)
        g[k] = (V){{0}};
    for (int k = {in_vectors}; k < {sums}; k++)
        sums[k] = 0;
{samples}
{after}
}}

void {name}(long m, const {real} *const *samples, const {real} *w, {real} *out, {real} *work)
{{
    const {real} *v = {v};
    {real} *sums = work + {sums_at}, *f = work + {fixed_at};
{taken}
    sums_over(m, samples, v, sums, f, out + {outputs}, work + {blocks_at});
{results}
}}
"""
