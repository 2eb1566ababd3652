"""The loss as a program: each of its forms against the engine, and what cannot be one."""

import random
import sys

import pytest

from autograd_lite import TraceError, log, mean, square
from autograd_lite.nn import MLP
from autograd_lite.train.compiled import CompiledLoss


def demo():
    choose = random.Random(0)
    X = [[choose.uniform(-1.0, 1.0) for _ in range(2)] for _ in range(12)]
    return MLP(2, [4, 1], rng=0), X, [1.0 if a > b else -1.0 for a, b in X]


def squared(z, t):
    return 0.5 * square(z - t)


@pytest.mark.parametrize("form", ["Python", "NumPy", "machine code"])
def test_each_form_gives_the_mean_and_its_gradient(form, monkeypatch, tmp_path):
    if form == "Python":
        monkeypatch.setitem(sys.modules, "numpy", None)
    if form == "machine code":
        monkeypatch.setattr("autograd_lite.train.compiled.WORTH_COMPILING", 0.0)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model, X, y = demo()
    compiled = CompiledLoss(model, squared, X, y, steps=1)
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
        CompiledLoss(lambda x: model(x) * random.random(), squared, X, y, steps=1)
    with pytest.raises(TraceError, match="depends on the model"):
        CompiledLoss(lambda x: x[0], squared, X, y, steps=1)


def test_an_error_names_its_sample():
    model, X, y = demo()
    compiled = CompiledLoss(model, lambda z, t: log(z - 1e9), X, y, steps=1)
    with pytest.raises(ValueError, match="sample 0: log"):
        compiled()
