"""README's table of features: the rows it names, and the column of this library.

Of the other engines it takes minutes to try: ``python -m tests.features`` does, and the weekly job runs it.
"""

from tests.features.__main__ import ROWS, column, differences, printed


def test_readme_names_the_rows():
    assert printed()[0] == list(ROWS.values())


def test_readme_says_what_this_library_can_do():
    assert differences({"autograd_lite": column("autograd_lite")}) == []


def test_a_cell_that_differs_is_named():
    cells = printed()[1]["autograd_lite"]
    (line,) = differences({"autograd_lite": ["–", *cells[1:]]})
    assert line == "autograd_lite, 'draws the graph, with values and gradients': found –, README says ✓"
