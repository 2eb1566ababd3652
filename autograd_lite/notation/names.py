"""How names and numbers are typeset, in pictures, explanations and LaTeX alike.

- `pretty`: a label as Unicode text, ``w1`` → w₁, ``y_hat`` → ŷ, ``delta`` → δ
- `latex`: the same label as LaTeX, for math mode
- `short`: a number in a few digits with a typographic minus, −0.830, −7.2·10⁻⁴, ∞, NaN
- `latex_number`: the same number as LaTeX
- `superscript`: a whole number as a superscript

A label is typeset if it reads as a name with an accent and indices; any other text stays as it is. Next door:
the symbols of operations are in `core/rules.py`, formulas in `writing.py`.
"""

from __future__ import annotations

import math
import re
import unicodedata

# fmt: off
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    # the other capitals look like Latin ones, and have no LaTeX command
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}
# fmt: on
_GREEK_NAMES = {letter: name for name, letter in _GREEK.items()}

_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307", "prime": "′"}
_ACCENT_NAMES = {mark: name for name, mark in _ACCENTS.items()}

_PLAIN, _LOWERED = "0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"
_LOWER, _RAISE_AGAIN = str.maketrans(_PLAIN, _LOWERED), str.maketrans(_LOWERED, _PLAIN)
_RAISE = str.maketrans("−-0123456789()", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾")

# Indices: digits, with or without an underscore; one or two letters after an underscore; subscripts.
_INDEX = rf"_?[0-9]+|_[{_PLAIN[10:]}]{{1,2}}|,?[{_LOWERED}]+"
_NAME = re.compile(
    rf"([A-Za-z]+|[{''.join(_GREEK_NAMES)}])"
    rf"(_(?:{'|'.join(_ACCENTS)})(?![a-z])|[{''.join(_ACCENT_NAMES)}])?"
    rf"((?:{_INDEX})*)"
)

_TEXT_COMMANDS = {
    **{character: "\\" + character for character in "{}$&#_%"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}


def _clean(label: str) -> str:
    """Return `label` on one line, control characters and lone surrogates replaced."""
    return "".join([c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in label])


def _parse(label: str) -> tuple[str, str, list[str]] | None:
    """Return the base, the name of the accent and the indices, or None if `label` does not read as a name.

    The base is a letter, the name of a Greek letter, or a word.
    """
    match = _NAME.fullmatch(unicodedata.normalize("NFD", label))
    if match is None:
        return None
    base, accent, tail = match.groups(default="")
    base = _GREEK_NAMES.get(base, base)
    indices = [index.strip("_,").translate(_RAISE_AGAIN) for index in re.findall(_INDEX, tail)]
    is_word = len(base) > 1 and base not in _GREEK
    if is_word and (accent or any(index.isalpha() for index in indices)):
        return None  # my_x is a word with an underscore, not the x-th my
    return base, _ACCENT_NAMES.get(accent, accent.strip("_")), indices


def pretty(label: str) -> str:
    """Return `label` as Unicode text on one line, typeset if it reads as a name.

    >>> [pretty(label) for label in ("w1", "w_12", "a_ij", "w_1_2", "y_hat", "x_bar_2", "delta_1", "loss2")]
    ['w₁', 'w₁₂', 'aᵢⱼ', 'w₁,₂', 'ŷ', 'x̄₂', 'δ₁', 'loss₂']
    >>> pretty("learning_rate"), pretty("f(x) < 3")
    ('learning_rate', 'f(x) < 3')
    """
    parsed = _parse(label)
    if parsed is None:
        return _clean(label)
    base, accent, indices = parsed
    return unicodedata.normalize("NFC", _GREEK.get(base, base) + _ACCENTS.get(accent, "")) + ",".join(
        [index.translate(_LOWER) for index in indices]
    )


def latex(label: str) -> str:
    r"""Return `label` as LaTeX for math mode; text that does not read as a name stands in ``\text{}``.

    >>> print(*[latex(label) for label in ("w1", "w_1_2", "y_hat", "delta_1", "loss", "a & b")], sep="   ")
    w_{1}   w_{1,2}   \hat{y}   \delta_{1}   \mathrm{loss}   \text{a \& b}
    """
    parsed = _parse(label)
    if parsed is None:
        return rf"\text{{{''.join([_TEXT_COMMANDS.get(c, c) for c in _clean(label)])}}}"
    base, accent, indices = parsed
    text = rf"\{base}" if base in _GREEK else base if len(base) == 1 else rf"\mathrm{{{base}}}"
    if accent == "prime":
        text += "'"
    elif accent:
        text = rf"\{accent}{{{text}}}"
    return text + (f"_{{{','.join(indices)}}}" if indices else "")


def short(x: float, digits: int = 3) -> str:
    """Return `x` in `digits` significant digits, below 1 in `digits` decimals, with a typographic minus.

    Numbers too small or too large for that are written with a power of ten; infinities and NaN have names.

    >>> [short(x) for x in (0.0, 1.0, -12.345, 0.17, -0.0206, -7.2e-4, 31415.9)]
    ['0', '1.00', '−12.3', '0.170', '−0.021', '−7.2·10⁻⁴', '3.1·10⁴']
    >>> [short(x, digits=2) for x in (-1.33, 0.125, 1e-300, float("-inf"), float("nan"))]
    ['−1.3', '0.12', '1.0·10⁻³⁰⁰', '−∞', 'NaN']
    """
    if x == 0.0 or not math.isfinite(x):
        return "0" if x == 0.0 else "NaN" if x != x else "∞" if x > 0.0 else "−∞"
    # The exponents that x has once it is rounded to the digits that are shown.
    exponent = int(f"{x:.{digits - 1}e}".partition("e")[2])
    if 0 <= exponent <= 3:
        text = f"{x:.{max(digits - 1 - exponent, 0)}f}"
    else:
        mantissa, _, power = f"{x:.1e}".partition("e")
        is_decimal = -digits <= int(power) <= 0  # power is 0 if x rounds up to 1 here
        text = f"{x:.{digits}f}" if is_decimal else f"{mantissa}·10{superscript(int(power))}"
    return text.replace("-", "−")


def brief(x: float) -> str:
    """Return `x` in two significant digits, for the labels of edges.

    >>> [brief(x) for x in (0.0333, -0.0072, 0.5, -1.26, 66.8, 1250.0, 3.2e-5, 0.0)]
    ['0.033', '−0.0072', '0.50', '−1.3', '67', '1250', '3.2·10⁻⁵', '0']
    """
    if not 1e-3 <= abs(x) < 1.0:
        return short(x, 2)
    exponent = int(f"{x:.1e}".partition("e")[2])
    return f"{x:.{1 - exponent}f}".replace("-", "−")


def superscript(text: object) -> str:
    """Return a whole number, or text made of digits, signs and parentheses, as a superscript.

    >>> superscript(-30)
    '⁻³⁰'
    """
    return str(text).translate(_RAISE)


def latex_number(x: float, digits: int = 3) -> str:
    r"""Return the number of `short` as LaTeX for math mode.

    >>> print(latex_number(-7.2e-4), latex_number(float("-inf")), latex_number(0.5))
    -7.2 \cdot 10^{-4} -\infty 0.500
    """
    mantissa, _, power = short(x, digits).replace("−", "-").partition("·10")
    if power:
        exponent = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        return rf"{mantissa} \cdot 10^{{{exponent}}}"
    return mantissa.replace("∞", r"\infty").replace("NaN", r"\mathrm{NaN}")
