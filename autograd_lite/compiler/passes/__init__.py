"""Graph to graph: differentiation by the rows' rules, and rows decomposed for a target that lacks them.

In come graphs (`ir`); out go graphs. Next door: `frontend`, on whose traced values the rules run, and
`loops`, which finds what repeats in a graph.
"""
