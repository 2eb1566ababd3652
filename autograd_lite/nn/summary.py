"""The table that a module shows in Jupyter: its parts, and the norms of their parameters and gradients.

A module goes in; text or HTML comes out. Next door: `modules.py`. Plots of gradients are in
`pictures/plots.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from autograd_lite.core.value import Value
from autograd_lite.notation.columns import aligned, html_table
from autograd_lite.notation.names import short

_ROWS = 20  # longer tables are cut in the middle
_HEADINGS = ("part", "what", "parameters", "‖θ‖", "‖∇‖")


class Model(Protocol):
    """The part of `Module` that the table uses. `Module` imports this file, so it cannot be imported here."""

    def named_parameters(self) -> Iterable[tuple[str, Value]]:
        """Yield each parameter with its dotted name."""


def as_text(model: Model) -> str:
    """Return the model's repr and, below it, a line for each part.

    >>> from autograd_lite import MLP
    >>> print(as_text(MLP(2, [8, 3], "tanh", rng=0)))
    MLP(2, [8, 3], 'tanh')  # 51 parameters
      part      what                   parameters   ‖θ‖       ‖∇‖
      layers.0  Layer(2, 8, 'tanh')            24  1.33  none yet
      layers.1  Layer(8, 3, 'linear')          27  2.20  none yet
    """
    table = aligned([_HEADINGS, *_rows(model)], ("left", "left", "right", "right", "right"))
    return "\n".join([repr(model), *[f"  {line}" for line in table]])


def as_html(model: Model) -> str:
    """Return the same as an HTML table."""
    return html_table(_HEADINGS, _rows(model), left=2, caption=repr(model))


def _rows(model: Model) -> list[tuple[str, ...]]:
    parts: dict[tuple[str, str], list[Value]] = {}
    for name, parameter in model.named_parameters():
        parts.setdefault(_part(model, name), []).append(parameter)
    rows: list[tuple[str, ...]] = []
    for (path, what), parameters in parts.items():
        gradients = [p.grad for p in parameters if p.reached]
        size, slope = math.hypot(*[p.data for p in parameters]), math.hypot(*gradients)
        rows.append(
            (path, what, f"{len(parameters):,}", short(size), short(slope) if gradients else "none yet")
        )
    if len(rows) > _ROWS:
        left_out = len(rows) - _ROWS + 1
        rows[_ROWS // 2 : -(_ROWS // 2 - 1)] = [(f"… {left_out:,} more", "", "", "", "")]
    return rows


def _part(model: Model, name: str) -> tuple[str, str]:
    """Return the path and the repr of the part that a parameter belongs to.

    That is a module among the attributes, or in a list there; else the attribute itself, without a repr.
    """
    path, *keys = name.split(".")
    found: object = getattr(model, path, None)
    if isinstance(found, list | tuple) and keys and hasattr(found[int(keys[0])], "named_parameters"):
        path, found = f"{path}.{keys[0]}", found[int(keys[0])]
    what = repr(found).partition("  #")[0] if hasattr(found, "named_parameters") else ""
    return path, what
