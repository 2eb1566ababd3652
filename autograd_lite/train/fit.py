"""`fit`: trains a model on examples, and returns the history of its loss.

A model, a loss, an optimizer and data go in; parameters that have moved come out. Next door: `arguments.py`
reads what a user gives, `steps.py` makes each step, `history.py` has what is returned.

A model made of `nn`'s neurons with a loss of `nn` is compiled to a program, which the next call uses again.
Other models may do what a program made once cannot repeat (draw random numbers, count calls, read ``.data``),
so the engine records each batch anew. ``compiled=True`` vouches that the model does none of this,
``compiled=False`` always uses the engine. A program is used only if it agrees with the engine on the first
and on the last example. `History.form` says what ran.

>>> from autograd_lite import MLP, fit
>>> line = MLP(1, [1], rng=0)
>>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
>>> fit(line, X, y, loss="mse", optimizer="sgd", lr=0.25, epochs=200, progress=False)
<History of 200 epochs, 200 steps in ... s (...): loss ...>
>>> [round(out, 6) for out in line.predict([[10.0], [-1.0]])]
[21.0, -1.0]
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tqdm import tqdm

from autograd_lite.core.collector import collector_paused
from autograd_lite.nn.examples import Rows
from autograd_lite.train.arguments import Batches, chosen_loss, chosen_optimizer
from autograd_lite.train.compiled import Loss, Model
from autograd_lite.train.history import Best, History
from autograd_lite.train.optimizers import Optimizer, Rate
from autograd_lite.train.steps import Examples, batch_gradient, mean_loss, steps_of

Callback = Callable[[int, History], object]


def fit(
    model: Model,
    X: Rows,
    y: Rows,
    *,
    loss: Loss | str,
    optimizer: Optimizer | str = "adam",
    epochs: int,
    batch_size: int | None = None,
    lr: Rate | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation: tuple[Rows, Rows] | None = None,
    patience: int | None = None,
    callback: Callback | None = None,
    progress: bool = True,
    compiled: bool | None = None,
) -> History:
    """Train `model` on the examples `X` with the targets `y`, a row for each; return the `History`.

    Each step descends the gradient of the mean of ``loss(model(x), target)`` over a batch: all examples, or
    `batch_size` of them, shuffled before each epoch, by `seed` or else differently in every call, unless
    ``shuffle=False``. `loss` is a function, or "mse", "cross_entropy", ...; `optimizer` an `Optimizer`, or
    "sgd", "momentum", "adam", "adamw": a new one with the step size or schedule `lr`. `validation`, a pair
    ``(X, y)``, takes no part in training; all of it is tried before the first step. `patience` stops after so
    many epochs without a lower validation loss, and keeps the weights of the best. ``callback(epoch,
    history)`` is called after each epoch, counted from 1, and stops by returning True. Models made of `nn`'s
    neurons run as programs, others only with ``compiled=True``, which vouches that each call does the same.

    Raises `ValueError` or `TypeError`, in one sentence, for data and settings that do not fit. Raises
    `FloatingPointError`, with the epoch and the batch, as soon as the loss or a parameter would no longer be
    finite; the parameters are then those before that batch. Errors raised by the model or the loss carry the
    epoch and batch as a note (document 000, equation 10).
    """
    examples, held_out = Examples.of(X, y, "the training data"), Examples.of_pair(validation)
    loss, optimizer = chosen_loss(loss), chosen_optimizer(optimizer, model, lr)
    batches = Batches(len(examples.inputs), batch_size, shuffle, seed)
    best = Best(optimizer.parameters, patience, held_out is not None)
    work = batches.work(epochs)
    started = time.perf_counter()
    gradient = batch_gradient(model, loss, optimizer, examples, held_out, work, compiled)
    history = History(form=gradient.form)
    with (
        collector_paused(),
        tqdm(total=work.steps, disable=not progress, unit="step") as bar,
        steps_of(gradient, optimizer) as taking,
    ):
        for epoch in range(1, epochs + 1):
            losses = taking.epoch([*batches], epoch, bar.update)
            history.steps += len(batches)
            history.loss.append(batches.mean(losses))
            if held_out is None and callback is None:
                bar.set_postfix_str(history.shown, refresh=False)
                continue
            with taking.visible(changes=callback is not None):
                if held_out is not None:
                    lost = mean_loss(model, loss, optimizer, held_out, f"epoch {epoch}, ")
                    history.validation_loss.append(lost)
                bar.set_postfix_str(history.shown, refresh=False)
                is_over = best.is_over(history)
                if (callback is not None and callback(epoch, history)) or is_over:
                    break
    best.restore(history)
    history.seconds = time.perf_counter() - started
    return history
