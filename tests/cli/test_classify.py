"""cli: what `train` and `predict` print, the model file, and what is said of a mistake."""

import argparse
import csv
import io
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_lite.cli import classify as cli
from autograd_lite.nn import ACTIVATIONS, MLP

PENGUINS = Path(cli.__file__).parents[1] / "datasets" / "penguins.csv"
COMMAND = [sys.executable, "-m", "autograd_lite"]
QUICK = ("--epochs", "1", "--no-progress")
ORACLE = json.loads((Path(__file__).parents[1] / "oracle.json").read_text(encoding="utf-8"))["derivations"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return command


def measured(out: str, name: str, column: int) -> float:
    """A number of the final table: column 0 rows, 1 loss, 2 accuracy."""
    return float(re.search(rf"^  {name} +(.*)$", out, re.MULTILINE)[1].split()[column])


def difference(out: str) -> float:
    return float(re.search(r"differ by at\s+most\s+(\S+)", out)[1])


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (
        action.choices for action in cli._parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return found


def test_the_help_tells_the_defaults():
    told = {}
    for command in commands().values():
        for action in command._actions:
            if match := re.search(r"\(default: (\S+)\)$", action.help or ""):
                default = action.default[0] if isinstance(action.default, list) else action.default
                assert str(default) == match[1], action.option_strings
                told[action.dest] = default
    assert told.keys() == {"hidden", "activation", "epochs", "lr", "batch_size", "seed"}


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("draw", "--out=y.svg"),
        ("draw", "--outpu"),
        ("explain", "--wr=x"),
        ("explain", "--late"),
        ("table", "--hel"),
    ],
)
def test_options_beside_an_expression_are_not_abbreviated(run, name, option):
    given = ["--wrt", "x"] if name == "explain" else []
    code, out, err = run(name, "x**2", "x=3", *given, option)
    assert (code, out) == (2, "")
    assert err.startswith(f"autograd-lite: argument NAME=NUMBER: ' {option}' gives no name a value"), err


def flowers(rows: int = 60, separator: str = ",") -> str:
    """Three kinds that a line or two tell apart, with every sort of column."""
    rng = random.Random(0)
    lines = [["nr", "kind", "length", "colour", "planet", "label"]]
    for i in range(rows):
        kind = i % 3
        colour = rng.choice(["red", "blue"]) if kind else "white"
        lines.append(
            [str(i + 1), f"k{kind}", f"{rng.gauss(3 * kind, 0.5):.3f}", colour, "Earth", f"plant {i}"]
        )
    return "\n".join(separator.join(line) for line in lines) + "\n"


# --- train -----------------------------------------------------------------------------------------


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
    assert "from      length, colour (3 texts)\n" in out
    for reason in ("nr: numbers the rows", "planet: always 'Earth'", "label: an identifier: every text once"):
        assert f"left out  column {reason}\n" in out
    assert "network   4 inputs, 8 tanh, 3 softmax: 67 parameters" in out
    assert measured(out, "held out", 2) == 1.0


def test_two_classes_without_hidden_layers_are_a_logistic_regression(run):
    code, out, _ = run("train", "--target", "sex", "--hidden", 0, *QUICK)
    assert code == 0
    assert "11 inputs, 1 sigmoid (logistic regression): 12 parameters" in out
    assert "closed form of document 000" in out
    assert difference(out) < 266 * sys.float_info.epsilon


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


def test_names_cannot_break_the_layout_or_steer_the_terminal(run):
    Path("f.csv").write_text('x,"y\nz"\n1,"a\x1b[31m\nb"\n2,c\n' + '1,"a\x1b[31m\nb"\n2,c\n')
    code, out, _ = run("train", "f.csv", *QUICK)
    assert code == 0
    assert "\x1b" not in out
    assert "predicts  y z: a\N{REPLACEMENT CHARACTER}[31m b, c\n" in out


def test_no_output_holds_a_control_character_of_the_data(run):
    controls = "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32), *range(127, 160)]))
    text = f"x,{controls}y\n1,a{controls}\n2,c\n" * 1 + f"1,a{controls}\n2,c\n"
    Path("d.csv").write_text(text, encoding="utf-8")
    saved = f"m{chr(27)}.json"
    for arguments in (["train", "d.csv", "--save", saved, *QUICK], ["predict", saved, "d.csv"]):
        code, out, err = run(*arguments)
        assert code == 0
        assert "\N{REPLACEMENT CHARACTER}" in out
        assert not set(controls) & set(out + err)


# --- Confusion -------------------------------------------------------------------------------------


def test_confusion_fits_the_terminal():
    pairs = [(i, j) for i in range(10) for j in range(10)]
    names = [f"a rather long name of class {i}" for i in range(10)]
    heading, head, *lines = cli.confusion(names, pairs)
    assert heading.startswith("a row for each true class")
    assert head.split() == [str(i) for i in range(1, 11)]
    assert lines[9].split() == ["10", *names[9].split(), *["1"] * 10]
    assert max(map(len, [head, *lines])) < 80


def test_confusion_of_many_classes_lists_mistakes():
    pairs = [(i, i) for i in range(40)] + [(0, 1)] * 3 + [(i, 0) for i in range(1, 40)]
    heading, first, *lines = cli.confusion(["x" * 60, *[f"c{i}" for i in range(1, 40)]], pairs)
    assert heading == "the most frequent of 42 mistakes"
    assert first == f"  {'x' * 29}… taken for c1: 3"
    assert len(lines) == 9


# --- The closed form -------------------------------------------------------------------------------


def built(W: list[list[list[float]]], b: list[list[float]], activation: str) -> MLP:
    network = MLP(len(W[0][0]), [len(rows) for rows in W], activation)
    for layer, rows, biases in zip(network.layers, W, b, strict=True):
        for neuron, row, bias in zip(layer.neurons, rows, biases, strict=True):
            neuron.b.data = bias
            for w, number in zip(neuron.w, row, strict=True):
                w.data = number
    return network


def close(found: list[float], expected: list[float], rtol: float) -> bool:
    atol = 1e-14 * max(map(abs, expected))
    return all(abs(x - y) <= rtol * abs(y) + atol for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_closed_form_is_that_of_document_001(activation):
    cases = [c for c in ORACLE[f"softmax_2layer_{activation}"]["cases"] if c["kind"] == "random"]
    assert cases
    for case in cases:
        given, expected = case["inputs"], case["outputs"]
        b = [[x for (x,) in given[name]] for name in ("b1", "b2")]
        network = built([given["W1"], given["W2"]], b, activation)
        part = [(list(x), y) for x, y in zip(zip(*given["X1"], strict=True), given["labels"], strict=True)]
        flat = [
            number
            for dW, db in ((expected["dW1"], expected["db1"]), (expected["dW2"], expected["db2"]))
            for row, bias in zip(dW, db, strict=True)
            for number in (*row, *bias)
        ]
        assert close(cli.closed_form(network, part), flat, case["rtol"]), case["id"]


def test_closed_form_is_that_of_document_000():
    cases = [
        c
        for c in ORACLE["logistic_batch"]["cases"]
        if c["kind"] == "random" and set(c["inputs"]["y"]) <= {0.0, 1.0}
    ]
    assert cases
    for case in cases:
        given, expected = case["inputs"], case["outputs"]
        network = built([[given["w"]]], [[given["b"]]], "tanh")
        part = list(zip(given["X"], map(int, given["y"]), strict=True))
        found = cli.closed_form(network, part)
        assert close(found, [*expected["dw_sum"], expected["db_sum"]], case["rtol"]), case["id"]


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "linear"])
def test_engine_and_closed_form_agree(activation):
    rng = random.Random(1)
    part = [([rng.gauss(0, 1) for _ in range(4)], i % 3) for i in range(9)]
    model = cli.Classifier("y", list("abc"), [], MLP(4, [5, 4, 3], activation, rng=2))
    found, largest = cli.gradient_check(model, part)
    assert found <= 1e-14 * largest * len(part)


def test_gradient_check_finds_a_wrong_gradient(monkeypatch):
    part = [([1.0, 2.0], 0)]
    model = cli.Classifier("y", ["a", "b"], [], MLP(2, [3, 2], "tanh", rng=0))
    monkeypatch.setattr(cli.Classifier, "loss", lambda self, scores, label: 1.001 * scores[label])
    found, largest = cli.gradient_check(model, part)
    assert found > 1e-3 * largest


# --- predict ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "model.json"
    assert cli.main(["train", "--epochs", "3", "--save", str(path), "--no-progress"]) == 0
    return path


@pytest.fixture
def model(run, trained) -> Path:
    """A model of the penguins, trained for a moment, in a file that may be spoiled."""
    return Path(shutil.copy(trained, "model.json"))


def test_predict_prints_a_line_for_each_row(run, model):
    code, out, err = run("predict", model, PENGUINS)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    truth = [line.split(",") for line in PENGUINS.read_text().splitlines()[1:]]
    assert list(rows[0]) == ["predicted", "P(Adelie)", "P(Chinstrap)", "P(Gentoo)"]
    assert len(rows) == len(truth) == 344
    right = 0
    for row, bird in zip(rows, truth, strict=True):
        if "NA" in bird:
            assert set(row.values()) == {""}
        else:
            p = {name[2:-1]: float(p) for name, p in row.items() if name != "predicted"}
            assert math.fsum(p.values()) == pytest.approx(1.0, abs=2e-6)  # six digits are printed
            assert p[row["predicted"]] == max(p.values())
            right += row["predicted"] == bird[0]
    assert err.splitlines() == [
        "autograd-lite: no prediction for 11 of 344 rows, which have missing fields: "
        "bill_length_mm 2, bill_depth_mm 2, flipper_length_mm 2, body_mass_g 2, sex 11",
        f"autograd-lite: accuracy {right / 333:.4f}: {right} of 333 rows",
    ]
    assert right > 300


def test_predict_is_what_train_measured(run):
    out = run("train", "--target", "sex", "--hidden", 0, "--epochs", 3, "--save", "m.json", "--no-progress")[
        1
    ]
    right = sum(round(measured(out, part, 0) * measured(out, part, 2)) for part in ("training", "held out"))
    assert f": {right} of 333 rows" in run("predict", "m.json", PENGUINS)[2]


def test_predict_needs_no_target_and_any_order_of_columns(run, model):
    Path("new.csv").write_text(
        "year;sex;body_mass_g;note;flipper_length_mm;bill_depth_mm;bill_length_mm;island\n"
        "2008;female;3700;x;190;18,6;38,2;Torgersen\n"
        "2008;male;5500;y;225;15,4;49,0;Atlantis\n"
    )
    code, out, err = run("predict", model, "new.csv")
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["predicted", "Adelie", "Gentoo"]
    assert err == "autograd-lite: column 'island' has texts never seen in training: 'Atlantis'\n"


def test_predict_is_quiet_when_its_reader_leaves(run, model):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "predict", model, PENGUINS], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.returncode == 141
    assert len(done.stderr.splitlines()) == 2  # the missing fields and the accuracy


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written(run, model):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "predict", model, PENGUINS], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "autograd-lite: cannot write the output: No space left on device"


# --- Mistakes --------------------------------------------------------------------------------------

BIRDS = PENGUINS.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (BIRDS, ["--target", "specis"], "d.csv has no column 'specis': did you mean 'species'?"),
        (
            BIRDS.replace("37.8,17.1", "abc,17.1", 1),
            [],
            "d.csv, line 12, column 'bill_length_mm': 'abc' is text where a number belongs",
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
        ("a\nx\ny\nx\n", [], "d.csv has no column to learn from"),
        ("a,b\n1,x\n2,y\n3,x\n", [], "d.csv has no column to learn from (left out 'a': numbers the rows)"),
        (
            BIRDS,
            ["--target", "body_mass_g"],
            "column 'body_mass_g' of d.csv has 94 different values in 342 rows",
        ),
        (BIRDS, ["--save", "no/model.json"], "cannot write 'no/model.json': No such file or directory"),
        (BIRDS, ["--save", "."], "cannot write '.': it is a folder"),
        (BIRDS, ["--lr", "1e308", *QUICK], "the training diverged: choose an --lr below 1e+308"),
        (BIRDS, ["--hidden", "0", "3"], "--hidden 0 means no hidden layer"),
        (
            BIRDS,
            ["--hidden", "3", "x.csv"],
            "argument --hidden: 'x.csv' is no whole number; a file's name goes be",
        ),
        (BIRDS, ["--hidden", "-1"], "argument --hidden: -1 is below 0"),
        (BIRDS, ["--lr", "0"], "argument --lr: 0 is no positive number"),
        (BIRDS, ["--lr", "fast"], "argument --lr: 'fast' is no number"),
        (BIRDS, ["--epochs", "0"], "argument --epochs: 0 is below 1"),
        (BIRDS, ["--seed", "x"], "argument --seed: 'x' is no whole number"),
        (BIRDS, ["--activation", "linear"], "argument --activation: invalid choice: 'linear'"),
        (BIRDS, ["--colour"], "unrecognized arguments: --colour (autograd-lite --help explains)"),
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["tain"], "argument COMMAND: invalid choice: 'tain'"),
        (["train", "absent.csv"], "cannot read 'absent.csv': No such file or directory"),
        (["train", "."], "cannot read '.': Is a directory"),
        (["predict", "model.json"], "the following arguments are required: DATA.csv"),
    ],
)
def test_mistakes_in_the_command_line(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"autograd-lite: {message}")


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

    monkeypatch.setattr(cli, "write_json", full)
    code, _, err = run("train", "--save", "model.json", *QUICK)
    assert (code, err) == (2, "autograd-lite: cannot write 'model.json': No space left on device\n")


def test_a_model_for_which_there_is_no_room_any_more_is_saved_elsewhere(run, monkeypatch, tmp_path):
    write = cli.write_json

    def full(path, document):
        if path == Path("model.json"):
            raise OSError(28, "No space left on device")
        write(path, document)

    monkeypatch.setattr(cli, "write_json", full)
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


def test_a_network_or_a_file_beyond_the_limits_is_one_line(run):
    expected = "a network of 14,000,000,003 parameters is too large, 2,000,000 are the most"
    code, out, err = run("train", "--hidden", 10**9, *QUICK)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err
    for arguments in (["train", "/dev/zero"], ["predict", "/dev/zero", "x"]):
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "/dev/zero" in err
        assert "is longer than 1" in err


def test_too_little_memory_is_one_line(run, monkeypatch):
    def all_of_it(path):
        raise MemoryError

    monkeypatch.setattr(cli, "read_csv", all_of_it)
    expected = "autograd-lite: there is not enough memory for this: give it less data, or a smaller network\n"
    assert run("train", "d.csv") == (2, "", expected)


def test_error_lines_are_bounded(run):
    long = "n" * 100_000
    for arguments in (
        ["train", "--target", long],
        ["train", long],
        ["draw", f"{long[:1900]}(x)", "x=1"],
        [long],
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert max(map(len, err.splitlines())) < 600
    Path("d.csv").write_text(f"{long},y\n1,a{long}\n2,b\n" * 1 + f"1,a{long}\n2,b\n")
    code, out, _ = run("train", "d.csv", *QUICK)
    assert code == 0
    assert max(map(len, out.splitlines())) < 80
    assert len(out.splitlines()) < 25


def test_wide_losses_do_not_run_into_the_rows(capsys):
    cli._print_measures(["a", "b"], (1.897e300, [(0, 0)] * 4), (-1.897e-300, [(0, 0)] * 12345678))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["training", "4", "1.897e+300", "1.0000"]
    assert lines[2].split() == ["held", "out", "12345678", "-1.897e-300", "1.0000"]
    assert len({len(line) for line in lines[:3]}) == 1


NUMBER = {"name": "x", "mean": 0.0, "scale": 1.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": None}, "is no model that 'autograd-lite train --save' wrote"),
        ({"parameters": {}}, "does not hold an MLP: 0 parameters are too few"),
        ({"parameters": {str(k): 0.0 for k in range(1000)}}, "model.json: this state does not fit MLP("),
        ({"parameters": "abc"}, "is damaged: 'parameters' must be an object, got 'abc'"),
        ({"classes": ["a", "b"]}, "is damaged: the network does not have 2 classes"),
        ({"classes": 3}, "is damaged: 'classes' must be a list, got 3"),
        ({"classes": "abc"}, "is damaged: 'classes' must be a list, got 'abc'"),
        ({"classes": ["a", "b", 3]}, "is damaged: 'classes' must be a list of texts, got ['a', 'b', 3]"),
        ({"target": ["species"]}, "is damaged: 'target' must be a text, got ['species']"),
        ({"architecture": None}, "is damaged: 'architecture' must be an object, got None"),
        ({"architecture": {"inputs": 10, "sizes": [1000000000, 3]}}, "parameters are too few for {'inputs'"),
        ({"inputs": [1]}, "is damaged: 1 describes no input"),
        ({"inputs": "abc"}, "is damaged: 'inputs' must be a list, got 'abc'"),
        (
            {"inputs": [{"name": 3, "texts": ["a"]}]},
            "is damaged: {'name': 3, 'texts': ['a']} describes no input",
        ),
        (
            {"inputs": [{"name": "x", "texts": "abc"}]},
            "is damaged: the texts of input 'x' must be a list of texts, got 'abc'",
        ),
        ({"inputs": []}, "is damaged: 10 inputs were expected and 0 came"),
        ({"inputs": [{"name": "x", "mean": "0", "scale": 1.0}]}, "is damaged: a mean must be a real number"),
        ({"inputs": [{"name": "x", "mean": 0.0, "scale": 0.0}]}, "has the mean 0 and the scale 0: no column"),
        ({"inputs": [{"name": "x", "size": 3}]}, "is damaged: {'name': 'x', 'size': 3} describes no input"),
        ({"classes": ["a", "b", "a"]}, "is damaged: 'a' stands 2 times among the classes"),
        ({"classes": ["a"]}, "is damaged: there must be two classes or more, got ['a']"),
        ({"classes": ["a", "b", "c\x1b"]}, "is damaged: 'c\\x1b' among the classes is not a text"),
        ({"classes": ["a", "b", ""]}, "is damaged: '' among the classes is not a text"),
        ({"target": "year"}, "is damaged: 'year' stands 2 times among the target and the inputs"),
        ({"inputs": [NUMBER, NUMBER]}, "is damaged: 'x' stands 2 times among the target and the inputs"),
        (
            {"inputs": [{"name": "x", "texts": ["a", "a"]}]},
            "is damaged: 'a' stands 2 times among the texts of input 'x'",
        ),
        ({"inputs": [{"name": "x", "texts": []}]}, "is damaged: the input 'x' has no texts"),
        ({"inputs": [NUMBER | {"scale": 1e-320}]}, "input 'x' has the mean 0 and the scale 9.99989e-321"),
        ({"inputs": [NUMBER | {"scale": 1e300}]}, "input 'x' has the mean 0 and the scale 1e+300"),
        ({"inputs": [NUMBER | {"scale": -1.0}]}, "input 'x' has the mean 0 and the scale -1"),
        ({"inputs": [NUMBER | {"mean": 1e308}]}, "input 'x' has the mean 1e+308 and the scale 1"),
        ({"inputs": [NUMBER | {"mean": 10**400}]}, "is damaged: "),
    ],
)
def test_damaged_models(run, model, change, message):
    document = json.loads(model.read_text()) | change
    model.write_text(json.dumps(document))
    code, out, err = run("predict", model, PENGUINS)
    assert (code, out) == (2, "")
    assert err.startswith(("autograd-lite: model.json ", "autograd-lite: model.json: "))
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"layers.1.neurons.2.b": ', '"layers.1.neurons.2.b": 1e308, "x": ', "unexpected: x"),
        ("", "", "the parameter layers.1.neurons.2.b is 1e+308, beyond ±1e+100"),
        ("", "", "the parameter layers.1.neurons.2.b is -1e+308, beyond ±1e+100"),
        ('"target":', '"target": "x", "target":', "the key 'target' stands 2 times in one object"),
        ('"activation": "tanh"', '"activation": "log"', "the network is not one that 'train' builds"),
        ('"output": "linear"', '"output": "exp"', "the network is not one that 'train' builds"),
    ],
)
def test_models_with_one_wrong_entry(run, model, old, new, message):
    text = model.read_text()
    assert old in text
    if old:
        model.write_text(text.replace(old, new, 1))
    else:
        document = json.loads(text)
        document["parameters"]["layers.1.neurons.2.b"] = -1e308 if "-1e" in message else 1e308
        model.write_text(json.dumps(document))
    code, out, err = run("predict", model, PENGUINS)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_row_on_which_a_model_overflows_is_named(run, model):
    """All that the limits allow, but with an activation that lets it through."""
    document = json.loads(model.read_text())
    document["architecture"]["activation"] = "leaky_relu"
    document["parameters"] = dict.fromkeys(document["parameters"], 1e100)
    for column in document["inputs"]:
        if "scale" in column:
            column["scale"] = 1e-100
    model.write_text(json.dumps(document))
    Path("d.csv").write_text(BIRDS.replace("39.1,18.7", "9e99,18.7", 1))
    code, out, err = run("predict", model, "d.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("autograd-lite: d.csv, line 2: the model overflows on this row: ")


@pytest.mark.parametrize("key", ["architecture", "classes", "inputs", "parameters", "target"])
def test_models_that_lack_a_part(run, model, key):
    document = json.loads(model.read_text())
    del document[key]
    model.write_text(json.dumps(document))
    assert run("predict", model, PENGUINS) == (
        2,
        "",
        f"autograd-lite: model.json is damaged: it has no '{key}'\n",
    )


def test_models_that_are_no_json(run, model):
    model.write_text(model.read_text()[:-20])
    code, out, err = run("predict", model, PENGUINS)
    assert (code, out) == (2, "")
    assert err.startswith("autograd-lite: model.json is damaged")
    assert run("predict", "absent.json", PENGUINS)[2] == (
        "autograd-lite: cannot read 'absent.json': No such file or directory\n"
    )


def test_predict_on_a_file_that_does_not_fit_the_model(run, model):
    Path("d.csv").write_text(BIRDS.replace("sex", "Sex"))
    expected = "autograd-lite: d.csv has no column 'sex': did you mean 'Sex'?\n"
    assert run("predict", model, "d.csv") == (2, "", expected)
    Path("d.csv").write_text(BIRDS.replace("female,2009", "female,last"))
    expected = "autograd-lite: d.csv, line 102, column 'year': 'last' is text where a number belongs\n"
    assert run("predict", model, "d.csv") == (2, "", expected)


# --- The process -----------------------------------------------------------------------------------


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


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_ctrl_c_while_the_package_is_imported_shows_no_traceback(run):
    # tqdm is imported long before the command runs, and here it stands for a slow import.
    Path("tqdm.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = subprocess.run(
            [*COMMAND, "train"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."}
        )
        library = subprocess.run(
            [sys.executable, "-c", "import autograd_lite"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
    assert "KeyboardInterrupt" in library.stderr  # who imports the library keeps his own way


def test_ctrl_c_after_the_training_keeps_the_model(run, monkeypatch):
    def interrupted(model, part):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "gradient_check", interrupted)
    code, _, err = run("train", "--save", "model.json", *QUICK)
    assert (code, err) == (130, "autograd-lite: interrupted\n")
    assert run("predict", "model.json", PENGUINS)[0] == 0


STREAMS = {
    "stdout closed": (">&-", 2, "cannot write the output: Bad file descriptor"),
    "stdout full": (">/dev/full", 2, "cannot write the output: No space left on device"),
    "stdout gone": ("| true", 141, ""),
    "reader of one line": ("| head -1", 141, ""),
    "stderr closed": ("2>&-", 0, ""),
    "stderr full": ("2>/dev/full", 0, ""),
    "stderr gone": ("2> >(true)", 0, ""),
    "all closed": ("<&- >&- 2>&-", 2, ""),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", STREAMS)
def test_a_model_is_saved_whatever_becomes_of_the_streams(run, name):
    lost, code, said = STREAMS[name]
    command = " ".join([*COMMAND, "train", "--epochs", "2", "--save", "model.json"])
    script = f"{command} {lost}\nexit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert run("predict", "model.json", PENGUINS)[0] == 0


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["explain", "x", "x=1", "--wrt", "x"], ["x"]]
)
def test_closed_streams_end_no_command_in_a_traceback(run, arguments):
    for lost in (">&-", ">/dev/full", "2>&-", ">&- 2>&-"):
        script = f"{' '.join([*COMMAND, *arguments])} {lost}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert done.returncode == (0 if lost == "2>&-" and arguments != ["x"] else 2), (lost, done.stderr)
        assert done.stderr.count("\n") <= 1
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "train     learn to tell classes apart"),
        (["train", "--help"], "--hidden UNITS"),
        (["predict", "--help"], "MODEL.json"),
        (["--version"], "autograd-lite 0."),
    ],
)
def test_help_and_version(capsys, monkeypatch, arguments, shown):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    assert leaving.value.code == 0
    out = capsys.readouterr().out
    assert shown in out
    assert max(map(len, out.splitlines())) < 80
