"""Encoding: the target, the columns that are left out, standardised and one-hot inputs, the split."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite.datasets import DataError, Table
from autograd_lite.datasets.encoding import (
    Category,
    Number,
    class_names,
    default_target,
    encode,
    fit_input,
    left_out,
    split,
)
from tests.datasets.common import table


def test_classes_are_in_order():
    assert class_names(table("y 10 9 10 9"), "y") == ["9", "10"]
    assert class_names(table("y b10 b9 b10"), "y") == ["b10", "b9"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a"] * 3, "one class only, 'a'"),
        ([None, None], "no value in any row"),
        (["a", "b", "c"], "3 different values in 3 rows"),
        ([str(i // 2) for i in range(42)], "21 different values in 42 rows"),
        ([f"c{i // 2}" for i in range(102)], "51 different values in 102 rows"),
    ],
)
def test_targets_that_are_no_classes(rows, message):
    with pytest.raises(DataError, match=rf"^column 'y' of t\.csv has {message}"):
        class_names(Table("t.csv", ["y"], [[row] for row in rows], [0] * len(rows)), "y")


@pytest.mark.parametrize(
    ("header", "target"),
    [("a,b", "b"), ("a,Class,b", "Class"), ("species,target,b", "target"), ("species,b", "species")],
)
def test_default_target(header, target):
    assert default_target(table(header)) == target


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("x", ["7", "7", None], "always '7'"),
        ("x", [None, None, "7"], "2 of 3 fields missing"),
        ("x", ["1", "2", "3"], "numbers the rows"),
        ("x", ["0", "1", "2"], "numbers the rows"),
        ("PassengerId", ["17", "4", "9"], "an identifier"),
        ("x", ["Ann", "Bob", "Cy"], "an identifier: no value repeats"),
        ("x", [f"t{i // 2}" for i in range(102)], "51 different values"),
        ("x", ["1", "3", "2"], None),
        ("humid", ["17", "4", "9"], None),
        ("PassengerId", ["17", "4", "4"], None),
        ("x", ["Ann", "Bob", "Ann"], None),
        ("x", [f"t{i // 2}" for i in range(100)], None),
    ],
)
def test_columns_left_out(name, fields, reason):
    t = Table("t.csv", [name, "y"], [[f, f] for f in fields], list(range(len(fields))))
    assert left_out(t, "y") == ({name: reason} if reason else {})


@pytest.mark.parametrize(("absent", "reason"), [(2, None), (3, "3 of 4 fields missing")])
def test_a_column_is_left_out_if_more_than_half_of_it_is_missing(absent, reason):
    fields = [None] * absent + ["7", "3"][: 4 - absent] if absent == 2 else [None] * 3 + ["7"]
    t = Table("t.csv", ["x", "y"], [[f, "a"] for f in fields], list(range(4)))
    assert left_out(t, "y").get("x") == reason


def test_inputs_are_learnt_from_the_training_part_alone():
    t = table("x,c 1,a 3,b 1000,z ,a")
    x, c = fit_input(t, "x", [0, 1]), fit_input(t, "c", [0, 1])
    assert (x, c) == (Number("x", 2.0, 1.0), Category("c", ["a", "b"]))
    assert encode(t, [x, c]) == [[-1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [998.0, 0.0, 0.0], None]


def test_a_column_of_hardly_any_deviation_counts_as_a_constant():
    """Else a number of another table, 1e99, would be infinite in units of the deviation."""
    assert fit_input(table("x 0 1e-320"), "x", [0, 1]).scale == 1.0
    assert fit_input(table("x 0 4e-100"), "x", [0, 1]).scale == pytest.approx(2e-100, rel=1e-15, abs=0.0)


def test_a_constant_is_encoded_as_zero():
    assert encode(table("x 5 5"), [fit_input(table("x 5 5"), "x", [0, 1])]) == [[0.0], [0.0]]


@given(st.lists(st.floats(-1e99, 1e99, allow_subnormal=False), min_size=2, max_size=20))
def test_standardised_inputs_have_mean_0_and_square_mean_1(numbers):
    t = Table("t.csv", ["x"], [[repr(x)] for x in numbers], [0] * len(numbers))
    column = fit_input(t, "x", range(len(numbers)))
    z = [x for (x,) in filter(None, column.encode(t))]
    # Subtracting the mean costs half a unit in the last place of the largest number, in units of the scale.
    slack = 4 * math.ulp(max(map(abs, numbers), default=0.0)) / column.scale + 1e-14
    assert abs(math.fsum(z) / len(z)) <= slack
    if column.scale != 1.0:
        assert math.fsum(x * x for x in z) / len(z) == pytest.approx(1.0, abs=slack)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 3]), min_size=1, max_size=60), st.integers())
def test_split_takes_its_share_of_every_class(classes, seed):
    labels = dict(enumerate(classes, start=7))
    training, held_out = split(labels, seed)
    assert sorted(training + held_out) == list(labels)
    assert (training, held_out) == split(labels, seed)
    for name in set(classes):
        assert sum(labels[i] == name for i in held_out) == round(0.2 * classes.count(name))
    assert {labels[i] for i in training} == set(classes)


def test_split_depends_on_the_seed():
    labels = dict(enumerate([0, 1] * 50))
    assert len({tuple(split(labels, seed)[1]) for seed in range(5)}) == 5
