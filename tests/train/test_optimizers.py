"""Optimizers against the recursions of their papers."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from autograd_lite import Value, compile, sqrt
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import log_loss_from_scores
from autograd_lite.train import SGD, Adam, AdamW, GradientDescent, Momentum, Optimizer, minimize
from autograd_lite.train.optimizers import adam
from autograd_lite.train.schedules import StepDecay

slopes = st.floats(-1e3, 1e3)


def stepped(optimizer, x, gradients):
    """The data of `x` after each step, with the gradients given."""
    path = []
    for gradient in gradients:
        x.grad = None
        (x * gradient).backward()
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


@given(st.lists(slopes, min_size=1, max_size=8))
def test_adamw_is_pytorchs(gradients):
    # torch.optim.AdamW: θ ← θ − γ λ θ, then Adam's step from there, in 40 digits.
    with mpmath.workdps(40):
        gamma, beta1, beta2, epsilon, decay = mpf(0.01), mpf(0.8), mpf(0.99), mpf(1e-8), mpf(0.3)
        theta, m, v, expected = mpf(3.0), mpf(0), mpf(0), []
        for t, g in enumerate(map(mpf, gradients), 1):
            theta = theta - gamma * decay * theta
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            theta = theta - gamma * (m / (1 - beta1**t)) / (mpmath.sqrt(v / (1 - beta2**t)) + epsilon)
            expected.append(float(theta))
    x = Value(3.0)
    adamw = AdamW([x], lr=0.01, betas=(0.8, 0.99), eps=1e-8, weight_decay=0.3)
    assert stepped(adamw, x, gradients) == pytest.approx(expected, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("kind", [SGD, Momentum, Adam])
@given(gradients=st.lists(slopes, min_size=1, max_size=6))
def test_weight_decay_is_a_penalty_in_the_loss(kind, gradients):
    x, twin = Value(3.0), Value(3.0)
    found, optimizer = stepped(kind([x], lr=0.1, weight_decay=0.25), x, gradients), kind([twin], lr=0.1)
    for g, data in zip(gradients, found, strict=True):
        twin.grad = 0.0
        (twin * g + 0.125 * twin**2).backward()  # ½ λ x², so its gradient is λ x
        optimizer.step()
        assert data == pytest.approx(twin.data, rel=1e-12, abs=1e-12)


def test_weight_decay_without_a_gradient_shrinks_the_weight():
    for kind in (SGD, AdamW):
        x = Value(2.0)
        assert stepped(kind([x], lr=0.1, weight_decay=0.5), x, [0.0]) == [pytest.approx(1.9)]
    with pytest.raises(ValueError, match=r"weight_decay must be at least 0 and finite, got -0\.1"):
        AdamW([Value(1.0)], weight_decay=-0.1)


def test_sgd_is_gradient_descent_with_momentum_on_request():
    assert SGD is GradientDescent
    x, y = Value(3.0), Value(3.0)
    gradients = [5.0, -2.0, 1.0]
    found = stepped(SGD([x], lr=0.1, momentum=0.9), x, gradients)
    assert found == stepped(Momentum([y], lr=0.1), y, gradients)
    assert found != stepped(SGD([x], lr=0.1), x, gradients)


def test_the_rule_of_adam_can_be_traced():
    numbers = (3.0, 0.5, 0.0, 0.0, 0.0, 0.1, 0.9, 0.999, 1e-8)
    program = compile(lambda *x: adam(*x, sqrt=sqrt), *numbers)
    assert program(*numbers) == pytest.approx(adam(*numbers), rel=1e-15)


def test_an_optimizer_says_what_it_is():
    x = Value(1.0)
    optimizer = Adam([x], lr=0.25)
    stepped(optimizer, x, [1.0, 1.0])
    assert repr(optimizer) == "<Adam of 1 parameter: lr=0.25, 2 steps taken>"
    schedule = StepDecay(0.5, every=3)
    assert repr(SGD([x, Value(2.0)], schedule)) == (
        "<GradientDescent of 2 parameters: lr=StepDecay(lr=0.5, every=3, factor=0.1), 0 steps taken>"
    )


def test_the_defaults_are_the_papers():
    x = Value(1.0)
    for kind in (Adam, AdamW):
        assert (kind([x]).lr, kind([x]).betas, kind([x]).eps) == (0.001, (0.9, 0.999), 1e-8)
    assert (Adam([x]).weight_decay, AdamW([x]).decoupled) == (0.0, 0.01)
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


@pytest.mark.parametrize("kind", [GradientDescent, Momentum, Adam, AdamW])
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_step_to_nowhere_is_an_error_and_changes_nothing(kind, bad):
    x, y = Value(1.0, "x"), Value(2.0, "y")
    optimizer, twin = kind([x, y], lr=0.5), kind([Value(1.0)], lr=0.5)
    x.grad, y.grad = 1.0, bad
    with pytest.raises(
        FloatingPointError, match=r"step of parameter 1 \(y = .*\) is not finite: .* size below 0\.5"
    ):
        optimizer.step()
    assert (x.data, y.data) == (1.0, 2.0)
    y.grad = None
    assert stepped(optimizer, x, [1.0, 1.0]) == stepped(twin, twin.parameters[0], [1.0, 1.0])


def test_adam_does_not_stop_at_a_square_out_of_range():
    # v = ∞ would mean steps of 0 from then on.
    x = Value(1.0)
    with pytest.raises(FloatingPointError, match="is not finite: try a smaller loss"):
        stepped(Adam([x]), x, [1e200])
    assert x.data == 1.0


def test_zero_grad():
    x = Value(1.0)
    x.grad = 1.0
    GradientDescent([x]).zero_grad()
    assert not x.reached


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
    with pytest.raises(ValueError, match="a parameter is listed twice"):
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
