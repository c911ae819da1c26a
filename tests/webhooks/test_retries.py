"""Retries of failed deliveries: the schedule, Retry-After, and the last attempt."""

from datetime import UTC, datetime

import pytest

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.events import kinds, record
from chalicelib.webhooks import (
    deliver,
    fan_out,
    retry_schedule,
    states,
)
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import delivery, endpoint_of, happens, reload, streamed

DAY_S = 86_400


def test_failed_delivery_is_retried_until_it_succeeds(local: TestApp, receiver: Receiver) -> None:
    """Retries follow the schedule, are never early, and have the same id and body."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.statuses = [500, 404, 302, 200]
    receiver.response_body = b"out of order"
    event_id = happens(local, ada)
    streamed(ada)
    for wait_s in retry_schedule.RETRY_DELAYS_S[:3]:
        background.every_minute()
        tried = len(receiver.received)
        local.clock.forward(wait_s * 0.9 - 1)
        background.every_minute()
        assert len(receiver.received) == tried
        local.clock.forward(wait_s * 0.2 + 2)
        background.every_minute()
        assert len(receiver.received) == tried + 1
    assert receiver.ids == [event_id] * 4
    assert len({each.body for each in receiver.received}) == 1
    found = delivery(endpoint, event_id)
    assert [each.status for each in found.attempts] == [500, 404, 302, 200]
    assert found.attempts[0].answer == "out of order"
    assert "redirect" in str(found.attempts[2].problem)
    assert found.state == DELIVERED
    assert [reload(endpoint).failures, reload(endpoint).failing_since] == [0, None]


@pytest.mark.parametrize("status", [429, 503, 500, 301])
@pytest.mark.parametrize("form", ["7200", "Mon, 20 Dec 2021 %H:%M:%S GMT"])
def test_retry_after_postpones_retry(local: TestApp, receiver: Receiver, status: int, form: str) -> None:
    """A retry isn't made before the time in Retry-After, in seconds or as a date (RFC 9110 §10.2.3)."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    now_ms = clock.now_ms()
    receiver.statuses = [status, 200]
    receiver.headers = {"Retry-After": datetime.fromtimestamp(now_ms // 1000 + 7_200, UTC).strftime(form)}
    streamed(ada)
    assert 7_199_000 <= (delivery(endpoint, event_id).due_at or 0) - now_ms <= 7_200_000
    local.clock.forward(7_000)
    background.every_minute()
    assert len(receiver.received) == 1
    local.clock.forward(200)
    background.every_minute()
    assert receiver.ids == [event_id] * 2
    assert delivery(endpoint, event_id).state == DELIVERED


def test_retry_after_cannot_exceed_schedule(local: TestApp, receiver: Receiver) -> None:
    """Even with Retry-After, the last attempt is at most three days after the event."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    began_ms = clock.now_ms()
    receiver.statuses, receiver.headers = [503], {"Retry-After": "9" * 12}
    streamed(ada)
    assert delivery(endpoint, event_id).due_at == began_ms + retry_schedule.SCHEDULE_MS
    local.clock.forward(3 * DAY_S)
    background.every_minute()
    second = delivery(endpoint, event_id)
    assert (second.tries, second.state) == (2, PENDING)
    assert (second.due_at or 0) - clock.now_ms() < 6 * 60_000


@pytest.mark.parametrize(
    "nonsense",
    [
        *("", "-7200", "+7200", "7200.5", "7_200", "0x1c20", "2 hours", "\xb27200", "7200, 7200", "9" * 40, "0"),
        *("Mon, 20 Dec 2001 12:00:00 GMT", "Mon, 32 Dec 2031 12:00:00 GMT", "2031-12-20T12:00:00Z", "x" * 5_000),
    ],
)
def test_malformed_retry_after_is_ignored(nonsense: str) -> None:
    """A malformed Retry-After doesn't change the schedule."""
    now_ms = 1_640_000_000_000
    asked_ms = retry_schedule.parse_retry_after_ms(nonsense, now_ms)
    assert asked_ms <= now_ms
    assert (retry_schedule.next_attempt_at_ms(1, now_ms, not_before_ms=asked_ms) or 0) - now_ms <= 66_000


@pytest.mark.parametrize(
    "date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_retry_after_accepts_all_http_date_formats(date: str) -> None:
    """All three date formats of RFC 9110 §5.6.7 are accepted."""
    assert retry_schedule.parse_retry_after_ms(date, 0) == 784_111_777_000


def test_delivery_fails_after_ten_attempts_in_three_days(local: TestApp, receiver: Receiver) -> None:
    """After ten attempts the delivery is failed, and a day of failures has disabled the endpoint with an event."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.statuses = [503]
    event_id = happens(local, ada)
    began_ms = clock.now_ms()
    streamed(ada)
    # Another delivery succeeds, so the endpoint isn't disabled.
    while (found := delivery(endpoint, event_id)).state == PENDING:
        local.clock.now_ms = found.due_at or 0
        background.every_minute()
        if reload(endpoint).failures > 5:
            receiver.statuses = [200, 503]
            deliver.send_test(reload(endpoint))
    assert (found.state, found.tries, len(found.attempts)) == (FAILED, 10, 10)
    assert 2.5 < (clock.now_ms() - began_ms) / 1000 / DAY_S < 3.5
    assert reload(endpoint).status == ENABLED


def test_ten_consecutive_failures_over_a_day_disable_endpoint(local: TestApp, receiver: Receiver) -> None:
    """Ten failures disable an endpoint only after a day, so that a receiver can be repaired before."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.statuses = [500]
    for number in range(12):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    background.every_minute()
    assert reload(endpoint).status == ENABLED
    assert reload(endpoint).failures >= 10
    local.clock.forward(DAY_S)
    background.every_minute()
    current = reload(endpoint)
    assert (current.status, current.disabled_because) == (DISABLED, states.FAILING)
    (event,) = [event for event in record.newest_first(ada.id, 99) if event.type == kinds.WEBHOOK_DISABLED]
    assert event.changed.as_dict()["because"] == states.FAILING
    sent = len(receiver.received)
    local.clock.forward(DAY_S)
    background.every_minute()
    background.every_minute()
    assert len(receiver.received) == sent
    assert {each.state for each in fan_out.of_endpoint(endpoint.id, 99)} == {FAILED}


def test_410_disables_endpoint(local: TestApp, receiver: Receiver) -> None:
    """A single 410 response disables the endpoint."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.statuses = [410]
    happens(local, ada, "One")
    happens(local, ada, "Two")
    streamed(ada)
    assert len(receiver.received) == 1
    assert reload(endpoint).disabled_because == states.GONE
