"""Sums over the positions so far: many numbers of terms, and one loop."""

import random

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, dot, exp, tanh
from autograd_lite.compiler import compile
from tests.compiler.common import needs_cc

CHOOSE = random.Random(0)
W = [Value(CHOOSE.uniform(-1.0, 1.0), f"w{k}") for k in range(12)]


def prefixes(x):
    """Sums of products over the positions so far, as a list and as Python writes them."""
    return ag.sum([tanh(dot(W[:i], x[:i])) for i in range(1, len(x) + 1)])


def plain(x):
    return sum(tanh(sum(W[j] * x[j] for j in range(i))) for i in range(1, len(x) + 1))


def suffixes(x):
    return ag.sum([exp(-ag.sum([xi * xi for xi in x[i:]])) * W[i] for i in range(len(x))])


def signs(x):
    """Coefficients and signs that differ from term to term; products of three and squares."""
    total = 0.0
    for i in range(1, len(x) + 1):
        part = ag.sum([(-1.0) ** j * (0.5 + j) * W[j] * x[j] * W[j] for j in range(i)])
        total = total + part * part
    return total


def constants(x):
    """Terms without a variable, and sums of which some are one term."""
    return ag.sum([tanh(ag.sum([x[0]] * i)) * tanh(W[0] * i) for i in range(1, len(x) + 1)])


def attention(x):
    out = []
    for i in range(len(x)):
        e = [exp(x[i] * W[0] * x[j]) for j in range(i + 1)]
        norm = ag.sum(e)
        out.append(dot([ej / norm for ej in e], [W[1] * xj for xj in x[: i + 1]]))
    return ag.sum([o * o for o in out])


def gaps(x):
    """Not every number of terms occurs, and they come in no order."""
    return ag.sum(
        [tanh(dot(W[a : a + n], x[a : a + n])) for a, n in ((3, 2), (0, 9), (1, 1), (2, 5), (7, 2))]
    )


CASES = (prefixes, plain, suffixes, signs, constants, attention, gaps)


def eager(f, x):
    for leaf in W:
        leaf.grad = 0.0
    values = [Value(xi) for xi in x]
    out = f(values)
    out.backward()
    return [out.data, *[v.grad for v in values]], [w.grad for w in W]


def samples(n, m):
    choose = random.Random(n)
    return [[choose.uniform(-1.0, 1.0) for _ in range(n)] for _ in range(m)]


@pytest.mark.parametrize("f", CASES)
@pytest.mark.parametrize("n", [3, 4, 7, 12])
def test_every_form(f, n):
    if f is gaps and n < 12:
        n = 9
    x = samples(n, 3)
    program = compile(f, x[0])
    place = {leaf: k for k, leaf in enumerate(program.leaves)}
    want = [eager(f, xi) for xi in x]
    value = sum(by_x[0] for by_x, _ in want)
    by_leaf = np.sum([[g[W.index(leaf)] for leaf in program.leaves] for _, g in want], axis=0)
    assert len(place) == len(program.leaves)
    got = program.batch(np.array(x), reduce="sum")
    assert got[0] == pytest.approx(value, rel=1e-14)
    assert got[1] == pytest.approx(by_leaf, rel=1e-13, abs=1e-14)
    columns = [np.array(column) for column in zip(*x, strict=True)]
    loops = program._kernel("argument")(columns, [w.data for w in program.leaves])
    by_x = np.sum([by_x for by_x, _ in want], axis=0)
    assert [loops[0], *loops[1]] == pytest.approx(by_x, rel=1e-13, abs=1e-14)
    values = [Value(xi) for xi in x[0]]
    recorded = compile(f(values))
    value, gradient = recorded._kernel("leaf")([], [leaf.data for leaf in recorded.leaves])
    found = dict(zip(recorded.leaves, gradient, strict=True))
    assert value == pytest.approx(want[0][0][0], rel=1e-14)
    assert [found.get(v, 0.0) for v in values] == pytest.approx(want[0][0][1:], rel=1e-13, abs=1e-14)


@needs_cc
@pytest.mark.parametrize("f", CASES)
def test_machine_code(f):
    x = samples(9, 21)
    program = compile(f, x[0]).native()
    want = [eager(f, xi) for xi in x]
    for m in (1, 21):
        got = program.batch(np.array(x[:m]), reduce="sum")
        by_leaf = np.sum([[g[W.index(leaf)] for leaf in program.leaves] for _, g in want[:m]], axis=0)
        assert got[0] == pytest.approx(sum(by_x[0] for by_x, _ in want[:m]), rel=1e-14)
        assert got[1] == pytest.approx(by_leaf, rel=1e-13, abs=1e-14)
    values = [Value(xi) for xi in x[0]]
    recorded = compile(f(values)).native()
    value, gradient = recorded()
    found = dict(zip(recorded.leaves, gradient, strict=True))
    assert value == pytest.approx(want[0][0][0], rel=1e-14)
    assert [found.get(v, 0.0) for v in values] == pytest.approx(want[0][0][1:], rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("f", [prefixes, plain, suffixes, signs, attention])
def test_the_loops_do_not_grow_with_the_positions(f):
    sizes = [len(compile(f, [0.5] * n).loops.splitlines()) for n in (4, 8, 12)]
    assert max(sizes) - min(sizes) <= 4


def test_the_loops_show_their_lengths():
    (line,) = [line for line in compile(prefixes, [0.5] * 5).loops.splitlines() if " = sum(" in line][:1]
    assert line == "    dot0[i0] = sum(x[t] * w[t] for t in range(1 + i0))"
    (line,) = [line for line in compile(gaps, [0.5] * 12).loops.splitlines() if " = sum(" in line][:1]
    assert "for t in range(length[i0])" in line


def chains(x):
    """Chains of products over the positions so far, shorter than a loop: added up in their order."""
    return [sum(x[j] * x[7 + i * (i - 1) // 2 + j] for j in range(i)) for i in range(1, 8)]


def test_short_sums_round_as_written():
    choose = random.Random(5)
    program = compile(chains, [0.0] * 35)
    nests = program._loops("leaf", "array").nests
    assert [nest.exact for nest in nests if any(run.counts is not None for run in nest.products)] == [True]
    for _ in range(50):
        x = [choose.uniform(-1.0, 1.0) * 10.0 ** choose.randint(-3, 3) for _ in range(35)]
        found = program.batch(np.array([x, x]), reduce=None)
        assert [row[1] for row in found] == program(x) == chains(x)


@needs_cc
def test_short_sums_round_as_written_in_machine_code():
    choose = random.Random(6)
    program = compile(chains, [0.0] * 35).native()
    for _ in range(50):
        x = [choose.uniform(-1.0, 1.0) * 10.0 ** choose.randint(-3, 3) for _ in range(35)]
        found = program.batch(np.array([x] * 17), reduce=None)
        assert [row[16] for row in found] == [row[3] for row in found] == chains(x)


def test_two_lengths_are_two_loops():
    """Layers of different widths are not made one: that would cost them their matrix products."""
    v = [Value(0.1 * k) for k in range(8)]
    program = compile(lambda x: tanh(dot(v[:3], x[:3])) + tanh(dot(v[3:], x[3:])), [0.0] * 8)
    nests = program._nests("leaf", "array").nests
    assert not any(run.counts is not None for nest in nests for run in nest.products)
