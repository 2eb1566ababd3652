"""Operations as instructions for an interpreter in C, for programs of too many loops to compile each.

The text of the interpreter depends on which operations there are, and on little else: it is compiled once for
all programs that use the same. An instruction is an operation, how often it follows itself, and where the
operands are.

What does not live here: loops as C of their own (`c.py`), which run several times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_lite.compiler.codegen.c_function import Layout
from autograd_lite.compiler.codegen.c_text import LANGUAGE, check_row, types
from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive

KEPT = {table.sum, table.dot}  # which are added up by a loop of the interpreter's own


def layout(
    graph: Graph,
    outputs: Sequence[int],
    numpy: Any,
    *,
    added: bool,
    name: str,
    arguments: Sequence[tuple[str, int]],
    leaves: int,
    lanes: int,
    real: str,
) -> tuple[Layout, list[Any]]:
    """The interpreter, and the arrays that it takes after the samples: the instructions and the constants.

    The outputs are added up over the samples, or given for each of them.
    """
    low, ends = decompose(graph, list(outputs), "c", keep=KEPT)
    places: dict[Op, int] = {}
    sources: dict[str, list[int]] = {"argument": [], "leaf": [], "constant": []}  # nodes, and their places
    counted = {"argument": sum(size for _, size in arguments), "leaf": leaves}
    constants: list[float] = []
    code: list[int] = []
    last: Any = None  # an operation, where its instruction begins, and where the next node would be
    for i in low.live(ends):
        op, operands = low.ops[i], low.operands[i]
        if op == "constant":
            sources["constant"] += [i, len(constants)]
            constants.append(low.numbers[i])
        elif op in sources:
            if not 0 <= low.numbers[i] < counted[op]:
                raise ValueError(
                    f"a program reads {op} {low.numbers[i]}: it was changed since it was compiled"
                )
            sources[op] += [i, low.numbers[i]]
        else:
            if op in KEPT:
                n = len(operands) // 2 if op is table.dot else 0
                code += [0, i, n, len(operands) - 2 * n, *operands]
                last = None
                continue
            check_row(op)
            if last is not None and last[0] == op and last[2] == i:
                code[last[1] + 1] += 1
                code += operands
                last = (op, last[1], i + 1)
            else:
                last = (op, len(code), i + 1)
                code += [places.setdefault(op, len(places) + 1), 1, i, *operands]
    lane = "[l]" if lanes > 1 else ""
    arity = {op: len(low.operands[i]) for i, op in enumerate(low.ops) if op in places}
    cases = [
        f"        case {place}: /* {op.name if isinstance(op, Primitive) else op} */\n"
        f"            for (int i = 0; i < size; i++, t++, p += {arity[op]})\n"
        f"                for (int l = 0; l < {lanes}; l++)\n"
        f"                    (*t){lane} = "
        + LANGUAGE.template(op).format(*[f"v[p[{j}]]{lane}" for j in range(arity[op])])
        + ";\n            break;"
        for op, place in places.items()
    ]
    counts = [len(found) // 2 for found in sources.values()]
    head = [len(ends), *counts, *ends, *[k for found in sources.values() for k in found]]
    tables = [numpy.array([*head, *code, -1], numpy.int32), numpy.array(constants)]
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
    return Layout(text, lanes * (len(low) + len(ends)), "m" if arguments else "1"), tables


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
