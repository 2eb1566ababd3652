"""Arguments: their types, and the order of options and expressions."""

from argparse import ArgumentTypeError

import pytest

from autograd_lite.cli import main
from autograd_lite.cli.arguments import assignment, count, integer, options_first, rate, units
from autograd_lite.cli.command import parsers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["draw", "x**2", "x=3", "--out=y.svg"], "draw has no option --out: did you mean --output?"),
        (["draw", "x**2", "x=3", "--outpu", "y.svg"], "draw has no option --outpu: did you mean --output?"),
        (["draw", "x**2", "x=3", "--wrt", "x"], "draw has no option --wrt (see autograd-lite draw --help)"),
        (["draw", "x=3", "--colour", "x**2"], "draw has no option --colour ("),
        (["draw", "-x", "x=3", "-q"], "draw has no option -q"),
        (["explain", "x**2", "x=3", "--wr=x"], "explain has no option --wr: did you mean --wrt?"),
        (["explain", "--late", "x**2", "x=3"], "explain has no option --late: did you mean --latex?"),
        (["table", "x**2", "x=3", "--hel"], "table has no option --hel: did you mean --help?"),
        (["table", "x**2", "x=3", "-o", "f"], "table has no option -o"),
        (
            ["train", "--colour", "red", "d.csv"],
            "train has no option --colour (see autograd-lite train --help)",
        ),
        (["train", "d.csv", "--hiden=3"], "train has no option --hiden: did you mean --hidden?"),
        (["train", "d.csv", "--epoch", "3"], "train has no option --epoch: did you mean --epochs?"),
        (["predict", "--probs", "model.json"], "predict has no option --probs"),
        (["predict", "--model", "model.json", "d.csv"], "predict has no option --model"),
    ],
)
def test_a_wrong_option_is_blamed_on_itself(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"autograd-lite: {message}"), err
    assert err.count("\n") == 1


@pytest.mark.parametrize("expression", ["-x", "--x", "-x*x", "- x", "-exp(x)", "-.5*x"])
def test_an_expression_may_begin_with_a_minus(run, expression):
    for arguments in ([expression, "x=3"], ["x=3", expression]):
        code, _, err = run("table", *arguments)
        assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["draw", "-x", "x=1", "-o", "f"], ["draw", "-o", "f", " -x", "x=1"]),
        (["explain", "x", "--latex", "--wrt=x"], ["explain", "--latex", "--wrt=x", "x"]),
        (["table", "x", "--help"], ["table", "--help", "x"]),
        (["draw", "x", "-o"], ["draw", "x", "-o"]),  # the parser says what is missing
        (["train", "x", "--seed", "-1"], ["train", "x", "--seed", "-1"]),
        ([], []),
    ],
)
def test_options_stand_before_the_expression(given, ordered):
    assert options_first(given, parsers()[1].choices) == ordered


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (integer, "1.5", "'1.5' is not a whole number"),
        (count, "0", "0 is below 1"),
        (units, "-1", "-1 is below 0"),
        (units, "f.csv", "'f.csv' is not a whole number; put the file name before --hidden"),
        (rate, "x", "'x' is not a number"),
        (rate, "0", "0 is not a positive number"),
        (rate, "inf", "inf is not a positive number"),
        (rate, "nan", "nan is not a positive number"),
        (assignment, "x", "'x' does not give a name a value: write it as w=0.5"),
        (assignment, "if=1", "'if=1' does not give a name a value: write it as w=0.5"),
        (assignment, "x=y", "'y' is not a number, in 'x=y'"),
    ],
)
def test_an_argument_of_the_wrong_type_is_named(kind, text, message):
    with pytest.raises(ArgumentTypeError) as raised:
        kind(text)
    assert str(raised.value) == message


@pytest.mark.parametrize("name", ["train", "predict", "draw", "explain", "table"])
def test_the_example_in_the_help_stands_on_one_line(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([name, "--help"])
    out = capsys.readouterr().out
    *_, heading, example = out.splitlines()
    assert heading == "example:"
    assert example.startswith(f"autograd-lite {name} ")
    assert max(map(len, out.splitlines())) < 80


def test_an_argument_at_its_bound_is_taken():
    assert (count("1"), units("0"), rate("1e-300"), integer("-3")) == (1, 0, 1e-300, -3)
    assert assignment(" ﬁ=-.5") == ("fi", -0.5)
