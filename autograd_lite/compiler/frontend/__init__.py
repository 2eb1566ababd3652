"""How code becomes a graph: a function is traced, a recorded loss is listed.

In come functions and Values; out go graphs (`ir`), the leaves that they read and the checks that they make.
Next door: `passes`, which rewrite graphs.
"""
