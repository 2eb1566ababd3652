"""`GPT`: a language model written one number at a time, for whoever wants to see how it works.

Tokens, the numbers of characters, go in; the scores of the token that follows each come out. Lists are
vectors, lists of lists are matrices. `jit(model.loss)` runs it as machine code. Next door: `layers.py` has
`Embedding`, `losses.py` the cross-entropy; the command `gpt` trains a model on the lines of a file.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeAlias

from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import whole
from autograd_lite.core.rules import dot, exp, mean, relu, square
from autograd_lite.core.rules import sum as total
from autograd_lite.core.value import Value
from autograd_lite.nn.files import Document
from autograd_lite.nn.layers import Embedding
from autograd_lite.nn.losses import cross_entropy, softmax
from autograd_lite.nn.modules import Module

Scalar: TypeAlias = Any  # a Value, or the tracer that stands for one
Vector: TypeAlias = list[Scalar]
Matrix: TypeAlias = list[list[Value]]
Past: TypeAlias = list[tuple[list[Vector], list[Vector]]]  # of each block, the keys and the values so far

SPREAD = 0.08  # the standard deviation of the first weights


def rms_norm(x: Vector) -> Vector:
    """Return `x` divided by the root of the mean of its squares."""
    scale = (mean([square(xi) for xi in x]) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def times(w: Matrix, x: Vector) -> Vector:
    """Return the product of a matrix and a vector."""
    return [dot(row, x) for row in w]


def shares(scores: Vector) -> Vector:
    """Return the softmax of scores that are small: those of attention, whose inputs are normalised."""
    exps = [exp(score) for score in scores]
    norm = total(exps)
    return [e / norm for e in exps]


class Block(Module):
    """Attention to the positions so far, then an MLP; both add to what comes in."""

    def __init__(self, width: int, heads: int, rng: random.Random) -> None:
        self.heads = heads
        self.query, self.key, self.value, self.out = (_matrix(width, width, rng) for _ in range(4))
        self.up, self.down = _matrix(4 * width, width, rng), _matrix(width, 4 * width, rng)

    def after(self, x: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
        """Return the vector that replaces `x`; append its key and its value to those of earlier positions."""
        normal = rms_norm(x)
        query = times(self.query, normal)
        keys.append(times(self.key, normal))
        values.append(times(self.value, normal))
        attended, size = [], len(x) // self.heads
        for first in range(0, len(x), size):
            head = slice(first, first + size)
            weights = shares([dot(query[head], key[head]) / size**0.5 for key in keys])
            attended += [dot(weights, [value[i] for value in values]) for i in range(first, first + size)]
        x = [a + b for a, b in zip(x, times(self.out, attended), strict=True)]
        hidden = [relu(z) for z in times(self.up, rms_norm(x))]
        return [a + b for a, b in zip(x, times(self.down, hidden), strict=True)]


class GPT(Module):
    """A transformer for `tokens` kinds of token; ``model(tokens)`` returns for each the scores of the next.

    Embeddings of the token and of its position are added and go through `layers` blocks, each of causal
    attention with `heads` heads and an MLP with relu. Vectors have `width` numbers, and are divided by the
    root of their mean square on the way. A document is a list of at most `length` + 1 tokens that begins and
    ends with the same mark, a token, too. `rng` draws the first weights: a seed, or a `random.Random`. Raises
    `ValueError` for a size below 1, or if the heads do not divide the width.

    >>> model = GPT(3, width=4, heads=2, length=8, rng=0)
    >>> model, len(model([2, 0, 1]))
    (<GPT with 248 parameters>, 3)
    """

    def __init__(
        self,
        tokens: int,
        *,
        width: int = 16,
        heads: int = 4,
        layers: int = 1,
        length: int = 16,
        rng: random.Random | int | None = None,
    ) -> None:
        tokens, width = whole(tokens, "the number of tokens"), whole(width, "the width")
        heads, length = whole(heads, "the number of heads"), whole(length, "the length")
        if width % heads:
            raise ValueError(f"{heads} heads cannot share a width of {width}: it must be a multiple of them")
        rng = rng if isinstance(rng, random.Random) else random.Random(rng)
        self.letters = Embedding(tokens, width, init=_normal, rng=rng)
        self.places = Embedding(length, width, init=_normal, rng=rng)
        self.blocks = [Block(width, heads, rng) for _ in range(whole(layers, "the number of layers"))]
        self.scores = _matrix(tokens, width, rng)

    @property
    def architecture(self) -> Document:
        """The arguments that build a model of this shape: ``GPT(**model.architecture)``."""
        return {
            "tokens": len(self.scores),
            "width": len(self.scores[0]),
            "heads": self.blocks[0].heads,
            "layers": len(self.blocks),
            "length": len(self.places.w),
        }

    def __call__(self, tokens: Sequence[int]) -> list[Vector]:
        """Return for each token the scores of the one that follows, given those up to there."""
        past = self._nothing()
        return [self._after(token, place, past) for place, token in enumerate(tokens)]

    def loss(self, document: Sequence[int]) -> Scalar:
        """Return the mean cross-entropy of each token of a document, given those before it."""
        return cross_entropy(self(document[:-1]), [*document[1:]], "mean")

    def sample(
        self, mark: int, temperature: float = 1.0, rng: random.Random | int | None = None
    ) -> list[int]:
        """Return the tokens of a new document, without the marks around them; `length` tokens at most.

        Each is drawn by the softmax of the scores / `temperature`: below 1, likely tokens become likelier.
        """
        rng = rng if isinstance(rng, random.Random) else random.Random(rng)
        past, token, found = self._nothing(), mark, list[int]()
        with no_grad():
            for place in range(len(self.places.w)):
                scores = [score.data / temperature for score in self._after(token, place, past)]
                (token,) = rng.choices(range(len(scores)), softmax(scores))
                if token == mark:
                    break
                found.append(token)
        return found

    def _nothing(self) -> Past:
        return [([], []) for _ in self.blocks]

    def _after(self, token: int, place: int, past: Past) -> Vector:
        """Return the scores of the token after this one, and add this one to the past."""
        x = rms_norm([a + b for a, b in zip(self.letters(token), self.places(place), strict=True)])
        for block, (keys, values) in zip(self.blocks, past, strict=True):
            x = block.after(x, keys, values)
        return times(self.scores, x)


def _normal(rng: random.Random, inputs: int, outputs: int) -> float:
    return rng.gauss(0.0, SPREAD)


def _matrix(outputs: int, inputs: int, rng: random.Random) -> Matrix:
    return [[Value(_normal(rng, inputs, outputs)) for _ in range(inputs)] for _ in range(outputs)]
