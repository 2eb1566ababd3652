"""Lines of the player as MathML and as text: names, formulas, numbers and derivatives.

A formula comes as text (`notation/formula.py`) in which each name is one character of Unicode's private area.
No part of a name can then be mistaken for a part of the formula. `wording.py` composes the lines.
"""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from autograd_lite.core.primitive import ATOM, PRODUCT, SUM
from autograd_lite.notation.names import pretty, short, superscript
from autograd_lite.notation.writing import Printed

FIRST = 0xE000
_STRETCHING = tuple("()|[]")
_OPEN, _CLOSE = ['<mo stretchy="false">' + bracket + "</mo>" for bracket in "()"]
_TOKEN = re.compile(r"([\ue000-\uf8ff])|(\d[\d.]*)|([⁻⁰¹²³⁴-⁹⁽⁾]+)|([^\W\d_]\w*)|(\s+)|(.)")
_INDEX = re.compile(r"(.+?)([₀-₉ₐₑₕ-ₜᵢⱼᵣᵤᵥₓ,]+)")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789aehijklmnoprstuvx")
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", "−0123456789()")
_DIGITS = range(4, 8)  # of the numbers of a step whose three digits do not make its result


class Name(NamedTuple):
    """A name or a formula as text and as MathML; ``precedence`` says where it needs parentheses.

    ``pieces`` are the parts of the MathML of a sum, between which a line may be broken.
    """

    text: str
    mathml: str
    precedence: int = ATOM
    pieces: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line of the player as text, and its sides as MathML, each in pieces where it may be broken."""

    text: str
    mathml: list[list[str]]


Parts: TypeAlias = list[Name | str]  # of a side of a line; a string is an operator


def _tag(name: str, *content: str) -> str:
    return f"<{name}>{''.join(content)}</{name}>"


def labelled(label: str) -> Name:
    """Return the label of a value, typeset.

    >>> labelled("w1").mathml, labelled("a < b").mathml
    ('<msub><mi>w</mi><mn>1</mn></msub>', '<mtext>a &lt; b</mtext>')
    """
    text = pretty(label)
    match = _INDEX.fullmatch(text)
    base, index = match.groups() if match else (text, "")
    if not base.replace("\u0304", "").replace("\u0307", "").isalpha():
        return Name(text, _tag("mtext", html.escape(text)))
    mathml = _tag("mi", html.escape(base))
    return Name(text, _tag("msub", mathml, _tag("mn", index.translate(_LOWERED))) if index else mathml)


def typeset(formula: str, names: list[Name]) -> Name:
    """Return a formula, typeset; character number k of the private area stands for ``names[k]``.

    >>> typeset("\\ue000² + 0.5", [labelled("x")]).mathml
    '<mrow><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mn>0.5</mn></mrow>'
    """
    parts: list[str] = []
    breaks, depth, space_before = [0], 0, False
    for name, number, power, word, space, sign in _TOKEN.findall(formula):
        depth += (sign in _STRETCHING[:1]) - (sign in _STRETCHING[1:2])
        if sign in ("+", "−") and space_before and not depth:
            breaks.append(len(parts))
        space_before = bool(space)
        if name:
            parts.append(names[ord(name) - FIRST].mathml)
        elif power:
            parts[-1:] = [
                _tag("msup", *(parts[-1:] or ["<mrow></mrow>"]), _tag("mn", power.translate(_RAISED)))
            ]
        elif number:
            parts.append(_tag("mn", number))
        elif word:
            parts.append(_tag("mi" if len(word) == 1 else "mtext", html.escape(word)))
        elif sign in _STRETCHING:
            parts.append(f'<mo stretchy="false">{sign}</mo>')
        elif sign == "−" and (not parts or re.search(r"[^)|\]]</mo>$", parts[-1])):
            parts.append('<mo form="prefix">−</mo>')  # a sign, not an operator
        elif not space:
            parts.append(_tag("mo", html.escape(sign)))
    text = "".join([names[ord(c) - FIRST].text if "\ue000" <= c <= "\uf8ff" else c for c in formula])
    first, *others = ["".join(parts[i:j]) for i, j in itertools.pairwise([*breaks, len(parts)])]
    pieces = [first, *[piece.replace("<mo>", '<mo form="infix">', 1) for piece in others]]
    mathml = parts[0] if len(parts) == 1 else _tag("mrow", *parts)
    return Name(text, mathml, pieces=tuple(pieces) if others else ())


def printed(x: float, digits: int = 3) -> Printed:
    """Return a number as `short` prints it, or in more significant digits if these say more.

    >>> printed(-0.02187).text, printed(-0.02187, 4).text, printed(0.5, 4).text, printed(1.2346e-7, 4).text
    ('−0.022', '−0.02187', '0.500', '1.235·10⁻⁷')
    """
    text = short(x)
    if digits > 3 and as_read(text) != x and math.isfinite(x):
        mantissa, _, power = f"{x:.{digits - 1}e}".partition("e")
        exponent = int(power)
        if -4 < exponent < digits:
            text = f"{x:.{digits - 1 - exponent}f}".replace("-", "−")
        else:
            text = f"{mantissa}·10{superscript(exponent)}".replace("-", "−")
    return Printed(text, SUM if text.startswith("−") else PRODUCT if "·" in text else ATOM)


def as_read(text: str) -> float:
    """Return the number that a reader reads.

    >>> as_read("−0.500"), as_read("−1.2·10⁻⁷")
    (-0.5, -1.2e-07)
    """
    mantissa, _, power = text.translate(_RAISED).replace("−", "-").replace("∞", "inf").partition("·10")
    return float(f"{mantissa}e{power or 0}") if mantissa[-1].isdigit() else float(mantissa)


def digits_for(numbers: Sequence[float], compute: Callable[..., float], result: float) -> tuple[int, str]:
    """Return in how many digits to print `numbers`, and "=", or "≈" if no digits do.

    What a reader computes of the printed numbers is to be `result` in its three printed digits.

    >>> import operator
    >>> digits_for([0.2, 2.0], operator.mul, 0.4), digits_for([0.21874, 2.0], operator.mul, 0.43748)
    ((3, '='), (4, '='))
    """
    for digits in (3, *_DIGITS):
        try:
            computed = compute(*[as_read(printed(x, digits).text) for x in numbers])
        except (ArithmeticError, ValueError):  # rounded, they lie outside the domain
            continue
        if short(computed) == short(result):
            return digits, "="
    return 3, "≈"


def number(x: float, digits: int = 3, *, in_product: bool = False) -> Name:
    """Return a number in a few digits; a negative factor stands in parentheses."""
    text, precedence = printed(x, digits)
    name = typeset(text, [])._replace(precedence=precedence)
    return bracketed(name) if in_product and precedence == SUM else name


def bracketed(name: Name) -> Name:
    """Return a name in parentheses."""
    return Name(f"({name.text})", _tag("mrow", _OPEN, name.mathml, _CLOSE))


def joined(*parts: Name | str) -> Name:
    """Return the sum or product of these parts; a line may be broken before an operator."""
    text = "".join([f" {part} " if isinstance(part, str) else part.text for part in parts])
    pieces = [""]
    for part in parts:
        if isinstance(part, str):
            pieces.append(_infix(part))
        else:
            pieces[-1] += part.mathml
    return Name(text, _tag("mrow", *pieces), SUM, tuple(pieces))


def _infix(sign: str) -> str:
    return f'<mo form="infix">{sign}</mo>'  # also where a broken line begins with it


def line(left: Name, *sides: tuple[str, Name]) -> Line:
    """Return a line of equal sides, each with the sign before it.

    >>> line(labelled("y"), ("=", labelled("x")), ("≈", number(2.0)))
    Line(text='y = x ≈ 2.00', mathml=[['<mi>y</mi>'], \
['<mo form="infix">=</mo><mi>x</mi>'], ['<mo form="infix">≈</mo><mn>2.00</mn>']])
    """
    text = left.text + "".join([f" {sign} {side.text}" for sign, side in sides])
    mathml = [[*(left.pieces or (left.mathml,))]]
    for sign, side in sides:
        first, *others = side.pieces or (side.mathml,)
        mathml.append([_infix(sign) + first, *others])
    return Line(text, mathml)


def primed(name: Name) -> Name:
    """Return a name with a prime, which distinguishes it from an equal name."""
    return Name(f"{name.text}′", _tag("msup", name.mathml, "<mo>′</mo>"), name.precedence)


def derivative(y: Name, x: Name) -> Name:
    """Return ∂y/∂x."""
    sides = [bracketed(name) if name.precedence < ATOM else name for name in (y, x)]
    numerator, denominator = [_tag("mrow", "<mo>∂</mo>", side.mathml) for side in sides]
    return Name(f"∂{sides[0].text}/∂{sides[1].text}", _tag("mfrac", numerator, denominator))


def result(name: Name, signed: float = 0.0) -> Name:
    """Return a result in bold, and in the colour of the sign of `signed` if it is a gradient."""
    kind = " plus" if signed > 0.0 else " minus" if signed < 0.0 else ""
    return Name(name.text, f'<mrow class="result{kind}">{name.mathml}</mrow>')


def plain_words(text: str) -> Line:
    """Return a line of words."""
    return Line(text, [])
