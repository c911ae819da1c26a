"""Long lists: `make test` plays some of each, `make test ALL=1` plays all of them."""

import os
from collections.abc import Sequence
from typing import Any

import pytest

IS_ENABLED = bool(os.environ.get("TESTS_EXHAUSTIVE"))
"""Whether every case of every list is played."""


def after(count: int, cases: Sequence[Any]) -> list[Any]:
    """Return pytest's parameters of the cases; those after the first `count` are for an exhaustive run only."""
    return [*cases[:count], *(_marked(case) for case in cases[count:])]


def examples(number: int) -> int:
    """Return how many examples Hypothesis makes up where an exhaustive run has `number` of them."""
    return number if IS_ENABLED else max(number // 4, 1)


def _marked(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.exhaustive)
