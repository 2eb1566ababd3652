"""A GPT of scalars: token and position embeddings, RMSNorm, causal attention, an MLP, cross-entropy.

It is written one number at a time, as a person writes it who wants to see how it works. Lists are vectors,
lists of lists are matrices. A document is a list of tokens that begins and ends with the same mark.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from autograd_lite import Embedding, Module, Value, cross_entropy, dot, exp, mean, relu, square
from autograd_lite import sum as total

Vector = list[Any]
Matrix = list[list[Value]]


def plain_dot(w: Sequence[Any], x: Sequence[Any]) -> Any:
    """The same as `dot`, with Python's own sum, whose terms are nodes of their own."""
    return sum(wi * xi for wi, xi in zip(w, x, strict=True))


def rms_norm(x: Vector) -> Vector:
    scale = (mean([square(xi) for xi in x]) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def softmax(scores: Vector) -> Vector:
    exps = [exp(score) for score in scores]
    norm = total(exps)
    return [e / norm for e in exps]


class Block(Module):
    """Attention to the positions so far, then an MLP; both add to what comes in."""

    def __init__(self, width: int, heads: int, matrix: Callable[[int, int], Matrix], product: Any) -> None:
        self.heads, self._product = heads, product
        self.query, self.key, self.value, self.out = (matrix(width, width) for _ in range(4))
        self.up, self.down = matrix(4 * width, width), matrix(width, 4 * width)

    def times(self, w: Matrix, x: Vector) -> Vector:
        return [self._product(row, x) for row in w]

    def __call__(self, x: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
        normal = rms_norm(x)
        query = self.times(self.query, normal)
        keys.append(self.times(self.key, normal))
        values.append(self.times(self.value, normal))
        attended, size = [], len(x) // self.heads
        for first in range(0, len(x), size):
            part = slice(first, first + size)
            scores = [self._product(query[part], key[part]) / size**0.5 for key in keys]
            weights = softmax(scores)
            attended += [self._product(weights, [v[i] for v in values]) for i in range(first, first + size)]
        x = [a + b for a, b in zip(x, self.times(self.out, attended), strict=True)]
        hidden = [relu(z) for z in self.times(self.up, rms_norm(x))]
        return [a + b for a, b in zip(x, self.times(self.down, hidden), strict=True)]


class GPT(Module):
    """``model(tokens)`` returns for each token the scores of the next one."""

    def __init__(
        self, letters: int = 27, width: int = 16, heads: int = 4, layers: int = 1, length: int = 16,
        rng: int = 0, product: Any = dot,
    ) -> None:  # fmt: skip
        choose = random.Random(rng)

        def matrix(outputs: int, inputs: int) -> Matrix:
            return [[Value(choose.gauss(0.0, 0.08)) for _ in range(inputs)] for _ in range(outputs)]

        def normal(rng: random.Random, count: int, size: int) -> float:
            return rng.gauss(0.0, 0.08)

        self.letters = Embedding(letters, width, init=normal, rng=choose)
        self.places = Embedding(length, width, init=normal, rng=choose)
        self.blocks = [Block(width, heads, matrix, product) for _ in range(layers)]
        self.scores, self._product = matrix(letters, width), product

    def __call__(self, tokens: Sequence[int]) -> list[Vector]:
        past: list[tuple[list[Vector], list[Vector]]] = [([], []) for _ in self.blocks]
        scores = []
        for place, token in enumerate(tokens):
            x = [a + b for a, b in zip(self.letters(token), self.places(place), strict=True)]
            x = rms_norm(x)
            for block, (keys, values) in zip(self.blocks, past, strict=True):
                x = block(x, keys, values)
            scores.append([self._product(row, x) for row in self.scores])
        return scores

    def loss(self, document: Sequence[int]) -> Any:
        """Return the mean cross-entropy of each token, given those before it."""
        return cross_entropy(self(document[:-1]), [*document[1:]], "mean")
