"""Notation: formulas as LaTeX that a parser reads back to the same number, and as text."""

import math
import re
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from latex2mathml.converter import convert
from sympy.parsing.latex import parse_latex

from autograd_lite import Value, abs, atan2, clip, exp, heaviside, leaky_relu, log, maximum, neg, sqrt, square
from autograd_lite.core.primitive import ATOM, POWER, PRODUCT, SUM, TABLE
from autograd_lite.notation.reader import to_latex, to_text
from autograd_lite.notation.writing import LATEX, TEXT, significant
from tests.exploring import EXPLORE
from tests.random_graphs import smooth_graphs
from tests.sampling import call, points

# What the parser calls the rows that are no functions of SymPy's; their numbers are the table's.
FUNCTIONS = {
    **{name: TABLE[name].forward for name in ("erf", "erfc", "relu", "gelu", "silu", "clip", "sech")},
    "atantwo": math.atan2,
    "sigma": TABLE["sigmoid"].forward,
    "max": TABLE["maximum"].forward,
    "min": TABLE["minimum"].forward,
    "sgn": TABLE["sign"].forward,
    "arsinh": math.asinh,
    "arcosh": math.acosh,
    "artanh": math.atanh,
}


def read_back(latex: str, values: dict[str, float]) -> float:
    """The number that LaTeX means, by SymPy's parser; x_{1} is the value called x1."""
    # The parser knows any command of letters as a function, but not \operatorname, and bars only if bare.
    latex = re.sub(r"\\operatorname\{(\w+)\}", r"\\\1", latex)
    latex = latex.replace("atan2", "atantwo").replace(r"\left|", "|").replace(r"\right|", "|")
    expression: Any = parse_latex(latex)
    symbols = {sympy.Symbol(f"x_{{{name[1:]}}}"): value for name, value in values.items()}
    # The parser reads e as a letter like any other.
    read = sympy.lambdify([*symbols, sympy.Symbol("e")], expression, modules=[FUNCTIONS, "math"])
    return float(read(*symbols.values(), math.e))


def labelled(numbers: tuple[float, ...]) -> dict[str, Value]:
    return {f"x{k}": Value(number, f"x{k}") for k, number in enumerate(numbers, 1)}


# Rows whose LaTeX is no function of SymPy's parser are read by eye below.
READ_BY_EYE = ("heaviside", "leaky_relu", "where")


@pytest.mark.parametrize("name", [name for name in TABLE if name not in READ_BY_EYE])
def test_the_latex_of_every_row_means_its_number(name):
    row, tried = TABLE[name], 0
    for point in points(row):
        if max(map(math.fabs, point)) > 20.0 or min(map(math.fabs, point)) < 1e-3 or len(point) > 8:
            continue  # plain formulas lose there what the rows keep
        if name == "cbrt" and point < (0.0,):
            continue  # SymPy takes a complex root
        operands = labelled(point)
        node = call(row, tuple(operands.values()))
        number = read_back(to_latex(node), {name: x.data for name, x in operands.items()})
        assert number == pytest.approx(node.data, rel=1e-9, abs=1e-9)
        tried += 1
    assert tried


# An operand that is a sum, a product or a power, and a use of the result that asks for as much.
INNER = {
    "sum": lambda x: x[0] + x[1],
    "negation": lambda x: -x[0],
    "product": lambda x: x[0] * x[1],
    "quotient": lambda x: x[0] / x[1],
    "power": lambda x: x[0] ** x[1],
}
INNER_OF = {
    "sum": lambda number: (number - 0.25, 0.25),
    "negation": lambda number: (-number,),
    "product": lambda number: (number / 1.5, 1.5),
    "quotient": lambda number: (number * 1.5, 1.5),
    "power": lambda number: (number**0.5, 2.0),
}
OUTER = {
    "sum": lambda node, z: z - node,
    "negation": lambda node, z: -node,
    "product": lambda node, z: z * node,
    "quotient": lambda node, z: node / z,
    "power": lambda node, z: node**z,
}


@pytest.mark.parametrize("kind", INNER)
@pytest.mark.parametrize("name", [name for name in TABLE if name not in READ_BY_EYE])
def test_no_row_loses_the_parentheses_it_needs(name, kind):
    row = TABLE[name]
    for point in points(row):
        if all(1e-3 < x < 20.0 for x in point) and len(point) <= 4:
            break
    else:
        point = next(point for point in points(row) if max(map(math.fabs, point)) < 20.0 and len(point) <= 4)
    leaves: list[Value] = []

    def leaf(number: float) -> Value:
        leaves.append(Value(number, f"x{len(leaves) + 1}"))
        return leaves[-1]

    operands = [
        INNER[kind]([*map(leaf, INNER_OF[kind](x))]) if x > 0.0 or kind != "power" else leaf(x) for x in point
    ]
    node = call(row, tuple(operands))
    if node.data > 0.0 or kind != "power":
        node = OUTER[kind](node, leaf(1.5))
    number = read_back(to_latex(node), {x.label: x.data for x in leaves})
    assert number == pytest.approx(node.data, rel=1e-9, abs=1e-9)


@given(smooth_graphs)
@settings(max_examples=100 if EXPLORE else 25)  # SymPy's reader takes a while
def test_the_latex_of_random_graphs_means_their_number(graph):
    leaves, root = graph
    values = {x.label: x.data for x in leaves}
    assert read_back(to_latex(root), values) == pytest.approx(root.data, rel=1e-9, abs=1e-9)


@given(smooth_graphs)
def test_the_latex_of_random_graphs_is_latex(graph):
    assert "<math" in convert(to_latex(graph[1]))


x, y = Value(0.5, "x"), Value(2.0, "y")


@pytest.mark.parametrize(
    ("value", "latex", "text"),
    [
        (heaviside(x), r"\left[x > 0\right]", "[x > 0]"),
        (leaky_relu(x, 0.1), r"\operatorname{lrelu}_{0.1}\left(x\right)", "leaky_relu(x, 0.1)"),
        (maximum(x, y), r"\max\left(x, y\right)", "max(x, y)"),
        (clip(x, -1.0, 1.0), r"\operatorname{clip}\left(x, -1, 1\right)", "clip(x, −1, 1)"),
        (atan2(x, y), r"\operatorname{atan2}\left(x, y\right)", "atan2(x, y)"),
        (abs(x - y), r"\left|x - y\right|", "|x − y|"),
        (sqrt(x + y), r"\sqrt{x + y}", "√(x + y)"),
        (x**y, "x^{y}", "x^y"),
        (x ** (y + 1.0), "x^{y + 1}", "x^(y + 1)"),
        ((x**y) ** x, r"\left(x^{y}\right)^{x}", "(x^y)^x"),
        (x ** (y**x), "x^{y^{x}}", "x^(y^x)"),
        (square(x) ** y, r"\left(x^{2}\right)^{y}", "(x²)^y"),
        (square(x**y), r"\left(x^{y}\right)^{2}", "(x^y)²"),
        ((x + y) ** 0.5, r"\left(x + y\right)^{0.5}", "(x + y)^0.5"),
        (x**-3, r"\frac{1}{x^{3}}", "1/x³"),
        ((x / y) ** 2, r"\frac{x^{2}}{y^{2}}", "x²/y²"),
        ((x / y) ** y, r"\left(\frac{x}{y}\right)^{y}", "(x/y)^y"),
        (exp(x) ** 2, r"\left(e^{x}\right)^{2}", "exp(x)²"),
        (log(x) ** 2, r"\log\left(x\right)^{2}", "log(x)²"),
        (2.0 ** (-x), "2^{-x}", "2^(−x)"),
        ((-2.0 * x) ** 3, "-8 \\cdot x^{3}", "−8·x³"),
        (neg(x) * y, r"-x \cdot y", "−x·y"),
        (x - (-y), "x + y", "x + y"),
        (x / (y / 3.0), r"\frac{3 \cdot x}{y}", "3·x/y"),
        (1e-7 * x, r"1 \cdot 10^{-7} \cdot x", "1·10⁻⁷·x"),
        (square(x) * (x - y), r"x^{2} \cdot \left(x - y\right)", "x²(x − y)"),
    ],
)
def test_parentheses_stand_where_they_are_needed(value, latex, text):
    assert (to_latex(value), to_text(value)) == (latex, text)


def test_numbers():
    numbers = (2.0, -0.25, 1e22, -1.5e-300, math.inf, -math.inf, 0.0, -0.0)
    assert [TEXT.number(n, None) for n in numbers] == [
        ("2", ATOM),
        ("−0.25", SUM),
        ("1·10²²", PRODUCT),
        ("−1.5·10⁻³⁰⁰", SUM),
        ("∞", ATOM),
        ("−∞", SUM),
        ("0", ATOM),
        ("0", ATOM),
    ]
    assert [LATEX.number(n, 3).text for n in (1 / 3, -1.5e-300, math.nan)] == [
        "0.333",
        r"-1.5 \cdot 10^{-300}",
        r"\mathrm{NaN}",
    ]
    assert significant(1 / 3) == ("0.3333333333333333", None)


def test_names_that_stand_for_a_second_thing():
    assert LATEX.name("w1", 2) == (r"w_{1}^{(2)}", POWER)
    assert TEXT.name("w1", 2) == ("w₁⁽²⁾", ATOM)
    assert LATEX.name("y_hat", 1) == (r"\hat{y}", ATOM)


def test_many_operands_are_cut_short():
    xs = [Value(float(k), f"x{k}") for k in range(12)]
    node = TABLE["logsumexp"](xs)
    assert to_text(node) == "logsumexp(x₀, x₁, x₂, …, x₁₁)"
    assert to_latex(node) == r"\log\sum\exp\left(x_{0}, x_{1}, x_{2}, \dots, x_{11}\right)"
    node = TABLE["softmax_cross_entropy"](xs, 3)
    assert to_text(node) == "−log P(x₃, x₀, x₁, …, x₁₁)"
    assert to_latex(node) == r"-\log P\left(x_{3}, x_{0}, x_{1}, \dots, x_{11}\right)"
