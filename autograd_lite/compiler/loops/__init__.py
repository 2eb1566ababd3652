"""Loops recovered from straight-line graphs: layers, batches and steps become loop nests over arrays.

In come graphs and recordings; out goes a `LoopProgram` (`ir.py`): nests with the addresses that they read.
`lowering.py` is the way in. Next door: `codegen` prints the nests as NumPy and C.
"""
