"""Arguments of the command: the parser that reports errors as `DataError`, and the types of arguments.

`command.py` assembles the parser from the commands, each of which has a module of its own.
"""

from __future__ import annotations

import argparse
import difflib
import keyword
import math
import re
import unicodedata
from collections.abc import Mapping
from itertools import islice
from typing import Any, NoReturn, TypeAlias

from autograd_lite.datasets import DataError

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # the object to which commands are added
EXPRESSIONS = ("draw", "explain", "table")  # the commands that take an expression


class Help(argparse.HelpFormatter):
    """The layout of ``--help``: lines of a description stay lines, so that an example can be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join([super(Help, self)._fill_text(line, width, indent) for line in text.splitlines()])


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `DataError` instead of ending the process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": Help, "allow_abbrev": False, **options})

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


def natural(text: str) -> int:
    """Return a whole number from 0."""
    number = integer(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def units(text: str) -> int:
    """Return a whole number from 0. A file name here was probably meant as DATA.csv."""
    try:
        integer(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; put the file name before --hidden") from None
    return natural(text)


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


def options_first(argv: list[str], commands: Mapping[str, argparse.ArgumentParser]) -> list[str]:
    """Return the arguments with the options before the expression, so that they may stand anywhere.

    An expression such as ``-x*y`` looks like an option to the parser: it gets a space in front. Raises
    `DataError`, with the closest name, for an option that the command does not have.
    """
    if not argv or argv[0] not in commands:
        return argv
    name, actions = argv[0], commands[argv[0]]._option_string_actions
    options, others, rest = [], [], iter(argv[1:])
    for text in rest:
        action = actions.get(text.partition("=")[0] if text.startswith("--") else text)
        if action is None:
            others.append(text)
            continue
        options.append(text)
        if action.nargs is None and "=" not in text:
            value = [*islice(rest, 1)]
            if not value:
                return argv  # the parser says what is missing
            options += value
    unknown = [text for text in others if re.fullmatch(r"--?[A-Za-z][\w-]*(=.*)?", text, re.DOTALL)]
    if name in EXPRESSIONS:
        # A text such as -x is the expression if no other text can be.
        formulas = [text for text in others if "=" not in text and text not in unknown]
        formulas = formulas or [text for text in unknown if "=" not in text]
        if formulas:
            others.remove(formulas[0])
            others.insert(0, formulas[0])
            unknown = [text for text in unknown if text != formulas[0]]
    if unknown:
        option = unknown[0].partition("=")[0]
        closest = difflib.get_close_matches(option, actions, n=1, cutoff=0.7)
        hint = f": did you mean {closest[0]}?" if closest else ""
        raise DataError(f"{name} has no option {option}{hint} (see {commands[name].prog} --help)")
    if name not in EXPRESSIONS:
        return argv
    return [name, *options, *[f" {text}" if text.startswith("-") else text for text in others]]
