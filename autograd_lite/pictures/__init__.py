"""Pictures of graphs and of training: `draw`, `tree`, `play`, and plots.

A Value with its graph, a trained model, or a history of losses goes in; pictures, pages and text come out.
`roles` → `folding` → `cards` decide what is shown; the other modules show it. Next door: `explain`.
"""

from autograd_lite.pictures.dot import draw
from autograd_lite.pictures.live import Live, live
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
]
