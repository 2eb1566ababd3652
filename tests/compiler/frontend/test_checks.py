"""Labels outside their range are refused by every form of a program."""

import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autograd_lite import Value, log, softmax_cross_entropy, where
from autograd_lite.compiler import compile
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, log_loss_from_scores
from autograd_lite.train import GradientDescent, fit
from tests.compiler.common import has_cc
from tests.compiler.fuzz import eager
from tests.optional import needs_numpy


def classes():
    """Three scores of one number x, of which y is to be the class."""
    w = [Value(0.1 * k, f"w{k}") for k in range(3)]
    return lambda x, y: cross_entropy([wk * x for wk in w], y)


def rows():
    w = [Value(0.1 * k, f"w{k}") for k in range(3)]
    return lambda x, y: softmax_cross_entropy([wk * x for wk in w], y)


def several():
    """Two examples in one call: the labels stand in a list."""
    w = [Value(0.1 * k, f"w{k}") for k in range(3)]
    return lambda x, y: cross_entropy([[wk * x for wk in w], [wk - x for wk in w]], [1, y], "mean")


def scores():
    w = Value(0.5, "w")
    return lambda x, y: log_loss_from_scores(w * x, y)


def pairs():
    w = Value(0.5, "w")
    return lambda x, y: log_loss_from_scores([w * x, w], [0.5, y])


CLASS, SHARE = [0, 1, 2], [0, 1, 0.0, 0.25, 1.0]


REFUSED = {
    classes: (CLASS, [3, 7, -1, 1.5, -0.5, 2.0000000001, math.nan, math.inf, -math.inf]),
    rows: (CLASS, [3, 7, -1, 1.5, math.nan]),
    several: (CLASS, [3, 7, -1, 1.5, math.nan]),
    scores: (SHARE, [-1, 2, -1e-9, 1.0000000001, math.nan, math.inf]),
    pairs: (SHARE, [-1, 2, math.nan]),
}


CASES = [(make, label) for make, (_, wrong) in REFUSED.items() for label in wrong]


def forms(program, label):
    """Each form of the program on a batch whose second label is `label`, as a call."""
    x, y = [0.5, 2.0, 3.0], [1, label, label]
    leaves = [leaf.data for leaf in program.leaves]
    yield "call", lambda: program(2.0, label)
    yield "backward", lambda: program.backward(2.0, label)
    yield "batch", lambda: program.batch(x, y)
    yield "batch of arrays", lambda: program.batch(np.array(x), np.array(y))
    yield "by arguments", lambda: program.batch(x, y, wrt="arguments")
    yield "each sample", lambda: program.batch(x, y, reduce=None)
    yield "deterministic", lambda: program.batch(x, y, deterministic=True)
    yield "loop", lambda: program.loop("leaf")([x, y], leaves)
    yield "descend", lambda: program.descend(x, y, steps=2)
    with ThreadPoolExecutor(2) as executor:
        yield "executor", lambda: program.batch(x, y, executor=executor)
    again = pickle.loads(pickle.dumps(program))
    yield "pickle", lambda: again(2.0, label)


def test_a_label_may_be_an_argument():
    program = compile(softmax_cross_entropy, [0.0] * 3, 0)
    for y in range(3):
        value, (slopes, _) = program([0.3, -1.0, 800.0], y)
        want, gradient = eager(lambda s: softmax_cross_entropy(s, y), [0.3, -1.0, 800.0])  # noqa: B023
        assert value == pytest.approx(want, rel=1e-14)
        assert slopes == pytest.approx(gradient, rel=1e-14)


@pytest.mark.parametrize(("make", "label"), CASES, ids=lambda x: getattr(x, "__name__", repr(x)))
def test_trap_31_a_label_is_refused_by_every_form(make, label):
    loss = make()
    with pytest.raises((ValueError, TypeError)) as eager:
        loss(2.0, label)
    program = compile(loss, 1.0, 1)
    before = [(leaf.data, leaf.grad) for leaf in program.leaves]
    for compiled in (False, True)[: 1 + has_cc]:
        if compiled:
            program.native()
        for form, run in forms(program, label):
            with pytest.raises(eager.type) as caught:
                run()
            said = str(caught.value).removeprefix("sample 1: ")
            assert said == str(eager.value).replace(f" {label!r}", f" {float(label)!r}") or said == str(
                eager.value
            ), form
            assert [(leaf.data, leaf.grad) for leaf in program.leaves] == before, form


@pytest.mark.parametrize("make", REFUSED)
def test_trap_31_a_label_in_range_is_taken_by_every_form(make):
    loss = make()
    program = compile(loss, 1.0, 1)
    for label in REFUSED[make][0]:
        value = loss(2.0, label)
        for _, run in forms(program, label):
            run()
        assert program(2.0, label)[0] == pytest.approx(loss(2.0, label).data, rel=1e-14)
        assert isinstance(value.data, float)


@pytest.mark.parametrize("make", REFUSED)
def test_trap_31_the_text_alone_refuses_too(make):
    """What is copied out of `source` runs without this package, and refuses what it refuses."""
    program = compile(make(), 1.0, 1)
    names = {}
    exec(program.source, names)
    leaves = [leaf.data for leaf in program.leaves]
    good, wrong = REFUSED[make]
    for label in good:
        assert math.isfinite(names[program.name](2.0, float(label), leaves)[0])
    for label in wrong:
        if math.isfinite(label):
            with pytest.raises(ValueError, match=r"the label must be a class|must lie between 0 and 1"):
                names[program.name](2.0, float(label), leaves)


def test_trap_31_a_function_of_arrays_gives_nan():
    """`jax.jit` and its like cannot raise."""
    program = compile(classes(), 1.0, 0)
    value, _ = program.function(np)(np.array([1.0, 1.0, 1.0]), np.array([2.0, 3.0, 1.5]), [0.0, 0.1, 0.2])
    assert np.isnan(value).tolist() == [False, True, True]


@pytest.mark.parametrize("label", [True, False, "1", None, 1j, np.True_])
def test_trap_31_what_is_not_a_number_is_refused_by_every_form(label):
    program = compile(classes(), 1.0, 1)
    for form, run in forms(program, label):
        if form not in (
            "loop",
            "batch of arrays",
        ):  # the one is given floats; NumPy has made numbers of bools
            with pytest.raises(TypeError, match="real number"):
                run()
    with pytest.raises(TypeError, match="real number"):
        program.batch(np.array([1.0]), np.array([label]))


@needs_numpy
def test_a_branch_not_taken_refuses_nothing():
    """A label of -1 is often that of an example to be left out."""
    w = [Value(0.1 * k, f"w{k}") for k in range(3)]

    def loss(x, y):
        inner = lambda: cross_entropy([wk * x for wk in w], y)  # noqa: E731
        return where(y >= 0.0, lambda: where(x < 5.0, inner, lambda: w[0] * x), lambda: 0.0 * w[0])

    program = compile(loss, 1.0, 1)
    names = {}
    exec(program.source, names)
    for x, y in [(1.0, -1), (1.0, 2), (6.0, 9)]:
        assert program(x, y)[0] == pytest.approx(loss(x, y).data, rel=1e-14)
        assert program.batch([x], [y])[0] == pytest.approx(loss(x, y).data, rel=1e-14)
        assert names[program.name](x, float(y), [0.0, 0.1, 0.2])[0] == program(x, y)[0]
    for run in (lambda: program(1.0, 3), lambda: program.batch([1.0, 6.0], [3, 3]), lambda: loss(1.0, 3)):
        with pytest.raises(ValueError, match="label 3 is not a class"):
            run()
    # The label itself does not exist below the branch that is not taken.
    odd = compile(
        lambda x, y: where(y > 0.0, lambda: log_loss_from_scores(w[1] * x, log(y)), lambda: w[1] * x),
        1.0,
        1.0,
    )
    assert odd(2.0, -1.0)[0] == odd.batch([2.0], [-1.0])[0] == pytest.approx(0.2, rel=1e-15)
    with pytest.raises(ValueError, match=r"must lie between 0 and 1, got 1\.38"):
        odd(2.0, 4.0)


@pytest.mark.parametrize("native", [False, True][: 1 + has_cc])
def test_a_target_that_moves_with_the_leaves_is_checked_at_each_step(native):
    w, t = Value(0.0, "w"), Value(0.9, "t")
    program = compile(lambda x: log_loss_from_scores(w * x, t * x), 1.0)
    assert [leaf.label for leaf in program.leaves] == ["w", "t"]
    if native:
        program.native()
    t.data = 1.5
    with pytest.raises(ValueError, match=r"sample 0: targets must lie between 0 and 1, got 1\.5"):
        program.batch([1.0])
    t.data, w.data = 0.9, 3.0
    # d/dt = -w x: t grows by 3 · 0.02 a step, and is beyond 1 after the second.
    with pytest.raises(ValueError, match="targets must lie between 0 and 1"):
        program.descend([1.0], lr=0.02, steps=5)
    assert 1.0 < t.data < 1.03
    t.data, w.data = 0.9, 3.0
    assert len(program.descend([1.0], lr=0.02, steps=2)) == 2


def test_many_operations_are_checked_on_the_tape():
    w = Value(0.5, "w")

    def loss(x, y):
        z = w * x
        for _ in range(21_000):
            z = z * 0.9999
        return log_loss_from_scores(z, y)

    program = compile(loss, 1.0, 1.0)
    assert program.form == "tape"
    assert program(1.0, 0.5)[0] == pytest.approx(loss(1.0, 0.5).data, rel=1e-12)
    for run in (program, program.backward):
        with pytest.raises(ValueError, match=r"targets must lie between 0 and 1, got -1\.0"):
            run(1.0, -1.0)


@pytest.mark.parametrize("held_out", [False, True])
def test_trap_31_a_compiled_loss_of_ones_own_too(held_out):
    model = MLP(2, [4, 3], rng=0)
    X, y = [[0.1 * k, 1.0] for k in range(8)], [k % 3 for k in range(8)]
    wrong = [*y[:5], 3, *y[6:]]
    before = [p.data for p in model.parameters()]
    given = {"validation": (X, wrong)} if held_out else {}
    with pytest.raises(ValueError, match="label 3 is not a class") as caught:
        fit(
            model, X, y if held_out else wrong, loss=lambda z, t: 2.0 * cross_entropy(z, t), epochs=2,
            optimizer=GradientDescent(model.parameters(), lr=0.1), batch_size=1, progress=False,
            compiled=True, **given,
        )  # fmt: skip
    assert "5" in str(caught.value) + str(getattr(caught.value, "__notes__", ""))  # the example
    assert [p.data for p in model.parameters()] == before


def test_trap_31_without_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    program = compile(classes(), 1.0, 0)
    assert math.isfinite(program.batch([1.0, 2.0], [0, 2])[0])
    for label in (3, -1, 1.5):
        with pytest.raises((ValueError, TypeError), match="sample 1: "):
            program.batch([1.0, 2.0], [0, label])
    test_trap_31_a_compiled_loss_of_ones_own_too(False)


def test_the_label_of_no_scores():
    with pytest.raises(ValueError, match="label 0 is not a class: the 0 scores"):
        compile(lambda y: softmax_cross_entropy([], y), 1.0)
