"""The 20 derivations with the documents' own names, and the closed forms that `derivations.md` gives.

``python -m tests.documents_explained`` prints what `tests/explanations.txt` holds: explanations of weights
in each layer. Numbers are those of one random case of `oracle.json` for each derivation.

Weights of layer k, to neuron j from input i: w_k_ji; of a single layer: w_i. The last index of what there is
for each example is the example.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sympy

from autograd_lite import (
    Value,
    cross_entropy,
    dot,
    explain,
    half_squared_error,
    log_loss,
    relu,
    sigmoid,
    softmax,
    tanh,
)

DERIVATIONS = json.loads((Path(__file__).parent / "oracle.json").read_text(encoding="utf-8"))["derivations"]

Names = Callable[[str], Any]  # the SymPy symbol of a name


class Explained(NamedTuple):
    """∂output/∂wrt: its closed form in the names of the graph, and the oracle's number."""

    output: Value
    wrt: Value
    closed: Callable[[Names], Any]
    number: float


def named(value: Value, label: str) -> Value:
    value.label = label
    return value


def leaves(name: str, numbers: Sequence[float]) -> list[Value]:
    return [Value(x, f"{name}_{k}") for k, x in enumerate(numbers, 1)]


def matrix(name: str, rows: Sequence[Sequence[float]]) -> list[list[Value]]:
    return [[Value(x, f"{name}_{j}{i}") for i, x in enumerate(row, 1)] for j, row in enumerate(rows, 1)]


def layer(
    W: Sequence[Sequence[Value]],
    b: Sequence[Value | None],
    x: Sequence[Value],
    z: str,
    h: str,
    phi: Any,
    example: str = "",
) -> list[Value]:
    """φ(Wx + b), each z and h named with the number of its neuron and of the example."""
    out = []
    for j, (w, bias) in enumerate(zip(W, b, strict=True), 1):
        number = f"_{j}" if len(W) > 1 else ""
        node = named(dot(w, x, bias), f"{z}{number}{example}")
        out.append(node if phi is None else named(phi(node), f"{h}{number}{example}"))
    return out


def flat(rows: Any) -> list[float]:
    return [x for row in rows for x in row]


# --- 000: the logistic family ----------------------------------------------------------------------


def sigmoid_(inputs: Any, outputs: Any) -> Iterator[Explained]:
    u = Value(inputs["u"], "u")
    yield Explained(named(sigmoid(u), "f"), u, lambda n: n("f") * (1 - n("f")), outputs["df"])


def logistic_single(inputs: Any, outputs: Any) -> Iterator[Explained]:
    x, w = leaves("x", inputs["x"]), leaves("w", inputs["w"])
    b, y = Value(inputs["b"], "b"), Value(inputs["y"], "y")
    (y_bar,) = layer([w], [b], x, "z", "y_bar", sigmoid)
    L = named(log_loss(y_bar, y), "L")
    yield Explained(L, w[0], lambda n: n("x_1") * (n("y_bar") - n("y")), outputs["dw"][0])
    yield Explained(L, b, lambda n: n("y_bar") - n("y"), outputs["db"])


def logistic_batch(inputs: Any, outputs: Any) -> Iterator[Explained]:
    w, b, y = leaves("w", inputs["w"]), Value(inputs["b"], "b"), leaves("y", inputs["y"])
    X = matrix("x", inputs["X"])
    y_bar = [layer([w], [b], x, "z", "y_bar", sigmoid, f"_{i}")[0] for i, x in enumerate(X, 1)]
    for reduction in ("sum", "mean"):
        m = len(y) if reduction == "mean" else 1
        J = named(log_loss(y_bar, y, reduction), "J")

        def closed(n: Names, m: int = m) -> Any:
            return sum([n(f"x_{i}1") * (n(f"y_bar_{i}") - n(f"y_{i}")) for i in range(1, len(y) + 1)]) / m

        yield Explained(J, w[0], closed, outputs[f"dw_{reduction}"][0])


def logistic_chain(inputs: Any, outputs: Any) -> Iterator[Explained]:
    w, b = leaves("w", inputs["w"]), leaves("b", inputs["b"])
    x, y = Value(inputs["x"], "x"), Value(inputs["y"], "y")
    h = [x]
    for k, pair in enumerate(zip(w, b, strict=True), 1):
        h += layer([[pair[0]]], [pair[1]], h[-1:], f"z_{k}", f"h_{k}", sigmoid)
    n_units = len(w)
    L = named(log_loss(named(h[-1], "y_bar"), y), "L")
    for k in range(1, n_units + 1):

        def closed(n: Names, k: int = k) -> Any:
            delta = n("y_bar") - n("y")
            for j in range(n_units - 1, k - 1, -1):
                delta *= n(f"w_{j + 1}") * n(f"h_{j}") * (1 - n(f"h_{j}"))
            return delta * (n(f"h_{k - 1}") if k > 1 else n("x"))

        yield Explained(L, w[k - 1], closed, outputs["dw"][k - 1])


def logistic_2layer(inputs: Any, outputs: Any) -> Iterator[Explained]:
    x, W1, b1 = leaves("x", inputs["x"]), matrix("w_1", inputs["W1"]), leaves("b_1", inputs["b1"])
    w2, b2, y = leaves("w_2", inputs["w2"]), Value(inputs["b2"], "b_2"), Value(inputs["y"], "y")
    (y_bar,) = layer([w2], [b2], layer(W1, b1, x, "z_1", "h", sigmoid), "z_2", "y_bar", sigmoid)
    L = named(log_loss(y_bar, y), "L")

    def first(n: Names) -> Any:
        return (n("y_bar") - n("y")) * n("w_2_1") * n("h_1") * (1 - n("h_1")) * n("x_2")

    yield Explained(L, W1[0][1], first, outputs["dW1"][0][1])
    yield Explained(L, w2[0], lambda n: (n("y_bar") - n("y")) * n("h_1"), outputs["dw2"][0])


# --- 001: the softmax family -----------------------------------------------------------------------


def softmax_ce(inputs: Any, outputs: Any) -> Iterator[Explained]:
    f, y = leaves("f", inputs["f"]), inputs["y"]
    L = named(cross_entropy(f, y), "L")
    for j, f_j in enumerate(f):
        right = 1 if j == y else 0
        yield Explained(L, f_j, lambda n, j=j, right=right: n(f"P_{j + 1}") - right, outputs["dL_df"][j])


def softmax_2layer(phi: Any, slope: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Iterator[Explained]]:
    def build(inputs: Any, outputs: Any) -> Iterator[Explained]:
        W1, W2 = matrix("w_1", inputs["W1"]), matrix("w_2", inputs["W2"])
        b1, b2 = leaves("b_1", flat(inputs["b1"])), leaves("b_2", flat(inputs["b2"]))
        x, (label,) = leaves("x", flat(inputs["X1"])), inputs["labels"]
        f = layer(W2, b2, layer(W1, b1, x, "Y", "h", phi), "f", "", None)
        L = named(cross_entropy(f, label), "L")

        def g(n: Names, j: int) -> Any:
            return n(f"P_{j}") - (1 if j == label + 1 else 0)

        def first(n: Names) -> Any:
            through = sum([n(f"w_2_{j}1") * g(n, j) for j in range(1, len(f) + 1)])
            return through * slope(n("Y_1"), n("h_1")) * n("x_2")

        yield Explained(L, W1[0][1], first, outputs["dW1"][0][1])
        yield Explained(L, W2[1][0], lambda n: g(n, 2) * n("h_1"), outputs["dW2"][1][0])

    return build


# --- 002 and 004: half squared error, no biases ------------------------------------------------------


def one_layer_scalar(inputs: Any, outputs: Any) -> Iterator[Explained]:
    x, w, y = (Value(inputs[name], name) for name in ("x", "w", "y"))
    y_hat = named(sigmoid(named(x * w, "z")), "y_hat")
    L = named(half_squared_error(y_hat, y), "L")
    delta = lambda n: (n("y_hat") - n("y")) * n("y_hat") * (1 - n("y_hat"))  # noqa: E731
    yield Explained(L, w, lambda n: delta(n) * n("x"), outputs["dw"])


def rows(inputs: Any, outputs: Any) -> Iterator[Explained]:
    """One layer or two, one example or several: examples are rows, weights (in, out)."""
    Ws = [name for name in ("W", "W1", "W2") if name in inputs]
    names = {"W": "w", "W1": "w_1", "W2": "w_2"}
    weights = [[*zip(*rows_of(names[name], inputs[name]), strict=True)] for name in Ws]
    X, y, m = inputs["X"], flat(inputs["y"]), len(inputs["X"])
    tags = [f"_{i}" if m > 1 else "" for i in range(1, m + 1)]
    y_hat, targets = [], []
    for row, target, tag in zip(X, y, tags, strict=True):
        h = [Value(x, f"x_{k}{tag}") for k, x in enumerate(row, 1)]
        for k, W in enumerate(weights):
            last = k == len(weights) - 1
            h = layer(W, [None] * len(W), h, f"z_{k + 1}", "y_hat" if last else "l", sigmoid, tag)
        y_hat += h
        targets.append(Value(target, f"y{tag}"))
    L = named(half_squared_error(y_hat, targets), "L")

    def delta(n: Names, tag: str) -> Any:
        return (n(f"y_hat{tag}") - n(f"y{tag}")) * n(f"y_hat{tag}") * (1 - n(f"y_hat{tag}"))

    hidden = "_1" if len(weights[0]) > 1 else ""  # the first of the hidden nodes, if there are several
    if len(weights) == 1:
        closed = lambda n: sum([delta(n, tag) * n(f"x_1{tag}") for tag in tags])  # noqa: E731
        yield Explained(L, weights[0][0][0], closed, outputs["dW"][0][0])
        return

    def first(n: Names) -> Any:
        l = lambda tag: n(f"l{hidden}{tag}")  # noqa: E731, E741
        w2 = n(weights[1][0][0].label)
        return sum([delta(n, tag) * w2 * l(tag) * (1 - l(tag)) * n(f"x_1{tag}") for tag in tags])

    second = lambda n: sum([delta(n, tag) * n(f"l{hidden}{tag}") for tag in tags])  # noqa: E731
    yield Explained(L, weights[0][0][0], first, outputs["dW1"][0][0])
    yield Explained(L, weights[1][0][0], second, outputs["dW2"][0][0])
    if m == 1:
        prediction = lambda n: n("y_hat") * (1 - n("y_hat")) * n(f"l{hidden}")  # noqa: E731
        yield Explained(y_hat[0], weights[1][0][0], prediction, outputs["dyhat_dW2"][0][0])


def rows_of(name: str, W: Any) -> list[list[Value]]:
    """A matrix (in, out): w_i of one column, else w_ji as everywhere."""
    if len(W[0]) == 1:
        return [[Value(row[0], f"{name}_{i}")] for i, row in enumerate(W, 1)]
    return [[Value(x, f"{name}_{j}{i}") for j, x in enumerate(row, 1)] for i, row in enumerate(W, 1)]


# --- 003: half squared error, biases, any depth ------------------------------------------------------


def half_mse_net(inputs: Any, outputs: Any) -> Iterator[Explained]:
    W = [matrix(f"w_{k}", rows) for k, rows in enumerate(inputs["W"], 1)]
    b = [leaves(f"b_{k}", flat(column)) for k, column in enumerate(inputs["b"], 1)]
    several = "X" in inputs
    columns = [*zip(*inputs["X"], strict=True)] if several else [flat(inputs["x"])]
    targets = [*zip(*inputs["Y"], strict=True)] if several else [flat(inputs["y"])]
    m, depth = len(columns), len(W) + 1
    tags = [f"_{i}" if several else "" for i in range(1, m + 1)]
    predictions, ys = [], []
    for column, target, tag in zip(columns, targets, tags, strict=True):
        h = [Value(x, f"h_1_{j}{tag}") for j, x in enumerate(column, 1)]
        for k in range(len(W)):
            h = layer(W[k], b[k], h, f"z_{k + 2}", f"h_{k + 2}", sigmoid, tag)
        predictions.append(h)
        ys.append([Value(y, f"y{tag}") for y in target])
    J = named(half_squared_error(predictions, ys, "mean"), "J")

    def name(k: int, j: int, tag: str) -> str:
        size = len(inputs["W"][k - 2]) if k > 1 else 2
        return f"h_{k}_{j}{tag}" if size > 1 else f"h_{k}{tag}"

    def delta(n: Names, k: int, j: int, tag: str) -> Any:
        """δ of node j in layer k (003.16, 003.25)."""
        h = n(name(k, j, tag))
        if k == depth:
            return -(n(f"y{tag}") - h) * h * (1 - h)
        above = range(1, len(inputs["W"][k - 1]) + 1)
        return sum([n(f"w_{k}_{i}{j}") * delta(n, k + 1, i, tag) for i in above]) * h * (1 - h)

    for k in range(1, depth):

        def closed(n: Names, k: int = k) -> Any:
            return sum([n(name(k, 2, tag)) * delta(n, k + 1, 1, tag) for tag in tags]) / m

        yield Explained(J, W[k - 1][0][1], closed, outputs["dW"][k - 1][0][1])


def gd_quartic(inputs: Any, outputs: Any) -> Iterator[Explained]:
    x = Value(inputs["x0"], "x")
    f = named(x**4 - 3.0 * x**3, "f")
    yield Explained(f, x, lambda n: 4 * n("x") ** 3 - 9 * n("x") ** 2, outputs["df_x0"])


def score_function(inputs: Any, outputs: Any) -> Iterator[Explained]:
    theta, g = leaves("theta", inputs["theta"]), leaves("g", inputs["g"])
    p = [named(p_k, f"p_{k}") for k, p_k in enumerate(softmax(theta), 1)]
    E = named(dot(p, g), "E")
    yield Explained(E, theta[0], lambda n: n("p_1") * (n("g_1") - n("E")), outputs["dE"][0])


# --- All of them -----------------------------------------------------------------------------------


def positive(x: Any) -> Any:
    """[x > 0]"""
    return sympy.Piecewise((sympy.Integer(1), x > 0), (0, True))


BUILDERS: dict[str, tuple[str, Callable[[Any, Any], Iterator[Explained]]]] = {
    "sigmoid": ("random0", sigmoid_),
    "logistic_single": ("random1", logistic_single),
    "logistic_batch": ("random1", logistic_batch),
    "logistic_chain": ("random1", logistic_chain),
    "logistic_2layer": ("random1", logistic_2layer),
    "softmax_ce": ("random1", softmax_ce),
    "softmax_2layer_sigmoid": ("random0", softmax_2layer(sigmoid, lambda Y, h: h * (1 - h))),
    "softmax_2layer_tanh": ("random0", softmax_2layer(tanh, lambda Y, h: 1 - h**2)),
    "softmax_2layer_relu": ("random0", softmax_2layer(relu, lambda Y, h: positive(Y))),
    "one_layer_scalar": ("random1", one_layer_scalar),
    "one_layer_vector": ("random1", rows),
    "one_layer_batch": ("random0", rows),
    "two_layer_h1": ("random1", rows),
    "two_layer_h2": ("random1", rows),
    "two_layer_hn": ("random0", rows),
    "two_layer_batch": ("random0", rows),
    "half_mse_net_single": ("random1", half_mse_net),
    "half_mse_net_total": ("random0", half_mse_net),
    "gd_quartic": ("random0", gd_quartic),
    "score_function": ("random1", score_function),
}


def explained(name: str) -> list[Explained]:
    case, build = BUILDERS[name]
    found = next(each for each in DERIVATIONS[name]["cases"] if each["id"] == f"{name}/{case}")
    return [*build(found["inputs"], found["outputs"])]


def written() -> str:
    parts = []
    for name in BUILDERS:
        parts.append(f"=== {name} ===")
        parts += [explain(each.output, each.wrt).text + "\n" for each in explained(name)]
    return "\n".join(parts)


if __name__ == "__main__":
    print(written(), end="")
