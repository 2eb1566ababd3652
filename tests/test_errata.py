"""The 16 errata of documents 000 to 004: numbers show the printed form wrong and the corrected one right.

Each test computes both forms from the engine's own values and gradients, and finds its figures in
`notebooks/errata.md`, the page that tells users, so that neither can change without the other.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd_lite import (
    GradientDescent,
    Value,
    cross_entropy,
    grad,
    gradients,
    half_squared_error,
    log_loss_from_scores,
    mean,
    sigmoid,
    softmax,
    sum,
)
from tests.documents_networks import data, forward, grads, network, transposed, values

PAGE = (Path(__file__).parent.parent / "notebooks" / "errata.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\S+) (.*?)(?=^##|\Z)", PAGE, flags=re.M | re.S))
ERRATA = [
    *("000.9", "000.12", "001.1", "001.3", "001.8", "001.11", "002.10", "002.11", "002.12"),
    *("003.5", "003.6", "003.7", "003.9", "003.19", "003.20", "003.21"),
]


def close(expected: Any) -> Any:
    """To the ten digits, or more, of the figures in the tests."""
    return pytest.approx(expected, rel=1e-9)


def untold(erratum: str, digits: int, *figures: float) -> list[str]:
    """Those figures, to so many decimals, that the page does not give under this erratum."""
    texts = [f"{figure:.{digits}f}" for figure in figures]
    return [
        text for text in texts if not re.search(rf"(?<![\d.-]){re.escape(text)}(?!\d)", SECTIONS[erratum])
    ]


def test_the_page_lists_the_16_errata_and_each_has_a_test():
    assert list(SECTIONS) == ERRATA
    tested = [re.match(r"test_(\d+)_(\d+)_", name) for name in globals()]
    assert [f"{match[1]}.{match[2]}" for match in tested if match] == ERRATA


def test_the_links_within_the_page_lead_to_its_headings():
    headings = re.findall(r"^#+ (.*)$", PAGE, flags=re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert len(links) == len(ERRATA)
    assert links <= anchors


# --- 000 -------------------------------------------------------------------------------------------


def test_000_9_the_sign_of_the_gradient():
    x, y, alpha = [1.0, 2.0], 1.0, 0.1

    def loss(w1: float) -> tuple[Value, Value, Any]:
        model, [[w]], _ = network([[[w1, -0.25]]], [0.1])
        ybar = model(x)
        return log_loss_from_scores(ybar.operands[0], y), ybar, w

    L, ybar, w = loss(0.5)
    L.backward()
    right, printed = w[0].grad, x[0] * (y - ybar.data)
    assert right == close(-0.47502081252106001)
    assert printed == close(0.47502081252106001)
    assert grads(w) == close([-0.47502081252106001, -0.95004162504212003])
    start, down, up = (loss(0.5 - alpha * slope)[0].data for slope in (0.0, right, printed))
    assert (start, down, up) == close((0.644396660074, 0.622113286078, 0.667242685566))
    assert not untold("000.9", 6, right, -right, start, down, up)


def test_000_12_all_gradients_before_any_update():
    def chain(a1: float, a2: float) -> tuple[Value, Value, Value]:
        model, [[[a1]], [[a2]]], _ = network([[[a1]], [[a2]]])
        L = log_loss_from_scores(model([1.0]).operands[0], 1.0)
        L.backward()
        return L, a1, a2

    _, a1, a2 = chain(0.5, 2.0)
    GradientDescent([a2], lr=1.0).step()
    printed = chain(0.5, a2.data)[1].grad  # the later weight first, then the earlier one
    assert a2.data == close(2.1391700684927953)
    assert (a1.grad, printed) == close((-0.10508472147090727, -0.10501858256411764))
    # Which of the two is the slope of L where the step starts? A central difference, good to 1e-9 here.
    h = 1e-5
    slope = (chain(0.5 + h, 2.0)[0].data - chain(0.5 - h, 2.0)[0].data) / (2.0 * h)
    assert abs(a1.grad - slope) < 1e-9 < 6e-5 < abs(printed - slope)
    assert not untold("000.12", 8, a1.grad, printed, a2.data)


# --- 001 -------------------------------------------------------------------------------------------


def document_001(shift: float = 0.0) -> dict[str, Any]:
    """The nodes of 001.8's tanh network, two of everything, with `shift` added to all of b₂."""
    Ws = [[[0.246, 0.484], [0.59, 0.885]], [[-0.942, -0.069], [0.887, 0.298]]]
    bs = [[0.48, 0.845], [0.802 + shift, -0.774 + shift]]
    X1 = [[-0.062, -0.507], [0.088, 0.148]]
    model, (W1, W2), (_, b2) = network(Ws, bs, "tanh", output=None)
    passes = [forward(model, x) for x in transposed(X1)]
    f = [zs[1] for zs, _ in passes]
    L = cross_entropy(f, [0, 1])
    L.backward()
    hidden = transposed([hs[1] for _, hs in passes])
    return {
        "X1": np.array(X1),
        "X2": np.array(data(hidden)),
        "dX2/dY1": np.array([[h.partials[0] for h in row] for row in hidden]),
        "W2": np.array(Ws[1]),
        "P": [data(softmax(scores)) for scores in f],
        "L": L.data,
        "G": np.array(grads(f)).T,
        "dW1": np.array(grads(W1)),
        "dW2": np.array(grads(W2)),
        "db2": grads(b2),
    }


def test_001_1_the_loss_is_the_sum_not_its_minimiser():
    here, there = document_001(), document_001(shift=3.0)
    # Two different sets of weights, one loss: "the" minimising W does not exist, and is no number to derive.
    assert there["P"] == [pytest.approx(p, rel=1e-14) for p in here["P"]]
    assert there["L"] == pytest.approx(here["L"], rel=1e-14)
    # The sum is a number, has a gradient, and the gradient along that shift is 0.
    assert here["L"] == close(-np.log(here["P"][0][0]) - np.log(here["P"][1][1]))
    assert abs(sum(here["db2"])) < 1e-15 < 0.1 < max(map(abs, here["db2"]))
    assert not untold("001.1", 6, here["L"])


def test_001_3_no_delta_before_the_gradient():
    def loss(w: Any) -> Any:
        return cross_entropy([w, 0.0], 0)

    rate, w0 = 1.0, 0.0
    slope = grad(loss)
    w1 = w0 - rate * slope(w0)
    assert (loss(w0), loss(w1)) == close((0.693147180560, 0.474076984180))
    # Read as the Laplace operator, Δ turns a slope of -½ into 0, and nothing moves.
    assert slope(w0) == -0.5
    assert grad(grad(slope))(w0) == pytest.approx(0.0, abs=1e-15)
    # Read as the change since the last step, it climbs.
    climbed = w1 - rate * (slope(w1) - slope(w0))
    assert loss(climbed) > loss(w1) > loss(w1 - rate * slope(w1))
    assert not untold("001.3", 6, loss(w0), loss(w1), loss(climbed))


def test_001_8_the_transpose_in_the_later_layer():
    nodes = document_001()
    right, printed = nodes["G"] @ nodes["X2"].T, nodes["G"] @ nodes["X2"]
    assert nodes["dW2"] == close(right)
    assert nodes["dW2"] == close(np.array([[0.0810715472, 0.1090787965], [-0.0810715472, -0.1090787965]]))
    assert printed == close(np.array([[0.2807888620, 0.2278264289], [-0.2807888620, -0.2278264289]]))
    assert not untold("001.8", 6, *nodes["dW2"].flat, *printed.flat)
    # Elsewhere the shapes forbid it: G is (C, N) and X₂ is (H, N).
    with pytest.raises(ValueError, match="mismatch"):
        _ = np.ones((2, 5)) @ np.ones((3, 5))


def test_001_11_order_and_transposes_in_the_earlier_layer():
    nodes = document_001()
    G, W2, slope, X1 = (nodes[name] for name in ("G", "W2", "dX2/dY1", "X1"))
    right, printed = ((W2.T @ G) * slope) @ X1.T, G @ W2 @ slope @ X1
    assert nodes["dW1"] == close(right)
    assert nodes["dW1"] == close(np.array([[0.4714140468, -0.0989630139], [0.0746584138, -0.0168640370]]))
    assert printed == close(np.array([[0.0297081001, -0.2904671324], [-0.0297081001, 0.2904671324]]))
    assert not untold("001.11", 6, *nodes["dW1"].flat, *printed.flat)


# --- 002 -------------------------------------------------------------------------------------------


def document_002(w2: float = 0.7) -> dict[str, Any]:
    """One hidden node, one example: the numbers, and ∂ŷ/∂W₂ and ∂ŷ/∂z₂ from the graph."""
    x, W1 = [1.0, -0.5, 2.0], [0.2, -0.4, 0.1]
    model, [_, [[W2]]], _ = network([[W1], [[w2]]])
    (_, [z2]), (_, [l1], [yhat]) = forward(model, x)
    right, slope = gradients(yhat, [W2, z2])
    numbers = {"l1": l1.data, "yhat": yhat.data, "right": right, "slope": slope}
    return numbers | {"x": np.array(x), "W1": np.array(W1)}


def document_002_corrected() -> dict[str, Any]:
    """The same; the engine's ∂ŷ/∂W₂ is the corrected form, and what a central difference sees."""
    nodes, h = document_002(), 1e-5
    assert nodes["right"] == close(0.15344388767598845)
    assert nodes["right"] == close(nodes["slope"] * nodes["l1"])
    difference = (document_002(0.7 + h)["yhat"] - document_002(0.7 - h)["yhat"]) / (2.0 * h)
    assert nodes["right"] == pytest.approx(difference, abs=1e-9)
    return nodes


def test_002_10_minus_input_and_argument():
    nodes = document_002_corrected()
    s = nodes["l1"]  # σ(XW), if W is W₁
    printed = s * (1.0 - s) * -nodes["x"]
    assert printed == close(np.array([-0.2287842405, 0.1143921202, -0.4575684809]))
    assert not untold("002.10", 6, nodes["right"], *printed)


def test_002_11_a_product_of_shape_3_by_3():
    nodes = document_002_corrected()
    Wx = nodes["W1"].reshape(3, 1) @ nodes["x"].reshape(1, 3)
    assert Wx.shape == (3, 3)  # where the gradient of one weight is wanted
    s = sigmoid(Wx[0, 0])
    corner = s * (1.0 - s) * -nodes["x"][0]
    assert corner == close(-0.2475165727)
    assert not untold("002.11", 6, nodes["right"], corner)


def test_002_12_minus_and_input():
    nodes = document_002_corrected()
    printed = nodes["yhat"] * (1.0 - nodes["yhat"]) * -nodes["x"]
    assert printed == close(np.array([-0.2376556787, 0.1188278394, -0.4753113574]))
    assert printed.shape == (3,)  # for one weight
    assert not untold("002.12", 6, nodes["right"], *printed)


# --- 003 -------------------------------------------------------------------------------------------


def test_003_5_m_terms_for_one_over_m():
    predictions = values([0.5, 0.0, 0.8])
    costs = [half_squared_error(h, 1.0) for h in predictions]
    assert data(costs) == close([0.125, 0.5, 0.02])
    right = half_squared_error(predictions, [1.0] * 3, reduction="mean")
    printed = sum([0.3, *costs]) / 3.0  # z = 0, 1, 2, 3
    assert (right.data, printed.data) == close((0.215, 0.315))
    assert right.data == close(mean(costs).data)
    assert (sum([1.0] * 4) / 3.0, mean([1.0] * 3)) == close((4.0 / 3.0, 1.0))
    assert not untold("003.5", 3, right.data, printed.data)


def test_003_6_a_step_size_where_a_partial_is_printed():
    slope = grad(lambda x: x**4 - 3.0 * x**3)(6.0)
    assert (slope, 6.0 - slope) == (540.0, -534.0)
    assert 6.0 - 0.01 * slope == close(0.6)
    assert not untold("003.6", 0, 6.0 - slope)
    assert not untold("003.6", 1, 6.0 - 0.01 * slope)


def without_step_size(
    erratum: str, Ws: Any, bs: Any, x: float, name: str, alpha: float, output: str | None = "sigmoid"
) -> None:
    """Without what is printed for α a step subtracts the whole gradient, and the cost rises; with α it falls.

    `name` says which parameter of the first layer moves, w or b; the label is ½.
    """

    def cost(step: float) -> tuple[float, float]:
        model, [[[w]], *_], [[b], *_] = network(Ws, bs, output, output=output)
        J = half_squared_error(model([x]), 0.5)
        J.backward()
        parameter = {"w": w, "b": b}[name]
        parameter.data -= step * parameter.grad
        return parameter.grad, half_squared_error(model([x]), 0.5).data

    slope, start = cost(0.0)
    (_, right), (_, printed) = cost(alpha), cost(1.0)
    assert right < start < printed
    assert not untold(erratum, 6, slope, start, right, printed)


def test_003_7_a_step_size_for_the_bias():
    without_step_size("003.7", [[[0.5]], [[3.0]]], [[0.0], [-0.5]], 1.0, "b", 0.1, output="linear")


def document_003() -> tuple[Any, Any, Any]:
    """The 3-3-1 network of 003.9, after backward: weights, pre-activations, activations."""
    W1 = [[-0.67, 0.38, 0.27], [-0.042, -0.568, 0.585], [0.616, 0.025, 0.01]]
    W2, bs = [[-0.528, -0.994, -0.258]], [[0.171, -0.861, 0.588], [-0.535]]
    model, Ws, _ = network([W1, W2], bs)
    zs, hs = forward(model, values([-0.535, -0.915, 0.995]))
    half_squared_error(hs[-1], [1.0]).backward()
    return Ws, zs, hs


def test_003_9_the_index_of_the_pre_activation():
    (_, [w2]), (z2, [z3]), (_, _, [h3]) = document_003()
    assert z3.grad == close(-0.118333524516525)
    assert grads(z2) == close([0.01485388845, 0.02890219015, 0.007518640627])
    # 003.25 with f' at the number that the post names z⁽²⁾, which is the output's
    (slope,) = gradients(h3, [z3])
    printed = [w * z3.grad * slope for w in data(w2)]
    assert printed == close([0.008940508984, 0.01683118547, 0.004368657799])
    assert not untold("003.9", 8, *grads(z2), *printed)


def test_003_19_the_weights_once_more():
    without_step_size("003.19", [[[0.1]]], [[0.0]], 10.0, "w", 0.1)


def test_003_20_the_biases_once_more():
    without_step_size("003.20", [[[1.0]], [[40.0]]], [[0.0], [-19.5]], 0.0, "b", 0.1)


def test_003_21_the_transposed_outer_product():
    Ws, zs, hs = document_003()
    for W, h, delta in zip(Ws, hs[:-1], zs, strict=True):
        h, delta = np.array(data(h)).reshape(-1, 1), np.array(grads(delta)).reshape(-1, 1)
        assert (delta @ h.T).shape == np.shape(grads(W))
        assert delta @ h.T == close(np.array(grads(W)))
    assert (h @ delta).shape == (3, 1)  # W⁽²⁾ is 1×3: subtracting the one from the other makes 3×3 of it
    assert (np.array(data(W)) - 0.1 * (h @ delta)).shape == (3, 3)
    with pytest.raises(ValueError, match="mismatch"):
        _ = np.ones((3, 1)) @ np.ones((3, 1))  # l = 1: h⁽¹⁾ and δ⁽²⁾
    assert not untold("003.21", 8, Ws[0][0][1].grad, Ws[0][1][0].grad)
