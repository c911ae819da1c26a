"""What waits to be sent, and who is sent to first: whoever answers well never waits for those who don't."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from chalicelib.core import clock, randomness, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.webhooks.fan_out import LANES
from chalicelib.webhooks.states import ENABLED
from chalicelib.webhooks.tables import Delivery, Endpoint

READ_FOR_MS = 10_000
"""So long a sweep reads what is due, a part of it for each lane."""
JUDGED_FOR_MS = 2_000
"""So long what is due is read to tell how late things are."""

Place = tuple[str, str]
"""An endpoint, by its account and its id."""
Queue = dict[Place, list[str]]
"""The ids of the deliveries that wait for each endpoint."""


def queue_of(deliveries: Iterable[Delivery]) -> Queue:
    """Return deliveries by the endpoint they go to."""
    waiting: Queue = {}
    for delivery in deliveries:
        waiting.setdefault(_place(delivery), []).append(delivery.id)
    return waiting


def due(now_ms: int) -> Iterator[Delivery]:
    """Return what is due, as far as it can be read in time.

    Of each lane the most overdue first, and every second minute last: more than can be read for one endpoint must not
    hide for ever what lies behind it.
    """
    is_turned = now_ms // 60_000 % 2 == 1
    for lane in LANES:
        until_ms = clock.now_ms() + READ_FOR_MS // len(LANES)
        for delivery in Delivery.by_due.query(lane, Delivery.due_at <= now_ms, scan_index_forward=not is_turned):
            yield delivery
            if clock.now_ms() >= until_ms:
                break


def oldest_due_ms(now_ms: int) -> int | None:
    """Return for how long the most overdue delivery has waited that nobody but us keeps waiting; None without one.

    What waits for an endpoint that fails, is slow or is disabled waits for its receiver.
    """
    since = [since_ms for lane in LANES if (since_ms := _oldest_of_ours(lane, now_ms)) is not None]
    return now_ms - min(since) if since else None


def _oldest_of_ours(lane: str, now_ms: int) -> int | None:
    """Return since when the first of a lane has been due whose endpoint answers well, as far as can be read in time."""
    until_ms = clock.now_ms() + JUDGED_FOR_MS // len(LANES)
    stand: dict[Place, Endpoint] = {}
    found = Delivery.by_due.query(lane, Delivery.due_at <= now_ms)
    while some := list(islice(found, dynamodb.BATCH_MAX)):
        unknown = {place for place in map(_place, some) if place not in stand}
        stand |= standing(unknown)
        for delivery in some:
            if answers_well(stand.get(_place(delivery))):
                return delivery.due_at
        if clock.now_ms() >= until_ms:
            break
    return None


def _place(delivery: Delivery) -> Place:
    return delivery.account_id, delivery.endpoint_id


def standing(places: Iterable[Place]) -> dict[Place, Endpoint]:
    """Return the endpoints at `places` as they stand; one that was deleted is absent."""
    keys = [{"account_id": {"S": account_id}, "id": {"S": endpoint_id}} for account_id, endpoint_id in places]
    table = settings.current().table(Endpoint.Meta.table)
    found = [Endpoint.from_raw_data(item) for item in dynamodb.batch_get_of(table, keys, consistent=True)]
    return {(each.account_id, each.id): each for each in found}


def answers_well(endpoint: Endpoint | None) -> bool:
    """Tell whether an endpoint is sent to, and neither fails nor keeps us waiting."""
    return endpoint is not None and endpoint.status == ENABLED and not (endpoint.failures or endpoint.slow)


def is_up_to_date(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint can be sent to at once: it answers well, and nothing older waits for it."""
    return answers_well(endpoint) and endpoint.behind_since is None


def in_turn(places: Iterable[Place], stand: Mapping[Place, Endpoint], now_ms: int) -> tuple[list[Place], list[Place]]:
    """Return who is sent to, in the order of their turns: those who answer well, and the others.

    By lot, so that the same ones don't always come first; who is left alone for a while isn't among them. Those that
    are disabled or deleted are among the others.
    """
    by_lot = randomness.shuffled(places)
    well = [place for place in by_lot if answers_well(stand.get(place))]
    others = [place for place in by_lot if not answers_well(stand.get(place))]
    return well, [place for place in others if place not in stand or (stand[place].quiet_until or 0) <= now_ms]
