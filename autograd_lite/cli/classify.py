"""The command: ``autograd-lite train``, ``predict`` and ``draw``, what they print, and the model file.

What does not live here: reading and encoding tables (`datasets/table.py`), networks (`nn.py`), training
(`optim.py`), expressions (`expressions.py`), pictures and the report (`pictures`). What the user can mend is
a `DataError`, printed as one line, or an `ExpressionError`, printed under the expression.
"""

from __future__ import annotations

import argparse
import csv
import errno
import importlib.util
import io
import keyword
import math
import operator
import os
import sys
import tempfile
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NoReturn

from autograd_lite import interrupt
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.rules import sigmoid
from autograd_lite.core.value import Value, topological_order
from autograd_lite.datasets import DataError, penguins, read_csv
from autograd_lite.datasets.table import (
    GREATEST,
    LEAST,
    Category,
    Input,
    Number,
    Part,
    Problem,
    classification,
    default_target,
    encode,
    missing,
)
from autograd_lite.explain import explain, trace_table
from autograd_lite.files import check_writable, write_whole
from autograd_lite.nn.files import as_json, read_json, write_json
from autograd_lite.nn.layers import ACTIVATIONS, MLP
from autograd_lite.nn.losses import cross_entropy, log_loss_from_scores, softmax
from autograd_lite.notation.parser import ExpressionError, evaluate, unused
from autograd_lite.pictures.dot import draw
from autograd_lite.pictures.player import play
from autograd_lite.pictures.plots import NO_MATPLOTLIB
from autograd_lite.pictures.report import report
from autograd_lite.pictures.tree import tree
from autograd_lite.train.optimizers import GradientDescent, History, fit
from autograd_lite.version import __version__

PROGRAM = "autograd-lite"
FORMAT = f"{PROGRAM} classifier 1"
REPORT = "report.html"
Measures = tuple[float, list[tuple[int, int]]]  # a loss, the true and the predicted class of each row
LARGEST = 2_000_000  # parameters of a network: half a gigabyte
WIDTH = 79  # some terminals wrap a line that is as long as they are wide


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments `argv` (None: those of the process) and return its exit code.

    0: done. 2: something the user can mend, said in one line on stderr, and no file written; of an expression
    with the place, marked below it. 130: Ctrl-C. A closed or full stdout or stderr stops no work: the exit
    code is 141 if the reader of stdout has left, 2 if it cannot be written for another reason.
    """
    interrupt.release()
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of classes may be beyond what a terminal can write
        sys.stdout.reconfigure(errors="backslashreplace")
    output: Any = _Outlet(sys.stdout)
    errors: Any = _Outlet(sys.stderr)
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            code = _run(argv)
        except SystemExit:  # --help and --version have been printed
            output.flush()
            if output.failure is None:
                raise
            code = 0
        except KeyboardInterrupt:
            _say("interrupted")
            code = 130
        output.flush()
        if output.failure is not None and code == 0:
            if isinstance(
                output.failure, BrokenPipeError
            ):  # who read the output (head, less) has seen enough
                code = 141
            else:
                _say(f"cannot write the output: {output.failure.strerror}")
                code = 2
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(_with_expression(sys.argv[1:] if argv is None else [*argv]))
        arguments.run(arguments)
    except DataError as error:
        _say(error)
        return 2
    except ExpressionError as error:
        expression, place = str(error).split("\n")
        print(f"{PROGRAM}: {expression}\n{' ' * len(PROGRAM)}  {_bounded(place)}", file=sys.stderr)
        return 2
    except MemoryError:
        _say("there is not enough memory for this: give it less data, or a smaller network")
        return 2
    return 0


class _Outlet:
    """A stream that remembers why it cannot be written and then writes nowhere, so that the work goes on."""

    def __init__(self, stream: Any) -> None:
        self.failure: OSError | None = None
        if stream is None:  # it was closed before Python started
            self.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
        self._stream = stream

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.failure = error
            with open(os.devnull, "wb") as nowhere:  # where what is still buffered goes
                os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _say(message: object) -> None:
    print(f"{PROGRAM}: {_bounded(_line(message))}", file=sys.stderr)


def _bounded(message: str) -> str:
    """`message` without its middle if it is long: a file or an argument may have names of any length."""
    return message if len(message) <= 500 else f"{message[:300]} … {message[-190:]}"


def _line(text: object) -> str:
    """`text` on one line, and without characters that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(text).split()))


def _name(text: str) -> str:
    """A name from a file as it is printed: on one line, and not too long for it."""
    line = _line(text)
    return line if len(line) <= 30 else line[:29] + "…"


# --- Arguments -------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise DataError(f"{message} ({self.prog} --help explains)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        PROGRAM,
        description="Train a small neural network on a CSV file, number by number, and predict with it; "
        "draw the gradient of an expression.",
        epilog=f"'{PROGRAM} COMMAND --help' explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    train = commands.add_parser(
        "train",
        help="learn to tell classes apart from the rows of a CSV file",
        description="Learn to predict a column of classes from the other columns of a CSV file: numbers are "
        "standardised, texts become one-hot inputs. A fifth of the rows is held out to measure by. Without "
        "hidden layers two classes make a logistic regression; otherwise the scores go through a softmax.",
        epilog="example: %(prog)s flowers.csv --target kind --hidden 8 8 --save model.json",
    )
    train.set_defaults(run=_train)
    train.add_argument(
        "data",
        nargs="?",
        metavar="DATA.csv",
        type=Path,
        help="a CSV file in UTF-8 with a header; commas, semicolons, tabs or bars between fields "
        "(default: the Palmer penguins that come with the package)",
    )
    train.add_argument(
        "--target",
        metavar="COLUMN",
        help="the column to predict (default: one called target, class, label or species, else the last)",
    )
    train.add_argument(
        "--hidden",
        metavar="UNITS",
        type=_units,
        nargs="+",
        default=[8],
        help="units of each hidden layer; 0 for none (default: 8)",
    )
    activations = [name for name in ACTIVATIONS if name != "linear"]
    train.add_argument(
        "--activation",
        metavar="NAME",
        choices=activations,
        default="tanh",
        help=f"of the hidden units: {', '.join(activations)} (default: tanh)",
    )
    train.add_argument(
        "--epochs", metavar="N", type=_count, default=40, help="passes over the training part (default: 40)"
    )
    train.add_argument(
        "--lr", metavar="RATE", type=_rate, default=0.1, help="step size of gradient descent (default: 0.1)"
    )
    train.add_argument(
        "--batch-size", metavar="ROWS", type=_count, default=16, help="rows in a step (default: 16)"
    )
    train.add_argument(
        "--seed",
        metavar="N",
        type=_integer,
        default=0,
        help="of the split, the first weights and the order of the rows (default: 0)",
    )
    train.add_argument("--save", metavar="MODEL.json", type=Path, help="write the trained model here")
    train.add_argument(
        "--report",
        metavar="DIR",
        type=Path,
        help="write report.html into this folder: loss curve, confusion matrix, gradient by layer, and the "
        "network's graph on one example",
    )
    train.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar on stderr"
    )

    predict = commands.add_parser(
        "predict",
        help="predict the class of each row of a CSV file",
        description="Print the predicted class and the probability of each class as CSV, one line for each "
        "row of DATA.csv. Rows with missing fields get an empty prediction. If DATA.csv has the target "
        "column too, stderr says how many predictions are right.",
        epilog="example: %(prog)s model.json new.csv > predictions.csv",
    )
    predict.set_defaults(run=_predict)
    predict.add_argument("model", metavar="MODEL.json", type=Path, help="what 'train --save' wrote")
    predict.add_argument("data", metavar="DATA.csv", type=Path, help="the rows, with the columns of training")

    drawing = commands.add_parser(
        "draw",
        help="draw an expression and its gradient",
        description="Print the expression as a tree with the gradient of every value in it, and write the "
        "picture of that. An expression has numbers, names, + - * / **, brackets and the table's functions.",
        epilog='example: %(prog)s "log(1 + exp(-y*(w*x + b)))" w=0.5 x=2 b=0.1 y=1 -o loss.svg',
    )
    drawing.set_defaults(run=_draw)
    _takes_expression(drawing)
    drawing.add_argument(
        *_OUTPUT,
        metavar="FILE",
        type=Path,
        help="the picture, as its name ends: .svg or .png, .dot for its source, .html for the player",
    )

    explaining = commands.add_parser(
        "explain",
        help="explain one derivative of an expression",
        description="Print the chain rule from the expression to one name in it: symbols, formulas, numbers.",
        epilog='example: %(prog)s "log(1 + exp(-y*(w*x + b)))" w=0.5 x=2 b=0.1 y=1 --wrt w',
    )
    explaining.set_defaults(run=_explain)
    _takes_expression(explaining)
    explaining.add_argument(
        _WRT, metavar="NAME", type=_identifier, required=True, help="the name to differentiate by"
    )
    explaining.add_argument("--latex", action="store_true", help="print LaTeX")

    table = commands.add_parser(
        "table",
        help="print the values and the adjoints of an expression side by side",
        description="Print the Wengert list of the expression: each step forward, and its adjoint.",
        epilog='example: %(prog)s "log(1 + exp(-y*(w*x + b)))" w=0.5 x=2 b=0.1 y=1',
    )
    table.set_defaults(run=_table)
    _takes_expression(table)
    return parser


def _takes_expression(command: argparse.ArgumentParser) -> None:
    command.add_argument("expression", metavar="EXPRESSION", help='as in Python: "w*x + b"')
    command.add_argument(
        "values", metavar="NAME=NUMBER", type=_assignment, nargs="*", help="the value of each name in it"
    )


_OUTPUT, _WRT = ("-o", "--output"), "--wrt"


def _with_expression(argv: list[str]) -> list[str]:
    """The arguments, the options before the expression, and a space before ``-x*y``, which is none."""
    if argv[:1] not in (["draw"], ["explain"], ["table"]):
        return argv
    options, others, rest = [], [], iter(argv[1:])
    for text in rest:
        if text in (*_OUTPUT, _WRT):
            file = [*islice(rest, 1)]
            if not file:
                return argv
            options += [text, *file]
        elif text.startswith(("--output=", "--wrt=")) or text in ("-h", "--help", "--latex"):
            options.append(text)
        else:
            others.append(f" {text}" if text.startswith("-") else text)
    return [argv[0], *options, *others]


def _assignment(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    name = _identifier(name)
    if not equals or not name.isidentifier() or keyword.iskeyword(name):
        raise argparse.ArgumentTypeError(f"{text!r} gives no name a value: write it as w=0.5")
    try:
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{number!r} is no number, in {text!r}") from None


def _identifier(name: str) -> str:
    """A name as Python reads it in the expression, where ﬁ is fi."""
    return unicodedata.normalize("NFKC", name.strip())


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _count(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def _units(text: str) -> int:
    try:
        number = _integer(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; a file's name goes before --hidden") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return number


# --- The model and its file ------------------------------------------------------------------------


@dataclass
class Classifier:
    """A network with what leads to it and from it: how inputs are encoded, what the classes are called."""

    target: str
    classes: list[str]
    inputs: list[Input]
    network: MLP

    def scores(self, x: Sequence[float | Value]) -> list[Any]:
        """The scores of an encoded row: one for each class, or one alone in a logistic regression."""
        out = self.network(x)
        return out if isinstance(out, list) else [out]

    def loss(self, scores: list[Any], label: int) -> Any:
        """−log of the probability of the class `label` (001.1; 000.3 for one score)."""
        return cross_entropy(scores, label) if len(scores) > 1 else log_loss_from_scores(scores[0], label)

    def probabilities(self, x: list[float]) -> list[float]:
        """The probability of each class for an encoded row."""
        with no_grad():
            return _probabilities([score.data for score in self.scores(x)])

    @property
    def document(self) -> dict[str, Any]:
        """All of it, as a model file has it."""
        return {
            "format": FORMAT,
            "target": self.target,
            "classes": self.classes,
            "inputs": [asdict(column) for column in self.inputs],
            "architecture": self.network.architecture,
            "parameters": self.network.state_dict(),
        }

    def save(self, path: Path) -> None:
        """Write all of it to a JSON file; `DataError` if it cannot be written."""
        try:
            write_json(path, self.document)
        except OSError as error:
            raise DataError(f"cannot write {str(path)!r}: {error.strerror}") from None

    def check(self) -> None:
        """Raise `ValueError` if this cannot be what `train` makes, whatever the table it is used on."""
        names = [column.name for column in self.inputs]
        _distinct([self.target, *names], "the target and the inputs")
        _distinct(self.classes, "the classes")
        if len(self.classes) < 2:
            raise ValueError(f"there must be two classes or more, got {self.classes}")
        for column in self.inputs:
            if isinstance(column, Category):
                if not column.texts:
                    raise ValueError(f"the input {column.name!r:.60} has no texts")
                _distinct(column.texts, f"the texts of input {column.name!r:.60}")
            elif not (abs(column.mean) <= GREATEST and LEAST <= column.scale <= GREATEST):
                raise ValueError(
                    f"input {column.name!r:.60} has the mean {column.mean:g} and the scale {column.scale:g}: "
                    f"no column of numbers below {GREATEST:g} standardises so"
                )
        for name, weight in self.network.state_dict().items():
            if not abs(weight) <= GREATEST:
                raise ValueError(f"the parameter {name} is {weight:g}, beyond ±{GREATEST:g}")
        shape = self.network.architecture
        if shape is None or shape["output"] != "linear" or shape["activation"] not in ACTIVATIONS:
            raise ValueError("the network is not one that 'train' builds")
        if len(self.probabilities([0.0] * _width(self.inputs))) != len(self.classes):
            raise ValueError(f"the network does not have {len(self.classes)} classes")

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what `save` wrote; `DataError` if the file cannot be read, is no such file or is damaged."""
        try:
            document = read_json(path)
        except OSError as error:
            raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from None
        except ValueError as error:
            raise DataError(error) from None
        if document.get("format") != FORMAT:
            raise DataError(f"{path} is no model that '{PROGRAM} train --save' wrote")
        for part, (kind, expected) in _PARTS.items():
            if part not in document:
                raise DataError(f"{path} is damaged: it has no {part!r}")
            if not isinstance(document[part], kind):
                raise DataError(f"{path} is damaged: {part!r} must be {expected}, got {document[part]!r:.40}")
        try:
            network = MLP.from_document(document, path)
        except ValueError as error:
            raise DataError(error) from None
        try:
            classes = _texts(document["classes"], "'classes'")
            model = cls(document["target"], classes, [*map(_input, document["inputs"])], network)
            model.check()
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DataError(f"{path} is damaged: {error}") from None
        return model


def _probabilities(scores: list[float]) -> list[float]:
    """Softmax of the scores; of one alone, the probability that it is the second class is σ (000.2)."""
    if not all(map(math.isfinite, scores)):
        raise OverflowError(f"a score is {next(s for s in scores if not math.isfinite(s))}")
    return softmax(scores) if len(scores) > 1 else [sigmoid(-scores[0]), sigmoid(scores[0])]


def _width(inputs: Iterable[Input]) -> int:
    return sum(column.width for column in inputs)


_PARTS: dict[str, tuple[type, str]] = {  # of a model file, after its format
    "target": (str, "a text"),
    "classes": (list, "a list"),
    "inputs": (list, "a list"),
    "architecture": (dict, "an object"),
    "parameters": (dict, "an object"),
}


def _input(entry: Any) -> Input:
    """The input column that an entry of a model file describes."""
    match entry:
        case {"name": str(name), "texts": texts, **others} if not others:
            return Category(name, _texts(texts, f"the texts of input {name!r}"))
        case {"name": str(name), "mean": mean, "scale": scale, **others} if not others:
            return Number(name, real(mean, "a mean"), real(scale, "a scale"))
    raise ValueError(f"{entry!r:.60} describes no input")


def _texts(entry: Any, what: str) -> list[str]:
    if not (isinstance(entry, list) and all(isinstance(text, str) for text in entry)):
        raise ValueError(f"{what} must be a list of texts, got {entry!r:.40}")
    return entry


def _distinct(texts: Sequence[str], what: str) -> None:
    """Raise `ValueError` unless `texts` are names that a table can have, each once."""
    for text, count in Counter(texts).items():
        if count > 1:
            raise ValueError(f"{text!r:.60} stands {count} times among {what}")
        if not text or any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in text):
            raise ValueError(f"{text!r:.60} among {what} is not a text that a table can hold")


def _check_writable(path: Path, size: int = 4096) -> None:
    """Raise `DataError` now, before the work, if `size` bytes cannot be written to `path` after it."""
    try:
        check_writable(path, size)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror}") from None


# --- train -----------------------------------------------------------------------------------------


def _train(arguments: argparse.Namespace) -> None:
    hidden = [] if arguments.hidden == [0] else arguments.hidden
    if 0 in hidden:
        raise DataError("--hidden 0 means no hidden layer, so no other number goes with it")
    _check_apart(arguments)
    table = penguins() if arguments.data is None else read_csv(arguments.data)
    target = default_target(table) if arguments.target is None else arguments.target
    problem = classification(table, target, arguments.seed)
    outputs = 1 if not hidden and len(problem.classes) == 2 else len(problem.classes)
    width = _width(problem.inputs)
    count = sum((n + 1) * m for n, m in pairwise([width, *hidden, outputs]))
    if count > LARGEST:
        raise DataError(
            f"a network of {count:,} parameters is too large, {LARGEST:,} are the most: "
            "choose fewer --hidden units, or fewer columns"
        )
    network = MLP(width, [*hidden, outputs], arguments.activation, rng=arguments.seed)
    model = Classifier(target, problem.classes, problem.inputs, network)
    if arguments.save is not None:
        _check_writable(arguments.save, 2 * len(as_json(model.document)))
    if arguments.report is not None:
        _check_reportable(arguments.report)

    print(f"{_line(table.source)}: {len(table.rows)} rows, {len(table.names)} columns")
    _print_problem(problem)
    layers = [f"{width} input" + "s" * (width > 1), *[f"{units} {arguments.activation}" for units in hidden]]
    layers.append("1 sigmoid (logistic regression)" if outputs == 1 else f"{outputs} softmax")
    _item("network", f"{', '.join(layers)}: {len(network.parameters())} parameters")
    print(flush=True)

    diverged = DataError(f"the training diverged: choose an --lr below {arguments.lr}")
    try:
        history = fit(
            model.scores,
            *zip(*problem.training, strict=True),
            loss=model.loss,
            optimizer=GradientDescent(network.parameters(), arguments.lr),
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            seed=arguments.seed,
            progress=arguments.progress,
            compiled=True,  # a network of nn's neurons, and a loss of losses
            validation=_columns(problem.held_out) if arguments.report and problem.held_out else None,
        )
        model.check()
    except (ArithmeticError, ValueError):
        raise diverged from None
    try:
        training, held_out = _measured(model, problem.training), _measured(model, problem.held_out)
        difference, largest = gradient_check(model, problem.training)
    except (ArithmeticError, ValueError):
        raise diverged from None
    except KeyboardInterrupt:  # the training is done, and is kept
        _save(model, arguments.save)
        raise
    _save(model, arguments.save)

    _print_measures(problem.classes, training, held_out)
    milliseconds = 1e3 * history.seconds / history.steps
    rows = min(arguments.batch_size, len(problem.training))
    steps = f"the mean of {history.steps} steps, run as {history.form}"
    _item("step", f"{milliseconds:.2f} ms for {rows} rows, {steps}")
    _item(
        "gradient",
        f"engine and closed form of document {'000' if outputs == 1 else '001'} differ by at most "
        f"{difference:.1e} (largest entry {largest:.1e})",
    )
    if arguments.save is not None:
        _item("saved", _line(arguments.save))
    if arguments.report is not None:
        _write_report(arguments.report, model, problem, history, held_out if held_out[1] else training)
        _item("report", _line(arguments.report / REPORT))


def _check_apart(arguments: argparse.Namespace) -> None:
    """Raise `DataError` if a file that is to be written is one that is read, or two are one."""
    save, report = [path and Path(os.path.realpath(path)) for path in (arguments.save, arguments.report)]
    page = report and report / REPORT
    if save and report and save in (page, report, *report.parents):
        raise DataError("--save and --report name the same place: choose another for one of them")
    data = arguments.data
    for option, path in ("--save", save), ("--report", page):
        if path and data and path.exists() and data.exists() and path.samefile(data):
            raise DataError(f"{option} would overwrite {str(data)!r}, the data: choose another place")


def _save(model: Classifier, path: Path | None) -> None:
    """Save the model where asked to, else in a temporary folder: no training is lost for want of a place."""
    if path is None:
        return
    try:
        model.save(path)
    except DataError as error:
        folder = Path(tempfile.mkdtemp(prefix=f"{PROGRAM}-"))
        try:
            model.save(folder / "model.json")
        except DataError:
            folder.rmdir()
            raise error from None
        raise DataError(f"{error}; the model is saved in {str(folder / 'model.json')!r}") from None


def _columns(part: Part) -> tuple[list[list[float]], list[int]]:
    return [x for x, _ in part], [label for _, label in part]


def _check_reportable(folder: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise DataError(NO_MATPLOTLIB)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {str(folder)!r}: {error.strerror}") from None
    _check_writable(folder / REPORT, 2**20)


def _write_report(
    folder: Path, model: Classifier, problem: Problem, history: History, measures: Measures
) -> None:
    """Write the report; the parameters have the gradients of the loss over the whole training part."""
    x, label = (problem.held_out or problem.training)[0]

    def example() -> Value:
        model.network.zero_grad()
        names = [name for column in problem.inputs for name in _names(column)]
        inputs = [Value(number, name) for number, name in zip(x, names, strict=True)]
        loss = model.loss(model.scores(inputs), label)
        loss.label = "loss"
        loss.backward()
        return loss  # type: ignore[no-any-return]

    loss, pairs = measures
    right = sum(true == predicted for true, predicted in pairs)
    facts = [
        ("network", f"{model.network!r}"),
        ("from", _some([_line(column.name) for column in problem.inputs])),
        ("rows", f"{len(problem.training)} to train on, {len(problem.held_out)} held out"),
        ("held out" if problem.held_out else "training", f"loss {loss:.4g}, {right} of {len(pairs)} right"),
        ("example", f"a row whose {problem.target} is {problem.classes[label]}"),
    ]
    page = report(
        f"Training to predict {problem.target}",
        facts,
        history,
        problem.classes,
        pairs,
        model.network,
        example,
    )
    _write(folder / REPORT, page.encode())


def _names(column: Input) -> list[str]:
    """The names of a column's inputs to the network."""
    if isinstance(column, Category):
        return [f"{column.name}={text}" for text in column.texts]
    return [column.name]


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror}") from None


def _item(head: str, text: str) -> None:
    lines = textwrap.wrap(text, WIDTH, initial_indent=f"  {head:<10}", subsequent_indent=" " * 12)
    print("\n".join(lines))


def _print_problem(problem: Problem) -> None:
    _item("predicts", f"{_name(problem.target)}: {_some(list(map(_name, problem.classes)))}")
    shown = [
        _name(column.name) + (f" ({column.width} texts)" if isinstance(column, Category) else "")
        for column in problem.inputs
    ]
    _item("from", _some(shown))
    for name, reason in problem.omitted.items():
        _item("left out", f"column {_name(name)}: {_bounded(_line(reason))}")
    if problem.incomplete:
        _item("left out", f"{problem.incomplete} rows with missing fields: {_counted(problem.absent)}")
    _item("rows", f"{len(problem.training)} to train on, {len(problem.held_out)} held out")


def _some(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _counted(absent: dict[str, int]) -> str:
    return _some([f"{_name(name)} {count}" for name, count in absent.items()])


def _measured(model: Classifier, part: Part) -> Measures:
    """The mean loss over some rows, and the true and the predicted class of each."""
    losses, pairs = [], []
    for x, label in part:
        with no_grad():
            scores = model.scores(x)
            losses.append(model.loss(scores, label).data)
        p = _probabilities([score.data for score in scores])
        pairs.append((label, p.index(max(p))))
    return math.fsum(losses) / max(1, len(part)), pairs


def _print_measures(classes: list[str], training: Measures, held_out: Measures) -> None:
    print(f"  {'':<10}{'rows':>8}{'loss':>12}{'accuracy':>10}")
    for name, (loss, pairs) in ("training", training), ("held out", held_out):
        if pairs:
            accuracy = sum(label == predicted for label, predicted in pairs) / len(pairs)
            print(f"  {name:<10}{len(pairs):>8}{loss:>12.4g}{accuracy:>10.4f}")
            shown = name, pairs
    name, pairs = shown  # the held-out part, unless there is none
    heading, *lines = confusion(classes, pairs)
    print(f"\n  {name}: {heading}", *lines, "", sep="\n")


def confusion(classes: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """A heading, and the lines of a matrix that counts the (true, predicted) pairs of class numbers.

    Columns are headed by numbers where the names would not fit a terminal; where those do not fit either,
    the ten most frequent mistakes are listed.

    >>> print(*confusion(["cat", "dog"], [(0, 0), (0, 1), (1, 1), (1, 1)]), sep="\\n")
    a row for each true class, a column for each predicted one
           cat  dog
      cat    1    1
      dog    0    2
    """
    counts = Counter(pairs)
    names = [*map(_name, classes)]
    numbers = [str(number) for number in range(1, len(names) + 1)]
    numbered = [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    for rows, heads in (names, names), (numbered, numbers):
        margin = max(map(len, rows))
        widths = [max(len(head), len(str(max(counts.values())))) + 2 for head in heads]
        if 2 + margin + sum(widths) <= WIDTH:
            cells = [heads, *[[str(counts[i, j]) for j in range(len(rows))] for i in range(len(rows))]]
            return [
                "a row for each true class, a column for each predicted one",
                *(
                    f"  {row:<{margin}}" + "".join(map(str.rjust, line, widths))
                    for row, line in zip(["", *rows], cells, strict=True)
                ),
            ]
    mistakes = Counter({pair: count for pair, count in counts.items() if pair[0] != pair[1]})
    listed = [f"  {names[i]} taken for {names[j]}: {count}" for (i, j), count in mistakes.most_common(10)]
    return [f"the most frequent of {mistakes.total()} mistakes", *listed]


# --- The engine against the documents --------------------------------------------------------------


def gradient_check(model: Classifier, part: Part) -> tuple[float, float]:
    """How far the engine's gradient of the summed loss is from the closed form, and its largest entry.

    Both are largest magnitudes over all weights and biases. The gradients stay in the parameters' ``grad``.
    """
    model.network.zero_grad()
    with collector_paused():
        for x, label in part:
            model.loss(model.scores(x), label).backward()
    engine = [parameter.grad or 0.0 for parameter in model.network.parameters()]
    exact = closed_form(model.network, part)
    return max(map(abs, map(operator.sub, engine, exact))), max(map(abs, exact))


def closed_form(network: MLP, part: Part) -> list[float]:
    """The derivatives of the summed loss, in the order of the network's parameters.

    Written out in plain arithmetic, as a check on the engine. At the scores G = P − onehot(y) (001.5), for
    one score alone ȳ − y (000.9). In each layer, X being what it is fed, dW = G Xᵀ (001.8) and db = G 1
    (001.2); the layer below has G = (Wᵀ G) ⊙ φ′(Y) (001.11, to any depth 001.13). φ′ is a row of the table.
    """
    W = [[[w.data for w in neuron.w] for neuron in layer.neurons] for layer in network.layers]
    b = [[0.0 if neuron.b is None else neuron.b.data for neuron in layer.neurons] for layer in network.layers]
    gradient = [[[0.0] * (len(row) + 1) for row in rows] for rows in W]
    for x, label in part:
        X, slopes = [x], []
        for layer, rows, biases in zip(network.layers, W, b, strict=True):
            Y = [
                math.fsum(map(operator.mul, row, X[-1])) + b_i for row, b_i in zip(rows, biases, strict=True)
            ]
            if layer is not network.layers[-1]:
                phi = TABLE[str(layer.neurons[0].activation)]
                operands = [phi.arguments(y) if phi.arguments else (y,) for y in Y]
                X.append([phi.forward(*y) for y in operands])
                slopes.append([phi.rule_on_floats(phi.forward(*y), *y)[0] for y in operands])
        if len(Y) == 1:
            G = [sigmoid(Y[0]) - label]
        else:
            e = [math.exp(y - max(Y)) for y in Y]
            G = [e_j / math.fsum(e) - (j == label) for j, e_j in enumerate(e)]
        for k in reversed(range(len(W))):
            for row, g in zip(gradient[k], G, strict=True):
                row[:] = [sum_ + g * x_j for sum_, x_j in zip(row, [*X[k], 1.0], strict=True)]
            if k > 0:
                back = [math.fsum(map(operator.mul, column, G)) for column in zip(*W[k], strict=True)]
                G = list(map(operator.mul, back, slopes[k - 1]))
    return [derivative for rows in gradient for row in rows for derivative in row]


# --- predict ---------------------------------------------------------------------------------------


def _predict(arguments: argparse.Namespace) -> None:
    model = Classifier.load(arguments.model)
    table = read_csv(arguments.data)
    lines: list[list[str]] = []
    for row, line in zip(encode(table, model.inputs), table.lines, strict=True):
        try:
            p = [] if row is None else model.probabilities(row)
        except (ArithmeticError, ValueError) as error:
            raise DataError(
                f"{table.source}, line {line}: the model overflows on this row: {error}"
            ) from None
        shown = [f"{p_k:.6g}" for p_k in p] or [""] * len(model.classes)
        lines.append([model.classes[p.index(max(p))] if p else "", *shown])
    known = table.classes(model.target) if model.target in table.names else []

    incomplete, absent = missing(table, [column.name for column in model.inputs])
    if incomplete:
        rows = f"{len(incomplete)} of {len(table.rows)} rows"
        _say(f"no prediction for {rows}, which have missing fields: {_counted(absent)}")
    for column in model.inputs:
        if isinstance(column, Category):
            new = sorted(map(repr, set(table.column(column.name)) - {*column.texts, None}))
            if new:
                _say(f"column {column.name!r} has texts never seen in training: {_some(new)}")
    pairs = [(name, line[0]) for name, line in zip(known, lines, strict=False) if name and line[0]]
    if pairs:
        right = sum(name == predicted for name, predicted in pairs)
        _say(f"accuracy {right / len(pairs):.4f}: {right} of {len(pairs)} rows")

    output = csv.writer(sys.stdout, lineterminator="\n")
    output.writerow(["predicted", *[f"P({name})" for name in model.classes]])
    output.writerows(lines)


# --- draw ------------------------------------------------------------------------------------------


def _differentiated(arguments: argparse.Namespace) -> Value:
    """The value of the expression, after its backward pass."""
    values = dict(arguments.values)
    if len(values) < len(arguments.values):
        names = Counter([name for name, _ in arguments.values])
        raise DataError(f"{names.most_common(1)[0][0]} is given twice")
    value = evaluate(arguments.expression, values)
    if odd := unused(arguments.expression, values):
        raise DataError(f"{', '.join(odd)} {'is' if len(odd) == 1 else 'are'} not in the expression")
    value.backward()
    return value


def _explain(arguments: argparse.Namespace) -> None:
    value = _differentiated(arguments)
    named = {node.label: node for node in topological_order(value) if node.primitive is None}
    if arguments.wrt not in named:
        names = ", ".join(name for name in named if name)
        raise DataError(f"{arguments.wrt!r} is no name in the expression: it has {names or 'none'}")
    explanation = explain(value, named[arguments.wrt])
    print(explanation.latex if arguments.latex else explanation)


def _table(arguments: argparse.Namespace) -> None:
    print(trace_table(_differentiated(arguments)))


def _draw(arguments: argparse.Namespace) -> None:
    output: Path | None = arguments.output
    kind = "" if output is None else output.suffix.lower()
    if output is not None:
        if kind not in (".svg", ".png", ".dot", ".html"):
            raise DataError(f"{str(output)!r} ends in none of .svg, .png, .dot and .html")
        _check_writable(output)
    value = _differentiated(arguments)
    print(tree(value))
    if output is not None:
        try:
            if kind == ".html":
                content = play(value).html.encode()
            else:
                picture = draw(value)
                content = picture.source.encode() if kind == ".dot" else picture.pipe(kind[1:])
        except (RuntimeError, ValueError) as error:  # without a picture the tree has to do
            raise DataError(error) from None
        _write(output, content)
        print(f"\n{_line(output)}")
