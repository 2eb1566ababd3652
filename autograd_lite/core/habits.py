"""What people write who come from PyTorch, JAX, NumPy or another scalar engine, and what to write here.

An attribute that the package, `nn` or a model does not have is an `AttributeError`, which says for the names
below what to do instead. Values have no such list: NumPy looks up several attributes of each Value of an
array, and a `__getattr__` would make that take a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Mapping

_LEAVE_OUT = "nothing needs to be moved or switched here, so leave it out"

MODULE = {
    **dict.fromkeys(("cpu", "cuda", "to", "train", "eval", "requires_grad_"), _LEAVE_OUT),
    "forward": "call the model itself, model(x)",
    "backward": "call backward() on the loss",
    "fit": "write fit(model, X, y, loss=..., optimizer=..., epochs=...)",
}

NN = {
    **dict.fromkeys(
        ("ReLU", "Tanh", "Sigmoid", "GELU", "SiLU"), "give the activation's name: MLP(2, [16, 1], 'relu')"
    ),
    "Linear": "write Layer(inputs, outputs, activation=None)",
    "Sequential": "write MLP(inputs, sizes, activation), or a Module that calls its layers in turn",
    "Parameter": "write Value(data); a Module finds the Values that it holds",
    "functional": "the functions are in autograd_lite itself",
    "MSELoss": "write mse_loss(predictions, targets)",
    "CrossEntropyLoss": "write cross_entropy(scores, labels, 'mean')",
    "NLLLoss": "write cross_entropy(scores, labels, 'mean')",
    "BCELoss": "write log_loss(probabilities, targets, 'mean')",
    "BCEWithLogitsLoss": "write log_loss_from_scores(scores, targets, 'mean')",
}

PACKAGE = {
    **NN,
    **dict.fromkeys(("Tensor", "tensor", "Variable", "Scalar"), "write Value(data)"),
    **dict.fromkeys(("manual_seed", "seed"), "give rng=0 to a model and seed=0 to fit"),
    **dict.fromkeys(
        ("arcsin", "arccos", "arctan", "arctan2"), "names are those of math: asin, acos, atan, atan2"
    ),
    **dict.fromkeys(("max", "min"), "Python's own max and min take Values; maximum(x, y) shares ties"),
    "F": "the functions are in autograd_lite itself",
    "backward": "call loss.backward()",
    "clamp": "write clip(x, low, high)",
    "draw_dot": "write draw(loss)",
    "enable_grad": "leave the block of no_grad()",
    "ln": "write log(x)",
    "matmul": "dot(w, x) multiplies two lists",
    "stop_gradient": "write v.detach()",
    "vmap": "write [f(x) for x in xs], or compile f and call program.batch",
}


def unknown(owner: object, described: str, name: str, habits: Mapping[str, str]) -> AttributeError:
    """Return the error for an attribute that `owner` lacks, with what to write instead where it is known."""
    cure = f": {habits[name]}" if name in habits else ""
    return AttributeError(f"{described} has no attribute {name!r}{cure}", name=name, obj=owner)
