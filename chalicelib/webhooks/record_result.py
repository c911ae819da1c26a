"""What comes of an attempt: delivered, to be tried again, given up; and what that says of the endpoint."""

from pynamodb.expressions.update import Action

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.webhooks import endpoints, retry_schedule, states
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint

ATTEMPTS_KEPT = 20
SLOW_MS = 2_000
"""Who takes longer to answer is sent to by the sweep only."""


def settle(endpoint: Endpoint, delivery: Delivery, outcome: Outcome) -> None:
    """Write down what came of an attempt; what was killed before it could is sent again."""
    tries, now_ms = delivery.tries + 1, clock.now_ms()
    due_at = None if outcome.is_delivered else _next_at_ms(delivery, tries, outcome, now_ms)
    attempts = [*delivery.attempts, outcome.record()][-ATTEMPTS_KEPT:]
    actions: list[Action] = [Delivery.tries.set(tries), Delivery.attempts.set(attempts)]
    if due_at is not None:
        actions += [Delivery.due_at.set(due_at), Delivery.claimed_until.remove()]
    else:
        actions += _ended_as(DELIVERED if outcome.is_delivered else FAILED)
    # That it arrived stands, whatever a second attempt says that was under way beside this one.
    condition = Delivery.created_at.exists() if outcome.is_delivered else Delivery.state == PENDING
    with models.may_be_refused():
        delivery.update(actions=actions, condition=condition)
    telemetry.measured(
        "webhook",
        {"WebhookAttempts": 1, "WebhookFailures": int(not outcome.is_delivered)},
        endpoint_id=endpoint.id,
        message_id=delivery.id,
        status=outcome.status,
        took_ms=outcome.took_ms,
    )
    _judge(endpoint, outcome, now_ms)


def drop(endpoint_id: str, message_id: str, decided_at_ms: int) -> None:
    """Take a delivery out of the queue, unless it is delivered, or was asked for by hand since that was decided.

    It can be sent again by hand.
    """
    queued = Delivery.queued_at
    still_so = queued.does_not_exist() | (queued < decided_at_ms)
    with models.may_be_refused():
        Delivery(endpoint_id, message_id).update(
            actions=_ended_as(FAILED), condition=(Delivery.state == PENDING) & still_so
        )


def _next_at_ms(delivery: Delivery, tries: int, outcome: Outcome, now_ms: int) -> int | None:
    """A schedule begins when a delivery is made, and again when it is asked for by hand."""
    since_ms = delivery.queued_at or delivery.created_at
    return retry_schedule.next_at_ms(tries, now_ms, not_before_ms=outcome.not_before_ms, since_ms=since_ms)


def _judge(endpoint: Endpoint, outcome: Outcome, now_ms: int) -> None:
    if outcome.is_gone:
        endpoints.disable(endpoint, states.GONE)
    elif not outcome.is_delivered:
        _count_failure(endpoint, outcome, now_ms)
    elif endpoint.failures:
        _update(endpoint, [Endpoint.failures.set(0), Endpoint.failing_since.remove(), Endpoint.quiet_until.remove()])
    is_slow = outcome.took_ms > SLOW_MS
    if is_slow != endpoint.slow:
        _update(endpoint, [Endpoint.slow.set(is_slow)])


def _count_failure(endpoint: Endpoint, outcome: Outcome, now_ms: int) -> None:
    since = Endpoint.failing_since
    actions: list[Action] = [Endpoint.failures.add(1), since.set(since | now_ms)]
    if outcome.is_silent:
        actions.append(Endpoint.quiet_until.set(retry_schedule.quiet_until_ms(endpoint.failures, now_ms)))
    _update(endpoint, actions)
    if retry_schedule.is_given_up(endpoint.failures, endpoint.failing_since or now_ms, now_ms):
        endpoints.disable(endpoint, states.FAILING)


def _update(endpoint: Endpoint, actions: list[Action]) -> None:
    with models.may_be_refused():
        endpoint.update(actions=actions, condition=Endpoint.created_at.exists())


def _ended_as(state: str) -> list[Action]:
    """Return what ends a delivery and takes it out of the queue."""
    return [
        Delivery.state.set(state),
        Delivery.lane.remove(),
        Delivery.due_at.remove(),
        Delivery.claimed_until.remove(),
    ]
