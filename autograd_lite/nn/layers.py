"""`Neuron`, `Layer`, `MLP`, `Embedding`: networks of Values, with their activations and first weights.

Numbers and Values go in; Values come out. A neuron records one `dot` node and one node for its activation.
Next door: how a module finds and keeps its parameters (`modules.py`), the losses (`losses.py`).
"""

from __future__ import annotations

import inspect
import math
import os
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from autograd_lite.core.indexing import take
from autograd_lite.core.modes import comparison_hook, scope
from autograd_lite.core.numbers import real, whole
from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.recording import linear
from autograd_lite.core.rules import dot
from autograd_lite.core.tracing import Traceable
from autograd_lite.core.value import Value
from autograd_lite.nn.files import Document, held, read_json
from autograd_lite.nn.modules import Module

Scalar: TypeAlias = Any  # a number, a Value, or the tracer that stands for one while a function is traced
Inputs: TypeAlias = Any  # of shape (n,): a sequence or an array of scalars; if n is 1, also a scalar
Function: TypeAlias = Callable[[Scalar], Scalar]

if TYPE_CHECKING:

    class Outputs(Value):
        """What a network returns: a Value, or a list of Values if it has several outputs.

        Which of the two is known only at run time, so type checkers are told that it does what either can.
        """

        def __getitem__(self, index: int) -> Value: ...
        def __iter__(self) -> Iterator[Value]: ...
        def __len__(self) -> int: ...


Activation: TypeAlias = str | Function | None
Initializer: TypeAlias = Callable[[random.Random, int, int], float]
Init: TypeAlias = str | Initializer | None

ACTIVATIONS = (
    "linear",
    "relu",
    "leaky_relu",
    "silu",
    "gelu",
    "softplus",
    "sigmoid",
    "tanh",
    "sin",
    "atan",
    "erf",
)
_RELU_LIKE = ("relu", "leaky_relu", "silu", "gelu", "softplus")

INITS: dict[str, Initializer] = {
    "xavier": lambda rng, inputs, outputs: rng.uniform(-1.0, 1.0) * math.sqrt(6.0 / (inputs + outputs)),
    "he": lambda rng, inputs, outputs: rng.gauss(0.0, math.sqrt(2.0 / inputs)),
    "uniform": lambda rng, inputs, outputs: rng.uniform(-1.0, 1.0),
}


# --- Options ---------------------------------------------------------------------------------------


def _takes_one(row: Primitive) -> bool:
    return row.arguments is None and len(inspect.signature(row.rule).parameters) == 2


def _resolve(activation: Activation) -> tuple[str | Function, Function | None]:
    """Return the name of an activation (without one, the function itself) and the function to call."""
    if activation is None or activation == "linear":
        return "linear", None
    name = activation if isinstance(activation, str) else getattr(activation, "name", None)
    row = TABLE.get(name) if isinstance(name, str) else None
    if isinstance(activation, str):
        if row is None or (activation not in ACTIVATIONS and not _takes_one(row)):
            raise ValueError(
                f"unknown activation {activation!r}: the names are {', '.join(ACTIVATIONS)}, "
                "or give a function of one Value"
            )
    elif not callable(activation):
        raise TypeError(
            f"an activation is a name or a function, got {type(activation).__name__} {activation!r}"
        )
    elif activation is not row:
        return activation, activation
    # The method of Value knows that its operand is one: sixteen neurons take 51 µs instead of 82.
    return row.name, getattr(Value, row.name, row) if row.name in ACTIVATIONS else row


def _named(activation: str | Function) -> str:
    if isinstance(activation, str):
        return repr(activation)
    return getattr(activation, "__name__", None) or repr(activation)


def _generator(rng: object) -> random.Random:
    if rng is None or rng is random:
        return cast(random.Random, random)  # the module's functions are the methods of the global generator
    if isinstance(rng, random.Random):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int):
        raise TypeError(
            f"rng must be a seed (an int), a random.Random or None, got {type(rng).__name__} {rng!r}"
        )
    return random.Random(rng)


def _initializer(init: Init, activation: str | Function) -> Initializer:
    if callable(init):
        return init
    name = ("he" if activation in _RELU_LIKE else "xavier") if init is None else init
    if name not in INITS:
        raise ValueError(f"unknown init {init!r}: the names are {', '.join(INITS)}, or give a function")
    return INITS[name]


_VALUES = frozenset((Value,))


def _inputs(x: Inputs, expected: int) -> list[Scalar]:
    """Return the inputs as Values. A bare number is one input, because a layer of one neuron returns one.

    While a function is traced, numbers stay numbers: they are constants of the program, not leaves of it.
    """
    if type(x) is not list:
        x = [*x] if isinstance(x, Iterable) else [x]
    inputs: list[Scalar] = x
    if len(inputs) != expected:
        were = "input was" if expected == 1 else "inputs were"
        raise ValueError(f"{expected} {were} expected and {len(inputs)} came")
    if not _VALUES.issuperset(map(type, inputs)):
        inputs = [
            xi if isinstance(xi, Traceable) else real(xi, f"input {i}") for i, xi in enumerate(inputs, 1)
        ]
        if comparison_hook.get() is None:
            inputs = [Value(xi, f"x{i}") if type(xi) is float else xi for i, xi in enumerate(inputs, 1)]
    return inputs


# --- Neurons, layers, networks ---------------------------------------------------------------------


class Neuron(Module):
    """A neuron, φ(w·x + b) of n inputs: one `dot` node, and one node for the activation φ.

    ``w`` is the list of the n weights, labelled w1, w2, ...; ``b`` is the bias, which starts at 0, or None
    with ``bias=False``.

    - `activation`: a name in `ACTIVATIONS`, the name of a row of your own, a function of one Value, or None
      for none. ``nonlin=False``, as in micrograd, also means none.
    - `rng` draws the weights: a seed, a `random.Random`, or None for the global generator.
    - `init` is how they are drawn: ``"xavier"``, uniform within ±√(6 / (inputs + outputs)) (Glorot and Bengio
      2010); ``"he"``, normal with the variance 2 / inputs (He et al. 2015); ``"uniform"``, between −1 and 1;
      a function ``init(rng, inputs, outputs)``; or None, which is "he" before relu, leaky_relu, silu, gelu
      and softplus, else "xavier".
    - `outputs` is the number of neurons in the layer, which "xavier" uses.

    Raises `ValueError` for an unknown name or a size below 1, and `TypeError` for an option of a wrong type.
    A call raises `ValueError` unless it gets n inputs (document 000, equations 1 and 2).

    >>> neuron = Neuron(2, "tanh")
    >>> neuron.w[0].data, neuron.w[1].data, neuron.b.data = 0.5, -0.25, 0.1
    >>> neuron([1.0, 2.0])
    Value(0.0996...)
    """

    w: list[Value]
    b: Value | None

    def __init__(
        self,
        inputs: int,
        activation: Activation = "relu",
        *,
        bias: bool = True,
        init: Init = None,
        rng: random.Random | int | None = None,
        nonlin: bool = True,
        outputs: int = 1,
    ) -> None:
        inputs, generator = whole(inputs, "the number of inputs"), _generator(rng)
        self._activation, self._apply = _resolve(activation if nonlin else None)
        draw = _initializer(init, self._activation)
        self.w = [Value(draw(generator, inputs, outputs), f"w{i}") for i in range(1, inputs + 1)]
        self.b = Value(0.0, "b") if bias else None

    @property
    def activation(self) -> str | Function:
        """The activation's name, or the function itself if it is not a row of the table."""
        return self._activation

    def __call__(self, x: Inputs) -> Value:
        """Return φ(w·x + b) for the inputs `x`, of shape (n,): numbers, Values or both."""
        w = self.w
        if type(x) is not list or len(x) != len(w):
            x = _inputs(x, len(w))
        z = dot(w, x, self.b)
        apply = self._apply
        return z if apply is None else apply(z)

    def __repr__(self) -> str:
        bias = "" if self.b is not None else ", bias=False"
        return f"Neuron({len(self.w)}, {_named(self._activation)}{bias})"


class Embedding(Module):
    """A table of `count` rows, each a list of `size` parameters; a call returns the row with a number.

    ``w`` is the table. The number may be an argument of a function that is compiled (`take`). The rows are
    drawn from the standard normal distribution, or by ``init(rng, count, size)``. Raises `ValueError` for a
    size below 1. A call raises `TypeError` if the number is not whole, `IndexError` if there is no such row.

    >>> letters = Embedding(27, 2, rng=0)
    >>> letters(26) == letters.w[26]
    True
    """

    w: list[list[Value]]

    def __init__(
        self, count: int, size: int, *, init: Init = None, rng: random.Random | int | None = None
    ) -> None:
        count, size = whole(count, "the number of rows"), whole(size, "the size of a row")
        generator = _generator(rng)
        draw = _normal if init is None else _initializer(init, "linear")
        self.w = [
            [Value(draw(generator, count, size), f"w{i}_{j}") for j in range(size)] for i in range(count)
        ]

    def __call__(self, index: int) -> list[Scalar]:
        """Return row `index`, a list of Values."""
        return cast(list[Scalar], take(self.w, index))

    def __repr__(self) -> str:
        return f"Embedding({len(self.w)}, {len(self.w[0])})"


def _normal(rng: random.Random, inputs: int, outputs: int) -> float:
    return rng.gauss(0.0, 1.0)


class Layer(Module):
    """A layer, φ(W·x + b): H neurons (`outputs`) over n inputs; W is H × n, x has n entries, b has H.

    A call returns the list of the H values; a layer of one neuron returns the Value itself. Each call opens a
    `scope`, so pictures draw the layer as a box. The options and errors are those of `Neuron`.
    """

    neurons: list[Neuron]

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Activation = "relu",
        *,
        bias: bool = True,
        init: Init = None,
        rng: random.Random | int | None = None,
        nonlin: bool = True,
    ) -> None:
        outputs, generator = whole(outputs, "the number of neurons in a layer"), _generator(rng)
        self._title = "layer"
        self.neurons = [
            Neuron(inputs, activation, bias=bias, init=init, rng=generator, nonlin=nonlin, outputs=outputs)
            for _ in range(outputs)
        ]

    def __call__(self, x: Inputs) -> Outputs:
        """Return the value of each neuron at the inputs `x`, of shape (n,)."""
        neurons = self.neurons
        x = _inputs(x, len(neurons[0].w))
        activation, W, b = neurons[0]._activation, [], []
        with scope(self._title):
            for neuron in neurons:
                if type(neuron) is not Neuron or neuron._activation != activation or neuron.b is None:
                    # `linear` needs neurons of one kind, with biases. Call these one by one.
                    out = [neuron(x) for neuron in neurons]
                    break
                W.append(neuron.w)
                b.append(neuron.b)
            else:  # 16 neurons of 16 inputs are recorded in 57 µs instead of 187
                out = linear(W, x, b)
                apply = neurons[0]._apply
                out = out if apply is None else [apply(z) for z in out]
        return out[0] if len(out) == 1 else out  # type: ignore[return-value]

    def __repr__(self) -> str:
        first = self.neurons[0]
        bias = "" if first.b is not None else ", bias=False"
        return (
            f"Layer({len(first.w)}, {len(self.neurons)}, {_named(first.activation)}{bias})  # {self._count()}"
        )


class MLP(Module):
    """A multilayer perceptron: layers of `sizes` neurons, each fed by the one before, the first by `inputs`.

    `activation` is used in every layer but the last, whose activation is `output` (None: linear). Keep that
    linear for `log_loss_from_scores` and `cross_entropy`. A single layer is the last one, and a warning says
    so if it gets an `activation` other than the default. The other options and the errors are those of
    `Neuron`; an empty list of sizes is a `ValueError`, too (document 003, equation 8).

    >>> model = MLP(2, [8, 3], "tanh", rng=0)
    >>> model
    MLP(2, [8, 3], 'tanh')  # 51 parameters
    >>> len(model([0.5, -1.0]))
    3
    """

    layers: list[Layer]

    def __init__(
        self,
        inputs: int,
        sizes: Iterable[int],
        activation: Activation = "relu",
        output: Activation = None,
        *,
        bias: bool = True,
        init: Init = None,
        rng: random.Random | int | None = None,
    ) -> None:
        if not isinstance(sizes, Iterable):
            raise TypeError(f"sizes must be a list of layer sizes, got {type(sizes).__name__} {sizes!r}")
        widths = [whole(size, "the number of neurons in a layer") for size in sizes]
        if not widths:
            raise ValueError("an MLP needs at least one layer: sizes is empty")
        name, _ = _resolve(activation)  # also where no layer uses it
        if len(widths) == 1 and output is None and name not in ("relu", "linear"):
            warnings.warn(
                f"activation {_named(name)} is not used: the only layer of MLP({inputs}, {widths}) is its "
                f"last, which is linear; write output={_named(name)} to use it there",
                stacklevel=2,
            )
        generator = _generator(rng)
        self.layers = [
            Layer(n, m, phi, bias=bias, init=init, rng=generator)
            for n, m, phi in zip(
                [inputs, *widths], widths, [activation] * (len(widths) - 1) + [output], strict=False
            )
        ]
        for k, layer in enumerate(self.layers, 1):
            layer._title = f"layer {k}"

    def __call__(self, x: Inputs) -> Outputs:
        """Return the last layer's list of values, or its one value, at one example `x` of shape (inputs,)."""
        for layer in self.layers:
            x = layer(x)
        return x  # type: ignore[no-any-return]

    @property
    def architecture(self) -> Document | None:
        """The arguments that build this shape again, ``MLP(**model.architecture)``.

        None if a file cannot hold such arguments: an activation is a function that is not a row of the table,
        or a layer or neuron was replaced by one of another kind.
        """
        shape = self._shape
        named = (
            shape is not None and isinstance(shape["activation"], str) and isinstance(shape["output"], str)
        )
        return shape if named else None

    @property
    def _shape(self) -> Document | None:
        """The architecture, even if an activation is a function; None if layers or neurons were replaced."""
        layers = [layer.neurons for layer in self.layers if type(layer) is Layer]
        neurons = [neuron for layer in layers for neuron in layer]
        if len(layers) < len(self.layers) or any(type(neuron) is not Neuron for neuron in neurons):
            return None
        first, last = neurons[0], neurons[-1]
        hidden = len(neurons) - len(layers[-1])
        if any(
            neuron.activation != (first if k < hidden else last).activation
            or (neuron.b is None) != (first.b is None)
            for k, neuron in enumerate(neurons)
        ):
            return None
        return {
            "inputs": len(first.w),
            "sizes": [len(layer) for layer in layers],
            "activation": first.activation if hidden else "linear",
            "output": last.activation,
            "bias": first.b is not None,
        }

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the MLP that `save` wrote to the file `path`, shape and parameters.

        Raises `ValueError` if the file is damaged or does not say the shape, `OSError` if it cannot be read.
        """
        return cls.from_document(read_json(path), path)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], path: str | os.PathLike[str]) -> Self:
        """Return the MLP in what `read_json` returned; errors are those of `from_file` and name `path`."""
        architecture, state = document.get("architecture"), document.get("parameters")
        if not isinstance(architecture, dict) or not isinstance(state, dict):
            raise ValueError(
                f"{path} holds {held(document)}, but not its shape: build the model, and load it"
            )
        try:
            widths = [architecture["inputs"], *architecture["sizes"]]
            bias = bool(architecture.get("bias", True))
            # A wrong digit in a damaged file must not build a network of millions of parameters.
            if sum((n + bias) * m for n, m in pairwise(widths)) > len(state):
                raise ValueError(f"{len(state)} parameters are too few for {architecture}")
            model = cls(**architecture)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold an MLP: {error}") from None
        model.load_document(document, path)
        return model

    def __repr__(self) -> str:
        shape = self._shape
        if shape is None:
            return super().__repr__()
        hidden = f", {_named(shape['activation'])}" if len(shape["sizes"]) > 1 else ""
        output = "" if shape["output"] == "linear" else f", output={_named(shape['output'])}"
        bias = "" if shape["bias"] else ", bias=False"
        return f"MLP({shape['inputs']}, {shape['sizes']}{hidden}{output}{bias})  # {self._count()}"
