"""`Traceable` and `Tracer`, which a row of the table looks for among its operands; `Row`, which a row is.

`primitive.py` asks each operand of a call whether it is one, `value.py` and `compiler` derive from them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograd_lite.core import cython
else:
    try:
        import cython
    except ImportError:  # pragma: no cover - the stand-in has a test of its own
        from autograd_lite.core import cython

if TYPE_CHECKING:
    from autograd_lite.core.primitive import Operands, Primitive, Scalar


@cython.no_gc
@cython.cclass
class Traceable:
    """An operand that records the operations applied to it: a `Value`, or a `Tracer`."""

    __slots__ = ()

    def __cinit__(self) -> None:  # pragma: no cover - Python does not call it, nor the next
        _enlist(self)  # type: ignore[name-defined]

    def __dealloc__(self) -> None:  # pragma: no cover
        _delist(self)  # type: ignore[name-defined]

    def _record(self, row: Primitive, operands: Operands) -> Scalar:
        raise NotImplementedError


@cython.no_gc
@cython.cclass
class Tracer(Traceable):
    """An operand whose number is not known yet: `compiler` traces functions with these."""

    __slots__ = ()

    def _require(self, holds: Callable[[], Scalar], sentence: str, refuse: Callable[[float], None]) -> None:
        """Note a condition on the number. `refuse` raises the error for a number that violates it."""

    def _require_whole(
        self, least: int, most: int, sentence: str, refuse: Callable[[float], None], error: type[Exception]
    ) -> None:
        """Note that the number is whole, from `least` to `most`; `error` is the type that `refuse` raises."""

    def _name(self) -> str:
        """Return the name of the number, for messages."""
        return "the index"

    def _meet(self, values: Iterable[Scalar]) -> None:
        """Number the leaves among some values in this order, unless they have numbers."""

    def _branch(self, given: object, taken: bool) -> Scalar:
        """Return one branch of a `where` with this condition: `given`, or its result if it is a function."""
        return given() if callable(given) else given

    def _pulled(self, seeds: Iterable[tuple[Scalar, Scalar]], inputs: list[Scalar]) -> dict[Scalar, Scalar]:
        """Return the adjoint of each input that has one, given pairs of nodes and their adjoints."""
        raise NotImplementedError


@cython.cclass
class Row:
    """The fields of a `Primitive` that recording reads at every operation."""

    __slots__ = ("forward", "masks", "rule_on_floats")


def alive() -> list[Traceable]:
    """Return every `Traceable` alive now: Python's collector lists them, `tracing.pxd` does when compiled."""
    if not cython.compiled:
        # `isinstance` would read `__class__` of foreign objects; some then load modules or raise.
        return [thing for thing in gc.get_objects() if issubclass(type(thing), Traceable)]
    return _listed()  # type: ignore[name-defined,no-any-return]  # pragma: no cover
