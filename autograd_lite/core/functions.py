"""The rows of the table under their names, as functions: ``from autograd_lite.core.functions import tanh``.

At run time they are the rows of `rules.py`. Editors and type checkers read `functions.pyi` instead, which has
signatures for floats, for Values and for arrays. ``python -m tests.stubs`` writes it from the table.
"""

from autograd_lite.core.rules import TABLE

globals().update(TABLE)
