"""Figures, not tests: ``python -m tests.benchmarks`` prints them as tables of ratios.

Every measurement is a process of its own that runs one row of a table with one engine, in one thread, the
garbage collector as users have it; `__main__.py` runs the rows in turn, round after round, and prints
medians. A large package that is only imported slows the collector, so a row imports what it needs inside its
function. The rows stand in `engine.py` (recording and backward) and `programs.py` (compiled programs).
"""
