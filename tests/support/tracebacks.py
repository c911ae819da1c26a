"""Tracebacks of expected errors, for tests that search them for secrets."""

import traceback
from collections.abc import Callable

import pytest

from chalicelib.core import errors
from chalicelib.core.dynamodb.errors import DynamoDBError


def catch_traceback(fails: Callable[[], object]) -> str:
    """Call a function that raises, and return the traceback as text."""
    try:
        fails()
    except (errors.LatchkeyError, DynamoDBError):
        return traceback.format_exc()
    return pytest.fail("nothing was refused")
