"""Pickles that version 0.1 wrote still load, and what they hold still works."""

import base64
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from autograd_lite import sigmoid, topological_order
from autograd_lite.nn import MLP

FILES = json.loads((Path(__file__).parents[1] / "pickles_of_0_1.json").read_text(encoding="utf-8"))
protocols = pytest.mark.parametrize("protocol", [2, 5])


def loaded(name: str, protocol: int) -> Any:
    return pickle.loads(base64.b64decode(FILES[f"{name}.{protocol}"]))


@protocols
def test_graph(protocol):
    y = loaded("graph", protocol)
    leaves = {leaf.label: leaf for leaf in topological_order(y) if leaf.primitive is None}
    # y = 2·tanh(w·x + b) + (x + w + 3) + w + (w·1 + x·b + b) at x = 0.5, w = -1.25, b = 2
    slope = 2.0 * (1.0 - math.tanh(1.375) ** 2)
    expected = {"x": slope * -1.25 + 1.0 + 2.0, "w": slope * 0.5 + 3.0, "b": slope + 1.5}
    assert {name: leaves[name].grad for name in expected} == pytest.approx(expected, rel=1e-14)
    y.zero_grad()
    y.backward()
    assert {name: leaves[name].grad for name in expected} == pytest.approx(expected, rel=1e-14)
    assert {node.scope.name for node in topological_order(y) if node.scope} == {"loss"}
    assert y.label == "y"


@protocols
def test_model_and_its_loss(protocol):
    model, loss = loaded("model", protocol)
    before = [p.grad for p in model.parameters()]
    assert any(before)
    model.zero_grad()
    loss.backward()
    assert [p.grad for p in model.parameters()] == before
    again = MLP(2, [3, 1], rng=1)
    assert model.state_dict() == again.state_dict()
    assert model([0.3, -0.7]).data == again([0.3, -0.7]).data == loss.data


@protocols
def test_optimizer(protocol):
    model, optimizer = loaded("optimizer", protocol)
    assert [*map(id, optimizer.parameters)] == [*map(id, model.parameters())]
    before = model.state_dict()
    optimizer.step()
    assert model.state_dict() != before


@protocols
def test_programs(protocol):
    program = loaded("program", protocol)
    assert program(1.0, 2.0) == (2.964027580075817, (2.0, 1.0706508248531645))
    recorded = loaded("recorded", protocol)
    model, _ = loaded("optimizer", protocol)  # pickled after the same step
    assert recorded()[0] == pytest.approx(model([0.3, -0.7]).data, rel=1e-15)


@protocols
def test_row(protocol):
    assert loaded("row", protocol) is sigmoid
