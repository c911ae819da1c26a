"""What comes of an attempt: of the delivery, and what it says of the endpoint."""

import io
import json

import pytest

from chalicelib.core import clock, ids, randomness, telemetry
from chalicelib.webhooks import endpoints, fan_out, record_result, states
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import as_it_stands, delivery

MINUTE_MS = 60_000


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint that has never been sent to."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


def stored(endpoint: Endpoint) -> Delivery:
    """Return a delivery that is claimed, as one is that is sent."""
    made = fan_out.new(endpoint, ids.new("evt"), "key.created", "{}", due_at=clock.now_ms())
    made.claimed_until = clock.now_ms() + MINUTE_MS
    made.save()
    return made


def outcome(status: int | None, *, took_ms: int = 5, not_before_ms: int = 0) -> Outcome:
    """Return what came of an attempt at this moment."""
    return Outcome(clock.now_ms(), took_ms, status, "answer", "problem", not_before_ms)


def settled(endpoint: Endpoint, status: int | None, **more: int) -> Endpoint:
    """Settle an attempt to deliver something new, and return the endpoint as it stands."""
    record_result.record_outcome(as_it_stands(endpoint), stored(endpoint), outcome(status, **more))
    return as_it_stands(endpoint)


def test_delivered_leaves_the_queue(endpoint: Endpoint) -> None:
    """With what was answered."""
    sent = stored(endpoint)
    record_result.record_outcome(endpoint, sent, outcome(204))
    found = delivery(endpoint, sent.id)
    assert (found.state, found.tries) == (DELIVERED, 1)
    assert [found.lane, found.due_at, found.claimed_until] == [None, None, None]
    (kept,) = found.attempts
    assert (kept.at, kept.took_ms, kept.status, kept.answer) == (clock.now_ms(), 5, 204, "answer")


def test_failed_is_due_again_and_held_by_nobody(latchkey: TestApp, endpoint: Endpoint) -> None:
    """A minute later the first time, or when the receiver says; the schedule began when it was made."""
    sent = stored(endpoint)
    latchkey.clock.forward(3_600)
    with randomness.drawn_from(lambda bound: bound // 2):
        record_result.record_outcome(endpoint, sent, outcome(500))
        found = delivery(endpoint, sent.id)
        assert [found.state, found.tries, found.claimed_until] == [PENDING, 1, None]
        assert (found.lane, found.due_at) == (sent.lane, clock.now_ms() + MINUTE_MS)
        record_result.record_outcome(endpoint, found, outcome(500))
        found = delivery(endpoint, sent.id)
        assert (found.tries, found.due_at) == (2, clock.now_ms() + 5 * MINUTE_MS)
        record_result.record_outcome(endpoint, found, outcome(500, not_before_ms=2**50))
        assert delivery(endpoint, sent.id).due_at == sent.created_at + 3 * 86_400_000


def test_schedule_begins_anew_when_it_is_asked_for_by_hand(latchkey: TestApp, endpoint: Endpoint) -> None:
    """Three days from then on."""
    sent = stored(endpoint)
    latchkey.clock.forward(3_600)
    sent.update(actions=[Delivery.queued_at.set(clock.now_ms())])
    record_result.record_outcome(endpoint, sent, outcome(500, not_before_ms=2**50))
    assert delivery(endpoint, sent.id).due_at == clock.now_ms() + 3 * 86_400_000


def test_tenth_failure_gives_the_delivery_up(endpoint: Endpoint) -> None:
    """It leaves the queue, and stands in the log as failed."""
    sent = stored(endpoint)
    for tries, state in ((8, PENDING), (9, FAILED)):
        sent.update(actions=[Delivery.tries.set(tries)])
        record_result.record_outcome(endpoint, sent, outcome(500))
        assert delivery(endpoint, sent.id).state == state
    found = delivery(endpoint, sent.id)
    assert [found.tries, found.lane, found.due_at, found.claimed_until] == [10, None, None, None]


def test_last_twenty_attempts_are_kept(endpoint: Endpoint) -> None:
    """The oldest go first."""
    sent = stored(endpoint)
    for number in range(22):
        record_result.record_outcome(endpoint, sent, outcome(204, took_ms=number))
    assert [each.took_ms for each in delivery(endpoint, sent.id).attempts] == list(range(2, 22))


def test_that_it_arrived_stands_whatever_another_attempt_says(endpoint: Endpoint) -> None:
    """Of two at once, whichever is written down last; nor does one that was deleted come back."""
    sent = stored(endpoint)
    record_result.record_outcome(endpoint, Delivery.get(endpoint.id, sent.id), outcome(204))
    record_result.record_outcome(endpoint, sent, outcome(500))
    assert [delivery(endpoint, sent.id).state, delivery(endpoint, sent.id).due_at] == [DELIVERED, None]
    late = stored(endpoint)
    record_result.record_outcome(endpoint, Delivery.get(endpoint.id, late.id), outcome(500))
    record_result.drop(endpoint.id, late.id, clock.now_ms())
    record_result.record_outcome(endpoint, late, outcome(204))
    assert delivery(endpoint, late.id).state == DELIVERED
    for status in (204, 500):
        gone = stored(endpoint)
        Delivery(endpoint.id, gone.id).delete()
        record_result.record_outcome(endpoint, gone, outcome(status))
        assert Delivery.found(endpoint.id, gone.id) is None


@pytest.mark.parametrize(("queued_after_ms", "state"), [(None, FAILED), (-1, FAILED), (0, PENDING), (1, PENDING)])
def test_dropped_is_what_nobody_has_asked_for_since(
    endpoint: Endpoint, queued_after_ms: int | None, state: str
) -> None:
    """By hand, from the moment on at which it was decided."""
    sent, now_ms = stored(endpoint), clock.now_ms()
    if queued_after_ms is not None:
        sent.update(actions=[Delivery.queued_at.set(now_ms + queued_after_ms)])
    record_result.drop(endpoint.id, sent.id, now_ms)
    found = delivery(endpoint, sent.id)
    assert found.state == state
    assert (found.lane is None, found.due_at is None, found.claimed_until is None) == (state == FAILED,) * 3


def test_dropped_is_nothing_that_arrived(endpoint: Endpoint) -> None:
    """It stays delivered; what was deleted stays deleted."""
    sent = stored(endpoint)
    record_result.record_outcome(endpoint, sent, outcome(204))
    record_result.drop(endpoint.id, sent.id, clock.now_ms())
    assert delivery(endpoint, sent.id).state == DELIVERED
    record_result.drop(endpoint.id, "evt_unknown", clock.now_ms())
    assert Delivery.count(endpoint.id) == 1


def test_attempt_is_counted_and_logged(endpoint: Endpoint) -> None:
    """One line, with what an operator would ask next."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    sent = stored(endpoint)
    record_result.record_outcome(endpoint, sent, outcome(204))
    record_result.record_outcome(endpoint, sent, outcome(500, took_ms=7))
    telemetry.write_to(None)
    names = ("message", "WebhookAttempts", "WebhookFailures", "endpoint_id", "message_id", "status", "took_ms")
    lines = [tuple(json.loads(line).get(name) for name in names) for line in stream.getvalue().splitlines()]
    assert lines == [
        ("webhook", 1, 0, endpoint.id, sent.id, 204, 5),
        ("webhook", 1, 1, endpoint.id, sent.id, 500, 7),
    ]


def test_failures_in_a_row_are_counted_until_something_arrives(latchkey: TestApp, endpoint: Endpoint) -> None:
    """Since the first of them; then nothing is held against the endpoint."""
    began_ms = clock.now_ms()
    for number in (1, 2, 3):
        stands = settled(endpoint, 500)
        assert [stands.failures, stands.failing_since, stands.quiet_until] == [number, began_ms, None]
        latchkey.clock.forward(1)
    stands = settled(endpoint, None)
    assert (stands.failures, stands.failing_since) == (4, began_ms)
    assert stands.quiet_until == clock.now_ms() + 3 * MINUTE_MS
    stands = settled(endpoint, 204)
    assert [stands.failures, stands.failing_since, stands.quiet_until, stands.status] == [0, None, None, ENABLED]


@pytest.mark.parametrize(("took_ms", "is_slow"), [(1_999, False), (2_000, False), (2_001, True)])
def test_endpoint_is_slow_when_its_last_answer_took_more_than_two_seconds(
    endpoint: Endpoint, took_ms: int, is_slow: bool
) -> None:
    """Whatever it answered; a quicker one ends it."""
    for status in (204, 500):
        assert settled(endpoint, status, took_ms=took_ms).slow is is_slow
        assert settled(endpoint, status).slow is False


def test_endpoint_that_is_gone_is_disabled_and_counts_no_failure(endpoint: Endpoint) -> None:
    """With why."""
    stands = settled(endpoint, 410)
    assert (stands.status, stands.disabled_because, stands.failures) == (DISABLED, states.GONE, 0)


def test_endpoint_that_was_deleted_does_not_come_back(endpoint: Endpoint) -> None:
    """By what came of an attempt that was under way."""
    Endpoint(endpoint.account_id, endpoint.id).delete()
    endpoint.failures = 1
    for status in (204, 500, 410, None):
        record_result.record_outcome(endpoint, stored(endpoint), outcome(status, took_ms=3_000))
    assert Endpoint.found(endpoint.account_id, endpoint.id) is None
