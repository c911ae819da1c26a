"""Whose turn it is to send to an endpoint: one function's at a time, so that events arrive in order.

A turn ends by itself a minute after it was taken, in case its function dies.
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

BY_HAND_MS = 15_000
"""Longer than a message by hand can take, should its function die."""
LASTS_MS = 60_000
"""Longer than an attempt can take, so that nobody sends a second time while the first is under way."""


def take(account_id: str, endpoint_id: str) -> Endpoint | None:
    """Take the turn; None when another function has it, or nothing is to be sent now."""
    now_ms = clock.now_ms()
    quiet = Endpoint.quiet_until
    return _taken(account_id, endpoint_id, quiet.does_not_exist() | (quiet <= now_ms), now_ms)


@contextmanager
def by_hand(endpoint: Endpoint) -> Iterator[Endpoint]:
    """Take the turn for the length of a `with` block, for a person who waits, though the endpoint may be left alone.

    Raises Conflict while another function has it: whoever asks often must not hold as many functions.
    """
    busy = errors.Conflict("Something is being sent to this webhook at this moment. Try again in a few seconds.")
    with _one_by_hand(endpoint.account_id, busy):
        taken = _taken(endpoint.account_id, endpoint.id, None, clock.now_ms())
        if taken is None:
            raise busy
        try:
            yield taken
        finally:
            let_go(taken)


@contextmanager
def _one_by_hand(account_id: str, busy: errors.Conflict) -> Iterator[None]:
    """Send one message by hand at a time for an account, whichever of its ten endpoints it goes to."""
    account, until, now_ms = Endpoint(account_id, COUNT), Endpoint.busy_until, clock.now_ms()
    with models.refused_as(busy):
        account.update(actions=[until.set(now_ms + BY_HAND_MS)], condition=until.does_not_exist() | (until <= now_ms))
    try:
        yield
    finally:
        let_go(account)


def still(endpoint: Endpoint) -> Endpoint | None:
    """Return the endpoint as it stands now; None when it was disabled or deleted, or the turn is another's by now."""
    stands = Endpoint.found(endpoint.account_id, endpoint.id)
    is_ours = stands is not None and stands.status == ENABLED and stands.busy_until == endpoint.busy_until
    return stands if is_ours else None


def let_go(endpoint: Endpoint) -> None:
    """End the turn."""
    _update_if(endpoint, [Endpoint.busy_until.remove()], Endpoint.busy_until == endpoint.busy_until)


def fall_behind(endpoint: Endpoint) -> None:
    """Note that something older waits: what happens from now on mustn't overtake it, and is left to the sweep."""
    _update_if(endpoint, [Endpoint.behind_since.set(clock.now_ms())], Endpoint.created_at.exists())


def catch_up(endpoint: Endpoint) -> None:
    """Note that all that waited was tried, unless it fell behind again since `endpoint` was read."""
    behind = Endpoint.behind_since
    _update_if(endpoint, [behind.remove()], behind == endpoint.behind_since)


def _taken(account_id: str, endpoint_id: str, only_if: Condition | None, now_ms: int) -> Endpoint | None:
    endpoint, busy = Endpoint(account_id, endpoint_id), Endpoint.busy_until
    since_ms = eligibility.sent_since_ms(account_id)
    if since_ms is None:
        return None
    free = (Endpoint.created_at >= since_ms) & (Endpoint.status == ENABLED) & (busy.does_not_exist() | (busy <= now_ms))
    with models.may_be_refused():
        endpoint.update(actions=[busy.set(now_ms + LASTS_MS)], condition=free if only_if is None else free & only_if)
        return endpoint
    return None


def _update_if(endpoint: Endpoint, actions: list[Action], condition: Condition) -> None:
    with models.may_be_refused():
        Endpoint(endpoint.account_id, endpoint.id).update(actions=actions, condition=condition)
