"""What a user writes, as type checkers see it: mypy and pyright both read this file in `.ci/run`.

`assert_type` fixes what a call returns. A line with two `ignore` comments is a mistake that both must report:
an `ignore` that suppresses nothing is an error itself.
"""

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from autograd_lite import (
    MLP,
    Adam,
    History,
    Module,
    Program,
    Value,
    argmax,
    clip,
    compile,
    cross_entropy,
    dot,
    fit,
    grad,
    gradients,
    half_squared_error,
    hypot,
    log_loss_from_scores,
    mse_loss,
    primitive,
    sigmoid,
    softmax,
    tanh,
    where,
)
from autograd_lite import sum as sum_of

v, w = Value(2.0, "v"), Value(3)
values = [v, w]
array: NDArray[np.float64] = np.array([0.5, 1.0])

# Floats give floats, Values give Values.
assert_type(sigmoid(0.5), float)
assert_type(sigmoid(1), float)
assert_type(sigmoid(v), Value)
assert_type(hypot(3.0, 4.0), float)
assert_type(hypot(3.0, v), Value)
assert_type(hypot(v, 4.0), Value)
assert_type(clip(0.5, high=1.0), float)
assert_type(clip(v, -1.0, 1.0), Value)
assert_type(clip(0.5, v, 1.0), Value)
assert_type(where(v > 0.0, v, 0.0), Value)
assert_type(where(v > 0.0, lambda: tanh(v), 0.0), Value)
assert_type(where(True, 1.0, 0.0), float)
assert_type(dot([1.0, 2.0], [3.0, 4.0]), float)
assert_type(dot(values, [3.0, 4.0], 0.5), Value)
assert_type(sum_of([1.0, 2.0]), float)
assert_type(sum_of(values), Value)
assert_type(sum_of(x * x for x in values), Value)
assert_type(softmax([0.5, 1.0]), list[float])
assert_type(softmax(values), list[Value])
assert_type(argmax(values), int)

# Lists and arrays keep their kind.
assert_type(tanh([0.5, 1.0]), list[float])
assert_type(tanh(values), list[Value])
assert_type(tanh((v, w)), tuple[Value, Value])
assert_type(tanh(array), NDArray[np.float64])
assert_type(hypot(array, 4.0), NDArray[np.float64])
assert_type(where(array > 0.0, array, 0.0), NDArray[np.float64])
assert_type(where(array > 0.0, 1.0, 0.0), Any)
assert_type(dot(array, [1.0, 2.0]), float)

# Operators and methods.
assert_type(-v, Value)
assert_type(2.0 * v + w / 3 - v**2, Value)
assert_type(2**v, Value)
assert_type(abs(v), Value)
assert_type(v.exp(), Value)
assert_type(v.clip(-1.0, 1.0).silu(), Value)
assert_type(v.item(), float)
assert_type(v.data, float)
assert_type(v.grad, float)
assert_type(v > w, bool)
assert_type(max(values), Value)
assert_type(sorted(values), list[Value])
total = sum(values)
total.backward() if isinstance(total, Value) else None
assert_type(sum(values, Value(0.0)), Value)

# Models, losses, training.
model = MLP(2, [16, 1], "tanh", rng=0)
score = model([1.0, 2.0])
score.backward()
loss = log_loss_from_scores(model([1.0, 2.0]), 1)
assert_type(loss, Value)
assert_type((1 - score) ** 2, Value)
assert_type(model([0.5, 0.5])[1], Value)
assert_type([s.data for s in model([0.5, 0.5])], list[float])
assert_type(cross_entropy([model([0.5, 0.5])], [0], "mean"), Value)
assert_type(half_squared_error([v, 2.0], [1.0, 0.0]), Value)
assert_type(mse_loss([0.5, 2.0], [1.0, 0.0]), float)
assert_type(model.parameters(), list[Value])
for p in model.parameters():
    p.data -= 0.1 * p.grad
model.zero_grad()
adam = Adam(model.parameters(), lr=0.1)
assert_type(
    fit(model, [[0.0, 1.0]], [1.0], loss=log_loss_from_scores, optimizer=adam, epochs=1, progress=False),
    History,
)


class Line(Module):
    """A model of one's own."""

    def __init__(self) -> None:
        self.slope = Value(1.0, "slope")

    def __call__(self, x: float) -> Value:
        return self.slope * x


assert_type(Line()(2.0), Value)


# Transforms.
def cube(x: Value) -> Value:
    """x³."""
    return x**3


assert_type(grad(cube), Callable[..., Any])
grad(cube)(2.0)
gradients(loss, model.parameters())
assert_type(compile(cube, 2.0), Program)
halve = primitive("halve", lambda x: x / 2.0, lambda out, x: (0.5,))
assert_type(halve(v), Value)
assert_type(halve(2.0), float)

# Mistakes.
loss.backwrd()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
score.gard  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
sigmoid("a")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
sigmoid(v, w)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
sigmoid(x=v)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
hypot(v)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
hypot(v, "a")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
v.atan2()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
_ = v + "a"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
v.backward("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
cross_entropy([v, w], 0.5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
fit(model, [[0.0]], [1.0], loss=mse_loss, optimizer=adam, epoch=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
grad(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
