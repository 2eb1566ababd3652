"""Arguments of the command: the parser that reports errors as `DataError`, and the types of arguments.

`command.py` assembles the parser from the commands, each of which has a module of its own.
"""

from __future__ import annotations

import argparse
import keyword
import math
import unicodedata
from itertools import islice
from typing import Any, NoReturn, TypeAlias

from autograd_lite.datasets import DataError

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # the object to which commands are added
OUTPUT, WRT = ("-o", "--output"), "--wrt"  # options of the commands that take an expression


class Help(argparse.HelpFormatter):
    """The layout of ``--help``: lines of a description stay lines, so that an example can be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join([super(Help, self)._fill_text(line, width, indent) for line in text.splitlines()])


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `DataError` instead of ending the process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": Help, **options})

    def error(self, message: str) -> NoReturn:
        """Raise `DataError` with the message and where to look for help."""
        raise DataError(f"{message} (see {self.prog} --help)")


def integer(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def count(text: str) -> int:
    """Return a whole number from 1."""
    number = integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def units(text: str) -> int:
    """Return a whole number from 0. A file name here was probably meant as DATA.csv."""
    try:
        number = integer(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; put the file name before --hidden") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def rate(text: str) -> float:
    """Return a positive finite number."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def identifier(name: str) -> str:
    """Return a name as Python reads it in the expression, where ﬁ is fi."""
    return unicodedata.normalize("NFKC", name.strip())


def assignment(text: str) -> tuple[str, float]:
    """Return the name and the number of ``w=0.5``."""
    name, equals, number = text.partition("=")
    name = identifier(name)
    if not equals or not name.isidentifier() or keyword.iskeyword(name):
        raise argparse.ArgumentTypeError(f"{text!r} does not give a name a value: write it as w=0.5")
    try:
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{number!r} is not a number, in {text!r}") from None


def takes_expression(command: argparse.ArgumentParser) -> None:
    """Add the arguments EXPRESSION and NAME=NUMBER to a command."""
    command.add_argument("expression", metavar="EXPRESSION", help='a formula as in Python, such as "w*x + b"')
    command.add_argument(
        "values",
        metavar="NAME=NUMBER",
        type=assignment,
        nargs="*",
        default=[],
        help="a value for each name in the expression",
    )


def options_first(argv: list[str]) -> list[str]:
    """Return the arguments with the options before the expression, so that they may stand anywhere.

    An expression such as ``-x*y`` looks like an option to the parser: it gets a space in front.
    """
    if argv[:1] not in (["draw"], ["explain"], ["table"]):
        return argv
    options, others, rest = [], [], iter(argv[1:])
    for text in rest:
        if text in (*OUTPUT, WRT):
            file = [*islice(rest, 1)]
            if not file:
                return argv
            options += [text, *file]
        elif text.startswith(("--output=", "--wrt=")) or text in ("-h", "--help", "--latex"):
            options.append(text)
        else:
            others.append(f" {text}" if text.startswith("-") else text)
    return [argv[0], *options, *others]
