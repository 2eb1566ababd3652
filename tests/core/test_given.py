"""Nodes whose local partials the user gives."""

import copy
import pickle

import pytest

from autograd_lite import Value, compile, explain, grad, gradients, no_grad, play, tree, why


def squared(x):
    """A user's own x², as other engines have it written."""
    return Value(x.data**2, (x,), (2.0 * x.data,))


def test_gradients_flow_through_the_partials_given():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    c = Value(6.0, [a, b, 5.0], [3.0, 2.0, 7.0])  # a constant takes no gradient
    (c * a).backward()
    assert (c.operands, c.partials, c.grad) == ((a, b, 5.0), (3.0, 2.0, None), 2.0)
    assert (a.grad, b.grad) == (2.0 * 3.0 + 6.0, 2.0 * 2.0)
    assert grad(squared)(3.0) == 6.0


def test_it_is_drawn_copied_and_pickled_like_any_node():
    a = Value(-2.0, "a")
    c = squared(a)
    c.label = "c"
    out = c * 3.0
    for twin in (out, copy.deepcopy(out), pickle.loads(pickle.dumps(out))):
        twin.backward()
        node = twin.operands[0]
        assert (node.primitive.name, node.operands[0].grad) == ("given", -12.0)
    assert "given" in str(tree(out))
    assert "given" in play(out).html
    assert why(a).text == "a.grad is −12: nothing is wrong with it. It comes from v₁ along one path."


def test_without_children_or_while_nothing_is_recorded_it_is_a_leaf():
    leaf = Value(2.0, (), ())
    with no_grad():
        constant = squared(Value(3.0))
    for value in (leaf, constant):
        assert (value.primitive, value.operands, value.partials) == (None, (), ())
    assert constant.data == 9.0


def test_it_can_be_differentiated_only_once():
    for attempt in (
        lambda: grad(grad(squared))(3.0),
        lambda: gradients(squared(x := Value(3.0)), x, record=True),
        lambda: explain(squared(x := Value(3.0)) * 2.0, x),
        lambda: compile(squared(Value(3.0)))(),
    ):
        with pytest.raises(TypeError, match=r"no formula, so it cannot be differentiated .* primitive\(name"):
            attempt()
    with pytest.raises(TypeError, match=r"makes nodes with local_grads cannot be traced: .* primitive\(name"):
        compile(lambda x: Value(1.0, (x,), (1.0,)), 2.0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((Value(1.0),), "+"), TypeError, r"local_grads must be a tuple, got '\+'"),
        (((Value(1.0),),), TypeError, "local_grads must be a tuple, got None"),
        (("c", (1.0,)), TypeError, "children must be a tuple, got 'c'"),
        (((Value(1.0), Value(2.0)), (1.0,)), ValueError, "2 children need as many local_grads, got 1"),
        (((Value(1.0),), (1.0, 2.0)), ValueError, "1 children need as many local_grads, got 2"),
        ((("a",), (1.0,)), TypeError, "child 0 must be a real number, got str 'a'"),
        (
            ((2.0, Value(1.0)), (1.0, None)),
            TypeError,
            r"local_grads\[1\] must be a real number, got NoneType",
        ),
        ((5,), TypeError, "a label must be text, got int 5"),
    ],
)
def test_what_does_not_fit_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Value(1.0, *arguments)


@pytest.mark.parametrize("name", ["_backward", "_children"])
def test_what_other_engines_set_says_what_to_write(name):
    value = Value(1.0)
    for attempt in (lambda: getattr(value, name), lambda: setattr(value, name, ())):
        with pytest.raises(AttributeError, match=r"write Value\(data, children, local_grads\)"):
            attempt()
