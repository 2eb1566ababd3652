"""autograd_lite/core/functions.pyi, generated from the table: `python -m tests.stubs` writes it again.

A type checker takes the first signature that fits a call, so floats come first, then Values, then lists and
arrays.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path

from autograd_lite.core.primitive import Primitive
from autograd_lite.core.rules import TABLE

STUB = Path(__file__).parent.parent / "autograd_lite" / "core" / "functions.pyi"

HEADER = '''\
"""The functions of the table, for editors and type checkers: `python -m tests.stubs` wrote this file."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, SupportsIndex, TypeAlias, TypeVar, overload

from autograd_lite.core.value import Value

Number: TypeAlias = Value | float
Choice: TypeAlias = Number | Callable[[], Number]
Real_co = TypeVar("Real_co", bound=Number, covariant=True)
Container: TypeAlias = list[Any] | tuple[Any, ...] | Array
Entries = TypeVar("Entries", bound=Container)

class Array(Protocol):
    """An array of NumPy, or what looks like one."""

    @property
    def ndim(self) -> int: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...

class Vector(Protocol[Real_co]):
    """A list, a tuple or an array of numbers."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Real_co]: ...
'''

# A list that holds floats alone may be read as one of numbers of both kinds, with another result.
OVERLAP = "  # type: ignore[overload-overlap]"
SEVERAL = [("values: Iterable[float]", "float"), ("values: Iterable[Number]", "Value")]
BY_HAND = {
    **dict.fromkeys(("sum", "mean", "prod", "logsumexp"), SEVERAL),
    "dot": [
        ("w: Vector[float], x: Vector[float], b: float | None = None", "float"),
        ("w: Vector[Number], x: Vector[Number], b: Number | None = None", "Value"),
    ],
    "softmax_cross_entropy": [
        ("scores: Iterable[float], label: SupportsIndex", "float"),
        ("scores: Iterable[Number], label: SupportsIndex", "Value"),
    ],
    "where": [
        ("condition: Container, x: Choice, y: Choice", "Any"),
        ("condition: object, x: float | Callable[[], float], y: float | Callable[[], float]", "float"),
        ("condition: object, x: Value | Callable[[], Value], y: Choice", "Value"),
        ("condition: object, x: Choice, y: Value | Callable[[], Value]", "Value"),
        ("condition: object, x: Entries, y: Any", "Entries"),
        ("condition: object, x: Choice, y: Entries", "Entries"),
    ],
}


def signatures(row: Primitive) -> Iterator[tuple[str, str]]:
    """Yield the parameters and the result of each signature."""
    if row.name in BY_HAND:
        yield from BY_HAND[row.name]
        return
    parameters = [*inspect.signature(row).parameters.values()]
    names = [x.name for x in parameters]
    default = [" = ..." if x.default is not x.empty else "" for x in parameters]
    slash = ", /" if parameters[-1].kind is inspect.Parameter.POSITIONAL_ONLY else ""
    yield ", ".join(f"{x}: float{d}" for x, d in zip(names, default, strict=True)) + slash, "float"
    for result, others in (("Value", "Number"), ("Entries", "Any")):
        for k, name in enumerate(names):
            before = [f"{x}: Number" for x in names[:k]]
            after = [f"{x}: {others}{default[j]}" for j, x in enumerate(names) if j > k]
            yield ", ".join([*before, f"{name}: {result}", *after]) + slash, result


def function(row: Primitive) -> Iterator[str]:
    doc = inspect.getdoc(row) or ""
    lines = [line and f"    {line}" for line in f'"""{doc}\n"""'.splitlines()]
    for k, (parameters, result) in enumerate(signatures(row)):
        yield "@overload"
        ignored = OVERLAP if k == 0 and row.arity is None else ""
        head = f"def {row.name}({parameters}) -> {result}:"
        yield from [head + ignored, *lines, ""] if k == 0 else [head + " ..."]


def stub() -> str:
    return "\n".join([HEADER, *(line for row in TABLE.values() for line in function(row))]) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
