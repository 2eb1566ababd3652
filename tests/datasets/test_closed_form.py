"""The closed form: it is that of the documents, and the engine agrees with it."""

import json
import random
from pathlib import Path

import pytest

from autograd_lite.datasets import closed_form as module
from autograd_lite.datasets.classifier import Classifier
from autograd_lite.datasets.closed_form import closed_form, gradient_check
from autograd_lite.nn import ACTIVATIONS, MLP

ORACLE = json.loads((Path(__file__).parents[1] / "oracle.json").read_text(encoding="utf-8"))["derivations"]


def built(W: list[list[list[float]]], b: list[list[float]], activation: str) -> MLP:
    network = MLP(len(W[0][0]), [len(rows) for rows in W], activation)
    for layer, rows, biases in zip(network.layers, W, b, strict=True):
        for neuron, row, bias in zip(layer.neurons, rows, biases, strict=True):
            neuron.b.data = bias
            for w, number in zip(neuron.w, row, strict=True):
                w.data = number
    return network


def close(found: list[float], expected: list[float], rtol: float) -> bool:
    atol = 1e-14 * max(map(abs, expected))
    return all(abs(x - y) <= rtol * abs(y) + atol for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_closed_form_is_that_of_document_001(activation):
    cases = [c for c in ORACLE[f"softmax_2layer_{activation}"]["cases"] if c["kind"] == "random"]
    assert cases
    for case in cases:
        given, expected = case["inputs"], case["outputs"]
        b = [[x for (x,) in given[name]] for name in ("b1", "b2")]
        network = built([given["W1"], given["W2"]], b, activation)
        part = [(list(x), y) for x, y in zip(zip(*given["X1"], strict=True), given["labels"], strict=True)]
        flat = [
            number
            for dW, db in ((expected["dW1"], expected["db1"]), (expected["dW2"], expected["db2"]))
            for row, bias in zip(dW, db, strict=True)
            for number in (*row, *bias)
        ]
        assert close(closed_form(network, part), flat, case["rtol"]), case["id"]


def test_closed_form_is_that_of_document_000():
    cases = [
        c
        for c in ORACLE["logistic_batch"]["cases"]
        if c["kind"] == "random" and set(c["inputs"]["y"]) <= {0.0, 1.0}
    ]
    assert cases
    for case in cases:
        given, expected = case["inputs"], case["outputs"]
        network = built([[given["w"]]], [[given["b"]]], "linear")
        part = list(zip(given["X"], map(int, given["y"]), strict=True))
        found = closed_form(network, part)
        assert close(found, [*expected["dw_sum"], expected["db_sum"]], case["rtol"]), case["id"]


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "linear"])
def test_engine_and_closed_form_agree(activation):
    rng = random.Random(1)
    part = [([rng.gauss(0, 1) for _ in range(4)], i % 3) for i in range(9)]
    model = Classifier("y", list("abc"), [], MLP(4, [5, 4, 3], activation, rng=2))
    found, largest = gradient_check(model, part)
    assert found <= 1e-14 * largest * len(part)


def test_gradient_check_finds_a_wrong_gradient(monkeypatch):
    part = [([1.0, 2.0], 0)]
    model = Classifier("y", ["a", "b"], [], MLP(2, [3, 2], "tanh", rng=0))
    monkeypatch.setattr(Classifier, "loss", lambda self, scores, label: 1.001 * scores[label])
    found, largest = gradient_check(model, part)
    assert found > 1e-3 * largest


@pytest.mark.parametrize(("each", "examples"), [(0.0, 1), (1.99, 1), (2.0, 2), (100.0, 9)])
def test_of_a_large_network_only_some_examples_are_checked(each, examples, monkeypatch):
    part = [([float(i), 1.0], i % 2) for i in range(9)]
    model = Classifier("y", ["a", "b"], [], MLP(2, [3, 2], "tanh", rng=0))
    monkeypatch.setattr(module, "MOST", int(each * len(model.network.parameters())))
    asked, loss = [], Classifier.loss
    monkeypatch.setattr(Classifier, "loss", lambda *given: asked.append(given[2]) or loss(*given))
    gradient_check(model, part)
    assert len(asked) == examples
