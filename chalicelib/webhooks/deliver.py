"""Deliver webhooks at least once. An endpoint receives one delivery at a time, where possible in the order of events.

All state is in the database. Before an attempt, a conditional write postpones the delivery by one minute. Only one
function can make this write; if it crashes, the delivery is due again a minute later. A failed delivery is retried
later without blocking newer ones. If an endpoint is unreachable, its other deliveries are left to the sweep, which runs
every minute. Until the sweep has sent all of them, it also sends the endpoint's new events, which are otherwise sent
immediately.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, ids, ssrf_rule, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.webhooks import delivery_queue, eligibility, endpoint_lock, fan_out, payload, send_delivery, states
from chalicelib.webhooks.delivery_queue import EndpointKey, Queue
from chalicelib.webhooks.record_result import drop, record_outcome
from chalicelib.webhooks.states import ENABLED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint

CLAIM_MS = endpoint_lock.LOCK_MS
CONCURRENT_ENDPOINTS_MAX = 16
"""The maximum number of endpoints to which one function sends concurrently. In a sweep, failing or slow endpoints have
the same number of threads of their own.
"""
INDEX_LAG_MS = 5 * 60_000
"""How far the index of due deliveries may lag behind. A delivery that was created within this time may be missing when
a sweep reads the index.
"""
SLOT_MS = 15_000
"""How long a thread of a sweep may send to one endpoint while other endpoints wait for a thread."""


def sweep(until_ms: int, resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> int:
    """Send the deliveries that are due, but start none after `until_ms`. Returns how many were due."""
    read_at_ms = clock.now_ms()
    queue = delivery_queue.group_by_endpoint(delivery_queue.read_due(read_at_ms))
    endpoints = delivery_queue.read_endpoints(queue)
    healthy, others = delivery_queue.order_by_health(queue, endpoints, read_at_ms)

    def slot_until_ms(keys: Collection[EndpointKey]) -> int:
        return min(until_ms, clock.now_ms() + SLOT_MS) if len(keys) > CONCURRENT_ENDPOINTS_MAX else until_ms

    def send_to(keys: Collection[EndpointKey]) -> Callable[[EndpointKey], None]:
        return lambda key: _send_in_order(key, queue[key], slot_until_ms(keys), resolver, read_at_ms)

    with _run_concurrently(healthy, send_to(healthy)), _run_concurrently(others, send_to(others)):
        pass
    return sum(map(len, queue.values()))


def send_all(queue: Queue, until_ms: int, resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> None:
    """Send new deliveries to several endpoints concurrently. Deliveries that aren't sent before `until_ms` are sent by
    the sweep.
    """
    with _run_concurrently(queue, lambda key: _send_in_order(key, queue[key], until_ms, resolver, None)):
        pass


def send_test(endpoint: Endpoint) -> Delivery:
    """Send a test message and return its delivery.

    Raises Conflict while the endpoint is disabled or another message is being sent to it.
    """
    _must_be_enabled(endpoint)
    with endpoint_lock.hold_for_manual_send(endpoint) as held:
        message_id = ids.new("evt")
        body = payload.of_test(held.id, message_id)
        delivery = fan_out.new_delivery(held, message_id, states.TEST, body, due_at=clock.now_ms() + CLAIM_MS)
        delivery.claimed_until = delivery.due_at
        delivery.save()
        return _send_now(held, delivery)


def resend(endpoint: Endpoint, message_id: str) -> Delivery:
    """Send a delivery again under the same id, in whatever state it is, and return it.

    If it fails, it is retried on schedule. Raises NotFound if the delivery doesn't exist. Raises Conflict while the
    endpoint is disabled, another message is being sent to it, or the delivery itself is being sent.
    """
    _must_be_enabled(endpoint)
    delivery = find_delivery(endpoint, message_id)
    with endpoint_lock.hold_for_manual_send(endpoint) as held:
        now_ms = clock.now_ms()
        claimed = Delivery.claimed_until
        busy = errors.Conflict("This delivery is being sent right now. Try again in a minute.")
        with models.raise_on_condition_failure(busy):
            delivery.update(
                actions=[
                    Delivery.state.set(PENDING),
                    Delivery.tries.set(0),
                    Delivery.lane.set(fan_out.lane_of(held.id)),
                    Delivery.queued_at.set(now_ms),
                    *_claim_actions(now_ms),
                ],
                condition=Delivery.created_at.exists() & (claimed.does_not_exist() | (claimed <= now_ms)),
            )
        return _send_now(held, delivery)


def find_delivery(endpoint: Endpoint, message_id: str) -> Delivery:
    """Return a delivery to an endpoint; raise NotFound when it does not exist."""
    delivery = Delivery.found(endpoint.id, message_id) if ids.is_id(message_id, "evt") else None
    if delivery is None:
        raise errors.NotFound("There is no such delivery.")
    return delivery


def _must_be_enabled(endpoint: Endpoint) -> None:
    eligibility.check_verified(endpoint.account_id)
    if endpoint.status != ENABLED:
        raise errors.Conflict("This webhook is disabled. Enable it first.")


def _send_now(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    record_outcome(
        endpoint, delivery, send_delivery.send(endpoint, delivery, deadline_s=send_delivery.MANUAL_DEADLINE_S)
    )
    return Delivery.get(delivery.endpoint_id, delivery.id, consistent_read=True)


@contextmanager
def _run_concurrently(keys: Collection[EndpointKey], work: Callable[[EndpointKey], None]) -> Iterator[None]:
    """Run `work` for several endpoints during a `with` block. If it raises an error, the error is logged and the
    deliveries to that endpoint stay due.
    """
    with ThreadPoolExecutor(max(1, min(CONCURRENT_ENDPOINTS_MAX, len(keys)))) as pool:
        futures = {key: pool.submit(work, key) for key in keys}
        yield
    for (_, endpoint_id), future in futures.items():
        try:
            future.result()
        except Exception as error:
            telemetry.error("webhooks_not_sent", endpoint_id=endpoint_id, code=type(error).__name__)
            telemetry.count("WebhookFaults")


def _send_in_order(
    key: EndpointKey, message_ids: list[str], until_ms: int, resolver: ssrf_rule.Resolve, read_at_ms: int | None
) -> None:
    """Send deliveries to one endpoint if its lock can be acquired.

    `read_at_ms` is the time when the calling sweep read the queue. It is None if no sweep called this function.
    """
    held, is_done = None, False
    try:
        held = endpoint_lock.acquire(*key)
        if held is None:
            _handle_unavailable(key, message_ids, until_ms)
            is_done = True
        else:
            is_done = _try_all(held, sorted(message_ids), until_ms, resolver) and (
                read_at_ms is None or _try_recent(held, read_at_ms, until_ms, resolver)
            )
    finally:
        # Mark the backlog before releasing the lock. If marking fails, the lock remains, so no function can send newer
        # deliveries first.
        if not is_done:
            endpoint_lock.mark_backlogged(held or Endpoint(*key))
        if held is not None:
            endpoint_lock.release(held)


def _try_recent(endpoint: Endpoint, read_at_ms: int, until_ms: int, resolver: ssrf_rule.Resolve) -> bool:
    """Attempt the deliveries that were created since a sweep read its queue, then clear the backlog. Returns whether
    all were attempted.
    """
    recent = Delivery.id > ids.first_at("evt", read_at_ms - INDEX_LAG_MS)
    while (current := endpoint_lock.reload_if_held(endpoint)) is not None and current.behind_since is not None:
        is_untried = (Delivery.state == PENDING) & (Delivery.tries == 0) & (Delivery.due_at <= clock.now_ms())
        untried_ids = [each.id for each in Delivery.query(endpoint.id, recent, is_untried, consistent_read=True)]
        if not untried_ids:
            # If another function has left a delivery to the sweep meanwhile, it has marked the backlog again, and the
            # mark remains.
            endpoint_lock.clear_backlog(current)
            return True
        if not _try_all(endpoint, untried_ids, until_ms, resolver):
            return False
    return True


def _try_all(endpoint: Endpoint, message_ids: list[str], until_ms: int, resolver: ssrf_rule.Resolve) -> bool:
    """Attempt deliveries one after another; return whether all were attempted."""
    for number, message_id in enumerate(message_ids, 1):
        # Stop while enough time remains for one attempt before the lock expires.
        if clock.now_ms() >= min(until_ms, endpoint.busy_until - send_delivery.DEADLINE_S * 1000):
            return False
        current = endpoint_lock.reload_if_held(endpoint)
        if current is None:
            return False
        delivery = _claim(current, message_id)
        if delivery is None:
            continue
        outcome = send_delivery.send(current, delivery, resolver)
        record_outcome(current, delivery, outcome)
        if outcome.is_unreachable:
            return number == len(message_ids)
        if outcome.is_gone:
            break
    return True


def _handle_unavailable(key: EndpointKey, message_ids: list[str], until_ms: int) -> None:
    """Handle an endpoint whose lock can't be acquired. If it can't receive any deliveries, they are dropped. If another
    function holds the lock, the endpoint is marked as backlogged.
    """
    now_ms, endpoint = clock.now_ms(), Endpoint.found(*key)
    if endpoint is None or endpoint.status != ENABLED or eligibility.is_blocked(endpoint):
        for message_id in message_ids:
            if clock.now_ms() >= until_ms:
                return
            drop(key[1], message_id, now_ms)
    elif (endpoint.busy_until or 0) > now_ms:
        endpoint_lock.mark_backlogged(endpoint)


def _claim(endpoint: Endpoint, message_id: str) -> Delivery | None:
    """Claim a delivery for one attempt.

    Returns None if the delivery is already claimed or delivered, or must no longer be sent.
    """
    delivery, now_ms, claimed = Delivery(endpoint.id, message_id), clock.now_ms(), None
    with models.ignore_condition_failure():
        # Several functions may have read the delivery as due. The condition is true for only one of them.
        delivery.update(
            actions=_claim_actions(now_ms),
            condition=(Delivery.state == PENDING) & (Delivery.due_at <= now_ms),
        )
        claimed = delivery
    if claimed is not None and _was_queued_before_enabling(endpoint, claimed):
        drop(endpoint.id, message_id, endpoint.enabled_at)
        return None
    return claimed


def _was_queued_before_enabling(endpoint: Endpoint, delivery: Delivery) -> bool:
    is_older = delivery.id < ids.first_at("evt", endpoint.enabled_at)
    return is_older and (delivery.queued_at or 0) < endpoint.enabled_at


def _claim_actions(now_ms: int) -> list[Action]:
    return [Delivery.due_at.set(now_ms + CLAIM_MS), Delivery.claimed_until.set(now_ms + CLAIM_MS)]
