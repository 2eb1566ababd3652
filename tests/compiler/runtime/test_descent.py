"""Steps of gradient descent, in NumPy and in machine code."""

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, relu
from autograd_lite.compiler import compile
from tests.compiler.common import needs_cc
from tests.compiler.models import demo


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_descend_is_gradient_descent(machine):
    model, X, y = demo()
    parameters = model.parameters()
    program = compile(
        lambda x, y: relu(1.0 - y * model(x)) + 1e-4 * ag.sum([p * p for p in parameters]), [0.0, 0.0], 0.0
    )
    start = [p.data for p in program.leaves]
    want = []
    for k in range(20):
        for p in program.leaves:
            p.grad = None
        want.append(program.batch(X, y, backward=True))
        for p in program.leaves:
            p.data = p.data - (0.5 - 0.02 * k) * p.grad
    moved = [p.data for p in program.leaves]
    for p, number in zip(program.leaves, start, strict=True):
        p.data = number
    if machine:
        program.native()
    values = program.descend(X, y, lr=lambda k: 0.5 - 0.02 * k, steps=20)
    assert values == pytest.approx(want, rel=1e-10)
    assert [p.data for p in program.leaves] == pytest.approx(moved, rel=1e-9, abs=1e-12)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_descend_stops_where_numbers_end(machine):
    w = Value(1.0)
    program = compile(lambda x: ag.log(w) * x, 1.0)
    if machine:
        program.native()
    with pytest.raises(ValueError, match="sample 0: log"):
        program.descend(np.ones(3), lr=2.0, steps=5)
    assert w.data == pytest.approx(-1.0, rel=1e-15)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
@pytest.mark.parametrize(("lr", "error"), [(None, TypeError), ("1", TypeError), (np.nan, ValueError)])
def test_a_step_size_that_is_none_moves_nothing(machine, lr, error):
    w = Value(1.0)
    program = compile(lambda x: w * w * x, 1.0)
    if machine:
        program.native()
    for given in (lr, lambda k: lr):
        for steps in (1, 3):
            with pytest.raises(error, match="lr must be"):
                program.descend(np.ones(3), lr=given, steps=steps)
    with pytest.raises(TypeError):
        program.descend(np.ones(3), steps=1.5)
    with pytest.raises(error, match="lr must be"):
        program.descent(np.ones(3), lr=lr)  # before a block is opened
    step = program.descent(np.ones(3))
    with pytest.raises(RuntimeError, match=r"with program\.descent"):
        step()
    assert w.data == 1.0


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_descent_keeps_the_parameters_to_itself_until_its_end(machine):
    model, X, y = demo()
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    start = [p.data for p in program.leaves]
    want = program.descend(X, y, lr=lambda k: 0.1 / (k + 1), steps=5)
    moved = [p.data for p in program.leaves]
    for p, number in zip(program.leaves, start, strict=True):
        p.data = number
    if machine:
        program.native()
    with program.descent(X, y.tolist(), lr=lambda k: 0.1 / (k + 1)) as step:
        values = [step(), *step.run(3), step()]
        assert [p.data for p in program.leaves] == start
    assert values == pytest.approx(want, rel=1e-12)
    assert [p.data for p in program.leaves] == pytest.approx(moved, rel=1e-12, abs=1e-14)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_a_recorded_loss_descends(machine):
    a, b = Value(3.0), Value(-2.0)
    loss = (a - 1.0) ** 2 + 2.0 * (b - 4.0) ** 2
    program = compile(loss)
    if machine:
        program.native()
    values = program.descend(lr=0.1, steps=200)
    assert values[:2] == pytest.approx([76.0, 0.64 * 4.0 + 72.0 * 0.36], rel=1e-12)
    assert (a.data, b.data) == pytest.approx((1.0, 4.0), rel=1e-12)
    with pytest.raises(TypeError, match="no leaves"):
        compile(lambda x: x * x, 1.0).descend([1.0])
    logarithm = compile(ag.log(a))
    if machine:
        logarithm.native()
    a.data = -1.0
    with pytest.raises(ValueError, match="log"):
        logarithm.descend(lr=0.1)
