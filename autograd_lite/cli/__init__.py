"""The command `autograd-lite`: train, predict, gpt, draw, explain, table.

Arguments, CSV files and texts go in; text, pictures, reports and model files come out. Next door: `datasets`
holds the tables and the models, `train` the training loop, `pictures` what is drawn.
"""

from autograd_lite.cli.command import main

__all__ = ["main"]
