"""A module's summary table, as text and as HTML: its parts, their parameters, how large they are.

What does not live here: modules (`nn.py`), which show themselves with this; plots of gradients
(`pictures/plots.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

from autograd_lite.core.value import Value
from autograd_lite.notation.columns import aligned, html_table
from autograd_lite.notation.names import short

_ROWS = 20  # of more parts, the middle is left out
_HEADINGS = ("part", "what", "parameters", "‖θ‖", "‖∇‖")


class _Model(Protocol):
    def named_parameters(self) -> Iterable[tuple[str, Value]]: ...


def _part(model: Any, name: str) -> tuple[str, str]:
    """The part that a parameter belongs to: a module in the model or in a list of it, else the attribute."""
    first, *keys = name.split(".")
    path, found = first, getattr(model, first, None)
    if not hasattr(found, "named_parameters") and isinstance(found, list | tuple) and keys:
        inner = found[int(keys[0])]
        if hasattr(inner, "named_parameters"):
            path, found = f"{first}.{keys[0]}", inner
    what = repr(found).partition("  #")[0] if hasattr(found, "named_parameters") else ""
    return path, what


def _rows(model: _Model) -> list[tuple[str, ...]]:
    parts: dict[tuple[str, str], list[Value]] = {}
    for name, parameter in model.named_parameters():
        parts.setdefault(_part(model, name), []).append(parameter)
    rows: list[tuple[str, ...]] = []
    for (path, what), parameters in parts.items():
        gradients = [p.grad for p in parameters if p.grad is not None]
        size, slope = math.hypot(*[p.data for p in parameters]), math.hypot(*gradients)
        rows.append(
            (path, what, f"{len(parameters):,}", short(size), short(slope) if gradients else "none yet")
        )
    if len(rows) > _ROWS:
        left = len(rows) - _ROWS + 1
        rows[_ROWS // 2 : -(_ROWS // 2 - 1)] = [(f"… {left:,} more", "", "", "", "")]
    return rows


def as_text(model: _Model) -> str:
    """The model's repr and, below it, a line for each part.

    >>> from autograd_lite import MLP
    >>> print(as_text(MLP(2, [8, 3], "tanh", rng=0)))
    MLP(2, [8, 3], 'tanh')  # 51 parameters
      part      what                   parameters   ‖θ‖       ‖∇‖
      layers.0  Layer(2, 8, 'tanh')            24  1.33  none yet
      layers.1  Layer(8, 3, 'linear')          27  2.20  none yet
    """
    table = [_HEADINGS, *_rows(model)]
    lines = aligned(table, ("left", "left", "right", "right", "right"))
    return "\n".join([repr(model), *[f"  {line}" for line in lines]])


def as_html(model: _Model) -> str:
    """The same as a table in HTML."""
    return html_table(_HEADINGS, _rows(model), left=2, caption=repr(model))
