"""How graphs and numbers are written: names, formulas, LaTeX, SymPy, and a parser of typed expressions.

Values and their labels, or a typed expression, go in; text, LaTeX and SymPy expressions, or a Value, come
out. Next door: `transforms` below differentiates, `explain` and `pictures` above show what is written here.
"""
