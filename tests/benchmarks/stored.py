"""The GPT of `nn` on two peers, plain-Python engines whose nodes keep closures or their local gradients.

The model is written with the helpers that programs on such engines bring along.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from autograd_lite.nn import GPT
from tests.benchmarks.measuring import timed

TOKENS = [0, 5, 13, 13, 1, 20, 9, 4, 0]


def autograd_lite() -> dict[str, float]:
    model = GPT(27, length=8, rng=0)

    def step() -> float:
        model.zero_grad()
        loss = model.loss(TOKENS)
        loss.backward()
        return float(loss.data)

    assert math.isclose(step(), Step(model)(), rel_tol=1e-9)
    return timed(step)


def stored() -> dict[str, float]:
    return timed(Step(GPT(27, length=8, rng=0)))


def closures() -> dict[str, float]:
    step = Step(GPT(27, length=8, rng=0), Closure)
    assert math.isclose(step(), Step(GPT(27, length=8, rng=0))(), rel_tol=1e-9)
    return timed(step)


class Stored:
    """A node that keeps what it was made from and its derivative with respect to each."""

    __slots__ = ("data", "grad", "local", "operands")

    def __init__(self, data: float, operands: Sequence[Stored] = (), local: Sequence[float] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.operands = operands
        self.local = local

    def __add__(self, other: Any) -> Stored:
        other = other if isinstance(other, Stored) else Stored(other)
        return Stored(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> Stored:
        other = other if isinstance(other, Stored) else Stored(other)
        return Stored(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, power: float) -> Stored:
        return Stored(self.data**power, (self,), (power * self.data ** (power - 1),))

    def exp(self) -> Stored:
        return Stored(math.exp(self.data), (self,), (math.exp(self.data),))

    def log(self) -> Stored:
        return Stored(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> Stored:
        return Stored(max(0.0, self.data), (self,), (float(self.data > 0.0),))

    def __neg__(self) -> Stored:
        return self * -1.0

    def __sub__(self, other: Any) -> Stored:
        return self + (-other)

    def __truediv__(self, other: Any) -> Stored:
        return self * other**-1

    __radd__, __rmul__ = __add__, __mul__

    def backward(self) -> None:
        order: list[Stored] = []
        seen = set()
        stack = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(operand, False) for operand in node.operands]
        self.grad = 1.0
        for node in reversed(order):
            for operand, local in zip(node.operands, node.local, strict=True):
                operand.grad += local * node.grad


class Closure:
    """A node with a closure that adds to the gradients of what it was made from, as in micrograd."""

    def __init__(self, data: float, operands: Sequence[Closure] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._operands = set(operands)
        self._backward: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> Closure:
        other = other if isinstance(other, Closure) else Closure(other)
        out = Closure(self.data + other.data, (self, other))

        def _backward() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other: Any) -> Closure:
        other = other if isinstance(other, Closure) else Closure(other)
        out = Closure(self.data * other.data, (self, other))

        def _backward() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def _of_one(self, data: float, partial: float) -> Closure:
        out = Closure(data, (self,))

        def _backward() -> None:
            self.grad += partial * out.grad

        out._backward = _backward
        return out

    def __pow__(self, power: float) -> Closure:
        return self._of_one(self.data**power, power * self.data ** (power - 1))

    def exp(self) -> Closure:
        return self._of_one(math.exp(self.data), math.exp(self.data))

    def log(self) -> Closure:
        return self._of_one(math.log(self.data), 1 / self.data)

    def relu(self) -> Closure:
        return self._of_one(max(0.0, self.data), float(self.data > 0.0))

    def __neg__(self) -> Closure:
        return self * -1.0

    def __sub__(self, other: Any) -> Closure:
        return self + (-other)

    def __truediv__(self, other: Any) -> Closure:
        return self * other**-1

    __radd__, __rmul__ = __add__, __mul__

    def backward(self) -> None:
        order: list[Closure] = []
        seen = set()
        stack = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(operand, False) for operand in node._operands]
        self.grad = 1.0
        for node in reversed(order):
            node._backward()


def _linear(W: list[Any], x: list[Any]) -> list[Any]:
    return [sum(wi * xi for wi, xi in zip(w, x, strict=True)) for w in W]


def _norm(x: list[Any]) -> list[Any]:
    scale = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def _softmax(scores: list[Any]) -> list[Any]:
    top = max(score.data for score in scores)
    powers = [(score - top).exp() for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def _added(x: list[Any], y: list[Any]) -> list[Any]:
    return [a + b for a, b in zip(x, y, strict=True)]


class Step:
    """A step of training on one document, without the optimizer; a call returns the loss."""

    def __init__(self, model: GPT, kind: type[Stored | Closure] = Stored) -> None:
        [block] = model.blocks
        matrices = (model.letters.w, model.places.w, model.scores)
        matrices += (block.query, block.key, block.value, block.out, block.up, block.down)
        self.matrices = [[[kind(p.data) for p in row] for row in matrix] for matrix in matrices]
        self.heads = block.heads

    def __call__(self) -> float:
        letters, places, scores, query, key, value, out, up, down = self.matrices
        keys: list[Any] = []
        values: list[Any] = []
        losses = []
        for place, (token, label) in enumerate(itertools.pairwise(TOKENS)):
            x = _norm(_added(letters[token], places[place]))
            normal = _norm(x)
            q = _linear(query, normal)
            keys.append(_linear(key, normal))
            values.append(_linear(value, normal))
            attended, size = [], len(x) // self.heads
            for first in range(0, len(x), size):
                part = slice(first, first + size)
                weights = _softmax([_linear([q[part]], k[part])[0] / size**0.5 for k in keys])
                attended += _linear(
                    [list(column) for column in zip(*[v[part] for v in values], strict=True)], weights
                )
            x = _added(x, _linear(out, attended))
            x = _added(x, _linear(down, [z.relu() for z in _linear(up, _norm(x))]))
            losses.append(-_softmax(_linear(scores, x))[label].log())
        loss = sum(losses) * (1.0 / len(losses))
        for matrix in self.matrices:
            for row in matrix:
                for p in row:
                    p.grad = 0.0
        loss.backward()
        return loss.data
