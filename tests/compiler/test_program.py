"""Programs: agreement with the eager engine in every form, their source, errors, batches, processes."""

import copy
import gc
import importlib.util
import inspect
import json
import keyword
import linecache
import math
import operator
import pickle
import random
import shutil
import subprocess
import sys
import traceback
import unicodedata
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, exp, log, nn, relu, softmax_cross_entropy, sqrt, where
from autograd_lite.compiler import Program, TraceError, compile
from autograd_lite.compiler import kernels as program_module
from autograd_lite.compiler.codegen.printer import identifier
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.loops import lowering
from autograd_lite.core.primitive import TABLE, primitive
from autograd_lite.transforms.derivatives import grad, hessian, hvp
from tests.compiler.fuzz import close, eager, recipe
from tests.exploring import FIRST
from tests.sampling import POINTS, call

SEED = 20 + FIRST

HAS_CC = any(map(shutil.which, ("cc", "gcc", "clang")))
has_torch = importlib.util.find_spec("torch") is not None
has_jax = importlib.util.find_spec("jax") is not None


def demo(seed=1, sizes=(16, 16, 1)):
    random.seed(seed)
    model = nn.MLP(2, list(sizes))
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0.0, 1.0, -1.0)
    return model, X, y


def hinge(model):
    return lambda x, y: relu(1.0 - y * model(x))


# --- Agreement with the eager engine -----------------------------------------------------------------


@pytest.mark.parametrize("name", list(TABLE))
def test_every_row_in_every_form(name):
    row = TABLE[name]
    for point in POINTS[name]:
        values = [Value(x) for x in point]
        out = call(row, tuple(values)) if name != "where" else where(point[0] != 0.0, values[1], values[2])
        out.backward()
        want = [out.data, *[v.grad or 0.0 for v in values]]
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
    for case in range(2_000):
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


def test_nested_arguments_come_back_in_their_containers():
    def f(x, named):
        return x[0] * x[1][0] + x[1][1] * named["a"] + named["b"][0] ** 2

    program = compile(f, [1.0, (2.0, 3.0)], {"a": 4.0, "b": [5.0]})
    value, (dx, dnamed) = program([1.0, (2.0, 3.0)], {"a": 4.0, "b": [5.0]})
    assert value == 39.0
    assert dx == [2.0, (1.0, 4.0)]
    assert dnamed == {"a": 3.0, "b": [10.0]}


def test_arrays_are_arguments_too():
    program = compile(lambda x: x[0][0] * x[1][1] + x[0][1], np.ones((2, 2)))
    value, gradient = program(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert value == 6.0
    assert gradient.tolist() == [[4.0, 1.0], [0.0, 1.0]]


def test_a_constant_and_an_unused_argument_have_gradient_0():
    assert compile(lambda x: 3.0, 1.0)(2.0) == (3.0, 0.0)
    assert compile(lambda x, y: x, 1.0, 1.0)(2.0, 5.0) == (2.0, (1.0, 0.0))


def test_functions_of_several_numbers_give_their_values():
    assert compile(lambda x: [x, {"twice": 2.0 * x}], 1.0)(3.0) == [3.0, {"twice": 6.0}]


def test_higher_order():
    def f(v):
        return v[0] ** 2 * v[1] + exp(v[0] * v[1])

    x, v = [0.3, 0.4], [1.0, 2.0]
    assert compile(hessian(f), x)(x) == hessian(f)(x)
    assert compile(lambda x, v: hvp(f, x, v), x, v)(x, v) == hvp(f, x, v)
    g = compile(grad(lambda x: x**3), 1.0)
    assert g(2.0) == (12.0, 12.0)


def test_derivatives_inside_do_not_confuse_their_variables():
    assert compile(lambda x: x * grad(lambda y: x * y)(x), 1.0)(2.0) == (4.0, 4.0)
    w = Value(2.0)
    program = compile(lambda x: grad(lambda y: w * y * y)(x), 1.0)
    assert program(5.0) == (20.0, 4.0)
    w.data = 3.0
    assert program(5.0) == (30.0, 6.0)


def test_a_branch_not_taken_contributes_nothing():
    def f(x):
        return where(x > 0.0, lambda: sqrt(x) * log(x), lambda: 3.0 * x)

    program = compile(f, 1.0)
    assert program(0.0) == (0.0, 3.0)
    assert program(-1.0) == (-3.0, 3.0)
    values, slopes = program.batch(np.array([0.0, -1.0, 4.0]), reduce=None)
    assert values.tolist() == [0.0, -3.0, 2.0 * math.log(4.0)]
    assert slopes[:2].tolist() == [3.0, 3.0]
    assert compile(grad(f), 1.0)(0.0) == (3.0, 0.0)


def test_a_label_may_be_an_argument():
    program = compile(softmax_cross_entropy, [0.0] * 3, 0)
    for y in range(3):
        value, (slopes, _) = program([0.3, -1.0, 800.0], y)
        want, gradient = eager(lambda s: softmax_cross_entropy(s, y), [0.3, -1.0, 800.0])  # noqa: B023
        assert value == pytest.approx(want, rel=1e-14)
        assert slopes == pytest.approx(gradient, rel=1e-14)


# --- Leaves ------------------------------------------------------------------------------------------


def test_leaves_are_read_at_every_call():
    w = Value(2.0, "w")
    program = compile(lambda x: where(w > 3.0, w * x, w + x), 1.0)
    assert program(5.0) == (7.0, 1.0)
    w.data = 4.0
    assert program(5.0) == (20.0, 4.0)
    assert program.leaves == (w,)


def test_backward_fills_grad_as_the_eager_engine_does():
    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    loss = hinge(model)(X[0].tolist(), y[0])
    loss.backward()
    want = [p.grad or 0.0 for p in model.parameters()]
    model.zero_grad()
    assert program.backward(X[0].tolist(), y[0]) == pytest.approx(loss.data, rel=1e-14)
    assert [p.grad for p in model.parameters()] == pytest.approx(want, rel=1e-13, abs=1e-15)
    program.backward(X[0].tolist(), y[0], seed=2.0)
    assert [p.grad for p in model.parameters()] == pytest.approx(
        [3.0 * g for g in want], rel=1e-13, abs=1e-15
    )


def test_a_recorded_loss():
    x, w = Value(2.0, "x"), Value(3.0, "w")
    program = compile((x * w).tanh() * w)
    value, gradients = program()
    (x * w).tanh()
    loss = (x * w).tanh() * w
    loss.backward()
    assert value == pytest.approx(loss.data, rel=1e-15)
    assert gradients == pytest.approx([x.grad, w.grad], rel=1e-14)
    with pytest.raises(TraceError, match="where"):
        compile(where(x > 0.0, x, w))
    with pytest.raises(TypeError, match="no example"):
        compile(x * w, 1.0)


# --- Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if x > 0.0 else -x,
        lambda x: max(x, 1.0),
        lambda x: math.exp(x),
        lambda x: float(x),
        lambda x: [1.0, 2.0][x],
        lambda x: x.data * 2.0,
        lambda x: x * 2.0 if f"{x:.1f}" else x,
        lambda x: round(x),
    ],
)
def test_trace_error_names_the_line(f):
    with pytest.raises(TraceError) as raised:
        compile(f, 1.0)
    assert f"{__file__}:{f.__code__.co_firstlineno}: " in str(raised.value)


def test_what_hides_from_derivatives_is_refused():
    """A program that left it out would give a wrong gradient; one that kept its number, an old one."""
    w = Value(2.0)

    def paused(x):
        with ag.no_grad():
            scale = x * w
        return scale * x

    for f, name in (
        (paused, "no_grad"),
        (lambda x: x.detach() * x, "detach"),
        (lambda x: w.detach() * x, "detach"),
    ):
        with pytest.raises(TraceError, match=rf"test_program\.py:\d+: {name} within a traced function"):
            compile(f, 1.0)
    with ag.no_grad():
        program = compile(lambda x: w * w * x, 1.0)
        assert program.backward(3.0) == 12.0
        assert program.backward(3) == 12.0  # by the eager engine, which makes a float of it
    assert w.grad == 24.0


def test_a_task_that_outlives_the_trace_is_not_traced():
    """It keeps a copy of the context in which it was started."""
    contexts = []

    def f(x):
        contexts.append(copy_context())
        return x * x

    def work() -> tuple[Any, ...]:
        v = Value(2.0)
        with ag.no_grad():
            y = v * 3.0
        return (
            v > 1.0,
            v == Value(3.0),
            v != 2.0,
            bool(Value(0.0)),
            v.detach().data,
            y.operands,
            (v * v).operands == (v, v),
        )

    compile(f, 1.0)
    assert contexts
    for context in contexts:
        assert context.run(work) == (True, False, False, False, 2.0, (), True)


def test_trace_error_of_a_branch_names_where():
    with pytest.raises(TraceError, match="where"):
        compile(lambda x: x if x > 0.0 else -x, 1.0)


def test_a_leaf_in_a_branch_is_refused_too():
    w = Value(2.0)
    with pytest.raises(TraceError):
        compile(lambda x: x if w > 0.0 else -x, 1.0)
    assert w > 0.0  # and afterwards all is as before


@pytest.mark.parametrize(
    ("x", "error", "said"),
    [
        (0.0, ZeroDivisionError, "div"),
        (-1.0, ValueError, "log(x=-1.0"),
        ("a", TypeError, "x must be a real number"),
        ([1.0], TypeError, "x must be a real number"),
        (Value(1.0), TypeError, "data"),
    ],
)
def test_errors_are_located(x, error, said):
    program = compile(lambda x: log(x) + 1.0 / x, 1.0)
    with pytest.raises(error) as raised:
        program(x)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: 0.0 - x * y,
        lambda x, y: x * y - 0.0,
        lambda x, y: 0.0 + x * y,
        lambda x, y: x * y + 0.0,
        lambda x, y: x - (-y),
        lambda x, y: x + (-y),
        lambda x, y: -x + y,
        lambda x, y: ag.neg(-x) * y,
        lambda x, y: abs(-x) + abs(abs(y)),
        lambda x, y: x * 1.0 - 1.0 * y,
        lambda x, y: x * -1.0 + -1.0 * y,
        lambda x, y: x * 0.0 + y,
        lambda x, y: x / 1.0 - 1.0 / y,
        lambda x, y: x / -1.0 - -1.0 / y,
        lambda x, y: x**1 - y**2 + x**0,
    ],
)
def test_operations_that_do_little_give_what_the_engine_gives(f):
    program = compile(f, 1.0, 1.0)
    for numbers in ((0.7, -1.3), (-2.5, 0.4)):
        x, y = map(Value, numbers)
        out = f(x, y)
        out.backward()
        assert program(*numbers) == (out.data, (x.grad or 0.0, y.grad or 0.0))


def test_a_condition_and_a_constant_are_decided_while_tracing():
    def f(x):
        c = x > 0.0
        assert [c | True, True | c, c & False, False & c] == [True, True, False, False]
        assert all(d is c for d in (c | False, False | c, c & True, True & c))
        return where(c, x, 0.0)

    assert compile(f, 1.0)(2.0) == (2.0, 1.0)


def test_gradients_by_leaves_are_settled_by_the_eager_engine_too():
    w, v = Value(0.0), Value(2.0)
    program = compile(lambda x: sqrt(w) * x + v, 1.0)
    assert program.backward(3.0) == 2.0
    assert (w.grad, v.grad) == (math.inf, 1.0)


@pytest.mark.parametrize(("x", "value", "gradient"), [(2.0, 8.0, 12.0), (-2.0, 0.0, 0.0), (9.0, 27.0, 3.0)])
def test_a_large_program_with_choices_follows_them(monkeypatch, x, value, gradient):
    monkeypatch.setattr(program_module, "STRAIGHT_LINE", 1)
    w = Value(1.0)
    program = compile(lambda x: w * where(x > 0.0, lambda: where(x < 5.0, x**3, 3.0 * x), 0.0), 1.0)
    assert program.form == "tape"
    assert program(x) == (value, gradient)
    assert program.backward(x) == value
    assert w.grad == value
    monkeypatch.setattr(lowering, "MOST_GROUPS", 0)  # then samples, too, are run one by one
    means, gradients = program.batch([x, x], wrt="leaves")
    assert (float(means), *map(float, gradients)) == (value, value)


def test_what_overflows_in_the_source_alone_is_settled_by_the_eager_engine():
    assert compile(ag.sigmoid, 0.0)(-1000.0) == (0.0, 0.0)
    assert compile(sqrt, 1.0)(0.0) == (0.0, math.inf)


def test_a_result_that_is_not_finite_is_located():
    program = compile(lambda x, low, high: ag.clip(x, low, high) * x, 1.0, 0.0, 2.0)
    assert program(1.0, 0.0, 2.0)[0] == 1.0
    with pytest.raises(ValueError, match="lower bound"):
        program(1.0, 3.0, 2.0)
    assert (
        compile(lambda x: x * x, 1.0)(1e200)[0] == math.inf
    )  # as the eager engine has it, which raises nothing


def test_a_wrong_number_of_arguments():
    program = compile(lambda x, y: x * y, 1.0, 1.0)
    with pytest.raises(TypeError, match="2 arguments"):
        program(1.0)
    with pytest.raises(ValueError, match="2 parts"):
        compile(lambda x: x[0] * x[1], [1.0, 2.0])([1.0])


def test_what_is_no_float_is_made_one_or_refused():
    w = Value(2.0)
    program = compile(lambda x: x * w, 1.0)
    for number in (3, np.float32(3.0)):
        assert [type(x) for x in program(number)] == [float, float]
    assert program(np.float32(0.1))[0] == 2.0 * float(np.float32(0.1))
    for wrong in (Value(3.0), 1j, np.array([1.0, 2.0])):
        with pytest.raises(TypeError, match="x must be a real number"):
            program(wrong)
        with pytest.raises(TypeError, match="x must be a real number"):
            program.backward(wrong)
    assert w.grad is None


# --- Source ------------------------------------------------------------------------------------------


def test_source_runs_where_the_package_is_not(tmp_path):
    model, X, y = demo(sizes=(3, 1))
    cases = [
        (compile(lambda w, x: ag.sigmoid(w[0] * x + w[1]) ** 3, [0.1, 0.2], 0.3), [[0.5, -0.5], 2.0], None),
        (compile(lambda x: where(x > 0.0, lambda: log(x), lambda: ag.gelu(x)), 1.0), [0.5], None),
        (
            compile(hinge(model), [0.0, 0.0], 0.0),
            [X[0].tolist(), float(y[0])],
            [p.data for p in model.parameters()],
        ),
        *[(compile(recipe(k, [name]), [0.1, 0.2]), [[0.3, -0.4]], None) for k, name in enumerate(TABLE)],
    ]
    # All of them in one empty interpreter.
    script = "import json, sys\nresults = []\n"
    for program, arguments, leaves in cases:
        given = [*arguments, leaves] if leaves else arguments
        packed = json.dumps(json.dumps(given))
        script += f"{program.source}\nresults.append({program.name}(*json.loads({packed})))\n"
    script += "assert 'autograd_lite' not in sys.modules\nprint(json.dumps(results))\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    for found, (program, arguments, _) in zip(json.loads(done.stdout), cases, strict=True):
        assert found == json.loads(json.dumps(program(*arguments)))


def test_source_reads_as_code_by_a_person():
    def neuron(w, x, b):
        z = w[0] * x[0] + w[1] * x[1] + b
        z.label = "z"
        return ag.tanh(z)

    source = compile(neuron, [0.1, 0.2], [1.0, 2.0], 0.5).source
    assert "def neuron(w, x, b):" in source
    assert "    z = w_0 * x_0 + w_1 * x_1 + b" in source
    assert (
        source.index("# forward") < source.index("z = ") < source.index("# backward") < source.index("d_z = ")
    )
    assert "# ∂/∂z" in source
    assert all(len(line) <= 110 for line in source.splitlines())


def test_tracebacks_show_the_generated_line():
    program = compile(lambda x: 1.0 / x, 1.0)
    try:
        program._by_arguments(0.0)
    except ZeroDivisionError:
        assert "1.0 / x" in traceback.format_exc()
    assert inspect.getsource(program._by_arguments).startswith("def program(x):")


def test_lines_of_programs_that_are_gone_are_forgotten():
    def run():
        w = Value(2.0)
        program = compile(lambda x: w * x, 1.0)
        assert program(3.0) == (6.0, 2.0)
        assert program.batch(np.ones(3)) == (2.0, [1.0])
        return len(linecache.cache)

    gc.collect()
    before = len(linecache.cache)
    assert run() > before
    gc.collect()
    assert len(linecache.cache) == before


def test_labels_that_are_no_names():
    v = Value(1.0, "∂ x-1")
    w = Value(2.0, "class")
    u = Value(3.0, "exp")
    program = compile(lambda x: exp(x) * v + w * u, 1.0)
    assert program(0.0) == (7.0, 1.0)


ALIKE = [
    "ṽ",
    "ṿ",
    "˜",
    "̣",
    "v\u0303",
    "_\u0303",
    "˜ ",
    "ﬁ",
    "fi",
    "x₁",
    "x1",
    "ｘ1",
    "ª",
    "a",
    "µ",
    "μ",
    "ſ",
    "s",
    "ⅰf",
    "if",
]


def test_names_that_normalise_alike():
    """Trap 34: Python reads ﬁ and fi, and v with ˜ after it and ṽ, as one name."""
    leaves = [Value(2.0 + k, label) for k, label in enumerate(ALIKE)]
    total = ag.sum([x * x for x in leaves])
    want = ([x.data for x in leaves], total.data)
    for program in (compile(total), compile(lambda x: ag.sum([w * w for w in leaves]) * x, 1.0)):
        place = [leaves.index(leaf) for leaf in program.leaves]
        given = [1.0] * len(program.arguments)
        scope = {}
        exec(program.source, scope)
        out = scope[program.name](*given, [leaf.data for leaf in program.leaves])
        value, gradients = program.leaf_function(*given, [leaf.data for leaf in program.leaves])
        assert (out[0], value) == (want[1], want[1])
        assert gradients == [2.0 * want[0][k] for k in place]
        if program.arguments:
            assert program.batch([1.0, 1.0]) == (want[1], gradients)
            assert program.loop("leaf")([[1.0]], [leaf.data for leaf in program.leaves]) == (value, gradients)


@pytest.mark.parametrize("label", ALIKE)
def test_an_identifier_is_as_python_reads_it(label):
    taken = set()
    first, second = identifier(label, taken), identifier(label, taken)
    assert first != second
    for name in (first, second):
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert unicodedata.normalize("NFKC", name) == name


def test_a_row_of_ones_own_is_named_as_python_reads_it(own):
    row = primitive("ﬁrst", lambda x: 2.0 * x, lambda out, x: (2.0,))
    assert row.name == "first"
    assert compile(lambda x: row(x) * x, 1.0)(3.0) == (18.0, 12.0)


@pytest.mark.parametrize("label", ["w₁", "x²", "ﬁ", "class", "None", "_", "total_0", "①", "", "x" * 300])
def test_labels_of_any_kind(label):
    """The other leaf has a name that Python takes for the same as one of these."""
    v, w = Value(0.5, label), Value(3.0, "fi")
    loss = ag.tanh(v * w) + v
    loss.label = label
    loss.backward()
    value, gradients = compile(loss)()
    found = dict(zip(compile(loss).leaves, gradients, strict=True))
    assert (value, found[v], found[w]) == (loss.data, v.grad, w.grad)
    program = compile(lambda x: v * x + w, 1.0)
    assert program.loop("leaf")([[1.0, 2.0]], [v.data for v in program.leaves]) == (7.5, [3.0, 2.0])


@pytest.mark.parametrize("name", ["exp", "class", "None", "double", "main", "sums_over", "V", "θ", "x²"])
def test_names_that_a_program_cannot_have(name, tmp_path):
    w = Value(0.5)
    program = compile(lambda x: exp(x) * w, 1.0, name=name)
    assert program(0.0) == (0.5, 0.5)
    assert program.function(np)(0.0, [0.5]) == (0.5, 0.5)
    if shutil.which("cc"):
        (tmp_path / "program.c").write_text(program.c_source)
        command = ["cc", "-std=c99", "-pedantic", "-Werror", "-c", "program.c"]
        subprocess.run(command, cwd=tmp_path, check=True)


def test_parameters_whose_names_the_text_has_for_something_else():
    w = Value(2.0, "w")

    def hidden(exp, leaves, _, x):
        return ag.exp(exp) * leaves * _ * x[1] * w

    program = compile(hidden, 1.0, 1.0, 1.0, [1.0, 1.0])
    names = {}
    exec(program.source, names)
    want = (60.0, (60.0, 20.0, 12.0, [0.0, 60.0]))
    assert names["hidden"](0.0, 3.0, 5.0, [7.0, 1.0], [4.0]) == want
    w.data = 4.0
    assert program(0.0, 3.0, 5.0, [7.0, 1.0]) == want
    assert compile(lambda x2, *rest: x2 * rest[0], 1.0, 1.0)(2.0, 3.0) == (6.0, (3.0, 2.0))


def test_keys_of_any_kind():
    example = {f"the  key, number {k}  ": 1.0 for k in range(9)} | {(1, "a"): 1.0, "it's": 1.0, '"': 1.0}
    program = compile(lambda d: ag.sum([x * x for x in d.values()]), example)
    assert program(example) == (12.0, dict.fromkeys(example, 2.0))
    with pytest.raises(TypeError, match="example d has the key inf, which"):
        compile(lambda d: d[math.inf], {math.inf: 1.0})
    with pytest.raises(TypeError, match="d must be a dict with the keys"):
        compile(lambda d: d["a"] * 2.0, {"a": 1.0})({"b": 1.0})


# --- Primitives of one's own --------------------------------------------------------------------------


@pytest.fixture
def own():
    made = []

    def make(name, *args, **kwargs):
        made.append(name)
        return primitive(name, *args, **kwargs)

    yield make
    for name in made:
        TABLE.pop(name, None)


def test_a_row_of_ones_own_is_written_out_by_its_forward_function(own):
    sinc = own("sinc", lambda x: math.sin(x) / x, lambda out, x: ((ag.cos(x) - out) / x,))
    program = compile(lambda x: sinc(x) * 2.0, 1.0)
    assert program(2.0) == (math.sin(2.0), (math.cos(2.0) - math.sin(2.0) / 2.0))
    assert "sin(x) / x" in program.source
    w = Value(2.0)
    assert "sin(" in compile(lambda x: sinc(w * x), 1.0).c_source


def test_a_row_of_ones_own_has_its_name_to_itself(own):
    bent = own("bent", lambda x: x if x > 0.0 else 0.5 * x, lambda out, x: (where(x > 0.0, 1.0, 0.5),))
    w = Value(2.0, "bent")
    program = compile(lambda x: bent(x) * w, 1.0, name="bent")
    assert program.function()(-3.0, [2.0]) == (-3.0, 1.0)


def test_a_row_of_ones_own_that_branches_runs_as_it_is_and_has_no_form_in_c(own):
    def forward(x):
        return x if x > 0.0 else 0.5 * x

    bent = own("bent", forward, lambda out, x: (where(x > 0.0, 1.0, 0.5),))
    w = Value(2.0)
    program = compile(lambda x: bent(w * x), 1.0)
    assert program(-3.0) == (-3.0, 1.0)
    assert program.batch(np.array([-3.0, 1.0]), reduce="sum") == (-1.0, [-0.5])
    with pytest.raises(ValueError, match="bent"):
        program.native()


# --- Batches -----------------------------------------------------------------------------------------


def test_batches_agree_with_the_eager_engine():
    model, X, y = demo()
    total = ag.mean([hinge(model)(x, t) for x, t in zip(X.tolist(), y.tolist(), strict=True)])
    total.backward()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    want = [p.grad for p in program.leaves]
    value, gradients = program.batch(X, y)
    assert value == pytest.approx(total.data, rel=1e-14)
    assert gradients == pytest.approx(want, rel=1e-13, abs=1e-15)
    model.zero_grad()
    assert program.batch(X, y, backward=True) == value
    assert [p.grad for p in program.leaves] == gradients
    values, each = program.batch(X, y, reduce=None)
    assert values.mean() == pytest.approx(total.data, rel=1e-14)
    assert each.mean(axis=0) == pytest.approx(want, rel=1e-13, abs=1e-15)
    assert each.shape == (100, 337)
    loop = program.loop("leaf")(*[program.checked_columns((X, y))[0], [p.data for p in program.leaves]])
    assert loop[0] / 100 == pytest.approx(value, rel=1e-14)
    assert [g / 100 for g in loop[1]] == pytest.approx(gradients, rel=1e-13, abs=1e-15)


def test_batches_by_the_arguments():
    program = compile(lambda x, y: x[0] * x[1] + y, [0.0, 0.0], 0.0)
    X, y = np.arange(6.0).reshape(3, 2), np.ones(3)
    values, (dX, dy) = program.batch(X, y, reduce=None)
    assert values.tolist() == [1.0, 7.0, 21.0]
    assert dX.tolist() == X[:, ::-1].tolist()
    assert dy.tolist() == [1.0] * 3
    mean, (dX, _) = program.batch(X.tolist(), y.tolist())
    assert mean == pytest.approx(29.0 / 3.0)
    assert dX == pytest.approx(X[:, ::-1] / 3.0)


def test_batches_that_do_not_fit():
    program = compile(lambda x, y: x[0] * x[1] + y, [0.0, 0.0], 0.0)
    for X, y, said in (
        (np.ones((3, 3)), np.ones(3), "x must be of shape"),
        (np.ones((3, 2)), np.ones(4), "number of samples"),
        (np.ones((0, 2)), np.ones(0), "no samples"),
    ):
        with pytest.raises(ValueError, match=said):
            program.batch(X, y)
    with pytest.raises(ValueError, match="reduce"):
        program.batch(np.ones((3, 2)), np.ones(3), reduce="max")


@pytest.mark.parametrize("machine", [False, True])
def test_a_batch_that_holds_no_numbers_is_refused(machine):
    """None was NaN to NumPy, a text its number, and a complex number its real part."""
    w = Value(2.0)
    program = compile(lambda x, y: w * x[0] * x[1] * y, [1.0, 1.0], 1.0)
    if machine:
        if not shutil.which("cc"):
            pytest.skip("there is no C compiler")
        program.native()
    for wrong in (None, "1", 1j, Value(1.0)):
        for rows in ([[1.0, wrong]] * 3, np.array([[1.0, wrong]] * 3)):
            with pytest.raises(TypeError, match=r"x\[\d\] must be a real number, got"):
                program.batch(rows, np.ones(3))
        with pytest.raises(TypeError, match="y must be a real number, got"):
            program.batch(np.ones((3, 2)), [wrong] * 3)
    for rows in (None, 1.0, [[1.0, 2.0], [1.0]], {1.0}):
        with pytest.raises(ValueError, match="x must "):
            program.batch(rows, np.ones(3))
    large = 10**30  # no integer of NumPy's
    assert program.batch([[1.0, large]], [1])[0] == 2e30
    assert program.batch(np.array([[1.0, large]], object), [1])[0] == 2e30


def test_the_sample_that_goes_wrong_is_named():
    program = compile(lambda x: log(x), 1.0)
    with pytest.raises(ValueError, match=r"sample 2: log\(x=-1.0\)"):
        program.batch(np.array([1.0, 2.0, -1.0]), reduce=None)
    w = Value(1.0)
    program = compile(lambda x: log(w * x), 1.0)
    with pytest.raises(ValueError, match=r"sample 1: log"):
        program.batch(np.array([1.0, -2.0]), backward=True)
    assert w.grad is None
    program = compile(lambda x: ag.log2(w) * x, 1.0)
    w.data = 0.0
    for reduce in ("sum", None):
        with pytest.raises(ValueError, match=r"sample 0: log2"):
            program.batch(np.array([1.0, -2.0]), reduce=reduce)


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


def test_a_leaf_on_a_branch_not_taken_contributes_nothing_to_a_sample():
    w = Value(1.0)
    program = compile(lambda x: where(w > 0.0, lambda: 1.0 / w, lambda: 3.0 * w) * x, 1.0)
    w.data = 0.0
    values, gradients = program.batch(np.array([1.0, 2.0]), reduce=None)
    assert (values.tolist(), gradients.tolist()) == ([0.0, 0.0], [[3.0], [6.0]])


@pytest.mark.parametrize("module", ["numpy", "torch", "jax.numpy"])
def test_functions_of_a_namespace(module):
    namespace = pytest.importorskip(module)
    if module == "jax.numpy":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    choose = random.Random(3)
    as_array = (
        (lambda a: namespace.tensor(a, dtype=namespace.float64)) if module == "torch" else namespace.asarray
    )
    programs = {name: recipe(case, [name]) for case, name in enumerate(TABLE)}
    programs["two numbers"] = lambda x: where(x[0] > 0.0, 0.1, 0.3) * where(x[1] > 0.0, 0.7, 0.9) * x[1]
    for name, f in programs.items():
        program = compile(f, [0.0, 0.0])
        x = [[choose.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(2)]
        with np.errstate(all="ignore"):
            values, gradients = program.function(namespace)([as_array(np.array(xi)) for xi in x])
        for k in range(3):
            value, gradient = eager(f, [x[0][k], x[1][k]])
            assert float(np.broadcast_to(values, 3)[k]) == pytest.approx(value, rel=3e-14, abs=1e-14), name
            for g, want in zip(gradients, gradient, strict=True):
                assert float(np.broadcast_to(g, 3)[k]) == pytest.approx(want, rel=3e-13, abs=1e-14), name


@pytest.mark.skipif(not has_torch, reason="PyTorch is not installed")
def test_training_agrees_with_pytorch():
    import torch

    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    layers = []
    for layer in model.layers:
        linear = torch.nn.Linear(len(layer.neurons[0].w), len(layer.neurons), dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(
                torch.tensor([[w.data for w in n.w] for n in layer.neurons], dtype=torch.float64)
            )
            linear.bias.copy_(torch.tensor([n.b.data for n in layer.neurons], dtype=torch.float64))
        layers.append(linear)
    tX, ty = torch.tensor(X), torch.tensor(y)
    for step in range(100):
        lr = 1.0 - 0.9 * step / 100
        h = tX
        for k, linear in enumerate(layers):
            h = torch.relu(linear(h)) if k < 2 else linear(h)
        squares = torch.stack([(p**2).sum() for linear in layers for p in linear.parameters()]).sum()
        loss = torch.relu(1.0 - ty * h[:, 0]).mean() + 1e-4 * squares
        for linear in layers:
            linear.zero_grad()
        loss.backward()
        with torch.no_grad():
            for linear in layers:
                for p in linear.parameters():
                    p -= lr * p.grad
        _, gradients = program.batch(X, y)
        for p, g in zip(program.leaves, gradients, strict=True):
            p.data = p.data - lr * (g + 2e-4 * p.data)
    for layer, linear in zip(model.layers, layers, strict=True):
        for neuron, row, bias in zip(
            layer.neurons, linear.weight.tolist(), linear.bias.tolist(), strict=True
        ):
            assert [w.data for w in neuron.w] == pytest.approx(row, rel=1e-9, abs=1e-12)
            assert neuron.b.data == pytest.approx(bias, rel=1e-9, abs=1e-12)


# --- Copies and pickles ------------------------------------------------------------------------------

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("model_first", [True, False])
def test_a_model_and_its_program_stay_together(copied, model_first):
    """Trap 33: within one copy, or one pickle, the leaves of a program are those of its model."""
    model, X, y = demo(sizes=(3, 1))
    optimizer = ag.GradientDescent(model.parameters(), lr=0.1)
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    program.batch(X, y, backward=True)
    given = (model, program, optimizer)
    made = copied(given if model_first else given[::-1])
    model2, program2, optimizer2 = made if model_first else made[::-1]
    leaves = set(model2.parameters())
    assert leaves == {*program2.leaves} == {*optimizer2.parameters}
    assert leaves.isdisjoint(program.leaves)
    assert [x.grad for x in program2.leaves] == [x.grad for x in program.leaves]
    before = program2.batch(X, y)
    assert before == program.batch(X, y)
    optimizer2.step()
    assert program2.batch(X, y) != before == program.batch(X, y)
    assert program2.batch(X, y)[0] == pytest.approx(
        math.fsum(hinge(model2)([*x], t).data for x, t in zip(X, y, strict=True)) / len(X), rel=1e-12
    )


def test_copies_of_one_program_alone():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    program = compile(a * b + a)
    shallow = copy.copy(program)
    assert all(x is y for x, y in zip(shallow.leaves, program.leaves, strict=True))
    shallow.backward()
    assert (a.grad, b.grad) == (4.0, 2.0)
    first, second = copy.deepcopy([program, program])
    assert first is second


@pytest.mark.parametrize("copied", [*COPIES.values(), copy.copy], ids=[*COPIES, "copy"])
def test_copies_after_the_text_was_asked_for(copied):
    a, b = Value(2.0, "a"), Value(3.0, "b")
    for program in (compile(a * b + a), compile(lambda x: a * b + a * x, 1.0)):
        text = program.source
        again = copied(program)
        given = [1.0] * len(program.arguments)
        assert again.source == text
        assert again(*given) == program(*given)


# --- Pickles ----------------------------------------------------------------------------------------


def test_a_program_pickles_small():
    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    again = pickle.loads(pickle.dumps(program))
    assert isinstance(again, Program)
    assert again.batch(X, y) == program.batch(X, y)
    assert again.leaves[0] is not program.leaves[0]
    assert len(program.packed) < 60_000


# --- Large graphs ------------------------------------------------------------------------------------


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


# --- As mathematics ----------------------------------------------------------------------------------


def test_latex():
    def loss(x, y):
        z = ag.dot([Value(2.0, "w_1"), 0.5], x)
        z.label = "z"
        return 0.5 * ag.square(z - y)

    text = compile(loss, [1.0, 2.0], 3.0).latex
    assert text.startswith(r"\begin{aligned}")
    assert text.endswith(r"\end{aligned}")
    assert r"z &= w_{1} \cdot x_{0} + 0.5 \cdot x_{1} \\" in text
    assert r"\mathrm{loss} &= 0.5 \cdot v_{1}^{2} \\" in text
    assert r"\frac{\partial \mathrm{loss}}{\partial y} &= -v_{1}" in text
    chosen = compile(lambda x: where((x > 0.0) & ~(x > 2.0) | (x < -1.0), x * 2.0, x), 1.0).latex
    assert r"\begin{cases}" in chosen
    assert all(sign in chosen for sign in (r"\wedge", r"\vee", r"\neg", "x > 0"))
    recorded = compile((Value(2.0, "a") * Value(3.0)).tanh()).latex
    assert r"\partial a" in recorded
    several = compile(lambda x: [x * 2.0, ag.sum([x, -x, 3.0])], 1.0, name="f").latex
    assert r"f_{1} &= x \cdot 2 \\" in several


# --- Conditions --------------------------------------------------------------------------------------


def test_conditions_combine_and_count():
    def f(x):
        inside = (x > 0.0) & (x < 2.0)
        outside = ~inside | (x == 5.0)
        return (
            where(inside, lambda: ag.sqrt(x), lambda: -x)
            + 10.0 * outside
            + (x >= 1.0) * (x <= 3.0) * 100.0
            + (x != 1.0)
        )

    program = compile(f, 1.0)
    for x in (-1.0, 0.5, 1.0, 2.5, 5.0):
        inside = 0.0 < x < 2.0
        want = (
            (math.sqrt(x) if inside else -x)
            + 10.0 * (not inside or x == 5.0)
            + 100.0 * (1.0 <= x <= 3.0)
            + (x != 1.0)
        )
        assert program(x) == (want, 0.5 / math.sqrt(x) if inside else -1.0)
        values, _ = program.batch(np.array([x, x]), reduce=None)
        assert values.tolist() == [want] * 2


def test_the_eager_engine_settles_programs_with_conditions():
    def f(x):
        return where((x > 0.0) | ~(x < -1.0), lambda: ag.sigmoid(-1000.0 * x), lambda: 1.0 / (x + 2.0))

    program = compile(f, 1.0)
    assert program(1.0) == (0.0, 0.0)
    assert program(-4.0) == (-0.5, -0.25)
    with pytest.raises(ZeroDivisionError, match="div"):
        program(-2.0)


def test_what_both_branches_use_is_under_no_condition():
    def f(x, y):
        z = ag.sin(x)
        return where(x > y, lambda: z * y, lambda: where(y > 1.0, lambda: z - y, lambda: z * z))

    program = compile(f, 1.0, 2.0)
    assert program.source.count("cos(") == 1
    assert " or " not in program.source  # x > y, or not x > y
    for x, y in ((3.0, 2.0), (1.0, 2.0), (0.0, 0.5)):
        want, slopes = eager(lambda v: f(*v), [x, y])
        value, gradient = program(x, y)
        assert (value, *gradient) == pytest.approx((want, *slopes), rel=1e-15)
    never = compile(lambda x: where((x > 0.0) & ~(x > 0.0), 1.0, x), 1.0)
    always = compile(lambda x: where((x > 0.0) | ~(x > 0.0), 2.0 * x, x), 1.0)
    for x in (-5.0, 5.0):
        assert never(x) == (x, 1.0)
        assert always(x) == (2.0 * x, 2.0)


def every_form(program, *point):
    """The value and the gradient at a point, as every form of a program gives them."""
    yield program(*point)
    forms = [program, program.native()] if HAS_CC else [program]
    for form in forms:
        values, gradients = form.batch(*[np.array([x, x]) for x in point], reduce=None)
        gradients = gradients if len(point) > 1 else [gradients]
        for sample in (0, 1):
            slopes = [gradient[sample] for gradient in gradients]
            yield values[sample], tuple(slopes) if len(point) > 1 else slopes[0]


@pytest.mark.parametrize(
    ("condition", "at_minus_2", "at_2"),
    [
        (lambda c: c & True, False, True),
        (lambda c: True & c, False, True),
        (lambda c: c & False, False, False),
        (lambda c: False & c, False, False),
        (lambda c: c | True, True, True),
        (lambda c: True | c, True, True),
        (lambda c: c | False, False, True),
        (lambda c: False | c, False, True),
        (lambda c: c * True, False, True),
        (lambda c: True * c, False, True),
        (lambda c: c * False, False, False),
        (lambda c: ~c & True, True, False),
        (lambda c: ~(c | False), True, False),
        (lambda c: 1.0 - c, True, False),
    ],
)
def test_conditions_with_plain_truth(condition, at_minus_2, at_2):
    program = compile(lambda x: where(condition(x > 0.0), 3.0 * x, x * x), 1.0)
    for x, holds in ((-2.0, at_minus_2), (2.0, at_2)):
        want = (3.0 * x, 3.0) if holds else (x * x, 2.0 * x)
        found = [*every_form(program, x)]
        assert found == [want] * len(found)


@pytest.mark.parametrize("op", ["and", "or"])
@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_a_constant_in_a_condition_settles_it_or_goes(op, truth):
    """As the first operand and as the second."""
    graph = Graph()
    condition = graph.add("gt", (graph.input("argument", 0, "x"), graph.constant(0.5)))
    constant = graph.constant(truth)
    settled = truth == (op == "or")
    for operands in ((constant, condition), (condition, constant)):
        assert graph.add(op, operands) == (constant if settled else condition)


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparisons_below_at_and_above(name):
    """With a number on either side, and with another traced value; a condition counts as 0 or 1, too."""
    compare = getattr(operator, name)
    programs = [
        (compile(lambda x: where(compare(x, 1.0), 3.0 * x, x * x), 1.0), 1),
        (compile(lambda x: where(compare(1.0, x), 3.0 * x, x * x), 1.0), 1),
        (compile(lambda x: where(~compare(x, 1.0), x * x, 3.0 * x), 1.0), 1),
        (compile(lambda x, y: where(compare(x, y), 3.0 * x, x * y), 1.0, 1.0), 2),
        (compile(lambda x, y: compare(x, y) * 3.0 * x + compare(x, y), 1.0, 1.0), 2),
    ]
    for x in (0.5, 1.0, 1.5):
        holds, turned = compare(x, 1.0), compare(1.0, x)
        wants = [
            (3.0 * x, 3.0) if holds else (x * x, 2.0 * x),
            (3.0 * x, 3.0) if turned else (x * x, 2.0 * x),
            (3.0 * x, 3.0) if holds else (x * x, 2.0 * x),
            (3.0 * x, (3.0, 0.0)) if holds else (x, (1.0, x)),
            (3.0 * x + 1.0, (3.0, 0.0)) if holds else (0.0, (0.0, 0.0)),
        ]
        for (program, count), want in zip(programs, wants, strict=True):
            found = [*every_form(program, *(x, 1.0)[:count])]
            assert found == [want] * len(found), x


# --- Shapes of arguments ------------------------------------------------------------------------------


def test_named_tuples_and_dicts():
    import collections

    Point = collections.namedtuple("Point", "x y")
    program = compile(lambda p, d: p.x * p.y + d["a"], Point(1.0, 2.0), {"a": 1.0})
    value, (dp, dd) = program(Point(3.0, 4.0), {"a": 5.0})
    assert (value, tuple(dp), dd) == (17.0, (4.0, 3.0), {"a": 1.0})
    values, (dp, dd) = program.batch(
        np.array([[3.0, 4.0], [1.0, 1.0]]), {"a": np.array([5.0, 1.0])}, reduce=None
    )
    assert values.tolist() == [17.0, 2.0]
    assert dp.tolist() == [[4.0, 3.0], [1.0, 1.0]]
    assert dd["a"].tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="dict with the keys"):
        program(Point(3.0, 4.0), [5.0])
    with pytest.raises(TypeError, match="dict of batches"):
        program.batch(np.ones((2, 2)), [5.0])


def test_ragged_arguments():
    program = compile(lambda x: x[0] * x[1][0] * x[1][1], [1.0, [2.0, 3.0]])
    values, gradients = program.batch([[1.0, [2.0, 3.0]], [4.0, [5.0, 6.0]]], reduce=None)
    assert values.tolist() == [6.0, 120.0]
    assert gradients[0].tolist() == [6.0, 30.0]
    assert gradients[1].tolist() == [[3.0, 2.0], [24.0, 20.0]]
    with pytest.raises(ValueError, match="2 parts a sample"):
        program.batch([[1.0, [2.0], 3.0], [4.0, [5.0], 6.0]])
    with pytest.raises(TypeError, match="must hold 2 parts"):
        program([1.0, 2.0])


def test_what_an_example_may_not_be():
    with pytest.raises(TypeError, match="without axes"):
        compile(lambda x: x, np.array(1.0))
    with pytest.raises(TypeError, match="the example x"):
        compile(lambda x: x, "a")
    with pytest.raises(TypeError, match="what the function returned"):
        compile(lambda x: "a", 1.0)


def test_misuse_is_refused():
    several = compile(lambda x: [x, x], 1.0)
    with pytest.raises(TypeError, match="only one number has a gradient"):
        several.backward(1.0)
    with pytest.raises(TypeError, match="reduce=None"):
        several.batch(np.ones(3))
    assert [v.tolist() for v in several.batch(np.ones(2), reduce=None)] == [[1.0, 1.0]] * 2
    one = compile(lambda x: x * x, 1.0)
    for options in ({"wrt": "x"}, {"backward": True}):
        with pytest.raises(ValueError, match=r"wrt|backward"):
            one.batch(np.ones(3), **options)
    with pytest.raises(TypeError, match="1 batches"):
        one.batch(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="threads"):
        one.native(threads=0)
    with pytest.raises(ValueError, match="float16"):
        one.native("float16")
    with pytest.raises(TypeError, match="takes no arguments"):
        compile(Value(1.0) * 2.0).batch()
    assert repr(one) == "<program program(x): 1 operations, 0 leaves>"


def test_traced_values_stay_within_their_trace():
    kept = []
    compile(lambda x: kept.append(x) or x, 1.0)
    with pytest.raises(TraceError, match="one trace"):
        compile(lambda y: y * kept[0], 1.0)
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="within one trace"):
            use(kept[0])
    assert repr(kept[0]) == "<traced 'argument'>"
    with pytest.raises(TypeError):
        kept[0] + "a"
    assert (kept[0] == "a") is False


# --- Machines without NumPy ----------------------------------------------------------------------------


@pytest.fixture
def no_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)


def test_without_numpy_a_batch_is_a_loop(no_numpy):
    model, X, y = demo_without_numpy()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    total = ag.mean([hinge(model)(x, t) for x, t in zip(X, y, strict=True)])
    total.backward()
    want = [p.grad or 0.0 for p in program.leaves]
    value, gradients = program.batch(X, y)
    assert value == pytest.approx(total.data, rel=1e-14)
    assert gradients == pytest.approx(want, rel=1e-13, abs=1e-15)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'autograd-lite\[fast\]'"):
        program.batch(X, y, reduce=None)
    w = Value(1.0)
    with pytest.raises(ValueError, match="sample 1: log"):
        compile(lambda x: log(w * x), 1.0).batch([1.0, -1.0])
    nested = compile(lambda d, x: d["u"] * d["v"][0] * x[1][0] * w, {"u": 1.0, "v": [1.0]}, [1.0, [1.0]])
    assert nested.batch({"u": [2.0, 3.0], "v": [[1.0], [2.0]]}, [[0.0, [1.0]]] * 2) == (4.0, [4.0])
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        program.descend(X, y)
    with pytest.raises(ValueError, match="differ in their number of samples"):
        program.batch(X, y[:-1])
    with pytest.raises(ValueError, match="x must hold 2 parts a sample"):
        program.batch([[1.0]] * len(y), y)
    with pytest.raises(ValueError, match="no samples"):
        program.batch([], [])
    with pytest.raises(TypeError, match="x must hold samples, got None"):
        program.batch(None, y)
    assert compile(lambda x: ag.sigmoid(w * x), 1.0).batch([-1000.0, 0.0], reduce="sum") == (0.5, [0.0])


def demo_without_numpy():
    choose = random.Random(0)
    X = [[choose.uniform(-1.0, 1.0) for _ in range(2)] for _ in range(12)]
    return nn.MLP(2, [4, 1], rng=0), X, [1.0 if a > b else -1.0 for a, b in X]
