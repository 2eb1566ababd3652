"""The command as a whole: `main`, which runs one of the commands, and the parser of its arguments.

Mistakes of the user arrive here: a `DataError` is printed as one line, an `ExpressionError` under the
expression. Next door: `train.py`, `predict.py`, `gpt.py` and `expression.py` are the commands.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TextIO, cast

from autograd_lite import interrupt
from autograd_lite.cli import expression, gpt, predict, train
from autograd_lite.cli.arguments import Commands, Parser, options_first
from autograd_lite.cli.terminal import PROGRAM, Outlet, say, show_mark
from autograd_lite.datasets import DataError
from autograd_lite.notation.parser import ExpressionError
from autograd_lite.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments `argv` (None: those of the process) and return its exit code.

    - 0: the work is done
    - 2: a mistake in the arguments or in a file. One line on stderr says what is wrong; a mistake in an
      expression is marked below it. No file is written.
    - 130: Ctrl-C
    - 141: the reader of stdout has left; 2 if stdout cannot be written for another reason. A closed or full
      stdout or stderr does not stop the work.
    """
    interrupt.release()
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of classes may be beyond what a terminal can write
        sys.stdout.reconfigure(errors="backslashreplace")
    output, errors = Outlet(sys.stdout), Outlet(sys.stderr)
    with redirect_stdout(cast(TextIO, output)), redirect_stderr(cast(TextIO, errors)):
        try:
            code = _run(argv)
        except SystemExit:  # --help and --version have been printed
            output.flush()
            if output.failure is None:
                raise
            code = 0
        except KeyboardInterrupt:
            say("interrupted")
            code = 130
        output.flush()
        if output.failure is not None and code == 0:
            if isinstance(output.failure, BrokenPipeError):  # the reader (head, less) has seen enough
                code = 141
            else:
                say(f"cannot write the output: {output.failure.strerror}")
                code = 2
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        top, commands = parsers()
        given = sys.argv[1:] if argv is None else [*argv]
        if not given:
            top.print_help()
            return 0
        arguments = top.parse_args(options_first(given, commands.choices))
        arguments.run(arguments)
    except DataError as error:
        say(error)
        return 2
    except ExpressionError as error:
        show_mark(*str(error).split("\n"))
        return 2
    except MemoryError:
        say("there is not enough memory for this: give it less data, or a smaller network")
        return 2
    return 0


def parsers() -> tuple[Parser, Commands]:
    """Return the parser and its commands; what it returns has the function ``run`` of the command chosen."""
    top = Parser(
        PROGRAM,
        description="Train a small neural network on a CSV file and predict with it. Train a small language "
        "model on a text. Draw and explain the gradient of an expression.",
        epilog=f"More about a command: {PROGRAM} COMMAND --help",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    train.add_to(commands)
    predict.add_to(commands)
    gpt.add_to(commands)
    expression.add_draw(commands)
    expression.add_explain(commands)
    expression.add_table(commands)
    return top, commands
