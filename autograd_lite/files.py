"""Files: written whole or not at all, and read up to a limit.

Next door, `nn`, `datasets`, `pictures` and `cli` decide what the files contain.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to the file `path`: all of it or nothing.

    If writing fails, the old file stays as it was. A reader never sees half a file. A pipe or a device is
    written to directly. Raises `OSError`, with `path` as its file name, if the file cannot be written.
    """
    with _beside(path, content) as (temporary, target):
        if temporary is None:
            target.write_bytes(content)
        else:
            temporary.replace(target)


def check_writable(path: str | os.PathLike[str], size: int) -> None:
    """Raise the `OSError` that `write_whole` would raise for `size` bytes, without changing the file."""
    with _beside(path, bytes(size)) as (_, target):
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        if target.exists() and not os.access(target, os.W_OK):
            raise OSError(errno.EACCES, "it is write-protected")


@contextmanager
def _beside(path: str | os.PathLike[str], content: bytes) -> Iterator[tuple[Path | None, Path]]:
    """Yield a temporary file with `content` in the folder of `path`, and the file that `path` points to.

    The temporary file is removed at the end. It is None where `path` is not a regular file, because a rename
    would replace a device by a file.
    """
    temporary = None
    try:
        target = Path(os.path.realpath(path))  # follow a link to its target
        if target.is_dir():
            raise OSError(errno.EISDIR, "it is a folder")
        if not target.exists() or target.is_file():
            # A short name, because the target's may already have the greatest length.
            beside = target.with_name(f".autograd-lite-{secrets.token_hex(8)}")
            with beside.open("xb") as file:
                temporary = beside
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # some file systems notice late that they are full
            if target.exists():
                shutil.copymode(target, temporary)
        yield temporary, target
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read_whole(path: Path | Traversable, limit: int) -> bytes:
    """Return the content of the file `path`. Raises `ValueError` if it is longer than `limit` bytes.

    The limit protects the memory: a file may be larger, and a device such as ``/dev/zero`` has no end.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it is longer than {limit:,} bytes, the limit")
    return content
