"""Regressors: errors against their definitions, the file, the closed form."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from autograd_lite.datasets import DataError, penguins, read_csv
from autograd_lite.datasets.classifier import Classifier
from autograd_lite.datasets.closed_form import gradient_check
from autograd_lite.datasets.encoding import decided_task, encode, features, regression
from autograd_lite.datasets.model_file import load, save
from autograd_lite.datasets.regressor import Errors, Regressor
from autograd_lite.nn import MLP
from tests.datasets.common import table


@pytest.fixture
def problem():
    return regression(penguins(), "body_mass_g", 0)


@pytest.fixture
def model(problem):
    network = MLP(len(features(problem.inputs)), [4, 1], "tanh", rng=0)
    return Regressor(problem.target, problem.unit, problem.inputs, network)


@pytest.mark.parametrize(
    ("fields", "task", "reason"),
    [
        ("y a b a", "classification", "its values are text"),
        ("y 0 1 1 0", "classification", "its 2 different values are whole numbers"),
        ("y 0.5 1 1 0.5", "regression", "its 2 different values are not all whole numbers"),
        ("y 1 2 3", "regression", "it has 3 different numbers"),
        ("y 1 2 3 3", "classification", "its 3 different values are whole numbers"),
        ("y 1 2", "classification", "its 2 different values are whole numbers"),
        ("y " + " ".join(str(i // 2) for i in range(40)), "classification", "its 20 different values"),
        ("y " + " ".join(str(i // 2) for i in range(42)), "regression", "it has 21 different numbers"),
    ],
)
def test_the_task_is_decided_by_the_target(fields, task, reason):
    found = decided_task(table(fields), "y")
    assert found[0] == task
    assert found[1].startswith(reason)


def test_the_target_is_standardised_by_the_training_part_alone(problem):
    birds = penguins()
    rows = [i for i, row in enumerate(encode(birds, problem.inputs)) if row is not None]
    numbers = [y for i, y in enumerate(birds.numbers("body_mass_g")) if y is not None and i in rows]
    y = np.array([target for _, target in problem.training])
    assert (len(y), len(problem.held_out)) == (266, 67)
    assert (abs(y.mean()), y.std()) == (pytest.approx(0.0, abs=1e-14), pytest.approx(1.0, rel=1e-14))
    again = [problem.unit.mean + problem.unit.scale * t for _, t in (*problem.training, *problem.held_out)]
    assert sorted(again) == pytest.approx(sorted(numbers), rel=1e-14)
    held_out = np.array([target for _, target in problem.held_out])
    assert abs(held_out.mean()) > 1e-3  # as it took no part


def test_errors_are_rmse_and_r2_beside_those_of_the_mean():
    rng = np.random.default_rng(0)
    true = rng.normal(5.0, 2.0, 30)
    predicted = true + rng.normal(0.0, 0.5, 30)
    errors = Errors(0.0, list(zip(true, predicted, strict=True)), 4.0)
    assert errors.rmse == pytest.approx(np.sqrt(np.mean((true - predicted) ** 2)), rel=1e-14)
    spread = np.sum((true - true.mean()) ** 2)
    assert errors.r2 == pytest.approx(1.0 - np.sum((true - predicted) ** 2) / spread, rel=1e-13)
    assert errors.baseline.rmse == pytest.approx(np.sqrt(np.mean((true - 4.0) ** 2)), rel=1e-14)
    assert errors.baseline.r2 == pytest.approx(1.0 - np.sum((true - 4.0) ** 2) / spread, abs=1e-13)
    assert Errors(0.0, errors.pairs, true.mean()).baseline.r2 == pytest.approx(0.0, abs=1e-14)
    assert math.isnan(Errors(0.0, [(1.0, 2.0), (1.0, 3.0)], 0.0).r2)


def test_an_evaluation_is_in_the_units_of_the_target(model, problem):
    found = model.evaluate(problem.held_out)
    losses = []
    for (x, target), (true, predicted) in zip(problem.held_out, found.pairs, strict=True):
        assert true == pytest.approx(problem.unit.mean + problem.unit.scale * target)
        assert predicted == model.predict(x)
        assert predicted == pytest.approx(problem.unit.mean + problem.unit.scale * model.network(x).data)
        losses.append(model.loss(model.scores(x), target).data)
    assert found.loss == pytest.approx(math.fsum(losses) / len(losses), rel=1e-9)
    assert found.mean == problem.unit.mean
    assert model.evaluate([]).loss == 0.0


def test_engine_and_closed_form_agree(model, problem, monkeypatch):
    part = problem.training[:20]
    found, largest = gradient_check(model, part)
    assert found <= 1e-14 * largest * len(part)
    monkeypatch.setattr(Regressor, "loss", lambda self, scores, label: 0.501 * (scores[0] - label) ** 2)
    found, largest = gradient_check(model, part)
    assert found > 1e-3 * largest


def test_a_prediction_that_is_not_finite_is_an_error(model):
    model.network.layers[1].neurons[0].b.data = 1e308
    with pytest.raises(OverflowError, match="the prediction is inf"):
        model.predict([0.0] * 12)


# --- The file ----------------------------------------------------------------------------------------


@pytest.fixture
def file(model, monkeypatch, tmp_path) -> Path:
    monkeypatch.chdir(tmp_path)
    save(model, Path("model.json"))
    return Path("model.json")


def test_a_regressor_is_what_was_saved(model, file, problem):
    document = json.loads(file.read_text())
    assert (document["format"], document["version"], document["task"]) == (
        "autograd-lite model",
        2,
        "regression",
    )
    loaded = load(file)
    save(loaded, Path("again.json"))
    assert Path("again.json").read_bytes() == file.read_bytes()
    assert loaded.evaluate(problem.held_out) == model.evaluate(problem.held_out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "has version 3 of the file format, and this program reads versions 1 and 2: update"),
        ({"version": None}, "has version None of the file format"),
        ({"task": "ranking"}, "'task' must be one of classification, regression, got 'ranking'"),
        ({"task": "classification"}, "it has no 'classes'"),
        ({"unit": 3}, "'unit' must be an object, got 3"),
        ({"unit": {"name": "y", "texts": ["a"]}}, "'unit' must have a mean and a scale"),
        (
            {"unit": {"name": "y", "mean": 0.0, "scale": 0.0}},
            "input 'y' has the mean 0 and the scale 0: no column",
        ),
        (
            {
                "architecture": {
                    "inputs": 12,
                    "sizes": [2],
                    "activation": "linear",
                    "output": "linear",
                    "bias": True,
                },
                "parameters": {
                    f"layers.0.neurons.{i}.{w}": 0.0
                    for i in (0, 1)
                    for w in (*[f"w.{k}" for k in range(12)], "b")
                },
            },
            "the network does not have one output",
        ),
    ],
)
def test_damaged_files(file, change, message):
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError) as caught:
        load(file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_classifier_of_version_0_1_still_loads(tmp_path):
    """The file that version 0.1 wrote, and the probabilities that it printed."""
    (tmp_path / "old.json").write_text(json.dumps(OLD))
    model = load(tmp_path / "old.json")
    assert isinstance(model, Classifier)
    (tmp_path / "d.csv").write_text("x,kind\n-1,a\n-2,a\n1,b\n")
    rows = encode(read_csv(tmp_path / "d.csv"), model.inputs)
    P = [model.probabilities(row) for row in rows]
    assert [p[1] for p in P] == pytest.approx([0.51767, 0.444979, 0.531441], abs=5e-7)
    save(model, tmp_path / "new.json")
    new = json.loads((tmp_path / "new.json").read_text())
    assert new == OLD | {"format": "autograd-lite model", "version": 2, "task": "classification"}


OLD = {
    "format": "autograd-lite classifier 1",
    "target": "y",
    "classes": ["hi", "lo"],
    "inputs": [
        {"name": "x", "mean": 0.0, "scale": 1.3228756555322951},
        {"name": "kind", "texts": ["a", "b"]},
    ],
    "architecture": {"inputs": 3, "sizes": [1, 2], "activation": "tanh", "output": "linear", "bias": True},
    "parameters": {
        "layers.0.neurons.0.w.0": 0.7119064904036717,
        "layers.0.neurons.0.w.1": 0.708671177170621,
        "layers.0.neurons.0.w.2": -0.26347565316960464,
        "layers.0.neurons.0.b": 0.007897957933314362,
        "layers.1.neurons.0.w.0": -0.604646614838162,
        "layers.1.neurons.0.b": 0.01401748642266684,
        "layers.1.neurons.1.w.0": -0.04535006021225155,
        "layers.1.neurons.1.b": -0.01401748642266684,
    },
}
