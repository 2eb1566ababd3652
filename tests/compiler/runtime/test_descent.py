"""Steps of gradient descent, in NumPy and in machine code."""

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Adam, AdamW, CosineDecay, Momentum, Optimizer, Value, WarmUp, relu
from autograd_lite.compiler import compile
from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.compiler.runtime import descent
from autograd_lite.compiler.runtime.descent import Descent
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


# --- Optimizers: bit by bit what `batch(..., backward=True)` and `step()` do

MAKERS = {
    "sgd": lambda p: ag.SGD(p, 0.05),
    "decay": lambda p: ag.SGD(p, 0.05, weight_decay=0.1),
    "momentum": lambda p: Momentum(p, CosineDecay(0.05, 9), weight_decay=0.01),
    "adam": lambda p: Adam(p, 0.01),
    "adamw": lambda p: AdamW(p, WarmUp(0.01, 3), betas=(0.8, 0.9)),
}


def small(machine):
    model, X, y = demo(sizes=(5, 1))
    frozen = Value(0.25)
    program = compile(lambda x, y: relu(1.0 - y * model(x)) * frozen, [0.0, 0.0], 0.0)
    return model.parameters(), frozen, program.native() if machine else program, X, y


def state(parameters, optimizer):
    return (
        [p.data for p in parameters],
        [p.grad for p in parameters],
        [p.reached for p in parameters],
        optimizer.memory,
        optimizer.steps,
        optimizer.lr,
    )


def by_hand_over(program, optimizer, X, y, batches):
    values = []
    for batch in batches:
        optimizer.zero_grad()
        rows = slice(None) if batch is None else np.array(batch)
        values.append(program.batch(X[rows], y[rows], backward=True))
        optimizer.step()
    return values


BATCHES = [None, [3], [-1], [4, 5, 6], [9, 2, 50], None, [0, 99], [*range(30)], [7, 7]]


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_an_optimizer_takes_the_steps_that_it_takes_in_python(name, machine):
    parameters, frozen, program, X, y = small(machine)
    start = [p.data for p in parameters]
    optimizer = MAKERS[name](parameters)
    want = by_hand_over(program, optimizer, X, y, BATCHES)
    after = state(parameters, optimizer)
    for p, number in zip(parameters, start, strict=True):
        p.data, p.grad = number, None
    optimizer = MAKERS[name](parameters)
    with program.descent(X, y, optimizer=optimizer) as step:
        got = [step(), *step.over(BATCHES[1:5]), step(), *step.over(BATCHES[6:])]
        assert [p.data for p in parameters] == start
        step.read_back()
        assert [p.data for p in parameters] == after[0]
    assert got == want  # every operation is rounded alike: powers are those of the C library in all forms
    assert state(parameters, optimizer) == after
    assert frozen.data == 0.25
    more = program.descend(X, y, optimizer=optimizer, steps=2)  # the memory goes on
    for p, number in zip(parameters, start, strict=True):
        p.data, p.grad = number, None
    optimizer = MAKERS[name](parameters)
    assert by_hand_over(program, optimizer, X, y, [*BATCHES, None, None])[-2:] == more


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_programs_share_parameters_and_memory(name, machine):
    """The parameters of each program move; others keep their memory, so their counts of steps differ."""
    w = [Value(0.1 * k - 0.3) for k in range(9)]
    unused = Value(7.0)
    programs = [
        compile(lambda x: (w[5] * x + w[0] - w[2]) ** 2, 0.0),
        compile(lambda x: ag.square(ag.dot(w[1:5], x) + w[8]), [0.0] * 4),
        compile(lambda x: ag.sum([wk * wk * x for wk in w]), 0.0),
    ]
    for program in programs if machine else []:
        program.native()
    batches = [np.array([0.5, -1.5]), np.arange(12.0).reshape(3, 4) / 10.0, np.array([0.3])]
    samples = [(0, 1), (1, 2), (2, 0), (0, 0), (1, 0), (1, 1)]
    order = [2, 0, 1, 4, 4, 5, 3, 2, 0]
    start, moved = [p.data for p in w], [*w[:4], unused, *w[5:]]  # not w[4]
    optimizer, want = MAKERS[name](moved), []
    for i in order:
        part, row = samples[i]
        optimizer.zero_grad()
        want.append(programs[part].batch(batches[part][row : row + 1], backward=True))
        optimizer.step()
    after = state(moved, optimizer)
    for p, number in zip(w, start, strict=True):
        p.data, p.grad = number, None
    optimizer = MAKERS[name](moved)
    given = [(program, (batch,)) for program, batch in zip(programs, batches, strict=True)]
    with Descent(given, optimizer, samples) as step:
        assert step.over([[i] for i in order[:5]]) + step.over([[i] for i in order[5:]]) == want
        with pytest.raises(ValueError, match="samples of several programs"):
            step.over([[0, 1]])
        with pytest.raises(ValueError, match="several programs"):
            step()
        with pytest.raises(IndexError, match="6 samples"):
            step.over([[6]])
        with pytest.raises(ValueError, match="no samples"):
            step.over([[]])
    assert state(moved, optimizer) == after
    assert w[4].data == start[4]


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_a_step_that_is_not_finite_raises_as_the_optimizer_does(machine):
    w, other = Value(1e3), Value(1.0)
    program = compile(lambda x: w * w * x + other, 1.0)
    if machine:
        program.native()
    x = np.array([1.0, 1e200, 1e306])
    optimizer = ag.Momentum([other, w], lr=1e110)
    with (
        program.descent(x, optimizer=optimizer) as step,
        pytest.raises(FloatingPointError, match=r"parameter 1 .* below 1e\+110"),
    ):
        step.over([[1], [0]])
    assert (w.data, other.data) == (1e3, 1.0)
    assert optimizer.memory == [(0.0,), (0.0,)]
    assert optimizer.steps == 0
    optimizer.lr = 1e-200
    with program.descent(x, optimizer=optimizer) as step:
        assert len(step.attempt([[0], [1], [2], [2], [0]])) == 2  # the mean is 1e312
        before = step.w.copy()
        with pytest.raises(FloatingPointError, match="value or its gradient"):
            step.over([[2]])
        assert step.w.tolist() == before.tolist()
    assert optimizer.steps == 2


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_a_schedule_that_fails_leaves_the_steps_before(machine):
    w = Value(1.0)
    program = compile(lambda x: w * w * x, 1.0)
    if machine:
        program.native()
    optimizer = ag.SGD([w], lr=lambda k: [0.1, 0.1, 0.1][k])
    with program.descent(np.ones(2), optimizer=optimizer) as step:
        assert len(step.attempt([None] * 2)) == 2
        assert len(step.attempt([None] * 2)) == 1
        with pytest.raises(IndexError):
            step.run(5)
    assert optimizer.steps == 3
    assert w.data == pytest.approx(0.8**3, rel=1e-15)
    with pytest.raises(TypeError, match="lr belongs"):
        program.descent(np.ones(2), lr=0.2, optimizer=optimizer)
    with pytest.raises(ValueError, match="no parameter of the optimizer"):
        program.descent(np.ones(2), optimizer=ag.SGD([Value(1.0)]))
    assert program.descend(np.ones(2), steps=-1) == []
    with program.descent(np.ones(2)) as step, pytest.raises(ValueError, match="1 numbers"):
        step.w = [1.0, 2.0]


class Rprop(Optimizer):
    """A rule of a user's: the sign of the gradient, by a choice, and roots."""

    remembers = ("t", "s")

    def update(self, x, g, *memory):
        t, s = memory
        return x - self.lr * ag.where(g > 0.0, self.sqrt(s + 1.0), -1.0) / (t + 1.0), t + 1.0, s + g * g


class Branching(Rprop):
    def update(self, x, g, *memory):
        return (x - self.lr if g > 0.0 else x + self.lr), *memory


class TooMany(Rprop):
    def update(self, x, g, *memory):
        return x, g, *memory


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_a_rule_of_a_users_own(machine, monkeypatch):
    MAKERS["rprop"] = lambda p: Rprop(p, 0.01)
    try:
        test_an_optimizer_takes_the_steps_that_it_takes_in_python("rprop", machine)
        test_programs_share_parameters_and_memory("rprop", machine)
    finally:
        del MAKERS["rprop"]
    w = Value(1.0)
    program = compile(lambda x: w * w * x, 1.0)
    with pytest.raises(TraceError):
        program.descent(np.ones(2), optimizer=Branching([w], 0.1))
    with pytest.raises(ValueError, match="must return x and its memory, 3 numbers, got 4"):
        program.descent(np.ones(2), optimizer=TooMany([w], 0.1))
    if machine:  # a compiler that fails on the rule: NumPy takes the steps

        def fails(text):
            raise RuntimeError("no")

        monkeypatch.setattr(descent, "_library", fails)
        assert program.native().descend(np.ones(2), optimizer=Adam([w], 0.1)) == [1.0]
        assert w.data == pytest.approx(0.9, rel=1e-7)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_an_optimizer_that_knows_what_to_do_with_a_step_that_is_not_finite(machine):
    class Clipping(ag.SGD):
        def step(self):
            for p in self.parameters:
                p.grad = min(p.grad, 1.0)
            super().step()

    w = Value(1e200)
    program = compile(lambda x: w * x, 1.0)
    if machine:
        program.native()
    optimizer = Clipping([w], lr=1e150)
    with program.descent(np.array([1.0, 1e180]), optimizer=optimizer) as step:
        with pytest.raises(FloatingPointError, match="value or its gradient"):
            step.over([[1]])  # the value is 1e380
        step.w = [2.0]
        assert step.over([[1], [0]]) == [2e180, 2.0 - 1e150]
    assert (w.data, optimizer.steps) == (2.0 - 1e150 - 1e150, 2)


@needs_cc
def test_single_precision_ends_where_its_numbers_end():
    w = Value(1.0)
    program = compile(lambda x: w * x, 1.0).native("float32")
    with pytest.raises(FloatingPointError, match="step 1: the step is not finite"):
        program.descend(np.ones(2), optimizer=ag.SGD([w], lr=lambda k: [1e30, 1e39][k]), steps=2)
    assert w.data == pytest.approx(-1e30, rel=1e-6)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_a_check_of_the_leaves_is_made_before_every_step(machine):
    rows, place = [Value(1.0), Value(2.0)], Value(1.0)
    program = compile(lambda x: ag.cross_entropy([w * x for w in rows], x * place) + place, 1.0)
    assert program.checks_leaves
    if machine:
        program.native()
    with program.descent(np.ones(2), optimizer=ag.SGD([place, *rows], lr=1.0)) as step:
        step()
        with pytest.raises(ValueError, match=r"label|class"):
            step.run(5)
    assert place.data == -1.0
