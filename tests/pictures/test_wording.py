"""The reasons that the player gives for local partials."""

import pytest

from autograd_lite import Value, dot, no_grad, primitive, where
from autograd_lite.core.primitive import TABLE
from autograd_lite.pictures.player import play
from tests.pictures.graphs import named_network as network


def reasons(value: Value) -> list[str]:
    value.backward()
    return [step.reason for step in play(value).steps if step.phase == "backward"][1:]


AS_IT_IS, OTHER = "passes the gradient on unchanged", "the local partial is the other factor"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x, y: x * y, [f"×: {OTHER}, y", f"×: {OTHER}, x"]),
        (lambda x, y: x - y, [f"−: {AS_IT_IS}", "−: flips the sign of the gradient"]),
        (lambda x, y: 3.0 * x + y, [f"+: {AS_IT_IS}", f"+: {AS_IT_IS}", "×: scales the gradient by 3.00"]),
        (lambda x, y: dot([x], [y], 1.0), [f"Σ: {OTHER}, y", f"Σ: {OTHER}, x"]),
        (lambda x, y: x.exp(), ["exp: the local partial is the value itself, v₁"]),
        (lambda x, y: x.log(), ["log: the local partial is 1/x"]),
        (lambda x, y: (x - 3.0).relu(), ["ReLU: the local partial is [v₁ > 0]", f"−: {AS_IT_IS}"]),
    ],
)
def test_plain_reasons(build, expected):
    assert sorted(reasons(build(Value(2.0, "x"), Value(0.5, "y")))) == sorted(expected)


def test_a_player_made_within_no_grad_says_the_same():
    loss = network()
    with no_grad():
        assert play(loss).steps == play(loss).steps
        inside = play(loss).steps
    assert inside == play(loss).steps


def test_reason_of_a_primitive_of_your_own_comes_from_its_rule():
    double = primitive("double", lambda x: 2.0 * x, lambda out, x: (2.0,))
    try:
        assert reasons(double(Value(1.5, "x"))) == ["double: scales the gradient by 2.00"]
    finally:
        del TABLE["double"]


def test_branch_that_was_not_taken_gets_exactly_nothing():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    assert "the branch not taken: it gets exactly zero · " not in reasons(x * y)
    assert "the branch not taken: it gets exactly zero" in reasons(where(1.0, x, y))
