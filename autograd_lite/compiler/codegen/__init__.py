"""Code generation: graphs and loop nests printed as Python, NumPy, C and LaTeX.

In come graphs (`ir`) and loop programs (`loops`); out go texts, and the names that they call. Next door:
`runtime` compiles and runs them.
"""
