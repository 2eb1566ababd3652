"""A pause for Python's cyclic garbage collector, which finds nothing in graphs and takes long to look."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Within ``with collector_paused():`` Python's cyclic garbage collector is off; then as it was before.

    Graphs hold no cycles and are freed by reference counting, but the collector keeps searching them as
    they grow, which takes more than half the time of recording. `fit` uses this.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
