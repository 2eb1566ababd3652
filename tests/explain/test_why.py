"""`why`: planted causes, each of them named, with the evidence."""

import math
import re
import time
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from autograd_lite import (
    MLP,
    Value,
    abs,
    clip,
    dot,
    exp,
    half_squared_error,
    heaviside,
    leaky_relu,
    log,
    maximum,
    no_grad,
    prod,
    relu,
    sigmoid,
    sign,
    sqrt,
    tanh,
    where,
    why,
)
from autograd_lite.explain.causes import HUGE, TINY
from tests.documents_explained import named
from tests.random_graphs import any_graphs


def leaf(x: float, label: str) -> Value:
    return Value(x, label)


def planted(cause):
    """For a function that returns what stays alive, the value to ask about, and what the answer holds."""
    return lambda plant: pytest.param(plant, cause, id=f"{cause}: {plant.__name__}")


# Each returns what must stay alive, the value asked about and a piece of the text.


@planted("unused")
def nothing_was_made_from_it():
    w = leaf(2.0, "w")
    return (), w, "w.grad is 0: no Value that is alive was made from w."


@planted("unused")
def made_within_no_grad():
    w = leaf(2.0, "w")
    with no_grad():
        y = w * 3.0
    L = y * 2.0
    L.backward()
    return L, w, "Within no_grad, nothing is recorded."


@planted("no backward yet")
def no_pass_ran():
    w = leaf(2.0, "w")
    L = named(w * 3.0, "L")
    return L, w, "w.grad is 0: no backward pass has started at L, which depends on w."


@planted("not connected")
def the_pass_ran_elsewhere():
    w, x = leaf(2.0, "w"), leaf(3.0, "x")
    h, L = named(w * 3.0, "h"), named(x * 2.0, "L")
    L.backward()
    return (h, L), w, "started at L, which does not depend on w; none started at h, which does."


@planted("detached")
def a_node_was_detached():
    w = leaf(2.0, "w")
    y = named(w * 3.0, "y")
    L = y.detach() * 2.0
    L.backward()
    return (L, y), w, "w.grad is 0: y was detached, so mul("


@planted("detached")
def the_leaf_was_detached():
    w = leaf(2.5, "w")
    L = exp(w.detach())
    L.backward()
    return L, w, "w was detached, so exp("


@planted("detached")
def a_leaf_was_detached_from_an_earlier_pass():
    w, x = leaf(2.5, "w"), leaf(3.0, "x")
    L, other = exp(w.detach()), exp(x)
    L.backward()
    other.backward()
    return (L, other), w, "w was detached, so exp("


@planted("detached")
def its_number_was_taken_out():
    w = leaf(2.5, "w")
    y = sigmoid(w)
    L = Value(y.data) * 2.0
    L.backward()
    return (L, y), w, "w.grad is 0: v₁ was detached, so mul("


@planted("cleared")
def it_was_cleared():
    w = leaf(2.0, "w")
    L = w * 3.0
    L.backward()
    L.zero_grad()
    return L, w, "w.grad is 0: a backward pass reached w, but the gradient was cleared since."


@planted("inactive relu")
def a_dead_relu():
    w, x = leaf(2.0, "w"), leaf(-3.0, "x")
    L = relu(named(w * x, "z")) * 2.0
    L.backward()
    return L, w, "w.grad is 0: relu(z) is flat at z = −6 (inactive relu)."


@planted("inactive relu")
def every_hidden_unit_is_dead():
    model = MLP(1, [3, 1], "relu", rng=0)
    for neuron in model.layers[0].neurons:
        neuron.w[0].data, neuron.b.data = 1.0, -5.0
    x = leaf(1.0, "x")
    L = half_squared_error(model([x]), 1.0)
    L.backward()
    return L, x, "x.grad is 0: inactive relu in 3 places, for instance relu("


@planted("cancellation")
def terms_cancel_exactly():
    w = leaf(2.0, "w")
    L = (w * 3.0 - w * 3.0) * 5.0
    L.backward()
    return L, w, "w.grad is 0: the contributions to w, (−15) + (15), add up to exactly 0 (cancellation)."


@planted("cancellation")
def passes_cancel():
    w = leaf(2.0, "w")
    L = w * 3.0
    L.backward()
    L.backward(-1.0)
    return L, w, "w.grad is 0: 2 backward passes cancel exactly, (3) + (−3) = 0."


@planted("cleared")
def it_was_set_to_zero_by_hand():
    w = leaf(2.0, "w")
    L = w * 3.0
    L.backward()
    w.grad = 0.0
    return L, w, "w.grad is 0: a backward pass reached w, but the gradient was cleared since."


@planted("cancellation")
def what_was_there_before_cancels_the_pass():
    w = leaf(2.0, "w")
    L = w * 3.0
    w.grad = -3.0
    L.backward()
    return L, w, "w.grad is 0: what it held before and a backward pass cancel exactly, (−3) + (3) = 0."


@planted("overflow")
def passes_add_up():
    w = leaf(2.0, "w")
    L = w * 1.5e308
    L.backward()
    L.backward()
    return (
        L,
        w,
        "w.grad is ∞: each backward pass added a finite number, but their sum is beyond the range of a "
        "float.",
    )


@planted("branch not taken")
def the_other_branch():
    w, c = leaf(2.0, "w"), leaf(1.0, "c")
    L = named(where(w > 0.0, c * 2.0, named(w * 3.0, "h")), "L")
    L.backward()
    return L, w, "w.grad is 0: the where that made L did not take h, the branch that uses w."


@planted("multiplied by 0")
def times_zero():
    w, x = leaf(2.0, "w"), leaf(0.0, "x")
    L = named(w * x, "L")
    L.backward()
    return L, w, "w is multiplied by x = 0 in L = mul(w, x)."


@planted("multiplied by 0")
def times_a_zero_input():
    w, v = leaf(2.0, "w"), leaf(3.0, "v")
    L = named(dot([v, w], [1.0, 0.0], 0.5), "L")
    L.backward()
    return L, w, "w is multiplied by the constant 0 in L = dot(v, w, 1, 0, 0.5)."


@planted("multiplied by 0")
def times_a_zero_weight():
    w, x = leaf(0.0, "w"), leaf(3.0, "x")
    L = named(dot([w], [x], 0.5), "L")
    L.backward()
    return L, x, "x is multiplied by w = 0 in L = dot(w, x, 0.5)."


@planted("multiplied by 0")
def in_a_product_with_a_zero():
    a, b, c = leaf(2.0, "a"), leaf(3.0, "b"), leaf(0.0, "c")
    L = named(prod([a, b, c]), "L")
    L.backward()
    return L, a, "a is multiplied by c = 0 in L = prod(a, b, c)."


@planted("clipped")
def outside_the_bounds():
    w = leaf(2.0, "w")
    L = clip(w, -1.0, 1.0)
    L.backward()
    return L, w, "clip(w, −1, 1) is flat at w = 2 (clipped)."


@planted("not selected")
def the_other_is_greater():
    w, m = leaf(2.0, "w"), leaf(5.0, "m")
    L = maximum(w, m)
    L.backward()
    return L, w, "maximum(w, m) is flat at w = 2, m = 5 (not selected)."


@planted("flat")
def a_step():
    w = leaf(2.0, "w")
    L = sign(w) * heaviside(w) + abs(w - 2.0)
    L.backward()
    return L, w, "flat in 3 places, for instance"


@planted("underflow")
def factors_underflow():
    w = leaf(2.0, "w")
    L = w * 1e-200 * 1e-200
    L.backward()
    return L, w, "1·10⁻²⁰⁰ · 1·10⁻²⁰⁰ at v₁ is below the smallest float (underflow)."


@planted("zero seed")
def a_seed_of_zero():
    w = leaf(2.0, "w")
    L = w * 3.0
    L.backward(0.0)
    return L, w, "w.grad is 0: backward() was called with the seed 0."


@planted("tiny")
def a_chain_of_sigmoids():
    w = leaf(0.5, "w")
    L = w
    for _ in range(12):
        L = sigmoid(L)
    L.backward()
    return L, w, "12 factors of sigmoid, each at most 0.235 in size, multiply to 1.759·10⁻⁸."


@planted("tiny")
def one_tiny_factor_among_others():
    w = leaf(0.5, "w")
    L = tanh(w * 1e-9) * 3.0
    L.backward()
    return L, w, "2 factors of mul, each at most 3 in size, multiply to 3·10⁻⁹; the other factor is 1."


@planted("huge")
def weights_that_grow():
    w = leaf(0.5, "w")
    L = w
    for _ in range(12):
        L = L * 8.0
    L.backward()
    return L, w, "12 factors of mul, each at least 8 in size, multiply to 6.872·10¹⁰."


@planted("huge")
def a_huge_seed():
    w = leaf(0.5, "w")
    L = sigmoid(w) + sigmoid(w) * 0.5
    L.backward(1e9)
    return (
        L,
        w,
        "along the largest of 2 paths, the seed is 1·10⁹; the other 2 factors multiply to 0.235.",
    )


@planted("not finite from the start")
def nan_in_a_leaf():
    w, x = leaf(2.0, "w"), leaf(math.nan, "x")
    L = w * x
    L.backward()
    return L, w, "w.grad is NaN: x is NaN from the start."


@planted("not finite from the start")
def an_infinite_seed():
    w = leaf(2.0, "w")
    L = w * 3.0
    L.backward(math.inf)
    return L, w, "w.grad is ∞: backward() was called with the seed ∞."


@planted("operation")
def the_first_operation_that_overflowed():
    w = leaf(1e200, "w")
    q = named(w * w, "q")
    L = (q - q) * w
    L.backward()
    return L, w, "the first number that is not finite is q = mul(w, w) = ∞ at w = 1·10²⁰⁰."


@planted("operation")
def a_constant_that_is_not_finite():
    w = leaf(2.0, "w")
    L = w * math.inf
    L.backward()
    return L, w, "v₁ = mul(w, ∞) = ∞ at w = 2, with the constant ∞."


@planted("partial")
def the_root_at_zero():
    w = leaf(0.0, "w")
    L = sqrt(w)
    L.backward()
    return L, w, "w.grad is ∞: the local partial of sqrt(w) is ∞ at w = 0 (+∞ at x = 0)."


@planted("overflow")
def upstream_times_partial():
    w = leaf(1e-200, "w")
    L = (w * 1e200) * 1e200
    L.backward()
    return (
        L,
        w,
        "upstream gradient times local partial, 1·10²⁰⁰ · 1·10²⁰⁰ at v₁ = mul(w, 1·10²⁰⁰), is beyond "
        "the range of a float.",
    )


@planted("overflow")
def contributions_add_up():
    w = leaf(0.5, "w")
    h = named(w * 1.0, "h")
    L = h * 1.5e308 + h * 1e308
    L.backward()
    return L, w, "w.grad is ∞: the sum of the contributions to h is beyond the range of a float."


@planted("healthy")
def nothing_is_wrong():
    w, x = leaf(2.0, "w"), leaf(-3.0, "x")
    L = named(w * x + w, "L")
    L.backward()
    return (
        L,
        w,
        "w.grad is −2: nothing is wrong with it. It comes from L along 2 paths; the largest contributes −3.",
    )


@planted("healthy")
def one_path():
    w = leaf(2.0, "w")
    L = named(w * 3.0, "L")
    L.backward()
    return L, w, "It comes from L along one path."


@planted("unknown")
def the_graph_is_gone():
    w = leaf(2.0, "w")
    (w * 3.0).backward()
    return (
        (),
        w,
        "w.grad is 3: the graph that it came from is gone. Keep the output in a variable, call backward() "
        "on it",
    )


PLANTED = [plant for plant in vars().values() if isinstance(plant, type(pytest.param(1)))]


def test_there_are_more_than_twenty_causes():
    assert len(PLANTED) >= 20
    assert len({plant.values[1] for plant in PLANTED}) >= 20


@pytest.mark.parametrize(("plant", "cause"), PLANTED)
def test_planted(plant, cause):
    alive, value, piece = plant()
    diagnosis = why(value)
    assert diagnosis.cause == cause
    assert piece in diagnosis.text
    assert str(diagnosis) == repr(diagnosis) == diagnosis.text
    assert diagnosis.value is value
    assert diagnosis.text.endswith(".")
    del alive


@pytest.mark.parametrize("inactive_first", [False, True])
@pytest.mark.parametrize(("inactive", "multiplied"), [(2, 1), (1, 2), (1, 1)])
def test_several_causes_are_told_the_most_frequent_first(inactive_first, inactive, multiplied):
    """Of two that are as frequent, the one nearer to the output."""
    w, zero, b = leaf(2.0, "w"), leaf(0.0, "zero"), leaf(-9.0, "b")
    parts = [[relu(w + b) for _ in range(inactive)], [w * zero for _ in range(multiplied)]]
    nearer, further = parts if inactive_first else parts[::-1]
    L = named(sum(nearer, start=named(sum(further, start=Value(1.0)), "below")), "L")
    diagnosis = why(w, L)
    flat = r"relu\(v.*\) is flat at v.* = −7"
    times = r"w is multiplied by zero = 0 in v.* = mul\(w, zero\)"
    sentences = {
        "inactive relu": rf"inactive relu in 2 places, for instance {flat}"
        if inactive == 2
        else rf"{flat} \(inactive relu\)",
        "multiplied by 0": rf"multiplied by 0 in 2 places, for instance {times}"
        if multiplied == 2
        else times,
    }
    if inactive > multiplied or (inactive == multiplied and inactive_first):
        first, second = "inactive relu", "multiplied by 0"
    else:
        first, second = "multiplied by 0", "inactive relu"
    assert diagnosis.cause == first
    assert re.fullmatch(rf"∂L/∂w is 0: {sentences[first]}; {sentences[second]}\.", diagnosis.text)


# --- About one output --------------------------------------------------------------------------------


def test_an_output_can_be_asked_about_before_any_pass():
    w, x = Value(2.0, "w"), Value(-3.0, "x")
    L = named(relu(w * x), "L")
    assert (why(w, L).cause, w.reached) == ("inactive relu", False)
    assert why(w, L).text.startswith("∂L/∂w is 0: relu(")
    assert why(w, x).text == "∂x/∂w is 0: x does not depend on w."
    assert why(w, x).cause == "not connected"
    y = named(w * 3.0, "y")
    cut = named(y.detach() * 2.0, "L2")
    assert why(w, cut).cause == "detached"
    assert why(x, x).cause == "healthy"


def test_the_last_pass_is_what_is_told_about():
    w = Value(2.0, "w")
    first, second = named(w * 3.0, "first"), named(w * 5.0, "second")
    first.backward()
    second.backward()
    assert "It comes from second" in why(w).text


def test_the_pass_that_brought_the_nan_is_found_among_several():
    w = Value(0.0, "w")
    bad, good = named(sqrt(w), "bad"), named(w * 2.0, "good")
    bad.backward()
    good.backward()
    assert why(w).cause == "partial"


def test_a_pass_that_contributed_nothing_does_not_explain_a_gradient():
    w = Value(-2.0, "w")
    good, dead = named(w * 3.0, "good"), named(relu(w), "dead")
    good.backward()
    dead.backward()
    assert why(w).text == "w.grad is 3: nothing is wrong with it. It comes from good along one path."
    w.grad = None
    dead.backward()
    assert why(w).cause == "inactive relu"


def test_a_branch_that_is_the_value_itself():
    w, c = Value(2.0, "w"), Value(3.0, "c")
    L = named(where(w > 0.0, c, w), "L")
    assert why(w, L).text == "∂L/∂w is 0: the where that made L did not take w."


@pytest.mark.parametrize(("count", "told"), [(2, "h0, h1, which depend"), (4, "h0, h1, h2, …, which depend")])
def test_of_several_outputs_some_are_named(count, told):
    w = Value(2.0, "w")
    alive = [named(w * 3.0, f"h{k}") for k in range(count)]
    names = told.translate(str.maketrans("0123", "₀₁₂₃"))
    assert why(w).text == f"w.grad is 0: no backward pass has started at {names} on w."
    other = named(Value(1.0) * 2.0, "other")
    other.backward()
    assert "none started at h₀, h₁" in why(w).text
    assert why(w).text.endswith("which do.")
    del alive


def test_markup_in_a_label_is_text():
    w, x = Value(2.0, "<b>w</b>"), Value(-3.0, "<script>alert(1)</script>&amp;")
    L = named(relu(w * x), "<i>L")
    diagnosis = why(x, L)
    paragraph = ElementTree.fromstring(diagnosis.html)
    assert [element.tag for element in paragraph.iter()] == ["p"]
    assert paragraph.text == diagnosis.text
    assert "<script>alert(1)</script>&amp;" in diagnosis.text


def test_a_function_that_is_undefined_raises_where_it_is_called_and_not_here():
    with pytest.raises(ValueError, match="log"):
        log(Value(-1.0, "w"))


@pytest.mark.parametrize(
    ("x", "cause"), [(TINY, "healthy"), (TINY / 2.0, "tiny"), (HUGE, "healthy"), (HUGE * 2.0, "huge")]
)
def test_tiny_and_huge_begin_where_they_are_said_to(x, cause):
    w = Value(1.0, "w")
    L = w * x
    L.backward()
    assert why(w).cause == cause


@given(any_graphs)
@settings(max_examples=15)  # each answer looks at all that is alive
def test_there_is_an_answer_for_any_gradient(graph):
    leaves, root = graph
    root.backward()
    for x in leaves:
        diagnosis = why(x)
        told = diagnosis.cause not in ("unknown", "cleared", "no backward yet")
        assert told
        assert (not x.reached) == (diagnosis.cause in ("unused", "not connected", "detached"))
        assert why(x, root).text


@pytest.mark.parametrize(("arguments", "what"), [((1.0,), "value"), ((Value(1.0), 2.0), "output")])
def test_anything_but_a_value_is_a_type_error(arguments, what):
    with pytest.raises(TypeError, match=f"^{what} must be a Value, got float"):
        why(*arguments)


def test_a_leaky_relu_without_a_slope_is_inactive():
    w = Value(-1.0, "w")
    L = leaky_relu(w, 0.0)
    L.backward()
    assert why(w).cause == "inactive relu"


# --- Size --------------------------------------------------------------------------------------------


def test_tens_of_thousands_of_nodes_answer_in_seconds():
    w, b = Value(0.5, "w"), Value(0.1, "b")
    L = w
    for _ in range(10_000):
        L = tanh(L * 0.5 + b)
    L.backward()
    started = time.process_time()
    assert why(w).cause == "underflow"
    assert why(b).cause == "healthy"
    assert time.process_time() - started < 6.0  # about 1 s; a slow machine is no failure


def test_the_largest_of_several_paths_is_scaled_by_the_seed():
    x = Value(2.0, "x")
    loss = x * 2.0 + x * 3.0
    loss.backward(4.0)
    assert "along 2 paths; the largest contributes 12" in str(why(x))
