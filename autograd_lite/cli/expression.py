"""The commands ``draw``, ``explain`` and ``table``: an expression, and how its gradient comes about."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path

from autograd_lite.cli.arguments import Commands, identifier, takes_expression
from autograd_lite.cli.terminal import one_line
from autograd_lite.core.value import Value, topological_order
from autograd_lite.datasets import DataError
from autograd_lite.datasets.table import file_errors
from autograd_lite.explain import explain, trace_table
from autograd_lite.files import check_writable, write_whole
from autograd_lite.notation.parser import evaluate, unused
from autograd_lite.pictures.dot import draw
from autograd_lite.pictures.live import live
from autograd_lite.pictures.player import play
from autograd_lite.pictures.tree import tree

EXAMPLE = '"sigmoid(w*x + b)" w=0.5 x=2 b=0.1'
FORMATS = (".svg", ".png", ".pdf", ".dot", ".html")


# --- draw ------------------------------------------------------------------------------------------


def add_draw(commands: Commands) -> None:
    """Add the command ``draw`` and its arguments."""
    command = commands.add_parser(
        "draw",
        help="draw an expression and its gradient",
        description="Print the expression as a tree with the value and the gradient of every node; bars show "
        "the sizes of the gradients on a log scale. With --output, write it as a picture, too. An expression "
        "has numbers, names, the operators + - * / **, parentheses and functions such as exp.",
        epilog=f"example:\n%(prog)s {EXAMPLE} -o loss.svg",
    )
    command.set_defaults(run=run_draw)
    takes_expression(command)
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="write the picture here: .svg, .png, .pdf, .dot (its Graphviz source) or .html (a player that "
        "shows every step)",
    )
    command.add_argument(
        "--live", action="store_true", help="make the .html page one on which the numbers can be dragged"
    )


def run_draw(arguments: Namespace) -> None:
    """Print the expression as a tree, and write its picture if ``--output`` names a file."""
    output: Path | None = arguments.output
    if arguments.live and (output is None or output.suffix.lower() != ".html"):
        raise DataError("--live makes a page: name its file with -o, ending in .html")
    if output is not None:
        if output.suffix.lower() not in FORMATS:
            raise DataError(f"{str(output)!r} does not end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
        with file_errors("write", output):
            check_writable(output, 4096)
    value = _differentiated(arguments)
    print(tree(value))
    if output is not None:
        try:
            content = _picture(value, output.suffix.lower(), arguments.live)
        except (RuntimeError, ValueError) as error:  # without Graphviz the tree is all there is
            raise DataError(error) from None
        with file_errors("write", output):
            write_whole(output, content)
        print(f"\nsaved {one_line(output)}")


def _picture(value: Value, suffix: str, is_live: bool) -> bytes:
    """Return the content of a picture file."""
    if suffix == ".html":
        return (live(value) if is_live else play(value)).html.encode()
    picture = draw(value)
    content: bytes = picture.source.encode() if suffix == ".dot" else picture.pipe(suffix[1:])
    return content


# --- explain ---------------------------------------------------------------------------------------


def add_explain(commands: Commands) -> None:
    """Add the command ``explain`` and its arguments."""
    command = commands.add_parser(
        "explain",
        help="explain one derivative of an expression",
        description="Print the chain rule from the expression down to one of its names, in symbols, formulas "
        "and numbers.",
        epilog=f"example:\n%(prog)s {EXAMPLE} --wrt w",
    )
    command.set_defaults(run=run_explain)
    takes_expression(command)
    command.add_argument(
        "--wrt",
        metavar="NAME",
        type=identifier,
        help="differentiate with respect to this name (default: the only name in the expression)",
    )
    command.add_argument("--latex", action="store_true", help="print LaTeX")


def run_explain(arguments: Namespace) -> None:
    """Print the chain rule from the expression to the name ``--wrt``."""
    value = _differentiated(arguments)
    leaves = [node for node in topological_order(value) if node.primitive is None]
    named = {node.label: node for node in leaves if node.label}
    names, wrt = ", ".join(named) or "only numbers", arguments.wrt
    if wrt is None:
        if len(named) != 1:
            raise DataError(f"explain needs --wrt with one name of the expression, which has {names}")
        (wrt,) = named
    if wrt not in named:
        raise DataError(f"the expression has no name {wrt!r}: it has {names}")
    explanation = explain(value, named[wrt])
    print(explanation.latex if arguments.latex else explanation)


# --- table -----------------------------------------------------------------------------------------


def add_table(commands: Commands) -> None:
    """Add the command ``table`` and its arguments."""
    command = commands.add_parser(
        "table",
        help="print the values and the adjoints of an expression side by side",
        description="Print the evaluation trace of the expression (Wengert list): each node with its formula "
        "and value, and beside it the formula and value of its adjoint, which is its gradient.",
        epilog=f"example:\n%(prog)s {EXAMPLE}",
    )
    command.set_defaults(run=run_table)
    takes_expression(command)


def run_table(arguments: Namespace) -> None:
    """Print the trace of the expression with its adjoints."""
    print(trace_table(_differentiated(arguments)))


# --- The expression --------------------------------------------------------------------------------


def _differentiated(arguments: Namespace) -> Value:
    """Return the value of the expression, after its backward pass."""
    values = dict(arguments.values)
    if len(values) < len(arguments.values):
        names = Counter([name for name, _ in arguments.values])
        raise DataError(f"{names.most_common(1)[0][0]} is given twice")
    value = evaluate(arguments.expression, values)
    if odd := unused(arguments.expression, values):
        raise DataError(f"{', '.join(odd)} {'is' if len(odd) == 1 else 'are'} not in the expression")
    value.backward()
    return value
