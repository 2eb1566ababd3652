"""How code becomes a graph: a function is traced, a recorded loss is listed.

In come functions and Values; out go graphs (`ir`) and the leaves that they read. Next door: `passes`.
"""
