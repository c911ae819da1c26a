"""Check every minute whether each component is up, degraded or down.

The API and the authorization server are requested over HTTP at their public URL, so that the check includes API
Gateway. API Gateway charges for each request, so a component that was up is requested again only after five minutes. If
no public URL is configured, both components count as not checked.
"""

from collections.abc import Callable

from chalicelib.core import clock, settings, ssrf_safe_fetch
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError, is_outage
from chalicelib.core.process_cache import ProcessCache
from chalicelib.uptime import days
from chalicelib.uptime.states import DEGRADED, DOWN, UNKNOWN, UP

DEADLINE_S = 5
SLOW_MS = 1_000
LATE_MS, VERY_LATE_MS = 5 * 60_000, 30 * 60_000
"""Webhooks count as degraded if a delivery is more than LATE_MS late, and as down if one is more than VERY_LATE_MS
late.
"""

REQUEST_EVERY_MS = 5 * 60_000

States = dict[str, str]

_up_at_ms: ProcessCache[str, int] = ProcessCache("uptime.checks", 16)
"""When each URL was last found to be up. A URL is removed when a request finds it degraded or down."""


def check(overdue_ms: Callable[[int], int | None]) -> States:
    """Check every component, store the states and return them.

    `overdue_ms` is called with the current time. It returns for how many milliseconds the oldest delivery has been due,
    or None if no delivery is due.
    """
    now_ms = clock.now_ms()
    states = {
        "api": _check_url("/health", now_ms),
        "oauth": _check_url("/.well-known/oauth-authorization-server", now_ms),
        "webhooks": _webhooks(overdue_ms, now_ms),
        "database": _database(),
    }
    days.write(now_ms // 60_000, states)
    return states


def _check_url(path: str, now_ms: int) -> str:
    url = settings.current().public_url
    if not url:
        return UNKNOWN
    age_ms = now_ms - _up_at_ms.get(url + path, -REQUEST_EVERY_MS)
    if 0 <= age_ms < REQUEST_EVERY_MS:
        return UP
    state = _request(url, path)
    _up_at_ms.pop(url + path, None)
    if state == UP:
        _up_at_ms[url + path] = now_ms
    return state


def _request(url: str, path: str) -> str:
    """Request a path and return its state: up for a fast 200 response, degraded for a slow 200 or any 429, down
    otherwise.

    API Gateway responds with 5xx when the function fails, and with 403 or 404 when the API does not exist.
    """
    started_ns = clock.elapsed_ns()
    try:
        status = ssrf_safe_fetch.fetch_status(url + path, deadline_s=DEADLINE_S)
    except ssrf_safe_fetch.FetchError:
        return DOWN
    if status == 429:
        return DEGRADED
    if status != 200:
        return DOWN
    return DEGRADED if _is_slow(started_ns) else UP


def _webhooks(overdue_ms: Callable[[int], int | None], now_ms: int) -> str:
    try:
        overdue_by_ms = overdue_ms(now_ms) or 0
    except Exception as error:
        if not is_outage(error):
            raise
        return DOWN
    if overdue_by_ms > VERY_LATE_MS:
        return DOWN
    return DEGRADED if overdue_by_ms > LATE_MS else UP


def _database() -> str:
    """Return the state of the database. It is checked with a read like those of the authorizer. Writes are checked when
    the result is stored.
    """
    started_ns = clock.elapsed_ns()
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "health"}}}
    try:
        dynamodb.call("GetItem", {**request, "ConsistentRead": True}, dynamodb.FAIL_FAST)
    except DynamoDBError:
        return DOWN
    return DEGRADED if _is_slow(started_ns) else UP


def _is_slow(started_ns: int) -> bool:
    return (clock.elapsed_ns() - started_ns) // 1_000_000 > SLOW_MS
