"""Code generation: graphs and loop nests printed as Python, NumPy, C and LaTeX.

Graphs (`ir`) and loop programs (`loops`) go in; texts, and the names that they call, come out. Next door:
`runtime` compiles and runs them.
"""
