"""What programs and `fit` are given: labels that a loss refuses, and numbers that are not floats.

The number in a test's name is that of the trap.
"""

import copy
import math
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autograd_lite import Value, log, softmax_cross_entropy, where
from autograd_lite.compiler import compile
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, half_squared_error, log_loss, log_loss_from_scores
from autograd_lite.train import Adam, GradientDescent, fit

has_cc = shutil.which("cc") is not None


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


def test_a_branch_on_a_number_is_a_condition_as_well():
    w = Value(0.5, "w")
    program = compile(lambda x, y: where(x, lambda: log_loss_from_scores(w, y), lambda: w * 1.0), 1.0, 1.0)
    assert program(0.0, 7.0)[0] == 0.5
    with pytest.raises(ValueError, match=r"targets must lie between 0 and 1, got 7\.0"):
        program(1.0, 7.0)


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


# --- fit ----------------------------------------------------------------------------------------------

BAD = {
    cross_entropy: [3, 7, -1, 1.5, 1.0, True, None, "1"],
    log_loss_from_scores: [-1, 2.0, math.nan, True, "1"],
    log_loss: [-1, 2.0, math.nan, True],
    half_squared_error: [True, "1", [1.0, 2.0]],
}


@pytest.mark.parametrize("compiled", [None, True, False])
@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("held_out", [False, True])
def test_trap_31_fit_refuses_a_label_before_the_first_step(compiled, place, held_out):
    for loss, labels in BAD.items():
        for label in labels:
            model = MLP(2, [3 if loss is cross_entropy else 1], rng=0)
            if loss is log_loss:
                model = MLP(2, [1], rng=0, output="sigmoid")
            X, y = [[0.1 * k, 1.0] for k in range(8)], [k % 2 for k in range(8)]
            wrong = [*y[:place], label, *y[place + 1 :]]
            before = [p.data for p in model.parameters()]
            optimizer = GradientDescent(model.parameters(), lr=0.1)
            given = {"validation": (X, wrong)} if held_out else {}
            with pytest.raises((ValueError, TypeError)) as caught:
                fit(
                    model, X, y if held_out else wrong, loss=loss, optimizer=optimizer, epochs=2,
                    batch_size=1, seed=None, progress=False, compiled=compiled, **given,
                )  # fmt: skip
            what = "validation" if held_out else "training"
            assert caught.value.__notes__ == [f"in example {place} of the {what} data"]
            assert [p.data for p in model.parameters()] == before


@pytest.mark.parametrize("held_out", [False, True])
def test_trap_31_a_compiled_loss_of_ones_own_too(held_out):
    model = MLP(2, [4, 3], rng=0)
    X, y = [[0.1 * k, 1.0] for k in range(8)], [k % 3 for k in range(8)]
    wrong = [*y[:5], 3, *y[6:]]
    before = [p.data for p in model.parameters()]
    given = {"validation": (X, wrong)} if held_out else {}
    with pytest.raises(ValueError, match="sample 5: label 3 is not a class"):
        fit(
            model, X, y if held_out else wrong, loss=lambda z, t: 2.0 * cross_entropy(z, t), epochs=2,
            optimizer=GradientDescent(model.parameters(), lr=0.1), batch_size=1, progress=False,
            compiled=True, **given,
        )  # fmt: skip
    assert [p.data for p in model.parameters()] == before


def test_trap_31_without_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    program = compile(classes(), 1.0, 0)
    assert math.isfinite(program.batch([1.0, 2.0], [0, 2])[0])
    for label in (3, -1, 1.5):
        with pytest.raises((ValueError, TypeError), match="sample 1: "):
            program.batch([1.0, 2.0], [0, label])
    test_trap_31_a_compiled_loss_of_ones_own_too(False)


# --- Numbers that are not floats ----------------------------------------------------------------------

KINDS = [np.uint8, np.int8, np.int64, np.uint64, np.float16, np.float32, np.float64, np.longdouble, int]


def cube(x, p):
    return x * x * x * p["a"][0] + p["a"][1] * x - p["b"]


@pytest.mark.parametrize("kind", KINDS)
def test_trap_32_numbers_of_numpy_become_floats(kind):
    """In uint8 200 · 200 is 64; in float16 it is 40000 with three digits, and ∞ from there on."""
    w = Value(0.1, "w")
    program = compile(lambda x, p: cube(x, p) * w, 1.0, {"a": [1.0, 1.0], "b": 1.0})
    floats = (101.0, {"a": [3.0, 7.0], "b": 11.0})
    given = (kind(101), {"a": [kind(3), kind(7)], "b": kind(11)})
    w.grad = None
    value = program.backward(*floats)
    want, slope = (program(*floats), w.grad)
    w.grad = None
    assert program(*given) == want
    assert program.backward(*given, seed=kind(1)) == value
    assert w.grad == slope
    found, (dx, dp) = program(*given)
    assert {type(x) for x in (found, dx, dp["b"], *dp["a"], value, w.grad)} == {float}
    x = np.array([101], dtype=kind)
    p = {"a": np.array([[3, 7]], dtype=kind), "b": np.array([11], dtype=kind)}
    assert program.batch(x, p) == program.batch([101.0], {"a": [[3.0, 7.0]], "b": [11.0]})


@pytest.mark.parametrize("kind", KINDS)
def test_trap_32_arrays_of_any_kind(kind):
    program = compile(lambda a: a[0] * a[0] * a[1] - a[2], np.zeros(3))
    for given in (np.array([101, 3, 7], dtype=kind), [kind(101), kind(3), kind(7)]):
        value, gradient = program(given)
        assert type(value) is float
        assert (value, gradient.tolist()) == (30596.0, [606.0, 10201.0, -1.0])
        assert gradient.dtype == float
    nested = compile(lambda a, s: a[0][0] * a[0][1] + a[1][0] * s, [[1.0, 1.0], (1.0,)], 1.0)
    rows = compile(lambda a: a[0][0] * a[1][0] + a[1][1], [[1.0], [1.0, 1.0]])
    for first in ([kind(101)], np.array([101], dtype=kind), (101,), [101.0]):
        assert rows([first, [3.0, kind(7)]]) == (310.0, [[3.0], [101.0, 1.0]])
        assert rows([first, (3.0, 7.0)]) == (310.0, [[3.0], [101.0, 1.0]])
    with pytest.raises(ValueError, match=r"a\[0\] must hold 1 parts, got 2"):
        rows([[1.0, 2.0], [1.0, 2.0]])
    with pytest.raises(TypeError, match=r"a\[1\] must hold 2 parts, got 1.0"):
        rows([[1.0], 1.0])
    given = ([np.array([200, 200], dtype=np.uint8), (kind(3),)], kind(5))
    assert nested(*given) == (40015.0, ([[200.0, 200.0], (5.0,)], 3.0))


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32])
def test_trap_32_every_other_entrance(kind):
    """Gradients, seeds, step sizes and states that are set by hand."""
    w = Value(0.1, "w")
    w.grad = kind(3)
    assert type(w.grad) is float
    (w * 0.1).backward(kind(1))
    assert w.grad == 3.1
    assert type(w.grad) is float
    for wrong in (True, "1", np.array([1.0]), Value(1.0)):
        with pytest.raises(TypeError, match="the grad of a Value must be a real number"):
            w.grad = wrong
    for make in (GradientDescent, Adam):
        a, b = Value(0.1), Value(0.1)
        one, two = make([a], lr=kind(1)), make([b], lr=1.0)
        one.lr, two.lr = kind(2), 2.0
        assert type(one.lr) is float
        for x, optimizer in ((a, one), (b, two)):
            x.grad = 0.1
            optimizer.step()
        assert a.data == b.data
        with pytest.raises(TypeError, match="lr must be a real number"):
            one.lr = "0.1"
    program = compile(lambda x: w * x, 1.0)
    w.data = 0.1
    assert program.descend([0.3], lr=kind(1)) == [0.1 * 0.3]
    assert w.data == 0.1 - 0.3


def test_the_shape_of_an_argument_is_checked_at_the_door():
    program = compile(lambda p, x: p["a"] * x[0] + x[1], {"a": 1.0}, [1.0, 1.0])
    for given, kind, said in [
        (({"a": 1.0},), TypeError, "takes 2 arguments, got 1"),
        (({"a": 1.0}, [1.0]), ValueError, "x must hold 2 parts, got 1"),
        (({"a": 1.0}, 3.0), TypeError, "x must hold 2 parts, got 3.0"),
        (({"b": 1.0}, [1.0, 1.0]), TypeError, "p must be a dict with the keys"),
        (({"a": "1"}, [1.0, 1.0]), TypeError, r"p\['a'\] must be a real number, got str '1'"),
        (({"a": 1.0}, [1.0, True]), TypeError, r"x\[1\] must be a real number, got bool"),
        (
            ({"a": 1.0}, [1.0, Value(1.0)]),
            TypeError,
            r"x\[1\] must be .* take the number out of it with .data",
        ),
    ]:
        with pytest.raises(kind, match=said):
            program(*given)
    with pytest.raises(TypeError, match=r"x must be a real number, got list"):
        compile(lambda x: x * x, 1.0)([1.0])


def test_an_argument_is_not_changed():
    program = compile(lambda p: p["a"][0] * p["a"][1], {"a": [1.0, 1.0]})
    given = {"a": [2, np.float16(3.0)]}
    before = copy.deepcopy(given)
    assert program(given) == (6.0, {"a": [3.0, 2.0]})
    assert given == before
    assert [*map(type, given["a"])] == [int, np.float16]


def test_the_label_of_no_scores():
    with pytest.raises(ValueError, match="label 0 is not a class: the 0 scores"):
        compile(lambda y: softmax_cross_entropy([], y), 1.0)
