"""Pytrees: a glance that tells whether an argument holds floats, and what happens to one that does not."""

from collections import namedtuple

import numpy as np
import pytest

from autograd_lite.transforms.pytrees import flatten

Pair = namedtuple("Pair", "x y")
EXAMPLES = {
    "row": [1.0, 2.0, 3.0],
    "rows": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
    "deep": ([[1.0], [2.0]], [[3.0], [4.0]]),
    "uneven": [[1.0, 2.0], [3.0], 4.0],
    "dict": {"a": 1.0, "b": [2.0, 3.0]},
    "dicts": [{"a": 1.0}, {"a": 2.0}],
}


def replaced(example, number, at):
    """The example with another number at one of its leaves."""
    flat = flatten(example, "x")
    leaves = [*flat.leaves]
    leaves[at] = number
    return flat.around(leaves)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_argument_of_floats_is_taken_as_it_is(name):
    tree = flatten(EXAMPLES[name], "x").tree
    again = replaced(EXAMPLES[name], 7.0, -1)
    assert tree.holds_floats(again)
    assert tree.floats(again, "x") is again


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("number", [2, np.float32(0.5), np.float64(0.5), np.uint8(7), 2**60])
@pytest.mark.parametrize("name", EXAMPLES)
def test_other_numbers_become_floats(name, number, at):
    tree = flatten(EXAMPLES[name], "x").tree
    given = replaced(EXAMPLES[name], number, at)
    assert not tree.holds_floats(given)
    numbers = flatten(tree.floats(given, "x"), "x").leaves
    assert numbers == flatten(replaced(EXAMPLES[name], float(number), at), "x").leaves
    assert {*map(type, tree.flat(given, "x"))} == {*map(type, numbers)} == {float}


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    ("odd", "error"), [(True, TypeError), ("1", TypeError), (1j, TypeError), (10**400, OverflowError)]
)
def test_what_is_not_a_number_is_refused_with_its_place(name, odd, error, at):
    flat = flatten(EXAMPLES[name], "x")
    leaves = [*flat.leaves]
    leaves[at] = odd
    given = flat.around(leaves)
    assert not flat.tree.holds_floats(given)
    with pytest.raises(error) as caught:
        flat.tree.floats(given, "x")
    assert str(caught.value).startswith(f"x{flat.paths[at]} ")


@pytest.mark.parametrize(
    "given",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        [[1.0, 2.0], [3.0, 4.0], [5.0]],
        [[1.0, 2.0], [3.0, 4.0, 5.0], [6.0]],
        [[1.0, 2.0], [3.0, 4.0], {5.0: 1, 6.0: 2}],
        [[1.0, 2.0], [3.0, 4.0], "ab"],
        {(1.0, 2.0): 1, (3.0, 4.0): 2, (5.0, 6.0): 3},
        [1.0, 2.0, 3.0],
        None,
    ],
)
def test_another_shape_is_not_taken_as_it_is(given):
    assert not flatten(EXAMPLES["rows"], "x").tree.holds_floats(given)


def test_dicts_and_named_tuples():
    tree = flatten(EXAMPLES["dict"], "x").tree
    assert tree.holds_floats({"b": (2.0, 3.0), "a": 1.0})
    assert not tree.holds_floats({"b": [2.0, 3.0]})
    assert not tree.holds_floats({"a": 1.0, "b": [2.0, 3.0], "c": 1.0})
    assert flatten(Pair(1.0, 2.0), "x").tree.floats(Pair(3.0, 4), "x") == [3.0, 4.0]


@pytest.mark.parametrize("kind", [float, np.float32, np.float16, int, np.uint8, np.longdouble])
def test_arrays_become_lists_of_floats(kind):
    given = np.arange(6).reshape(3, 2).astype(kind)
    found = flatten(EXAMPLES["rows"], "x").tree.floats(given, "x")
    assert found == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert {type(number) for row in found for number in row} == {float}
    with pytest.raises(TypeError, match="bool"):
        flatten(EXAMPLES["rows"], "x").tree.floats(given > 2, "x")
