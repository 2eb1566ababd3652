"""What ``train`` shows: the measures and the confusion matrix."""

from autograd_lite.cli.results import confusion, print_evaluations
from autograd_lite.datasets.classifier import Evaluation


def test_confusion_fits_the_terminal():
    pairs = [(i, j) for i in range(10) for j in range(10)]
    names = [f"a rather long name of class {i}" for i in range(10)]
    heading, head, *lines = confusion(names, pairs)
    assert heading.startswith("a row for each true class")
    assert head.split() == [str(i) for i in range(1, 11)]
    assert lines[9].split() == ["10", *names[9].split(), *["1"] * 10]
    assert max(map(len, [head, *lines])) < 80


def test_confusion_of_many_classes_lists_mistakes():
    pairs = [(i, i) for i in range(40)] + [(0, 1)] * 3 + [(i, 0) for i in range(1, 40)]
    heading, first, *lines = confusion(["x" * 60, *[f"c{i}" for i in range(1, 40)]], pairs)
    assert heading == "the most frequent of 42 mistakes"
    assert first == f"  {'x' * 29}… taken for c1: 3"
    assert len(lines) == 9


def test_wide_losses_do_not_run_into_the_rows(capsys):
    print_evaluations(
        ["a", "b"],
        Evaluation(1.897e300, [(0, 0)] * 4),
        Evaluation(-1.897e-300, [(0, 0)] * 12345678),
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["training", "4", "1.897e+300", "1.0000"]
    assert lines[2].split() == ["held", "out", "12345678", "-1.897e-300", "1.0000"]
    assert len({len(line) for line in lines[:3]}) == 1
