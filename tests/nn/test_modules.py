"""Networks: shapes, names, seeds, files, and the gradient of a whole network against 60-digit differences."""

import copy
import json
import os
import pickle
import random
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from autograd_lite import Value, cos, dot, leaky_relu, primitive, tanh, topological_order
from autograd_lite.core.primitive import TABLE
from autograd_lite.nn.modules import ACTIVATIONS, MLP, Layer, Module, Neuron, read_json, write_json

# The activations by their definitions, for mpmath; no derivative stands here.
DEFINITIONS = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x: x if x > 0 else mpf(0.01) * x,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "sin": mpmath.sin,
    "atan": mpmath.atan,
    "erf": mpmath.erf,
}


def the_same(x, y):
    """Bit by bit, so that -0.0 is not 0.0."""
    return [number.hex() for number in x] == [number.hex() for number in y]


# --- What a neuron is ------------------------------------------------------------------------------


def test_a_neuron_is_one_dot_node_and_one_for_its_activation():
    neuron = Neuron(3, "tanh", rng=0)
    out = neuron([1.0, 2.0, 3.0])
    nodes = [node for node in topological_order(out) if node.primitive is not None]
    assert [node.primitive.name for node in nodes] == ["dot", "tanh"]
    assert nodes[0].operands == (*neuron.w, 1.0, 2.0, 3.0, neuron.b)
    assert Neuron(3, None)([1.0, 2.0, 3.0]).primitive is TABLE["dot"]


def test_a_neuron_without_bias():
    neuron = Neuron(2, "linear", bias=False, rng=0)
    assert neuron.b is None
    assert neuron.parameters() == neuron.w
    assert neuron([2.0, 3.0]) == 2.0 * neuron.w[0].data + 3.0 * neuron.w[1].data


def test_micrograds_nonlin_means_linear():
    assert Neuron(2, nonlin=False).activation == "linear"
    assert Neuron(2).activation == "relu"
    assert Layer(2, 3, nonlin=False).neurons[2].activation == "linear"


def test_labels_are_short_and_names_are_paths():
    model = MLP(2, [3, 1])
    assert [p.label for p in model.parameters()] == ["w1", "w2", "b"] * 3 + ["w1", "w2", "w3", "b"]
    names = [name for name, _ in model.named_parameters()]
    assert names[:3] == ["layers.0.neurons.0.w.0", "layers.0.neurons.0.w.1", "layers.0.neurons.0.b"]
    assert names[-1] == "layers.1.neurons.0.b"
    assert [p for _, p in model.named_parameters()] == model.parameters()


def test_a_layer_of_one_neuron_returns_the_value_itself():
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    assert [type(out) for out in Layer(2, 2)([1.0, 2.0])] == [Value, Value]


# --- Shapes ----------------------------------------------------------------------------------------


def test_trap_24_a_hidden_layer_of_one_neuron():
    out = MLP(2, [16, 1, 1], "tanh", rng=0)([0.5, -1.0])
    out.backward()
    assert isinstance(out, Value)
    assert sum(node.primitive is not None for node in topological_order(out)) == 16 * 2 + 2 + 1


@pytest.mark.parametrize("model", [MLP(3, [2, 1]), Layer(3, 2), Neuron(3)], ids=["MLP", "Layer", "Neuron"])
@pytest.mark.parametrize(
    "x", [[1.0], (1.0,), np.array([1.0]), 1.0, Value(1.0)], ids=lambda x: type(x).__name__
)
def test_trap_24_the_wrong_number_of_inputs_is_said(model, x):
    with pytest.raises(ValueError, match="3 inputs were expected and 1 came"):
        model(x)


def test_trap_20_an_empty_network_is_an_error():
    with pytest.raises(ValueError, match="at least one layer: sizes is empty"):
        MLP(2, [])
    with pytest.raises(ValueError, match="the number of neurons in a layer must be at least 1, got 0"):
        MLP(2, [3, 0, 1])
    with pytest.raises(ValueError, match="the number of inputs must be at least 1, got 0"):
        MLP(0, [1])
    with pytest.raises(TypeError, match="sizes must be a list of layer sizes, got int 3"):
        MLP(2, 3)
    with pytest.raises(TypeError, match=r"the number of inputs must be a whole number, got float 2\.0"):
        MLP(2.0, [1])


@pytest.mark.parametrize(
    "x",
    [
        [2, -1],
        (2.0, -1.0),
        np.array([2.0, -1.0]),
        np.array([2, -1]),
        [np.float64(2), np.float32(-1)],
        [Value(2.0), -1.0],
        np.array([Value(2.0), Value(-1.0)]),
    ],
)
def test_inputs_of_any_kind(x):
    model = MLP(2, [3, 2], "sigmoid", rng=1)
    assert [v.data for v in model(x)] == [v.data for v in model([2.0, -1.0])]
    assert [v.data for v in model(iter(x))] == [v.data for v in model([2.0, -1.0])]


def test_inputs_that_are_values_get_their_gradient():
    x = Value(0.5)
    MLP(1, [1], rng=0, init=lambda *_: 3.0)(x).backward()
    assert x.grad == 3.0


def test_inputs_that_are_no_numbers_are_named():
    with pytest.raises(TypeError, match="input 2 must be a real number, got str 'b'"):
        MLP(2, [2])([1.0, "b"])
    with pytest.raises(TypeError, match=r"input 1 must be a real number, got list \[1.0, 2.0\]"):
        MLP(2, [2])([[1.0, 2.0], [3.0, 4.0]])


# --- The gradient of a whole network ---------------------------------------------------------------


def reference(definition, output, sizes, numbers, x):
    """The network in mpmath, by its definition, from the flat list of its parameters."""
    numbers = iter(numbers)
    for depth, (n, m) in enumerate(pairwise(sizes)):
        phi = output if depth == len(sizes) - 2 else definition
        rows = [[next(numbers) for _ in range(n + 1)] for _ in range(m)]
        x = [phi(mpmath.fdot(row[:-1], x) + row[-1]) for row in rows]
    return x


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_gradient_of_a_network_agrees_with_central_differences(name):
    sizes = [3, 4, 1, 2]
    model = MLP(3, sizes[1:], name, output="tanh", rng=7)
    for parameter in model.parameters():
        if parameter.label == "b":
            parameter.data = 0.15
    x = [0.4, -1.1, 0.7]
    first, second = model(x)
    (first * 2.0 - second).backward()
    with mpmath.workdps(60):
        numbers = [mpf(p.data) for p in model.parameters()]

        def f(k, h):
            moved = [*numbers[:k], numbers[k] + h, *numbers[k + 1 :]]
            out = reference(DEFINITIONS[name], mpmath.tanh, sizes, moved, list(map(mpf, x)))
            return 2 * out[0] - out[1]

        h = mpf(10) ** -20  # the differences are wrong by h² ≈ 1e-40 and by 1e-60 / h
        expected = [float((f(k, h) - f(k, -h)) / (2 * h)) for k in range(len(numbers))]
        assert f(0, 0) == pytest.approx((first * 2.0 - second).data, rel=1e-14)
    # Some fifteen roundings deep; entries that cancel are held to the scale of the largest.
    scale = max(map(abs, expected))
    assert [p.grad for p in model.parameters()] == pytest.approx(expected, rel=1e-13, abs=1e-15 * scale)
    assert scale > 0.01


# --- Activations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_by_name_is_the_row_of_the_table(name):
    neuron = Neuron(1, name, init=lambda *_: 1.0)
    for x in (-1.5, 0.25):
        assert neuron([x]) == (x if name == "linear" else TABLE[name](x))


def test_an_activation_may_be_a_row_or_any_function():
    assert Neuron(1, tanh).activation == "tanh"
    assert Neuron(1, None).activation == Neuron(1, "linear").activation == "linear"
    bent = Neuron(1, lambda z: z * z + 1.0, init=lambda *_: 2.0)
    assert bent([3.0]) == 37.0
    steep = Neuron(1, lambda z: leaky_relu(z, 0.5), init=lambda *_: 1.0)
    assert steep([-3.0]) == -1.5


def test_a_row_of_your_own_goes_by_its_name(tmp_path):
    # The name is also that of an attribute of Value, which is no activation.
    primitive(
        "label", lambda x: x + np.sin(x).item() ** 2, lambda out, x: (1.0 + 2.0 * cos(x) * TABLE["sin"](x),)
    )
    try:
        model = MLP(1, [2, 1], "label", rng=0)
        model.save(tmp_path / "model.json")
        assert MLP.from_file(tmp_path / "model.json")([0.3]) == model([0.3])
    finally:
        del TABLE["label"]


@pytest.mark.parametrize("name", ["Relu", "", "mul", "sum", "dot", "hypot"])
def test_an_unknown_activation_lists_the_known(name):
    with pytest.raises(
        ValueError, match=f"unknown activation '{name}': the names are linear, relu, .* erf, or"
    ):
        MLP(1, [1], name, name)


def test_an_activation_is_a_name_or_a_function():
    with pytest.raises(TypeError, match="an activation is a name or a function, got int 3"):
        Neuron(1, 3)


def test_an_activation_is_not_changed_afterwards():
    with pytest.raises(AttributeError):
        Neuron(1).activation = "tanh"


# --- Initialisation --------------------------------------------------------------------------------


def weights(model):
    return [p.data for p in model.parameters()]


def test_a_seed_gives_the_same_network_and_a_generator_goes_on():
    assert weights(MLP(3, [4, 2], rng=5)) == weights(MLP(3, [4, 2], rng=random.Random(5)))
    assert weights(MLP(3, [4, 2], rng=5)) != weights(MLP(3, [4, 2], rng=6))
    generator = random.Random(5)
    assert weights(MLP(3, [4, 2], rng=generator)) != weights(MLP(3, [4, 2], rng=generator))


def test_without_rng_the_global_generator_draws():
    state = random.getstate()
    try:
        random.seed(1337)
        first = weights(MLP(2, [3, 1], init="uniform"))
        random.seed(1337)
        # Neuron by neuron, its weights in order, no draw for a bias.
        drawn = [[*(random.uniform(-1, 1) for _ in range(n)), 0.0] for n in (2, 2, 2, 3)]
    finally:
        random.setstate(state)
    assert first == [number for neuron in drawn for number in neuron]


@pytest.mark.parametrize("rng", [1.5, "7", True])
def test_rng_is_a_seed_or_a_generator(rng):
    with pytest.raises(TypeError, match="rng must be a seed"):
        MLP(2, [1], rng=rng)


def test_xavier_fills_its_interval_and_he_has_its_variance():
    n, m = 30, 70
    xavier = [w.data for neuron in Layer(n, m, init="xavier", rng=0).neurons for w in neuron.w]
    bound = (6.0 / (n + m)) ** 0.5
    assert 0.99 * bound < max(xavier) <= bound
    assert -bound <= min(xavier) < -0.99 * bound
    he = np.array([w.data for neuron in Layer(n, m, init="he", rng=0).neurons for w in neuron.w])
    # 2100 draws: the mean scatters by √(v/2100) = 0.0056, the variance v by v·√(2/2100) = 3 %; four of each.
    assert abs(he.mean()) < 0.0225
    assert he.var() == pytest.approx(2.0 / n, rel=0.125)
    assert abs(he).max() > 2.5 * (2.0 / n) ** 0.5  # normal, not uniform


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_default_is_he_before_relu_and_its_kin_else_xavier(activation):
    kin = activation in ("relu", "leaky_relu", "silu", "gelu", "softplus")
    expected = weights(Layer(3, 4, activation, init="he" if kin else "xavier", rng=2))
    assert weights(Layer(3, 4, activation, rng=2)) == expected


def test_an_init_of_your_own_is_told_the_sizes():
    calls = []
    Layer(3, 2, init=lambda rng, inputs, outputs: calls.append((type(rng), inputs, outputs)) or 0.5, rng=0)
    assert calls == [(random.Random, 3, 2)] * 6
    with pytest.raises(ValueError, match="unknown init 'glorot': the names are xavier, he, uniform"):
        Neuron(2, init="glorot")


# --- Modules of one's own --------------------------------------------------------------------------


class Own(Module):
    def __init__(self):
        self.name = "not a parameter"
        self.z = Value(1.0)
        self.parts = {"head": MLP(1, [1], rng=0), 7: [Value(2.0), (Value(3.0), 4.0)]}
        self.again = self.z
        self.made = self.z * 2.0
        self.parent = self
        self.a = Value(5.0)


def test_parameters_are_found_in_the_order_of_definition():
    own = Own()
    head = own.parts["head"].layers[0].neurons[0]
    two, (three, _) = own.parts[7]
    assert list(map(id, own.parameters())) == list(map(id, [own.z, *head.w, head.b, two, three, own.a]))
    assert [name for name, _ in own.named_parameters()] == [
        "z",
        "parts.head.layers.0.neurons.0.w.0",
        "parts.head.layers.0.neurons.0.b",
        "parts.7.0",
        "parts.7.1.0",
        "a",
    ]


def test_parameters_in_object_arrays_are_found():
    class Dense(Module):
        def __init__(self):
            self.W = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
            self.x = np.array([1.0, 2.0])
            self.more = [np.array([[Value(0.0)], [Value(0.0)]]) for _ in range(5)]

    dense = Dense()
    assert [name for name, _ in dense.named_parameters()][:5] == [
        "W.0.0",
        "W.0.1",
        "W.1.0",
        "W.1.1",
        "more.0.0.0",
    ]
    assert len(dense.parameters()) == 14
    dense.load_state_dict(dict.fromkeys(dense.state_dict(), 0.5))
    assert (dense.W @ dense.x).tolist() == [1.5, 1.5]


def test_equal_parameters_are_not_the_same_parameter():
    own = Own()
    own.a.data = own.z.data
    assert len(own.parameters()) == 6


def test_a_module_set_twice_counts_once():
    own = Own()
    own.head = own.parts["head"]
    assert len(own.parameters()) == 6


def test_two_parameters_of_one_name_are_an_error():
    own = Own()
    own.extra = {"a.b": Value(1.0), "a": {"b": Value(2.0)}}
    assert len(own.parameters()) == 8
    with pytest.raises(ValueError, match=r"two parameters are named 'extra\.a\.b'"):
        own.state_dict()


def test_zero_grad_clears_the_parameters():
    model = MLP(2, [2, 1], rng=0)
    model([1.0, 2.0]).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_reprs_say_what_it_is():
    assert repr(Own()) == "<Own with 6 parameters>"
    assert repr(Neuron(2, "tanh")) == "Neuron(2, 'tanh')"
    assert repr(Layer(2, 3, tanh, bias=False)) == "Layer(2, 3, 'tanh', bias=False)  # 6 parameters"
    assert repr(MLP(2, [4, 1], np.sin)) == "MLP(2, [4, 1], sin)  # 17 parameters"
    assert repr(MLP(1, [1], bias=False)) == "MLP(1, [1], bias=False)  # 1 parameter"


@pytest.mark.parametrize("shape", [(2, [3, 1], "gelu", "sigmoid"), (1, [1]), (4, [2, 2], "sin", None)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_repr_of_an_mlp_builds_it(shape, bias):
    model = MLP(*shape, bias=bias)
    again = eval(repr(model))
    assert repr(again) == repr(model)
    assert again.architecture == model.architecture
    assert MLP(**model.architecture).architecture == model.architecture


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_parameters_of_its_own(copied):
    model = MLP(2, [3, 1], "silu", output="tanh", rng=0)
    twin = copied(model)
    assert twin([1.0, 2.0]) == model([1.0, 2.0])
    twin.parameters()[0].data = 9.0
    assert model.parameters()[0].data != 9.0


# --- States and files ------------------------------------------------------------------------------


def test_a_state_goes_into_another_network_of_the_shape():
    first, second = MLP(2, [3, 1], rng=0), MLP(2, [3, 1], rng=1)
    second.load_state_dict(first.state_dict())
    assert weights(second) == weights(first)
    assert second([1.0, -1.0]) == first([1.0, -1.0])


def test_a_state_that_does_not_fit_is_refused_with_all_reasons_and_nothing_changes():
    model = MLP(1, [1], rng=0)
    before = weights(model)
    with pytest.raises(ValueError, match="this state does not fit MLP") as caught:
        model.load_state_dict({"layers.0.neurons.0.b": 1.0, "b": 0.0})
    assert "missing: layers.0.neurons.0.w.0; unexpected: b" in str(caught.value)
    for wrong in ("1.0", None, True, [1.0], float("inf"), float("nan"), 10**400):
        state = {"layers.0.neurons.0.b": 1.0, "layers.0.neurons.0.w.0": wrong}
        with pytest.raises(ValueError, match=r"no finite number: layers\.0\.neurons\.0\.w\.0 \("):
            model.load_state_dict(state)
    with pytest.raises(ValueError, match=r"unexpected: 0, 1, 2 and 7 more"):
        model.load_state_dict({**model.state_dict(), **dict.fromkeys(map(str, range(10)), 0.0)})
    with pytest.raises(TypeError, match=r"a state is a dict of numbers by name, got str 'model\.json'"):
        model.load_state_dict("model.json")
    assert weights(model) == before


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
    with pytest.raises(ValueError, match="does not say the shape of its model"):
        MLP.from_file(tmp_path / "own.json")


def test_an_activation_that_no_file_can_hold(tmp_path):
    path = tmp_path / "model.json"
    model = MLP(1, [2, 1], lambda z: z * z, rng=0)
    assert model.architecture is None
    model.save(path)
    with pytest.raises(ValueError, match="does not say the shape of its model: build the MLP"):
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
    with pytest.raises(ValueError, match="does not say the shape of its model: build the MLP"):
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
    with pytest.raises(ValueError, match=r"holds another model than MLP\(2, \[3, 1\], 'tanh'\)"):
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
    with pytest.raises(ValueError, match=r"model\.json is damaged or no JSON file: NaN is no JSON number"):
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


# --- As a whole ------------------------------------------------------------------------------------


def test_a_network_is_rows_of_the_table_and_nothing_else():
    model = MLP(2, [2, 1], "tanh", rng=4)
    (h1, h2), out = model.layers[0].neurons, model.layers[1].neurons[0]
    x = [0.3, -0.8]
    by_hand = dot(out.w, [dot(h1.w, x, h1.b).tanh(), dot(h2.w, x, h2.b).tanh()], out.b)
    assert model(x) == by_hand
