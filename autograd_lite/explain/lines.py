"""`record_lines`: record which line of a program made each node.

Next door: `why.py` quotes the line of a node that it blames, `core/modes.py` keeps it.
"""

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
    """Record, within ``with record_lines():``, which file and line made each node.

    ``node.line`` holds them, and `why` quotes them with the operation that it blames. The line is the
    innermost one outside this package: for the nodes of a model it is the line that called the model.
    Recording takes about twice as long within the block, and as long as ever outside it. A block affects all
    threads.

    >>> with record_lines():
    ...     y = Value(2.0) * 3.0
    >>> y.line.file, y.line.number
    ('<doctest autograd_lite.explain.lines.record_lines[0]>', 2)
    """
    global _open
    with _counting:
        _open += 1
        modes.keep_provenance(_scope_and_line)
    try:
        yield
    finally:
        with _counting:
            _open -= 1
            if not _open:
                modes.keep_provenance(None)


def _scope_and_line() -> Line:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return Line(modes.current_scope(), frame.f_code.co_filename, frame.f_lineno)


def written_at(node: Value) -> str:
    """Return the place where a node was made, ``, at train.py:12: y = log(x)``, or "" if unknown."""
    if node.line is None:
        return ""
    source = linecache.getline(node.line.file, node.line.number).strip()
    return f", at {node.line.file}:{node.line.number}{': ' if source else ''}{source}"
