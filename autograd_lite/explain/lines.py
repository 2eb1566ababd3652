"""`record_lines`: which line of a program made an operation."""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograd_lite.core import modes
from autograd_lite.core.modes import Line
from autograd_lite.core.value import Value

_PACKAGE = str(Path(modes.__file__).parents[1])
_counting = threading.Lock()
_open = 0


@contextmanager
def record_lines() -> Iterator[None]:
    """Within ``with record_lines():`` every operation remembers the file and the line that asked for it.

    It is ``node.line``, and `why` tells it with an operation that made a NaN. The line is the innermost one
    outside this package, so that of ``model(x)`` for what a model computes. Recording takes about three times
    as long; outside such a block it costs nothing. A block holds for all threads.

    >>> with record_lines():
    ...     y = Value(2.0) * 3.0
    >>> y.line.file, y.line.number
    ('<doctest autograd_lite.explain.lines.record_lines[0]>', 2)
    """
    global _open
    with _counting:
        _open += 1
        modes.keep_provenance(_place_with_line)
    try:
        yield
    finally:
        with _counting:
            _open -= 1
            if not _open:
                modes.keep_provenance(None)


def _place_with_line() -> Line:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return Line(modes.current_scope(), frame.f_code.co_filename, frame.f_lineno)


def written_at(node: Value) -> str:
    """Where a node was made, ``, at train.py:12: y = log(x)``, or nothing if that was not recorded."""
    if node.line is None:
        return ""
    source = linecache.getline(node.line.file, node.line.number).strip()
    return f", at {node.line.file}:{node.line.number}{': ' if source else ''}{source}"
