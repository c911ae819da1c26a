"""Time limits of attempts, locks and functions."""

import pytest

from chalicelib.core import clock, errors
from chalicelib.webhooks import (
    deliver,
    endpoint_lock,
    send_delivery,
)
from chalicelib.webhooks.tables import Delivery
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.fake_attempts import Sent, queue_events, sent
from tests.webhooks.told import endpoint_of, reload

__all__ = ["sent"]


@pytest.mark.parametrize("took_s", [1, 7, 14.999, 15])
def test_no_attempt_starts_that_could_outlast_lock(
    local: TestApp, sent: Sent, receiver: Receiver, took_s: float
) -> None:
    """An attempt that could outlast the lock isn't started, because another function may send once the lock has
    expired.
    """
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    queue_events(local, ada, 70)
    began: list[int] = []
    sent.took_s, taken_ms = took_s, clock.now_ms()
    sent.before = lambda: began.append(clock.now_ms() - taken_ms)
    deliver.send_all({(ada.id, endpoint.id): sorted(each.id for each in Delivery.query(endpoint.id))}, 2**53)
    assert max(began) < endpoint_lock.LOCK_MS - send_delivery.DEADLINE_S * 1000 <= max(began) + took_s * 1000


def test_no_attempt_starts_after_time_limit_of_function(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """No attempt starts after the function's time limit, and the remaining deliveries are left to the sweep."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    queue_events(local, ada, 10)
    began: list[int] = []
    sent.took_s, until_ms = 2, clock.now_ms() + 5_000
    sent.before = lambda: began.append(clock.now_ms() - until_ms)
    deliver.send_all({(ada.id, endpoint.id): sorted(each.id for each in Delivery.query(endpoint.id))}, until_ms)
    assert began == [-5_000, -3_000, -1_000]
    assert reload(endpoint).behind_since == clock.now_ms()


def test_lock_lasts_a_minute(local: TestApp, receiver: Receiver) -> None:
    """A lock lasts a minute, so a crashed function doesn't block the endpoint for longer."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    assert endpoint_lock.LOCK_MS == 60_000 > 2 * send_delivery.DEADLINE_S * 1000
    assert endpoint_lock.acquire(ada.id, endpoint.id) is not None
    local.clock.forward(59.999)
    assert endpoint_lock.acquire(ada.id, endpoint.id) is None
    with (
        pytest.raises(errors.Conflict, match="Try again in a few seconds"),
        endpoint_lock.hold_for_manual_send(endpoint),
    ):
        pass
    local.clock.forward(0.001)
    with endpoint_lock.hold_for_manual_send(endpoint) as taken:
        assert taken.busy_until == clock.now_ms() + 60_000
    assert reload(endpoint).busy_until is None
