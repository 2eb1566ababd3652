"""Machine code: its errors, its memory, and processes that are forked while it runs."""

import math
import multiprocessing
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, relu, tanh
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import machine, toolchain
from autograd_lite.core.primitive import TABLE, primitive
from tests.compiler.common import agree, needs_cc, same
from tests.compiler.models import demo
from tests.compiler.runtime import sanitize
from tests.compiler.runtime.misuse import MISUSES
from tests.compiler.runtime.small import small
from tests.optional import needs_numpy

pytestmark = needs_cc

# --- Errors that IEEE arithmetic hides


@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("irregular", [False, True])
def test_a_gradient_that_is_not_finite_is_settled_in_every_way_of_calling(real, irregular, monkeypatch):
    """The value of atan2(0, 0) is 0 everywhere; only the engine says that it has no derivative there."""
    if irregular:
        monkeypatch.setattr(machine, "IRREGULAR", -1)
    a, b = Value(0.3, "a"), Value(0.7, "b")
    recorded = compile(ag.atan2(a, b)).native(real)
    program = compile(lambda x: ag.atan2(a * x, b), 1.0).native(real, threads=2)
    arguments = compile(ag.atan2, 1.0, 1.0).native(real)
    assert recorded()[0] == pytest.approx(math.atan2(0.3, 0.7), rel=1e-6)
    a.data = b.data = 0.0
    X = np.ones(300)
    calls = [
        recorded,
        recorded.backward,
        lambda: recorded.function()([0.0, 0.0]),
        lambda: recorded.descend(lr=0.1),
        lambda: recorded.descend(lr=0.1, steps=3),
        recorded.batch,
        lambda: program(1.0),
        lambda: program.batch(X),
        lambda: program.batch(X[:3], reduce="sum"),
        lambda: program.batch(X, backward=True),
        lambda: program.batch(X, reduce=None),
        lambda: program.batch(X, wrt="arguments"),
        lambda: program.batch(X, deterministic=True),
        lambda: program.descend(X, steps=1),
        lambda: program.descend(X, steps=3),
        lambda: arguments.batch([1.0, 0.0], [1.0, 0.0], reduce=None),
        lambda: arguments.batch([1.0, 0.0], [1.0, 0.0]),
    ]
    with ThreadPoolExecutor(2) as executor:
        calls.append(lambda: program.batch(X, executor=executor))
        for call in calls:
            with pytest.raises(ZeroDivisionError, match=r"atan2\(.*it has no derivative"):
                call()
    assert a.grad == 0.0
    assert (a.data, b.data) == (0.0, 0.0)


def test_what_overflows_in_single_precision_alone_is_what_the_engine_gives():
    large = 2.0**100
    w = Value(large, "w")
    double, single = (compile(lambda x: w * w * x, 1.0) for _ in range(2))
    single.native("float32")
    X = np.array([1.0, 2.0])
    assert single.batch(X) == double.batch(X) == (1.5 * large**2, [3.0 * large])
    values, gradients = single.batch(X, reduce=None)
    assert (values.tolist(), gradients.tolist()) == (
        [large**2, 2.0 * large**2],
        [[2.0 * large], [4.0 * large]],
    )
    assert single.batch(X, wrt="arguments")[0] == 1.5 * large**2
    assert single.descend(X, lr=0.125) == [1.5 * large**2]
    assert w.data == 0.625 * large


def test_infinity_that_the_engine_gives_stays():
    w = Value(math.inf, "w")
    program = compile(lambda x: w * x, 1.0).native()
    assert program.batch([1.0, 2.0]) == (math.inf, [1.5])
    assert program.batch([1.0, -2.0])[1] == [-0.5]
    assert math.isnan(program.batch([1.0, -2.0])[0])
    assert compile(w * 2.0).native()() == (math.inf, [2.0])
    with pytest.raises(FloatingPointError, match="step 0"):
        program.descend([1.0])


# --- Memory and forks


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.__name__)
def test_memory_holds(misuse):
    misuse()


def _forked(program, X, results):
    results.put(program.batch(X))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("held", [False, True])
def test_a_forked_process_runs_on(held):
    """It has neither the threads of its parent nor whoever holds the lock there."""
    program, X = small().native(threads=2), np.linspace(0.0, 1.0, 500)
    want = program.batch(X)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    free, taken = threading.Event(), threading.Event()

    def hold():
        with program._machine._lock:
            taken.set()
            free.wait(60)

    thread = threading.Thread(target=hold)
    if held:
        thread.start()
        taken.wait()
    child = context.Process(target=_forked, args=(program, X, results))
    try:
        child.start()
        assert results.get(timeout=60) == want
        child.join(60)
    finally:
        free.set()
        child.kill()
    if held:
        thread.join()
    assert program.batch(X) == want


@needs_numpy
def test_the_sanitizers_find_nothing():
    """A small part of `python -m tests.compiler.runtime.sanitize`."""
    if sanitize.preloaded() is None:
        pytest.skip("no sanitizers are installed")
    assert sanitize.main(1, 3) == 0


@needs_numpy
def test_the_sanitizers_find_what_is_out_of_bounds():
    environment = sanitize.preloaded()
    if environment is None:
        pytest.skip("no sanitizers are installed")
    code = """
        from dataclasses import replace
        from autograd_lite.compiler.codegen import c_function as c
        from tests.compiler.runtime import sanitize
        layout = c.c_layout
        def small(*given, **more):
            made = layout(*given, **more)
            return replace(made, work=made.work // 4)
        c.c_layout = small
        with sanitize.sanitized():
            print([*sanitize.forms(1)])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer: use-after-poison" in done.stderr


@needs_cc
def test_float32_and_fastmath_stay_within_their_bounds():
    model, X, y = demo()

    def make():
        return compile(lambda x, y: tanh(1.0 - y * model(x)), [0.0, 0.0], 0.0)

    want = make().batch(X, y)
    single = make().native("float32").batch(X, y)
    agree([single[0], *single[1]], [want[0], *want[1]], 100 * 2.0**-24)
    fast = make().native(fastmath=True).batch(X, y)
    tiny = float("5e-324")  # the library must not teach the process to flush subnormal numbers to 0
    assert tiny * 1.0 > 0.0
    agree([fast[0], *fast[1]], [want[0], *want[1]], 1e-13)


@needs_cc
def test_machine_code_can_be_made_anew_with_other_numbers():
    w = Value(0.1)
    for program in (compile(lambda x: w * x, 1.0), compile(lambda x: ag.sin(x), 1.0)):
        X = np.array([0.3, 0.7])
        double = program.native().batch(X, reduce=None)[0]
        single = program.native("float32").batch(X, reduce=None)[0]
        assert (single != double).all()
        assert single == pytest.approx(double, rel=1e-6)


@needs_cc
@pytest.mark.parametrize(("number", "large"), [("float64", 1e200), ("float32", 1e30)])
def test_large_numbers_whose_squares_overflow_are_numbers(number, large):
    w = Value(large)
    value, gradients = compile(lambda x: w * x, 1.0).native(number).batch(np.ones(3))
    assert (value, gradients) == (pytest.approx(large, rel=1e-7), [1.0])


@needs_cc
def test_threads_share_the_samples():
    model, X, y = demo()
    many, labels = np.tile(X, (5, 1)), np.tile(y, 5)
    programs = [compile(lambda x, y: tanh(1.0 - y * model(x)), [0.0, 0.0], 0.0) for _ in range(2)]
    programs[1].native(threads=3)
    a, b = [program.batch(many, labels) for program in programs]
    assert same(a, b)
    assert programs[1].batch(many, labels) == b
    start = [p.data for p in programs[0].leaves]
    values = [programs[1].descend(many, labels, steps=3)]
    for p, number in zip(programs[0].leaves, start, strict=True):
        p.data = number
    values.append(programs[0].descend(many, labels, steps=3))
    assert same(*values)
    assert same(*[program.batch(many, labels, reduce=None) for program in programs])


@needs_cc
def test_threads_leave_a_recorded_loss_whole():
    model, _, _ = demo()
    X = np.random.default_rng(5).normal(size=(300, 2)).tolist()
    losses = [tanh(1.0 - model(x)) for x in X]
    loss = ag.mean(losses) + 1e-3 * ag.sum([p * p for p in model.parameters()])
    loss.backward()
    program = compile(loss).native(threads=3)
    value, gradients = program()
    assert len(program._machine.recorded.data) == 300
    agree([value, *gradients], [loss.data, *[leaf.grad for leaf in program.leaves]])


@needs_cc
def test_arrays_are_read_where_they_are():
    model, X, y = demo()
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0).native()
    want = program.batch(X.tolist(), y.tolist())
    assert program.batch(X, y) == program.batch(np.asfortranarray(X), y.astype(object)) == want
    rows, labels = program._machine.rows([X, y]).arrays
    assert rows.base is X
    assert labels.base is y
    with pytest.raises(ValueError, match="differ in the number of samples"):
        program.batch(X, y[:-1])
    with pytest.raises(ValueError, match="no samples"):
        program.batch(X[:0], y[:0])


@needs_numpy
def test_without_a_compiler_the_numpy_form_runs(monkeypatch):
    def none():
        raise toolchain.NoCompilerError("no C compiler (cc, gcc, clang)")

    monkeypatch.setattr(toolchain, "compilers", none)
    w = Value(2.0)
    program = compile(lambda x: w * x, 0.0)
    with pytest.warns(RuntimeWarning, match="no C compiler.*NumPy form"):
        program.native()
    assert program.batch(np.array([1.0, 2.0]), reduce="sum") == (6.0, [3.0])


@needs_cc
def test_machine_code_that_cannot_be_made_changes_nothing(monkeypatch):
    w = Value(2.0)
    program = compile(lambda x: tanh(w * x), 1.0)
    before = program.batch(np.ones(2), reduce=None)[0].tolist()
    for command in ("false", "true"):
        monkeypatch.setattr(toolchain, "compilers", lambda command=command: [(command,)])
        with pytest.raises(RuntimeError, match=f"{command} failed"):
            program.native()
        assert program.batch(np.ones(2), reduce=None)[0].tolist() == before
        with pytest.raises(RuntimeError, match=f"{command} failed"):
            compile(lambda x: x * x, 1.0).native()
    monkeypatch.undo()
    row = primitive(
        "rough", lambda x: x if x > 0.0 else 0.0, lambda out, x: (1.0,), template={"c": "none({0})"}
    )
    try:
        program = compile(lambda x: row(x) * w, 1.0)
        with pytest.raises(RuntimeError, match=r"cannot be loaded: .*none"):
            program.native()
    finally:
        del TABLE["rough"]
    assert program.batch(np.ones(2), reduce=None)[0].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("given", [0, 1, 2])
def test_loops_that_read_a_leaf_too_many_are_refused(given):
    w, b = Value(2.0), Value(1.0)
    found = compile(lambda x: ag.tanh(w * x + b), 1.0)._loops("leaf", "c")
    build = partial(machine.Machine, found, False, [("x", 1)], given, "float64", False, 1, np)
    if given == 2:
        assert len(build()._w) == 2
    else:
        with pytest.raises(ValueError, match=f"reads number 1 of {given}: it was changed since"):
            build()
