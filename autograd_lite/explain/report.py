"""`gradient_report`: the health of a model's gradients, layer by layer, with the number behind the verdict.

Next door: `why.py` looks at one parameter, `pictures/plots.py` plots the same gradients.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from functools import cached_property
from html import escape
from statistics import quantiles
from typing import Any, NamedTuple

from autograd_lite.core.primitive import Primitive
from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import alive, consumers, passes
from autograd_lite.explain.shown import Shown
from autograd_lite.nn.layers import Layer, Neuron
from autograd_lite.nn.modules import KeyPath, Module, find_parameters, path_keys
from autograd_lite.notation.columns import aligned, html_table
from autograd_lite.notation.names import superscript
from autograd_lite.notation.writing import TEXT

VANISHING, EXPLODING = 1e-3, 1e3  # mean |gradient| of the first layer against the last
SATURATED = 0.05  # |slope| of an activation, as a share of its slope at 0
_DIGITS = 3


@dataclass(frozen=True)
class LayerReport:
    """One layer: its name, the number of its parameters, and statistics of their gradients.

    ``quantiles`` are the minimum of |gradient|, its quartiles and its maximum; ``mean`` is its mean. ``dead``
    is the share of units whose activation is flat at every example. ``saturated`` is the share of units whose
    slope, at half of the examples or more, is below a twentieth of the slope at 0. Both are None if no
    activation is known. ``update`` is the norm of lr · gradient over the norm of the weights, None if those
    are all 0.
    """

    name: str
    parameters: int
    quantiles: tuple[float, float, float, float, float]
    mean: float
    dead: float | None
    saturated: float | None
    update: float | None


class GradientReport(Shown):
    """The answer of `gradient_report`: ``layers``, a ``verdict`` and the number behind it, ``factor``.

    ``factor`` is the mean |gradient| of the first layer over that of the last. ``per_layer`` is the factor of
    one layer on the way back, a root of ``factor``. The verdict is vanishing, exploding, healthy, no gradient
    or not finite.
    """

    def __init__(self, layers: list[LayerReport]) -> None:
        self.layers = layers
        first, last = layers[0].mean, layers[-1].mean
        self.factor: float = first / last if last else 1.0 if first == last else math.inf
        self.per_layer: float = self.factor ** (1.0 / max(len(layers) - 1, 1))
        everything = [x for layer in layers for x in layer.quantiles]
        if not all(map(math.isfinite, everything)):
            self.verdict = "not finite"
        elif not any(everything):
            self.verdict = "no gradient"
        elif self.factor < VANISHING:
            self.verdict = "vanishing"
        else:
            self.verdict = "exploding" if self.factor > EXPLODING else "healthy"

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        def number(x: float) -> str:
            return TEXT.number(x, 2).text

        def share(x: float | None) -> str:
            return "–" if x is None else f"{x:.0%}"

        return [
            (
                layer.name,
                str(layer.parameters),
                *map(number, layer.quantiles),
                share(layer.dead),
                share(layer.saturated),
                "–" if layer.update is None else number(layer.update),
            )
            for layer in self.layers
        ]

    @property
    def _conclusion(self) -> str:
        if self.verdict == "not finite":
            return "not finite: call why(parameter) on a parameter whose gradient is NaN or infinite."
        if self.verdict == "no gradient":
            return "no gradient: every gradient is 0. Call why(parameter) to find the cause."
        if len(self.layers) == 1:
            return f"{self.verdict}: with one layer there is nothing to vanish or explode through."
        factor, per_layer = TEXT.number(self.factor, _DIGITS).text, TEXT.number(self.per_layer, _DIGITS).text
        mantissa, exponent = math.frexp(self.factor)
        if mantissa == 0.5 and abs(exponent) > 10:
            factor += f" (2{superscript(exponent - 1)})"
        return (
            f"{self.verdict}: from the last layer back to the first, the mean |gradient| is multiplied by "
            f"{factor}, which is {per_layer} per layer."
        )

    @cached_property
    def text(self) -> str:
        """The report as text."""
        rows = [_HEADS, *self._rows]
        table = aligned(rows, ["left", *["right"] * (len(_HEADS) - 1)], gap=" ")
        return "\n".join([*table, _NOTE, *textwrap.wrap(self._conclusion, _COLUMNS)])

    @cached_property
    def html(self) -> str:
        """The report as HTML."""
        return f"{html_table(_HEADS, self._rows)}<p>{escape(self._conclusion)}</p>"


_HEADS = ("layer", "params", "|∇| min", "¼", "½", "¾", "max", "dead", "sat.", "step/w")
_NOTE = "|∇|: quartiles; dead, sat(urated): share of units; step/w: ‖lr·∇‖ / ‖w‖"
_COLUMNS = 80


def gradient_report(model: Module, lr: float = 0.1) -> GradientReport:
    """Return a report on the gradients of a model's parameters, layer by layer, after a backward pass.

    Gradients vanish or explode on the way back if the mean |gradient| of the first layer is below 10⁻³ or
    above 10³ times that of the last. Shares of dead and saturated units come from the graph of the last
    backward pass if its root is alive. `lr` is the step size of the update that is compared with the weights;
    a ratio of about 10⁻³ is usual (document 000, equation 14).

    Raises `TypeError` if `model` is not a Module. Raises `ValueError` if it has no parameters, or if no
    backward pass has reached any of them.
    """
    if not isinstance(model, Module):
        raise TypeError(f"gradient_report takes a Module, got {type(model).__name__} {model!r:.60}")
    groups: dict[str, list[_Parameter]] = {}
    for value, path in find_parameters(model).items():
        layer, neuron = _place(model, path)
        groups.setdefault(layer, []).append(_Parameter(value, neuron))
    if not groups:
        raise ValueError(f"{model!r} has no parameters to report on")
    everything = [parameter.value for group in groups.values() for parameter in group]
    if not any(value.reached for value in everything):
        raise ValueError("no parameter has a gradient: call loss.backward() before gradient_report()")
    made_from = consumers(_last_graph({*everything}))
    return GradientReport([_report(name, group, made_from, lr) for name, group in groups.items()])


class _Parameter(NamedTuple):
    value: Value
    neuron: Neuron | None


def _place(model: Module, path: KeyPath) -> tuple[str, Neuron | None]:
    """Return the name of the layer that a parameter belongs to, and its neuron.

    The layer is the `Layer` around it, else the `Neuron`, else the list of parameters that it is in, else the
    parameter itself.
    """
    keys = path_keys(path)
    part: Any = model
    neuron, layer = None, None
    for k in range(len(keys)):
        if isinstance(part, Neuron):
            neuron = part
        if layer is None and isinstance(part, Layer | Neuron):
            layer = ".".join(map(str, keys[:k])) or "layer"
        part = vars(part)[keys[k]] if isinstance(part, Module) else part[keys[k]]
    while len(keys) > 1 and isinstance(keys[-1], int):
        keys.pop()
    return layer or ".".join(map(str, keys)), neuron


def _last_graph(parameters: set[Value]) -> list[Value]:
    """Return the nodes of the last backward pass that reached the parameters, if its root is alive."""
    for ran in reversed(passes(alive())):
        order = [] if ran.root is None else topological_order(ran.root)
        if not parameters.isdisjoint(order):
            return order
    return []


def _report(
    name: str, group: list[_Parameter], made_from: dict[Value, list[Value]], lr: float
) -> LayerReport:
    gradients = [parameter.value.grad for parameter in group]
    sizes = sorted(map(abs, gradients))
    if not all(map(math.isfinite, sizes)):
        spread = [math.nan] * 5
    else:
        inner = quantiles(sizes, n=4, method="inclusive") if len(sizes) > 1 else sizes * 3
        spread = [sizes[0], *inner, sizes[-1]]
    # The nodes of a neuron are found from its first weight.
    neurons = {
        parameter.neuron: parameter.value for parameter in reversed(group) if parameter.neuron is not None
    }
    units = [slopes for pair in neurons.items() if (slopes := _slopes(*pair, made_from))]
    weight, step = math.hypot(*[parameter.value.data for parameter in group]), lr * math.hypot(*gradients)
    return LayerReport(
        name,
        len(group),
        (spread[0], spread[1], spread[2], spread[3], spread[4]),
        math.fsum(sizes) / len(sizes) if math.isfinite(spread[0]) else math.nan,
        _share([all(slope == 0.0 for _, slope in slopes) for slopes in units]),
        _share([sum([_saturated(*each) for each in slopes]) >= len(slopes) / 2.0 for slopes in units]),
        step / weight if weight else None,
    )


def _slopes(
    neuron: Neuron, weight: Value, made_from: dict[Value, list[Value]]
) -> list[tuple[Primitive, float]]:
    """Return the neuron's activation and φ′(z) at each example; nothing if the activation is not a row."""
    return [
        (unit.primitive, unit.partials[0] or 0.0)
        for z in made_from.get(weight, ())
        for unit in made_from.get(z, ())
        if unit.primitive is not None and unit.primitive.name == neuron.activation
    ]


def _saturated(activation: Primitive, slope: float) -> bool:
    if activation.arity != 1:
        return False
    try:
        (at_zero,) = activation.rule_on_floats(activation.forward(0.0), 0.0)
    except (ArithmeticError, ValueError):  # there is no slope at 0 to compare with
        return False
    return bool(math.isfinite(at_zero) and abs(slope) < SATURATED * abs(at_zero))


def _share(which: list[bool]) -> float | None:
    return sum(which) / len(which) if which else None
