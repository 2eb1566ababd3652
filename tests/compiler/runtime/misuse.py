"""Calls that must not reach memory that is not theirs, each a function that ends, or raises what it says.

Run as tests, and under AddressSanitizer by `python -m tests.compiler.runtime.sanitize`.
"""

from __future__ import annotations

import copy
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, nn, relu, tanh
from autograd_lite.compiler import Program, compile
from autograd_lite.compiler.runtime import machine as native


class Lies:
    """An object that says one shape and type, and gives another array."""

    def __init__(self, array: Any, shape: tuple[int, ...], kind: Any = float) -> None:
        self.array, self.shape, self.dtype, self.ndim = array, shape, np.dtype(kind), len(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.array, dtype)


class Changing(Lies):
    """Gives a shorter array each time."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.array = self.array[: len(self.array) // 2]
        return np.array(self.array, dtype)


class Shown(np.ndarray):
    """An array that says another shape than it has."""

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return (1000, 2)


def problem(m: int = 50) -> tuple[Program, Any, Any]:
    """A small network as a program in C, and a batch."""
    model = nn.MLP(2, [4, 1], rng=0)
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0).native()
    X = np.random.default_rng(0).normal(size=(m, 2))
    return program, X, np.sign(X[:, 0])


def objects_that_lie() -> None:
    program, X, y = problem()
    want = program.batch(X, y)
    for given in (Lies(X[:3], (50, 2)), Lies(X[:, :1], (50, 2)), Lies(X[0], (50, 2)), Changing(X, (50, 2))):
        for call in (program.batch, lambda *b: program.batch(*b, reduce=None), program.descend):
            with pytest.raises((ValueError, TypeError)):
                call(given, y)
    assert program.batch(Lies(X, (3, 2)), y) == want
    assert program.batch(Lies(X, (50, 2), complex), y) == want
    shown = X[:10].copy().view(Shown)
    with pytest.raises(ValueError, match=r"number of samples|arrays of"):
        program.batch(shown, y)


def arrays_of_every_layout() -> None:
    program, X, y = problem()
    want = program.batch(X, y)
    raw = bytearray(8 * X.size + 1)
    unaligned = np.frombuffer(raw, dtype=np.uint8)[1:].view(float).reshape(X.shape)
    unaligned[...] = X
    wide = np.zeros((100, 6))
    wide[::2, ::3] = X
    broadcast = np.broadcast_to(X[:1], X.shape)
    fixed = X.copy()
    fixed.flags.writeable = False
    for given in (unaligned, wide[::2, ::3], X[::-1][::-1], X.astype(">f8"), X.astype(np.longdouble), fixed):
        assert program.batch(given, y) == want
        assert program.batch(given, y, reduce=None)[0].shape == (50,)
    assert program.batch(broadcast, y) == program.batch(np.array(broadcast), y)
    assert program.batch(X.astype(int), y) == program.batch(np.trunc(X), y)
    for given in (
        X.astype(complex),
        X.astype(str),
        X.astype("M8[s]"),
        X[None],
        X[:0],
        X.T,
        None,
        "x",
        X[0, 0],
    ):
        with pytest.raises((ValueError, TypeError)):
            program.batch(given, y)
    for rows in (np.zeros((50, 3)), np.zeros((50, 1)), np.zeros(50)):
        with pytest.raises(ValueError, match="x must be of shape"):
            program.batch(rows, y)


def a_resized_array() -> None:
    program, X, y = problem(4000)
    with program.descent(X, y) as step:
        step()
        for array in (X, y):
            with pytest.raises(ValueError, match="cannot resize"):
                array.resize(3, refcheck=False)
        X.shape = (8000,)
        X.dtype = np.int64
        step.run(3)
    owner = np.ndarray.__new__(Shown, (4000, 2))
    owner[...] = 0.5
    part = np.asarray(owner[:])  # of a part of another type
    samples = program.kernel("leaf").rows([part, y])  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="cannot resize"):
        owner.resize(3, refcheck=False)
    assert samples.m == 4000
    view = np.random.default_rng(0).normal(size=(4000, 2))
    with program.descent(view[:], y) as step:
        with pytest.raises(ValueError, match="cannot resize"):
            view.resize(3, refcheck=False)
        step.run(2)


def parameters_replaced() -> None:
    program, X, y = problem()
    n = len(program.leaves)
    for machine in (True, False):
        if not machine:
            program = copy.copy(program)
        with program.descent(X, y, lr=1e-3) as step:
            for numbers in (np.zeros(1), np.zeros((n, 1)), np.zeros(n + 1), [], 0.0, [0.0] * (n - 1)):
                with pytest.raises(ValueError, match=f"w must be {n} numbers"):
                    step.w = numbers
            with pytest.raises((ValueError, TypeError)):
                step.w = ["a"] * n
            with pytest.raises((ValueError, TypeError)):
                step.w = None
            step.w = np.arange(2.0 * n)[::2].astype(np.float32)
            assert step.w.tolist() == [2.0 * k for k in range(n)]
            step.w *= 1e-3
            shown = step.w
            with pytest.raises(ValueError, match="resize"):
                shown.resize(1, refcheck=False)
            shown.dtype = np.uint8
            step.run(3)
            step()
            assert step.w.dtype == np.uint8 or step.w.shape == (n,)
        assert all(isinstance(leaf.data, float) for leaf in program.leaves)
        assert step.w is None
        for call in (step, lambda: step.run(3), lambda: setattr(step, "w", np.zeros(n))):
            with pytest.raises(RuntimeError, match="within a block"):
                call()


def leaves_removed() -> None:
    program, X, y = problem()
    want = program.batch(X, y)
    assert isinstance(program.leaves, tuple)
    assert isinstance(program.arguments, tuple)
    program.leaves = program.leaves[:2]
    for call in (
        lambda: program.batch(X, y),
        lambda: program.batch(X, y, reduce=None),
        lambda: program.descend(X, y, steps=3),
        lambda: program.native("float32"),
    ):
        with pytest.raises((ValueError, IndexError)):
            call()
    program, X, y = problem()
    assert program.batch(X, y) == want
    program.arguments = program.arguments[:1]
    for call in (lambda: program.batch(X), lambda: program.native("float32").batch(X)):
        with pytest.raises((ValueError, TypeError, IndexError)):
            call()


def a_graph_changed() -> None:
    for irregular in (native.IRREGULAR, -1):
        before, native.IRREGULAR = native.IRREGULAR, irregular
        try:
            for number in (-7, 10**6):
                w = [Value(0.1 * k) for k in range(5)]
                program = compile(lambda x, w=w: tanh(ag.dot(w, x)), [0.0] * 5)
                for i, op in enumerate(program.graph.ops):
                    if op == "leaf":
                        program.graph.numbers[i] = number
                        break
                with pytest.raises((ValueError, IndexError, KeyError)):
                    program.native().batch(np.ones((3, 5)))
        finally:
            native.IRREGULAR = before


def samples_of_another_program() -> None:
    program, X, y = problem()
    model = nn.MLP(9, [4, 1], rng=0)
    wide = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0] * 9, 0.0).native()
    mine, other = program.kernel("leaf"), wide.kernel("leaf")
    samples: Any = mine.rows([X, y])  # type: ignore[attr-defined]
    leaves = [leaf.data for leaf in wide.leaves]
    for call in (
        lambda: other.sums(samples, leaves),  # type: ignore[attr-defined]
        lambda: other([X[:, 0]], leaves),
        lambda: mine.sums(samples, leaves),  # type: ignore[attr-defined]
        lambda: mine.sums(samples, []),  # type: ignore[attr-defined]
        lambda: mine.rows([X]),  # type: ignore[attr-defined]
        lambda: mine.rows([X, y[:-1]]),  # type: ignore[attr-defined]
        lambda: mine([X[:, 0], X[:, 1], y[:-1]], leaves),
        lambda: other.chosen(samples, [0]),  # type: ignore[attr-defined]
        lambda: other.addresses(samples),  # type: ignore[attr-defined]
    ):
        with pytest.raises(ValueError, match=r"another program|takes|must be|negative"):
            call()


def numbers_of_steps() -> None:
    program, X, y = problem()
    with program.descent(X, y) as step:
        assert step.run(0) == step.run(-5) == []
        with pytest.raises((MemoryError, ValueError, OverflowError)):
            step.run(2**62)
        step.run(2)


def changed_by_another_thread() -> None:
    program, X, y = problem(2000)
    shared = program, compile(tanh(Value(0.3) * Value(0.2))).native(threads=3)
    program.native(threads=3)
    stop, errors = threading.Event(), list[BaseException]()
    stored = X.copy()

    def change() -> None:
        k = 0
        while not stop.is_set():
            k += 1
            with suppress(ValueError):
                X.resize((1000, 2) if k % 2 else (2000, 2), refcheck=False)
            with suppress(ValueError):
                X[...] = stored * (1 + k % 3)
                X.shape = (4000,) if k % 3 else (2000, 2)
            for leaf in program.leaves[:3]:
                leaf.data = 0.1 * (k % 5)

    def run(k: int) -> None:
        for _ in range(60):
            try:
                with suppress(ValueError, TypeError):  # it had another shape just now
                    program.batch(X, y) if k % 2 else program.batch(stored[: 200 * k + 9], y[: 200 * k + 9])
                shared[1]()
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=change), *[threading.Thread(target=run, args=(k,)) for k in range(4)]]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    stop.set()
    threads[0].join()
    assert not errors


def single_precision_beyond_its_range() -> None:
    w = Value(1e300)
    X = np.array([1.0, 1e-300])
    program, double = (compile(lambda x: tanh(w * x) + w * 0.0, 1.0) for _ in range(2))
    value, (gradient,) = program.native("float32").batch(X)
    want, (slope,) = double.batch(X)
    assert value == pytest.approx(want, rel=1e-6)
    assert gradient == pytest.approx(slope, rel=1e-6, abs=0.0)
    assert program.batch(np.array([1e300, 1.0]), reduce="sum")[0] == 2.0
    with pytest.raises(ArithmeticError):
        program.descend(np.array([1.0, 1.0]), lr=1e300, steps=2)


MISUSES = (
    objects_that_lie,
    arrays_of_every_layout,
    a_resized_array,
    parameters_replaced,
    leaves_removed,
    a_graph_changed,
    samples_of_another_program,
    numbers_of_steps,
    changed_by_another_thread,
    single_precision_beyond_its_range,
)
