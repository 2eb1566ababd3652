"""Operations and conditions that say nothing are left out, and nothing changes."""

import pytest

import autograd_lite as ag
from autograd_lite import Value, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.ir.graph import Graph


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
        assert program(*numbers) == (out.data, (x.grad, y.grad))


def test_a_condition_and_a_constant_are_decided_while_tracing():
    def f(x):
        c = x > 0.0
        assert [c | True, True | c, c & False, False & c] == [True, True, False, False]
        assert all(d is c for d in (c | False, False | c, c & True, True & c))
        return where(c, x, 0.0)

    assert compile(f, 1.0)(2.0) == (2.0, 1.0)


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
