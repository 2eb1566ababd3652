"""What the tests of tables share."""

from autograd_lite.datasets import Table


def table(content: str) -> Table:
    names, *rows = [line.split(",") for line in content.split()]
    return Table("t.csv", names, [[f or None for f in row] for row in rows], list(range(2, len(rows) + 2)))
