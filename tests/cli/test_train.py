"""The command ``train``: what it prints, the model it saves, and what it refuses before any work."""

import csv
import io
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from autograd_lite.cli import train
from autograd_lite.datasets import model_file, read_csv
from autograd_lite.datasets.encoding import regression
from tests.cli.common import BIRDS, COMMAND, PENGUINS, QUICK, difference, flowers, measured
from tests.optional import needs_matplotlib


def test_default_run_as_a_command():
    done = subprocess.run([*COMMAND, "train"], capture_output=True, text=True, check=True, encoding="utf-8")
    out = done.stdout
    assert max(map(len, out.splitlines())) < 80
    assert "predicts  species: Adelie, Chinstrap, Gentoo" in out
    assert re.search(
        r"11 rows with missing fields: bill_length_mm 2, bill_depth_mm 2,\s+"
        r"flipper_length_mm 2, body_mass_g 2, sex 11",
        out,
    )
    assert measured(out, "training", 0) + measured(out, "held out", 0) == 344 - 11
    assert measured(out, "held out", 2) >= 0.97
    matrix = [
        list(map(int, row)) for row in re.findall(r"^  [ACG]\w+ +(\d+) +(\d+) +(\d+)$", out, re.MULTILINE)
    ]
    assert sum(map(sum, matrix)) == measured(out, "held out", 0)
    right = sum(matrix[k][k] for k in range(3))
    assert right / sum(map(sum, matrix)) == pytest.approx(measured(out, "held out", 2), abs=5e-5)
    assert re.search(r"step +\d+\.\d\d ms for 16 rows, the mean of 680 steps, run as (NumPy|Python)\n", out)
    # 266 terms of at most 1 each, summed in another order.
    assert difference(out) < 266 * sys.float_info.epsilon
    assert "680/680" in done.stderr


def test_other_seeds_learn_the_penguins_too():
    accuracies = []
    for seed in "12345":
        # In processes of their own, as coverage would make each run take ten times as long.
        command = [*COMMAND, "train", "--seed", seed, "--no-progress"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
        assert done.stderr == ""
        accuracies.append(measured(done.stdout, "held out", 2))
    assert sum(accuracy >= 0.97 for accuracy in accuracies) >= 4, accuracies


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_from_elsewhere(run, separator):
    Path("f.csv").write_text("\ufeff" + flowers(separator=separator), encoding="utf-8")
    code, out, _ = run("train", "f.csv", "--target", "kind", "--epochs", "30", "--no-progress")
    assert code == 0
    assert "f.csv: 60 rows, 6 columns" in out
    assert "from      length, colour (3 categories)\n" in out
    for reason in (
        "nr: numbers the rows",
        "planet: always 'Earth'",
        "label: an identifier: no value repeats",
    ):
        assert f"left out  column {reason}\n" in out
    assert "network   4 inputs, 8 tanh, 3 softmax: 67 parameters" in out
    assert measured(out, "held out", 2) == 1.0


def test_two_classes_without_hidden_layers_are_a_logistic_regression(run):
    code, out, _ = run("train", "--target", "sex", "--hidden", 0, *QUICK)
    assert code == 0
    assert "11 inputs, 1 sigmoid (logistic regression): 12 parameters" in out
    assert "closed form of logistic regression" in " ".join(out.split())
    assert difference(out) < 266 * sys.float_info.epsilon


def regressed(out, name):
    """The numbers beside a part: rows, loss, RMSE, R², and the baseline's RMSE and R²."""
    return [float(x) for x in re.search(rf"^  {name} +(.*)$", out, re.MULTILINE)[1].split()]


def test_a_number_is_predicted_better_than_by_its_mean(run):
    code, out, _ = run("train", "--target", "body_mass_g", "--save", "m.json", "--no-progress")
    assert code == 0
    assert max(map(len, out.splitlines())) < 80
    assert "predicts  body_mass_g: a number\n" in out
    assert "task      regression, because it has 94 different numbers\n" in out
    assert "network   12 inputs, 8 tanh, 1 linear: 113 parameters" in out
    assert difference(out) < 1e-11
    for part in "training", "held out":
        _, _, rmse, r2, baseline, of_the_mean = regressed(out, part)
        assert rmse < 400.0 < 700.0 < baseline
        assert r2 > 0.8 > 0.1 > of_the_mean
    out, err = run("predict", "m.json", PENGUINS)[1:]
    rows = list(csv.DictReader(io.StringIO(out)))
    truth = [bird.split(",")[5] for bird in BIRDS.splitlines()[1:]]
    errors = [
        float(row["predicted"]) - float(true)
        for row, true in zip(rows, truth, strict=True)
        if row["predicted"]
    ]
    rmse = math.sqrt(math.fsum(e * e for e in errors) / 333)
    assert (len(rows), len(errors), list(rows[0])) == (344, 333, ["predicted"])
    assert f"RMSE {rmse:.4g} and R² 0." in err.splitlines()[-1]
    assert " on 333 rows; the baseline, the mean of the training rows, has 8" in err.splitlines()[-1]


def test_a_linear_regression_ends_at_the_least_squares(run):
    """Its weights, through the file, against NumPy's on the same rows in the same units."""
    rng = random.Random(0)
    points = [(rng.uniform(-5, 5), rng.uniform(100, 200)) for _ in range(50)]
    lines = [f"{u!r},{v!r},{3.0 * u - 0.02 * v + rng.gauss(0, 0.5)!r}" for u, v in points]
    Path("d.csv").write_text("\n".join(["u,v,y", *lines]))
    options = ("--hidden", 0, "--epochs", 300, "--batch-size", 40, "--save", "m.json", "--no-progress")
    code, out, _ = run("train", "d.csv", *options)
    assert code == 0
    assert "2 inputs, 1 linear (linear regression): 3 parameters" in out
    assert "the closed form of linear regression" in " ".join(out.split())
    problem = regression(read_csv("d.csv"), "y", 0)
    assert (len(problem.training), len(problem.held_out)) == (40, 10)
    A = numpy.array([[*x, 1.0] for x, _ in problem.training])
    y = numpy.array([target for _, target in problem.training])
    expected, *_ = numpy.linalg.lstsq(A, y, rcond=None)
    found = list(json.loads(Path("m.json").read_text())["parameters"].values())
    assert found == pytest.approx(expected, abs=1e-9)
    residuals = (A @ expected - y) * problem.unit.scale
    _, _, rmse, r2, baseline, of_the_mean = regressed(out, "training")
    assert rmse == pytest.approx(numpy.sqrt(numpy.mean(residuals**2)), rel=1e-3)
    assert baseline == pytest.approx(problem.unit.scale, rel=1e-3)
    assert r2 == pytest.approx(1.0 - numpy.mean(residuals**2) / problem.unit.scale**2, abs=1e-4)
    assert of_the_mean == 0.0


def test_the_task_of_a_doubtful_target_is_said_and_may_be_chosen(run):
    out = run("train", "--target", "year", *QUICK)[1]
    assert "predicts  year: 2007, 2008, 2009\n" in out
    assert "classification, because its 3 different values are whole numbers" in " ".join(out.split())
    assert "(else give --task regression)" in " ".join(out.split())
    out = run("train", "--target", "year", "--task", "regression", *QUICK)[1]
    assert "predicts  year: a number\n  task      regression, because --task says so\n" in out
    assert "1 linear" in out


def test_a_part_of_one_number_has_no_share_of_variance(run):
    Path("d.csv").write_text("x,y\n0.5,1.5\n1.5,2.5\n2.0,3.5\n2.5,4.0\n3.5,4.5\n")
    out = run("train", "d.csv", *QUICK)[1]
    assert re.search(r"^  held out +1 +\S+ +\S+ +– +\S+ +–$", out, re.MULTILINE)


def test_a_logistic_regression_predicts_the_class_it_learnt(run):
    """With the sign of σ dropped, or the two classes exchanged, it would be right where it is wrong."""
    arguments = ("--hidden", 0, "--epochs", 40, "--save", "m.json", "--no-progress")
    out = run("train", "--target", "sex", *arguments)[1]
    assert measured(out, "training", 2) > 0.85
    assert measured(out, "held out", 2) > 0.85
    out, err = run("predict", "m.json", PENGUINS)[1:]
    assert 0.85 < float(re.search(r"accuracy (\S+):", err)[1]) < 1.0
    assert out.startswith("predicted,P(female),P(male)\n")
    for row in csv.DictReader(io.StringIO(out)):
        if row["predicted"]:
            assert float(row[f"P({row['predicted']})"]) >= 0.5
    # Far out on the line between the classes each is certain.
    Path("f.csv").write_text("x,y\n" + "-1,lo\n1,hi\n-2,lo\n2,hi\n" * 5)
    assert run("train", "f.csv", "--hidden", 0, "--save", "n.json", "--no-progress")[0] == 0
    Path("new.csv").write_text("x\n-50\n50\n")
    lo, hi = csv.DictReader(io.StringIO(run("predict", "n.json", "new.csv")[1]))
    assert (lo["predicted"], hi["predicted"]) == ("lo", "hi")
    assert float(lo["P(lo)"]) > 0.99 < float(hi["P(hi)"])


def test_the_step_size_is_that_of_lr(run):
    """One step from the same weights: at 0.5 it is five times as long as at 0.1, along the same gradient."""

    def weights(rate: float) -> list[float]:
        options = ("--epochs", 1, "--batch-size", 1000, "--lr", rate, "--no-progress")
        assert run("train", "--save", "m.json", *options)[0] == 0
        return list(json.loads(Path("m.json").read_text())["parameters"].values())

    start, short, long = weights(1e-300), weights(0.1), weights(0.5)
    steps = [(a - s, b - s) for s, a, b in zip(start, short, long, strict=True)]
    assert max(abs(a) for a, _ in steps) > 1e-3
    assert all(b == pytest.approx(5.0 * a, abs=1e-14) for a, b in steps)


def test_more_classes_without_hidden_layers_are_a_softmax_regression(run):
    assert "network   10 inputs, 3 softmax: 33 parameters" in run("train", "--hidden", 0, *QUICK)[1]


def test_several_hidden_layers(run):
    out = run("train", "--hidden", 4, 1, 5, "--activation", "gelu", *QUICK)[1]
    assert "network   10 inputs, 4 gelu, 1 gelu, 5 gelu, 3 softmax: 77 parameters" in out


def test_a_file_of_two_rows_trains_and_holds_nothing_out(run):
    Path("f.csv").write_text("x,y\n1.5,a\n2.5,b\n")
    code, out, _ = run("train", "f.csv", *QUICK)
    assert code == 0
    assert "from      x\n  rows      2 to train on, 0 held out\n  network   1 input," in out
    assert "training: a row for each true class" in out
    assert not re.search("^  held out", out, re.MULTILINE)


def test_a_class_with_a_single_row_is_trained_on(run):
    Path("f.csv").write_text("x,y\n9,rare\n" + "1,a\n2,b\n" * 10)
    assert "predicts  y: a, b, rare\n" in run("train", "f.csv", *QUICK)[1]


def test_a_class_only_in_rows_with_missing_fields_is_none(run):
    Path("f.csv").write_text("x,y\n,c\n,c\n" + "1,a\n2,b\n" * 10)
    assert "predicts  y: a, b\n" in run("train", "f.csv", *QUICK)[1]


def test_the_seed_decides_everything(run):
    Path("f.csv").write_text(flowers())
    for name, seed in ("a", 3), ("b", 3), ("c", 4):
        assert run("train", "f.csv", "--target", "kind", "--seed", seed, "--save", name, *QUICK)[0] == 0
    a, b, c = (Path(name).read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (BIRDS, ["--target", "specis"], "d.csv has no column 'specis': did you mean 'species'?"),
        (
            BIRDS.replace("37.8,17.1", "abc,17.1", 1),
            [],
            "d.csv, line 12, column 'bill_length_mm': 'abc' is not a number, unlike most of the column",
        ),
        ("", [], "d.csv is empty"),
        ("a,b\n", [], "d.csv has a header and no rows"),
        (
            "a,b\n1,x\n2,x\n",
            [],
            "column 'b' of d.csv has one class only, 'x': choose a target with at least two",
        ),
        ("a,b\n1,x\n2,x\n,y\n", [], "d.csv has fewer than two classes in its 2 rows without missing fields"),
        (b"a,b\n1,\xe9\n", [], "d.csv is not UTF-8 text (line 2, byte 0xe9): save it as UTF-8"),
        ("a,b\n1,x\n2\n", [], "d.csv, line 3: 1 fields where the header has 2 columns"),
        ("a,a\n1,x\n", [], "d.csv has 2 columns named 'a'"),
        (
            "a,b\n1,x\n2,y\n",
            ["--task", "regression"],
            "column 'b' of d.csv is text: a regression predicts numbers",
        ),
        (
            "a,b\n1,5\n2,5\n4,\n",
            ["--task", "regression"],
            "column 'b' of d.csv has fewer than two different numbers in its 2 rows without missing fields "
            "(missing: 'b' 1)",
        ),
        ("a\nx\ny\nx\n", [], "d.csv has no column to learn from"),
        ("a,b\n1,x\n2,y\n3,x\n", [], "d.csv has no column to learn from (left out 'a': numbers the rows)"),
        (
            BIRDS,
            ["--target", "body_mass_g", "--task", "classification"],
            "column 'body_mass_g' of d.csv has 94 different values in 342 rows: for classes, choose a target "
            "whose values repeat, or give --task regression",
        ),
        (BIRDS, ["--save", "no/model.json"], "cannot write 'no/model.json': No such file or directory"),
        (BIRDS, ["--save", "."], "cannot write '.': it is a folder"),
        (BIRDS, ["--lr", "1e308", *QUICK], "the training diverged: choose an --lr below 1e+308"),
        (BIRDS, ["--hidden", "0", "3"], "--hidden 0 means no hidden layer"),
        (
            BIRDS,
            ["--hidden", "3", "x.csv"],
            "argument --hidden: 'x.csv' is not a whole number; put the file name",
        ),
        (BIRDS, ["--hidden", "-1"], "argument --hidden: -1 is below 0"),
        (BIRDS, ["--lr", "0"], "argument --lr: 0 is not a positive number"),
        (BIRDS, ["--lr", "fast"], "argument --lr: 'fast' is not a number"),
        (BIRDS, ["--epochs", "0"], "argument --epochs: 0 is below 1"),
        (BIRDS, ["--seed", "x"], "argument --seed: 'x' is not a whole number"),
        (BIRDS, ["--activation", "linear"], "argument --activation: invalid choice: 'linear'"),
        (BIRDS, ["--colour"], "train has no option --colour (see autograd-lite train --help)"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(run, content, arguments, message):
    Path("d.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    Path("model.json").write_text("mine")
    code, out, err = run("train", "d.csv", "--save", "model.json", *arguments)
    assert code == 2
    assert err.startswith(f"autograd-lite: {message}")
    assert err.count("\n") == 1
    assert out == "" or "diverged" in message
    assert {path.name for path in Path().iterdir()} == {"d.csv", "model.json"}
    assert Path("model.json").read_text() == "mine"


def test_a_write_protected_model_is_not_replaced(run, monkeypatch):
    Path("model.json").write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    assert run("train", "--save", "model.json") == (
        2,
        "",
        "autograd-lite: cannot write 'model.json': it is write-protected\n",
    )


def test_a_model_that_cannot_be_written_after_all(run, monkeypatch):
    def full(path, document):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_file, "write_json", full)
    code, _, err = run("train", "--save", "model.json", *QUICK)
    assert (code, err) == (2, "autograd-lite: cannot write 'model.json': No space left on device\n")


def test_a_model_for_which_there_is_no_room_any_more_is_saved_elsewhere(run, monkeypatch, tmp_path):
    write = model_file.write_json

    def full(path, document):
        if path == Path("model.json"):
            raise OSError(28, "No space left on device")
        write(path, document)

    monkeypatch.setattr(model_file, "write_json", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, _, err = run("train", "--save", "model.json", *QUICK)
    assert code == 2
    said = (
        r"autograd-lite: cannot write 'model\.json': No space left on device; the model is saved in '(.*)'\n"
    )
    place = re.fullmatch(said, err)[1]
    assert run("predict", place, PENGUINS)[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="the limit is one of POSIX")
def test_a_model_that_is_larger_than_a_file_may_be_is_refused_before_the_training(run):
    Path("model.json").write_text("old")
    script = f"ulimit -f 8; {' '.join(COMMAND)} train --hidden 60 --epochs 100000 --save model.json"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "autograd-lite: cannot write 'model.json': File too large\n"
    assert [path.name for path in Path().iterdir()] == ["model.json"]
    assert Path("model.json").read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "d.csv"], "--save would overwrite 'd.csv', the data: choose another place"),
        (["--save", "link.csv"], "--save would overwrite 'd.csv', the data: choose another place"),
        (["--save", "hard.csv"], "--save would overwrite 'd.csv', the data: choose another place"),
        (["--save", "out", "--report", "out"], "--save and --report name the same place: choose another"),
        (["--save", "out", "--report", "out/in"], "--save and --report name the same place: choose another"),
        (
            ["--save", "out/report.html", "--report", "out"],
            "--save and --report name the same place: choose another",
        ),
    ],
)
def test_no_file_is_written_twice_nor_over_what_is_read(run, arguments, message):
    Path("d.csv").write_text(flowers())
    Path("link.csv").symlink_to("d.csv")
    os.link("d.csv", "hard.csv")
    code, out, err = run("train", "d.csv", "--target", "kind", *arguments, *QUICK)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"autograd-lite: {message}")
    assert {path.name for path in Path().iterdir()} == {"d.csv", "link.csv", "hard.csv"}
    assert Path("d.csv").read_text() == flowers()


def test_a_report_does_not_replace_the_data(run):
    Path("report.html").write_text(flowers())
    err = run("train", "report.html", "--report", ".", *QUICK)[2]
    assert err == "autograd-lite: --report would overwrite 'report.html', the data: choose another place\n"
    assert Path("report.html").read_text() == flowers()


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_ctrl_c_leaves_no_file(run):
    # A shell starts what runs in its background, as these tests may, with Ctrl-C ignored, and so would we
    # start the command; what we handle ourselves becomes the default in it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [*COMMAND, "train", "--epochs", "100000", "--save", "model.json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    shown = ""
    while "loss" not in shown:  # the bar: training is under way
        read = process.stderr.read(1)
        assert read, shown
        shown += read
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert rest.endswith("\nautograd-lite: interrupted\n")
    assert list(Path().iterdir()) == []


def test_ctrl_c_after_the_training_keeps_the_model(run, monkeypatch):
    def interrupted(model, part):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "gradient_check", interrupted)
    code, _, err = run("train", "--save", "model.json", *QUICK)
    assert (code, err) == (130, "autograd-lite: interrupted\n")
    assert run("predict", "model.json", PENGUINS)[0] == 0


@needs_matplotlib
def test_a_report_heads_its_facts_and_names_the_loss(run):
    Path("flowers.csv").write_text(flowers())
    assert run("train", "flowers.csv", "--target", "kind", "--report", "out", *QUICK)[0] == 0
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert re.search(r"network\s*MLP\(", re.sub(r"<[^>]*>", " ", page))
    assert "∂loss/∂" in page  # in the steps of the player
