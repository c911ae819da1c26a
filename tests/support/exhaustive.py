"""Long lists of test cases: `make test` runs some of each list, and `make test ALL=1` runs all."""

import os
from collections.abc import Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck

IS_ENABLED = bool(os.environ.get("TESTS_EXHAUSTIVE"))
"""Whether every case of every list is run."""


def after(count: int, cases: Sequence[Any]) -> list[Any]:
    """Return the cases as pytest parameters; only an exhaustive run includes those after the first `count`."""
    return [*cases[:count], *(_mark(case) for case in cases[count:])]


def examples(number: int) -> int:
    """Return the number of Hypothesis examples: `number` in an exhaustive run, and fewer otherwise."""
    return number if IS_ENABLED else max(number // 4, 1)


def random_requests(number: int) -> hypothesis.settings:
    """Return Hypothesis' settings for `number` random requests: the same in every run, without a deadline."""
    return hypothesis.settings(
        max_examples=examples(number),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def _mark(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.exhaustive)
