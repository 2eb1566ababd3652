"""The output of ``train``: the problem, how well the model predicts, its mistakes, and the report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from autograd_lite.cli.terminal import WIDTH, bounded, counted, item, one_line, short, some
from autograd_lite.core.modes import no_grad
from autograd_lite.core.value import Value
from autograd_lite.datasets.classifier import Classifier, Evaluation
from autograd_lite.datasets.encoding import Category, Number, Problem, features
from autograd_lite.datasets.regressor import Errors, Regressor
from autograd_lite.datasets.table import file_errors
from autograd_lite.files import write_whole
from autograd_lite.notation.columns import aligned, width
from autograd_lite.pictures.report import report
from autograd_lite.train import History

REPORT = "report.html"


def print_problem(problem: Problem, task: str) -> None:
    """Print the target, the task, the columns and rows it is predicted from, and those left out."""
    what = some(list(map(short, problem.classes))) or "a number"
    item("predicts", f"{short(problem.target)}: {what}")
    item("task", task)
    shown = [
        short(column.name) + (f" ({len(column.texts)} categories)" if isinstance(column, Category) else "")
        for column in problem.inputs
    ]
    item("from", some(shown))
    for name, reason in problem.omitted.items():
        item("left out", f"column {short(name)}: {bounded(one_line(reason))}")
    if problem.incomplete:
        item("left out", f"{problem.incomplete} rows with missing fields: {counted(problem.absent)}")
    item("rows", f"{len(problem.training)} to train on, {len(problem.held_out)} held out")


def print_results(problem: Problem, training: Any, held_out: Any) -> None:
    """Print what `evaluate` of the model found on both parts, of which the second may be empty."""
    if problem.unit is None:
        print_evaluations(problem.classes, training, held_out)
    else:
        print_errors(problem.unit, training, held_out)


def print_errors(unit: Number, training: Errors, held_out: Errors) -> None:
    """Print loss, RMSE and R² of both parts, beside those of the baseline."""
    rows = [["", "rows", "loss", "RMSE", "R²", "baseline RMSE", "baseline R²"]]
    for name, part in ("training", training), ("held out", held_out):
        if part.pairs:
            measures = [
                text
                for each in (part, part.baseline)
                for text in (f"{each.rmse:.4g}", "–" if math.isnan(each.r2) else f"{each.r2:.4f}")
            ]
            rows.append([name, str(len(part.pairs)), f"{part.loss:.4g}", *measures])
    for line in aligned(rows, ("left", *["right"] * 6)):
        print(f"  {line}")
    print(f"\n  The baseline predicts {unit.mean:.4g} for every row, the mean of the rows to train on.\n")


def print_evaluations(classes: Sequence[str], training: Evaluation, held_out: Evaluation) -> None:
    """Print loss and accuracy of both parts, and the confusion matrix of the held-out part, if any."""
    rows = [["", "rows", "loss", "accuracy"]]
    for name, part in ("training", training), ("held out", held_out):
        if part.pairs:
            accuracy = part.right / len(part.pairs)
            rows.append([name, str(len(part.pairs)), f"{part.loss:.4g}", f"{accuracy:.4f}"])
            shown = name, part
    for line in aligned(rows, ("left", "right", "right", "right")):
        print(f"  {line}")
    name, part = shown
    heading, *lines = confusion(classes, part.pairs)
    print(f"\n  {name}: {heading}", *lines, "", sep="\n")


def confusion(classes: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Return a heading, and the lines of a matrix that counts the (true, predicted) pairs of class numbers.

    Columns are headed by numbers where the names would not fit a terminal. Where the numbers do not fit
    either, the lines list the ten most frequent mistakes.

    >>> print(*confusion(["cat", "dog"], [(0, 0), (0, 1), (1, 1), (1, 1)]), sep="\\n")
    a row for each true class, a column for each predicted one
           cat  dog
      cat    1    1
      dog    0    2
    """
    counts = Counter(pairs)
    names = [*map(short, classes)]
    numbers = [str(number) for number in range(1, len(names) + 1)]
    numbered = [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    cells = [[str(counts[i, j]) for j in range(len(names))] for i in range(len(names))]
    for rows, heads in (names, names), (numbered, numbers):
        table = [["", *heads], *[[row, *line] for row, line in zip(rows, cells, strict=True)]]
        lines = [f"  {line}" for line in aligned(table, ["left", *["right"] * len(heads)])]
        if max(map(width, lines)) <= WIDTH:
            return ["a row for each true class, a column for each predicted one", *lines]
    mistakes = Counter({pair: count for pair, count in counts.items() if pair[0] != pair[1]})
    listed = [f"  {names[i]} taken for {names[j]}: {count}" for (i, j), count in mistakes.most_common(10)]
    return [f"the most frequent of {mistakes.total()} mistakes", *listed]


def write_report(
    folder: Path,
    model: Classifier | Regressor,
    problem: Problem,
    history: History,
    evaluation: Evaluation | Errors,
) -> None:
    """Write the report; the parameters hold the gradients of the loss over the whole training part."""
    examples = problem.held_out or problem.training
    with no_grad():
        losses = [model.loss(model.scores(x), label).data for x, label in examples]
    # A loss that is not a number is worse than any.
    worst = max(range(len(examples)), key=lambda k: math.inf if math.isnan(losses[k]) else losses[k])
    x, label = examples[worst]

    def example() -> Value:
        model.network.zero_grad()
        inputs = [Value(number, name) for number, name in zip(x, features(problem.inputs), strict=True)]
        loss = model.loss(model.scores(inputs), label)
        loss.label = "loss"
        loss.backward()
        return loss

    if isinstance(evaluation, Errors):
        rmse, baseline = evaluation.rmse, evaluation.baseline.rmse
        found = f"RMSE {rmse:.4g} (baseline {baseline:.4g}), R² {evaluation.r2:.4f}"
        true = f"{evaluation.pairs[worst][0]:.6g}"
    else:
        found = f"{evaluation.right} of {len(evaluation.pairs)} right"
        true = problem.classes[evaluation.pairs[worst][0]]
    part = "held out" if problem.held_out else "training"
    facts = [
        ("network", f"{model.network!r}"),
        ("from", some([one_line(column.name) for column in problem.inputs])),
        ("rows", f"{len(problem.training)} to train on, {len(problem.held_out)} held out"),
        (part, f"loss {evaluation.loss:.4g}, {found}"),
        ("example", f"the {part} row with the largest loss: its {problem.target} is {true}"),
    ]
    page = report(
        f"Training to predict {problem.target}",
        facts,
        history,
        problem.classes,
        evaluation.pairs,
        model.network,
        example,
    )
    with file_errors("write", folder / REPORT):
        write_whole(folder / REPORT, page.encode())
