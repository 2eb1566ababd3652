"""Arguments: the order of options and expressions."""

import pytest


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
    assert err.startswith(f"autograd-lite: argument NAME=NUMBER: ' {option}' does not give a name a value"), (
        err
    )
