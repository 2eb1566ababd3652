"""`CompiledLoss`: the mean loss of a batch and its gradient as a program, in the fastest form available.

A model, a loss and examples go in; a function that takes the numbers of some examples comes out. Next door:
`steps.py` decides when `fit` uses it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import is_
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.compiler.program import Program, compile
from autograd_lite.core.primitive import Primitive
from autograd_lite.core.value import Value
from autograd_lite.nn.layers import MLP, Layer, Neuron
from autograd_lite.nn.losses import LOSSES
from autograd_lite.nn.modules import Module
from autograd_lite.transforms.pytrees import flatten

Example: TypeAlias = Any  # an input or a target: whatever the model and the loss take
Output: TypeAlias = Any  # what the model returns and the loss takes: a Value, or a container of Values
Model: TypeAlias = Callable[[Example], Output]
Loss: TypeAlias = Callable[[Output, Example], Output]

# Building machine code takes half a second, and 10 to 70 ms if it is found in the cache. What it saves,
# against NumPy on one thread, with gcc 12 and glibc: 10 to 45 µs a step, and for each sample 0.15 to 0.35 ns
# an operand, less 17 to 19 ns for each function such as tanh, which NumPy computes for several at once.
# On micrograd's demo a step of 100 samples takes 55 µs instead of 92 with relu, 113 instead of 107 with tanh.
BUILD, PER_STEP, PER_OPERAND, PER_FUNCTION = 0.5, 2e-5, 2e-10, -1.8e-8  # seconds
_QUICK = {"add", "sub", "mul", "div", "neg", "abs", "square", "reciprocal", "sqrt", "dot", "sum", "mean"}
_QUICK |= {"relu", "leaky_relu", "maximum", "minimum", "clip", "where", "sign", "heaviside", "prod", "pow"}


class Work(NamedTuple):
    """How much a program will run: how many steps, and how many examples in all of them."""

    steps: int
    examples: int

    def is_worth_compiling(self, program: Program) -> bool:
        """Return whether machine code saves more time than its build takes.

        It is estimated, not measured: the form decides the last bits of the results, and a seed fixes these.
        """
        graph = program.graph
        operands = sum(map(len, graph.operands))
        functions = sum(1 for op in graph.ops if isinstance(op, Primitive) and op.name not in _QUICK)
        each = PER_OPERAND * operands + PER_FUNCTION * functions
        return PER_STEP * self.steps + each * self.examples > BUILD


class CompiledLoss:
    """The mean loss of some examples; a call adds its gradient to ``grad`` of the parameters.

    ``form`` says what runs: "machine code", "NumPy" or "Python". Raises `TraceError` if only the eager engine
    can run the loss, because it branches on numbers or changes from call to call. Errors of the loss pass
    through.
    """

    def __init__(
        self,
        model: Model,
        loss: Loss,
        inputs: Sequence[Example],
        targets: Sequence[Example],
        work: Work,
    ) -> None:
        self.program = program_of(model, loss, inputs[0], targets[0])
        self.examples = inputs, targets
        self.columns, self.count = self.program.converted(self.examples)
        self.form = "Python" if isinstance(self.columns[0], list) else "NumPy"
        is_native = self.program.is_native
        if self.form == "NumPy" and not is_native and work.is_worth_compiling(self.program):
            # NumPy takes over if there is no working compiler, or if a row has no form in C.
            with warnings.catch_warnings(), suppress(RuntimeError, ValueError):
                warnings.simplefilter("ignore", RuntimeWarning)
                self.program.native()
        if self.program.is_native:
            self.form = "machine code"
        self.kernel = self.program.kernel("leaf")

    def check(self) -> None:
        """Raise the error of the loss for the first example that it refuses."""
        self.program.check(self.columns, self.program.leaf_numbers())

    def __call__(self, chosen: Sequence[int] | None = None) -> float:
        """Return the mean loss of the examples with the numbers `chosen`, or of all; add its gradient."""
        columns, m = self.columns, self.count
        if chosen is not None:
            m = len(chosen)
            if self.form == "Python":
                columns = [[column[i] for i in chosen] for column in columns]
            else:
                columns = [column[list(chosen)] for column in columns]
        leaves = self.program.leaf_numbers()
        if self.program.checks_leaves:
            self.program.check(columns, leaves)
        value, gradients = self.kernel(columns, leaves)
        if not math.isfinite(value) or not all(map(math.isfinite, gradients)):
            value, gradients = self.program.settled_sums(columns, m, leaves, "leaf")
        self.program.add_gradients([gradient / m for gradient in gradients], 1.0)
        return float(value) / m


# --- Programs are kept with their models -----------------------------------------------------------


class Structure(NamedTuple):
    """What decides which operations a model of `nn` and its loss make: all but the numbers."""

    loss: Loss
    layers: list[list[tuple[str, int, bool]]]  # of each neuron: activation, inputs, whether it has a bias
    parameters: list[Value]

    def is_that_of(self, other: Structure | None) -> bool:
        """Return whether both make the same operations on the same parameters."""
        return (
            other is not None
            and self[:2] == other[:2]
            and len(self.parameters) == len(other.parameters)
            and all(map(is_, self.parameters, other.parameters))
        )


def structure(model: Any, loss: Loss) -> Structure | None:
    """Return the structure, or None unless there are only classes, losses and activations of `nn`.

    Other models may do what a program made once cannot repeat: draw random numbers, count calls, read data.
    """
    layers: list[list[Any]] = [
        layer.neurons if type(layer) is Layer else [layer]
        for layer in (model.layers if type(model) is MLP else [model])
    ]
    neurons = [neuron for layer in layers for neuron in layer]
    if loss not in LOSSES.values() or not all(
        type(neuron) is Neuron and isinstance(neuron.activation, str) for neuron in neurons
    ):
        return None
    shapes = [[(neuron.activation, len(neuron.w), neuron.b is None) for neuron in layer] for layer in layers]
    return Structure(loss, shapes, [w for neuron in neurons for w in (*neuron.w, neuron.b) if w is not None])


class _Known(NamedTuple):
    program: Program
    structure: Structure | None
    paths: list[list[str]]  # of the numbers in an input and a target


_PROGRAMS: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def program_of(model: Model, loss: Loss, x: Example, y: Example) -> Program:
    """Return the program of the loss of one example: the one of the last call with this model, if it fits.

    Raises `TraceError` if the loss cannot be a program.
    """

    def of_one(x: Example, y: Example) -> Output:
        return loss(model(x), y)

    kept = isinstance(model, Module)
    known, made_of = _PROGRAMS.get(model) if kept else None, structure(model, loss)
    paths = [flatten(x, "an input").paths, flatten(y, "a target").paths]
    if known and made_of and made_of.is_that_of(known.structure) and paths == known.paths:
        return known.program
    program = compile(of_one, x, y, name="loss")
    if known and _are_same(program, known.program):
        return known.program
    if not _are_same(program, compile(of_one, x, y, name="loss")):
        raise TraceError("the loss is not the same each time it runs, as with random numbers in the model")
    if not program.scalar or not program.leaves:
        raise TraceError("the loss must be one number that depends on the model")
    if kept:
        _PROGRAMS[model] = _Known(program, made_of, paths)
    return program


def _are_same(program: Program, other: Program) -> bool:
    def content(program: Program) -> tuple[object, ...]:
        graph = program.graph
        shapes = [tree.paths for _, tree in program.arguments]
        return graph.ops, graph.operands, graph.constants, program.outputs, shapes, [*map(id, program.leaves)]

    return content(program) == content(other)
