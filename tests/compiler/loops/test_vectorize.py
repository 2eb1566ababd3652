"""The samples of a recorded batch are found, and laid side by side."""

import random

import pytest

import autograd_lite as ag
from autograd_lite import Value, dot, tanh
from autograd_lite.compiler import compile
from tests.compiler.common import agree, needs_cc, whole
from tests.compiler.models import batches


@needs_cc
@pytest.mark.parametrize("which", range(13))
def test_the_samples_of_a_recorded_batch_are_told_apart(which):
    title, loss, apart = list(batches())[which]
    program = compile(loss)
    loss.backward()
    want = [loss.data, *[leaf.grad for leaf in program.leaves]]
    agree(whole(program, program.leaves), want)
    assert (program.kernel("leaf").recorded is not None) is apart, title
    program.native()
    value, gradients = program()
    agree([value, *gradients], want)
    assert program.form == "machine code"
    assert not apart or program._machine.data.arrays[0].shape[0] == 20


@needs_cc
def test_leaves_of_samples_are_read_also_where_all_have_one_derivative():
    """Then no result is one sample's own, and the sums are as many as the leaves."""
    w, x = Value(0.3), [Value(random.Random(k).uniform(-1.0, 1.0)) for k in range(12)]
    loss = ag.square(tanh(w)) * 0.0 + ag.mean([tanh(w) * xi + 0.1 * w for xi in x])
    loss.backward()
    program = compile(loss).native()
    assert program._machine.recorded is not None
    value, gradients = program()
    agree([value, *gradients], [loss.data, *[leaf.grad for leaf in program.leaves]])
    start = [leaf.data for leaf in program.leaves]
    values = program.descend(lr=0.1, steps=2)
    moved = [leaf.data for leaf in program.leaves]
    for leaf, number in zip(program.leaves, start, strict=True):
        leaf.data = number
    other = compile(loss)
    agree([*values, *moved], [*other.descend(lr=0.1, steps=2), *[leaf.data for leaf in program.leaves]])


def test_equal_samples_are_computed_once_and_not_told_apart():
    w = [Value(0.3), Value(-0.2)]
    X = [[1.0, 2.0], [0.5, -1.0], [1.0, 2.0], *[[0.1 * k, 0.3] for k in range(9)]]
    loss = ag.sum([tanh(dot(w, x)) for x in X])
    program = compile(loss)
    loss.backward()
    agree(whole(program, w), [loss.data, *[wi.grad for wi in w]])
