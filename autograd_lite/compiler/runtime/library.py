"""Compiled libraries: loaded from the user's cache if they were built before, else built and put there.

A library's file name holds the hash of everything that decides its content, and the hash of the content
itself. A file is loaded only if no other user can have put it there and its content still has that hash. Next
door: `toolchain.py` runs the compilers, `machine.py` calls the libraries.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from autograd_lite.compiler.runtime import toolchain
from autograd_lite.compiler.runtime.toolchain import BuildError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

ROOM = 2**27  # bytes of libraries that the cache keeps: a few thousand libraries


def build(text: str, more: Sequence[str] = ()) -> ctypes.CDLL:
    """Return the library of a C text with a function ``program``, from the cache or built now.

    `more` are flags in addition to `toolchain.FLAGS`. The compilers are tried in order until one succeeds.
    Processes that build the same text at the same time do not disturb each other. Raises `NoCompilerError` if
    there is no compiler, and `RuntimeError` with every compiler's message if all of them fail.
    """
    flags, folder = (*toolchain.FLAGS, *more), _cache_folder()
    failures: list[str] = []
    for command in toolchain.compilers():
        made_from = "\0".join([text, *command, *flags, toolchain.fingerprint(command)])
        digest = hashlib.sha256(made_from.encode()).hexdigest()[:32]
        try:
            return _cached(folder, digest) or _built(text, [*command, *flags], folder, digest)
        except BuildError as error:
            failures.append(f"{' '.join(command)} failed on a program's C source: {error}")
    raise RuntimeError("\n".join(failures))


def _built(text: str, command: Sequence[str], folder: Path | None, digest: str) -> ctypes.CDLL:
    """Build a library and put it into the cache.

    Without a cache, or if its disk is full, build it in a temporary folder, which is removed once the library
    is loaded.
    """
    problem: OSError | None = None
    for place in dict.fromkeys((folder, None)):
        try:
            with _building(place), tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as work:
                path = toolchain.compiled(text, command, Path(work))
                if place is None and not _is_fixed(path.resolve()):
                    raise BuildError(f"other users can exchange files in {path.parent.parent}")
                library = _loaded(path)
                if place is not None:
                    path.replace(place / _file_name(digest, path.read_bytes()))
                return library
        except OSError as error:
            problem = error
    raise BuildError(str(problem))


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        library.program  # noqa: B018 - the lookup fails if another text was compiled
    except (OSError, AttributeError) as error:
        raise BuildError(f"its library cannot be loaded: {error}") from error
    return library


# --- Files of the cache


def _file_name(digest: str, content: bytes) -> str:
    return f"{digest}.{hashlib.sha256(content).hexdigest()[:32]}.so"


def _cached(folder: Path | None, digest: str) -> ctypes.CDLL | None:
    """Return the cached library of a digest, or None. Delete a file whose content has changed."""
    for name in [] if folder is None else os.listdir(folder):
        if name.startswith(digest):
            path = Path(folder or "", name)
            with suppress(OSError, BuildError):
                if name == _file_name(digest, path.read_bytes()):
                    library = _loaded(path)
                    os.utime(path)
                    return library
            with suppress(OSError):
                path.unlink()
    return None


@contextmanager
def _building(folder: Path | None) -> Iterator[None]:
    """Hold a lock on the folder while a library is built there; tidy it first if nobody else builds."""
    if folder is None or fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # another process builds
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _tidy(folder)
        with suppress(OSError):  # this file system has no locks, so tidying would not be safe
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _tidy(folder: Path) -> None:
    """Remove the folders of killed builds, and the least recently used libraries beyond `ROOM` bytes."""
    found, room = [], 0
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            info = entry.stat(follow_symlinks=False)
            found.append((info.st_mtime_ns, info.st_size, entry.path))
    for _, size, path in sorted(found, reverse=True):
        room += size
        if room > ROOM:
            Path(path).unlink(missing_ok=True)


# --- The folder


def _cache_folder() -> Path | None:
    """Return the folder of the cache, or None if another user could put a library there."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = given if given.is_absolute() else Path.home() / ".cache"
        folder = base / "autograd_lite"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        real = folder.resolve()
        return real if _is_private(real) and _is_fixed(folder) and _is_fixed(real) else None
    except (OSError, RuntimeError):  # no home, a file in the way, links in a circle
        return None


def _is_private(folder: Path) -> bool:
    """Return whether the folder belongs to this user and is closed to all others."""
    found = folder.lstat()
    return not hasattr(os, "getuid") or (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
    )


def _is_fixed(path: Path) -> bool:
    """Return whether no other user can replace the path or any folder above it."""
    if not hasattr(os, "getuid"):  # Windows, where only its user can write to a profile
        return True
    for part in (path, *path.parents):
        found = part.lstat()
        # In a folder with the sticky bit, such as /tmp, only its owner can replace an entry.
        is_open = (
            not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        )
        if is_open or found.st_uid not in (0, os.getuid()):
            return False
    return True
