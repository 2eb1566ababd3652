"""Names that mean something else in C."""

import re
import subprocess

import autograd_lite as ag
from autograd_lite import Value
from autograd_lite.compiler import compile
from autograd_lite.compiler.codegen.c_words import WORDS
from autograd_lite.compiler.runtime import toolchain
from tests.compiler.common import needs_cc

pytestmark = needs_cc


NAMES = (
    "fmin",
    "NAN",
    "exit",
    "double",
    "linux",
    "table_0",
    "block_1",
    "M_PI",
    "signgam",
    "free",
    "bool",
    "ñ",
)


def test_names_that_mean_something_else_in_c(tmp_path):
    w = Value(0.5, "NAN")
    text = []
    for name in NAMES:
        program = compile(lambda double, NAN: ag.sin(double * NAN) * w, 1.0, 2.0, name=name)
        assert compile(lambda x: w * x, 1.0, name=name).native().batch([2.0]) == (1.0, [2.0])
        text.append(program.c_source)
        (function,) = re.findall(r"^/\* (\w+):", program.c_source)
        assert function not in WORDS
        (tmp_path / f"{len(text)}.c").write_text(
            f"{program.c_source}\n#include <stdlib.h>\n#include <stdio.h>\n"
        )
    files = [str(tmp_path / f"{k + 1}.c") for k in range(len(text))]
    flags = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    done = subprocess.run(
        [*toolchain.compilers()[0], *flags, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_words_of_c_hold_those_of_its_headers():
    headers = "".join(
        f"#include <{name}.h>\n" for name in ("math", "stdlib", "string", "stdio", "ctype", "complex")
    )
    command = [*toolchain.compilers()[0], "-std=c99", "-E", "-"]
    found = subprocess.run(command, input=headers, capture_output=True, text=True, check=True).stdout
    declared = {*re.findall(r"\b([A-Za-z]\w*) *\(", found)}
    command = [*toolchain.compilers()[0], "-std=gnu99", "-dM", "-E", "-"]
    found = subprocess.run(
        command, input="#include <math.h>\n", capture_output=True, text=True, check=True
    ).stdout
    declared |= {*re.findall(r"^#define ([A-Za-z]\w*)", found, re.MULTILINE)}
    assert len(declared) > 300
    assert not declared - WORDS
