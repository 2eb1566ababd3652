"""`Shown`: the base of answers, which print as text and display in Jupyter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar


class Shown(ABC):
    """An answer that prints as text, and displays in Jupyter as HTML or LaTeX if it has that form."""

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

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        bundle = {"text/plain": self.text}
        if self.html is not None:
            bundle["text/html"] = self.html
        elif self.latex is not None:
            bundle["text/latex"] = f"$${self.latex}$$"
        return bundle


T = TypeVar("T")


def ends(items: Sequence[T], most: int) -> Sequence[T | None]:
    """Return the items. If there are more than `most` + 1, keep the first and the last, with None between."""
    if len(items) <= most + 1:
        return items
    return [*items[: most - most // 2], None, *items[len(items) - most // 2 :]]
