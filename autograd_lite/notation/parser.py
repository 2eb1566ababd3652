"""`evaluate`: a typed expression as a graph, parsed by Python's own parser and computed by the table alone.

An expression may hold numbers, the names it was given, ``+ - * / **``, parentheses and functions of the
table. There is no `eval`, no attribute and no other name, and every number is a float. Next door: `cli` asks
for expressions and shows the errors raised here.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.rules import add, div, mul, neg, pow, sub
from autograd_lite.core.value import Value
from autograd_lite.notation.columns import width

Number: TypeAlias = "Value | float"

LONGEST = 2_000  # the most characters of an expression
_SHOWN = 72  # the most characters that are shown around a mistake

_OPERATORS: dict[type[ast.operator], tuple[str, Primitive]] = {
    ast.Add: ("+", add),
    ast.Sub: ("-", sub),
    ast.Mult: ("*", mul),
    ast.Div: ("/", div),
    ast.Pow: ("**", pow),
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}  # values to suggest for names that the table does not define
_ELSEWHERE = {"ln": "log"}  # names that other languages give to functions of the table
_ALLOWED = "numbers, names, + - * / **, parentheses and functions such as exp are allowed"


class ExpressionError(ValueError):
    """A mistake in an expression: a ``message``, the ``text``, and the ``column`` of the mistake, from 0.

    >>> print(ExpressionError("there is no function exq: did you mean exp?", "1 + exq(x)", 4))
    1 + exq(x)
        ^ there is no function exq: did you mean exp?
    """

    def __init__(self, message: str, text: str, column: int) -> None:
        super().__init__(message, text, column)
        self.message, self.text, self.column = message, text, column

    def __str__(self) -> str:
        start = max(0, min(self.column - _SHOWN // 2, len(self.text) - _SHOWN))
        before, after = "…" * (start > 0), "…" * (start + _SHOWN < len(self.text))
        shown = before + self.text[start : start + _SHOWN]
        to_place = shown[: self.column - start + len(before)]
        return f"{shown}{after}\n{' ' * width(to_place)}^ {self.message}"


def evaluate(text: str, values: Mapping[str, float]) -> Value:
    """Return the Value of the expression `text`; each of `values` is a leaf with that label.

    Raises `ExpressionError`, which points at the mistake, if `text` is not an expression, if a name has no
    value or a function does not exist, and if an operation is outside its domain or overflows.

    >>> loss = evaluate("log(1 + exp(-y*(w*x + b)))", {"w": 0.5, "x": 2.0, "b": 0.1, "y": 1.0})
    >>> loss
    Value(0.287...)
    >>> evaluate("where(x > 0, log(x), 0)", {"x": 0.0})
    Value(0.0)
    """
    return _Evaluator(text, values).run()


def unused(text: str, names: Iterable[str]) -> list[str]:
    """Return those of `names` that are not an operand in `text`, which `evaluate` has accepted.

    >>> unused("where(x > 0, log(x), y)", ["x", "y", "z", "log"])
    ['z', 'log']
    """
    nodes = [*ast.walk(_parsed(_on_one_line(text)))]
    functions = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    operands = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in functions}
    return [name for name in names if _identifier(name) not in operands]


def _on_one_line(text: str) -> str:
    return "".join([" " if c.isspace() else c for c in text]).strip()


def _identifier(name: str) -> str:
    """Return the name as Python reads it, the same for all its spellings."""
    return unicodedata.normalize("NFKC", name)


def _parsed(text: str) -> ast.Expression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about string literals, which are refused anyway
        return ast.parse(text, mode="eval")


class _Evaluator:
    """One run of `evaluate`: a method for each kind of part that an expression has."""

    def __init__(self, text: str, values: Mapping[str, float]) -> None:
        self.text = _on_one_line(text)
        self.leaves = {_identifier(name): Value(x, name) for name, x in values.items()}
        if len(self.leaves) < len(values):
            names = Counter(map(_identifier, values))
            raise ValueError(f"{names.most_common(1)[0][0]} is given twice, in two spellings of one name")

    def run(self) -> Value:
        self.check_characters()
        text = self.text
        try:
            result = self.value(_parsed(text).body)
        except SyntaxError as error:
            if not error.offset:  # where Python still expects something
                raise ExpressionError("the expression ends too early", text, len(text)) from None
            column = min(error.offset - 1, len(text))
            raise ExpressionError(error.msg.partition("; ")[0], text, column) from None
        except (RecursionError, MemoryError):
            raise ExpressionError("the expression is nested too deeply", text, 0) from None
        return result if isinstance(result, Value) else Value(result)

    def check_characters(self) -> None:
        text = self.text
        if not text:
            raise ExpressionError("the expression is empty", text, 0)
        for column, character in enumerate(text):
            if not character.isprintable():
                shown = "".join([c if c.isprintable() else "\ufffd" for c in text])
                raise ExpressionError(f"the character {character!a} has no meaning here", shown, column)
            if character == "#":  # Python would read the rest as a comment
                raise ExpressionError("the character '#' has no meaning here", text, column)
        if len(text) > LONGEST:
            message = f"an expression has at most {LONGEST:,} characters, this one has {len(text):,}"
            raise ExpressionError(message, text, 0)

    def error(self, message: str, node: ast.expr, column: int | None = None) -> ExpressionError:
        return ExpressionError(message, self.text, self.column(node.col_offset) if column is None else column)

    def column(self, offset: int) -> int:
        """Return the column of an offset, which the parser counts in bytes."""
        return len(self.text.encode()[:offset].decode())

    def value(self, node: ast.expr) -> Number:
        above = []
        while isinstance(node, ast.BinOp):  # a loop, because a long sum is nested deeply on its left
            above.append(node)
            node = node.left
        result = self.operand(node)
        for node in reversed(above):
            result = self.binary(node, result, self.value(node.right))
        return result

    def operand(self, node: ast.expr) -> Number:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                # A label must stay an int; any operation makes a float of it.
                if not abs(number) <= sys.float_info.max:
                    raise self.error("the number is beyond the range of a float (about 1.8e308)", node)
                return number
            case ast.Name(id=name):
                if name in self.leaves:
                    return self.leaves[name]
                if name in TABLE:
                    raise self.error(f"{name} is a function: write {name}(...)", node)
                raise self.error(f"{name} has no value: give it as {name}={_CONSTANTS.get(name, 0.5)}", node)
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self.value(inner)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.apply(neg, [self.value(inner)], node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(name, arguments, node)
            case ast.Call(func=ast.Name(), keywords=[keyword, *_]):
                raise self.error(f"pass the operands in order, without {keyword.arg or '**'}=", node)
            case ast.Attribute(value=inner):
                dot = self.text.index(".", self.column(inner.end_col_offset or 0))
                raise self.error(f"attributes are not allowed: only {_ALLOWED}", node, dot)
        raise self.error(f"only {_ALLOWED}", node)

    def binary(self, node: ast.BinOp, left: Number, right: Number) -> Number:
        if type(node.op) not in _OPERATORS:
            hint = "a power is written as **" if isinstance(node.op, ast.BitXor) else f"only {_ALLOWED}"
            raise self.error(hint, node, self.column(node.left.end_col_offset or 0))
        symbol, row = _OPERATORS[type(node.op)]
        place = self.text.index(symbol, self.column(node.left.end_col_offset or 0))
        return self.apply(row, [left, right], node, place)

    def call(self, name: str, arguments: list[ast.expr], node: ast.expr) -> Number:
        row = TABLE.get(name)
        if row is None:
            near = [_ELSEWHERE[name]] if name in _ELSEWHERE else difflib.get_close_matches(name, TABLE, 1)
            near = near or [each for each in TABLE if each.startswith(name)][:1]
            hint = f": did you mean {near[0]}?" if near else ""
            raise self.error(f"there is no function {name}{hint}", node)
        if row.masks and len(arguments) == 3:  # the branch not taken is not computed
            condition, *branches = arguments
            return self.apply(row, [self.condition(condition), *map(self.later, branches)], node)
        return self.apply(row, [self.argument(each) for each in arguments], node)

    def later(self, node: ast.expr) -> Callable[[], Number]:
        return lambda: self.value(node)

    def condition(self, node: ast.expr) -> Number | bool:
        match node:
            case ast.Compare(left=left, ops=[compare], comparators=[right]) if type(compare) in _COMPARISONS:
                return _COMPARISONS[type(compare)](self.value(left), self.value(right))
        return self.value(node)

    def argument(self, node: ast.expr) -> Number | list[Number]:
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(each) for each in node.elts]
        return self.value(node)

    def apply(
        self, row: Primitive, operands: Sequence[object], node: ast.expr, place: int | None = None
    ) -> Number:
        try:
            if row.arity is not None and any(isinstance(x, list) for x in operands):
                raise TypeError(f"{row.name}() takes numbers here, not lists")  # an expression has one value
            result: Number = row(*operands)
            return result
        except TypeError as error:
            raise self.error(f"{row.name}: {row.doc}" if row.arguments else str(error), node, place) from None
        except ExpressionError:  # from within a branch
            raise
        except (ArithmeticError, ValueError) as error:
            message = str(error)
            if not message.startswith(row.name):
                message = f"{row.name}: {message}"
            raise self.error(message, node, place) from None
