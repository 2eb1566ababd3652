"""The commands ``explain`` and ``table``: what they print, and one message for what they cannot do."""

import math

import pytest

from autograd_lite.cli import main

EXAMPLE = ["log(1 + exp(-y*(w*x + b)))", "w=0.5", "x=2", "b=0.1", "y=1"]
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
        (["explain", *EXAMPLE, "--wrt", "q"], "'q' is no name in the expression: it has "),
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
