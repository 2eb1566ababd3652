"""What `help`, ``?`` and an editor show: signatures, docstrings, examples, completions."""

import doctest
import inspect
import pydoc

import pytest

import autograd_lite as ag
from autograd_lite.core.examples import EXAMPLES
from autograd_lite.core.rules import TABLE

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
