"""What is checked every minute, and what counts as up, degraded or down.

The API and the authorization server are asked over HTTP at their own public URL, gateway included: a check that only
calls itself proves nothing. Since the gateway charges for it, what is up is asked every five minutes, and what isn't
every minute. Without a configured URL nobody knows where that is, and they count as not checked.
"""

from collections.abc import Callable

from chalicelib.core import clock, settings, ssrf_safe_fetch
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError, is_outage
from chalicelib.uptime import days
from chalicelib.uptime.states import DEGRADED, DOWN, UNKNOWN, UP

ANSWERS_WITHIN_S = 5
SLOW_MS = 1_000
LATE_MS, VERY_LATE_MS = 5 * 60_000, 30 * 60_000
"""How long a delivery may be overdue before webhooks count as degraded, and as down."""

ASKED_EVERY_MS = 5 * 60_000

States = dict[str, str]

_up_at_ms: dict[str, int] = {}
"""When each path was found up, by URL; forgotten when it isn't any more."""


def check(overdue_ms: Callable[[int], int | None]) -> States:
    """Check every component, write down what was found, and return it.

    `overdue_ms` says how long the most overdue delivery of a webhook has been due at a moment, None when none is.
    """
    now_ms = clock.now_ms()
    states = {
        "api": _found("/health", now_ms),
        "oauth": _found("/.well-known/oauth-authorization-server", now_ms),
        "webhooks": _webhooks(overdue_ms, now_ms),
        "database": _database(),
    }
    days.write(now_ms // 60_000, states)
    return states


def forget() -> None:
    """Forget what was found up, as a new process would."""
    _up_at_ms.clear()


def _found(path: str, now_ms: int) -> str:
    url = settings.current().public_url
    if not url:
        return UNKNOWN
    asked_ms = now_ms - _up_at_ms.get(url + path, -ASKED_EVERY_MS)
    if 0 <= asked_ms < ASKED_EVERY_MS:
        return UP
    state = _asked(url, path)
    _up_at_ms.pop(url + path, None)
    if state == UP:
        _up_at_ms[url + path] = now_ms
    return state


def _asked(url: str, path: str) -> str:
    """Only a 200 is an answer of ours: a gateway says 5xx for a function that fails, 403 or 404 where there is none.

    A 429 is degraded: who answers it works, and has no room for this one.
    """
    started_ns = clock.elapsed_ns()
    try:
        status = ssrf_safe_fetch.status_of(url + path, deadline_s=ANSWERS_WITHIN_S)
    except ssrf_safe_fetch.FetchError:
        return DOWN
    if status == 429:
        return DEGRADED
    if status != 200:
        return DOWN
    return DEGRADED if _is_slow(started_ns) else UP


def _webhooks(overdue_ms: Callable[[int], int | None], now_ms: int) -> str:
    try:
        late_ms = overdue_ms(now_ms) or 0
    except Exception as error:
        if not is_outage(error):
            raise
        return DOWN
    if late_ms > VERY_LATE_MS:
        return DOWN
    return DEGRADED if late_ms > LATE_MS else UP


def _database() -> str:
    """Read as an authorizer does. That it can be written, the writing down of this very check shows."""
    started_ns = clock.elapsed_ns()
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "health"}}}
    try:
        dynamodb.call("GetItem", {**request, "ConsistentRead": True}, dynamodb.AT_ONCE)
    except WireError:
        return DOWN
    return DEGRADED if _is_slow(started_ns) else UP


def _is_slow(started_ns: int) -> bool:
    return (clock.elapsed_ns() - started_ns) // 1_000_000 > SLOW_MS
