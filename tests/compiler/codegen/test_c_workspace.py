"""Sums over samples that are products of matrices, and the places of their results."""

import numpy as np
import pytest

from autograd_lite.compiler.codegen.c_workspace import Workspace
from tests.compiler.common import MATRICES, layer


@pytest.mark.parametrize(("n", "m", "by_rows", "lanes", "products"), MATRICES)
def test_sums_over_samples_are_products_of_matrices(n, m, by_rows, lanes, products):
    program, weights = layer(n, m, by_rows)
    assert all(a is b for a, b in zip(program.leaves, weights, strict=True))
    found = {}
    for vectors in (2, 1):
        space = Workspace(program._loops("leaf", "c"), np, lanes, vectors)
        found[vectors] = [(product.rows, product.columns) for product in space.products.values()]
        for k, product in space.products.items():
            order = [space.sum_place(k, number) for number in range(n * m)]
            assert len({*order}) == n * m
            width = -(-product.columns // lanes) * lanes
            assert max(place - space.sums[k] for place in order) < product.rows * width
    assert found == {2: products, 1: []}  # of one sample at a time there is no sum
