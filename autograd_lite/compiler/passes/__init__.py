"""Graph to graph: differentiation by the rows' rules, and rows decomposed for a target that lacks them.

In come graphs (`ir`); out go graphs. Next door: `loops`, which looks for what repeats in them.
"""
