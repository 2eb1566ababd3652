"""Model files: exact floats, the shape of a network, and what a damaged file does."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value, leaky_relu
from autograd_lite.nn import MLP, Layer, Module, Neuron, read_json, write_json
from tests.nn.test_modules import Own, weights


def the_same(x, y):
    """Bit by bit, so that -0.0 is not 0.0."""
    return [number.hex() for number in x] == [number.hex() for number in y]


# --- Networks and back -----------------------------------------------------------------------------


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_a_file_gives_every_float_back_exactly(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("model") / "model.json"
    model, other = MLP(3, [1]), MLP(3, [1])
    for parameter, number in zip(model.parameters(), numbers, strict=True):
        parameter.data = number
    model.save(path)
    other.load(path)
    assert the_same(weights(other), numbers)
    assert the_same(weights(MLP.from_file(path)), numbers)


def test_the_file_builds_its_network_again(tmp_path):
    path = tmp_path / "model.json"
    model = MLP(3, [4, 1, 2], leaky_relu, output="sigmoid", bias=False, rng=3)
    model.save(str(path))
    again = MLP.from_file(str(path))
    assert repr(again) == repr(model)
    assert again([1.0, 2.0, 3.0]) == model([1.0, 2.0, 3.0])


def test_any_module_saves_and_loads(tmp_path):
    own, other = Own(), Own()
    own.a.data = -0.1
    own.save(tmp_path / "own.json")
    other.load(tmp_path / "own.json")
    assert other.a.data == -0.1
    with pytest.raises(ValueError, match="holds <Own with 6 parameters>, but not its shape"):
        MLP.from_file(tmp_path / "own.json")


def test_an_activation_that_no_file_can_hold(tmp_path):
    path = tmp_path / "model.json"
    model = MLP(1, [2, 1], lambda z: z * z, rng=0)
    assert model.architecture is None
    model.save(path)
    with pytest.raises(ValueError, match="but not its shape: build the model, and load it"):
        MLP.from_file(path)
    twin = MLP(1, [2, 1], lambda z: z * z, rng=1)
    twin.load(path)
    assert twin([2.0]) == model([2.0])


class OwnNeuron(Neuron):
    pass


class OwnLayer(Layer):
    pass


def replaced_neuron(neuron, layer):
    def replace(model):
        model.layers[layer].neurons[-1] = neuron

    return replace


def replaced_layer(layer, place):
    def replace(model):
        model.layers[place] = layer

    return replace


@pytest.mark.parametrize(
    "replace",
    [
        replaced_layer(Layer(4, 4, "relu", rng=1), 1),
        replaced_layer(Layer(4, 4, "tanh", bias=False, rng=1), 1),
        replaced_layer(OwnLayer(4, 4, "tanh", rng=1), 1),
        replaced_layer(lambda x: x, 1),
        replaced_layer(Layer(4, 2, None, bias=False, rng=1), 2),
        replaced_neuron(Neuron(4, "sigmoid", rng=1), 1),
        replaced_neuron(Neuron(4, "sigmoid", rng=1), 2),
        replaced_neuron(Neuron(4, "tanh", bias=False, rng=1), 1),
        replaced_neuron(OwnNeuron(4, "tanh", rng=1), 1),
    ],
    ids=range(9),
)
def test_a_network_with_replaced_parts_never_comes_back_as_another(tmp_path, replace):
    path = tmp_path / "model.json"
    model, twin = MLP(2, [4, 4, 2], "tanh", rng=0), MLP(2, [4, 4, 2], "tanh", rng=1)
    replace(model)
    replace(twin)
    assert model.architecture is None
    assert repr(model).startswith("<MLP with ")
    model.save(path)
    with pytest.raises(ValueError, match="but not its shape: build the model, and load it"):
        MLP.from_file(path)
    twin.load(path)
    assert twin([1.0, -2.0]) == model([1.0, -2.0])


def test_a_network_with_replaced_parts_of_the_same_kind_comes_back(tmp_path):
    path = tmp_path / "model.json"
    model = MLP(2, [4, 4, 2], "tanh", rng=0)
    model.layers[1] = Layer(4, 4, "tanh", rng=1)
    model.layers[2].neurons[1] = Neuron(4, None, rng=2)
    model.save(path)
    assert MLP.from_file(path)([1.0, -2.0]) == model([1.0, -2.0])


def test_a_network_with_another_activation_does_not_load(tmp_path):
    MLP(2, [3, 1], "relu").save(tmp_path / "model.json")
    model = MLP(2, [3, 1], "tanh", rng=0)
    before = weights(model)
    with pytest.raises(ValueError, match=r"does not fit MLP\(2, \[3, 1\], 'tanh'\)"):
        model.load(tmp_path / "model.json")
    assert weights(model) == before


SOUND = {
    "architecture": {"inputs": 1, "sizes": [1], "activation": "linear", "output": "linear", "bias": True},
    "parameters": {"layers.0.neurons.0.w.0": 1.0, "layers.0.neurons.0.b": 2.0},
}
SHAPE, NUMBERS = SOUND["architecture"], SOUND["parameters"]


def test_a_sound_file_loads(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(SOUND))
    assert MLP.from_file(path)([3.0]) == 5.0


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"parameters": [1.0]}',
        json.dumps(SOUND).encode()[:-2],
        json.dumps(SOUND | {"parameters": {}}).encode(),
        json.dumps(SOUND | {"parameters": NUMBERS | {"layers.0.neurons.0.b": float("nan")}}).encode(),
        json.dumps(SOUND).replace("2.0", "1e999").encode(),
        json.dumps(SOUND).replace("2.0", "1" * 400).encode(),
        json.dumps(SOUND).replace("2.0", '"2.0"').encode(),
        json.dumps(SOUND | {"parameters": NUMBERS | {"layers.0.neurons.0.w.1": 1.0}}).encode(),
    ],
    ids=lambda text: text[:40].decode("latin-1"),
)
def test_a_damaged_file_is_one_error_and_changes_nothing(tmp_path, damaged):
    path = tmp_path / "model.json"
    path.write_bytes(damaged)
    model = MLP(1, [1], rng=0)
    before = weights(model)
    with pytest.raises(ValueError, match=r"model\.json"):
        model.load(path)
    assert weights(model) == before
    with pytest.raises(ValueError, match=r"model\.json"):
        MLP.from_file(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"sizes": []},
        {"sizes": [10**12]},
        {"inputs": 10**12},
        {"sizes": 3},
        {"inputs": "1"},
        {"output": "rely"},
        {"depth": 3},
        {"inputs": None},
        {"bias": False},
        {"sizes": [1, 1]},
        {"sizes": [10**12], "bias": -1},
        {"sizes": [2] * 10**6, "inputs": 2},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_a_damaged_shape_is_one_error(tmp_path, changed):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(SOUND | {"architecture": SHAPE | changed}))
    with pytest.raises(ValueError, match=r"model\.json"):
        MLP.from_file(path)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_what_json_cannot_hold_is_not_written(tmp_path, number):
    path = tmp_path / "model.json"
    path.write_text("before")
    model = MLP(1, [1])
    model.parameters()[1].data = number
    with pytest.raises(ValueError, match=r"model\.json is not written.*neurons\.0\.b \((inf|nan)\)"):
        model.save(path)
    assert path.read_text() == "before"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": number})
    assert path.read_text() == "before"
    path.write_text('{"scale": [NaN]}')
    with pytest.raises(
        ValueError, match=r"model\.json is damaged or not a JSON file: NaN is not a JSON number"
    ):
        read_json(path)


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    path = tmp_path / "model.json"
    path.write_text('{"parameters": {"w": 1.0, "b": 0.0, "w": 2.0}}')
    with pytest.raises(
        ValueError, match=r"model\.json is damaged .*: the key 'w' occurs 2 times in one object"
    ):
        read_json(path)


def test_what_is_not_an_object_is_not_a_model(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("[1.0]")
    with pytest.raises(
        ValueError, match=r"model\.json does not hold a saved model: a JSON object was expected"
    ):
        read_json(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    path.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*model\.json'"):
        MLP(1, [1]).save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/model\.json'"):
        MLP(1, [1]).save(tmp_path / "none" / "model.json")
    with pytest.raises(FileNotFoundError, match=r"model\.json"):
        MLP(1, [1]).load(tmp_path / "model.json")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_written_file_has_the_permissions_of_the_one_it_replaces(tmp_path):
    path, plain = tmp_path / "model.json", tmp_path / "plain"
    plain.write_text("")
    write_json(path, {})
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    write_json(link, {"x": 0.1})
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert read_json(path) == {"x": 0.1}


# --- What a file holds -------------------------------------------------------------------------------


class Line(Module):
    def __init__(self):
        self.slope, self.offset = Value(2.0), Value(1.0)


def test_a_file_says_what_it_holds_and_so_do_the_errors(tmp_path):
    path, line = tmp_path / "mlp.json", tmp_path / "line.json"
    MLP(2, [8, 3], "tanh", rng=0).save(path)
    Line().save(line)
    assert json.loads(path.read_text())["model"] == "MLP(2, [8, 3], 'tanh')  # 51 parameters"
    assert json.loads(line.read_text())["model"] == "<Line with 2 parameters>"
    with pytest.raises(
        ValueError, match=r"does not fit MLP\(2, \[3\]\).*: it holds MLP\(2, \[8, 3\], 'tanh'\)"
    ):
        MLP(2, [3]).load(path)
    with pytest.raises(
        ValueError, match=r"mlp\.json, which holds MLP.*: this state does not fit <Line with 2"
    ):
        Line().load(path)
    with pytest.raises(ValueError, match=r"line\.json holds <Line with 2 parameters>, but not its shape"):
        MLP.from_file(line)


def test_a_file_of_an_earlier_version_says_it_too(tmp_path):
    path = tmp_path / "old.json"
    MLP(1, [1], rng=0).save(path)
    document = json.loads(path.read_text())
    del document["model"]
    path.write_text(json.dumps(document))
    assert MLP.from_file(path).state_dict() == MLP(1, [1], rng=0).state_dict()
    with pytest.raises(ValueError, match=r"it holds \{'inputs': 1, 'sizes': \[1\],"):
        MLP(2, [1]).load(path)
    path.write_text(json.dumps(document | {"architecture": None}))
    with pytest.raises(ValueError, match=r"old\.json holds 2 parameters, but not its shape"):
        MLP.from_file(path)
