"""The complete C function of a program: header, tables, blocks of samples, sums and results.

Next door: `c_loops.py` prints the loops inside it, `c_descent.py` a function that calls several of
them, `runtime/machine.py` compiles the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from autograd_lite.compiler.codegen.c_loops import LoopWriter
from autograd_lite.compiler.codegen.c_products import VECTORS
from autograd_lite.compiler.codegen.c_text import c_number, copies, indented, round_up, types
from autograd_lite.compiler.codegen.c_workspace import Block, Workspace
from autograd_lite.compiler.loops.ir import (
    ARGUMENT,
    CONSTANT,
    NESTS,
    PARAMETER,
    Access,
    LoopNest,
    LoopProgram,
    ProductTerms,
)
from autograd_lite.core import rules

ALIGNED = 16  # numbers: each area of the workspace begins at a multiple of 64 bytes, also of floats


@dataclass
class Layout:
    """A C program: its text, and the size of its workspace in numbers."""

    text: str
    work: int


def c_layout(
    program: LoopProgram,
    numpy: ModuleType,
    *,
    name: str,
    arguments: Sequence[tuple[str, int]],
    lanes: int,
    real: str = "double",
    recorded: bool = False,
) -> Layout:
    """Return the C function ``name``, which computes the sums of the outputs over m samples.

    `arguments` gives the name of each argument, and how many numbers it has in a sample. With one lane the
    text is plain C99. `recorded`: the samples are the data of a recorded batch, and the outputs are computed
    once for all of them.
    """
    program = _with_results(program, numpy)
    vectors = VECTORS if lanes > 1 else 1
    writer = LoopWriter.of(program, numpy, real, lanes, vectors)
    space, sizes = writer.workspace, sorted({vectors, 1}, reverse=True)
    blocks = [writer.block(f"block_{size}", Block(size, lanes)) for size in sizes]
    before, after = [writer.nests(when, Block(1, 0), after=when == "after") for when in ("before", "after")]
    varies = any(nest.varies for nest in program.nests)
    functions = [*writer.functions, *(blocks if varies else [])]
    leaves = program.leaves.tolist()
    moved = leaves != [*range(len(leaves))]
    given = sum(size for _, size in arguments)
    in_vectors = space.sums_in_vectors if lanes > 1 else 0
    sums_at, fixed_at, blocks_at = _areas(len(leaves) if moved else 0, space)
    work = blocks_at + lanes * (in_vectors + (given + space.block_size) * vectors)
    scale = "1" if recorded or not arguments else "m"
    text = _TEXT.format(
        name=name,
        real=real,
        given=_described(arguments),
        leaves=len(leaves),
        outputs=len(program.outputs),
        work=work,
        aligned=", its start a multiple of 64 bytes" if lanes > 1 else "",
        types=types(real, lanes) + (_PARTS if writer.functions else "") + _row(real, program),
        turn=_turn(lanes, real, bool(space.copies)) if lanes > 1 else "",
        data="\n".join(_tables(writer, "".join([*functions, *before, *after]))),
        blocks="\n\n".join(functions),
        before=indented(before),
        after=indented(after),
        g="(V *)work" if lanes > 1 else "sums",
        x=f"(V *)work + {in_vectors}",
        room=given * vectors,
        sums=space.sum_size,
        in_vectors=in_vectors,
        samples=_samples(arguments, sizes, lanes, in_vectors, len(program.each)) if varies else "",
        each=f", then {len(program.each)} numbers for each sample" if program.each else "",
        v="work" if moved else "w",
        sums_at=sums_at,
        fixed_at=fixed_at,
        blocks_at=blocks_at,
        taken=indented(copies(f"(({real} *)v)", [*enumerate(leaves)] if moved else [], "w", "from_leaves")),
        results=indented(_results(program, space, scale)),
    )
    return Layout(text, work)


def _areas(leaves: int, space: Workspace) -> tuple[int, int, int]:
    """Return where the sums, the fixed numbers and the blocks begin in the workspace, after copied leaves."""
    sums = round_up(leaves, ALIGNED)
    fixed = sums + round_up(space.sum_size, ALIGNED)
    return sums, fixed, fixed + round_up(space.fixed_size, ALIGNED)


def _described(arguments: Sequence[tuple[str, int]]) -> str:
    """Return the header's description of the samples."""
    if not arguments:
        return "none: m is 1"
    shapes = ", ".join([f"{given} ({size})" for given, size in arguments])
    return f"of each argument the numbers of m samples, one sample after the other: {shapes}"


def _tables(writer: LoopWriter, text: str) -> list[str]:
    """Return the definitions of the tables of addresses, and of the constants if the text reads them."""
    operands = writer.operands
    lines = [
        f"static const int {name}[] = {{{', '.join(map(str, entries.tolist()))}}};"
        for name, entries in operands.tables.values()
    ]
    if re.search(r"\bc\[", text):
        constants = ", ".join([c_number(x) for x in operands.constants.tolist()])
        lines.append(f"static const {operands.real} c[] = {{{constants}}};")
    return lines


def _results(program: LoopProgram, space: Workspace, scale: str) -> list[str]:
    """Return the loops that copy the outputs: from the sums, and from the numbers that do not vary."""
    summed: list[tuple[int, int]] = []
    fixed: list[tuple[int, int]] = []
    for i, (of, number) in enumerate(program.outputs):
        k = of - NESTS
        if program.nests[k].varies:
            summed.append((i, space.sum_place(k, number)))
        else:
            fixed.append((i, space.fixed[k] + number))
    factor = "" if scale == "1" else f"{scale} * "
    return [*copies("out", summed, "sums", "from_sums"), *copies("out", fixed, "f", "from_fixed", factor)]


def _with_results(program: LoopProgram, numpy: ModuleType) -> LoopProgram:
    """Return the program with outputs that are all results of nests: nests of their own copy inputs."""
    nests, outputs, each = [*program.nests], [*program.outputs], [*program.each]

    def copied(places: list[tuple[int, int]], space: int, varies: bool) -> None:
        """Replace the outputs in a space by the results of a nest that copies them."""
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
    """Return the loops over the samples: first the remainder of a vector, then blocks of vectors."""
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
    if (left) {{ /* the vector is padded with copies that do not count */
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


def _row(real: str, program: LoopProgram) -> str:
    """Return `ROW`, the row that an index selects: one of n rows, also where the index is wrong."""
    if not any(nest.op is rules.entry or nest.targets is not None for nest in program.nests):
        return ""
    return f"""

static inline int ROW({real} i, int n)
{{
    return i >= 0 && i < n ? (int)i : 0;
}}"""


def _turn(lanes: int, real: str, columns: bool) -> str:
    """Return `turn`, which transposes a square of numbers in registers by exchanging halves of vectors."""
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


# Elsewhere -ffp-contract=off (`runtime/toolchain.py`) keeps products and sums apart: C has no portable way.
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
   C99; it needs libm and nothing else. To round exactly as written, compile with -ffp-contract=off:
   otherwise compilers may fuse a product with a sum. */
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
