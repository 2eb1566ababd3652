"""An expression, as somebody typed it, to a graph: read by Python's own parser, run by the table alone.

`evaluate` knows numbers, the names it was given, ``+ - * / **``, brackets and the functions of the table;
there is no `eval`, no attribute and no other name, and every number is a float. What does not live here:
drawing (`pictures`), the command (`cli.py`).
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
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.rules import add, div, mul, neg, pow, sub
from autograd_lite.core.value import Value
from autograd_lite.notation.columns import width

LONGEST = 2_000  # characters: more is no expression that anyone looks at
_SHOWN = 72  # of these, as many are shown around a mistake

_OPERATORS: dict[type[ast.operator], tuple[str, Primitive]] = {
    ast.Add: ("+", add),
    ast.Sub: ("-", sub),
    ast.Mult: ("*", mul),
    ast.Div: ("/", div),
    ast.Pow: ("**", pow),
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}  # no names that the reader knows, but what to give them as
_ELSEWHERE = {"ln": "log"}  # what functions of the table are called elsewhere
_WHAT_IS = "numbers, the names given, + - * / **, brackets and functions of the table"


class ExpressionError(ValueError):
    """What is wrong with an expression: its ``message``, the ``text``, and the ``column`` in it, from 0.

    >>> print(ExpressionError("no function exq: did you mean exp?", "1 + exq(x)", 4))
    1 + exq(x)
        ^ no function exq: did you mean exp?
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
    """Return the Value of the expression `text`, in which each of `values` is a leaf of that name.

    Raises `ExpressionError`, which shows the place, for whatever is no expression, for a name or a function
    that there is not, and where an operation is outside of its domain or overflows.

    >>> loss = evaluate("log(1 + exp(-y*(w*x + b)))", {"w": 0.5, "x": 2.0, "b": 0.1, "y": 1.0})
    >>> loss
    Value(0.287...)
    >>> print(tree := evaluate("where(x > 0, log(x), 0)", {"x": 0.0}))
    Value(0.0)
    """
    return _Reader(text, values).run()


def unused(text: str, names: Iterable[str]) -> list[str]:
    """Those of `names` that are no operand anywhere in `text`, an expression that `evaluate` takes.

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
    """The name as Python has it, the same in all its spellings."""
    return unicodedata.normalize("NFKC", name)


def _parsed(text: str) -> ast.Expression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about text in it, which is refused anyway
        return ast.parse(text, mode="eval")


class _Reader:
    def __init__(self, text: str, values: Mapping[str, float]) -> None:
        self.text = _on_one_line(text)
        self.leaves = {_identifier(name): Value(x, name) for name, x in values.items()}
        if len(self.leaves) < len(values):
            names = Counter(map(_identifier, values))
            raise ValueError(f"{names.most_common(1)[0][0]} is given twice, in two spellings of one name")

    def run(self) -> Value:
        text = self.text
        if not text:
            raise ExpressionError("there is no expression", text, 0)
        for column, character in enumerate(text):
            if not character.isprintable():
                shown = "".join([c if c.isprintable() else "\ufffd" for c in text])
                raise ExpressionError(f"the character {character!a} has no meaning", shown, column)
            if character == "#":  # to Python all that follows would be a comment
                raise ExpressionError("the character '#' has no meaning", text, column)
        if len(text) > LONGEST:
            raise ExpressionError(f"{len(text):,} characters are too many, {LONGEST:,} at most", text, 0)
        try:
            result = self.value(_parsed(text).body)
        except SyntaxError as error:
            column = min(max((error.offset or 1) - 1, 0), len(text))
            raise ExpressionError(error.msg.partition("; ")[0], text, column) from None
        except (RecursionError, MemoryError):
            raise ExpressionError("this is nested too deeply", text, 0) from None
        return result if isinstance(result, Value) else Value(result)

    def error(self, message: str, node: ast.expr, column: int | None = None) -> ExpressionError:
        return ExpressionError(message, self.text, self.column(node.col_offset) if column is None else column)

    def column(self, offset: int) -> int:
        """The character at an offset, which the parser counts in bytes."""
        return len(self.text.encode()[:offset].decode())

    def value(self, node: ast.expr) -> Any:
        above = []
        while isinstance(node, ast.BinOp):  # a long sum is deep on its left, and no reason to recurse
            above.append(node)
            node = node.left
        result = self.operand(node)
        for node in reversed(above):
            result = self.binary(node, result, self.value(node.right))
        return result

    def operand(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                # An int stays one, for a label must be; it is a float as soon as an operation takes it.
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
                raise self.error(f"write the operands in their order, without {keyword.arg or '**'}=", node)
            case ast.Attribute(value=inner):
                dot = self.text.index(".", self.column(inner.end_col_offset or 0))
                raise self.error(f"there are no attributes, only {_WHAT_IS}", node, dot)
        raise self.error(f"only {_WHAT_IS} are read", node)

    def binary(self, node: ast.BinOp, left: Any, right: Any) -> Any:
        if type(node.op) not in _OPERATORS:
            hint = "a power is written **" if isinstance(node.op, ast.BitXor) else f"only {_WHAT_IS} are read"
            raise self.error(hint, node, self.column(node.left.end_col_offset or 0))
        symbol, row = _OPERATORS[type(node.op)]
        place = self.text.index(symbol, self.column(node.left.end_col_offset or 0))
        return self.apply(row, [left, right], node, place)

    def call(self, name: str, arguments: list[ast.expr], node: ast.expr) -> Any:
        row = TABLE.get(name)
        if row is None:
            near = [_ELSEWHERE[name]] if name in _ELSEWHERE else difflib.get_close_matches(name, TABLE, 1)
            near = near or [each for each in TABLE if each.startswith(name)][:1]
            hint = f": did you mean {near[0]}?" if near else ""
            raise self.error(f"no function {name}{hint}", node)
        if row.masks and len(arguments) == 3:  # what is not taken is not computed
            condition, *branches = arguments
            return self.apply(row, [self.condition(condition), *map(self.later, branches)], node)
        return self.apply(row, [self.argument(each) for each in arguments], node)

    def later(self, node: ast.expr) -> Callable[[], Any]:
        return lambda: self.value(node)

    def condition(self, node: ast.expr) -> Any:
        match node:
            case ast.Compare(left=left, ops=[compare], comparators=[right]) if type(compare) in _COMPARISONS:
                return _COMPARISONS[type(compare)](self.value(left), self.value(right))
        return self.value(node)

    def argument(self, node: ast.expr) -> Any:
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(each) for each in node.elts]
        return self.value(node)

    def apply(self, row: Primitive, operands: list[Any], node: ast.expr, place: int | None = None) -> Any:
        try:
            return row(*operands)
        except TypeError as error:
            usage = row.__doc__ if row.arguments else str(error)
            raise self.error(f"{row.name}: {usage}", node, place) from None
        except ExpressionError:  # of a branch
            raise
        except (ArithmeticError, ValueError) as error:
            message = str(error)
            if not message.startswith(row.name):
                message = f"{row.name}: {message}"
            raise self.error(message, node, place) from None
