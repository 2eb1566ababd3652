"""Loop nests printed for NumPy: matrix products and whole-array functions, as the text of two functions.

The result of nest k is the array ``nk``: a row for each node and, if it varies, a column for each sample.
``x`` are the arguments, ``w`` the leaves, ``c`` the constants, ``m`` is the number of samples. Next door:
`runtime/numpy_kernel.py` runs the functions, `arrays.py` prints programs operation by operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from autograd_lite.compiler.codegen import arrays
from autograd_lite.compiler.codegen.arrays import ARRAY, functions
from autograd_lite.compiler.codegen.printer import called, in_parentheses
from autograd_lite.compiler.ir.graph import CONDITIONS
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    NESTS,
    PARAMETER,
    SCATTER,
    Access,
    LoopNest,
    LoopProgram,
    ProductTerms,
    common_number,
    step_groups,
)
from autograd_lite.compiler.loops.strides import access_by_step, affine_access, kept_terms
from autograd_lite.core import rules
from autograd_lite.core.primitive import Primitive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONG = 100  # terms or factors: Python's parser cannot nest many more


class Operand(NamedTuple):
    """An expression: how many rows it has, and whether it has a column for each sample."""

    text: str
    rows: int
    varies: bool


class NumpyText(NamedTuple):
    """The text of ``block``, which sums over samples, and of ``parts``, which finishes the sums."""

    text: str
    bound: dict[str, object]  # the names that the text uses: functions and arrays
    parts: list[int]  # the nests that `parts` returns
    fixed: set[int]  # those among them that do not vary and do not come after the samples


def numpy_text(program: LoopProgram, numpy: ModuleType) -> NumpyText:
    """Return the text of ``block(x, w, c)`` and ``parts(w, c, sums, results that do not vary)``."""
    nests, writer = program.nests, _Writer(program, numpy)
    parts = sorted({space - NESTS for space, _ in program.outputs if space >= NESTS})
    read, used = {*parts}, {space - NESTS for space, _ in program.each}
    for nest in nests:
        (read if nest.after else used).update([access.space - NESTS for access in nest.reads()])
    lines, after = ["m = x.shape[1]"], []
    for group in step_groups(nests):
        k, nest = group[0], nests[group[0]]
        if nest.after:
            after += writer.by_steps(group) if nest.steps else [f"n{k} = {writer.result(nest)}"]
        elif nest.steps:
            lines += writer.by_steps(group)
        elif k in used or not nest.varies:
            lines.append(f"n{k} = {writer.result(nest)}")
    summed = [k for k in sorted(read) if k >= 0 and nests[k].varies]
    fixed = [k for k in sorted(read) if k >= 0 and not nests[k].varies and not nests[k].after]
    each = [writer.rows(space, numpy.array([number]))[0] for space, number in program.each]
    totals = ", ".join([writer.total(k, k in used) for k in summed])
    lines.append(f"return [{totals}], [{', '.join([f'n{k}' for k in fixed])}], [{', '.join(each)}]")
    given = ", ".join([f"n{k}" for k in (*summed, *fixed)])
    text = "\n    ".join(["def block(x, w, c):", *lines])
    returned = f"return [{', '.join([f'n{k}' for k in parts])}]"
    text += "\n\n" + "\n    ".join([f"def parts(w, c, {given}):", *after, returned])
    return NumpyText(f"{text}\n\nfunctions = block, parts\n", writer.bound, parts, {*fixed})


def _same(numbers: NDArray[np.float64]) -> str | None:
    """Return the one finite number that all of these are; None if they differ."""
    number = common_number(numbers)
    return in_parentheses(repr(number)) if number is not None and math.isfinite(number) else None


def _whole(nest: LoopNest, operands: Sequence[Operand]) -> bool:
    """Return whether an expression of these operands has all rows and columns, and one is an array."""
    rows = any(operand.rows == nest.rows for operand in operands)
    columns = not nest.varies or any(operand.varies for operand in operands)
    return rows and columns and any(operand.text[0].isalpha() for operand in operands)


def _broadcast(text: str, rows: int, varies: bool) -> str:
    """Return an expression that is repeated for all rows and columns."""
    return f"np.broadcast_to({text}, {f'({rows}, m)' if varies else rows})"


def _row(index: NDArray[np.float64], n: int) -> Any:
    """Return indices as integers; a wrong one, which no check refuses in a branch not taken, becomes 0."""
    np = arrays.numpy()
    return np.where((index >= 0.0) & (index < n), index, 0.0).astype(int)


def _scattered(size: int, place: NDArray[np.int64], numbers: NDArray[np.float64], m: int = 0) -> Any:
    """Return sums of numbers, each added to the result at its place, none at -1; with `m` for each sample."""
    np = arrays.numpy()
    sums = np.zeros((size + 1, m) if m else size + 1)  # the last row takes what is added to none
    np.add.at(sums, (place, np.arange(m)) if m else place, numbers)
    return sums[:-1]


def _summed(size: int, place: NDArray[np.int64], numbers: NDArray[np.float64], m: int) -> Any:
    """Return the same, summed over the samples."""
    np = arrays.numpy()
    place, numbers = (np.broadcast_to(x, (len(place), m)).ravel() for x in (place, numbers))
    return np.bincount(place % (size + 1), numbers, size + 1)[:-1]


class _Writer:
    """Writes nests as expressions; it keeps the names that they use.

    It has 20 methods because nearly every kind of term has its own fast NumPy function.
    """

    def __init__(self, program: LoopProgram, numpy: ModuleType) -> None:
        self.program, self.np = program, numpy
        rows = [nest.op for nest in program.nests if nest.op not in (None, SCATTER, rules.entry)]
        names = {name for op in rows for name in called(ARRAY.template(op))}
        opaque = {op.name: op for op in rows if isinstance(op, Primitive) and "array" not in op.template}
        self.steps = 0  # steps of the loop in the text, if one line serves for all of them
        self.bound: dict[str, object] = functions(numpy, names, opaque) | {"np": numpy}

    # --- Operands

    def name(self, space: int) -> str:
        """Return the name of the array that holds a space."""
        return {ARGUMENT: "x", PARAMETER: "w", CONSTANT: "c"}.get(space) or f"n{space - NESTS}"

    def bind(self, value: object) -> str:
        """Return a new name for an array or a function."""
        name = f"k{len(self.bound)}"
        self.bound[name] = value
        return name

    def chain(self, sign: str, texts: Sequence[str]) -> str:
        """Return terms or factors joined from left to right."""
        if len(texts) <= LONG:
            return f" {sign} ".join(texts)
        return f"{self.bind(sum if sign == '+' else math.prod)}(({', '.join(texts)}))"

    def rows(self, space: int, index: NDArray[np.int64]) -> tuple[str, int]:
        """Return the rows of an index of shape (nodes,), and their number: one if all are the same."""
        np, name, first = self.np, self.name(space), int(index[0])
        size = self.program.nests[space - NESTS].size if space >= NESTS else None
        if self.steps:
            moves = access_by_step(index[None], self.steps, np)
            if moves is None:
                return f"{name}[{self.bind(index)}[t:t + 1]]", 1
            if stride := moves[1][0]:
                return f"{name}[{first} + {stride} * t:{first + 1} + {stride} * t]", 1
        if (index == first).all():
            return (name if size == 1 else f"{name}[{first}:{first + 1}]"), 1
        step, n = int(index[1]) - first, len(index)
        if step > 0 and (np.diff(index) == step).all():
            if step == 1 and first == 0 and n == size:
                return name, n
            return f"{name}[{first}:{int(index[-1]) + 1}{f':{step}' if step > 1 else ''}]", n
        return f"{name}[{self.bind(index)}]", n

    def operand(self, access: Access, varies: bool, inline: bool = True) -> Operand:
        """Return the first term of an operand; a constant is written out if `inline`."""
        space, index = access.space, access.index[:, 0]
        if space == CONSTANT and inline:
            number = _same(self.program.constants[index])
            if number is not None:
                return Operand(number, 1, False)
        text, n = self.rows(space, index)
        moves = self.program.varies(space)
        return Operand(text if moves or not varies else f"{text}[:, None]", n, moves)

    # --- Nests

    def nest(self, nest: LoopNest) -> str:
        """Return the expression of a nest."""
        if nest.op is rules.entry:
            return self.entries(nest)
        if nest.targets is not None:
            return f"{self.bind(_scattered)}({self.scatter(nest, nest.targets)})"
        if nest.op is not None:
            # With constants alone, Python's numbers would raise where NumPy's give NaN or an infinity.
            inline = any(access.space != CONSTANT for access in nest.operands)
            operands = [self.operand(access, nest.varies, inline) for access in nest.operands]
            template, texts = ARRAY.template(nest.op), [operand.text for operand in operands]
            variadic = template.endswith("({})")
            text = template.format(", ".join(texts)) if variadic else template.format(*texts)
            whole = _whole(nest, operands)
        else:
            sums = [self.terms(terms, nest) for terms in nest.products]
            if not nest.ordered:  # a matrix product comes first: it has all rows and columns
                sums.sort(key=lambda found: not found[1])
            text, whole = self.chain("+", [text for text, _ in sums]), any(whole for _, whole in sums)
        return text if whole else _broadcast(text, nest.rows, nest.varies)

    def selected(self, table: NDArray[np.int64], index: Access, varies: bool) -> str:
        """Return what an index selects of each row of a table."""
        rows, operand = self.np.arange(len(table)), self.operand(index, varies, inline=False)
        rows = rows[:, None] if varies else rows
        row = f"{self.bind(_row)}({operand.text}, {table.shape[1]})"
        return f"{self.bind(table)}[{self.bind(rows)}, {row}]"

    def entries(self, nest: LoopNest) -> str:
        """Return the expression of a nest that reads entries of tables."""
        index, table = nest.operands
        place = self.selected(table.index, index, nest.varies)
        if not self.program.varies(table.space):
            text, whole = f"{self.name(table.space)}[{place}]", self.program.varies(index.space)
            return text if whole or not nest.varies else _broadcast(text, nest.rows, True)
        return f"{self.name(table.space)}[{place}, np.arange(m)]"

    def scatter(self, nest: LoopNest, targets: NDArray[np.int64]) -> str:
        """Return the arguments of `_scattered`, and of `_summed`, for a nest."""
        index, number = nest.operands
        place = self.selected(targets, index, nest.varies)
        text = self.operand(number, nest.varies, inline=False).text
        return f"{nest.size}, {place}, {text}{', m' if nest.varies else ''}"

    def result(self, nest: LoopNest) -> str:
        """Return the expression of a nest, its first results copied from others where it starts with some."""
        if not nest.start:
            return self.nest(nest)
        firsts = [self.copied(access, nest.varies) for access in nest.start]
        return f"np.concatenate([{', '.join([*firsts, self.nest(nest)])}])"

    def copied(self, access: Access, varies: bool) -> str:
        """Return copies, with a row for each."""
        operand, rows = self.operand(access, varies), len(access.index)
        if operand.rows == rows and operand.varies == varies and operand.text[0].isalpha():
            return operand.text
        return _broadcast(operand.text, rows, varies)

    def by_steps(self, group: list[int]) -> list[str]:
        """Return the lines of nests that run together step by step: each fills an array of its own."""
        nests = [self.program.nests[k] for k in group]
        steps, lines = nests[0].steps, list[str]()
        for k, nest in zip(group, nests, strict=True):
            shape = f"({nest.size}, m)" if nest.varies else str(nest.size)
            lines.append(f"n{k} = np.empty({shape}{', bool' if nest.op in CONDITIONS else ''})")
            at = 0
            for access in nest.start:
                lines.append(f"n{k}[{at}:{at + len(access.index)}] = {self.copied(access, nest.varies)}")
                at += len(access.index)
        if all(self.is_one_line(nest) for nest in nests):
            self.steps = steps
            lines.append(f"for t in range({steps}):")
            for k, nest in zip(group, nests, strict=True):
                at, part = nest.size - nest.rows, self.nest(replace(nest, size=1, start=[]))
                lines.append(f"    n{k}[{at} + t:{at + 1} + t] = {part}")
            self.steps = 0
            return lines
        for t in range(steps):
            for k, nest in zip(group, nests, strict=True):
                n, at = nest.rows // steps, nest.size - nest.rows
                part = self.nest(nest.part(t * n, (t + 1) * n))
                lines.append(f"n{k}[{at + t * n}:{at + (t + 1) * n}] = {part}")
        return lines

    def is_one_line(self, nest: LoopNest) -> bool:
        """Return whether one line serves for all steps: each is one node, with the same coefficients.

        The text of 1,000 Runge-Kutta steps then loads in 0.01 s instead of 1.7 s.
        """
        return nest.rows == nest.steps and all(
            run.terms == 1 and (run.coefficient is None or common_number(run.coefficient) is not None)
            for run in nest.products
        )

    # --- Sums of products: each expression comes with whether it has all rows and columns

    def terms(self, terms: ProductTerms, nest: LoopNest) -> tuple[str, bool]:
        """Return the sum of terms of one shape."""
        if not terms.factors:
            numbers = self.np.ones(nest.rows) if terms.coefficient is None else terms.coefficient.sum(1)
            number = _same(numbers)
            if number is not None:
                return number, False
            return self.bind(numbers[:, None] if nest.varies else numbers), not nest.varies
        if terms.counts is not None:
            return self.many_lengths(terms, terms.counts, nest)
        if terms.terms == 1:
            return self.one_term(terms, nest)
        fixed = [access for access in terms.factors if not self.program.varies(access.space)]
        moving = [access for access in terms.factors if self.program.varies(access.space)]
        if nest.varies and len(moving) == 1 and len(fixed) <= 1:
            index = moving[0].index
            if (index == index[0]).all():
                return self.matrix_product(terms, fixed, moving[0], nest), True
        if not nest.varies:
            return self.all_terms(terms), True
        return self.term_by_term(terms, nest)

    def many_lengths(
        self, terms: ProductTerms, counts: NDArray[np.int64], nest: LoopNest
    ) -> tuple[str, bool]:
        """Return sums of different numbers of terms: all products in one array, summed part by part."""
        kept, texts = kept_terms(terms, self.np), list[str]()
        moving = [self.program.varies(access.space) for access in terms.factors]
        for access, moves in zip(terms.factors, moving, strict=True):
            text = f"{self.name(access.space)}[{self.bind(access.index[kept])}]"
            texts.append(text if moves or not nest.varies else f"{text}[:, None]")
        if terms.coefficient is not None:
            numbers = terms.coefficient[kept]
            texts.insert(0, self.bind(numbers[:, None] if nest.varies else numbers))
        starts = self.bind(self.np.cumsum(counts) - counts)
        text = f"np.add.reduceat({self.chain('*', texts)}, {starts}) + 0.0"
        return text, any(moving) or not nest.varies

    def one_term(self, terms: ProductTerms, nest: LoopNest) -> tuple[str, bool]:
        """Return a product of factors."""
        operands, coefficient = (
            [self.operand(access, nest.varies) for access in terms.factors],
            terms.coefficient,
        )
        if coefficient is not None:
            number = _same(coefficient)
            if number is not None:
                operands.insert(0, Operand(number, 1, False))
            else:
                name = self.bind(coefficient if nest.varies else coefficient[:, 0])
                operands.insert(0, Operand(name, nest.rows, False))
        return self.chain("*", [operand.text for operand in operands]), _whole(nest, operands)

    def matrix_product(self, terms: ProductTerms, fixed: list[Access], moving: Access, nest: LoopNest) -> str:
        """Return a matrix of weights or coefficients times results that vary, the same for all nodes."""
        index = moving.index[0]
        if (index == index[0]).all():
            columns = f"{self.name(moving.space)}[{self.bind(index)}]"
        else:
            columns = self.rows(moving.space, index)[0]
        if not fixed:
            weights = (
                self.np.ones((nest.rows, terms.terms)) if terms.coefficient is None else terms.coefficient
            )
            return f"{self.bind(weights)} @ {columns}"
        matrix = self.matrix(fixed[0])
        if terms.coefficient is not None:
            matrix = f"({matrix} * {self.bind(terms.coefficient)})"
        return f"{matrix} @ {columns}"

    def matrix(self, access: Access) -> str:
        """Return an operand as a matrix of nodes by terms: a view if its addresses follow each other."""
        np, name, index = self.np, self.name(access.space), access.index
        for order, turned in ((index, ""), (index.T, ".T")):
            first = int(index[0, 0])
            if (order.ravel() == first + np.arange(index.size)).all():
                return f"{name}[{first}:{first + index.size}].reshape{order.shape}{turned}"
        return f"{name}[{self.bind(index)}]"

    def all_terms(self, terms: ProductTerms) -> str:
        """Return a sum of products that do not vary, computed as one array of nodes by terms."""
        factors = [f"{self.name(access.space)}[{self.bind(access.index)}]" for access in terms.factors]
        text = self.chain("*", factors)
        if terms.coefficient is not None:
            text += f" * {self.bind(terms.coefficient)}"
        return f"({text}).sum(1)"

    def term_by_term(self, terms: ProductTerms, nest: LoopNest) -> tuple[str, bool]:
        """Return a sum of products, each an array of its own."""
        coefficient = terms.coefficient
        parts = [
            self.one_term(
                ProductTerms(
                    None if coefficient is None else coefficient[:, t : t + 1],
                    [Access(access.space, access.index[:, t : t + 1]) for access in terms.factors],
                    1,
                ),
                nest,
            )
            for t in range(terms.terms)
        ]
        return f"({self.chain('+', [text for text, _ in parts])})", any(whole for _, whole in parts)

    # --- Sums over the samples

    def total(self, k: int, stored: bool) -> str:
        """Return the sum over the samples of a result that varies: a matrix product, if it can be one."""
        nest = self.program.nests[k]
        if stored:
            return f"n{k}.sum(1)"
        if nest.targets is not None:
            return f"{self.bind(_summed)}({self.scatter(nest, nest.targets)})"
        if nest.op is None and not nest.start and len(nest.products) == 1:
            (terms,) = nest.products
            moving = [access for access in terms.factors if self.program.varies(access.space)]
            if terms.terms == 1 and len(terms.factors) == 2 and len(moving) == 2:
                found = affine_access(self.np.stack([access.index[:, 0] for access in moving]), self.np)
                if found is not None and len(found[0]) in (1, 2):
                    n1, n2, *_ = [*found[0], 1]  # one row times many is a product, too
                    first, second = [[*strides, 0] for strides in found[1]]
                    if first[1] == 0 and second[0] == 0:
                        return self.outer(terms, moving[0], moving[1], n1, n2)
                    if first[0] == 0 and second[1] == 0:
                        return self.outer(terms, moving[1], moving[0], n1, n2)
        return f"({self.result(nest)}).sum(1)"

    def outer(self, terms: ProductTerms, rows: Access, columns: Access, n1: int, n2: int) -> str:
        """Return Σ over samples of ``rows[i] * columns[j]`` for n1 times n2 nodes."""
        a, many_rows = self.rows(rows.space, rows.index[::n2, 0])
        b, many_columns = self.rows(columns.space, columns.index[:n2, 0])
        if terms.coefficient is None:
            product = f"{a} @ {b}.T"
            if (many_rows, many_columns) != (n1, n2):  # one row stands for equal ones
                product = f"np.broadcast_to({product}, {(n1, n2)})"
            return f"({product}).ravel()"
        return f"(({a} @ {b}.T) * {self.bind(terms.coefficient.reshape(n1, n2))}).ravel()"
