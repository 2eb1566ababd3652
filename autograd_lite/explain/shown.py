"""What all explanations have in common: they print as text and show themselves in Jupyter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar


class Shown(ABC):
    """An answer that prints as text; in Jupyter it shows as HTML or LaTeX where it has these."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The answer as text."""

    @property
    def latex(self) -> str | None:
        """The answer as LaTeX for math mode, if it has that form."""
        return None

    @property
    def html(self) -> str | None:
        """The answer as HTML, if it has that form."""
        return None

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/plain": self.text}
        if self.html is not None:
            bundle["text/html"] = self.html
        elif self.latex is not None:
            bundle["text/latex"] = f"$${self.latex}$$"
        return bundle


T = TypeVar("T")


def required(thing: T | None) -> T:
    """Return what cannot be None here."""
    assert thing is not None
    return thing


def ends(items: Sequence[T], most: int) -> Sequence[T | None]:
    """Return the items; of many more than `most` the first and the last, with a None for those between."""
    if len(items) <= most + 1:
        return items
    return [*items[: most - most // 2], None, *items[len(items) - most // 2 :]]
