"""A cache of libraries for each test alone."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the cache, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path / "autograd_lite"


@pytest.fixture(autouse=True)
def small_programs_run_as_machine_code(monkeypatch):
    """They are called by their source, which is faster."""
    monkeypatch.setattr("autograd_lite.compiler.forms.MANY", 1)
