"""Explanations of a gradient: why it is what it is, where it came from, and what is wrong with it.

- `explain`: the chain rule from an output to a value, with symbols, formulas and numbers
- `why`: a diagnosis of one value's gradient; `record_lines` lets it tell the source line
- `ledger`: what each backward pass added to a ``.grad``
- `trace_table`: the Wengert list, values and adjoints side by side
- `gradient_report`: the health of a model's gradients, layer by layer

They read a recorded graph and change nothing in it. What does not live here: how formulas are read off a
graph (`formulas.py`) and written (`latex.py`), and SymPy (`algebra.py`).
"""

from autograd_lite.explain.chain import Explanation, Step, explain
from autograd_lite.explain.ledger import Ledger, ledger
from autograd_lite.explain.lines import record_lines
from autograd_lite.explain.report import GradientReport, gradient_report
from autograd_lite.explain.trace import TraceTable, trace_table
from autograd_lite.explain.why import Diagnosis, why

__all__ = [
    "Diagnosis",
    "Explanation",
    "GradientReport",
    "Ledger",
    "Step",
    "TraceTable",
    "explain",
    "gradient_report",
    "ledger",
    "record_lines",
    "trace_table",
    "why",
]
