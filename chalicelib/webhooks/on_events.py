"""What follows from an event: its webhooks, marks that were lost, and the end of an account's endpoints.

The stream brings events in the order in which they happened to an account, and brings them again after a failure.
"""

from collections.abc import Iterable

from chalicelib.core import clock, ids, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.events import kinds
from chalicelib.events.notable import LATCHKEY
from chalicelib.events.tables import Event
from chalicelib.limits import stale_marks
from chalicelib.webhooks import deliver, delivery_queue, endpoint_lock, endpoints, fan_out

SENDING_MS = 5_000
"""How long sending at once goes on; the rest is left to the sweep."""
BELIEVED_MS = 400_000
"""After so long no verdict from before a change is believed any more, marked or not: the gateway forgets in 300 s."""


def up(images: Iterable[dynamodb.Json]) -> None:
    """Follow up events, given as their items."""
    events = [event for image in images if (event := _event(image)) is not None]
    for event in events:
        if event.type in kinds.INVALIDATE_DECISIONS:
            _mark_if_lost(event)
    # Whoever fails, is slow or is behind is left to the sweep: nobody waits for it, and no event overtakes another.
    put = fan_out.put(events)
    prompt = [delivery for endpoint, delivery in put if delivery_queue.is_up_to_date(endpoint)]
    for endpoint in {
        endpoint.id: endpoint for endpoint, _ in put if not delivery_queue.is_up_to_date(endpoint)
    }.values():
        endpoint_lock.fall_behind(endpoint)
    deliver.send_all(delivery_queue.queue_of(prompt), clock.now_ms() + SENDING_MS)
    for event in events:
        if event.type == kinds.ACCOUNT_DELETED:
            for endpoint in list(endpoints.of_account(event.account_id)):
                endpoints.delete(endpoint, actor=LATCHKEY)


def _event(image: dynamodb.Json) -> Event | None:
    """Return the event of an item of the table, None for what else lies there."""
    try:
        if not ids.is_id(image["id"]["S"], "evt"):
            return None
        event = Event.from_raw_data(image)
        kinds.WORDS[event.type]
    except (KeyError, TypeError, ValueError, AttributeError):
        # Raising would bring this very item again for a day, and nothing that comes after it.
        telemetry.error("event_unreadable")
        telemetry.count("BackgroundFaults", task="event_unreadable")
        return None
    return event


def _mark_if_lost(event: Event) -> None:
    """Set the mark that belongs to a change once more, unless it stands: the function that changed may have died."""
    if clock.now_ms() - event.at > BELIEVED_MS:
        return
    if not stale_marks.is_marked(event.account_id, event.at) and not stale_marks.mark(event.account_id):
        raise Unreachable("MarkLost", "the mark of a change could not be set", {})
