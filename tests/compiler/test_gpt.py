"""A whole GPT of scalars: every form gives the numbers of the eager engine, and loops do not grow with it."""

import random

import numpy as np
import pytest

from autograd_lite import GradientDescent, jit, no_grad
from autograd_lite.compiler import compile, jitted
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.nn import GPT, gpt
from tests.compiler.common import needs_cc

SMALL = {"tokens": 5, "width": 8, "heads": 2}


@pytest.fixture(autouse=True)
def in_python(monkeypatch):
    monkeypatch.setattr(jitted, "NATIVE", 10**9)


@pytest.fixture(params=["dot", "sum"])
def product(request, monkeypatch):
    """How the model multiplies: by `dot`, or by Python's own sum, whose terms are nodes of their own."""
    if request.param == "sum":
        monkeypatch.setattr(gpt, "dot", lambda w, x: sum(wi * xi for wi, xi in zip(w, x, strict=True)))


def document(model, length, seed=0):
    """Tokens from the first to the last letter, some of them repeated."""
    letters, choose = len(model.scores), random.Random(seed)
    edges = [0, letters - 1, letters - 1, 0]
    return [edges[k] if k < 4 and length > 3 else choose.randrange(letters) for k in range(length)] + [0]


def eager(model, tokens):
    model.zero_grad()
    loss = model.loss(tokens)
    loss.backward()
    found = [loss.data, *[p.grad for p in model.parameters()]]
    model.zero_grad()
    return np.array(found)


def by_parameter(model, leaves, value, gradients):
    slopes = dict(zip(leaves, gradients, strict=True))
    return np.array([value, *[slopes.get(p, 0.0) for p in model.parameters()]])


def close(got, want):
    return got == pytest.approx(want, rel=1e-12, abs=1e-14)


@pytest.mark.usefixtures("product")
@pytest.mark.parametrize(
    ("shape", "length"),
    [(SMALL, n) for n in (1, 2, 3, 5)]
    + [(SMALL | {"layers": 2}, 3), ({"tokens": 3, "width": 2, "heads": 1}, 4)],
    ids=str,
)
def test_forms_in_python(shape, length):
    model = GPT(**shape, rng=0)
    tokens = document(model, length)
    want = eager(model, tokens)
    program = jit(model.loss).program(tokens)
    numbers, leaves = [float(t) for t in tokens], program.leaf_numbers()
    columns = [np.array([t]) for t in numbers]
    assert close(by_parameter(model, program.leaves, *program.kernel("leaf")(columns, leaves)), want)
    tape = program._taped("leaf", numbers, leaves)
    assert close(by_parameter(model, program.leaves, *tape), want)
    if length < 3:  # the text of longer ones takes seconds to write
        assert close(by_parameter(model, program.leaves, *program.leaf_function(numbers, leaves)), want)
        value, gradients = program.batch([numbers] * 2, reduce=None)
        assert close(by_parameter(model, program.leaves, value[1], gradients[1]), want)


@needs_cc
@pytest.mark.parametrize(
    ("shape", "length"), [(SMALL, 1), (SMALL, 6), (SMALL | {"layers": 2}, 5), ({"tokens": 27}, 7)], ids=str
)
def test_machine_code(shape, length):
    model = GPT(**shape, rng=0)
    documents = [document(model, length, seed) for seed in range(3)]
    want = [eager(model, tokens) for tokens in documents]
    program = jit(model.loss).program(documents[0]).native()
    for tokens, wanted in zip(documents, want, strict=True):
        found = program.gradient_at([float(t) for t in tokens], program.leaf_numbers())
        assert close(by_parameter(model, program.leaves, *found), wanted)
    value, gradients = program.batch(np.array(documents, float), reduce="sum")
    assert close(by_parameter(model, program.leaves, value, gradients), sum(want))


@needs_cc
def test_interpreted(monkeypatch):
    monkeypatch.setattr(native, "IRREGULAR", -1)
    model = GPT(**SMALL, rng=0)
    tokens = document(model, 5)
    program = jit(model.loss).program(tokens).native()
    value, gradients = program.batch([tokens], reduce="sum")
    assert close(by_parameter(model, program.leaves, value, gradients), eager(model, tokens))


def test_a_recorded_document():
    model = GPT(**SMALL, rng=0)
    tokens = document(model, 6)
    want = eager(model, tokens)
    program = compile(model.loss(tokens))
    value, gradients = program._kernel("leaf")([], program.leaf_numbers())
    assert close(by_parameter(model, program.leaves, value, gradients), want)


@pytest.mark.usefixtures("product")
def test_the_loops_do_not_grow_with_the_document():
    model = GPT(**SMALL, rng=0)
    lines, nests = [], []
    for length in (4, 8, 16):
        program = jit(model.loss).program(document(model, length))
        lines.append(len(program.loops.splitlines()))
        nests.append(len(program._loops("leaf", "c").nests))
    assert max(lines) - min(lines) <= 6
    assert max(nests) == min(nests) < 150 < native.IRREGULAR


def test_training_with_documents_of_many_lengths():
    """Lengths never traced before on the way; the same parameters as by the eager engine."""
    models = GPT(**SMALL, rng=0), GPT(**SMALL, rng=0)
    optimizers = [GradientDescent(model.parameters(), lr=0.5) for model in models]
    loss = jit(models[0].loss)
    for step, length in enumerate((2, 1, 3, 2, 3)):
        tokens = document(models[0], length, step)
        for run, optimizer in zip((loss, models[1].loss), optimizers, strict=True):
            optimizer.zero_grad()
            run(tokens).backward()
            optimizer.step()
    assert [p.data for p in models[0].parameters()] == pytest.approx(
        [p.data for p in models[1].parameters()], rel=1e-9, abs=1e-12
    )
    assert repr(loss).endswith("3 programs>")


@pytest.mark.parametrize("wrong", [5, -6, 2.5])
def test_a_token_that_does_not_exist(wrong):
    model = GPT(**SMALL, rng=0)
    loss = jit(model.loss)
    loss([1, 2, 3, 0])
    before = [p.data for p in model.parameters()]
    kind = TypeError if wrong == 2.5 else IndexError
    with pytest.raises(kind, match=r"document\[1\] (is|must be)"):
        loss([1, wrong, 3, 0])
    with pytest.raises((ValueError, TypeError), match=r"label -1|document\[3\]|label 5"):
        loss([1, 2, 3, 5 if wrong == 5 else -1])
    with no_grad(), pytest.raises(kind):
        loss([1, wrong, 3, 0])
    assert [p.data for p in model.parameters()] == before
    assert not any(p.reached for p in model.parameters())


def test_without_a_compiler_large_documents_run_in_numpy():
    model = GPT(**SMALL, rng=0)
    tokens = document(model, 9)
    want = eager(model, tokens)
    loss = jit(model.loss)
    value = loss(tokens)
    value.backward()
    assert close(np.array([value.data, *[p.grad for p in model.parameters()]]), want)
    assert loss.program(tokens)._arrays_at is not None
    assert loss.program([0, 1])._arrays_at is None
