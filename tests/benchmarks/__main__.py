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
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import engine, gpt, programs
from tests.benchmarks.measuring import PACKAGES, PYTHON, Skipped, Table

Runs = dict[str, list[dict[str, Any]]]  # of each row, the figures of each round
README = Path(__file__).parents[2] / "README.md"
OTHERS = [engine for engine in PACKAGES if engine != "autograd_lite"]
TABLES = [*engine.TABLES, *programs.TABLES, *gpt.TABLES]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
}


def _measure(title: str, row: str) -> dict[str, Any]:
    """The figures of a row, measured in this process; ``skipped`` says why there are none."""
    run = next(table.rows[row] for table in TABLES if table.title == title)
    try:
        return {**run()}
    except Skipped as reason:
        return {"skipped": str(reason)}


def _measured(title: str, row: str) -> dict[str, Any]:
    """The same, measured in a process of its own."""
    package = PACKAGES[row.partition(":")[0]]
    if not importlib.util.find_spec(package):
        return {"skipped": f"{package} is not installed"}
    command = [sys.executable, "-m", "tests.benchmarks", "--measure", title, row]
    with tempfile.TemporaryDirectory() as cache:  # so that machine code is built, not found
        form = {"AUTOGRAD_LITE_PURE": "1" if row == PYTHON else ""}
        environment = os.environ | ONE_THREAD | form | {"XDG_CACHE_HOME": cache}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        return {"skipped": f"failed, exit status {done.returncode}"}
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            break
    return f"{seconds / size:,.{max(0, 2 - len(str(int(seconds / size))) + 1)}f} {unit}"


def _printed(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def _cell(name: str, figure: float) -> str:
    return f"{name.removesuffix(' s')} {_time(figure)}" if name.endswith(" s") else f"{figure:,.0f} {name}"


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def _ratio(runs: Runs, row: str, to: str) -> float | None:
    """How many times as long a row takes as another, the median of the rounds."""
    if "skipped" in runs[row][0] or "skipped" in runs[to][0]:
        return None
    pairs = zip(runs[row], runs[to], strict=True)
    return statistics.median(one["seconds"] / other["seconds"] for one, other in pairs)


def _measured_table(table: Table, rounds: int) -> tuple[list[str], list[str]]:
    """The lines of a table, and its lines of the summary: one for each row that others are compared with."""
    against = table.against or tuple(table.rows)[:1]
    runs: Runs = {row: [] for row in table.rows}
    for k in range(rounds):
        for row, done in runs.items():  # in turn, so that a slow minute of the machine is everybody's
            if k == 0 or "skipped" not in done[0]:
                _progress(f"{table.title}: round {k + 1}, {row}")
                done.append(_measured(table.title, row))
    _progress("")
    lines = ["", f"**{table.title}**", ""]
    lines.append(f"| | median | least … most | {' | '.join(f'÷ {name}' for name in against)} |")
    lines.append(f"|---|--:|--:|{'--:|' * len(against)}")
    for row, done in runs.items():
        if "skipped" in done[0]:
            lines.append(f"| {row} | {done[0]['skipped']} | |{' |' * len(against)}")
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
            ratio = _ratio(runs, row, name)
            cells.append(f"{_printed(ratio)} ×" if ratio else "")
        lines.append(f"| {' | '.join(cells)} |")
    compared = [name for name in against if len(runs) > 1 and "skipped" not in runs[name][0]]
    return lines, [_short(table.title.partition(":")[0], runs, name) for name in compared]


def _short(title: str, runs: Runs, ours: str) -> str:
    """How many times as long each other engine takes, its first row where it has several."""
    first = {row.partition(":")[0]: row for row in reversed(runs)}
    ratios = [_ratio(runs, first[name], ours) if name in first else None for name in OTHERS]
    seconds = statistics.median(run["seconds"] for run in runs[ours])
    form = ours.partition(": ")[2]
    cells = [f"{title}{form and ', ' + form}", _time(seconds), *[(r and _printed(r)) or "" for r in ratios]]
    return f"| {' | '.join(cells)} |"


def _put_into_readme(head: list[str], short: list[str], tables: list[str]) -> None:
    """Replace what stands between README's marks."""
    before, start, rest = README.read_text(encoding="utf-8").partition("<!-- figures -->\n")
    _, end, after = rest.partition("<!-- end of figures -->\n")
    told = ["<details>", "<summary>All tables, with medians and spreads</summary>", *tables, "", "</details>"]
    figures = "\n".join([*head, *short, "", *told, ""])
    README.write_text(before + start + figures + end + after, encoding="utf-8")


def main() -> None:
    """Print the tables, or with ``--measure`` one row's figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", metavar="WORD", help="only tables whose title has this in it")
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md too")
    parser.add_argument("--measure", nargs=2, metavar=("TITLE", "ROW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(_measure(*arguments.measure)))
        return
    installed = [package for package in PACKAGES.values() if importlib.util.find_spec(package)]
    versions = [f"{package} {importlib.metadata.version(package)}" for package in installed]
    head = [
        f"CPython {platform.python_version()}, {platform.machine()}, float64, one thread;",
        f"{', '.join(versions)}.",
        f"CPU time of a process for each row, medians of {arguments.rounds} rounds.",
    ]
    print(*head, sep="\n")
    tables: list[str] = []
    short = [
        "",
        f"| how many times as long the others take | autograd_lite | {' | '.join(OTHERS)} |",
        f"|---|--:|{'--:|' * len(OTHERS)}",
    ]
    for table in TABLES:
        if arguments.only in table.title:
            lines, compared = _measured_table(table, arguments.rounds)
            print(*lines, sep="\n", flush=True)
            tables += lines
            short += compared
    print(*short, sep="\n")
    if arguments.readme:
        _put_into_readme(head, short, tables)


if __name__ == "__main__":
    main()
