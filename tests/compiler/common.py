"""What tests of loops and of machine code share: models, comparisons, matrices of weights."""

import shutil

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from tests.optional import MISSING

# Machine code is called with arrays.
has_cc = any(map(shutil.which, ("cc", "gcc", "clang"))) and "numpy" not in MISSING
needs_cc = pytest.mark.skipif(not has_cc, reason="there is no C compiler, or no NumPy")


def agree(got, want, tolerance=1e-13):
    scale = max(1.0, *map(abs, want))
    assert all(abs(a - b) <= tolerance * scale for a, b in zip(got, want, strict=True)), (got, want)


def whole(program, leaves):
    """The value and the gradients of a recorded loss, by the NumPy form of its loops, one sample's or all."""
    kernel = program.kernel("leaf")
    numbers = np.array([leaf.data for leaf in program.leaves])
    found = [kernel.sums(kernel.samples([]), numbers)]
    if kernel.recorded is not None:
        found.append(NumpyKernel(program._loops("leaf", "array"), np).sums(np.zeros((0, 1)), numbers))
        agree(found[0], found[1])
    value, *gradients = found[0].tolist()
    found = dict(zip(program.leaves, gradients, strict=True))
    return [value, *[found.get(leaf, 0.0) for leaf in leaves]]


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return all(same(x, y) for x, y in zip(a, b, strict=True))
    return np.asarray(a) == pytest.approx(np.asarray(b), rel=1e-13, abs=1e-14)


# A gradient by n·m weights is Σ over samples of ∂L/∂yᵢ · xⱼ. Weights that follow each other in the order of
# leaves are the columns, which fill vectors; where these would be less than half full, the longer side is;
# and where that is too short as well, a vector holds samples, as anywhere else.
MATRICES = [
    # n, m, weights by rows, lanes; rows and columns
    (12, 6, True, 8, [(12, 6)]),
    (12, 6, False, 8, [(6, 12)]),
    (6, 12, True, 8, [(6, 12)]),
    (6, 12, False, 8, [(12, 6)]),
    (12, 4, True, 8, [(12, 4)]),
    (12, 3, True, 8, [(3, 12)]),
    (12, 3, True, 4, [(12, 3)]),
    (4, 12, False, 8, [(12, 4)]),
    (3, 12, False, 8, [(3, 12)]),
    (3, 12, False, 4, [(12, 3)]),
    (5, 5, True, 8, [(5, 5)]),
    (5, 5, False, 8, [(5, 5)]),
    (1, 4, True, 8, [(1, 4)]),
    (4, 1, True, 8, [(1, 4)]),
    (1, 3, True, 8, []),
    (3, 1, True, 8, []),
    (1, 3, True, 4, [(1, 3)]),
    (3, 3, True, 8, []),
    (3, 3, True, 4, [(3, 3)]),
    (2, 3, True, 4, [(2, 3)]),
    (2, 3, False, 4, [(3, 2)]),
]


def layer(n, m, by_rows):
    """A loss with n·m weights, which are met row by row or column by column."""
    w = {(i, j): Value(0.3 * i - 0.2 * j + 0.1) for i in range(n) for j in range(m)}
    places = sorted(w) if by_rows else sorted(w, key=lambda place: place[::-1])

    def loss(x):
        y = [0.0] * n
        for i, j in places:
            y[i] = y[i] + w[i, j] * x[j]
        return ag.sum([ag.sin(z) for z in y])

    return compile(loss, [0.1] * m), [w[place] for place in places]
