"""Sums of products in machine code: tiles of nodes, blocks of vectors, and what is left over."""

import numpy as np
import pytest

from autograd_lite import nn, tanh
from autograd_lite.compiler import compile
from tests.compiler.common import MATRICES, agree, layer, needs_cc
from tests.compiler.models import demo


@needs_cc
@pytest.mark.parametrize(("n", "m", "by_rows", "lanes", "products"), [row for row in MATRICES if row[3] == 8])
def test_products_of_matrices_are_the_gradient(n, m, by_rows, lanes, products):
    program, _ = layer(n, m, by_rows)
    X = np.random.default_rng(n + 100 * m).normal(size=(37, m))
    value, gradients = program.native().batch(X)
    total, want = program.batch(X)
    agree([value, *gradients], [total, *want])
    slopes = np.cos(X @ np.array([[0.3 * i - 0.2 * j + 0.1 for j in range(m)] for i in range(n)]).T)
    by_hand = slopes.T @ X / len(X)
    agree(gradients, (by_hand if by_rows else by_hand.T).ravel().tolist())


@needs_cc
def test_tails_and_blocks_of_every_length():
    model, X, y = demo()
    # Layers that fill no vector, that leave some neurons over, and that are one neuron wide.
    others = [nn.MLP(2, sizes, rng=3) for sizes in ([40, 40, 1], [3, 21, 1, 9, 1], [4, 13, 25, 1])]
    for network in (model, *others):
        program = compile(lambda x, y, network=network: tanh(1.0 - y * network(x)), [0.0, 0.0], 0.0)
        numpy_form = [program.batch(X[:m], y[:m]) for m in (1, 7, 8, 9, 31, 33, 100)]
        program.native()
        for m, want in zip((1, 7, 8, 9, 31, 33, 100), numpy_form, strict=True):
            got = program.batch(X[:m], y[:m])
            agree([got[0], *got[1]], [want[0], *want[1]], 1e-14)
