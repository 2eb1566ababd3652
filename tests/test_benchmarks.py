"""The command that prints the benchmarks, on one table: what it measures is no test."""

import importlib.util
import math
import subprocess
import sys

import pytest

from autograd_lite import Adam, jit
from autograd_lite.nn import GPT
from tests.benchmarks import gpt, stored
from tests.benchmarks.measuring import PACKAGES
from tests.compiler.common import needs_cc
from tests.optional import needs_numpy
from tests.test_project import ROOT


@needs_numpy  # with which the engines are compared
def test_a_table_says_of_every_engine_what_it_takes_or_that_it_is_missing():
    command = [sys.executable, "-m", "tests.benchmarks", "--rounds", "1", "--only", "3-2-1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    rows = {row[0]: row for row in cells if row[0].partition(":")[0] in PACKAGES}
    assert {name.partition(":")[0] for name in rows} == set(PACKAGES)
    for name, row in rows.items():
        package = PACKAGES[name.partition(":")[0]]
        if importlib.util.find_spec(package):
            assert row[1].endswith("µs"), name
            assert row[3].endswith("×"), name
        else:
            assert row[1] == f"{package} is not installed"
    (short,) = [row for row in cells if row[0] == "One gradient of a 3-2-1 sigmoid network, generated Python"]
    assert float(short[2]) < 10.0  # by hand: no measurement, but a column that is not another's


@needs_cc
def test_the_gpt_in_c_takes_the_steps_of_the_library():
    documents = [[26, *tokens, 26] for tokens in ([0, 1], [3, 2], [1, 0])]
    by_hand, model = gpt.ByHand(documents, lr=0.01), GPT(27, rng=0)
    by_hand()
    optimizer = Adam(model.parameters(), 0.01, gpt.BETAS)
    losses = jit(model.loss).descend(documents, optimizer=optimizer)
    assert by_hand.losses.tolist() == pytest.approx(losses, rel=1e-12)
    assert by_hand.w.tolist() == pytest.approx([p.data for p in model.parameters()], rel=1e-9, abs=1e-12)


def test_the_engines_in_plain_python_find_the_loss_and_gradients_of_the_library():
    model = GPT(27, width=4, heads=2, length=8, rng=0)
    loss = model.loss(stored.TOKENS)
    loss.backward()
    for kind in (stored.Stored, stored.Closure):
        step = stored.Step(model, kind)
        assert math.isclose(step(), loss.data, rel_tol=1e-12)
        found = [[p.grad for p in row] for row in step.matrices[0]]
        assert found == [pytest.approx([p.grad for p in row], rel=1e-9) for row in model.letters.w]
