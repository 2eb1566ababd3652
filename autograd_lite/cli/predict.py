"""The command ``predict``: the class or the number of each row of a table, as a saved model sees it."""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from pathlib import Path

from autograd_lite.cli.arguments import Commands
from autograd_lite.cli.terminal import counted, say, some
from autograd_lite.datasets import DataError, Table, read_csv
from autograd_lite.datasets.classifier import Classifier
from autograd_lite.datasets.encoding import Category, encode, missing
from autograd_lite.datasets.model_file import load
from autograd_lite.datasets.regressor import Errors, Regressor


def add_to(commands: Commands) -> None:
    """Add the command ``predict`` and its arguments."""
    command = commands.add_parser(
        "predict",
        help="predict the class or the number of each row of a CSV file",
        description="Print the predicted class and the probability of each class, or the predicted number: "
        "as CSV, one line for each row of DATA.csv. Rows with missing fields get an empty prediction. If "
        "DATA.csv has the target column, too, stderr says how good the predictions are.",
        epilog="example:\n%(prog)s model.json new.csv > predictions.csv",
    )
    command.set_defaults(run=run)
    command.add_argument("model", metavar="MODEL.json", type=Path, help="a model saved by 'train --save'")
    command.add_argument(
        "data",
        metavar="DATA.csv",
        type=Path,
        help="the rows to predict, with the columns that the model was trained on",
    )


def run(arguments: Namespace) -> None:
    """Print the predictions as CSV on stdout, and on stderr what is missing, new or right."""
    model = load(arguments.model)
    table = read_csv(arguments.data)
    lines = _predictions(model, table)
    _report_gaps(model, table)
    if model.target in table.names:
        _report_accuracy(model, table, [line[0] for line in lines])
    output = csv.writer(sys.stdout, lineterminator="\n")
    classes = model.classes if isinstance(model, Classifier) else []
    output.writerow(["predicted", *[f"P({name})" for name in classes]])
    output.writerows(lines)


def _predictions(model: Classifier | Regressor, table: Table) -> list[list[str]]:
    """Return for each row the prediction and the probabilities, if any; empty where a field is missing."""
    lines = []
    for row, line in zip(encode(table, model.inputs), table.lines, strict=True):
        if row is None:
            lines.append([""] * (1 + len(model.classes) if isinstance(model, Classifier) else 1))
            continue
        try:
            if isinstance(model, Classifier):
                p = model.probabilities(row)
                lines.append([model.classes[p.index(max(p))], *[f"{p_k:.6g}" for p_k in p]])
            else:
                lines.append([f"{model.predict(row):.6g}"])
        except (ArithmeticError, ValueError) as error:
            raise DataError(
                f"{table.source}, line {line}: the model overflows on this row: {error}"
            ) from None
    return lines


def _report_accuracy(model: Classifier | Regressor, table: Table, predictions: list[str]) -> None:
    """Say on stderr how good the predictions are in the rows that have both a prediction and a truth."""
    if isinstance(model, Classifier):
        truth = table.classes(model.target)
        pairs = [(name, found) for name, found in zip(truth, predictions, strict=True) if name and found]
        if pairs:
            right = sum(name == found for name, found in pairs)
            say(f"accuracy {right / len(pairs):.4f}: {right} of {len(pairs)} rows")
        return
    numbers = table.numbers(model.target)
    found = [(y, float(text)) for y, text in zip(numbers, predictions, strict=True) if text and y is not None]
    if found:
        errors = Errors(0.0, found, model.unit.mean)
        baseline = errors.baseline
        say(
            f"RMSE {errors.rmse:.4g} and R² {errors.r2:.4f} on {len(found)} rows; "
            f"the baseline, the mean of the training rows, has {baseline.rmse:.4g} and {baseline.r2:.4f}"
        )


def _report_gaps(model: Classifier | Regressor, table: Table) -> None:
    """Say on stderr which fields are missing, and which values are new to the model."""
    incomplete, absent = missing(table, [column.name for column in model.inputs])
    if incomplete:
        rows = f"{len(incomplete)} of {len(table.rows)} rows"
        say(f"no prediction for {rows}, which have missing fields: {counted(absent)}")
    for column in model.inputs:
        if isinstance(column, Category):
            new = sorted(map(repr, set(table.column(column.name)) - {*column.texts, None}))
            if new:
                say(f"column {column.name!r} has values never seen in training: {some(new)}")
