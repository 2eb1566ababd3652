"""Nodes whose local partials the user gives: ``Value(data, children, local_grads)``.

The engine knows neither the formula of such a node nor how its partials change: it passes gradients through
and can do nothing else with it. Next door: `primitive` adds an operation with its rule, which can also be
differentiated again and compiled.
"""

from __future__ import annotations

from typing import Any, NoReturn

from autograd_lite.core import modes
from autograd_lite.core.numbers import real
from autograd_lite.core.primitive import Operands, Primitive, primitive
from autograd_lite.core.tracing import Traceable, Tracer

_CURE = "add the operation to the table with primitive(name, forward, rule)"


def _unknown(*_: object) -> NoReturn:
    raise TypeError(
        "a node made by Value(data, children, local_grads) has no formula, so it cannot be differentiated a "
        f"second time, computed again or compiled: {_CURE}"
    )


given = primitive(
    "given",
    _unknown,
    lambda out, *children: _unknown(),
    latex=r"\operatorname{{given}}",
    doc="A node whose local partials the user gave; it cannot be differentiated again.",
)


def by_hand(children: Any, local_grads: Any) -> tuple[Primitive | None, Operands, Operands]:
    """Return the primitive, the operands and the partials of a node; of a leaf if there are no children.

    Raises `TypeError` if a child is neither a Value nor a number, if a partial is not a number, or if one of
    the two is missing; `ValueError` if there is not one partial for each child.
    """
    for what, given_as in (("children", children), ("local_grads", local_grads)):
        if not isinstance(given_as, tuple | list):
            raise TypeError(
                "Value(data, children, local_grads) takes the operands and the partials ∂data/∂child, which "
                f"stand in for a _backward function; {what} must be a tuple, got {given_as!r}"
            )
    if len(children) != len(local_grads):
        raise ValueError(f"{len(children)} children need as many local_grads, got {len(local_grads)}")
    if any(isinstance(child, Tracer) for child in children):
        raise TypeError(f"a function that makes nodes with local_grads cannot be traced: {_CURE}")
    operands = tuple(
        [x if isinstance(x, Traceable) else real(x, f"child {i}") for i, x in enumerate(children)]
    )
    partials = [real(partial, f"local_grads[{i}]") for i, partial in enumerate(local_grads)]
    if not operands or modes.is_paused():
        return None, (), ()
    kept = [p if isinstance(x, Traceable) else None for x, p in zip(operands, partials, strict=True)]
    return given, operands, tuple(kept)
