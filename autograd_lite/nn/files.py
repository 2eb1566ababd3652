"""JSON files that give every float back exactly and are never left half written.

Documents (dicts) go in and come out. What a model puts in its document is decided next door, in `modules.py`
(the parameters) and `layers.py` (the shape of an MLP).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from autograd_lite.files import read_whole, write_whole

Document: TypeAlias = dict[str, Any]  # whatever JSON holds: numbers, texts, lists, documents

LARGEST = 2**30  # bytes of a file: 17 million parameters


def write_json(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write `document` as JSON to the file `path`: all of it, or nothing.

    Raises `ValueError` if it holds an infinity or a NaN, which JSON cannot write, and `OSError` if the file
    cannot be written. The old file then stays as it was.
    """
    write_whole(path, as_json(document))


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return the bytes that `write_json` writes."""
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def read_json(path: str | os.PathLike[str]) -> Document:
    """Return the JSON object in the file `path`.

    Raises `ValueError` if the file is damaged: not JSON, not an object, or longer than a gigabyte, or if it
    has a duplicate key, an infinity or a NaN. Raises `OSError` if it cannot be read.
    """

    def refuse(token: str) -> None:
        raise ValueError(f"{token} is not a JSON number")

    def distinct(pairs: list[tuple[str, Any]]) -> Document:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((key, count),) = Counter([key for key, _ in pairs]).most_common(1)
            raise ValueError(f"the key {key!r:.60} occurs {count} times in one object")
        return found

    try:
        text = read_whole(Path(path), LARGEST).decode()
        document = json.loads(text, parse_constant=refuse, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or not a JSON file: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} does not hold a saved model: a JSON object was expected")
    return document


def held(document: Mapping[str, Any]) -> str:
    """Return what a model's file holds, in words: the model's repr, which `Module.save` puts there."""
    model, state = document.get("model"), document.get("parameters")
    if isinstance(model, str):
        return f"{model:.200}"
    return (
        f"{document.get('architecture')}"
        if document.get("architecture")
        else f"{len(state or ())} parameters"
    )
