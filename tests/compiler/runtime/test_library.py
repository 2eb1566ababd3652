"""The cache of libraries: built once, bounded, and never one that another user could have put there."""

import math
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, tanh
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import library
from tests.compiler.common import needs_cc
from tests.compiler.runtime.small import libraries, runs, script, small

pytestmark = needs_cc


def test_a_library_is_built_once(cache, monkeypatch):
    runs(small().native())
    (path,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    monkeypatch.setattr(library, "_built", None)  # nothing is built
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
    load = library._loaded
    monkeypatch.setattr(library, "_loaded", lambda path: used.append(path) or load(path))
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
    path.unlink()  # it is loaded: to write into it would end this process with a segmentation fault
    path.write_bytes(b"not " + content)
    runs(small().native())
    assert path.read_bytes() == b"not " + content


def test_what_others_could_exchange_is_not_loaded_from_the_temporary_folder_either(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runs(small().native())
    tmp_path.chmod(0o777)
    with pytest.raises(RuntimeError, match="other users can exchange"):
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
    planted = cache / library._file_name(path.name.partition(".")[0], junk)  # its checksum is right
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
    monkeypatch.setattr(library, "ROOM", first.stat().st_size + third.stat().st_size)
    compile(programs[3], 1.0).native()
    assert {first, third} < {*libraries(cache)}
    assert second not in libraries(cache)
    assert len(libraries(cache)) == 3


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


def _build(directory, barrier, results):
    import os

    os.environ["XDG_CACHE_HOME"] = directory
    w = Value(2.0)
    program = compile(lambda x: tanh(w * x), 0.0)
    barrier.wait()
    results.put(program.native().batch(np.array([0.5, 1.0]), reduce="sum"))


@needs_cc
def test_two_processes_may_build_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_build, args=(str(tmp_path / "both"), barrier, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    first, second = results.get(timeout=300), results.get(timeout=300)
    for process in processes:
        process.join()
    assert first == second
    assert len(list((tmp_path / "both" / "autograd_lite").iterdir())) == 1
