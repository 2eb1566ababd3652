"""Batches over the processes of `concurrent.futures`; `test_executor_on_dask.py` has a Dask cluster."""

import multiprocessing
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from autograd_lite import Value, log
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import executor, toolchain
from tests.compiler.common import needs_cc
from tests.compiler.models import demo, hinge
from tests.compiler.runtime.small import small


def pool():
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def test_executors_give_the_same_sums():
    model, X, y = demo()
    X, y = np.tile(X, (13, 1))[:1234], np.tile(y, 13)[:1234]
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    with pool() as executor:
        value, gradients = program.batch(X, y, executor=executor)
        whole = program.batch(X, y)
        assert value == pytest.approx(whole[0], rel=1e-14)
        assert gradients == pytest.approx(whole[1], rel=1e-12, abs=1e-15)
        exact = program.batch(X, y, deterministic=True)
        assert program.batch(X, y, executor=executor, deterministic=True) == exact
        if shutil.which("cc"):
            exact = program.native().batch(X, y, deterministic=True)
            assert program.batch(X, y, executor=executor, deterministic=True) == exact
        with pytest.raises(ValueError, match="log"):
            compile(lambda x: log(x) * model.parameters()[0], 1.0).batch(-y * 0.0 - 1.0, executor=executor)


class Fatal:
    """Kills the process that it is unpickled in."""

    def __reduce__(self):
        return __import__("os")._exit, (1,)


def test_a_worker_that_dies_changes_nothing(monkeypatch):
    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    program.__dict__["packed"] = pickle.dumps(Fatal())
    with pool() as executor, pytest.raises(RuntimeError, match="a worker died"):
        program.batch(X, y, backward=True, executor=executor)
    assert all(not p.reached for p in program.leaves)


def test_what_an_executor_does_not_do():
    w = Value(2.0)
    program, several = compile(lambda x: w * x, 1.0), compile(lambda x: [w * x, x], 1.0)
    with pytest.raises(TypeError, match=r"^executor must be one of concurrent\.futures or the like, got 3$"):
        program.batch([1.0], executor=3)
    with ThreadPoolExecutor(1) as pool:
        for one, given in (
            (program, {"wrt": "arguments"}),
            (program, {"reduce": None}),
            (several, {"reduce": None}),
        ):
            with pytest.raises(ValueError, match=r"^an executor sums gradients of leaves: give reduce="):
                one.batch([1.0], executor=pool, **given)


@needs_cc
def test_a_worker_without_a_compiler_that_works_runs_numpy(monkeypatch):
    program = small().native()
    want = program.batch(np.array([0.5, 1.0]))
    packed = program.packed
    monkeypatch.setattr(toolchain, "compilers", lambda: [("false",)])
    monkeypatch.setattr(executor, "_built", {})
    ((total, gradients),) = executor._part(b"", packed, "leaf", [np.array([0.5, 1.0])], [2.0], [2])
    assert [total / 2.0, gradients[0] / 2.0] == pytest.approx([want[0], *want[1]], rel=1e-14)
