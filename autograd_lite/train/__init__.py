"""Optimizers, gradient descent on a function, and `fit`, which trains a model on examples.

Models, losses and data go in; parameters that have moved and the history of the loss come out. Next door:
`nn` with the models, `compiler` with the programs that training runs.
"""

from autograd_lite.train.fit import fit
from autograd_lite.train.history import History
from autograd_lite.train.minimize import Result, minimize
from autograd_lite.train.optimizers import SGD, Adam, AdamW, GradientDescent, Momentum, Optimizer
from autograd_lite.train.schedules import CosineDecay, StepDecay, WarmUp

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineDecay",
    "GradientDescent",
    "History",
    "Momentum",
    "Optimizer",
    "Result",
    "StepDecay",
    "WarmUp",
    "fit",
    "minimize",
]
