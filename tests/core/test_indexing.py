"""`take` in eager code, and the two rows that it and labels record while a function is traced."""

import copy
import pickle

import numpy as np
import pytest

from autograd_lite import Value, cross_entropy, take
from autograd_lite.core import rules
from autograd_lite.core.primitive import TABLE

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_take_indexes():
    w = [Value(2.0), Value(3.0)]
    assert take(w, 1) is w[1]
    assert take(w, np.int64(-2)) is w[0]
    assert take(ROWS, 2) is ROWS[2]
    assert take((1.0, 2.0), 0) == 1.0
    assert take(np.array(ROWS), -1).tolist() == [5.0, 6.0]


@pytest.mark.parametrize("index", [3, -4, np.int64(3), 10**30])
def test_rows_that_do_not_exist(index):
    with pytest.raises(IndexError, match=rf"^the index is {index}, but there are 3 rows, numbered from 0$"):
        take(ROWS, index)


@pytest.mark.parametrize("index", [True, 1.0, np.float64(1.0), np.bool_(True), "1", None, Value(1.0), [1]])
def test_what_is_no_index(index):
    with pytest.raises(TypeError, match=f"^the index must be a whole number, got {type(index).__name__}"):
        take(ROWS, index)


def test_entry_and_its_partials():
    x = [Value(2.0), Value(-3.0), Value(0.5)]
    for i, taken in ((0.0, 0), (1.0, 1), (2.0, 2)):
        node = rules.entry(i, *x)
        assert node.data == x[taken].data == rules.entry(i, 2.0, -3.0, 0.5)
        assert node.partials == (None, *[1.0 if k == taken else None for k in range(3)])
    for i in (3.0, -1.0, 0.5):
        with pytest.raises(ValueError, match=rf"^entry\({i}, .*: there is no entry {i} of 3 "):
            rules.entry(i, *x)


def test_wrapped_counts_a_negative_index_from_the_end():
    assert [rules.wrapped(i, 3.0) for i in (-3.0, -1.0, 0.0, 2.0)] == [0.0, 2.0, 0.0, 2.0]
    assert rules.wrapped(Value(-1.0), 3.0).partials == (0.0, None)


def test_masked_and_its_partials():
    x = Value(2.0)
    assert rules.masked(x, 1.0, 0.0).data == 2.0
    assert rules.masked(x, 1.0, 0.0).partials == (1.0, None, None)
    assert rules.masked(x, 1.0, 1.0).data == -np.inf
    assert rules.masked(x, 1.0, 1.0).partials == (None, None, None)


@pytest.mark.parametrize("row", [rules.entry, rules.wrapped, rules.masked])
def test_rows_of_programs_are_not_in_the_table_of_functions_but_pickled_by_name(row):
    assert row.name not in TABLE
    assert pickle.loads(pickle.dumps(row)) is copy.deepcopy(row) is row


def test_labels_of_eager_code_are_recorded_as_before():
    scores = [Value(0.5), Value(1.0)]
    assert cross_entropy(scores, 1).operands == (scores[1], scores[0])
