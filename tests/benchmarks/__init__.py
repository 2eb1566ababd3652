"""Figures, not tests: ``python -m tests.benchmarks`` prints them as a table of ratios.

Every measurement is a process of its own that runs one workload with one engine (`workloads.py`), the
garbage collector as users have it; `__main__.py` runs them in turn, round after round, and prints medians.
"""
