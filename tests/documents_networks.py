"""Networks with given weights, and nested lists of Values: what the tests of the documents share."""

from collections.abc import Callable
from typing import Any

from autograd_lite import MLP, Value, dot

# --- Nested lists of numbers and of Values ---------------------------------------------------------


def nested(f: Callable[[Any], Any], x: Any) -> Any:
    return [nested(f, item) for item in x] if isinstance(x, list | tuple) else f(x)


def values(x: Any) -> Any:
    return nested(Value, x)


def data(x: Any) -> Any:
    return nested(lambda value: value.data, x)


def grads(x: Any) -> Any:
    return nested(lambda value: value.grad, x)


def flat(x: Any) -> list[Any]:
    return [leaf for item in x for leaf in flat(item)] if isinstance(x, list | tuple) else [x]


def column(x: Any) -> list[list[Any]]:
    return [[item] for item in x]


def transposed(x: Any) -> list[list[Any]]:
    return [list(row) for row in zip(*x, strict=True)]


# --- Networks --------------------------------------------------------------------------------------


def network(
    Ws: Any, bs: Any = None, activation: str = "sigmoid", output: str | None = "sigmoid"
) -> tuple[MLP, Any, Any]:
    """The MLP with weights Ws, each (out, in), and biases bs; then its parameters in these shapes."""
    model = MLP(len(Ws[0][0]), [len(W) for W in Ws], activation, output=output, bias=bs is not None)
    w = [[neuron.w for neuron in layer.neurons] for layer in model.layers]
    b = [[neuron.b for neuron in layer.neurons] for layer in model.layers]
    for parameters, numbers in [(w, Ws)] if bs is None else [(w, Ws), (b, bs)]:
        for parameter, number in zip(flat(parameters), flat(numbers), strict=True):
            parameter.data = number
    return model, w, b


def forward(model: MLP, x: list[Value]) -> tuple[list[list[Value]], list[list[Value]]]:
    """The nodes z and h = φ(z) of every layer, the input being the first h."""
    zs, hs = [], [x]
    for layer in model.layers:
        out = layer(hs[-1])
        hs.append(out if isinstance(out, list) else [out])
        zs.append([h if h.primitive is dot else h.operands[0] for h in hs[-1]])
    return zs, hs


def backward(root: Value) -> None:
    """Gradients of this root alone."""
    root.zero_grad()
    root.backward()
