"""Addresses that advance by constant steps."""

import numpy as np

from autograd_lite.compiler.loops.strides import affine_access


def test_affine_addresses():
    index = np.arange(24).reshape(2, 3, 4)
    assert affine_access(index.reshape(1, -1), np) == ([24], [[1]])
    assert affine_access(index.transpose(2, 0, 1).reshape(1, -1), np) == ([4, 6], [[1, 4]])
    assert affine_access(np.array([[0, 1, 2, 10, 11, 12]]), np) == ([2, 3], [[10, 1]])
    assert affine_access(np.array([[0, 1, 3]]), np) is None
    assert affine_access(np.array([[7, 7, 7], [0, 2, 4]]), np) == ([3], [[0], [2]])
    assert affine_access(np.array([[5]]), np) == ([], [[]])
