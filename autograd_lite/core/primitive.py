"""`Primitive`: a row of the table of derivative rules, which is also a function.

`rules.py` fills the table with `primitive`, which is also how a user adds a row. `recording.py` turns a row
that is applied to Values into a node. How rows print in compiled programs is registered by `compiler/`.
"""

from __future__ import annotations

import inspect
import keyword
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from autograd_lite.core.elementwise import each, has_entries
from autograd_lite.core.examples import EXAMPLES
from autograd_lite.core.numbers import real
from autograd_lite.core.tracing import Row, Traceable

if TYPE_CHECKING:
    from autograd_lite.core.value import Value

Scalar: TypeAlias = Any  # what a rule runs on: a float, a Value, or an array of floats
Operands: TypeAlias = tuple[Scalar, ...]

# How tightly a printed formula holds together; see `primitive`.
SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4


@dataclass(eq=False, repr=False)
class Primitive(Row):
    """A function of the table: `help` shows it, and `primitive` makes one and describes its fields."""

    # The arguments of `primitive`, which are described there. Those with `field()` are attributes of `Row`.
    name: str
    forward: Callable[..., float] = field()
    rule: Callable[..., Operands]
    symbol: str
    latex: str
    precedence: tuple[int, ...]
    domain: str
    edges: str
    arguments: Callable[..., Operands] | None
    masks: bool = field()
    arity: int | None  # the number of operands; None if it varies
    rule_on_floats: Callable[..., Operands] = field()  # `rule`, faster, for operands that are all floats
    doc: str
    template: Mapping[str, str] = field(default_factory=dict)
    decomposition: Callable[..., Scalar] | None = None

    def __post_init__(self) -> None:
        # What `help`, `?` and editors show of a function.
        self.__name__ = self.__qualname__ = self.name
        self.__signature__ = self._signature()
        self.__doc__ = self._description()

    def _signature(self) -> inspect.Signature:
        if self.arguments is not None:
            parameters = [*inspect.signature(self.arguments).parameters.values()]
        else:
            _, *operands = inspect.signature(self.rule).parameters.values()
            parameters = [
                x if x.kind is x.VAR_POSITIONAL else x.replace(kind=x.POSITIONAL_ONLY) for x in operands
            ]
        return inspect.Signature([x.replace(annotation=x.empty) for x in parameters])

    def _description(self) -> str:
        paragraphs = [self.doc]
        if self.arity is not None:
            paragraphs.append("It takes numbers and Values, and each entry of lists and arrays of them.")
        if self.domain:
            paragraphs.append(f"Domain: {self.domain}.")
        if self.edges:
            paragraphs.append(f"Edge cases of the derivative: {self.edges}.")
        if self.name in EXAMPLES:
            arguments, value, slope = EXAMPLES[self.name]
            by = ", 1" if self.masks else ""
            lines = f">>> {self.name}({arguments})", value, f">>> grad({self.name}{by})({arguments})", slope
            paragraphs.append("\n".join(lines))
        return "\n\n".join(
            part if part.startswith(">>>") or len(part) < 100 else fill(part, 100) for part in paragraphs
        )

    def __get__(self, instance: object, owner: object = None) -> Primitive:
        """Return the row itself. `help` takes an object that has this method for a function."""
        return self

    @overload  # for a row of one's own; functions.pyi has those of the table
    def __call__(self, x: Value, /, *others: Value | float) -> Value: ...
    @overload
    def __call__(self, x: float, /, *others: float) -> float: ...
    @overload
    def __call__(self, *arguments: Scalar, **options: Scalar) -> Value: ...

    def __call__(self, *arguments: Scalar, **options: Scalar) -> Scalar:
        """Return the value for floats, or the node that records it if an operand is a Value."""
        operands = arguments
        if self.arguments is not None:
            operands = self.arguments(*arguments, **options)
        elif options:
            raise TypeError(f"{self.name}() takes no keyword arguments, got {', '.join(options)}")
        if len(operands) != self.arity and self.arity is not None:
            number = f"{self.arity} operand{'s' * (self.arity > 1)}"
            raise TypeError(f"{self.name}() takes {number}, got {len(operands)}")
        traceable = None
        for operand in operands:
            if isinstance(operand, Traceable):
                traceable = operand
                if self.arity is None:
                    break
            elif type(operand) is not float and self.arity is not None and has_entries(operand):
                return each(self, self.name, operands)
        if traceable is not None:
            return traceable._record(self, operands)
        return self.forward(*[real(operand, f"an operand of {self.name}") for operand in operands])

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        return lookup, (self.name,)


TABLE: dict[str, Primitive] = {}
TRACED: dict[str, Primitive] = {}  # rows of programs alone: eager code does the same without a node
_built_in: set[str] = set()


def lookup(name: str) -> Primitive:
    """Return the row called `name`. Raises `KeyError` with the missing name; pickles call this."""
    try:
        return TRACED[name] if name in TRACED else TABLE[name]
    except KeyError:
        raise KeyError(f"no primitive is named {name!r}: define it before loading what uses it") from None


def primitive(
    name: str,
    forward: Callable[..., float],
    rule: Callable[..., Operands],
    *,
    symbol: str | None = None,
    latex: str | None = None,
    precedence: tuple[int, ...] | None = None,
    domain: str = "",
    edges: str = "",
    arguments: Callable[..., Operands] | None = None,
    masks: bool = False,
    doc: str = "",
    template: Mapping[str, str] | None = None,
    decomposition: Callable[..., Scalar] | None = None,
) -> Primitive:
    """Add a row to the table and return it: a function of floats or Values that works everywhere.

    `forward` takes floats and returns a float. `rule(out, *operands)` returns one local partial per operand.
    It is written with arithmetic and other primitives (no ``if``, no ``math``), so that it can itself be
    differentiated; the number of operands is read off its signature. A row of your own may be redefined.
    Raises `ValueError` if `name` is a row of the built-in table or not an identifier. Everything else has a
    default:

    - `arguments` turns the arguments of a call into the flat tuple of operands: `dot(w, x, b)` has the
      operands ``(*w, *x, b)``.
    - `doc` says what it computes; `symbol` and `latex` print it. `precedence` says how tightly the printed
      formula holds: first as a whole, then what each operand needs to stand without parentheses.
    - `domain` says where the value exists, `edges` which derivative is chosen at kinks and at the ends of the
      domain.
    - A row that `masks` selects one of its operands; the others contribute exactly zero, even where 0 · ∞
      would be NaN.
    - `template` prints it in a compiled program, for each target that has the operation: "python", "array",
      "c" or "javascript". `decomposition` is its value in terms of other rows, with no branch but `where`,
      for all other targets.

    >>> import math
    >>> from autograd_lite import Value, cos, primitive
    >>> sinc = primitive("sinc", lambda x: math.sin(x) / x, lambda out, x: ((cos(x) - out) / x,))
    >>> x = Value(2.0)
    >>> sinc(x).backward()
    >>> x.grad == (math.cos(2.0) - math.sin(2.0) / 2.0) / 2.0
    True
    """
    if not str(name).isidentifier() or keyword.iskeyword(str(name)):
        raise ValueError(f"a primitive's name must be an identifier, got {name!r}")
    name = unicodedata.normalize("NFKC", name)  # as Python reads it where a program calls it
    if name in _built_in:
        raise ValueError(f"{name!r} is a primitive of the built-in table: choose another name")
    parameters = inspect.signature(rule).parameters.values()
    varies = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    arity = None if varies else len(parameters) - 1
    if latex is None:
        holes = ", ".join(f"{{{k}}}" for k in range(arity or 0))
        latex = rf"\operatorname{{{{{name.replace('_', chr(92) + '_')}}}}}" + (
            "" if varies else rf"\left({holes}\right)"
        )
    row = Primitive(
        name=name,
        forward=forward,
        rule=rule,
        symbol=symbol or name,
        latex=latex,
        precedence=precedence or (ATOM,) + (SUM,) * (arity or 0),
        domain=domain,
        edges=edges,
        arguments=arguments,
        masks=masks,
        doc=doc or f"{name}(...), a primitive of your own.",
        arity=arity,
        rule_on_floats=rule,
        template=template or {},
        decomposition=decomposition,
    )
    if _built_in:
        _check_results(row)
    TABLE[name] = row
    return row


def close_table(*traced: Primitive) -> None:
    """Declare the present rows built in, which reserves their names; move `traced` to `TRACED`."""
    _built_in.update(TABLE)
    TRACED.update((row.name, TABLE.pop(row.name)) for row in traced)


def _check_results(row: Primitive) -> None:
    """Wrap the functions of a user's row to check every result."""
    forward, rule, name = row.forward, row.rule, row.name

    def checked_rule(out: float, *operands: float) -> tuple[float, ...]:
        partials = tuple([real(partial, f"a partial of {name}") for partial in rule(out, *operands)])
        if len(partials) != len(operands):
            raise TypeError(f"the rule of {name} gave {len(partials)} partials for {len(operands)} operands")
        return partials

    row.forward = lambda *operands: real(forward(*operands), f"the value of {name}")
    row.rule_on_floats = checked_rule
    row.decomposition = row.decomposition or forward  # `compiler` tries to trace it
