"""Bytecode and its interpreter in C, for programs with too many loops to compile.

The interpreter depends on little more than the set of operations: it is compiled once for all programs with
the same set. An instruction is an operation, how many consecutive nodes it makes, and where their operands
are. Next door: `c_function.py` prints loops as C of their own, which runs several times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from autograd_lite.compiler.codegen.c_function import Layout
from autograd_lite.compiler.codegen.c_text import LANGUAGE, check_row, types
from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEPT = {table.sum, table.dot}  # the interpreter has a loop of its own for these


def layout(
    graph: Graph,
    outputs: Sequence[int],
    numpy: ModuleType,
    *,
    added: bool,
    name: str,
    arguments: Sequence[tuple[str, int]],
    leaves: int,
    lanes: int,
    real: str,
) -> tuple[Layout, list[NDArray[np.int32] | NDArray[np.float64]]]:
    """Return the interpreter, and the arrays that it takes after the samples: the bytecode and the constants.

    The outputs are summed over the samples if `added`, otherwise given for each of them.
    """
    low, ends = decompose(graph, list(outputs), "c", keep=KEPT)
    code = _encoded(low, ends, sum(size for _, size in arguments), leaves)
    lane = "[l]" if lanes > 1 else ""
    arity = {op: len(low.operands[i]) for i, op in enumerate(low.ops) if op in code.opcodes}
    cases = [
        f"        case {opcode}: /* {op.name if isinstance(op, Primitive) else op} */\n"
        f"            for (int i = 0; i < size; i++, t++, p += {arity[op]})\n"
        f"                for (int l = 0; l < {lanes}; l++)\n"
        f"                    (*t){lane} = "
        + LANGUAGE.template(op).format(*[f"v[p[{j}]]{lane}" for j in range(arity[op])])
        + ";\n            break;"
        for op, opcode in code.opcodes.items()
    ]
    given = [(a, size, k) for a, (_, size) in enumerate(arguments) for k in range(size)]
    text = _TEXT.format(
        name=name,
        real=real,
        types=types(real, lanes),
        cases="\n".join(cases),
        given=len(arguments),
        of=", ".join([f"{{{a}, {size}, {k}}}" for a, size, k in given]) or "{0}",
        lanes=lanes,
        lane=lane,
        added=int(added),
        results=len(low),
        outputs=len(ends) if added else 0,
    )
    tables = [numpy.array(code.numbers, numpy.int32), numpy.array(code.constants)]
    return Layout(text, lanes * (len(low) + len(ends))), tables


class _Bytecode(NamedTuple):
    """A program as numbers: the outputs and the inputs first, then the instructions, then -1."""

    numbers: list[int]
    constants: list[float]
    opcodes: dict[Op, int]


def _encoded(graph: Graph, ends: list[int], arguments: int, leaves: int) -> _Bytecode:
    """Return the bytecode of a graph. Raises `ValueError` if it reads an input that does not exist."""
    opcodes: dict[Op, int] = {}
    inputs: dict[str, list[int]] = {"argument": [], "leaf": [], "constant": []}  # nodes, and their places
    counts = {"argument": arguments, "leaf": leaves}
    constants: list[float] = []
    code: list[int] = []
    last: tuple[Op, int, int] | None = None  # an operation, where its instruction begins, the node after it
    for i in graph.live(ends):
        op, operands = graph.ops[i], graph.operands[i]
        if op == "constant":
            inputs["constant"] += [i, len(constants)]
            constants.append(graph.numbers[i])
        elif isinstance(op, str) and op in inputs:
            if not 0 <= graph.numbers[i] < counts[op]:
                raise ValueError(
                    f"a program reads {op} {graph.numbers[i]}: it was changed since it was compiled"
                )
            inputs[op] += [i, graph.numbers[i]]
        elif op in KEPT:
            n = len(operands) // 2 if op is table.dot else 0
            code += [0, i, n, len(operands) - 2 * n, *operands]
            last = None
        elif last is not None and last[0] == op and last[2] == i:
            code[last[1] + 1] += 1
            code += operands
            last = (op, last[1], i + 1)
        else:
            check_row(op)
            last = (op, len(code), i + 1)
            code += [opcodes.setdefault(op, len(opcodes) + 1), 1, i, *operands]
    sizes = [len(found) // 2 for found in inputs.values()]
    head = [len(ends), *sizes, *ends, *[k for found in inputs.values() for k in found]]
    return _Bytecode([*head, *code, -1], constants, opcodes)


_TEXT = """/* {name}: an interpreter of the instructions that follow the samples. */
{types}

static void interpreted(const int *p, V *v)
{{
    for (;;) {{
        const int what = *p++;
        if (what < 0)
            return;
        if (what == 0) {{ /* a sum, of products first */
            V *t = v + *p++, sum = {{0}};
            const int products = *p++, terms = *p++;
            for (int i = 0; i < products; i++)
                sum += v[p[i]] * v[p[products + i]];
            p += 2 * products;
            for (int i = 0; i < terms; i++)
                sum += v[*p++];
            *t = sum;
            continue;
        }}
        const int size = *p++;
        V *t = v + *p++;
        switch (what) {{
{cases}
        }}
    }}
}}

void {name}(long m, const {real} *const *samples, const {real} *w, {real} *out, {real} *work)
{{
    static const int of[][3] = {{{of}}}; /* of each argument's number: the array, its width, the column */
    const int *p = (const int *)samples[{given}], outputs = p[0];
    const int arguments = p[1], leaves = p[2], constants = p[3];
    const int *ends = p + 4, *taken = ends + outputs;
    const {real} *numbers = samples[{given} + 1];
    V *v = (V *)work, *sums = v + {results};
    p = taken + 2 * arguments;
    for (int k = 0; k < leaves; k++, p += 2)
        v[p[0]] = w[p[1]] - (V){{0}}; /* which keeps -0.0 */
    for (int k = 0; k < constants; k++, p += 2)
        v[p[0]] = numbers[p[1]] - (V){{0}};
    for (int k = 0; k < outputs; k++)
        sums[k] = (V){{0}};
    for (long done = 0; done < m; done += {lanes}) {{
        const long count = m - done < {lanes} ? m - done : {lanes}; /* the others are copies */
        for (int k = 0; k < arguments; k++) {{
            const int *from = of[taken[2 * k + 1]];
            for (int l = 0; l < {lanes}; l++)
                v[taken[2 * k]]{lane} = samples[from[0]][(done + (l < count ? l : 0)) * from[1] + from[2]];
        }}
        interpreted(p, v);
        for (int l = 0; l < count; l++)
            for (int k = 0; k < outputs; k++)
                if ({added})
                    sums[k]{lane} += v[ends[k]]{lane};
                else
                    out[(done + l) * outputs + k] = v[ends[k]]{lane};
    }}
    for (int k = 0; k < {outputs}; k++) {{
        out[k] = 0;
        for (int l = 0; l < {lanes}; l++)
            out[k] += sums[k]{lane};
    }}
}}
"""
