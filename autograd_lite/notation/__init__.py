"""How graphs and numbers are written: names, formulas, LaTeX, SymPy, and the reader of typed expressions.

In come Values and labels, or a text; out go texts, LaTeX and SymPy expressions, or a Value. Next door:
`explain` and `pictures`, which show them.
"""
