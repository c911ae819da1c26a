"""Changes of an endpoint and manual sends while other functions send to it."""

import threading

import pytest

from chalicelib.api import background
from chalicelib.core import clock, errors, ids
from chalicelib.events import kinds, record
from chalicelib.webhooks import (
    deliver,
    endpoint_lock,
    endpoints,
    fan_out,
    record_result,
    retry_schedule,
    states,
)
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.fake_attempts import SWEEP_MS, Sent, put, sent, sweep_each_minute
from tests.webhooks.told import delivery, endpoint_of, happens, reload, streamed

__all__ = ["sent"]


def test_no_event_overtakes_another_without_failures(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """While an endpoint has a backlog, new events are left to the sweep, so they arrive in order."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    sent.took_s = 0.3
    event_ids = [happens(local, ada, f"Ada {number}") for number in range(30)]
    streamed(ada)
    event_ids.append(happens(local, ada, "Later"))
    streamed(ada)
    assert len(sent.messages) < 30
    sweep_each_minute(local, 2)
    assert sent.to(endpoint) == event_ids
    event_ids.append(happens(local, ada, "Last"))
    streamed(ada)
    assert sent.to(endpoint) == event_ids


def test_event_during_sending_is_left_to_sweep(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """An event that is recorded while a function sends to the endpoint, and any later event, is sent by the sweep."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    first = happens(local, ada, "Ada 1")
    held = endpoint_lock.acquire(ada.id, endpoint.id)
    assert held is not None
    streamed(ada)
    endpoint_lock.release(held)
    second = happens(local, ada, "Ada 2")
    streamed(ada)
    assert sent.messages == []
    sweep_each_minute(local, 1)
    assert sent.to(endpoint) == [first, second]


@pytest.mark.parametrize("how", ["disabled", "deleted", "elsewhere"])
def test_change_of_endpoint_applies_to_running_sweep(local: TestApp, sent: Sent, receiver: Receiver, how: str) -> None:
    """Disabling, deleting or changing an endpoint takes effect at the next message of a running sweep."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(5):
        happens(local, ada, f"Ada {number}")

    def change() -> None:
        sent.before = lambda: None
        if how == "disabled":
            endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
        elif how == "deleted":
            endpoints.delete(reload(endpoint))
        else:
            endpoints.change(reload(endpoint), url="http://127.0.0.1:1/new", name=None, types=None)

    sent.before = change
    streamed(ada)
    assert [each.url for each, _ in sent.messages].count(receiver.url) == 1
    assert len(sent.messages) == (5 if how == "elsewhere" else 1)


def test_delivery_pending_while_disabled_is_not_sent_automatically(local: TestApp, receiver: Receiver) -> None:
    """A delivery that was pending when its endpoint was disabled is sent only by a manual resend, with the usual
    retries.
    """
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.statuses = [503, 200]
    event_id = happens(local, ada)
    streamed(ada)
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    local.clock.forward(5)
    background.every_minute()
    endpoints.enable(reload(endpoint))
    local.clock.forward(120)
    background.every_minute()
    assert receiver.ids == [event_id]
    assert delivery(endpoint, event_id).state == FAILED
    receiver.statuses = [503, 200]
    deliver.resend(reload(endpoint), event_id)
    local.clock.forward(120)
    background.every_minute()
    assert receiver.ids == [event_id] * 3
    assert delivery(endpoint, event_id).state == DELIVERED


def test_manual_resend_survives_concurrent_drop(
    local: TestApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a delivery is resent manually while a sweep drops it, and the attempt fails, the delivery stays pending."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    queued_ids = [happens(local, ada, f"Ada {number}") for number in range(3)]
    put(ada)
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    receiver.statuses = [503, 204]
    drop = record_result.drop

    def meanwhile(endpoint_id: str, message_id: str, decided_at_ms: int) -> None:
        monkeypatch.setattr(deliver, "drop", drop)
        local.clock.forward(1)
        endpoints.enable(reload(endpoint))
        deliver.resend(reload(endpoint), queued_ids[-1])
        drop(endpoint_id, message_id, decided_at_ms)

    monkeypatch.setattr(deliver, "drop", meanwhile)
    deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert [delivery(endpoint, each).state for each in queued_ids] == [FAILED, FAILED, PENDING]


def test_response_of_old_url_does_not_disable_new_url(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """A 410 of the old URL doesn't disable an endpoint whose URL was changed during the attempt."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoints.change(reload(endpoint), url="http://127.0.0.1:1/new", name=None, types=None)
    endpoints.disable(endpoint, states.GONE)
    assert reload(endpoint).status == ENABLED


def test_concurrent_manual_sends_are_rejected(local: TestApp, receiver: Receiver) -> None:
    """A second manual send is rejected immediately, so it doesn't occupy a function."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    receiver.may_respond.clear()
    testing = threading.Thread(target=deliver.send_test, args=(reload(endpoint),))
    testing.start()
    while len(receiver.received) < 2:
        clock.pause(0.01)
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deliver.send_test(reload(endpoint))
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deliver.resend(reload(endpoint), event_id)
    receiver.may_respond.set()
    testing.join()
    assert deliver.send_test(reload(endpoint)).state == DELIVERED


def test_actor_of_disabling_after_410_is_the_service(local: TestApp, receiver: Receiver) -> None:
    """If a 410 disables an endpoint, the event names Latchkey as the actor."""
    ada = local.account()
    endpoint_of(ada, receiver)
    receiver.statuses = [410]
    happens(local, ada)
    streamed(ada)
    (event,) = (event for event in record.newest_first(ada.id, 9) if event.type == kinds.WEBHOOK_DISABLED)
    assert event.actor == "latchkey"


def test_failure_period_starts_with_first_consecutive_failure(local: TestApp, receiver: Receiver) -> None:
    """Consecutive failures disable an endpoint exactly one day after the first failure."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    message = fan_out.new_delivery(endpoint, ids.new("evt"), states.TEST, "{}", due_at=clock.now_ms())
    began_ms = clock.now_ms()
    for number in range(1, retry_schedule.FAILURES_MAX + 3):
        record_result.record_outcome(reload(endpoint), message, Outcome(clock.now_ms(), 5, 500))
        current = reload(endpoint)
        assert (current.failures, current.failing_since) == (number, began_ms)
        assert current.status == (ENABLED if number < retry_schedule.FAILURES_MAX + 2 else DISABLED)
        local.clock.forward(1)
        if number >= retry_schedule.FAILURES_MAX:
            local.clock.now_ms = (
                began_ms + retry_schedule.FAILING_FOR_MS - (1 if number == retry_schedule.FAILURES_MAX else 0)
            )
