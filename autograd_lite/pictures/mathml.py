"""Lines of the player as MathML and as text: names, formulas, numbers and derivatives.

A formula comes as text (`notation/formula.py`) in which each name is one character of Unicode's private area.
No part of a name can then be mistaken for a part of the formula. `wording.py` composes the lines.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple, TypeAlias

from autograd_lite.core.primitive import ATOM
from autograd_lite.notation.names import pretty, short

FIRST = 0xE000
_STRETCHING = tuple("()|[]")
_OPEN, _CLOSE = ['<mo stretchy="false">' + bracket + "</mo>" for bracket in "()"]
_TOKEN = re.compile(r"([\ue000-\uf8ff])|(\d[\d.]*)|([⁻⁰¹²³⁴-⁹⁽⁾]+)|([^\W\d_]\w*)|(\s+)|(.)")
_INDEX = re.compile(r"(.+?)([₀-₉ₐₑₕ-ₜᵢⱼᵣᵤᵥₓ,]+)")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789aehijklmnoprstuvx")
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", "−0123456789()")


class Name(NamedTuple):
    """A name or a formula as text and as MathML; ``precedence`` says where it needs parentheses."""

    text: str
    mathml: str
    precedence: int = ATOM


Parts: TypeAlias = list[Name | str]  # of a line; a string is an operator


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
    for name, number, power, word, space, sign in _TOKEN.findall(formula):
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
    return Name(text, parts[0] if len(parts) == 1 else _tag("mrow", *parts))


def number(x: float, in_product: bool = False) -> Name:
    """Return a number in a few digits; a negative factor stands in parentheses."""
    name = typeset(short(x), [])
    return bracketed(name) if in_product and not x >= 0.0 and x == x else name


def bracketed(name: Name) -> Name:
    """Return a name in parentheses."""
    return Name(f"({name.text})", _tag("mrow", _OPEN, name.mathml, _CLOSE))


def joined(*parts: Name | str) -> Name:
    """Return a line made of these parts."""
    text = "".join([f" {part} " if isinstance(part, str) else part.text for part in parts])
    mathml = [_tag("mo", part) if isinstance(part, str) else part.mathml for part in parts]
    return Name(text, _tag("mrow", *mathml))


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


def plain_words(text: str) -> Name:
    """Return a line of words."""
    return Name(text, _tag("mtext", html.escape(text)))
