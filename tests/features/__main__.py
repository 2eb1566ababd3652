"""Try what README's table of features claims: ``python -m tests.features``.

It prints the table as found. It exits with 1, naming the cells, if README says otherwise of an engine that is
installed; ``pip install -e ".[bench]"`` installs all of them. The attempts are in `attempts.py`. Each engine
is tried in a process of its own.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.features.attempts import ENGINES, HELPERS, Feature

README = Path(__file__).parent.parent.parent / "README.md"
LIMIT = 900  # seconds for a process: recursion a million deep takes minutes
ROWS = {row.__name__: " ".join((row.__doc__ or "").split()) for row in Feature.__subclasses__()}
HEADER = f"| | {' | '.join(ENGINES.values())} |"


def attempt(engine: str, name: str) -> dict[str, bool | str]:
    """Try one row, or with "" all rows that need no process of their own."""
    warnings.simplefilter("ignore")
    if engine == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    wanted = [row for row in Feature.__subclasses__() if row.__name__ == name or not (name or row.alone)]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # some write files
        cells = {row.__name__: vars(row)[engine]() for row in wanted}
    return {name: cell if isinstance(cell, str) else bool(cell) for name, cell in cells.items()}


def attempt_apart(engine: str, name: str) -> dict[str, bool | str]:
    """Do the same in another process. If that dies, the answer is no for a row that stands alone."""
    command = [sys.executable, "-m", "tests.features", "--try", engine, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    if name and done.returncode < 0:
        return {name: False}
    if done.returncode:
        raise RuntimeError(f"the attempts with {engine} are wrong: {done.stderr}")
    cells: dict[str, bool | str] = json.loads(done.stdout.splitlines()[-1])
    return cells


def missing(engine: str) -> list[str]:
    """Return the packages that must be installed before an engine can be tried."""
    return [name for name in [engine, *HELPERS.get(engine, [])] if not importlib.util.find_spec(name)]


def column(engine: str) -> list[str]:
    """Return the cells under an engine, from top to bottom."""
    if missing(engine):
        return [f"no {missing(engine)[0]}"] * len(ROWS)
    cells = attempt_apart(engine, "")
    for row in Feature.__subclasses__():
        if row.alone:
            cells |= attempt_apart(engine, row.__name__)
    return [{True: "✓", False: "–"}.get(cell, cell) for cell in [cells[name] for name in ROWS]]


def printed() -> tuple[list[str], dict[str, list[str]]]:
    """Return README's table: the rows it names, and the cells under each engine."""
    lines = README.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[lines.index(HEADER) :]]
    named, *columns = zip(*cells[2 : cells.index([""])], strict=True)
    return list(named), dict(zip(ENGINES, map(list, columns), strict=True))


def differences(found: dict[str, list[str]]) -> list[str]:
    """Return a line for each cell that README has otherwise than it was found."""
    named, columns = printed()
    return [
        f"{ENGINES[engine]}, {row!r}: found {cell}, README says {said}"
        for engine, cells in found.items()
        for row, cell, said in zip(named, cells, columns[engine], strict=True)
        if cell != said
    ]


def main() -> int:
    if sys.argv[1:2] == ["--try"]:
        print(json.dumps(attempt(*sys.argv[2:])))
        return 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(ENGINES, pool.map(column, ENGINES), strict=True))
    rows = [f"| {' | '.join(cells)} |" for cells in zip(ROWS.values(), *found.values(), strict=True)]
    installed = [engine for engine in ENGINES if not missing(engine)]
    versions = [f"{ENGINES[engine]} {importlib.metadata.version(engine)}" for engine in installed]
    print(HEADER, f"|---|{':-:|' * len(ENGINES)}", *rows, "", f"Tried with {', '.join(versions)}.", sep="\n")
    wrong = differences({engine: found[engine] for engine in installed})
    print(*wrong, sep="\n", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
