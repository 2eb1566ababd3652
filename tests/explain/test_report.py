"""`gradient_report`: vanishing and exploding gradients, dead and saturated units, sizes of updates."""

import math
from xml.etree import ElementTree

import pytest

from autograd_lite import (
    MLP,
    Layer,
    Module,
    Neuron,
    Value,
    gradient_report,
    half_squared_error,
    log_loss_from_scores,
    sigmoid,
    square,
)
from autograd_lite.explain import gradient_report as report_function
from autograd_lite.explain.report import GradientReport, LayerReport


def chain(w: float, b: float) -> MLP:
    """Document 000's warning made exact: 50 sigmoid units in a row, every pre-activation 0 (000.14)."""
    model = MLP(1, [1] * 50, "sigmoid", output="sigmoid")
    for layer in model.layers:
        layer.neurons[0].w[0].data, layer.neurons[0].b.data = w, b
    (z,) = model([0.5]).operands
    assert z.data == 0.0
    log_loss_from_scores(z, 1).backward()
    return model


@pytest.mark.parametrize(
    ("w", "b", "factor", "verdict", "told"),
    [
        (1.0, -0.5, 4.0**-49, "vanishing", "by 3.16·10⁻³⁰ (2⁻⁹⁸), which is 0.25 per layer."),
        (8.0, -4.0, 2.0**49, "exploding", "by 5.63·10¹⁴ (2⁴⁹), which is 2 per layer."),
        (4.0, -2.0, 1.0, "healthy", "by 1, which is 1 per layer."),
    ],
)
def test_fifty_sigmoids(w, b, factor, verdict, told):
    model = chain(w, b)
    report = gradient_report(model)
    assert report.factor == factor  # exactly
    first, last = [layer.neurons[0].w[0].grad for layer in (model.layers[0], model.layers[-1])]
    assert report.factor == first / last
    assert report.per_layer == pytest.approx(factor ** (1.0 / 49.0), rel=1e-14)
    assert report.verdict == verdict
    assert " ".join(str(report).split()).endswith(told)
    assert " ".join(str(report).splitlines()[-2:]).startswith(
        f"{verdict}: from the last layer back to the first, the mean"
    )
    assert len(report.layers) == 50


def deep(activation: str, init: str | None = None, output: str | None = None) -> MLP:
    model = MLP(8, [16] * 50 + [1], activation, output, init=init, rng=0)
    inputs = [[float(i == j) for i in range(8)] for j in range(8)]
    half_squared_error([model(x) for x in inputs], [1.0] * 8).backward()
    return model


def test_activation_and_initialisation_change_it():
    # Sigmoids vanish whatever the start; tanh and ReLU do not, from the start that is made for them.
    assert gradient_report(deep("sigmoid")).verdict == "vanishing"
    assert gradient_report(deep("tanh", "xavier")).verdict == "healthy"
    assert gradient_report(deep("relu", "he")).verdict == "healthy"
    assert gradient_report(deep("relu", "xavier")).verdict == "vanishing"  # half of the units pass nothing on
    factors = [gradient_report(deep("tanh", init)).factor for init in ("xavier", "uniform")]
    assert factors[1] > 1000.0 * factors[0]


def two_units(activation: str, z1: float, z2: float) -> tuple[MLP, Value]:
    """A layer of two units with pre-activations z1 and z2 at the input 1, and −z1, −z2 at −1."""
    model = MLP(1, [2, 1], activation, bias=False)
    for neuron, z in zip(model.layers[0].neurons, (z1, z2), strict=True):
        neuron.w[0].data = z
    loss = half_squared_error([model([1.0]), model([-1.0])], [1.0, 0.5])
    loss.backward()
    return model, loss


def test_saturated_units():
    model, loss = two_units("sigmoid", 8.0, 0.5)
    first, last = gradient_report(model).layers
    assert (first.dead, first.saturated) == (0.0, 0.5)
    assert (last.dead, last.saturated) == (None, None)  # no activation
    assert loss.grad == 1.0


def test_dead_units():
    model = MLP(1, [2, 1], "relu")
    for neuron, b in zip(model.layers[0].neurons, (-5.0, 5.0), strict=True):
        neuron.w[0].data, neuron.b.data = 1.0, b
    loss = half_squared_error([model([1.0]), model([-1.0])], [1.0, 0.5])
    loss.backward()
    first, _ = gradient_report(model).layers
    assert (first.dead, first.saturated) == (0.5, 0.0)
    assert "50%" in str(gradient_report(model))
    assert loss.grad == 1.0


def test_a_relu_that_is_open_for_one_example_is_not_dead():
    model, loss = two_units("relu", 1.0, -1.0)
    assert gradient_report(model).layers[0].dead == 0.0
    assert loss.grad == 1.0


def test_without_the_graph_shares_of_units_are_not_known():
    model, loss = two_units("sigmoid", 8.0, 0.5)
    del loss
    assert gradient_report(model).layers[0].saturated is None
    assert "–" in str(gradient_report(model))


def test_quantiles_and_updates():
    model = Layer(3, 1, None, bias=False)
    for w, (data, grad) in zip(model.parameters(), ((3.0, 1.0), (0.0, -2.0), (-4.0, 2.0)), strict=True):
        w.data, w.grad = data, grad
    (layer,) = gradient_report(model, lr=0.5).layers
    assert layer.name == "layer"
    assert layer.quantiles == (1.0, 1.5, 2.0, 2.0, 2.0)
    assert layer.mean == pytest.approx(5.0 / 3.0)
    assert layer.update == pytest.approx(0.5 * 3.0 / 5.0)
    assert "with one layer there is nothing to vanish or explode through" in str(gradient_report(model))


def test_weights_of_zero_have_no_ratio():
    model = Layer(1, 1, None, bias=False)
    model.parameters()[0].data = 0.0
    model.parameters()[0].grad = 1.0
    assert gradient_report(model).layers[0].update is None


def test_a_model_of_ones_own():
    class Line(Module):
        def __init__(self):
            self.W = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
            self.slope, self.hidden = Value(2.0), Neuron(1, "tanh")

        def __call__(self, x):
            return self.hidden([self.slope * x]) * self.W[0][0]

    model = Line()
    loss = square(model(2.0))
    loss.backward()
    names = [(layer.name, layer.parameters) for layer in gradient_report(model).layers]
    assert names == [("W", 4), ("slope", 1), ("hidden", 2)]


def test_gradients_that_are_zero_or_not_finite():
    model = Layer(1, 1, None)
    (model([0.0]) * 0.0).backward()
    report = gradient_report(model)
    assert (report.verdict, report.factor) == ("no gradient", 1.0)
    assert str(report).endswith("no gradient: every gradient is 0. Call why(parameter) to find the cause.")
    model.parameters()[0].grad = math.nan
    report = gradient_report(model)
    assert report.verdict == "not finite"
    assert " ".join(str(report).split()).endswith(
        "call why(parameter) on a parameter whose gradient is NaN or infinite."
    )


def test_a_last_layer_without_gradient():
    model = MLP(1, [1, 1])
    model.parameters()[0].grad = 1.0
    assert gradient_report(model).factor == math.inf
    assert gradient_report(model).verdict == "exploding"


def test_errors():
    with pytest.raises(ValueError, match="has no parameters to report on"):
        report_function(Module())
    with pytest.raises(ValueError, match=r"no parameter has a gradient: call loss\.backward\(\) before"):
        report_function(Layer(1, 1))
    with pytest.raises(TypeError, match="gradient_report takes a Module, got int 3"):
        report_function(3)


def test_it_shows_as_a_table_in_jupyter():
    model = chain(1.0, -0.5)
    report = gradient_report(model)
    bundle = report._repr_mimebundle_()
    assert bundle["text/plain"] == str(report)
    assert bundle["text/html"].count("<tr>") == 51
    assert report._conclusion in bundle["text/html"]


def test_markup_in_the_name_of_a_layer_is_text():
    model = Module()
    names = ["<b>first</b>", "<script>alert('1')</script>&amp;"]
    for name in names:
        setattr(model, name, Value(2.0))
        getattr(model, name).grad = 1.0
    report = ElementTree.fromstring(f"<div>{gradient_report(model).html}</div>")
    assert {element.tag for element in report.iter()} == {
        *("div", "table", "thead", "tbody", "tr", "th", "td", "p")
    }
    assert ["".join(row[0].itertext()) for row in report.find("table/tbody")] == names


def test_an_activation_without_a_slope_at_0_is_never_called_saturated():
    model = MLP(1, [1, 1], "sqrt", bias=False)
    model.layers[0].neurons[0].w[0].data = 4.0
    loss = square(model([1.0]))
    loss.backward()
    assert gradient_report(model).layers[0].saturated == 0.0
    model = MLP(1, [1, 1], "log", bias=False)
    model.layers[0].neurons[0].w[0].data = 4.0
    loss = square(model([1.0]))
    loss.backward()
    assert gradient_report(model).layers[0].saturated == 0.0
    assert sigmoid(loss).data > 0.0


def test_a_thousandth_is_not_vanishing_and_a_thousand_not_exploding_yet():
    for first, last, verdict in ((1.0, 1000.0, "healthy"), (0.999, 1000.0, "vanishing")):
        layers = [LayerReport(str(g), 1, (g,) * 5, g, None, None, None) for g in (first, last)]
        assert GradientReport(layers).verdict == verdict
        turned = GradientReport(layers[::-1]).verdict
        assert turned == {"healthy": "healthy", "vanishing": "exploding"}[verdict]


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
def test_its_lines_fit_into_80_columns(activation):
    model = MLP(3, [8] * 8 + [1], activation, rng=0)
    loss = (model([1e-3, -2.0, 3.0]) - 1.0) ** 2
    loss.backward()
    lines = gradient_report(model).text.splitlines()
    assert len(lines) >= 11
    assert max(map(len, lines)) <= 80
