"""The command ``predict``: the class of each row of a table, as a saved classifier sees it."""

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


def add_to(commands: Commands) -> None:
    """Add the command ``predict`` and its arguments."""
    command = commands.add_parser(
        "predict",
        help="predict the class of each row of a CSV file",
        description="Print the predicted class and the probability of each class as CSV, one line for each "
        "row of DATA.csv. Rows with missing fields get an empty prediction. If DATA.csv has the target "
        "column, too, stderr says how many predictions are right.",
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
    model = Classifier.load(arguments.model)
    table = read_csv(arguments.data)
    lines = _predictions(model, table)
    truth = table.classes(model.target) if model.target in table.names else []
    _report_gaps(model, table)
    pairs = [(name, line[0]) for name, line in zip(truth, lines, strict=False) if name and line[0]]
    if pairs:
        right = sum(name == predicted for name, predicted in pairs)
        say(f"accuracy {right / len(pairs):.4f}: {right} of {len(pairs)} rows")
    output = csv.writer(sys.stdout, lineterminator="\n")
    output.writerow(["predicted", *[f"P({name})" for name in model.classes]])
    output.writerows(lines)


def _predictions(model: Classifier, table: Table) -> list[list[str]]:
    """Return for each row the predicted class and the probabilities; empty where a field is missing."""
    lines = []
    for row, line in zip(encode(table, model.inputs), table.lines, strict=True):
        if row is None:
            lines.append([""] * (1 + len(model.classes)))
            continue
        try:
            p = model.probabilities(row)
        except (ArithmeticError, ValueError) as error:
            raise DataError(
                f"{table.source}, line {line}: the model overflows on this row: {error}"
            ) from None
        lines.append([model.classes[p.index(max(p))], *[f"{p_k:.6g}" for p_k in p]])
    return lines


def _report_gaps(model: Classifier, table: Table) -> None:
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
