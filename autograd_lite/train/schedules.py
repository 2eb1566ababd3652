"""Schedules: step sizes that change on the way. Give one as ``lr`` to an optimizer, to `fit` or to `descent`.

A schedule is a function from the number of the step, counted from 0, to the step size, so any function of
one number will do; a plain number is the constant schedule. Next door: `optimizers.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from autograd_lite.core.numbers import whole
from autograd_lite.train.optimizers import Rate, not_negative, positive


@dataclass(frozen=True)
class StepDecay:
    """lr · factorᵏ after k times `every` steps: constant for `every` steps, then multiplied by `factor`.

    Raises `ValueError` unless lr > 0, factor > 0 and every ≥ 1.

    >>> schedule = StepDecay(0.1, every=100, factor=0.5)
    >>> schedule(0), schedule(99), schedule(100), schedule(200)
    (0.1, 0.1, 0.05, 0.025)
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        positive(self.lr, "lr")
        positive(self.factor, "factor")
        whole(self.every, "every")

    def __call__(self, step: int) -> float:
        """Return the size of a step, counted from 0."""
        return self.lr * self.factor ** (step // self.every)


@dataclass(frozen=True)
class CosineDecay:
    """end + (lr − end) · (1 + cos(π · t / steps)) / 2 at step t, from `lr` down to `end`, where it stays.

    Raises `ValueError` unless lr > 0, end ≥ 0 and steps ≥ 1 (Loshchilov and Hutter 2017, without restarts).

    >>> schedule = CosineDecay(0.1, steps=100)
    >>> schedule(0), round(schedule(50), 12), schedule(100), schedule(1000)
    (0.1, 0.05, 0.0, 0.0)
    """

    lr: float
    steps: int
    end: float = 0.0

    def __post_init__(self) -> None:
        positive(self.lr, "lr")
        not_negative(self.end, "end")
        whole(self.steps, "steps")

    def __call__(self, step: int) -> float:
        """Return the size of a step, counted from 0."""
        done = min(step / self.steps, 1.0)
        return self.end + (self.lr - self.end) * (1.0 + math.cos(math.pi * done)) / 2.0


@dataclass(frozen=True)
class WarmUp:
    """Grow in equal parts over `steps` steps to the size with which `then` begins, and go on with `then`.

    `then` is a step size or a schedule, whose own steps are counted from the end of the warm-up. Raises
    `ValueError` unless the size is positive and steps ≥ 1.

    >>> schedule = WarmUp(0.1, steps=4)
    >>> schedule(0), schedule(1), schedule(3), schedule(100)
    (0.025, 0.05, 0.1, 0.1)
    """

    then: Rate
    steps: int

    def __post_init__(self) -> None:
        positive(self._then(0), "lr")
        whole(self.steps, "steps")

    def _then(self, step: int) -> float:
        return self.then(step) if callable(self.then) else self.then

    def __call__(self, step: int) -> float:
        """Return the size of a step, counted from 0."""
        if step < self.steps:
            return self._then(0) * (step + 1) / self.steps
        return self._then(step - self.steps)
