"""`fit`: trains a model on examples, and returns the history of its loss.

A model, a loss, an optimizer and data go in; parameters that have moved come out. Next door: `steps.py` makes
the gradient of each step.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tqdm import tqdm

from autograd_lite.core.collector import collector_paused
from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import whole
from autograd_lite.train.compiled import Example, Loss, Model
from autograd_lite.train.optimizers import Optimizer
from autograd_lite.train.steps import Examples, batch_gradient, mean_loss


@dataclass
class History:
    """The result of `fit`: an entry per epoch in ``loss`` and, with validation data, ``validation_loss``.

    ``loss`` is the mean over the epoch's examples, each taken before the step that used it;
    ``validation_loss`` is taken after the epoch. ``steps`` is the number of steps, ``seconds`` the time of
    all of them. ``form`` says what ran them: "machine code", "NumPy" or "Python" for a program, "engine" for
    the graph.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    form: str = "engine"


def fit(
    model: Model,
    X: Iterable[Example],
    y: Iterable[Example],
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    seed: int | None = 0,
    progress: bool = True,
    validation: tuple[Iterable[Example], Iterable[Example]] | None = None,
    compiled: bool | None = None,
) -> History:
    """Train `model` on the m examples `X` (m × n for a model of n inputs) with the m targets `y`.

    Each step descends the gradient of the mean of ``loss(model(x), target)`` over a batch. Without
    `batch_size` a batch is all examples, in the order given. With it the examples are shuffled before each
    epoch, by `seed`. `validation` is a pair like ``(X, y)`` that takes no part in training. A progress bar is
    shown on stderr unless ``progress=False``. Returns the `History`.

    A model made of `nn`'s neurons with a loss from `losses` is compiled to a program. Other models may do
    what a program made once cannot repeat (draw random numbers, count calls, read ``.data``), so the engine
    records each batch anew. ``compiled=True`` vouches that the model does none of this, ``compiled=False``
    always uses the engine. A program is used only if it agrees with the engine on the first and on the last
    example. `History.form` says what ran.

    Raises `ValueError` if there are no examples, or if examples and targets differ in number. Raises
    `FloatingPointError`, with the epoch and the batch, as soon as the loss or a parameter would no longer be
    finite; the parameters are then those before that batch. Errors raised by the model or the loss carry the
    epoch and batch as a note (document 000, equation 10).

    >>> from autograd_lite import GradientDescent
    >>> from autograd_lite.nn import MLP
    >>> from autograd_lite.nn.losses import half_squared_error
    >>> line = MLP(1, [1], rng=0)
    >>> history = fit(line, [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], loss=half_squared_error,
    ...               optimizer=GradientDescent(line.parameters(), lr=0.5), epochs=200, progress=False)
    >>> round(line([10.0]), 6), history.steps
    (21.0, 200)
    """
    examples = Examples.of(X, y, "the training data")
    held_out = None if validation is None else Examples.of(*validation, "the validation data")
    epochs, m = whole(epochs, "epochs"), len(examples.inputs)
    size = m if batch_size is None else whole(batch_size, "batch_size")
    batches = math.ceil(m / size)
    started = time.perf_counter()
    gradient = batch_gradient(model, loss, optimizer, examples, held_out, epochs * batches, compiled)
    history = History(steps=epochs * batches, form=gradient.form)
    order, shuffle = list(range(m)), random.Random(seed).shuffle
    with collector_paused(), tqdm(total=history.steps, disable=not progress, unit="step") as bar:
        for epoch in range(1, epochs + 1):
            if batch_size is not None:
                shuffle(order)
            losses = []
            for batch in range(batches):
                where = f"epoch {epoch}, batch {batch + 1}"
                chosen = order[batch * size : (batch + 1) * size]
                mean = gradient(None if batch_size is None else chosen, where)
                losses.append(mean * len(chosen))
                try:
                    optimizer.step()
                except FloatingPointError as error:
                    raise FloatingPointError(f"{where}: {error}") from None
                bar.update()
            history.loss.append(math.fsum(losses) / m)
            shown = f"loss {history.loss[-1]:.4g}"
            if held_out is not None:
                where = f"epoch {epoch}, {held_out.name}"
                with no_grad():
                    history.validation_loss.append(mean_loss(model, loss, optimizer, held_out, where).data)
                shown += f", validation {history.validation_loss[-1]:.4g}"
            bar.set_postfix_str(shown, refresh=False)
    history.seconds = time.perf_counter() - started
    return history
