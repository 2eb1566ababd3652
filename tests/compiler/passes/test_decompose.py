"""Rows that a target lacks are decomposed: at the edges, and rows of one's own."""

import itertools
import math

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, log1p, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.core.primitive import TABLE, primitive
from tests.compiler import nested_choices as nested_choices
from tests.compiler.common import needs_cc
from tests.compiler.fuzz import agrees
from tests.sampling import call

inf, nan = math.inf, math.nan


def edge_points(row):
    """Operands at the edges of floats that the row takes, with what the eager engine makes of them."""
    numbers = (0.0, -0.0, 1.0, inf, -inf, nan, 1e15) if row.arity is None else EDGES
    found = []
    for point in itertools.product(numbers, repeat=row.arity or 3):
        values = [Value(x) for x in point]
        try:
            out = call(row, tuple(values))
            out.backward()
        except (ArithmeticError, ValueError):
            continue
        found.append((point, [out.data, *[v.grad for v in values]]))
    return found


EDGES = (0.0, -0.0, 1.0, -1.0, inf, -inf, nan, math.ulp(0.0), -1e-310, 1e15, -745.5)


def same(a, b):
    if math.isfinite(a) and math.isfinite(b):
        return abs(a - b) <= 1e-13 * abs(b) + 1e-307
    return a == b or (math.isnan(a) and math.isnan(b))


ROWS = [row for row in TABLE.values() if row.name != "where"]


def test_a_row_of_ones_own_is_written_out_by_its_forward_function():
    sinc = primitive("sinc", lambda x: math.sin(x) / x, lambda out, x: ((ag.cos(x) - out) / x,))
    program = compile(lambda x: sinc(x) * 2.0, 1.0)
    assert program(2.0) == (math.sin(2.0), (math.cos(2.0) - math.sin(2.0) / 2.0))
    assert "sin(x) / x" in program.source
    w = Value(2.0)
    assert "sin(" in compile(lambda x: sinc(w * x), 1.0).c_source


def test_a_row_of_ones_own_has_its_name_to_itself():
    bent = primitive("bent", lambda x: x if x > 0.0 else 0.5 * x, lambda out, x: (where(x > 0.0, 1.0, 0.5),))
    w = Value(2.0, "bent")
    program = compile(lambda x: bent(x) * w, 1.0, name="bent")
    assert program.function()(-3.0, [2.0]) == (-3.0, 1.0)


def test_a_row_of_ones_own_that_branches_runs_as_it_is_and_has_no_form_in_c():
    def forward(x):
        return x if x > 0.0 else 0.5 * x

    bent = primitive("bent", forward, lambda out, x: (where(x > 0.0, 1.0, 0.5),))
    w = Value(2.0)
    program = compile(lambda x: bent(w * x), 1.0)
    assert program(-3.0) == (-3.0, 1.0)
    assert program.batch(np.array([-3.0, 1.0]), reduce="sum") == (-1.0, [-0.5])
    with pytest.raises(ValueError, match="bent"):
        program.native()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_edges_in_source(row):
    points = edge_points(row)
    program = compile(lambda x: call(row, tuple(x)), list(points[0][0]))
    for point, want in points:
        value, gradient = program(list(point))
        assert all(map(same, [value, *gradient], want)), (point, want, value, gradient)


@pytest.mark.parametrize(
    "form", ["NumPy", pytest.param("C", marks=needs_cc), pytest.param("C, interpreted", marks=needs_cc)]
)
def test_edges_in_every_form(form, monkeypatch):
    monkeypatch.setattr(toolchain, "FLAGS", (*toolchain.FLAGS, "-O0"))
    if form == "C, interpreted":
        monkeypatch.setattr(native, "IRREGULAR", -1)
    points = [edge_points(row) for row in ROWS]
    m = max(map(len, points))
    table = [[of_row[i % len(of_row)] for of_row in points] for i in range(m)]
    columns = [*np.array([[x for point, _ in line for x in point] for line in table]).T]
    example = [list(point) for point, _ in table[0]]
    # The gradients of a sum do not mix; its value would.
    gradients = compile(
        lambda x: ag.sum([call(r, tuple(xi)) for r, xi in zip(ROWS, x, strict=True)]), example
    )
    values = compile(lambda x: [call(r, tuple(xi)) for r, xi in zip(ROWS, x, strict=True)], example)
    found = []
    for program in (values, gradients):
        if form == "NumPy":
            found.append(program._each_in_numpy(columns, m, [], "argument"))
        else:
            machine = program._made("argument", ("float64", False, 1), True)
            found.append(machine.each_sample(machine.samples(columns), []).T)
    at = 1
    for k, row in enumerate(ROWS):
        n = len(example[k])
        for i in range(m):
            point, want = table[i][k]
            got = [found[0][k][i], *[g[i] for g in found[1][at : at + n]]]
            assert all(map(same, got, want)), (row.name, point, want, got)
        at += n


@needs_cc
def test_the_sign_of_a_zero_leaf_reaches_machine_code(monkeypatch):
    monkeypatch.setattr(native, "IRREGULAR", -1)
    w, v = Value(-0.0), Value(-1.0)
    program = compile(lambda x: ag.atan2(w, v) * x, 1.0).native()
    assert program.batch(np.array([1.0]), reduce="sum")[0] == -math.pi


def test_a_tie_of_scores_at_1e15():
    scores = [1e15, 1e15, 1e15 - 1.0]
    agrees(lambda *x: ag.softmax_cross_entropy(x, 1), scores)


def test_log1p_of_a_branch_keeps_its_digits():
    agrees(lambda x: where(x > -1.0, lambda: log1p(x), lambda: x), (1e-12,), (-3.0,))


def test_sigmoid_in_generated_python_is_the_eager_one_to_the_last_bit():
    # A constant that tracing folded is compared with a number that the program computes: they tie.
    chosen = compile(lambda x: where(ag.sigmoid(x) >= ag.sigmoid(-0.5), 3.0 * x, 5.0 * x), 1.0)
    assert chosen(-0.5) == (-1.5, 3.0)
    assert chosen(-0.5 - 1e-12)[1] == 5.0
    program = compile(ag.sigmoid, 1.0)
    for k in range(-8000, 8000):
        x = k / 10.1
        assert program(x)[0] == ag.sigmoid(x)
