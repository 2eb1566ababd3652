"""Data and models that the command uses: tables, the penguins, first names, classifiers and their files.

CSV files, texts and model files go in; examples as numbers, lines and models come out. Next door: `nn` has
the networks, `train` trains them, `cli` prints the results.
"""

from autograd_lite.datasets.lines import read_lines
from autograd_lite.datasets.names import names
from autograd_lite.datasets.penguins import penguins
from autograd_lite.datasets.table import DataError, Table, read_csv

__all__ = ["DataError", "Table", "names", "penguins", "read_csv", "read_lines"]
