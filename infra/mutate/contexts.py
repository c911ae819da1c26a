"""A pytest plugin that records which lines each test runs and how long it takes. Each process writes separate files."""

import json
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

FOLDER = Path(os.environ.get("MUTATE_COVERAGE", ".coverage-contexts"))

_measured = coverage.Coverage(
    data_file=str(FOLDER / "lines"), data_suffix=True, source=["chalicelib"], config_file=False, messages=False
)
_took_s: dict[str, float] = {}


def pytest_configure() -> None:
    """Start recording. Lines that run outside of tests are recorded under the name ""."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _measured.start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Record the lines that a test and its fixtures run, under the test's name."""
    _measured.switch_context(item.nodeid)
    began = time.perf_counter()
    yield
    _took_s[item.nodeid] = time.perf_counter() - began
    _measured.switch_context("")


def pytest_unconfigure() -> None:
    """Write the recorded lines."""
    _measured.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the xdist controller runs no tests
        _measured.save()
    (FOLDER / f"took.{os.getpid()}.json").write_text(json.dumps(_took_s))
