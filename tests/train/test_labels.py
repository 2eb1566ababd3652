"""`fit` refuses labels outside their range before the first step."""

import math

import pytest

from autograd_lite.nn import MLP
from autograd_lite.nn.losses import cross_entropy, half_squared_error, log_loss, log_loss_from_scores
from autograd_lite.train import GradientDescent, fit

BAD = {
    cross_entropy: [3, 7, -1, 1.5, 1.0, True, None, "1"],
    log_loss_from_scores: [-1, 2.0, math.nan, True, "1"],
    log_loss: [-1, 2.0, math.nan, True],
    half_squared_error: [True, "1", [1.0, 2.0]],
}


@pytest.mark.parametrize("compiled", [None, True, False])
@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("held_out", [False, True])
def test_trap_31_fit_refuses_a_label_before_the_first_step(compiled, place, held_out):
    for loss, labels in BAD.items():
        for label in labels:
            model = MLP(2, [3 if loss is cross_entropy else 1], rng=0)
            if loss is log_loss:
                model = MLP(2, [1], rng=0, output="sigmoid")
            X, y = [[0.1 * k, 1.0] for k in range(8)], [k % 2 for k in range(8)]
            wrong = [*y[:place], label, *y[place + 1 :]]
            before = [p.data for p in model.parameters()]
            optimizer = GradientDescent(model.parameters(), lr=0.1)
            given = {"validation": (X, wrong)} if held_out else {}
            with pytest.raises((ValueError, TypeError)) as caught:
                fit(
                    model, X, y if held_out else wrong, loss=loss, optimizer=optimizer, epochs=2,
                    batch_size=1, seed=None, progress=False, compiled=compiled, **given,
                )  # fmt: skip
            what = "validation" if held_out else "training"
            assert caught.value.__notes__ == [f"in example {place} of the {what} data"]
            assert [p.data for p in model.parameters()] == before
