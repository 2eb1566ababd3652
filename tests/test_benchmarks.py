"""The command that prints the benchmarks, on one table: what it measures is no test."""

import importlib.util
import subprocess
import sys

from tests.benchmarks.measuring import PACKAGES
from tests.test_project import ROOT


def test_a_table_says_of_every_engine_what_it_takes_or_that_it_is_missing():
    command = [sys.executable, "-m", "tests.benchmarks", "--rounds", "1", "--only", "3-2-1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    rows = {row[0]: row for row in cells if row[0].partition(":")[0] in PACKAGES}
    assert {name.partition(":")[0] for name in rows} == set(PACKAGES)
    for name, row in rows.items():
        package = PACKAGES[name.partition(":")[0]]
        if importlib.util.find_spec(package):
            assert row[1].endswith("µs"), name
            assert row[3].endswith("×"), name
        else:
            assert row[1] == f"{package} is not installed"
    (short,) = [row for row in cells if row[0] == "One gradient of a 3-2-1 sigmoid network, generated Python"]
    assert float(short[2]) < 10.0  # by hand: no measurement, but a column that is not another's
