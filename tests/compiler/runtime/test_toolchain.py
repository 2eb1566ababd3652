"""Compilers: which are tried, and what happens if they fail."""

import math
import shutil
import sys

import pytest

from autograd_lite import nn
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.nn.losses import half_squared_error
from autograd_lite.train.compiled import CompiledLoss, Work
from tests.compiler.common import needs_cc
from tests.compiler.runtime.small import libraries, runs, script, small
from tests.optional import needs_numpy

pytestmark = needs_cc


@pytest.fixture
def only(tmp_path, monkeypatch):
    """A folder that is the PATH: with the compilers that a test puts there, and the true one as clang."""
    folder = tmp_path / "bin"
    folder.mkdir()
    true = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    script(folder, "clang", f'exec {true} "$@"\n')
    # The compiler looks for its linker on the PATH, but it comes after ours.
    for name in ("as", "ld", "sleep"):
        (folder / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(folder))
    return folder


JUNK = {
    "fails": "exit 1",
    "nothing": "exit 0",
    "text": 'while [ "$1" != -o ]; do shift; done; echo junk > "$2"',
    "no program": 'while [ "$1" != -o ]; do shift; done; TRUE -shared -fPIC -o "$2" EMPTY',
    "cut": 'TRUE "$@" || exit; while [ "$1" != -o ]; do shift; done; CUT "$2"',
}
CUT = f"{sys.executable} -c 'import sys, os; os.truncate(sys.argv[1], 9000)'"


@pytest.mark.parametrize("how", JUNK)
def test_a_compiler_that_fails_is_followed_by_the_next(how, only, cache):
    (only / "empty.c").write_text("int other;\n")
    text = JUNK[how].replace("CUT", CUT).replace("EMPTY", f"{only}/empty.c").replace("TRUE", f"{only}/clang")
    script(only, "cc", text)
    script(only, "gcc", text)
    runs(small().native())
    assert len(libraries(cache)) == 1
    (only / "clang").rename(only / "real")
    for name in ("cc", "gcc"):
        script(only, name, text.replace(f"{only}/clang", f"{only}/real"))
    for path in cache.iterdir():
        path.unlink()
    with pytest.raises(RuntimeError, match=r"cc failed on a program's C source(.|\n)*gcc failed"):
        small().native()
    assert not [*cache.iterdir()]


def test_a_file_that_is_no_program_is_a_compiler_that_fails(only, cache):
    (only / "cc").write_text("junk")
    (only / "cc").chmod(0o700)
    (only / "gcc").write_bytes(b"\x7fELF junk")
    (only / "gcc").chmod(0o700)
    runs(small().native())


@needs_numpy
def test_fit_falls_to_numpy_where_no_compiler_works(only, monkeypatch):
    monkeypatch.setattr("autograd_lite.train.compiled.BUILD", -math.inf)
    (only / "clang").unlink()
    for name in ("cc", "gcc"):
        script(only, name, "echo no; exit 1")
    model = nn.MLP(1, [2, 1], rng=0)
    training = CompiledLoss(model, half_squared_error, [[0.5], [1.0]], [0.0, 1.0], Work(1, 2))
    assert training.form == "NumPy"
    assert math.isfinite(training())


@pytest.mark.parametrize("given", ["", " ", "no-such-compiler -O1"])
def test_a_compiler_that_is_not_there_is_passed_over(monkeypatch, given):
    monkeypatch.delenv("CC", raising=False)
    want = toolchain.compilers()
    monkeypatch.setenv("CC", given)
    assert toolchain.compilers() == want
    monkeypatch.setenv("CC", 'cc "')
    with pytest.raises(toolchain.NoCompilerError, match="CC=cc"):
        toolchain.compilers()
