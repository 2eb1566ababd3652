"""Batches: columns are views of arrays where they can be, and a bool among numbers is a mistake."""

import numpy as np
import pytest

from autograd_lite.transforms.batches import columns_of
from autograd_lite.transforms.pytrees import flatten
from tests.transforms.test_pytrees import EXAMPLES


@pytest.mark.parametrize("name", ["rows", "deep", "row"])
def test_the_columns_of_an_even_batch_are_views_of_it(name):
    flat = flatten(EXAMPLES[name], "x")
    batch = np.arange(4.0 * len(flat.leaves)).reshape(4, *np.shape(EXAMPLES[name]))
    assert flat.tree.sample_shape == np.shape(EXAMPLES[name])
    columns = columns_of(flat.tree, batch, "x", np)
    assert [column.tolist() for column in columns] == batch.reshape(4, -1).T.tolist()
    assert all(np.shares_memory(column, batch) for column in columns)
    listed = columns_of(flat.tree, batch.tolist(), "x", np)
    assert [column.tolist() for column in listed] == [column.tolist() for column in columns]


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("name", ["row", "rows", "deep", "uneven"])
def test_a_bool_in_a_batch_is_refused(name, at):
    flat = flatten(EXAMPLES[name], "x")
    leaves = [*flat.leaves]
    leaves[at] = True
    odd = flat.around(leaves)
    for batch in ([EXAMPLES[name], odd], [odd, EXAMPLES[name]]):
        with pytest.raises(TypeError, match="bool"):
            columns_of(flat.tree, batch, "x", np)
