"""Small models and their losses."""

import random

import numpy as np

import autograd_lite as ag
from autograd_lite import Value, nn, relu, tanh
from autograd_lite.compiler.loops.grouping import LOOP


def demo(seed=1, sizes=(16, 16, 1)):
    random.seed(seed)
    model = nn.MLP(2, list(sizes))
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0.0, 1.0, -1.0)
    return model, X, y


def demo_without_numpy():
    choose = random.Random(0)
    X = [[choose.uniform(-1.0, 1.0) for _ in range(2)] for _ in range(12)]
    return nn.MLP(2, [4, 1], rng=0), X, [1.0 if a > b else -1.0 for a, b in X]


def hinge(model):
    return lambda x, y: relu(1.0 - y * model(x))


def by_hand(model, choose):
    """The network written as loops over sums, neurons, inputs and terms in an order of their own."""
    orders = [(choose.sample(layer.neurons, len(layer.neurons)), None) for layer in model.layers]
    terms = [[*range(len(layer.neurons[0].w))] for layer in model.layers]
    for order in terms:
        if len(order) >= LOOP:  # fewer terms are added up in the order in which they are written
            choose.shuffle(order)

    def network(x):
        for k, (layer, (shuffled, _), order) in enumerate(zip(model.layers, orders, terms, strict=True)):
            found = {}
            for neuron in shuffled:
                z = neuron.b
                for i in order:
                    z = z + neuron.w[i] * x[i]
                found[neuron] = relu(z) if k < 2 else z
            x = [found[neuron] for neuron in layer.neurons]
        return x[0]

    return network


def batches():
    """Losses of whole batches, and whether their samples can be told apart."""
    model, X, y = demo()
    samples = [(x, t, by_hand(model, random.Random(0))(x)) for x, t in zip(X[:20].tolist(), y, strict=False)]
    w = [Value(0.1 * k) for k in range(20)]
    parameters = model.parameters()

    def total(part):
        return sum((part(*sample) for sample in samples), 0.0)

    loss = total(lambda x, t, z: relu(1.0 - t * z))
    penalty = sum((p * p for p in parameters), 0.0)
    yield "a mean", loss * 0.05, True
    yield "a penalty", loss * 0.05 + 1e-4 * penalty, True
    yield "a penalty of its own kind", loss + ag.sqrt(penalty), True
    yield "two terms for each sample", total(lambda x, t, z: ag.square(z - t) + ag.exp(z - 2.0) * x[0]), True
    heads = [by_hand(nn.MLP(2, [5, 1], rng=k), random.Random(k)) for k in range(3)]
    outputs = [([head(x) for head in heads], [t, x[0], x[1]]) for x, t, _ in samples]
    squares = [ag.square(z - t) for zs, ts in outputs for z, t in zip(zs, ts, strict=True)]
    yield "a network of several outputs", ag.sum(squares), True
    several = nn.MLP(2, [5, 3], rng=1)
    errors = [ag.square(z - t) for x, t, _ in samples for z in several(x)]
    yield "inputs that are leaves", ag.sum(errors), True
    shuffled = [relu(1.0 - t * by_hand(model, random.Random(i))(x)) for i, (x, t, _) in enumerate(samples)]
    yield "each in an order of its own", ag.sum(shuffled), True
    yield "softmax", ag.mean([ag.softmax_cross_entropy(zs, int(ts[0] > 0)) for zs, ts in outputs]), False
    yield "the data alone", total(lambda x, t, z: z * t), True
    yield "a function of the sum", ag.log(1.0 + total(lambda x, t, z: tanh(z) ** 2)), False
    yield (
        "a parameter for each sample",
        sum((relu(wi - z) for wi, (_, _, z) in zip(w, samples, strict=True)), 0.0),
        False,
    )
    yield "one sample unlike the others", loss + ag.sin(samples[3][2]), False
    yield "a product over them", ag.prod([ag.sigmoid(z) for _, _, z in samples]), False
