"""A recorded loss as a program."""

import pytest

from autograd_lite import Value, where
from autograd_lite.compiler import TraceError, compile


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
