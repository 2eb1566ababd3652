"""The complete C function: what its header tells whoever compiles it by hand."""

import ctypes
import shutil
import subprocess

import pytest

from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import toolchain


def test_the_header_names_the_flag_without_which_products_and_sums_may_fuse():
    text = compile(lambda x, y: x * y - 0.1, 0.0, 0.0, name="f").c_source
    assert "-ffp-contract=off" in text[: text.index("*/")]
    assert "-ffp-contract=off" in toolchain.FLAGS  # what the package itself compiles with


@pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler")
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
