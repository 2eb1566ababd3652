"""Networks: shapes, names, seeds, and the gradient of a whole network against 60-digit differences."""

import copy
import random
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from autograd_lite import Value, compile, cos, dot, leaky_relu, mean, primitive, tanh, topological_order
from autograd_lite.core.primitive import TABLE
from autograd_lite.nn import ACTIVATIONS, MLP, Layer, Neuron
from autograd_lite.train import GradientDescent

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
    with pytest.raises(TypeError, match="the number of neurons in a layer must be a whole number, got bool"):
        MLP(2, [True])


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


# --- As a whole ------------------------------------------------------------------------------------


def test_a_network_is_rows_of_the_table_and_nothing_else():
    model = MLP(2, [2, 1], "tanh", rng=4)
    (h1, h2), out = model.layers[0].neurons, model.layers[1].neurons[0]
    x = [0.3, -0.8]
    by_hand = dot(out.w, [dot(h1.w, x, h1.b).tanh(), dot(h2.w, x, h2.b).tanh()], out.b)
    assert model(x) == by_hand


# --- Activations that no layer uses --------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", lambda z: z * z])
def test_an_activation_that_no_layer_uses_is_warned_of(activation):
    with pytest.warns(
        UserWarning, match=r"is not used: the only layer of MLP\(2, \[1\]\) is its last.*output="
    ) as told:
        model = MLP(2, [1], activation)
    assert told[0].filename == __file__
    assert model.layers[0].neurons[0].activation == "linear"


def test_an_activation_that_is_used_or_not_given_is_not_warned_of():
    for model in (
        MLP(2, [1]),
        MLP(2, [1], "linear"),
        MLP(2, [1], None),
        MLP(2, [1], "tanh", output="sigmoid"),
        MLP(2, [1, 1], "sigmoid"),
    ):
        assert len(model.layers[-1].neurons) == 1


@pytest.mark.parametrize("sizes", [[1], [3, 1]])
def test_an_unknown_activation_is_an_error_also_where_no_layer_uses_it(sizes):
    with pytest.raises(ValueError, match="unknown activation 'sigmod': the names are"):
        MLP(2, sizes, "sigmod")
    with pytest.raises(ValueError, match="unknown activation 'sigmod': the names are"):
        MLP(2, sizes, output="sigmod")


# --- Constants among the features of a traced sample ---------------------------------------------------


@pytest.mark.parametrize("model", [MLP(2, [3, 1], "tanh", rng=0), Neuron(2, rng=0), Layer(2, 1, rng=0)])
def test_constant_features_are_no_leaves_of_a_program(model):
    program = compile(lambda x: (model([x, 0.75]) - model([1.0, -1.0])) ** 2, 0.5)
    assert {*map(id, program.leaves)} == {*map(id, model.parameters())}
    twin = copy.deepcopy(model)
    program.descend([0.5, -0.25], lr=0.1, steps=3)
    optimizer = GradientDescent(twin.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        mean([(twin([x, 0.75]) - twin([1.0, -1.0])) ** 2 for x in (0.5, -0.25)]).backward()
        optimizer.step()
    assert [p.data for p in model.parameters()] == pytest.approx(
        [p.data for p in twin.parameters()], rel=1e-13
    )


def test_recorded_features_are_still_leaves_with_names():
    out = Layer(2, 1, rng=0)([1.0, 2.0])
    assert [x.label for x in topological_order(out) if x.primitive is None and x.label.startswith("x")] == [
        "x1",
        "x2",
    ]
