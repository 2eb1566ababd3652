"""The graph as text: what stands on each line, that columns line up, and that any graph fits."""

import io
import math
import os
import re
import subprocess
import sys
import time

import pytest

from autograd_lite import Value, dot, exp, prod, scope, sigmoid, tanh, where
from autograd_lite import sum as total
from autograd_lite.pictures import tree
from autograd_lite.pictures.tree import Tree
from tests.pictures.graphs import chain


def network() -> Value:
    """Two inputs, two sigmoid units, one sigmoid unit, squared error."""
    x = [Value(1.0, "x1"), Value(-2.0, "x2")]
    weights = [([-0.529, -1.05], 0.151), ([-1.28, 0.108], -0.134)]
    hidden = [
        sigmoid(dot([Value(wi, f"w{i}") for i, wi in enumerate(w, 1)], x, Value(b, "b"))) for w, b in weights
    ]
    out = sigmoid(dot([Value(-1.33, "w1"), Value(0.022, "w2")], hidden, Value(-0.463, "b")))
    out.label = "y_hat"
    error = out - Value(1.0, "y")
    error.label = "error"
    loss = error**2
    loss.label = "loss"
    return loss


NETWORK = """\
                               value   gradient  log size
loss x²                        0.689       1.00  ███████
└─ error −                    −0.830      −1.66  ████████
   ├─ ŷ σ                      0.170      −1.66  ████████
   │  └─ v₅ Σ                  −1.59     −0.234  ██████
   │     ├─ w₁⁽³⁾              −1.33     −0.199  ██████
   │     ├─ v₂ σ               0.848      0.311  ██████
   │     │  └─ v₁ Σ             1.72      0.040  ████
   │     │     ├─ w₁          −0.529      0.040  ████
   │     │     ├─ x₁            1.00     −0.020  ███
   │     │     ├─ w₂           −1.05     −0.080  █████
   │     │     ├─ x₂           −2.00     −0.042  ████
   │     │     └─ b            0.151      0.040  ████
   │     ├─ w₂⁽³⁾              0.022     −0.038  ████
   │     ├─ v₄ σ               0.164     −0.005  ██
   │     │  └─ v₃ Σ            −1.63  −7.1·10⁻⁴  ·
   │     │     ├─ w₁⁽²⁾        −1.28  −7.1·10⁻⁴  ·
   │     │     ├─ x₁ (above)    1.00     −0.020  ███
   │     │     ├─ w₂⁽²⁾        0.108      0.001  █
   │     │     ├─ x₂ (above)   −2.00     −0.042  ████
   │     │     └─ b⁽²⁾        −0.134  −7.1·10⁻⁴  ·
   │     └─ b⁽³⁾              −0.463     −0.234  ██████
   └─ y                         1.00       1.66  ████████"""


def test_a_network():
    loss = network()
    loss.backward()
    assert tree(loss).text == NETWORK


def test_before_backward_there_is_no_gradient_column():
    x = Value(2.0, "x")
    assert tree(x * x).text.splitlines() == [
        "              value",
        "v₁ ×           4.00",
        "├─ x           2.00",
        "└─ x (above)   2.00",
        "no gradients yet: call backward()",
    ]


def test_one_value():
    assert tree(Value(3.0, "x")).text.splitlines()[1] == "x   3.00"
    assert tree(Value(3.0)).text.splitlines()[1] == "v₁   3.00"


def test_a_shared_operation_is_shown_once():
    x = Value(2.0, "x")
    h = tanh(x)
    h.label = "h"
    lines = tree(h * (h + x)).text.splitlines()
    names = [re.sub(r" +[−\d.]+$", "", line.strip(" ├└│─")) for line in lines[1:-1]]
    assert names == [
        "v₂ ×",
        "h tanh",
        "x",
        "v₁ +",
        "h tanh (above)",
        "x (above)",
    ]


def test_a_sum_within_a_sum_reads_as_one():
    a, b, c = Value(1.0, "a"), Value(2.0, "b"), Value(3.0, "c")
    assert [line.split()[:2] for line in tree(a * b + b + c).text.splitlines()[1:-1]] == [
        ["v₃", "Σ"],
        ["├─", "v₁"],
        ["│", "├─"],
        ["│", "└─"],
        ["├─", "b"],
        ["└─", "c"],
    ]
    named = a + b
    named.label = "s"
    assert "s +" in tree(named + c).text  # a name is not taken away
    shared = a + b
    assert "+ (above)" in tree(shared + c * shared).text  # nor is a value that something else uses


def test_constants_say_where_they_stand():
    x = Value(2.0, "x")
    text = tree(prod([1.0 - x, x - 1.5, x**3, x**0.5, where(True, x, 7.0)])).text
    assert re.search(r"c − +1\.00\b", text)
    assert re.search(r"− c +1\.50\b", text)
    assert re.search(r"x³ +8\.00\n.*\n", text)
    assert "3.00" not in text
    assert re.search(r"y +0\.500\b", text)
    assert re.search(r"y +7\.00\b", text)


def test_gradients_that_are_not_finite_cannot_be_missed():
    x = Value(0.0, "x")
    y = x**0.5 * 1.0
    y.backward()
    assert re.search(r"x +0 +∞  !!!!!!!!$", tree(y).text, re.MULTILINE)


def test_every_line_has_its_numbers_in_the_same_columns():
    x = Value(1.0, "名前")
    y = Value(-123.0, "x_bar")  # a combining macron takes no column
    loss = exp(x * 1e-9) * y + x
    loss.backward()
    lines = tree(loss).text.splitlines()

    def columns(text):  # wide characters count twice, combining ones not at all
        return sum(0 if c == "\u0304" else 2 if c in "名前" else 1 for c in text)

    ends = set()
    for line in lines[1:]:
        value = re.search(r"\S+(?=  +\S+  [█·]|$)", line)
        ends.add(columns(line[: value.end()]))
    assert len(ends) == 1
    assert ends == {lines[0].index("value") + len("value")}


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("make", [network, lambda: chain(50), lambda: Value(1.0, "a" * 500) * 2.0])
def test_it_is_no_wider_than_asked_for(make, width):
    value = make()
    value.backward()
    assert max(map(len, tree(value, width=width).text.splitlines())) <= width


def test_it_is_as_wide_as_the_terminal(monkeypatch):
    value = Value(1.0, "a" * 500) * 2.0
    monkeypatch.setenv("COLUMNS", "57")
    assert max(map(len, tree(value).text.splitlines())) == 57


def test_what_does_not_fit_is_counted():
    loss = total([Value(float(i), f"x{i}") * Value(1.0, "w") for i in range(1000)])
    lines = tree(loss, max_lines=10).text.splitlines()
    # 3001 values; shown are the sum, and a product with its two operands three times over
    assert lines[-1] == "… 2,991 of 3,001 values left out"
    assert len(lines) == 1 + 10 + 2
    whole = tree(loss, max_lines=5000).text
    assert "left out" not in whole
    assert whole.count("\n") == 3001 + 1


def test_operands_that_are_left_out_are_counted():
    text = tree(total([Value(float(i), f"x{i}") for i in range(1000)]), max_lines=20).text
    assert "└─ … 996 more operands" in text
    assert text.splitlines()[-1] == "… 996 of 1,001 values left out"


@pytest.mark.parametrize(("terms", "left_out"), [(5, 0), (6, 2)])
def test_one_operand_more_is_shown_itself(terms, left_out):
    terms_of_terms = [total([Value(1.0) for _ in range(terms)]) * 2.0 for _ in range(20)]
    text = tree(total(terms_of_terms), max_lines=20).text
    assert "1 more operands" not in text
    assert (f"… {left_out} more operands" in text) == bool(left_out)


def test_depth_is_cut_where_the_line_ends():
    text = tree(chain(50), width=60).text
    assert re.search(r"v\S+ ta?n?h?… +0\.\d+", text)
    shown = text.count("tanh")
    assert text.splitlines()[-1] == f"… {51 - shown} of 51 values left out"


@pytest.mark.parametrize(
    ("width", "indent", "lines"), [(24, 3, 4), (23, 2, 4), (20, 2, 3), (19, 2, 3), (18, 2, 2)]
)
def test_indentation_shrinks_before_anything_is_left_out(width, indent, lines):
    # Beside the numbers, which take 7 columns, each line needs its indentation and 8 columns for its name.
    text = tree(chain(3), width=width).text.splitlines()
    assert text[2].index("v") == indent
    assert sum("0." in line for line in text) == lines
    assert ("of 4 values left out" in text[-1]) is (lines < 4)


def test_a_constant_is_left_out_with_its_line():
    y = tanh(tanh(Value(0.5, "x") * 3.0))
    assert "× c" in tree(y, width=23).text
    assert "× …" in tree(y, width=20).text
    assert "× c" not in tree(y, width=20).text


def test_only_a_gradient_of_zero_has_no_bar():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    z = x * 0.0 + y * 1e-9
    z.backward()
    text = tree(z).text
    assert re.search(r"x +2\.00 +0$", text, re.MULTILINE)
    assert re.search(r"y +3\.00 +1\.0·10⁻⁹  ·$", text, re.MULTILINE)


def test_a_hundred_thousand_values():
    value = chain(100_000)
    value.backward()
    start = time.process_time()
    text = tree(value).text
    limit = 5.0 if sys.gettrace() is None else 30.0  # the coverage of the tests traces every line
    assert time.process_time() - start < limit  # measured: 0.3 s
    assert "of 100,001 values left out" in text.splitlines()[-1]


class Terminal(io.StringIO):
    def __init__(self, encoding="utf-8", tty=True):
        super().__init__()
        self._encoding, self._tty = encoding, tty

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return self._tty


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def use(**options):
        monkeypatch.setattr(sys, "stdout", Terminal(**options))

    return use


def test_colour_on_a_terminal(terminal):
    loss = network()
    loss.backward()
    plain = tree(loss).text
    terminal()
    coloured = str(tree(loss))
    assert "\x1b[38;5;75m" in coloured  # a positive gradient
    assert "\x1b[38;5;208m" in coloured  # a negative one
    without_colour = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert [line.rstrip() for line in without_colour.splitlines()] == plain.splitlines()
    assert repr(tree(loss)) == coloured
    assert "\x1b" not in tree(loss).text


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_it_is_not_wanted(terminal, monkeypatch, variable):
    terminal()
    monkeypatch.setenv(*variable)
    assert "\x1b" not in str(tree(network()))


def test_no_colour_in_a_file(terminal):
    terminal(tty=False)
    assert "\x1b" not in str(tree(network()))


def test_colour_reaches_a_real_terminal():
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    code = (
        "from autograd_lite import Value; from autograd_lite.pictures import tree; x = Value(2.0); "
        "y = x * x; y.backward(); print(tree(y))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, env=environment) as process:
        process.wait()
    os.close(theirs)
    assert b"\x1b[38;5;75m" in os.read(ours, 10_000)
    os.close(ours)


def test_an_old_console_gets_what_it_can_show(terminal):
    terminal(encoding="ascii", tty=False)
    loss = network()
    loss.backward()
    text = str(tree(loss))
    assert text.isascii()
    assert "`- error -" in text
    assert "-0.830" in text


def test_none_of_the_standard_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as pythonw has it
    assert str(tree(Value(1.0, "x"))).startswith(" ")


def test_scopes_and_nan_values_are_no_trouble():
    with scope("layer"):
        y = Value(math.nan, "n") * 2.0
    assert "NaN" in tree(y).text


def test_it_is_a_snapshot():
    x = Value(2.0, "x")
    y = x * x
    before = tree(y)
    y.backward()
    x.data = 5.0
    assert "5.00" not in before.text
    assert "no gradients yet" in before.text


@pytest.mark.parametrize("wrong", [3.0, None, [Value(1.0)]])
def test_only_values_have_trees(wrong):
    with pytest.raises(TypeError, match="a tree is drawn of a Value, got"):
        tree(wrong)


def test_at_least_one_line():
    with pytest.raises(ValueError, match="max_lines must be at least 1, got 0"):
        tree(Value(1.0), max_lines=0)
    assert isinstance(tree(network(), max_lines=1), Tree)
