"""The command ``gpt``: it learns from lines, writes new ones, keeps its model, and says what is wrong."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from autograd_lite import datasets
from autograd_lite.cli import gpt, main
from tests.cli.common import COMMAND
from tests.optional import needs_numpy

LINES = ["ada", "bea", "ida", "dea", "abe", "ib", "", "  bad  "]
SMALL = ("--width", "4", "--heads", "2", "--no-progress")
TINY = (*SMALL, "--steps", "2")


@pytest.fixture
def text() -> Path:
    path = Path("lines.txt")
    path.write_text("\n".join(LINES * 5), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def learnt(tmp_path_factory) -> str:
    """The file of a model that has learnt for a moment."""
    folder = tmp_path_factory.mktemp("learnt")
    (folder / "lines.txt").write_text("\n".join(LINES), encoding="utf-8")
    arguments = [str(folder / "lines.txt"), "--save", str(folder / "model.json"), "--sample", "0"]
    assert main(["gpt", *arguments, *TINY]) == 0
    return (folder / "model.json").read_text("utf-8")


@pytest.fixture
def model(run, learnt) -> Path:
    path = Path("model.json")
    path.write_text(learnt, encoding="utf-8")
    return path


def refused(run, *arguments) -> str:
    code, out, err = run("gpt", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err.removeprefix("autograd-lite: ").rstrip("\n")


@pytest.mark.parametrize("with_numpy", [True, False])
def test_it_learns_more_than_how_often_letters_occur(run, text, monkeypatch, with_numpy):
    if not with_numpy:
        monkeypatch.setattr(gpt.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(gpt, "AVERAGED", 20)
    code, out, err = run("gpt", text, *SMALL, "--steps", 120, "--lr", 0.03, "--sample", 8)
    assert (code, err) == (0, "")
    assert out.startswith("lines.txt: 35 lines, 5 different characters\n")
    assert "lines of up to 3 characters: 256\n            parameters" in out
    loss, guessing = map(float, re.search(r"loss +(\S+) .* has\s+(\S+)\n", out, re.DOTALL).groups())
    assert loss < guessing - 0.3
    _, _, new = out.partition("compiling included\n\n")
    assert len(lines := new.split("\n")) == 8 + 1
    assert set(new) <= set("abdei\n")
    assert max(map(len, lines)) <= 4
    assert max(map(len, out.splitlines())) < 80


def test_both_ways_to_take_the_steps_agree(run, text, monkeypatch):
    first = run("gpt", text, *TINY, "--save", "arrays.json")
    monkeypatch.setattr(gpt.importlib.util, "find_spec", lambda name: None)
    assert [code for code, *_ in (first, run("gpt", text, *TINY, "--save", "engine.json"))] == [0, 0]
    one, other = (json.loads(Path(name).read_text()) for name in ("arrays.json", "engine.json"))
    assert one["parameters"] == pytest.approx(other["parameters"], rel=1e-9, abs=1e-12)
    assert one["alphabet"] == other["alphabet"] == "abdei"


def test_a_saved_model_writes_the_same_lines(run, text):
    code, out, _ = run("gpt", text, *TINY, "--save", "model.json", "--sample", 5, "--seed", 3)
    _, _, new = out.partition("model.json\n\n")
    assert code == 0
    assert run("gpt", "--load", "model.json", "--sample", 5, "--seed", 3) == (0, new, "")
    assert run("gpt", "--load", "model.json", "--sample", 5, "--seed", 4)[1] != new
    assert run("gpt", "--load", "model.json", "--sample", 0) == (0, "", "")


def test_the_names_are_the_default(run, monkeypatch):
    monkeypatch.setattr(gpt, "_losses", lambda writer, lines, arguments: [2.0] * len(lines[:3]))
    code, out, _ = run("gpt", "--sample", "1")
    assert code == 0
    assert out.startswith("the names: 32,033 lines, 26 different characters\n")
    assert "1 layer, 16 wide, 4 heads, lines of up to 15 characters: 4,192" in out
    assert "the mean of the last 3 of 3 steps" in out
    assert "guessing by frequency has 2.8227\n" in out
    assert len(datasets.names()) == 32_033


@needs_numpy
def test_the_progress_bars(text_file):
    command = [*COMMAND, "gpt", text_file, "--steps", "3", "--width", "4", "--heads", "2", "--sample", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert re.search(r"compiling: 100%.*2/2", done.stderr)
    assert re.search(r"100%.*3/3 .*loss \d\.\d\d", done.stderr)


@pytest.fixture
def text_file(tmp_path) -> str:
    path = tmp_path / "lines.txt"
    path.write_text("ab\nabc\n" * 9, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lines.txt is empty"),
        (b" \n\t\n", "lines.txt is empty"),
        (b"a\xff", "lines.txt is not UTF-8 text (line 1, byte 0xff): save it as UTF-8"),
        (
            b"ab\n\n" + b"x" * 33,
            "line 2 of lines.txt, not counting blank ones, has 33 characters, 32 are the most: break it "
            "('xxxxxxxxxxxxxxxxxxxx'…), or give --length 33",
        ),
        (
            "\n".join(map(chr, range(0x4E00, 0x4E00 + 501))).encode(),
            "lines.txt has 501 different characters, 500 are the most: is it a text? The rarest are "
            "'一', '丁', '丂'",
        ),
    ],
)
def test_texts_that_cannot_be_learnt(run, content, message):
    Path("lines.txt").write_bytes(content)
    assert refused(run, "lines.txt") == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["absent.txt"], "cannot read 'absent.txt': No such file or directory"),
        (["--length", 2], "line 1 of lines.txt, not counting blank ones, has 3 characters, 2 are the most"),
        (["--heads", 3], "3 heads cannot share a width of 16: it must be a multiple of them"),
        (["--width", 10_000], "this model has 1,200,160,000 parameters and 4 positions, whose product is"),
        (["--save", "lines.txt"], "--save would overwrite 'lines.txt', the text: choose another place"),
        (["--save", "nowhere/m.json"], "cannot write 'nowhere/m.json': No such file or directory"),
        (["--sample", "x"], "argument --sample: 'x' is not a whole number (see autograd-lite gpt --help)"),
        (["--sample", "-1"], "argument --sample: -1 is below 0"),
        (["--temperature", 0], "argument --temperature: 0 is not a positive number"),
        (["--load", "m.json"], "--load prints lines of a saved model and trains nothing: leave out TEXT"),
        ([*SMALL, "--lr", 1e200, "--steps", 9], "the training diverged: choose an --lr below 1e+200"),
    ],
)
def test_options_that_do_not_fit(run, text, options, message):
    given = options if options[0] == "absent.txt" else [text, *options]
    code, _, err = run("gpt", *given)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"autograd-lite: {message}")


@pytest.mark.parametrize(
    ("options", "what"),
    [(["--steps", 5], "--steps"), (["--save", "x"], "--save"), (["--length", 5], "--length")],
)
def test_loading_does_not_train(run, model, options, what):
    assert refused(run, "--load", model, *options).endswith(f"leave out {what}")


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("format", "else", "is not a model that 'autograd-lite gpt --save' wrote (it holds <GPT with 256"),
        ("version", 7, "has version 7 of the file format, and this program reads version 1"),
        ("alphabet", None, "is damaged: it must have an alphabet and an architecture"),
        ("alphabet", "abdea", "is damaged: the alphabet 'abdea' is not one of 5"),
        ("alphabet", "abdeix", "is damaged: the alphabet 'abdeix' is not one of 5"),
        ("architecture", {"tokens": 6}, "is damaged: size_of() missing"),
        ("parameters", {}, "is damaged: its parameters are not those of"),
    ],
)
def test_damaged_models(run, model, part, content, message):
    found = json.loads(model.read_text("utf-8"))
    model.write_text(json.dumps(found | {part: content}), encoding="utf-8")
    assert refused(run, "--load", model).startswith(f"model.json {message}")


def test_damaged_parameters(run, model):
    found = json.loads(model.read_text("utf-8"))
    name = next(iter(found["parameters"]))
    found["parameters"][name] = "x"
    model.write_text(json.dumps(found), encoding="utf-8")
    assert f"not a finite number: {name} ('x')" in refused(run, "--load", model)
    model.write_text("{", encoding="utf-8")
    assert refused(run, "--load", model).startswith("model.json is damaged or not a JSON file")
    assert refused(run, "--load", "absent.json").startswith("cannot read 'absent.json'")


def test_scores_that_overflow(run, model):
    found = json.loads(model.read_text("utf-8"))
    for name in found["parameters"]:
        if name.startswith("scores"):
            found["parameters"][name] = 1.7e308
    model.write_text(json.dumps(found), encoding="utf-8")
    assert "choose a --temperature above 0.5" in refused(run, "--load", model)
    assert "the scores overflow" in refused(run, "--load", model, "--temperature", 1e-9)
    assert "not a model that 'autograd-lite train --save' wrote" in run("predict", model, model)[2]
