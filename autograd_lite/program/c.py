"""Nests printed as C99: one function that adds the outputs up over samples, several samples to a vector.

What does not live here: where the nests come from (`loops.py`), compilers (`native.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autograd_lite.primitives import Primitive
from autograd_lite.program.code import CHOICE, OR, Language
from autograd_lite.program.graph import CONDITIONS
from autograd_lite.program.loops import NESTS, C, Lifted, Nest, Slot, W, X, affine

LANES = 8  # samples in a vector register: 8 doubles are 64 bytes


def _number(x: float) -> str:
    if math.isfinite(x):
        return repr(x)
    return "NAN" if x != x else "INFINITY" if x > 0.0 else "-INFINITY"


LANGUAGE = Language(
    "c", {"and": "{0} && {1}", "or": "{0} || {1}", "not": "!{0}"}, (CHOICE, (OR, OR, CHOICE)), number=_number
)


@dataclass
class Layout:
    """The text, and what a caller has to know: the order of the leaves, the outputs, the room for work."""

    text: str
    leaves: Any
    order: list[
        tuple[str, int]
    ]  # of each output: "sum" and its place, "leaf", "constant" or "argument" and which
    sums: int
    fixed: int
    work: int
    lifted: Lifted


@dataclass
class _Access:
    """An operand in an expression: an address for each node of the nest."""

    space: int
    index: Any


class _Writer:
    """Writes nests for blocks of `vectors` vectors of `lanes` samples; 0 lanes: what no sample changes."""

    def __init__(self, lifted: Lifted, numpy: Any, tables: dict[bytes, tuple[str, Any]], real: str) -> None:
        self.lifted, self.np, self.tables, self.real = lifted, numpy, tables, real
        nests = lifted.nests
        self.used = {slot.space - NESTS for nest in nests for slot in nest.slots() if slot.space >= NESTS}
        self.inlined = {k for k, nest in enumerate(nests) if nest.op in CONDITIONS}
        self.returned = {space - NESTS for space, _ in lifted.outputs if space >= NESTS}
        for nest in nests:
            if isinstance(nest.op, Primitive) and "c" not in nest.op.source:
                raise ValueError(
                    f"{nest.op.name} has no form in C: give it one by a formula written with other rows, "
                    'or source={"c": "name({0})"}; the program runs in its other forms'
                )
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
            if k in self.returned:
                self.sum_place[k] = sums
                sums += nest.size
            if k in self.used:
                self.place[k] = room
                room += nest.size
        self.room, self.sums, self.fixed = room, sums, fixed

    def number(self, x: float) -> str:
        """A constant in the type of the numbers, in which alone it may meet a vector."""
        return _number(x) + ("f" if self.real == "float" and math.isfinite(x) else "")

    # --- Addresses

    def expression(self, space: int, index: Any, accesses: list[_Access], least: int = CHOICE) -> str:
        """An operand as text, with ``{k}`` for the address of access k; conditions are written out."""
        k = space - NESTS
        if space >= NESTS and k in self.inlined:
            nest = self.lifted.nests[k]
            return self.operation(
                nest, [(slot.space, slot.index[index, 0]) for slot in nest.operands], accesses, least
            )
        if space == C:
            values = self.np.unique(self.lifted.constants[index])
            if len(values) == 1:
                text = self.number(float(values[0]))
                return f"({text})" if text[0] == "-" else text
        accesses.append(_Access(space, index))
        return f"@{len(accesses) - 1}@"

    def operation(
        self, nest: Nest, operands: list[tuple[int, Any]], accesses: list[_Access], least: int
    ) -> str:
        level, asked = LANGUAGE.binds(nest.op)  # type: ignore[arg-type]
        texts = [
            self.expression(space, index, accesses, want)
            for (space, index), want in zip(operands, asked, strict=False)
        ]
        text = LANGUAGE.template(nest.op).format(*texts)  # type: ignore[arg-type]
        return text if level >= least else f"({text})"

    def loops(self, accesses: list[_Access], size: int) -> tuple[list[int], list[str]]:
        """The extents of a nest and, for each access, its address in terms of i0, i1, ..."""
        np = self.np
        if size == 1:
            return [], [str(int(access.index[0])) for access in accesses]
        if not accesses:
            return [size], []
        found = affine(np.stack([access.index for access in accesses]), np)
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

    def nest(self, k: int, vectors: int, lanes: int) -> list[str]:
        """A nest as loops over its nodes and the samples of a block."""
        nest = self.lifted.nests[k]
        if k in self.inlined or nest.varies != bool(lanes):
            return []
        title = f"/* {nest.name}: {nest.size} of {len(list(nest.slots()))} operands */"
        body = (
            self.sums_of_products(k, nest, vectors, lanes)
            if nest.op is None
            else self.elementwise(k, nest, vectors, lanes)
        )
        return [title, *body]

    def element(self, access: _Access, address: str, lanes: int, q: str, lane: str | None) -> str:
        """An operand for vector q of a block: a vector, or with `lane` one of its numbers."""
        if access.space == W:
            return f"w[{address}]"
        if access.space == C:
            return f"c[{address}]"
        k = access.space - NESTS
        if access.space >= NESTS and not self.lifted.nests[k].varies:
            return f"f[{_plus(self.fixed_place[k], address)}]"
        name = "x" if access.space == X else f"n{k}"
        if not q:
            return f"{name}[{address}]" + (f"[{lane}]" if lane else "")
        return f"{name}[({address}) * Q + {q}]" + (f"[{lane}]" if lane else "")

    def target(self, k: int, node: str, q: str, lane: str | None) -> str:
        if not self.lifted.nests[k].varies:
            return f"f[{_plus(self.fixed_place[k], node)}]"
        if not q:
            return f"n{k}[{node}]" + (f"[{lane}]" if lane else "")
        return f"n{k}[({node}) * Q + {q}]" + (f"[{lane}]" if lane else "")

    def elementwise(self, k: int, nest: Nest, vectors: int, lanes: int) -> list[str]:
        accesses: list[_Access] = []
        operands = [(slot.space, slot.index[:, 0]) for slot in nest.operands]
        text = self.operation(nest, operands, accesses, CHOICE)
        extents, addresses = self.loops(accesses, nest.size)
        q = "q" if vectors > 1 else ""
        lane = "l" if lanes > 1 else None
        for a, (access, address) in enumerate(zip(accesses, addresses, strict=True)):
            varies = self.lifted.varies(access.space)
            text = text.replace(
                f"@{a}@", self.element(access, address, lanes, q if varies else "", lane if varies else None)
            )
        node = _address(0, _steps(extents))
        lines, inner = [], []
        if k in self.place or not nest.varies:
            inner.append(f"{self.target(k, node, q, lane)} = {text};")
            if k in self.sum_place:
                total = f"g[{_plus(self.sum_place[k], node)}]" + (f"[{lane}]" if lane else "")
                inner.append(f"{total} += {self.target(k, node, q, lane)};")
        else:
            inner.append(f"g[{_plus(self.sum_place[k], node)}]{f'[{lane}]' if lane else ''} += {text};")
        heads = [f"for (int i{d} = 0; i{d} < {extent}; i{d}++)" for d, extent in enumerate(extents)]
        heads += ["for (int q = 0; q < Q; q++)"] if q else []
        heads += [f"for (int l = 0; l < {lanes}; l++)"] if lane else []
        lines += heads[:-1]
        if heads:
            lines += [heads[-1] + " {", *[f"    {line}" for line in inner], "}"]
        else:
            lines += inner
        return lines

    def sums_of_products(self, k: int, nest: Nest, vectors: int, lanes: int) -> list[str]:
        np = self.np
        q = "q" if vectors > 1 else ""
        # The address of the first term advances with the node, the terms by steps that all nodes share.
        accesses: list[_Access] = []
        plans: list[
            tuple[Any, list[int], list[Any], str]
        ] = []  # run, its accesses, steps of terms, coefficient
        for run in nest.runs:
            own: list[int] = []
            steps: list[Any] = []
            slots = list(run.factors)
            coefficient = ""
            if run.coefficient is not None:
                values = np.unique(run.coefficient)
                if len(values) == 1:
                    coefficient = self.number(float(values[0]))
                else:
                    slots.insert(0, self.coefficients(run.coefficient))
            for slot in slots:
                own.append(len(accesses))
                accesses.append(_Access(slot.space, slot.index[:, 0]))
                offset = slot.index - slot.index[:, :1]
                steps.append(offset[0] if (offset == offset[0]).all() else slot.index)
            plans.append((run, own, steps, coefficient))
        extents, addresses = self.loops(accesses, nest.size)
        node = _address(0, _steps(extents))
        vector = "V" if lanes else self.real
        only_sum = nest.varies and k not in self.place
        unroll = 1
        if extents and any(run.terms > 1 for run in nest.runs):
            unroll = next(u for u in (8, 4, 2, 1) if extents[-1] % u == 0)
        inner = f"i{len(extents) - 1}"

        def at(text: str, u: int) -> str:
            return text if u == 0 else text.replace(inner, f"({inner} + {u})")

        body: list[str] = []
        simple = all(run.terms == 1 for run in nest.runs)
        if simple:
            parts = []
            for run, own, _, coefficient in plans:
                parts.append(
                    self.product(run, [(accesses[a], addresses[a]) for a in own], coefficient, lanes, q)
                )
            text = _joined(parts)
            if only_sum:
                # A vector of sums is added to over all vectors of a block before it is written back.
                total = f"g[{_plus(self.sum_place[k], node)}]"
                body = [f"{total} += {text};"]
                if q:
                    if extents:  # neighbours share an operand, which is loaded once
                        unroll = next(u for u in (8, 4, 2, 1) if extents[-1] % u == 0)
                    body = [f"V {', '.join(f's{u} = {at(total, u)}' for u in range(unroll))};"]
                    body += ["for (int q = 0; q < Q; q++) {"]
                    body += [f"    s{u} += {at(text, u)};" for u in range(unroll)]
                    body += ["}", *[f"{at(total, u)} = s{u};" for u in range(unroll)]]
            else:
                target = self.target(k, node, q, None)
                cast = "" if self.has_vector(plans, accesses) or not lanes else "(V){0} + "
                body = [f"{target} = {cast}{text};"]
                if k in self.sum_place:
                    body.append(f"g[{_plus(self.sum_place[k], node)}] += {target};")
                if q:
                    body = ["for (int q = 0; q < Q; q++) {", *[f"    {line}" for line in body], "}"]
        else:
            body = [
                f"{vector} {', '.join(f's{u} = {{0}}' if lanes else f's{u} = 0' for u in range(unroll))};"
            ]
            for run, own, steps, coefficient in plans:
                if run.terms == 1:
                    for u in range(unroll):
                        text = self.product(
                            run, [(accesses[a], addresses[a]) for a in own], coefficient, lanes, q
                        )
                        body.append(f"s{u} += {at(text, u)};")
                    continue
                shared = [step for step in steps if step.ndim == 1]
                flat = affine(np.stack(shared), np) if len(shared) == len(steps) else None
                if flat is not None and steps:
                    dims, strides = flat
                    heads = [f"for (int t{d} = 0; t{d} < {extent}; t{d}++)" for d, extent in enumerate(dims)]
                    moved = [
                        (accesses[a], _sum_text(addresses[a], _address(0, strides[j], "t")))
                        for j, a in enumerate(own)
                    ]
                else:
                    heads = [f"for (int t0 = 0; t0 < {run.terms}; t0++)"]
                    moved = []
                    for j, a in enumerate(own):
                        if steps[j].ndim == 1:
                            moved.append(
                                (accesses[a], _sum_text(addresses[a], f"{self.lookup(steps[j])}[t0]"))
                            )
                        else:
                            name = self.lookup(steps[j].ravel())
                            moved.append((accesses[a], f"{name}[({node}) * {run.terms} + t0]"))
                text = self.product(run, moved, coefficient, lanes, q)
                body += heads[:-1]
                body += [heads[-1] + " {", *[f"    s{u} += {at(text, u)};" for u in range(unroll)], "}"]
            for u in range(unroll):
                if k in self.place or not nest.varies:
                    body.append(f"{at(self.target(k, node, q, None), u)} = s{u};")
                if k in self.sum_place:
                    body.append(f"{at(f'g[{_plus(self.sum_place[k], node)}]', u)} += s{u};")
            if q:
                body = ["for (int q = 0; q < Q; q++) {", *[f"    {line}" for line in body], "}"]
        heads = [f"for (int i{d} = 0; i{d} < {extent}; i{d}++)" for d, extent in enumerate(extents)]
        if heads and unroll > 1:
            heads[-1] = heads[-1].replace(f"{inner}++", f"{inner} += {unroll}")
        if not heads:
            return ["{", *[f"    {line}" for line in body], "}"]
        return [*heads[:-1], heads[-1] + " {", *[f"    {line}" for line in body], "}"]

    def has_vector(self, plans: list[Any], accesses: list[_Access]) -> bool:
        return any(self.lifted.varies(accesses[a].space) for _, own, _, _ in plans for a in own)

    def coefficients(self, values: Any) -> Slot:
        """Coefficients that differ, as constants."""
        lifted = self.lifted
        start = len(lifted.constants)
        lifted.constants = self.np.concatenate([lifted.constants, values.ravel()])
        return Slot(C, start + self.np.arange(values.size).reshape(values.shape))

    def product(
        self, run: Any, factors: list[tuple[_Access, str]], coefficient: str, lanes: int, q: str
    ) -> str:
        texts = []
        if coefficient and coefficient != self.number(1.0):
            texts.append(f"({coefficient})" if coefficient[0] == "-" else coefficient)
        factors = sorted(
            factors, key=lambda factor: self.lifted.varies(factor[0].space)
        )  # numbers before vectors
        for access, address in factors:
            varies = self.lifted.varies(access.space)
            if access.space == C and "[" not in address and address.isdigit():
                value = self.number(float(self.lifted.constants[int(address)]))
                texts.append(f"({value})" if value[0] == "-" else value)
            else:
                texts.append(self.element(access, address, lanes, q if varies else "", None))
        return " * ".join(texts) if texts else (coefficient or self.number(1.0))


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


def _joined(parts: list[str]) -> str:
    return " + ".join(parts)


def c_layout(
    lifted: Lifted, numpy: Any, *, name: str, n: int, lanes: int, vectors: int, real: str = "double"
) -> Layout:
    """The text of ``name``, which adds the outputs of m samples up; with one lane it is plain C99."""
    tables: dict[bytes, tuple[str, Any]] = {}
    writer = _Writer(lifted, numpy, tables, real)
    sizes = [vectors, 1] if vectors > 1 else [1]
    blocks: list[str] = []
    for size in sizes:
        lines = [line for k in range(len(lifted.nests)) for line in writer.nest(k, size, lanes)]
        declared = [f"V *n{k} = room + {place * size};" for k, place in writer.place.items()]
        used = [f"{d}" for d in declared]
        q = [f"enum {{ Q = {size} }};"] if size > 1 else []
        blocks.append(
            "\n".join(
                [
                    f"static void block_{size}(const V *restrict x, const {real} *restrict w,",
                    f"        const {real} *restrict f, V *restrict g, V *restrict room)",
                    "{",
                    *[
                        f"    {line}"
                        for line in [*q, *used, "(void)x; (void)w; (void)f; (void)g; (void)room;", *lines]
                    ],
                    "}",
                ]
            )
        )
    fixed = [line for k in range(len(lifted.nests)) for line in writer.nest(k, 1, 0)]
    order: list[tuple[str, int]] = []
    for space, number in lifted.outputs:
        k = space - NESTS
        if space >= NESTS and lifted.nests[k].varies:
            order.append(("sum", writer.sum_place[k] + number))
        elif space >= NESTS:
            order.append(("fixed", writer.fixed_place[k] + number))
        else:
            order.append((("argument", "leaf", "constant")[space], number))
    data = [
        f"static const int {table_name}[] = {{{', '.join(map(str, index.tolist()))}}};"
        for table_name, index in tables.values()
    ]
    if re.search(r"\bc\[", "".join([*blocks, *fixed])):
        data.append(
            f"static const {real} c[] = {{{', '.join(_number(float(x)) for x in lifted.constants)}}};"
        )
    samples = lanes * vectors
    work = (writer.room + n) * max(vectors, 1) + writer.sums
    text = _TEXT.format(
        name=name,
        real=real,
        header="math.h" if real == "double" else "tgmath.h",
        lanes=lanes,
        n=n,
        leaves=len(lifted.leaves),
        sums=writer.sums,
        fixed=max(writer.fixed, 1),
        fixed_count=writer.fixed,
        vector=_VECTOR.format(real=real, size=lanes * (8 if real == "double" else 4))
        if lanes > 1
        else f"typedef {real} V;",
        lane="[l]" if lanes > 1 else "",
        data="\n".join(data),
        blocks="\n\n".join(blocks),
        before="\n".join(f"    {line}" for line in fixed),
        passes="\n".join(_pass(size, lanes, n) for size in sizes),
        work=work * lanes,
        samples=samples,
        reduce=_REDUCE_LANES.format(real=real, lanes=lanes, sums=writer.sums)
        if lanes > 1
        else _REDUCE_ONE.format(sums=writer.sums),
        tail=_TAIL.format(lanes=lanes, n=n, sums=writer.sums) if lanes > 1 else "",
        room=writer.sums + n * vectors,
    )
    return Layout(text, lifted.leaves, order, writer.sums, writer.fixed, work * lanes + 64, lifted)


def descent(layout: Layout, name: str, real: str) -> str:
    """The text of ``name_descend``, which takes steps of gradient descent with ``name`` on one batch."""
    sources = {"sum": "sums", "fixed": "f", "leaf": "w", "constant": "c"}
    kinds = [kind for kind, _ in layout.order]
    if not set(kinds) <= set(sources) or ("constant" in kinds and f"const {real} c[]" not in layout.text):
        return ""

    def gradient(kind: str, index: str) -> str:
        return f"{sources[kind]}[{index}]" + ("" if kind == "sum" else " * m")

    # Leaf j of the layout is leaf `leaves[j]` of the program, whose derivative is output `leaves[j] + 1`.
    order = [layout.order[leaf + 1] for leaf in layout.leaves.tolist()]
    tables, loops = [], []
    for kind in sorted({kind for kind, _ in order}):
        to = [j for j, (k, _) in enumerate(order) if k == kind]
        numbers = [order[j][1] for j in to]
        tables.append(f"    static const int {kind}_to[] = {{{', '.join(map(str, to))}}};")
        tables.append(f"    static const int {kind}_from[] = {{{', '.join(map(str, numbers))}}};")
        loops.append(f"        for (int j = 0; j < {len(to)}; j++)")
        loops.append(f"            g[{kind}_to[j]] = {gradient(kind, f'{kind}_from[j]')};")
    kind, number = layout.order[0]
    return _DESCENT.format(
        name=name,
        real=real,
        tables="\n".join(tables),
        sums=layout.sums,
        value=gradient(kind, str(number)),
        loops="\n".join(loops),
        leaves=len(order),
        start=layout.work - 64,
    )


_DESCENT = """
/* Takes `steps` steps of gradient descent on the mean over the samples, step k of size lr[k], on `w`;
   the mean before step k goes to values[k]. It returns the number of steps that were taken: less than `steps`
   where the value or a derivative was not finite. `work` has room for {leaves} numbers more. */
long {name}_descend(long steps, const {real} *lr, long m, const {real} *samples, {real} *w, {real} *values,
        {real} *sums, {real} *f, {real} *work)
{{
{tables}
    {real} *g = work + {start};
    for (long k = 0; k < steps; k++) {{
        const {real} size = lr[k] / m;
        {real} check = 0;
        for (int j = 0; j < {sums}; j++)
            sums[j] = 0;
        {name}(m, samples, w, sums, f, work);
{loops}
        values[k] = {value} / m;
        check += values[k];
        for (int j = 0; j < {leaves}; j++)
            check += g[j] * 0;
        if (!(check - check == 0))
            return k;
        for (int j = 0; j < {leaves}; j++)
            w[j] -= size * g[j];
    }}
    return steps;
}}
"""

_VECTOR = "typedef {real} V __attribute__((vector_size({size}), aligned(8), may_alias));"

_REDUCE_LANES = """    for (int k = 0; k < {sums}; k++)
        for (int l = 0; l < {lanes}; l++)
            sums[k] += g[k][l];"""
_REDUCE_ONE = """    for (int k = 0; k < {sums}; k++)
        sums[k] += g[k];"""
_TAIL = """    if (done < m) {{ /* the last samples: the vector is filled up with copies that do not count */
        const int left = (int)(m - done);
        for (int k = 0; k < {sums}; k++)
            for (int l = 0; l < {lanes}; l++)
                g[k][l] = 0;
        for (int k = 0; k < {n}; k++)
            for (int l = 0; l < {lanes}; l++)
                x[k][l] = samples[(done + (l < left ? l : 0)) * {n} + k];
        block_1(x, w, f, g, room);
        for (int k = 0; k < {sums}; k++)
            for (int l = 0; l < left; l++)
                sums[k] += g[k][l];
    }}"""


def _pass(size: int, lanes: int, n: int) -> str:
    step = size * lanes
    lane = "[l]" if lanes > 1 else ""
    return f"""    for (; done + {step} <= m; done += {step}) {{
        for (int q = 0; q < {size}; q++)
            for (int l = 0; l < {lanes}; l++)
                for (int k = 0; k < {n}; k++)
                    x[k * {size} + q]{lane} = samples[(done + q * {lanes} + l) * {n} + k];
        block_{size}(x, w, f, g, room);
    }}"""


_TEXT = """/* {name}: sums over samples of a value and its gradient.

   void {name}(long m, const {real} *samples, const {real} *w, {real} *sums, {real} *f, {real} *work)
   m        number of samples, each of {n} numbers, one sample after the other in `samples`
   w        the {leaves} leaves
   sums     {sums} sums over the samples, which are added to
   f        {fixed_count} numbers that no sample changes, which are written
   work     room for {work} numbers, its start a multiple of 64 bytes where there are lanes
   C99; it needs libm and nothing else. */
#include <{header}>

{vector}
{data}

{blocks}

void {name}(long m, const {real} *samples, const {real} *w, {real} *sums, {real} *f, {real} *work)
{{
    V *g = (V *)work, *x = g + {sums}, *room = g + {room};
    long done = 0;
    (void)samples; (void)w; (void)f; (void)x; (void)room;
{before}
    for (int k = 0; k < {sums}; k++)
        g[k] = (V){{0}};
{passes}
{reduce}
{tail}
}}
"""
