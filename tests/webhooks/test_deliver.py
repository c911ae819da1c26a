"""Deliveries: in order, again after a failure, given up after ten; what is killed is sent again, what arrived isn't."""

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
from tests.webhooks.told import as_it_stands, delivery, endpoint_of, happens, images, streamed

DAY_S = 86_400


def test_event_arrives_once_however_often_the_stream_brings_it(local: TestApp, receiver: Receiver) -> None:
    """A delivery lies under endpoint and event."""
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


def test_events_arrive_in_order(local: TestApp, receiver: Receiver) -> None:
    """In which they happened."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happened = [happens(local, ada, f"Ada {number}") for number in range(8)]
    streamed(ada)
    assert receiver.ids == happened


def test_only_chosen_types_arrive_and_nothing_from_before(local: TestApp, receiver: Receiver) -> None:
    """An endpoint is told of what it asked for, since it was there."""
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


def test_failure_is_tried_again_until_it_arrives(local: TestApp, receiver: Receiver) -> None:
    """By the schedule, each time with the same id and body, and not before it is due."""
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
    assert [as_it_stands(endpoint).failures, as_it_stands(endpoint).failing_since] == [0, None]


@pytest.mark.parametrize("status", [429, 503, 500, 301])
@pytest.mark.parametrize("form", ["7200", "Mon, 20 Dec 2021 %H:%M:%S GMT"])
def test_receiver_that_says_when_to_come_back_is_not_met_before(
    local: TestApp, receiver: Receiver, status: int, form: str
) -> None:
    """By `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3); then it is."""
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


def test_receiver_cannot_ask_for_a_try_after_the_schedules_end(local: TestApp, receiver: Receiver) -> None:
    """Three days after the event it is over, whatever it says; each try has its place in the schedule."""
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
def test_nonsense_for_when_to_come_back_is_ignored(nonsense: str) -> None:
    """Then the schedule counts alone."""
    now_ms = 1_640_000_000_000
    asked_ms = retry_schedule.asked_for_ms(nonsense, now_ms)
    assert asked_ms <= now_ms
    assert (retry_schedule.next_attempt_at_ms(1, now_ms, not_before_ms=asked_ms) or 0) - now_ms <= 66_000


@pytest.mark.parametrize(
    "date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_date_is_read_in_each_form_of_http(date: str) -> None:
    """RFC 9110 §5.6.7."""
    assert retry_schedule.asked_for_ms(date, 0) == 784_111_777_000


def test_ten_attempts_within_about_three_days(local: TestApp, receiver: Receiver) -> None:
    """Then it is given up, and stands in the log; a day of failures has disabled the endpoint, with an event."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [503]
    event_id = happens(local, ada)
    began_ms = clock.now_ms()
    streamed(ada)
    # The endpoint stays enabled as long as something else arrives in between.
    while (found := delivery(endpoint, event_id)).state == PENDING:
        local.clock.now_ms = found.due_at or 0
        background.every_minute()
        if as_it_stands(endpoint).failures > 5:
            receiver.says = [200, 503]
            deliver.send_test(as_it_stands(endpoint))
    assert (found.state, found.tries, len(found.attempts)) == (FAILED, 10, 10)
    assert 2.5 < (clock.now_ms() - began_ms) / 1000 / DAY_S < 3.5
    assert as_it_stands(endpoint).status == ENABLED


def test_ten_failures_in_a_row_over_a_day_disable(local: TestApp, receiver: Receiver) -> None:
    """Not ten in an hour: whoever repairs a receiver must find it as it was."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [500]
    for number in range(12):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    background.every_minute()
    assert as_it_stands(endpoint).status == ENABLED
    assert as_it_stands(endpoint).failures >= 10
    local.clock.forward(DAY_S)
    background.every_minute()
    stands = as_it_stands(endpoint)
    assert (stands.status, stands.disabled_because) == (DISABLED, states.FAILING)
    (told,) = [event for event in record.newest_first(ada.id, 99) if event.type == kinds.WEBHOOK_DISABLED]
    assert told.changed.as_dict()["because"] == states.FAILING
    sent = len(receiver.received)
    local.clock.forward(DAY_S)
    background.every_minute()
    background.every_minute()
    assert len(receiver.received) == sent
    assert {each.state for each in fan_out.of_endpoint(endpoint.id, 99)} == {FAILED}


def test_who_takes_longer_than_two_seconds_is_sent_to_by_the_sweep_only(local: TestApp, receiver: Receiver) -> None:
    """Until it is quicker."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    happened = [happens(local, ada, "1")]
    with clock.measured_by(lambda: 3 * 10**9 * len(receiver.received)):
        streamed(ada)
    assert as_it_stands(endpoint).slow
    happened.append(happens(local, ada, "2"))
    streamed(ada)
    assert receiver.ids == happened[:1]
    local.clock.forward(30)
    background.every_minute()
    assert receiver.ids == happened
    assert not as_it_stands(endpoint).slow


def test_gone_disables_at_once(local: TestApp, receiver: Receiver) -> None:
    """410 says: no more."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [410]
    happens(local, ada, "One")
    happens(local, ada, "Two")
    streamed(ada)
    assert len(receiver.received) == 1
    assert as_it_stands(endpoint).disabled_because == states.GONE


def test_enabled_again_it_is_told_of_what_happens_from_then_on(local: TestApp, receiver: Receiver) -> None:
    """What happened meanwhile isn't sent by itself."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    happens(local, ada, "Unheard")
    local.clock.forward(1)
    endpoints.enable(as_it_stands(endpoint))
    heard = happens(local, ada, "Heard")
    streamed(ada)
    background.every_hour()
    background.every_minute()
    assert receiver.ids == [heard]


def test_killed_before_it_was_written_down_it_is_sent_again(local: TestApp, receiver: Receiver) -> None:
    """At least once: a claim is over after a minute."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    ((endpoint, _),) = fan_out.put(Event.from_raw_data(image) for image in images(ada.id))
    assert endpoint_lock.acquire(ada.id, endpoint.id) is not None
    claimed = deliver._claimed(endpoint, event_id)
    assert claimed is not None
    send_delivery.send(endpoint, claimed)
    # Here it is killed.
    background.every_minute()
    assert receiver.ids == [event_id]
    local.clock.forward(61)
    background.every_minute()
    assert receiver.ids == [event_id, event_id]
    assert delivery(endpoint, event_id).state == DELIVERED


def test_what_the_stream_lost_is_found_within_the_hour(local: TestApp, receiver: Receiver) -> None:
    """An hourly look compares events and deliveries."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happened = [happens(local, ada, f"Ada {number}") for number in range(3)]
    background.every_hour()
    background.every_minute()
    assert receiver.ids == happened


def test_claimed_by_another_it_is_not_sent_twice(local: TestApp, receiver: Receiver) -> None:
    """Of two functions that see it due one sends."""
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


def test_silent_endpoint_is_probed_with_its_oldest_and_holds_nobody_up(local: TestApp, receiver: Receiver) -> None:
    """What is behind it waits; what goes elsewhere doesn't."""
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


def test_resend_sends_again_whatever_became_of_it(local: TestApp, receiver: Receiver) -> None:
    """Under the same id, at once."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    sent = deliver.resend(as_it_stands(endpoint), event_id)
    assert receiver.ids == [event_id, event_id]
    assert (sent.state, len(sent.attempts)) == (DELIVERED, 2)


def test_deleted_account_hears_of_it_and_then_of_nothing(local: TestApp, receiver: Receiver) -> None:
    """The last event goes out; the endpoints go with the account."""
    ada = local.account()
    endpoint_of(ada, receiver, [kinds.ACCOUNT_DELETED])
    local.clock.forward(1)
    _deleted(ada.id)
    streamed(ada)
    assert len(receiver.received) == 1
    assert list(endpoints.of_account(ada.id)) == []


def test_lost_mark_is_set_when_the_stream_brings_the_change(local: TestApp) -> None:
    """A function that died between a change and its mark delays nothing for five minutes."""
    ada = local.account()
    key = local.key(ada)
    assert local.call("GET", "/v1/users/me", key.secret).status == 200
    local.clock.forward(20)
    _suspended_without_a_mark(ada.id)
    assert local.call("GET", "/v1/users/me", key.secret).status == 200
    streamed(ada)
    assert local.call("GET", "/v1/users/me", key.secret).status == 401


def test_standing_mark_is_not_set_again(local: TestApp) -> None:
    """A change costs its marks once."""
    ada = local.account()
    local.key(ada)
    local.clock.forward(1)
    stale_marks.mark(ada.id)
    before = _marks(ada.id)
    streamed(ada)
    assert _marks(ada.id) == before


def test_unreadable_item_is_left_out(local: TestApp, receiver: Receiver) -> None:
    """It would come again for a day, and nothing behind it."""
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
def test_failing_database_is_raised_to_the_stream() -> None:
    """DynamoDB keeps the records and brings them again."""
    image = {"account_id": {"S": "acc_x"}, "id": {"S": "evt_" + "0" * 20}, "type": {"S": kinds.ACCOUNT_RENAMED}}
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever pynamodb makes of it
        background.follow_up([image | {"at": {"N": "1"}, "actor": {"S": "operator"}}])
    assert is_outage(raised.value)


def test_one_task_that_fails_keeps_no_other_from_being_done(local: TestApp, receiver: Receiver) -> None:
    """And says so in the log."""
    done: list[str] = []

    def fail() -> None:
        raise LookupError("on purpose")

    background._each(("first", fail), ("second", lambda: done.append("second")))
    assert done == ["second"]


def test_deliveries_end_with_the_days_of_events(local: TestApp, receiver: Receiver) -> None:
    """Whether or not DynamoDB has deleted them."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    assert [each.id for each in fan_out.of_endpoint(endpoint.id, 9)] == [event_id]
    local.clock.forward(91 * DAY_S)
    assert list(fan_out.of_endpoint(endpoint.id, 9)) == []
    assert Delivery.count(endpoint.id) == 1


def test_oldest_due_says_how_late_things_are(local: TestApp, receiver: Receiver) -> None:
    """For the status page."""
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
    """Change an account as its own functions do, but for the mark."""
    from chalicelib.accounts.tables import Account
    from chalicelib.core.dynamodb import models

    with models.transaction() as write:
        write.update(Account(account_id), actions=[Account.status.set(status)])
        record.add_to(write, account_id, kind, {})
