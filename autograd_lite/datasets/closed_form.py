"""The gradient of a model's loss in closed form, as an independent check of the engine.

`closed_form` is plain arithmetic on floats: it builds no graph. The slopes of activations come from the table
of rules, which holds each derivative once. Next door: `classifier.py`, `regressor.py`.
"""

from __future__ import annotations

import math
from operator import mul, sub
from typing import TypeAlias

from autograd_lite.core.primitive import TABLE
from autograd_lite.core.rules import sigmoid
from autograd_lite.datasets.encoding import Examples
from autograd_lite.datasets.predictor import Predictor
from autograd_lite.nn import MLP

MOST = 1_000_000  # derivatives, of all parameters by each example: some seconds

Vector: TypeAlias = list[float]
Matrix: TypeAlias = list[Vector]


def gradient_check(model: Predictor, examples: Examples) -> tuple[float, float]:
    """Return how far the engine's gradient of the summed loss is from the closed form, and its largest entry.

    Both are largest magnitudes over all weights and biases. The gradients stay in the parameters' ``grad``.
    Of a large network only the first examples are used: as many as `MOST` derivatives allow, at least one.
    """
    parameters = model.network.parameters()
    examples = examples[: max(1, MOST // len(parameters))]
    model.network.zero_grad()
    for x, label in examples:
        model.loss(model.scores(x), label).backward()
    engine = [parameter.grad for parameter in parameters]
    exact = closed_form(model.network, examples, model.task)
    return max(map(abs, map(sub, engine, exact))), max(map(abs, exact))


def closed_form(network: MLP, examples: Examples, task: str = "classification") -> Vector:
    """Return the derivatives of the summed loss, in the order of the network's parameters.

    A layer takes x and gives the scores y = W·x + b; G is ∂loss/∂y. At the last layer G = P − onehot(label)
    (document 001, equation 5), or for a single score G = ŷ − label (document 000, equation 9); ŷ is σ of the
    score, and in a regression the score itself (document 002, equation 6). In each layer dW = G·xᵀ (document
    001, equation 8) and db = G (document 001, equation 2). For the layer below, at any depth,
    G = (Wᵀ·G) ⊙ φ′(y) (document 001, equations 11 and 13).
    """
    W = [[[w.data for w in neuron.w] for neuron in layer.neurons] for layer in network.layers]
    b = [[0.0 if neuron.b is None else neuron.b.data for neuron in layer.neurons] for layer in network.layers]
    activations = [str(layer.neurons[0].activation) for layer in network.layers[:-1]]
    gradient = [[[0.0] * (len(row) + 1) for row in rows] for rows in W]  # of each row of W, then of its b
    for x, label in examples:
        inputs, slopes = [x], []
        for rows, biases, activation in zip(W, b, activations, strict=False):
            x, slope = _activated(_scores(rows, inputs[-1], biases), activation)
            inputs.append(x)
            slopes.append(slope)
        G = _loss_gradient(_scores(W[-1], inputs[-1], b[-1]), label, task)
        for k in reversed(range(len(W))):
            for row, g in zip(gradient[k], G, strict=True):
                row[:] = [total + g * x_j for total, x_j in zip(row, [*inputs[k], 1.0], strict=True)]
            if k > 0:
                back = [math.fsum(map(mul, column, G)) for column in zip(*W[k], strict=True)]
                G = list(map(mul, back, slopes[k - 1]))
    return [derivative for rows in gradient for row in rows for derivative in row]


def _scores(W: Matrix, x: Vector, b: Vector) -> Vector:
    return [math.fsum(map(mul, row, x)) + b_i for row, b_i in zip(W, b, strict=True)]


def _activated(y: Vector, activation: str) -> tuple[Vector, Vector]:
    """Return φ(y) and φ′(y), entry by entry."""
    phi = TABLE[activation]
    operands = [phi.arguments(y_i) if phi.arguments else (y_i,) for y_i in y]
    values = [phi.forward(*numbers) for numbers in operands]
    slopes = [phi.rule_on_floats(value, *numbers)[0] for value, numbers in zip(values, operands, strict=True)]
    return values, slopes


def _loss_gradient(scores: Vector, label: float, task: str) -> Vector:
    """Return ∂loss/∂scores of one example."""
    if task == "regression":
        return [scores[0] - label]
    if len(scores) == 1:
        return [sigmoid(scores[0]) - label]
    e = [math.exp(score - max(scores)) for score in scores]
    return [e_j / math.fsum(e) - (j == label) for j, e_j in enumerate(e)]
