"""Printers: graphs and loop nests as Python, NumPy, C and LaTeX.

In come graphs and nests; out go texts. Next door: `runtime` compiles and runs them.
"""
