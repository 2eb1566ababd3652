"""Losses against their definitions in 1500-digit arithmetic, their shapes, and their edges."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mpmath import mpf

from autograd_lite import Value, topological_order
from autograd_lite.nn.losses import (
    argmax,
    cross_entropy,
    half_squared_error,
    log_loss,
    log_loss_from_scores,
    log_softmax,
    mse_loss,
    softmax,
)

DIGITS = 1500  # e^-1000 beside 1 takes 434, and the differences divide by 1e-500
scores_of_any_size = st.floats(-1000.0, 1000.0)


def exactly(definition, *arguments):
    """The definition's value, and its derivative by each argument from central differences, to a double."""
    with mpmath.workdps(DIGITS):
        x, h = [mpf(a) for a in arguments], mpf(10) ** (-DIGITS // 3)

        def moved(k, h):
            return definition(*[xi + h if i == k else xi for i, xi in enumerate(x)])

        slopes = [float((moved(k, h) - moved(k, -h)) / (2 * h)) for k in range(len(x))]
        return float(definition(*x)), slopes


def recorded(loss, *arguments):
    x = [Value(a) for a in arguments]
    out = loss(*x)
    out.backward()
    return out.data, [xi.grad for xi in x]


def log_loss_of(z, y):
    p = 1 / (1 + mpmath.exp(-z))
    return -y * mpmath.log(p) - (1 - y) * mpmath.log(1 - p)


def softmax_of(*f):
    return [mpmath.exp(fk) / mpmath.fsum(map(mpmath.exp, f)) for fk in f]


def close(expected, rel=1e-12):
    # Below the least normal double, 2.2e-308, a number has no relative precision.
    return pytest.approx(expected, rel=rel, abs=1e-307)


# --- Values and derivatives ------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_half_squared_error(p, y):
    def loss(p, y):
        return (p - y) ** 2 / 2

    value, slopes = exactly(loss, p, y)
    # p - y is rounded once, its square once more, and so is what is expected: 1.1e-16 each, 2.2e-16 squared.
    assert recorded(half_squared_error, p, y) == (close(value, 5e-16), close(slopes, 2.5e-16))


# z and y scattered, then the table of section 4.
@given(scores_of_any_size, st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0))
@example(20.0, 0.0)
@example(40.0, 0.0)
@example(40.0, 1.0)
@example(700.0, 1.0)
@example(-700.0, 0.0)
@example(700.0, 0.5)
def test_trap_15_log_loss_from_scores(z, y):
    value, (slope,) = exactly(lambda z: log_loss_of(z, mpf(y)), z)
    got, (grad,) = recorded(lambda z: log_loss_from_scores(z, y), z)
    assert got == close(value)
    # With a soft label σ(z) - y cancels where they meet: the error is that of the two terms.
    assert grad == pytest.approx(slope, rel=1e-12, abs=2e-16 if 0.0 < y < 1.0 else 1e-307)


@given(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True), st.sampled_from([0.0, 0.25, 0.9, 1.0]))
def test_log_loss(p, y):
    assume(p > 1e-300)  # 1/p must be a double
    value, (slope,) = exactly(lambda p: -y * mpmath.log(p) - (1 - y) * mpmath.log(1 - p), p)
    got, (grad,) = recorded(lambda p: log_loss(p, y), p)
    assert got == close(value)
    assert grad == pytest.approx(slope, rel=1e-12, abs=1e-15 / p if 0.0 < y < 1.0 else 0.0)


def test_the_target_may_be_a_value_too():
    with mpmath.workdps(30):
        by_p = exactly(lambda p, y: -y * mpmath.log(p) - (1 - y) * mpmath.log(1 - p), 0.3, 1.0)
        by_z = exactly(log_loss_of, -2.0, 0.0)
    assert recorded(log_loss, 0.3, 1.0) == (close(by_p[0]), close(by_p[1]))
    assert recorded(log_loss_from_scores, -2.0, 0.0) == (close(by_z[0]), close(by_z[1]))


@settings(max_examples=30)  # each takes thousands of long exponentials
@given(st.lists(scores_of_any_size, min_size=1, max_size=4), st.data())
@example([1000.0, 0.0, -1000.0], None)
@example([-1000.0] * 4, None)
@example([700.0, -700.0], None)
@example([-800.0, 0.0], None)
def test_trap_15_cross_entropy_and_softmax(scores, data):
    label = 0 if data is None else data.draw(st.integers(0, len(scores) - 1))
    value, slopes = exactly(lambda *f: -mpmath.log(softmax_of(*f)[label]), *scores)
    got, grads = recorded(lambda *f: cross_entropy(list(f), label), *scores)
    # The scores differ by up to 2000, rounded to 2e-13: that much the exponentials are off, relatively.
    assert got == close(value)
    assert grads == close(slopes)
    p, slopes = exactly(lambda *f: softmax_of(*f)[label], *scores)
    got, grads = recorded(lambda *f: softmax(f)[label], *scores)
    assert got == close(p, 3e-12)
    assert grads == close(slopes, 3e-12)


def test_softmax_of_all_scores():
    assert softmax([-1000.0] * 4) == [0.25] * 4
    assert softmax((1000.0, 0.0, -1000.0)) == [1.0, 0.0, 0.0]
    assert math.fsum(softmax(np.array([0.1, -2.0, 3.0]))) == pytest.approx(1.0, rel=4e-16)


def test_numbers_give_numbers():
    losses = [
        half_squared_error([1.0, 2], [0, 0.5], "mean"),
        log_loss([0.5, 0.25], [0, 1], "mean"),
        log_loss_from_scores(np.array([0.5, -3.0]), np.array([0, 1])),
        cross_entropy(np.array([[1.0, 2.0]]), np.array([1])),
        *softmax(np.array([1, 2])),
    ]
    assert [type(loss) for loss in losses] == [float] * 6


# --- Labels ----------------------------------------------------------------------------------------


def test_a_hard_label_takes_one_term_alone():
    names = [n.primitive.name for n in topological_order(log_loss_from_scores(Value(2.0), 1)) if n.primitive]
    assert names == ["neg", "softplus"]
    names = [n.primitive.name for n in topological_order(log_loss(Value(0.3), 0)) if n.primitive]
    assert names == ["neg", "log1p", "neg"]


@pytest.mark.parametrize("label", [0, 1, 0.0, 1.0, np.int64(1), np.float64(0.0)])
def test_a_probability_of_0_or_1_that_is_right_costs_nothing(label):
    p = Value(float(label))
    loss = log_loss(p, label)
    assert loss == 0.0
    loss.backward()
    assert p.grad == (1.0 if label == 0 else -1.0)


@pytest.mark.parametrize(("p", "y"), [(0.0, 1), (1.0, 0), (0.0, 0.5), (1.0, 0.5)])
def test_trap_18_a_probability_of_0_or_1_that_is_wrong_is_located(p, y):
    with pytest.raises(ValueError, match=r"infinite: probabilities\[1\] is .* log_loss_from_scores"):
        log_loss([0.5, Value(p)], [0, y])


@pytest.mark.parametrize("target", [-0.1, 1.1, 2, math.nan])
def test_targets_beyond_0_and_1_are_named(target):
    for loss in (log_loss, log_loss_from_scores):
        with pytest.raises(ValueError, match=r"targets\[1\] must lie between 0 and 1, got"):
            loss([0.5, 0.5], [1, target])


@pytest.mark.parametrize("p", [-1e-9, 1.0000001])
def test_probabilities_beyond_0_and_1_are_named(p):
    with pytest.raises(
        ValueError, match=r"probabilities must lie between 0 and 1, got .*log_loss_from_scores"
    ):
        log_loss(p, 1)


def test_trap_16_a_nan_is_not_hidden():
    assert math.isnan(log_loss(Value(math.nan), 1).data)
    assert math.isnan(log_loss_from_scores(Value(math.nan), 0).data)
    assert math.isnan(half_squared_error(math.nan, 0.0))


@pytest.mark.parametrize("wrong", ["0.5", None, True])
def test_what_is_no_number_is_named(wrong):
    for loss, name in (
        (half_squared_error, "predictions"),
        (log_loss, "probabilities"),
        (log_loss_from_scores, "scores"),
    ):
        with pytest.raises(TypeError, match=rf"{name}\[1\] must be a real number"):
            loss([0.5, wrong], [0, 1])
        with pytest.raises(TypeError, match=r"targets\[0\] must be a real number"):
            loss([0.5, 0.5], [wrong, 1])


def test_class_labels_are_checked():
    with pytest.raises(ValueError, match="label 2 is not a class"):
        cross_entropy([[1.0, 2.0]], [2])
    with pytest.raises(TypeError, match=r"the label must be a class number, got float 1\.0"):
        cross_entropy([1.0, 2.0], 1.0)


# --- Batches ---------------------------------------------------------------------------------------

ELEMENTWISE = pytest.mark.parametrize("loss", [half_squared_error, log_loss, log_loss_from_scores])


@ELEMENTWISE
def test_sum_and_mean_of_a_batch(loss):
    p, y = [0.2, 0.7, 0.4, 0.9], [0, 1, 1, 0.5]
    single = [loss(pi, yi) for pi, yi in zip(p, y, strict=True)]
    assert loss(p, y) == loss(p, y, "sum") == loss(p, y, reduction="sum")
    assert loss(p, y) == pytest.approx(math.fsum(single), rel=4e-16)
    assert loss(p, y, "mean") == pytest.approx(math.fsum(single) / 4, rel=4e-16)
    assert loss(np.array(p), iter(y)) == loss(p, y)
    assert loss(p[0], y[0], "mean") == loss([p[0]], [y[0]], "mean") == single[0]


@ELEMENTWISE
def test_the_mean_of_vectors_is_over_examples(loss):
    p, y = [[0.2, 0.7], [0.4, 0.9], [0.5, 0.5]], [[0, 1], [1, 0], [1, 1]]
    assert loss(p, y, "mean") == pytest.approx(math.fsum(map(loss, p, y)) / 3, rel=4e-16)
    assert loss(p, y) == pytest.approx(math.fsum(map(loss, p, y)), rel=4e-16)
    assert loss(p[:2], y[:2], "mean") == pytest.approx(math.fsum(map(loss, p[:2], y[:2])) / 2, rel=4e-16)
    assert loss(p[:1], y[:1], "mean") == loss(p[0], y[0])


def test_003_5_in_numbers():
    # Costs 0.125, 0.5 and 0.02 of three examples: J_total is their mean, with m terms against 1/m.
    assert half_squared_error([0.5, 1.0, 0.2], [0.0, 0.0, 0.0], "mean") == pytest.approx(0.215, rel=4e-16)


def test_cross_entropy_of_a_batch():
    f, y = [[0.2, 0.7, -1.0], [2.0, 0.0, 0.5]], [2, 0]
    single = [cross_entropy(fi, yi) for fi, yi in zip(f, y, strict=True)]
    assert cross_entropy(f, y) == pytest.approx(math.fsum(single), rel=4e-16)
    assert cross_entropy(f, y, "mean") == pytest.approx(math.fsum(single) / 2, rel=4e-16)
    assert cross_entropy(np.array(f), np.array(y)) == cross_entropy(f, y)
    assert cross_entropy(map(tuple, f), iter(y)) == cross_entropy(f, y)
    assert cross_entropy(f[0], y[0], "mean") == cross_entropy(f[:1], y[:1], "mean") == single[0]


def test_a_batch_is_one_reduction_node():
    p = [Value(0.1 * k) for k in range(1, 6)]
    loss = log_loss(p, [1] * 5, "mean")
    assert loss.primitive.name == "mean"
    assert len(loss.operands) == 5


@ELEMENTWISE
@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([0.5, 0.5], [1.0], r"s and targets differ in shape: a list of 2 against a list of 1"),
        ([0.5, 0.5], 1.0, r"s and targets differ in shape: a list of 2 against one number"),
        (Value(0.5), [1.0], r"s and targets differ in shape: one number against a list of 1"),
        (
            [0.5, 0.5],
            [[1.0], [1.0]],
            r"s\[0\] and targets\[0\] differ in shape: one number against a list of 1",
        ),
        (
            [[0.5], [0.5, 0.5]],
            [[1.0], [1.0]],
            r"s\[1\] and targets\[1\] differ in shape: a list of 2 against",
        ),
    ],
)
def test_shapes_that_differ_are_an_error(loss, p, y, message):
    with pytest.raises(ValueError, match=message):
        loss(p, y)


def test_shapes_of_scores_and_labels():
    with pytest.raises(ValueError, match="scores and labels differ in number: 2 against 1"):
        cross_entropy([[1.0, 2.0], [3.0, 4.0]], [0])
    with pytest.raises(ValueError, match=r"scores\[1\] is a list of 3, but scores\[0\] a list of 2"):
        cross_entropy([[1.0, 2.0], [3.0, 4.0, 5.0]], [0, 0])
    message = (
        r"^labels is a list of 2, so scores must have a list .*for each label: scores\[0\] is one number$"
    )
    with pytest.raises(ValueError, match=message):
        cross_entropy([1.0, 2.0], [0, 1])
    with pytest.raises(TypeError, match="scores must be a list with one score per class"):
        cross_entropy(1.0, 0)


def test_trap_20_a_batch_of_none():
    for loss in (half_squared_error, log_loss, log_loss_from_scores, cross_entropy):
        with pytest.raises(ValueError, match="the loss of no examples is undefined"):
            loss([], [])
    with pytest.raises(ValueError, match=r"predictions\[0\] is empty"):
        half_squared_error([[]], [[]])
    with pytest.raises(ValueError, match="softmax of no scores"):
        softmax([])
    with pytest.raises(ValueError, match="label 0 is not a class"):
        cross_entropy([], 0)


@pytest.mark.parametrize("loss", [half_squared_error, log_loss, log_loss_from_scores])
def test_an_unknown_reduction(loss):
    with pytest.raises(ValueError, match="reduction must be 'sum' or 'mean', got 'average'"):
        loss(0.5, 1.0, "average")
    with pytest.raises(ValueError, match="reduction must be 'sum' or 'mean', got None"):
        cross_entropy([0.5, 0.5], 1, None)


# --- The names of other libraries --------------------------------------------------------------------


def test_mse_loss_is_the_mean_of_the_squares_over_all_numbers():
    """As in PyTorch; `half_squared_error` divides by the number of rows alone, and by 2."""
    rng = np.random.default_rng(0)
    p, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    predictions = [[Value(x) for x in row] for row in p]
    loss = mse_loss(predictions, y)
    loss.backward()
    assert loss.data == pytest.approx(np.mean((p - y) ** 2), rel=1e-15)
    slopes = [[x.grad for x in row] for row in predictions]
    assert np.array(slopes) == pytest.approx(2.0 * (p - y) / 12, rel=1e-14)
    assert mse_loss(p, y, "sum") == pytest.approx(np.sum((p - y) ** 2), rel=1e-15)
    assert mse_loss(3.0, 1.0) == 4.0
    with pytest.raises(ValueError, match="predictions and targets differ in shape"):
        mse_loss([1.0], [1.0, 2.0])


@given(st.lists(scores_of_any_size, min_size=1, max_size=4))
def test_log_softmax(scores):
    with mpmath.workdps(DIGITS):
        expected = [float(mpmath.log(p)) for p in softmax_of(*map(mpf, scores))]
    assert log_softmax(scores) == close(expected)
    values = [Value(f) for f in scores]
    log_softmax(values)[0].backward()
    p = softmax(scores)
    slopes = [(k == 0) - p_k for k, p_k in enumerate(p)]  # ∂ log P_0 / ∂f_k
    assert [x.grad for x in values] == pytest.approx(slopes, rel=1e-12, abs=1e-15)


def test_argmax_is_the_first_of_the_greatest():
    assert argmax([1.0, 3.0, 3.0]) == 1
    assert argmax(np.array([-2.0, -1.0, -3.0])) == 1
    assert argmax([Value(2.0), Value(1.0)]) == 0
    for empty in (argmax, log_softmax):
        with pytest.raises(ValueError, match=f"{empty.__name__} of no"):
            empty([])
