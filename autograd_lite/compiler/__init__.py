"""The compiler: a function or a recorded loss as Python source, arrays, loops and machine code.

Functions and recorded Values go in (`frontend`). They become graphs (`ir`), are differentiated (`passes`),
rolled into loops (`loops`), printed (`codegen`) and run (`runtime`). Numbers, gradients and texts come out.
Users call `program.py` and `jitted.py`. Next door: `train`, which trains with programs.
"""

from autograd_lite.compiler.frontend.trace import TraceError
from autograd_lite.compiler.jitted import jit
from autograd_lite.compiler.program import Program, compile

__all__ = ["Program", "TraceError", "compile", "jit"]
