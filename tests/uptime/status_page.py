"""Helpers of the uptime tests: check results and the public status."""

from typing import Any

from chalicelib.core import clock, process_cache
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.uptime import days
from chalicelib.uptime import states as words
from tests.support.harness import TestApp


def no_overdue_delivery(_now_ms: int) -> None:
    """Report no overdue delivery."""


def read_status(latchkey: TestApp) -> dict[str, Any]:
    """Return the current public status, without the cache."""
    process_cache.forget()
    response = latchkey.call("GET", "/status.json")
    assert response.status == 200, response.body
    body: dict[str, Any] = response.json()
    return body


def read_cached_status(latchkey: TestApp) -> dict[str, Any]:
    """Return the public status, which may be cached."""
    body: dict[str, Any] = latchkey.call("GET", "/status.json").json()
    return body


def read_states(latchkey: TestApp) -> dict[str, str]:
    """Return the state of each component by its name."""
    return {each["id"]: each["state"] for each in read_status(latchkey)["components"]}


def store_check(**found: str) -> None:
    """Store check results for the current minute; components are up by default."""
    days.write(clock.now_ms() // 60_000, dict.fromkeys(words.COMPONENTS, "up") | found)


def fail_request(operation: str, _request: dynamodb.Json) -> dynamodb.Json:
    raise Unreachable("NoAnswer", f"{operation} got no answer", {})
