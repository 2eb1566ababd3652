"""Run the benchmarks and print the tables, in Markdown: ``python -m tests.benchmarks [--only WORD]``."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys

from tests.benchmarks import engine, programs
from tests.benchmarks.measuring import PACKAGES, Skipped, Table

TABLES = [*engine.TABLES, *programs.TABLES]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
}


def _measure(title: str, row: str) -> dict[str, float | str]:
    """The figures of a row, measured in this process; ``skipped`` says why there are none."""
    run = next(table.rows[row] for table in TABLES if table.title == title)
    try:
        return {**run()}
    except Skipped as reason:
        return {"skipped": str(reason)}


def _measured(title: str, row: str) -> dict[str, float | str]:
    """The same, measured in a process of its own."""
    package = PACKAGES[row.partition(":")[0]]
    if not importlib.util.find_spec(package):
        return {"skipped": f"{package} is not installed"}
    command = [sys.executable, "-m", "tests.benchmarks", "--measure", title, row]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    if done.returncode:
        return {"skipped": f"failed, exit status {done.returncode}"}
    figures: dict[str, float | str] = json.loads(done.stdout)
    return figures


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            break
    return f"{seconds / size:,.{max(0, 2 - len(str(int(seconds / size))) + 1)}f} {unit}"


def _ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def _cell(name: str, figure: float) -> str:
    return f"{name.removesuffix(' s')} {_time(figure)}" if name.endswith(" s") else f"{figure:,.0f} {name}"


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def _report(table: Table, rounds: int) -> None:
    against = table.against or tuple(table.rows)[:1]
    runs: dict[str, list[dict[str, float | str]]] = {row: [] for row in table.rows}
    for k in range(rounds):
        for row, done in runs.items():  # in turn, so that a slow minute of the machine is everybody's
            if k == 0 or "skipped" not in done[0]:
                _progress(f"{table.title}: round {k + 1}, {row}")
                done.append(_measured(table.title, row))
    _progress("")
    print(f"\n**{table.title}**\n\n| | median | least … most |", *[f"÷ {name} |" for name in against])
    print("|---|--:|--:|" + "--:|" * len(against))
    for row, done in runs.items():
        if "skipped" in done[0]:
            print(f"| {row} | {done[0]['skipped']} | |" + " |" * len(against))
            continue
        seconds = [run["seconds"] for run in done]
        others = [name for name in done[0] if name != "seconds"]
        notes = [_cell(name, statistics.median(run[name] for run in done)) for name in others]
        cells = [
            f"{row} ({', '.join(notes)})" if notes else row,
            _time(statistics.median(seconds)),
            f"{_time(min(seconds))} … {_time(max(seconds))}",
        ]
        for name in against:
            them = [run.get("seconds") for run in runs[name]]
            ratio = None not in them and statistics.median(a / b for a, b in zip(seconds, them, strict=True))
            cells.append(f"{_ratio(ratio)} ×" if ratio else "")
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables, or with ``--measure`` those of one row as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", metavar="WORD", help="only tables whose title has this in it")
    parser.add_argument("--measure", nargs=2, metavar=("TITLE", "ROW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(_measure(*arguments.measure)))
        return
    installed = [package for package in PACKAGES.values() if importlib.util.find_spec(package)]
    versions = [f"{package} {importlib.metadata.version(package)}" for package in installed]
    print(f"CPython {platform.python_version()}, {platform.machine()}, one thread; {', '.join(versions)}.")
    print(f"CPU time of a process for each row; medians of {arguments.rounds} rounds, ratios within a round.")
    for table in TABLES:
        if arguments.only in table.title:
            _report(table, arguments.rounds)


if __name__ == "__main__":
    main()
