"""Tables of text: `read_csv` reads a file, `Table` gives its columns as texts, numbers or class names.

A field is text until a caller asks for numbers. A column counts as numeric if nearly all its fields are
numbers; each of the few others is then an error, located by its line. `DataError` says in one sentence what
is wrong with a file. Next door: `encoding.py` turns a table into examples for a classifier.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from autograd_lite.files import read_whole

if TYPE_CHECKING:
    import _csv

MISSING = {"", "?", "n/a", "na", "nan", "null"}  # spellings of a missing field, in upper or lower case
LARGEST = 100_000_000  # bytes of a file
GREATEST = 1e100  # magnitude of a number: beyond it, a mean of squares may overflow

# A terminal would obey control characters, so names and texts never contain them.
_CONTROLS = {
    c: "\N{REPLACEMENT CHARACTER}" for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n\r"
}


class DataError(ValueError):
    """A mistake in a file or in the arguments; the message says in one sentence what is wrong."""


@contextmanager
def file_errors(action: str, path: object) -> Iterator[None]:
    """Turn an `OSError` into a `DataError` that says what could not be done to which file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot {action} {str(path)!r}: {error.strerror}") from None


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
        """Return the fields of a column. Raises `DataError`, with the closest name, if there is none."""
        try:
            return self._columns[name]
        except KeyError:
            raise DataError(f"{self.source} has no column {name!r}{self._hint(name)}") from None

    def is_numeric(self, name: str) -> bool:
        """Return whether nearly all fields of a column are numbers, and the others are not categories."""
        fields = Counter(field for field in self.column(name) if field is not None)
        strays = sum(count for field, count in fields.items() if self._number(field) is None)
        categories = len(fields) <= 12 and min(fields.values(), default=0) > 1  # "0", "1", "2", "3+"
        few = strays <= max(1, fields.total() // 10) and strays < fields.total() - strays
        return few and (strays == 0 or not categories)

    def numbers(self, name: str) -> list[float | None]:
        """Return the fields of a column as numbers. Raises `DataError`, with the line, at a text."""
        numbers = []
        for field, line in zip(self.column(name), self.lines, strict=True):
            number = None if field is None else self._number(field)
            if field is not None and number is None:
                where = f"{self.source}, line {line}, column {name!r}"
                raise DataError(f"{where}: {field!r} is not a number, unlike most of the column")
            numbers.append(number)
        return numbers

    def classes(self, name: str) -> list[str | None]:
        """Return the fields of a column as class names; the numbers 1 and 1.0 are both the class "1"."""
        if not self.is_numeric(name):
            return self.column(name)
        return [None if x is None else str(int(x)) if x.is_integer() else repr(x) for x in self.numbers(name)]

    def _number(self, field: str) -> float | None:
        try:
            number = float(field.replace(",", ".") if self.decimal_comma else field)
        except ValueError:
            return None
        # Python reads 1_000 and inf as numbers; in data files they mean something else.
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

    Fields are separated by commas, semicolons, tabs or bars, whichever fits the file. A field is missing if
    it is empty or reads NA, N/A, NaN, null or ?. Control characters become U+FFFD. Raises `DataError` for a
    file that cannot be read, is too long or empty, has no rows, names a column twice or has a row of another
    length.
    """
    path = Path(path) if isinstance(path, str) else path
    source, text = path.name, read_text(path)
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


def read_text(path: Path | Traversable) -> str:
    """Return the text of a file, without control characters. Raises `DataError` if there is none."""
    with file_errors("read", path):
        try:
            content = read_whole(path, LARGEST)
        except ValueError as error:  # the file is too long
            raise DataError(f"cannot read {str(path)!r}: {error}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        raise DataError(
            f"{path.name} is not UTF-8 text (line {line}, byte 0x{byte:02x}): save it as UTF-8"
        ) from None
    if not text.strip():
        raise DataError(f"{path.name} is empty")
    return text.translate(_CONTROLS)


def _reader(text: str, delimiter: str) -> _csv.Reader:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _fit(text: str, delimiter: str) -> tuple[bool, float, int]:
    """Return how well a delimiter fits: does it separate fields, how many rows are as long as the first."""
    widths: list[int] = []
    with suppress(csv.Error):
        widths.extend(len(record) for record in _reader(text, delimiter) if record)
    width = widths[0] if widths else 0
    return width > 1, widths.count(width) / max(1, len(widths)), width


def _records(text: str, delimiter: str, source: str) -> list[tuple[int, list[str]]]:
    """Return each record with the line where it begins, without blank lines."""
    reader, records, line = _reader(text, delimiter), [], 1
    try:
        for record in reader:
            if record:
                records.append((line, [field.strip() for field in record]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source}, line {line}: {error}") from None
    return records
