"""`take` in every form of a program: a gather forward, a scatter-add backward, checked before it runs."""

import math
import pickle
import random
import shutil

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import (
    Embedding,
    TraceError,
    Value,
    cross_entropy,
    dot,
    exp,
    grad,
    jvp,
    log,
    take,
    tanh,
    where,
)
from autograd_lite.compiler import compile
from autograd_lite.compiler.loops.ir import SCATTER
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.core import rules
from tests.compiler.common import has_cc

needs_cc = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def values(choose, *shape):
    if not shape:
        return Value(choose.uniform(-1.0, 1.0))
    return [values(choose, *shape[1:]) for _ in range(shape[0])]


def letters():
    """Two embeddings that share a table, which also gives the scores: a gather, a scatter and a product."""
    choose = random.Random(0)
    w, p = values(choose, 5, 3), values(choose, 2, 3)

    def loss(i, j, y):
        h = [tanh(a * b + c) for a, b, c in zip(take(w, i), take(w, j), take(p, 1), strict=True)]
        return cross_entropy([dot(h, row) for row in w], y)

    return loss, (0, 0, 0), [(0, 0, 0), (4, 4, 4), (2, 3, 1), (-1, -2, 0), (3, 1, 4), (1, 1, 2), (-5, 4, 3)]


def mixed():
    """Tables of constants, of leaves, of results, of all of them at once; an index that is computed."""
    choose = random.Random(1)
    w, table = values(choose, 4), [[0.5, -1.0], [2.0, 0.25], [0.5, 0.75]]

    def loss(i, j):
        h = [exp(wi) for wi in w]
        a, b = take(table, j)
        return take(h, i) * a + take([*h, w[0], 2.0, *w], i + j) * b + take(w, i) * take([b, *h], 1 + i)

    return loss, (0, 0), [(0, 0), (1, 2), (3, 1), (2, 2), (0, 1), (3, 2)]


def chosen():
    """Within a branch of `where`, next to one that has no value."""
    choose = random.Random(2)
    w = values(choose, 3, 2)

    def loss(x, i):
        a, b = take(w, i)
        return where(x > 0.0, lambda: log(x) * a, lambda: b * b) + take([x, a, b], i)

    return loss, (1.0, 0), [(1.0, 0), (-1.0, 1), (0.0, 2), (2.5, -1), (-0.5, -3)]


def one_row():
    w = [[Value(0.5), Value(2.0)]]
    return lambda i, x: dot(take(w, i), [x, x * x]), (0, 1.0), [(0, 1.0), (-1, 2.0), (0, -3.0)]


CASES = (letters, mixed, chosen, one_row)


def eager(loss, leaves, sample):
    for leaf in leaves:
        leaf.grad = None
    out = loss(*sample)
    out.backward()
    return [out.data, *[leaf.grad or 0.0 for leaf in leaves]]


def forms(case):
    """The value and the gradient of each sample by the eager engine, and all that forms give for the same."""
    loss, example, samples = case()
    program = compile(loss, *example)
    leaves = program.leaves
    want = np.array([eager(loss, leaves, sample) for sample in samples])
    columns = [np.array(x, float) for x in zip(*samples, strict=True)]

    def called(program):
        rows = []
        for sample in samples:
            for leaf in leaves:
                leaf.grad = None
            rows.append([program.backward(*sample), *[leaf.grad for leaf in leaves]])
        return np.array(rows)

    def each(program):
        found, gradients = program.batch(*columns, reduce=None)
        return np.column_stack([found, gradients])

    def summed(program, *of):
        value, gradients = program.batch(*(of or columns), reduce="sum")
        return np.array([value, *gradients])

    yield "source", called(program), want
    yield "arrays", each(program), want
    yield "NumPy", summed(program), want.sum(axis=0)
    yield "loop", np.hstack(program.loop("leaf")(columns, [leaf.data for leaf in leaves])), want.sum(axis=0)
    tape = compile(loss, *example)
    if tape._tape is not None:
        numbers = [leaf.data for leaf in leaves]
        yield (
            "tape",
            np.array([np.hstack(tape._taped("leaf", [*map(float, s)], numbers)) for s in samples]),
            want,
        )
    yield "unpickled", called(pickle.loads(pickle.dumps(program)))[:, 0], want[:, 0]
    if shutil.which("gcc") or shutil.which("cc"):
        yield "C", summed(compile(loss, *example).native()), want.sum(axis=0)
        yield "C, each", each(compile(loss, *example).native()), want
        many = [np.tile(column, 19) for column in columns]  # whole blocks of vectors and the rest
        yield "C, blocks", summed(compile(loss, *example).native(), *many), 19.0 * want.sum(axis=0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_every_form(case):
    for form, got, want in forms(case):
        assert got == pytest.approx(want, rel=1e-13, abs=1e-14), form


@needs_cc
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_interpreted_and_single_precision(case, monkeypatch):
    loss, example, samples = case()
    columns = [np.array(x, float) for x in zip(*samples, strict=True)]
    want = compile(loss, *example).batch(*columns)
    single = compile(loss, *example).native("float32").batch(*columns)
    assert single[0] == pytest.approx(want[0], rel=1e-5)
    assert single[1] == pytest.approx(want[1], rel=1e-5, abs=1e-6)
    monkeypatch.setattr(native, "IRREGULAR", -1)
    assert compile(loss, *example).native().batch(*columns)[1] == pytest.approx(want[1], rel=1e-13, abs=1e-15)


def test_it_is_a_gather_and_a_scatter():
    """The loops do not grow with the table, and nothing compares the index with its rows."""
    sizes = []
    for rows in (3, 300):
        table = values(random.Random(0), rows, 4)
        program = compile(lambda i, x, table=table: tanh(dot(take(table, i), x)), 0, [0.0] * 4)
        nests = program._nests("leaf", "array").nests
        assert [nest.op for nest in nests].count(rules.entry) == 1
        assert [nest.op for nest in nests].count(SCATTER) == 1
        assert [nest.op for nest in nests if isinstance(nest.op, str) and nest.op != SCATTER] == ["lt"]
        sizes.append(len(program.loops.splitlines()))
    assert sizes[0] == sizes[1] < 25
    assert "entry1[i0] = w[i0 + 4 * int(wrapped0[0])]" in program.loops
    assert "[i0 + 4 * int(wrapped0[0])] += d_entry" in program.loops


def test_labels_do_not_grow_the_loops():
    sizes = []
    for classes in (4, 40):
        w = values(random.Random(0), classes, 2)
        program = compile(lambda x, y, w=w: cross_entropy([dot(row, x) for row in w], y), [0.0] * 2, 0)
        sizes.append(len(program._nests("leaf", "shown").nests))
    assert sizes[0] == sizes[1]


def wrong():
    w = values(random.Random(0), 3, 2)

    def loss(i, x):
        return dot(take(w, i["at"][1]), x)

    return loss, ({"at": [0, 0]}, [1.0, 1.0])


@pytest.mark.parametrize(
    ("index", "error", "said"),
    [
        (3, IndexError, r"i\['at'\]\[1\] is 3, but there are 3 rows, numbered from 0"),
        (-4, IndexError, r"i\['at'\]\[1\] is -4, but there are 3 rows"),
        (1e300, IndexError, r"but there are 3 rows"),
        (0.5, TypeError, r"i\['at'\]\[1\] must be a whole number, got float 0.5"),
        (math.nan, TypeError, r"i\['at'\]\[1\] must be a whole number, got float nan"),
        (math.inf, TypeError, r"i\['at'\]\[1\] must be a whole number, got float inf"),
        (True, TypeError, r"i\['at'\]\[1\] must be a real number, got bool True"),
    ],
)
def test_a_wrong_index_is_refused_by_name_and_changes_nothing(index, error, said):
    loss, example = wrong()
    given = {"at": [0, index]}
    program = compile(loss, *example)
    programs = [program, compile(loss, *example).native()] if has_cc else [program]
    batch = {"at": [[0, 0], [1, index]]}, [[1.0, 1.0], [1.0, 1.0]]
    for each in programs:
        before = [(leaf.data, leaf.grad) for leaf in each.leaves]
        for run in (
            lambda each=each: each(given, [1.0, 1.0]),
            lambda each=each: each.backward(given, [1.0, 1.0]),
            lambda each=each: each.batch(*batch, backward=True),
            lambda each=each: each.batch(*batch, reduce=None),
            lambda each=each: each.descend(*batch, steps=3),
        ):
            with pytest.raises(error, match=said):
                run()
        assert [(leaf.data, leaf.grad) for leaf in each.leaves] == before


def test_the_sample_is_named():
    loss, example = wrong()
    with pytest.raises(IndexError, match=r"^sample 1: i\['at'\]\[1\] is 7"):
        compile(loss, *example).batch({"at": [[0, 0], [0, 7]]}, [[1.0, 1.0]] * 2)


def test_the_text_refuses_a_wrong_index_by_itself():
    loss, example = wrong()
    names = {}
    program = compile(loss, *example)
    exec(program.source, names)
    run = names["loss"]
    leaves = [leaf.data for leaf in program.leaves]
    assert run({"at": [0, -1]}, [1.0, 2.0], leaves)[0] == program({"at": [0, 2]}, [1.0, 2.0])[0]
    with pytest.raises(IndexError, match=r"i\['at'\]\[1\] must be the number of one of 3 rows"):
        run({"at": [0, 3]}, [1.0, 2.0], leaves)


def test_rows_keep_their_containers():
    table = [([1.0, 2.0], 3.0), ([4.0, 5.0], 6.0)]
    program = compile(
        lambda i: [*take(table, i)[0], take(table, i)[1], *take(np.array([[1.0, 2.0]]), i - i)], 0
    )
    assert program(1) == [4.0, 5.0, 6.0, 1.0, 2.0]
    assert isinstance(take(table, 0), tuple)
    arrays = compile(lambda i: (take(np.array([[1.0, 2.0], [3.0, 4.0]]), i) * 2.0).tolist(), 0)
    assert arrays(1) == [6.0, 8.0]
    vector = compile(lambda i, x: take(np.array([1.0, 2.0]), i) * x, 0, 1.0)
    assert vector(1, 3.0)[0] == 6.0


def test_rows_that_differ_or_are_missing():
    for rows, said in ([[1.0, 2.0], [3.0]], r"of \[1, 2\] entries"), ([[1.0], 2.0], r"of \[-1, 1\] entries"):
        with pytest.raises(ValueError, match=f"built alike, got rows {said}"):
            compile(lambda i, rows=rows: take(rows, i)[0], 0)
    with pytest.raises(IndexError, match=r"^i numbers one of 0 rows"):
        compile(lambda i: take([], i), 0)


def test_second_derivatives():
    w = [Value(0.5), Value(-2.0), Value(3.0)]

    def f(x, i):
        return take([x * x * x, exp(x), x * w[1]], i) * take(w, i)

    for i in (0, 1, 2, -1):
        want = [grad(f)(0.7, i), grad(grad(f))(0.7, i), jvp(lambda x, i=i: f(x, i), (0.7,), (1.0,))[1]]
        want = [x.data if isinstance(x, Value) else x for x in want]
        one = compile(lambda x, i: grad(f)(x, i), 0.7, 0)
        two = compile(lambda x, i: grad(grad(f))(x, i), 0.7, 0)
        assert [one(0.7, i)[0], two(0.7, i)[0]] == pytest.approx(want[:2], rel=1e-14)
        assert one(0.7, i)[1][0] == pytest.approx(want[1], rel=1e-14)
        assert want[2] == pytest.approx(want[0], rel=1e-14)


def test_an_entry_that_cannot_be_differentiated_is_not_touched():
    program = compile(lambda x, i: take([ag.sqrt(x), x], i), 1.0, 1)
    assert program(0.0, 1) == (0.0, (1.0, 0.0))


def test_a_list_cannot_be_indexed_by_a_traced_value():
    rows = [1.0, 2.0]
    for f in (lambda i: rows[i], lambda i: sum(range(i)), lambda i: [0.0] * i):
        with pytest.raises(
            TraceError, match=r"test_take\.py:\d+: .* write take\(rows, index\).*static_argnums"
        ):
            compile(f, 0)


def test_embedding():
    table = Embedding(3, 2, rng=0)
    assert len(table.parameters()) == 6
    assert table(1) is table.w[1]
    assert repr(table) == "Embedding(3, 2)"
    assert [w.label for w in table(2)] == ["w2_0", "w2_1"]
    program = compile(lambda i, x: dot(table(i), x), 0, [0.0, 0.0])
    assert program.backward(2, [1.0, 0.0]) == table.w[2][0].data
    assert [w.grad for row in table.w for w in row] == [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    numbers = [w.data for w in Embedding(100, 100, rng=1).parameters()]
    assert abs(np.mean(numbers)) < 0.05
    assert np.std(numbers) == pytest.approx(1.0, abs=0.05)
    assert max(abs(w.data) for w in Embedding(9, 9, init="uniform", rng=1).parameters()) <= 1.0
    for count, size in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            Embedding(count, size)
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            table(wrong)


def test_a_wrong_index_in_a_branch_not_taken_is_not_read():
    w = values(random.Random(0), 3)

    def loss(x, i):
        return where(i < 3, lambda: take(w, i) * x, lambda: x * w[0])

    program = compile(loss, 1.0, 0)
    programs = [program, compile(loss, 1.0, 0).native()] if has_cc else [program]
    points = [(2.0, 1), (3.0, 9), (4.0, 2), (5.0, 1e300)]
    want = [2.0 * w[1].data, 3.0 * w[0].data, 4.0 * w[2].data, 5.0 * w[0].data]
    for each in programs:
        assert [each(x, i)[0] for x, i in points] == want
        assert each.batch(*zip(*points, strict=True), reduce=None)[0].tolist() == want
        assert each.batch(*zip(*points, strict=True), reduce="sum")[0] == pytest.approx(sum(want), rel=1e-15)


def test_functions_of_arrays_give_nan_for_a_wrong_index():
    w = values(random.Random(0), 3)
    run = compile(lambda x, i: take(w, i) * x, 1.0, 0).function(np)
    found, _ = run(np.ones(4), np.array([2.0, 3.0, -3.0, math.nan]), [wi.data for wi in w])
    assert np.isnan(found).tolist() == [False, True, False, True]
