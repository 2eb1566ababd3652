"""Checks of the numbers that users pass in: `real` checks a number, `whole` a count.

Next door: `primitive.py` calls `real` for the operands of a row, `value.py` for data and seeds. Layers and
training loops call `whole` for their sizes.
"""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from numbers import Real
from typing import TypeGuard

_EXACT = 2**53  # whole numbers up to here are floats exactly


def is_real(number: object) -> TypeGuard[Real]:
    """Return whether `number` is a real number. Python counts a bool as one; here it is a mistake."""
    return isinstance(number, Real | Decimal) and not isinstance(number, bool)


def real(number: object, what: str = "an operand") -> float:
    """Return `number` as a plain float: an int, a float, a NumPy scalar or another real number.

    `what` names the culprit in messages. Raises `TypeError` for everything else (bool, str, None, complex,
    arrays, Values) and `OverflowError` if the number is beyond the range of a float.

    >>> real(3)
    3.0
    """
    if type(number) is float:
        return number
    if type(number) is int and -_EXACT <= number <= _EXACT:  # the common case, checked quickly
        return float(number)
    if is_real(number):
        try:
            converted = float(number)
        except OverflowError:
            converted = math.inf
        if math.isinf(converted) and converted != number:
            raise OverflowError(f"{what} is beyond the range of a float (about 1.8e308)")
        return converted
    cure = ""
    if hasattr(type(number), "_record"):
        cure = ": take the number out of it with .data"
    elif isinstance(number, list | tuple) or getattr(number, "ndim", False):
        cure = ": take its numbers one by one"
    raise TypeError(f"{what} must be a real number, got {type(number).__name__} {number!r}{cure}")


def index(number: object) -> int:
    """Return a whole number as a plain int: an int or a NumPy integer.

    Raises `TypeError` for everything else, bools among it: Python counts its own as whole numbers, and so
    does NumPy before version 2, with a warning.
    """
    if isinstance(number, bool) or getattr(number, "dtype", None) == "bool":
        raise TypeError
    return operator.index(number)  # type: ignore[arg-type]


def whole(number: object, what: str, least: int = 1, most: float = math.inf) -> int:
    """Return `number` as a plain int: an int or a NumPy integer from `least` to `most`.

    `what` names the culprit in messages. Raises `TypeError` for everything else (bool, float, str, None) and
    `ValueError` outside the bounds.

    >>> whole(3, "epochs")
    3
    """
    try:
        converted = index(number)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, got {type(number).__name__} {number!r}") from None
    if not least <= converted <= most:
        bounds = f"at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{what} must be {bounds}, got {converted}")
    return converted
