"""The linear map of a recorded graph: how often it is applied, what it walks through, and changed data."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from autograd_lite import Value, grad, gradients, jacobian, jvp, sin, vjp
from autograd_lite.transforms import linear_map
from autograd_lite.transforms.linear_map import LinearMap

nan = math.nan


def test_jacobian_takes_as_many_sweeps_as_the_shorter_side_has(monkeypatch):
    sweeps = []

    def counted(name: str, sweep: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: (sweeps.append(name), sweep(*arguments))[1]

    for name in ("push", "pull"):
        monkeypatch.setattr(LinearMap, name, counted(name, getattr(LinearMap, name)))
    tall, wide = jacobian(lambda x: [x[0] * k for k in range(5)]), jacobian(lambda x: [sum(x[1:], x[0])])
    assert tall([1.0, 1.0]) == [[float(k), 0.0] for k in range(5)]
    assert sweeps == ["push", "push"]
    sweeps.clear()
    assert wide([1.0, 1.0, 1.0]) == [[1.0, 1.0, 1.0]]
    assert sweeps == ["pull"]


def test_a_graph_whose_data_was_changed_is_not_differentiated_twice():
    changes: list[tuple[Callable[..., Any], float, float]] = [
        (lambda x: x * x, 3.0, 10.0),
        (abs, 3.0, -3.0),  # the value is the same, the partial is not
        (lambda x: x.log(), 3.0, -1.0),  # the value does not exist any more
        (lambda x: 1.0 / x, 3.0, 0.0),
        (lambda x: x.exp(), 1.0, nan),
    ]
    for f, before, after in changes:
        x = Value(before, "x")
        y = f(x)
        slope = gradients(y, x)
        x.data = after
        assert gradients(y, x) == slope  # what was recorded, as backward
        with pytest.raises(ValueError, match=r"x = Value\(.*\) no longer holds: data was changed"):
            gradients(y, x, record=True)
        x.data = before
        assert gradients(y, x, record=True).data == slope
    y = Value(3.0) * 2.0
    y.data = 7.0
    with pytest.raises(ValueError, match=r"Value\(7.0\) = mul\(Value\(3.0\), 2.0\) no longer holds"):
        gradients(y.exp(), y.operands[0], record=True)
    x = Value(nan)
    assert math.isnan(gradients(x * x, x, record=True).data)  # a NaN that was there already is no change


def test_a_pullback_is_that_of_the_computation_as_recorded():
    """Trap 33: data changed after `vjp` never mixes with what was recorded."""
    w, v = Value(2.0, "w"), Value(5.0, "v")
    _, pullback = vjp(lambda x: w * x * x + sin(v) * x, 3.0)
    v.data = 7.0  # the partial is sin(v) as it was
    (slope,) = pullback(1.0)
    assert slope.data == pytest.approx(12.0 + math.sin(5.0), rel=1e-15)
    assert gradients(slope, [w, v]) == [6.0, pytest.approx(math.cos(5.0), rel=1e-15)]
    w.data = 100.0  # the partial is w itself
    with pytest.raises(ValueError, match=r"= mul\(w = Value\(100.0\), Value\(3.0\)\) no longer holds"):
        pullback(1.0)
    w.data = 2.0
    assert pullback(1.0)[0].data == slope.data
    plain, pull = vjp(lambda x: x * x, 3.0)
    assert (plain, pull(1.0)) == (9.0, (6.0,))


def test_inner_derivatives_do_not_walk_through_the_outer_past(monkeypatch):
    """How often a node is looked at grows with the number of steps, not with its square."""
    looks = []
    # Whatever looks at a node pairs its operands with its partials.
    monkeypatch.setattr(
        linear_map,
        "zip",
        lambda *pairs, strict: looks.append(pairs) or zip(*pairs, strict=strict),
        raising=False,
    )

    def looks_of(steps: int) -> int:
        def descended(x: Any) -> Any:
            for _ in range(steps):
                x = x - 0.1 * grad(lambda x: x**4)(x)
            return x

        looks.clear()
        jvp(descended, (1.0,), (1.0,))
        return len(looks)

    assert looks_of(20) < looks_of(40) < 2.1 * looks_of(20)
