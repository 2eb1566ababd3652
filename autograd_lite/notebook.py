"""Labels for values from the variables that hold them, on request or after each cell of a notebook.

``%load_ext autograd_lite`` calls `load_ipython_extension`. How Values, modules and pictures display in a
notebook is defined in their own modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from autograd_lite.core.value import Value

Shell: TypeAlias = Any  # IPython's `InteractiveShell`; IPython is optional


def autolabel(namespace: Mapping[str, Any]) -> None:
    """Label every Value in `namespace` that has no label with the name of its variable.

    Labels that exist stay. Names that begin with an underscore are ignored. In a script or at Python's
    prompt, write ``autolabel(globals())``.

    >>> x, y = Value(2.0), Value(3.0, "target")
    >>> autolabel({"x": x, "y": y, "_": x * y})
    >>> x, y
    (x = Value(2.0), target = Value(3.0))
    """
    for name, value in list(namespace.items()):  # a copy, because other threads may define names meanwhile
        # `isinstance` would read `__class__` of other objects: some then load themselves, some raise.
        if issubclass(type(value), Value) and value.label is None and not name.startswith("_"):
            value.label = name


class _Autolabel:
    """The callback that labels values after each cell."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def after_cell(self, *_: object) -> None:
        autolabel(self.shell.user_ns)


_loaded: dict[Shell, _Autolabel] = {}


def load_ipython_extension(shell: Shell) -> None:
    """Label values with the names of their variables after each cell (``%load_ext autograd_lite``)."""
    unload_ipython_extension(shell)
    _loaded[shell] = _Autolabel(shell)
    shell.events.register("post_run_cell", _loaded[shell].after_cell)


def unload_ipython_extension(shell: Shell) -> None:
    """Stop labelling (``%unload_ext autograd_lite``); labels stay."""
    if shell in _loaded:
        shell.events.unregister("post_run_cell", _loaded.pop(shell).after_cell)
