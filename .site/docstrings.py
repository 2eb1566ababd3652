"""Docstrings of this package as Markdown: examples become code blocks, public names become links."""

import re
from typing import Any

import griffe

import autograd_lite

LINKED = {*autograd_lite.__all__, "abs", "compile", "pow", "sum"}


def where(name: str) -> str:
    """Return the anchor of a public name: where it is defined, or the package for a row of the table."""
    thing = getattr(autograd_lite, name)
    if isinstance(thing, autograd_lite.Primitive) or thing.__name__ != name:
        return f"autograd_lite.{name}"
    return f"{thing.__module__}.{name}"


def markdown(text: str, linked: set[str] = LINKED) -> str:
    """Return a docstring as Markdown."""
    # An example begins with >>> and ends with an empty line.
    text = re.sub(
        r"^ *>>> .*(?:\n.*\S.*)*", lambda found: f"```pycon\n{dedented(found[0])}\n```", text, flags=re.M
    )
    parts = re.split(r"(```pycon.*?```|``.+?``)", text, flags=re.S)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(
            r"`(\w+)`",
            lambda found: f"[`{found[1]}`][{where(found[1])}]" if found[1] in linked else found[0],
            parts[i],
        )
    return "".join(parts)


def dedented(example: str) -> str:
    """Return an example without the indentation of its first line."""
    indent = len(example) - len(example.lstrip(" "))
    return "\n".join(line[indent:] for line in example.splitlines())


class Docstrings(griffe.Extension):
    """Rewrites each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value, LINKED - {obj.name})
