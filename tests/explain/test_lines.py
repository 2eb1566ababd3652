"""`record_lines`: the lines of nodes, and that `why` quotes them."""

import re

import pytest

from autograd_lite import MLP, Value, half_squared_error, record_lines, relu, scope, why


def test_the_line_of_the_operation_that_made_it_is_told():
    w = Value(1e200, "w")
    with record_lines():
        q = w * w  # here
        L = (q - q) * w
    L.backward()
    assert re.search(r", at .*test_lines\.py:\d+: q = w \* w  # here\.$", why(w).text)
    v = Value(-1.0, "v")
    with record_lines():
        L = relu(v)
    L.backward()
    assert re.search(
        r"flat at v = −1, at .*test_lines\.py:\d+: L = relu\(v\) \(inactive relu\)\.$", why(v).text
    )


def test_lines_are_those_of_the_caller_outside_the_package():
    model = MLP(2, [3, 1], "tanh", rng=0)
    with record_lines():
        y = model([1.0, 2.0])
        loss = half_squared_error(y, 1.0)
    assert y.line.file == loss.line.file == __file__
    assert loss.line.number == y.line.number + 1
    hidden = y.operands[3]
    assert (hidden.primitive.name, hidden.line.number) == ("tanh", y.line.number)


def test_lines_do_not_disturb_scopes():
    with record_lines(), scope("outer"):
        y = Value(1.0) * 2.0
        with scope("inner") as inner:
            z = y * 3.0
    assert (y.scope.name, y.scope.parent) == ("outer", None)
    assert (z.scope.name, z.scope.parent.name, z.line.scope) == ("inner", "outer", inner)


def test_outside_the_block_nothing_is_recorded():
    with record_lines():
        with record_lines():
            inside = Value(1.0) * 2.0
        still = Value(1.0) * 2.0
    outside = Value(1.0) * 2.0
    assert (inside.line is None, still.line is None, outside.line) == (False, False, None)
    with pytest.raises(ZeroDivisionError), record_lines():
        Value(1.0) / 0.0
    assert (Value(1.0) * 2.0).line is None


def test_a_line_that_cannot_be_read_any_more_is_still_numbered():
    with record_lines():
        namespace = {"relu": relu, "w": Value(-1.0, "w")}
        exec(compile("L = relu(w)", "<gone>", "exec"), namespace)
    namespace["L"].backward()
    assert ", at <gone>:1 (inactive relu)." in why(namespace["w"]).text
