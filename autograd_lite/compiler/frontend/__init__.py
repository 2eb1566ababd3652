"""How code becomes a graph: a function is traced, a recorded loss is listed.

Functions and Values go in; graphs (`ir`), the leaves that they read and the checks that they make come out.
Next door: `passes`, which rewrites graphs.
"""
