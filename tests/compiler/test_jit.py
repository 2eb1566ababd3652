"""`jit`: traced once for each structure; numbers, Values and derivatives are those of the function."""

import collections
import copy
import functools
import math
import pickle
import random

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import (
    MLP,
    Adam,
    Embedding,
    Module,
    TraceError,
    Value,
    compile,
    cross_entropy,
    dot,
    exp,
    grad,
    gradients,
    hessian,
    jacobian,
    jit,
    jvp,
    log,
    no_grad,
    take,
    tanh,
    topological_order,
    value_and_grad,
    vjp,
    where,
)
from autograd_lite.compiler import jitted as module
from autograd_lite.compiler.runtime import library, toolchain
from autograd_lite.notation.reader import to_latex
from tests.compiler.common import needs_cc

Point = collections.namedtuple("Point", "x y")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def counted(function):
    """The function under `jit`, with the number of its traces in ``traces``."""

    @functools.wraps(function)
    def traced(*arguments, **named):
        found.traces += 1
        return function(*arguments, **named)

    found = jit(traced)
    found.traces = 0
    return found


def area(p, scale=1.0):
    return p["a"][0] * p["a"][1] * scale + tanh(p["b"])


# --- Structures ------------------------------------------------------------------------------------


def test_it_is_traced_once_for_each_structure():
    total = counted(lambda x: ag.sum([xi * xi for xi in x]))
    assert [total([1.0, 2.0]), total([3.0, 4.0]), total((3.0, 4.0)), total([1.0] * 3)] == [
        5.0,
        25.0,
        25.0,
        3.0,
    ]
    assert total.traces == 3
    assert total([2, 3]) == 13.0  # whole numbers, which may be indices
    assert total(np.array([2.0, 3.0])) == 13.0
    assert total.traces == 5
    assert repr(total) == "<jit of <lambda>: 5 programs>"


@pytest.mark.parametrize(
    "given",
    [
        (Point(2.0, 3.0),),
        ({"a": [1.0, (2.0,)], "b": None},),
        ([np.float64(1.5), np.int64(2), 3],),
        (np.array([[1.0, 2.0], [3.0, 4.0]]),),
        ([],),
        (5.0, [1, 2.5], {"k": 7}),
    ],
    ids=repr,
)
def test_arguments_and_results_keep_their_containers(given):
    def same(*arguments):
        return [arguments, 1.0]

    if any(part is None for x in given if isinstance(x, dict) for part in x.values()):
        assert jit(lambda p: (p["a"], p["b"] is None and 2.0))(*given) == (given[0]["a"], 2.0)
        return
    found = jit(same)(*given)
    assert repr(found) == repr(
        [tuple([np.array(x, float) if hasattr(x, "shape") else floats(x) for x in given]), 1.0]
    )


def test_an_array_without_axes():
    assert jit(lambda x: x * 2.0)(np.array(2.0)) == 4.0


def floats(x):
    if isinstance(x, dict):
        return {key: floats(part) for key, part in x.items()}
    if isinstance(x, list):
        return [*map(floats, x)]
    return x._make(map(floats, x)) if isinstance(x, tuple) else float(x)


def test_named_and_static_arguments():
    @counted
    def repeated(x, *, times=1.0):
        return x * times

    assert [repeated(2.0), repeated(2.0, times=3.0), repeated(5.0, times=4.0)] == [2.0, 6.0, 20.0]
    assert repeated.traces == 2
    power = jit(lambda x, n, name: x**n if name == "power" else sum([x] * n), static_argnums=(1, -1))
    assert [power(2.0, 3, "power"), power(2.0, 3, "sum"), power(3.0, 2, "power")] == [8.0, 6.0, 9.0]
    assert repr(power).endswith("3 programs>")
    # 1 and 1.0 are equal, but not one static argument.
    assert [jit(lambda n: type(n)(2) * 1.0, static_argnums=0)(n) for n in (1, 1.0)] == [2.0, 2.0]
    kinds = jit(lambda x, n: x if isinstance(n, int) else -x, static_argnums=1)
    assert [kinds(2.0, 1), kinds(2.0, 1.0)] == [2.0, -2.0]
    with pytest.raises(TypeError, match=r"^the static argument n must be hashable, got list \[3\]$"):
        jit(lambda x, n: x, static_argnums=1)(1.0, [3])


def test_as_a_decorator():
    @jit
    def f(x):
        """Say what f does."""
        return x * x

    @jit(static_argnums=1)
    def g(x, n):
        return x * n

    class Model(Module):
        def __init__(self, w):
            self.w = Value(w, "w")

        @jit
        def __call__(self, x):
            return self.w * x

    assert (f.__name__, f.__doc__, f(3.0), g(3.0, 2)) == ("f", "Say what f does.", 9.0, 6.0)
    one, two = Model(2.0), Model(3.0)
    assert [one(5.0).data, two(5.0).data, one(7.0).data] == [10.0, 15.0, 14.0]
    assert repr(Model.__call__).endswith("2 programs>")
    one(5.0).backward()
    assert (one.w.grad, two.w.grad) == (5.0, 0.0)
    with pytest.raises(TypeError, match=r"^jit takes a function, got int 3$"):
        jit(3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((1.0, "a"), r"^y is neither a number nor a Value: str 'a'; give the position .* static_argnums"),
        ((True, 1.0), r"^x is neither a number nor a Value: bool True"),
        ((1.0, {"k": [0.0, object]}), r"^y\['k'\]\[1\] is neither a number nor a Value: type"),
        ((1.0, np.array([True])), r"^y\[0\] is neither a number nor a Value: bool True"),
    ],
)
def test_what_is_no_argument(given, said):
    with pytest.raises(TypeError, match=said):
        jit(lambda x, y: x)(*given)


# --- Control flow ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "cure"),
    [
        (lambda x: x if x > 0 else -x, r"where\(condition, x, y\).*static_argnums"),
        (lambda x: x * sum(range(x)), r"take\(rows, index\).*static_argnums"),
        (lambda x: [1.0, 2.0][x], r"take\(rows, index\)"),
        (lambda x: float(x), "functions of autograd_lite.*static_argnums"),
        (lambda x: math.exp(x), "functions of autograd_lite"),
        (lambda x: x.data, "functions of autograd_lite"),
    ],
)
@pytest.mark.parametrize("given", [1, 1.0, Value(1.0)], ids=repr)
def test_python_numbers_that_steer_are_refused_with_line_and_cure(function, cure, given):
    with pytest.raises(TraceError, match=rf"test_jit\.py:{function.__code__.co_firstlineno}: .*{cure}"):
        jit(function)(given)


def test_a_static_count_is_the_cure():
    assert jit(lambda x, n: x * sum(range(n)), static_argnums=1)(2.0, 4) == 12.0


@pytest.mark.parametrize("given", [1.0, Value(1.0)], ids=repr)
def test_an_index_must_be_whole_as_in_eager_code(given):
    with pytest.raises(TypeError, match="must be a whole number, got"):
        take([1.0, 2.0], given)
    with pytest.raises(TypeError, match=r"^i must be a whole number, got a (float|Value)$"):
        jit(lambda i: take([1.0, 2.0], i))(given)
    assert jit(lambda i: take([1.0, 2.0], i))(np.int32(1)) == 2.0


def test_errors_of_the_engine_name_the_argument():
    w = Value(2.0, "w")
    f = jit(lambda tokens, x: take([w, 3.0], tokens["at"][1]) * log(x))
    with pytest.raises(IndexError, match=r"^tokens\['at'\]\[1\] is 2, but there are 2 rows"):
        f({"at": [0, 2]}, 1.0)
    with pytest.raises(ValueError, match=r"^log\(x=-1\.0\)"):
        f({"at": [0, 1]}, -1.0)
    assert f({"at": [0, 0]}, 2.0).data == 2.0 * math.log(2.0)


# --- Derivatives -----------------------------------------------------------------------------------


def test_derivatives_are_those_of_the_function():
    p, q = {"a": [0.5, -1.5], "b": 0.25}, {"a": [1.0, 2.0], "b": -3.0}
    f = jit(area)
    assert f(p) == area(p)
    for got, want in ((grad(f)(p), grad(area)(p)), (value_and_grad(f)(p, 2.0)[1], grad(area)(p, 2.0))):
        assert got["a"] == want["a"]
        assert got["b"] == pytest.approx(want["b"], rel=1e-15)
    assert grad(f, 1)(p, 2.0) == grad(area, 1)(p, 2.0)
    assert jvp(f, (p,), (q,)) == pytest.approx(jvp(area, (p,), (q,)), rel=1e-15)
    assert vjp(f, p)[1](2.0)[0]["a"] == vjp(area, p)[1](2.0)[0]["a"]
    for got, want in ((hessian(f)(p), hessian(area)(p)), (hessian(f)(q), hessian(area)(q))):
        assert got["b"]["b"] == pytest.approx(want["b"]["b"], rel=1e-15)
        assert got["a"] == want["a"]
    third = [grad(grad(grad(g)))(0.3) for g in (jit(lambda x: exp(x * x)), lambda x: exp(x * x))]
    assert third[0] == pytest.approx(third[1], rel=1e-14)
    several = [jacobian(g)([0.5, 2.0]) for g in (jit(pair), pair)]
    assert several[0] == several[1]


def pair(x):
    return [x[0] * x[1], exp(x[0])]


def test_jit_of_a_derivative_and_within_another():
    inner = jit(lambda x: x * x * x)
    assert jit(grad(inner))(2.0) == 12.0
    assert jit(lambda x: inner(x) + inner(2.0 * x))(1.0) == 9.0
    assert grad(jit(lambda x: inner(x) * x))(2.0) == 32.0
    assert compile(lambda x: inner(x), 2.0)(2.0) == (8.0, 12.0)
    w = Value(3.0)
    scaled = jit(lambda x: w * x)
    program = compile(lambda x: scaled(x) + scaled(1.0), 2.0)  # the weight is read at every call
    w.data = 5.0
    assert program(2.0)[0] == 15.0


def test_one_value_twice_and_one_from_outside():
    w = Value(3.0)
    f = jit(lambda x, y: x * y * y * w)
    got = f(w, w)
    got.backward()
    assert (got.data, w.grad) == (81.0, 4.0 * 27.0)
    slope = gradients(f(w, w), w, record=True)
    assert gradients(slope, w) == 12.0 * 9.0


def test_data_changed_after_recording():
    x = Value(2.0, "x")
    y = jit(lambda x: x * x * x)(x)
    x.data = 5.0
    y.backward()
    assert x.grad == 12.0
    with pytest.raises(ValueError, match="data was changed after recording"):
        gradients(y, x, record=True)


# --- Models ----------------------------------------------------------------------------------------


def test_parameters_of_a_model_are_leaves():
    model, twin = MLP(2, [4, 3], rng=0), MLP(2, [4, 3], rng=0)
    choose = random.Random(0)
    points = [([choose.uniform(-1, 1), choose.uniform(-1, 1)], k % 3) for k in range(12)]
    closed = counted(lambda x, y: cross_entropy(model(x), y))
    given = counted(lambda model, x, y: cross_entropy(model(x), y))
    optimizers = Adam(model.parameters(), lr=0.1), Adam(twin.parameters(), lr=0.1)
    for step, (x, y) in enumerate(points):
        loss = closed(x, y) if step % 2 else given(model, x, y)
        want = cross_entropy(twin(x), y)
        assert loss.data == pytest.approx(want.data, rel=1e-12)
        for out, optimizer in zip((loss, want), optimizers, strict=True):
            optimizer.zero_grad()
            out.backward()
            optimizer.step()
    assert (closed.traces, given.traces) == (1, 1)
    assert [p.data for p in model.parameters()] == pytest.approx(
        [p.data for p in twin.parameters()], rel=1e-9
    )
    given(twin, *points[0])
    assert given.traces == 2


def test_results_without_gradients():
    model = MLP(2, [4, 3], "tanh", rng=0)
    f = counted(lambda x: model(x))
    eager = [y.data for y in model([0.5, -1.0])]
    with no_grad():
        found = f([0.5, -1.0])
    assert [y.data for y in found] == pytest.approx(eager, rel=1e-15)
    assert [y.operands for y in found] == [()] * 3
    ag.sum(f([0.5, -1.0])).backward()  # several numbers: the function itself runs
    assert f.traces == 2
    assert model.parameters()[0].grad != 0.0


def test_other_lengths_of_a_sequence():
    table = Embedding(5, 3, rng=0)

    @counted
    def loss(tokens):
        h = [0.0] * 3
        for token in tokens:
            h = [tanh(a + b) for a, b in zip(h, table(token), strict=True)]
        return dot(h, table.w[0])

    for tokens in ([1, 2], [4, 4], [0], [3, 0, -1], [0, -5]):
        got = loss(tokens)
        got.backward()
        mine = [w.grad for w in table.parameters()]
        table.zero_grad()
        want = loss.__wrapped__.__wrapped__(tokens)
        want.backward()
        assert got.data == pytest.approx(want.data, rel=1e-15)
        assert mine == pytest.approx([w.grad for w in table.parameters()], rel=1e-14, abs=1e-17)
        table.zero_grad()
    assert loss.traces == 3


# --- Nodes -----------------------------------------------------------------------------------------


def test_the_node_of_a_compiled_function():
    w = Value(0.5, "w")
    f = jit(lambda x: tanh(w * x))
    y = f(2.0)
    assert y.operands == (2.0, w)
    assert y.partials[0] is None
    assert topological_order(y) == [w, y]
    assert r"\operatorname{program}" in to_latex(y)
    for again in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert again.data == y.data
        again.backward()
        leaf = again.operands[1]
        assert leaf.grad == pytest.approx(2.0 * (1.0 - math.tanh(1.0) ** 2), rel=1e-15)
        assert gradients(again, leaf, record=True).data == pytest.approx(leaf.grad, rel=1e-15)


def test_numbers_that_are_not_finite_are_settled_by_the_engine():
    w = Value(1.0, "w")
    f = jit(lambda x: where(x > 0.0, lambda: log(x) * w, w * w))
    assert [f(-1.0).data, f(math.e).data] == [1.0, 1.0]
    big = jit(lambda x: exp(x * w))
    with pytest.raises(OverflowError, match=r"^exp\(1000\.0\)"):
        big(1000.0)
    with no_grad(), pytest.raises(OverflowError, match=r"^exp\(1000\.0\)"):
        big(1000.0)
    assert math.isnan(f(math.nan * 1.0).data) is False  # nan > 0 does not hold


# --- Machine code ----------------------------------------------------------------------------------


@needs_cc
def test_large_functions_run_as_machine_code(monkeypatch):
    monkeypatch.setattr(module, "NATIVE", 1)
    model = MLP(2, [4, 1], "tanh", rng=0)
    f = jit(lambda x, i: model(x) * take([1.0, 2.0], i) + log(x[0]))
    want = model([0.5, -1.0]) * 2.0 + log(0.5)
    want.backward()
    slopes = [p.grad for p in model.parameters()]
    model.zero_grad()
    got = f([0.5, -1.0], 1)
    got.backward()
    assert f.program([0.5, -1.0], 1).is_native
    assert got.data == pytest.approx(want.data, rel=1e-15)
    assert [p.grad for p in model.parameters()] == pytest.approx(slopes, rel=1e-14)
    with no_grad():
        assert f([0.5, -1.0], 1).data == pytest.approx(want.data, rel=1e-15)
    alone = jit(lambda x: exp(x) * 2.0)
    assert alone(0.5) == 2.0 * math.exp(0.5)
    assert grad(alone)(0.5) == 2.0 * math.exp(0.5)
    for run in (f, no_grad()(f)):
        with pytest.raises(IndexError, match=r"^i is 2, but there are 2 rows"):
            run([0.5, -1.0], 2)
        with pytest.raises(ValueError, match=r"^log\(x\[0\]=-0\.5\)"):
            run([-0.5, -1.0], 0)
    nothing = jit(lambda: model([1.0, 2.0]))
    assert nothing().data == pytest.approx(model([1.0, 2.0]).data, rel=1e-15)


@pytest.mark.parametrize("problem", [RuntimeError("gcc fails"), ValueError("my_row has no form in C")])
def test_a_program_that_cannot_be_machine_code_runs_in_python(monkeypatch, problem):
    def fails(*arguments, **options):
        raise problem

    monkeypatch.setattr(module, "NATIVE", 1)
    monkeypatch.setattr(module, "_has_compiler", lambda: True)
    monkeypatch.setattr("autograd_lite.compiler.program.Program.native", fails)
    w = Value(2.0)
    f = jit(lambda x: w * x)
    assert [f(3.0).data, f(4.0).data] == [6.0, 8.0]


def test_without_a_compiler(monkeypatch):
    monkeypatch.setattr(module, "compilers", lambda: (_ for _ in ()).throw(module.NoCompilerError("none")))
    module._has_compiler.cache_clear()
    try:
        assert not module._has_compiler()
    finally:
        module._has_compiler.cache_clear()


# --- Steps -----------------------------------------------------------------------------------------


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
@pytest.mark.parametrize("kind", [ag.SGD, ag.Adam])
def test_steps_on_samples_of_several_structures(machine, kind, monkeypatch):
    monkeypatch.setattr(module, "NATIVE", 1 if machine else 10**9)
    documents = [[1, 2], [4, 4], [0], [3, 0, -1], [0, -5], [2]]
    found = []
    for steps in (False, True):
        table = Embedding(5, 3, rng=0)

        def loss(tokens, table=table):
            h = [0.1] * 3
            for token in tokens:
                h = [tanh(a + b) for a, b in zip(h, table(token), strict=True)]
            return dot(h, table.w[0])

        optimizer = kind(table.parameters(), 0.1)
        f = jit(loss)
        if steps:
            losses = f.descend(documents, optimizer=optimizer)
            with f.descent(documents, optimizer=optimizer) as step:
                losses += step.over([[5], [0], [3]])
                losses += step.over([[0, 1, 4]])
        else:
            losses = []
            for batch in ([0], [1], [2], [3], [4], [5], [5], [0], [3], [0, 1, 4]):
                out = sum(f(documents[i]) for i in batch) / len(batch)
                optimizer.zero_grad()
                out.backward()
                optimizer.step()
                losses.append(out.data)
        found.append((losses, [p.data for p in table.parameters()], [p.grad for p in table.parameters()]))
    for got, want in zip(*found, strict=True):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-15)


def test_steps_that_cannot_be_taken():
    w = Value(2.0)
    f, optimizer = jit(lambda x, y: (w * x - y) ** 2), ag.SGD([w], 0.1)
    with pytest.raises(ValueError, match=r"same number of samples, got \[2, 1\]"):
        f.descend([1.0, 2.0], [1.0], optimizer=optimizer)
    with pytest.raises(ValueError, match="same number of samples"):
        f.descend(optimizer=optimizer)
    with pytest.raises(ValueError, match="no samples"):
        f.descend([], [], optimizer=optimizer)
    with pytest.raises(TypeError, match="one holds a Value"):
        f.descend([1.0], [w], optimizer=optimizer)
    with pytest.raises(TypeError, match="nothing to move"):
        jit(lambda x: x * x).descend([1.0], optimizer=optimizer)
    with pytest.raises(TypeError, match="2 numbers"):
        jit(lambda x: [w * x, w]).descend([1.0], optimizer=optimizer)
    assert w.data == 2.0


def test_steps_on_samples_without_numbers():
    w = Value(2.0)
    optimizer = ag.SGD([w], 0.25)
    f = jit(lambda choice: (w - choice) ** 2, static_argnums=0)
    assert f.descend([1, 3, 1], optimizer=optimizer) == [1.0, 2.25, 1.5625]
    assert w.data == pytest.approx(1.625, rel=1e-15)


@needs_cc
def test_machine_code_of_jit_is_laid_out_for_one_sample(monkeypatch):
    """No vectors of samples, of which all but one would be copies; batches give the same numbers."""
    monkeypatch.setattr(module, "NATIVE", 1)
    texts, flags = [], []
    build = library.build

    def noted(text, more=()):
        texts.append(text)
        flags.append(more)
        return build(text, more)

    monkeypatch.setattr(library, "build", noted)
    model = MLP(3, [5, 1], "tanh", rng=0)
    f = jit(lambda x: model(x) ** 2)
    value = f([0.5, -1.0, 2.0])
    assert "vector_size" not in texts[-1]
    assert flags[-1] == toolchain.SINGLE
    rows = np.linspace(-1.0, 1.0, 33).reshape(11, 3)
    got = f.program([0.5, -1.0, 2.0]).batch(rows)
    wide = compile(lambda x: model(x) ** 2, [0.0] * 3).native()
    assert "vector_size" in texts[-1]
    want = wide.batch(rows)
    assert got[0] == pytest.approx(want[0], rel=1e-14)
    assert got[1] == pytest.approx(want[1], rel=1e-13)
    assert value.data == pytest.approx(wide.batch([[0.5, -1.0, 2.0]])[0], rel=1e-14)
