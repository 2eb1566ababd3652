"""Explanations of gradients: how one is computed, where it came from, and what is wrong with it.

A Value of a recorded graph, or a model, goes in; an answer that prints as text and displays in Jupyter comes
out. Nothing in the graph is changed. Next door: `notation` writes the formulas, `pictures` draws graphs.
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
