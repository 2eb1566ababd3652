"""From a table to a problem: the target, the input columns, the split, all as numbers.

`classification` and `regression` do all of it; the steps stand above them in order. Next door: `table.py`
reads the table, `classifier.py` and `regressor.py` learn the problems.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeAlias

from autograd_lite.datasets.table import DataError, Table

TARGETS = ("target", "class", "label", "species")  # usual names of a column of classes, in any case
LEAST = 1e-100  # deviation of a column; divided by a smaller one, a number of another table could overflow
MOST_TEXTS = 50  # different values in a column of categories
MOST_NUMBERS = 20  # different numbers in a column of classes

# --- The target ------------------------------------------------------------------------------------


def default_target(table: Table) -> str:
    """Return the column to predict by default: one called target, class, label or species, else the last."""
    names = {name.casefold(): name for name in reversed(table.names)}
    return next((names[name] for name in TARGETS if name in names), table.names[-1])


def decided_task(table: Table, target: str) -> tuple[str, str]:
    """Return "classification" or "regression", whichever suits the target, and the reason in words.

    Numbers are classes if they are whole and few, and repeat; otherwise they are what to predict.
    """
    if not table.is_numeric(target):
        return "classification", "its values are text"
    numbers = [x for x in table.numbers(target) if x is not None]
    different = len({*numbers})
    if not all(map(float.is_integer, numbers)):
        return "regression", f"its {different} different values are not all whole numbers"
    if different > MOST_NUMBERS or different == len(numbers) > 2:
        return "regression", f"it has {different} different numbers"
    return "classification", (
        f"its {different} different values are whole numbers (else give --task regression)"
    )


def class_names(table: Table, target: str) -> list[str]:
    """Return the classes in a column, in order. Raises `DataError` for a single class or too many."""
    counts = Counter(name for name in table.classes(target) if name is not None)
    where = f"column {target!r} of {table.source}"
    if len(counts) < 2:
        only = f"one class only, {next(iter(counts))!r}" if counts else "no value in any row"
        raise DataError(f"{where} has {only}: choose a target with at least two classes")
    most = MOST_NUMBERS if table.is_numeric(target) else MOST_TEXTS
    if len(counts) > most or len(counts) == counts.total() > 2:
        raise DataError(
            f"{where} has {len(counts)} different values in {counts.total()} rows: for classes, choose a "
            f"target whose values repeat{', or give --task regression' if table.is_numeric(target) else ''}"
        )
    return sorted(counts, key=float if table.is_numeric(target) else None)


# --- The inputs ------------------------------------------------------------------------------------


def left_out(table: Table, target: str) -> dict[str, str]:
    """Return the columns that are useless to a model, each with the reason.

    They are mostly missing, constant, or identify the row.
    """
    reasons = {name: _reason(table, name) for name in table.names if name != target}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(table: Table, name: str) -> str:
    """Return why a column is left out; the empty text if it is an input."""
    fields = [field for field in table.column(name) if field is not None]
    different = set(fields)
    absent = len(table.rows) - len(fields)
    if absent > len(table.rows) / 2:
        return f"{absent} of {len(table.rows)} fields missing"
    if len(different) == 1:
        return f"always {fields[0]!r}"
    if table.is_numeric(name):
        numbers = table.numbers(name)
        if any(numbers == list(range(first, first + len(numbers))) for first in (0, 1)):
            return "numbers the rows"
        # PassengerId, customer_id, ID; not "humid"
        is_id = name.casefold() == "id" or name.endswith(("Id", "ID", "_id", "-id", ".id", " id"))
        return "an identifier" if is_id and len(different) == len(table.rows) else ""
    if len(different) == len(fields):
        return "an identifier: no value repeats"
    return f"{len(different)} different values" if len(different) > MOST_TEXTS else ""


def missing(table: Table, names: Iterable[str]) -> tuple[set[int], dict[str, int]]:
    """Return the rows that lack a field in one of the columns `names`, and how many each column lacks."""
    absent = {name: [i for i, field in enumerate(table.column(name)) if field is None] for name in names}
    return (
        {i for rows in absent.values() for i in rows},
        {name: len(rows) for name, rows in absent.items() if rows},
    )


# --- Encoding --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """An input column of numbers, standardised: (x − mean) / scale."""

    name: str
    mean: float
    scale: float

    @classmethod
    def of(cls, name: str, x: Sequence[float]) -> Self:
        """Return the column with the mean and the standard deviation of some of its numbers."""
        mean = math.fsum(x) / len(x)
        # A column that is constant in these rows has deviation 0 but for rounding, and may vary in others.
        deviation = math.hypot(*[xi - mean for xi in x]) / math.sqrt(len(x)) if min(x) < max(x) else 0.0
        return cls(name, mean, deviation if deviation >= LEAST else 1.0)

    @property
    def features(self) -> list[str]:
        """The name of the one number that the column becomes."""
        return [self.name]

    def encode(self, table: Table) -> list[list[float] | None]:
        """Return one number for each row, None where the field is missing."""
        return [None if x is None else [(x - self.mean) / self.scale] for x in table.numbers(self.name)]


@dataclass(frozen=True)
class Category:
    """An input column of texts, one-hot: 1 at the place of the text, all 0 for a text new to it."""

    name: str
    texts: list[str]

    @property
    def features(self) -> list[str]:
        """The names of the numbers that the column becomes, one for each text."""
        return [f"{self.name}={text}" for text in self.texts]

    def encode(self, table: Table) -> list[list[float] | None]:
        """Return a list of 0s with at most one 1 for each row, None where the field is missing."""
        places = {text: [float(text == other) for other in self.texts] for text in self.texts}
        unknown = [0.0] * len(self.texts)
        return [None if text is None else places.get(text, unknown) for text in table.column(self.name)]


Input: TypeAlias = Number | Category
Target: TypeAlias = Any  # the number of a class, an int, or a standardised number
Examples: TypeAlias = list[tuple[list[float], Target]]  # encoded rows, each with its target


def fit_input(table: Table, name: str, rows: Iterable[int]) -> Input:
    """Return how a column is encoded, learnt from `rows` (the training part) alone; they miss no field."""
    if not table.is_numeric(name):
        fields = table.column(name)
        return Category(name, sorted({str(fields[i]) for i in rows}))
    column = table.numbers(name)
    return Number.of(name, [column[i] for i in rows])  # type: ignore[misc]


def encode(table: Table, inputs: Sequence[Input]) -> list[list[float] | None]:
    """Return the features of each row, all columns side by side; None for a row with a missing field."""
    columns = [column.encode(table) for column in inputs]
    return [
        None if any(cells is None for cells in row) else [x for cells in row for x in cells or ()]
        for row in zip(*columns, strict=True)
    ]


def features(inputs: Iterable[Input]) -> list[str]:
    """Return the names of the numbers that the columns become, in the order of the network's inputs."""
    return [name for column in inputs for name in column.features]


def split(labels: dict[int, int], seed: int, share: float = 0.2) -> tuple[list[int], list[int]]:
    """Split rows (row: class) into a training and a held-out part, each class by the same `share`.

    Every class has a row in the training part. The same seed gives the same split.
    """
    rng = random.Random(seed)
    held_out: set[int] = set()
    for label in sorted(set(labels.values())):
        rows = [i for i in labels if labels[i] == label]
        held_out.update(rng.sample(rows, round(share * len(rows))))
    return [i for i in labels if i not in held_out], sorted(held_out)


# --- The problem -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """What a model learns from a table: examples to train on and held out, and what was left out.

    ``classes`` are the names of the classes. For a number there are none, and ``unit`` is how it is
    standardised. ``omitted`` gives the reason for each column left out, ``incomplete`` the number of rows
    left out for their missing fields, ``absent`` how many fields each column misses.
    """

    target: str
    classes: list[str]
    unit: Number | None
    inputs: list[Input]
    omitted: dict[str, str]
    incomplete: int
    absent: dict[str, int]
    training: Examples
    held_out: Examples


def classification(table: Table, target: str, seed: int) -> Problem:
    """Turn a table into a problem for a classifier: choose columns and rows, split by `seed`, encode.

    Raises `DataError` if the target is not a column of classes, or no column or too few rows are left.
    """
    classes = class_names(table, target)
    chosen = _choose(table, target)
    known = {i: name for i, name in enumerate(table.classes(target)) if i not in chosen.incomplete}
    classes = [name for name in classes if name in known.values()]
    if len(classes) < 2:
        raise DataError(
            f"{table.source} has fewer than two classes in its {len(known)} rows without missing fields "
            f"(missing: {chosen.gaps})"
        )
    labels = {i: classes.index(name) for i, name in known.items() if name is not None}
    training, held_out = split(labels, seed)
    return _encoded(table, target, classes, None, chosen, labels, training, held_out)


def regression(table: Table, target: str, seed: int) -> Problem:
    """Turn a table into a problem for a regressor, whose target is standardised like the inputs.

    The mean and the scale are those of the training part. Raises `DataError` as `classification` does, and if
    a field of the target is not a number, or if all of them are the same.
    """
    if not table.is_numeric(target):
        raise DataError(f"column {target!r} of {table.source} is text: a regression predicts numbers")
    numbers = table.numbers(target)
    chosen = _choose(table, target)
    known = {i: x for i, x in enumerate(numbers) if x is not None and i not in chosen.incomplete}
    if len({*known.values()}) < 2:
        raise DataError(
            f"column {target!r} of {table.source} has fewer than two different numbers in its {len(known)} "
            f"rows without missing fields{chosen.gaps and f' (missing: {chosen.gaps})'}"
        )
    training, held_out = split(dict.fromkeys(known, 0), seed)
    unit = Number.of(target, [known[i] for i in training])
    labels = {i: (x - unit.mean) / unit.scale for i, x in known.items()}
    return _encoded(table, target, [], unit, chosen, labels, training, held_out)


class _Choice(NamedTuple):
    """The columns to learn from, those left out with the reason, the rows that lack a field, and how many."""

    names: list[str]
    omitted: dict[str, str]
    incomplete: set[int]
    absent: dict[str, int]

    @property
    def gaps(self) -> str:
        return ", ".join(f"{name!r} {count}" for name, count in self.absent.items())


def _choose(table: Table, target: str) -> _Choice:
    omitted = left_out(table, target)
    names = [name for name in table.names if name not in omitted and name != target]
    if not names:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in omitted.items())
        raise DataError(f"{table.source} has no column to learn from{reasons and f' (left out {reasons})'}")
    return _Choice(names, omitted, *missing(table, [*names, target]))


def _encoded(
    table: Table,
    target: str,
    classes: list[str],
    unit: Number | None,
    chosen: _Choice,
    labels: Mapping[int, float],
    training: list[int],
    held_out: list[int],
) -> Problem:
    inputs = [fit_input(table, name, training) for name in chosen.names]
    rows = encode(table, inputs)
    parts = [
        [(row, labels[i]) for i in part if (row := rows[i]) is not None] for part in (training, held_out)
    ]
    incomplete = len(chosen.incomplete)
    return Problem(target, classes, unit, inputs, chosen.omitted, incomplete, chosen.absent, *parts)
