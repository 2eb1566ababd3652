"""`minimize` against document 003, its settings and its bar."""

import math

import numpy as np
import pytest

from autograd_lite import grad, mean, sqrt, square
from autograd_lite.train import minimize


def quartic(x):
    return x**4 - 3.0 * x**3


def test_minimize_is_the_loop_of_003_3():
    result = minimize(quartic, 6.0, lr=0.01, precision=0.00001, previous=0.0)
    x, before, path = 6.0, 0.0, [6.0]
    while abs(x - before) > 0.00001:
        before, x = x, x - 0.01 * (4.0 * x**3 - 9.0 * x**2)
        path.append(x)
    # The loop contracts: the roundings of a step do not add up over 70.
    assert result.path == pytest.approx(path, rel=1e-14)
    assert (result.steps, result.converged, len(result.path)) == (70, True, 71)
    assert result.x == result.path[-1] == pytest.approx(2.2499646074278457, rel=1e-15)


@pytest.mark.parametrize(
    ("start", "lr", "steps", "printed"),
    [
        (7.0, 0.01, 1025, "-0.010500"),
        (6.0, 0.0112, 786, "-0.009919"),
        (-1.0, 0.01, 1021, "-0.010506"),
        (6.25, 0.01, 2, "0.000000"),
        (0.0, 0.01, 0, "0.000000"),
    ],
)
def test_the_loop_of_003_3_stops_elsewhere_from_other_starts(start, lr, steps, printed):
    result = minimize(quartic, start, lr=lr, precision=0.00001, previous=0.0)
    assert (result.steps, f"{result.x:f}", result.converged) == (steps, printed, True)


def test_without_a_previous_point_the_first_step_is_taken():
    assert minimize(quartic, 0.0, lr=0.01).steps == 1
    assert minimize(quartic, 6.0, lr=0.01, precision=0.00001).steps == 70


def test_the_loop_of_003_3_overflows():
    with pytest.raises(OverflowError, match="pow"):
        minimize(quartic, 6.0, lr=0.02, previous=0.0)


def test_minimize_moves_any_tree_of_numbers():
    def f(p):
        return square(p["a"] - 1.0) + mean([square(v - 2.0) for v in p["b"]])

    result = minimize(f, {"a": 5, "b": (0.0, 9.0)}, lr=0.25, precision=1e-9)
    assert result.x == {"a": pytest.approx(1.0, abs=1e-8), "b": pytest.approx((2.0, 2.0), abs=1e-8)}
    assert isinstance(result.x["b"], tuple)
    assert result.path[0] == {"a": 5.0, "b": (0.0, 9.0)}
    assert minimize(lambda x: (x * x).sum(), np.array([1.0, -2.0]), lr=0.5, max_steps=1).x.tolist() == [
        0.0,
        0.0,
    ]


def test_the_largest_change_counts():
    def slopes(scale):  # steps of 0.1 and 0.1 · scale
        return lambda x: x[0] + scale * x[1]

    assert minimize(slopes(1.0), [0.0, 0.0], lr=0.1, precision=0.2).steps == 1
    assert minimize(slopes(1.0), [0.0, 0.0], lr=0.1, precision=0.1).steps == 1  # within, at the bound
    assert minimize(slopes(3.0), [0.0, 0.0], lr=0.1, precision=0.2, max_steps=7).steps == 7
    assert minimize(slopes(3.0), [0.0, 0.0], lr=0.1, precision=0.2, previous=[0.0, 0.1]).steps == 0
    assert minimize(slopes(3.0), [0.0, 1.0], lr=0.1, precision=0.9, previous=0.0).steps == 1


def test_minimize_gives_up_after_max_steps():
    result = minimize(square, 1.0, lr=0.25, precision=0.0, max_steps=3)
    assert (result.x, result.steps, result.converged) == (0.125, 3, False)


def test_minimize_stops_where_numbers_end():
    with pytest.raises(
        FloatingPointError, match=r"step 1 goes from 0\.0 to -inf: try a step size below 0\.1"
    ):
        minimize(sqrt, 0.0, lr=0.1)
    with pytest.raises(FloatingPointError, match=r"step 1 goes from \[1\.0, 2\.0\] to \[0\.5, nan\]"):
        minimize(lambda x: x[0] + x[1] * math.nan, [1.0, 2.0], lr=0.5)


def test_minimize_checks_what_it_is_given():
    with pytest.raises(ValueError, match=r"built like start, \[1\.0, 2\.0\], got \[1\.0\]"):
        minimize(lambda x: x[0] * x[1], [1.0, 2.0], previous=[1.0])
    with pytest.raises(ValueError, match=r"start must hold a number to move, got \[\]"):
        minimize(lambda x: 1.0, [])
    with pytest.raises(TypeError, match="start must be a real number, got str"):
        minimize(square, "1")
    with pytest.raises(ValueError, match="precision must be at least 0, got nan"):
        minimize(square, 1.0, precision=math.nan)
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        minimize(square, 1.0, max_steps=0)


def test_a_derivative_through_minimize():
    # Three steps on (x - a)² from 0 give a·(1 - (1 - 2 lr)³): the derivative by a is 1 - 0.5³ at lr = 0.25.
    slope = grad(lambda a: minimize(lambda x: square(x - a), 0.0, lr=0.25, max_steps=3, precision=0.0).x)(4.0)
    assert slope == 0.875


@pytest.mark.parametrize(
    ("given", "shown"), [({}, False), ({"progress": True}, True), ({"progress": False}, False)]
)
def test_the_bar_of_minimize(capfd, given, shown):
    minimize(square, 1.0, lr=0.1, max_steps=5, **given)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("step/s" in err or "?step" in err) == shown
    assert bool(err) == shown
