"""Settings that every test shares."""

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from autograd_lite import core
from autograd_lite.core.primitive import TABLE
from tests import optional
from tests.exploring import EXPLORE
from tests.optional import MISSING

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window
if core.compiled:
    os.environ["PY_IGNORE_IMPORTMISMATCH"] = "1"  # pytest finds `value.py`, and Python has loaded its library
else:
    os.environ["AUTOGRAD_LITE_PURE"] = "1"  # what a test starts runs in the same form

# Timings (python -m tests.benchmarks), and a program that is read by type checkers and never run.
collect_ignore = ["benchmarks", "user_program.py"]

if "hypothesis" not in MISSING:
    from hypothesis import settings

    # No deadline: the two cores of a CI machine are shared, and a slow example is no wrong one.
    settings.register_profile("fixed", deadline=None, derandomize=True)
    # Where CI is set, hypothesis would be fixed by itself.
    settings.register_profile("exploring", deadline=None, print_blob=True, derandomize=False)
    settings.load_profile("exploring" if EXPLORE else "fixed")


def pytest_report_header() -> list[str]:
    missing = [f"not installed: {', '.join(sorted(MISSING))}"] if MISSING else []
    return [f"engine: {'compiled' if core.compiled else 'Python'}", *missing]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(optional)  # for examples in the package and in README too


_pytest_approx = pytest.approx


def _approx(expected: Any, rel: Any = None, **options: Any) -> Any:
    """Compare as it is written: pytest adds an absolute tolerance of 1e-12 to one that is relative."""
    return _pytest_approx(expected, rel, **({} if rel is None else {"abs": 0.0}) | options)


pytest.approx = _approx


@pytest.fixture(autouse=True)
def _table_as_it_was():
    """A row that a test adds to the table ends with the test, for others loop over the table."""
    before = {*TABLE}
    yield
    for name in TABLE.keys() - before:
        del TABLE[name]


@pytest.fixture
def no_numpy(monkeypatch):
    """A machine without NumPy."""
    monkeypatch.setitem(sys.modules, "numpy", None)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator:
    """Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium and its driver: Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    flags += " --disable-background-networking --disable-component-update --window-size=980,900"
    for flag in [*flags.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()
