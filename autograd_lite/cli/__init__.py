"""The command `autograd-lite`: train, predict, draw, explain, table.

In come arguments and CSV files; out go text, pictures, reports and model files. Next door: `datasets` holds
the tables and the classifier, `train` the training loop, `pictures` what is drawn.
"""

from autograd_lite.cli.command import main

__all__ = ["main"]
