"""Delivering: at least once, one at a time for each endpoint, in the order of what happened as far as that can be.

Nothing is kept outside of the database. Whoever is about to send moves the delivery's due time a minute ahead, by a
condition that one of two wins; if it is killed then, the delivery is due again a minute later. A delivery that failed
steps aside and comes again by its own schedule; where nobody answers at all, what is behind it waits for a later
sweep, and so does whatever happens until that has caught up.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, fetch, ids, tables, telemetry, wire
from chalicelib.core.stage_key import NoStageKey
from chalicelib.webhooks import attempt, fan_out, message, states, turn, waiting
from chalicelib.webhooks.settle import drop, settle
from chalicelib.webhooks.states import ENABLED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from chalicelib.webhooks.waiting import Place, Queue

CLAIMED_MS = turn.LASTS_MS
AT_ONCE = 16
"""To so many endpoints one function sends at the same time, and to as many that fail or are slow."""
OF_ENDPOINT_MAX = 50
"""So much of one endpoint a sweep takes up."""
SLOW_TURN_MS = 15_000
"""How long one that fails or is slow is sent to while others like it wait."""


def sweep(until_ms: int, resolver: fetch.Resolve = fetch.resolve) -> int:
    """Send what is due, starting nothing after `until_ms`; return how much was due."""
    read_at_ms = clock.now_ms()
    queue = waiting.queue_of(waiting.due(read_at_ms))
    stand = waiting.standing(queue)
    well, others = waiting.in_turn(queue, stand, read_at_ms)
    turn_ms = SLOW_TURN_MS if len(others) > AT_ONCE else until_ms - read_at_ms

    def to_well(place: Place) -> None:
        _send_in_order(place, queue[place], until_ms, resolver, read_at_ms)

    def to_other(place: Place) -> None:
        if place in stand and stand[place].status == ENABLED:
            _send_in_order(place, queue[place], min(until_ms, clock.now_ms() + turn_ms), resolver, read_at_ms)
        else:
            _drop_all(place, queue[place], until_ms)

    with _at_once(well, to_well), _at_once(others, to_other):
        pass
    return sum(map(len, queue.values()))


def send_all(queue: Queue, until_ms: int, resolver: fetch.Resolve = fetch.resolve) -> None:
    """Send what has just happened, to several endpoints at once; what doesn't get its turn is left to the sweep."""
    with _at_once(queue, lambda place: _send_in_order(place, queue[place], until_ms, resolver, None)):
        pass


def send_test(endpoint: Endpoint) -> Delivery:
    """Send a message that tells of nothing, and return what came of it.

    Raises Conflict while the endpoint is disabled, or something else is sent to it.
    """
    _must_be_enabled(endpoint)
    with turn.by_hand(endpoint) as taken:
        message_id = ids.new("evt")
        body = message.of_test(taken.id, message_id)
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
    with turn.by_hand(endpoint) as taken:
        now_ms = clock.now_ms()
        claimed = Delivery.claimed_until
        busy = errors.Conflict("This delivery is being sent at this moment. Look again in a minute.")
        with tables.refused_as(busy):
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
    if endpoint.status != ENABLED:
        raise errors.Conflict("This webhook is disabled. Enable it first.")


def _sent_now(endpoint: Endpoint, delivery: Delivery) -> Delivery:
    settle(endpoint, delivery, attempt.send(endpoint, delivery))
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
        except (PynamoDBException, wire.WireError, NoStageKey) as error:
            telemetry.error("webhooks_not_sent", endpoint_id=endpoint_id, code=type(error).__name__)
            telemetry.count("WebhookFaults")


def _send_in_order(
    place: Place, message_ids: list[str], until_ms: int, resolver: fetch.Resolve, read_at_ms: int | None
) -> None:
    """Send to one endpoint, if its turn can be had. `read_at_ms` is when a sweep read all that was due, None else."""
    endpoint = turn.take(*place)
    if endpoint is None:
        _not_taken(place, message_ids, until_ms)
        return
    try:
        in_order = sorted(message_ids)
        if not _all_tried(endpoint, in_order[:OF_ENDPOINT_MAX], until_ms, resolver) or len(in_order) > OF_ENDPOINT_MAX:
            turn.fall_behind(endpoint)
        elif read_at_ms is not None:
            turn.catch_up(endpoint, read_at_ms)
    finally:
        turn.let_go(endpoint)


def _all_tried(endpoint: Endpoint, message_ids: list[str], until_ms: int, resolver: fetch.Resolve) -> bool:
    """Try one after another, and tell whether none was left untried."""
    for left, message_id in zip(range(len(message_ids) - 1, -1, -1), message_ids, strict=True):
        # The endpoint is ours for as long as one attempt can take, and no longer.
        if clock.now_ms() >= min(until_ms, (endpoint.busy_until or 0) - attempt.DEADLINE_S * 1000):
            return False
        stands = turn.still(endpoint)
        if stands is None:
            return False
        delivery = _claimed(stands, message_id)
        if delivery is None:
            continue
        outcome = attempt.send(stands, delivery, resolver)
        settle(stands, delivery, outcome)
        if outcome.is_silent:
            return not left
        if outcome.is_gone:
            break
    return True


def _not_taken(place: Place, message_ids: list[str], until_ms: int) -> None:
    """See why an endpoint can't be sent to: nothing is to be, or another function sends to it, and this must wait."""
    endpoint = Endpoint.found(*place)
    if endpoint is None or endpoint.status != ENABLED:
        _drop_all(place, message_ids, until_ms)
    elif (endpoint.busy_until or 0) > clock.now_ms():
        turn.fall_behind(endpoint)


def _drop_all(place: Place, message_ids: list[str], until_ms: int) -> None:
    for message_id in message_ids:
        if clock.now_ms() >= until_ms:
            return
        drop(place[1], message_id)


def _claimed(endpoint: Endpoint, message_id: str) -> Delivery | None:
    """Claim a delivery for one attempt; None when another has, it is delivered, or it isn't to be sent any more."""
    delivery, now_ms = Delivery(endpoint.id, message_id), clock.now_ms()
    with tables.may_be_refused():
        # Wins against whoever else has seen it due.
        delivery.update(
            actions=_claim(now_ms),
            condition=(Delivery.state == PENDING) & (Delivery.due_at <= now_ms),
        )
        if _waited_while_disabled(endpoint, delivery):
            drop(endpoint.id, message_id)
            return None
        return delivery
    return None


def _waited_while_disabled(endpoint: Endpoint, delivery: Delivery) -> bool:
    is_older = delivery.id < ids.first_at("evt", endpoint.enabled_at)
    return is_older and (delivery.queued_at or 0) < endpoint.enabled_at


def _claim(now_ms: int) -> list[Action]:
    return [Delivery.due_at.set(now_ms + CLAIMED_MS), Delivery.claimed_until.set(now_ms + CLAIMED_MS)]
