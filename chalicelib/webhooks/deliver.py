"""Delivering: at least once, one at a time for each endpoint, in the order of what happened as far as that can be.

Nothing is kept outside of the database. Whoever is about to send moves the delivery's due time a minute ahead, by a
condition that one of two wins; if it is killed then, the delivery is due again a minute later. A delivery that failed
steps aside and comes again by its own schedule; where nobody answers at all, what is behind it waits for the next
sweep.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, fetch, ids, tables, telemetry
from chalicelib.core.stage_key import NoStageKey
from chalicelib.webhooks import attempt, endpoints, fan_out, message, retry
from chalicelib.webhooks.attempt import Outcome
from chalicelib.webhooks.tables import DELIVERED, ENABLED, FAILED, PENDING, Delivery, Endpoint

CLAIMED_MS = 60_000
"""Longer than an attempt can take, so that nobody sends a second time while the first is under way."""
AT_ONCE = 16
"""To so many endpoints one function sends at the same time."""
SWEPT_MAX = 10_000
"""So much of each lane one sweep looks at."""
OF_ENDPOINT_MAX = 50
"""So much of one endpoint a sweep takes up: what waits for one that is down must not hide what waits behind it."""
ATTEMPTS_KEPT = 20
SLOW_MS = 2_000
"""Who takes longer to answer is sent to by the sweep only."""

Queue = dict[tuple[str, str], list[str]]
"""What waits for each endpoint (account and id), in order."""


def sweep(until_ms: int, resolver: fetch.Resolve = fetch.resolve) -> int:
    """Send what is due, starting nothing after `until_ms`; return how much was due."""
    waiting = queue_of(_due(clock.now_ms(), SWEPT_MAX), at_most=OF_ENDPOINT_MAX)
    send_all(waiting, until_ms, resolver)
    return sum(map(len, waiting.values()))


def oldest_due_ms(now_ms: int) -> int | None:
    """Return for how long the delivery that is most overdue has been due, None when none is."""
    first = [due.due_at for due in _due(now_ms, 1) if due.due_at is not None]
    return now_ms - min(first) if first else None


def queue_of(deliveries: Iterable[Delivery], *, at_most: int | None = None) -> Queue:
    """Return deliveries by the endpoint they go to, `at_most` so many for each."""
    waiting: Queue = {}
    for delivery in deliveries:
        of_endpoint = waiting.setdefault((delivery.account_id, delivery.endpoint_id), [])
        if at_most is None or len(of_endpoint) < at_most:
            of_endpoint.append(delivery.id)
    return waiting


def send_all(waiting: Queue, until_ms: int, resolver: fetch.Resolve = fetch.resolve) -> None:
    """Send what waits, to several endpoints at once; what fails in our own house stays due."""
    if not waiting:
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(waiting))) as pool:
        sent = {
            endpoint_id: pool.submit(_send_in_order, account_id, endpoint_id, sorted(message_ids), until_ms, resolver)
            for (account_id, endpoint_id), message_ids in waiting.items()
        }
    for endpoint_id, done in sent.items():
        try:
            done.result()
        except (PynamoDBException, NoStageKey) as error:
            telemetry.error("webhooks_not_sent", endpoint_id=endpoint_id, code=type(error).__name__)
            telemetry.count("WebhookFaults")


def send_now(endpoint: Endpoint, delivery: Delivery, resolver: fetch.Resolve = fetch.resolve) -> Delivery:
    """Make one attempt out of turn, for a person who waits, and return the delivery as it stands then.

    `delivery` must be claimed. A failure is tried again by the schedule.
    """
    _settle(endpoint, delivery, attempt.send(endpoint, delivery, resolver))
    return Delivery.get(delivery.endpoint_id, delivery.id, consistent_read=True)


def send_test(endpoint: Endpoint) -> Delivery:
    """Send a message that tells of nothing, and return what came of it. Raises Conflict while it is disabled."""
    _must_be_enabled(endpoint)
    message_id = ids.new("evt")
    body = message.of_test(endpoint.id, message_id)
    delivery = fan_out.new(endpoint, message_id, message.TEST, body, due_at=clock.now_ms() + CLAIMED_MS)
    delivery.claimed_until = delivery.due_at
    delivery.save()
    return send_now(endpoint, delivery)


def resend(endpoint: Endpoint, message_id: str) -> Delivery:
    """Send a delivery again, under the same id, whatever became of it; return what came of that.

    Raises NotFound, or Conflict while the endpoint is disabled or the delivery is being sent.
    """
    _must_be_enabled(endpoint)
    delivery = delivery_of(endpoint, message_id)
    now_ms = clock.now_ms()
    claimed = Delivery.claimed_until
    busy = errors.Conflict("This delivery is being sent at this moment. Look again in a minute.")
    with tables.refused_as(busy):
        delivery.update(
            actions=[
                Delivery.state.set(PENDING),
                Delivery.tries.set(0),
                Delivery.lane.set(fan_out.lane_of(endpoint.id)),
                *_claim(now_ms),
            ],
            condition=Delivery.created_at.exists() & (claimed.does_not_exist() | (claimed <= now_ms)),
        )
    return send_now(endpoint, delivery)


def delivery_of(endpoint: Endpoint, message_id: str) -> Delivery:
    """Return a delivery to an endpoint; raise NotFound when there is none of this id."""
    delivery = Delivery.found(endpoint.id, message_id) if ids.is_id(message_id, "evt") else None
    if delivery is None:
        raise errors.NotFound("There is no such delivery.")
    return delivery


def _must_be_enabled(endpoint: Endpoint) -> None:
    if endpoint.status != ENABLED:
        raise errors.Conflict("This webhook is disabled. Enable it first.")


def _due(now_ms: int, of_lane_max: int) -> Iterator[Delivery]:
    """Return what is due, of each lane the most overdue first."""
    for lane in fan_out.LANES:
        yield from Delivery.by_due.query(lane, Delivery.due_at <= now_ms, limit=of_lane_max)


def _send_in_order(
    account_id: str, endpoint_id: str, message_ids: list[str], until_ms: int, resolver: fetch.Resolve
) -> None:
    endpoint = _taken(account_id, endpoint_id)
    if endpoint is None:
        _drop_if_unwanted(account_id, endpoint_id, message_ids)
        return
    try:
        for message_id in message_ids:
            # The endpoint is ours for as long as one attempt can take, and no longer.
            if clock.now_ms() >= min(until_ms, (endpoint.busy_until or 0) - attempt.DEADLINE_S * 1000):
                break
            delivery = _claimed(endpoint_id, message_id)
            if delivery is None:
                continue
            outcome = attempt.send(endpoint, delivery, resolver)
            _settle(endpoint, delivery, outcome)
            if outcome.is_silent or outcome.is_gone:
                break
    finally:
        _let_go(endpoint)


def _taken(account_id: str, endpoint_id: str) -> Endpoint | None:
    """Take an endpoint for oneself; None when another function sends to it, or nothing is to be sent to it."""
    endpoint, now_ms = Endpoint(account_id, endpoint_id), clock.now_ms()
    busy = Endpoint.busy_until
    with tables.may_be_refused():
        endpoint.update(
            actions=[busy.set(now_ms + CLAIMED_MS)],
            condition=(Endpoint.status == ENABLED) & (busy.does_not_exist() | (busy <= now_ms)),
        )
        return endpoint
    return None


def _let_go(endpoint: Endpoint) -> None:
    with tables.may_be_refused():
        Endpoint(endpoint.account_id, endpoint.id).update(
            actions=[Endpoint.busy_until.remove()], condition=Endpoint.busy_until == endpoint.busy_until
        )


def _claimed(endpoint_id: str, message_id: str) -> Delivery | None:
    """Claim a delivery for one attempt; None when another has, or it is delivered."""
    delivery, now_ms = Delivery(endpoint_id, message_id), clock.now_ms()
    with tables.may_be_refused():
        # Wins against whoever else has seen it due.
        delivery.update(
            actions=_claim(now_ms),
            condition=(Delivery.state == PENDING) & (Delivery.due_at <= now_ms),
        )
        return delivery
    return None


def _claim(now_ms: int) -> list[Action]:
    return [Delivery.due_at.set(now_ms + CLAIMED_MS), Delivery.claimed_until.set(now_ms + CLAIMED_MS)]


def _settle(endpoint: Endpoint, delivery: Delivery, outcome: Outcome) -> None:
    """Write down what came of an attempt; what was killed before it could is sent again."""
    tries, now_ms = delivery.tries + 1, clock.now_ms()
    due_at = None if outcome.is_delivered else retry.next_at_ms(tries, now_ms)
    attempts = [*delivery.attempts, outcome.record()][-ATTEMPTS_KEPT:]
    actions: list[Action] = [
        Delivery.tries.set(tries),
        Delivery.attempts.set(attempts),
        Delivery.claimed_until.remove(),
    ]
    if due_at is not None:
        actions.append(Delivery.due_at.set(due_at))
    else:
        state = DELIVERED if outcome.is_delivered else FAILED
        actions += [Delivery.state.set(state), Delivery.lane.remove(), Delivery.due_at.remove()]
    # That it arrived stands, whatever a second attempt says that was under way beside this one.
    condition = Delivery.created_at.exists() if outcome.is_delivered else Delivery.state == PENDING
    with tables.may_be_refused():
        delivery.update(actions=actions, condition=condition)
    telemetry.measured(
        "webhook",
        {"WebhookAttempts": 1, "WebhookFailures": int(not outcome.is_delivered)},
        {},
        endpoint_id=endpoint.id,
        message_id=delivery.id,
        status=outcome.status,
        took_ms=outcome.took_ms,
    )
    if outcome.is_gone:
        endpoints.disable(endpoint, endpoints.GONE)
    elif not outcome.is_delivered:
        _count_failure(endpoint, now_ms)
    elif endpoint.failures:
        _update(endpoint, [Endpoint.failures.set(0), Endpoint.failing_since.remove()])
    is_slow = outcome.took_ms > SLOW_MS
    if is_slow != endpoint.slow:
        _update(endpoint, [Endpoint.slow.set(is_slow)])


def _count_failure(endpoint: Endpoint, now_ms: int) -> None:
    since = Endpoint.failing_since
    _update(endpoint, [Endpoint.failures.add(1), since.set(since | now_ms)])
    if retry.is_given_up(endpoint.failures, endpoint.failing_since or now_ms, now_ms):
        endpoints.disable(endpoint, endpoints.FAILING)


def _update(endpoint: Endpoint, actions: list[Action]) -> None:
    with tables.may_be_refused():
        endpoint.update(actions=actions, condition=Endpoint.created_at.exists())


def _drop_if_unwanted(account_id: str, endpoint_id: str, message_ids: list[str]) -> None:
    """Take what waits for an endpoint that is disabled, or deleted, out of the queue; it can be sent again by hand."""
    endpoint = Endpoint.found(account_id, endpoint_id)
    if endpoint is not None and endpoint.status == ENABLED:
        return
    for message_id in message_ids:
        with tables.may_be_refused():
            Delivery(endpoint_id, message_id).update(
                actions=[Delivery.state.set(FAILED), Delivery.lane.remove(), Delivery.due_at.remove()],
                condition=Delivery.state == PENDING,
            )
