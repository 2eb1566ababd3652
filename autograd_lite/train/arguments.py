"""The arguments of `fit`: losses and optimizers by name, and the batches of an epoch.

Whatever a user gives goes in; a loss, an optimizer and batches come out, or one sentence says what is wrong.
Next door: `fit.py` is the loop, `steps.py` reads the examples.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from operator import mul

from autograd_lite.core.numbers import whole
from autograd_lite.nn.losses import LOSSES
from autograd_lite.nn.modules import Module
from autograd_lite.train.compiled import Loss, Model, Work
from autograd_lite.train.optimizers import OPTIMIZERS, Optimizer, Rate


def chosen_loss(loss: Loss | str) -> Loss:
    """Return a loss function, by its name or as it is. Raises `ValueError` or `TypeError` for another."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(
                f"unknown loss {loss!r}: the names are {', '.join(LOSSES)}, or give a function of an output "
                "and a target"
            )
        return LOSSES[loss]
    if not callable(loss):
        raise TypeError(
            "loss must be a function of an output and a target, or a name such as 'mse', "
            f"got {type(loss).__name__} {loss!r:.60}"
        )
    return loss


def chosen_optimizer(optimizer: Optimizer | str, model: Model, lr: Rate | None) -> Optimizer:
    """Return an optimizer: the one that was given, or a new one by its name for the model's parameters.

    Raises `ValueError` or `TypeError` if it is neither, or moves no parameter of the model.
    """
    if isinstance(optimizer, Optimizer):
        if lr is not None:
            raise TypeError(f"lr belongs to an optimizer given by name: set the lr of {optimizer!r} itself")
        if isinstance(model, Module) and not {*model.parameters()} & {*optimizer.parameters}:
            raise ValueError(
                f"{optimizer!r} moves no parameter of {model!r}: make it from model.parameters()"
            )
        return optimizer
    if not isinstance(optimizer, str):
        got = f"{type(optimizer).__name__} {optimizer!r:.60}"
        if isinstance(optimizer, type):
            got = f"the class {optimizer.__name__}: write {optimizer.__name__}(model.parameters())"
        raise TypeError(f"optimizer must be an Optimizer or a name such as 'adam', got {got}")
    if optimizer.lower() not in OPTIMIZERS:
        raise ValueError(
            f"unknown optimizer {optimizer!r}: the names are {', '.join(OPTIMIZERS)}, or give an Optimizer"
        )
    if not hasattr(model, "parameters"):
        raise TypeError(
            f"optimizer={optimizer!r} moves model.parameters(), but {model!r:.60} has none: give an Optimizer"
        )
    kind = OPTIMIZERS[optimizer.lower()]
    return kind(model.parameters()) if lr is None else kind(model.parameters(), lr)


class Batches:
    """The numbers of the examples in each batch of an epoch; None stands for all of them, in their order."""

    def __init__(self, m: int, size: int | None, shuffle: bool, seed: int | None) -> None:
        self.m = m
        self.size = None if size is None else whole(size, "batch_size")
        self.shuffle = shuffle
        self.generator = random.Random(seed)
        self.order = list(range(m))

    def __len__(self) -> int:
        return 1 if self.size is None else math.ceil(self.m / self.size)

    def __iter__(self) -> Iterator[list[int] | None]:
        if self.size is None:
            yield None
            return
        if self.shuffle:
            self.generator.shuffle(self.order)
        for start in range(0, self.m, self.size):
            yield self.order[start : start + self.size]

    def work(self, epochs: int) -> Work:
        """Return the number of steps, and of the examples in them, that so many epochs take."""
        return Work(whole(epochs, "epochs") * len(self), epochs * self.m)

    def mean(self, means: list[float]) -> float:
        """Return the mean over the examples of an epoch, from the means of its batches."""
        if self.size is None:
            return means[0]
        sizes = [min(self.size, self.m - start) for start in range(0, self.m, self.size)]
        return math.fsum(map(mul, means, sizes)) / self.m
