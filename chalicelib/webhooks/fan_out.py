"""Which endpoints an event goes to, and putting it on its way to each: once, however often it is asked for.

A delivery lies under endpoint and event, so the stream may bring an event twice, and a sweep may bring it again.
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
"""What waits is spread over so many partitions of the index that is swept."""
LOOKED_BACK_S = 3 * clock.DAY_S
LOOKED_BACK_BRIEFLY_S = 3 * clock.HOUR_S


def put(events: Iterable[Event]) -> list[tuple[Endpoint, Delivery]]:
    """Put events of whichever accounts on their way; return what is new, in order for each endpoint."""
    by_account: dict[str, list[Event]] = {}
    for event in events:
        by_account.setdefault(event.account_id, []).append(event)
    return [
        (endpoint, delivery)
        for account_id, happened in by_account.items()
        for endpoint in endpoints.of_account(account_id)
        for event in sorted(happened, key=lambda event: event.id)
        if _is_told(endpoint, event) and (delivery := _put(endpoint, event)) is not None
    ]


def put_what_is_missing(now_ms: int, until_ms: int) -> int:
    """Put on its way what the stream lost, beginning with no account after `until_ms`; return how much that was.

    Reads the endpoints of all accounts and, of those that have any, the events of three hours; of each account once a
    day those of three days. Which accounts come first is decided by lot, so that none is always left out.
    """
    by_account: dict[str, list[Endpoint]] = {}
    for endpoint in Endpoint.scan(Endpoint.status == ENABLED):
        by_account.setdefault(endpoint.account_id, []).append(endpoint)
    found = 0
    for account_id in randomness.shuffled(by_account):
        if clock.now_ms() >= until_ms:
            telemetry.warning("webhooks_not_looked_for", accounts=len(by_account))
            telemetry.count("BackgroundFaults", task="webhooks_not_looked_for")
            break
        is_turn = zlib.crc32(account_id.encode()) % 24 == now_ms // 1000 // clock.HOUR_S % 24
        back_s = LOOKED_BACK_S if is_turn else LOOKED_BACK_BRIEFLY_S
        found += _put_missing(account_id, by_account[account_id], now_ms - back_s * 1000)
    return found


def lane_of(endpoint_id: str) -> str:
    """Return the part of the queue that an endpoint's deliveries wait in."""
    return LANES[zlib.crc32(endpoint_id.encode()) % len(LANES)]


def new(endpoint: Endpoint, message_id: str, kind: str, body: str, *, due_at: int) -> Delivery:
    """Return a delivery that is not stored yet."""
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
    """Return what was, is or will be delivered to an endpoint, the newest first, beyond the id `before`."""
    lives = Delivery.dies_at > clock.now_s()
    older = Delivery.id < (before or record.LAST_ID)
    yield from Delivery.query(endpoint_id, older, lives, scan_index_forward=False, limit=limit)


def _put_missing(account_id: str, its_endpoints: list[Endpoint], since_ms: int) -> int:
    events = list(record.since(account_id, ids.first_at("evt", since_ms)))
    found, own_since_ms = 0, eligibility.since_ms(account_id)
    for endpoint in its_endpoints:
        if endpoint.created_at < own_since_ms:
            continue
        # What was chosen later says nothing about what was to be told before.
        since = ids.first_at("evt", max(endpoint.enabled_at, endpoint.types_since or 0, since_ms))
        there = {delivery.id for delivery in Delivery.query(endpoint.id, Delivery.id > since)}
        missing = [event for event in events if event.id > since and event.id not in there]
        found += sum(_put(endpoint, event) is not None for event in missing if _is_told(endpoint, event))
    return found


def _is_told(endpoint: Endpoint, event: Event) -> bool:
    chosen = endpoint.types is None or event.type in endpoint.types
    # Its owner reads the secret in the answer that reports it as added: until then nothing could be verified.
    if event.type == kinds.WEBHOOK_CREATED and event.changed.as_dict().get("webhook") == endpoint.id:
        return False
    return endpoint.status == ENABLED and chosen and event.at >= endpoint.enabled_at


def _put(endpoint: Endpoint, event: Event) -> Delivery | None:
    """Return the delivery, None when it is there already and was tried: delivered, maybe, and not to be sent again."""
    delivery = new(endpoint, event.id, event.type, payload.of_event(event), due_at=clock.now_ms())
    with models.may_be_refused():
        delivery.save(condition=Delivery.id.does_not_exist())
        return delivery
    # Whoever put it there may have died before it was sent.
    there = Delivery.found(endpoint.id, event.id)
    return there if there is not None and there.state == PENDING and not there.tries else None
