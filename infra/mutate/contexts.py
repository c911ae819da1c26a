"""A pytest plugin: which lines each test runs, and how long it takes. Each process writes files of its own."""

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
    """Begin to look; what runs outside of a test has no name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _measured.start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note under the test's name what it runs, its fixtures included."""
    _measured.switch_context(item.nodeid)
    began = time.perf_counter()
    yield
    _took_s[item.nodeid] = time.perf_counter() - began
    _measured.switch_context("")


def pytest_unconfigure() -> None:
    """Write down what was seen."""
    _measured.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the process that only hands the tests out has seen nothing
        _measured.save()
    (FOLDER / f"took.{os.getpid()}.json").write_text(json.dumps(_took_s))
