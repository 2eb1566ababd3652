"""Groups of nodes, their derivatives and the recording they are found in: one rule for each group, equal
nodes once, numbers as they are."""

import math
import pickle
import random
import time

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, exp, sigmoid, tanh, value_and_grad
from autograd_lite.compiler import compile
from autograd_lite.compiler.frontend.recording import LEAF, recorded
from autograd_lite.compiler.loops import lowering
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from autograd_lite.core.primitive import TABLE, primitive


def nests_of(program, target="array"):
    return program._loops("leaf", target).nests


def agrees(loss, tolerance=1e-13):
    """The loops of a recorded loss give what the eager engine gives."""
    program = compile(loss)
    for leaf in program.leaves:
        leaf.grad = None
    loss.backward()
    want = np.array([loss.data, *[leaf.grad for leaf in program.leaves]])
    for target in ("array", "c"):
        kernel = NumpyKernel(program._loops("leaf", target), np)
        got = kernel.sums(np.zeros((0, 1)), np.array([leaf.data for leaf in program.leaves]))
        assert np.abs(got - want).max() <= tolerance * max(1.0, np.abs(want).max())
    return program


def values(n, seed=0):
    choose = random.Random(seed)
    return [Value(choose.uniform(0.5, 1.5)) for _ in range(n)]


def test_a_rule_runs_once_for_a_group_of_nodes():
    runs = []

    def rule(out, x):
        if isinstance(x, Value):
            runs.append(x)
        return (out * (1.0 - out),)

    own = primitive("own_sigmoid", lambda x: 1.0 / (1.0 + math.exp(-x)), rule)
    try:
        w = values(50)
        agrees(ag.sum([own(a * b) for a in w for b in w[:7]]))
        assert len(runs) <= 2 * 2  # for each target, and to see whether it is but the operands
    finally:
        TABLE.pop("own_sigmoid")


def test_equal_nodes_are_one():
    a, b = values(2)
    program = agrees(ag.sum([tanh(a * b), tanh(b * a), tanh(a * b * 1.0), tanh(a + b)]))
    assert [nest.size for nest in nests_of(program) if nest.op is TABLE["tanh"]] == [1, 1]


def test_numbers_do_not_tell_nodes_apart():
    """Operands that are numbers are looked up; only those that change the operation make a group."""
    w = values(10)
    program = agrees(ag.sum([sigmoid(wi) / (1.5 + k) for k, wi in enumerate(w)]))
    assert [nest.size for nest in nests_of(program, "shown") if nest.op is TABLE["div"]] == [10]
    powers = ag.sum([wi**k for k, wi in zip((0.0, 1.0, 2.0, -1.0, 0.5, 1.5, 2.5, 3.0), w, strict=False)])
    program = agrees(powers)
    sizes = [nest.size for nest in nests_of(program) if nest.op is TABLE["pow"]]
    assert sum(sizes) == 4 + 3  # x⁰, x¹, x² and 1/x are no powers, nor are their slopes, nor that of x³


def test_more_numbers_than_forms_pay_for(monkeypatch):
    made = []

    class Counted(lowering.Template):
        def __init__(self, *given):
            made.append(given)
            super().__init__(*given)

    monkeypatch.setattr(lowering, "Template", Counted)
    monkeypatch.setattr(lowering, "MANY_NUMBERS", 20)
    w = values(60)
    compile(ag.sum([wi ** (0.5 + 0.01 * k) for k, wi in enumerate(w)]))._loops("leaf", "array")
    assert sorted([numbers.count(None) for _, numbers, *_ in made]) == [1] * 20 + [2]
    agrees(ag.sum([wi ** (0.5 + 0.01 * k) for k, wi in enumerate(w)]))
    agrees(ag.sum([ag.clip(wi, 0.6, 1.0 + 0.003 * k) for k, wi in enumerate(w)]))


def test_signs_and_factors_of_sums():
    a, b, c = values(3)
    agrees(-(a - b * -c) * 2.0 - (3.0 - -(-(a * -b) * c)) + (-0.0 + a) * (0.0 - b))
    agrees(ag.sum([a, a, -a, b]) * ag.sum([a]) - ag.sum([]) + ag.dot([a, 2.0, b], [a, c, -1.5], c))
    agrees(a * a * a * a + (a * b) * (a * b) + ag.square(a - b) + ag.prod([a, b, c, a]))


def test_a_leaf_or_a_number_alone():
    a = Value(2.0)
    program = compile(a)
    assert NumpyKernel(program._loops("leaf", "array"), np).sums(
        np.zeros((0, 1)), np.array([5.0])
    ).tolist() == [
        5.0,
        1.0,
    ]
    b = Value(3.0)
    constant = compile(ag.sum([a * 0.0**1, 4.0]) ** 0.0 + 0.0 * b)
    assert constant() == (1.0, [0.0, 0.0])


def test_constants_keep_their_signs():
    x = Value(-0.5)
    program = agrees(ag.atan2(0.0, x * 3.0) - ag.atan2(-0.0, x * 3.0))
    assert program()[0] == 2.0 * math.pi


def test_rows_of_several_operands_are_grouped_within():
    """The terms of a softmax are one nest for all its classes, as they are for all samples."""
    w = values(6)
    program = agrees(ag.sum([ag.logsumexp([wi * k for wi in w]) for k in range(5)]))
    assert max(nest.size for nest in nests_of(program) if nest.op is TABLE["exp"]) == 30


def test_labels_name_the_loops():
    a, b = Value(1.0, "a"), Value(2.0)
    z = a * b + 1.0
    z.label = "z 1*/"
    program = compile(tanh(z))
    assert "z_1_0[0] = 1.0 + " in program.loops
    assert "d_z_1_" in program.loops


def test_a_recording_is_the_graph_as_integers():
    a, b = Value(2.0, "a"), Value(3.0)
    loss = exp(a * b) * 0.5 - a
    recording, leaves = recorded(loss)
    assert leaves == [a, b]
    assert recording.codes.count(LEAF) == 2
    assert recording.operations == 4
    assert recording.constants.tolist() == [0.5]
    graph, (out,) = recording.graph()
    assert graph.labels == {0: "a", 1: "leaf_2"}
    assert graph.ops[out] is TABLE["sub"]
    for k in range(3):
        assert recorded(loss)[0] == recording, k


def test_a_program_keeps_no_values_but_the_leaves():
    w = values(100)
    loss = ag.sum([tanh(a * b) for a in w for b in w])
    program = compile(loss)
    want = program()
    kept = pickle.dumps(program)
    assert len(kept) < 100 * 10_000  # 10,000 products of two: 32 bytes for each
    assert pickle.loads(kept)() == want


def test_derivatives_within_a_recorded_loss():
    x = Value(0.7)
    value, slope = value_and_grad(lambda v: tanh(v * x) * v)(0.3)
    program = agrees(value * slope + x)
    assert program.leaves == (x,)


@pytest.mark.parametrize("target", ["array", "c"])
def test_time_is_near_linear_in_the_nodes(target):
    w = values(40)

    def seconds(n):
        choose = random.Random(n)
        x = [[choose.gauss(0.0, 1.0) for _ in range(4)] for _ in range(n)]
        loss = ag.sum(
            [
                tanh(sum(wi * xi for wi, xi in zip(w[4 * k : 4 * k + 4], row, strict=True)))
                for row in x
                for k in range(10)
            ]
        )
        program = compile(loss)
        best = math.inf
        for _ in range(3):
            start = time.process_time()
            program._loops("leaf", target)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(1_600) < 4.0 * 4.0 * seconds(400) + 0.05  # linear would be 4 times
