"""`Classifier`: a network with its encoding, its classes, its predictions and its model file.

Next door: `encoding.py` turns a table into examples, `closed_form.py` checks a classifier's gradient.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.rules import sigmoid
from autograd_lite.core.value import Value
from autograd_lite.datasets.encoding import LEAST, Category, Examples, Input, Number, features
from autograd_lite.datasets.table import GREATEST, DataError, file_errors
from autograd_lite.nn import ACTIVATIONS, MLP
from autograd_lite.nn.files import Document, read_json, write_json
from autograd_lite.nn.losses import cross_entropy, log_loss_from_scores, softmax

FORMAT = "autograd-lite classifier 1"
_PARTS: dict[str, tuple[type, str]] = {  # of a model file, after its format
    "target": (str, "a text"),
    "classes": (list, "a list"),
    "inputs": (list, "a list"),
    "architecture": (dict, "an object"),
    "parameters": (dict, "an object"),
}


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
class Classifier:
    """A network that predicts the column ``target``, one of ``classes``, from the columns ``inputs``."""

    target: str
    classes: list[str]
    inputs: list[Input]
    network: MLP

    def scores(self, x: Sequence[float | Value]) -> list[Value]:
        """Return the scores of an encoded row: one for each class, a single one in a logistic regression."""
        out = self.network(x)
        return out if isinstance(out, list) else [out]

    def loss(self, scores: list[Value], label: int) -> Value:
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
        names = [column.name for column in self.inputs]
        _check_names([self.target, *names], "the target and the inputs")
        _check_names(self.classes, "the classes")
        if len(self.classes) < 2:
            raise ValueError(f"there must be two classes or more, got {self.classes}")
        for column in self.inputs:
            _check_input(column)
        for name, weight in self.network.state_dict().items():
            if not abs(weight) <= GREATEST:
                raise ValueError(f"the parameter {name} is {weight:g}, beyond ±{GREATEST:g}")
        shape = self.network.architecture
        if shape is None or shape["output"] != "linear" or shape["activation"] not in ACTIVATIONS:
            raise ValueError("the network is not one that 'train' builds")
        if len(self.probabilities([0.0] * len(features(self.inputs)))) != len(self.classes):
            raise ValueError(f"the network does not have {len(self.classes)} classes")

    # --- The model file

    @property
    def document(self) -> Document:
        """The content of the model file."""
        return {
            "format": FORMAT,
            "target": self.target,
            "classes": self.classes,
            "inputs": [asdict(column) for column in self.inputs],
            "architecture": self.network.architecture,
            "parameters": self.network.state_dict(),
        }

    def save(self, path: Path) -> None:
        """Write the model file. Raises `DataError` if it cannot be written."""
        with file_errors("write", path):
            write_json(path, self.document)

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what `save` wrote. Raises `DataError` if it cannot be read or is damaged."""
        try:
            with file_errors("read", path):
                document = read_json(path)
        except DataError:
            raise
        except ValueError as error:
            raise DataError(error) from None
        if document.get("format") != FORMAT:
            raise DataError(f"{path} is not a model that 'autograd-lite train --save' wrote")
        for part, (kind, expected) in _PARTS.items():
            if part not in document:
                raise DataError(f"{path} is damaged: it has no {part!r}")
            if not isinstance(document[part], kind):
                raise DataError(f"{path} is damaged: {part!r} must be {expected}, got {document[part]!r:.40}")
        try:
            network = MLP.from_document(document, path)
        except ValueError as error:
            raise DataError(error) from None
        try:
            classes = _texts(document["classes"], "'classes'")
            model = cls(document["target"], classes, [*map(_input, document["inputs"])], network)
            model.check()
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DataError(f"{path} is damaged: {error}") from None
        return model


def _probabilities(scores: list[float]) -> list[float]:
    """Return the softmax of the scores; σ of a single score is the probability of the second class.

    A score that is not finite raises `OverflowError` (document 000, equation 2).
    """
    if not all(map(math.isfinite, scores)):
        raise OverflowError(f"a score is {next(s for s in scores if not math.isfinite(s))}")
    return softmax(scores) if len(scores) > 1 else [sigmoid(-scores[0]), sigmoid(scores[0])]


def _input(entry: object) -> Input:
    """Return the input column that an entry of a model file describes."""
    match entry:
        case {"name": str(name), "texts": texts, **others} if not others:
            return Category(name, _texts(texts, f"the texts of input {name!r}"))
        case {"name": str(name), "mean": mean, "scale": scale, **others} if not others:
            return Number(name, real(mean, "a mean"), real(scale, "a scale"))
    raise ValueError(f"{entry!r:.60} does not describe an input")


def _texts(entry: object, what: str) -> list[str]:
    if not (isinstance(entry, list) and all(isinstance(text, str) for text in entry)):
        raise ValueError(f"{what} must be a list of texts, got {entry!r:.40}")
    return entry


def _check_input(column: Input) -> None:
    if isinstance(column, Category):
        if not column.texts:
            raise ValueError(f"the input {column.name!r:.60} has no texts")
        _check_names(column.texts, f"the texts of input {column.name!r:.60}")
    elif not (abs(column.mean) <= GREATEST and LEAST <= column.scale <= GREATEST):
        raise ValueError(
            f"input {column.name!r:.60} has the mean {column.mean:g} and the scale {column.scale:g}: "
            f"no column of numbers below {GREATEST:g} has these"
        )


def _check_names(texts: Sequence[str], what: str) -> None:
    """Raise `ValueError` unless `texts` are names that a table can have, each once."""
    for text, count in Counter(texts).items():
        if count > 1:
            raise ValueError(f"{text!r:.60} occurs {count} times among {what}")
        if not text or any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in text):
            raise ValueError(f"{text!r:.60} among {what} is not a text that a table can hold")
