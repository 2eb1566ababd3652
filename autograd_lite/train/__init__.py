"""Optimizers, gradient descent on a function, and `fit`, which trains a model on examples.

In come models, losses and data; out go parameters that have moved and the history of the loss. Next door:
`nn` with the models, `compiler` with the programs that training runs.
"""

from autograd_lite.train.optimizers import (
    Adam,
    GradientDescent,
    History,
    Momentum,
    Optimizer,
    Result,
    fit,
    minimize,
)

__all__ = ["Adam", "GradientDescent", "History", "Momentum", "Optimizer", "Result", "fit", "minimize"]
