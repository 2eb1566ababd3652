"""The Palmer penguins, the table that ships with the package."""

from __future__ import annotations

from importlib.resources import files

from autograd_lite.datasets.table import Table, read_csv


def penguins() -> Table:
    """Return the Palmer penguins: 344 birds in 8 columns, the species first.

    `README.md` beside this module names the source and the licence.

    >>> penguins().rows[0]
    ['Adelie', 'Torgersen', '39.1', '18.7', '181', '3750', 'male', '2007']
    """
    return read_csv(files(__package__) / "penguins.csv")
