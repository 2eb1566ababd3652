"""The file of a model that the command trained: a classifier or a regressor as JSON.

Models go in, and come out as they were; a damaged file is refused in one sentence. Next door: `predictor.py`
says what is in a model, `nn/files.py` writes JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from autograd_lite.core.numbers import real
from autograd_lite.datasets.classifier import Classifier
from autograd_lite.datasets.encoding import Category, Input, Number
from autograd_lite.datasets.regressor import Regressor
from autograd_lite.datasets.table import DataError, file_errors
from autograd_lite.nn import MLP
from autograd_lite.nn.files import Document, held, read_json, write_json

FORMAT, VERSION = "autograd-lite model", 2
_FIRST = "autograd-lite classifier 1"  # the format of version 0.1, which had classifiers alone
_PARTS: dict[str, tuple[type, str]] = {  # of every model file, after its format
    "target": (str, "a text"),
    "inputs": (list, "a list"),
    "architecture": (dict, "an object"),
    "parameters": (dict, "an object"),
}
_TASKS: dict[str, dict[str, tuple[type, str]]] = {  # what a model for each task has besides
    Classifier.task: {"classes": (list, "a list")},
    Regressor.task: {"unit": (dict, "an object")},
}


def document(model: Classifier | Regressor) -> Document:
    """Return the content of the model's file."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "task": model.task,
        "target": model.target,
        **({"classes": model.classes} if isinstance(model, Classifier) else {"unit": asdict(model.unit)}),
        "inputs": [asdict(column) for column in model.inputs],
        "architecture": model.network.architecture,
        "parameters": model.network.state_dict(),
    }


def save(model: Classifier | Regressor, path: Path) -> None:
    """Write the model to a file. Raises `DataError` if it cannot be written."""
    with file_errors("write", path):
        write_json(path, document(model))


def load(path: Path) -> Classifier | Regressor:
    """Read what `save` wrote, now or in an earlier version. Raises `DataError` if it is damaged."""
    try:
        with file_errors("read", path):
            found = read_json(path)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(error) from None
    task = _task(found, path)
    for part, (kind, expected) in (_TASKS[task] | _PARTS).items():
        if part not in found:
            raise DataError(f"{path} is damaged: it has no {part!r}")
        if not isinstance(found[part], kind):
            raise DataError(f"{path} is damaged: {part!r} must be {expected}, got {found[part]!r:.40}")
    try:
        network = MLP.from_document(found, path)
    except ValueError as error:
        raise DataError(error) from None
    try:
        inputs = [*map(_input, found["inputs"])]
        model: Classifier | Regressor
        if task == Classifier.task:
            model = Classifier(found["target"], _texts(found["classes"], "'classes'"), inputs, network)
        else:
            unit = _input(found["unit"])
            if not isinstance(unit, Number):
                raise ValueError(f"'unit' must have a mean and a scale, got {found['unit']!r:.60}")
            model = Regressor(found["target"], unit, inputs, network)
        model.check()
    except (TypeError, ValueError, ArithmeticError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    return model


def _task(found: Document, path: Path) -> str:
    """Return what the model in a file predicts. Raises `DataError` if the file is of another kind."""
    if found.get("format") == _FIRST:
        return Classifier.task
    if found.get("format") != FORMAT:
        holds = f" (it holds {held(found)})" if "model" in found else ""
        raise DataError(f"{path} is not a model that 'autograd-lite train --save' wrote{holds}")
    version, task = found.get("version"), found.get("task")
    if version != VERSION:
        raise DataError(
            f"{path} has version {version!r:.40} of the file format, and this program reads versions 1 and "
            f"{VERSION}: update autograd-lite, or train again"
        )
    if task not in _TASKS:
        raise DataError(f"{path} is damaged: 'task' must be one of {', '.join(_TASKS)}, got {task!r:.40}")
    return str(task)


def _input(entry: object) -> Input:
    """Return the input column that an entry of a model file describes."""
    match entry:
        case {"name": str(name), "texts": texts, **others} if not others:
            return Category(name, _texts(texts, f"the texts of input {name!r}"))
        case {"name": str(name), "mean": mean, "scale": scale, **others} if not others:
            return Number(name, real(mean, "a mean"), real(scale, "a scale"))
    raise ValueError(f"{entry!r:.60} does not describe an input")


def _texts(entry: object, what: str) -> list[str]:
    if not (isinstance(entry, list) and all(isinstance(text, str) for text in entry)):
        raise ValueError(f"{what} must be a list of texts, got {entry!r:.40}")
    return entry
