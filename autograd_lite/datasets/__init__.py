"""The data that ships with the package. How a table becomes numbers stands in `table.py`.

>>> penguins().rows[0]
['Adelie', 'Torgersen', '39.1', '18.7', '181', '3750', 'male', '2007']
"""

from __future__ import annotations

from importlib.resources import files

from autograd_lite.datasets.table import DataError, Table, read_csv

__all__ = ["DataError", "Table", "penguins", "read_csv"]


def penguins() -> Table:
    """The Palmer penguins: 344 birds, 8 columns, the species first; see `datasets/README.md`."""
    return read_csv(files(__name__) / "penguins.csv")
