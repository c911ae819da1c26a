"""Delivery of webhooks: order, retries, failure after ten attempts, and recovery from crashes."""

import socket
import threading
from datetime import UTC, datetime

import pytest

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import is_outage
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import stale_marks
from chalicelib.webhooks import (
    deliver,
    delivery_queue,
    endpoint_lock,
    endpoints,
    fan_out,
    retry_schedule,
    send_delivery,
    states,
)
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import delivery, endpoint_of, happens, images, reload, streamed

DAY_S = 86_400


def test_event_is_delivered_once_despite_repeated_stream_records(local: TestApp, receiver: Receiver) -> None:
    """A delivery is keyed by endpoint and event."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    streamed(ada)
    background.every_minute()
    assert receiver.ids == [event_id]
    found = delivery(endpoint, event_id)
    assert [found.state, found.lane, found.due_at, found.tries] == [DELIVERED, None, None, 1]
    assert [[each.status, each.problem] for each in found.attempts] == [[204, None]]


def test_events_are_delivered_in_order(local: TestApp, receiver: Receiver) -> None:
    """Events arrive in the order in which they were recorded."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happened = [happens(local, ada, f"Ada {number}") for number in range(8)]
    streamed(ada)
    assert receiver.ids == happened


def test_only_subscribed_types_since_creation_are_delivered(local: TestApp, receiver: Receiver) -> None:
    """An endpoint receives events of its types, from its creation on."""
    ada = local.account()
    happens(local, ada)
    local.clock.forward(1)
    endpoint_of(ada, receiver, [kinds.KEY_CREATED])
    happens(local, ada)
    local.key(ada)
    streamed(ada)
    background.every_hour()
    background.every_minute()
    assert [event.type for event in record.newest_first(ada.id, 10) if event.id in receiver.ids] == [kinds.KEY_CREATED]
    assert len(receiver.received) == 1


def test_failed_delivery_is_retried_until_it_succeeds(local: TestApp, receiver: Receiver) -> None:
    """Retries follow the schedule with the same id and body, and never come early."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [500, 404, 302, 200]
    receiver.answers = b"out of order"
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
    """Retry-After in seconds or as a date postpones the retry (RFC 9110 §10.2.3)."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    now_ms = clock.now_ms()
    receiver.says = [status, 200]
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
    """The last attempt is at most three days after the event, whatever Retry-After says."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    began_ms = clock.now_ms()
    receiver.says, receiver.headers = [503], {"Retry-After": "9" * 12}
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
    """A malformed Retry-After leaves the schedule as it is."""
    now_ms = 1_640_000_000_000
    asked_ms = retry_schedule.asked_for_ms(nonsense, now_ms)
    assert asked_ms <= now_ms
    assert (retry_schedule.next_attempt_at_ms(1, now_ms, not_before_ms=asked_ms) or 0) - now_ms <= 66_000


@pytest.mark.parametrize(
    "date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_retry_after_accepts_all_http_date_formats(date: str) -> None:
    """All three date formats are accepted (RFC 9110 §5.6.7)."""
    assert retry_schedule.asked_for_ms(date, 0) == 784_111_777_000


def test_delivery_fails_after_ten_attempts_in_three_days(local: TestApp, receiver: Receiver) -> None:
    """The delivery is then marked as failed, and a day of failures has disabled the endpoint with an event."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [503]
    event_id = happens(local, ada)
    began_ms = clock.now_ms()
    streamed(ada)
    # A success of another delivery keeps the endpoint enabled.
    while (found := delivery(endpoint, event_id)).state == PENDING:
        local.clock.now_ms = found.due_at or 0
        background.every_minute()
        if reload(endpoint).failures > 5:
            receiver.says = [200, 503]
            deliver.send_test(reload(endpoint))
    assert (found.state, found.tries, len(found.attempts)) == (FAILED, 10, 10)
    assert 2.5 < (clock.now_ms() - began_ms) / 1000 / DAY_S < 3.5
    assert reload(endpoint).status == ENABLED


def test_ten_consecutive_failures_over_a_day_disable_endpoint(local: TestApp, receiver: Receiver) -> None:
    """Ten failures within an hour do not disable it, so that a receiver can be repaired."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [500]
    for number in range(12):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    background.every_minute()
    assert reload(endpoint).status == ENABLED
    assert reload(endpoint).failures >= 10
    local.clock.forward(DAY_S)
    background.every_minute()
    stands = reload(endpoint)
    assert (stands.status, stands.disabled_because) == (DISABLED, states.FAILING)
    (told,) = [event for event in record.newest_first(ada.id, 99) if event.type == kinds.WEBHOOK_DISABLED]
    assert told.changed.as_dict()["because"] == states.FAILING
    sent = len(receiver.received)
    local.clock.forward(DAY_S)
    background.every_minute()
    background.every_minute()
    assert len(receiver.received) == sent
    assert {each.state for each in fan_out.of_endpoint(endpoint.id, 99)} == {FAILED}


def test_slow_endpoint_is_sent_to_by_sweep_only(local: TestApp, receiver: Receiver) -> None:
    """A response after more than two seconds leaves the endpoint to the sweep until it responds faster."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    happened = [happens(local, ada, "1")]
    with clock.measured_by(lambda: 3 * 10**9 * len(receiver.received)):
        streamed(ada)
    assert reload(endpoint).slow
    happened.append(happens(local, ada, "2"))
    streamed(ada)
    assert receiver.ids == happened[:1]
    local.clock.forward(30)
    background.every_minute()
    assert receiver.ids == happened
    assert not reload(endpoint).slow


def test_410_disables_endpoint(local: TestApp, receiver: Receiver) -> None:
    """One 410 response disables the endpoint."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [410]
    happens(local, ada, "One")
    happens(local, ada, "Two")
    streamed(ada)
    assert len(receiver.received) == 1
    assert reload(endpoint).disabled_because == states.GONE


def test_enabled_endpoint_receives_later_events_only(local: TestApp, receiver: Receiver) -> None:
    """Events from while it was disabled are not sent automatically."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    happens(local, ada, "Unheard")
    local.clock.forward(1)
    endpoints.enable(reload(endpoint))
    heard = happens(local, ada, "Heard")
    streamed(ada)
    background.every_hour()
    background.every_minute()
    assert receiver.ids == [heard]


def test_delivery_is_sent_again_after_crash_before_result(local: TestApp, receiver: Receiver) -> None:
    """The claim of a crashed function expires after a minute: delivery is at least once."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    ((endpoint, _),) = fan_out.put(Event.from_raw_data(image) for image in images(ada.id))
    assert endpoint_lock.acquire(ada.id, endpoint.id) is not None
    claimed = deliver._claimed(endpoint, event_id)
    assert claimed is not None
    send_delivery.send(endpoint, claimed)
    # The function crashes here.
    background.every_minute()
    assert receiver.ids == [event_id]
    local.clock.forward(61)
    background.every_minute()
    assert receiver.ids == [event_id, event_id]
    assert delivery(endpoint, event_id).state == DELIVERED


def test_event_lost_by_stream_is_delivered_within_an_hour(local: TestApp, receiver: Receiver) -> None:
    """The hourly run compares events with deliveries."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happened = [happens(local, ada, f"Ada {number}") for number in range(3)]
    background.every_hour()
    background.every_minute()
    assert receiver.ids == happened


def test_delivery_claimed_by_another_function_is_not_sent(local: TestApp, receiver: Receiver) -> None:
    """Of two functions that see a delivery due, one sends it."""
    ada = local.account()
    endpoint_of(ada, receiver)
    receiver.waits.clear()
    event_id = happens(local, ada)
    sending = threading.Thread(target=streamed, args=(ada,))
    sending.start()
    while not receiver.received:
        clock.pause(0.01)
    background.every_minute()
    receiver.waits.set()
    sending.join()
    background.every_minute()
    assert receiver.ids == [event_id]


def test_unreachable_endpoint_is_tried_with_oldest_delivery_only(local: TestApp, receiver: Receiver) -> None:
    """Its other deliveries are postponed, and other endpoints are not delayed."""
    ada = local.account()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = endpoints.create(
            ada.id, url=f"http://127.0.0.1:{taken.getsockname()[1]}/", name="Down", types=["account.renamed"]
        )
        endpoint_of(ada, receiver)
        happened = [happens(local, ada, f"Ada {number}") for number in range(3)]
        streamed(ada)
        assert receiver.ids == happened
        assert [delivery(dead, event_id).tries for event_id in happened] == [1, 0, 0]
        assert "refuses connections" in str(delivery(dead, happened[0]).attempts[0].problem)


def test_resend_repeats_delivery_in_any_state(local: TestApp, receiver: Receiver) -> None:
    """A resend is immediate and keeps the id."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    sent = deliver.resend(reload(endpoint), event_id)
    assert receiver.ids == [event_id, event_id]
    assert (sent.state, len(sent.attempts)) == (DELIVERED, 2)


def test_deleted_account_receives_deletion_event_last(local: TestApp, receiver: Receiver) -> None:
    """The deletion is delivered, then the endpoints are deleted."""
    ada = local.account()
    endpoint_of(ada, receiver, [kinds.ACCOUNT_DELETED])
    local.clock.forward(1)
    _deleted(ada.id)
    streamed(ada)
    assert len(receiver.received) == 1
    assert list(endpoints.of_account(ada.id)) == []


def test_missing_invalidation_mark_is_restored_by_stream(local: TestApp) -> None:
    """A crash between a change and its mark does not leave cached decisions valid."""
    ada = local.account()
    key = local.key(ada)
    assert local.call("GET", "/v1/users/me", key.secret).status == 200
    local.clock.forward(20)
    _suspended_without_a_mark(ada.id)
    assert local.call("GET", "/v1/users/me", key.secret).status == 200
    streamed(ada)
    assert local.call("GET", "/v1/users/me", key.secret).status == 401


def test_existing_invalidation_mark_is_not_written_again(local: TestApp) -> None:
    """A change writes its marks once."""
    ada = local.account()
    local.key(ada)
    local.clock.forward(1)
    stale_marks.mark(ada.id)
    before = _marks(ada.id)
    streamed(ada)
    assert _marks(ada.id) == before


def test_unreadable_item_is_skipped(local: TestApp, receiver: Receiver) -> None:
    """An unreadable item is skipped so that it does not block the stream for a day."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    rubbish: list[dynamodb.Json] = [
        {"account_id": {"S": ada.id}, "id": {"S": event_id[:-1] + "x"}},
        {"account_id": {"S": f"{ada.id}#once"}, "id": {"S": "quota#1"}},
        {},
    ]
    background.follow_up([*rubbish, *images(ada.id)])
    assert receiver.ids == [event_id]


@pytest.mark.usefixtures("cut_off")
def test_database_error_is_raised_to_stream() -> None:
    """The error makes the stream retry the records."""
    image = {"account_id": {"S": "acc_x"}, "id": {"S": "evt_" + "0" * 20}, "type": {"S": kinds.ACCOUNT_RENAMED}}
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever pynamodb makes of it
        background.follow_up([image | {"at": {"N": "1"}, "actor": {"S": "operator"}}])
    assert is_outage(raised.value)


def test_failed_background_task_does_not_stop_others(local: TestApp, receiver: Receiver) -> None:
    """A failure is logged, and the other tasks still run."""
    done: list[str] = []

    def fail() -> None:
        raise LookupError("on purpose")

    background._each(("first", fail), ("second", lambda: done.append("second")))
    assert done == ["second"]


def test_expired_deliveries_are_not_listed(local: TestApp, receiver: Receiver) -> None:
    """Deliveries expire with events, whether or not DynamoDB has deleted them."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    assert [each.id for each in fan_out.of_endpoint(endpoint.id, 9)] == [event_id]
    local.clock.forward(91 * DAY_S)
    assert list(fan_out.of_endpoint(endpoint.id, 9)) == []
    assert Delivery.count(endpoint.id) == 1


def test_longest_overdue_delivery_is_measured(local: TestApp, receiver: Receiver) -> None:
    """The status page shows for how long the oldest delivery has been due."""
    ada = local.account()
    endpoint_of(ada, receiver)
    assert delivery_queue.oldest_due_ms(clock.now_ms()) is None
    happens(local, ada)
    fan_out.put(Event.from_raw_data(image) for image in images(ada.id))
    local.clock.forward(90)
    assert delivery_queue.oldest_due_ms(clock.now_ms()) == 90_000


def _marks(account_id: str) -> list[str]:
    request = {"TableName": "latchkey-test-windows"}
    return sorted(str(item) for item in dynamodb.call("Scan", request)["Items"] if account_id in str(item))


def _suspended_without_a_mark(account_id: str) -> None:
    _changed(account_id, kinds.STANDING_CHANGED, "suspended")


def _deleted(account_id: str) -> None:
    _changed(account_id, kinds.ACCOUNT_DELETED, "deleted")


def _changed(account_id: str, kind: str, status: str) -> None:
    """Change an account as the service does, but without the mark."""
    from chalicelib.accounts.tables import Account
    from chalicelib.core.dynamodb import models

    with models.transaction() as write:
        write.update(Account(account_id), actions=[Account.status.set(status)])
        record.add_to(write, account_id, kind, {})
