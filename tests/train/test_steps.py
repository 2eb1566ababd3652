"""What makes a step: which models a program runs, and which the engine."""

import pytest

from autograd_lite import Value
from autograd_lite.nn import MLP, Layer, Module, Neuron
from autograd_lite.nn.losses import cross_entropy, half_squared_error
from autograd_lite.train import GradientDescent
from autograd_lite.train.compiled import Work, structure
from autograd_lite.train.steps import EngineGradient, Examples, ProgramGradient, batch_gradient
from tests.train.test_fit import fitted


class Frozen(Module):
    """Its forward pass reads a parameter as a plain number, which a program would keep for ever."""

    def __init__(self):
        self.w = Value(0.5, "w")

    def __call__(self, x):
        return self.w * x[0] * self.w.data


def test_fit_leaves_models_of_others_to_the_engine():
    histories = []
    for compiled in (None, False):
        model = Frozen()
        optimizer = GradientDescent(model.parameters(), lr=0.1)
        histories.append(fitted(model=model, optimizer=optimizer, compiled=compiled)[1])
    assert histories[0].loss == histories[1].loss
    assert {history.form for history in histories} == {"engine"}


def test_fit_compiles_another_model_on_request_and_checks_the_program():
    class Line(Frozen):
        def __call__(self, x):
            return self.w * x[0]

    class Noisy(Frozen):
        calls = 0

        def __call__(self, x):
            self.calls += 1
            return self.w * x[0] * float(self.calls)

    forms = {}
    for kind in (Line, Noisy):
        model = kind()
        optimizer = GradientDescent(model.parameters(), lr=0.01)
        forms[kind] = fitted(model=model, optimizer=optimizer, compiled=True)[1].form
    assert forms[Line] in {"Python", "NumPy", "machine code"}
    assert forms[Noisy] == "engine"


class OwnNeuron(Neuron):
    pass


def with_own_neuron():
    model = MLP(2, [3, 1])
    model.layers[0].neurons[1] = OwnNeuron(2)
    return model


@pytest.mark.parametrize(
    ("model", "repeats"),
    [
        (MLP(2, [3, 1]), True),
        (Layer(2, 3, "tanh"), True),
        (Neuron(2), True),
        (MLP(2, [3, 1], lambda z: z * z), False),
        (MLP(2, [3, 1], output=lambda z: z * z), False),
        (with_own_neuron(), False),
        (OwnNeuron(2), False),
        (Frozen(), False),
        (lambda x: x, False),
    ],
)
def test_a_model_repeats_itself_if_it_is_made_of_neurons_and_rows_alone(model, repeats):
    assert (structure(model, cross_entropy) is not None) is repeats
    assert structure(model, lambda p, t: p) is None


def test_examples_are_chosen_by_number():
    examples = Examples.of([[1.0], [2.0], [3.0]], iter([0, 1, 0]), "the data")
    assert examples.chosen([2, 0]) == ([[3.0], [1.0]], [0, 0], "the data")


def test_a_program_that_disagrees_with_the_engine_is_not_used():
    class Line(Module):
        def __init__(self, traced):
            self.w, self.traced = Value(0.5, "w"), traced

        def __call__(self, x):
            return [self.w * x[0] * (1.0 if type(x[0]) in (float, Value) else self.traced)]

    examples = Examples([[1.0], [2.0]], [[1.0], [0.5]], "training")
    for traced, kind in ((1.0, ProgramGradient), (2.0, EngineGradient)):
        model = Line(traced)
        optimizer = GradientDescent(model.parameters(), lr=0.1)
        found = batch_gradient(model, half_squared_error, optimizer, examples, None, Work(10, 20), True)
        assert type(found) is kind
