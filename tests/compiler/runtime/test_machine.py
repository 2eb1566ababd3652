"""Machine code: its errors, its memory, and processes that are forked while it runs."""

import math
import multiprocessing
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import machine
from tests.compiler.runtime import sanitize
from tests.compiler.runtime.misuse import MISUSES
from tests.compiler.runtime.small import needs_compiler, small

pytestmark = needs_compiler

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


def test_the_sanitizers_find_nothing():
    """A small part of `python -m tests.compiler.sanitize`."""
    if sanitize.preloaded() is None:
        pytest.skip("no sanitizers are installed")
    assert sanitize.main(1, 3) == 0


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
