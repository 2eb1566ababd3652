"""From a CSV file to the numbers a classifier takes: columns with types, inputs, classes, the split.

A field is text until something asks for a number. A column is read as numbers if nearly all its fields
are; the few that are not are then errors, with their line, and no categories. What is wrong with a file is
a `DataError`: one sentence that names the file, the line or the column.

What does not live here: networks, training, printing (`cli.py`).
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from autograd_lite.files import read_whole

MISSING = {"", "?", "n/a", "na", "nan", "null"}  # in any case
TARGETS = ("target", "class", "label", "species")  # what a column of classes is called, in any case
LARGEST = 100_000_000  # bytes of a file
GREATEST = 1e100  # magnitude of a number: beyond, a mean of squares is no longer safe
LEAST = 1e-100  # deviation of a column: below, a number of another table would be infinite in its units
MOST_TEXTS = 50  # different texts of a column that still are categories
MOST_NUMBERS = 20  # different numbers of a target that still are classes

# A terminal would obey them: names and texts have a sign in their place from the start.
_CONTROLS = {
    c: "\N{REPLACEMENT CHARACTER}" for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n\r"
}


class DataError(ValueError):
    """What is wrong with a file, or with what was asked of it, in one sentence."""


@dataclass(frozen=True)
class Table:
    """A table of texts: ``rows[i][j]`` is the field of row i in column ``names[j]``, None if it is missing.

    ``lines[i]`` is the line of the file where row i begins. With ``decimal_comma`` the number 39.1 is written
    39,1, as in files whose fields are separated by semicolons.
    """

    source: str
    names: list[str]
    rows: list[list[str | None]]
    lines: list[int]
    decimal_comma: bool = False

    @cached_property
    def _columns(self) -> dict[str, list[str | None]]:
        return {name: [row[j] for row in self.rows] for j, name in enumerate(self.names)}

    def column(self, name: str) -> list[str | None]:
        """The fields of a column; `DataError` if there is none, with the name that comes closest."""
        try:
            return self._columns[name]
        except KeyError:
            raise DataError(f"{self.source} has no column {name!r}{self._hint(name)}") from None

    def is_numeric(self, name: str) -> bool:
        """Whether a column is one of numbers: nearly all its fields are, and the others are no categories."""
        fields = Counter(field for field in self.column(name) if field is not None)
        strays = sum(count for field, count in fields.items() if self._number(field) is None)
        categories = len(fields) <= 12 and min(fields.values(), default=0) > 1  # "0", "1", "2", "3+"
        few = strays <= max(1, fields.total() // 10) and strays < fields.total() - strays
        return few and (strays == 0 or not categories)

    def numbers(self, name: str) -> list[float | None]:
        """The fields of a column as numbers; `DataError` with the line where a text stands."""
        numbers = []
        for field, line in zip(self.column(name), self.lines, strict=True):
            number = None if field is None else self._number(field)
            if field is not None and number is None:
                raise DataError(
                    f"{self.source}, line {line}, column {name!r}: {field!r} is text where a number belongs"
                )
            numbers.append(number)
        return numbers

    def classes(self, name: str) -> list[str | None]:
        """The fields of a column as names of classes: for numbers, 1 and 1.0 are the same class, "1"."""
        if not self.is_numeric(name):
            return self.column(name)
        return [None if x is None else str(int(x)) if x.is_integer() else repr(x) for x in self.numbers(name)]

    def _number(self, field: str) -> float | None:
        try:
            number = float(field.replace(",", ".") if self.decimal_comma else field)
        except ValueError:
            return None
        # Python takes 1_000 and inf for numbers.
        return number if "_" not in field and math.fabs(number) < GREATEST else None

    def _hint(self, name: str) -> str:
        spellings = {known.casefold(): known for known in reversed(self.names)}
        closest = difflib.get_close_matches(name.casefold(), spellings, n=1)
        if closest:
            return f": did you mean {spellings[closest[0]]!r}?"
        shown = ", ".join(map(repr, self.names[:12])) + (", …" if len(self.names) > 12 else "")
        return f": it has {shown}"


def read_csv(path: str | Path | Traversable) -> Table:
    """Read a CSV file in UTF-8 whose first line names the columns.

    Fields are separated by commas, semicolons, tabs or bars, whichever fits the file. Fields that are empty
    or read NA, N/A, NaN, null or ? are missing. Control characters become U+FFFD. Raises `DataError` for a
    file that cannot be read, is too long or empty, holds no rows, names a column twice or has a row of
    another length.
    """
    path = Path(path) if isinstance(path, str) else path
    source = path.name
    try:
        content = read_whole(path, LARGEST)
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"cannot read {str(path)!r}: {error}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source} is not UTF-8 text (line {line}, byte 0x{content[error.start]:02x}): save it as UTF-8"
        ) from None
    if not text.strip():
        raise DataError(f"{source} is empty")
    text = text.translate(_CONTROLS)
    delimiter = max(",;\t|", key=lambda candidate: _fit(text, candidate))
    (_, header), *records = _records(text, delimiter, source)
    names = [name or f"column {j}" for j, name in enumerate(header, start=1)]
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"{source} has {count} columns named {name!r}: rename all but one")
    if not records:
        raise DataError(f"{source} has a header and no rows")
    for line, record in records:
        if len(record) != len(names):
            raise DataError(
                f"{source}, line {line}: {len(record)} fields where the header has {len(names)} columns"
            )
    rows = [[None if field.casefold() in MISSING else field for field in record] for _, record in records]
    return Table(source, names, rows, [line for line, _ in records], decimal_comma=delimiter == ";")


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _fit(text: str, delimiter: str) -> tuple[bool, float, int]:
    """How well a delimiter fits: it separates something, the rows are of one length, they are long."""
    widths: list[int] = []
    with suppress(csv.Error):
        widths.extend(len(record) for record in _reader(text, delimiter) if record)
    width = widths[0] if widths else 0
    return width > 1, widths.count(width) / max(1, len(widths)), width


def _records(text: str, delimiter: str, source: str) -> list[tuple[int, list[str]]]:
    """Each record with the line where it begins; blank lines are none."""
    reader, records, line = _reader(text, delimiter), [], 1
    try:
        for record in reader:
            if record:
                records.append((line, [field.strip() for field in record]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source}, line {line}: {error}") from None
    return records


# --- Target and inputs -----------------------------------------------------------------------------


def default_target(table: Table) -> str:
    """The column to predict if nobody says: one called target, class, label or species, else the last."""
    names = {name.casefold(): name for name in reversed(table.names)}
    return next((names[name] for name in TARGETS if name in names), table.names[-1])


def left_out(table: Table, target: str) -> dict[str, str]:
    """Columns that tell a classifier nothing, with the reason: mostly missing, constants, identifiers."""
    reasons = {name: _reason(table, name) for name in table.names if name != target}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(table: Table, name: str) -> str:
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
        return "an identifier: every text once"
    return f"{len(different)} different texts" if len(different) > MOST_TEXTS else ""


def class_names(table: Table, target: str) -> list[str]:
    """The classes in a column, in order; `DataError` if there is one only, or more than a classifier has."""
    counts = Counter(name for name in table.classes(target) if name is not None)
    where = f"column {target!r} of {table.source}"
    if len(counts) < 2:
        only = f"one class only, {next(iter(counts))!r}" if counts else "no value in any row"
        raise DataError(f"{where} has {only}: choose a target with at least two classes")
    most = MOST_NUMBERS if table.is_numeric(target) else MOST_TEXTS
    if len(counts) > most or len(counts) == counts.total() > 2:
        raise DataError(
            f"{where} has {len(counts)} different values in {counts.total()} rows: this trains classifiers, "
            "so choose a target whose values repeat"
        )
    return sorted(counts, key=float if table.is_numeric(target) else None)


@dataclass(frozen=True)
class Number:
    """An input column of numbers, standardised: (x − mean) / scale."""

    name: str
    mean: float
    scale: float
    width = 1

    def encode(self, table: Table) -> list[list[float] | None]:
        """One number for each row, None where the field is missing."""
        return [None if x is None else [(x - self.mean) / self.scale] for x in table.numbers(self.name)]


@dataclass(frozen=True)
class Category:
    """An input column of texts, one-hot: 1 at the place of the text, all 0 for one never seen in training."""

    name: str
    texts: list[str]

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return len(self.texts)

    def encode(self, table: Table) -> list[list[float] | None]:
        """A list of 0s with at most one 1 for each row, None where the field is missing."""
        places = {text: [float(text == other) for other in self.texts] for text in self.texts}
        none = [0.0] * len(self.texts)
        return [None if text is None else places.get(text, none) for text in table.column(self.name)]


Input = Number | Category
Part = list[tuple[list[float], int]]  # encoded rows, each with the number of its class


def fit_input(table: Table, name: str, rows: Iterable[int]) -> Input:
    """How a column is encoded, learnt from `rows` (the training part) alone, where no field is missing."""
    if not table.is_numeric(name):
        fields = table.column(name)
        return Category(name, sorted({str(fields[i]) for i in rows}))
    column = table.numbers(name)
    x: list[float] = [column[i] for i in rows]  # type: ignore[misc]
    mean = math.fsum(x) / len(x)
    # A constant here may vary elsewhere; its deviation, but for rounding, would be 0.
    deviation = math.hypot(*[xi - mean for xi in x]) / math.sqrt(len(x)) if min(x) < max(x) else 0.0
    return Number(name, mean, deviation if deviation >= LEAST else 1.0)


def encode(table: Table, inputs: Sequence[Input]) -> list[list[float] | None]:
    """The inputs of each row, all columns side by side; None for a row with a missing field."""
    columns = [column.encode(table) for column in inputs]
    return [
        None if any(part is None for part in parts) else [x for part in parts for x in part or ()]
        for parts in zip(*columns, strict=True)
    ]


def missing(table: Table, names: Iterable[str]) -> tuple[set[int], dict[str, int]]:
    """The rows that lack a field in one of the columns `names`, and for each such column how many do."""
    absent = {name: [i for i, field in enumerate(table.column(name)) if field is None] for name in names}
    return (
        {i for rows in absent.values() for i in rows},
        {name: len(rows) for name, rows in absent.items() if rows},
    )


def split(labels: dict[int, int], seed: int, share: float = 0.2) -> tuple[list[int], list[int]]:
    """Split rows (row: class) in two, for training and held out, each class by the same `share`.

    Every class has a row in the training part. The same seed gives the same split.
    """
    rng = random.Random(seed)
    held_out: set[int] = set()
    for label in sorted(set(labels.values())):
        rows = [i for i in labels if labels[i] == label]
        held_out.update(rng.sample(rows, round(share * len(rows))))
    return [i for i in labels if i not in held_out], sorted(held_out)


@dataclass(frozen=True)
class Problem:
    """What a table asks a classifier to learn: encoded rows with class numbers, and what was left out of it.

    ``omitted`` gives the reason for each column left out, ``incomplete`` the number of rows left out for
    their missing fields, ``absent`` how many fields each column misses.
    """

    target: str
    classes: list[str]
    inputs: list[Input]
    omitted: dict[str, str]
    incomplete: int
    absent: dict[str, int]
    training: Part
    held_out: Part


def classification(table: Table, target: str, seed: int) -> Problem:
    """Make a classifier's problem of a table: choose columns and rows, split by `seed`, encode.

    Raises `DataError` if the target is no column of classes, or no column or too few rows are left.
    """
    classes = class_names(table, target)
    omitted = left_out(table, target)
    names = [name for name in table.names if name not in omitted and name != target]
    if not names:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in omitted.items())
        raise DataError(f"{table.source} has no column to learn from{reasons and f' (left out {reasons})'}")
    incomplete, absent = missing(table, [*names, target])
    known = {i: name for i, name in enumerate(table.classes(target)) if i not in incomplete}
    classes = [name for name in classes if name in known.values()]
    if len(classes) < 2:
        fields = ", ".join(f"{name!r} {count}" for name, count in absent.items())
        raise DataError(
            f"{table.source} has fewer than two classes in its {len(known)} rows without missing fields "
            f"(missing: {fields})"
        )
    labels = {i: classes.index(name) for i, name in known.items() if name is not None}
    training, held_out = split(labels, seed)
    inputs = [fit_input(table, name, training) for name in names]
    rows = encode(table, inputs)

    def part(indices: list[int]) -> Part:
        return [(row, labels[i]) for i in indices if (row := rows[i]) is not None]

    return Problem(target, classes, inputs, omitted, len(incomplete), absent, part(training), part(held_out))
