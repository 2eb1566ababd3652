"""`explain`: factors, paths and adjoints, and how they are written."""

import math
import random
import re
import time
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from latex2mathml.converter import convert

from autograd_lite import (
    MLP,
    Value,
    cos,
    explain,
    gradients,
    half_squared_error,
    log,
    no_grad,
    relu,
    sigmoid,
    sin,
    square,
    tanh,
    topological_order,
    where,
)
from autograd_lite import sum as total
from autograd_lite.explain.paths import largest
from tests.documents_explained import BUILDERS, explained, named, written
from tests.random_graphs import any_graphs

SNAPSHOT = Path(__file__).parents[1] / "explanations.txt"


def logistic() -> tuple[Value, dict[str, Value]]:
    """Log loss of σ(w₁x₁ + w₂x₂ + b), the numbers of 000.9."""
    numbers = {"w1": 0.5, "w2": -0.25, "x1": 1.0, "x2": 2.0, "b": 0.1, "y": 1.0}
    leaves = {name: Value(data, name) for name, data in numbers.items()}
    w1, w2, x1, x2, b, y = leaves.values()
    y_hat = named(sigmoid(named(w1 * x1 + w2 * x2 + b, "z")), "y_hat")
    return named(-((1.0 - y) * log(1.0 - y_hat) + y * log(y_hat)), "L"), leaves


# --- The documents ---------------------------------------------------------------------------------


def test_the_explanations_of_the_documents_are_as_they_were_read():
    assert written() == SNAPSHOT.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BUILDERS)
def test_the_explained_number_is_the_oracle_s(name):
    for each in explained(name):
        explanation = explain(each.output, each.wrt)
        assert explanation.value == pytest.approx(each.number, rel=1e-12, abs=0.0)
        (gradient,) = gradients(each.output, [each.wrt])
        assert explanation.value == pytest.approx(gradient, rel=1e-14, abs=0.0)


def test_logistic_regression_in_three_aligned_lines():
    L, leaves = logistic()
    assert explain(L, leaves["w1"]).text.splitlines()[:3] == [
        "∂L/∂w₁ =       ∂L/∂ŷ        ·  ∂ŷ/∂z   · ∂z/∂w₁",
        "       = (ŷ − y)/(ŷ(1 − ŷ)) · ŷ(1 − ŷ) ·   x₁",
        "       =      −1.9048       · 0.24938  ·   1 = −0.47502",
    ]
    assert explain(L, leaves["w1"]).value == pytest.approx(-0.47502081252106001, rel=1e-15)  # 000.9


def test_its_latex():
    L, leaves = logistic()
    assert explain(L, leaves["w1"]).latex.splitlines() == [
        r"\begin{aligned}",
        r"\frac{\partial L}{\partial w_{1}} &= \frac{\partial L}{\partial \hat{y}} \cdot "
        r"\frac{\partial \hat{y}}{\partial z} \cdot \frac{\partial z}{\partial w_{1}} \\",
        r"&= \frac{\hat{y} - y}{\hat{y} \cdot \left(1 - \hat{y}\right)} \cdot \hat{y} \cdot "
        r"\left(1 - \hat{y}\right) \cdot x_{1} \\",
        r"&= -1.9048 \cdot 0.24938 \cdot 1 = -0.47502 \\",
        r"L \leftarrow v_{8} \leftarrow \hat{y} \leftarrow z \leftarrow w_{1} &:\ -0.47502 \\",
        r"L \leftarrow v_{6} \leftarrow \hat{y} \leftarrow z \leftarrow w_{1} &:\ 0 \\",
        r"v_{8} &= \log\left(\hat{y}\right) \\",
        r"v_{6} &= \log\left(1 - \hat{y}\right)",
        r"\end{aligned}",
    ]


def test_its_steps():
    L, leaves = logistic()
    steps = explain(L, leaves["w1"]).steps
    assert [step.symbol for step in steps] == ["∂L/∂ŷ", "∂ŷ/∂z", "∂z/∂w₁"]
    assert [step.formula for step in steps] == ["(ŷ − y)/(ŷ(1 − ŷ))", "ŷ(1 − ŷ)", "x₁"]
    assert [step.paths for step in steps] == [2, 1, 1]
    assert [step.consumer.label for step in steps] == ["L", "y_hat", "z"]
    assert [step.operand.label for step in steps] == ["y_hat", "z", "w1"]
    assert math.prod(step.value for step in steps) == pytest.approx(-0.47502081252106001, rel=1e-15)
    assert repr(steps[2]) == "∂z/∂w₁ = x₁ = 1"


# --- Numbers ---------------------------------------------------------------------------------------


@given(any_graphs)
def test_value_is_what_backward_adds_to_the_last_bit(graph):
    leaves, root = graph
    values = {x: explain(root, x).value for x in topological_order(root)}
    root.backward()
    assert {x: x.grad for x in values} == values
    for x in leaves:
        assert x in values or explain(root, x).count == 0


NUMBER = re.compile(r"−?(?:[0-9.]+)(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
LOWER = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def read_number(text: str) -> Decimal:
    return Decimal(text.translate(LOWER).replace("·10", "e").strip("() "))


@given(any_graphs)
def test_the_product_of_the_printed_factors_is_the_printed_result(graph):
    leaves, root = graph
    for x in leaves:
        explanation = explain(root, x)
        if len(explanation.steps) < 2 or not explanation.is_product:
            continue
        third = explanation.text.splitlines()[2]
        factors, sign, result = re.fullmatch(r" *= (.*) ([=≈]) (.*)", third).groups()
        exact = math.prod([read_number(factor) for factor in factors.split(" · ")], start=Decimal(1))
        assert (Context(prec=5).plus(exact) == read_number(result)) is (sign == "=")
        if sign == "≈":  # only where terms cancel, so that rounding shows in five digits
            (steps, *_) = [[step.value for step in explanation.steps]]
            assert math.prod(map(Fraction, steps)) != Fraction(explanation.value)


def test_factors_get_as_many_digits_as_their_product_needs():
    x = Value(1.0 / 3.0, "x")
    y = named(square(x), "y")
    z = named(square(y), "z")
    w = named(square(z), "w")
    factors = explain(w, x).text.splitlines()[2].split("= ", 1)[1]
    *factors, result = [read_number(text) for text in re.split(" [·=] ", factors)]
    assert len(str(factors[0])) > len(str(result))
    assert Context(prec=5).plus(math.prod(factors)) == result


# --- Paths -----------------------------------------------------------------------------------------


def diamonds(x: Value, n: int) -> Value:
    for _ in range(n):
        x = sin(x) + cos(x)
    return x


@pytest.mark.parametrize(
    ("listed", "last"),
    [
        (5, None),
        (4, "the other one −0.5"),
        (3, "the other 2 together 0.5"),
        (1, "the other 4 together 5.5"),
    ],
)
def test_paths_that_are_not_listed_are_told_in_one_line(listed, last):
    x = Value(0.0, "x")
    y = 5.0 * x + (3.0 * x + (2.0 * x + (x + -0.5 * x)))
    explanation = explain(y, x, paths=listed)
    lines = explanation.text.splitlines()
    title = lines.index("5 paths and their contributions:")
    paths = [re.sub(" +", " ", line[2:]) for line in lines[title + 1 :] if line[:2] == "  "]
    contributions = ["5", "3", "2", "1", "−0.5"]
    assert [path.split()[-1] for path in paths[:listed]] == contributions[:listed]
    assert [path for path in paths if "the other" in path] == ([] if last is None else paths[listed:][:1])
    if last is None:
        assert "the other" not in explanation.latex
    else:
        assert paths[listed] == last
        latex = re.sub(r"\\text\{(.*?)\}", r"\1", explanation.latex).replace("-", "−").replace(r" &:\ ", " ")
        assert last in latex


def test_factors_stand_in_parentheses_where_they_need_them():
    x = Value(0.5, "x")
    u = named(-(x * x), "u")
    for output, formulas, numbers in (
        (named(u * -3.0, "z"), "−3 · (−2·x)", "−3 · (−1) = 3"),  # no sign follows another
        (named(u * u + u, "z"), "(1 + 2·u) · (−2·x)", "0.5 · (−1) = −0.5"),
        (named(2.0 * sin(named(u * -3.0, "v")), "z"), "2 · cos(v) · (−3) · (−2·x)", None),
        (named(log(named(x * x + x, "v")), "z"), "1/v · (1 + 2·x)", None),
    ):
        found = [re.sub(" +", " ", line) for line in explain(output, x).text.splitlines()]
        assert found[1] == f" = {formulas}"
        assert numbers is None or found[2] == f" = {numbers}"
    latex = explain(named(u * -3.0, "z"), x).latex
    assert r"&= -3 \cdot \left(-2 \cdot x\right) \\" in latex
    assert r"&= -3 \cdot \left(-1\right) = 3 \\" in latex


def test_fifty_diamonds_have_two_to_the_fifty_paths():
    x = Value(0.3, "x")
    explanation = explain(diamonds(x, 50), x)
    assert explanation.count == 2**50
    assert "2⁵⁰ paths and their contributions:" in explanation.text
    assert len(explanation.paths) == 5
    added = sum(path.contribution for path in explanation.paths) + explanation.rest
    assert added == pytest.approx(explanation.value, rel=1e-9, abs=1e-16)  # of terms near 0.1, which cancel


def test_factors_over_many_paths_or_nodes_have_no_formula():
    model = MLP(1, [8, 8, 8, 1], "tanh", rng=0)
    x = Value(0.3, "x")
    explanation = explain(model([x]), x)
    (step,) = explanation.steps
    assert (step.paths, step.formula) == (512, None)
    assert repr(step) == f"∂v₄₉/∂x = {explanation.text.split(' = ')[1].split(',')[0]}"
    left, right = x, x
    for _ in range(10_000):
        left, right = sin(left), cos(right)
    (step,) = explain(left + right, x).steps
    assert (step.paths, step.formula) == (2, None)


def test_the_paths_that_are_not_listed_are_summed_up():
    x = Value(2.0, "x")
    y = named(total([x, 2.0 * x, 3.0 * x, 4.0 * x, 5.0 * x, 6.0 * x, 7.0 * x]), "y")
    explanation = explain(y, x)
    assert explanation.text.splitlines()[-7:] == [
        "7 paths and their contributions:",
        *[f"  y ← x                 {k}" for k in (7, 6, 5, 4, 3)],
        "  the other 2 together  3",
    ]
    assert explanation.latex.splitlines()[-2] == r"\text{the other }2\text{ together} &:\ 3"
    assert explain(y, x, paths=6).text.splitlines()[-1] == "  the other one  1"
    assert explain(y, x, paths=7).text.splitlines()[-1] == "  y ← x  1"


def test_no_path():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    explanation = explain(2.0 * x, y)
    assert (explanation.count, explanation.value, explanation.steps, explanation.paths) == (0, 0.0, [], [])
    assert str(explanation) == "∂v₁/∂y = 0: v₁ does not depend on y"
    assert explanation.latex == r"\frac{\partial v_{1}}{\partial y} = 0"


def test_a_value_by_itself():
    x = Value(2.0, "x")
    explanation = explain(x, x)
    assert (explanation.count, explanation.value, str(explanation)) == (1, 1.0, "∂x/∂x = 1")


# --- What stands under its own name ------------------------------------------------------------------


def test_names_are_made_up_for_what_has_no_label_and_explained():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    text = explain(tanh(w * x + 1.0).log(), w).text
    assert text.splitlines()[:2] == [
        "∂v₄/∂w = ∂v₄/∂v₃ ·  ∂v₃/∂v₂  · ∂v₂/∂w",
        "       =  1/v₃   · (1 − v₃²) ·   x",
    ]
    assert text.split("where\n")[1].splitlines() == ["  v₄  = log(v₃)", "  v₃  = tanh(v₂)", "  v₂  = w·x + 1"]


def test_made_up_names_avoid_labels_and_equal_labels_are_numbered():
    v1, other = Value(0.5, "v1"), Value(2.0, "v1")
    explanation = explain(sin(v1 * other), v1)
    assert explanation.text.splitlines()[0] == "∂v₃/∂v₁ = ∂v₃/∂v₂ · ∂v₂/∂v₁"
    assert explanation.steps[1].formula == "v₁⁽²⁾"
    assert r"v_{1}^{(2)}" in explanation.latex


def test_an_unlabelled_leaf_is_explained_by_its_number():
    x, w = Value(0.25), Value(2.0, "w")
    assert explain(named(w * x, "z"), w).text.splitlines() == [
        "∂z/∂w = v₁",
        "      = 0.25",
        "where",
        "  v₁  = 0.25",
    ]


def test_a_value_written_out_elsewhere_has_a_name_if_it_is_asked_about():
    x = Value(3.0, "x")
    inner = 2.0 * x
    assert explain(named(inner + 1.0, "y"), inner).text.splitlines()[0] == "∂y/∂v₁ = 1"


@pytest.mark.parametrize(
    ("f", "formula"),
    [
        (sigmoid, "y(1 − y)"),
        (tanh, "1 − y²"),
        (relu, "[x > 0]"),
        (lambda x: x**3, "3·x²"),
        (lambda x: x**0.5, "0.5·x^(−0.5)"),
        (lambda x: 1.0 / x, "−y/x"),
        (lambda x: x / 3.0, "1/3"),
        (log, "1/x"),
        (lambda x: x * x, "2·x"),
        (lambda x: (1.0 - x) ** 2, "−2(1 − x)"),
        (lambda x: x - (1.0 - x), "2"),
        (lambda x: x - x, "0"),
        (lambda x: where(x > 0.0, x * x, x), "2·x"),
    ],
)
def test_local_partials_as_formulas(f, formula):
    x = Value(0.5, "x")
    assert explain(named(f(x), "y"), x).steps[0].formula == formula


def test_values_within_no_grad_are_explained_too():
    x = Value(0.5, "x")
    y = named(sigmoid(x), "y")
    with no_grad():
        assert explain(y, x).text.startswith("∂y/∂x = y(1 − y)")


def test_data_changed_after_recording_is_an_error_that_names_the_node():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    z = named(w * x, "z")
    w.data = 1.0
    with pytest.raises(ValueError, match=r"^z = Value.*data was changed after recording"):
        explain(z, w)


@pytest.mark.parametrize(("arguments", "what"), [((1.0, Value(1.0)), "output"), ((Value(1.0), "w"), "wrt")])
def test_anything_but_a_value_is_a_type_error(arguments, what):
    with pytest.raises(TypeError, match=f"^{what} must be a Value, got (float|str)"):
        explain(*arguments)


# --- The adjoint form --------------------------------------------------------------------------------


def test_many_paths_are_told_by_adjoints_as_in_document_003():
    model = MLP(2, [3, 3, 3, 1], "sigmoid", rng=0)
    L = named(half_squared_error(model([1.0, 2.0]), 1.0), "L")
    w = model.layers[0].neurons[0].w[0]
    lines = explain(L, w).text.splitlines()
    assert re.fullmatch(r"∂L/∂w₁ = \S+, where δ\(v\) = ∂L/∂v:", lines[0])
    assert lines[1].split() == ["δ(L)", "=", "1"]
    assert any(
        re.fullmatch(r"δ\(v\S+ += (δ\(v\S+·w\S+ \+ ){2}δ\(v\S+·w\S+ += \S+", line) for line in lines
    )  # 003.25


def test_a_long_chain_is_shown_from_both_ends():
    x = Value(0.5, "x")
    y = x
    for _ in range(100):
        y = sigmoid(y)
    text = explain(y, x).text
    assert re.search(r"⋮ +85 more nodes", text)
    assert text.count("δ(v") > 14
    latex = explain(y, x).latex
    assert r"\vdots & \text{85 more nodes}" in latex


def test_a_node_with_many_consumers_shows_the_first():
    w = Value(0.5, "w")
    S = named(sum([sin(w * k) for k in range(1, 101)], Value(0.0, "s")), "S")
    text = explain(S, w).text
    assert re.search(r"δ\(w\) .*\+ … \(96 more\)", text)


# --- Where a form ends ------------------------------------------------------------------------------


def chain(x: Value, n: int, f=sigmoid) -> Value:
    for k in range(n):
        x = named(f(x), f"h{k}")
    return x


@pytest.mark.parametrize(("factors", "is_product"), [(8, True), (9, False)])
def test_up_to_eight_factors_are_one_product(factors, is_product):
    x = Value(0.5, "x")
    assert explain(chain(x, factors), x).is_product is is_product


@pytest.mark.parametrize(("paths", "is_product"), [(6, True), (7, False)])
def test_a_factor_sums_up_to_six_paths(paths, is_product):
    x = Value(0.5, "x")
    y = named(total([sin(k * x) for k in range(1, paths + 1)]), "y")
    assert explain(y, x).is_product is is_product


@pytest.mark.parametrize(("negations", "is_product"), [(18, True), (19, False)])
def test_a_factor_leads_over_up_to_twenty_nodes(negations, is_product):
    x = Value(0.5, "x")
    y = named(chain(x, negations, lambda z: -z) + sin(x), "y")  # with y, and with sin x
    assert explain(y, x).is_product is is_product


@pytest.mark.parametrize(("longest", "is_product"), [(57, True), (58, False)])
def test_a_product_is_up_to_120_columns_wide(longest, is_product):
    a, b, x = Value(2.0, "a" * 57), Value(3.0, "b" * longest), Value(0.5, "x")
    y = named(named(x * a, "u") * b, "y")  # two factors, each followed by " · "
    assert explain(y, x).is_product is is_product


@pytest.mark.parametrize(
    ("nodes", "route"),
    [
        (9, "y ← h₈ ← h₇ ← h₆ ← h₅ ← h₄ ← h₃ ← h₂ ← h₁ ← h₀ ← x"),
        (10, "y ← h₉ ← h₈ ← h₇ ← h₆ ← … ← h₃ ← h₂ ← h₁ ← h₀ ← x"),
    ],
)
def test_a_route_shows_up_to_eleven_nodes_and_of_more_the_ends(nodes, route):
    x = Value(0.5, "x")
    text = explain(named(chain(x, nodes) + x, "y"), x).text
    assert f"\n  {route}  " in text


@pytest.mark.parametrize(("made_up", "explained"), [(12, 12), (13, 12)])
def test_up_to_twelve_made_up_names_are_explained(made_up, explained):
    x = Value(0.5, "x")
    y = x
    for _ in range(made_up + 1):
        y = sigmoid(y)
    text = explain(named(y, "y"), x).text
    assert len(text.split("where\n")[1].splitlines()) == explained


# --- Jupyter, and size -------------------------------------------------------------------------------


def test_it_shows_as_latex_in_jupyter():
    L, leaves = logistic()
    explanation = explain(L, leaves["w1"])
    bundle = explanation._repr_mimebundle_()
    assert bundle == {"text/plain": str(explanation), "text/latex": f"$${explanation.latex}$$"}
    assert repr(explanation) == explanation.text == str(explanation)


@given(any_graphs)
@settings(max_examples=30)
def test_the_latex_is_latex(graph):
    leaves, root = graph
    for x in leaves:
        assert "<math" in convert(explain(root, x).latex)


def test_tens_of_thousands_of_nodes_answer_in_seconds():
    rng = random.Random(0)
    x, b = Value(0.5, "x"), Value(0.1, "b")
    nodes = [x, b]
    while len(nodes) < 12_000:  # two or three operations each
        near = nodes[-50:]
        nodes.append(tanh(0.4 * rng.choice(near) + rng.choice(near)))
    assert len(topological_order(nodes[-1])) > 24_000
    started = time.process_time()
    explanation = explain(nodes[-1], x)
    assert len(explanation.text) < 10_000
    assert len(explanation.latex) < 20_000
    assert time.process_time() - started < 9.0  # about 1.5 s; a slow machine is no failure
    assert len(largest(explanation.links.between, 3)[0]) == 3
