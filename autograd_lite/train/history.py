"""`History`, the record of a training, and `Best`, which stops one early and keeps the best weights.

Losses of epochs go in; a line, a plot and the weights of the best epoch come out. Next door: `fit.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from autograd_lite.core.numbers import whole
from autograd_lite.core.value import Value


@dataclass(repr=False)
class History:
    """The result of `fit`: an entry per epoch in ``loss`` and, with validation data, ``validation_loss``.

    ``loss`` is the mean over the epoch's examples, each taken before the step that used it;
    ``validation_loss`` is taken after the epoch. ``steps`` is the number of steps, ``seconds`` the time of
    all of them. ``form`` says what ran them: "machine code", "NumPy" or "Python" for a program, "engine" for
    the graph. ``best_epoch``, counted from 1, is the epoch whose weights `patience` kept. ``plot()`` draws
    the losses, as `plot_loss` does (extra ``viz``).
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    form: str = "engine"
    best_epoch: int | None = None

    plot: ClassVar[Callable[..., Any]]  # `pictures/plots.py` puts `plot_loss` here

    @property
    def shown(self) -> str:
        """The losses of the last epoch, in a few words."""
        losses = {"loss": self.loss, "validation": self.validation_loss}
        return ", ".join([f"{name} {numbers[-1]:.4g}" for name, numbers in losses.items() if numbers])

    def __repr__(self) -> str:
        epochs = f"{len(self.loss)} epoch{'' if len(self.loss) == 1 else 's'}"
        best = "" if self.best_epoch is None else f", weights of epoch {self.best_epoch}"
        shown = f": {self.shown}" if self.loss else ""
        return f"<History of {epochs}, {self.steps} steps in {self.seconds:.3g} s ({self.form}){shown}{best}>"


class Best:
    """Watches the validation loss: says when it has not fallen for `patience` epochs, and keeps the weights.

    Without a patience it does nothing. Raises `ValueError` if there is one but nothing to validate on.
    """

    def __init__(self, parameters: Sequence[Value], patience: int | None, validated: bool) -> None:
        if patience is not None:
            whole(patience, "patience")
            if not validated:
                raise ValueError("patience watches the validation loss: give validation=(X, y), too")
        self.parameters, self.patience = parameters, patience
        self.loss, self.epoch, self.weights = math.inf, 0, [x.data for x in parameters]

    def is_over(self, history: History) -> bool:
        """Return whether to stop after the epoch that `history` ends with; keep its weights if it is best."""
        if self.patience is None:
            return False
        epoch, loss = len(history.validation_loss), history.validation_loss[-1]
        if loss < self.loss:
            self.loss, self.epoch, self.weights = loss, epoch, [x.data for x in self.parameters]
        return epoch - self.epoch >= self.patience

    def restore(self, history: History) -> None:
        """Give the parameters the weights of the best epoch, and say in `history` which it was."""
        if self.patience is not None:
            history.best_epoch = self.epoch
            for x, weight in zip(self.parameters, self.weights, strict=True):
                x.data = weight
