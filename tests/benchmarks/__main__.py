"""Run the benchmarks and print the table: ``python -m tests.benchmarks [--rounds 5] [--only WORD]``."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import statistics
import subprocess
import sys

from tests.benchmarks.workloads import WORKLOADS


def _measured(workload: str, engine: str) -> dict[str, float]:
    """One measurement, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks", "--measure", workload, engine]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(result.stdout)
    return figures


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1.0
        else f"{seconds * 1e3:.3g} ms"
        if seconds >= 1e-3
        else f"{seconds * 1e6:.3g} µs"
    )


def _version(engine: str) -> str:
    return engine if engine == "autograd_lite" else f"{engine} {importlib.metadata.version(engine)}"


def _report(workload: str, rounds: int) -> None:
    print(f"\n{workload}")
    engines = WORKLOADS[workload]
    present = [engine for engine in engines if importlib.util.find_spec(engine)]
    runs: dict[str, list[dict[str, float]]] = {engine: [] for engine in present}
    for _ in range(rounds):
        for engine in present:  # in turn, so that a slow minute of the machine is everybody's
            runs[engine].append(_measured(workload, engine))
    ours = [run["seconds"] for run in runs["autograd_lite"]]
    for engine in engines:
        if engine not in present:
            print(f"  {engine:22}skipped: it is not installed (pip install {engine})")
            continue
        seconds = [run["seconds"] for run in runs[engine]]
        line = f"  {_version(engine):22}{_time(statistics.median(seconds)):>10}"
        line += f"   {_time(min(seconds))} … {_time(max(seconds))}"
        if engine != "autograd_lite":
            ratio = statistics.median(theirs / mine for theirs, mine in zip(seconds, ours, strict=True))
            line += f"   autograd_lite is {ratio:.1f}× as fast"
        for figure in runs[engine][0].keys() - {"seconds"}:
            line += (
                f"   {figure.replace('_', ' ')}: {statistics.median(run[figure] for run in runs[engine]):.3g}"
            )
        print(line)


def main() -> None:
    """Print the table, or with ``--measure`` the figures of one measurement as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only workloads whose name has this in it")
    parser.add_argument("--measure", nargs=2, metavar=("WORKLOAD", "ENGINE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        workload, engine = arguments.measure
        print(json.dumps(WORKLOADS[workload][engine]()))
        return
    machine = f"CPython {platform.python_version()}, {platform.machine()}"
    print(f"{machine}; CPU time, median of {arguments.rounds} rounds, then least … most")
    for workload in WORKLOADS:
        if arguments.only in workload:
            _report(workload, arguments.rounds)


if __name__ == "__main__":
    main()
