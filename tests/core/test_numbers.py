"""numbers: what counts as a whole number."""

import numpy as np
import pytest

from autograd_lite.core.numbers import whole


@pytest.mark.parametrize("number", [1, 1024, np.int64(7)])
def test_a_whole_number_is_a_plain_int(number):
    assert whole(number, "threads", most=1024) == number
    assert type(whole(number, "threads")) is int


@pytest.mark.parametrize("number", [True, np.bool_(True), 2.0, "3", None, np.float64(4.0)])
def test_anything_else_is_named(number):
    with pytest.raises(TypeError, match=f"^epochs must be a whole number, got {type(number).__name__} "):
        whole(number, "epochs")


def test_bounds_belong_to_what_is_allowed():
    assert whole(0, "rows", 0) == 0
    with pytest.raises(ValueError, match=r"^epochs must be at least 1, got 0$"):
        whole(0, "epochs")
    for number in (0, 1025):
        with pytest.raises(ValueError, match=rf"^threads must be from 1 to 1024, got {number}$"):
            whole(number, "threads", most=1024)
