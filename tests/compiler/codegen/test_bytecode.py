"""Graphs too irregular for loops run as bytecode."""

import random

import autograd_lite as ag
from autograd_lite import Value, tanh
from autograd_lite.compiler import compile
from autograd_lite.compiler.loops import lowering
from tests.compiler.common import agree, needs_cc


@needs_cc
def test_a_graph_that_does_not_roll_is_interpreted(monkeypatch):
    choose = random.Random(0)
    pool = [Value(choose.uniform(-1.0, 1.0)) for _ in range(5)]
    leaves = [*pool]
    for _ in range(3000):
        x, y = choose.choice(pool), choose.choice(pool)
        pool.append(
            choose.choice([lambda x, y: tanh(x + y), lambda x, y: x * y, lambda x, y: ag.sin(x)])(x, y)
        )
    loss = ag.sum(pool[-500:])
    loss.backward()
    program = compile(loss).native()
    assert program._machine.tables
    monkeypatch.setattr(lowering, "MOST_GROUPS", 50)  # where the loops are not even looked for
    assert compile(loss).native()() == program()
    value, gradients = program()
    found = dict(zip(program.leaves, gradients, strict=True))
    agree([value, *[found[leaf] for leaf in leaves]], [loss.data, *[leaf.grad for leaf in leaves]], 1e-12)
