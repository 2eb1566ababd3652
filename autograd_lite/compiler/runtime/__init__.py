"""What runs a program: the eager engine as interpreter, machine code, workers, steps of descent.

In come graphs, texts and samples; out go numbers. Next door: `codegen`, which prints what is compiled here.
"""
