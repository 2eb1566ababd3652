"""The summary table of a module."""

import math
from xml.etree import ElementTree

from autograd_lite import MLP, Module, Value
from autograd_lite.nn.summary import as_html, as_text
from autograd_lite.notation.names import short


def cells(model) -> list[list[str]]:
    table = ElementTree.fromstring(as_html(model))
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_parts_of_a_network():
    model = MLP(2, [8, 3], "tanh", rng=0)
    heading, *rows = cells(model)
    assert heading == ["part", "what", "parameters", "‖θ‖", "‖∇‖"]
    assert [row[:3] for row in rows] == [
        ["layers.0", "Layer(2, 8, 'tanh')", "24"],
        ["layers.1", "Layer(8, 3, 'linear')", "27"],
    ]
    assert {row[4] for row in rows} == {"none yet"}
    assert rows[0][3] == short(math.hypot(*[p.data for p in model.layers[0].parameters()]))


def test_gradients_are_told_once_there_are_some():
    model = MLP(2, [2, 1], "tanh", rng=0)
    model([1.0, 2.0]).backward()
    norms = [short(math.hypot(*[p.grad for p in layer.parameters()])) for layer in model.layers]
    assert [row[4] for row in cells(model)[1:]] == norms


def test_text_has_the_same_cells_in_columns():
    model = MLP(3, [4, 2], rng=0)
    first, *lines = as_text(model).split("\n")
    assert first == repr(model)
    assert [line.split()[0] for line in lines] == ["part", "layers.0", "layers.1"]
    assert len(set(map(len, lines))) == 1
    for line, row in zip(lines, cells(model), strict=True):
        assert all(cell in line for cell in row)


def test_parameters_of_its_own_stand_under_their_names():
    class Line(Module):
        def __init__(self) -> None:
            self.slope = Value(3.0)
            self.rest = [Value(4.0), Value(0.0)]
            self.inner = MLP(1, [1], rng=0)

    assert [row[:3] for row in cells(Line())[1:]] == [
        ["slope", "", "1"],
        ["rest", "", "2"],
        ["inner", "MLP(1, [1])", "2"],
    ]


def test_markup_in_a_repr_is_text():
    class Odd(Module):
        def __repr__(self) -> str:
            return "<b>&"

    assert "&lt;b&gt;&amp;" in as_html(Odd())


def test_many_parts_are_shortened():
    rows = cells(MLP(1, [1] * 50, rng=0))[1:]
    assert len(rows) == 20
    assert rows[10][0] == "… 31 more"
    assert rows[-1][0] == "layers.49"
