"""The forms of a program agree, and each is made once."""

import random

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, where
from autograd_lite.compiler import compile, forms
from autograd_lite.core.primitive import TABLE
from tests.compiler.common import agree
from tests.compiler.fuzz import close, eager, recipe
from tests.compiler.models import batches
from tests.exploring import EXPLORE, FIRST
from tests.sampling import POINTS, call

SEED = 20 + FIRST


@pytest.mark.parametrize("name", list(TABLE))
def test_every_row_in_every_form(name):
    row = TABLE[name]
    for point in POINTS[name]:
        values = [Value(x) for x in point]
        out = call(row, tuple(values)) if name != "where" else where(point[0] != 0.0, values[1], values[2])
        out.backward()
        want = [out.data, *[v.grad for v in values]]
        program = compile(lambda *x: call(row, x), *point)
        value, gradients = program(*point)
        got = [value, *(gradients if len(point) > 1 else [gradients])]
        columns = [np.array([x]) for x in point]
        with np.errstate(all="ignore"):
            value, gradients = program.function(np)(*columns)
        arrays = [float(np.ravel(x)[0]) for x in (value, *(gradients if len(point) > 1 else [gradients]))]
        for a, b, c in zip(want, got, arrays, strict=True):
            # Below 1e-300 there are fewer bits; scipy's erfc is good to 5e-14, and gelu' has a zero.
            assert b == a or abs(a - b) <= 1e-14 * abs(a) + 1e-307, (point, a, b)
            slack = (6e-14, 1e-16) if name == "gelu" else (1e-14, 1e-307)
            assert c == a or abs(a - c) <= slack[0] * abs(a) + slack[1], (point, a, c)


def test_random_programs_agree_in_every_form():
    names = list(TABLE)
    choose = random.Random(SEED)
    for case in range(2_000 if EXPLORE else 500):
        rows = [names[case % len(names)], *choose.choices(names, k=choose.randint(0, 6))]
        choose.shuffle(rows)
        x = [choose.uniform(-1.0, 1.0) for _ in range(choose.randint(1, 4))]
        program = recipe(FIRST + case, rows)
        value, gradient = eager(program, x)
        compiled = compile(program, x)
        scale = max(map(abs, gradient), default=0.0)
        got = compiled(x)
        assert close(got[0], value, 1.0, 1e-14), rows
        assert all(close(a, b, max(1.0, scale), 1e-14) for a, b in zip(got[1], gradient, strict=True)), rows
        with np.errstate(all="ignore"):
            values, gradients = compiled.batch(np.array([x, x]), reduce=None)
        assert close(values[1], value, 1.0, 1e-14), rows
        assert all(
            close(a, b, max(1.0, scale), 3e-14) for a, b in zip(gradients[1], gradient, strict=True)
        ), rows


def test_the_function_of_samples_is_made_once(monkeypatch):
    w = Value(2.0)
    program = compile(lambda x: w * x, 1.0)
    first = program.batch(np.ones(2), reduce=None)
    monkeypatch.setattr("autograd_lite.compiler.codegen.arrays.array_function", None)
    w.data = 3.0
    again = program.batch(np.ones(3), reduce=None)
    assert ([x.tolist() for x in first], [x.tolist() for x in again]) == (
        [[2.0, 2.0], [[1.0], [1.0]]],
        [[3.0, 3.0, 3.0], [[1.0], [1.0], [1.0]]],
    )


def test_a_long_chain_takes_the_tape():
    def f(x):
        y = x
        for _ in range(30_000):
            y = y * 1.0001 + 1e-6
        return y

    program = compile(f, 1.0)
    assert program.form == "tape"
    value, gradient = program(0.5)
    want = eager(lambda x: f(x[0]), [0.5])
    assert value == pytest.approx(want[0], rel=1e-12)
    assert gradient == pytest.approx(want[1][0], rel=1e-12)


def test_a_large_recorded_loss_runs_by_its_loops(monkeypatch):
    monkeypatch.setattr(forms, "STRAIGHT_LINE", 100)
    _, loss, _ = next(batches())
    program = compile(loss)
    assert program.form == "loops"
    loss.backward()
    value, gradients = program()
    agree([value, *gradients], [loss.data, *[leaf.grad for leaf in program.leaves]])


def test_operations_all_unlike_are_left_to_the_tape():
    """The source of logsumexp of 1, 2, 3, ... values grows with their square, and so do its loops."""
    w = [Value(0.01 * k) for k in range(150)]
    loss = ag.sum([ag.logsumexp(w[: k + 1]) for k in range(150)])
    program = compile(loss)
    assert program.form == "tape"
    loss.backward()
    assert program() == (loss.data, pytest.approx([leaf.grad for leaf in program.leaves], rel=1e-13))
    few = compile(ag.sum([ag.logsumexp(w[: k + 1]) for k in range(4)]))
    assert few.form == "source"
