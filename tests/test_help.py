"""What `help`, ``?`` and an editor show: signatures, docstrings, examples, completions."""

import doctest
import inspect
import pydoc

import jedi
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import autograd_lite as ag
from autograd_lite.core.examples import EXAMPLES
from autograd_lite.core.rules import TABLE
from tests.stubs import STUB, stub

ROWS = [*TABLE.values()]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@each_row
def test_a_function_describes_itself(row):
    text = inspect.getdoc(row)
    flat = " ".join(text.split())
    assert flat.startswith(row.doc)
    assert f"Domain: {row.domain}." in flat or not row.domain
    assert row.edges in flat
    assert (row.name, row.name) == (row.__name__, row.__qualname__)
    assert max(map(len, text.splitlines())) <= 110
    shown = pydoc.plain(pydoc.render_doc(row))
    assert f"\n{row.name}{inspect.signature(row)}\n" in shown
    assert f">>> {row.name}({EXAMPLES[row.name][0]})" in shown


def test_every_example_belongs_to_a_row():
    assert [*EXAMPLES] == [*TABLE]


@each_row
def test_examples_of_functions_are_true(row):
    test = doctest.DocTestParser().get_doctest(row.__doc__, {**vars(ag)}, row.name, None, None)
    assert len(test.examples) == 2
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


@pytest.mark.parametrize(
    ("row", "signature"),
    [
        (ag.sigmoid, "(x, /)"),
        (ag.atan2, "(y, x, /)"),
        (ag.clip, "(x, low=-inf, high=inf)"),
        (ag.where, "(condition, x, y)"),
        (ag.sum, "(values)"),
        (ag.dot, "(w, x, b=None)"),
    ],
)
def test_signature_is_that_of_the_function(row, signature):
    assert str(inspect.signature(row)) == signature


def test_a_row_of_ones_own_describes_itself():
    row = ag.primitive(
        "cube_of_a_test", lambda x: x**3, lambda out, x: (3.0 * x * x,), doc="x³.", domain="x > 0"
    )
    assert inspect.getdoc(row).startswith("x³.\n\nIt takes numbers and Values,")
    assert inspect.getdoc(row).endswith("Domain: x > 0.")
    assert str(inspect.signature(row)) == "(x, /)"
    several = ag.primitive("first_of_a_test", lambda *x: x[0], lambda out, *x: (1.0,) + (0.0,) * (len(x) - 1))
    assert str(inspect.signature(several)) == "(*x)"


def test_a_function_in_a_class_is_not_bound():
    class Net:
        activation = ag.tanh

    assert Net.activation is Net().activation is ag.tanh


def test_the_signatures_for_editors_are_those_of_the_table():
    assert STUB.read_text("utf-8") == stub(), "run `python -m tests.stubs`"


def test_help_of_the_package_opens_with_its_page():
    shown = pydoc.plain(pydoc.render_doc(ag))
    page = inspect.getdoc(ag).partition("\n\n")[2]
    assert shown.index("DESCRIPTION") < shown.index(page.splitlines()[0]) < shown.index("PACKAGE CONTENTS")
    assert "    tanh(x, /)\n        tanh x." in shown


# --- Completions ------------------------------------------------------------------------------------

METHODS = {"backward", "grad", "exp", "silu", "item", "zero_grad"}


@pytest.fixture(scope="module")
def shell():
    """IPython, after a cell that a user ran."""
    shell = InteractiveShell()
    shell.run_cell(
        "import autograd_lite as ag; from autograd_lite import *\n"
        "a = Value(1.0); model = MLP(2, [3, 1], rng=0)",
        silent=True,
    )
    yield shell
    shell.history_manager.end_session()


RESULTS = [
    *("a", "sigmoid(a)", "ag.tanh(a * 2)", "a.exp()", "(a - 1)", "hypot(a, 2.0)", "where(a > 0, a, 0.0)"),
    *("dot([a], [2.0])", "model([1.0, 2.0])", "model.layers[0].neurons[0].w[0]"),
]


@pytest.mark.parametrize("text", RESULTS)
def test_ipython_completes_the_methods_of_a_result(shell, text):
    with provisionalcompleter():
        found = {each.text for each in shell.Completer.completions(f"{text}.", len(text) + 1)}
    assert found >= METHODS


@pytest.mark.parametrize("text", [*RESULTS, "log_loss_from_scores(a, 1)"])
def test_an_editor_completes_the_methods_of_a_result(text):
    lines = (
        "import autograd_lite as ag",
        f"from autograd_lite import {', '.join(ag.__all__)}",
        "a = Value(1.0)",
        "model = MLP(2, [3, 1], rng=0)",
        f"{text}.",
    )
    found = {each.name for each in jedi.Script("\n".join(lines)).complete()}
    assert found >= METHODS


def test_ipython_shows_the_signature_and_the_docstring_of_a_function(shell):
    info = shell.object_inspect("sigmoid")
    assert (info["definition"], info["docstring"]) == ("sigmoid(x, /)", inspect.getdoc(ag.sigmoid))
