"""Names of variables in generated text."""

import pytest

from autograd_lite.compiler.codegen.printer import identifier


@pytest.mark.parametrize(
    ("label", "name"),
    [("x", "x"), ("x₁", "x1"), ("ﬁ", "fi"), ("a b-c", "a_b_c"), ("if", "if_"), ("2x", "v2x"), ("!", "v")],
)
def test_a_label_becomes_a_name(label, name):
    taken = set()
    assert identifier(label, taken) == name
    assert taken == {name}


def test_a_name_that_is_taken_is_numbered_from_2():
    taken = {"x"}
    assert [identifier("x", taken) for _ in range(3)] == ["x_2", "x_3", "x_4"]
