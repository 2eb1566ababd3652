"""What makes a step: which models a program runs, and which the engine."""

import math
import sys

import pytest

from autograd_lite import Value
from autograd_lite.nn import MLP, Layer, Module, Neuron
from autograd_lite.nn.losses import cross_entropy, half_squared_error
from autograd_lite.train import SGD, Adam, AdamW, CosineDecay, GradientDescent, Momentum, steps
from autograd_lite.train.compiled import Work, structure
from autograd_lite.train.steps import (
    DescentSteps,
    EngineGradient,
    Examples,
    ProgramGradient,
    Steps,
    batch_gradient,
    steps_of,
)
from tests.compiler.common import needs_cc
from tests.optional import needs_numpy
from tests.train.test_fit import fitted


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


class OwnNeuron(Neuron):
    pass


def with_own_neuron():
    model = MLP(2, [3, 1])
    model.layers[0].neurons[1] = OwnNeuron(2)
    return model


@pytest.mark.parametrize(
    ("model", "repeats"),
    [
        (MLP(2, [3, 1]), True),
        (Layer(2, 3, "tanh"), True),
        (Neuron(2), True),
        (MLP(2, [3, 1], lambda z: z * z), False),
        (MLP(2, [3, 1], output=lambda z: z * z), False),
        (with_own_neuron(), False),
        (OwnNeuron(2), False),
        (Frozen(), False),
        (lambda x: x, False),
    ],
)
def test_a_model_repeats_itself_if_it_is_made_of_neurons_and_rows_alone(model, repeats):
    assert (structure(model, cross_entropy) is not None) is repeats
    assert structure(model, lambda p, t: p) is None


def test_examples_are_chosen_by_number():
    examples = Examples.of([[1.0], [2.0], [3.0]], iter([0, 1, 0]), "the data")
    assert examples.chosen([2, 0]) == ([[3.0], [1.0]], [0, 0], "the data")


def test_a_program_that_disagrees_with_the_engine_is_not_used():
    class Line(Module):
        def __init__(self, traced):
            self.w, self.traced = Value(0.5, "w"), traced

        def __call__(self, x):
            return [self.w * x[0] * (1.0 if type(x[0]) in (float, Value) else self.traced)]

    examples = Examples([[1.0], [2.0]], [[1.0], [0.5]], "training")
    for traced, kind in ((1.0, ProgramGradient), (2.0, EngineGradient)):
        model = Line(traced)
        optimizer = GradientDescent(model.parameters(), lr=0.1)
        found = batch_gradient(model, half_squared_error, optimizer, examples, None, Work(10, 20), True)
        assert type(found) is kind


# --- Steps in arrays -------------------------------------------------------------------------------

MAKERS = {
    "sgd": lambda p: SGD(p, CosineDecay(0.1, 20), weight_decay=0.01),
    "momentum": lambda p: Momentum(p, 0.05),
    "adam": lambda p: Adam(p, 0.02, weight_decay=0.1),
    "adamw": lambda p: AdamW(p, 0.02),
}


def trained(name, callback=None, **options):
    """What `fit` leaves behind: losses, parameters, gradients, and the state of the optimizer."""
    model = MLP(2, [3, 1], "tanh", rng=0)
    optimizer = MAKERS[name](model.parameters())
    error = history = None
    try:
        given = callback and callback(model, optimizer)
        _, history = fitted(model=model, optimizer=optimizer, epochs=7, callback=given, **options)
    except ArithmeticError as caught:
        error = str(caught)
    return {
        "losses": history and (history.loss, history.validation_loss, history.steps),
        "error": error,
        "parameters": [(p.data, p.grad, p.reached) for p in model.parameters()],
        "optimizer": (optimizer.memory, optimizer.steps, optimizer.lr),
    }


def plainly(monkeypatch, name, **options):
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["autograd_lite.train.fit"], "steps_of", Steps)
        return trained(name, **options)


def shrinking(model, optimizer):
    """A callback that looks at the parameters, and changes them and the step size, then the momentum."""
    seen = []

    def callback(epoch, history):
        seen.append([p.data for p in model.parameters()])
        model.parameters()[0].data *= 1.0 + 0.01 * seen[-1][1]
        optimizer.lr *= 0.5
        if epoch == 3 and hasattr(optimizer, "momentum"):
            optimizer.momentum = 0.5
        return epoch == 5

    return callback


def exploding(model, optimizer):
    def callback(epoch, history):
        if epoch == 3:
            optimizer.schedule, optimizer.lr = None, 1e308

    return callback


def raising(model, optimizer):
    def callback(epoch, history):
        model.parameters()[0].data = 5.0
        if epoch == 2:
            raise OverflowError("enough")

    return callback


OPTIONS = {
    "batches": {},
    "all": {"batch_size": None},
    "validation": {"validation": ([[0.5, 0.5], [1.0, 1.0]], [0.0, 1.0]), "patience": 2},
    "callback": {"callback": shrinking},
    "explosion": {"callback": exploding},
    "error": {"callback": raising},
}


@needs_cc
@pytest.mark.parametrize("form", ["Python", "NumPy", "machine code"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", MAKERS)
def test_steps_in_arrays_are_those_of_the_optimizer(name, options, form, monkeypatch):
    if form == "Python":
        monkeypatch.setitem(sys.modules, "numpy", None)
    if form == "machine code":
        monkeypatch.setattr("autograd_lite.train.compiled.BUILD", 0.0)
    kinds, start = [], DescentSteps.__enter__

    def entered(taking):
        kinds.append(taking.descent._native is not None)
        return start(taking)

    monkeypatch.setattr(DescentSteps, "__enter__", entered)
    want = plainly(monkeypatch, name, **options)
    assert not kinds
    assert repr(trained(name, **options)) == repr(want)  # to the last bit, NaN included
    assert kinds == ([] if form == "Python" else [form == "machine code"])
    assert (want["error"] is not None) is (options.get("callback") in (exploding, raising))


def test_a_refused_step_names_its_batch():
    model = MLP(1, [1], rng=0)
    X, y = [[1.0], [1.0], [1e200], [1.0]], [0.0] * 4
    for most in (1, 64):
        optimizer = GradientDescent(model.parameters(), lr=1e-9)
        examples = Examples(X, y, "training")
        gradient = batch_gradient(model, half_squared_error, optimizer, examples, None, Work(4, 4), None)
        taking = steps_of(gradient, optimizer)
        taking.most, done = most, []
        with taking, pytest.raises(ArithmeticError) as caught:
            taking.epoch([[0], [3], [2], [1]], 5, done.append)
        assert "epoch 5, batch 3" in f"{caught.value} {getattr(caught.value, '__notes__', '')}"
        assert sum(done) == optimizer.steps == 2
        assert all(math.isfinite(p.data) for p in model.parameters())


@needs_numpy
def test_few_steps_at_a_time_where_they_take_long(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(steps.time, "perf_counter", lambda: next(clock))
    model = MLP(1, [1], rng=0)
    optimizer = GradientDescent(model.parameters(), lr=1e-9)
    examples = Examples([[1.0], [2.0]], [0.0, 1.0], "training")
    gradient = batch_gradient(model, half_squared_error, optimizer, examples, None, Work(4, 4), None)
    done = []
    with steps_of(gradient, optimizer) as taking:
        taking.most = 3
        taking.epoch([[0], [1], [0], [1], [0]], 1, done.append)
    assert done == [3, 1, 1]


@needs_numpy
def test_steps_in_arrays_are_for_optimizers_of_ours_that_move_all_leaves():
    class Mine(GradientDescent):
        pass

    model = MLP(1, [1], rng=0)
    examples = Examples([[1.0], [2.0]], [0.0, 1.0], "training")
    for optimizer, kind in (
        (GradientDescent(model.parameters()), DescentSteps),
        (Mine(model.parameters()), Steps),
        (GradientDescent(model.parameters()[:1]), Steps),
        (GradientDescent([*model.parameters(), Value(1.0)]), DescentSteps),
    ):
        gradient = batch_gradient(model, half_squared_error, optimizer, examples, None, Work(4, 4), None)
        assert type(steps_of(gradient, optimizer)) is kind
