"""Optimizers against the recursions of their papers, `minimize` against 003, `fit` against a plain loop."""

import gc
import math
import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from autograd_lite import Value, exp, log, mean, sqrt, square
from autograd_lite.nn import MLP, Module
from autograd_lite.nn.losses import cross_entropy, half_squared_error, log_loss_from_scores
from autograd_lite.train.optimizers import (
    Adam,
    GradientDescent,
    History,
    Momentum,
    Optimizer,
    collector_paused,
    fit,
    minimize,
)
from autograd_lite.transforms.derivatives import grad

slopes = st.floats(-1e3, 1e3)


def stepped(optimizer, x, gradients):
    """The data of `x` after each step, with `gradients` put in by hand."""
    path = []
    for x.grad in gradients:
        optimizer.step()
        path.append(x.data)
    return path


# --- The recursions --------------------------------------------------------------------------------


def test_gradient_descent_000_9_in_numbers():
    w1, w2, b = Value(0.5), Value(-0.25), Value(0.1)
    z = w1 * 1.0 + w2 * 2.0 + b
    loss = log_loss_from_scores(z, 1)
    loss.backward()
    GradientDescent([w1], lr=0.1).step()
    assert w1 == pytest.approx(0.5 + 0.1 * 0.47502081252106001, rel=4e-16)
    assert log_loss_from_scores(w1.data - 0.5 + 0.1, 1) == pytest.approx(0.622113286078, abs=5e-13)
    assert (w2, b) == (-0.25, 0.1)


def test_all_parameters_move_from_the_old_weights_000_12():
    a1, a2 = Value(0.5), Value(2.0)
    log_loss_from_scores(a2 * (a1 * 1.0).sigmoid(), 1).backward()
    GradientDescent([a2, a1], lr=1.0).step()
    assert a2.data == pytest.approx(2.1391700684927953, rel=4e-16)
    assert a1.data == pytest.approx(0.5 + 0.10508472147090727, rel=4e-16)


@given(st.lists(slopes, min_size=1, max_size=8))
def test_momentum_is_polyaks_heavy_ball(gradients):
    # Polyak 1964: x_{k+1} = x_k - α g_k + β (x_k - x_{k-1}), with x_{-1} = x_0; exactly, in fractions.
    alpha, beta = Fraction(0.1), Fraction(0.9)
    x, before, expected = Fraction(3.0), Fraction(3.0), []
    for g in gradients:
        x, before = x - alpha * Fraction(g) + beta * (x - before), x
        expected.append(float(x))
    x = Value(3.0)
    # A few roundings a step, of numbers up to 8 steps · 0.1 · 10 · 1e3.
    assert stepped(Momentum([x], lr=0.1, momentum=0.9), x, gradients) == pytest.approx(
        expected, rel=1e-14, abs=1e-11
    )


@given(st.lists(slopes, min_size=1, max_size=8))
def test_adam_is_algorithm_1(gradients):
    # Kingma & Ba 2015, algorithm 1, in 40 digits.
    with mpmath.workdps(40):
        alpha, beta1, beta2, epsilon = mpf(0.01), mpf(0.8), mpf(0.99), mpf(1e-8)
        theta, m, v, expected = mpf(3.0), mpf(0), mpf(0), []
        for t, g in enumerate(map(mpf, gradients), 1):
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            theta = theta - alpha * (m / (1 - beta1**t)) / (mpmath.sqrt(v / (1 - beta2**t)) + epsilon)
            expected.append(float(theta))
    x = Value(3.0)
    adam = Adam([x], lr=0.01, betas=(0.8, 0.99), eps=1e-8)
    # 1 - 0.99 is inexact by 1e-14 relative in doubles; m may cancel: absolutely, of steps of 0.01.
    assert stepped(adam, x, gradients) == pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_the_defaults_are_the_papers():
    x = Value(1.0)
    assert (Adam([x]).lr, Adam([x]).betas, Adam([x]).eps) == (0.001, (0.9, 0.999), 1e-8)
    assert (Momentum([x]).lr, Momentum([x]).momentum, GradientDescent([x]).lr) == (0.1, 0.9, 0.1)


def test_trap_25_two_optimizers_over_the_same_parameters_keep_separate_state():
    for kind in (Momentum, Adam):
        x = Value(3.0)
        first, second = kind([x], lr=0.1), kind([x], lr=0.1)
        stepped(first, x, [5.0, -2.0])
        before = x.data
        (after,) = stepped(second, x, [1.0])  # as if it were the first step of all
        alone = Value(before)
        assert [after] == stepped(kind([alone], lr=0.1), alone, [1.0])


def test_each_parameter_has_its_own_memory():
    x, y = Value(1.0), Value(1.0)
    optimizer = Momentum([x, y], lr=1.0, momentum=0.5)
    x.grad, y.grad = 1.0, -2.0
    optimizer.step()
    optimizer.step()
    assert (x.data, y.data) == (1.0 - 1.0 - 1.5, 1.0 + 2.0 + 3.0)


def test_the_step_size_may_change_on_the_way():
    x = Value(1.0)
    optimizer = GradientDescent([x], lr=0.5)
    stepped(optimizer, x, [1.0])
    optimizer.lr = 0.25
    assert stepped(optimizer, x, [1.0]) == [0.25]


def test_a_parameter_without_gradient_stays_with_its_memory():
    x, y = Value(1.0), Value(1.0)
    optimizer = Adam([x, y])
    for _ in range(2):
        x.grad, y.grad = 1.0, None
        optimizer.step()
    assert y.data == 1.0
    y.grad = 3.0
    optimizer.step()
    fresh = Value(1.0)
    assert [y.data] == stepped(Adam([fresh]), fresh, [3.0])


def test_a_step_without_any_gradient_is_an_error():
    with pytest.raises(ValueError, match=r"no parameter has a gradient: call loss\.backward\(\) before step"):
        GradientDescent([Value(1.0)]).step()


@pytest.mark.parametrize("kind", [GradientDescent, Momentum, Adam])
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_step_to_nowhere_is_an_error_and_changes_nothing(kind, bad):
    x, y = Value(1.0, "x"), Value(2.0, "y")
    optimizer, twin = kind([x, y], lr=0.5), kind([Value(1.0)], lr=0.5)
    x.grad, y.grad = 1.0, bad
    with pytest.raises(
        FloatingPointError, match=r"step of parameter 1 \(y = .*\) leads out .* size below 0\.5"
    ):
        optimizer.step()
    assert (x.data, y.data) == (1.0, 2.0)
    y.grad = None
    assert stepped(optimizer, x, [1.0, 1.0]) == stepped(twin, twin.parameters[0], [1.0, 1.0])


def test_adam_does_not_stop_at_a_square_out_of_range():
    # v = ∞ would mean steps of 0 from then on.
    x = Value(1.0)
    with pytest.raises(FloatingPointError, match="leads out of the finite numbers: try a smaller loss"):
        stepped(Adam([x]), x, [1e200])
    assert x.data == 1.0


def test_zero_grad():
    x = Value(1.0)
    x.grad = 1.0
    GradientDescent([x]).zero_grad()
    assert x.grad is None


def test_an_optimizer_of_ones_own():
    class Signs(Optimizer):
        remembers = ("count",)

        def update(self, x, g, *memory):
            (count,) = memory
            return x - self.lr * math.copysign(1.0, g) / (count + 1.0), count + 1.0

    x = Value(0.0)
    assert stepped(Signs([x], lr=1.0), x, [5.0, -3.0]) == [-1.0, -0.5]
    x.grad = 1.0
    with pytest.raises(NotImplementedError):
        Optimizer([x], lr=1.0).step()


def test_what_can_be_optimized_is_checked():
    x = Value(1.0)
    with pytest.raises(ValueError, match="there are no parameters"):
        GradientDescent([])
    with pytest.raises(ValueError, match="a parameter stands twice"):
        Adam([x, Value(1.0), x])
    with pytest.raises(ValueError, match="parameter 1 was made by mul: only leaves can be moved"):
        Momentum([x, x * 2.0])
    with pytest.raises(TypeError, match=r"parameter 0 must be a Value, got float 1\.0"):
        Adam([1.0])
    with pytest.raises(TypeError, match=r"as model\.parameters\(\) gives, got MLP"):
        Adam(MLP(1, [1]))
    assert GradientDescent(p for p in (x,)).parameters == [x]


@pytest.mark.parametrize("lr", [0.0, -0.1, math.inf, math.nan])
def test_the_step_size_is_positive(lr):
    for make in (lambda: Adam([Value(1.0)], lr=lr), lambda: minimize(abs, 1.0, lr=lr)):
        with pytest.raises(ValueError, match="lr must be a positive number, got"):
            make()


def test_the_other_settings_are_checked():
    with pytest.raises(ValueError, match=r"momentum must be at least 0 and below 1, got 1\.0"):
        Momentum([Value(1.0)], momentum=1)
    with pytest.raises(ValueError, match=r"betas\[1\] must be at least 0 and below 1, got -0\.5"):
        Adam([Value(1.0)], betas=(0.9, -0.5))
    with pytest.raises(ValueError, match=r"eps must be a positive number, got 0\.0"):
        Adam([Value(1.0)], eps=0.0)
    with pytest.raises(TypeError, match="lr must be a real number, got str"):
        Adam([Value(1.0)], lr="fast")


# --- The collector ---------------------------------------------------------------------------------


def test_the_collector_is_paused_and_then_as_before():
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), collector_paused():
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


# --- minimize --------------------------------------------------------------------------------------


def quartic(x):
    return x**4 - 3.0 * x**3


def test_minimize_is_the_loop_of_003_3():
    result = minimize(quartic, 6.0, lr=0.01, precision=0.00001, previous=0.0)
    x, before, path = 6.0, 0.0, [6.0]
    while abs(x - before) > 0.00001:
        before, x = x, x - 0.01 * (4.0 * x**3 - 9.0 * x**2)
        path.append(x)
    # The loop contracts: the roundings of a step do not add up over 70.
    assert result.path == pytest.approx(path, rel=1e-14)
    assert (result.steps, result.converged, len(result.path)) == (70, True, 71)
    assert result.x == result.path[-1] == pytest.approx(2.2499646074278457, rel=1e-15)


@pytest.mark.parametrize(
    ("start", "lr", "steps", "printed"),
    [
        (7.0, 0.01, 1025, "-0.010500"),
        (6.0, 0.0112, 786, "-0.009919"),
        (-1.0, 0.01, 1021, "-0.010506"),
        (6.25, 0.01, 2, "0.000000"),
        (0.0, 0.01, 0, "0.000000"),
    ],
)
def test_the_loop_of_003_3_stops_elsewhere_from_other_starts(start, lr, steps, printed):
    result = minimize(quartic, start, lr=lr, precision=0.00001, previous=0.0)
    assert (result.steps, f"{result.x:f}", result.converged) == (steps, printed, True)


def test_without_a_previous_point_the_first_step_is_taken():
    assert minimize(quartic, 0.0, lr=0.01).steps == 1
    assert minimize(quartic, 6.0, lr=0.01, precision=0.00001).steps == 70


def test_the_loop_of_003_3_overflows():
    with pytest.raises(OverflowError, match="pow"):
        minimize(quartic, 6.0, lr=0.02, previous=0.0)


def test_minimize_moves_any_tree_of_numbers():
    def f(p):
        return square(p["a"] - 1.0) + mean([square(v - 2.0) for v in p["b"]])

    result = minimize(f, {"a": 5, "b": (0.0, 9.0)}, lr=0.25, precision=1e-9)
    assert result.x == {"a": pytest.approx(1.0, abs=1e-8), "b": pytest.approx((2.0, 2.0), abs=1e-8)}
    assert isinstance(result.x["b"], tuple)
    assert result.path[0] == {"a": 5.0, "b": (0.0, 9.0)}
    assert minimize(lambda x: (x * x).sum(), np.array([1.0, -2.0]), lr=0.5, max_steps=1).x.tolist() == [
        0.0,
        0.0,
    ]


def test_the_largest_change_counts():
    def slopes(scale):  # steps of 0.1 and 0.1 · scale
        return lambda x: x[0] + scale * x[1]

    assert minimize(slopes(1.0), [0.0, 0.0], lr=0.1, precision=0.2).steps == 1
    assert minimize(slopes(1.0), [0.0, 0.0], lr=0.1, precision=0.1).steps == 1  # within, at the bound
    assert minimize(slopes(3.0), [0.0, 0.0], lr=0.1, precision=0.2, max_steps=7).steps == 7
    assert minimize(slopes(3.0), [0.0, 0.0], lr=0.1, precision=0.2, previous=[0.0, 0.1]).steps == 0
    assert minimize(slopes(3.0), [0.0, 1.0], lr=0.1, precision=0.9, previous=0.0).steps == 1


def test_minimize_gives_up_after_max_steps():
    result = minimize(square, 1.0, lr=0.25, precision=0.0, max_steps=3)
    assert (result.x, result.steps, result.converged) == (0.125, 3, False)


def test_minimize_stops_where_numbers_end():
    with pytest.raises(
        FloatingPointError, match=r"step 1 goes from 0\.0 to -inf: try a step size below 0\.1"
    ):
        minimize(sqrt, 0.0, lr=0.1)
    with pytest.raises(FloatingPointError, match=r"step 1 goes from \[1\.0, 2\.0\] to \[0\.5, nan\]"):
        minimize(lambda x: x[0] + x[1] * math.nan, [1.0, 2.0], lr=0.5)


def test_minimize_checks_what_it_is_given():
    with pytest.raises(ValueError, match=r"built like start, \[1\.0, 2\.0\], got \[1\.0\]"):
        minimize(lambda x: x[0] * x[1], [1.0, 2.0], previous=[1.0])
    with pytest.raises(ValueError, match=r"start holds no number to move: \[\]"):
        minimize(lambda x: 1.0, [])
    with pytest.raises(TypeError, match="start must be a real number, got str"):
        minimize(square, "1")
    with pytest.raises(ValueError, match="precision must be at least 0, got nan"):
        minimize(square, 1.0, precision=math.nan)
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        minimize(square, 1.0, max_steps=0)


def test_a_derivative_through_minimize():
    # Three steps on (x - a)² from 0 give a·(1 - (1 - 2 lr)³): the derivative by a is 1 - 0.5³ at lr = 0.25.
    slope = grad(lambda a: minimize(lambda x: square(x - a), 0.0, lr=0.25, max_steps=3, precision=0.0).x)(4.0)
    assert slope == 0.875


@pytest.mark.parametrize(
    ("given", "shown"), [({}, False), ({"progress": True}, True), ({"progress": False}, False)]
)
def test_the_bar_of_minimize(capfd, given, shown):
    minimize(square, 1.0, lr=0.1, max_steps=5, **given)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("step/s" in err or "?step" in err) == shown
    assert bool(err) == shown


# --- fit -------------------------------------------------------------------------------------------

X = [[0.0, 1.0], [1.0, -0.5], [0.3, 0.3], [-1.0, 2.0], [0.8, -2.0]]
y = [1.0, 0.0, 0.5, 1.0, 0.0]


def weights(model):
    return [p.data for p in model.parameters()]


def fitted(seed=0, batch_size=2, epochs=3, model=None, **options):
    model = model or MLP(2, [3, 1], "tanh", rng=0)
    options = {"loss": half_squared_error, "progress": False} | options
    if "optimizer" not in options:
        options["optimizer"] = Momentum(model.parameters(), lr=0.05)
    return model, fit(model, X, y, epochs=epochs, batch_size=batch_size, seed=seed, **options)


class Frozen(Module):
    """Its forward pass reads a parameter as a plain number, which a program would keep for ever."""

    def __init__(self):
        self.w = Value(0.5, "w")

    def __call__(self, x):
        return self.w * x[0] * self.w.data


def test_fit_leaves_models_of_others_to_the_engine():
    histories = []
    for compiled in (None, False):
        model = Frozen()
        optimizer = GradientDescent(model.parameters(), lr=0.1)
        histories.append(fitted(model=model, optimizer=optimizer, compiled=compiled)[1])
    assert histories[0].loss == histories[1].loss
    assert {history.form for history in histories} == {"engine"}


def test_fit_compiles_another_model_on_request_and_checks_the_program():
    class Line(Frozen):
        def __call__(self, x):
            return self.w * x[0]

    class Noisy(Frozen):
        calls = 0

        def __call__(self, x):
            self.calls += 1
            return self.w * x[0] * float(self.calls)

    forms = {}
    for kind in (Line, Noisy):
        model = kind()
        optimizer = GradientDescent(model.parameters(), lr=0.01)
        forms[kind] = fitted(model=model, optimizer=optimizer, compiled=True)[1].form
    assert forms[Line] in {"Python", "NumPy", "machine code"}
    assert forms[Noisy] == "engine"


def test_fit_says_that_the_data_are_to_blame_before_any_step():
    model = MLP(1, [1], rng=0)
    with pytest.raises(FloatingPointError, match="look for NaN and infinity in the data"):
        fit(
            model,
            [[1.0], [math.nan]],
            [1.0, 1.0],
            loss=half_squared_error,
            epochs=1,
            progress=False,
            optimizer=GradientDescent(model.parameters()),
        )


# The engine makes the very same operations; a program may sum in another order, a few roundings a step.
@pytest.mark.parametrize(("compiled", "rel"), [(False, 0.0), (None, 1e-14)])
def test_fit_is_the_plain_loop(compiled, rel):
    model, history = fitted(batch_size=None, compiled=compiled)
    twin = MLP(2, [3, 1], "tanh", rng=0)
    optimizer, losses = Momentum(twin.parameters(), lr=0.05), []
    for _ in range(3):
        loss = mean([half_squared_error(twin(x), t) for x, t in zip(X, y, strict=True)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    assert weights(model) == pytest.approx(weights(twin), rel=rel, abs=0.0)
    assert history.loss == pytest.approx(losses, rel=max(rel, 4e-16))
    assert (history.form == "engine") is (compiled is False)
    assert (history.steps, history.validation_loss, len(history.loss)) == (3, [], 3)
    assert history.seconds > 0.0


def test_fit_shuffles_by_its_seed():
    assert weights(fitted(seed=1)[0]) == weights(fitted(seed=1)[0])
    assert weights(fitted(seed=1)[0]) != weights(fitted(seed=2)[0])
    state = random.getstate()
    fitted()
    assert random.getstate() == state


def orders_of(epochs, **options):
    """The order in which each epoch takes the examples."""
    seen, model = [], MLP(2, [1], rng=0)

    def watched(x):
        seen.append(X.index(x))
        return model(x)

    optimizer = GradientDescent(model.parameters())
    _, history = fitted(epochs=epochs, model=watched, optimizer=optimizer, **options)
    return [tuple(seen[k : k + 5]) for k in range(0, len(seen), 5)], history.steps


def test_every_epoch_takes_every_example_once_in_a_new_order():
    orders, steps = orders_of(4, batch_size=2)
    assert [sorted(order) for order in orders] == [[0, 1, 2, 3, 4]] * 4
    assert len(set(orders)) > 1
    assert steps == 4 * 3


def test_without_batches_the_order_is_the_given_one():
    assert orders_of(2, batch_size=None) == ([(0, 1, 2, 3, 4)] * 2, 2)


def test_the_epochs_loss_is_the_mean_over_its_examples():
    # With so small a step that nothing moves, batches of 2, 2 and 1 give the mean of all five.
    model = MLP(2, [1], rng=0)
    _, history = fitted(model=model, optimizer=GradientDescent(model.parameters(), lr=1e-300))
    expected = half_squared_error([model(x) for x in X], y, "mean").data
    assert history.loss == pytest.approx([expected] * 3, rel=1e-15)


def test_a_batch_larger_than_the_data_is_all_of_it():
    _, history = fitted(batch_size=100)
    assert history.steps == 3


def test_validation_data_take_no_part():
    plain, _ = fitted()
    model, history = fitted(validation=(np.array([[0.5, 0.5], [1.0, 1.0]]), np.array([0.0, 1.0])))
    assert weights(model) == weights(plain)
    assert len(history.validation_loss) == 3
    last = half_squared_error([model([0.5, 0.5]), model([1.0, 1.0])], [0.0, 1.0], "mean").data
    assert history.validation_loss[-1] == pytest.approx(last, rel=4e-16)


def test_validation_records_nothing():
    leaves = []

    def loss(p, t):
        leaves.append(p.primitive is None)
        return half_squared_error(p, t)

    fitted(epochs=1, batch_size=None, loss=loss, validation=(X[:2], y[:2]))
    assert leaves == [False] * 5 + [True] * 2


def test_fit_learns_classes_from_arrays():
    rng = random.Random(3)
    points = [[rng.uniform(-1, 1), rng.uniform(-1, 1)] for _ in range(60)]
    labels = [int(a * b > 0) for a, b in points]  # no line parts these
    model = MLP(2, [8, 2], "tanh", rng=1)
    history = fit(
        model,
        np.array(points),
        np.array(labels),
        loss=cross_entropy,
        optimizer=Adam(model.parameters(), lr=0.05),
        epochs=60,
        batch_size=16,
        progress=False,
    )
    assert history.loss[-1] < 0.1 < 0.6 < history.loss[0]
    guesses = [int(b > a) for a, b in map(model, points)]
    assert sum(map(int.__eq__, guesses, labels)) >= 57


def test_fit_pauses_the_collector_and_leaves_it_as_it_was():
    states = []
    model = MLP(2, [1], rng=0)

    def loss(p, t):
        states.append(gc.isenabled())
        return half_squared_error(p, t)

    fitted(model=model, loss=loss)
    assert not any(states)
    assert gc.isenabled()


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_loss_that_is_no_number_stops_with_its_epoch_and_batch(bad):
    model, before, calls = MLP(2, [1], rng=0), [], []

    def loss(p, t):
        calls.append(None)
        if len(calls) == 8:  # epoch 2, batch 2 of batches 2, 2, 1
            before.extend(weights(model))
            return p * bad
        return half_squared_error(p, t)

    with pytest.raises(
        FloatingPointError, match=r"the loss is -?(inf|nan) in epoch 2, batch 2: try a step size below"
    ):
        fitted(model=model, loss=loss)
    assert weights(model) == before
    assert gc.isenabled()


def test_a_gradient_that_is_no_number_stops_with_its_epoch_and_batch():
    model = MLP(2, [1], rng=0)
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 1: the step of parameter 0 \(w1 = "):
        fitted(model=model, loss=lambda p, t: sqrt(p - p.data))


def test_an_error_inside_carries_its_epoch_and_batch():
    with pytest.raises(ValueError, match="log") as caught:
        fitted(loss=lambda p, t: log(p * 0.0))
    assert caught.value.__notes__ == ["in epoch 1, batch 1"]
    with pytest.raises(OverflowError) as caught:
        fitted(loss=lambda p, t: exp(1e9 + p), validation=(X, y))
    assert caught.value.__notes__ == ["in epoch 1, batch 1"]


def test_an_error_on_the_validation_data_says_so():
    with pytest.raises(ValueError, match="2 inputs were expected and 1 came") as caught:
        fitted(validation=([[1.0]], [1.0]))
    assert caught.value.__notes__ == ["in epoch 1, the validation data"]


def test_a_loss_without_the_model_is_an_error():
    with pytest.raises(
        TypeError, match=r"the loss does not depend on the model: it is the plain number 1\.0 in"
    ):
        fitted(loss=lambda p, t: 1.0)


def test_trap_20_no_examples():
    model = MLP(2, [1])
    options = {
        "loss": half_squared_error,
        "optimizer": Adam(model.parameters()),
        "epochs": 1,
        "progress": False,
    }
    with pytest.raises(ValueError, match="the training data is empty"):
        fit(model, [], [], **options)
    with pytest.raises(ValueError, match="the training data has 5 examples but 4 targets"):
        fit(model, X, y[:4], **options)
    with pytest.raises(ValueError, match="the validation data is empty"):
        fit(model, X, y, validation=([], []), **options)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        fit(model, X, y, **options | {"epochs": 0})
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        fit(model, X, y, batch_size=0, **options)
    with pytest.raises(TypeError, match=r"epochs must be a whole number, got float 2\.0"):
        fit(model, X, y, **options | {"epochs": 2.0})


@pytest.mark.parametrize(
    ("given", "shown"), [({}, True), ({"progress": True}, True), ({"progress": False}, False)]
)
def test_the_bar_of_fit_goes_to_stderr(capfd, given, shown):
    model = MLP(2, [3, 1], "tanh", rng=0)
    optimizer = Momentum(model.parameters(), lr=0.05)
    fit(
        model,
        X,
        y,
        loss=half_squared_error,
        optimizer=optimizer,
        epochs=3,
        batch_size=2,
        validation=(X, y),
        **given,
    )
    out, err = capfd.readouterr()
    assert out == ""
    assert ("9/9" in err and "loss" in err and "validation" in err) == shown
    assert bool(err) == shown


def test_a_history_starts_empty():
    assert History() == History(loss=[], validation_loss=[], steps=0, seconds=0.0)
