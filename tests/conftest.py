"""Settings that every test shares."""

import os

from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window

collect_ignore = ["benchmarks"]  # timings, not tests: python -m tests.benchmarks

# No deadline: the two cores of a CI machine are shared, and a slow example is no wrong one.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
