"""Delivering: at least once, one at a time for each endpoint, in the order of what happened as far as that can be.

Nothing is kept outside of the database. Whoever is about to send moves the delivery's due time a minute ahead, by a
condition that one of two wins; if it is killed then, the delivery is due again a minute later. A delivery that failed
steps aside and comes again by its own schedule; where nobody answers at all, what is behind it waits for a later
sweep, and so does whatever happens until that has caught up.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, ids, ssrf_rule, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.webhooks import delivery_queue, eligibility, endpoint_lock, fan_out, payload, send_delivery, states
from chalicelib.webhooks.delivery_queue import Place, Queue
from chalicelib.webhooks.record_result import drop, settle
from chalicelib.webhooks.states import ENABLED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint

CLAIMED_MS = endpoint_lock.LASTS_MS
AT_ONCE = 16
"""To so many endpoints one function sends at the same time, and to as many that fail or are slow."""
RECENT_MS = 5 * 60_000
"""What happened within it may be on its way though a sweep's look at the index didn't show it."""
TURN_MS = 15_000
"""How long one is sent to while others like it wait."""


def sweep(until_ms: int, resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> int:
    """Send what is due, starting nothing after `until_ms`; return how much was due."""
    read_at_ms = clock.now_ms()
    queue = delivery_queue.queue_of(delivery_queue.due(read_at_ms))
    stand = delivery_queue.standing(queue)
    well, others = delivery_queue.in_turn(queue, stand, read_at_ms)

    def turn_until_ms(places: Collection[Place]) -> int:
        return min(until_ms, clock.now_ms() + TURN_MS) if len(places) > AT_ONCE else until_ms

    def send_to(places: Collection[Place]) -> Callable[[Place], None]:
        return lambda place: _send_in_order(place, queue[place], turn_until_ms(places), resolver, read_at_ms)

    with _at_once(well, send_to(well)), _at_once(others, send_to(others)):
        pass
    return sum(map(len, queue.values()))


def send_all(queue: Queue, until_ms: int, resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> None:
    """Send what has just happened, to several endpoints at once; what doesn't get its turn is left to the sweep."""
    with _at_once(queue, lambda place: _send_in_order(place, queue[place], until_ms, resolver, None)):
        pass


def send_test(endpoint: Endpoint) -> Delivery:
    """Send a message that tells of nothing, and return what came of it.

    Raises Conflict while the endpoint is disabled, or something else is sent to it.
    """
    _must_be_enabled(endpoint)
    with endpoint_lock.by_hand(endpoint) as taken:
        message_id = ids.new("evt")
        body = payload.of_test(taken.id, message_id)
        delivery = fan_out.new(taken, message_id, states.TEST, body, due_at=clock.now_ms() + CLAIMED_MS)
        delivery.claimed_until = delivery.due_at
        delivery.save()
        return _sent_now(taken, delivery)


def resend(endpoint: Endpoint, message_id: str) -> Delivery:
    """Send a delivery again, under the same id, whatever became of it; return what came of that.

    A failure is tried again by the schedule. Raises NotFound, or Conflict while the endpoint is disabled, something
    else is sent to it, or the delivery is being sent.
    """
    _must_be_enabled(endpoint)
    delivery = delivery_of(endpoint, message_id)
    with endpoint_lock.by_hand(endpoint) as taken:
        now_ms = clock.now_ms()
        claimed = Delivery.claimed_until
        busy = errors.Conflict("This delivery is being sent at this moment. Look again in a minute.")
        with models.refused_as(busy):
            delivery.update(
                actions=[
                    Delivery.state.set(PENDING),
                    Delivery.tries.set(0),
                    Delivery.lane.set(fan_out.lane_of(taken.id)),
                    Delivery.queued_at.set(now_ms),
                    *_claim(now_ms),
                ],
                condition=Delivery.created_at.exists() & (claimed.does_not_exist() | (claimed <= now_ms)),
            )
        return _sent_now(taken, delivery)


def delivery_of(endpoint: Endpoint, message_id: str) -> Delivery:
    """Return a delivery to an endpoint; raise NotFound when there is none of this id."""
    delivery = Delivery.found(endpoint.id, message_id) if ids.is_id(message_id, "evt") else None
    if delivery is None:
        raise errors.NotFound("There is no such delivery.")
    return delivery


def _must_be_enabled(endpoint: Endpoint) -> None:
    eligibility.check_verified(endpoint.account_id)
    if endpoint.status != ENABLED:
        raise errors.Conflict("This webhook is disabled. Enable it first.")


def _sent_now(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    settle(endpoint, delivery, send_delivery.send(endpoint, delivery, deadline_s=send_delivery.BY_HAND_S))
    return Delivery.get(delivery.endpoint_id, delivery.id, consistent_read=True)


@contextmanager
def _at_once(places: Collection[Place], work: Callable[[Place], None]) -> Iterator[None]:
    """Do the work for several endpoints at once, beside a `with` block; what fails in our own house stays due."""
    with ThreadPoolExecutor(max(1, min(AT_ONCE, len(places)))) as pool:
        done = {place: pool.submit(work, place) for place in places}
        yield
    for (_, endpoint_id), each in done.items():
        try:
            each.result()
        except Exception as error:
            telemetry.error("webhooks_not_sent", endpoint_id=endpoint_id, code=type(error).__name__)
            telemetry.count("WebhookFaults")


def _send_in_order(
    place: Place, message_ids: list[str], until_ms: int, resolver: ssrf_rule.Resolve, read_at_ms: int | None
) -> None:
    """Send to one endpoint, if its turn can be had. `read_at_ms` is when a sweep read all that was due, None else."""
    taken, nothing_is_left = None, False
    try:
        taken = endpoint_lock.take(*place)
        if taken is None:
            _not_taken(place, message_ids, until_ms)
            nothing_is_left = True
        else:
            nothing_is_left = _all_tried(taken, sorted(message_ids), until_ms, resolver) and (
                read_at_ms is None or _caught_up(taken, read_at_ms, until_ms, resolver)
            )
    finally:
        # First of all: where this can't be written the turn stands, and whoever comes next finds it taken.
        if not nothing_is_left:
            endpoint_lock.fall_behind(taken or Endpoint(*place))
        if taken is not None:
            endpoint_lock.let_go(taken)


def _caught_up(endpoint: Endpoint, read_at_ms: int, until_ms: int, resolver: ssrf_rule.Resolve) -> bool:
    """Try what came since a sweep read its queue, too, and end being behind; tell whether none was left untried."""
    recent = Delivery.id > ids.first_at("evt", read_at_ms - RECENT_MS)
    while (stands := endpoint_lock.still(endpoint)) is not None and stands.behind_since is not None:
        untried = (Delivery.state == PENDING) & (Delivery.tries == 0) & (Delivery.due_at <= clock.now_ms())
        came = [each.id for each in Delivery.query(endpoint.id, recent, untried, consistent_read=True)]
        if not came:
            # Whoever leaves something to the sweep says so once it is there, so this is refused then.
            endpoint_lock.catch_up(stands)
            return True
        if not _all_tried(endpoint, came, until_ms, resolver):
            return False
    return True


def _all_tried(endpoint: Endpoint, message_ids: list[str], until_ms: int, resolver: ssrf_rule.Resolve) -> bool:
    """Try one after another, and tell whether none was left untried."""
    for number, message_id in enumerate(message_ids, 1):
        # The endpoint is ours for as long as one attempt can take, and no longer.
        if clock.now_ms() >= min(until_ms, endpoint.busy_until - send_delivery.DEADLINE_S * 1000):
            return False
        stands = endpoint_lock.still(endpoint)
        if stands is None:
            return False
        delivery = _claimed(stands, message_id)
        if delivery is None:
            continue
        outcome = send_delivery.send(stands, delivery, resolver)
        settle(stands, delivery, outcome)
        if outcome.is_silent:
            return number == len(message_ids)
        if outcome.is_gone:
            break
    return True


def _not_taken(place: Place, message_ids: list[str], until_ms: int) -> None:
    """See why an endpoint can't be sent to: nothing is to be, or another function sends to it, and this must wait."""
    now_ms, endpoint = clock.now_ms(), Endpoint.found(*place)
    if endpoint is None or endpoint.status != ENABLED or eligibility.gets_nothing(endpoint):
        for message_id in message_ids:
            if clock.now_ms() >= until_ms:
                return
            drop(place[1], message_id, now_ms)
    elif (endpoint.busy_until or 0) > now_ms:
        endpoint_lock.fall_behind(endpoint)


def _claimed(endpoint: Endpoint, message_id: str) -> Delivery | None:
    """Claim a delivery for one attempt; None when another has, it is delivered, or it isn't to be sent any more."""
    delivery, now_ms, claimed = Delivery(endpoint.id, message_id), clock.now_ms(), None
    with models.may_be_refused():
        # Wins against whoever else has seen it due.
        delivery.update(
            actions=_claim(now_ms),
            condition=(Delivery.state == PENDING) & (Delivery.due_at <= now_ms),
        )
        claimed = delivery
    if claimed is not None and _waited_while_disabled(endpoint, claimed):
        drop(endpoint.id, message_id, endpoint.enabled_at)
        return None
    return claimed


def _waited_while_disabled(endpoint: Endpoint, delivery: Delivery) -> bool:
    is_older = delivery.id < ids.first_at("evt", endpoint.enabled_at)
    return is_older and (delivery.queued_at or 0) < endpoint.enabled_at


def _claim(now_ms: int) -> list[Action]:
    return [Delivery.due_at.set(now_ms + CLAIMED_MS), Delivery.claimed_until.set(now_ms + CLAIMED_MS)]
