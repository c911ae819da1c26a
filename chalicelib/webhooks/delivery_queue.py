"""Read the queue of due deliveries. Order the endpoints, so that slow or failing ones never delay healthy ones."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from chalicelib.core import clock, randomness, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.webhooks.fan_out import LANES
from chalicelib.webhooks.states import ENABLED
from chalicelib.webhooks.tables import Delivery, Endpoint

READ_FOR_MS = 10_000
"""The time budget for reading due deliveries. Each partition of the index (`fan_out.LANES`) gets an equal part."""
OLDEST_READ_FOR_MS = 2_000
"""The time budget for finding the oldest due delivery. Each partition of the index gets an equal part."""

EndpointKey = tuple[str, str]
"""The key of an endpoint: the id of its account and its own id."""
Queue = dict[EndpointKey, list[str]]
"""The ids of the pending deliveries of each endpoint."""


def group_by_endpoint(deliveries: Iterable[Delivery]) -> Queue:
    """Group deliveries by endpoint."""
    queue: Queue = {}
    for delivery in deliveries:
        queue.setdefault(_key_of(delivery), []).append(delivery.id)
    return queue


def read_due(now_ms: int) -> Iterator[Delivery]:
    """Yield due deliveries within the time budget.

    Every other minute, each partition is read from the newest delivery instead of from the oldest. Otherwise a long
    backlog of one endpoint would prevent the deliveries that are due later from being read.
    """
    is_newest_first = now_ms // 60_000 % 2 == 1
    for lane in LANES:
        until_ms = clock.now_ms() + READ_FOR_MS // len(LANES)
        for delivery in Delivery.by_due.query(lane, Delivery.due_at <= now_ms, scan_index_forward=not is_newest_first):
            yield delivery
            if clock.now_ms() >= until_ms:
                break


def oldest_overdue_ms(now_ms: int) -> int | None:
    """Return for how many milliseconds the oldest delivery to a healthy endpoint has been due; None when none is due.

    Deliveries to failing, slow or disabled endpoints are not counted, because their receivers cause the delay.
    """
    due_at = [at_ms for lane in LANES if (at_ms := _oldest_healthy_due_at(lane, now_ms)) is not None]
    return now_ms - min(due_at) if due_at else None


def _oldest_healthy_due_at(lane: str, now_ms: int) -> int | None:
    """Return when the oldest delivery to a healthy endpoint in a partition became due. Returns None if none is found
    within the time budget.
    """
    until_ms = clock.now_ms() + OLDEST_READ_FOR_MS // len(LANES)
    endpoints: dict[EndpointKey, Endpoint] = {}
    found = Delivery.by_due.query(lane, Delivery.due_at <= now_ms)
    while batch := list(islice(found, dynamodb.BATCH_MAX)):
        unknown = {key for key in map(_key_of, batch) if key not in endpoints}
        endpoints |= read_endpoints(unknown)
        for delivery in batch:
            if is_healthy(endpoints.get(_key_of(delivery))):
                return delivery.due_at
        if clock.now_ms() >= until_ms:
            break
    return None


def _key_of(delivery: Delivery) -> EndpointKey:
    return delivery.account_id, delivery.endpoint_id


def read_endpoints(keys: Iterable[EndpointKey]) -> dict[EndpointKey, Endpoint]:
    """Read the endpoints with these keys. Deleted endpoints are missing in the result."""
    item_keys = [{"account_id": {"S": account_id}, "id": {"S": endpoint_id}} for account_id, endpoint_id in keys]
    table = settings.current().table(Endpoint.Meta.table)
    found = [Endpoint.from_raw_data(item) for item in dynamodb.batch_get_table(table, item_keys, consistent=True)]
    return {(each.account_id, each.id): each for each in found}


def is_healthy(endpoint: Endpoint | None) -> bool:
    """Return whether an endpoint is enabled and neither failing nor slow."""
    return endpoint is not None and endpoint.status == ENABLED and not (endpoint.failures or endpoint.slow)


def is_up_to_date(endpoint: Endpoint) -> bool:
    """Return whether deliveries to an endpoint can be sent immediately, because it is healthy and has no backlog."""
    return is_healthy(endpoint) and endpoint.behind_since is None


def order_by_health(
    keys: Iterable[EndpointKey], endpoints: Mapping[EndpointKey, Endpoint], now_ms: int
) -> tuple[list[EndpointKey], list[EndpointKey]]:
    """Return the keys of the healthy endpoints and of all other endpoints, each in random order.

    In a fixed order the same endpoints would always be first. Endpoints in back-off are omitted. Disabled and deleted
    endpoints are included in the second list.
    """
    in_random_order = randomness.shuffle(keys)
    healthy = [key for key in in_random_order if is_healthy(endpoints.get(key))]
    others = [key for key in in_random_order if not is_healthy(endpoints.get(key))]
    return healthy, [key for key in others if key not in endpoints or (endpoints[key].quiet_until or 0) <= now_ms]
