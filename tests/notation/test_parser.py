"""Expressions: right answers on what they should read, one message at the right place for all else."""

import ast
import math
import random
import time

import pytest

from autograd_lite.core import rules as table
from autograd_lite.notation.parser import LONGEST, ExpressionError, evaluate
from tests.exploring import FIRST

VALUES = {"w": 0.5, "x": 2.0, "b": 0.1, "y": 1.0}

# Python's own arithmetic on floats, and `math`, say what is right.
FUNCTIONS = {
    "exp": math.exp,
    "log1p": math.log1p,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
    "atan": math.atan,
    "abs": abs,
    "maximum": max,
    "minimum": min,
    "hypot": math.hypot,
    "square": lambda x: x * x,
}
TWO = ("maximum", "minimum", "hypot")


def random_expression(rng: random.Random, depth: int = 4) -> str:
    """An expression of floats, in which no ** has an int that Python would not turn into a float first."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([*VALUES, f"{rng.uniform(0.1, 3.0):.3f}"])
    inner = [random_expression(rng, depth - 1) for _ in range(2)]
    kind = rng.randrange(8)
    if kind < 5:
        return (
            f"({inner[0]} {'+-*/'[kind % 4]} {inner[1]})"
            if kind % 2
            else f"{inner[0]}{'+-*/'[kind % 4]}{inner[1]}"
        )
    if kind == 5:
        return f"-{inner[0]}"
    if kind == 6:
        return f"({inner[0]})**{rng.choice(['2.0', '3.0', '-1.0'])}"
    name = rng.choice([*FUNCTIONS])
    return f"{name}({', '.join(inner[: 1 + (name in TWO)])})"


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 100))
def test_random_expressions_are_right_or_an_error_of_one_message(seed):
    text = random_expression(random.Random(seed))
    start = time.process_time()
    try:
        expected = eval(text, {"__builtins__": {}}, {**VALUES, **FUNCTIONS})
    except (ArithmeticError, ValueError):
        with pytest.raises(ExpressionError):
            evaluate(text, VALUES)
    else:
        # Two roundings apart where `math.pow` and ** differ; nothing else does.
        assert evaluate(text, VALUES).data == pytest.approx(expected, rel=1e-14, abs=1e-14, nan_ok=True)
    assert time.process_time() - start < 2.0


def test_most_random_expressions_have_a_value():
    texts = [random_expression(random.Random(seed)) for seed in range(100)]
    assert len(set(texts)) >= 90
    known = 0
    for text in texts:
        try:
            evaluate(text, VALUES)
            known += 1
        except ExpressionError:
            pass
    assert known >= 80


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ('__import__("os")', "there is no function __import__", "__import__"),
        ("x.__class__", "attributes are not allowed: only numbers", "."),
        ("x.__class__.__mro__[1].__subclasses__()", "only numbers", "x"),
        ("9**9**9**9", "math range error", "**9**9"),
        ("(" * 100_000 + "x" + ")" * 100_000, "at most 2,000 characters, this one has 200,001", "("),
        ("(" * 900 + "x" + ")" * 900, "too many nested parentheses", None),
        ("-" * (LONGEST - 1) + "x", "nested too deeply", "-"),
        ("x" + "**x" * 600, "pow", None),
        ("lambda: x", "only numbers", "lambda"),
        ('f"{x}"', "only numbers", "f"),
        ("f\"{__import__('os').system('true')}\"", "only numbers", "f"),
        ("[x for x in range(10**9)]", "only numbers", "["),
        ("x if x else y", "only numbers", "x"),
        ("(x := 3)", "only numbers", "x"),
        ("exec('1')", "there is no function exec", "exec"),
        ("open('/etc/passwd')", "there is no function open", "open"),
        ("x[0]", "only numbers", "x"),
        ("exp(*[x])", "only numbers", "*"),
        ("exp(**x)", "without **=", "exp"),
        ("'a' * 10**9", "only numbers", "'a'"),
        ("x; y", "invalid syntax", ";"),
        ("x\0y", "has no meaning", "\ufffd"),
        ("x\x1b[31m", "has no meaning", "\ufffd"),
        ("\ud800", "has no meaning", "\ufffd"),
        ("1e999", "beyond the range of a float", "1e999"),
        ("9" * 400, "beyond the range of a float", "9"),
        ("9" * 1990, "beyond the range of a float", "9"),
        ("True", "only numbers", "True"),
        ("2j", "only numbers", "2j"),
        ("await x", "", None),
        ("(yield x)", "only numbers", None),
        ("exp(exp(exp(exp(x))))", "math range error", None),
    ],
)
def test_hostile_expressions_are_one_message_and_quick(text, message, place):
    start = time.process_time()
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, VALUES)
    assert time.process_time() - start < 2.0
    assert message in caught.value.message
    assert caught.value.message.isprintable()
    shown, caret = str(caught.value).split("\n")
    assert shown.isprintable()
    assert len(shown) < 80
    if place is not None:
        assert shown[caret.index("^") :].startswith(place)


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("log(1 + exq(x))", "there is no function exq: did you mean exp?", "exq"),
        ("max(x, y)", "there is no function max: did you mean maximum?", "max"),
        ("1 + ln(x)", "there is no function ln: did you mean log?", "ln"),
        ("2*pi*x", "pi has no value: give it as pi=3.141592653589793", "pi"),
        ("e**x", "e has no value: give it as e=2.718281828459045", "e"),
        ("x # + y", "the character '#' has no meaning", "# + y"),
        ("w*x + c", "c has no value: give it as c=0.5", "c"),
        ("exp + 1", "exp is a function: write exp(...)", "exp"),
        ("x^2", "a power is written as **", "^"),
        ("x % 2", "only numbers", " %"),
        ("log(x", "'(' was never closed", "("),
        ("x y", "invalid syntax", "y"),
        ("1/(x - 2)", "division by zero", "/"),
        ("w * log(b - x)", "log(-1.9): math domain error (domain: x > 0)", "log"),
        ("log(x, y, w)", "log", "log"),
        ("sum(x, y)", "sum([x, y, z])", "sum"),
        ("clip(x, low=1)", "without low=", "clip"),
        ("exp([x])", "exp", "exp"),
        ("softmax_cross_entropy([x, y], 2)", "label 2 is not a class", "softmax"),
        ("where(x > 0, log(-x), 0)", "log(-2.0)", "log"),
        ("", "the expression is empty", ""),
        ("x + y *", "ends too early", ""),
        ("x + ŵ * )", "unmatched ')'", ")"),
    ],
)
def test_mistakes_are_marked_at_their_place(text, message, place):
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, VALUES)
    assert message in caught.value.message
    shown, caret = str(caught.value).split("\n")
    assert shown == text
    assert shown[caret.index("^") :].startswith(place)


def test_place_is_right_after_letters_of_several_bytes_and_columns():
    with pytest.raises(ExpressionError) as caught:
        evaluate("ŵŵŵ*exq(x)", {"ŵŵŵ": 1.0, "x": 2.0})
    assert caught.value.column == 4
    with pytest.raises(ExpressionError) as caught:
        evaluate("字*exq(x)", {"字": 1.0, "x": 2.0})
    assert str(caught.value).split("\n")[1].index("^") == 3  # a terminal shows 字 in two columns


def test_long_expression_is_shown_around_the_place():
    text = "x + " * 200 + "oops" + " + x" * 200
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, VALUES)
    shown, caret = str(caught.value).split("\n")
    assert len(shown) == 74
    assert shown[0] == shown[-1] == "…"
    assert shown[caret.index("^") :].startswith("oops")


def test_long_sum_is_no_trouble():
    assert evaluate("x" + "+x" * 990, {"x": 1.0}).data == 991.0


def test_graph_has_the_names_and_the_gradients():
    loss = evaluate("log(1 + exp(-y*(w*x + b)))", VALUES)
    loss.backward()
    z = 0.5 * 2.0 + 0.1
    assert loss.data == math.log(1.0 + math.exp(-z))
    leaves, nodes = {}, [loss]
    while nodes:
        node = nodes.pop()
        if not isinstance(node, float):
            nodes += node.operands
            if node.primitive is None:
                leaves[node.label] = node.grad
    slope = -1.0 / (1.0 + math.exp(z))
    # Four operations, each rounded once.
    assert leaves == pytest.approx(
        {"w": slope * 2.0, "x": slope * 0.5, "b": slope, "y": slope * z}, rel=1e-15 * 8
    )


def test_one_name_is_one_leaf():
    value = evaluate("x*x", {"x": 3.0})
    value.backward()
    assert value.operands[0] is value.operands[1]
    assert value.operands[0].grad == 6.0


def test_branch_that_is_not_taken_is_not_computed():
    assert evaluate("where(x > 0, log(x), 0)", {"x": 0.0}).data == 0.0
    assert evaluate("where(x != 0, 1/x, 0)", {"x": 0.0}).data == 0.0


@pytest.mark.parametrize("text", ["3", "2 + 3*4", "-(1)", "+2.5", " ( 7 ) ", "1_000.5", "0x10"])
def test_constants_alone_are_values(text):
    assert evaluate(text, {}).data == float(eval(text))


@pytest.mark.parametrize("row", table.TABLE.values(), ids=str)
def test_every_function_of_the_table_can_be_called(row):
    arguments = {
        "sum": "[x, y]", "mean": "[x, y]", "prod": "[x, y]", "logsumexp": "[x, y]",
        "dot": "[x, y], [1, 2], b", "softmax_cross_entropy": "[x, y], 0", "where": "x > y, x, y",
        "clip": "x, 0, 1", "acosh": "x",
        "asin": "w", "acos": "w", "atanh": "w", "leaky_relu": "x",
    }.get(row.name, ", ".join(["x", "y"][: row.arity or 1]))  # fmt: skip
    assert math.isfinite(evaluate(f"{row.name}({arguments})", VALUES).data)


def test_module_has_no_eval():
    from autograd_lite.notation import parser as expressions

    with open(expressions.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"eval", "exec", "compile", "getattr", "__import__", "globals"}


def test_two_spellings_of_one_name_are_refused():
    assert evaluate("ﬁ + 1", {"fi": 2.0}).data == 3.0
    with pytest.raises(ValueError, match=r"^fi is given twice, in two spellings of one name$"):
        evaluate("fi", {"ﬁ": 1.0, "fi": 3.0})


def test_an_expression_that_is_too_long_shows_no_control_characters():
    with pytest.raises(ExpressionError) as raised:
        evaluate("\x1b[31m" * 1000, {})
    assert str(raised.value).replace("\n", "").isprintable()
