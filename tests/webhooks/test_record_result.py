"""Results of attempts: the state of the delivery and the health of the endpoint."""

import io
import json

import pytest

from chalicelib.core import clock, ids, randomness, telemetry
from chalicelib.webhooks import endpoints, fan_out, record_result, states
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import delivery, reload

MINUTE_MS = 60_000


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint without attempts."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


def store_delivery(endpoint: Endpoint) -> Delivery:
    """Store a claimed delivery."""
    made = fan_out.new_delivery(endpoint, ids.new("evt"), "key.created", "{}", due_at=clock.now_ms())
    made.claimed_until = clock.now_ms() + MINUTE_MS
    made.save()
    return made


def build_outcome(status: int | None, *, took_ms: int = 5, not_before_ms: int = 0) -> Outcome:
    """Return an outcome with the current time."""
    return Outcome(clock.now_ms(), took_ms, status, "answer", "problem", not_before_ms)


def record_new_outcome(endpoint: Endpoint, status: int | None, **more: int) -> Endpoint:
    """Record the outcome of a new delivery and return the current endpoint."""
    record_result.record_outcome(reload(endpoint), store_delivery(endpoint), build_outcome(status, **more))
    return reload(endpoint)


def test_delivered_message_leaves_queue(endpoint: Endpoint) -> None:
    """A delivered message is no longer due, and its response is stored."""
    sent = store_delivery(endpoint)
    record_result.record_outcome(endpoint, sent, build_outcome(204))
    found = delivery(endpoint, sent.id)
    assert (found.state, found.tries) == (DELIVERED, 1)
    assert [found.lane, found.due_at, found.claimed_until] == [None, None, None]
    (kept,) = found.attempts
    assert (kept.at, kept.took_ms, kept.status, kept.answer) == (clock.now_ms(), 5, 204, "answer")


def test_failed_delivery_is_due_again_and_unclaimed(latchkey: TestApp, endpoint: Endpoint) -> None:
    """A failed delivery is due after the next delay, or later if Retry-After says so, but at most three days after its
    creation.
    """
    sent = store_delivery(endpoint)
    latchkey.clock.forward(3_600)
    with randomness.use_generator(lambda bound: bound // 2):
        record_result.record_outcome(endpoint, sent, build_outcome(500))
        found = delivery(endpoint, sent.id)
        assert [found.state, found.tries, found.claimed_until] == [PENDING, 1, None]
        assert (found.lane, found.due_at) == (sent.lane, clock.now_ms() + MINUTE_MS)
        record_result.record_outcome(endpoint, found, build_outcome(500))
        found = delivery(endpoint, sent.id)
        assert (found.tries, found.due_at) == (2, clock.now_ms() + 5 * MINUTE_MS)
        record_result.record_outcome(endpoint, found, build_outcome(500, not_before_ms=2**50))
        assert delivery(endpoint, sent.id).due_at == sent.created_at + 3 * 86_400_000


def test_manual_resend_restarts_schedule(latchkey: TestApp, endpoint: Endpoint) -> None:
    """After a manual resend, the three days of retries count from the resend."""
    sent = store_delivery(endpoint)
    latchkey.clock.forward(3_600)
    sent.update(actions=[Delivery.queued_at.set(clock.now_ms())])
    record_result.record_outcome(endpoint, sent, build_outcome(500, not_before_ms=2**50))
    assert delivery(endpoint, sent.id).due_at == clock.now_ms() + 3 * 86_400_000


def test_tenth_failure_ends_retries(endpoint: Endpoint) -> None:
    """After the tenth failure the delivery is no longer due and is listed as failed."""
    sent = store_delivery(endpoint)
    for tries, state in ((8, PENDING), (9, FAILED)):
        sent.update(actions=[Delivery.tries.set(tries)])
        record_result.record_outcome(endpoint, sent, build_outcome(500))
        assert delivery(endpoint, sent.id).state == state
    found = delivery(endpoint, sent.id)
    assert [found.tries, found.lane, found.due_at, found.claimed_until] == [10, None, None, None]


def test_last_twenty_attempts_are_kept(endpoint: Endpoint) -> None:
    """Only the last twenty attempts are kept."""
    sent = store_delivery(endpoint)
    for number in range(22):
        record_result.record_outcome(endpoint, sent, build_outcome(204, took_ms=number))
    assert [each.took_ms for each in delivery(endpoint, sent.id).attempts] == list(range(2, 22))


def test_success_is_final(endpoint: Endpoint) -> None:
    """A concurrent failure doesn't replace a success, and a deleted delivery isn't recreated."""
    sent = store_delivery(endpoint)
    record_result.record_outcome(endpoint, Delivery.get(endpoint.id, sent.id), build_outcome(204))
    record_result.record_outcome(endpoint, sent, build_outcome(500))
    assert [delivery(endpoint, sent.id).state, delivery(endpoint, sent.id).due_at] == [DELIVERED, None]
    late = store_delivery(endpoint)
    record_result.record_outcome(endpoint, Delivery.get(endpoint.id, late.id), build_outcome(500))
    record_result.drop(endpoint.id, late.id, clock.now_ms())
    record_result.record_outcome(endpoint, late, build_outcome(204))
    assert delivery(endpoint, late.id).state == DELIVERED
    for status in (204, 500):
        gone = store_delivery(endpoint)
        Delivery(endpoint.id, gone.id).delete()
        record_result.record_outcome(endpoint, gone, build_outcome(status))
        assert Delivery.found(endpoint.id, gone.id) is None


@pytest.mark.parametrize(("queued_after_ms", "state"), [(None, FAILED), (-1, FAILED), (0, PENDING), (1, PENDING)])
def test_drop_skips_delivery_resent_since(endpoint: Endpoint, queued_after_ms: int | None, state: str) -> None:
    """A delivery that was resent manually after the decision to drop it stays pending."""
    sent, now_ms = store_delivery(endpoint), clock.now_ms()
    if queued_after_ms is not None:
        sent.update(actions=[Delivery.queued_at.set(now_ms + queued_after_ms)])
    record_result.drop(endpoint.id, sent.id, now_ms)
    found = delivery(endpoint, sent.id)
    assert found.state == state
    assert (found.lane is None, found.due_at is None, found.claimed_until is None) == (state == FAILED,) * 3


def test_drop_skips_delivered_message(endpoint: Endpoint) -> None:
    """Dropping a delivery changes nothing if it is already delivered or deleted."""
    sent = store_delivery(endpoint)
    record_result.record_outcome(endpoint, sent, build_outcome(204))
    record_result.drop(endpoint.id, sent.id, clock.now_ms())
    assert delivery(endpoint, sent.id).state == DELIVERED
    record_result.drop(endpoint.id, "evt_unknown", clock.now_ms())
    assert Delivery.count(endpoint.id) == 1


def test_attempt_is_counted_and_logged(endpoint: Endpoint) -> None:
    """Each attempt is one log line with its metrics, ids, status and duration."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    sent = store_delivery(endpoint)
    record_result.record_outcome(endpoint, sent, build_outcome(204))
    record_result.record_outcome(endpoint, sent, build_outcome(500, took_ms=7))
    telemetry.write_to(None)
    names = ("message", "WebhookAttempts", "WebhookFailures", "endpoint_id", "message_id", "status", "took_ms")
    lines = [tuple(json.loads(line).get(name) for name in names) for line in stream.getvalue().splitlines()]
    assert lines == [
        ("webhook", 1, 0, endpoint.id, sent.id, 204, 5),
        ("webhook", 1, 1, endpoint.id, sent.id, 500, 7),
    ]


def test_consecutive_failures_are_counted_until_success(latchkey: TestApp, endpoint: Endpoint) -> None:
    """The number of consecutive failures and the time of the first are stored, until a success resets both."""
    began_ms = clock.now_ms()
    for number in (1, 2, 3):
        current = record_new_outcome(endpoint, 500)
        assert [current.failures, current.failing_since, current.quiet_until] == [number, began_ms, None]
        latchkey.clock.forward(1)
    current = record_new_outcome(endpoint, None)
    assert (current.failures, current.failing_since) == (4, began_ms)
    assert current.quiet_until == clock.now_ms() + 3 * MINUTE_MS
    current = record_new_outcome(endpoint, 204)
    assert [current.failures, current.failing_since, current.quiet_until, current.status] == [0, None, None, ENABLED]


@pytest.mark.parametrize(("took_ms", "is_slow"), [(1_999, False), (2_000, False), (2_001, True)])
def test_endpoint_is_slow_after_response_over_two_seconds(endpoint: Endpoint, took_ms: int, is_slow: bool) -> None:
    """An endpoint is slow after a response that took more than two seconds, even a success, until a faster response."""
    for status in (204, 500):
        assert record_new_outcome(endpoint, status, took_ms=took_ms).slow is is_slow
        assert record_new_outcome(endpoint, status).slow is False


def test_410_disables_endpoint_without_failure(endpoint: Endpoint) -> None:
    """A 410 disables the endpoint with a reason, and doesn't count as a failure."""
    current = record_new_outcome(endpoint, 410)
    assert (current.status, current.disabled_because, current.failures) == (DISABLED, states.GONE, 0)


def test_deleted_endpoint_is_not_recreated_by_result(endpoint: Endpoint) -> None:
    """A result for a deleted endpoint changes nothing."""
    Endpoint(endpoint.account_id, endpoint.id).delete()
    endpoint.failures = 1
    for status in (204, 500, 410, None):
        record_result.record_outcome(endpoint, store_delivery(endpoint), build_outcome(status, took_ms=3_000))
    assert Endpoint.found(endpoint.account_id, endpoint.id) is None
