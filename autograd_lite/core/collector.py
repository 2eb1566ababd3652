"""Pause Python's cyclic garbage collector, which spends a long time on graphs and finds nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Turn Python's cyclic garbage collector off within ``with collector_paused():``, then restore it.

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
