"""Machine code: its cache, its compilers, its memory, and errors that IEEE arithmetic would hide."""

import math
import multiprocessing
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, nn, tanh
from autograd_lite.compiler import compile
from autograd_lite.compiler.codegen.c_words import WORDS
from autograd_lite.compiler.runtime import executor as batch
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.core import value
from autograd_lite.nn.losses import half_squared_error
from autograd_lite.train.compiled import Training
from tests.compiler import sanitize as program_sanitize
from tests.compiler.misuse import MISUSES

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path / "autograd_lite"


def small(w=2.0):
    leaf = Value(w, "w")
    return compile(lambda x: tanh(leaf * x), 0.0)


def runs(program):
    total, gradients = program.batch(np.array([0.5, 1.0]), reduce="sum")
    assert total == pytest.approx(math.tanh(1.0) + math.tanh(2.0), rel=1e-14)
    assert gradients == pytest.approx([0.5 / math.cosh(1.0) ** 2 + 1.0 / math.cosh(2.0) ** 2], rel=1e-13)
    return True


# --- Errors that IEEE arithmetic hides


@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("irregular", [False, True])
def test_a_gradient_that_is_not_finite_is_settled_in_every_way_of_calling(real, irregular, monkeypatch):
    """The value of atan2(0, 0) is 0 everywhere; only the engine says that it has no derivative there."""
    if irregular:
        monkeypatch.setattr(native, "IRREGULAR", -1)
    a, b = Value(0.3, "a"), Value(0.7, "b")
    recorded = compile(ag.atan2(a, b)).native(real)
    program = compile(lambda x: ag.atan2(a * x, b), 1.0).native(real, threads=2)
    arguments = compile(ag.atan2, 1.0, 1.0).native(real)
    assert recorded()[0] == pytest.approx(math.atan2(0.3, 0.7), rel=1e-6)
    a.data = b.data = 0.0
    X = np.ones(300)
    calls = [
        recorded,
        recorded.backward,
        lambda: recorded.function()([0.0, 0.0]),
        lambda: recorded.descend(lr=0.1),
        lambda: recorded.descend(lr=0.1, steps=3),
        recorded.batch,
        lambda: program(1.0),
        lambda: program.batch(X),
        lambda: program.batch(X[:3], reduce="sum"),
        lambda: program.batch(X, backward=True),
        lambda: program.batch(X, reduce=None),
        lambda: program.batch(X, wrt="arguments"),
        lambda: program.batch(X, deterministic=True),
        lambda: program.descend(X, steps=1),
        lambda: program.descend(X, steps=3),
        lambda: arguments.batch([1.0, 0.0], [1.0, 0.0], reduce=None),
        lambda: arguments.batch([1.0, 0.0], [1.0, 0.0]),
    ]
    with ThreadPoolExecutor(2) as executor:
        calls.append(lambda: program.batch(X, executor=executor))
        for call in calls:
            with pytest.raises(ZeroDivisionError, match=r"atan2\(.*it has no derivative"):
                call()
    assert a.grad in (None, 0.0)
    assert (a.data, b.data) == (0.0, 0.0)


def test_what_overflows_in_single_precision_alone_is_what_the_engine_gives():
    large = 2.0**100
    w = Value(large, "w")
    double, single = (compile(lambda x: w * w * x, 1.0) for _ in range(2))
    single.native("float32")
    X = np.array([1.0, 2.0])
    assert single.batch(X) == double.batch(X) == (1.5 * large**2, [3.0 * large])
    values, gradients = single.batch(X, reduce=None)
    assert (values.tolist(), gradients.tolist()) == (
        [large**2, 2.0 * large**2],
        [[2.0 * large], [4.0 * large]],
    )
    assert single.batch(X, wrt="arguments")[0] == 1.5 * large**2
    assert single.descend(X, lr=0.125) == [1.5 * large**2]
    assert w.data == 0.625 * large


def test_infinity_that_the_engine_gives_stays():
    w = Value(math.inf, "w")
    program = compile(lambda x: w * x, 1.0).native()
    assert program.batch([1.0, 2.0]) == (math.inf, [1.5])
    assert program.batch([1.0, -2.0])[1] == [-0.5]
    assert math.isnan(program.batch([1.0, -2.0])[0])
    assert compile(w * 2.0).native()() == (math.inf, [2.0])
    with pytest.raises(FloatingPointError, match="step 0"):
        program.descend([1.0])


# --- The cache


def libraries(folder):
    return sorted(folder.glob("*.so"))


def test_a_library_is_built_once(cache, monkeypatch):
    runs(small().native())
    (path,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    monkeypatch.setattr(native, "_made", None)  # nothing is built
    runs(small().native())
    assert [*cache.iterdir()] == [path]


@pytest.mark.parametrize("how", ["open", "readable", "another's", "link", "open above", "file"])
def test_trap_36_a_folder_that_is_not_ours_alone_is_never_used(cache, how, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    if how == "file":
        cache.write_text("")
    elif how == "link":  # in a folder where anybody can set another
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        (shared / "home").symlink_to(outside)
        monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "home"))
        cache = outside / "autograd_lite"
    else:
        cache.mkdir(mode=0o700)
        if how == "open":
            cache.chmod(0o777)
        elif how == "readable":
            cache.chmod(0o755)
        elif how == "open above":
            tmp_path.chmod(0o770)
        elif os.getuid() == 0:
            os.chown(cache, 12345, 12345)
        else:
            monkeypatch.setattr(os, "getuid", lambda: 12345)
    used = []
    load = native._loaded
    monkeypatch.setattr(native, "_loaded", lambda path: used.append(path) or load(path))
    runs(small().native())
    runs(small().native())
    assert len(used) == 2
    assert all(cache not in path.parents and not path.exists() for path in used)
    assert cache.is_file() or not [*cache.iterdir()]
    if how == "open above":
        tmp_path.chmod(0o700)
        runs(small().native())
        assert len(libraries(cache)) == 1


def test_a_planted_library_is_not_loaded(cache):
    """It is named as ours would be, but lies where another user could write."""
    runs(small().native())
    (path,) = libraries(cache)
    cache.chmod(0o777)
    content = path.read_bytes()
    path.write_bytes(b"not " + content)
    runs(small().native())
    assert path.read_bytes() == b"not " + content


def test_what_others_could_exchange_is_not_loaded_from_the_temporary_folder_either(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runs(small().native())
    tmp_path.chmod(0o777)
    with pytest.raises(RuntimeError, match="others can exchange"):
        small().native()
    assert not [*tmp_path.iterdir()]


def test_our_own_links_are_followed(cache, tmp_path, monkeypatch):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "link"))
    runs(small().native())
    assert len(libraries(tmp_path / "real" / "autograd_lite")) == 1


def test_a_relative_cache_is_ignored(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for given in (".", "cache", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        runs(small().native())
    assert not [*(tmp_path / "work").iterdir()]
    assert len(libraries(tmp_path / "home" / ".cache" / "autograd_lite")) == 1


@pytest.mark.parametrize("how", ["cut", "empty", "flipped", "text", "folder", "another program's"])
def test_a_damaged_library_is_built_anew(cache, how):
    program = compile(lambda x: ag.sin(x), 1.0).native()
    (other,) = libraries(cache)
    assert program.batch([1.0])[0] == math.sin(1.0)
    runs(small().native())
    (path,) = {*libraries(cache)} - {other}
    content = bytearray(path.read_bytes())
    path.unlink()
    flipped = bytes(byte ^ (0xFF if 300 < k < 3000 else 0) for k, byte in enumerate(content))
    damaged = {
        "cut": bytes(content[:3000]),
        "empty": b"",
        "flipped": flipped,
        "text": b"junk\n",
        "another program's": other.read_bytes(),
    }
    if how == "folder":
        path.mkdir()
    else:
        path.write_bytes(damaged[how])
    runs(small().native())
    assert len(libraries(cache)) == 2
    assert path.is_dir() or path.read_bytes() == bytes(content)


def test_a_kept_library_that_does_not_load_is_built_anew(cache, monkeypatch):
    runs(small().native())
    (path,) = libraries(cache)
    junk = b"junk\n"
    planted = cache / native._file_name(path.name.partition(".")[0], junk)  # its checksum is right
    path.unlink()
    planted.write_bytes(junk)
    runs(small().native())
    assert [*cache.iterdir()] == [path]


def test_the_cache_is_bounded_and_keeps_what_was_used_last(cache, monkeypatch):
    programs = [lambda x, k=k: ag.sin(x * (k + 0.5)) for k in range(4)]
    for k, function in enumerate(programs[:3]):
        compile(function, 1.0).native()
        for path in libraries(cache):
            os.utime(path, (1000 + k, 1000 + k)) if path.stat().st_mtime > 5000 else None
    first, second, third = sorted(libraries(cache), key=lambda path: path.stat().st_mtime)
    compile(programs[0], 1.0).native()  # it is used again
    assert first.stat().st_mtime > 5000
    monkeypatch.setattr(native, "ROOM", first.stat().st_size + third.stat().st_size)
    compile(programs[3], 1.0).native()
    assert {first, third} < {*libraries(cache)}
    assert second not in libraries(cache)
    assert len(libraries(cache)) == 3


def script(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{textwrap.dedent(text)}")
    path.chmod(0o700)
    return str(path)


def test_what_a_killed_build_left_is_removed(cache, tmp_path, monkeypatch):
    slow = script(tmp_path, "slow", 'case "$*" in *--version*) echo 1;; *) sleep 60;; esac')
    code = "from autograd_lite import compile; compile(lambda x: x * x, 1.0).native()"
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "CC": slow}, process_group=0)
    for _ in range(600):
        if cache.exists() and any(cache.iterdir()):
            break
        time.sleep(0.05)
    runs(small().native())
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1  # it is being built
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    compile(lambda x: ag.cos(x), 1.0).native()
    assert sorted(cache.iterdir()) == libraries(cache)
    assert len(libraries(cache)) == 2


# --- Compilers


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


def test_fit_falls_to_numpy_where_no_compiler_works(only, monkeypatch):
    monkeypatch.setattr("autograd_lite.train.compiled.WORTH_COMPILING", 0.0)
    (only / "clang").unlink()
    for name in ("cc", "gcc"):
        script(only, name, "echo no; exit 1")
    model = nn.MLP(1, [2, 1], rng=0)
    training = Training(model, half_squared_error, [[0.5], [1.0]], [0.0, 1.0], steps=1)
    assert training.form == "NumPy"
    assert math.isfinite(training())


def test_a_cache_without_room_is_done_without(cache, monkeypatch):
    write = Path.write_text

    def full(path, text):
        if cache in path.parents:
            raise OSError(28, "No space left on device")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", full)
    runs(small().native())
    assert not [*cache.iterdir()]
    monkeypatch.setattr(tempfile, "tempdir", str(cache))
    with pytest.raises(RuntimeError, match="No space left"):
        small().native()


# --- Memory, forks, names


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.__name__)
def test_memory_holds(misuse):
    misuse()


def _forked(program, X, results):
    results.put(program.batch(X))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("held", [False, True])
def test_a_forked_process_runs_on(held):
    """It has neither the threads of its parent nor whoever holds the lock there."""
    program, X = small().native(threads=2), np.linspace(0.0, 1.0, 500)
    want = program.batch(X)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    free, taken = threading.Event(), threading.Event()

    def hold():
        with program._machine._lock:
            taken.set()
            free.wait(60)

    thread = threading.Thread(target=hold)
    if held:
        thread.start()
        taken.wait()
    child = context.Process(target=_forked, args=(program, X, results))
    try:
        child.start()
        assert results.get(timeout=60) == want
        child.join(60)
    finally:
        free.set()
        child.kill()
    if held:
        thread.join()
    assert program.batch(X) == want


def _backward(results):
    x = Value(3.0)
    (x * x).backward()
    results.put(x.grad)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_within_a_backward_pass_of_another_thread_runs_on():
    taken = threading.Event()

    def hold():
        with value._traversal:
            taken.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_backward, args=(results,))
    child.start()
    try:
        assert results.get(timeout=60) == 6.0
    finally:
        child.kill()
        thread.join()


def test_a_worker_without_a_compiler_that_works_runs_numpy(monkeypatch):
    program = small().native()
    want = program.batch(np.array([0.5, 1.0]))
    packed = program.packed
    monkeypatch.setattr(native, "compilers", lambda: [("false",)])
    monkeypatch.setattr(batch, "_built", {})
    ((total, gradients),) = batch._part(b"", packed, "leaf", [np.array([0.5, 1.0])], [2.0], [2])
    assert [total / 2.0, gradients[0] / 2.0] == pytest.approx([want[0], *want[1]], rel=1e-14)


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
        [*native.compilers()[0], *flags, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_words_of_c_hold_those_of_its_headers():
    headers = "".join(
        f"#include <{name}.h>\n" for name in ("math", "stdlib", "string", "stdio", "ctype", "complex")
    )
    command = [*native.compilers()[0], "-std=c99", "-E", "-"]
    found = subprocess.run(command, input=headers, capture_output=True, text=True, check=True).stdout
    declared = {*re.findall(r"\b([A-Za-z]\w*) *\(", found)}
    command = [*native.compilers()[0], "-std=gnu99", "-dM", "-E", "-"]
    found = subprocess.run(
        command, input="#include <math.h>\n", capture_output=True, text=True, check=True
    ).stdout
    declared |= {*re.findall(r"^#define ([A-Za-z]\w*)", found, re.MULTILINE)}
    assert len(declared) > 300
    assert not declared - WORDS


def test_the_sanitizers_find_nothing():
    """A small part of `python -m tests.compiler.sanitize`."""
    if program_sanitize.preloaded() is None:
        pytest.skip("no sanitizers are installed")
    assert program_sanitize.main(1, 3) == 0


def test_the_sanitizers_find_what_is_out_of_bounds():
    environment = program_sanitize.preloaded()
    if environment is None:
        pytest.skip("no sanitizers are installed")
    code = """
        from dataclasses import replace
        from autograd_lite.compiler.codegen import c_function as c
        from tests.compiler import sanitize as program_sanitize
        layout = c.c_layout
        def small(*given, **more):
            made = layout(*given, **more)
            return replace(made, work=made.work // 4)
        c.c_layout = small
        with program_sanitize.sanitized():
            print([*program_sanitize.forms(1)])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer: use-after-poison" in done.stderr
