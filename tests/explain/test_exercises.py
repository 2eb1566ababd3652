"""Exercises: right answers pass, and planted slips are found where they were planted."""

import pytest

from autograd_lite import MLP, Value, dot, gradients, half_squared_error, log, mean, relu, sigmoid, tanh
from autograd_lite.explain.exercises import Exercise


def labelled(label, node):
    node.label = label
    return node


@pytest.fixture
def unit():
    """L = ½(ŷ − 1)², ŷ = σ(z), z = w·x, with the numbers that a slip would use."""
    x, w = Value(1.5, "x"), Value(-0.8, "w")
    z = labelled("z", x * w)
    y_hat = labelled("y_hat", sigmoid(z))
    return x, w, z, y_hat, labelled("L", half_squared_error(y_hat, 1.0))


def test_the_engine_s_gradient_is_right_and_no_grad_is_touched(unit):
    x, w, z, y_hat, L = unit
    for node in (x, w, z, y_hat, L):
        verdict = Exercise(L, node)(gradients(L, node))
        assert verdict.right
        assert repr(verdict).startswith("✓ Right: ∂L/∂")
        assert not node.reached


def test_rounded_answers_count_to_the_digits_asked_for(unit):
    _, w, *_, L = unit  # the gradient is -0.20507442...
    assert Exercise(L, w)(-0.2051).right
    assert not Exercise(L, w)(-0.2049).right
    assert Exercise(L, w, digits=3)(-0.2049).right


def test_the_question(unit):
    _, w, *_, L = unit
    verdict = Exercise(L, w)(...)
    assert not verdict.right
    assert repr(verdict) == "? Your turn: ∂L/∂w."


@pytest.mark.parametrize(
    ("answer", "place", "slip"),
    [
        (lambda p, x, w: (p - 1) * x, "∂ŷ/∂z = ŷ(1 − ŷ)", "leaves it out"),
        (lambda p, x, w: (p - 1) * p * x, "∂ŷ/∂z = ŷ(1 − ŷ)", "has ŷ in its place"),
        (lambda p, x, w: (p - 1) * (p * (1 - p)) ** 2 * x, "∂ŷ/∂z = ŷ(1 − ŷ)", "multiplies by it twice"),
        (lambda p, x, w: (p - 1) / (p * (1 - p)) * x, "∂ŷ/∂z = ŷ(1 − ŷ)", "divides by it"),
        (lambda p, x, w: (p - 1) * p * (1 - p), "∂z/∂w = x", "leaves it out"),
        (lambda p, x, w: (p - 1) * p * (1 - p) * w, "∂z/∂w = x", "has ∂z/∂x = w in its place"),
        (lambda p, x, w: (p - 1) * p * (1 - p) * x * w, "∂z/∂w = x", "has z in its place"),
        (lambda p, x, w: (1 - p) * p * (1 - p) * x, "2(ŷ − 1)", "has the wrong sign"),  # y − ŷ
        (lambda p, x, w: 2 * (p - 1) * p * (1 - p) * x, "= 0.5", "leaves it out"),  # ½ forgotten
    ],
)
def test_a_slip_is_found_where_it_was_made(unit, answer, place, slip):
    x, w, _, y_hat, L = unit
    verdict = Exercise(L, w)(answer(y_hat.data, x.data, w.data))
    assert not verdict.right
    assert place in verdict.words
    assert f"your answer {slip}" in verdict.words
    assert "0.205" not in verdict.words  # the answer itself stays the reader's to find


def test_where_no_local_partial_is_negative_a_minus_is_from_nowhere():
    x = Value(0.5, "x")
    assert "no local partial on the paths is negative" in Exercise(sigmoid(3.0 * x), x)(-0.4474).words


def test_of_two_paths_the_one_left_out_is_named():
    x, a, b = Value(2.0, "x"), Value(3.0, "a"), Value(5.0, "b")
    u, v = labelled("u", a * x), labelled("v", b * x)
    y = labelled("y", tanh(u / 10.0) + v)
    of_u = gradients(tanh(u / 10.0), x)
    assert "∂y/∂v = 1: your answer leaves out the path" in Exercise(y, x)(of_u).words


def test_a_slip_made_at_every_sigmoid_of_a_chain_is_found():
    x = Value(0.3, "x")
    y, slopes = x, 1.0
    for weight in (0.7, -1.9, 2.3):
        y = sigmoid(weight * y)
        slopes *= y.partials[0]
    check = Exercise(labelled("y", y), x)
    assert (
        "every local partial of sigmoid: your answer leaves them out" in check(gradients(y, x) / slopes).words
    )
    assert (
        "every local partial of sigmoid: your answer multiplies by them twice"
        in check(gradients(y, x) * slopes).words
    )


def test_a_mean_taken_for_a_sum_is_found_at_the_mean():
    w = Value(0.5, "w")
    L = labelled("L", mean([(w * x - 1.0) ** 2 for x in (1.0, -2.0, 0.5)]))
    words = Exercise(L, w)(3.0 * gradients(L, w)).words
    assert "every local partial of mean: your answer leaves them out" in words


@pytest.mark.parametrize(
    ("a", "b", "answer", "slip"),
    [
        (2.0, 0.25, 1.0, "every local partial of mul: your answer leaves them out"),  # not: a · a · b
        (2.0, -0.5, 1.0, "your answer has the wrong sign"),  # not: leaves a and b out
        (2.0, 0.125, 0.0625, "your answer divides by it"),  # not: a² · b²
        (2.0, -1.0, -0.5, "your answer divides by it"),  # not: 1 / a / b
    ],
)
def test_of_two_slips_that_explain_an_answer_the_usual_one_is_told(a, b, answer, slip):
    x = Value(0.3, "x")
    assert slip in Exercise(labelled("y", a * (b * x)), x)(answer).words


@pytest.mark.parametrize(
    ("w", "x", "answer", "slip"),
    [
        (3.0, 1.0, 3.0, "has z in its place"),  # which is ∂z/∂x as well
        (3.0, -3.0, 3.0, "has the wrong sign"),  # and not ∂z/∂x
    ],
)
def test_of_two_slips_at_one_factor_the_usual_one_is_told(w, x, answer, slip):
    w, x = Value(w, "w"), Value(x, "x")
    words = Exercise(labelled("z", w * x), w)(answer).words
    assert words == f"✗ Look at ∂z/∂w = x: your answer {slip}."


def test_an_unexplained_answer_lists_what_to_check(unit):
    _, w, *_, L = unit
    words = Exercise(L, w)(123.0).words
    assert "No single slip explains your answer. Starting from the output, check" in words
    assert "∂ŷ/∂z = ŷ(1 − ŷ); ∂z/∂w = x." in words
    y = w
    for _ in range(8):
        y = sigmoid(y)
    words = Exercise(y, w)(123.0).words
    assert "; and 3 more." in words
    assert words.endswith(" (v₈ = σ(v₇), v₇ = σ(v₆), v₆ = σ(v₅))")  # no more than three


def test_a_path_that_carries_nothing_is_no_place_to_look():
    x = Value(-1.0, "x")
    words = Exercise(labelled("y", relu(x) + 3.0 * x), x)(123.0).words
    assert "3" in words
    assert "relu" not in words
    assert "ReLU" not in words


def test_what_has_no_label_gets_a_name_and_is_said():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    words = Exercise(labelled("y", log(dot([w, x], [x, w]))), w)(123.0).words
    assert "∂y/∂v₁ = 1/v₁" in words
    assert "(v₁ = " in words


def test_an_operation_used_twice_on_one_operand_counts_both_uses():
    x = Value(3.0, "x")
    check = Exercise(labelled("y", x * x), x)
    assert check(6.0).right
    assert not check(3.0).right


def test_an_exercise_shows_what_it_asks_for():
    x = Value(3.0, "x")
    assert repr(Exercise(labelled("y", x * x), x)) == "<exercise: ∂y/∂x>"


@pytest.fixture
def layer():
    model = MLP(3, [2, 1], "sigmoid", output="sigmoid", rng=0)
    L = labelled(
        "L", half_squared_error([model(x) for x in ([1.0, -0.5, 2.0], [0.3, 0.8, -1.0])], [1.0, 0.0])
    )
    W = [neuron.w for neuron in model.layers[0].neurons]
    return L, W, gradients(L, W)


def test_answers_are_built_like_what_is_asked_for(layer):
    numpy = pytest.importorskip("numpy")
    L, W, gradient = layer
    check = Exercise(L, W)
    assert check(gradient).right
    assert check(numpy.array(gradient)).right
    assert repr(check(...)) == "? Your turn: ∂L/∂w₁, ∂L/∂w₂, ∂L/∂w₃ and 3 more."
    assert "transposed" in check(numpy.array(gradient).T).words
    assert "shape of its variable, 2×3; your answer is one number." in check(1.0).words
    assert "2×3; your answer is 2 numbers" in check([1.0, 2.0]).words
    assert "2×3; your answer is 1×3" in check([[1.0, 2.0, 3.0]]).words
    assert "2×3; your answer is 3 numbers" in check([[1.0, 2.0], [3.0]]).words


def test_of_several_entries_the_first_wrong_one_is_explained(layer):
    L, W, gradient = layer
    gradient[1][2] *= -1.0
    words = Exercise(L, W)(gradient).words
    assert words.startswith("✗ 1 of 6 entries is wrong. In answer[1][2], look at ")
    assert "wrong sign" in words


def test_a_square_matrix_the_wrong_way_round_is_called_that():
    w = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    y = w[0][0] * 2.0 + w[0][1] * 3.0 + w[1][0] * 5.0 + w[1][1] * 7.0
    assert "transposed" in Exercise(y, w)([[2.0, 5.0], [3.0, 7.0]]).words


def test_a_large_graph_is_not_searched():
    x = Value(1.0, "x")
    y = x
    for _ in range(3000):
        y = y * 1.001
    assert "3000 local partials" in Exercise(y, x)(0.5).words


def test_errors():
    w = Value(1.0, "w")
    with pytest.raises(ValueError, match=r"does not depend on wrt\[1\]"):
        Exercise(w * 2.0, [w, Value(1.0)])
    with pytest.raises(TypeError, match=r"wrt\[1\] must be a Value, got float 1.0"):
        Exercise(w * 2.0, [w, 1.0])
    with pytest.raises(TypeError, match="out of Values with"):
        Exercise(w * 2.0, w)(w)
    with pytest.raises(TypeError, match="the answer must be a real number"):
        Exercise(w * 2.0, w)("two")
