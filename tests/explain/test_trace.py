"""`trace_table`: values and adjoints side by side, as text, HTML and LaTeX."""

import re
import time
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from latex2mathml.converter import convert

from autograd_lite import (
    MLP,
    Value,
    exp,
    half_squared_error,
    sin,
    tanh,
    topological_order,
    trace_table,
    where,
)
from autograd_lite.explain import trace_table as trace_function
from autograd_lite.notation.writing import LATEX, TEXT
from tests.documents_explained import named
from tests.random_graphs import any_graphs


def example() -> Value:
    """x₁x₂ + sin x₁, the function that most texts trace."""
    x1, x2 = Value(2.0, "x1"), Value(5.0, "x2")
    return named(x1 * x2 + sin(x1), "y")


@given(any_graphs)
def test_adjoints_are_what_backward_adds_to_the_last_bit(graph):
    _, root = graph
    table = trace_table(root)
    assert table.nodes == topological_order(root)
    root.backward()
    for node in table.nodes:
        assert table.adjoints[node] == node.grad


def test_the_table():
    assert str(trace_table(example())).splitlines() == [
        "primal trace               │  adjoint trace, read upwards",
        "x₁             = 2         │  δ(x₁)  = δ(v₁)·x₂ + δ(v₂)·cos(x₁)  = 4.58385",
        "x₂             = 5         │  δ(x₂)  = δ(v₁)·x₁                  = 2",
        "v₁  = x₁·x₂    = 10        │  δ(v₁)  = δ(y)                      = 1",
        "v₂  = sin(x₁)  = 0.909297  │  δ(v₂)  = δ(y)                      = 1",
        "y   = v₁ + v₂  = 10.9093   │  δ(y)                               = 1",
    ]


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.rows[-1][-1] += data


def test_the_html_holds_the_same_cells():
    table = trace_table(named(example() * Value(1.0, "<b>&"), "z"))
    cells = Cells()
    cells.feed(table.html)
    assert cells.open == []
    assert cells.rows[1:] == [[*line] for line in table.lines()]
    assert any("<b>&" in row for row in cells.rows)


def test_markup_in_a_label_is_text():
    markup = "<script>alert('1')</script>&amp;"
    table = trace_table(named(Value(2.0, markup) * Value(3.0, "<td>"), "</table>"))
    tree = ElementTree.fromstring(table.html)
    assert {element.tag for element in tree.iter()} == {"table", "thead", "tbody", "tr", "th", "td"}
    rows = [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]
    assert [row[0] for row in rows[1:]] == [markup, "<td>", "</table>"]
    assert len(rows[1:]) == len(table.nodes)


def test_the_latex_holds_the_same_columns():
    table = trace_table(example())
    begin, *rows, end = table.latex.split("\n")
    assert (begin, end) == (r"\begin{array}{lll|lll}", r"\end{array}")
    assert all(row.count("&") == 5 for row in rows)
    assert rows[2] == r"v_{1} & = x_{1} \cdot x_{2} & = 10 & \delta_{v_{1}} & = \delta_{y} & = 1 \\"
    assert [line.name for line in table.lines(LATEX)] == ["x_{1}", "x_{2}", "v_{1}", "v_{2}", "y"]


@given(any_graphs)
@settings(max_examples=30)
def test_the_latex_is_latex(graph):
    assert "<math" in convert(trace_table(graph[1]).latex)


def test_it_shows_as_html_in_jupyter():
    table = trace_table(example())
    assert table._repr_mimebundle_() == {"text/plain": table.text, "text/html": table.html}
    assert repr(table) == table.text


def test_several_uses_by_one_consumer_are_one_term():
    x = Value(3.0, "x")
    y = named(x * x, "y")
    assert trace_table(y).lines()[0] == ("x", "", "3", "δ(x)", "2·δ(y)·x", "6")


def test_every_node_has_a_name_of_its_own():
    model = MLP(2, [2, 1], "tanh", rng=0)
    L = half_squared_error([model([1.0, 2.0]), model([0.5, 2.0])], [1.0, 0.0])
    lines = trace_table(L).lines()
    assert len({line.name for line in lines}) == len(lines) == len(topological_order(L))


def test_a_branch_not_taken_has_the_adjoint_0():
    x, c = Value(2.0, "x"), Value(3.0, "c")
    other = named(exp(c), "other")
    table = trace_table(where(x > 0.0, x * 2.0, other))
    assert table.adjoints[other] == table.adjoints[c] == 0.0
    assert table.lines()[table.nodes.index(c)].adjoint_value == "0"


def test_a_leaf_alone():
    assert str(trace_table(Value(2.0, "x"))).splitlines()[1].split() == ["x", "=", "2", "│", "δ(x)", "=", "1"]


def test_of_many_nodes_the_middle_is_left_out():
    x = Value(0.5, "x")
    y = x
    for _ in range(99):
        y = tanh(y)
    table = trace_table(y, rows=10)
    assert len(table.lines()) == 11
    assert table.lines()[5] is None
    assert re.search(r"\n⋮ +90 more +│ +⋮\n", table.text)
    assert "<td>90 more</td>" in table.html
    assert r"\vdots & \text{90 more} & & \vdots & &" in table.latex


@pytest.mark.parametrize(("nodes", "is_cut"), [(61, False), (62, True)])
def test_sixty_rows_are_shown_and_none_is_spent_on_leaving_out_one(nodes, is_cut):
    y = Value(0.5, "x")
    for _ in range(nodes - 1):
        y = tanh(y)
    lines = trace_table(y).lines()
    assert (len(lines), None in lines) == (61, is_cut)


def test_data_changed_after_recording_is_an_error_that_names_the_node():
    x = Value(2.0, "x")
    y = named(x * 3.0, "y")
    x.data = 1.0
    with pytest.raises(ValueError, match=r"^y = Value.*data was changed after recording"):
        trace_table(y)


def test_anything_but_a_value_is_a_type_error():
    with pytest.raises(TypeError, match=r"trace_table takes a Value, got float 1\.0"):
        trace_function(1.0)


def test_a_hundred_thousand_nodes_answer_in_seconds():
    w, b = Value(0.5, "w"), Value(0.1, "b")
    y = w
    for _ in range(33_333):
        y = tanh(y * 0.5 + b)
    started = time.process_time()
    table = trace_table(y)
    assert len(table.text) < 20_000
    assert f"{TEXT.dots} (33329 more)" in table.text
    assert time.process_time() - started < 20.0  # about 3 s; a slow machine is no failure


def test_made_up_names_are_those_of_the_graph():
    x, p = Value(0.5, "x"), Value(0.25)
    a = tanh(x)
    b = p * a  # a leaf is numbered where it is first used, as in every text and picture
    rows = str(trace_table(b + a)).splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["v₂", "x", "v₁", "v₃", "v₄"]
