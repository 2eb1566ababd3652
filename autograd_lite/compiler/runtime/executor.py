"""A program over a whole batch: in one piece, or split over the workers of an executor.

Sums over samples add up, so parts of a batch may be worked on anywhere. What does not live here: how a part
is computed (`arrays.py`, `loops.py`, `native.py`; `python.py` where there is no NumPy).
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from typing import Any

from autograd_lite.compiler.runtime.interface import BatchProgram

# Samples in a part when the result must not depend on who computes it.
CHUNK = 512

_built: dict[bytes, Any] = {}


def _part(
    digest: bytes, packed: bytes, kind: str, columns: list[Any], leaves: list[float], sizes: list[int]
) -> Any:
    """What a worker does: the sums of consecutive parts, by a program that it builds once."""
    program = _built.get(digest)
    if program is None:
        program, native = pickle.loads(packed)
        if native is not None:
            real, fastmath, threads = native
            with suppress(RuntimeError):  # no compiler works here: the NumPy form runs
                program.native(real, fastmath=fastmath, threads=threads)
        _built[digest] = program
    return chunk_sums(program.kernel(kind), columns, leaves, sizes)


def chunk_sums(
    kernel: Callable[..., Any], columns: list[Any], leaves: Sequence[float], sizes: Sequence[int]
) -> list[Any]:
    """The sums of the value and of each gradient over consecutive parts."""
    start, sums = 0, []
    for size in sizes:
        sums.append(kernel([column[start : start + size] for column in columns], leaves))
        start += size
    return sums


def added(sums: list[Any]) -> Any:
    """The sum of parts, rounded once, so that their order does not matter."""
    if len(sums) == 1:
        return sums[0]
    values = math.fsum([value for value, _ in sums])
    return values, [math.fsum(parts) for parts in zip(*[gradients for _, gradients in sums], strict=True)]


def _workers(executor: Executor) -> int:
    """How many there are; an executor does not say, but `concurrent.futures`, MPI's pool and Dask know."""
    client: Any = getattr(executor, "_client", None)
    dask = sum(client.ncores().values()) if hasattr(client, "ncores") else 0
    return dask or getattr(executor, "_max_workers", None) or os.cpu_count() or 1


def _sizes(m: int, parts: int) -> list[int]:
    return [m * (k + 1) // parts - m * k // parts for k in range(parts)]


def split_sums(
    program: BatchProgram,
    kind: str,
    columns: list[Any],
    m: int,
    leaves: list[float],
    executor: Executor | None,
    deterministic: bool,
) -> Any:
    """The sums over a batch of m samples; with `deterministic` they are the same to the bit however split."""
    chunks = [min(CHUNK, m - start) for start in range(0, m, CHUNK)] if deterministic else [m]
    if executor is None:
        return added(chunk_sums(program.kernel(kind), columns, leaves, chunks))
    parts = min(_workers(executor), m)
    if deterministic:
        counts = [n for n in _sizes(len(chunks), parts) if n]
        tasks, k = [], 0
        for n in counts:
            tasks.append(chunks[k : k + n])
            k += n
    else:
        tasks = [[size] for size in _sizes(m, parts)]
    packed = program.packed
    digest = hashlib.sha256(packed).digest()
    futures, start = [], 0
    try:
        for sizes in tasks:
            end = start + sum(sizes)
            piece = [column[start:end] for column in columns]
            futures.append(executor.submit(_part, digest, packed, kind, piece, leaves, sizes))
            start = end
        return added([part for future in futures for part in future.result()])
    except Exception as error:
        for future in futures:
            future.cancel()
        if isinstance(error, BrokenExecutor) or type(error).__name__ in ("KilledWorker", "CancelledError"):
            raise RuntimeError(
                f"a worker died while it computed a part of the batch ({type(error).__name__}: {error}); "
                "no gradient was changed, so the batch can be run again with a new executor"
            ) from error
        raise
