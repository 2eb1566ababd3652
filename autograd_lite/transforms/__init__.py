"""Derivatives of functions: gradients, Jacobians, Hessians, products with vectors, and a check of them all.

Functions of numbers in containers go in; functions that return derivatives in the same containers come out.
Next door: `core` records the graphs, `compiler` turns functions into programs.
"""

from autograd_lite.transforms.derivatives import (
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from autograd_lite.transforms.gradcheck import GradcheckError, gradcheck
from autograd_lite.transforms.linear_map import Variable

__all__ = [
    "GradcheckError",
    "Variable",
    "grad",
    "gradcheck",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vjp",
]
