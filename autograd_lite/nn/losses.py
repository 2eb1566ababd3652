"""Losses, composed of rows of the table in the forms that survive saturation.

Each takes numbers, Values or a mixture, one example or a batch, and reduces by the sum or the mean. None adds
an epsilon. Numbers such as 001.1 are those of documents, as in notebooks/errata.md. What does not live here:
their derivatives, which the rows of `primitives.py` know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, TypeAlias

from autograd_lite.core.numbers import real
from autograd_lite.core.primitive import Traceable, Tracer
from autograd_lite.core.rules import exp, log, log1p, mean, softmax_cross_entropy, softplus, square, sum

Reduction: TypeAlias = Literal["sum", "mean"]


def _plain(x: Any) -> Any:
    """`x` as lists and numbers: an array or an iterator becomes a list."""
    if isinstance(x, list):
        return x
    if hasattr(x, "tolist"):
        return x.tolist()
    return [*x] if isinstance(x, Iterable) and not isinstance(x, str) else x


def _shape(x: Any) -> str:
    return f"a list of {len(x)}" if isinstance(x, list) else "one number"


def _number(x: Any, what: str) -> Any:
    return x if isinstance(x, Traceable) else real(x, what)


def _pairs(x: Any, y: Any, names: tuple[str, str], at: str = "") -> list[tuple[Any, Any, str]]:
    """Each number in `x` with that of `y` in the same place, and the place; `ValueError` if shapes differ."""
    x, y = _plain(x), _plain(y)
    if not isinstance(x, list) and not isinstance(y, list):
        return [(_number(x, names[0] + at), _number(y, names[1] + at), at)]
    if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
        raise ValueError(
            f"{names[0]}{at} and {names[1]}{at} differ in shape: {_shape(x)} against {_shape(y)}"
        )
    if not x:
        raise ValueError(f"the loss of no examples is undefined: {names[0]}{at} is empty")
    return [
        pair
        for i, (xi, yi) in enumerate(zip(x, y, strict=True))
        for pair in _pairs(xi, yi, names, f"{at}[{i}]")
    ]


def _reduced(terms: list[Any], reduction: Reduction, examples: int) -> Any:
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction must be 'sum' or 'mean', got {reduction!r}")
    if len(terms) == 1:
        total = terms[0]
    elif reduction == "mean" and examples == len(terms):
        return mean(terms)
    else:
        total = sum(terms)
    return total / examples if reduction == "mean" and examples > 1 else total


def _examples(x: Any) -> int:
    return len(x) if isinstance(x, list) else 1


def half_squared_error(predictions: Any, targets: Any, reduction: Reduction = "sum") -> Any:
    """½ Σ (ŷ − y)² (002, 003.4), over numbers, sequences or sequences of sequences of one shape.

    The mean divides by the length of the outermost sequence, the number of examples m: of vectors it is
    (1/m) Σ ½‖ŷ − y‖², J_total of 003.5. Raises `ValueError` if the shapes differ or are empty.

    >>> half_squared_error([0.5, 2.0], [1.0, 0.0])
    2.125
    """
    predictions = _plain(predictions)
    pairs = _pairs(predictions, targets, ("predictions", "targets"))
    return 0.5 * _reduced([square(p - t) for p, t, _ in pairs], reduction, _examples(predictions))


def _refuse(sentence: str, target: Any) -> None:
    raise ValueError(f"{sentence}, got {target!r}")


def _between(label: Any, if_0: Callable[[], Any], if_1: Callable[[], Any], at: str) -> Any:
    """(1 − y)·if_0() + y·if_1(); with a hard label, a number 0 or 1, the other term is not even computed."""
    sentence = f"targets{at} must lie between 0 and 1"
    if isinstance(label, Tracer):
        target: Any = label
        label._require(lambda: (target >= 0.0) & (target <= 1.0), sentence, partial(_refuse, sentence))
    elif not 0.0 <= label <= 1.0:
        _refuse(sentence, label)
    if isinstance(label, Traceable) or 0.0 < label < 1.0:
        return (1.0 - label) * if_0() + label * if_1()
    return if_1() if label else if_0()


def log_loss(probabilities: Any, targets: Any, reduction: Reduction = "sum") -> Any:
    """Σ −y log p − (1 − y) log(1 − p) (000.3), for labels 0, 1 or between.

    `log_loss_from_scores` says the same of the pre-activation, and where p is rounded to 0 or 1 it alone
    is exact. Raises `ValueError` if the shapes differ or are empty, a number is not between 0 and 1, or
    a probability of exactly 0 or 1 is wrong, where the loss is infinite.

    >>> log_loss([0.5, 1.0], [0, 1]) == log(2.0)
    True
    """

    def loss(p: Any, y: Any, at: str) -> Any:
        if p < 0.0 or p > 1.0:
            raise ValueError(
                f"probabilities{at} must lie between 0 and 1, got {p!r}; "
                "log_loss_from_scores takes the pre-activation"
            )
        if (p == 0.0 and y > 0.0) or (p == 1.0 and y < 1.0):
            raise ValueError(
                f"the log loss is infinite: probabilities{at} is {p!r} and targets{at} is {y!r}; "
                "give the pre-activation to log_loss_from_scores, which does not round to 0 and 1"
            )
        return _between(y, lambda: -log1p(-p), lambda: -log(p), at)

    probabilities = _plain(probabilities)
    pairs = _pairs(probabilities, targets, ("probabilities", "targets"))
    return _reduced([loss(*pair) for pair in pairs], reduction, _examples(probabilities))


def log_loss_from_scores(scores: Any, targets: Any, reduction: Reduction = "sum") -> Any:
    """Σ (1 − y) s(z) + y s(−z) with s(t) = log(1 + eᵗ): the log loss of σ(z) from the pre-activation z.

    ∂/∂z = σ(z) − y (000.9), exact also at |z| = 700. Raises `ValueError` if the shapes differ or are empty,
    or a target is not between 0 and 1.

    >>> log_loss_from_scores(40.0, 1) == exp(-40.0)
    True
    """

    def loss(z: Any, y: Any, at: str) -> Any:
        return _between(y, lambda: softplus(z), lambda: softplus(-z), at)

    scores = _plain(scores)
    pairs = _pairs(scores, targets, ("scores", "targets"))
    return _reduced([loss(*pair) for pair in pairs], reduction, _examples(scores))


def cross_entropy(scores: Any, labels: Any, reduction: Reduction = "sum") -> Any:
    """Σ −log P_y with P = softmax(scores) (001.1): a list of scores and a class number from 0, or lists.

    ∂/∂f_j = P_j − [j = y]. Raises `ValueError` if there are no examples, their numbers differ or a label is
    no class, `TypeError` if a label is no whole number.

    >>> cross_entropy([[0.0, 0.0], [1000.0, 0.0]], [0, 1], "mean") == (log(2.0) + 1000.0) / 2.0
    True
    """
    scores, labels = _plain(scores), _plain(labels)
    if not isinstance(scores, list):
        raise TypeError("scores must be a list with one score per class, got one number")
    if not isinstance(labels, list):
        return _reduced([softmax_cross_entropy(scores, labels)], reduction, 1)
    if len(scores) != len(labels):
        raise ValueError(f"scores and labels differ in number: {len(scores)} against {len(labels)}")
    if not scores:
        raise ValueError("the loss of no examples is undefined: scores is empty")
    rows = [_plain(row) for row in scores]
    for i, row in enumerate(rows):
        if not isinstance(row, list):
            raise ValueError(
                f"labels is {_shape(labels)}, so scores must have a list of scores for each label: "
                f"scores[{i}] is one number"
            )
        if len(row) != len(rows[0]):
            raise ValueError(
                f"scores[{i}] is {_shape(row)}, but scores[0] {_shape(rows[0])}: one score per class"
            )
    return _reduced(list(map(softmax_cross_entropy, rows, labels)), reduction, len(rows))


def softmax(scores: Iterable[Any]) -> list[Any]:
    """P_k = e^(f_k) / Σ e^(f_j), as a list (001.1); scores of ±1000 do no harm.

    Raises `ValueError` if there are no scores.

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    operands = list(scores)
    if not operands:
        raise ValueError("softmax of no scores is undefined: give it at least one")
    # From the loss -log P_k, whose rule knows 1 - P_k as the sum of the others: nothing is rounded away.
    return [exp(-softmax_cross_entropy(operands, k)) for k in range(len(operands))]
