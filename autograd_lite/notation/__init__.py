"""How graphs and numbers are written: names, formulas, LaTeX, SymPy, and a parser of typed expressions.

In come Values and their labels, or a typed expression; out go text, LaTeX and SymPy expressions, or a Value.
Next door: `transforms` below differentiates, `explain` and `pictures` above show what is written here.
"""
