"""`fit` against a plain loop: batches, validation, errors, which form runs."""

import gc
import math
import random

import numpy as np
import pandas
import pytest
from matplotlib import pyplot

from autograd_lite import Value, exp, log, mean, sqrt
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, half_squared_error, mse_loss
from autograd_lite.train import Adam, AdamW, GradientDescent, History, Momentum, StepDecay, fit

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


def test_fit_shuffles_by_its_seed_and_else_differently_in_every_call():
    assert weights(fitted(seed=1)[0]) == weights(fitted(seed=1)[0])
    assert len({tuple(weights(fitted(seed=None)[0])) for _ in range(4)}) > 1  # by chance 1 in 120**9
    in_order = {tuple(weights(fitted(seed=seed, shuffle=False)[0])) for seed in (None, 1, 2)}
    assert len(in_order) == 1
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
    # First all of it is tried, then the epoch comes, then its validation.
    assert leaves == [True] * 2 + [False] * 5 + [True] * 2


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
        fitted(loss=lambda p, t: exp(1e9 + p))
    assert caught.value.__notes__ == ["in epoch 1, batch 1"]


@pytest.mark.parametrize("compiled", [None, False])
def test_an_error_of_the_model_carries_its_epoch_and_batch(compiled):
    model = MLP(2, [1], rng=0)
    options = {"loss": half_squared_error, "optimizer": Adam(model.parameters()), "compiled": compiled}
    with pytest.raises(ValueError, match="2 inputs were expected and 1 came") as caught:
        fit(model, [[1.0], [2.0]], [1.0, 2.0], epochs=1, progress=False, **options)
    assert caught.value.__notes__ == ["in epoch 1, batch 1"]


@pytest.mark.parametrize("compiled", [None, False])
@pytest.mark.parametrize("place", [0, 1, 4])
def test_all_validation_data_are_tried_before_the_first_step(place, compiled):
    model = MLP(2, [3, 1], "tanh", rng=0)
    before = weights(model)

    def refused(error, X_held, y_held, match):
        with pytest.raises(error, match=match) as caught:
            fitted(model=model, validation=(X_held, y_held), compiled=compiled)
        assert weights(model) == before
        return getattr(caught.value, "__notes__", [])

    def with_one(rows, row):
        return [*rows[:place], row, *rows[place + 1 :]]

    note = [f"in example {place} of the validation data"]
    assert refused(ValueError, with_one(X, [1.0]), y, "2 inputs were expected and 1 came") == note
    assert refused(TypeError, with_one(X, [1.0, "a"]), y, "input 2 must be a real number, got str") == note
    assert refused(TypeError, X, with_one(y, None), "must be a real number, got NoneType") == note
    blame = "the loss is nan in the validation data: look for NaN and infinity in the data"
    assert refused(FloatingPointError, with_one(X, [1.0, math.nan]), y, blame) == []


def test_an_error_on_the_validation_data_later_on_says_when():
    seen = []

    def loss(p, t):
        seen.append(None)
        if len(seen) == 2 + 5 + 2 + 5 + 1:  # the trial, epoch 1 with its validation, epoch 2, the next
            raise ValueError("late")
        return half_squared_error(p, t)

    with pytest.raises(ValueError, match="late") as caught:
        fitted(loss=loss, validation=(X[:2], y[:2]))
    assert caught.value.__notes__ == ["in epoch 2, example 0 of the validation data"]
    calls = []

    def infinite(p, t):
        calls.append(None)
        return p * math.inf if len(calls) == 1 + 5 + 1 else half_squared_error(p, t)

    with pytest.raises(
        FloatingPointError, match="inf in epoch 1, the validation data: try a step size below"
    ):
        fitted(loss=infinite, validation=(X[:1], y[:1]))


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


# --- Data of every kind ------------------------------------------------------------------------------


def kinds_of_data():
    frame = pandas.DataFrame(X, columns=["a", "b"])
    return {
        "lists": (X, y),
        "tuples": (tuple(map(tuple, X)), tuple(y)),
        "iterators": (iter(X), iter(y)),
        "arrays": (np.array(X), np.array(y)),
        "float32": (np.array(X), np.array(y, np.float32)),
        "frame and series": (frame, pandas.Series(y, index=[9, 8, 7, 6, 5])),
        "shuffled index": (frame.set_index(pandas.Index([3, 1, 4, 1, 5])), y),
    }


@pytest.mark.parametrize("kind", kinds_of_data())
def test_fit_and_predict_take_what_data_come_in(kind):
    inputs, targets = kinds_of_data()[kind]
    model = MLP(2, [3, 1], "tanh", rng=0)
    fit(model, inputs, targets, loss="mse", optimizer="sgd", epochs=2, progress=False)
    twin = MLP(2, [3, 1], "tanh", rng=0)
    fit(twin, X, y, loss="mse", optimizer="sgd", epochs=2, progress=False)
    assert weights(model) == weights(twin)
    again = kinds_of_data()[kind][0]
    found = model.predict(again)
    assert isinstance(found, np.ndarray) is (hasattr(again, "dtype") or hasattr(again, "columns"))
    assert list(found) == [twin(x).data for x in X]


def test_a_frame_of_one_hot_and_whole_columns():
    frame = pandas.get_dummies(
        pandas.DataFrame({"size": [1, 2, 3, 4], "colour": ["red", "blue", "red", "red"]})
    )
    assert frame["colour_red"].dtype.name == "bool"
    model = MLP(3, [1], rng=0)
    history = fit(
        model, frame, pandas.Series([1, 0, 1, 1]), loss="mse", optimizer="sgd", epochs=2, progress=False,
        validation=(frame[:2], pandas.Series([1, 0])),
    )  # fmt: skip
    twin = MLP(3, [1], rng=0)
    rows = [[1, 0, 1], [2, 1, 0], [3, 0, 1], [4, 0, 1]]
    fit(twin, rows, [1, 0, 1, 1], loss="mse", optimizer="sgd", epochs=2, progress=False)
    assert weights(model) == weights(twin)
    assert len(history.validation_loss) == 2


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (
            pandas.DataFrame({"a": [1.0, 2.0], "kind": ["x", "y"]}),
            [0.0, 1.0],
            "column 'kind' of X of the training data holds 'x', which is not a number: make it one",
        ),
        (
            "words",
            [0.0],
            "X of the training data must hold a row for each example, in a list, .* got str 'words'",
        ),
        ({"a": [1.0]}, [0.0], "got dict"),
        (X, 3.0, r"y of the training data must hold a row .* got float 3\.0"),
        (X, np.float64(3.0), r"got the one number 3\.0"),
    ],
)
def test_data_that_are_not_rows(inputs, targets, message):
    with pytest.raises(TypeError, match=message):
        fit(MLP(2, [1]), inputs, targets, loss="mse", epochs=1, progress=False)


def test_a_column_of_targets_says_how_to_flatten_it():
    with pytest.raises(
        ValueError, match=r"against a list of 1: give targets .* as y\[:, 0\] of an array"
    ) as caught:
        fit(MLP(2, [1]), X, np.array(y).reshape(-1, 1), loss="mse", epochs=1, progress=False)
    assert caught.value.__notes__ == ["in example 0 of the training data"]


# --- Losses and optimizers by name -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("sgd", GradientDescent),
        ("Adam", Adam),
        ("adamw", AdamW),
        ("momentum", Momentum),
    ],
)
@pytest.mark.parametrize("lr", [None, 0.02, StepDecay(0.02, every=2)])
def test_names_stand_for_optimizers_of_the_models_parameters(name, optimizer, lr):
    given = {} if lr is None else {"lr": lr}
    model, twin = MLP(2, [3, 1], "tanh", rng=0), MLP(2, [3, 1], "tanh", rng=0)
    fitted(model=model, optimizer=name, loss="half_squared_error", **given)
    fitted(model=twin, optimizer=optimizer(twin.parameters(), **given))
    assert weights(model) == weights(twin) != weights(MLP(2, [3, 1], "tanh", rng=0))


def test_the_optimizer_is_adam_unless_told_otherwise():
    model, twin = MLP(2, [1], rng=0), MLP(2, [1], rng=0)
    fit(model, X, y, loss="mse", epochs=3, progress=False)
    fit(twin, X, y, loss=mse_loss, optimizer=Adam(twin.parameters()), epochs=3, progress=False)
    assert weights(model) == weights(twin)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"loss": "mean"},
            ValueError,
            "unknown loss 'mean': the names are mse, half_squared_error, cross_entropy",
        ),
        (
            {"loss": None},
            TypeError,
            "loss must be a function of an output and a target, .* got NoneType None",
        ),
        (
            {"optimizer": "rmsprop"},
            ValueError,
            "unknown optimizer 'rmsprop': the names are sgd, momentum, adam, adamw",
        ),
        ({"optimizer": Adam}, TypeError, r"got the class Adam: write Adam\(model.parameters\(\)\)"),
        (
            {"optimizer": 0.1},
            TypeError,
            r"optimizer must be an Optimizer or a name such as 'adam', got float 0\.1",
        ),
        (
            {"optimizer": GradientDescent(MLP(2, [1]).parameters())},
            ValueError,
            "GradientDescent of 3 parameters: .* moves no parameter of MLP.*: make it from model.parameters",
        ),
        ({"optimizer": Adam([Value(1.0)]), "lr": 0.1}, TypeError, "lr belongs to an optimizer given by name"),
        ({"optimizer": "sgd", "lr": -1.0}, ValueError, r"lr must be a positive number, got -1\.0"),
        ({"validation": [X]}, TypeError, r"validation must be a pair \(X, y\), got list"),
        ({"patience": 2}, ValueError, r"patience watches the validation loss: give validation=\(X, y\), too"),
        ({"patience": 0, "validation": (X, y)}, ValueError, "patience must be at least 1, got 0"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence_and_nothing_moves(given, error, message):
    model = MLP(2, [1], rng=0)
    before = weights(model)
    with pytest.raises(error, match=message) as caught:
        fit(model, X, y, **{"loss": "mse", "epochs": 1, "progress": False} | given)
    assert "\n" not in str(caught.value)
    assert weights(model) == before


def test_an_optimizer_by_name_needs_a_model_with_parameters():
    with pytest.raises(TypeError, match=r"optimizer='adam' moves model.parameters\(\), but .* has none"):
        fit(lambda x: x, X, y, loss="mse", epochs=1, progress=False)


# --- Stopping ----------------------------------------------------------------------------------------


def test_a_callback_sees_every_epoch_and_may_stop():
    seen = []

    def callback(epoch, history):
        seen.append((epoch, list(history.loss), list(history.validation_loss), history.steps))
        return epoch == 3

    model, history = fitted(epochs=9, batch_size=2, callback=callback, validation=(X, y))
    assert [epoch for epoch, *_ in seen] == [1, 2, 3]
    assert seen[-1][1:] == (history.loss, history.validation_loss, history.steps)
    assert (len(history.loss), history.steps) == (3, 9)
    assert weights(model) == weights(fitted(epochs=3, batch_size=2)[0])
    assert len(fitted(epochs=4, callback=lambda epoch, history: None)[1].loss) == 4


def test_an_error_in_a_callback_comes_out():
    def callback(epoch, history):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fitted(callback=callback)
    assert gc.isenabled()


def overfitted(patience, epochs=200, **options):
    """A network that learns five points by heart, against points of another rule."""
    held_out = [[0.5, 0.5], [-0.5, 1.0]], [0.6, 0.9]
    model = MLP(2, [8, 1], "tanh", rng=0)
    history = fit(
        model, X, y, loss="mse", lr=0.05, epochs=epochs, progress=False, validation=held_out,
        patience=patience, **options,
    )  # fmt: skip
    return model, history, held_out


def test_patience_stops_and_keeps_the_best_weights():
    model, history, held_out = overfitted(patience=7)
    best = min(history.validation_loss)
    assert history.best_epoch == history.validation_loss.index(best) + 1
    assert len(history.loss) == history.best_epoch + 7 < 200
    assert mse_loss(model.predict(held_out[0]), held_out[1]) == pytest.approx(best, rel=1e-14)
    assert weights(model) == weights(overfitted(None, history.best_epoch)[0])


def test_the_best_weights_are_kept_also_where_nothing_stops_or_a_callback_does():
    _, everything, held_out = overfitted(None, 60)
    best = everything.validation_loss.index(min(everything.validation_loss)) + 1
    assert best < 55
    for options in ({"epochs": 60}, {"epochs": 99, "callback": lambda epoch, history: epoch == 60}):
        model, history, _ = overfitted(1000, **options)
        assert (history.best_epoch, len(history.loss)) == (best, 60)
        assert mse_loss(model.predict(held_out[0]), held_out[1]) == pytest.approx(
            min(everything.validation_loss), rel=1e-14
        )
    assert everything.best_epoch is None


# --- History -----------------------------------------------------------------------------------------


def test_a_history_is_one_line():
    assert repr(History()) == "<History of 0 epochs, 0 steps in 0 s (engine)>"
    history = History([0.5, 0.123456], [0.75, 0.25], steps=6, seconds=0.12345, form="NumPy", best_epoch=1)
    assert repr(history) == (
        "<History of 2 epochs, 6 steps in 0.123 s (NumPy): loss 0.1235, validation 0.25, weights of epoch 1>"
    )
    assert repr(History([0.5], [], 1)) == "<History of 1 epoch, 1 steps in 0 s (engine): loss 0.5>"


def test_a_history_plots_itself():
    ax = History([4.0, 2.0, 1.0], [5.0, 3.0, 2.5]).plot()
    pyplot.close(ax.figure)
    assert [list(line.get_ydata()) for line in ax.lines] == [[4.0, 2.0, 1.0], [5.0, 3.0, 2.5]]
    assert History([1.0]).plot(ax) is ax
