"""Reverse-mode automatic differentiation of scalars that shows its work.

    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> loss = (w * x - 3.0) ** 2
    >>> loss.backward()
    >>> w.grad
    -8.0

Values       Value scope no_grad topological_order collector_paused
Functions    abs acos acosh add asin asinh atan atan2 atanh cbrt clip cos cosh
             div dot erf erfc exp expm1 gelu heaviside hypot leaky_relu log
             log10 log1p log2 logsumexp maximum mean minimum mul neg pow prod
             reciprocal relu rsqrt sech sigmoid sign silu sin sinh
             softmax_cross_entropy softplus sqrt square sub sum tan tanh where
             argmax log_softmax softmax take; your own: primitive Primitive
Derivatives  grad value_and_grad gradients jacobian hessian jvp vjp hvp
             gradcheck GradcheckError
Networks     MLP Layer Neuron Embedding Module
Losses       cross_entropy half_squared_error log_loss log_loss_from_scores
             mse_loss
Training     fit minimize History Result; Optimizer SGD GradientDescent
             Momentum Adam AdamW; CosineDecay StepDecay WarmUp
Explaining   explain why ledger trace_table gradient_report record_lines
             to_sympy Exercise Explanation Diagnosis Ledger TraceTable
             GradientReport
Pictures     draw live play tree plot_loss plot_descent plot_function
             plot_boundary plot_gradient_flow Live Picture Player Tree
Programs     compile jit Program TraceError
Notebooks    autolabel load_ipython_extension unload_ipython_extension

help(tanh) describes a function. `datasets.names()` and `datasets.penguins()`
in `autograd_lite.datasets` are data to learn from. `import *` leaves Python's
own abs, compile, pow and sum alone: import these four by name.
"""

import typing as _typing
from sys import modules as _modules

import autograd_lite.interrupt  # noqa: F401 - first, because importing the rest takes a while
from autograd_lite import datasets as datasets
from autograd_lite import train as optim  # noqa: F401 - `autograd_lite.optim`
from autograd_lite.compiler import Program, TraceError, jit
from autograd_lite.compiler import compile as compile
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.functions import abs as abs
from autograd_lite.core.functions import (
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    clip,
    cos,
    cosh,
    div,
    dot,
    erf,
    erfc,
    exp,
    expm1,
    gelu,
    heaviside,
    hypot,
    leaky_relu,
    log,
    log1p,
    log2,
    log10,
    logsumexp,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    prod,
    reciprocal,
    relu,
    rsqrt,
    sech,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softmax_cross_entropy,
    softplus,
    sqrt,
    square,
    sub,
    tan,
    tanh,
    where,
)
from autograd_lite.core.functions import pow as pow
from autograd_lite.core.functions import sum as sum
from autograd_lite.core.habits import PACKAGE as _HABITS
from autograd_lite.core.habits import unknown as _unknown
from autograd_lite.core.indexing import take
from autograd_lite.core.modes import no_grad, scope
from autograd_lite.core.primitive import Primitive, primitive
from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain import (
    Diagnosis,
    Explanation,
    GradientReport,
    Ledger,
    TraceTable,
    explain,
    gradient_report,
    ledger,
    record_lines,
    trace_table,
    why,
)
from autograd_lite.explain.exercises import Exercise
from autograd_lite.nn import losses as losses
from autograd_lite.nn.layers import MLP, Embedding, Layer, Neuron
from autograd_lite.nn.losses import (
    argmax,
    cross_entropy,
    half_squared_error,
    log_loss,
    log_loss_from_scores,
    log_softmax,
    mse_loss,
    softmax,
)
from autograd_lite.nn.modules import Module
from autograd_lite.notation.sympy import to_sympy
from autograd_lite.notebook import autolabel, load_ipython_extension, unload_ipython_extension
from autograd_lite.pictures import (
    Live,
    Picture,
    Player,
    Tree,
    draw,
    live,
    play,
    plot_boundary,
    plot_descent,
    plot_function,
    plot_gradient_flow,
    plot_loss,
    tree,
)
from autograd_lite.train import (
    SGD,
    Adam,
    AdamW,
    CosineDecay,
    GradientDescent,
    History,
    Momentum,
    Optimizer,
    Result,
    StepDecay,
    WarmUp,
    fit,
    minimize,
)
from autograd_lite.transforms import (
    GradcheckError,
    grad,
    gradcheck,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from autograd_lite.version import __version__ as __version__

# Names that modules had before version 0.2: notebooks import by them, and pickles name the module of a class.
_MOVED = {
    "copying": "core.copying",
    "exercises": "explain.exercises",
    "functional": "transforms",
    "losses": "nn.losses",
    "optim": "train",
    "primitives": "core",
    "program": "compiler",
    "program.graph": "compiler.ir.graph",
    "program.program": "compiler.program",
    "program.recording": "compiler.frontend.recording",
    "program.tree": "transforms.pytrees",
    "value": "core",
}
for _old, _new in _MOVED.items():
    _modules[f"{__name__}.{_old}"] = _modules[f"{__name__}.{_new}"]

if not _typing.TYPE_CHECKING:  # a type checker would take every name for an attribute

    def __getattr__(name: str) -> _typing.NoReturn:
        raise _unknown(_modules[__name__], f"module {__name__!r}", name, _HABITS)


__all__ = [
    # Values
    "Value",
    "collector_paused",
    "no_grad",
    "scope",
    "topological_order",
    # Functions
    "Primitive",
    "acos",
    "acosh",
    "add",
    "argmax",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "clip",
    "cos",
    "cosh",
    "div",
    "dot",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "gelu",
    "heaviside",
    "hypot",
    "leaky_relu",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logsumexp",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "neg",
    "primitive",
    "prod",
    "reciprocal",
    "relu",
    "rsqrt",
    "sech",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "sqrt",
    "square",
    "sub",
    "take",
    "tan",
    "tanh",
    "where",
    # Derivatives
    "GradcheckError",
    "grad",
    "gradcheck",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vjp",
    # Networks
    "Embedding",
    "Layer",
    "MLP",
    "Module",
    "Neuron",
    # Losses
    "cross_entropy",
    "half_squared_error",
    "log_loss",
    "log_loss_from_scores",
    "mse_loss",
    # Training
    "Adam",
    "AdamW",
    "CosineDecay",
    "GradientDescent",
    "History",
    "Momentum",
    "Optimizer",
    "Result",
    "SGD",
    "StepDecay",
    "WarmUp",
    "fit",
    "minimize",
    # Explaining
    "Diagnosis",
    "Exercise",
    "Explanation",
    "GradientReport",
    "Ledger",
    "TraceTable",
    "explain",
    "gradient_report",
    "ledger",
    "record_lines",
    "to_sympy",
    "trace_table",
    "why",
    # Pictures
    "Live",
    "Picture",
    "Player",
    "Tree",
    "draw",
    "live",
    "play",
    "plot_boundary",
    "plot_descent",
    "plot_function",
    "plot_gradient_flow",
    "plot_loss",
    "tree",
    # Programs
    "Program",
    "TraceError",
    "jit",
    # Notebooks
    "autolabel",
    "load_ipython_extension",
    "unload_ipython_extension",
]
