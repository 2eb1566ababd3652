"""Random graphs, regular and irregular, give in NumPy and in machine code what the eager engine gives."""

import numpy as np
import pytest

from autograd_lite import Value
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import machine as native
from tests.compiler.common import agree, needs_cc, same, whole
from tests.compiler.graphs import KINDS, eager, graph
from tests.exploring import EXPLORE


@pytest.mark.parametrize("first", range(len(KINDS)))
def test_graphs_of_every_kind_agree(first):
    for seed in range(first, 400 if EXPLORE else 150, len(KINDS)):
        kind, loss, X, t = graph(seed)
        program = compile(loss, X[0], t[0])
        total, want = eager(loss, X, t, program.leaves)
        value, gradients = program.batch(np.array(X), np.array(t), reduce="sum")
        agree([value, *(gradients if program.leaves else ())], want)
        if kind not in ("choices", "anything") and isinstance(total, Value):
            agree(whole(compile(total), program.leaves), want)


@needs_cc
@pytest.mark.parametrize("seed", range(len(KINDS) * 2))
def test_machine_code_agrees(seed):
    kind, loss, X, t = graph(seed)
    program = compile(loss, X[0], t[0])
    total, want = eager(loss, X, t, program.leaves)
    value, gradients = program.native().batch(np.array(X), np.array(t), reduce="sum")
    agree([value, *(gradients if program.leaves else ())], want)
    if kind not in ("choices", "anything"):
        recorded = compile(total).native()
        value, gradients = recorded()
        found = dict(zip(recorded.leaves, gradients, strict=True))
        agree([value, *[found.get(leaf, 0.0) for leaf in program.leaves]], want)


@needs_cc
@pytest.mark.parametrize("seed", range(len(KINDS) * 2))
def test_instructions_agree(seed, monkeypatch):
    monkeypatch.setattr(native, "IRREGULAR", -1)
    test_machine_code_agrees(seed)


@needs_cc
def test_what_nothing_reads_is_added_to_nothing():
    _, loss, X, t = graph(55)  # a result that is not used was added to another's sum
    program = compile(loss, X[0], t[0])
    want = program.batch(np.array(X), np.array(t))
    assert same(program.native().batch(np.array(X), np.array(t)), want)
