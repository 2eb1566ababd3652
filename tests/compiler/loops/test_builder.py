"""Nests do not depend on the order in which nodes were written."""

import random

import pytest

import autograd_lite as ag
from autograd_lite import relu
from autograd_lite.compiler import compile
from autograd_lite.compiler.loops.grouping import LOOP
from tests.compiler.common import agree, whole
from tests.compiler.models import by_hand, demo


def any_order(model, choose):
    """The network by hand, its neurons and the terms of each in another order for every sample."""

    def network(x):
        for k, layer in enumerate(model.layers):
            found = {}
            for neuron in choose.sample(layer.neurons, len(layer.neurons)):
                terms = [neuron.b, *[w * xi for w, xi in zip(neuron.w, x, strict=True)]]
                if len(terms) > LOOP:
                    choose.shuffle(terms)
                z = terms[0]
                for term in terms[1:]:
                    z = z + term if choose.random() < 0.5 else term + z
                found[neuron] = relu(z) if k < 2 else z
            x = [found[neuron] for neuron in layer.neurons]
        return x[0]

    return network


@pytest.mark.parametrize("seed", range(3))
def test_another_order_rolls_as_well(seed):
    model, X, y = demo()
    choose = random.Random(seed)
    network = by_hand(model, choose)
    straight = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    other = compile(lambda x, y: relu(1.0 - y * network(x)), [0.0, 0.0], 0.0)
    found = [p._loops("leaf", "array") for p in (straight, other)]
    assert len(found[0].nests) == len(found[1].nests)
    a, b = straight.batch(X, y), other.batch(X, y)
    found = dict(zip(other.leaves, b[1], strict=True))
    assert [found[leaf] for leaf in straight.leaves] == pytest.approx(a[1], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_the_same_loops(seed):
    """No address has to be looked up: the order that nodes were written in leaves no trace."""
    model, X, y = demo()
    choose = random.Random(seed)
    network = any_order(model, choose)
    straight = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    other = compile(lambda x, y: relu(1.0 - y * network(x)), [0.0, 0.0], 0.0)
    assert other.loops.count("for i0") == straight.loops.count("for i0")
    assert "index[" not in other.loops
    samples = list(zip(X.tolist(), y.tolist(), strict=True))
    choose.shuffle(samples)
    loss = 0.0
    for x, t in samples[:20]:
        loss = loss + relu(1.0 - t * network(x))
    recorded = compile(loss)
    assert "index[" not in recorded.loops
    assert len(recorded._loops("leaf", "array").nests) < 40
    loss.backward()
    agree(whole(recorded, recorded.leaves), [loss.data, *[leaf.grad for leaf in recorded.leaves]])
    inputs_too = ag.sum([relu(1.0 - t * model(x)) for x, t in samples[:20]])  # which `nn` makes leaves of
    assert "index[" not in compile(inputs_too).loops


def test_a_whole_recorded_batch_rolls():
    model, X, y = demo()
    network = by_hand(model, random.Random(0))
    samples = list(zip(X.tolist(), y.tolist(), strict=True))
    random.Random(1).shuffle(samples)
    loss = 0.0
    for x, t in samples[:20]:
        loss = loss + relu(1.0 - t * network(x))
    program = compile(loss)
    found = program._loops("leaf", "array")
    assert program._operations > 10_000
    assert len(found.nests) < 40
    loss.backward()
    want = [loss.data, *[leaf.grad for leaf in program.leaves]]
    agree(whole(program, program.leaves), want)
