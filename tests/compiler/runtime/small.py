"""A small program to build, and what the tests of its library look at."""

import math
import textwrap

import numpy as np
import pytest

from autograd_lite import Value, tanh
from autograd_lite.compiler import compile


def small(w=2.0):
    """``tanh(w * x)``, not compiled to machine code yet."""
    leaf = Value(w, "w")
    return compile(lambda x: tanh(leaf * x), 0.0)


def runs(program):
    """Whether the program gives the right numbers."""
    total, gradients = program.batch(np.array([0.5, 1.0]), reduce="sum")
    assert total == pytest.approx(math.tanh(1.0) + math.tanh(2.0), rel=1e-14)
    assert gradients == pytest.approx([0.5 / math.cosh(1.0) ** 2 + 1.0 / math.cosh(2.0) ** 2], rel=1e-13)
    return True


def libraries(folder):
    """The libraries in a folder."""
    return sorted(folder.glob("*.so"))


def script(folder, name, text):
    """Write a shell script that can be run, and return its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{textwrap.dedent(text)}")
    path.chmod(0o700)
    return str(path)
