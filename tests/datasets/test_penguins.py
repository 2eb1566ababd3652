"""The penguins: the whole table, with its missing fields."""

from autograd_lite.datasets import penguins
from autograd_lite.datasets.encoding import (
    class_names,
    default_target,
    left_out,
    missing,
)


def test_penguins_are_whole():
    birds = penguins()
    assert (len(birds.rows), len(birds.names)) == (344, 8)
    assert default_target(birds) == "species"
    assert class_names(birds, "species") == ["Adelie", "Chinstrap", "Gentoo"]
    assert left_out(birds, "species") == {}
    rows, columns = missing(birds, birds.names)
    measures = {"bill_length_mm": 2, "bill_depth_mm": 2, "flipper_length_mm": 2, "body_mass_g": 2}
    assert (len(rows), columns) == (11, {**measures, "sex": 11})
