"""Pieces of C text: numbers, names, addresses, the heads of loops, and the types at the top of a program.

Next door: `c_loops.py` and `c_products.py` put the pieces together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from autograd_lite.compiler.codegen.c_words import WORDS
from autograd_lite.compiler.codegen.printer import CHOICE, OR, Language, identifier
from autograd_lite.compiler.ir.graph import Op
from autograd_lite.core.primitive import Primitive


def c_number(x: float) -> str:
    """Return a float as a constant of type double."""
    if math.isfinite(x):
        return repr(x)
    return "NAN" if x != x else "INFINITY" if x > 0.0 else "-INFINITY"


# Names that a function cannot have: words of C, and names that the text uses for something else.
TAKEN = WORDS | {
    "V",
    "M",
    "MIX",
    "PART",
    "FUSED",
    "ROW",
    "FUSE",
    "c",
    "turn",
    "columns",
    "sums_over",
    "block_1",
    "block_2",
}
LANGUAGE = Language(
    "c", {"and": "{0} && {1}", "or": "{0} || {1}", "not": "!{0}"}, (CHOICE, (OR, OR, CHOICE)), number=c_number
)


def function_name(title: str) -> str:
    """Return a name in C for a title."""
    name = identifier(title.encode("ascii", "replace").decode(), {*TAKEN})
    return f"{name}_" if re.fullmatch(r"table_\d+", name) else name


def check_row(op: Op | None) -> None:
    """Raise `ValueError` if an operation has no template for C."""
    if isinstance(op, Primitive) and "c" not in op.template:
        raise ValueError(
            f"{op.name} has no form in C: give it one by a formula written with other rows, "
            'or template={"c": "name({0})"}; the program runs in its other forms'
        )


def types(real: str, lanes: int) -> str:
    """Return the header, and the type of a vector of numbers."""
    if lanes == 1:
        vector = f"typedef {real} V;"
    else:
        bits, integer = (8, "long long") if real == "double" else (4, "int")
        vector = _VECTOR.format(real=real, size=lanes * bits, bits=bits, integer=integer)
    return f"#include <{'math.h' if real == 'double' else 'tgmath.h'}>\n\n{vector}"


_VECTOR = """typedef {real} V __attribute__((vector_size({size}), aligned({bits}), may_alias));
typedef {integer} M __attribute__((vector_size({size}), aligned({bits}), may_alias));
#ifdef __clang__
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MIX(a, b, ...) __builtin_shuffle(a, b, (M){{__VA_ARGS__}})
#endif
"""


def round_up(n: int, lanes: int) -> int:
    """Return `n` rounded up to whole vectors."""
    return -(-n // max(lanes, 1)) * max(lanes, 1)


def vector_address(address: str, q: str) -> str:
    """Return the index of vector `q` of a node's vectors; without `q` the address itself."""
    return f"({address}) * Q + {q}" if q else address


def loop_heads(extents: Sequence[int | str], letter: str = "i") -> list[str]:
    """Return the heads of nested loops, outermost first; the variables are i0, i1, ... after the letter."""
    return [
        f"for (int {letter}{d} = 0; {letter}{d} < {extent}; {letter}{d}++)"
        for d, extent in enumerate(extents)
    ]


def nested(heads: list[str], body: list[str]) -> list[str]:
    """Return a body inside nested loops, or in a block of its own."""
    return [*heads[:-1], (heads[-1] + " {") if heads else "{", *[f"    {line}" for line in body], "}"]


def indented(lines: list[str]) -> str:
    """Return the lines of a function's body as text."""
    return "\n".join([f"    {line}" for line in lines])


def shifted(text: str, letter: str, by: int) -> str:
    """Return a text with a loop variable moved forward."""
    return re.sub(rf"\b{letter}\b", f"({letter} + {by})", text)


def affine_address(base: int, strides: Sequence[int], letter: str = "i") -> str:
    """Return ``base + stride * i0 + stride * i1 + ...``."""
    parts = [
        f"{letter}{d}" if stride == 1 else f"{stride} * {letter}{d}"
        for d, stride in enumerate(strides)
        if stride
    ]
    if base or not parts:
        parts.insert(0, str(base))
    return " + ".join(parts).replace("+ -", "- ")


def plus(base: int, address: str) -> str:
    """Return an address moved by a constant."""
    return address if base == 0 else str(base + int(address)) if address.isdigit() else f"{base} + {address}"


def added(a: str, b: str) -> str:
    """Return the sum of two addresses."""
    return b if a == "0" else a if b == "0" else f"{a} + {b}"


def row_major(extents: Sequence[int]) -> list[int]:
    """Return the strides of an array of these extents, stored row after row."""
    steps: list[int] = []
    step = 1
    for extent in reversed(extents):
        steps.insert(0, step)
        step *= extent
    return steps


def copy_runs(places: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return runs of neighbours, (i, k, j), (i + 1, k, j + 1), ..., each by its first and its length."""
    runs: list[tuple[int, int, int, int]] = []
    for i, k, j in places:
        if runs:
            first_i, of, first_j, n = runs[-1]
            if (i, k, j) == (first_i + n, of, first_j + n):
                runs[-1] = (first_i, of, first_j, n + 1)
                continue
        runs.append((i, k, j, 1))
    return runs


def copies(to: str, pairs: list[tuple[int, int]], source: str, table: str, factor: str = "") -> list[str]:
    """Return statements for ``to[i] = source[j]`` of each pair, run by run of neighbours."""
    runs = [(i, j, n) for i, _, j, n in copy_runs([(i, 0, j) for i, j in pairs])]
    if not runs:
        return []
    numbers = ", ".join([f"{{{i}, {j}, {n}}}" for i, j, n in runs])
    return [
        f"static const int {table}[][3] = {{{numbers}}};",
        f"for (int r = 0; r < {len(runs)}; r++)",
        f"    for (int i = 0; i < {table}[r][2]; i++)",
        f"        {to}[{table}[r][0] + i] = {factor}{source}[{table}[r][1] + i];",
    ]
