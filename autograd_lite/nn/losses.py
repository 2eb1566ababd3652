"""Losses, composed of rows of the table in forms that stay exact where a sigmoid or a softmax saturates.

Predictions or scores and targets go in, one example or a batch, as numbers, Values or both; the sum or the
mean of the losses comes out. No loss adds an epsilon to a logarithm. The derivative rules are in
`core/rules.py`. `notebooks/documents.md` describes the documents that docstrings cite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, SupportsIndex, TypeAlias, overload

from autograd_lite.core.modes import scope
from autograd_lite.core.numbers import real
from autograd_lite.core.rules import exp, log, log1p, mean, softmax_cross_entropy, softplus, square, sum
from autograd_lite.core.tracing import Traceable, Tracer
from autograd_lite.core.value import Value

Scalar: TypeAlias = Any  # a number, a Value, or the tracer that stands for one while a function is traced
Scalars: TypeAlias = Any  # a scalar, or a sequence, an array or an iterator of scalars, of any depth
Reduction: TypeAlias = Literal["sum", "mean"]
# What users may pass, for type checkers: the loss of floats is a float, of anything else a Value.
Floats: TypeAlias = float | Iterable[float | Iterable[float]]
Number: TypeAlias = Value | float
Numbers: TypeAlias = Number | Iterable[Number | Iterable[Number]]
Labels: TypeAlias = SupportsIndex | Iterable[SupportsIndex]


@overload
def half_squared_error(predictions: Floats, targets: Floats, reduction: Reduction = "sum") -> float: ...  # type: ignore[overload-overlap]
@overload
def half_squared_error(predictions: Numbers, targets: Numbers, reduction: Reduction = "sum") -> Value: ...
def half_squared_error(predictions: Scalars, targets: Scalars, reduction: Reduction = "sum") -> Scalar:
    """Return half the squared error, ½ Σ (ŷ − y)², of predictions ŷ and targets y of one shape.

    The shape is () for one number, (m,) for m examples, (m, C) for m examples with C numbers each. The mean
    divides by m: for vectors it is (1/m) Σ ½‖ŷ − y‖². Raises `ValueError` if the shapes differ or are empty,
    and `TypeError` if an entry is not a number (document 002, equation 6; document 003, equations 4 and 5).

    >>> half_squared_error([0.5, 2.0], [1.0, 0.0])
    2.125
    """
    predictions = _plain(predictions)
    pairs = _pairs(predictions, targets, ("predictions", "targets"))
    return 0.5 * _reduced([square(p - t) for p, t, _ in pairs], reduction, _examples(predictions))


@overload
def mse_loss(predictions: Floats, targets: Floats, reduction: Reduction = "mean") -> float: ...  # type: ignore[overload-overlap]
@overload
def mse_loss(predictions: Numbers, targets: Numbers, reduction: Reduction = "mean") -> Value: ...
def mse_loss(predictions: Scalars, targets: Scalars, reduction: Reduction = "mean") -> Scalar:
    """Return the mean squared error of predictions and targets of one shape, as PyTorch's `mse_loss` does.

    The mean is over all numbers, and there is no half in front, unlike in `half_squared_error`, whose
    gradients are those of the documents; shapes and errors are the same.

    >>> mse_loss([0.5, 2.0], [1.0, 0.0])
    2.125
    """
    pairs = _pairs(_plain(predictions), targets, ("predictions", "targets"))
    return _reduced([square(p - t) for p, t, _ in pairs], reduction, len(pairs))


@overload
def log_loss(probabilities: Floats, targets: Floats, reduction: Reduction = "sum") -> float: ...  # type: ignore[overload-overlap]
@overload
def log_loss(probabilities: Numbers, targets: Numbers, reduction: Reduction = "sum") -> Value: ...
def log_loss(probabilities: Scalars, targets: Scalars, reduction: Reduction = "sum") -> Scalar:
    """Return the log loss Σ −y log p − (1 − y) log(1 − p) of probabilities p for labels y from 0 to 1.

    Both have one shape, (), (m,) or (m, C), and the mean divides by m. `log_loss_from_scores` gives the same
    from the pre-activation; prefer it, because it stays exact where p is rounded to 0 or 1.

    Raises `ValueError` if the shapes differ or are empty, if a number is not between 0 and 1, or if a
    probability of exactly 0 or 1 is wrong, where the loss is infinite. Raises `TypeError` if an entry is not
    a number (document 000, equation 3).

    >>> log_loss([0.5, 1.0], [0, 1]) == log(2.0)
    True
    """

    def loss(p: Scalar, y: Scalar, at: str) -> Scalar:
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


@overload
def log_loss_from_scores(scores: Floats, targets: Floats, reduction: Reduction = "sum") -> float: ...  # type: ignore[overload-overlap]
@overload
def log_loss_from_scores(scores: Numbers, targets: Numbers, reduction: Reduction = "sum") -> Value: ...
def log_loss_from_scores(scores: Scalars, targets: Scalars, reduction: Reduction = "sum") -> Scalar:
    """Return the log loss of σ(z) from the scores z: Σ (1 − y) s(z) + y s(−z) with s(t) = log(1 + eᵗ).

    A score is the output neuron's value before σ. Scores and labels y from 0 to 1 have one shape, (), (m,) or
    (m, C), and the mean divides by m. ∂/∂z = σ(z) − y is exact even at |z| = 700. Raises `ValueError` if the
    shapes differ or are empty, or if a target is not between 0 and 1, and `TypeError` if an entry is not a
    number (document 000, equations 3 and 9).

    >>> log_loss_from_scores(40.0, 1) == exp(-40.0)
    True
    """

    def loss(z: Scalar, y: Scalar, at: str) -> Scalar:
        return _between(y, lambda: softplus(z), lambda: softplus(-z), at)

    scores = _plain(scores)
    pairs = _pairs(scores, targets, ("scores", "targets"))
    return _reduced([loss(*pair) for pair in pairs], reduction, _examples(scores))


@overload
def cross_entropy(scores: Floats, labels: Labels, reduction: Reduction = "sum") -> float: ...  # type: ignore[overload-overlap]
@overload
def cross_entropy(scores: Numbers, labels: Labels, reduction: Reduction = "sum") -> Value: ...
def cross_entropy(scores: Scalars, labels: Scalars, reduction: Reduction = "sum") -> Scalar:
    """Return the cross-entropy Σ −log P_y of class labels y, with P = softmax(f) of the scores f.

    The scores have the shape (C,) and the label is a class number from 0 to C − 1; or m × C with m labels.
    The mean divides by m. ∂/∂f_j = P_j − [j = y] is exact for scores of ±1000.

    Raises `ValueError` if there are no examples, if their numbers differ, or if a label is not one of the
    classes. Raises `TypeError` if a label is not a whole number or a score is not a number (document 001,
    equations 1 and 5).

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


@overload
def softmax(scores: Iterable[float]) -> list[float]: ...  # type: ignore[overload-overlap]
@overload
def softmax(scores: Iterable[Value | float]) -> list[Value]: ...
def softmax(scores: Iterable[Scalar]) -> list[Scalar]:
    """Return the probabilities P_k = e^(f_k) / Σ e^(f_j) of C scores f, as a list of C.

    They are exact for scores of ±1000. Raises `ValueError` if there are no scores (document 001, equation 1).

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    operands = list(scores)
    if not operands:
        raise ValueError("softmax of no scores is undefined: give it at least one")
    # Computed from the loss -log P_k. Its rule writes 1 - P_k as a sum, so no digits are lost.
    with scope("softmax"):
        return [exp(-softmax_cross_entropy(operands, k)) for k in range(len(operands))]


@overload
def log_softmax(scores: Iterable[float]) -> list[float]: ...  # type: ignore[overload-overlap]
@overload
def log_softmax(scores: Iterable[Value | float]) -> list[Value]: ...
def log_softmax(scores: Iterable[Scalar]) -> list[Scalar]:
    """Return log P_k, P the `softmax` of C scores, as a list of C; exact where P_k is rounded to 0.

    Raises `ValueError` if there are no scores.

    >>> log_softmax([1000.0, 0.0])
    [-0.0, -1000.0]
    """
    operands = list(scores)
    if not operands:
        raise ValueError("log_softmax of no scores is undefined: give it at least one")
    return [-softmax_cross_entropy(operands, k) for k in range(len(operands))]


def argmax(scores: Iterable[Scalar]) -> int:
    """Return the place of the greatest of some numbers or Values, counted from 0; of equal ones the first.

    With the scores of a model this is the class that it predicts. Raises `ValueError` if there are no
    numbers.

    >>> argmax([0.5, 2.0, -1.0])
    1
    """
    numbers = list(scores)
    if not numbers:
        raise ValueError("argmax of no numbers is undefined: give it at least one")
    return max(range(len(numbers)), key=numbers.__getitem__)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {  # the names that `fit` takes
    "mse": mse_loss,
    "half_squared_error": half_squared_error,
    "cross_entropy": cross_entropy,
    "log_loss": log_loss,
    "log_loss_from_scores": log_loss_from_scores,
    "bce": log_loss,
    "bce_with_logits": log_loss_from_scores,
}


# --- Shapes and labels ------------------------------------------------------------------------------


def _plain(x: Scalars) -> Scalars:
    """Return `x` as lists and scalars: an array or an iterator becomes a list."""
    if isinstance(x, list):
        return x
    if hasattr(x, "tolist"):
        return x.tolist()
    return [*x] if isinstance(x, Iterable) and not isinstance(x, str) else x


def _shape(x: Scalars) -> str:
    return f"a list of {len(x)}" if isinstance(x, list) else "one number"


def _number(x: Scalar, what: str) -> Scalar:
    return x if isinstance(x, Traceable) else real(x, what)


def _pairs(x: Scalars, y: Scalars, names: tuple[str, str], at: str = "") -> list[tuple[Scalar, Scalar, str]]:
    """Return each scalar in `x` with the one in the same place of `y`, and the place, such as ``"[1][0]"``.

    Raises `ValueError`, with the `names` of both and the place, if the shapes differ or are empty.
    """
    x, y = _plain(x), _plain(y)
    if not isinstance(x, list) and not isinstance(y, list):
        return [(_number(x, names[0] + at), _number(y, names[1] + at), at)]
    if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
        cure = ""
        if not isinstance(x, list) and isinstance(y, list) and len(y) == 1:  # a column, as y.reshape(-1, 1)
            cure = f": give {names[1]} without the brackets, as y[:, 0] of an array"
        raise ValueError(
            f"{names[0]}{at} and {names[1]}{at} differ in shape: {_shape(x)} against {_shape(y)}{cure}"
        )
    if not x:
        raise ValueError(f"the loss of no examples is undefined: {names[0]}{at} is empty")
    return [
        pair
        for i, (xi, yi) in enumerate(zip(x, y, strict=True))
        for pair in _pairs(xi, yi, names, f"{at}[{i}]")
    ]


def _reduced(terms: list[Scalar], reduction: Reduction, examples: int) -> Scalar:
    """Return the sum of the terms, in one node, or divide it by the number of examples."""
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction must be 'sum' or 'mean', got {reduction!r}")
    if len(terms) == 1:
        total = terms[0]
    elif reduction == "mean" and examples == len(terms):
        return mean(terms)
    else:
        total = sum(terms)
    return total / examples if reduction == "mean" and examples > 1 else total


def _examples(x: Scalars) -> int:
    return len(x) if isinstance(x, list) else 1


def _between(label: Scalar, if_0: Callable[[], Scalar], if_1: Callable[[], Scalar], at: str) -> Scalar:
    """Return (1 − y)·if_0() + y·if_1(); if the label y is the number 0 or 1, compute that term alone.

    Raises `ValueError` unless 0 ≤ y ≤ 1. While a function is traced the label is not known yet, and the
    program checks it.
    """
    sentence = f"targets{at} must lie between 0 and 1"
    if isinstance(label, Tracer):
        target: Scalar = label
        label._require(lambda: (target >= 0.0) & (target <= 1.0), sentence, partial(_refuse, sentence))
    elif not 0.0 <= label <= 1.0:
        _refuse(sentence, label)
    if isinstance(label, Traceable) or 0.0 < label < 1.0:
        return (1.0 - label) * if_0() + label * if_1()
    return if_1() if label else if_0()


def _refuse(sentence: str, target: float) -> None:
    raise ValueError(f"{sentence}, got {target!r}")
