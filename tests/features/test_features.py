"""README's table of features says what `table.py` finds, for every installed engine."""

import pytest

from tests.features import table as features
from tests.test_project import ROOT


def printed():
    """README's table: what stands in it for each engine, and the rows that it names."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    start = lines.index(features.header()[0])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    rows = cells[2 : cells.index([""])]
    named, *columns = zip(*rows, strict=True)
    return list(named), dict(zip(features.ENGINES, map(list, columns), strict=True))


def test_readme_names_the_rows():
    assert printed()[0] == features.rows()


@pytest.mark.parametrize("engine", features.ENGINES)
def test_readme_says_what_is_found(engine):
    if features.missing(engine):
        pytest.skip(f"not installed: {', '.join(features.missing(engine))}")
    assert features.column(engine) == printed()[1][engine]
