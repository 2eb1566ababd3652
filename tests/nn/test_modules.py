"""Modules: which parameters they find, what these are called, and states."""

import copy
import pickle

import numpy as np
import pytest

from autograd_lite import Value, tanh
from autograd_lite.nn import MLP, Layer, Module, Neuron


def weights(model):
    return [p.data for p in model.parameters()]


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
    assert all(p.reached for p in model.parameters())
    model.zero_grad()
    assert all(not p.reached for p in model.parameters())


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


# --- States ----------------------------------------------------------------------------------------


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
        with pytest.raises(ValueError, match=r"not a finite number: layers\.0\.neurons\.0\.w\.0 \("):
            model.load_state_dict(state)
    with pytest.raises(ValueError, match=r"unexpected: 0, 1, 2 and 7 more"):
        model.load_state_dict({**model.state_dict(), **dict.fromkeys(map(str, range(10)), 0.0)})
    with pytest.raises(TypeError, match=r"a state is a dict of numbers by name, got str 'model\.json'"):
        model.load_state_dict("model.json")
    assert weights(model) == before
