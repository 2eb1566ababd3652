"""Data and models that the command uses: tables, the penguins, classifiers and their files.

In come CSV files and model files; out go examples as numbers, and classifiers. Next door: `nn` has the
networks, `train` trains them, `cli` prints what comes of it.
"""

from autograd_lite.datasets.penguins import penguins
from autograd_lite.datasets.table import DataError, Table, read_csv

__all__ = ["DataError", "Table", "penguins", "read_csv"]
