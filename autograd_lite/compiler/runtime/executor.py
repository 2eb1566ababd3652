"""The sums over a batch: computed here, or in parts by the workers of an executor.

Sums over samples add up, so any worker may compute any part. Next door: the kernels that compute one
(`machine.py`, `numpy_kernel.py`, `interpreter.py`).
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from typing import Any

from autograd_lite.compiler.runtime.interface import BatchProgram, Summing, Sums

CHUNK = 512  # samples that are always summed together if `deterministic`

_built: dict[bytes, BatchProgram] = {}  # in a worker: the programs it has unpacked, by their digests


def _part(
    digest: bytes, packed: bytes, kind: str, columns: list[Any], leaves: list[float], sizes: list[int]
) -> list[Sums]:
    """Compute a part of a batch in a worker, which unpacks and compiles each program once."""
    program = _built.get(digest)
    if program is None:
        unpacked, native = pickle.loads(packed)
        if native is not None:
            real, fastmath, threads = native
            with suppress(RuntimeError):  # no compiler works on this machine: NumPy runs instead
                unpacked.native(real, fastmath=fastmath, threads=threads)
        program = _built[digest] = unpacked
    return _chunk_sums(program.kernel(kind), columns, leaves, sizes)


def _chunk_sums(kernel: Summing, columns: list[Any], leaves: list[float], sizes: Sequence[int]) -> list[Sums]:
    """Return the sums over each of some consecutive chunks with the given numbers of samples."""
    start, sums = 0, []
    for size in sizes:
        sums.append(kernel([column[start : start + size] for column in columns], leaves))
        start += size
    return sums


def _added(sums: list[Sums]) -> Sums:
    """Return the sum of sums, rounded once, so that their order has no influence."""
    if len(sums) == 1:
        return sums[0]
    values = math.fsum([value for value, _ in sums])
    return values, [math.fsum(parts) for parts in zip(*[gradients for _, gradients in sums], strict=True)]


def _workers(executor: Executor) -> int:
    """Return the number of workers, which `concurrent.futures`, MPI and Dask report in different ways."""
    client: Any = getattr(executor, "_client", None)
    dask = sum(client.ncores().values()) if hasattr(client, "ncores") else 0
    return dask or getattr(executor, "_max_workers", None) or os.cpu_count() or 1


def _split(total: int, parts: int) -> list[int]:
    """Return the sizes of parts of a total that differ by at most one."""
    return [total * (k + 1) // parts - total * k // parts for k in range(parts)]


def _tasks(chunks: list[int], m: int, workers: int, deterministic: bool) -> list[list[int]]:
    """Return the sizes of the chunks of each task: whole chunks, or as many samples for every worker."""
    parts = min(workers, m)
    if not deterministic:
        return [[size] for size in _split(m, parts)]
    tasks, k = [], 0
    for n in _split(len(chunks), parts):
        if n:
            tasks.append(chunks[k : k + n])
            k += n
    return tasks


def split_sums(
    program: BatchProgram,
    kind: str,
    columns: list[Any],
    m: int,
    leaves: list[float],
    executor: Executor | None,
    deterministic: bool,
) -> Sums:
    """Return the sums over a batch of m samples; with `deterministic` no split changes a bit of them.

    Raises `RuntimeError` if a worker dies, and passes on the errors of the program.
    """
    chunks = [min(CHUNK, m - start) for start in range(0, m, CHUNK)] if deterministic else [m]
    if executor is None:
        return _added(_chunk_sums(program.kernel(kind), columns, leaves, chunks))
    packed = program.packed
    digest = hashlib.sha256(packed).digest()
    futures, start = [], 0
    try:
        for sizes in _tasks(chunks, m, _workers(executor), deterministic):
            end = start + sum(sizes)
            piece = [column[start:end] for column in columns]
            futures.append(executor.submit(_part, digest, packed, kind, piece, leaves, sizes))
            start = end
        return _added([part for future in futures for part in future.result()])
    except Exception as error:
        for future in futures:
            future.cancel()
        if isinstance(error, BrokenExecutor) or type(error).__name__ in ("KilledWorker", "CancelledError"):
            raise RuntimeError(
                f"a worker died while it computed a part of the batch ({type(error).__name__}: {error}); "
                "no gradient was changed, so the batch can be run again with a new executor"
            ) from error
        raise
