"""The steps of `fit`: the mean loss of a batch and its gradient, from a program or from the engine.

A model, a loss and examples go in; a function comes out that sets the gradients for a batch, and one that
takes the steps of an epoch. Next door: `fit.py` loops over the epochs, `compiled.py` has the program.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol, Self, TypeAlias

from autograd_lite.compiler.runtime.descent import Descent
from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.rules import mean
from autograd_lite.core.value import Value
from autograd_lite.nn.examples import Rows, rows_of
from autograd_lite.train.compiled import CompiledLoss, Example, Loss, Model, Work, structure
from autograd_lite.train.optimizers import OPTIMIZERS, Optimizer
from autograd_lite.transforms.pytrees import flatten

Batch: TypeAlias = Sequence[int] | None  # the numbers of its examples; None stands for all
Done: TypeAlias = Callable[[int], object]
_ERRORS = (ArithmeticError, ValueError, TypeError)


class Examples(NamedTuple):
    """Inputs and their targets, m of each, and their name in messages."""

    inputs: list[Example]
    targets: list[Example]
    name: str

    @classmethod
    def of(cls, X: Rows, y: Rows, name: str) -> Self:
        """Return `X` and `y` as lists. Raises `ValueError` if they are empty or differ in length."""
        inputs, targets = rows_of(X, f"X of {name}"), rows_of(y, f"y of {name}")
        if len(inputs) != len(targets):
            raise ValueError(f"{name} has {len(inputs)} examples but {len(targets)} targets")
        if not inputs:
            raise ValueError(f"{name} is empty: there is no example to learn from")
        return cls(inputs, targets, name)

    @classmethod
    def of_pair(cls, validation: tuple[Rows, Rows] | None) -> Self | None:
        """Return the validation data, None if there are none. Raises `TypeError` unless they are a pair."""
        if validation is None:
            return None
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise TypeError(f"validation must be a pair (X, y), got {type(validation).__name__}")
        return cls.of(*validation, "the validation data")

    def chosen(self, numbers: Sequence[int]) -> Examples:
        """Return the examples with these numbers."""
        return Examples([self.inputs[i] for i in numbers], [self.targets[i] for i in numbers], self.name)


class BatchGradient(Protocol):
    """The mean loss of a batch and its gradient; ``form`` is its name in `History`."""

    form: str

    def __call__(self, chosen: Batch, where: str) -> float:
        """Set ``grad`` of the parameters for the batch of these examples, None for all; return the mean loss.

        Raises `FloatingPointError` if the loss is not finite; errors name the place `where`.
        """


def batch_gradient(
    model: Model,
    loss: Loss,
    optimizer: Optimizer,
    examples: Examples,
    held_out: Examples | None,
    work: Work,
    compiled: bool | None,
) -> BatchGradient:
    """Return the fastest `BatchGradient` that does what the engine does.

    A program is used if `compiled` is true, or if it is None and the model has a `structure`. The loss must
    also trace, and the program must agree with the engine on the first and on the last example. `work`
    decides whether machine code is worth compiling.

    Before any step is made, the errors of the loss are raised for its targets, and those of the model, too,
    for the examples `held_out`.
    """
    engine = EngineGradient(model, loss, optimizer, examples)
    repeats = structure(model, loss) is not None
    if repeats:
        _check_targets(model, loss, examples)
    if held_out is not None:
        mean_loss(model, loss, optimizer, held_out)
    if not (repeats if compiled is None else compiled):
        return engine
    try:
        program = CompiledLoss(model, loss, examples.inputs, examples.targets, work)
    except Exception:  # it does not trace, or it raises an error, which the engine will locate
        return engine
    program.check()
    found = ProgramGradient(program, optimizer)
    return found if _agree(found, engine, optimizer.parameters, len(examples.inputs)) else engine


# --- The two forms ---------------------------------------------------------------------------------


class EngineGradient:
    """Records the loss of each batch anew: the definition, whatever the model does."""

    form = "engine"

    def __init__(self, model: Model, loss: Loss, optimizer: Optimizer, examples: Examples) -> None:
        self.model, self.loss, self.optimizer, self.examples = model, loss, optimizer, examples

    def __call__(self, chosen: Batch, where: str) -> float:
        """Record the batch, and pull the gradient back through it."""
        batch = self.examples if chosen is None else self.examples.chosen(chosen)
        with _located(where):
            pairs = zip(batch.inputs, batch.targets, strict=True)
            total = mean([self.loss(self.model(x), target) for x, target in pairs])
        if not isinstance(total, Value):
            raise TypeError(
                f"the loss does not depend on the model: it is the plain number {total!r} in {where}"
            )
        _check_finite(total.data, self.optimizer, where)
        self.optimizer.zero_grad()
        total.backward()
        return total.data


class ProgramGradient:
    """Runs a program that was made once, on the columns of the batch."""

    def __init__(self, program: CompiledLoss, optimizer: Optimizer) -> None:
        self.program, self.optimizer, self.form = program, optimizer, program.form

    def __call__(self, chosen: Batch, where: str) -> float:
        """Run the program on the batch."""
        self.optimizer.zero_grad()
        with _located(where):
            total = self.program(chosen)
        _check_finite(total, self.optimizer, where)
        return total


def step(gradient: BatchGradient, optimizer: Optimizer, chosen: Batch, where: str) -> float:
    """Move the parameters along the gradient for a batch; return its mean loss before that."""
    loss = gradient(chosen, where)
    try:
        optimizer.step()
    except FloatingPointError as error:
        raise FloatingPointError(f"{where}: {error}") from None
    return loss


class Steps:
    """The steps of an epoch, one after the other: the gradient of each batch, and a step of the optimizer.

    Within ``with`` and outside ``visible()`` the parameters may be elsewhere than in their Values.
    """

    def __init__(self, gradient: BatchGradient, optimizer: Optimizer) -> None:
        self.gradient, self.optimizer = gradient, optimizer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def epoch(self, batches: Sequence[Batch], number: int, done: Done, first: int = 1) -> list[float]:
        """Take a step for each batch; return the mean losses before them.

        Errors name the epoch, `number`, and the batch, counted from `first`. `done` is called with numbers of
        steps.
        """
        losses = []
        for k, batch in enumerate(batches, first):
            losses.append(step(self.gradient, self.optimizer, batch, f"epoch {number}, batch {k}"))
            done(1)
        return losses

    @contextmanager
    def visible(self, *, changes: bool) -> Iterator[None]:
        """Let somebody see the parameters and, with `changes`, change them and the optimizer."""
        yield


class DescentSteps(Steps):
    """The same in arrays, many steps at a time. A step that they refuse is taken in the ordinary way."""

    def __init__(self, gradient: ProgramGradient, optimizer: Optimizer) -> None:
        super().__init__(gradient, optimizer)
        self.most = 1  # steps at a time: as many as take about a tenth of a second
        self._start()

    def _start(self) -> None:
        program = self.gradient.program  # type: ignore[attr-defined]
        self.descent = Descent([(program.program, program.examples)], self.optimizer)
        self._settings = _settings(self.optimizer)

    def __enter__(self) -> Self:
        self.descent.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.descent.__exit__()

    def epoch(self, batches: Sequence[Batch], number: int, done: Done, first: int = 1) -> list[float]:
        """Take a step for each batch; return the mean losses before them."""
        losses: list[float] = []
        while len(losses) < len(batches):
            some = batches[len(losses) : len(losses) + self.most]
            started = time.perf_counter()
            means = self.descent.attempt(some)
            passed = time.perf_counter() - started
            self.most = max(
                1, 2 * self.most if passed < 0.05 else self.most // 2 if passed > 0.2 else self.most
            )
            losses += means
            done(len(means))
            if len(means) < len(some):
                with self.visible(changes=True):
                    refused = some[len(means) : len(means) + 1]
                    losses += super().epoch(refused, number, done, first + len(losses))
        return losses

    @contextmanager
    def visible(self, *, changes: bool) -> Iterator[None]:
        """Let somebody see the parameters and, with `changes`, change them and the optimizer."""
        self.descent.read_back()
        try:
            yield
        except BaseException:
            self.descent.forget()  # what the Values hold now is the last word
            raise
        if not changes:
            return
        if self._settings == _settings(self.optimizer):
            self.descent.load()
        else:
            self._start()
            self.descent.__enter__()


def _settings(optimizer: Optimizer) -> dict[str, object]:
    """Return what an optimizer's rule depends on: everything but what `Descent` reads anew."""
    found = {name: x for name, x in vars(optimizer).items() if name not in ("steps", "_lr", "_memory")}
    return found | {"parameters": [*map(id, optimizer.parameters)]}


def steps_of(gradient: BatchGradient, optimizer: Optimizer) -> Steps:
    """Return the fastest `Steps` that do what `optimizer.step` does.

    A rule of a user's own may do what its trace cannot repeat, so arrays are for ours. So are they not for
    leaves that the optimizer does not move, whose ``grad`` adds up.
    """
    moved = {*map(id, optimizer.parameters)}
    if (
        isinstance(gradient, ProgramGradient)
        and gradient.form != "Python"
        and type(optimizer) in OPTIMIZERS.values()
        and moved.issuperset(map(id, gradient.program.program.leaves))
    ):
        return DescentSteps(gradient, optimizer)
    return Steps(gradient, optimizer)


def mean_loss(model: Model, loss: Loss, optimizer: Optimizer, examples: Examples, when: str = "") -> float:
    """Return the mean loss over examples, without recording; an error names the example, and `when`."""
    losses = []
    for i, (x, target) in enumerate(zip(examples.inputs, examples.targets, strict=True)):
        with no_grad(), _located(f"{when}example {i} of {examples.name}"):
            out = loss(model(x), target)
            losses.append(out.data if isinstance(out, Value) else real(out, "the loss"))
    total = math.fsum(losses) / len(losses)
    _check_finite(total, optimizer, f"{when}{examples.name}")
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
        if where == "epoch 1, batch 1" or not where.startswith("epoch"):  # no step was made yet
            cure = "look for NaN and infinity in the data and in the first weights"
        raise FloatingPointError(f"the loss is {loss!r} in {where}: {cure}")


# --- Which of them ---------------------------------------------------------------------------------


def _check_targets(model: Model, loss: Loss, examples: Examples) -> None:
    """Raise the error of the loss for any target it refuses, before a step is made with the others.

    The loss is asked about each of them with ½ for every score, in containers like those of the first output.
    """
    try:
        with no_grad():
            output = flatten(model(examples.inputs[0]), "the output of the model")
    except _ERRORS:  # the engine will locate it
        return
    scores = output.around([0.5] * len(output.leaves))
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
