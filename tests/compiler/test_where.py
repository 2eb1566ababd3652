"""Choices in compiled programs: nested ones, errors in branches, and edges, alike in every form."""

import itertools
import math
import pickle

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, cos, exp, log, log1p, sin, sqrt, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.core.primitive import TABLE
from autograd_lite.transforms.derivatives import grad, hessian, hvp, vjp
from tests.compiler import nested_choices as nested_choices
from tests.compiler.fuzz import eager
from tests.sampling import call

inf, nan = math.inf, math.nan


def agrees(f, *points):
    """Whether source and arrays give what the eager engine gives; the source must not fail."""
    program = compile(lambda x: f(*x), list(points[0]))
    for point in points:
        value, gradient = eager(lambda x: f(*x), list(point))
        got = program.function()(list(point))
        assert got[0] == pytest.approx(value, rel=1e-14)
        assert got[1] == pytest.approx(gradient, rel=1e-14)
        values, gradients = program.batch(np.array([point, point]), reduce=None)
        assert values[1] == pytest.approx(value, rel=1e-14)
        assert [*gradients[1]] == pytest.approx(gradient, rel=1e-14)


no = nested_choices.CONDITIONS["not"]


# --- Nested choices ----------------------------------------------------------------------------------


def test_a_where_within_a_branch_counts_only_if_the_branch_is_taken():
    f = lambda x, y: where(x > 0.0, lambda: 2.0 * where(y > 1.0, y, 0.0), x)  # noqa: E731
    assert compile(f, 1.0, 1.0)(-1.0, 3.0) == (-1.0, (1.0, 0.0))
    assert compile(f, 1.0, 1.0)(1.0, 3.0) == (6.0, (0.0, 2.0))
    assert compile(f, 1.0, 1.0)(1.0, 0.5) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize("lazy", [True, False])
def test_conditions_within_conditions(lazy):
    def f(x, y):
        inside = where((x > 0.0) & no(y > 2.0) | (y < -1.0), lambda: x * y, lambda: y) if lazy else x * y
        outer = where(y > 0.0, (lambda: sin(inside)) if lazy else sin(inside), cos(x))
        return where(no(x > 1.0), outer, where(x > 3.0, inside, outer * inside))

    agrees(f, *itertools.product((-2.0, 0.5, 1.5, 4.0), (-3.0, -0.5, 1.0, 2.5)))


def test_an_inner_condition_fails_where_its_branch_is_not_taken():
    def f(x, y):
        return where(x > 0.0, lambda: where(log(x) > y, lambda: sqrt(log(x) - y), lambda: log(x)), y)

    assert compile(f, 1.0, 1.0).function()(-1.0, 2.0) == (2.0, (0.0, 1.0))
    value, gradient = compile(f, 1.0, 1.0).function()(math.e, 0.0)
    assert (value, *gradient) == pytest.approx((1.0, 0.5 / math.e, -0.5))


def test_a_choice_between_choices_that_no_input_takes():
    program = compile(lambda x: where(x > 0.0, lambda: where(x > 0.0, x, 1.0 / (x - x)), x * 2.0), 1.0)
    assert program(3.0) == (3.0, 1.0)
    assert program(-3.0) == (-6.0, 2.0)


def test_a_program_with_impossible_conditions_passes_nothing_on():
    def f(x, y):
        never = (x > 0.0) & no(x > 0.0)
        return where(x > y, lambda: where(never, lambda: log(y), x), y)

    agrees(f, (2.0, -1.0), (-2.0, -1.0))


@pytest.mark.parametrize("name", ["abs", "relu", "leaky_relu", "maximum", "minimum", "clip", "sign"])
def test_kinks_within_branches(name):
    def kink(x, y):
        return {"leaky_relu": lambda: ag.leaky_relu(x, 0.1), "clip": lambda: ag.clip(x, -0.5, y)}.get(
            name, lambda: TABLE[name](x, y) if TABLE[name].arity == 2 else TABLE[name](x)
        )()

    def f(x, y):
        return where(
            x > -1.0, lambda: where(y > 0.5, lambda: kink(x, y) * y, lambda: kink(y, x * x + 1.0)), y * x
        )

    agrees(f, *itertools.product((-2.0, -0.7, 0.0, 0.3, 2.0), (0.4, 0.6, 2.0)))


@pytest.mark.parametrize("singular", [log, sqrt, lambda x: 1.0 / x, ag.asin, lambda x: x**0.5])
def test_a_singular_node_used_twice_in_a_branch_not_taken(singular):
    def f(x):
        return where(x > 0.0, lambda: (lambda s: s * s + sin(s))(singular(x)), lambda: x * x * x)

    slope, bend = grad(f), grad(grad(f))
    for g in (f, slope, bend):
        program = compile(g, 0.5)
        for x in (-2.0, 0.0, 0.5):
            value, (gradient,) = eager(lambda v, g=g: g(v[0]), [x])
            assert program.function()(x) == pytest.approx((value, gradient), rel=1e-13), x
            values, gradients = program.batch(np.array([x, x]), reduce=None)
            assert (values[0], gradients[0]) == pytest.approx((value, gradient), rel=1e-13), x


def test_hessians_and_products_with_them_through_choices():
    def f(v):
        x, y = v
        return where(
            x > y, lambda: where(y > 0.0, lambda: sqrt(y) * x * x, lambda: exp(x * y)), lambda: x * y**3
        )

    for x in ([2.0, 1.0], [2.0, 0.0], [2.0, -1.0], [-1.0, 2.0]):
        assert compile(hessian(f), [2.0, 1.0])(x) == [pytest.approx(row, rel=1e-14) for row in hessian(f)(x)]
        program = compile(lambda x: hvp(f, x, [1.0, -2.0]), [2.0, 1.0])
        assert program(x) == pytest.approx(hvp(f, x, [1.0, -2.0]), rel=1e-14)


def test_a_pullback_of_several_numbers_within_a_program():
    def f(x, y):
        _, pull = vjp(lambda a, b: [where(a > 0.0, lambda: sqrt(a) * b, b), a * b, 3.0], x, y)
        da, db = pull([x, 2.0, y])
        return da * db

    agrees(f, (4.0, 3.0), (-4.0, 3.0), (0.0, 3.0))


def test_a_derivative_by_a_number_within_a_program():
    program = compile(lambda t: grad(lambda w: where(t > 0.0, lambda: w * w * t, lambda: w * t))(3.0), 1.0)
    assert program(2.0) == (12.0, 6.0)
    assert program(-2.0) == (-2.0, 1.0)
    twice = compile(lambda t: grad(grad(lambda w: sin(w) * w * t))(3.0), 1.0)
    assert twice(2.0)[0] == pytest.approx(2.0 * (2.0 * math.cos(3.0) - 3.0 * math.sin(3.0)), rel=1e-15)


def test_what_may_fail_runs_only_if_it_is_used():
    def f(x, y):
        root = sqrt(x)
        return where(y > 1.0, lambda: root, lambda: where(x > 0.0, lambda: root * y, lambda: y))

    program = compile(f, 1.0, 1.0)
    assert program.function()(-1.0, 0.5) == (0.5, (0.0, 1.0))
    assert program.function()(4.0, 0.5) == (1.0, (0.125, 2.0))
    assert program.function()(4.0, 2.0) == (2.0, (0.25, 0.0))


@pytest.mark.parametrize(("condition", "taken"), [(-2, 2.0), (-1, 1.0), (-2 | -1, 1.0), (-2 & 1, 2.0)])
def test_what_python_makes_of_not(condition, taken):
    """~True is -2 and ~False is -1; newer Pythons warn of it."""
    assert where(condition, 1.0, 2.0) == taken


def test_a_leaf_may_be_compared_for_a_difference():
    w = Value(2.0)
    assert w != 3.0
    assert (w != 2.0) is False
    assert compile(lambda x: where(w != 2.0, x, -x), 1.0)(5.0) == (-5.0, -1.0)


# --- Random ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 40, 80, 50_060, 50_120])
def test_random_nested_choices_against_240_bits(first):
    wrong, programs = [], 0
    for number in range(2):
        group = nested_choices.Group(range(first + 10 * number, first + 10 * number + 10), second=number == 1)
        programs += len(group.seeds)
        with np.errstate(all="raise"):
            wrong += [*group.eager(), *group.forms(machine_code=False)]
    assert programs > 10
    assert wrong == []


def test_random_nested_choices_as_machine_code(monkeypatch):
    monkeypatch.setattr(toolchain, "FLAGS", (*toolchain.FLAGS, "-O0"))
    group = nested_choices.Group(range(300, 312), second=False)
    assert [*group.forms(machine_code=True)] == []


def test_the_comparison_finds_a_choice_that_is_lost(monkeypatch):
    monkeypatch.setitem(nested_choices.CONDITIONS, "and", lambda a, b: a)
    lines = [
        line for k in range(3) for line in nested_choices.Group(range(40 * k, 40 * k + 9), False).eager()
    ]
    assert lines


# --- Errors in branches ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fails",
    [
        lambda x: 1.0 / 0.0,
        lambda x: log(0.0),
        lambda x: ag.reciprocal(0.0) * x,
        lambda x: x / 0.0,
        lambda x: 1.0 / Value(0.0),
        lambda x: exp(1000.0),
        lambda x: exp(1000.0 * Value(1.0)),
        lambda x: ag.atanh(where(x > 5.0, -1.0, -1.0)) * x,
        lambda x: where(x > 5.0, 0.0, 0.0) / where(x < 5.0, 0.0, 0.0),  # folded to 0 / 0
        lambda x: (1.0 / where(x > 5.0, 0.0, 0.0)) / where(x < 5.0, 0.0, 0.0),
        lambda x: ag.logsumexp([]),
        lambda x: ag.clip(x, 2.0, 1.0),
        lambda x: ag.rsqrt(-1.0) * x,
        lambda x: ag.softmax_cross_entropy([x, 1.0], 2),
    ],
)
def test_a_constant_error_is_raised_only_by_a_branch_that_is_taken(fails):
    for program in (
        compile(lambda x: where(x > 0.0, x * 2.0, lambda: fails(x)), 1.0),
        compile(lambda x: where(x > -1.0, lambda: where(x > 0.0, x * 2.0, lambda: fails(x)), 0.0), 1.0),
        pickle.loads(pickle.dumps(compile(lambda x: where(x > 0.0, x * 2.0, lambda: fails(x)), 1.0))),
    ):
        assert program(3.0) == (6.0, 2.0)
        values, gradients = program.batch(np.array([3.0, 4.0]), reduce=None, wrt="arguments")
        assert (values.tolist(), gradients.tolist()) == ([6.0, 8.0], [2.0, 2.0])
        with pytest.raises((ArithmeticError, ValueError)) as compiled:
            program(-0.5)
        with pytest.raises((ArithmeticError, ValueError)) as eagerly:
            fails(Value(-0.5))
        assert type(compiled.value) is type(eagerly.value)
        kernel = program.kernel("argument")  # sums over samples
        assert kernel([np.array([3.0, 4.0])], [leaf.data for leaf in program.leaves]) == (14.0, [4.0])
        assert program.latex


def test_data_of_a_leaf_that_fails_while_it_is_traced_may_change():
    w = Value(0.0, "w")
    program = compile(lambda x: where(w != 0.0, lambda: 1.0 / w, lambda: x), 1.0)
    assert program(5.0) == (5.0, 1.0)
    w.data = 4.0
    assert program(5.0) == (0.25, 0.0)
    assert program.backward(5.0) == 0.25
    assert w.grad == -0.0625


def test_equal_errors_make_equal_programs():
    from autograd_lite.compiler.frontend.trace import Failed

    assert Failed(ValueError("a")) == Failed(ValueError("a")) != Failed(ValueError("b"))
    assert len({Failed(ValueError("a")), Failed(ValueError("a"))}) == 1


# --- Edges -------------------------------------------------------------------------------------------


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
        found.append((point, [out.data, *[v.grad or 0.0 for v in values]]))
    return found


EDGES = (0.0, -0.0, 1.0, -1.0, inf, -inf, nan, math.ulp(0.0), -1e-310, 1e15, -745.5)


def same(a, b):
    if math.isfinite(a) and math.isfinite(b):
        return abs(a - b) <= 1e-13 * abs(b) + 1e-307
    return a == b or (math.isnan(a) and math.isnan(b))


ROWS = [row for row in TABLE.values() if row.name != "where"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_edges_in_source(row):
    points = edge_points(row)
    program = compile(lambda x: call(row, tuple(x)), list(points[0][0]))
    for point, want in points:
        value, gradient = program(list(point))
        assert all(map(same, [value, *gradient], want)), (point, want, value, gradient)


@pytest.mark.parametrize("form", ["NumPy", "C", "C, interpreted"])
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


def test_a_slope_that_is_infinite_times_one_that_is_0_is_not_a_number_in_any_form():
    program = compile(lambda x, y: sqrt(ag.hypot(x, y)), 1.0, 1.0)
    with np.errstate(all="ignore"):
        value, gradient = program.function(np)(np.array([0.0]), np.array([0.0]))
    assert value == 0.0
    assert np.isnan(gradient).all()
    x, y = Value(0.0), Value(0.0)
    sqrt(ag.hypot(x, y)).backward()
    assert math.isnan(x.grad)
    assert all(map(math.isnan, program(0.0, 0.0)[1]))


@pytest.mark.parametrize("x", [0.9, 1.0, 1.1])
def test_between_two_bounds_in_one_place_the_bounds_share_the_slope(x):
    agrees(lambda x, a: ag.clip(x, a, a), (x, 1.0))
    v, a = Value(x), Value(1.0)
    ag.clip(v, a, a).backward()
    assert (v.grad, a.grad) == (0.0, 1.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1e200 * (1e-120 * (1e-200 * x)),
        lambda x: 0.1 * (0.7 * x),
        lambda x: 3.0 * (0.5 * x),
        lambda x: 1e-300 * (2.0**-60 * x) * 1e300,
        lambda x: 1e200 * (1e200 * x) * 1e-300,
    ],
)
def test_constants_are_not_multiplied(f):
    for x in (1.3, 1e-7, 0.3, 5e-324):
        value, (gradient,) = eager(lambda v: f(v[0]), [x])
        assert compile(f, 1.0).function()(x) == (value, gradient)
    assert "3.0 * (0.5 * x)" in compile(lambda x: 3.0 * (0.5 * x), 1.0).source


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


def test_steps_of_descent_where_features_repeat():
    """Rows of the samples that are equal are one row, which a product of matrices has to spread again."""
    choose = np.random.default_rng(3)
    W = [[Value(x) for x in row] for row in choose.normal(size=(2, 2))]
    X = [(x, x) for x in choose.normal(size=20).tolist()]
    labels = choose.integers(0, 2, 20).tolist()
    scores = [[ag.dot(w, x) for w in W] for x in X]
    loss = ag.mean([ag.softmax_cross_entropy(z, label) for z, label in zip(scores, labels, strict=True)])
    loss = loss + 1e-4 * ag.sum([w * w for row in W for w in row])
    loss.backward()
    program = compile(loss)
    want = [leaf.data - 0.5 * leaf.grad for leaf in program.leaves]
    assert program.descend(lr=0.5) == [pytest.approx(loss.data, rel=1e-14)]
    assert [leaf.data for leaf in program.leaves] == pytest.approx(want, rel=1e-13)
