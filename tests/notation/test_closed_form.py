"""Closed forms of gradients, found by algebra."""

import pytest
import sympy

from autograd_lite import (
    MLP,
    Value,
    cos,
    cross_entropy,
    dot,
    exp,
    explain,
    log,
    log_loss_from_scores,
    sigmoid,
    sin,
    softmax_cross_entropy,
    square,
    tanh,
    to_sympy,
)
from autograd_lite.notation.namer import Namer
from tests.documents_explained import BUILDERS, Explained, explained, named
from tests.notation.test_sympy import S, number

# --- The documents' closed forms ---------------------------------------------------------------------


def proved(each: Explained) -> bool:
    explanation = explain(each.output, each.wrt)
    difference = explanation.simplify() - each.closed(S)
    # The P of one example add up to 1, which they do only by what they stand for.
    P = {name: meaning for name, meaning in explanation.meanings().items() if name.name.startswith("P_")}
    return sympy.simplify(difference) == 0 or sympy.simplify(difference.subs(P)) == 0


@pytest.mark.parametrize("name", BUILDERS)
def test_the_closed_form_of_each_derivation_is_found_by_algebra(name):
    assert all(map(proved, explained(name)))


@pytest.mark.parametrize("name", ["logistic_2layer", "softmax_2layer_tanh", "two_layer_h2", "score_function"])
def test_closed_forms_are_the_derivative_in_leaves(name):
    for each in explained(name):
        explanation = explain(each.output, each.wrt)
        closed = explanation.simplify()
        for symbol, meaning in reversed(explanation.meanings().items()):
            closed = closed.subs(symbol, meaning)
        leaves = {x.label: x.data for x in explanation.links.order if x.primitive is None}
        assert {symbol.name for symbol in closed.free_symbols} <= leaves.keys()
        assert number(closed, leaves) == pytest.approx(each.number, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("logistic_single", ["x_1*(-y + y_bar)", "-y + y_bar"]),
        ("softmax_ce", ["P_1", "P_2 - 1", "P_3"]),
        ("softmax_2layer_tanh", ["x_2*(1 - h_1**2)*(P_2*w_2_21 + w_2_11*(P_1 - 1))", "P_2*h_1"]),
        ("one_layer_scalar", ["x*y_hat*(1 - y_hat)*(-y + y_hat)"]),
        (
            "two_layer_h1",
            [
                "l*w_2_1*x_1*y_hat*(1 - l)*(1 - y_hat)*(-y + y_hat)",
                "l*y_hat*(1 - y_hat)*(-y + y_hat)",
                "l*y_hat*(1 - y_hat)",
            ],
        ),
        ("score_function", ["p_1*(-E + g_1)"]),
    ],
)
def test_closed_forms_read_as_the_documents_write_them(name, forms):
    assert [str(explain(each.output, each.wrt).simplify()) for each in explained(name)] == forms


# --- Closed forms of other graphs --------------------------------------------------------------------


def leaves(**numbers: float) -> list[Value]:
    return [Value(x, name) for name, x in numbers.items()]


def test_the_loss_from_scores_arrives_at_the_prediction_that_it_never_computed():
    w, x, b, y = leaves(w1=0.5, x1=2.0, b=0.1, y=1.0)
    z = named(w * x + b, "z")
    L = named(log_loss_from_scores(z, y), "L")
    assert explain(L, w).simplify() == S("x1") * (1 / (1 + sympy.exp(-S("z"))) - S("y"))
    assert explain(L, w).simplify(named(sigmoid(z), "y_hat")) == S("x1") * (S("y_hat") - S("y"))


def test_the_loss_as_a_user_types_it():
    w, x, b, y = leaves(w=0.5, x=2.0, b=0.1, y=1.0)
    L = log(1.0 + exp(-y * (w * x + b)))
    closed = explain(L, w).simplify()
    expected = sympy.diff(sympy.log(1 + sympy.exp(-S("y") * (S("w") * S("x") + S("b")))), S("w"))
    for symbol, meaning in reversed(explain(L, w).meanings().items()):
        closed = closed.subs(symbol, meaning)
    assert sympy.simplify(closed - expected) == 0


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_softmax_of_any_number_of_classes(classes):
    f = [Value(0.1 * k, f"f{k}") for k in range(1, classes + 1)]
    L = named(softmax_cross_entropy(f, 1), "L")
    assert explain(L, f[0]).simplify() == S("P_1")
    assert explain(L, f[1]).simplify() == S("P_2") - 1
    total = sum([sympy.exp(S(f"f{k}")) for k in range(1, classes + 1)])
    if classes <= 8:
        assert explain(L, f[0]).meanings()[S("P_1")] == sympy.exp(S("f1")) / total


def test_probabilities_of_scores_without_labels_are_numbered():
    model = MLP(2, [3], None, rng=0)
    L = cross_entropy(model([1.0, 2.0]), 0)
    closed = explain(L, model.layers[0].neurons[0].w[0]).simplify()
    assert closed == S("x1") * (S("P_1") - 1)


def test_probabilities_have_names_of_their_own():
    a, b, P = leaves(a1=0.5, b1=0.25, P_1=2.0)  # P_1 is taken, and both scores end in 1
    L = named(softmax_cross_entropy([a, b], 0) * P, "L")
    explanation = explain(L, b)
    assert explanation.simplify() == S("P_1") * S("P_3")
    assert explanation.meanings()[S("P_2")] == sympy.exp(S("a1")) / (sympy.exp(S("a1")) + sympy.exp(S("b1")))


def test_a_batch_of_softmax_losses_has_probabilities_for_each_example():
    w = Value(0.5, "w")
    first = [named(w * k, f"f_{k}1") for k in (1.0, 2.0)]
    second = [named(w * k, f"f_{k}2") for k in (3.0, 4.0)]
    L = named(cross_entropy([first, second], [0, 1]), "L")
    closed = explain(L, w).simplify()
    assert len([symbol for symbol in closed.free_symbols if symbol.name.startswith("P_")]) in (2, 3, 4)
    for symbol, meaning in reversed(explain(L, w).meanings().items()):
        closed = closed.subs(symbol, meaning)
    assert sympy.simplify(closed - sympy.diff(to_sympy(L), S("w"))) == 0


def test_tanh_and_repeated_use():
    (x,) = leaves(x=0.5)
    h = named(tanh(x), "h")
    assert sympy.expand(explain(named(h * h, "y"), x).simplify() - 2 * S("h") * (1 - S("h") ** 2)) == 0


def test_a_sum_that_has_a_name_is_called_by_it():
    a, b, c = leaves(a=2.0, b=3.0, c=5.0)
    s = named(a + b + c, "s")
    assert explain(named(square(s) * a, "y"), b).simplify() == 2 * S("a") * S("s")


def test_what_does_not_depend_and_what_is_itself():
    x, y = leaves(x=2.0, y=3.0)
    assert explain(2.0 * x, y).simplify() == 0
    assert explain(x, x).simplify() == 1


def test_a_network_too_large_for_one_closed_form_says_so():
    model = MLP(4, [20, 20, 20, 1], "tanh", rng=0)
    L = square(model([0.1, 0.2, 0.3, 0.4]))
    with pytest.raises(ValueError, match="named nodes is too large for one closed form: explain a part"):
        explain(L, model.layers[0].neurons[0].w[0]).simplify()


def test_fifty_diamonds_are_a_product():
    x = Value(0.3, "x")
    y = x
    for k in range(20):
        y = named(sin(y) + cos(y), f"y{k}")
    closed = explain(y, x).simplify()
    assert closed.is_Mul
    assert closed.subs(S("x"), 0).has(sympy.cos(S("y18")))


def test_a_wide_layer_still_answers():
    w, x = [Value(0.1 * k, f"w{k}") for k in range(50)], [Value(0.2 * k, f"x{k}") for k in range(50)]
    y = named(sigmoid(named(dot(w, x), "z")), "y")
    assert explain(y, w[7]).simplify() == S("x7") * S("y") * (1 - S("y"))


def test_names_shared_with_what_was_printed():
    x = Value(0.5)
    explanation = explain(exp(sin(x)), x)
    assert explanation.text.startswith("∂v₃/∂v₁ = ∂v₃/∂v₂ · ∂v₂/∂v₁")
    assert explanation.simplify() == S("v3") * sympy.cos(S("v1"))
    assert Namer([x]).key(x) == ("v1", 1)
