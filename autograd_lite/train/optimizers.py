"""Optimizers: gradient descent, with momentum, Adam and AdamW.

Parameters with gradients go in; the same parameters come out, moved by a step. Each update rule stands once,
as a function of the numbers of one parameter. Next door: `fit` takes steps for a model and data (`fit.py`),
`minimize` for a function of numbers (`minimize.py`); `schedules.py` has step sizes that change on the way.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeAlias

from autograd_lite.core.numbers import real
from autograd_lite.core.rules import sqrt
from autograd_lite.core.value import Value

Scalar: TypeAlias = Any  # a float, or what stands for one while a rule is traced
Schedule: TypeAlias = Callable[[int], float]  # from the number of the step, counted from 0, to its size
Rate: TypeAlias = float | Schedule


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


def not_negative(number: float, what: str) -> float:
    """Return `number` as a float. Raises `ValueError`, naming `what`, unless it is at least 0 and finite."""
    number = real(number, what)
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{what} must be at least 0 and finite, got {number!r}")
    return number


# --- The update rules ------------------------------------------------------------------------------


def heavy_ball(x: Scalar, g: Scalar, v: Scalar, lr: Scalar, momentum: Scalar) -> tuple[Scalar, ...]:
    """Return the new x and v: v ← momentum · v + g, x ← x − lr · v."""
    v = momentum * v + g
    return x - lr * v, v


def adam(
    x: Scalar,
    g: Scalar,
    t: Scalar,
    m: Scalar,
    v: Scalar,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    sqrt: Callable[[Scalar], Scalar] = math.sqrt,
) -> tuple[Scalar, ...]:
    """Return the new x, t, m and v (the formulas stand in `Adam`); `sqrt` is that of `math` or the row."""
    t = t + 1.0
    m = beta1 * m + (1.0 - beta1) * g
    v = beta2 * v + (1.0 - beta2) * g * g
    step = m / (1.0 - beta1**t) / (sqrt(v / (1.0 - beta2**t)) + eps)
    return x - lr * step, t, m, v


# --- The optimizers --------------------------------------------------------------------------------


class Optimizer:
    """The base of all optimizers: ``parameters``, the step size ``lr``, and the step.

    `lr` is a number or a schedule: a function from the number of the step, counted from 0, to its size, such
    as `CosineDecay`. `weight_decay` λ adds λ · x to the gradient of each parameter x, as a penalty of ½ λ x²
    in the loss would.

    A subclass lists in ``remembers`` the numbers that it keeps about each parameter, which start at 0. It
    defines ``update(x, g, *memory)``, which returns the new data and the new memory. A rule of arithmetic,
    functions of this package and ``self.sqrt`` can be compiled: see `Program.descent`.

    Raises `ValueError` if there are no parameters, if one is listed twice or was made by an operation, or if
    the step size is not positive. Raises `TypeError` if one is not a Value.
    """

    remembers: ClassVar[tuple[str, ...]] = ()
    sqrt: Callable[[Scalar], Scalar] = staticmethod(math.sqrt)  # for `update`: the row while it is traced

    def __init__(self, parameters: Iterable[Value], lr: Rate, weight_decay: float = 0.0) -> None:
        if not isinstance(parameters, Iterable):
            raise TypeError(
                f"parameters must be a list of Values, as model.parameters() gives, got {parameters!r}"
            )
        self.parameters = list(parameters)
        for i, x in enumerate(self.parameters):
            if not isinstance(x, Value):
                raise TypeError(f"parameter {i} must be a Value, got {type(x).__name__} {x!r}")
            if x.primitive is not None:
                raise ValueError(f"parameter {i} was made by {x.primitive.name}: only leaves can be moved")
        if not self.parameters:
            raise ValueError("there are no parameters to optimize")
        if len(set(self.parameters)) < len(self.parameters):  # a Value's hash is its identity
            raise ValueError("a parameter is listed twice: it would be moved twice in a step")
        self.weight_decay = not_negative(weight_decay, "weight_decay")
        self.steps = 0
        self.schedule: Schedule | None = lr if callable(lr) else None
        self.lr = positive(lr(0) if callable(lr) else lr, "lr")
        self._memory = [(0.0,) * len(self.remembers) for _ in self.parameters]

    def __setstate__(self, state: dict[str, Any]) -> None:
        new = {"weight_decay": 0.0, "steps": 0, "schedule": None, "momentum": 0.0}  # since version 0.2
        self.__dict__ |= new | state
        if "lr" in state:  # a pickle of version 0.1, in which it was a plain attribute
            self.lr = self.__dict__.pop("lr")
        self._memory = [memory or (0.0,) * len(self.remembers) for memory in self._memory]

    @property
    def lr(self) -> float:
        """The step size, of the last step if there is a schedule. Without one it may be set between steps."""
        return self._lr

    @lr.setter
    def lr(self, size: float) -> None:
        self._lr = real(size, "lr")

    @property
    def memory(self) -> list[tuple[float, ...]]:
        """What is remembered about each parameter: the numbers that ``remembers`` names."""
        return self._memory

    @memory.setter
    def memory(self, numbers: list[tuple[float, ...]]) -> None:
        self._memory = numbers

    def size(self, step: int) -> float:
        """Return the size of a step, counted from 0."""
        return self._lr if self.schedule is None else not_negative(self.schedule(step), f"lr at step {step}")

    def update(self, x: Scalar, g: Scalar, *memory: Scalar) -> tuple[Scalar, ...]:
        """Return the new data for the data `x` and the gradient `g`, followed by the new memory."""
        raise NotImplementedError

    def _with_decay(self, x: Scalar, g: Scalar, *memory: Scalar) -> tuple[Scalar, ...]:
        return self.update(x, g + self.weight_decay * x, *memory)

    def rule(self, lr: Scalar, x: Scalar, g: Scalar, *memory: Scalar) -> tuple[Scalar, ...]:
        """Return the same as ``update`` for a step of size `lr`, with the weight decay: what is compiled."""
        other = copy.copy(self)
        other._lr, other.sqrt = lr, sqrt
        return (other._with_decay if self.weight_decay else other.update)(x, g, *memory)

    def step(self) -> None:
        """Move every parameter by its ``grad``, all of them from the old values.

        A parameter that no backward pass has reached stays where it is and keeps its memory. Raises
        `ValueError` if this holds for all of them. Raises `FloatingPointError`, and changes nothing, if a
        parameter or its memory would become infinite or NaN (document 000, equation 12).
        """
        self._lr, memories = self.size(self.steps), self._memory
        update = self._with_decay if self.weight_decay else self.update
        moved = [
            (i, x, update(x.data, x.grad, *memories[i])) for i, x in enumerate(self.parameters) if x.reached
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
        for i, x, new in moved:
            x.data = new[0]
            memories[i] = new[1:]
        self.steps += 1

    def zero_grad(self) -> None:
        """Set ``grad`` of every parameter to 0.0, not reached."""
        for x in self.parameters:
            x.grad = None

    def __repr__(self) -> str:
        count = len(self.parameters)
        what = f"{count} parameter{'' if count == 1 else 's'}"
        return f"<{type(self).__name__} of {what}: lr={self.schedule or self.lr!r}, {self.steps} steps taken>"


class GradientDescent(Optimizer):
    """Gradient descent: x ← x − lr · g for each parameter x with gradient g. `SGD` is another name for it.

    With `momentum`, v ← momentum · v + g and x ← x − lr · v, starting at v = 0: the heavy ball of Polyak
    (1964). `lr` and `weight_decay` are those of `Optimizer`. Raises as `Optimizer` does, and `ValueError`
    unless 0 ≤ momentum < 1 (document 000, equation 5; document 001, equation 3; document 003, equation 1).

    >>> x = Value(6.0)
    >>> (x**4 - 3.0 * x**3).backward()
    >>> GradientDescent([x], lr=0.01).step()
    >>> round(x, 12)
    0.6
    """

    remembers = ("v",)

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: Rate = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = _between_0_and_1(momentum, "momentum")

    def update(self, x: Scalar, g: Scalar, *memory: Scalar) -> tuple[Scalar, ...]:
        """Return x − lr · v with the new velocity v, and v."""
        (v,) = memory
        return heavy_ball(x, g, v, self._lr, self.momentum)


SGD = GradientDescent  # its name in PyTorch and Keras


class Momentum(GradientDescent):
    """Gradient descent with a momentum of 0.9, unless told otherwise. Formula and errors stand there."""

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: Rate = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, momentum, weight_decay)


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

    t ← t + 1, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², starting at t = m = v = 0 for each parameter;
    x ← x − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps).

    This is algorithm 1 of Kingma and Ba (2015). `lr` and `weight_decay` are those of `Optimizer`. Raises as
    `Optimizer` does, and `ValueError` unless 0 ≤ β₁, β₂ < 1 and eps > 0.
    """

    remembers = ("t", "m", "v")

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        beta1, beta2 = betas
        self.betas = _between_0_and_1(beta1, "betas[0]"), _between_0_and_1(beta2, "betas[1]")
        self.eps = positive(eps, "eps")

    def update(self, x: Scalar, g: Scalar, *memory: Scalar) -> tuple[Scalar, ...]:
        """Return the new x, t, m and v."""
        t, m, v = memory
        beta1, beta2 = self.betas
        return adam(x, g, t, m, v, self._lr, beta1, beta2, self.eps, self.sqrt)


class AdamW(Adam):
    """Adam with decoupled weight decay: x ← (1 − lr · λ) · x, and then the step of `Adam` from there.

    `weight_decay` λ is not part of the gradient, so the running means do not scale it (Loshchilov and Hutter
    2019, as PyTorch writes it). Raises as `Adam` does.
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps)
        self.decoupled = not_negative(weight_decay, "weight_decay")

    def update(self, x: Scalar, g: Scalar, *memory: Scalar) -> tuple[Scalar, ...]:
        """Return the new x, t, m and v."""
        return super().update((1.0 - self._lr * self.decoupled) * x, g, *memory)


OPTIMIZERS: dict[str, type[GradientDescent | Adam]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "adam": Adam,
    "adamw": AdamW,
}
