"""Data and models that the command uses: tables, the penguins, classifiers and their files.

CSV files and model files go in; examples as numbers, and classifiers, come out. Next door: `nn` has the
networks, `train` trains them, `cli` prints the results.
"""

from autograd_lite.datasets.penguins import penguins
from autograd_lite.datasets.table import DataError, Table, read_csv

__all__ = ["DataError", "Table", "penguins", "read_csv"]
