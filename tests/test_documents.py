"""The 20 derivations of documents 000 to 004, done by the engine and compared with `oracle.json`.

A builder takes the inputs of a case, builds its network, runs `backward`, and returns by name what the case
asks for. All of it is read off the graph: numbers are the ``data`` of nodes, gradients their ``grad`` (or
`gradients` of one node with respect to another), steps are taken by `GradientDescent` and `minimize`. No
derivative is typed here.

Layouts are the documents' own: 000, 001 and 003 have weights (out, in), and 001 and 003 examples as columns;
002 and 004 have weights (in, out) and examples as rows.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_lite import (
    GradientDescent,
    Value,
    cross_entropy,
    dot,
    grad,
    gradients,
    half_squared_error,
    log,
    log_loss_from_scores,
    minimize,
    sigmoid,
    softmax,
)
from tests.documents_networks import (
    backward,
    column,
    data,
    flat,
    forward,
    grads,
    nested,
    network,
    transposed,
    values,
)

DERIVATIONS = json.loads((Path(__file__).parent / "oracle.json").read_text(encoding="utf-8"))["derivations"]
CASES = {case["id"]: (name, case) for name, derivation in DERIVATIONS.items() for case in derivation["cases"]}

# --- 000: the logistic family ----------------------------------------------------------------------


def sigmoid_(u: float) -> dict[str, Any]:
    x = Value(u)
    f = sigmoid(x)
    f.backward()
    return {"f": f.data, "df": x.grad, "one_minus_f": sigmoid(-x).data}


def logistic_single(x: Any, w: Any, b: float, y: float, alpha: float) -> dict[str, Any]:
    model, [[w]], [[b]] = network([[w]], [b])
    x = values(x)
    ybar = model(x)
    (z,) = ybar.operands
    L = log_loss_from_scores(z, y)
    L.backward()

    # ∂L/∂ȳ needs the loss as a function of ȳ. Its 1 - ȳ is a node with derivative -1; the constant restores
    # what that subtraction rounds away, which is all of it from z = 37 on.
    rest = 1.0 - ybar
    rest += sigmoid(-z.data) - rest.data
    (dL_dybar,) = gradients(-(1.0 - y) * log(rest) - y * log(ybar), [ybar])
    (dybar_dz,) = gradients(ybar, [z])
    built = {"z": z.data, "ybar": ybar.data, "L": L.data, "dL_dybar": dL_dybar, "dybar_dz": dybar_dz}
    built |= {"dL_dz": z.grad, "dw": grads(w), "db": b.grad, "dx": grads(x)}
    GradientDescent(model.parameters(), lr=alpha).step()
    return built | {"w_next": data(w), "b_next": b.data}


def logistic_batch(X: Any, w: Any, b: float, y: Any, alpha: float) -> dict[str, Any]:
    model, [[w]], [[b]] = network([[w]], [b])
    ybar = [model(x) for x in X]
    z = [p.operands[0] for p in ybar]
    L = [log_loss_from_scores(*example) for example in zip(z, y, strict=True)]
    built = {"z": data(z), "ybar": data(ybar), "L": data(L)}
    for reduction in ("sum", "mean"):
        J = log_loss_from_scores(z, y, reduction=reduction)
        backward(J)
        built |= {f"J_{reduction}": J.data, f"dw_{reduction}": grads(w), f"db_{reduction}": b.grad}
    GradientDescent(model.parameters(), lr=alpha).step()
    return built | {"w_next": data(w), "b_next": b.data}


def logistic_chain(x: float, w: Any, b: Any, y: float, alpha: float) -> dict[str, Any]:
    model, w, b = network([[[w_k]] for w_k in w], b)
    w, b = flat(w), flat(b)
    x = Value(x)
    zs, (_, *h) = forward(model, [x])
    z = flat(zs)
    L = log_loss_from_scores(z[-1], y)
    L.backward()
    built = {"z": data(z), "h": data(flat(h)), "L": L.data}
    built |= {"delta": grads(z), "dw": grads(w), "db": grads(b), "dx": x.grad}
    GradientDescent(model.parameters(), lr=alpha).step()
    return built | {"w_next": data(w), "b_next": data(b)}


def logistic_2layer(x: Any, W1: Any, b1: Any, w2: Any, b2: float, y: float) -> dict[str, Any]:
    model, (W1, [w2]), (b1, [b2]) = network([W1, [w2]], [b1, b2])
    x = values(x)
    (z1, [z2]), (_, h, [ybar]) = forward(model, x)
    L = log_loss_from_scores(z2, y)
    L.backward()
    built = {"z1": data(z1), "h": data(h), "z2": z2.data, "ybar": ybar.data, "L": L.data}
    built |= {"delta2": z2.grad, "delta1": grads(z1), "dw2": grads(w2), "db2": b2.grad}
    return built | {"dW1": grads(W1), "db1": grads(b1), "dx": grads(x)}


# --- 001: the softmax family -----------------------------------------------------------------------


def softmax_ce(f: Any, y: int) -> dict[str, Any]:
    f = values(f)
    L = cross_entropy(f, y)
    L.backward()
    return {"P": data(softmax(f)), "L": L.data, "dL_df": grads(f)}


def softmax_2layer(activation: str) -> Callable[..., dict[str, Any]]:
    def build(X1: Any, W1: Any, b1: Any, W2: Any, b2: Any, labels: Any, **step: float) -> dict[str, Any]:
        model, (W1, W2), (b1, b2) = network([W1, W2], [b1, b2], activation, output=None)
        X1 = values(X1)
        passes = [forward(model, x) for x in transposed(X1)]
        nodes = {  # lists of columns, one for each example
            "Y1": transposed([zs[0] for zs, _ in passes]),
            "X2": transposed([hs[1] for _, hs in passes]),
            "f": transposed([zs[1] for zs, _ in passes]),
        }
        scores = transposed(nodes["f"])
        built = {name: data(node) for name, node in nodes.items()}
        built["P"] = transposed([data(softmax(f)) for f in scores])
        built["L"] = [cross_entropy(f, y).data for f, y in zip(scores, labels, strict=True)]

        parameters = {"W1": W1, "b1": column(b1), "W2": W2, "b2": column(b2)}
        for reduction, suffix in (("mean", "_mean"), ("sum", "")):
            L = cross_entropy(scores, labels, reduction=reduction)
            backward(L)
            built[f"L_{reduction}"] = L.data
            built |= {f"d{name}{suffix}": grads(parameter) for name, parameter in parameters.items()}
        built |= {"dL_df": grads(nodes["f"]), "dX2": grads(nodes["X2"]), "dY1": grads(nodes["Y1"])}
        built["dX1"] = grads(X1)
        GradientDescent(model.parameters(), lr=step["lambda"]).step()  # of the sum, which came last
        return built | {f"{name}_next": data(parameter) for name, parameter in parameters.items()}

    return build


# --- 002 and 004: half squared error, no biases, examples are rows -----------------------------------


def one_layer_scalar(x: float, w: float, y: float) -> dict[str, Any]:
    model, [[[w]]], _ = network([[[w]]])
    x = Value(x)
    yhat = model([x])
    (z,) = yhat.operands
    L = half_squared_error(yhat, y)
    L.backward()
    built = {"z": z.data, "yhat": yhat.data, "L": L.data, "dL_dyhat": yhat.grad}
    built |= {"dyhat_dw": gradients(yhat, [w])[0], "delta": z.grad, "dw": w.grad, "dx": x.grad}
    return built


def rows(X: Any, y: Any, **Ws: Any) -> dict[str, Any]:
    """One layer (W) or two (W1, W2), one example or several."""
    model, parameters, _ = network([transposed(W) for W in Ws.values()])
    layers = [name.removeprefix("W") for name in Ws]  # "" or "1", "2"
    parameters = {name: transposed(W) for name, W in zip(Ws, parameters, strict=True)}
    X = values(X)
    passes = [forward(model, x) for x in X]
    z = {layer: [zs[k] for zs, _ in passes] for k, layer in enumerate(layers)}
    yhat = [hs[-1] for _, hs in passes]
    built = {f"z{layer}": data(nodes) for layer, nodes in z.items()}
    built |= {"yhat": data(yhat), "l1": data([hs[1] for _, hs in passes])}
    built["L"] = [[half_squared_error(*row).data] for row in zip(flat(yhat), flat(y), strict=True)]
    for reduction, suffix in (("mean", "_mean"), ("sum", "")):
        L = half_squared_error(flat(yhat), flat(y), reduction=reduction)
        backward(L)
        built[f"L_{reduction}"] = L.data
        built |= {f"d{name}{suffix}": grads(W) for name, W in parameters.items()}
    built |= {f"delta{layer}": grads(nodes) for layer, nodes in z.items()}
    built |= {"dL_dyhat": grads(yhat), "dX": grads(X)}
    if len(X) == 1:
        for name, W in parameters.items():
            built[f"dyhat_d{name}"] = [gradients(yhat[0][0], row) for row in W]
    return built


# --- 003: half squared error, biases, any depth, examples are columns --------------------------------


def half_mse_net_single(sizes: Any, W: Any, b: Any, x: Any, y: Any) -> dict[str, Any]:
    model, W, b = network(W, b)
    z, h = forward(model, values(flat(x)))
    J = half_squared_error(h[-1], flat(y))
    J.backward()
    built = {"h": [column(data(nodes)) for nodes in h], "z": [column(data(nodes)) for nodes in z]}
    built |= {"J": J.data, "dJ_dh": column(grads(h[-1])), "delta": [column(grads(nodes)) for nodes in z]}
    return built | {"dW": grads(W), "db": [column(grads(nodes)) for nodes in b]}


def half_mse_net_total(sizes: Any, W: Any, b: Any, X: Any, Y: Any, alpha: float) -> dict[str, Any]:
    model, W, b = network(W, b)
    passes = [forward(model, x) for x in transposed(X)]
    predictions, labels = [hs[-1] for _, hs in passes], transposed(Y)
    J_total = half_squared_error(predictions, labels, reduction="mean")
    J_total.backward()
    built = {"z": [transposed(data([zs[k] for zs, _ in passes])) for k in range(len(W))]}
    built["J"] = [half_squared_error(*example).data for example in zip(predictions, labels, strict=True)]
    built |= {"J_total": J_total.data, "dW": grads(W), "db": [column(grads(nodes)) for nodes in b]}
    GradientDescent(model.parameters(), lr=alpha).step()
    built |= {"W_next": data(W), "b_next": [column(data(nodes)) for nodes in b]}
    predictions = [forward(model, x)[1][-1] for x in transposed(X)]
    return built | {"J_total_next": half_squared_error(predictions, labels, reduction="mean").data}


def gd_quartic(x0: float, gamma: float, precision: float) -> dict[str, Any]:
    def f(x: Any) -> Any:
        return x**4 - 3.0 * x**3

    run = minimize(f, x0, lr=gamma, precision=precision, max_steps=10_000, previous=0.0)
    built = {"iterations": run.steps, "x_final": run.x, "x_path": run.path}
    built["printed"] = f"The local minimum occurs at {run.x:f}"
    return built | {"f_x0": f(x0), "df_x0": grad(f)(x0)}


def score_function(theta: Any, g: Any) -> dict[str, Any]:
    theta = values(theta)
    p = softmax(theta)
    E = dot(p, g)
    E.backward()
    return {"p": data(p), "E": E.data, "dE": grads(theta)}


BUILDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "sigmoid": sigmoid_,
    "logistic_single": logistic_single,
    "logistic_batch": logistic_batch,
    "logistic_chain": logistic_chain,
    "logistic_2layer": logistic_2layer,
    "softmax_ce": softmax_ce,
    "softmax_2layer_sigmoid": softmax_2layer("sigmoid"),
    "softmax_2layer_tanh": softmax_2layer("tanh"),
    "softmax_2layer_relu": softmax_2layer("relu"),
    "one_layer_scalar": one_layer_scalar,
    "one_layer_vector": rows,
    "one_layer_batch": rows,
    "two_layer_h1": rows,
    "two_layer_h2": rows,
    "two_layer_hn": rows,
    "two_layer_batch": rows,
    "half_mse_net_single": half_mse_net_single,
    "half_mse_net_total": half_mse_net_total,
    "gd_quartic": gd_quartic,
    "score_function": score_function,
}

# --- The comparison --------------------------------------------------------------------------------


def shape(x: Any) -> Any:
    return [shape(item) for item in x] if isinstance(x, list | tuple) else None


def saturated(name: str, case: dict[str, Any], built: dict[str, Any]) -> bool:
    """Is a prediction of 002 to 004 so near 1 that its distance to the label 1 is lost in a double?

    At z = 20 eight digits of 1 - ŷ are gone, from z = 37 on all of them. (Near 0 none is.)
    """
    if case["kind"] != "edge" or not name.startswith(("one_layer", "two_layer", "half_mse")):
        return False
    z = built["z"][-1] if name.startswith("half_mse") else built.get("z2", built.get("z"))
    return max(flat(z)) >= 20.0


def errors(got: Any, expected: Any, rtol: float, absolute: bool) -> Iterator[float]:
    """Error over tolerance of each element; infinite where type or shape is another."""
    if not isinstance(expected, list | float):  # a count or a text
        yield 0.0 if got == expected else float("inf")
    elif shape(got) != shape(expected):
        yield float("inf")
    elif isinstance(expected, list) and isinstance(expected[0], list) and isinstance(expected[0][0], list):
        for pair in zip(got, expected, strict=True):  # several matrices, each with a largest entry of its own
            yield from errors(*pair, rtol, absolute)
    else:
        largest = max(map(abs, flat(expected)))
        for a, b in zip(flat(got), flat(expected), strict=True):
            tolerance = 1e-12 * max(1.0, largest) if absolute else rtol * abs(b) + 1e-14 * largest
            known = type(a) is float and (a == b or (a == a and tolerance > 0.0))
            yield float("inf") if not known else 0.0 if a == b else abs(a - b) / tolerance


def compare(name: str, case: dict[str, Any], built: dict[str, Any]) -> dict[str, float]:
    """The largest error of every output that the case names, in units of its tolerance.

    Where a prediction is `saturated`, what does not depend on its distance to the label keeps its tolerance.
    """
    near = saturated(name, case, built)
    return {
        output: max(
            errors(
                built.get(output),
                expected,
                case["rtol"],
                absolute=near and not output.startswith(("z", "h", "l1", "yhat", "dyhat")),
            )
        )
        for output, expected in case["outputs"].items()
    }


def test_every_derivation_has_a_builder():
    assert BUILDERS.keys() == DERIVATIONS.keys()
    assert len(DERIVATIONS) == 20
    assert len(CASES) >= 235


@pytest.mark.parametrize("case_id", CASES)
def test_case(case_id):
    name, case = CASES[case_id]
    found = compare(name, case, BUILDERS[name](**case["inputs"]))
    assert found
    assert {output: error for output, error in found.items() if not error <= 1.0} == {}


def nudged(x: Any, factor: float) -> Any:
    return nested(lambda number: number * factor, x)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_comparison_sees_a_wrong_output(name):
    case = DERIVATIONS[name]["cases"][0]
    right = case["outputs"]
    built = right | {"z": right.get("z", [0.0])}
    for output, expected in right.items():
        if isinstance(expected, str):
            wrong = [expected + "0"]
        elif isinstance(expected, int):
            wrong = [expected + 1]
        else:
            wrong = [*(nudged(expected, factor) for factor in (1.0 + 2e-12, -1.0, float("nan"))), [expected]]
        for instead in [*wrong, None]:
            found = compare(name, case, built | {output: instead})
            assert [o for o, error in found.items() if not error <= 1.0] == [output]
