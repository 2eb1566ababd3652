"""`Predictor`: what a classifier and a regressor share, a network with the encoding of its inputs.

Next door: `classifier.py` and `regressor.py`, and `model_file.py`, which keeps both.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from autograd_lite.core.value import Value
from autograd_lite.datasets.encoding import LEAST, Category, Input, Target, features
from autograd_lite.datasets.table import GREATEST
from autograd_lite.nn import ACTIVATIONS, MLP


class Predictor:
    """A network that predicts the column ``target`` from the columns ``inputs``."""

    task: ClassVar[str]
    target: str
    inputs: list[Input]
    network: MLP

    @property
    def origin(self) -> list[float]:
        """An encoded row of zeros."""
        return [0.0] * len(features(self.inputs))

    def scores(self, x: Sequence[float | Value]) -> list[Value]:
        """Return the outputs of the network for an encoded row."""
        out = self.network(x)
        return out if isinstance(out, list) else [out]

    def loss(self, scores: list[Value], label: Target) -> Value:
        """Return the loss of one example, of the scores for its target."""
        raise NotImplementedError

    def evaluate(self, examples: Any) -> Any:
        """Return the loss and the predictions for some examples."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise `ValueError` if training cannot have made this model."""
        names = [column.name for column in self.inputs]
        check_names([self.target, *names], "the target and the inputs")
        for column in self.inputs:
            check_input(column)
        for name, weight in self.network.state_dict().items():
            if not abs(weight) <= GREATEST:
                raise ValueError(f"the parameter {name} is {weight:g}, beyond ±{GREATEST:g}")
        shape = self.network.architecture
        if shape is None or shape["output"] != "linear" or shape["activation"] not in ACTIVATIONS:
            raise ValueError("the network is not one that 'train' builds")


def check_input(column: Input) -> None:
    """Raise `ValueError` unless a table can have had this column."""
    if isinstance(column, Category):
        if not column.texts:
            raise ValueError(f"the input {column.name!r:.60} has no texts")
        check_names(column.texts, f"the texts of input {column.name!r:.60}")
    elif not (abs(column.mean) <= GREATEST and LEAST <= column.scale <= GREATEST):
        raise ValueError(
            f"input {column.name!r:.60} has the mean {column.mean:g} and the scale {column.scale:g}: "
            f"no column of numbers below {GREATEST:g} has these"
        )


def check_names(texts: Sequence[str], what: str) -> None:
    """Raise `ValueError` unless `texts` are names that a table can have, each once."""
    for text, count in Counter(texts).items():
        if count > 1:
            raise ValueError(f"{text!r:.60} occurs {count} times among {what}")
        if not text or any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in text):
            raise ValueError(f"{text!r:.60} among {what} is not a text that a table can hold")
