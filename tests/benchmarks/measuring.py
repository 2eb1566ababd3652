"""What a table of figures is made of, and how the time of a call is taken; the tables stand elsewhere."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

# A row's name starts with its engine; the packages that are imported for it.
PACKAGES = {
    "autograd_lite": "autograd_lite",
    "by hand": "numpy",
    "micrograd": "micrograd",
    "XAD": "xad",
    "CasADi": "casadi",
    "HIPS autograd": "autograd",
    "JAX": "jax",
    "PyTorch": "torch",
}
COMPILED, PYTHON = "autograd_lite: compiled", "autograd_lite: as Python"  # rows that name the engine's form
Figures = dict[str, float]


class Skipped(Exception):  # noqa: N818  no error
    """Why a row cannot be measured here."""


@dataclass(frozen=True)
class Table:
    """Rows that do the same work; each is compared with those named in `against`, or with the first."""

    title: str
    rows: dict[str, Callable[[], dict[str, float]]]
    against: tuple[str, ...] = ()


def both_forms(run: Callable[..., Figures], **options: Any) -> dict[str, Callable[[], Figures]]:
    """The rows of autograd_lite in both forms of its engine; `__main__` gives each a process of that form."""
    return {COMPILED: partial(_compiled, run, **options), PYTHON: partial(run, **options)}


def _compiled(run: Callable[..., Figures], **options: Any) -> Figures:
    from autograd_lite import core

    if not core.compiled:
        raise Skipped("not built here")
    return run(**options)


def timed(run: Callable[[], Any], goes: int = 7) -> dict[str, float]:
    """CPU seconds that a call takes: the median of several goes, each long enough for the clock."""
    for call in range(10):  # CPython specializes a function after eight calls
        start = time.process_time()
        run()
        once = time.process_time() - start
        if call and once > 0.1:  # the first may compile
            goes = 3
            break
    count = max(1, int(0.03 / (once + 1e-7)))
    return {"seconds": statistics.median(_go(run, count) for _ in range(goes))}


def _go(run: Callable[[], Any], count: int) -> float:
    start = time.process_time()
    for _ in repeat(None, count):
        run()
    return (time.process_time() - start) / count


def moons(count: int = 100) -> tuple[list[list[float]], list[int]]:
    """Two noisy half circles, labelled 1 and -1, as micrograd's demo draws them."""
    rng = random.Random(1337)
    X, y = [], []
    for k in range(count):
        angle = rng.uniform(0.0, math.pi)
        point = (
            (math.cos(angle), math.sin(angle)) if k % 2 else (1.0 - math.cos(angle), 0.5 - math.sin(angle))
        )
        X.append([coordinate + rng.gauss(0.0, 0.1) for coordinate in point])
        y.append(1 if k % 2 else -1)
    return X, y
