"""Plots: what is on the axes, whose axes they are, and that Matplotlib's style stays as it was."""

import math
import subprocess
import sys
from itertools import pairwise

import pytest
from matplotlib import pyplot, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from autograd_lite import MLP, History, Module, Value, log_loss_from_scores, minimize, tanh
from autograd_lite.pictures.plots import (
    plot_boundary,
    plot_descent,
    plot_function,
    plot_gradient_flow,
    plot_loss,
    plot_predictions,
)

POINTS = [(0.0, 0.0), (1.0, 0.2), (0.3, 1.0), (-0.5, -1.0)]


@pytest.fixture(autouse=True)
def closed_figures():
    before = dict(rcParams)
    yield
    pyplot.close("all")
    assert dict(rcParams) == before


def trained() -> MLP:
    model = MLP(2, [3, 1], "tanh", rng=0)
    log_loss_from_scores([model(list(x)) for x in POINTS], [0, 1, 1, 0]).backward()
    return model


PLOTS = {
    "loss": lambda ax: plot_loss([3.0, 2.0, 1.0], ax),
    "boundary": lambda ax: plot_boundary(MLP(2, [1], rng=0), POINTS, [0, 1, 1, 0], ax, resolution=5),
    "gradient flow": lambda ax: plot_gradient_flow(trained(), ax),
    "descent": lambda ax: plot_descent(lambda p: p[0] ** 2 + p[1] ** 2, [(2.0, 1.0), (1.0, 0.5)], ax),
    "descent of a number": lambda ax: plot_descent(lambda x: x**2, [2.0, 1.0], ax),
    "function": lambda ax: plot_function(tanh, ax=ax),
    "predictions": lambda ax: plot_predictions([(1.0, 2.0)], ax),
}


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_axes_given_are_drawn_on_and_returned(plot):
    figure, ax = pyplot.subplots()
    assert plot(ax) is ax
    assert pyplot.get_fignums() == [figure.number]
    figure.canvas.draw()


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_axes_are_made_where_none_are_given(plot):
    ax = plot(None)
    assert isinstance(ax, Axes)
    assert len(pyplot.get_fignums()) == 1
    ax.figure.canvas.draw()


def lines(ax: Axes) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}


# --- Loss -----------------------------------------------------------------------------------------


def test_loss_of_a_history():
    history = History(loss=[1.0, 0.1, 0.01], validation_loss=[2.0, 0.2, 0.02])
    ax = plot_loss(history)
    assert lines(ax) == {"training": history.loss, "held out": history.validation_loss}
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.texts] == ["0.01", "0.02"]
    assert list(ax.get_lines()[0].get_xdata()) == [1, 2, 3]


def test_loss_without_validation_has_one_line_and_no_legend():
    ax = plot_loss(History(loss=[1.0, 0.5]))
    assert lines(ax) == {"training": [1.0, 0.5]}
    assert ax.get_legend() is None


def test_losses_by_name():
    assert lines(plot_loss({"Adam": [2.0], "plain": [3.0, 1.0]})) == {"Adam": [2.0], "plain": [3.0, 1.0]}


def test_loss_of_zero_has_a_linear_axis():
    assert plot_loss([1.0, 0.0]).get_yscale() == "linear"


def test_labels_at_the_ends_do_not_collide():
    ax = plot_loss({name: [10.0, 0.1 + 1e-6 * k] for k, name in enumerate("abcd")})
    ax.figure.canvas.draw()
    boxes = sorted([text.get_window_extent() for text in ax.texts], key=lambda box: box.y0)
    assert len(boxes) == 4
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_no_loss_is_an_error():
    with pytest.raises(ValueError, match="the history is empty"):
        plot_loss(History())


# --- Boundary -------------------------------------------------------------------------------------


def half_contour(ax: Axes) -> list[tuple[float, float]]:
    (contour,) = [each for each in ax.collections if list(getattr(each, "levels", [])) == [0.5]]
    assert to_hex(contour.get_edgecolor()[0]) == "#1f2933"
    return [tuple(point) for path in contour.get_paths() for point in path.vertices]


def line_model(output: str | None) -> MLP:
    model = MLP(2, [1], output=output, rng=0)
    model.layers[0].neurons[0].w[0].data, model.layers[0].neurons[0].w[1].data = 2.0, 1.0
    model.layers[0].neurons[0].b.data = -0.5
    return model


@pytest.mark.parametrize("output", [None, "sigmoid"])
def test_black_line_stands_where_the_probability_is_half(output):
    points = half_contour(plot_boundary(line_model(output), POINTS, [0, 1, 1, 0]))
    assert len(points) > 10
    # On a line the interpolation within the grid is off by σ's curvature over one cell at most.
    assert max(abs(2.0 * x + y - 0.5) for x, y in points) < 1e-3


def test_scores_of_two_classes_have_the_same_line():
    score = line_model(None)
    points = half_contour(plot_boundary(lambda x: [0.0, score(x)], POINTS, [0, 1, 1, 0]))
    assert max(abs(2.0 * x + y - 0.5) for x, y in points) < 1e-3


def test_examples_are_drawn_by_class():
    ax = plot_boundary(line_model(None), POINTS, [-1, 1, 1, -1])
    drawn = {
        each.get_label(): sorted(map(tuple, each.get_offsets()))
        for each in ax.collections
        if each.get_label()[0] == "c"
    }
    assert drawn == {"class -1": sorted([POINTS[0], POINTS[3]]), "class 1": sorted(POINTS[1:3])}


def test_three_classes():
    ax = plot_boundary(MLP(2, [3], rng=0), POINTS[:3], [0, 1, 2], resolution=10)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"class 0", "class 1", "class 2"}


def test_boundary_records_no_graph():
    seen = []
    model = line_model(None)
    plot_boundary(lambda x: seen.append(model(x)) or seen[-1], POINTS, [0, 1, 1, 0], resolution=3)
    assert len(seen) == 9
    assert all(value.primitive is None for value in seen)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([(1.0, 2.0)], [0, 1], "1 examples and 2 labels"),
        ([], [], "0 examples"),
        ([(1.0,)], [0], "an example has 1"),
        ([(1.0, 2.0)], ["gentoo"], "labels must be class numbers 0, 1, ..., or -1 and 1, got 'gentoo'"),
        ([(1.0, 2.0)], [None], "labels must be class numbers"),
    ],
)
def test_examples_that_do_not_fit(X, y, message):
    with pytest.raises(ValueError, match=message):
        plot_boundary(line_model(None), X, y)


# --- Gradient flow --------------------------------------------------------------------------------


def test_every_gradient_is_a_point_over_its_layer():
    model = trained()
    ax = plot_gradient_flow(model)
    assert ax.get_yscale() == "log"
    for k, (layer, points) in enumerate(zip(model.layers, ax.collections, strict=True), 1):
        x, y = zip(*points.get_offsets(), strict=True)
        assert sorted(y) == pytest.approx(sorted(abs(p.grad) for p in layer.parameters()), rel=1e-15)
        assert all(abs(each - k) < 0.5 for each in x)


def test_bars_stand_at_the_medians():
    class Three(Module):
        def __init__(self) -> None:
            self.w = [Value(1.0) for _ in range(3)]
            self.v = [Value(1.0) for _ in range(2)]

    model = Three()
    for parameter, gradient in zip(model.parameters(), [1.0, -10.0, 100.0, 1.0, 100.0], strict=True):
        parameter.grad = gradient
    bars = [line.get_ydata()[0] for line in plot_gradient_flow(model).get_lines() if len(line.get_ydata())]
    assert sorted(bars) == pytest.approx([10.0, 10.0])


@pytest.mark.parametrize(
    ("build", "layers"),
    [
        (lambda: MLP(2, [3, 2, 1]), 3),
        (lambda: MLP(2, [3]).layers[0], 3),
        (lambda: Holder([[Value(1.0)], [Value(2.0)]]), 1),
        (lambda: Holder(MLP(2, [3, 1])), 2),
        (lambda: Holder({"a": Value(1.0), "b2": Value(2.0)}), 2),
    ],
)
def test_layers_of_a_model(build, layers):
    model = build()
    for parameter in model.parameters():
        parameter.grad = 1.0
    assert len(plot_gradient_flow(model).collections) == layers


class Holder(Module):
    def __init__(self, held) -> None:
        self.held = held


def test_dead_gradients_are_counted():
    model = trained()
    for parameter in model.layers[0].parameters()[:4]:
        parameter.grad = None
        (parameter * 0.0).backward()
    labels = [label.get_text() for label in plot_gradient_flow(model).get_xticklabels()]
    assert labels == ["1\n4 × 0", "2"]


def test_several_models_stand_beside_each_other():
    ax = plot_gradient_flow({"sigmoid": trained(), "tanh": trained()})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["sigmoid", "tanh"]
    assert len(ax.collections) == 4


def test_no_gradient_yet_is_an_error():
    with pytest.raises(ValueError, match=r"layers\.0\.neurons\.0\.w\.0 has no gradient yet: call backward"):
        plot_gradient_flow(MLP(2, [1]))


# --- Descent and functions ------------------------------------------------------------------------


def test_path_of_a_descent_and_its_end():
    def bowl(p):
        return (p[0] - 1.0) ** 2 + 10.0 * p[1] ** 2

    result = minimize(bowl, [3.0, 1.0], lr=0.05, max_steps=30)
    path, star = plot_descent(bowl, result.path).get_lines()
    assert [tuple(p) for p in zip(path.get_xdata(), path.get_ydata(), strict=True)] == [
        tuple(p) for p in result.path
    ]
    assert [star.get_xdata()[0], star.get_ydata()[0]] == result.x
    assert star.get_marker() == "*"


def test_descent_may_be_what_minimize_returned():
    def bowl(p):
        return (p[0] - 1.0) ** 2 + 10.0 * p[1] ** 2

    result = minimize(bowl, [3.0, 1.0], lr=0.05, max_steps=3)
    for given in result, {"result": result, "path": result.path}:
        drawn = plot_descent(bowl, given).get_lines()[0]
        assert [*zip(drawn.get_xdata(), drawn.get_ydata(), strict=True)] == [*map(tuple, result.path)]


def test_descent_stands_on_fourteen_shades_between_white_lines():
    ax = plot_descent(lambda p: p[0] ** 2 + p[1] ** 2, [(2.0, 1.0), (1.0, 0.5)])
    filled, lines = ax.collections
    assert len(filled.levels) == 14 + 1
    assert [*lines.levels] == [*filled.levels[1:-1]]
    assert filled.levels[0] <= filled.zmin  # nothing is left blank
    assert filled.levels[-1] >= filled.zmax


def test_sizes_of_the_text():
    ax = plot_function(tanh)
    (name,) = {text.get_fontsize() for text in ax.get_legend().get_texts()}
    assert (ax._left_title.get_fontsize(), name) == (12.0, 9.0)


def test_star_marks_the_lowest_end():
    paths = {"good": [(2.0, 0.0), (0.1, 0.0)], "bad": [(2.0, 0.0), (1.5, 0.0)]}
    ax = plot_descent(lambda p: p[0] ** 2 + p[1] ** 2, paths)
    assert tuple(ax.get_lines()[-1].get_xdata()) == (0.1,)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["good, 1 steps", "bad, 1 steps"]


def test_descent_of_one_number_is_on_the_curve():
    ax = plot_descent(lambda x: x**4 - 3.0 * x**3, minimize(lambda x: x**4 - 3.0 * x**3, 6.0, lr=0.005).path)
    drawn = next(line for line in ax.get_lines() if "steps" in str(line.get_label()))
    assert all(y == x**4 - 3.0 * x**3 for x, y in zip(drawn.get_xdata(), drawn.get_ydata(), strict=True))
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) > 200]
    assert len(curves) == 1  # the function without its derivative


@pytest.mark.parametrize(
    ("path", "message"),
    [([], "the path is empty"), ([(1.0, 2.0, 3.0)], "one or two numbers"), ([1.0, (1.0, 2.0)], "one or")],
)
def test_paths_that_cannot_be_drawn(path, message):
    with pytest.raises(ValueError, match=message):
        plot_descent(lambda p: 0.0, path)


def test_function_its_derivative_and_its_tangent():
    ax = plot_function(lambda x: x * x, -2.0, 2.0, at=1.5)
    curve, slope, tangent, point = ax.get_lines()
    assert list(curve.get_ydata()) == [x * x for x in curve.get_xdata()]
    assert list(slope.get_ydata()) == [2.0 * x for x in slope.get_xdata()]
    rise, run = (data[1] - data[0] for data in (tangent.get_ydata(), tangent.get_xdata()))
    assert rise / run == pytest.approx(3.0, rel=1e-14)
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (1.5, 2.25)


def test_function_has_gaps_where_it_has_no_value():
    ax = plot_function(lambda x: 1.0 / x, -1.0, 1.0)
    y = dict(zip(ax.get_lines()[0].get_xdata(), ax.get_lines()[0].get_ydata(), strict=True))
    assert math.isnan(y[0.0])
    assert y[1.0] == 1.0


def test_empty_interval_is_an_error():
    with pytest.raises(ValueError, match="low must be below high"):
        plot_function(tanh, 1.0, 1.0)


def test_without_matplotlib_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from autograd_lite.pictures.plots import plot_loss\n"
        "try: plot_loss([1.0])\n"
        "except ImportError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "plots need Matplotlib: install autograd-lite[viz]\n"


# --- Predictions ---------------------------------------------------------------------------------


def test_predictions_are_points_beside_the_line_of_right_ones():
    ax = plot_predictions([(1.0, 1.5), (3.0, 2.0)])
    (points,) = ax.collections
    assert points.get_offsets().tolist() == [[1.0, 1.5], [3.0, 2.0]]
    (line,) = ax.lines
    assert list(line.get_xdata()) == list(line.get_ydata()) == pytest.approx([0.9, 3.1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true", "predicted")
    with pytest.raises(ValueError, match="there is no prediction to plot"):
        plot_predictions([])
