"""The commands ``explain`` and ``table``: what they print, and one message for what they cannot do."""

import math

import pytest

from autograd_lite.cli.classify import main

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
