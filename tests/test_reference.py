"""The reference page is what the code says now."""

from autograd_lite.core.primitive import TABLE
from tests.reference import PAGE, names, page, written


def test_the_page_is_the_one_that_the_code_gives():
    assert PAGE.read_text(encoding="utf-8") == page(), "out of date: run python -m tests.reference"


def test_each_primitive_has_a_partial_for_each_operand():
    for row in TABLE.values():
        assert len(written(row)[1]) == len(names(row)) > 0
        assert row.arity in (None, len(names(row)))


def test_the_partials_are_read_off_the_rules():
    assert written(TABLE["sigmoid"]) == (r"\sigma\left(x\right)", [r"f \cdot \left(1 - f\right)"])
    assert written(TABLE["div"])[1] == [r"\frac{1}{y}", r"-\frac{f}{y}"]
