"""A cache of libraries for these tests alone, in which they find what others have built."""

import pytest


@pytest.fixture(scope="session")
def libraries_of_tests(tmp_path_factory):
    return tmp_path_factory.mktemp("libraries")


@pytest.fixture(autouse=True)
def cache(libraries_of_tests, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(libraries_of_tests))
