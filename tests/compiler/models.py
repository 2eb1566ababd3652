"""Small models and their losses."""

import random

import numpy as np

from autograd_lite import nn, relu


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
