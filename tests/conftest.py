"""Settings that every test shares."""

import os

import pytest
from hypothesis import settings

from autograd_lite.primitives import TABLE

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window

collect_ignore = ["benchmarks"]  # timings, not tests: python -m tests.benchmarks

# No deadline: the two cores of a CI machine are shared, and a slow example is no wrong one.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def _table_as_it_was():
    """A row that a test adds to the table ends with the test, for others loop over the table."""
    before = {*TABLE}
    yield
    for name in TABLE.keys() - before:
        del TABLE[name]
