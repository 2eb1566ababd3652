"""Nests run by NumPy: matrix products and whole-array functions, printed once as the text of a function.

The result of nest k is the array ``nk``, with a row per node and, if it varies, a column per sample; ``x``
are the arguments, ``w`` the leaves, ``c`` the constants, ``m`` is the number of samples. What does not live
here: where the nests come from (`loops/`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autograd_lite.compiler.codegen import python
from autograd_lite.compiler.codegen.arrays import ARRAY, functions
from autograd_lite.compiler.codegen.printer import called
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
from autograd_lite.compiler.loops.strides import affine_access
from autograd_lite.compiler.loops.vectorize import VectorizedBatch
from autograd_lite.core.primitive import Primitive

BLOCK = 1024  # samples: some dozen rows of so many doubles fit a cache of the second level
LONG = 100  # terms of a sum


class _Writer:
    """The text of the nests, and what it names."""

    def __init__(self, program: LoopProgram, numpy: Any) -> None:
        self.program, self.np = program, numpy
        rows = [nest.op for nest in program.nests if nest.op is not None]
        names = {name for op in rows for name in called(ARRAY.template(op))}
        opaque = {op.name: op for op in rows if isinstance(op, Primitive) and "array" not in op.template}
        self.bound = functions(numpy, names, opaque) | {"np": numpy}

    def name(self, space: int) -> str:
        return {ARGUMENT: "x", PARAMETER: "w", CONSTANT: "c"}.get(space) or f"n{space - NESTS}"

    def bind(self, value: Any) -> str:
        """A name for an array."""
        name = f"k{len(self.bound)}"
        self.bound[name] = value
        return name

    def chain(self, sign: str, texts: Sequence[str]) -> str:
        """Terms or factors from left to right, also more of them than Python's parser can nest."""
        if len(texts) <= LONG:
            return f" {sign} ".join(texts)
        return f"{self.bind(sum if sign == '+' else math.prod)}(({', '.join(texts)}))"

    def size(self, space: int) -> int | None:
        return self.program.nests[space - NESTS].size if space >= NESTS else None

    def rows(self, space: int, index: Any) -> tuple[str, int]:
        """The rows of an index, and how many there are: one, where it is the same again and again."""
        np, name = self.np, self.name(space)
        first = int(index[0])
        if (index == first).all():
            return (name if self.size(space) == 1 else f"{name}[{first}:{first + 1}]"), 1
        step, n = int(index[1]) - first, len(index)
        if step > 0 and (np.diff(index) == step).all():
            if step == 1 and first == 0 and n == self.size(space):
                return name, n
            return f"{name}[{first}:{int(index[-1]) + 1}{f':{step}' if step > 1 else ''}]", n
        return f"{name}[{self.bind(index)}]", n

    def operand(self, slot: Access, varies: bool, inline: bool = True) -> tuple[str, int, bool]:
        """The first term of an operand: its text, its rows, and whether it has a column for each sample.

        A constant is written out if `inline`.
        """
        space, index = slot.space, slot.index[:, 0]
        if space == CONSTANT and inline:
            values = self.program.constants[index]
            if (values == values[0]).all() and math.isfinite(values[0]):
                text = repr(float(values[0]))
                return (f"({text})" if text[0] == "-" else text), 1, False
        text, n = self.rows(space, index)
        moves = self.program.varies(space)
        return (text if moves or not varies else f"{text}[:, None]"), n, moves

    def nest(self, nest: LoopNest) -> str:
        """The expression of a nest, with a row for each node, and a column for each sample if it varies."""
        if nest.op is not None:
            # Of constants alone, Python's numbers would raise an error where NumPy's give NaN or an infinity.
            inline = any(slot.space != CONSTANT for slot in nest.operands)
            operands = [self.operand(slot, nest.varies, inline) for slot in nest.operands]
            template, texts = ARRAY.template(nest.op), [text for text, _, _ in operands]
            one = template.endswith("({})")
            text = template.format(", ".join(texts)) if one else template.format(*texts)
            whole = self.whole(nest, operands)
        else:
            runs = [self.run(run, nest) for run in nest.products]
            if not nest.ordered:
                # A product of matrices comes first: all rows and columns are there, the rest is added.
                runs.sort(key=lambda run: not run[1])
            text, whole = self.chain("+", [text for text, _ in runs]), any(whole for _, whole in runs)
        return text if whole else self.broadcast(text, nest.rows, nest.varies)

    def whole(self, nest: LoopNest, operands: Sequence[tuple[str, int, bool]]) -> bool:
        """Whether what is made of these operands has all rows and columns, one of them being an array."""
        rows = any(n == nest.rows for _, n, _ in operands)
        columns = not nest.varies or any(moves for _, _, moves in operands)
        return rows and columns and any(text[0].isalpha() for text, _, _ in operands)

    def broadcast(self, text: str, rows: int, varies: bool) -> str:
        return f"np.broadcast_to({text}, {f'({rows}, m)' if varies else rows})"

    def run(self, run: ProductTerms, nest: LoopNest) -> tuple[str, bool]:
        """The expression of a run, and whether it has all the rows and columns of the nest."""
        np, constant = self.np, run.coefficient
        if not run.factors:
            numbers = np.ones(nest.rows) if constant is None else constant.sum(1)
            if (numbers == numbers[0]).all() and math.isfinite(numbers[0]):
                text = repr(float(numbers[0]))
                return (f"({text})" if text[0] == "-" else text), False
            return self.bind(numbers[:, None] if nest.varies else numbers), not nest.varies
        if run.terms == 1:
            operands = [self.operand(slot, nest.varies) for slot in run.factors]
            if constant is not None:
                if (constant == constant.flat[0]).all() and math.isfinite(constant.flat[0]):
                    number = repr(float(constant.flat[0]))
                    operands.insert(0, (f"({number})" if number[0] == "-" else number, 1, False))
                else:
                    name = self.bind(constant if nest.varies else constant[:, 0])
                    operands.insert(0, (name, nest.rows, False))
            text = self.chain("*", [text for text, _, _ in operands])
            return text, self.whole(nest, operands)
        fixed = [slot for slot in run.factors if not self.program.varies(slot.space)]
        moving = [slot for slot in run.factors if self.program.varies(slot.space)]
        if (
            nest.varies
            and len(moving) == 1
            and len(fixed) <= 1
            and (moving[0].index == moving[0].index[0]).all()
        ):
            index = moving[0].index[0]
            columns = (
                f"{self.name(moving[0].space)}[{self.bind(index)}]"
                if (index == index[0]).all()
                else self.rows(moving[0].space, index)[0]
            )
            if not fixed:
                weights = np.ones((nest.rows, run.terms)) if constant is None else constant
                return f"{self.bind(weights)} @ {columns}", True
            matrix = self.matrix(fixed[0])
            if constant is not None:
                matrix = f"({matrix} * {self.bind(constant)})"
            return f"{matrix} @ {columns}", True
        if not nest.varies:  # all terms at once
            text = self.chain(
                "*", [f"{self.name(slot.space)}[{self.bind(slot.index)}]" for slot in run.factors]
            )
            if constant is not None:
                text += f" * {self.bind(constant)}"
            return f"({text}).sum(1)", True
        terms = [
            self.run(
                ProductTerms(
                    None if constant is None else constant[:, t : t + 1],
                    [Access(slot.space, slot.index[:, t : t + 1]) for slot in run.factors],
                    1,
                ),
                nest,
            )
            for t in range(run.terms)
        ]
        return f"({self.chain('+', [text for text, _ in terms])})", any(whole for _, whole in terms)

    def matrix(self, slot: Access) -> str:
        """A fixed operand as a matrix of nodes by terms: a view where its addresses advance by strides."""
        np, name, index = self.np, self.name(slot.space), slot.index
        for order, turned in ((index, ""), (index.T, ".T")):
            first = int(index[0, 0])
            if (order.ravel() == first + np.arange(index.size)).all():
                return f"{name}[{first}:{first + index.size}].reshape{order.shape}{turned}"
        return f"{name}[{self.bind(index)}]"

    def started(self, nest: LoopNest) -> str:
        """The expression of a nest whose first results may be copied from others."""
        if not nest.start:
            return self.nest(nest)
        firsts = [self.filled(slot, nest.varies) for slot in nest.start]
        return f"np.concatenate([{', '.join([*firsts, self.nest(nest)])}])"

    def filled(self, slot: Access, varies: bool) -> str:
        """Copies, with a row for each."""
        text, n, moves = self.operand(slot, varies)
        rows = len(slot.index)
        return (
            text
            if n == rows and moves == varies and text[0].isalpha()
            else self.broadcast(text, rows, varies)
        )

    def by_steps(self, group: list[int]) -> list[str]:
        """Nests that run together, step by step: each result has its array, which the steps fill."""
        nests = [self.program.nests[k] for k in group]
        steps = nests[0].steps
        lines = []
        for k, nest in zip(group, nests, strict=True):
            shape = f"({nest.size}, m)" if nest.varies else str(nest.size)
            lines.append(f"n{k} = np.empty({shape}{', bool' if nest.op in CONDITIONS else ''})")
            at = 0
            for slot in nest.start:
                lines.append(f"n{k}[{at}:{at + len(slot.index)}] = {self.filled(slot, nest.varies)}")
                at += len(slot.index)
        for t in range(steps):
            for k, nest in zip(group, nests, strict=True):
                n, at = nest.rows // steps, nest.size - nest.rows
                part = self.nest(nest.part(t * n, (t + 1) * n))
                lines.append(f"n{k}[{at + t * n}:{at + (t + 1) * n}] = {part}")
        return lines

    def total(self, k: int, stored: bool) -> str:
        """The sum over the samples of a result that varies."""
        nest = self.program.nests[k]
        if stored:
            return f"n{k}.sum(1)"
        if nest.op is None and not nest.start and len(nest.products) == 1:
            (run,) = nest.products
            moving = [slot for slot in run.factors if self.program.varies(slot.space)]
            if run.terms == 1 and len(run.factors) == 2 and len(moving) == 2:
                found = affine_access(self.np.stack([slot.index[:, 0] for slot in moving]), self.np)
                if found is not None and len(found[0]) in (1, 2):
                    n1, n2, *_ = [*found[0], 1]  # one row against many is a product, too
                    first, second = [[*strides, 0] for strides in found[1]]
                    if first[1] == 0 and second[0] == 0:
                        return self.outer(run, moving[0], moving[1], n1, n2)
                    if first[0] == 0 and second[1] == 0:
                        return self.outer(run, moving[1], moving[0], n1, n2)
        return f"({self.started(nest)}).sum(1)"

    def outer(self, run: ProductTerms, rows: Access, columns: Access, n1: int, n2: int) -> str:
        """Σ over samples of rows[i] · columns[j]: a matrix product."""
        a, *many_rows = self.rows(rows.space, rows.index[::n2, 0])
        b, *many_columns = self.rows(columns.space, columns.index[:n2, 0])
        many = (*many_rows, *many_columns)
        if run.coefficient is None:
            product = f"{a} @ {b}.T"
            if many != (n1, n2):  # one row stands for equal ones
                product = f"np.broadcast_to({product}, {(n1, n2)})"
            return f"({product}).ravel()"
        return f"(({a} @ {b}.T) * {self.bind(run.coefficient.reshape(n1, n2))}).ravel()"


class Kernel:
    """The sums over samples of a loop program: called with a column per argument, and the leaves."""

    def __init__(self, found: LoopProgram | VectorizedBatch, numpy: Any) -> None:
        self.np, self.recorded = numpy, found if isinstance(found, VectorizedBatch) else None
        self.program = program = found if isinstance(found, LoopProgram) else found.program
        # Once a block as large as this is freed, C's allocator keeps memory for the arrays of the next call,
        # which it would else return to the system and fetch anew: 7 ms instead of 2 for 10,000 samples.
        numpy.empty(2**21)
        nests, writer = program.nests, _Writer(program, numpy)
        used: set[int] = set()
        read = {space - NESTS for space, _ in program.outputs if space >= NESTS}
        for nest in nests:
            (read if nest.after else used).update([slot.space - NESTS for slot in nest.reads()])
        used |= {space - NESTS for space, _ in program.each}
        lines = ["m = x.shape[1]"]
        after = []
        for group in step_groups(nests):
            k, nest = group[0], nests[group[0]]
            if nest.after:
                after += writer.by_steps(group) if nest.steps else [f"n{k} = {writer.started(nest)}"]
            elif nest.steps:
                lines += writer.by_steps(group)
            elif k in used or not nest.varies:
                lines.append(f"n{k} = {writer.started(nest)}")
        summed = [k for k in sorted(read) if k >= 0 and nests[k].varies]
        fixed = [k for k in sorted(read) if k >= 0 and not nests[k].varies and not nests[k].after]
        each = [writer.rows(space, numpy.array([number]))[0] for space, number in program.each]
        totals = ", ".join([writer.total(k, k in used) for k in summed])
        lines.append(f"return [{totals}], [{', '.join([f'n{k}' for k in fixed])}], [{', '.join(each)}]")
        self.parts = sorted({space for space, _ in program.outputs if space >= NESTS})
        given = ", ".join([f"n{k}" for k in (*summed, *fixed)])
        parts = ", ".join([f"n{space - NESTS}" for space in self.parts])
        text = "\n    ".join(["def block(x, w, c):", *lines])
        text += "\n\n" + "\n    ".join([f"def parts(w, c, {given}):", *after, f"return [{parts}]"])
        text += "\n\nfunctions = block, parts\n"
        both: Any = python.load(text, "functions", writer.bound)
        self.block, self.after = both
        starts, at = {}, 0
        for space in self.parts:
            starts[space] = at
            at += nests[space - NESTS].size
        self.plain = [(space, number) for space, number in program.outputs if space < NESTS]
        rest = iter(range(at, at + len(self.plain)))
        order = [starts[s] + number if s >= NESTS else next(rest) for s, number in program.outputs]
        if self.recorded is not None:
            places = [
                *order,
                *range(
                    at + len(self.plain), at + len(self.plain) + len(program.each) * len(self.recorded.data)
                ),
            ]
            order = [places[k] for k in self.recorded.order]
        self.order = numpy.array(order)
        self.times = [space - NESTS in fixed for space in self.parts]

    def samples(self, columns: list[Any]) -> Any:
        """The columns as `sums` takes them."""
        return self.np.stack(columns) if columns else self.np.zeros((0, 1))

    def __call__(self, columns: list[Any], leaves: Sequence[float]) -> tuple[float, list[float]]:
        """The sums over the samples of the value and of the gradients."""
        value, *gradients = self.sums(self.samples(columns), self.np.array(leaves)).tolist()
        return value, gradients

    def sums(self, samples: Any, leaves: Any) -> Any:
        """The sums of the outputs over the columns of `samples`, in blocks that stay in the cache."""
        np, constants = self.np, self.program.constants
        x = samples if self.recorded is None else self.recorded.rows(leaves).T
        m = x.shape[1]
        w = leaves[self.program.leaves]
        with np.errstate(all="ignore"):
            totals, fixed, each = self.block(x if m <= BLOCK else x[:, :BLOCK], w, constants)
            for start in range(BLOCK, m, BLOCK):
                more, fixed, rows = self.block(x[:, start : start + BLOCK], w, constants)
                totals = [a + b for a, b in zip(totals, more, strict=True)]
                each = [np.concatenate([a, b], axis=1) for a, b in zip(each, rows, strict=True)]
            found = self.after(w, constants, *totals, *fixed)
            times = m if self.recorded is None else 1
            if times > 1:
                found = [
                    part * m if is_fixed else part for part, is_fixed in zip(found, self.times, strict=True)
                ]
            if self.plain:
                values = {ARGUMENT: x, PARAMETER: w, CONSTANT: constants}
                numbers = [x[k].sum() if s == ARGUMENT else values[s][k] * times for s, k in self.plain]
                found.append(np.array(numbers, dtype=float))
            if each:
                found.append(np.concatenate(each).T.ravel())
        return np.concatenate(found)[self.order]
