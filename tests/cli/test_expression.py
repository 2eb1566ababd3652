"""The commands ``draw``, ``explain`` and ``table``: what they print and write, and what a mistake says."""

import contextlib
import math
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from autograd_lite.cli import main
from autograd_lite.notation.parser import evaluate
from tests.exploring import FIRST
from tests.notation.test_parser import random_expression
from tests.pictures.graphs import needs_graphviz

EXAMPLE = ["log(1 + exp(-y*(w*x + b)))", "w=0.5", "x=2", "b=0.1", "y=1"]


# --- draw ---------------------------------------------------------------------------------------------


def drawn(capsys, *arguments: str) -> tuple[int, str, str]:
    with contextlib.suppress(SystemExit):
        code = main(["draw", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err
    return 0, capsys.readouterr().out, ""


def test_tree_is_printed(capsys):
    code, out, err = drawn(capsys, *EXAMPLE)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["value", "gradient", "log", "size"]
    assert [line.split()[-3] for line in out.splitlines() if "─ w " in line] == ["0.500"]
    assert "−0.499" in out


DRAWN = [pytest.param(suffix, marks=needs_graphviz) for suffix in ("svg", "png", "html", "SVG")]


@pytest.mark.parametrize("suffix", ["dot", *DRAWN])
def test_picture_is_written(capsys, tmp_path, suffix):
    path = tmp_path / f"out.{suffix}"
    code, out, err = drawn(capsys, *EXAMPLE, "-o", str(path))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"saved {path}"
    content = path.read_bytes()
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "dot": b"digraph", "html": b"<!DOCTYPE html>"}
    assert content.lstrip(b"/ \n").startswith(starts[suffix.lower()])
    if suffix == "svg":
        root = ElementTree.fromstring(content)
        classes = [group.get("class", "") for group in root.iter("{http://www.w3.org/2000/svg}g")]
        assert sum("card" in name.split() for name in classes) >= 7
        assert "−0.499" in "".join(root.itertext())


@needs_graphviz
def test_page_may_be_live(capsys, tmp_path):
    pages = []
    for options in ([], ["--live"]):
        path = tmp_path / "out.html"
        assert drawn(capsys, "-x*y", "x=1", *options, "y=2", "-o", str(path))[0] == 0
        pages.append(path.read_text(encoding="utf-8"))
    assert ["<title>" in page and ", live</title>" in page.split("<body>")[0] for page in pages] == [
        False,
        True,
    ]


@pytest.mark.parametrize("output", [[], ["-o", "x.svg"]])
def test_live_needs_a_page(capsys, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    code, out, err = drawn(capsys, "x*y", "x=1", "y=2", "--live", *output)
    assert (code, out) == (2, "")
    assert err == "autograd-lite: --live makes a page: name its file with -o, ending in .html\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [0, 1, 3, 5])
def test_output_may_stand_anywhere(capsys, tmp_path, place):
    arguments = [*EXAMPLE]
    arguments[place:place] = ["--output", str(tmp_path / "out.dot")]
    assert drawn(capsys, *arguments)[0] == 0
    assert (tmp_path / "out.dot").exists()


@pytest.mark.parametrize("text", ["-x", "-x*y", "-o*x", "--x", "-h(x)", "-(x)"])
def test_leading_minus_is_part_of_the_expression(capsys, text):
    code, _, err = drawn(capsys, text, *[f"{name}=2" for name in "xyo" if name in text])
    assert code == 0 or "no function h" in err


def test_number_alone_is_a_tree_of_one(capsys):
    code, out, _ = drawn(capsys, "2 + 3")
    assert code == 0
    assert "5.00" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x"], "EXPRESSION"),
        (["x", "x"], "'x' does not give a name a value: write it as w=0.5"),
        (["x", "x=two"], "'two' is not a number, in 'x=two'"),
        (["x", "2=3"], "'2=3' does not give a name a value"),
        (["x", "lambda=3"], "does not give a name a value"),
        (["x", "x=1", "x=2"], "x is given twice"),
        (["x*y", "x=1", "y=2", "z=3"], "autograd-lite: z is not in the expression"),
        (["exp(x)", "x=1", "t=2", "exp=3"], "t, exp are not in the expression"),
        (["x", "x=1", "-o", "out.gif"], "'out.gif' does not end in .svg, .png, .pdf, .dot or .html"),
        (["x", "x=1", "-o", "no/such/folder/out.svg"], "cannot write 'no/such/folder/out.svg'"),
        (["x", "x=1", "-o"], "expected one argument"),
        ([], "the following arguments are required: EXPRESSION (see autograd-lite draw --help)"),
    ],
)
def test_mistakes_are_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = drawn(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err or (message == "EXPRESSION" and "x has no value: give it as x=0.5" in err)
    assert err.count("\n") == 1 + (message == "EXPRESSION")
    assert list(tmp_path.iterdir()) == []


def test_name_in_a_branch_that_is_not_taken_is_in_the_expression(capsys):
    code, _, err = drawn(capsys, "where(x > 0, x, y)", "x=1", "y=2")
    assert (code, err) == (0, "")


def test_bad_expression_is_marked_with_a_caret_and_writes_nothing(capsys, tmp_path):
    code, out, err = drawn(capsys, "log(1 + exq(x))", "x=2", "-o", str(tmp_path / "out.svg"))
    assert (code, out) == (2, "")
    assert err == (
        "autograd-lite: log(1 + exq(x))\n"
        "                       ^ there is no function exq: did you mean exp?\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_long_message_stands_below_its_mark(capsys):
    code, _, err = drawn(capsys, "x.y", "x=2")
    assert code == 2
    text, mark, *message = err.splitlines()
    assert (text, mark) == ("autograd-lite: x.y", "                ^")
    assert [len(line) - len(line.lstrip()) for line in message] == [len("autograd-lite: ")] * 2
    assert max(map(len, message)) < 80
    assert " ".join(line.strip() for line in message) == (
        "attributes are not allowed: only numbers, names, + - * / **, parentheses and functions such as exp "
        "are allowed"
    )


HOSTILE = [
    '__import__("os")',
    "x.__class__",
    "9**9**9**9",
    "(" * 30_000 + "x" + ")" * 30_000,  # an argument of a command has at most 131,072 bytes
    "(" * 900 + "x" + ")" * 900,
    "-" * 1990 + "x",
    "lambda: x",
    'f"{x}"',
    'f\'{__import__("os").system("true")}\'',
    "[x for x in y]",
    "x if x else y",
    "(x := 3)",
    "exec('1')",
    "open('/etc/passwd')",
    "x[0]",
    "exp(*[x])",
    "'a' * 10**9",
    "x; y",
    "x\x1b[31m",
    "1e999",
    "exp(exp(exp(exp(x))))",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expressions_end_in_one_message(capsys, text):
    start = time.process_time()
    code, out, err = drawn(capsys, text, "x=2", "y=1")
    assert time.process_time() - start < 2.0
    assert (code, out) == (2, "")
    first, second, *others = err.splitlines()
    assert first.startswith("autograd-lite: ")
    assert second.lstrip().startswith("^")
    assert second.endswith("^") == bool(others)
    assert all(line.isprintable() for line in (first, second, *others))


def test_hundred_random_expressions_have_their_value_or_one_message(capsys):
    values = {"w": 0.5, "x": 2.0, "b": 0.1, "y": 1.0}
    for seed in range(FIRST, FIRST + 100):
        text = random_expression(random.Random(seed))
        start = time.process_time()
        given = [f"{name}={x!r}" for name, x in values.items() if re.search(rf"\b{name}\b", text)]
        code, out, err = drawn(capsys, text, *given)
        assert time.process_time() - start < 2.0
        if code == 0:
            from autograd_lite.notation.names import short

            assert short(evaluate(text, values).data) in out.splitlines()[1]
        else:
            assert 2 <= len(err.splitlines()) <= 12


def test_process_of_its_own_takes_less_than_two_seconds():
    """Of processor time: how long it waits is a matter of what else runs."""
    start = os.times()
    command = [sys.executable, "-m", "autograd_lite", "draw", "9**9**9**9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    end = os.times()
    assert end.children_user + end.children_system - start.children_user - start.children_system < 2.0
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_graphviz_the_tree_and_the_source_remain(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert drawn(capsys, *EXAMPLE)[0] == 0
    assert drawn(capsys, *EXAMPLE, "-o", str(tmp_path / "out.dot"))[0] == 0
    for suffix in ("svg", "png", "html"):
        code, out, err = drawn(capsys, *EXAMPLE, "-o", str(tmp_path / f"out.{suffix}"))
        assert code == 2
        assert "−0.499" in out  # the tree has to do
        assert err.count("\n") == 1
        assert "autograd-lite[viz]" in err
    assert [path.name for path in tmp_path.iterdir()] == ["out.dot"]


# --- explain and table --------------------------------------------------------------------------------

SLOPE = -2.0 / (1.0 + math.exp(1.1))  # ∂/∂w of log(1 + e^-m) is -y·x/(1 + e^m)


def test_explain_ends_in_the_number(capsys):
    assert main(["explain", *EXAMPLE, "--wrt", "w"]) == 0
    out = capsys.readouterr().out
    assert len([line for line in out.splitlines() if "=" in line]) >= 3
    assert f"{SLOPE:.5f}".replace("-", "−") in out


def test_explain_in_latex(capsys):
    assert main(["explain", *EXAMPLE, "--latex", "--wrt=w"]) == 0
    assert r"\frac{\partial" in capsys.readouterr().out


def test_table_has_both_traces(capsys):
    assert main(["table", *EXAMPLE]) == 0
    out = capsys.readouterr().out
    assert "primal trace" in out
    assert "adjoint trace" in out
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", *EXAMPLE], "explain needs --wrt with one name of the expression, which has y, w, x, b"),
        (["explain", "1 + 2"], "explain needs --wrt with one name of the expression, which has only numbers"),
        (["explain", *EXAMPLE, "--wrt", "q"], "the expression has no name 'q': it has "),
        (["explain", "w*", "w=1", "--wrt", "w"], "^"),
        (["table", "w*x", "w=1", "w=2"], "w is given twice"),
        (["table", "log(w)", "w=-1"], "log"),
    ],
)
def test_a_mistake_is_said_in_one_message(capsys, arguments, said):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("given", [("x=1",), ("x=1", "--latex")])
def test_a_rule_whose_own_derivative_overflows_is_explained_by_its_number(capsys, given):
    """∂/∂x √(a·x) is ½√a at 1; the rule's derivative, −¼·(1e-300)^-1.5, is beyond the floats."""
    assert main(["explain", "(1e-300*x)**0.5", *given, "--wrt", "x"]) == 0
    out = capsys.readouterr().out
    assert ("10^{-151}" if "--latex" in given else "5·10⁻¹⁵¹") in out


@pytest.mark.parametrize("wrt", ["ﬁ", "fi"])
@pytest.mark.parametrize("given", ["ﬁ=3", "fi=3"])
def test_names_that_normalise_alike_are_one(capsys, given, wrt):
    assert main(["explain", "fi*ﬁ", given, "--wrt", wrt]) == 0
    assert "= 6" in capsys.readouterr().out
    assert main(["explain", "fi*ﬁ", given, "fi=1", "--wrt", wrt]) == 2
    assert capsys.readouterr().err == "autograd-lite: fi is given twice\n"


def test_the_only_name_needs_no_wrt(run):
    with_wrt, without = (run("explain", "exp(x*x)", "x=1.5", *wrt) for wrt in (["--wrt", "x"], []))
    assert without == with_wrt
    assert without[0] == 0


@needs_graphviz
def test_a_pdf_where_graphviz_can(run):
    code, out, _ = run("draw", "x*y", "x=2", "y=3", "-o", "graph.pdf")
    assert (code, out.splitlines()[-1]) == (0, "saved graph.pdf")
    assert Path("graph.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("help_of", [[], ["train"], ["predict"], ["draw"], ["explain"], ["table"]])
def test_no_sentence_of_the_help_mentions_a_document_by_number(capsys, help_of):
    with pytest.raises(SystemExit):
        main([*help_of, "--help"])
    assert not re.search(r"document|equation|00[0-4]", capsys.readouterr().out)


@pytest.mark.parametrize(
    "name", ["sigmoid(x)", "softmax_cross_entropy([x, 2*x], 1)", "log(1 + exp(-x))", "max(x, 1)"]
)
@pytest.mark.parametrize("command", [["draw"], ["explain"], ["explain", "--latex"], ["table"]])
def test_no_sentence_of_the_output_mentions_a_document_by_number(run, command, name):
    for x in ("x=1", "x=1e6"):  # also the errors
        _, out, err = run(*command, name, x)
        assert not re.search(r"document|equation|\b00[0-4]\b", out + err)
