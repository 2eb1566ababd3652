"""Typesetting: labels as Unicode and LaTeX, numbers in few digits."""

import math
import re
from decimal import Decimal

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from autograd_lite.notation.names import latex, latex_number, pretty, short

LABELS = {
    # label: text, LaTeX
    "x": ("x", "x"),
    "w1": ("w₁", "w_{1}"),
    "w_1": ("w₁", "w_{1}"),
    "w_12": ("w₁₂", "w_{12}"),
    "w_1_2": ("w₁,₂", "w_{1,2}"),
    "w1_2": ("w₁,₂", "w_{1,2}"),
    "a_ij": ("aᵢⱼ", "a_{ij}"),
    "W2": ("W₂", "W_{2}"),
    "y_hat": ("ŷ", r"\hat{y}"),
    "y_hat_3": ("ŷ₃", r"\hat{y}_{3}"),
    "x_bar": ("x̄", r"\bar{x}"),
    "x_tilde": ("x̃", r"\tilde{x}"),
    "x_dot": ("ẋ", r"\dot{x}"),
    "f_prime": ("f′", "f'"),
    "delta": ("δ", r"\delta"),
    "delta_1": ("δ₁", r"\delta_{1}"),
    "Sigma": ("Σ", r"\Sigma"),
    "theta_hat": ("θ̂", r"\hat{\theta}"),
    "Alpha": ("Alpha", r"\mathrm{Alpha}"),
    "loss": ("loss", r"\mathrm{loss}"),
    "loss2": ("loss₂", r"\mathrm{loss}_{2}"),
    "hat": ("hat", r"\mathrm{hat}"),
    # not a name with accents and indices: left alone
    "learning_rate": ("learning_rate", r"\text{learning\_rate}"),
    "my_x": ("my_x", r"\text{my\_x}"),
    "x_hatch": ("x_hatch", r"\text{x\_hatch}"),
    "x + 1": ("x + 1", r"\text{x + 1}"),
    "a<b>&\"c'": ("a<b>&\"c'", "\\text{a<b>\\&\"c'}"),
    "50 % #{$}~^\\": ("50 % #{$}~^\\", None),
    "": ("", r"\text{}"),
    # what cannot be shown
    "a\nb\tc": ("a b c", r"\text{a b c}"),
    "a\x00\ud800\u200e": ("a\ufffd\ufffd\ufffd", "\\text{a\ufffd\ufffd\ufffd}"),
}


@pytest.mark.parametrize("label", LABELS)
def test_labels_are_typeset(label):
    text, command = LABELS[label]
    assert pretty(label) == text
    if command is not None:
        assert latex(label) == command


@pytest.mark.parametrize("label", LABELS)
def test_typeset_labels_mean_the_same_once_more(label):
    assert pretty(pretty(label)) == pretty(label)
    assert latex(pretty(label)) == latex(label)


@pytest.mark.parametrize("label", [label for label in LABELS if label and "\ufffd" not in pretty(label)])
def test_latex_of_labels_parses(label):
    command = latex(label)
    if matplotlib.__version_info__ < (3, 11):  # it ends \text at the first }, also that of \textasciitilde{}
        command = command.replace("{}", "")
    MathTextParser("agg").parse(f"${command}$")


@given(st.text(max_size=12))
def test_any_label_is_one_line_that_can_be_written_and_balanced_latex(label):
    text, command = pretty(label), latex(label)
    assert text.isprintable()
    assert pretty(text) == text
    text.encode(), command.encode()
    bare = re.sub(r"\\[{}$&#_%]", "", command)
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"[$&#%]", bare)


NUMBERS = {
    0.0: "0",
    1.0: "1.00",
    -0.83: "−0.830",
    0.04: "0.040",
    -1.66: "−1.66",
    12.345: "12.3",
    -123.45: "−123",
    1234.5: "1234",
    9994.0: "9994",
    9999.0: "1.0·10⁴",
    31415.9: "3.1·10⁴",
    -7.2e-4: "−7.2·10⁻⁴",
    0.001: "0.001",
    0.0009996: "0.001",
    -0.9996: "−1.00",
    -0.9991: "−0.999",
    9.996: "10.0",
    99.96: "100",
    5e-324: "4.9·10⁻³²⁴",
    1.7e308: "1.7·10³⁰⁸",
    math.inf: "∞",
    -math.inf: "−∞",
}


@pytest.mark.parametrize("x", NUMBERS)
def test_numbers_are_short(x):
    assert short(x) == NUMBERS[x]


def test_nan_has_its_name():
    assert short(math.nan) == "NaN"
    assert latex_number(math.nan) == r"\mathrm{NaN}"


def written(text: str) -> Decimal:
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, power = text.replace("−", "-").partition("·10")
    return Decimal(f"{mantissa}e{power.translate(raised) or 0}")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([2, 3, 4]))
def test_short_numbers_are_rounded_to_their_last_digit(x, digits):
    text = short(x, digits)
    number = written(text)
    unit = Decimal((0, (1,), number.as_tuple().exponent))
    assert abs(number - Decimal(x)) <= unit / 2
    assert (number == 0) == (x == 0.0)
    assert "-" not in text
    assert len(text) <= digits + 9


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_latex_numbers_are_the_short_ones(x):
    mantissa, _, power = latex_number(x).partition(r" \cdot 10^{")
    assert Decimal(f"{mantissa}e{power.rstrip('}') or 0}") == written(short(x))


def test_latex_of_infinities():
    assert latex_number(-math.inf) == r"-\infty"
