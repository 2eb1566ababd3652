"""Programs as functions of arrays."""

import importlib.util
import random

import numpy as np
import pytest

from autograd_lite import where
from autograd_lite.compiler import compile
from autograd_lite.core.primitive import TABLE
from tests.compiler.fuzz import eager, recipe


@pytest.mark.parametrize("module", ["numpy", "torch", "jax.numpy"])
def test_functions_of_a_namespace(module):
    namespace = pytest.importorskip(module)
    if module == "jax.numpy":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    choose = random.Random(3)
    as_array = (
        (lambda a: namespace.tensor(a, dtype=namespace.float64)) if module == "torch" else namespace.asarray
    )
    programs = {name: recipe(case, [name]) for case, name in enumerate(TABLE)}
    programs["two numbers"] = lambda x: where(x[0] > 0.0, 0.1, 0.3) * where(x[1] > 0.0, 0.7, 0.9) * x[1]
    for name, f in programs.items():
        program = compile(f, [0.0, 0.0])
        x = [[choose.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(2)]
        with np.errstate(all="ignore"):
            values, gradients = program.function(namespace)([as_array(np.array(xi)) for xi in x])
        for k in range(3):
            value, gradient = eager(f, [x[0][k], x[1][k]])
            assert float(np.broadcast_to(values, 3)[k]) == pytest.approx(value, rel=3e-14, abs=1e-14), name
            for g, want in zip(gradients, gradient, strict=True):
                assert float(np.broadcast_to(g, 3)[k]) == pytest.approx(want, rel=3e-13, abs=1e-14), name
