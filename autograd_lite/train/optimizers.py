"""Optimizers: gradient descent, with momentum, and Adam.

Parameters with gradients go in; the same parameters come out, moved by a step. Next door: `fit` takes steps
for a model and data (`fit.py`), `minimize` for a function of numbers (`minimize.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value


def positive(number: float, what: str) -> float:
    """Return `number` as a float. Raises `ValueError`, naming `what`, unless it is positive and finite."""
    number = real(number, what)
    if not 0.0 < number < math.inf:
        raise ValueError(f"{what} must be a positive number, got {number!r}")
    return number


def _between_0_and_1(number: float, what: str) -> float:
    number = real(number, what)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{what} must be at least 0 and below 1, got {number!r}")
    return number


class Optimizer:
    """The base of all optimizers: ``parameters``, the step size ``lr``, and the step.

    A subclass lists in ``remembers`` the numbers that it keeps about each parameter, which start at 0. It
    defines ``update(x, g, *memory)``, which returns the new data and the new memory.

    Raises `ValueError` if there are no parameters, if one is listed twice or was made by an operation, or if
    the step size is not positive. Raises `TypeError` if one is not a Value.
    """

    remembers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Iterable[Value], lr: float) -> None:
        if not isinstance(parameters, Iterable):
            raise TypeError(
                f"parameters must be a list of Values, as model.parameters() gives, got {parameters!r}"
            )
        self.parameters = list(parameters)
        self.lr = positive(lr, "lr")
        for i, x in enumerate(self.parameters):
            if not isinstance(x, Value):
                raise TypeError(f"parameter {i} must be a Value, got {type(x).__name__} {x!r}")
            if x.primitive is not None:
                raise ValueError(f"parameter {i} was made by {x.primitive.name}: only leaves can be moved")
        if not self.parameters:
            raise ValueError("there are no parameters to optimize")
        if len(set(self.parameters)) < len(self.parameters):  # a Value's hash is its identity
            raise ValueError("a parameter is listed twice: it would be moved twice in a step")
        self._memory = [(0.0,) * len(self.remembers) for _ in self.parameters]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if "lr" in state:  # a pickle of version 0.1, in which it was a plain attribute
            self.lr = self.__dict__.pop("lr")

    @property
    def lr(self) -> float:
        """The step size. It may be set between steps."""
        return self._lr

    @lr.setter
    def lr(self, size: float) -> None:
        self._lr = real(size, "lr")

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """Return the new data for the data `x` and the gradient `g`, followed by the new memory."""
        raise NotImplementedError

    def step(self) -> None:
        """Move every parameter by its ``grad``, all of them from the old values.

        A parameter whose ``grad`` is None stays where it is and keeps its memory. Raises `ValueError` if this
        holds for all of them. Raises `FloatingPointError`, and changes nothing, if a parameter or its memory
        would become infinite or NaN (document 000, equation 12).
        """
        moved = [
            (i, x, self.update(x.data, g, *self._memory[i]))
            for i, x in enumerate(self.parameters)
            if (g := x.grad) is not None
        ]
        if not moved:
            raise ValueError("no parameter has a gradient: call loss.backward() before step()")
        finite = math.isfinite(sum([sum(new) for _, _, new in moved]))  # if the sum is, so is each number
        for i, x, new in () if finite else moved:
            if not all(map(math.isfinite, new)):
                raise FloatingPointError(
                    f"the step of parameter {i} ({x!r}) is not finite: "
                    f"try a smaller loss, or a step size below {self.lr!r}"
                )
        for i, x, (data, *memory) in moved:
            x.data = data
            self._memory[i] = tuple(memory)

    def zero_grad(self) -> None:
        """Set ``grad`` of every parameter to None."""
        for x in self.parameters:
            x.grad = None


class GradientDescent(Optimizer):
    """Gradient descent: x ← x − lr · g for each parameter x with gradient g.

    Raises as `Optimizer` does (document 000, equation 5; document 001, equation 3; document 003, equation 1).

    >>> x = Value(6.0)
    >>> (x**4 - 3.0 * x**3).backward()
    >>> GradientDescent([x], lr=0.01).step()
    >>> round(x, 12)
    0.6
    """

    def __init__(self, parameters: Iterable[Value], lr: float = 0.1) -> None:
        super().__init__(parameters, lr)

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """Return x − lr · g."""
        return (x - self._lr * g,)


class Momentum(Optimizer):
    """Gradient descent with momentum: v ← momentum · v + g, then x ← x − lr · v, starting at v = 0.

    This is the heavy ball of Polyak (1964). Raises as `Optimizer` does, and `ValueError` unless
    0 ≤ momentum < 1.
    """

    remembers = ("v",)

    def __init__(self, parameters: Iterable[Value], lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(parameters, lr)
        self.momentum = _between_0_and_1(momentum, "momentum")

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """Return x − lr · v with the new velocity v, and v."""
        (v,) = memory
        v = self.momentum * v + g
        return x - self._lr * v, v


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

    t ← t + 1, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², starting at t = m = v = 0 for each parameter;
    x ← x − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps).

    This is algorithm 1 of Kingma and Ba (2015). Raises as `Optimizer` does, and `ValueError` unless
    0 ≤ β₁, β₂ < 1 and eps > 0.
    """

    remembers = ("t", "m", "v")

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr)
        beta1, beta2 = betas
        self.betas = _between_0_and_1(beta1, "betas[0]"), _between_0_and_1(beta2, "betas[1]")
        self.eps = positive(eps, "eps")

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """Return the new x, t, m and v."""
        t, m, v = memory
        beta1, beta2 = self.betas
        t += 1.0
        m = beta1 * m + (1.0 - beta1) * g
        v = beta2 * v + (1.0 - beta2) * g * g
        step = m / (1.0 - beta1**t) / (math.sqrt(v / (1.0 - beta2**t)) + self.eps)
        return x - self.lr * step, t, m, v
