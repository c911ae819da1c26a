"""Create one delivery for each event and each endpoint that is subscribed to it, even if the event is processed
repeatedly.

The key of a delivery consists of the endpoint's id and the event's id. Repeated stream records and sweeps therefore
create no duplicates.
"""

import zlib
from collections.abc import Iterable, Iterator

from chalicelib.core import clock, ids, randomness, settings, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.webhooks import eligibility, endpoints, payload
from chalicelib.webhooks.states import ENABLED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint

LANES = tuple(str(lane) for lane in range(4))
"""The partitions of the index of due deliveries. Pending deliveries are distributed among them."""
LOOKBACK_S = 3 * clock.DAY_S
SHORT_LOOKBACK_S = 3 * clock.HOUR_S


def enqueue(events: Iterable[Event]) -> list[tuple[Endpoint, Delivery]]:
    """Create the deliveries of events, which may belong to several accounts. Returns those that must be sent, in the
    order of events for each endpoint.
    """
    by_account: dict[str, list[Event]] = {}
    for event in events:
        by_account.setdefault(event.account_id, []).append(event)
    return [
        (endpoint, delivery)
        for account_id, account_events in by_account.items()
        for endpoint in endpoints.of_account(account_id)
        for event in sorted(account_events, key=lambda event: event.id)
        if _is_subscribed(endpoint, event) and (delivery := _put(endpoint, event)) is not None
    ]


def enqueue_missing(now_ms: int, until_ms: int) -> int:
    """Create deliveries that the stream lost, and return their number. After `until_ms`, no further account is checked.

    This compares the events of the last 3 hours with the deliveries to each enabled endpoint; once a day it compares
    those of the last 3 days. The order of the accounts is random, so that a time limit does not always skip the same
    ones.
    """
    by_account: dict[str, list[Endpoint]] = {}
    for endpoint in Endpoint.scan(Endpoint.status == ENABLED):
        by_account.setdefault(endpoint.account_id, []).append(endpoint)
    found = 0
    for account_id in randomness.shuffle(by_account):
        if clock.now_ms() >= until_ms:
            telemetry.warning("webhooks_not_looked_for", accounts=len(by_account))
            telemetry.count("BackgroundFaults", task="webhooks_not_looked_for")
            break
        is_daily_check = zlib.crc32(account_id.encode()) % 24 == now_ms // 1000 // clock.HOUR_S % 24
        back_s = LOOKBACK_S if is_daily_check else SHORT_LOOKBACK_S
        found += _put_missing(account_id, by_account[account_id], now_ms - back_s * 1000)
    return found


def lane_of(endpoint_id: str) -> str:
    """Return the partition of the index of due deliveries that contains the deliveries to an endpoint."""
    return LANES[zlib.crc32(endpoint_id.encode()) % len(LANES)]


def new_delivery(endpoint: Endpoint, message_id: str, kind: str, body: str, *, due_at: int) -> Delivery:
    """Build a delivery without storing it."""
    now_ms = clock.now_ms()
    return Delivery(
        endpoint.id,
        message_id,
        account_id=endpoint.account_id,
        type=kind,
        body=body,
        created_at=now_ms,
        lane=lane_of(endpoint.id),
        due_at=due_at,
        dies_at=now_ms // 1000 + settings.current().events_kept_s,
    )


def of_endpoint(endpoint_id: str, limit: int, *, before: str = "") -> Iterator[Delivery]:
    """Yield the deliveries to an endpoint, newest first. If `before` is given, start with the next older id."""
    is_kept = Delivery.dies_at > clock.now_s()
    older = Delivery.id < (before or record.LAST_ID)
    yield from Delivery.query(endpoint_id, older, is_kept, scan_index_forward=False, limit=limit)


def _put_missing(account_id: str, account_endpoints: list[Endpoint], since_ms: int) -> int:
    events = list(record.since(account_id, ids.first_at("evt", since_ms)))
    found, eligible_since_ms = 0, eligibility.eligible_since_ms(account_id)
    for endpoint in account_endpoints:
        if endpoint.created_at < eligible_since_ms:
            continue
        # Events that happened before the endpoint was enabled or its event types were changed are not sent to it.
        since = ids.first_at("evt", max(endpoint.enabled_at, endpoint.types_since or 0, since_ms))
        there = {delivery.id for delivery in Delivery.query(endpoint.id, Delivery.id > since)}
        missing = [event for event in events if event.id > since and event.id not in there]
        found += sum(_put(endpoint, event) is not None for event in missing if _is_subscribed(endpoint, event))
    return found


def _is_subscribed(endpoint: Endpoint, event: Event) -> bool:
    chosen = endpoint.types is None or event.type in endpoint.types
    # The receiver doesn't have the secret yet when the endpoint is created, so it couldn't verify the event of its own
    # creation.
    if event.type == kinds.WEBHOOK_CREATED and event.changed.as_dict().get("webhook") == endpoint.id:
        return False
    return endpoint.status == ENABLED and chosen and event.at >= endpoint.enabled_at


def _put(endpoint: Endpoint, event: Event) -> Delivery | None:
    """Store a delivery and return it. If it is already stored, return it only if it is pending and unattempted."""
    delivery = new_delivery(endpoint, event.id, event.type, payload.of_event(event), due_at=clock.now_ms())
    with models.ignore_condition_failure():
        delivery.save(condition=Delivery.id.does_not_exist())
        return delivery
    # The function that stored the delivery may have crashed before it sent it.
    stored = Delivery.found(endpoint.id, event.id)
    return stored if stored is not None and stored.state == PENDING and not stored.tries else None
