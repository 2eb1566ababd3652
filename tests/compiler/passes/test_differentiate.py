"""Derivatives of programs: nested choices, higher orders, the branch not taken."""

import itertools
import math

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, cos, exp, log, sin, sqrt, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.core.primitive import TABLE
from autograd_lite.transforms.derivatives import grad, hessian, hvp, vjp
from tests.compiler import nested_choices as nested_choices
from tests.compiler.common import needs_cc
from tests.compiler.fuzz import agrees, eager

no = nested_choices.CONDITIONS["not"]


def test_higher_order():
    def f(v):
        return v[0] ** 2 * v[1] + exp(v[0] * v[1])

    x, v = [0.3, 0.4], [1.0, 2.0]
    assert compile(hessian(f), x)(x) == hessian(f)(x)
    assert compile(lambda x, v: hvp(f, x, v), x, v)(x, v) == hvp(f, x, v)
    g = compile(grad(lambda x: x**3), 1.0)
    assert g(2.0) == (12.0, 12.0)


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


@needs_cc
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


@pytest.mark.parametrize("seed", [412534, 413048])
def test_what_fails_in_a_branch_not_taken_is_not_run_by_its_second_derivative(seed):
    """A division by a constant 0 ; an inner condition that decides together with an outer one."""
    group = nested_choices.Group(range(seed, seed + 1), second=True)
    assert [*group.forms(machine_code=False)] == []


def test_a_derivative_within_a_program_of_a_division_by_a_constant_0():
    program = compile(ag.grad(lambda x: where(x > 0.0, lambda: x * x, lambda: x / 0.0)), 1.0)
    assert program(3.0) == (6.0, 2.0)
    with pytest.raises(ZeroDivisionError):
        program(-3.0)
