"""Output to the terminal: streams that may close, one-line messages, texts cut to fit.

Names and texts from files may be long, span lines or hold control characters. Every command prints them
through `one_line`, `short` or `bounded`.
"""

from __future__ import annotations

import errno
import os
import sys
import textwrap
from collections.abc import Callable
from typing import Any, TextIO

from autograd_lite.notation.columns import fitted, width

PROGRAM = "autograd-lite"
WIDTH = 79  # some terminals wrap a line that is as long as they are wide


class Outlet:
    """A stream that remembers why it cannot be written and discards the rest: the work goes on."""

    def __init__(self, stream: TextIO | None) -> None:
        self.failure: OSError | None = None
        if stream is None:  # it was closed before Python started
            self.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`; return its length, as a stream does."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand buffered text to the system."""
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.failure = error
            with open(os.devnull, "wb") as nowhere:  # takes the text still buffered
                os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say(message: object) -> None:
    """Print a message on stderr, on one line behind the name of the program."""
    print(f"{PROGRAM}: {bounded(one_line(message))}", file=sys.stderr)


def show_mark(text: str, mark: str) -> None:
    """Print a text on stderr and, below it, the mark ``^ message``; a long message gets lines of its own."""
    margin = " " * len(f"{PROGRAM}: ")
    lines = [margin + bounded(mark)]
    if width(lines[0]) > WIDTH:
        before, _, message = mark.partition("^ ")
        below = textwrap.wrap(bounded(message), WIDTH, initial_indent=margin, subsequent_indent=margin)
        lines = [f"{margin}{before}^", *below]
    print(f"{PROGRAM}: {text}", *lines, sep="\n", file=sys.stderr)


def one_line(text: object) -> str:
    """Return `text` on one line, without control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(text).split()))


def bounded(message: str) -> str:
    """Return `message` without its middle if it is very long."""
    return message if len(message) <= 500 else f"{message[:300]} … {message[-190:]}"


def short(name: str) -> str:
    """Return a name on one line, cut off after 30 columns."""
    line = one_line(name)
    return fitted(line, min(30, width(line)))


def some(names: list[str]) -> str:
    """Return the first twelve of `names`, and the number of the others."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def counted(counts: dict[str, int]) -> str:
    """Return names with their counts, as in "sex 11, island 2"."""
    return some([f"{short(name)} {count}" for name, count in counts.items()])


def item(head: str, text: str) -> None:
    """Print a text beside its heading, wrapped."""
    lines = textwrap.wrap(text, WIDTH, initial_indent=f"  {head:<10}", subsequent_indent=" " * 12)
    print("\n".join(lines))
