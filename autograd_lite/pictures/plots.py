"""Plots of training: losses, decision boundaries, gradients by layer, paths of descent, functions.

Each plot takes Matplotlib axes as ``ax``, or makes them, and returns them. It leaves the global style alone.
Plots need Matplotlib (the extra ``viz``). Pictures of graphs are in `dot.py`.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from autograd_lite.core.modes import no_grad
from autograd_lite.core.rules import sigmoid
from autograd_lite.core.value import Value
from autograd_lite.nn.layers import MLP
from autograd_lite.nn.losses import softmax
from autograd_lite.nn.modules import Module
from autograd_lite.pictures.colour import LIGHT, mix
from autograd_lite.train.history import History
from autograd_lite.train.minimize import Result
from autograd_lite.transforms.derivatives import value_and_grad

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point: TypeAlias = float | Sequence[float]
Path: TypeAlias = Result | Sequence[Point]
Function: TypeAlias = Callable[[Any], Any]  # of floats and of Values
Model: TypeAlias = Callable[[list[float]], Any]  # to a score or a list of scores
Losses: TypeAlias = History | Sequence[float] | Mapping[str, Sequence[float]]

NO_MATPLOTLIB = "plots need Matplotlib: install autograd-lite[viz]"
_BLUE, _ORANGE, _INK, _MUTED, _GRID = LIGHT.plus, LIGHT.minus, LIGHT.ink, LIGHT.muted, "#DDE3EA"
_COLOURS = (_BLUE, _ORANGE, "#3F8F5B", "#7B5CC4", "#A8862A", "#C4006E", _INK)
_STYLES = ("-", "--", "-.", ":")
_FONTS = ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"]
_GAP = 12.0  # points between labels at the ends of lines


def _axes(ax: Axes | None, title: str, x: str = "", y: str = "") -> Axes:
    """Return the given axes, or new ones, with a title and in the colours of this package."""
    try:
        from matplotlib import pyplot, rc_context
    except ImportError:
        raise ImportError(NO_MATPLOTLIB, name="matplotlib") from None
    with rc_context({"font.family": "sans-serif", "font.sans-serif": _FONTS, "axes.axisbelow": True}):
        if ax is None:
            ax = pyplot.subplots(figsize=(5.6, 4.0), dpi=100, layout="constrained")[1]
        ax.set_title(title, loc="left", color=_INK, fontsize=12, fontweight="bold")
        ax.set_xlabel(x, color=_MUTED)
        ax.set_ylabel(y, color=_MUTED)
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(LIGHT.idle)
        ax.tick_params(which="both", color=LIGHT.idle, labelcolor=_MUTED)
        ax.grid(True, color=_GRID, linewidth=0.8)
    return ax


def _legend(ax: Axes, title: str | None = None) -> None:
    ax.legend(title=title, frameon=False, labelcolor=_INK, fontsize=9)


def _number(result: Value | float) -> float:
    return result.data if isinstance(result, Value) else float(result)


def _span(numbers: Iterable[float], margin: float) -> tuple[float, float]:
    known = [x for x in numbers if math.isfinite(x)]
    low, high = min(known), max(known)
    extra = margin * (high - low) or 1.0
    return low - extra, high + extra


def _between(low: float, high: float, count: int) -> list[float]:
    return [low + (high - low) * k / (count - 1) for k in range(count)]


# --- Loss -----------------------------------------------------------------------------------------


def plot_loss(history: Losses, ax: Axes | None = None) -> Axes:
    """Plot the loss of each epoch on a log axis, and write the last loss at the end of each line.

    `history` is the result of `fit`, a list of losses, or a dict of lists of losses by name. Raises
    `ValueError` if it holds no loss.
    """
    if isinstance(history, History):
        lines = {"training": history.loss, "held out": history.validation_loss}
    elif isinstance(history, Mapping):
        lines = {name: list(losses) for name, losses in history.items()}
    else:
        lines = {"loss": list(history)}
    lines = {name: losses for name, losses in lines.items() if losses}
    if not lines:
        raise ValueError("there is no loss to plot: the history is empty")
    ax = _axes(ax, "Loss", "epoch")
    for k, (name, losses) in enumerate(lines.items()):
        ax.plot(
            range(1, len(losses) + 1),
            losses,
            color=_COLOURS[k % len(_COLOURS)],
            linestyle=_STYLES[k % len(_STYLES)],
            linewidth=2,
            marker="o" if len(losses) == 1 else "",
            label=name,
        )
    numbers = [loss for losses in lines.values() for loss in losses]
    if all(loss > 0.0 for loss in numbers):
        ax.set_yscale("log")
    ax.margins(x=0.02)
    if len(lines) > 1:
        _legend(ax)
    _label_ends(ax, lines)
    return ax


History.plot = plot_loss


def _label_ends(ax: Axes, lines: Mapping[str, Sequence[float]]) -> None:
    """Write the last number of each line at its end; numbers that would collide move apart."""
    to_points = 72.0 / ax.figure.dpi
    ends = [
        (len(losses), losses[-1], k) for k, losses in enumerate(lines.values()) if math.isfinite(losses[-1])
    ]
    heights = {k: ax.transData.transform((x, y))[1] * to_points for x, y, k in ends}
    below = -math.inf
    for x, y, k in sorted(ends, key=lambda end: heights[end[2]]):
        height = max(heights[k], below + _GAP)
        below = height
        ax.annotate(
            f"{y:.3g}",
            (x, y),
            xytext=(6.0, height - heights[k]),
            textcoords="offset points",
            va="center",
            color=_COLOURS[k % len(_COLOURS)],
            fontsize=9,
            annotation_clip=False,
        )


# --- Predictions ----------------------------------------------------------------------------------


def plot_predictions(pairs: Sequence[tuple[float, float]], ax: Axes | None = None) -> Axes:
    """Plot predicted against true numbers, given in pairs (true, predicted); right ones are on the line.

    Raises `ValueError` if there are none.
    """
    if not pairs:
        raise ValueError("there is no prediction to plot")
    ax = _axes(ax, "Predictions", "true", "predicted")
    ends = _span([number for pair in pairs for number in pair], 0.05)
    ax.plot(ends, ends, color=_INK, linewidth=1, label="right")
    true, predicted = zip(*pairs, strict=True)
    ax.scatter(true, predicted, s=18, color=_BLUE, alpha=0.6, edgecolors="none", label="a row", zorder=3)
    _legend(ax)
    return ax


# --- Decision boundary ----------------------------------------------------------------------------


def plot_boundary(
    model: Model,
    X: Iterable[Sequence[float]],
    y: Iterable[float],
    ax: Axes | None = None,
    *,
    resolution: int = 80,
) -> Axes:
    """Plot the class that `model` predicts at each point of the plane, and the examples.

    `model` returns one number, the score z with P = σ(z), or P itself if it ends in a sigmoid layer; or it
    returns a list of scores, one for each class. Labels are class numbers, or −1 and 1. With two classes
    the colour shows the probability, and a black line stands where it is ½. With more, the colour shows the
    most probable class.

    Raises `ValueError` unless all examples have two inputs and a label that is a number.
    """
    points, labels = [[float(x) for x in point] for point in X], [_class_number(label) for label in y]
    if len(points) != len(labels) or not points:
        raise ValueError(f"there are {len(points)} examples and {len(labels)} labels: give one label to each")
    wrong = [point for point in points if len(point) != 2]
    if wrong:
        raise ValueError(f"a boundary is plotted for two inputs, and an example has {len(wrong[0])}")
    across, up = [_between(*_span([point[k] for point in points], 0.12), resolution) for k in (0, 1)]
    with no_grad():
        P = [[_probabilities(model, [x1, x2]) for x1 in across] for x2 in up]
    classes = len(P[0][0])
    ax = _axes(ax, "Decision boundary")
    ax.grid(False)
    if classes == 2:
        shades = [_shade(k / 10.0 + 0.05) for k in range(10)]
        grid = [[p[1] for p in row] for row in P]
        ax.contourf(across, up, grid, levels=_between(0.0, 1.0, 11), colors=shades)
        ax.contour(across, up, grid, levels=[0.5], colors=[_INK], linewidths=2)
    else:
        winners = [[p.index(max(p)) for p in row] for row in P]
        fills = [mix("#FFFFFF", colour, 0.45) for colour in _class_colours(classes)]
        ax.contourf(across, up, winners, levels=[k - 0.5 for k in range(classes + 1)], colors=fills)
    for label in sorted(set(labels)):
        chosen = [point for point, other in zip(points, labels, strict=True) if other == label]
        k = max(int(label), 0)
        ax.scatter(
            [point[0] for point in chosen],
            [point[1] for point in chosen],
            s=28,
            color=_class_colours(classes)[k % classes],
            marker="os^Dv"[(classes - 1 - k) % 5],
            edgecolors="#FFFFFF",
            linewidths=0.8,
            label=f"class {label:g}",
            zorder=3,
        )
    legend = ax.legend(fontsize=9, labelcolor=_INK, framealpha=0.85, edgecolor=_GRID)
    legend.set_zorder(4)
    return ax


def _probabilities(model: Model, point: list[float]) -> list[float]:
    """Return the probability of each class at a point of the plane."""
    out = model(point)
    if isinstance(out, list | tuple) and len(out) > 1:
        return softmax([_number(score) for score in out])
    z = _number(out[0] if isinstance(out, list | tuple) else out)
    ends_in_sigmoid = isinstance(model, MLP) and model.layers[-1].neurons[0].activation == "sigmoid"
    p = z if ends_in_sigmoid else sigmoid(z)
    return [1.0 - p, p]


def _class_number(label: float | str) -> float:
    try:
        return float(label)
    except (TypeError, ValueError):
        raise ValueError(f"labels must be class numbers 0, 1, ..., or -1 and 1, got {label!r}") from None


def _class_colours(classes: int) -> list[str]:
    named = [_ORANGE, _BLUE, *_COLOURS[2:]]  # the second of two classes is the positive one
    return [named[k % len(named)] for k in range(classes)]


def _shade(p: float) -> str:
    """Return the colour of a probability: orange at 0, white at ½, blue at 1, each softened."""
    return mix("#FFFFFF", _BLUE if p > 0.5 else _ORANGE, min(0.75, 1.6 * abs(p - 0.5)))


# --- Gradients by layer ---------------------------------------------------------------------------


def plot_gradient_flow(model: Module | Mapping[str, Module], ax: Axes | None = None) -> Axes:
    """Plot |gradient| of every parameter by layer on a log axis, with a bar at each median.

    If gradients vanish or explode on their way back, the bars fall or rise towards the first layer. A log
    axis cannot show gradients of 0, so they are counted below it. `model` may be a dict of models by name.

    Raises `ValueError` if a parameter has no gradient yet.
    """
    models = dict(model) if isinstance(model, Mapping) else {"": model}
    layers = {name: _by_layer(each) for name, each in models.items()}
    ax = _axes(ax, "|gradient| of every parameter, by layer", "layer (1 = next to the input)")
    ax.set_yscale("log")
    ax.grid(False, which="minor")
    jitter = random.Random(0)
    most = max(map(len, layers.values()))
    zeros = [0] * most
    for k, (name, gradients) in enumerate(layers.items()):
        colour = _COLOURS[k % len(_COLOURS)]
        shift = 0.26 * (k - (len(layers) - 1) / 2.0)
        for i, magnitudes in enumerate(gradients):
            shown = sorted([g for g in magnitudes if g > 0.0 and math.isfinite(g)])
            zeros[i] += magnitudes.count(0.0)
            if not shown:
                continue
            x = i + 1 + shift
            spread = [x + jitter.uniform(-0.09, 0.09) for _ in shown]
            ax.scatter(spread, shown, s=10, color=colour, alpha=0.4, linewidths=0)
            middle = len(shown) // 2
            median = shown[middle] if len(shown) % 2 else math.sqrt(shown[middle - 1] * shown[middle])
            ax.plot([x - 0.13, x + 0.13], [median] * 2, color=colour, linewidth=3, solid_capstyle="butt")
        ax.plot([], [], color=colour, linewidth=3, label=name or "median")
    names = [f"{i + 1}\n{count} × 0" if count else str(i + 1) for i, count in enumerate(zeros)]
    ax.set_xticks(range(1, most + 1), names)
    ax.set_xlim(0.4, most + 0.6)
    _legend(ax, title="median bars" if len(models) > 1 else None)
    return ax


def _by_layer(model: Module) -> list[list[float]]:
    """Return |gradient| of the parameters, in a list for each layer, which their names begin with."""
    layers: dict[str, list[float]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.reached:
            raise ValueError(f"parameter {name} has no gradient yet: call backward() on the loss first")
        # layers.0.neurons.3.w.1 belongs to layers.0, and W.3.1 to W.
        layer = re.match(r"\D+\.\d+(?=\.\D)|.*?(?=(?:\.\d+)*$)", name)
        assert layer is not None
        layers.setdefault(layer[0], []).append(abs(parameter.grad))
    if not layers:
        raise ValueError(f"{model!r} has no parameters")
    return list(layers.values())


# --- Descent, functions ---------------------------------------------------------------------------


def plot_descent(f: Function, path: Path | Mapping[str, Path], ax: Axes | None = None) -> Axes:
    """Plot a descent on the function `f`: the result of `minimize`, or a list of points.

    Points of two numbers are drawn over contours, which are evenly spaced on a log scale above the lowest
    value. Single numbers are drawn along the curve of `f`. `path` may be a dict of paths by name. A star
    marks the lowest of the last points.

    Raises `ValueError` unless every point is a number or a pair of numbers.
    """
    paths = {
        name: list(each.path if isinstance(each, Result) else each)
        for name, each in (path if isinstance(path, Mapping) else {"": path}).items()
    }
    points = [point for each in paths.values() for point in each]
    if not points:
        raise ValueError("there is no point to plot: the path is empty")
    is_curve = all(isinstance(point, int | float) for point in points)
    if not is_curve and not all(isinstance(p, list | tuple) and len(p) == 2 for p in points):
        raise ValueError("a descent is plotted in one or two numbers: each point must be a number or a pair")
    with no_grad():
        if is_curve:
            ax = plot_function(f, *_span(points, 0.15), ax=ax, derivative=False)
            paths = {name: [(x, _number(f(x))) for x in each] for name, each in paths.items()}
        else:
            ax = _contours(f, points, ax)
    ax.set_title("Descent", loc="left", color=_INK, fontsize=12, fontweight="bold")
    looks = ((_INK, "o"), (_ORANGE, "s"), ("#3F8F5B", "^"), ("#7B5CC4", "D"))
    for k, (name, each) in enumerate(paths.items()):
        colour, marker = looks[k % len(looks)]
        label = f"{name}, {len(each) - 1} steps" if name else f"{len(each) - 1} steps"
        # Draw fewer marks if they would hide the line, but always the first and the last.
        every = max(1, len(each) // 40)
        marks = sorted({*range(0, len(each), every), len(each) - 1})
        ax.plot(
            [point[0] for point in each],
            [point[1] for point in each],
            color=colour,
            linewidth=1.6,
            marker=marker,
            markersize=5,
            markeredgecolor="#FFFFFF",
            markevery=marks,
            label=label,
            zorder=3,
        )
    with no_grad():
        best = min(
            [each[-1] for each in paths.values()], key=lambda p: p[1] if is_curve else _number(f(list(p)))
        )
    ax.plot(*best, marker="*", markersize=15, color="#F2B705", markeredgecolor=_INK, zorder=4)
    _legend(ax)
    return ax


def _contours(f: Function, points: list[Sequence[float]], ax: Axes | None) -> Axes:
    x, y = [_between(*_span([point[k] for point in points], 0.2), 90) for k in (0, 1)]
    heights = [[_height(f, [x1, x2]) for x1 in x] for x2 in y]
    known = [h for row in [*heights, [_height(f, list(p)) for p in points]] for h in row if math.isfinite(h)]
    lowest, highest = min(known), max(known)
    floor = (highest - lowest) * 1e-6 or 1.0
    levels = 14
    shades = [mix("#FFFFFF", _BLUE, 0.08 + 0.5 * k / (levels - 1)) for k in range(levels)]
    logs = [[math.log(max(h - lowest, 0.0) + floor) for h in row] for row in heights]
    # The lowest decades would be mostly empty.
    bounds = _between(
        math.log(floor) + 0.45 * math.log(1e6), math.log(highest - lowest + 2.0 * floor), levels + 1
    )
    ax = _axes(ax, "Descent")
    ax.grid(False)
    ax.contourf(x, y, logs, levels=[min(math.log(floor), bounds[0]) - 1.0, *bounds[1:]], colors=shades)
    ax.contour(x, y, logs, levels=bounds[1:-1], colors=["#FFFFFF"], linewidths=0.7, linestyles="solid")
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    return ax


def _height(f: Function, point: Point) -> float:
    """Return `f` at a point, NaN where it has no value."""
    try:
        return _number(f(point))
    except (ArithmeticError, ValueError):
        return math.nan


def plot_function(
    f: Function,
    low: float = -5.0,
    high: float = 5.0,
    at: float | None = None,
    ax: Axes | None = None,
    *,
    derivative: bool = True,
) -> Axes:
    """Plot `f`, a function of one number, from `low` to `high`, with its derivative and the tangent at `at`.

    The lines have gaps where `f` has no value or no derivative. Raises `ValueError` unless low < high.
    """
    if not low < high:
        raise ValueError(f"low must be below high, got {low!r} and {high!r}")
    slope = value_and_grad(f)

    def both(x: float) -> tuple[float, float]:
        try:
            y, dy = slope(x)
        except (ArithmeticError, ValueError):
            return math.nan, math.nan
        return y, dy if math.isfinite(dy) else math.nan

    x = _between(low, high, 401)
    curve = [both(each) for each in x]
    ax = _axes(ax, "f and its derivative" if derivative else "f", "x")
    ax.plot(x, [y for y, _ in curve], color=_BLUE, linewidth=2, label="f(x)")
    if derivative:
        ax.plot(x, [dy for _, dy in curve], color=_ORANGE, linewidth=2, linestyle="--", label="f′(x)")
    if at is not None:
        y, dy = slope(at)
        reach = (high - low) / 6.0
        ends = [at - reach, at + reach]
        label = f"tangent at {at:g}: slope {dy:.3g}"
        ax.plot(ends, [y + dy * (end - at) for end in ends], color=_INK, linewidth=1.4, label=label)
        ax.plot([at], [y], "o", color=_INK, markersize=6, markeredgecolor="#FFFFFF")
    ax.set_xlim(low, high)
    if derivative or at is not None:
        _legend(ax)
    return ax
