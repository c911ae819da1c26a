"""A lock on each endpoint. Only the function that holds it may send to the endpoint, so that events arrive in order.

The lock expires after a minute, in case the function that holds it crashes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.webhooks import eligibility
from chalicelib.webhooks.endpoints import COUNT
from chalicelib.webhooks.states import ENABLED
from chalicelib.webhooks.tables import Endpoint

MANUAL_LOCK_MS = 15_000
"""How long the lock of an account for manual sends lasts if the function that holds the lock crashes. This is longer
than a manual send can take.
"""
LOCK_MS = 60_000
"""How long the lock lasts. This is longer than an attempt can take, so that no other function sends meanwhile."""


def acquire(account_id: str, endpoint_id: str) -> Endpoint | None:
    """Acquire the lock. Returns None if another function holds the lock or nothing may be sent to the endpoint now."""
    now_ms = clock.now_ms()
    quiet = Endpoint.quiet_until
    return _acquire(account_id, endpoint_id, quiet.does_not_exist() | (quiet <= now_ms), now_ms)


@contextmanager
def hold_for_manual_send(endpoint: Endpoint) -> Iterator[Endpoint]:
    """Hold the lock for a manual send during a `with` block, even while the endpoint is in back-off.

    Raises Conflict immediately if another function holds the lock: if frequent requests waited, they would occupy many
    functions.
    """
    busy = errors.Conflict("Another message is being sent to this webhook. Try again in a few seconds.")
    with _hold_account_for_manual_send(endpoint.account_id, busy):
        held = _acquire(endpoint.account_id, endpoint.id, None, clock.now_ms())
        if held is None:
            raise busy
        try:
            yield held
        finally:
            release(held)


@contextmanager
def _hold_account_for_manual_send(account_id: str, busy: errors.Conflict) -> Iterator[None]:
    """Allow an account only one manual send at a time, even if it has several endpoints."""
    account, until, now_ms = Endpoint(account_id, COUNT), Endpoint.busy_until, clock.now_ms()
    with models.raise_on_condition_failure(busy):
        account.update(
            actions=[until.set(now_ms + MANUAL_LOCK_MS)], condition=until.does_not_exist() | (until <= now_ms)
        )
    try:
        yield
    finally:
        release(account)


def reload_if_held(endpoint: Endpoint) -> Endpoint | None:
    """Read the endpoint again. Returns None if it was disabled or deleted, or if another function holds the lock."""
    current = Endpoint.found(endpoint.account_id, endpoint.id)
    is_held = current is not None and current.status == ENABLED and current.busy_until == endpoint.busy_until
    return current if is_held else None


def release(endpoint: Endpoint) -> None:
    """Release the lock."""
    _update_if(endpoint, [Endpoint.busy_until.remove()], Endpoint.busy_until == endpoint.busy_until)


def mark_backlogged(endpoint: Endpoint) -> None:
    """Mark an endpoint as backlogged. Only the sweep then sends to it, so that its events stay in order."""
    _update_if(endpoint, [Endpoint.behind_since.set(clock.now_ms())], Endpoint.created_at.exists())


def clear_backlog(endpoint: Endpoint) -> None:
    """Remove the backlog mark, unless it was set again after `endpoint` was read."""
    behind = Endpoint.behind_since
    _update_if(endpoint, [behind.remove()], behind == endpoint.behind_since)


def _acquire(account_id: str, endpoint_id: str, only_if: Condition | None, now_ms: int) -> Endpoint | None:
    endpoint, busy = Endpoint(account_id, endpoint_id), Endpoint.busy_until
    since_ms = eligibility.sendable_since_ms(account_id)
    if since_ms is None:
        return None
    free = (Endpoint.created_at >= since_ms) & (Endpoint.status == ENABLED) & (busy.does_not_exist() | (busy <= now_ms))
    with models.ignore_condition_failure():
        endpoint.update(actions=[busy.set(now_ms + LOCK_MS)], condition=free if only_if is None else free & only_if)
        return endpoint
    return None


def _update_if(endpoint: Endpoint, actions: list[Action], condition: Condition) -> None:
    with models.ignore_condition_failure():
        Endpoint(endpoint.account_id, endpoint.id).update(actions=actions, condition=condition)
