"""Repeated blocks, the steps of chains and of recurrent cells, become loops over the steps; numbers stay."""

import random
import re
import subprocess

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, dot, relu, sigmoid, square, tanh, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from tests.compiler.common import needs_cc
from tests.optional import needs_numpy

HIDDEN, INPUTS = 4, 3


def weights(choose, *shape):
    if not shape:
        return Value(choose.uniform(-0.7, 0.7))
    return [weights(choose, *shape[1:]) for _ in range(shape[0])]


def chain(choose):
    w, c = weights(choose, 2)

    def run(x):
        y = x[0][0]
        for step in x:
            y = tanh(y * w + step[1]) * c + y
        return y

    return run


def plain(choose):
    u, w, b, out = (weights(choose, *shape) for shape in ((4, 3), (4, 4), (4,), (4,)))
    order = choose.sample(range(HIDDEN), HIDDEN)

    def run(x):
        h = [0.0] * HIDDEN
        for step in x:
            made = {k: tanh(dot(u[k], step) + dot(w[k], h, b[k])) for k in order}
            h = [made[k] for k in range(HIDDEN)]
        return square(dot(out, h) - 0.3)

    return run


def every_step(choose):
    """By hand, with an output at each step."""
    u, w, out = weights(choose, 4, 3), weights(choose, 4, 4), weights(choose, 4)

    def run(x):
        h, loss = [0.1] * HIDDEN, 0.0
        for t, step in enumerate(x):
            new = []
            for k in range(HIDDEN):
                z = 0.0
                for i in range(INPUTS):
                    z = z + u[k][i] * step[i]
                for i in range(HIDDEN):
                    z = z + w[k][i] * h[i]
                new.append(relu(z) - 0.1 * z)
            h = new
            loss = loss + square(sum(a * b for a, b in zip(out, h, strict=True)) - 0.01 * t)
        return loss

    return run


def gated(choose):
    gates = [(weights(choose, 4, 3), weights(choose, 4, 4), weights(choose, 4)) for _ in range(4)]
    out = weights(choose, 4)

    def run(x):
        h, c = [0.0] * HIDDEN, [0.0] * HIDDEN
        for step in x:
            i, f, o, g = [
                [act(dot(u[k], step) + dot(w[k], h, b[k])) for k in range(HIDDEN)]
                for (u, w, b), act in zip(gates, (sigmoid, sigmoid, sigmoid, tanh), strict=True)
            ]
            c = [fk * ck + ik * gk for fk, ck, ik, gk in zip(f, c, i, g, strict=True)]
            h = [ok * tanh(ck) for ok, ck in zip(o, c, strict=True)]
        return ag.softplus(dot(out, h))

    return run


def two_layers(choose):
    layers = [(weights(choose, 4, n), weights(choose, 4, 4)) for n in (3, 4)]

    def run(x):
        h = [[0.0] * HIDDEN for _ in layers]
        for step in x:
            below = step
            for k, (u, w) in enumerate(layers):
                h[k] = [tanh(dot(u[i], below) + dot(w[i], h[k])) for i in range(HIDDEN)]
                below = h[k]
        return ag.sum([square(v) for v in h[-1]])

    return run


def two_steps_back(choose):
    a, b = weights(choose, 2)

    def run(x):
        y, z = x[0][0], x[0][1]
        for step in x:
            y, z = z, tanh(a * z + b * y + step[2])
        return y * z

    return run


def chosen(choose):
    """A choice in each step, which is differentiated before its loops are found."""
    w = weights(choose, 2)

    def run(x):
        y = x[0][0]
        for step in x:
            y = where(step[0] > 0.0, tanh(w[0] * y + step[1]), w[1] * y)
        return y

    return run


MODELS = (chain, plain, every_step, gated, two_layers, two_steps_back, chosen)


def eager(run, samples, leaves):
    for leaf in leaves:
        leaf.grad = None
    total = ag.sum([run(x) for x in samples])
    total.backward()
    return total, [total.data, *[leaf.grad for leaf in leaves]]


def agree(got, want):
    scale = max(1.0, *map(abs, want))
    assert max(abs(a - b) for a, b in zip(got, want, strict=True)) <= 1e-13 * scale


def sequences(m, steps):
    return np.random.default_rng(steps).normal(size=(m, steps, INPUTS))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("steps", [3, 5, 24])
def test_a_batch_of_sequences_agrees(model, steps):
    run = model(random.Random(1))
    X = sequences(5, steps)
    program = compile(run, X[0].tolist())
    _, want = eager(run, X.tolist(), program.leaves)
    value, gradients = program.batch(X, reduce="sum")
    agree([value, *gradients], want)


@needs_cc
@pytest.mark.parametrize("model", MODELS)
def test_machine_code_of_sequences_agrees(model):
    run = model(random.Random(2))
    X = sequences(19, 9)
    program = compile(run, X[0].tolist())
    _, want = eager(run, X.tolist(), program.leaves)
    value, gradients = program.native().batch(X, reduce="sum")
    agree([value, *gradients], want)


@needs_cc
@pytest.mark.parametrize("model", [every_step, gated, two_steps_back, chosen])
def test_loops_over_steps_are_c99_and_stay_within_their_arrays(model, tmp_path):
    run = model(random.Random(8))
    X = sequences(3, 12)
    program = compile(run, X[0].tolist(), name="net")
    text = program.c_source
    assert "for (int step = 0; step < " in text
    work = int(re.search(r"room for (\d+) numbers", text)[1])

    def array(name, numbers):
        return f"static const double {name}[] = {{{', '.join(map(repr, map(float, np.ravel(numbers))))}}};\n"

    main = f"""{text}
#include <stdio.h>
{array("X", X)}{array("leaves", [leaf.data for leaf in program.leaves])}
int main(void)
{{
    static double out[{len(program.leaves) + 1}], work[{work}];
    const double *const samples[] = {{X}};
    net({len(X)}, samples, leaves, out, work);
    for (int k = 0; k < {len(program.leaves) + 1}; k++)
        printf("%.17g\\n", out[k]);
    return 0;
}}
"""
    (tmp_path / "net.c").write_text(main)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsanitize=address,undefined"]
    command = [*toolchain.compilers()[0], *flags, "-o", str(tmp_path / "net"), str(tmp_path / "net.c"), "-lm"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr:
        pytest.skip("the sanitizers are not installed")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(tmp_path / "net")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, want = eager(run, X.tolist(), program.leaves)
    agree(list(map(float, done.stdout.split())), want)


@pytest.mark.parametrize("model", [m for m in MODELS if m is not chosen])
@pytest.mark.parametrize("machine", [False, pytest.param(True, marks=needs_cc)])
def test_a_recorded_sequence_agrees(model, machine):
    run = model(random.Random(3))
    loss = run(sequences(1, 30)[0].tolist())
    program = compile(loss)
    loss.backward()
    want = [loss.data, *[leaf.grad for leaf in program.leaves]]
    if machine:
        value, gradients = program.native()()
        agree([value, *gradients], want)
    else:
        kernel = NumpyKernel(program._loops("leaf", "array"), np)
        agree(kernel.sums(np.zeros((0, 1)), np.array([leaf.data for leaf in program.leaves])).tolist(), want)


@pytest.mark.parametrize("model", MODELS)
def test_more_steps_are_no_more_loops(model):
    counts = []
    for steps in (20, 40):
        run = model(random.Random(4))
        program = compile(run, sequences(1, steps)[0].tolist())
        counts.append(len(program._loops("leaf", "array").nests))
    assert counts[0] == counts[1] < 120


def test_loops_show_the_steps():
    run = plain(random.Random(5))
    shown = compile(run, sequences(1, 50)[0].tolist()).loops
    assert shown.count("for step in range(49):") == 2  # there, and back
    forward = shown[shown.index("for step in range(49):") :].splitlines()[1:5]
    assert forward[0] == forward[2] == "    for i0 in range(4):"
    assert forward[1] == "        tanh1[4 * step + i0] = tanh(add2[4 * step + i0])"
    assert "tanh1[4 * step + t] for t in range(4))" in forward[3]
    assert shown.count("\n") < 80


def test_what_only_looks_alike_is_left_alone():
    """Blocks of one kind that read each other at random are no loop."""
    choose = random.Random(6)
    w = weights(choose, 3)
    made = [tanh(w[0] * w[1])]
    for _ in range(40):
        made.append(tanh(choose.choice(made) * w[1] + choose.choice(made) * w[2]))
    loss = ag.sum(made)
    program = compile(loss)
    loss.backward()
    kernel = NumpyKernel(program._loops("leaf", "array"), np)
    got = kernel.sums(np.zeros((0, 1)), np.array([leaf.data for leaf in program.leaves]))
    agree(got.tolist(), [loss.data, *[leaf.grad for leaf in program.leaves]])


@needs_numpy
def test_a_step_with_its_operands_the_other_way_round_is_no_step_of_the_loop():
    w, c = weights(random.Random(1), 2)
    other = ag.sin(c)
    h = ag.hypot(ag.sin(w) * 2.0, other)
    for t in range(10):
        h = ag.hypot(other, h) if t == 4 else ag.hypot(h, other)
    program = compile(h)
    h.backward()
    value, gradients = program.kernel("leaf")([], [leaf.data for leaf in program.leaves])
    agree([value, *gradients], [h.data, *[leaf.grad for leaf in program.leaves]])


def test_what_is_too_irregular_runs_on_the_tape(monkeypatch):
    monkeypatch.setattr("autograd_lite.compiler.loops.lowering.MOST_GROUPS", 20)
    run = chain(random.Random(7))
    X = sequences(6, 30)
    program = compile(run, X[0].tolist())
    _, want = eager(run, X.tolist(), program.leaves)
    value, gradients = program.batch(X, reduce="sum")
    agree([value, *gradients], want)
    start = [leaf.data for leaf in program.leaves]
    (mean,) = program.descend(X, lr=0.25, steps=1)
    assert mean == pytest.approx(want[0] / 6, rel=1e-13)
    moved = [p - 0.25 * g / 6 for p, g in zip(start, want[1:], strict=True)]
    assert [leaf.data for leaf in program.leaves] == pytest.approx(moved, rel=1e-12)
