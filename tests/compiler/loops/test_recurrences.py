"""Long recurrences of few numbers: integrators, chains, and what only looks like one, against the engine."""

import math
import random
import time

import pytest

import autograd_lite as ag
from autograd_lite import Value, compile, tanh
from autograd_lite.compiler.loops import recurrences
from autograd_lite.compiler.loops.lowering import IrregularError
from autograd_lite.compiler.loops.reroll import components

np = pytest.importorskip("numpy")

from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel  # noqa: E402
from tests.compiler.common import needs_cc  # noqa: E402


def runge_kutta(f, state, steps):
    """Integrate state' = f(t, state) from 0 to 1 by the classical method of fourth order."""
    h = 1.0 / steps
    for k in range(steps):
        t = k * h
        k1 = f(t, state)
        k2 = f(t + 0.5 * h, [x + 0.5 * h * d for x, d in zip(state, k1, strict=True)])
        k3 = f(t + 0.5 * h, [x + 0.5 * h * d for x, d in zip(state, k2, strict=True)])
        k4 = f(t + h, [x + h * d for x, d in zip(state, k3, strict=True)])
        state = [
            x + h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
            for x, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)
        ]
    return ag.sum(state)


EQUATIONS = {  # of a parameter a, the time and the state
    "decay": (1, lambda a: lambda t, x: [-a * x[0]]),
    "sine": (1, lambda a: lambda t, x: [a * ag.sin(x[0])]),
    "driven by the time": (1, lambda a: lambda t, x: [a * math.cos(7.0 * t) - x[0] * x[0]]),
    "van der Pol": (2, lambda a: lambda t, x: [x[1], a * (1.0 - x[0] * x[0]) * x[1] - x[0]]),
    "Lorenz": (
        3,
        lambda a: (
            lambda t, x: [
                10.0 * (x[1] - x[0]) * a,
                x[0] * (28.0 - x[2]) - x[1],
                x[0] * x[1] - 8.0 / 3.0 * x[2],
            ]
        ),
    ),
}


def agree(got, want, rel=1e-9):
    assert got == pytest.approx(want, rel=rel, abs=1e-300)


def eager(run, *numbers):
    inputs = [Value(x) for x in numbers]
    out = run(*inputs)
    out.backward()
    return [out.data, *[x.grad for x in inputs]]


def over_steps(name, steps):
    dimensions, equation = EQUATIONS[name]
    return lambda x, a: runge_kutta(equation(a), [x, *[0.5] * (dimensions - 1)], steps)


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("form", ["NumPy", pytest.param("C", marks=needs_cc)])
def test_an_integrator_agrees(name, form):
    run = over_steps(name, 120)
    want = [eager(run, x, 1.25) for x in (0.5, -0.25, 1.0)]
    program = compile(run, 0.5, 1.25)
    if form == "C":
        program.native()
    values, gradients = program.batch([0.5, -0.25, 1.0], [1.25] * 3, reduce=None)
    for k in range(3):
        agree([values[k], *[each[k] for each in gradients]], want[k])


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("form", ["NumPy", pytest.param("C", marks=needs_cc)])
def test_a_recorded_integrator_agrees(name, form):
    x, a = Value(0.5), Value(1.25)
    loss = over_steps(name, 120)(x, a)
    program = compile(loss)
    loss.backward()
    if form == "C":
        value, gradients = program.native()()
        found = dict(zip(program.leaves, gradients, strict=True))
    else:
        kernel = NumpyKernel(program._loops("leaf", "array"), np)
        value, *gradients = kernel.sums(np.zeros((0, 1)), np.array([leaf.data for leaf in program.leaves]))
        found = dict(zip(program.leaves, gradients, strict=True))
    agree([value, found[x], found[a]], [loss.data, x.grad, a.grad])


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_number_of_nests_does_not_depend_on_the_steps(name):
    counts = []
    for steps in (120, 180):
        program = compile(over_steps(name, steps), 0.5, 1.25)
        found = program._loops("argument", "c")
        counts.append(len(found.nests))
        repeated = {nest.steps for nest in found.nests if nest.steps}
        assert repeated
        assert min(repeated) >= steps - 4
    assert counts[0] == counts[1] < 700


def test_lowering_a_thousand_steps_takes_less_than_two_and_a_half_seconds_of_processor_time():
    """Lowering class by class takes twelve times as long. Other processes do not count."""
    loss = over_steps("decay", 1_000)(Value(0.5), Value(1.25))
    program = compile(loss)
    start = time.process_time()
    program._loops("leaf", "c")
    assert time.process_time() - start < 2.5


def test_a_chain_of_2000_steps_is_two_loops():
    x, w = Value(0.5), Value(1.1)
    y = x
    for k in range(2_000):
        y = tanh(y * w + k * 1e-3)
    program = compile(y)
    found = program._loops("leaf", "array")
    assert len(found.nests) <= 70
    assert [nest.steps for nest in found.nests if nest.steps] == [1_998] * 3 + [1_997] * 2  # there, and back
    y.backward()
    kernel = NumpyKernel(found, np)
    got = kernel.sums(np.zeros((0, 1)), np.array([leaf.data for leaf in program.leaves]))
    agree(got.tolist(), [y.data, *[leaf.grad for leaf in program.leaves]])


@pytest.mark.parametrize("form", ["NumPy", pytest.param("C", marks=needs_cc)])
def test_a_choice_in_each_step(form):
    def run(x, a):
        for _ in range(400):
            x = ag.where(x > 1.0, lambda x=x: x - a, lambda x=x: x * 1.01 + 0.05)
        return x

    want = [eager(run, x, 0.75) for x in (0.1, 0.7)]
    program = compile(run, 0.1, 0.75)
    if form == "C":
        program.native()
    values, gradients = program.batch([0.1, 0.7], [0.75, 0.75], reduce=None)
    for k in range(2):
        agree([values[k], *[each[k] for each in gradients]], want[k])


@pytest.mark.parametrize("lag", [2, 3])
def test_a_step_reads_several_before(lag):
    def run(x, a):
        made = [x * (k + 1.0) for k in range(lag)]
        for _ in range(600):
            made.append(ag.sin(made[-1] * a + made[-lag]))
        return made[-1]

    program = compile(run, 0.5, 0.25)
    found = program._loops("argument", "array")
    assert len(found.nests) < 100
    value, gradients = program.batch([0.5], [0.25])
    agree([value, *np.ravel(gradients)], eager(run, 0.5, 0.25), 1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_what_only_looks_like_a_recurrence(seed):
    """Steps that read others at random, or that swap their operands now and then."""
    choose = random.Random(seed)
    plan = [(choose.randrange(1, 4), choose.random() < 0.05) for _ in range(800)]

    def run(x, a):
        made = [x, x * a, x + a]
        for back, swap in plan:
            other = made[-back if seed % 2 else -2]
            made.append(ag.atan2(other, made[-1] * a) if swap else ag.atan2(made[-1] * a, other))
        return made[-1]

    program = compile(run, 0.5, 0.25)
    value, gradients = program.batch([0.5], [0.25])
    agree([value, *np.ravel(gradients)], eager(run, 0.5, 0.25), 1e-8)


def test_a_long_chain_without_steps_is_not_loops():
    choose = random.Random(0)
    x, a = Value(0.5), Value(0.25)
    made = [x, a]
    for _ in range(3_000):
        made.append(
            choose.choice([ag.sin, ag.cos, ag.atan, tanh])(made[-choose.choice([1, 2])] + made[-1] * a)
        )
    program = compile(made[-1])
    with pytest.raises(IrregularError, match="no steps repeat in a chain of"):
        program._loops("leaf", "c")
    made[-1].backward()
    value, gradients = program()
    agree([value, *gradients], [made[-1].data, *[leaf.grad for leaf in program.leaves]])


def test_blocks_that_change_half_way():
    """Two recurrences one after the other, and a sum over the states of both."""

    def run(x, a):
        total = []
        for _ in range(300):
            x = ag.sin(x * a) + 0.5
            total.append(x)
        for _ in range(300):
            x = ag.exp(-x * a) - x / 3.0
            total.append(x * a)
        return ag.sum(total)

    program = compile(run, 0.5, 0.9)
    assert len(program._loops("argument", "array").nests) < 200
    value, gradients = program.batch([0.5], [0.9])
    agree([value, *np.ravel(gradients)], eager(run, 0.5, 0.9))


def test_a_chain():
    assert recurrences.is_chain([[], *[[k] for k in range(1_100)]])
    assert not recurrences.is_chain([[], *[[k] for k in range(900)]])  # too short to pay
    assert not recurrences.is_chain([[], *[[0]] * 1_100])  # all at one depth


def test_components():
    assert components([]) == []
    assert components([[1], [2], []]) == [[2], [1], [0]]
    assert components([[0], [0, 3], [1], [2]]) == [[0], [1, 2, 3]]
    deep = [[k + 1] for k in range(5_000)] + [[0]]
    assert components(deep) == [[*range(5_001)]]
