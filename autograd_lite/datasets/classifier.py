"""`Classifier`: a network with its encoding and its classes, and its predictions.

Next door: `encoding.py` turns a table into examples, `regressor.py` predicts numbers, `model_file.py` keeps a
model, `closed_form.py` checks its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from autograd_lite.core.modes import no_grad
from autograd_lite.core.rules import sigmoid
from autograd_lite.core.value import Value
from autograd_lite.datasets.encoding import Examples, Input, Target
from autograd_lite.datasets.predictor import Predictor, check_names
from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, log_loss_from_scores, softmax


@dataclass(frozen=True)
class Evaluation:
    """The result of a classifier on examples: the mean ``loss``, and the (true, predicted) class of each."""

    loss: float
    pairs: list[tuple[int, int]]

    @property
    def right(self) -> int:
        """How many predictions are right."""
        return sum(true == predicted for true, predicted in self.pairs)


@dataclass
class Classifier(Predictor):
    """A network that predicts the column ``target``, one of ``classes``, from the columns ``inputs``.

    It has a score for each class. With a single score, σ of it is the probability of the second of two.
    """

    task: ClassVar[str] = "classification"
    target: str
    classes: list[str]
    inputs: list[Input]
    network: MLP

    def loss(self, scores: list[Value], label: Target) -> Value:
        """Return −log of the probability of the class `label`.

        That is the cross-entropy (document 001, equation 1), or for a single score the log loss (document
        000, equation 3).
        """
        return cross_entropy(scores, label) if len(scores) > 1 else log_loss_from_scores(scores[0], label)

    def probabilities(self, x: Sequence[float]) -> list[float]:
        """Return the probability of each class for an encoded row."""
        with no_grad():
            return _probabilities([score.data for score in self.scores(x)])

    def evaluate(self, examples: Examples) -> Evaluation:
        """Return the mean loss over examples (0 if there are none), and the class predicted for each."""
        losses, pairs = [], []
        for x, label in examples:
            with no_grad():
                scores = self.scores(x)
                losses.append(self.loss(scores, label).data)
            p = _probabilities([score.data for score in scores])
            pairs.append((label, p.index(max(p))))
        return Evaluation(math.fsum(losses) / max(1, len(examples)), pairs)

    def check(self) -> None:
        """Raise `ValueError` if training cannot have made this classifier."""
        super().check()
        check_names(self.classes, "the classes")
        if len(self.classes) < 2:
            raise ValueError(f"there must be two classes or more, got {self.classes}")
        if len(self.probabilities(self.origin)) != len(self.classes):
            raise ValueError(f"the network does not have {len(self.classes)} classes")


def _probabilities(scores: list[float]) -> list[float]:
    """Return the softmax of the scores; σ of a single score is the probability of the second class.

    A score that is not finite raises `OverflowError` (document 000, equation 2).
    """
    if not all(map(math.isfinite, scores)):
        raise OverflowError(f"a score is {next(s for s in scores if not math.isfinite(s))}")
    return softmax(scores) if len(scores) > 1 else [sigmoid(-scores[0]), sigmoid(scores[0])]
