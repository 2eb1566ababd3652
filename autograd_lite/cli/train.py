"""The command ``train``: train a model on a table, print how well it predicts, save it and a report.

Next door: `results.py` prints and reports, `datasets` holds the table and the models.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from autograd_lite.cli.arguments import Commands, count, integer, rate, units
from autograd_lite.cli.results import REPORT, print_problem, print_results, write_report
from autograd_lite.cli.terminal import PROGRAM, item, one_line
from autograd_lite.datasets import DataError, penguins, read_csv
from autograd_lite.datasets.classifier import Classifier
from autograd_lite.datasets.closed_form import gradient_check
from autograd_lite.datasets.encoding import (
    Examples,
    Problem,
    classification,
    decided_task,
    default_target,
    features,
    regression,
)
from autograd_lite.datasets.model_file import document, save
from autograd_lite.datasets.regressor import Regressor
from autograd_lite.datasets.table import file_errors
from autograd_lite.files import check_writable
from autograd_lite.nn import ACTIVATIONS, MLP
from autograd_lite.nn.files import as_json
from autograd_lite.pictures.plots import NO_MATPLOTLIB
from autograd_lite.train import GradientDescent, History, fit

LARGEST = 2_000_000  # parameters of a network: half a gigabyte


def add_to(commands: Commands) -> None:
    """Add the command ``train`` and its arguments."""
    command = commands.add_parser(
        "train",
        help="learn to predict a class or a number from the rows of a CSV file",
        description="Learn to predict a column from the other columns of a CSV file: classes, or a number "
        "(regression). Columns of numbers are standardised; columns of text become one-hot inputs. A fifth "
        "of the rows is held out to measure the accuracy. Two classes without hidden layers make a logistic "
        "regression, more classes go through a softmax; a number is learnt by half its squared error.",
        epilog="example:\n%(prog)s flowers.csv --target kind --hidden 8 8 --save model.json",
    )
    command.set_defaults(run=run)
    add = command.add_argument
    add(
        "data",
        nargs="?",
        metavar="DATA.csv",
        type=Path,
        help="a CSV file in UTF-8 with a header; commas, semicolons, tabs or bars between fields "
        "(default: the Palmer penguins that come with the package)",
    )
    add(
        "--target",
        metavar="COLUMN",
        help="the column to predict (default: one called target, class, label or species, else the last)",
    )
    add(
        "--task",
        choices=["classification", "regression"],
        help="predict classes or a number (default: classes if the column is text, or has whole numbers, few "
        "of them and repeated; otherwise a number)",
    )
    add(
        "--hidden",
        metavar="UNITS",
        type=units,
        nargs="+",
        default=[8],
        help="units in each hidden layer, or 0 for no hidden layer (default: 8)",
    )
    activations = [name for name in ACTIVATIONS if name != "linear"]
    add(
        "--activation",
        metavar="NAME",
        choices=activations,
        default="tanh",
        help=f"activation of the hidden units: {', '.join(activations)} (default: tanh)",
    )
    add("--epochs", metavar="N", type=count, default=40, help="passes over the training rows (default: 40)")
    add("--lr", metavar="RATE", type=rate, default=0.1, help="step size of gradient descent (default: 0.1)")
    add("--batch-size", metavar="ROWS", type=count, default=16, help="rows in each step (default: 16)")
    add(
        "--seed",
        metavar="N",
        type=integer,
        default=0,
        help="decides the split, the first weights and the order of the rows (default: 0)",
    )
    _add_outputs(command)


def _add_outputs(command: ArgumentParser) -> None:
    """Add the arguments for everything that is written besides the text on stdout."""
    add = command.add_argument
    add("--save", metavar="MODEL.json", type=Path, help="write the trained model here")
    add(
        "--report",
        metavar="DIR",
        type=Path,
        help="write report.html into this folder: loss curve, confusion matrix or predicted against true "
        "numbers, gradient by layer, and the network's graph on one example",
    )
    add("--no-progress", dest="progress", action="store_false", help="show no progress bar on stderr")


def run(arguments: Namespace) -> None:
    """Train a model; print what it learns from, how well it does, and where it is saved."""
    _check_apart(arguments)
    table = penguins() if arguments.data is None else read_csv(arguments.data)
    target = default_target(table) if arguments.target is None else arguments.target
    task, reason = decided_task(table, target)
    if arguments.task is not None:
        task, reason = arguments.task, "--task says so"
    problem = (regression if task == "regression" else classification)(table, target, arguments.seed)
    model = _new_model(problem, arguments)
    _check_places(model, arguments)

    print(f"{one_line(table.source)}: {len(table.rows)} rows, {len(table.names)} columns")
    print_problem(problem, f"{task}, because {reason}")
    item("network", _described(model))
    print(flush=True)

    history = _trained(model, problem, arguments)
    try:
        with _divergence(arguments):
            training, held_out = model.evaluate(problem.training), model.evaluate(problem.held_out)
            difference, largest = gradient_check(model, problem.training)
    except KeyboardInterrupt:  # the training is done: keep it
        _save(model, arguments.save)
        raise
    _save(model, arguments.save)

    print_results(problem, training, held_out)
    milliseconds = 1e3 * history.seconds / history.steps
    rows = min(arguments.batch_size, len(problem.training))
    item(
        "step",
        f"{milliseconds:.2f} ms for {rows} rows, the mean of {history.steps} steps, run as {history.form}",
    )
    item(
        "gradient",
        f"the engine and the closed form of {_kinds(model)[1]} differ by at most {difference:.1e} "
        f"(largest entry {largest:.1e})",
    )
    if arguments.save is not None:
        item("saved", one_line(arguments.save))
    if arguments.report is not None:
        write_report(arguments.report, model, problem, history, held_out if problem.held_out else training)
        item("report", one_line(arguments.report / REPORT))


# --- The model -------------------------------------------------------------------------------------


def _new_model(problem: Problem, arguments: Namespace) -> Classifier | Regressor:
    """Return the model before training. Raises `DataError` if the network would be too large."""
    hidden = [] if arguments.hidden == [0] else arguments.hidden
    if 0 in hidden:
        raise DataError("--hidden 0 means no hidden layer, so no other number goes with it")
    outputs = len(problem.classes)
    if problem.unit is not None or (outputs == 2 and not hidden):
        outputs = 1
    inputs = len(features(problem.inputs))
    parameters = sum((n + 1) * m for n, m in pairwise([inputs, *hidden, outputs]))
    if parameters > LARGEST:
        raise DataError(
            f"a network of {parameters:,} parameters is too large, {LARGEST:,} are the most: "
            "choose fewer --hidden units, or fewer columns"
        )
    activation = arguments.activation if hidden else "linear"
    network = MLP(inputs, [*hidden, outputs], activation, rng=arguments.seed)
    if problem.unit is not None:
        return Regressor(problem.target, problem.unit, problem.inputs, network)
    return Classifier(problem.target, problem.classes, problem.inputs, network)


def _kinds(model: Classifier | Regressor) -> tuple[str, str]:
    """Return the output layer and the kind of network, in words."""
    outputs = len(model.network.layers[-1].neurons)
    if isinstance(model, Regressor):
        linear = len(model.network.layers) == 1
        return "1 linear" + " (linear regression)" * linear, "linear regression" if linear else "the network"
    if outputs == 1:
        return "1 sigmoid (logistic regression)", "logistic regression"
    return f"{outputs} softmax", "the softmax network"


def _described(model: Classifier | Regressor) -> str:
    """Return the layers of the network and the number of its parameters."""
    network = model.network
    inputs = len(features(model.inputs))
    layers = [f"{inputs} input" + "s" * (inputs > 1)]
    layers += [f"{len(layer.neurons)} {layer.neurons[0].activation}" for layer in network.layers[:-1]]
    layers.append(_kinds(model)[0])
    return f"{', '.join(layers)}: {len(network.parameters())} parameters"


def _trained(model: Classifier | Regressor, problem: Problem, arguments: Namespace) -> History:
    """Train the model; return its history. Raises `DataError` if the training diverges."""
    with _divergence(arguments):
        history = fit(
            model.scores,
            *_columns(problem.training),
            loss=model.loss,
            optimizer=GradientDescent(model.network.parameters(), arguments.lr),
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            seed=arguments.seed,
            progress=arguments.progress,
            compiled=True,  # the network and the loss are the library's own, which do the same at each call
            validation=_columns(problem.held_out) if arguments.report and problem.held_out else None,
        )
        model.check()
    return history


def _columns(examples: Examples) -> tuple[list[list[float]], list[float]]:
    return [x for x, _ in examples], [label for _, label in examples]


@contextmanager
def _divergence(arguments: Namespace) -> Iterator[None]:
    """Turn errors of arithmetic into a `DataError` that says what to do."""
    try:
        yield
    except (ArithmeticError, ValueError):
        raise DataError(f"the training diverged: choose an --lr below {arguments.lr}") from None


# --- Files -----------------------------------------------------------------------------------------


def _check_apart(arguments: Namespace) -> None:
    """Raise `DataError` if one file would be written twice, or over the data."""
    save, report = [path and Path(os.path.realpath(path)) for path in (arguments.save, arguments.report)]
    page = report and report / REPORT
    if save and report and save in (page, report, *report.parents):
        raise DataError("--save and --report name the same place: choose another for one of them")
    data = arguments.data
    for option, path in ("--save", save), ("--report", page):
        if path and data and path.exists() and data.exists() and path.samefile(data):
            raise DataError(f"{option} would overwrite {str(data)!r}, the data: choose another place")


def _check_places(model: Classifier | Regressor, arguments: Namespace) -> None:
    """Raise `DataError` before the work if a file could not be written after it."""
    if arguments.save is not None:
        with file_errors("write", arguments.save):
            check_writable(arguments.save, 2 * len(as_json(document(model))))
    if arguments.report is not None:
        if importlib.util.find_spec("matplotlib") is None:
            raise DataError(NO_MATPLOTLIB)
        with file_errors("make the folder", arguments.report):
            arguments.report.mkdir(parents=True, exist_ok=True)
        with file_errors("write", arguments.report / REPORT):
            check_writable(arguments.report / REPORT, 2**20)


def _save(model: Classifier | Regressor, path: Path | None) -> None:
    """Save the model to the given path, else to a temporary folder, so a failed write loses no training."""
    if path is None:
        return
    try:
        save(model, path)
    except DataError as error:
        folder = Path(tempfile.mkdtemp(prefix=f"{PROGRAM}-"))
        try:
            save(model, folder / "model.json")
        except DataError:
            folder.rmdir()
            raise error from None
        raise DataError(f"{error}; the model is saved in {str(folder / 'model.json')!r}") from None
