"""Delivery of webhooks: each event once and in order, and again after a crash or for a manual resend."""

import socket
import threading

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.webhooks import (
    deliver,
    delivery_queue,
    endpoint_lock,
    endpoints,
    fan_out,
    send_delivery,
    states,
)
from chalicelib.webhooks.states import DELIVERED
from chalicelib.webhooks.tables import Delivery
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import delivery, endpoint_of, happens, images, reload, set_status_without_mark, streamed

DAY_S = 86_400


def test_event_is_delivered_once_despite_repeated_stream_records(local: TestApp, receiver: Receiver) -> None:
    """A repeated stream record causes no second delivery, because deliveries are keyed by endpoint and event."""
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
    event_ids = [happens(local, ada, f"Ada {number}") for number in range(8)]
    streamed(ada)
    assert receiver.ids == event_ids


def test_only_subscribed_types_since_creation_are_delivered(local: TestApp, receiver: Receiver) -> None:
    """An endpoint receives only events of the types to which it subscribes, and only events that were recorded after
    its creation.
    """
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


def test_slow_endpoint_is_sent_to_by_sweep_only(local: TestApp, receiver: Receiver) -> None:
    """After a response that takes longer than two seconds, only the sweep sends to the endpoint, until it responds
    faster.
    """
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_ids = [happens(local, ada, "1")]
    with clock.use_monotonic_clock(lambda: 3 * 10**9 * len(receiver.received)):
        streamed(ada)
    assert reload(endpoint).slow
    event_ids.append(happens(local, ada, "2"))
    streamed(ada)
    assert receiver.ids == event_ids[:1]
    local.clock.forward(30)
    background.every_minute()
    assert receiver.ids == event_ids
    assert not reload(endpoint).slow


def test_enabled_endpoint_receives_later_events_only(local: TestApp, receiver: Receiver) -> None:
    """Events that were recorded while an endpoint was disabled aren't sent automatically."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    happens(local, ada, "Unheard")
    local.clock.forward(1)
    endpoints.enable(reload(endpoint))
    delivered_id = happens(local, ada, "Heard")
    streamed(ada)
    background.every_hour()
    background.every_minute()
    assert receiver.ids == [delivered_id]


def test_delivery_is_sent_again_after_crash_before_result(local: TestApp, receiver: Receiver) -> None:
    """If a function crashes, its claim expires after a minute and the delivery is sent again (at least once)."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    ((endpoint, _),) = fan_out.enqueue(Event.from_raw_data(image) for image in images(ada.id))
    assert endpoint_lock.acquire(ada.id, endpoint.id) is not None
    claimed = deliver._claim(endpoint, event_id)
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
    """The hourly run compares events with deliveries, and sends the events that the stream lost."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_ids = [happens(local, ada, f"Ada {number}") for number in range(3)]
    background.every_hour()
    background.every_minute()
    assert receiver.ids == event_ids


def test_delivery_claimed_by_another_function_is_not_sent(local: TestApp, receiver: Receiver) -> None:
    """Of two functions that find the same delivery due, one sends it."""
    ada = local.account()
    endpoint_of(ada, receiver)
    receiver.may_respond.clear()
    event_id = happens(local, ada)
    sending = threading.Thread(target=streamed, args=(ada,))
    sending.start()
    while not receiver.received:
        clock.pause(0.01)
    background.every_minute()
    receiver.may_respond.set()
    sending.join()
    background.every_minute()
    assert receiver.ids == [event_id]


def test_unreachable_endpoint_is_tried_with_oldest_delivery_only(local: TestApp, receiver: Receiver) -> None:
    """A sweep tries only the oldest delivery of an unreachable endpoint and postpones the others."""
    ada = local.account()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = endpoints.create(
            ada.id, url=f"http://127.0.0.1:{taken.getsockname()[1]}/", name="Down", types=["account.renamed"]
        )
        endpoint_of(ada, receiver)
        event_ids = [happens(local, ada, f"Ada {number}") for number in range(3)]
        streamed(ada)
        assert receiver.ids == event_ids
        assert [delivery(dead, event_id).tries for event_id in event_ids] == [1, 0, 0]
        assert "refuses connections" in str(delivery(dead, event_ids[0]).attempts[0].problem)


def test_resend_repeats_delivery_in_any_state(local: TestApp, receiver: Receiver) -> None:
    """A delivery can be resent in any state. It is sent immediately and keeps its id."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    sent = deliver.resend(reload(endpoint), event_id)
    assert receiver.ids == [event_id, event_id]
    assert (sent.state, len(sent.attempts)) == (DELIVERED, 2)


def test_deleted_account_receives_deletion_event_last(local: TestApp, receiver: Receiver) -> None:
    """The event of the account's deletion is delivered before its endpoints are deleted."""
    ada = local.account()
    endpoint_of(ada, receiver, [kinds.ACCOUNT_DELETED])
    local.clock.forward(1)
    _delete_without_mark(ada.id)
    streamed(ada)
    assert len(receiver.received) == 1
    assert list(endpoints.of_account(ada.id)) == []


def test_expired_deliveries_are_not_listed(local: TestApp, receiver: Receiver) -> None:
    """A delivery isn't listed after its event has expired, even if DynamoDB hasn't deleted it yet."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    assert [each.id for each in fan_out.of_endpoint(endpoint.id, 9)] == [event_id]
    local.clock.forward(91 * DAY_S)
    assert list(fan_out.of_endpoint(endpoint.id, 9)) == []
    assert Delivery.count(endpoint.id) == 1


def test_longest_overdue_delivery_is_measured(local: TestApp, receiver: Receiver) -> None:
    """The time for which the oldest delivery has been due is measured for the status page."""
    ada = local.account()
    endpoint_of(ada, receiver)
    assert delivery_queue.oldest_overdue_ms(clock.now_ms()) is None
    happens(local, ada)
    fan_out.enqueue(Event.from_raw_data(image) for image in images(ada.id))
    local.clock.forward(90)
    assert delivery_queue.oldest_overdue_ms(clock.now_ms()) == 90_000


def _delete_without_mark(account_id: str) -> None:
    set_status_without_mark(account_id, kinds.ACCOUNT_DELETED, "deleted")
