"""Loops recovered from straight-line graphs: layers, batches and steps become nests of loops over arrays.

In come graphs and recordings; out goes a list of nests with the addresses they read. Next door: `codegen`
prints them.
"""
