"""The traps that other engines fell into, as far as the table and `Value` are concerned: one test for each.

The number in a test's name is that of the trap. 10, 11 and the second half of 28 are about derivatives of
functions, 24 and 25 about networks and optimizers, 26 and 29 about programs and pictures: those stand in
the tests of their modules.
"""

import copy
import gc
import math
import operator
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from autograd_lite import ledger, why
from autograd_lite.core import rules as table
from autograd_lite.core.modes import no_grad
from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import alive

nan, inf = math.nan, math.inf


def derivative(y: Any, x: Value) -> Any:
    """∂y/∂x, itself a graph where it is no constant: by the chain rule, forward, with the rules on Values."""
    tangents: dict[int, Any] = {id(x): 1.0}
    for node in topological_order(y) if isinstance(y, Value) else ():
        if node.primitive is not None:
            partials = node.primitive.rule(node, *node.operands)
            terms = [p * tangents.get(id(o), 0.0) for p, o in zip(partials, node.operands, strict=True)]
            tangents[id(node)] = table.sum([term for term in terms if type(term) is Value or term])
    return tangents.get(id(y), 0.0)


# --- Engine -----------------------------------------------------------------------------------------


def test_trap_1_a_deep_chain_needs_no_recursion():
    x = y = Value(0.5)
    for _ in range(100_000):
        y = y + x
    y.backward()
    assert x.grad == 100_001.0


def test_trap_2_an_old_gradient_does_not_leak_into_the_next_pass():
    x = Value(3.0)
    y = x * x * x
    y.backward()
    x.grad = 0
    y.backward()
    assert x.grad == 27.0


def test_trap_3_two_roots_over_one_node():
    x = Value(2.0)
    h = x * x
    (h * 3).backward()
    (h * 5).backward()
    assert x.grad == 32.0


def test_trap_4_gradients_accumulate():
    w = Value(1.0)
    (w * 2).backward()
    (w * 3).backward()
    assert w.grad == 5.0


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_trap_5_an_adjoint_is_complete_before_it_is_passed_on(swap, late):
    a = Value(2.0)
    b = a * a
    c = a + b if swap else b + a
    d = c * b if late else b * c
    d.backward()
    assert a.grad == 44.0


def test_trap_6_a_sum_with_itself_has_two_operands():
    a = Value(3.0)
    y = a + a
    assert y.operands == (a, a)
    assert y.partials == (1.0, 1.0)
    y.backward()
    assert a.grad == 2.0


def test_trap_6_the_hash_seed_changes_no_bit():
    code = """
from autograd_lite.core.value import Value
x = Value(0.1)
terms = [x * 0.1 ** k for k in range(12)]
y = terms[0]
for term in terms[1:]:
    y = y * 1.1 + term / 3.0 + term.sin()
y.backward()
print(x.grad.hex())
"""
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env=environment | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "42")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith("0x1.")


def test_trap_7_the_gradient_is_that_of_the_computation_as_recorded():
    x = Value(3.0)
    y = x * x
    x.data = 10.0
    y.backward()
    assert (x.grad, y.data) == (6.0, 9.0)


def test_trap_8_a_copy_is_a_graph_of_its_own():
    x = Value(3.0)
    y = x * x
    twin = copy.deepcopy(y)
    twin.backward()
    assert twin.operands[0].grad == 6.0
    assert [x.reached, y.reached] == [False, False]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda y: pickle.loads(pickle.dumps(y))])
def test_trap_8_a_deep_graph_survives_a_copy(clone):
    y = Value(0.5)
    for _ in range(100_000):
        y = y + 1.0
    restored = clone(y)
    restored.backward()
    order = topological_order(restored)
    assert len(order) == 100_001
    assert (restored.data, order[0].data, order[0].grad) == (100_000.5, 0.5, 1.0)


def test_trap_9_a_million_nodes_are_freed_by_reference_counting():
    """Recorded, differentiated, freed, at once: nothing is left to the cyclic collector."""
    gc.collect()
    before = len(gc.get_objects())
    gc.disable()
    try:
        x = y = Value(1.0)
        for _ in range(1_000_000):
            y = y * 1.0
        y.backward()
        assert x.grad == 1.0
        assert len(gc.get_objects()) > before + 1_000_000
        del x, y
        assert len(gc.get_objects()) < before + 1_000
        assert gc.collect() == 0
    finally:
        gc.enable()


# --- Numerics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 0.0])
def test_trap_12_to_the_power_0_at_0(exponent):
    x = Value(0.0)
    y = x**exponent
    y.backward()
    assert (y.data, x.grad) == (1.0, 0.0)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_trap_12_powers_at_0_to_every_order(n):
    x = Value(0.0)
    y: Any = x**n
    for order in range(n + 3):
        assert y == (math.factorial(n) if order == n else 0.0), order
        y = derivative(y, x)


def test_trap_12_a_square_takes_no_logarithm():
    x = Value(-3.0)
    y = x**2.0
    y.backward()
    assert (y.data, x.grad) == (9.0, -6.0)


def test_trap_13_a_root_of_a_negative_number_is_no_complex_one():
    with pytest.raises(ValueError, match=r"^pow\(x=-8\.0, 0\.333"):
        Value(-8.0, "x") ** (1 / 3)


def test_trap_14_division_is_division():
    assert (Value(1e-310) / 1e-310).data == 1.0
    assert (Value(5.0) / 49.0).data == 5.0 / 49.0  # 5 · (1/49) is another float
    assert (5.0 / Value(49.0)).data == 5.0 / 49.0
    values = np.array([Value(1.0), Value(2.0), Value(4.0)])
    mean = np.mean(values)
    mean.backward()
    assert mean.data == 7.0 / 3.0
    assert [value.grad for value in values] == [1.0 / 3.0] * 3


@pytest.mark.parametrize("x", [-1000.0, 1000.0])
def test_trap_15_tanh_and_sigmoid_far_out(x):
    t, s = Value(x), Value(x)
    y, p = t.tanh(), s.sigmoid()
    y.backward()
    p.backward()
    assert (y.data, t.grad) == (math.copysign(1.0, x), 0.0)
    assert (p.data, s.grad) == (float(x > 0.0), 0.0)


@pytest.mark.parametrize("z", [-700.0, 700.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_trap_15_log_loss_far_out(z, label):
    """-log P(label) = softplus(∓z): 700 where the label is wrong, e^-700 where it is right, never log 0."""
    score = Value(z)
    loss = table.softplus(-score if label else score)
    loss.backward()
    wrong = (z > 0.0) != (label == 1.0)
    small = 9.859676543759770e-305  # e^-700
    assert loss.data == pytest.approx(700.0 if wrong else small, rel=1e-12)
    assert score.grad == pytest.approx((1.0 if wrong else small) * (1.0 - 2.0 * label), rel=1e-12)


@pytest.mark.parametrize(
    ("scores", "label", "loss", "gradient"),
    [
        ((1000.0, 0.0), 0, 0.0, (0.0, 0.0)),
        ((1000.0, 0.0), 1, 1000.0, (1.0, -1.0)),
        ((-800.0, 0.0), 0, 800.0, (-1.0, 1.0)),
        ((-800.0, 0.0), 1, 0.0, (0.0, 0.0)),
    ],
)
def test_trap_15_cross_entropy_far_out(scores, label, loss, gradient):
    values = [*map(Value, scores)]
    node = table.softmax_cross_entropy(values, label)
    node.backward()
    assert node.data == loss
    assert tuple(value.grad for value in values) == gradient


def test_trap_16_a_nan_is_never_hidden():
    x = Value(nan)
    y = x.relu()
    y.backward()
    assert math.isnan(y.data)
    assert math.isnan(x.grad)
    for row in (table.maximum, table.minimum):
        for operands in ((nan, 1.0), (1.0, nan)):
            assert math.isnan(row(*operands))


def test_trap_17_the_branch_not_taken_contributes_exactly_nothing():
    x = Value(0.0)
    y = table.where(x > 0.0, lambda: table.log(x), 0.0)
    assert y == 0.0  # a number: nothing of x went into it
    z = table.where(x > 0.0, lambda: table.log(x), x * 0.0)
    z.backward()
    assert (z.data, x.grad) == (0.0, 0.0)


def test_trap_17_not_even_0_times_infinity():
    x = Value(0.0)
    root = table.sqrt(x)
    assert root.partials == (inf,)
    y = table.where(x > 0.0, root, 0.0)
    y.backward()
    assert (y.data, root.grad, x.grad) == (0.0, 0.0, 0.0)


def test_trap_17_what_is_computed_eagerly_is_outside_its_domain_all_the_same():
    x = Value(0.0, "x")
    with pytest.raises(ValueError, match=r"^log\(x=0\.0\): "):
        table.where(x > 0.0, table.log(x), 0.0)


@pytest.mark.parametrize("x", [1e-310, 1e-15, 1.0])
def test_trap_18_no_epsilon_is_smuggled_in(x):
    v = Value(x)
    assert v.log().data == math.log(x)
    assert (1.0 / v).data == 1.0 / x
    assert v.sqrt().data == math.sqrt(x)
    y = v.log()
    y.backward()
    assert v.grad == 1.0 / x


def test_trap_19_the_plane_at_1e200_and_at_the_origin():
    x, y = Value(3e200), Value(4e200)
    r, angle = table.hypot(x, y), table.atan2(y, x)
    r.backward()
    assert r.data == pytest.approx(5e200, rel=2e-16)
    assert (x.grad, y.grad) == pytest.approx((0.6, 0.8), rel=4e-16)
    x.grad = y.grad = None
    angle.backward()
    assert (x.grad, y.grad) == pytest.approx((-0.16e-200, 0.12e-200), rel=1e-15)

    x, y = Value(0.0), Value(0.0)
    table.hypot(x, y).backward()
    assert (x.grad, y.grad) == (0.0, 0.0)
    with pytest.raises(ZeroDivisionError, match="no derivative"):
        table.atan2(y, x)
    root = Value(0.0)
    table.sqrt(root).backward()
    assert root.grad == inf
    assert all(row.edges or row.domain for row in (table.hypot, table.atan2, table.sqrt))


def test_trap_20_of_nothing():
    assert table.sum([]) == 0.0
    assert table.prod([]) == 1.0
    assert table.dot([], []) == 0.0
    bias = Value(2.0)
    y = table.dot([], [], bias)
    y.backward()
    assert (y.data, bias.grad) == (2.0, 1.0)
    with pytest.raises(ValueError, match="mean of no values is undefined"):
        table.mean([])
    with pytest.raises(ValueError, match="logsumexp of no values is undefined"):
        table.logsumexp([])
    with pytest.raises(ValueError, match="label 0 is not a class: the 0 scores"):
        table.softmax_cross_entropy([], 0)


# --- Interface --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "result", "gradient"),
    [
        (lambda v: 2**v, 8.0, 8.0 * math.log(2.0)),
        (lambda v: v**v, 27.0, 27.0 * (math.log(3.0) + 1.0)),
        (abs, 3.0, 1.0),
        (lambda v: max(v, 2.0 * v), 6.0, 2.0),
        (lambda v: min(v, 2.0 * v), 3.0, 1.0),
        (lambda v: np.float64(2) * v, 6.0, 2.0),
        (lambda v: v * np.float64(2), 6.0, 2.0),
        (lambda v: np.int64(12) / v, 4.0, -12.0 / 9.0),
        (lambda v: (np.array([1.0, 2.0]) * v).sum(), 9.0, 3.0),
        (lambda v: (v * np.array([1.0, 2.0])).sum(), 9.0, 3.0),
        (lambda v: (np.array([1.0, 2.0]) - v)[1], -1.0, -1.0),
        (lambda v: np.exp(np.array([v, v])).sum(), 2.0 * math.exp(3.0), 2.0 * math.exp(3.0)),
        (lambda v: np.arctan2(np.array([v]), 4.0)[0], math.atan2(3.0, 4.0), 4.0 / 25.0),
        (lambda v: np.dot(np.array([v, v]), np.array([5.0, v])), 24.0, 5.0 + 6.0),
        (lambda v: np.array([v, 5.0]) @ np.array([v, v]), 24.0, 6.0 + 5.0),
        (lambda v: np.mean(np.array([v, v * v])), 6.0, 3.5),
    ],
)
def test_trap_21_python_and_numpy_compute_with_values(compute, result, gradient):
    v = Value(3.0)
    y = compute(v)
    assert type(y) is Value
    y.backward()
    assert y.data == pytest.approx(result, rel=4e-16)
    assert v.grad == pytest.approx(gradient, rel=4e-16)


def test_trap_21_an_array_times_a_value_is_an_array_of_values():
    v, array = Value(3.0), np.array([1.0, 2.0])
    for product in (v * array, array * v):
        assert (product.dtype, product.shape) == (object, (2,))
        assert [type(y) for y in product] == [Value, Value]
        assert [y.data for y in product] == [3.0, 6.0]


def test_trap_21_numbers_are_compared_rounded_and_formatted():
    v = Value(2.675)
    assert (v < 3) is (v <= Value(3.0)) is (v > 2) is (v > np.float64(2.5)) is True
    assert (v < 2) is (v == 2) is (v >= Value(3.0)) is False
    assert (round(v), round(v, 1), f"{v:.2f}") == (3, 2.7, f"{2.675:.2f}")


@pytest.mark.parametrize("turn", [math.exp, float, int, operator.index, np.float64])
def test_trap_22_a_value_turns_into_no_plain_number(turn):
    with pytest.raises(TypeError) as raised:
        turn(Value(2.0))
    if turn is not operator.index:  # which Python answers itself
        assert "write v.data" in str(raised.value)


@pytest.mark.parametrize("thing", ["a", None, Value(1.0)], ids=repr)
def test_trap_22_a_value_is_made_of_a_number(thing):
    with pytest.raises(TypeError, match=r"^the data of a Value must be a real number, got "):
        Value(thing)


def test_trap_23_data_takes_no_value():
    w = Value(2.0, "w")
    (w * 3.0).backward()
    with pytest.raises(TypeError, match=r"got Value Value\(1\.7.*\): take the number out of it with \.data$"):
        w.data = w - 0.1 * w.grad
    assert w.data == 2.0
    w.data -= 0.1 * w.grad
    assert w.data == 2.0 - 0.1 * 3.0


def test_trap_27_small_numbers_are_shown():
    assert repr(Value(3e-07, "rate")) == "rate = Value(3e-07)"
    assert f"{Value(3e-07)}" == "Value(3e-07)"


def test_trap_28_an_exception_ends_no_grad():
    x = Value(3.0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), no_grad():
            x / 0.0
        with pytest.raises(KeyError), no_grad(), no_grad():
            raise KeyError("x")
    y = x * x
    y.backward()
    assert x.grad == 6.0


# --- Found in the first edition ---------------------------------------------------------------------


def test_trap_35_foreign_objects_are_not_asked_for_their_class():
    """Lazy modules load what they stand for, others warn or raise: neither is ours to trigger."""
    asked = []

    class Lazy:
        @property
        def __class__(self) -> type:
            asked.append(self)
            raise RuntimeError("loaded by being asked")

    lazy = [Lazy()]
    assert any(thing is lazy for thing in gc.get_objects())
    x = Value(3.0)
    y = x * x
    y.backward()
    assert {x, y} <= {*alive()}
    assert why(x).cause == "healthy"
    assert ledger(x).shares
    assert not asked
