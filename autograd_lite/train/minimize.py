"""`minimize`: gradient descent on a function of numbers.

A function and a starting point go in; the path to a minimum comes out. Next door: `fit.py` trains a model on
examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tqdm import tqdm

from autograd_lite.core.numbers import real, whole
from autograd_lite.train.optimizers import positive
from autograd_lite.transforms.derivatives import Function, grad
from autograd_lite.transforms.pytrees import flatten

Point: TypeAlias = Any  # a number, or lists, tuples, dicts and arrays of numbers


@dataclass
class Result:
    """The result of `minimize`.

    ``x`` is the last point, ``path`` the list of all points from the start on, ``steps`` the number of
    gradients taken, and ``converged`` whether the last step was within the precision.
    """

    x: Point
    path: list[Point] = field(repr=False)
    steps: int
    converged: bool


def minimize(
    f: Function,
    start: Point,
    *,
    lr: float = 0.01,
    precision: float = 1e-5,
    max_steps: int = 10_000,
    previous: Point | None = None,
    progress: bool = False,
) -> Result:
    """Minimize `f` by gradient descent from `start`: a number, or lists, tuples, dicts and arrays of numbers.

    x ← x − lr · ∇f(x), until no number in x changes by more than `precision` in a step, or after `max_steps`
    steps. `precision` bounds the last step, not the distance to the minimum. `previous`, a number or a point
    with the containers of `start`, is the point before the start, from which the first change is measured.
    With None the first step is always taken. (The document sets it to 0, and so never leaves a start at 0.)
    `progress` shows a bar on stderr.

    Raises `FloatingPointError`, with the step, if x becomes infinite or NaN. Raises `ValueError` if
    `previous` does not have the containers of `start`, or if a setting is out of range (document 003,
    equation 3).

    >>> result = minimize(lambda x: x**4 - 3.0 * x**3, 6.0, lr=0.01, precision=1e-5, previous=0.0)
    >>> result.steps, round(result.x, 6)
    (70, 2.249965)
    """
    lr, precision = positive(lr, "lr"), real(precision, "precision")
    if not precision >= 0.0:
        raise ValueError(f"precision must be at least 0, got {precision!r}")
    max_steps, gradient = whole(max_steps, "max_steps"), grad(f)
    flat = flatten(start, "start")
    if not flat.leaves:
        raise ValueError(f"start must hold a number to move, got {start!r}")
    x, path, change = flat.leaves, [flat.around(flat.leaves)], math.inf
    if previous is not None:
        given = flatten(previous, "previous")
        if given.paths not in ([""], flat.paths):
            raise ValueError(f"previous must be a number or built like start, {start!r}, got {previous!r}")
        before = given.leaves * len(x) if given.paths == [""] else given.leaves
        change = max([abs(new - old) for new, old in zip(x, before, strict=True)])
    steps = 0
    with tqdm(total=max_steps, disable=not progress, unit="step", leave=False) as bar:
        while change > precision and steps < max_steps:
            slopes = flatten(gradient(path[-1]), "the gradient").leaves
            before, x = x, [xi - lr * slope for xi, slope in zip(x, slopes, strict=True)]
            changes = [abs(new - old) for new, old in zip(x, before, strict=True)]
            path.append(flat.around(x))
            steps += 1
            if not all(each < math.inf for each in changes):  # false for NaN, too
                raise FloatingPointError(
                    f"step {steps} goes from {path[-2]!r} to {path[-1]!r}: try a step size below {lr!r}"
                )
            change = max(changes)
            bar.update()
    return Result(path[-1], path, steps, change <= precision)
