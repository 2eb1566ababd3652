"""A function or a recorded loss as a program: Python source, arrays, loops and machine code.

`compile` and `Program` live in `program.py`; tracing and differentiation in `trace.py`, the representation in
`graph.py`, of a recorded loss in `recording.py`. Printers: `python.py`, `arrays.py`, `mathematics.py`, on
`code.py`. Loops: `groups.py` and `lift.py` find them, and differentiate them, `rolls.py` those over steps,
`samples.py` those over samples; `loops.py` shows them, `nests.py` runs them in NumPy, `c.py` and `native.py`
as machine code, `instructions.py` what is no loops. `descent.py` takes steps, `batch.py` splits a batch over
workers, `run.py` is the eager engine and the tape, `training.py` what `fit` uses.
"""

from autograd_lite.program.program import Program, compile
from autograd_lite.program.trace import TraceError
from autograd_lite.program.training import Training

__all__ = ["Program", "TraceError", "Training", "compile"]
