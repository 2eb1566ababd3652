"""The complete C function: what its header tells whoever compiles it by hand."""

import ctypes
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import nn, tanh
from autograd_lite.compiler import compile
from autograd_lite.compiler.codegen import c_function as c
from autograd_lite.compiler.runtime import toolchain
from tests.compiler.common import needs_cc
from tests.compiler.models import demo


def test_the_header_names_the_flag_without_which_products_and_sums_may_fuse():
    text = compile(lambda x, y: x * y - 0.1, 0.0, 0.0, name="f").c_source
    assert "-ffp-contract=off" in text[: text.index("*/")]
    assert "-ffp-contract=off" in toolchain.FLAGS  # what the package itself compiles with


@needs_cc
def test_with_that_flag_it_rounds_as_written(tmp_path):
    program = compile(lambda x, y: x * y - 0.01, 0.0, 0.0, name="f")
    (tmp_path / "f.c").write_text(program.c_source)
    flags = ["-std=gnu99", "-O2", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-w"]
    command = [*toolchain.compilers()[0], *flags, str(tmp_path / "f.c"), "-o", str(tmp_path / "f.so"), "-lm"]
    subprocess.run(command, check=True)
    number = ctypes.c_double
    x, y, out, work = number(0.1), number(0.1), (number * 3)(), (number * 256)()
    samples = (ctypes.POINTER(number) * 2)(ctypes.pointer(x), ctypes.pointer(y))
    ctypes.CDLL(str(tmp_path / "f.so")).f(ctypes.c_long(1), samples, None, out, work)
    assert out[0] == 0.1 * 0.1 - 0.01 != 0.0  # fused, it would be the rounding error of the product
    assert [*out][1:] == [0.1, 0.1]


@needs_cc
@pytest.mark.parametrize("sanitize", [False, True])
def test_c_source_is_c99_that_runs_alone(tmp_path, sanitize):
    model, X, y = demo()
    w = model.parameters()[0]
    program = compile(
        lambda x, y: tanh(1.0 - y * model(x)) + ag.exp(w) * ag.gelu(w), [0.0, 0.0], 0.0, name="net"
    )
    work = int(re.search(r"room for (\d+) numbers", program.c_source)[1])
    leaves = [leaf.data for leaf in program.leaves]

    def array(name, numbers):
        return f"static const double {name}[] = {{{', '.join(map(repr, map(float, np.ravel(numbers))))}}};\n"

    main = f"""{program.c_source}
#include <stdio.h>
{array("X", X)}{array("y", y)}{array("leaves", leaves)}
int main(void)
{{
    static double out[{len(leaves) + 1}], work[{work}];
    const double *const samples[] = {{X, y}};
    net({len(X)}, samples, leaves, out, work);
    for (int k = 0; k < {len(leaves) + 1}; k++)
        printf("%.17g\\n", out[k]);
    return 0;
}}
"""
    (tmp_path / "net.c").write_text(main)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if sanitize else []
    command = [*toolchain.compilers()[0], *flags, "-o", str(tmp_path / "net"), str(tmp_path / "net.c"), "-lm"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if sanitize and "cannot find" in built.stderr:
        pytest.skip("the sanitizers are not installed")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(tmp_path / "net")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value, gradients = program.batch(X, y, reduce="sum")
    assert list(map(float, done.stdout.split())) == pytest.approx([value, *gradients], rel=1e-12, abs=1e-14)


@needs_cc
def test_derivatives_of_each_sample_are_copied_in_few_loops():
    """A loop for each derivative took the compiler minutes."""
    model = nn.MLP(3, [5, 4, 1], rng=2)
    program = compile(lambda x, y: tanh(y * model(x)), [0.0] * 3, 0.0)
    X = np.random.default_rng(3).normal(size=(21, 3))
    y = np.linspace(-1.0, 1.0, 21)
    value, gradients = program.batch(X, y, reduce=None, wrt="leaves")
    program.native()
    found = program.batch(X, y, reduce=None, wrt="leaves")
    np.testing.assert_allclose(found[0], value, rtol=1e-13)
    np.testing.assert_allclose(found[1], gradients, rtol=1e-12, atol=1e-15)
    found = program._loops("leaf", "c")
    found = replace(found, outputs=[], each=found.outputs)
    text = c.c_layout(found, np, name="p", arguments=program._sizes(), lanes=8).text
    assert text.count("each[s") <= 2 * 8  # nests, not derivatives
