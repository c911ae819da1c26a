"""The hourly search for events that the stream has lost."""

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.events import kinds, record
from chalicelib.webhooks import (
    endpoints,
    fan_out,
)
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import endpoint_of, happens, reload, streamed


def test_change_of_types_brings_no_earlier_events(local: TestApp, receiver: Receiver) -> None:
    """Events of types to which an endpoint subscribed later don't count as lost."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver, [kinds.KEY_CREATED])
    for number in range(3):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    local.clock.forward(60)
    endpoints.change(reload(endpoint), url=None, name=None, types=[])
    background.every_hour()
    background.every_minute()
    types = {event.type for event in record.newest_first(ada.id, 99) if event.id in receiver.ids}
    assert types <= {kinds.WEBHOOK_CHANGED}


def test_hourly_search_for_lost_events_ends_in_time(local: TestApp, receiver: Receiver) -> None:
    """A search that runs out of time is interrupted and logged."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happens(local, ada)
    assert fan_out.enqueue_missing(clock.now_ms(), clock.now_ms()) == 0
    assert fan_out.enqueue_missing(clock.now_ms(), clock.now_ms() + 1) == 1


def test_event_lost_two_days_ago_is_found_within_a_day(local: TestApp, receiver: Receiver) -> None:
    """Every run searches the last three hours, and one run a day searches the last three days."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    local.clock.forward(2 * clock.DAY_S)
    for _ in range(24):
        local.clock.forward(clock.HOUR_S)
        background.every_hour()
    background.every_minute()
    assert receiver.ids == [event_id]
