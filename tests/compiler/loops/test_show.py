"""Loops as text."""

import autograd_lite as ag
from autograd_lite import relu
from autograd_lite.compiler import compile
from tests.compiler.models import demo


def test_a_layer_is_one_loop():
    model, _, _ = demo()
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    shown = program.loops
    assert "for i0 in range(16):\n    dot" in shown
    assert "sum(w[" in shown
    assert shown.count("for i0") < 20
    assert "= heaviside(" in shown  # slopes by their names, not as they are computed
    assert "where" not in shown


def test_a_constant_is_shown_as_its_number():
    shown = compile(lambda x, t: ag.square(x - t) * 0.5, 2.0, 1.0).loops
    assert "[0] * 0.5" in shown
    assert "c[" not in shown
    slopes = compile(lambda x: ag.sum([ag.pow(xi, 2.5 + k) for k, xi in enumerate(x)]), [1.0] * 100).loops
    assert "c[" in slopes  # a hundred numbers
