"""Lines of the player, as MathML."""

import pytest

from autograd_lite import Value
from autograd_lite.pictures.mathml import Name, typeset
from autograd_lite.pictures.player import play
from tests.pictures.graphs import named_network as network


def test_only_a_negative_number_stands_in_parentheses():
    a, b = Value(0.0, "a"), Value(-0.5, "b")
    texts = [step.text for step in play(a * b).steps]
    assert "a·b = 0(−0.500) = 0" in texts


def test_line_is_well_formed_mathml():
    from xml.etree import ElementTree

    for step in play(network()).steps:
        ElementTree.fromstring(f"<math>{step.mathml}</math>")
    line = next(step for step in play(network()).steps if "∂loss/∂x₁" in step.text)
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in line.mathml
    assert line.mathml.count("<mfrac>") == 3


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
    assert typeset(formula, []) == Name(formula, mathml)
