"""Steps of an optimizer in C: a function that takes many steps, with one program or several, in one call.

It calls the functions printed by `c_function.py` by their addresses, so its text depends on the rule alone:
one library serves all programs, all step sizes and all settings of an optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autograd_lite.compiler.codegen.c_text import LANGUAGE, c_number, check_row
from autograd_lite.compiler.codegen.printer import Printer
from autograd_lite.compiler.frontend.step_rule import DATA, GRADIENT, MEMORY, SIZE, StepRule
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.passes.decompose import decompose

_TAKEN = {
    "R",
    "Run",
    "Part",
    "c",
    "i",
    "n",
    "first",
    "end",
    "bad",
    "old",
    "fresh",
    "sqrt",
    "update",
    "stride",
}


def descent(rule: StepRule, real: str) -> tuple[str, list[float]]:
    """Return the text of ``program``, which takes steps by a rule, and the constants that it is given.

    Raises `ValueError` if a row of the user's in the rule has no form in C.
    """
    constants: list[float] = []

    def number(x: float) -> str:
        if x == 1.0:
            return c_number(x)
        if x not in constants:
            constants.append(x)
        return f"c[{constants.index(x)}]"

    def printed(graph: Graph, outputs: Sequence[int], given: dict[int, str]) -> tuple[list[str], list[str]]:
        """Return statements, and the outputs as text; `given` are the names of the inputs by their places."""
        low, ends = decompose(graph, outputs, "c")
        for i in low.live(ends):
            check_row(low.ops[i])
            if low.ops[i] == "argument":
                low.labels[i] = given[low.numbers[i]]
        printer = Printer(low, ends, replace(LANGUAGE, number=number), {*_TAKEN})
        lines = [f"const R {s.name} = {s.text};" for s in printer.statements()]
        return lines, [printer.text(i) for i in ends]

    names = {SIZE: "size", DATA: "x", GRADIENT: "g"}
    names |= {MEMORY + k: f"m{k + 1}" for k in range(len(rule.memory))}
    shares = {MEMORY + len(rule.memory) + k: f"shared_{k + 1}" for k in range(len(rule.shares))}
    first, shared = printed(rule.shared, rule.shares, names)
    first += [f"const R {name} = {text};" for name, text in zip(shares.values(), shared, strict=True)]
    lines, outputs = printed(rule.each, rule.outputs, names | shares)
    places = range(len(rule.memory))
    clocks = [k - MEMORY for k in rule.clocks]
    text = _TEXT.format(
        real=real,
        bits="long" if real == "double" else "int",
        header="math.h" if real == "double" else "tgmath.h",
        memories=len(rule.memory),
        old="".join([f"\n    const R *restrict old_{k + 1} = memory[{k}] + place;" for k in places]),
        fresh="".join([f"\n    R *restrict fresh_{k + 1} = fresh + {k + 1} * stride;" for k in places]),
        clocks="".join([f"\n        const R m{k + 1} = old_{k + 1}[first];" for k in clocks]),
        differs=" || ".join([f"old_{k + 1}[i] != m{k + 1}" for k in clocks]) or "0",
        shared="\n".join([f"        {line}" for line in first]),
        read="".join(
            [f"\n            const R m{k + 1} = old_{k + 1}[i];" for k in places if k not in clocks]
        ),
        each="\n".join([f"            {line}" for line in lines]),
        written="\n".join([
            f"            const R new_{k} = {text};\n            bad |= new_{k} * 0 != 0;\n"
            f"            fresh_{k}[i] = new_{k};"
            for k, text in enumerate(outputs)
        ]),
    )  # fmt: skip
    return text, constants


_TEXT = """/* Steps of an optimizer. Products and sums round as written with -ffp-contract=off. */
#include <{header}>
#include <string.h>

typedef {real} R;
typedef {bits} B;
typedef void (*Run)(long m, const R *const *samples, const R *w, R *out, R *work);

/* A program, and the samples that it can be run on. */
typedef struct {{
    Run run;
    long m, recorded, arguments, leaves, reads, moves;
    const R *const *samples; /* of each argument the numbers of m samples */
    const R **given;         /* the same for the samples of one step */
    R *const *room;          /* where samples are copied that do not follow each other */
    const long *sizes;       /* how many numbers each argument has */
    const long *read, *move; /* runs of leaves: place among all parameters, first leaf, how many */
    R *work;
}} Part;

/* Writes the new numbers of a run of parameters to `fresh`; returns whether one of them is not finite. */
static B update(R size, const R *restrict c, const R *restrict w, const R *restrict gradient,
        R *const *memory, long place, long n, R *restrict fresh, long stride)
{{
    B bad = 0;
    const R *restrict old_0 = w + place;{old}
    R *restrict fresh_0 = fresh;{fresh}
    (void)c; (void)memory; (void)stride; (void)size;
    for (long first = 0, end; first < n; first = end) {{{clocks}
        B differs = 0;
        for (long i = first; i < n; i++)
            differs |= {differs};
        end = n;
        if (differs)
            for (end = first + 1;; end++) {{
                const long i = end;
                if ({differs})
                    break;
            }}
{shared}
        for (long i = first; i < end; i++) {{
            const R x = old_0[i], g = gradient[i];{read}
{each}
{written}
        }}
    }}
    return bad;
}}

/* Points `given` at the samples of a step; copies them if they do not follow each other. */
static void choose(const Part *part, const long *rows, long m)
{{
    int follow = 1;
    for (long i = 1; i < m; i++)
        follow &= rows[i] == rows[0] + i;
    for (long a = 0; a < part->arguments; a++) {{
        const long size = part->sizes[a];
        part->given[a] = part->samples[a] + rows[0] * size;
        if (follow)
            continue;
        for (long i = 0; i < m; i++)
            memcpy(part->room[a] + i * size, part->samples[a] + rows[i] * size, size * sizeof(R));
        part->given[a] = part->room[a];
    }}
}}

/* Takes steps: step k with the program parts[which[k]], on its samples chosen[starts[k]], ... or, if there
   are none, on all of them, of size sizes[k]. The mean before it goes to values[k], its gradient to out + 1.
   Returns the number of steps taken: fewer if the mean, the gradient or a new number is not finite. */
long program(long steps, const Part *parts, const long *which, const long *starts, const long *chosen,
        const R *sizes, const R *c, R *w, R *const *memory, R *v, R *out, R *fresh, R *values)
{{
    for (long k = 0; k < steps; k++) {{
        const Part *part = &parts[which[k]];
        const long leaves = part->leaves, own = starts[k + 1] - starts[k], m = own ? own : part->m;
        if (own)
            choose(part, chosen + starts[k], own);
        const R *numbers = v;
        if (part->reads == 1)
            numbers = w + part->read[0];
        else
            for (const long *run = part->read; run < part->read + 3 * part->reads; run += 3)
                memcpy(v + run[1], w + run[0], run[2] * sizeof(R));
        part->run(m, own ? part->given : part->samples, numbers, out, part->work);
        const R scale = part->recorded ? 1 : m;
        B bad = 0;
        for (long i = 0; i < leaves + 1; i++) {{
            out[i] /= scale;
            bad |= out[i] * 0 != 0;
        }}
        if (bad)
            return k;
        for (const long *run = part->move; run < part->move + 3 * part->moves; run += 3)
            bad |= update(sizes[k], c, w, out + 1 + run[1], memory, run[0], run[2], fresh + run[1], leaves);
        if (bad)
            return k;
        for (const long *run = part->move; run < part->move + 3 * part->moves; run += 3) {{
            memcpy(w + run[0], fresh + run[1], run[2] * sizeof(R));
            for (long j = 0; j < {memories}; j++)
                memcpy(memory[j] + run[0], fresh + (j + 1) * leaves + run[1], run[2] * sizeof(R));
        }}
        values[k] = out[0];
    }}
    return steps;
}}
"""
