"""The engine's two forms, compiled and as Python: they give the same numbers, errors, texts and pickles.

`contract.py` tells what a form does, in a process of its own. Where no libraries are built there is nothing
to compare: the tests say so, and hold the Python form to the rest.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from autograd_lite import core
from autograd_lite.core import cython as stand_in
from tests.test_project import ROOT

FORMS = ["Python", "compiled"]


@functools.cache
def contract(form: str, pickles: str = "[]") -> dict[str, Any]:
    """What a form of the engine tells of itself, given the pickles of the other."""
    environment = {name: text for name, text in os.environ.items() if name != "AUTOGRAD_LITE_PURE"}
    if form == "Python":
        environment["AUTOGRAD_LITE_PURE"] = "1"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.core.contract"],
        cwd=ROOT, env=environment, input=pickles, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    if form == "compiled" and not found["form"]["compiled"]:
        pytest.skip(
            "no compiled form of the engine is built here: `pip install -e .` with a C compiler builds it"
        )
    return found


@pytest.mark.parametrize("form", FORMS)
def test_the_collector_looks_at_no_node_of_the_compiled_form(form):
    found = contract(form)["form"]
    assert found == {"compiled": form == "compiled", "tracked": [form == "Python"] * 3}


@pytest.mark.parametrize("form", FORMS)
def test_memory_stays_flat(form):
    """1,000 steps that record, differentiate, copy, pickle and fail: no step leaves anything behind."""
    assert contract(form)["held"] < 250  # a block a step would be 1,000


@pytest.mark.parametrize("part", ["rows", "behaviour", "signatures", "located"])
def test_both_forms_do_the_same(part):
    python, compiled = contract("Python")[part], contract("compiled")[part]
    assert len(python) > 3
    if isinstance(python, dict):
        assert python.keys() == compiled.keys()
        assert {name: told for name, told in compiled.items() if told != python[name]} == {}
    assert python == compiled


def test_pickles_cross_from_one_form_to_the_other():
    written = {form: json.dumps(contract(form)["pickles"]) for form in FORMS}
    read = [contract(reader, written[writer])["described"] for reader in FORMS for writer in FORMS]
    assert read[0] == read[1] == read[2] == read[3]
    assert len(read[0]) == 18


def test_an_interrupt_leaves_the_graph_usable():
    """Ctrl-C in the middle of recording or of a pass: what is computed afterwards is right."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        pytest.skip("signals need the main thread and a timer")  # pragma: no cover - Windows
    x = core.Value(1.0)
    y = x
    for _ in range(50_000):
        y = y * 1.0 + 0.0

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for microseconds in (200, 1_000, 5_000, 20_000):
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - at any of these
                signal.setitimer(signal.ITIMER_REAL, microseconds * 1e-6)
                while True:
                    y.backward()
                    (x * x).tanh().backward()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    y.zero_grad()
    y.backward()
    assert (x.grad, y.grad) == (1.0, 1.0)
    del x, y


def test_the_stand_in_for_cython_leaves_classes_as_they_are():
    class Plain:
        pass

    assert stand_in.no_gc(stand_in.cclass(Plain)) is Plain
    assert not stand_in.compiled
