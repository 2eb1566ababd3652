"""Recorded graphs as JavaScript: every row of the table against the eager engine, in a real browser."""

import itertools
import math
import re
from collections.abc import Iterable
from typing import Any

import pytest
from mpmath import mp, mpf

from autograd_lite import Value, erf, erfc, log, sin, where
from autograd_lite import sum as total
from autograd_lite.compiler import TraceError, compile
from autograd_lite.compiler.codegen.javascript import Script, function_source, number, script
from autograd_lite.compiler.passes.differentiate import differentiate
from autograd_lite.core import rules as table
from autograd_lite.core.primitive import Primitive, primitive
from autograd_lite.core.value import topological_order
from tests.pictures.graphs import GRAPHS
from tests.sampling import TINY, Point, points

ROWS = [row for name, row in table.TABLE.items() if getattr(table, name, None) is row]
# On kinks, at and beyond the ends of domains, where results overflow.
EDGES = (
    -1000.0,
    -8.0,
    -2.0,
    -1.0,
    -0.5,
    -0.0,
    0.0,
    TINY,
    1e-9,
    1 / 3,
    0.5,
    1.0,
    1.25,
    2.0,
    3.0,
    1000.0,
    1e200,
)
FEWER = (-8.0, -1.0, 0.0, 1 / 3, 1.0, 2.0, 1e200)
Results = list[list[float]]  # values, adjoints, local partials


def grid(row: Primitive) -> list[Point]:
    if row is table.where:
        return [*points(row), *itertools.product((0.0, 1.0), FEWER, FEWER)]
    arity = row.arity or 2
    edges = EDGES if arity < 3 else FEWER
    return [*points(row), *itertools.product(edges, repeat=arity)]


def recorded(row: Primitive, point: Point) -> Value:
    operands = tuple(map(Value, point))
    node = operands[0]._record(row, operands)
    assert isinstance(node, Value)
    return node


def eager(row: Primitive, point: Point) -> Results | None:
    """What the engine says at a point, None where it refuses."""
    try:
        node = recorded(row, point)
    except (ArithmeticError, ValueError):
        return None
    partials = [p if p is not None else 0.0 for p in node.partials]
    return [[*point, node.data], [*partials, 1.0], partials]


def run(browser: Any, text: str, name: str, points: Iterable[Point]) -> list[Results]:
    """Call a function of JavaScript at some points; numbers travel as text, which keeps all their digits."""
    given = ", ".join([f"[{', '.join(map(number, point))}]" for point in points])
    body = f"return [{given}].map(x => {name}(x).map(part => part.map(String)))"
    found = browser.execute_script(f'"use strict"\n{text}\n{body}')
    return [[[float(x) for x in part] for part in each] for each in found]


def choice() -> Script:
    """`where` as a function of its condition: a recorded one has taken its branch."""
    program = compile(lambda c, x, y: where(c > 0.5, x, y), 1.0, 2.0, 3.0)
    graph, (out,) = program.graph, program.outputs
    inputs = [i for i, op in enumerate(graph.ops) if op == "argument"]
    graph.ops[:] = ["leaf" if op == "argument" else op for op in graph.ops]
    partials = differentiate(graph, out, inputs)
    parts = [[*inputs, out], [*partials, graph.constant(1.0)], partials]
    return Script("program", function_source(graph, parts, name="program", leaves=3), (0, 1, 2), ())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_is_what_the_engine_says(row, browser):
    """Values, adjoints and partials to 1e-12; what the engine refuses has no finite value and partials."""
    checked = refused = 0
    for arity, group in itertools.groupby(sorted(grid(row), key=len), key=len):
        given = [*group]
        where_it_works = next(point for point in given if eager(row, point) is not None)
        program = choice() if row is table.where else script(recorded(row, where_it_works))
        assert row is table.where or program.leaves == tuple(range(arity))
        for point, found in zip(given, run(browser, program.text, program.name, given), strict=True):
            want = eager(row, point)
            if want is None:
                assert not all(map(math.isfinite, (found[0][-1], *found[2]))), (point, found)
                refused += 1
                continue
            # A sum is added up in another order, and products of a `prod` as well.
            scale = max([abs(x) for x in want[0] if math.isfinite(x)]) if row.arity is None else 0.0
            for got, part in zip(found, want, strict=True):
                assert got == pytest.approx(part, rel=1e-12, abs=max(1e-15 * scale, 1e-320), nan_ok=True), (
                    point
                )
            checked += 1
    assert checked >= len(points(row))
    assert refused > 0 or not row.domain or row is table.rsqrt


@pytest.mark.parametrize("name", set(GRAPHS) - {"branches", "one"})
def test_whole_graphs(name, browser):
    root = GRAPHS[name]()
    order = topological_order(root)
    root.zero_grad()
    root.backward()
    program = script(root, "loss")
    given = tuple([order[k].data for k in program.leaves])
    ((values, adjoints, partials),) = run(browser, program.text, "loss", [given])
    assert values == pytest.approx([node.data for node in order], rel=1e-12, nan_ok=True)
    assert adjoints == pytest.approx([node.grad for node in order], rel=1e-12, abs=1e-15, nan_ok=True)
    want = [order[consumer].partials[position] for consumer, position in program.edges]
    assert partials == pytest.approx(want, rel=1e-12, nan_ok=True)


def test_leaves_may_move(browser):
    """The text is of the graph, not of the numbers that it was recorded at."""
    w, x = Value(2.0, "w"), Value(3.0, "x")
    program = script(sin(w * x) / x + w**3.0)
    want = sin(w := Value(-0.7)) * 0.0 + sin(w * (x := Value(0.4))) / x + w**3.0
    want.backward()
    ((values, adjoints, _),) = run(browser, program.text, "program", [(-0.7, 0.4)])
    assert values[-1] == pytest.approx(want.data, rel=1e-14)
    assert adjoints[:2] == pytest.approx([w.grad, x.grad], rel=1e-14)


def test_equal_nodes_keep_adjoints_of_their_own(browser):
    w, x = Value(2.0, "w"), Value(3.0, "x")
    a, b, c = w * x, w * x, w + 0.0
    root = a * 2.0 + b * 5.0 + c
    program, order = script(root), topological_order(root)
    ((_, adjoints, _),) = run(browser, program.text, "program", [(2.0, 3.0)])
    place = {node: k for k, node in enumerate(order)}
    assert [adjoints[place[node]] for node in (a, b, c, w, x)] == [2.0, 5.0, 1.0, 22.0, 14.0]


def test_a_leaf_alone(browser):
    program = script(Value(3.0, "x"))
    assert program.leaves == (0,)
    assert run(browser, program.text, "program", [(5.0,)]) == [[[5.0], [1.0], []]]


def test_functions_that_math_lacks_are_exact_to_1e_14(browser):
    """Values of erf and erfc against mpmath; powers of 1 and −1 as in C."""
    x = [k / 64 for k in range(-400, 1700)] + [1.0, math.nextafter(1.0, 0.0), -1.0, 1e-300, -1e-9, 26.5]
    for row, exact in ((erf, mp.erf), (erfc, mp.erfc)):
        text = script(row(Value(0.5))).text
        found = run(browser, text, "program", [(xi,) for xi in x])
        with mp.workdps(40):
            off = [abs(mpf(each[0][1]) / exact(mpf(xi)) - 1) for each, xi in zip(found, x, strict=True) if xi]
        assert max(off) < 1e-14
        ends = (math.inf, -math.inf, math.nan, -0.0, 40.0)
        found = run(browser, text, "program", [(end,) for end in ends])
        assert [each[0][1] for each in found] == pytest.approx([*map(row, ends)], rel=0.0, nan_ok=True)
    inf, nan = math.inf, math.nan
    given = [(1.0, nan), (1.0, inf), (-1.0, inf), (-1.0, -inf), (2.0, inf), (nan, 0.0), (-8.0, 1 / 3)]
    found = run(browser, script(Value(2.0) ** Value(3.0)).text, "program", given)
    assert [each[0][2] for each in found] == pytest.approx([1.0, 1.0, 1.0, 1.0, inf, 1.0, nan], nan_ok=True)


NAMES = [
    "new",
    "let",
    "eval",
    "arguments",
    "await",
    "Math",
    "NaN",
    "Infinity",
    "exp",
    "leaves",
    "gauss",
    "loss",
]
NAMES += ["</script>", "`${x}`", "ﬁ", "fi", "x₁", "x1", "∂", "名前", "\u2028", "", "program", "_"]


def test_labels_of_any_kind(browser):
    leaves = [Value(1.0 + k, label) for k, label in enumerate(NAMES)]
    terms = [x * x for x in leaves]
    for term, label in zip(terms, NAMES, strict=True):
        term.label = label
    program = script(total(terms), "loss")
    assert "</" not in program.text
    given = tuple([x.data for x in leaves])
    ((values, adjoints, _),) = run(browser, program.text, "loss", [given])
    assert values[-1] == sum(x * x for x in given)
    assert [adjoints[k] for k in program.leaves] == [2.0 * x for x in given]


def test_a_recorded_choice_is_refused():
    x = Value(1.0, "x")
    with pytest.raises(TraceError, match="has taken its branch"):
        script(where(x > 0.0, x, -x) * 2.0)


def test_rows_of_ones_own(browser):
    cubed = primitive("cubed", lambda x: x * x * x, lambda out, x: (3.0 * x * x,))
    spelled = primitive("spelled", lambda x: -x, lambda out, x: (-1.0,), template={"javascript": "(-{0})"})
    x = Value(2.0, "x")
    program = script(cubed(x) + spelled(x))
    ((values, adjoints, _),) = run(browser, program.text, "program", [(3.0,)])
    assert (values[-1], adjoints[0]) == (24.0, 26.0)
    opaque = primitive("opaque", lambda x: float(f"{x:.3f}"), lambda out, x: (1.0,))
    with pytest.raises(ValueError, match=r"^opaque has no form in JavaScript: give it") as caught:
        script(log(opaque(x)))
    assert "\n" not in str(caught.value)


def test_text_is_plain_code():
    """No evaluation, no network, no loops outside the helpers; lines that a person can read."""
    root = GRAPHS["network"]()
    text = script(root, "loss").text
    assert not re.search(r"\b(eval|Function|import|fetch|for|while|if)\b", text)
    assert "const error = y_hat - y" in text
    assert "const d_error = 2.0 * error" in text
    assert max(map(len, text.splitlines())) <= 110
