"""Calls: located errors, and results that the eager engine settles."""

import math

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, log, sqrt, where
from autograd_lite.compiler import compile, forms
from autograd_lite.compiler.loops import lowering
from tests.compiler.common import needs_cc
from tests.compiler.models import demo, hinge


def test_leaves_are_read_at_every_call():
    w = Value(2.0, "w")
    program = compile(lambda x: where(w > 3.0, w * x, w + x), 1.0)
    assert program(5.0) == (7.0, 1.0)
    w.data = 4.0
    assert program(5.0) == (20.0, 4.0)
    assert program.leaves == (w,)


def test_backward_fills_grad_as_the_eager_engine_does():
    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    loss = hinge(model)(X[0].tolist(), y[0])
    loss.backward()
    want = [p.grad for p in model.parameters()]
    model.zero_grad()
    assert program.backward(X[0].tolist(), y[0]) == pytest.approx(loss.data, rel=1e-14)
    assert [p.grad for p in model.parameters()] == pytest.approx(want, rel=1e-13, abs=1e-15)
    program.backward(X[0].tolist(), y[0], seed=2.0)
    assert [p.grad for p in model.parameters()] == pytest.approx(
        [3.0 * g for g in want], rel=1e-13, abs=1e-15
    )


@pytest.mark.parametrize(
    ("x", "error", "said"),
    [
        (0.0, ZeroDivisionError, "div"),
        (-1.0, ValueError, "log(x=-1.0"),
        ("a", TypeError, "x must be a real number"),
        ([1.0], TypeError, "x must be a real number"),
        (Value(1.0), TypeError, "data"),
    ],
)
def test_errors_are_located(x, error, said):
    program = compile(lambda x: log(x) + 1.0 / x, 1.0)
    with pytest.raises(error) as raised:
        program(x)
    assert said in str(raised.value)


def test_gradients_by_leaves_are_settled_by_the_eager_engine_too():
    w, v = Value(0.0), Value(2.0)
    program = compile(lambda x: sqrt(w) * x + v, 1.0)
    assert program.backward(3.0) == 2.0
    assert (w.grad, v.grad) == (math.inf, 1.0)


@pytest.mark.parametrize(("x", "value", "gradient"), [(2.0, 8.0, 12.0), (-2.0, 0.0, 0.0), (9.0, 27.0, 3.0)])
def test_a_large_program_with_choices_follows_them(monkeypatch, x, value, gradient):
    monkeypatch.setattr(forms, "STRAIGHT_LINE", 1)
    w = Value(1.0)
    program = compile(lambda x: w * where(x > 0.0, lambda: where(x < 5.0, x**3, 3.0 * x), 0.0), 1.0)
    assert program.form == "tape"
    assert program(x) == (value, gradient)
    assert program.backward(x) == value
    assert w.grad == value
    monkeypatch.setattr(lowering, "MOST_GROUPS", 0)  # then samples, too, are run one by one
    means, gradients = program.batch([x, x], wrt="leaves")
    assert (float(means), *map(float, gradients)) == (value, value)


def test_what_overflows_in_the_source_alone_is_settled_by_the_eager_engine():
    assert compile(ag.sigmoid, 0.0)(-1000.0) == (0.0, 0.0)
    assert compile(sqrt, 1.0)(0.0) == (0.0, math.inf)


def test_a_result_that_is_not_finite_is_located():
    program = compile(lambda x, low, high: ag.clip(x, low, high) * x, 1.0, 0.0, 2.0)
    assert program(1.0, 0.0, 2.0)[0] == 1.0
    with pytest.raises(ValueError, match="lower bound"):
        program(1.0, 3.0, 2.0)
    assert (
        compile(lambda x: x * x, 1.0)(1e200)[0] == math.inf
    )  # as the eager engine has it, which raises nothing


def test_a_wrong_number_of_arguments():
    program = compile(lambda x, y: x * y, 1.0, 1.0)
    with pytest.raises(TypeError, match="2 arguments"):
        program(1.0)
    with pytest.raises(ValueError, match="2 parts"):
        compile(lambda x: x[0] * x[1], [1.0, 2.0])([1.0])


def test_the_eager_engine_settles_programs_with_conditions():
    def f(x):
        return where((x > 0.0) | ~(x < -1.0), lambda: ag.sigmoid(-1000.0 * x), lambda: 1.0 / (x + 2.0))

    program = compile(f, 1.0)
    assert program(1.0) == (0.0, 0.0)
    assert program(-4.0) == (-0.5, -0.25)
    with pytest.raises(ZeroDivisionError, match="div"):
        program(-2.0)


def test_a_plain_function_has_the_name_of_the_program():
    program = compile(lambda x: x * x, 1.0, name="area")
    assert [program.function(form).__name__ for form in (math, np)] == ["area", "area"]


# --- Machine code at one point


@needs_cc
@pytest.mark.parametrize("real", ["float64", "float32"])
def test_calls_of_a_large_program_run_as_machine_code(real, monkeypatch):
    monkeypatch.setattr("autograd_lite.compiler.forms.MANY", 1)
    rel = 1e-12 if real == "float64" else 1e-5
    w = [Value(0.1 * k - 0.2) for k in range(4)]

    def f(x, y):
        return ag.sum([ag.tanh(wk * xk[0] + y["b"]) * xk[1] for wk, xk in zip(w, x, strict=True)])

    x, y = np.linspace(-1.0, 1.0, 8).reshape(4, 2), {"b": 0.5}
    source, program = compile(f, x, y), compile(f, x, y).native(real)

    def no_text(*given):
        raise AssertionError("the source runs")

    want = source.backward(x, y)
    gradients = [wk.grad for wk in w]
    for given in (x, x.tolist(), np.asfortranarray(x), x[::-1][::-1], x.astype(object)):
        for wk in w:
            wk.grad = None
        program.leaf_function = no_text
        assert program.backward(given, y) == pytest.approx(want, rel=rel)
        assert [wk.grad for wk in w] == pytest.approx(gradients, rel=rel)
    for bad, error in (
        (x[:3], ValueError),
        (x.T, ValueError),
        (x > 0.0, TypeError),
        (x.astype(complex), TypeError),
        ([["a", 1.0]] * 4, TypeError),
        (3.0, TypeError),
    ):
        with pytest.raises(error):
            program.backward(bad, y)
        with pytest.raises(error):
            source.backward(bad, y)
    with pytest.raises(TypeError, match="2 arguments, got 1"):
        program.backward(x)
    value, (by_x, by_y) = source(x, y)
    assert program(x, y)[0] == value  # the source: there is no machine code for these gradients yet
    program.batch(x[None], {"b": np.array([0.5])}, reduce=None, wrt="arguments")
    program._by_arguments = no_text
    got, (mine_x, mine_y) = program(x, y)
    assert got == pytest.approx(value, rel=rel)
    assert isinstance(mine_x, np.ndarray)
    assert mine_x == pytest.approx(by_x, rel=rel, abs=1e-30)
    assert mine_y == pytest.approx(by_y, rel=rel)


@needs_cc
def test_machine_code_leaves_the_last_word_to_the_engine(monkeypatch):
    monkeypatch.setattr("autograd_lite.compiler.forms.MANY", 1)
    w = Value(2.0)
    program = compile(lambda x: ag.log(x) * w, 1.0).native()
    with pytest.raises(ValueError, match=r"^log\(x=-1\.0\)"):
        program.backward(-1.0)
    assert w.grad == 0.0
    root = compile(lambda x: ag.sqrt(x) * 2.0, 1.0).native()
    assert root(4.0) == (4.0, 0.5)
    assert root(0.0) == compile(lambda x: ag.sqrt(x) * 2.0, 1.0)(0.0)  # the gradient is not finite
    several = compile(lambda x: [x * x, x + 1.0], 1.0).native()
    assert several(3.0) == [9.0, 4.0]
    labelled = compile(lambda x, label: ag.cross_entropy([w * x, x], label), 1.0, 0.0).native()
    w.grad = None
    labelled.backward(1.0, 1)
    with pytest.raises((ValueError, IndexError)):
        labelled.backward(1.0, 2)
    recorded = compile(w * w * 3.0).native("float32")
    assert recorded.form == "machine code"
    assert recorded() == (12.0, [12.0])
    w.data = 1e200
    with pytest.raises(OverflowError):
        compile((Value(1.0) * w) ** 2).native("float32")()
    kernel = labelled.kernel("leaf")
    for given in (([[1.0]], [2.0]), ([[1.0], [1.0, 2.0]], [2.0]), ([[1.0], [0.0]], [])):
        with pytest.raises(ValueError, match="the program takes"):
            kernel.one(*given)


@needs_cc
def test_a_small_program_is_called_by_its_source():
    w = Value(2.0)
    assert compile(w * w * 3.0).native().form == "source"
    assert compile(lambda x: w * x, 1.0).native()._caller("leaf") is None
