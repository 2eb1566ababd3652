"""Optimizers over parameters, `fit` for a model and data, `minimize` for a function of numbers.

What does not live here: gradients (`value.py`, `functional.py`), losses (`losses.py`).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from tqdm import tqdm

from autograd_lite.core.collector import collector_paused
from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import real, whole
from autograd_lite.core.rules import mean
from autograd_lite.core.value import Value
from autograd_lite.nn.layers import MLP, Layer, Neuron
from autograd_lite.nn.losses import cross_entropy, half_squared_error, log_loss, log_loss_from_scores
from autograd_lite.train.compiled import Training
from autograd_lite.transforms.derivatives import grad
from autograd_lite.transforms.pytrees import flatten

# --- Optimizers -------------------------------------------------------------------------------------


def _between_0_and_1(number: float, what: str) -> float:
    number = real(number, what)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{what} must be at least 0 and below 1, got {number!r}")
    return number


def _positive(number: float, what: str) -> float:
    number = real(number, what)
    if not 0.0 < number < math.inf:
        raise ValueError(f"{what} must be a positive number, got {number!r}")
    return number


class Optimizer:
    """What the optimizers share: the parameters, ``lr`` (the step size), and the step.

    A subclass names the numbers it remembers about each parameter in ``remembers``, each 0 at first, and
    gives ``update(x, g, *memory)``, which returns the new data and the new memory.

    Raises `ValueError` if there are no parameters, one stands twice or was made by an operation, or the
    step size is not positive; `TypeError` if one is no Value.
    """

    remembers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Iterable[Value], lr: float) -> None:
        if not isinstance(parameters, Iterable):
            raise TypeError(
                f"parameters must be a list of Values, as model.parameters() gives, got {parameters!r}"
            )
        self.parameters = list(parameters)
        self.lr = _positive(lr, "lr")
        for i, x in enumerate(self.parameters):
            if not isinstance(x, Value):
                raise TypeError(f"parameter {i} must be a Value, got {type(x).__name__} {x!r}")
            if x.primitive is not None:
                raise ValueError(f"parameter {i} was made by {x.primitive.name}: only leaves can be moved")
        if not self.parameters:
            raise ValueError("there are no parameters to optimize")
        if len(set(self.parameters)) < len(self.parameters):  # a Value's hash is its identity
            raise ValueError("a parameter stands twice in the list: it would be moved twice a step")
        self._memory = [(0.0,) * len(self.remembers) for _ in self.parameters]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if "lr" in state:  # as version 0.1 wrote it, without a property
            self.lr = self.__dict__.pop("lr")

    @property
    def lr(self) -> float:
        """The step size, which may be set between steps."""
        return self._lr

    @lr.setter
    def lr(self, size: float) -> None:
        self._lr = real(size, "lr")

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """Return the new data for the data `x` and the gradient `g`, followed by the new memory."""
        raise NotImplementedError

    def step(self) -> None:
        """Move every parameter by its ``grad``, all from the old values at once (000.12).

        A parameter whose ``grad`` is None, for no backward pass reached it, stays with its memory.
        Raises `ValueError` if that is all of them, and `FloatingPointError`, with nothing changed, if one, or
        what is remembered of it, would become infinite or NaN.
        """
        moved = [
            (i, x, self.update(x.data, x.grad, *self._memory[i]))
            for i, x in enumerate(self.parameters)
            if x.grad is not None
        ]
        if not moved:
            raise ValueError("no parameter has a gradient: call loss.backward() before step()")
        for i, x, new in moved:
            if not all(map(math.isfinite, new)):
                raise FloatingPointError(
                    f"the step of parameter {i} ({x!r}) leads out of the finite numbers: "
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
    """x ← x − lr · g (000.5, 001.3, 003.1).

    >>> x = Value(6.0)
    >>> (x**4 - 3.0 * x**3).backward()
    >>> GradientDescent([x], lr=0.01).step()
    >>> round(x, 12)
    0.6
    """

    def __init__(self, parameters: Iterable[Value], lr: float = 0.1) -> None:
        super().__init__(parameters, lr)

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """x − lr · g."""
        return (x - self.lr * g,)


class Momentum(Optimizer):
    """v ← momentum · v + g, x ← x − lr · v, from v = 0 (the heavy ball of Polyak 1964)."""

    remembers = ("v",)

    def __init__(self, parameters: Iterable[Value], lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(parameters, lr)
        self.momentum = _between_0_and_1(momentum, "momentum")

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """x − lr · v with the new velocity v, and v."""
        (v,) = memory
        v = self.momentum * v + g
        return x - self.lr * v, v


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), from m = v = t = 0 for each parameter.

    t ← t + 1, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
    x ← x − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps).
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
        self.eps = _positive(eps, "eps")

    def update(self, x: float, g: float, *memory: float) -> tuple[float, ...]:
        """The new x of algorithm 1, with t, m and v."""
        t, m, v = memory
        beta1, beta2 = self.betas
        t += 1.0
        m = beta1 * m + (1.0 - beta1) * g
        v = beta2 * v + (1.0 - beta2) * g * g
        step = m / (1.0 - beta1**t) / (math.sqrt(v / (1.0 - beta2**t)) + self.eps)
        return x - self.lr * step, t, m, v


# --- Functions of numbers ---------------------------------------------------------------------------


@dataclass
class Result:
    """What `minimize` returns: the last point ``x``; ``path``, all of them from the start on; ``steps``, the
    number of gradients taken; ``converged``, whether the last step was within the precision.
    """

    x: Any
    path: list[Any] = field(repr=False)
    steps: int
    converged: bool


def minimize(
    f: Callable[..., Any],
    start: Any,
    *,
    lr: float = 0.01,
    precision: float = 1e-5,
    max_steps: int = 10_000,
    previous: Any = None,
    progress: bool = False,
) -> Result:
    """Gradient descent on `f` from `start`: a number, or lists, tuples, dicts and arrays of numbers.

    x ← x − lr · ∇f(x), until no number in x changes by more than `precision` in a step, or `max_steps` are
    done. `precision` bounds the last step, not the error. `previous`, a number or a point like `start`, is
    the point before it, from which the first change is measured; None always takes a first step. 003.3 sets
    it to 0, and so never moves from a start at 0. `progress` shows a bar on stderr.

    Raises `FloatingPointError`, with the step, if x becomes infinite or NaN; `ValueError` if `previous` is
    not built like `start` or a setting is out of range; and whatever `f` raises.

    >>> result = minimize(lambda x: x**4 - 3.0 * x**3, 6.0, lr=0.01, precision=1e-5, previous=0.0)
    >>> result.steps, round(result.x, 6)
    (70, 2.249965)
    """
    lr, precision = _positive(lr, "lr"), real(precision, "precision")
    if not precision >= 0.0:
        raise ValueError(f"precision must be at least 0, got {precision!r}")
    max_steps, gradient = whole(max_steps, "max_steps"), grad(f)
    flat = flatten(start, "start")
    if not flat.leaves:
        raise ValueError(f"start holds no number to move: {start!r}")
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
            if not all(each < math.inf for each in changes):  # NaN is not
                raise FloatingPointError(
                    f"step {steps} goes from {path[-2]!r} to {path[-1]!r}: try a step size below {lr!r}"
                )
            change = max(changes)
            bar.update()
    return Result(path[-1], path, steps, change <= precision)


# --- Models and data --------------------------------------------------------------------------------


@dataclass
class History:
    """What `fit` returns: an entry per epoch in ``loss`` and, with validation data, ``validation_loss``.

    ``loss`` is the mean over the epoch's examples, each as it was before the step it was used for;
    ``validation_loss`` that after the epoch. ``steps`` counts the steps, ``seconds`` the time of all, and
    ``form`` says what ran them: "machine code", "NumPy" or "Python" for a program, "engine" for the graph.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    form: str = "engine"


def _examples(X: Iterable[Any], y: Iterable[Any], what: str) -> tuple[list[Any], list[Any]]:
    lists: list[list[Any]] = [z.tolist() if hasattr(z, "tolist") else list(z) for z in (X, y)]
    inputs, targets = lists
    if len(inputs) != len(targets):
        raise ValueError(f"{what} has {len(inputs)} examples but {len(targets)} targets")
    if not inputs:
        raise ValueError(f"{what} is empty: there is no example to learn from")
    return inputs, targets


def _cure(optimizer: Optimizer, where: str) -> str:
    if where == "epoch 1, batch 1":
        return "look for NaN and infinity in the data and in the first weights"
    return f"try a step size below {optimizer.lr!r}"


_LOSSES = (cross_entropy, half_squared_error, log_loss, log_loss_from_scores)


def _repeats_itself(model: Any, loss: Any) -> bool:
    """Whether each call does the same: with `nn`'s own classes, rows as activations, and `losses`."""
    layers = model.layers if type(model) is MLP else [model]
    neurons = [neuron for layer in layers for neuron in (layer.neurons if type(layer) is Layer else [layer])]
    own = all(type(neuron) is Neuron and isinstance(neuron.activation, str) for neuron in neurons)
    return own and loss in _LOSSES


def _training(model: Any, loss: Any, inputs: list[Any], targets: list[Any], steps: int) -> Training | None:
    """The program for the mean loss of a batch; None where the loss does not trace, or raises meanwhile.

    What it raises is for the engine to say, with the place.
    """
    try:
        return Training(model, loss, inputs, targets, steps=steps)
    except Exception:
        return None


def _agrees(
    training: Training, engine: Callable[[list[int]], float], parameters: list[Value], m: int
) -> bool:
    """Whether the program gives what the engine gives, on the first and the last example."""
    before = [x.grad for x in parameters]
    chosen, results = sorted({0, m - 1}), []
    try:
        for run in (training, engine):
            for x in parameters:
                x.grad = None
            results.append([run(chosen), *[x.grad or 0.0 for x in parameters]])
    except (ArithmeticError, ValueError, TypeError):
        return False
    finally:
        for x, grad in zip(parameters, before, strict=True):
            x.grad = grad
    largest = max(map(abs, results[1]))
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12 * largest) for a, b in zip(*results, strict=True)
    )


def _check_targets(model: Any, loss: Any, example: Any, data: dict[str, list[Any]]) -> None:
    """Raise what the loss raises for any of the targets, before a step is made with others.

    It gets each of them with ½ for every score. The model is one of `nn`'s own, whose scores are all alike;
    what it raises itself is for the engine to say, with the place.
    """
    try:
        with no_grad():
            flat = flatten(model(example), "the output of the model")
    except (ArithmeticError, ValueError, TypeError):
        return
    scores = flat.around([0.5] * len(flat.leaves))
    for what, targets in data.items():
        for i, target in enumerate(targets):
            try:
                loss(scores, target)
            except (ArithmeticError, ValueError, TypeError) as error:
                error.add_note(f"in example {i} of {what}")
                raise


def fit(
    model: Callable[[Any], Any],
    X: Iterable[Any],
    y: Iterable[Any],
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    seed: int | None = 0,
    progress: bool = True,
    validation: tuple[Iterable[Any], Iterable[Any]] | None = None,
    compiled: bool | None = None,
) -> History:
    """Train `model` on the examples `X` with the targets `y`, and return the `History`.

    `loss` is that of one example, ``loss(model(x), target)``; each step goes down the gradient of its mean
    over a batch (000.10). Without `batch_size` a batch is all examples, in the order given; with it the
    examples are shuffled anew each epoch, by `seed`. `validation` is a pair like ``(X, y)``, and takes no
    part in the training. The bar is shown on stderr; ``progress=False`` turns it off.

    A model of `nn`'s own neurons with a loss of `losses` is compiled (`autograd_lite.program`). Other models
    may do what a program made once cannot repeat (draw random numbers, count calls, read ``.data``), so the
    engine records each of their batches, unless ``compiled=True`` vouches that they do not. With
    ``compiled=False`` the engine does it all. In any case the program must agree with the engine on the first
    example and the last, or it is not used. `History.form` says what ran.

    Raises `ValueError` if there are no examples or not one target for each, and `FloatingPointError`, with
    the epoch and the batch, as soon as the loss or a parameter would no longer be finite; the parameters
    then are those before that batch. An error that the model or the loss raises has the same as a note.

    >>> from autograd_lite.nn import MLP
    >>> from autograd_lite.nn.losses import half_squared_error
    >>> line = MLP(1, [1], rng=0)
    >>> history = fit(line, [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], loss=half_squared_error,
    ...               optimizer=GradientDescent(line.parameters(), lr=0.5), epochs=200, progress=False)
    >>> round(line([10.0]), 6), history.steps
    (21.0, 200)
    """
    inputs, targets = _examples(X, y, "the training data")
    held_out = None if validation is None else _examples(*validation, "the validation data")
    epochs, m = whole(epochs, "epochs"), len(inputs)
    size = m if batch_size is None else whole(batch_size, "batch_size")
    batches = math.ceil(m / size)
    shuffle = random.Random(seed).shuffle
    order, history, started = list(range(m)), History(), time.perf_counter()

    def batch_loss(inputs: Sequence[Any], targets: Sequence[Any], where: str) -> Value:
        try:
            total = mean([loss(model(x), target) for x, target in zip(inputs, targets, strict=True)])
        except (ArithmeticError, ValueError, TypeError) as error:
            error.add_note(f"in {where}")
            raise
        if not isinstance(total, Value):
            raise TypeError(
                f"the loss does not depend on the model: it is the plain number {total!r} in {where}"
            )
        if not math.isfinite(total.data):
            raise FloatingPointError(f"the loss is {total.data!r} in {where}: {_cure(optimizer, where)}")
        return total

    def engine(chosen: Sequence[int], where: str) -> float:
        total = batch_loss([inputs[i] for i in chosen], [targets[i] for i in chosen], where)
        optimizer.zero_grad()
        total.backward()
        return total.data

    def program(chosen: Sequence[int], where: str) -> float:
        assert training is not None
        optimizer.zero_grad()
        try:
            mean_loss = training(None if batch_size is None else chosen)
        except (ArithmeticError, ValueError, TypeError) as error:
            error.add_note(f"in {where}")
            raise
        if not math.isfinite(mean_loss):
            raise FloatingPointError(f"the loss is {mean_loss!r} in {where}: {_cure(optimizer, where)}")
        return mean_loss

    if _repeats_itself(model, loss):
        held_targets = [] if held_out is None else held_out[1]
        data = {"the training data": targets, "the validation data": held_targets}
        _check_targets(model, loss, inputs[0], data)
    training = None
    if compiled if compiled is not None else _repeats_itself(model, loss):
        training = _training(model, loss, inputs, targets, epochs * batches)
        if training is not None:
            training.check()
            if held_out is not None:
                training.check(*held_out)
    ends = partial(engine, where="the first example and the last")
    if training is not None and not _agrees(training, ends, optimizer.parameters, m):
        training = None
    run = engine if training is None else program
    with (
        collector_paused(),
        tqdm(total=epochs * batches, disable=not progress, unit="step") as bar,
    ):
        for epoch in range(1, epochs + 1):
            if batch_size is not None:
                shuffle(order)
            losses = []
            for batch in range(batches):
                where = f"epoch {epoch}, batch {batch + 1}"
                chosen = order[batch * size : (batch + 1) * size]
                mean_loss = run(chosen, where)
                try:
                    optimizer.step()
                except FloatingPointError as error:
                    raise FloatingPointError(f"{where}: {error}") from None
                losses.append(mean_loss * len(chosen))
                bar.update()
            history.loss.append(math.fsum(losses) / m)
            shown = f"loss {history.loss[-1]:.4g}"
            if held_out is not None:
                with no_grad():
                    held = batch_loss(*held_out, f"epoch {epoch}, the validation data")
                history.validation_loss.append(held.data)
                shown += f", validation {held.data:.4g}"
            bar.set_postfix_str(shown, refresh=False)
    history.steps, history.form = epochs * batches, "engine" if training is None else training.form
    history.seconds = time.perf_counter() - started
    return history
