"""Names for values: those of the variables that hold them, on request or after each cell of a notebook.

``%load_ext autograd_lite`` calls `load_ipython_extension`. What does not live here: how values, modules and
pictures show themselves in a notebook (each does so itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_lite.core.value import Value


def autolabel(namespace: Mapping[str, Any]) -> None:
    """Give every Value in `namespace` that has no label the name of its variable.

    Labels that are there stay; names that begin with an underscore count for nothing. In a script or in
    Python's own prompt: ``autolabel(globals())``.

    >>> x, y = Value(2.0), Value(3.0, "target")
    >>> autolabel({"x": x, "y": y, "_": x * y})
    >>> x, y
    (x = Value(2.0), target = Value(3.0))
    """
    for name, value in list(namespace.items()):  # other threads may define names meanwhile
        # Not isinstance, which asks foreign objects for their `__class__`: some load themselves, some raise.
        if issubclass(type(value), Value) and value.label is None and not name.startswith("_"):
            value.label = name


class _Autolabel:
    """What the shell calls after each cell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def after_cell(self, *_: object) -> None:
        autolabel(self.shell.user_ns)


_loaded: dict[Any, _Autolabel] = {}


def load_ipython_extension(shell: Any) -> None:
    """Label values by the names of their variables after each cell (``%load_ext autograd_lite``)."""
    unload_ipython_extension(shell)
    _loaded[shell] = _Autolabel(shell)
    shell.events.register("post_run_cell", _loaded[shell].after_cell)


def unload_ipython_extension(shell: Any) -> None:
    """Stop labelling (``%unload_ext autograd_lite``); labels given stay."""
    if shell in _loaded:
        shell.events.unregister("post_run_cell", _loaded.pop(shell).after_cell)
