"""Derivatives of functions: against mpmath, against each other, nested, of any order.

The number in a test's name is that of the trap.
"""

import copy
import gc
import math
import pickle
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from autograd_lite import nn
from autograd_lite.core import rules as table
from autograd_lite.core.modes import no_grad
from autograd_lite.core.primitive import Primitive
from autograd_lite.core.rules import exp, log, sin, sqrt, tanh, where
from autograd_lite.core.value import Value
from autograd_lite.transforms.derivatives import (
    Run,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from autograd_lite.transforms.gradcheck import gradcheck
from tests.core.test_rules import ROWS, each_row, own_rows, twin  # noqa: F401 - own_rows is a fixture
from tests.sampling import ABOVE_1, BELOW_1, call, points

nan, inf = math.nan, math.inf
EPSILON = math.ulp(1.0)
Point = namedtuple("Point", "x y")

# Where differences of a few digits, and 50 digits of mpmath, see every derivative well: not within a rounding
# of a pole, a jump or the end of a domain.
EDGES = {ABOVE_1, BELOW_1, math.pi / 2.0}
MODERATE = {
    row.name: [
        operands
        for operands in points(row)
        if len(operands) <= 4 and all(0.01 <= math.fabs(x) <= 5.0 or x == 0.0 for x in operands)
        if EDGES.isdisjoint(map(math.fabs, operands))
    ]
    for row in ROWS
}


def of_list(row: Primitive) -> Callable[[list[Any]], Any]:
    return lambda operands: call(row, tuple(operands))


def nth(f: Callable[..., Any], order: int) -> Callable[..., Any]:
    for _ in range(order):
        f = grad(f)
    return f


def exact(f: Callable[..., Any], at: tuple[float, ...], *orders: int) -> mpf:
    """The derivative of a function of mpf's, of the order `orders[k]` in its argument k."""
    with mp.workdps(60):
        point = tuple(map(mpf, at))
        return mp.diff(f, point, orders) if len(point) > 1 else mp.diff(f, *point, *orders)


# --- Every row of the table --------------------------------------------------------------------------


@each_row
def test_hessian_of_each_row_agrees_with_mpmath(row):
    """At most 40 roundings of the largest entry: an entry may be the rest that a cancellation leaves."""
    assert MODERATE[row.name]
    for operands in MODERATE[row.name]:
        got = hessian(of_list(row))(list(operands))
        places = range(len(operands))
        truth = [
            [exact(twin(row), operands, *[(k == i) + (k == j) for k in places]) for j in places]
            for i in places
        ]
        largest = max([abs(entry) for line in truth for entry in line])
        for i in places:
            for j in places:
                assert abs(got[i][j] - truth[i][j]) <= 40.0 * EPSILON * max(largest, 1e-3), (operands, i, j)


@each_row
def test_third_derivative_of_each_row_agrees_with_mpmath(row):
    """In one operand after the other. Relative to the derivatives below it: they cancel in the third."""
    for operands in MODERATE[row.name]:
        for k, x in enumerate(operands):
            before, after = operands[:k], operands[k + 1 :]
            got = nth(lambda t, a=before, b=after: call(row, (*a, t, *b)), 3)(x)
            orders = [[n * (i == k) for i in range(len(operands))] for n in (1, 2, 3)]
            truth = [exact(twin(row), operands, *order) for order in orders]
            size = max(1.0, *[abs(each) for each in truth])
            assert abs(got - truth[-1]) <= 200.0 * EPSILON * size, (operands, k)


@each_row
def test_gradcheck_of_each_row_and_of_its_gradient(row):
    for operands in MODERATE[row.name]:
        assert gradcheck(of_list(row), list(operands)) is True
        assert gradcheck(grad(of_list(row)), list(operands)) is True


@each_row
def test_forward_mode_agrees_with_reverse_mode(row):
    for operands in MODERATE[row.name]:
        adjoints = grad(of_list(row))(list(operands))
        for k in range(len(operands)):
            unit = [float(i == k) for i in range(len(operands))]
            tangent = jvp(of_list(row), (list(operands),), (unit,))[1]
            assert tangent == adjoints[k]  # one product each, by 1


# --- Random expressions ------------------------------------------------------------------------------

SMOOTH = ["neg", "sin", "cos", "tanh", "sech", "atan", "asinh", "erf", "sigmoid", "softplus", "silu", "gelu"]
Expression = Any  # "x", "y", a number, or (row's name, expression, ...)

expressions = st.recursive(
    st.one_of(st.sampled_from(["x", "y"]), st.floats(-2.0, 2.0)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(SMOOTH), inner),
        st.tuples(st.sampled_from(["add", "sub", "mul"]), inner, inner),
        st.tuples(st.sampled_from(["sum", "prod", "logsumexp"]), inner, inner, inner),
    ),
    max_leaves=8,
).filter(lambda expression: isinstance(expression, tuple))
coordinates = st.floats(-1.5, 1.5)


def evaluate(expression: Expression, names: dict[str, Any], mathematics: Callable[..., Any]) -> Any:
    if isinstance(expression, tuple):
        name, *operands = expression
        return mathematics(table.TABLE[name], tuple(evaluate(each, names, mathematics) for each in operands))
    return names[expression] if isinstance(expression, str) else names["number"](expression)


@given(expressions, coordinates, coordinates)
def test_first_and_second_derivatives_of_random_expressions(expression, x, y):
    """At most 50 roundings of what the chain rule can make of the partials met: that much may cancel."""

    def ours(x: Any, y: Any) -> Any:
        return evaluate(expression, {"x": x, "y": y, "number": float}, call)

    def theirs(x: mpf, y: mpf) -> mpf:
        return evaluate(expression, {"x": x, "y": y, "number": mpf}, lambda row, v: twin(row)(*v))

    nodes = Run(ours, (0, 1), (x, y)).linear.order
    size = math.prod([max(1.0, *[math.fabs(p or 0.0) for p in node.partials]) for node in nodes])
    gradient, matrix = grad(ours, (0, 1))(x, y), hessian(ours, (0, 1))(x, y)
    for i in range(2):
        unit = [0, 0]
        unit[i] = 1
        assert abs(gradient[i] - exact(theirs, (x, y), *unit)) <= 50.0 * EPSILON * size
        for j in range(2):
            order = unit.copy()
            order[j] += 1
            assert abs(matrix[i][j] - exact(theirs, (x, y), *order)) <= 50.0 * EPSILON * size**2


# --- Nested, and of any order ------------------------------------------------------------------------


def test_trap_10_nested_derivatives_do_not_confuse_their_variables():
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(2.0) == 4.0
    # the same forward, and mixed
    push = lambda f: lambda x: jvp(f, (x,), (1.0,))[1]  # noqa: E731
    for inner in (grad, push):
        for outer in (grad, push):
            assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0  # noqa: B023
            assert outer(lambda x: x * inner(lambda y: x * y)(x))(2.0) == 4.0  # noqa: B023
            # d/dx x · [d/dy y · (d/dz x y z² at z = x) at y = x²] = d/dx 4 x⁵
            third = lambda x: x * inner(lambda y: y * outer(lambda z: x * y * z**2)(x))(x**2)  # noqa: B023, E731
            assert outer(third)(2.0) == 20.0 * 2.0**4


def test_trap_11_a_constant_derivative_is_a_value_with_derivative_0():
    x = Value(3.0)
    slope = gradients(2.0 * x, x, record=True)
    assert (type(slope) is not float, slope.data) == (True, 2.0)
    assert gradients(slope, x) == 0.0
    assert gradients(gradients(slope, x, record=True), x) == 0.0
    # inside another derivative, its methods can be called
    assert grad(lambda x: x * grad(lambda y: 3.0 * y)(x).square())(2.0) == 9.0
    assert [nth(lambda x: 5.0 * x, order)(2.0) for order in (1, 2, 3)] == [5.0, 0.0, 0.0]
    assert nth(lambda x: 5.0, 2)(2.0) == 0.0


@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize("exponent", [int, float])
def test_trap_12_every_derivative_of_a_power_at_0(n, exponent):
    power = lambda x: x ** exponent(n)  # noqa: E731
    assert [nth(power, order)(0.0) for order in range(1, 8)] == [
        float(math.factorial(n) * (order == n)) for order in range(1, 8)
    ]
    assert nth(power, n + 1)(-3.0) == 0.0


def test_a_constant_made_by_an_inner_derivative_still_carries_the_variable_made_from_it():
    # c = 3 is a constant for x, but y stands for c in between, and the innermost derivative uses y
    def f(x: Any) -> Any:
        c = grad(lambda t: 3.0 * t)(x)
        return x * grad(lambda y: y * grad(lambda z: z * y)(1.0))(c)

    assert f(2.0) == 12.0
    assert grad(f)(2.0) == 6.0


def test_sixth_derivative_against_mpmath():
    f = lambda x: sin(x) * exp(-x) / (1.0 + x * x)  # noqa: E731
    truth = exact(lambda x: mp.sin(x) * mp.exp(-x) / (1 + x * x), (0.7,), 6)
    assert nth(f, 6)(0.7) == pytest.approx(float(truth), rel=1e-13)


def test_gradient_descent_is_differentiated_through_its_steps():
    def descended(rate: Any) -> Any:
        x = 1.0
        for _ in range(20):
            x = x - rate * grad(lambda x: x**2 / 2.0)(x)
        return x  # (1 - rate)^20

    assert grad(descended)(0.1) == pytest.approx(-20.0 * 0.9**19, rel=1e-14)


# --- The functions -----------------------------------------------------------------------------------


def quartic(x: list[Any], y: Any) -> Any:
    return x[0] ** 2 * x[1] * y + sin(x[0] * y) + y**3


def spread(x: list[Any]) -> dict[str, Any]:
    return {"a": [x[0] * x[1], tanh(x[1])], "b": (x[0] / x[1], 7.0, x[0])}


def test_argnums_choose_the_arguments():
    f = lambda x, y: x * x * y  # noqa: E731
    assert grad(f)(3.0, 5.0) == grad(f, -2)(3.0, 5.0) == 30.0
    assert grad(f, 1)(3.0, 5.0) == 9.0
    assert grad(f, (1, 0))(3.0, 5.0) == (9.0, 30.0)
    assert grad(f, (0, 0))(3.0, 5.0) == (30.0, 30.0)
    assert grad(f, ())(3.0, 5.0) == ()
    assert grad(f)(3.0, y=5.0) == 30.0
    assert value_and_grad(f, [1])(3.0, 5.0) == (45.0, (9.0,))
    assert hessian(f, (0, 1))(3.0, 5.0) == ((10.0, 6.0), (6.0, 0.0))
    with pytest.raises(TypeError, match=r"argnums=2 is out of range: 2 positional arguments were given"):
        grad(f, 2)(3.0, 5.0)
    with pytest.raises(TypeError, match=r"argnums=0 is out of range: 0 positional arguments"):
        grad(f)(x=3.0, y=5.0)


def test_arguments_that_are_not_differentiated_are_passed_on_as_they_are():
    seen = []

    def f(x: Any, name: str, *, options: Any) -> Any:
        seen.append((name, options))
        return x * 2.0

    assert grad(f)(1, "a name", options=None) == 2.0
    assert seen == [("a name", None)]


def test_results_are_built_like_the_argument():
    x = {"w": [[1.0, 2], (3.0, 4.0)], "p": Point(5.0, [6.0]), "none": [], "a": np.array([[7.0], [8.0]])}

    def f(x: dict[str, Any]) -> Any:
        assert type(x["p"]) is Point
        assert x["a"].shape == (2, 1)
        return x["w"][0][1] ** 2 + x["w"][1][0] + x["p"].x * x["p"].y[0] + (x["a"] ** 2).sum()

    got = grad(f)(x)
    assert list(got) == ["w", "p", "none", "a"]
    assert got["w"] == [[0.0, 4.0], (1.0, 0.0)]
    assert got["p"] == Point(6.0, [5.0])
    assert type(got["p"]) is Point
    assert got["none"] == []
    assert got["a"].dtype == float
    assert got["a"].tolist() == [[14.0], [16.0]]
    assert x["w"] == [[1.0, 2], (3.0, 4.0)]


def test_arrays_have_jacobians_and_hessians_of_the_shape_numpy_users_expect():
    W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    x = np.array([1, 2, 3])
    assert jacobian(lambda x: W @ x)(x).tolist() == W.tolist()
    assert jacobian(lambda W: W @ x)(W).shape == (2, 2, 3)
    assert hessian(lambda x: (x**3).sum())(x).tolist() == np.diag([6.0, 12.0, 18.0]).tolist()
    assert grad(lambda x: x * 3.0)(np.float32(0.5)) == 3.0
    assert grad(lambda x: x.sum())(np.array(2.0)) == 1.0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"w": [1.0, 2.0, "3"]}, r"arguments\[0\]\['w'\]\[2\] must be a real number, got str '3'"),
        ({"w": None}, r"arguments\[0\]\['w'\] must be a real number, got NoneType"),
        ([1.0, True], r"arguments\[0\]\[1\] must be a real number, got bool True"),
        (Point(1.0, {2.0}), r"arguments\[0\]\.y must be a real number, got set"),
        (1j, r"arguments\[0\] must be a real number, got complex"),
    ],
)
def test_what_is_no_number_is_named(argument, message):
    with pytest.raises(TypeError, match=message):
        grad(lambda x: 1.0)(argument)


def test_a_result_that_is_no_single_number_is_refused():
    with pytest.raises(TypeError, match=r"one number, not 3 .*use jacobian"):
        grad(lambda x: [x, x, x])(1.0)
    with pytest.raises(TypeError, match=r"one number, not 1 .*use jacobian"):
        value_and_grad(lambda x: (x,))(1.0)
    with pytest.raises(TypeError, match=r"the result must be a real number, got NoneType"):
        grad(lambda x: None)(1.0)
    with pytest.raises(TypeError, match=r"the result\['a'\] must be a real number, got str"):
        jacobian(lambda x: {"a": "b"})(1.0)


def test_a_function_may_return_what_it_was_given_or_nothing_of_it():
    assert value_and_grad(lambda x: x)(2.0) == (2.0, 1.0)
    assert value_and_grad(lambda x: 5)(2.0) == (5.0, 0.0)
    assert jacobian(lambda x: [x, 1.0, x])(2.0) == [1.0, 0.0, 1.0]
    assert jacobian(lambda x: [])([1.0]) == []
    assert jacobian(lambda x: [1.0, 2.0])([]) == [[], []]
    assert vjp(lambda x: [x, x], 2.0)[1]([1.0, 10.0]) == (11.0,)


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_of_a_variable_is_a_constant(copied):
    assert grad(lambda x: copied(x) * 2.0)(1.0) == 0.0
    assert grad(lambda x: copied(x) * x)(3.0) == 3.0
    constant = grad(grad(lambda w: w**2))(Value(3.0))  # made there: a copy of it is used in a derivative
    assert grad(lambda x: copied(constant) * x)(5.0) == constant


def test_jacobian_of_nested_containers_agrees_both_ways_with_mpmath():
    x = [0.7, -1.3]
    got = jacobian(spread)(x)
    assert list(got) == ["a", "b"]
    entries = [
        (got["a"][0], lambda x, y: x * y),
        (got["a"][1], lambda x, y: mp.tanh(y)),
        (got["b"][0], lambda x, y: x / y),
        (got["b"][1], lambda x, y: mpf(7)),
        (got["b"][2], lambda x, y: x),
    ]
    for row, f in entries:
        assert row == pytest.approx(
            [float(exact(f, tuple(x), 1, 0)), float(exact(f, tuple(x), 0, 1))], rel=1e-15
        )
    _, pullback = vjp(spread, x)
    columns = [jvp(spread, (x,), (unit,))[1] for unit in ([1.0, 0.0], [0.0, 1.0])]
    for j in range(2):
        assert pullback({"a": [float(j == 0), float(j == 1)], "b": (0.0, 0.0, 0.0)}) == (got["a"][j],)
        assert [column["a"][j] for column in columns] == got["a"][j]


def test_infinite_slopes_stay_where_they_belong():
    rooted = lambda x: [sqrt(x[0]) + x[1], x[1]]  # noqa: E731
    assert jacobian(rooted)([0.0, 2.0]) == [[inf, 1.0], [0.0, 1.0]]  # not 0 · ∞
    assert jacobian(lambda x: [*rooted(x), 1.0])([0.0, 2.0]) == [[inf, 1.0], [0.0, 1.0], [0.0, 0.0]]
    assert grad(lambda x: where(x > 0.0, lambda: log(x), 2.0))(0.0) == 0.0
    assert grad(grad(lambda x: where(x > 0.0, sqrt(x), 2.0)))(0.0) == 0.0
    x = Value(0.0)
    u = x + 1.0
    y = sqrt(where(True, x, u)) + u  # u gets nothing through the root, which is 0 · ∞ if it is multiplied
    assert gradients(y, x) == gradients(y, x, record=True).data == inf


@given(st.lists(coordinates, min_size=3, max_size=3), st.lists(coordinates, min_size=3, max_size=3))
def test_identities_between_the_modes(point, vector):
    """ȳ · (J ẋ) = (Jᵀ ȳ) · ẋ; H is symmetric; H v by forward over reverse, by rows, and as a derivative."""
    x, v = point[:2], vector[:2]
    y, tangent = jvp(quartic, (x, point[2]), (v, vector[2]))
    assert y == quartic(x, point[2])
    dx, dy = vjp(quartic, x, point[2])[1](1.0)
    size = 1.0 + max(map(abs, (*dx, dy)))
    assert math.isclose(tangent, dx[0] * v[0] + dx[1] * v[1] + dy * vector[2], abs_tol=20.0 * EPSILON * size)

    (first, second), third = hessian(quartic, (0, 1))(x, point[2])
    matrix = [[*by_x, by_y] for by_x, by_y in (first, second, third)]
    size = 1.0 + max(abs(entry) for row in matrix for entry in row)
    product = [sum(entry * each for entry, each in zip(row, vector, strict=True)) for row in matrix]
    (p, q), r = hvp(quartic, (x, point[2]), (v, vector[2]))
    along = grad(lambda x, y: jvp(quartic, (x, y), (v, vector[2]))[1], (0, 1))(x, point[2])
    for i, got in enumerate((p, q, r)):
        assert got == pytest.approx(product[i], abs=50.0 * EPSILON * size)
        assert (*along[0], along[1])[i] == pytest.approx(product[i], abs=50.0 * EPSILON * size)
        for j in range(i):
            assert matrix[i][j] == pytest.approx(matrix[j][i], abs=50.0 * EPSILON * size)


def test_tangents_and_adjoints_can_be_differentiated():
    # J ẋ is linear in ẋ, Jᵀ ȳ in ȳ, also where the function itself is nothing but numbers
    f = lambda x: [x[0] * x[1], sin(x[0])]  # noqa: E731
    J = jacobian(f)([0.5, 2.0])
    assert jacobian(lambda v: jvp(f, ([0.5, 2.0],), (v,))[1])([1.0, 1.0]) == J
    pullback = vjp(f, [0.5, 2.0])[1]
    assert jacobian(lambda v: pullback(v)[0])([1.0, 1.0]) == [list(column) for column in zip(*J, strict=True)]
    assert grad(lambda v: jvp(lambda x: 4.0, (1.0,), (v,))[1])(1.0) == 0.0


def test_tangents_and_adjoints_must_be_built_like_their_models():
    with pytest.raises(
        ValueError, match=r"the tangents and the primals .* only one of them has \[0\]\['b'\]"
    ):
        jvp(lambda x: x["a"], ({"a": 1.0, "b": 2.0},), ({"a": 1.0},))
    with pytest.raises(ValueError, match=r"the tangents and the primals .* only one of them has \[1\]"):
        jvp(lambda x: x, (1.0,), (1.0, 2.0))
    with pytest.raises(
        ValueError, match=r"the adjoint and the result .* only one of them is a single number"
    ):
        vjp(lambda x: x, 1.0)[1]([1.0])
    with pytest.raises(TypeError, match=r"tangents\[0\] must be a real number, got str"):
        jvp(lambda x: x, (1.0,), ("1",))
    with pytest.raises(TypeError, match=r"tuples with an entry for each argument"):
        jvp(lambda x: x, 1.0, 1.0)
    swapped = {"b": 1.0, "a": 10.0}  # the order of a dict says nothing
    assert jvp(lambda x: x["a"] + 2.0 * x["b"], ({"a": 1.0, "b": 2.0},), (swapped,)) == (5.0, 12.0)
    assert jvp(lambda x: x[0] * x[1], ([2.0, 3.0],), ((1.0, 0.0),)) == (6.0, 3.0)


# --- Values from outside -----------------------------------------------------------------------------


def test_a_derivative_keeps_its_dependence_on_weights():
    w = Value(3.0, "w")
    value, slope = value_and_grad(lambda x: w * x**2)(2.0)
    slope.backward()
    assert (value.data, slope.data, w.grad) == (12.0, 12.0, 4.0)
    # also where the variable itself has no part in it
    constant, none = value_and_grad(lambda x: w * 1.0)(2.0)
    assert gradients(constant, w) == 1.0
    assert none.data == 0.0
    assert value_and_grad(lambda x: x * 2.0)(w)[1].data == 2.0


def test_a_penalty_on_the_slope_of_a_network_trains_its_weights():
    model = nn.MLP(2, [3, 1], activation="tanh", rng=0)
    weights = model.parameters()

    def penalty(numbers: list[float]) -> Any:
        for weight, number in zip(weights, numbers, strict=True):
            weight.data = number
        slopes = grad(model)([0.3, -0.7])
        return slopes[0] ** 2 + slopes[1] ** 2

    at = [weight.data for weight in weights]
    penalty(at).backward()
    got = [weight.grad for weight in weights]  # nothing reaches the last bias
    for k in range(len(at)):
        step = [1e-5 * (i == k) for i in range(len(at))]
        up, down = (penalty([a + s * h for a, h in zip(at, step, strict=True)]).data for s in (1.0, -1.0))
        assert got[k] == pytest.approx((up - down) / 2e-5, abs=1e-9)  # a central difference is good to h²


def test_numbers_come_out_as_floats_and_keep_signed_zeros():
    for result in (grad(sin)(0.0), jvp(sin, (0,), (1,))[0], hvp(sin, 1.0, 1.0), *vjp(sin, 1.0)[1](1.0)):
        assert type(result) is float
    seen = []
    grad(grad(lambda x: (seen.append(math.copysign(1.0, x.data)), x * x)[1]))(-0.0)
    assert seen == [-1.0]


def test_trap_28_an_exception_leaves_nothing_behind():
    def failing(x: Any) -> Any:
        return grad(lambda y: log(y - x))(x)

    def breaking(x: Any) -> Any:
        with no_grad():
            return grad(failing)(x)

    for f in (failing, grad(failing), grad(breaking), breaking):
        with pytest.raises(ValueError, match="log"):
            f(1.0)
        assert Value(2.0).square().operands != ()
        assert grad(grad(lambda x: x**3))(2.0) == 12.0


def test_a_derivative_taken_within_no_grad_is_one():
    with no_grad():
        assert grad(grad(lambda x: x**3))(2.0) == 12.0
        assert grad(lambda x: x * grad(lambda y: x * y)(x))(2.0) == 4.0
        assert Value(2.0).square().operands == ()
        slope = grad(lambda x: x**3)(Value(2.0))
    assert (slope.data, slope.operands) == (12.0, ())

    def stopped(x: Any) -> Any:
        with no_grad():
            kept = x * x
        return kept * x

    assert grad(stopped)(3.0) == 9.0


# --- Recorded graphs ---------------------------------------------------------------------------------


def test_gradients_of_leaves_and_of_nodes_between():
    x, other = Value(3.0), Value(1.0)
    h = x * x
    y = h * x + x
    assert gradients(y, x) == 28.0
    assert gradients(y, {"all": [x, h, y, other]}) == {"all": [28.0, 3.0, 1.0, 0.0]}
    assert gradients(y, (x, x), seed=-2) == (-56.0, -56.0)
    assert not any(node.reached for node in (x, h, y))
    x.grad = 5.0
    assert gradients(y, x) == 28.0
    assert x.grad == 5.0
    y.backward()
    assert x.grad == 33.0


def test_gradients_recorded_are_recorded_again():
    x, y = Value(2.0), Value(-1.5)
    z = (x * y).exp() * x
    first = gradients(z, [x, y], record=True)
    second = [gradients(each, [x, y], record=True) for each in first]
    third = gradients(second[0][1], [x, y])
    for i, j, got in [(0, 0, second[0][0]), (0, 1, second[0][1]), (1, 0, second[1][0]), (1, 1, second[1][1])]:
        order = [(i == 0) + (j == 0), (i == 1) + (j == 1)]
        truth = exact(lambda x, y: mp.exp(x * y) * x, (2.0, -1.5), *order)
        assert got.data == pytest.approx(float(truth), rel=1e-14)
    assert third == pytest.approx(
        [float(exact(lambda x, y: mp.exp(x * y) * x, (2.0, -1.5), *order)) for order in ((2, 1), (1, 2))],
        rel=1e-14,
        abs=1e-70,  # the second is 0, of which the differences leave 1e-75
    )
    seed = Value(3.0)
    weighted = gradients(z, x, seed=seed, record=True)
    assert gradients(weighted, seed) == first[0].data


def test_gradients_inside_another_derivative_stay_recorded():
    assert grad(lambda x: gradients(x**3, x))(2.0) == 12.0


def test_gradients_name_what_is_wrong():
    x = Value(2.0)
    with pytest.raises(TypeError, match=r"inputs\['a'\] must be a Value, got float 1.0"):
        gradients(x * 2.0, {"a": 1.0})
    with pytest.raises(TypeError, match=r"output must be a Value, got float 4.0"):
        gradients(4.0, x)
    with pytest.raises(TypeError, match=r"the seed must be a real number, got Value"):
        gradients(x * 2.0, x, seed=Value(1.0))
    with pytest.raises(TypeError, match=r"inputs must be a real number, got generator"):
        gradients(x * 2.0, (v for v in [x]))


def test_a_pullback_outlives_the_containers_it_was_made_with():
    point, kept = {"a": 2.0, "b": 3.0}, {}

    def f(p):
        kept["y"] = p["a"] * p["b"]
        return kept

    _, pullback = vjp(f, point)
    del point["a"]
    point["c"] = 1.0
    kept["z"] = 1.0
    assert pullback({"y": 1.0}) == ({"a": 3.0, "b": 2.0},)


# --- Size --------------------------------------------------------------------------------------------


def test_trap_1_depth_is_no_limit():
    def deep(x: Any, steps: int) -> Any:  # (1.00001^steps · x)²
        for _ in range(steps):
            x = x * 1.00001
        return x * x

    def growth(steps: int) -> float:
        return math.exp(2 * steps * math.log1p(1e-5))

    slope = grad(lambda x: deep(x, 100_000))(0.5)
    assert slope == pytest.approx(growth(100_000), rel=1e-10)  # 200,000 roundings, which lean to no side
    product = hvp(lambda x: deep(x, 10_000), 0.5, 3.0)  # which takes ten times as long a step
    assert product == pytest.approx(6.0 * growth(10_000), rel=1e-10)


def test_trap_9_derivatives_leave_no_cycles():
    def work() -> None:
        hessian(quartic, (0, 1))([1.0, 2.0], 3.0)
        jvp(grad(lambda x: x**3), (2.0,), (1.0,))
        vjp(spread, [1.0, 2.0])[1]({"a": [1.0, 1.0], "b": (1.0, 1.0, 1.0)})
        x = Value(2.0)
        gradients(x**3, x, record=True).backward()

    work()
    gc.collect()
    gc.disable()
    try:
        work()
        assert gc.collect() == 0
    finally:
        gc.enable()


# --- Arguments by name, aux, and the idiom of other libraries ------------------------------------------


def area(width, height, *, scale=1.0):
    return width * width * height * scale


def test_arguments_by_name_are_those_by_position():
    for names, positions in (
        ("width", 0),
        ("height", 1),
        (("height", "width"), (1, 0)),
        (("height", 0), (1, 0)),
    ):
        expected = grad(area, positions)(2.0, 3.0)
        assert grad(area, names)(2.0, 3.0) == expected
        assert grad(area, names)(2.0, 3.0, scale=1.0) == expected
        assert value_and_grad(area, names)(2.0, 3.0) == (12.0, expected)
        assert jacobian(lambda width, height: [area(width, height)], names)(2.0, 3.0) == [expected]
    assert grad(area, "height")(2.0, 3.0) == 4.0
    assert grad(area, "width")(2.0, 3.0) == 12.0


def test_arguments_by_name_may_be_given_by_keyword():
    assert grad(area, "height")(2.0, height=3.0) == 4.0
    assert grad(area, "scale")(2.0, 3.0, scale=5.0) == 12.0
    assert grad(area, ("scale", "width"))(2.0, 3.0, scale=5.0) == (12.0, 60.0)
    assert grad(lambda **parts: parts["a"] * parts["b"]["c"], "b")(a=2.0, b={"c": 3.0}) == {"c": 2.0}
    with pytest.raises(TypeError, match=r"arguments\['b'\]"):
        grad(lambda **parts: parts["b"], "b")(b="text")


def test_names_reach_through_nested_derivatives():
    assert hessian(area, "width")(2.0, 3.0) == 6.0
    assert hessian(area, "width")(width=2.0, height=3.0) == 6.0
    assert grad(grad(area, "width"), "height")(2.0, 3.0) == 4.0
    assert hessian(area, ("width", "height"))(2.0, 3.0) == ((6.0, 4.0), (4.0, 0.0))


@pytest.mark.parametrize(
    ("name", "arguments", "options", "message"),
    [
        (
            "depth",
            (2.0, 3.0),
            {},
            "argnums='depth', but no argument of that name was given: .* width, height$",
        ),
        ("height", (2.0,), {}, "argnums='height', but no .*: its arguments by position are width$"),
        ("scale", (2.0, 3.0), {}, "argnums='scale', but no argument of that name was given"),
        (2, (2.0, 3.0), {}, "argnums=2 is out of range: 2 positional arguments were given"),
    ],
)
def test_a_name_that_no_argument_has(name, arguments, options, message):
    with pytest.raises(TypeError, match=message):
        grad(area, name)(*arguments, **options)


def test_a_function_that_does_not_say_how_it_is_called():
    with pytest.raises(TypeError, match="it has none of that name"):
        grad(max, "x")(2.0, 3.0)


def test_aux_comes_back_as_it_is():
    seen = object()
    f = lambda x: (x**3, {"seen": seen, "square": x * x})  # noqa: E731
    gradient, aux = grad(f, has_aux=True)(2.0)
    assert (gradient, aux["seen"], float(aux["square"].data)) == (12.0, seen, 4.0)
    (value, aux), gradient = value_and_grad(f, has_aux=True)(2.0)
    assert (value, gradient, aux["seen"]) == (8.0, 12.0, seen)
    assert grad(lambda x: grad(f, has_aux=True)(x)[0])(2.0) == 12.0
    for wrong in (lambda x: x, lambda x: (x, x, x), lambda x: [x, x]):
        with pytest.raises(
            TypeError, match=r"has_aux=True wants a function that returns \(value, aux\), got"
        ):
            grad(wrong, has_aux=True)(2.0)
    with pytest.raises(TypeError, match=r"or has_aux=True if it returns \(value, aux\)"):
        grad(lambda x: (x, 1.0))(2.0)


@pytest.mark.parametrize("transform", [grad, value_and_grad, jacobian, hessian])
def test_a_recorded_value_is_told_what_to_write(transform):
    a, b = Value(2.0, "a"), Value(3.0, "b")
    with pytest.raises(
        TypeError, match=r"takes a function, and .* is a recorded Value: write gradients\(loss, \[a, b\]\)"
    ):
        transform(a * b, [a, b])
    assert gradients(a * b, [a, b]) == [3.0, 2.0]
    with pytest.raises(TypeError, match=f"^{transform.__name__} takes a function, got float 3.0"):
        transform(3.0)
