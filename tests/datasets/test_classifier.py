"""Classifiers: a model file that is damaged in any way is refused in one sentence."""

import json
from pathlib import Path

import pytest

from autograd_lite.datasets import DataError, penguins
from autograd_lite.datasets.classifier import Classifier, Evaluation
from autograd_lite.datasets.encoding import classification, features
from autograd_lite.datasets.model_file import load, save
from autograd_lite.nn import MLP


@pytest.fixture
def model(monkeypatch, tmp_path) -> Path:
    """The file of a classifier of the penguins, which may be spoiled."""
    monkeypatch.chdir(tmp_path)
    problem = classification(penguins(), "species", 0)
    network = MLP(len(features(problem.inputs)), [8, 3], "tanh", rng=0)
    save(Classifier("species", problem.classes, problem.inputs, network), Path("model.json"))
    return Path("model.json")


def refusal(path: Path) -> str:
    """What is said of a file that is not loaded."""
    with pytest.raises(DataError) as raised:
        load(path)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_classifier_is_what_was_saved(model):
    loaded = load(model)
    save(loaded, Path("again.json"))
    assert Path("again.json").read_bytes() == model.read_bytes()
    problem = classification(penguins(), "species", 0)
    network = MLP(10, [8, 3], "tanh", rng=0)
    original = Classifier("species", problem.classes, problem.inputs, network)
    assert loaded.evaluate(problem.held_out) == original.evaluate(problem.held_out)


def test_an_evaluation_counts_what_is_right():
    assert Evaluation(0.5, [(0, 0), (1, 0), (2, 2)]).right == 2


NUMBER = {"name": "x", "mean": 0.0, "scale": 1.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": None}, "is not a model that 'autograd-lite train --save' wrote"),
        ({"parameters": {}}, "does not hold an MLP: 0 parameters are too few"),
        ({"parameters": {str(k): 0.0 for k in range(1000)}}, ": this state does not fit MLP("),
        ({"parameters": "abc"}, "is damaged: 'parameters' must be an object, got 'abc'"),
        ({"classes": ["a", "b"]}, "is damaged: the network does not have 2 classes"),
        ({"classes": 3}, "is damaged: 'classes' must be a list, got 3"),
        ({"classes": "abc"}, "is damaged: 'classes' must be a list, got 'abc'"),
        ({"classes": ["a", "b", 3]}, "is damaged: 'classes' must be a list of texts, got ['a', 'b', 3]"),
        ({"target": ["species"]}, "is damaged: 'target' must be a text, got ['species']"),
        ({"architecture": None}, "is damaged: 'architecture' must be an object, got None"),
        ({"architecture": {"inputs": 10, "sizes": [1000000000, 3]}}, "parameters are too few for {'inputs'"),
        ({"inputs": [1]}, "is damaged: 1 does not describe an input"),
        ({"inputs": "abc"}, "is damaged: 'inputs' must be a list, got 'abc'"),
        (
            {"inputs": [{"name": 3, "texts": ["a"]}]},
            "is damaged: {'name': 3, 'texts': ['a']} does not describe an input",
        ),
        (
            {"inputs": [{"name": "x", "texts": "abc"}]},
            "is damaged: the texts of input 'x' must be a list of texts, got 'abc'",
        ),
        ({"inputs": []}, "is damaged: 10 inputs were expected and 0 came"),
        ({"inputs": [{"name": "x", "mean": "0", "scale": 1.0}]}, "is damaged: a mean must be a real number"),
        ({"inputs": [{"name": "x", "mean": 0.0, "scale": 0.0}]}, "has the mean 0 and the scale 0: no column"),
        (
            {"inputs": [{"name": "x", "size": 3}]},
            "is damaged: {'name': 'x', 'size': 3} does not describe an input",
        ),
        ({"classes": ["a", "b", "a"]}, "is damaged: 'a' occurs 2 times among the classes"),
        ({"classes": ["a"]}, "is damaged: there must be two classes or more, got ['a']"),
        ({"classes": ["a", "b", "c\x1b"]}, "is damaged: 'c\\x1b' among the classes is not a text"),
        ({"classes": ["a", "b", ""]}, "is damaged: '' among the classes is not a text"),
        ({"target": "year"}, "is damaged: 'year' occurs 2 times among the target and the inputs"),
        ({"inputs": [NUMBER, NUMBER]}, "is damaged: 'x' occurs 2 times among the target and the inputs"),
        (
            {"inputs": [{"name": "x", "texts": ["a", "a"]}]},
            "is damaged: 'a' occurs 2 times among the texts of input 'x'",
        ),
        ({"inputs": [{"name": "x", "texts": []}]}, "is damaged: the input 'x' has no texts"),
        ({"inputs": [NUMBER | {"scale": 1e-320}]}, "input 'x' has the mean 0 and the scale 9.99989e-321"),
        ({"inputs": [NUMBER | {"scale": 1e300}]}, "input 'x' has the mean 0 and the scale 1e+300"),
        ({"inputs": [NUMBER | {"scale": -1.0}]}, "input 'x' has the mean 0 and the scale -1"),
        ({"inputs": [NUMBER | {"mean": 1e308}]}, "input 'x' has the mean 1e+308 and the scale 1"),
        ({"inputs": [NUMBER | {"mean": 10**400}]}, "is damaged: "),
    ],
)
def test_damaged_models(model, change, message):
    model.write_text(json.dumps(json.loads(model.read_text()) | change))
    said = refusal(model)
    assert said.startswith(("model.json ", "model.json: ", "model.json, which holds {'inputs'"))
    assert message in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"layers.1.neurons.2.b": ', '"layers.1.neurons.2.b": 1e308, "x": ', "unexpected: x"),
        ("", "", "the parameter layers.1.neurons.2.b is 1e+308, beyond ±1e+100"),
        ("", "", "the parameter layers.1.neurons.2.b is -1e+308, beyond ±1e+100"),
        ('"target":', '"target": "x", "target":', "the key 'target' occurs 2 times in one object"),
        ('"activation": "tanh"', '"activation": "log"', "the network is not one that 'train' builds"),
        ('"output": "linear"', '"output": "exp"', "the network is not one that 'train' builds"),
    ],
)
def test_models_with_one_wrong_entry(model, old, new, message):
    text = model.read_text()
    assert old in text
    if old:
        model.write_text(text.replace(old, new, 1))
    else:
        document = json.loads(text)
        document["parameters"]["layers.1.neurons.2.b"] = -1e308 if "-1e" in message else 1e308
        model.write_text(json.dumps(document))
    assert message in refusal(model)


def test_the_file_of_a_network_alone_is_not_that_of_a_classifier(model):
    MLP(2, [3], rng=0).save(model)
    assert refusal(model).endswith(
        "'autograd-lite train --save' wrote (it holds MLP(2, [3])  # 9 parameters)"
    )


@pytest.mark.parametrize("key", ["architecture", "classes", "inputs", "parameters", "target"])
def test_models_that_lack_a_part(model, key):
    document = json.loads(model.read_text())
    del document[key]
    model.write_text(json.dumps(document))
    assert refusal(model) == f"model.json is damaged: it has no '{key}'"
