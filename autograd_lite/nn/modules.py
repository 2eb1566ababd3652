"""Neurons, layers and networks of Values, and `Module`, which finds and keeps the parameters of any model.

What does not live here: the operations (`primitives.py`), losses (`losses.py`), training (`optim.py`).
"""

from __future__ import annotations

import inspect
import json
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, TypeAlias

from autograd_lite.core.modes import scope
from autograd_lite.core.numbers import real, whole
from autograd_lite.core.primitive import TABLE, Primitive, Traceable
from autograd_lite.core.recording import linear
from autograd_lite.core.rules import dot
from autograd_lite.core.value import Value
from autograd_lite.files import read_whole, write_whole
from autograd_lite.nn.summary import as_html, as_text

Activation: TypeAlias = str | Callable[[Any], Any] | None
Init: TypeAlias = str | Callable[[random.Random, int, int], float] | None

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

INITS: dict[str, Callable[[random.Random, int, int], float]] = {
    "xavier": lambda rng, inputs, outputs: rng.uniform(-1.0, 1.0) * math.sqrt(6.0 / (inputs + outputs)),
    "he": lambda rng, inputs, outputs: rng.gauss(0.0, math.sqrt(2.0 / inputs)),
    "uniform": lambda rng, inputs, outputs: rng.uniform(-1.0, 1.0),
}


# --- Files ------------------------------------------------------------------------------------------


LARGEST = 2**30  # bytes of a file: 17 million parameters


def write_json(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write `document` as JSON with exact floats, all of it or nothing: a reader never sees half a file.

    Raises `ValueError` if it holds an infinity or a NaN, which JSON has no way to write, and `OSError`
    where the file cannot be written; what stood there before then stays.
    """
    write_whole(path, as_json(document))


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return what `write_json` writes."""
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the JSON object in the file `path`; `ValueError` says what is wrong with a damaged one."""

    def refuse(token: str) -> None:
        raise ValueError(f"{token} is no JSON number")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((key, count),) = Counter([key for key, _ in pairs]).most_common(1)
            raise ValueError(f"the key {key!r:.60} stands {count} times in one object")
        return found

    try:
        text = read_whole(Path(path), LARGEST).decode()
        document = json.loads(text, parse_constant=refuse, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or no JSON file: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds no saved model: a JSON object was expected")
    return document


# --- Modules ----------------------------------------------------------------------------------------


def walk(part: Any, path: Any, seen: dict[int, Any], found: dict[Value, Any]) -> None:
    """Put the parameters of `part` and of all that it holds into `found`, each with its path.

    Paths are nested pairs, joined to names by who wants names: a training loop asks for parameters only.
    """
    seen[id(part)] = part  # kept, so that nothing new gets its id
    if isinstance(part, Module):
        entries: Iterable[tuple[Any, Any]] = vars(part).items()
    else:
        entries = part.items() if isinstance(part, dict) else enumerate(part)
    for key, entry in entries:
        if isinstance(entry, Value):
            if entry.primitive is None:
                found.setdefault(entry, (path, key))
        elif isinstance(entry, _HOLDERS):
            if id(entry) not in seen:
                walk(entry, (path, key), seen, found)
        elif getattr(entry, "dtype", None) == "O":  # an array of Values
            walk(entry.tolist(), (path, key), seen, found)


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


class Module:
    """A model: a callable object that owns parameters.

    The parameters are the leaf Values among its attributes and in the lists, tuples, dicts, object arrays
    and Modules there, at any depth, in the order in which they were set; one that is shared counts once,
    under its first name. A Value that an operation made is no parameter.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0, "slope"), Value(1.0, "offset")
    ...
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def parameters(self) -> list[Value]:
        """Return the parameters, in the order of definition."""
        found: dict[Value, Any] = {}
        walk(self, None, {}, found)
        return list(found)

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield each parameter with its dotted name, ``layers.0.neurons.3.w.1``.

        Raises `ValueError` if the keys of a dict give two parameters the same name.
        """
        found: dict[Value, Any] = {}
        walk(self, None, {}, found)
        names = set()
        for parameter, path in found.items():
            keys = []
            while path is not None:
                path, key = path
                keys.append(str(key))
            name = ".".join(reversed(keys))
            if name in names:
                raise ValueError(
                    f"two parameters are named {name!r}: give the entries of the dict other keys"
                )
            names.add(name)
            yield name, parameter

    def zero_grad(self) -> None:
        """Set ``grad`` of every parameter to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, float]:
        """Return the data of the parameters by name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set the data of all parameters by name, as `state_dict` returned them.

        Raises `ValueError`, and changes nothing, unless `state` has a finite number for each parameter
        and no entry more; `TypeError` if it is no dict.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"a state is a dict of numbers by name, got {type(state).__name__} {state!r:.40}")
        parameters = dict(self.named_parameters())
        numbers, wrong = {}, []
        for name in parameters.keys() & state.keys():
            with suppress(TypeError, OverflowError):
                numbers[name] = real(state[name])
            if not math.isfinite(numbers.get(name, math.nan)):
                wrong.append(f"{name} ({state[name]!r:.40})")
        problems = [
            f"{what} {_some(names)}"
            for what, names in (
                ("missing:", [name for name in parameters if name not in state]),
                ("unexpected:", [str(name) for name in state if name not in parameters]),
                ("no finite number:", sorted(wrong)),
            )
            if names
        ]
        if problems:
            raise ValueError(f"this state does not fit {self!r}: {'; '.join(problems)}")
        for name, parameter in parameters.items():
            parameter.data = numbers[name]

    @property
    def architecture(self) -> dict[str, Any] | None:
        """What a file says besides the numbers, if the model can say it; `MLP` can."""
        return None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters to the file `path`, as JSON that gives every float back exactly.

        Raises `ValueError`, and writes nothing, if a parameter is infinite or NaN.
        """
        state = self.state_dict()
        wrong = [f"{name} ({number!r})" for name, number in state.items() if not math.isfinite(number)]
        if wrong:
            raise ValueError(
                f"{path} is not written, for these parameters are no finite numbers: {_some(wrong)}"
            )
        write_json(path, {"architecture": self.architecture, "parameters": state})

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters from a file that `save` wrote.

        The file is JSON, which runs no code, unlike a pickle. Raises `ValueError`, and changes nothing, if it
        is damaged or belongs to another model, and `OSError` if it cannot be read.
        """
        self._take(read_json(path), path)

    def _take(self, document: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
        state, theirs, ours = document.get("parameters"), document.get("architecture"), self.architecture
        if not isinstance(state, dict):
            raise ValueError(f'{path} holds no saved model: it has no "parameters"')
        if ours and theirs and ours != theirs:
            raise ValueError(f"{path} holds another model than {self!r}: its architecture is {theirs}")
        try:
            self.load_state_dict(state)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _count(self) -> str:
        count = len(self.parameters())
        return f"{count} parameter{'' if count == 1 else 's'}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {self._count()}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": as_text(self), "text/html": as_html(self)}


_HOLDERS = (Module, list, tuple, dict)  # where parameters are looked for


# --- Neurons, layers, networks ----------------------------------------------------------------------


def _takes_one(row: Primitive) -> bool:
    return row.arguments is None and len(inspect.signature(row.rule).parameters) == 2


def _resolve(activation: Activation) -> tuple[str | Callable[[Any], Any], Callable[[Any], Any] | None]:
    """The activation as it is named (a name, else the function itself), and the function to call."""
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
    # The method records at once what the row would first look for in its operands.
    return row.name, getattr(Value, row.name, row) if row.name in ACTIVATIONS else row


def _named(activation: str | Callable[[Any], Any]) -> str:
    if isinstance(activation, str):
        return repr(activation)
    return getattr(activation, "__name__", None) or repr(activation)


def _generator(rng: Any) -> Any:
    if rng is None:
        return random
    if rng is random or isinstance(rng, random.Random):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int):
        raise TypeError(
            f"rng must be a seed (an int), a random.Random or None, got {type(rng).__name__} {rng!r}"
        )
    return random.Random(rng)


def _initializer(init: Init, activation: str | Callable[[Any], Any]) -> Callable[[Any, int, int], float]:
    if callable(init):
        return init
    name = ("he" if activation in _RELU_LIKE else "xavier") if init is None else init
    if name not in INITS:
        raise ValueError(f"unknown init {init!r}: the names are {', '.join(INITS)}, or give a function")
    return INITS[name]


_VALUES = frozenset((Value,))


def _inputs(x: Any, expected: int) -> list[Any]:
    """The inputs, as Values; a bare one is one input, for a layer of one neuron returns that."""
    if type(x) is not list:
        x = [*x] if isinstance(x, Iterable) else [x]
    inputs: list[Any] = x
    if len(inputs) != expected:
        were = "input was" if expected == 1 else "inputs were"
        raise ValueError(f"{expected} {were} expected and {len(inputs)} came")
    if not _VALUES.issuperset(map(type, inputs)):
        inputs = [
            xi if isinstance(xi, Traceable) else Value(real(xi, f"input {i}"), f"x{i}")
            for i, xi in enumerate(inputs, 1)
        ]
    return inputs


class Neuron(Module):
    """φ(w·x + b): one `dot` node, and one for the activation φ (000.1, 000.2).

    ``w`` is the list of the weights, labelled w1, w2, ...; ``b`` the bias, 0 at first, or None with
    ``bias=False``.

    `activation` is a name of `ACTIVATIONS` (or of a row of your own), a function of one Value, or None for
    none, which ``nonlin=False`` says too. The weights are drawn from `rng`: a seed, a `random.Random`, or
    None for the global generator. `init` is ``"xavier"``, uniform within ±√(6 / (inputs + outputs)) (Glorot
    and Bengio 2010); ``"he"``, normal with the variance 2 / inputs (He et al. 2015); ``"uniform"``, between
    −1 and 1; a function ``init(rng, inputs, outputs)``; or None for He before relu and its kin, else
    Xavier. `outputs` is the number of neurons in the layer.

    Raises `ValueError` for an unknown name or a size below 1, `TypeError` for anything of a wrong type; a
    call raises `ValueError` if it gets another number of inputs.

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
    def activation(self) -> str | Callable[[Any], Any]:
        """The activation's name, or the function that was given."""
        return self._activation

    def __call__(self, x: Any) -> Any:
        """Return φ(w·x + b) for the inputs `x`: numbers, Values or both."""
        w = self.w
        if type(x) is not list or len(x) != len(w):
            x = _inputs(x, len(w))
        z = dot(w, x, self.b)
        apply = self._apply
        return z if apply is None else apply(z)

    def __repr__(self) -> str:
        bias = "" if self.b is not None else ", bias=False"
        return f"Neuron({len(self.w)}, {_named(self._activation)}{bias})"


class Layer(Module):
    """`outputs` neurons over the same inputs; the options are those of `Neuron`.

    A call returns the list of their values; a layer of one neuron returns the Value itself. It opens a
    `scope`, by which pictures show it as a box.
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

    def __call__(self, x: Any) -> Any:
        """Return the value of each neuron at the inputs `x`."""
        neurons = self.neurons
        x = _inputs(x, len(neurons[0].w))
        activation, W, b = neurons[0]._activation, [], []
        with scope(self._title):
            for neuron in neurons:
                if type(neuron) is not Neuron or neuron._activation != activation or neuron.b is None:
                    # One may have been put in place of another: then each is asked by itself.
                    out = [neuron(x) for neuron in neurons]
                    break
                W.append(neuron.w)
                b.append(neuron.b)
            else:
                out = linear(W, x, b)
                apply = neurons[0]._apply
                out = out if apply is None else [apply(z) for z in out]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        first = self.neurons[0]
        bias = "" if first.b is not None else ", bias=False"
        return (
            f"Layer({len(first.w)}, {len(self.neurons)}, {_named(first.activation)}{bias})  # {self._count()}"
        )


class MLP(Module):
    """A multilayer perceptron: layers of `sizes` neurons, each fed by the one before, the first by `inputs`.

    `activation` stands in every layer but the last, which has `output` (None: linear); the other options
    are those of `Neuron`. The loss from pre-activations and softmax cross-entropy want a linear output.

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
        generator = _generator(rng)
        self.layers = [
            Layer(n, m, phi, bias=bias, init=init, rng=generator)
            for n, m, phi in zip(
                [inputs, *widths], widths, [activation] * (len(widths) - 1) + [output], strict=False
            )
        ]
        for k, layer in enumerate(self.layers, 1):
            layer._title = f"layer {k}"

    def __call__(self, x: Any) -> Any:
        """Return the last layer's value, or the list of its values, at one example `x`."""
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def architecture(self) -> dict[str, Any] | None:
        """The arguments that build this shape again, ``MLP(**model.architecture)``.

        None if an activation is a function without a name in the table, or layers or neurons were replaced
        by others of which no such arguments tell: no file can hold that.
        """
        shape = self._shape
        named = (
            shape is not None and isinstance(shape["activation"], str) and isinstance(shape["output"], str)
        )
        return shape if named else None

    @property
    def _shape(self) -> dict[str, Any] | None:
        """The architecture, whatever the activations; None unless all neurons are as arguments build them."""
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
        return cls._from_document(read_json(path), path)

    @classmethod
    def _from_document(cls, document: Mapping[str, Any], path: str | os.PathLike[str]) -> Self:
        architecture, state = document.get("architecture"), document.get("parameters")
        if not isinstance(architecture, dict) or not isinstance(state, dict):
            raise ValueError(
                f"{path} does not say the shape of its model: build the MLP, and load the file into it"
            )
        try:
            # A wrong digit must not build a network of millions.
            widths, bias = (
                [architecture["inputs"], *architecture["sizes"]],
                bool(architecture.get("bias", True)),
            )
            if sum((n + bias) * m for n, m in pairwise(widths)) > len(state):
                raise ValueError(f"{len(state)} parameters are too few for {architecture}")
            model = cls(**architecture)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} holds no MLP: {error}") from None
        model._take(document, path)
        return model

    def __repr__(self) -> str:
        shape = self._shape
        if shape is None:
            return super().__repr__()
        hidden = f", {_named(shape['activation'])}" if len(shape["sizes"]) > 1 else ""
        output = "" if shape["output"] == "linear" else f", output={_named(shape['output'])}"
        bias = "" if shape["bias"] else ", bias=False"
        return f"MLP({shape['inputs']}, {shape['sizes']}{hidden}{output}{bias})  # {self._count()}"
