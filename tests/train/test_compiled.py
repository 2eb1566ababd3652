"""The loss as a program: each of its forms against the engine, and what cannot be one."""

import copy
import gc
import math
import random
import sys
import weakref

import pytest

from autograd_lite import TraceError, Value, compile, log, mean, square
from autograd_lite.compiler.program import Program
from autograd_lite.nn import MLP, Layer, Module
from autograd_lite.nn.losses import cross_entropy, mse_loss
from autograd_lite.train import fit
from autograd_lite.train.compiled import CompiledLoss, Work, program_of
from tests.optional import needs_numpy


def demo():
    choose = random.Random(0)
    X = [[choose.uniform(-1.0, 1.0) for _ in range(2)] for _ in range(12)]
    return MLP(2, [4, 1], rng=0), X, [1.0 if a > b else -1.0 for a, b in X]


def squared(z, t):
    return 0.5 * square(z - t)


@pytest.mark.parametrize(
    "form", ["Python", *(pytest.param(form, marks=needs_numpy) for form in ("NumPy", "machine code"))]
)
def test_each_form_gives_the_mean_and_its_gradient(form, monkeypatch, tmp_path):
    if form == "Python":
        monkeypatch.setitem(sys.modules, "numpy", None)
    if form == "machine code":
        monkeypatch.setattr("autograd_lite.train.compiled.BUILD", -math.inf)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model, X, y = demo()
    compiled = CompiledLoss(model, squared, X, y, Work(1, 12))
    assert compiled.form == form
    for chosen in (None, [3, 1, 4]):
        numbers = range(12) if chosen is None else chosen
        model.zero_grad()
        total = mean([squared(model(X[i]), y[i]) for i in numbers])
        total.backward()
        want = [p.grad for p in model.parameters()]
        model.zero_grad()
        assert compiled(chosen) == pytest.approx(total.data, rel=1e-14)
        assert [p.grad for p in model.parameters()] == pytest.approx(want, rel=1e-12, abs=1e-15)


def test_a_loss_is_refused_where_only_the_eager_engine_can_run():
    model, X, y = demo()
    with pytest.raises(TraceError, match="not the same each time"):
        CompiledLoss(lambda x: model(x) * random.random(), squared, X, y, Work(1, 12))
    with pytest.raises(TraceError, match="depends on the model"):
        CompiledLoss(lambda x: x[0], squared, X, y, Work(1, 12))


def test_an_error_names_its_sample():
    model, X, y = demo()
    compiled = CompiledLoss(model, lambda z, t: log(z - 1e9), X, y, Work(1, 12))
    with pytest.raises(ValueError, match="sample 0: log"):
        compiled()


@pytest.mark.parametrize(
    ("model", "work", "is_worth_it"),
    [
        (MLP(2, [16, 16, 1]), Work(5_000, 5_000 * 100), False),
        (MLP(2, [16, 16, 1]), Work(20_000, 20_000 * 100), True),
        (MLP(2, [16, 16, 1]), Work(1_000, 1_000 * 10_000), True),
        (MLP(2, [16, 16, 1], "tanh"), Work(1_000, 1_000 * 10_000), False),  # NumPy computes tanh faster
        (MLP(2, [16, 16, 1], "tanh"), Work(10**6, 10**6 * 100), False),
        (MLP(10, [8, 3], "tanh"), Work(680, 680 * 16), False),
        (MLP(10, [8, 3], "tanh"), Work(50_000, 50_000 * 16), True),  # calls of NumPy cost more than the work
    ],
)
def test_machine_code_is_built_where_it_pays(model, work, is_worth_it):
    classes = len(model.layers[-1].neurons) > 1
    x, loss = [0.5] * len(model.layers[0].neurons[0].w), cross_entropy if classes else mse_loss
    program = program_of(model, loss, x, 1)
    assert work.is_worth_compiling(program) is is_worth_it


# --- A program is made once --------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch):
    """How many functions were traced and how many kernels were built, so far."""
    counts = {"traces": 0, "kernels": 0}

    def traced(*arguments, **options):
        counts["traces"] += 1
        return compile(*arguments, **options)

    def built(program, kind):
        counts["kernels"] += 1
        return kernel(program, kind)

    kernel = Program._kernel
    monkeypatch.setattr("autograd_lite.train.compiled.compile", traced)
    monkeypatch.setattr(Program, "_kernel", built)
    return counts


def again(model, X, y, loss="mse", **options):
    return fit(model, X, y, loss=loss, optimizer="sgd", epochs=1, progress=False, **options)


def test_fit_compiles_once_however_often_it_is_called(made):
    model, X, y = demo()
    losses = [again(model, X, y).loss[0] for _ in range(3)]
    assert made == {"traces": 2, "kernels": 1}  # two, to see that they are the same
    assert losses == sorted(losses, reverse=True)
    assert losses[0] != losses[1]
    again(model, X[:5], y[:5], batch_size=2)  # fewer examples of the same shape
    assert made == {"traces": 2, "kernels": 1}
    again(demo()[0], X, y)
    assert made == {"traces": 4, "kernels": 2}


CHANGES = {
    "loss": lambda model: None,
    "weight": lambda model: model.layers[0].neurons[0].w.__setitem__(0, Value(0.7)),
    "equal weight": lambda model: (
        model.layers[0].neurons[0].w.__setitem__(0, Value(model.layers[0].neurons[0].w[0].data))
    ),
    "activation": lambda model: model.layers.__setitem__(0, Layer(2, 4, "relu", rng=0)),
    "layer": lambda model: model.layers.insert(1, Layer(4, 4, rng=0)),
    "bias": lambda model: setattr(model.layers[1].neurons[0], "b", None),
}


@needs_numpy
@pytest.mark.parametrize("change", CHANGES)
def test_fit_compiles_again_where_the_model_is_another(change, made):
    model, X, y = demo()
    again(model, X, y)
    CHANGES[change](model)
    loss = "half_squared_error" if change == "loss" else "mse"
    before = copy.deepcopy(model)
    found, expected = again(model, X, y, loss), again(before, X, y, loss, compiled=False)
    assert (found.form, expected.form) == ("NumPy", "engine")
    assert made == {"traces": 4, "kernels": 2}
    weights = [[p.data for p in each.parameters()] for each in (model, before)]
    assert weights[0] == pytest.approx(weights[1], rel=1e-13, abs=1e-15)


@needs_numpy
def test_a_model_of_ones_own_is_traced_to_see_whether_it_changed(made):
    class Line(Module):
        power = 1

        def __init__(self):
            self.w = Value(0.5)

        def __call__(self, x):
            return self.w * x[0] ** self.power

    model, X, y = Line(), [[1.0], [2.0]], [1.0, 2.0]
    again(model, X, y, squared, compiled=True)
    assert made == {"traces": 2, "kernels": 1}
    again(model, X, y, squared, compiled=True)
    assert made == {"traces": 3, "kernels": 1}
    model.power = 2
    twin = copy.deepcopy(model)
    assert again(model, X, y, squared, compiled=True).form == "NumPy"
    again(twin, X, y, squared, compiled=False)
    assert made == {"traces": 5, "kernels": 2}
    assert model.w.data == pytest.approx(twin.w.data, rel=1e-14)


def test_a_program_does_not_keep_its_model_alive():
    model, X, y = demo()
    again(model, X, y)
    dead = weakref.ref(model)
    del model
    gc.collect()
    assert dead() is None
