"""Functions of scalars, applied to the entries of lists and arrays."""

import math

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite.core.rules import TABLE
from autograd_lite.core.value import Value
from tests.sampling import points

ROWS = [row for row in TABLE.values() if row.arity is not None]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@each_row
def test_row_of_lists_and_arrays_is_that_of_each_entry(row):
    operands = [x for x in points(row) if not row.masks or x[0] == 1.0]
    expected = [row(*x) for x in operands]
    columns = [list(column) for column in zip(*operands, strict=True)]
    assert row(*columns) == expected
    assert row(*map(tuple, columns)) == tuple(expected)
    arrays = [np.array(column) for column in columns]
    results = row(*arrays)
    assert (type(results), results.dtype) == (np.ndarray, np.float64)
    assert results.tolist() == expected
    square = row(*[array[:, None] for array in arrays])
    assert square.tolist() == [[x] for x in expected]


@each_row
def test_row_of_values_in_a_container_records_each_entry(row):
    operands = points(row)[0]
    for container in (list, tuple, lambda x: np.array(x, dtype=object)):
        values = [Value(x) for x in operands]
        (node,) = row(*[container([x]) for x in values])
        assert node.primitive is row
        assert all(x is y for x, y in zip(node.operands, values, strict=True)) or row.masks
        assert node.data == row(*operands)


def test_scalar_goes_with_every_entry():
    v = Value(2.0)
    assert ag.maximum([1.0, 3.0], 2.0) == [2.0, 3.0]
    assert ag.maximum(2.0, ((1.0,), (3.0,))) == ((2.0,), (3.0,))
    assert ag.maximum([1.0], (2.0,)) == [2.0]
    assert ag.clip([-5.0, 0.5], high=0.0, low=-1.0) == [-1.0, 0.0]
    assert ag.clip(0.5, [0.0, 1.0], 2.0) == [0.5, 1.0]
    assert ag.leaky_relu(np.array([-1.0, 1.0]), slope=0.5).tolist() == [-0.5, 1.0]
    assert [y.data for y in v.maximum([1.0, 3.0])] == [2.0, 3.0]
    node, number = ag.maximum([v, 1.0], 1.5)
    assert (node.operands, number) == ((v, 1.5), 1.5)
    nodes = ag.hypot(np.array([3.0, 0.0]), Value(4.0))
    assert [y.data for y in nodes] == [5.0, 4.0]


def test_arrays_are_broadcast():
    assert ag.maximum(np.array([[1.0], [3.0]]), np.array([2.0, 4.0])).tolist() == [[2.0, 4.0], [3.0, 4.0]]
    assert ag.maximum(np.array([1.0, 3.0]), [2.0, 2.0]).tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="broadcast"):
        ag.maximum(np.ones(2), np.ones(3))


def test_lists_are_not_broadcast():
    with pytest.raises(
        ValueError, match=r"^add needs lists of one shape, got the shapes \(2, 2\) and \(2,\)$"
    ):
        ag.add([[1.0, 2.0], [3.0, 4.0]], [10.0, 20.0])
    with pytest.raises(ValueError, match=r"^add needs lists of one shape, got the shapes \(2,\) and \(3,\)$"):
        ag.add([1.0, 2.0], (1.0, 2.0, 3.0))


def test_what_is_empty_stays_so():
    assert ag.tanh([]) == []
    assert ag.add([[]], [[]]) == [[]]
    nothing = ag.tanh(np.zeros((0, 2)))
    assert (nothing.shape, nothing.dtype) == ((0, 2), np.float64)


def test_small_integers_become_floats_first():
    assert ag.square(np.array([1, 20], dtype=np.uint8)).tolist() == [1.0, 400.0]


def test_where_of_a_mask():
    x = np.array([0.0, 2.0])
    assert ag.where(x > 0.0, x, -1.0).tolist() == [-1.0, 2.0]
    assert ag.where([True, False], [1.0, 2.0], 3.0) == [1.0, 3.0]
    assert ag.where(x > 0.0, lambda: 5.0, 0.0).tolist() == [0.0, 5.0]
    assert ag.where(Value(1.0) > 0.0, [1.0, 2.0], 0.0) == [1.0, 2.0]


def test_entry_that_is_not_a_number_is_refused():
    for container in (["a"], np.array(["a"]), [[0.5, "a"]]):
        with pytest.raises(TypeError, match=r"^an operand of tanh must be a real number, got str 'a'$"):
            ag.tanh(container)
    with pytest.raises(ValueError, match=r"^log\(-1\.0\).*domain: x > 0"):
        ag.log([Value(1.0), Value(-1.0)])


def test_derivatives_go_through():
    assert ag.grad(lambda x: ag.sum(ag.square(x)))([1.0, 2.0]) == [2.0, 4.0]
    slopes = ag.grad(lambda x: ag.sum(ag.tanh(x)))(np.array([0.0, 1.0]))
    assert slopes[0] == 1.0
    assert slopes[1] == pytest.approx(1.0 / math.cosh(1.0) ** 2, rel=1e-15)
    program = ag.compile(lambda x: ag.sum(ag.square(x)), [1.0, 2.0])
    assert program([3.0, 4.0]) == (25.0, [6.0, 8.0])


def test_row_of_ones_own_takes_entries_unless_its_arguments_do():
    half = ag.primitive("half_of_a_test", lambda x: x / 2.0, lambda out, x: (0.5,))
    assert half([2.0, 4.0]) == [1.0, 2.0]
    span = ag.primitive(
        "span_of_a_test",
        lambda x, y: y - x,
        lambda out, x, y: (-1.0, 1.0),
        arguments=lambda pair: tuple(pair),
    )
    assert span([2.0, 5.0]) == 3.0
