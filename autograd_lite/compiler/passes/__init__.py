"""Graph to graph: differentiate by the rows' rules, and decompose rows that a target lacks.

Graphs (`ir`) go in; graphs come out. Next door: `frontend`, on whose traced values the rules run, and
`loops`, which finds repetition in a graph.
"""
