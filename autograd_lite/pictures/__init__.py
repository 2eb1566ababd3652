"""Pictures: `draw` for Graphviz and Jupyter, `tree` for the terminal, `play` for the browser, and plots.

`cards.py` decides what is shown; the other modules show it.
"""

from autograd_lite.pictures.dot import draw
from autograd_lite.pictures.picture import Picture
from autograd_lite.pictures.player import Player, play
from autograd_lite.pictures.plots import (
    plot_boundary,
    plot_descent,
    plot_function,
    plot_gradient_flow,
    plot_loss,
)
from autograd_lite.pictures.tree import Tree, tree

__all__ = [
    "Picture",
    "Player",
    "Tree",
    "draw",
    "play",
    "plot_boundary",
    "plot_descent",
    "plot_function",
    "plot_gradient_flow",
    "plot_loss",
    "tree",
]
