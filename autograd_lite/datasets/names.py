"""First names, the list of lines that ships with the package."""

from __future__ import annotations

from importlib.resources import files


def names() -> list[str]:
    """Return 32,033 first names in lower case, a to z: the most common ones of 2018 in the United States.

    They come from the public list of baby names of the US Social Security Administration, a work of the US
    government in the public domain. The file is read at each call.

    >>> names()[:3]
    ['emma', 'olivia', 'ava']
    """
    return (files(__package__) / "names.txt").read_text(encoding="ascii").splitlines()
