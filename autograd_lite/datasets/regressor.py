"""`Regressor`: a network with its encoding, which predicts a number.

Next door: `classifier.py` predicts classes, `encoding.py` turns a table into examples, `model_file.py` keeps
a model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from autograd_lite.core.modes import no_grad
from autograd_lite.core.value import Value
from autograd_lite.datasets.encoding import Examples, Input, Number, Target
from autograd_lite.datasets.predictor import Predictor, check_input
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import half_squared_error


@dataclass(frozen=True)
class Errors:
    """The result of a regressor on examples: the mean ``loss``, and the (true, predicted) number of each.

    ``mean`` is what the baseline predicts for every row: the mean of the rows trained on.
    """

    loss: float
    pairs: list[tuple[float, float]]
    mean: float

    @property
    def rmse(self) -> float:
        """The root of the mean squared error, in units of the target."""
        return _rmse(self.pairs)

    @property
    def r2(self) -> float:
        """The share of the variance that is explained, 1 − Σ (y − ŷ)² / Σ (y − ȳ)²; NaN if y is constant."""
        return _r2(self.pairs)

    @property
    def baseline(self) -> Errors:
        """The same examples, with the mean for every prediction."""
        return Errors(math.nan, [(true, self.mean) for true, _ in self.pairs], self.mean)


def _rmse(pairs: Sequence[tuple[float, float]]) -> float:
    return math.hypot(*[true - predicted for true, predicted in pairs]) / math.sqrt(len(pairs))


def _r2(pairs: Sequence[tuple[float, float]]) -> float:
    mean = math.fsum([true for true, _ in pairs]) / len(pairs)
    spread = _rmse([(true, mean) for true, _ in pairs])
    return 1.0 - (_rmse(pairs) / spread) ** 2 if spread else math.nan


@dataclass
class Regressor(Predictor):
    """A network that predicts the number in the column ``target`` from the columns ``inputs``.

    Its score is the number in the ``unit`` of the target: standardised, as mean + scale · score.
    """

    task: ClassVar[str] = "regression"
    target: str
    unit: Number
    inputs: list[Input]
    network: MLP

    def loss(self, scores: list[Value], label: Target) -> Value:
        """Return half the squared error of the score, ½ (ŷ − y)², both standardised."""
        return half_squared_error(scores[0], label)

    def predict(self, x: Sequence[float]) -> float:
        """Return the number predicted for an encoded row. Raises `OverflowError` if it is not finite."""
        with no_grad():
            (score,) = self.scores(x)
        number = self.unit.mean + self.unit.scale * score.data
        if not math.isfinite(number):
            raise OverflowError(f"the prediction is {number}")
        return number

    def evaluate(self, examples: Examples) -> Errors:
        """Return the mean loss over examples (0 if there are none), and the number predicted for each."""
        losses, pairs = [], []
        for x, label in examples:
            predicted = self.predict(x)
            error = (predicted - self.unit.mean) / self.unit.scale - label
            losses.append(0.5 * error * error)
            pairs.append((self.unit.mean + self.unit.scale * label, predicted))
        return Errors(math.fsum(losses) / max(1, len(examples)), pairs, self.unit.mean)

    def check(self) -> None:
        """Raise `ValueError` if training cannot have made this regressor."""
        super().check()
        check_input(self.unit)
        if len(self.scores(self.origin)) != 1:
            raise ValueError("the network does not have one output")
