"""The mean loss of a batch and its gradient, for each step of `fit`: from a program or from the engine.

A model, a loss and examples go in; a function comes out that sets the gradients for a batch. Next door:
`fit.py` loops over the batches, `compiled.py` has the program.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol, Self

from autograd_lite.core.modes import no_grad
from autograd_lite.core.rules import mean
from autograd_lite.core.value import Value
from autograd_lite.nn.layers import MLP, Layer, Neuron
from autograd_lite.nn.losses import cross_entropy, half_squared_error, log_loss, log_loss_from_scores
from autograd_lite.train.compiled import CompiledLoss, Example, Loss, Model
from autograd_lite.train.optimizers import Optimizer
from autograd_lite.transforms.pytrees import flatten

_LOSSES = (cross_entropy, half_squared_error, log_loss, log_loss_from_scores)
_ERRORS = (ArithmeticError, ValueError, TypeError)


class Examples(NamedTuple):
    """Inputs and their targets, m of each, and their name in messages."""

    inputs: list[Example]
    targets: list[Example]
    name: str

    @classmethod
    def of(cls, X: Iterable[Example], y: Iterable[Example], name: str) -> Self:
        """Return `X` and `y` as lists. Raises `ValueError` if they are empty or differ in length."""
        inputs, targets = [z.tolist() if hasattr(z, "tolist") else list(z) for z in (X, y)]
        if len(inputs) != len(targets):
            raise ValueError(f"{name} has {len(inputs)} examples but {len(targets)} targets")
        if not inputs:
            raise ValueError(f"{name} is empty: there is no example to learn from")
        return cls(inputs, targets, name)

    def chosen(self, numbers: Sequence[int]) -> Examples:
        """Return the examples with these numbers."""
        return Examples([self.inputs[i] for i in numbers], [self.targets[i] for i in numbers], self.name)


class BatchGradient(Protocol):
    """The mean loss of a batch and its gradient; ``form`` is its name in `History`."""

    form: str

    def __call__(self, chosen: Sequence[int] | None, where: str) -> float:
        """Set ``grad`` of the parameters for the batch of these examples, None for all; return the mean loss.

        Raises `FloatingPointError` if the loss is not finite; errors name the place `where`.
        """


def batch_gradient(
    model: Model,
    loss: Loss,
    optimizer: Optimizer,
    examples: Examples,
    held_out: Examples | None,
    steps: int,
    compiled: bool | None,
) -> BatchGradient:
    """Return the fastest `BatchGradient` that does what the engine does.

    A program is used if `compiled` is true, or if it is None and `repeats_itself` holds. The loss must also
    trace, and the program must agree with the engine on the first and on the last example. `steps` decides
    whether machine code is worth compiling. If the loss refuses a target, its error is raised before any step
    is made.
    """
    engine = EngineGradient(model, loss, optimizer, examples)
    repeats = repeats_itself(model, loss)
    if repeats:
        _check_targets(model, loss, [examples] if held_out is None else [examples, held_out])
    if not (repeats if compiled is None else compiled):
        return engine
    try:
        program = CompiledLoss(model, loss, examples.inputs, examples.targets, steps)
    except Exception:  # it does not trace, or it raises an error, which the engine will locate
        return engine
    program.check()
    if held_out is not None:
        program.check(held_out.inputs, held_out.targets)
    found = ProgramGradient(program, optimizer)
    return found if _agree(found, engine, optimizer.parameters, len(examples.inputs)) else engine


# --- The two forms ---------------------------------------------------------------------------------


class EngineGradient:
    """Records the loss of each batch anew: the definition, whatever the model does."""

    form = "engine"

    def __init__(self, model: Model, loss: Loss, optimizer: Optimizer, examples: Examples) -> None:
        self.model, self.loss, self.optimizer, self.examples = model, loss, optimizer, examples

    def __call__(self, chosen: Sequence[int] | None, where: str) -> float:
        """Record the batch, and pull the gradient back through it."""
        batch = self.examples if chosen is None else self.examples.chosen(chosen)
        total = mean_loss(self.model, self.loss, self.optimizer, batch, where)
        self.optimizer.zero_grad()
        total.backward()
        return total.data


class ProgramGradient:
    """Runs a program that was made once, on the columns of the batch."""

    def __init__(self, program: CompiledLoss, optimizer: Optimizer) -> None:
        self.program, self.optimizer, self.form = program, optimizer, program.form

    def __call__(self, chosen: Sequence[int] | None, where: str) -> float:
        """Run the program on the batch."""
        self.optimizer.zero_grad()
        with _located(where):
            total = self.program(chosen)
        _check_finite(total, self.optimizer, where)
        return total


def mean_loss(model: Model, loss: Loss, optimizer: Optimizer, batch: Examples, where: str) -> Value:
    """Return the mean loss of a batch, recorded by the engine; errors are those of `BatchGradient`.

    Raises `TypeError` if the loss does not depend on the model.
    """
    with _located(where):
        total = mean([loss(model(x), target) for x, target in zip(batch.inputs, batch.targets, strict=True)])
    if not isinstance(total, Value):
        raise TypeError(f"the loss does not depend on the model: it is the plain number {total!r} in {where}")
    _check_finite(total.data, optimizer, where)
    return total


@contextmanager
def _located(where: str) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        error.add_note(f"in {where}")
        raise


def _check_finite(loss: float, optimizer: Optimizer, where: str) -> None:
    if not math.isfinite(loss):
        cure = f"try a step size below {optimizer.lr!r}"
        if where == "epoch 1, batch 1":  # no step was made yet
            cure = "look for NaN and infinity in the data and in the first weights"
        raise FloatingPointError(f"the loss is {loss!r} in {where}: {cure}")


# --- Which of them ---------------------------------------------------------------------------------


def repeats_itself(model: object, loss: object) -> bool:
    """Return whether each call repeats the same operations: only classes, losses and activations of `nn`.

    Other models may do what a program made once cannot repeat: draw random numbers, count calls, read data.
    """
    layers = model.layers if type(model) is MLP else [model]
    neurons = [neuron for layer in layers for neuron in (layer.neurons if type(layer) is Layer else [layer])]
    own = all(type(neuron) is Neuron and isinstance(neuron.activation, str) for neuron in neurons)
    return own and loss in _LOSSES


def _check_targets(model: Model, loss: Loss, given: Sequence[Examples]) -> None:
    """Raise the error of the loss for any target it refuses, before a step is made with the others.

    The loss is asked about each of them with ½ for every score, in containers like those of the first output.
    """
    try:
        with no_grad():
            output = flatten(model(given[0].inputs[0]), "the output of the model")
    except _ERRORS:  # the engine will locate it
        return
    scores = output.around([0.5] * len(output.leaves))
    for examples in given:
        for i, target in enumerate(examples.targets):
            with _located(f"example {i} of {examples.name}"):
                loss(scores, target)


def _agree(program: BatchGradient, engine: BatchGradient, parameters: Sequence[Value], m: int) -> bool:
    """Return whether both give the same loss and gradients on the first and the last of m examples."""
    before = [x._grad for x in parameters]  # None where no pass has come, which `grad` would not tell
    results = []
    try:
        for gradient in (program, engine):
            total = gradient(sorted({0, m - 1}), "the first example and the last")
            results.append([total, *[x.grad for x in parameters]])
    except _ERRORS:
        return False
    finally:
        for x, grad in zip(parameters, before, strict=True):
            x._grad = grad
    largest = max(map(abs, results[1]))
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12 * largest) for a, b in zip(*results, strict=True)
    )
