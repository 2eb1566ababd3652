"""Neurons, layers and networks of Values, their losses and their files.

In come numbers and Values; out go Values whose graphs the rooms above differentiate, train and draw. Next
door: `core` with the operations, `train` with the optimizers.
"""

from autograd_lite.nn import losses
from autograd_lite.nn.modules import ACTIVATIONS, INITS, MLP, Layer, Module, Neuron

__all__ = ["ACTIVATIONS", "INITS", "MLP", "Layer", "Module", "Neuron", "losses"]
