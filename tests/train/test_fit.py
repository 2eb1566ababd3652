"""`fit` against a plain loop: batches, validation, errors, which form runs."""

import gc
import math
import random

import numpy as np
import pytest

from autograd_lite import exp, log, mean, sqrt
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, half_squared_error
from autograd_lite.train import Adam, GradientDescent, History, Momentum, fit

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


@pytest.mark.parametrize("compiled", [None, False])
def test_an_error_of_the_model_carries_its_epoch_and_batch(compiled):
    model = MLP(2, [1], rng=0)
    options = {"loss": half_squared_error, "optimizer": Adam(model.parameters()), "compiled": compiled}
    with pytest.raises(ValueError, match="2 inputs were expected and 1 came") as caught:
        fit(model, [[1.0], [2.0]], [1.0, 2.0], epochs=1, progress=False, **options)
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
