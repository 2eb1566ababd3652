"""The two notations that formulas are written in, `LATEX` and `TEXT` (Unicode).

Each writes a name, a number, and a row of the table applied to operands; LaTeX comes from the rows' own
templates. Next door: `names.py` typesets labels, `formula.py` holds the formulas that are written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from autograd_lite.core.primitive import ATOM, POWER, PRODUCT, SUM, Primitive
from autograd_lite.core.value import Value
from autograd_lite.notation import names
from autograd_lite.notation.names import superscript

# Rows that are not written as a function call in text: the template and its precedence, as in `Primitive`.
_TEXT = {
    "add": ("{0} + {1}", (SUM, SUM, SUM)),
    "sub": ("{0} − {1}", (SUM, SUM, PRODUCT)),
    "mul": ("{0}·{1}", (PRODUCT, PRODUCT, PRODUCT)),
    "div": ("{0}/{1}", (PRODUCT, PRODUCT, POWER)),
    "neg": ("−{0}", (SUM, PRODUCT)),
    "pow": ("{0}^{1}", (POWER, ATOM, ATOM)),
    "square": ("{0}²", (POWER, ATOM)),
    "abs": ("|{0}|", (ATOM, SUM)),
    "reciprocal": ("1/{0}", (PRODUCT, POWER)),
    "sqrt": ("√({0})", (ATOM, SUM)),
    "rsqrt": ("1/√({0})", (PRODUCT, SUM)),
    "cbrt": ("∛({0})", (ATOM, SUM)),
    "heaviside": ("[{0} > 0]", (ATOM, SUM)),
    "softmax_cross_entropy": ("−log P({0})", (SUM,)),
}
_LISTED = 6  # the most operands that are written; the middle of more is left out


class Printed(NamedTuple):
    """A piece of a formula and its precedence, `SUM` to `ATOM`, as in a `Primitive`."""

    text: str
    precedence: int


@dataclass(frozen=True)
class Notation:
    """A way to write formulas.

    ``name(label, ordinal)`` writes the ordinal-th node with that label, ``number(x, digits)`` a number in
    that many significant digits (None: all), ``apply(row, operands)`` an operation, ``derivative(y, x)``
    ∂y/∂x and ``adjoint(y)`` δ(y). The other fields write signs and words.
    """

    name: Callable[[str, int], Printed]
    number: Callable[[float, int | None], Printed]
    apply: Callable[[Primitive, Sequence[Printed]], Printed]
    derivative: Callable[[str, str], str]
    adjoint: Callable[[str], str]
    parenthesised: Callable[[str], str]
    word: Callable[[str], str]
    power: Callable[[int, int], str]
    arrow: str
    times: str
    dots: str
    down: str
    equal: str
    about: str


Names: TypeAlias = Callable[[Value, Notation], Printed]  # the name of a node in a notation


def significant(x: float, digits: int | None = None) -> tuple[str, int | None]:
    """Return `x` in `digits` significant digits (None: all): its mantissa, and its power of ten or None.

    >>> significant(-0.25), significant(1 / 3, 4), significant(-3.2e-30, 3)
    (('-0.25', None), ('0.3333', None), ('-3.2', -30))
    """
    text = repr(x + 0.0) if digits is None else f"{x + 0.0:.{digits}g}"  # −0 is 0
    mantissa, _, power = text.partition("e")
    return mantissa.removesuffix(".0"), int(power) if power else None


# --- LaTeX -----------------------------------------------------------------------------------------


def _latex_name(label: str, ordinal: int) -> Printed:
    text = names.latex(label)
    return Printed(text, ATOM) if ordinal == 1 else Printed(rf"{text}^{{({ordinal})}}", POWER)


def _latex_number(x: float, digits: int | None) -> Printed:
    if not math.isfinite(x):
        return Printed(names.latex_number(x), SUM if x < 0.0 else ATOM)
    mantissa, power = significant(x, digits)
    precedence = SUM if x < 0.0 else ATOM if power is None else PRODUCT
    return Printed(mantissa if power is None else rf"{mantissa} \cdot 10^{{{power}}}", precedence)


def _latex_apply(row: Primitive, operands: Sequence[Printed]) -> Printed:
    own, *needs = row.precedence
    if row.arity is None:
        inside = ", ".join(_shortened([x.text for x in operands], r"\dots"))
        return Printed(rf"{row.latex}\left({inside}\right)", SUM if row.latex.startswith("-") else ATOM)
    texts = [
        rf"\left({x.text}\right)" if x.precedence < least else x.text
        for x, least in zip(operands, needs, strict=True)
    ]
    return Printed(row.latex.format(*texts), own)


# --- Text ------------------------------------------------------------------------------------------


def _text_name(label: str, ordinal: int) -> Printed:
    text = names.pretty(label)
    return Printed(text if ordinal == 1 else f"{text}{superscript(f'({ordinal})')}", ATOM)


def _text_number(x: float, digits: int | None) -> Printed:
    if not math.isfinite(x):
        return Printed(names.short(x), SUM if x < 0.0 else ATOM)
    mantissa, power = significant(x, digits)
    text = mantissa if power is None else f"{mantissa}·10{superscript(power)}"
    return Printed(text.replace("-", "−"), SUM if x < 0.0 else ATOM if power is None else PRODUCT)


def _text_apply(row: Primitive, operands: Sequence[Printed]) -> Printed:
    texts = [x.text for x in operands]
    if row.name not in _TEXT:
        name = row.symbol if row.symbol.isalpha() else row.name
        return Printed(f"{name}({', '.join(_shortened(texts, '…'))})", ATOM)
    template, (own, *needs) = _TEXT[row.name]
    if row.arity is None:
        return Printed(template.format(", ".join(_shortened(texts, "…"))), own)
    if row.name == "pow" and texts[1].removeprefix("−").isdigit():
        template, texts[1], needs = "{0}{1}", superscript(texts[1]), [ATOM, SUM]
    elif row.name == "mul" and operands[1].precedence < PRODUCT and not texts[0].endswith(")"):
        template = "{0}{1}"  # x₁(ŷ − y)
    texts = [
        f"({text})" if x.precedence < least else text
        for text, x, least in zip(texts, operands, needs, strict=True)
    ]
    return Printed(template.format(*texts), own)


def _shortened(texts: list[str], dots: str) -> list[str]:
    return texts if len(texts) <= _LISTED else [*texts[:3], dots, texts[-1]]


LATEX = Notation(
    _latex_name,
    _latex_number,
    _latex_apply,
    derivative=lambda y, x: rf"\frac{{\partial {y}}}{{\partial {x}}}",
    adjoint=lambda name: rf"\delta_{{{name}}}",
    parenthesised=lambda text: rf"\left({text}\right)",
    word=lambda text: rf"\text{{{text}}}",
    power=lambda base, exponent: f"{base}^{{{exponent}}}",
    arrow=r" \leftarrow ",
    times=r" \cdot ",
    dots=r"\cdots",
    down=r"\vdots",
    equal="=",
    about=r"\approx",
)
TEXT = Notation(
    _text_name,
    _text_number,
    _text_apply,
    derivative=lambda y, x: f"∂{y}/∂{x}",
    adjoint=lambda name: f"δ({name})",
    parenthesised=lambda text: f"({text})",
    word=lambda text: text,
    power=lambda base, exponent: f"{base}{superscript(exponent)}",
    arrow=" ← ",
    times=" · ",
    dots="…",
    down="⋮",
    equal="=",
    about="≈",
)
