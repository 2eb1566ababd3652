"""Programs as mathematics."""

import autograd_lite as ag
from autograd_lite import Value, where
from autograd_lite.compiler import compile


def test_latex():
    def loss(x, y):
        z = ag.dot([Value(2.0, "w_1"), 0.5], x)
        z.label = "z"
        return 0.5 * ag.square(z - y)

    text = compile(loss, [1.0, 2.0], 3.0).latex
    assert text.startswith(r"\begin{aligned}")
    assert text.endswith(r"\end{aligned}")
    assert r"z &= w_{1} \cdot x_{0} + 0.5 \cdot x_{1} \\" in text
    assert r"\mathrm{loss} &= 0.5 \cdot v_{1}^{2} \\" in text
    assert r"\frac{\partial \mathrm{loss}}{\partial y} &= -v_{1}" in text
    chosen = compile(lambda x: where((x > 0.0) & ~(x > 2.0) | (x < -1.0), x * 2.0, x), 1.0).latex
    assert r"\begin{cases}" in chosen
    assert all(sign in chosen for sign in (r"\wedge", r"\vee", r"\neg", "x > 0"))
    recorded = compile((Value(2.0, "a") * Value(3.0)).tanh()).latex
    assert r"\partial a" in recorded
    several = compile(lambda x: [x * 2.0, ag.sum([x, -x, 3.0])], 1.0, name="f").latex
    assert r"f_{1} &= x \cdot 2 \\" in several
