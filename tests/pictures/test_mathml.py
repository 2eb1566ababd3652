"""Lines of the player, as MathML."""

import itertools
import math
import operator

import pytest

from autograd_lite import Value
from autograd_lite.pictures.mathml import Name, digits_for, typeset
from autograd_lite.pictures.player import play
from tests.pictures.graphs import named_network as network


def test_only_a_negative_number_stands_in_parentheses():
    a, b = Value(0.0, "a"), Value(-0.5, "b")
    texts = [step.text for step in play(a * b).steps]
    assert "v₁ = a·b = 0·(−0.500) = 0" in texts


def test_line_is_well_formed_mathml():
    from xml.etree import ElementTree

    for step in play(network()).steps:
        for piece in itertools.chain(*step.mathml):
            ElementTree.fromstring(f"<math>{piece}</math>")
    line = next(step for step in play(network()).steps if "∂loss/∂x₁" in step.text)
    pieces = list(itertools.chain(*line.mathml))
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in pieces[0]
    assert "".join(pieces).count("<mfrac>") == 4


@pytest.mark.parametrize(
    ("formula", "mathml"),
    [
        ("−1.5", '<mrow><mo form="prefix">−</mo><mn>1.5</mn></mrow>'),
        ("a − b", "<mrow><mi>a</mi><mo>−</mo><mi>b</mi></mrow>"),
        ("2·10⁻³⁰", "<mrow><mn>2</mn><mo>·</mo><msup><mn>10</mn><mn>−30</mn></msup></mrow>"),
        ("1 < ∞", "<mrow><mn>1</mn><mo>&lt;</mo><mo>∞</mo></mrow>"),
        ("log2", "<mtext>log2</mtext>"),
    ],
)
def test_formulas_are_typeset(formula, mathml):
    assert typeset(formula, [])._replace(pieces=()) == Name(formula, mathml)


def test_a_sum_may_be_broken_before_its_terms_but_not_within_parentheses():
    assert typeset("a + (b − c) − d", []).pieces == (
        "<mi>a</mi>",
        '<mo form="infix">+</mo><mo stretchy="false">(</mo><mi>b</mi><mo>−</mo><mi>c</mi>'
        '<mo stretchy="false">)</mo>',
        '<mo form="infix">−</mo><mi>d</mi>',
    )
    assert typeset("−a·b", []).pieces == ()


@pytest.mark.parametrize(
    ("factors", "result", "expected"),
    [
        ([-0.2, 2.0], -0.4, (3, "=")),
        ([-0.21874, 2.0], -0.43748, (4, "=")),  # −0.219 · 2 = −0.438, and −0.2187 · 2 = −0.437
        ([0.99994999, 1e-9], 0.99994999e-9, (3, "=")),
        ([math.nan, 2.0], math.nan, (3, "=")),
        ([0.1, 0.2], 0.5, (3, "≈")),
    ],
)
def test_printed_factors_make_the_printed_product(factors, result, expected):
    assert digits_for(factors, operator.mul, result) == expected
