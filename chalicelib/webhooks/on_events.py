"""Process recorded events: send webhooks, restore lost invalidation marks, delete endpoints of deleted accounts.

The stream sends the events of an account in order. After a failure it sends them again.
"""

from collections.abc import Iterable

from chalicelib.accounts import invalidation
from chalicelib.core import clock, ids, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.events import kinds
from chalicelib.events.notable import SYSTEM
from chalicelib.events.tables import Event
from chalicelib.webhooks import deliver, delivery_queue, endpoint_lock, endpoints, fan_out

SEND_BUDGET_MS = 5_000
"""The time budget for sending deliveries immediately. The sweep sends those that remain."""
POLICY_CACHE_MS = 400_000
"""A change that is older than this needs no invalidation mark, because API Gateway caches a policy for only 300 s."""


def process(images: Iterable[dynamodb.Json]) -> None:
    """Process events, given as DynamoDB items."""
    events = [event for image in images if (event := _parse_event(image)) is not None]
    for event in events:
        if event.type in kinds.INVALIDATE_DECISIONS and not event.needs_no_mark:
            _restore_mark(event)
    # Only the sweep sends to failing, slow or backlogged endpoints. They then delay no other endpoint, and their events
    # stay in order.
    queued = fan_out.enqueue(events)
    immediate = [delivery for endpoint, delivery in queued if delivery_queue.is_up_to_date(endpoint)]
    for endpoint in {
        endpoint.id: endpoint for endpoint, _ in queued if not delivery_queue.is_up_to_date(endpoint)
    }.values():
        endpoint_lock.mark_backlogged(endpoint)
    deliver.send_all(delivery_queue.group_by_endpoint(immediate), clock.now_ms() + SEND_BUDGET_MS)
    for event in events:
        if event.type == kinds.ACCOUNT_DELETED:
            for endpoint in list(endpoints.of_account(event.account_id)):
                endpoints.delete(endpoint, actor=SYSTEM)


def _parse_event(image: dynamodb.Json) -> Event | None:
    """Return the event in a DynamoDB item; None if the item contains no event."""
    try:
        if not ids.is_id(image["id"]["S"], "evt"):
            return None
        event = Event.from_raw_data(image)
        kinds.LABELS[event.type]
    except (KeyError, TypeError, ValueError, AttributeError):
        # Don't raise an error here: the stream would retry the record for a day and block all later ones.
        telemetry.error("event_unreadable")
        telemetry.count("BackgroundFaults", task="event_unreadable")
        return None
    return event


def _restore_mark(event: Event) -> None:
    """Set the invalidation mark of a change if it is missing. The function that made the change may have crashed before
    it set the mark.
    """
    if clock.now_ms() - event.at > POLICY_CACHE_MS:
        return
    if not invalidation.is_marked(event.account_id, event.at) and not invalidation.mark(event.account_id):
        raise Unreachable("MarkLost", "the mark of a change could not be set", {})
