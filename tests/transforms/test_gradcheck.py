"""What gradcheck finds, what it lets pass, and where it cannot tell."""

import math
from typing import Any

import pytest

from autograd_lite import nn
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive, primitive
from autograd_lite.core.rules import log, relu, sin, sqrt, tanh
from autograd_lite.transforms import GradcheckError, grad, gradcheck, hessian
from tests.core.test_rules import own_rows  # noqa: F401 - a fixture
from tests.sampling import BELOW_1
from tests.transforms.test_derivatives import quartic, spread

nan = math.nan


@pytest.fixture
def broken(own_rows: None) -> dict[str, Primitive]:  # noqa: F811
    """Rows with a wrong derivative: a factor, a sign in one of two operands, the eighth digit, 0, NaN."""
    return {
        "factor": primitive("factor", math.sin, lambda out, x: (2.0 * table.cos(x),)),
        "sign": primitive("sign_of_second", lambda x, y: x - y, lambda out, x, y: (1.0, 1.0)),
        "digit": primitive("eighth_digit", math.exp, lambda out, x: (1.00000001 * out,)),
        "nothing": primitive("nothing", math.tanh, lambda out, x: (0.0,)),
        "unknown": primitive("unknown", math.tanh, lambda out, x: (nan,)),
    }


@pytest.mark.parametrize("name", ["factor", "digit", "nothing", "unknown"])
def test_gradcheck_names_the_wrong_operation(broken, name):
    row = broken[name]

    def f(x: list[Any]) -> Any:
        return tanh(x[0] * x[1]) + sin(row(x[0] + 1.0)) * x[1]

    with pytest.raises(
        GradcheckError, match=rf"= {row.name}\(Value\(1.3\)\), operand 0: the rule gives"
    ) as caught:
        gradcheck(f, [0.3, -0.7])
    assert issubclass(caught.type, AssertionError)


def test_gradcheck_names_the_operand_and_both_numbers(broken):
    message = (
        r"= sign_of_second\(a = Value\(1.0\), Value\(2.0\)\), operand 1: the rule gives 1.0, .* give -1.0"
    )

    def f(x: Any, y: Any) -> Any:
        x = x * 1.0
        x.label = "a"
        return broken["sign"](x, y * 1.0)

    with pytest.raises(GradcheckError, match=message):
        gradcheck(f, 1.0, 2.0)


def test_gradcheck_finds_what_leaves_the_graph():
    stopped = lambda x: x["w"][0] * x["w"][1].data  # noqa: E731
    with pytest.raises(
        GradcheckError, match=r"∂result/∂arguments\[0\]\['w'\]\[1\]: .* gives 0.0, .* give 3.0"
    ):
        gradcheck(stopped, {"w": [3.0, 2.0]})
    with pytest.raises(GradcheckError, match=r"∂result\[1\]/∂arguments\[0\]"):
        gradcheck(lambda x: [x, x.detach()], 2.0)


def test_gradcheck_of_whole_functions():
    assert gradcheck(quartic, [0.3, -0.8], 1.7) is True
    assert gradcheck(spread, [0.3, -0.8]) is True
    assert gradcheck(grad(quartic, (0, 1)), [0.3, -0.8], 1.7) is True
    assert gradcheck(hessian(quartic), [0.3, -0.8], 1.7) is True
    assert gradcheck(lambda x: 5.0, 1.0) is True
    model = nn.MLP(2, [4, 2], activation="tanh", rng=1)
    assert gradcheck(model, [0.3, -0.7]) is True


@pytest.mark.parametrize("x", [1e-12, 1e-6, 1e-3, 0.2, 1.0, 30.0, 700.0, 1e6, 1e12])
@pytest.mark.parametrize(
    "f", [sin, tanh, lambda x: 1.0 / x, log, lambda x: x**3, lambda x: 1e8 + x, table.softplus, table.gelu]
)
def test_gradcheck_at_every_scale(f, x):
    assert gradcheck(f, x) is True


@pytest.mark.parametrize("f", [relu, abs, lambda x: table.maximum(x, 0.0), lambda x: table.clip(x, 0.0, 1.0)])
def test_gradcheck_at_a_kink_takes_what_lies_between_the_slopes(f):
    assert gradcheck(f, 0.0) is True
    assert gradcheck(f, 1e-9) is True


def test_gradcheck_at_a_kink_refuses_what_does_not(own_rows):  # noqa: F811
    beyond = primitive("beyond", math.fabs, lambda out, x: (1.5,))
    with pytest.raises(GradcheckError, match=r"gives 1.5, differences give -1.0 .* and 1.0 .*"):
        gradcheck(beyond, 0.0)
    # the slopes at a bend are found to eight digits, too
    bent = lambda factor: primitive(  # noqa: E731
        "bent", lambda x: (1.0 if x > 0.0 else 2.0) * math.expm1(x), lambda out, x: (factor,)
    )
    assert gradcheck(bent(2.0), 0.0) is True
    with pytest.raises(GradcheckError, match="= bent"):
        gradcheck(bent(2.00000002), 0.0)
    # relu x - relu -x is x: 0 is the slope of neither side, and no operation is to blame
    with pytest.raises(GradcheckError, match=r"the chain rule gives 0.0, differences give 1.0"):
        gradcheck(lambda x: relu(x) - relu(-x), 0.0)


def test_gradcheck_says_where_differences_cannot_tell():
    for f in (table.heaviside, sqrt, table.cbrt):
        with pytest.raises(GradcheckError, match="differences give no slope at this point"):
            gradcheck(f, 0.0)
    with pytest.raises(GradcheckError, match="differences give no slope at this point"):
        gradcheck(table.log1p, -BELOW_1)  # two floats away from the pole
    assert gradcheck(lambda x: x**2.5, 2.0) is True
    assert gradcheck(table.acosh, 1.0 + 1e-6) is True  # the end of a domain, seen from one side
