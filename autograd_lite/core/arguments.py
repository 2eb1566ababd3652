"""Turn the arguments of a call into the flat tuple of operands that a node holds.

`dot(w, x, b)` becomes ``(*w, *x, b)``. Each function is the ``arguments`` of a row in `rules.py`. A label or
a condition may be a `Tracer`, whose number is not known yet. The operands then hold for every number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from autograd_lite.core import numbers
from autograd_lite.core.elementwise import has_entries
from autograd_lite.core.primitive import TRACED, Operands, Scalar
from autograd_lite.core.tracing import Tracer


def several(name: str, least: int = 0) -> Callable[..., Operands]:
    """Return the ``arguments`` function of a row that takes an iterable of at least `least` values."""

    def arguments(values: Iterable[Scalar]) -> Operands:
        operands = tuple(values)
        if len(operands) < least:
            raise ValueError(f"{name} of no values is undefined: give it at least one")
        return operands

    return arguments


def factors(w: Sequence[Scalar], x: Sequence[Scalar], b: Scalar = None) -> Operands:
    """Return (*w, *x, b) for vectors w and x of one length, or (*w, *x) without a bias."""
    if len(w) != len(x):
        raise ValueError(f"dot needs two vectors of one length, got {len(w)} and {len(x)} numbers")
    return (*w, *x) if b is None else (*w, *x, b)


def branches(condition: Scalar, x: Scalar, y: Scalar) -> Operands:
    """Return the condition, as 1.0 or 0.0, and both branches of a `where`."""
    # A branch given as a function runs only if it is taken. The 0.0 in place of the other is never used.
    if isinstance(condition, Tracer):
        return condition, condition._branch(x, True), condition._branch(y, False)
    if has_entries(condition):  # the row comes back for each entry
        return condition, x, y
    if isinstance(condition, str | dict | None):
        raise TypeError(f"the condition of where must be true or false, got {condition!r}")
    if type(condition) is int and condition < 0:  # ~True is -2 and ~False is -1: the lowest bit is the truth
        condition &= 1
    if condition:
        return 1.0, x() if callable(x) else x, 0.0 if callable(y) else y
    return 0.0, 0.0 if callable(x) else x, y() if callable(y) else y


def class_number(label: object, classes: int) -> int:
    """Return `label` as an int; `TypeError` or `ValueError` unless it is a class from 0 to `classes` − 1."""
    try:
        y = numbers.index(label)
    except TypeError:
        raise TypeError(f"the label must be a class number, got {type(label).__name__} {label!r}") from None
    if not 0 <= y < classes:
        raise ValueError(f"label {label} is not a class: the {classes} scores are numbered from 0")
    return y


def refuse_label(classes: int, number: float) -> None:
    """Raise the error of `class_number` for a label given as a float, which is how programs hold it."""
    class_number(int(number) if number.is_integer() else number, classes)


def scores_with_the_right_one_first(scores: Iterable[Scalar], label: int) -> Operands:
    """Return the scores of all classes, with the score of the class `label` first."""
    operands = list(scores)
    if isinstance(label, Tracer) and operands:
        n = len(operands)
        sentence = f"the label must be a class number, from 0 to {n - 1}"
        label._require_whole(0, n - 1, sentence, partial(refuse_label, n), ValueError)
        # The right score comes first, then all of them with the right one replaced by −∞, which adds nothing.
        masked = TRACED["masked"]
        others = [masked(f_k, label, float(k)) for k, f_k in enumerate(operands)]
        return TRACED["entry"](label, *operands), *others
    return operands.pop(class_number(0 if isinstance(label, Tracer) else label, len(operands))), *operands
