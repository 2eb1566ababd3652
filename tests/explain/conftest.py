"""`ledger`, `why` and `alive` look at all that is alive, which what other tests left would make slow."""

import gc

import pytest


@pytest.fixture(autouse=True, scope="module")
def nothing_else_is_alive():
    """What is frozen is not among the objects of the collector."""
    gc.freeze()
    yield
    gc.unfreeze()
