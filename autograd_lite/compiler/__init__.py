"""The compiler: a function or a recorded loss as Python source, arrays, loops and machine code.

In come functions and Values (`frontend`), which become graphs (`ir`), are differentiated (`passes`), rolled
into loops (`loops`), printed (`codegen`) and run (`runtime`). `program.py` is the front door; out go numbers,
gradients and texts. Next door: `train`, which trains by programs.
"""

from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.compiler.program import Program, compile

__all__ = ["Program", "TraceError", "compile"]
