"""Neurons, layers and networks of Values, their losses and their files.

Numbers and Values go in; Values come out, to be trained, compiled, explained and drawn by other packages.
Next door: `core` with the operations, `train` with the optimizers.
"""

import sys
from typing import TYPE_CHECKING, NoReturn

from autograd_lite.core.habits import NN, unknown
from autograd_lite.nn import losses
from autograd_lite.nn.files import read_json, write_json
from autograd_lite.nn.gpt import GPT
from autograd_lite.nn.layers import ACTIVATIONS, INITS, MLP, Embedding, Layer, Neuron
from autograd_lite.nn.modules import Module

if not TYPE_CHECKING:  # a type checker would take every name for an attribute

    def __getattr__(name: str) -> NoReturn:
        raise unknown(sys.modules[__name__], f"module {__name__!r}", name, NN)


__all__ = [
    "ACTIVATIONS",
    "GPT",
    "INITS",
    "MLP",
    "Embedding",
    "Layer",
    "Module",
    "Neuron",
    "losses",
    "read_json",
    "write_json",
]
