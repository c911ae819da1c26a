"""Record the outcome of an attempt. The delivery is then delivered, due again, or failed. Also update the endpoint's
health.
"""

from pynamodb.expressions.update import Action

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.webhooks import endpoints, retry_schedule, states
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint

ATTEMPTS_KEPT = 20
SLOW_MS = 2_000
"""An endpoint is slow if its last response took more milliseconds than this. Only the sweep sends to slow endpoints."""


def record_outcome(endpoint: Endpoint, delivery: Delivery, outcome: Outcome) -> None:
    """Record the outcome of an attempt.

    If the function crashes before this write, the delivery is attempted again.
    """
    tries, now_ms = delivery.tries + 1, clock.now_ms()
    due_at = None if outcome.is_delivered else _next_attempt_at_ms(delivery, tries, outcome, now_ms)
    attempts = [*delivery.attempts, outcome.to_attempt()][-ATTEMPTS_KEPT:]
    actions: list[Action] = [Delivery.tries.set(tries), Delivery.attempts.set(attempts)]
    if due_at is not None:
        actions += [Delivery.due_at.set(due_at), Delivery.claimed_until.remove()]
    else:
        actions += _complete_as(DELIVERED if outcome.is_delivered else FAILED)
    # Record a success in any state, but a failure only while the delivery is pending: a success is final, even if a
    # concurrent second attempt fails.
    condition = Delivery.created_at.exists() if outcome.is_delivered else Delivery.state == PENDING
    with models.ignore_condition_failure():
        delivery.update(actions=actions, condition=condition)
    telemetry.log_metrics(
        "webhook",
        {"WebhookAttempts": 1, "WebhookFailures": int(not outcome.is_delivered)},
        endpoint_id=endpoint.id,
        message_id=delivery.id,
        status=outcome.status,
        took_ms=outcome.took_ms,
    )
    _update_health(endpoint, outcome, now_ms)


def drop(endpoint_id: str, message_id: str, decided_at_ms: int) -> None:
    """Mark a pending delivery as failed, unless it was resent manually after `decided_at_ms`, the time of the decision
    to drop it.

    A failed delivery can still be resent manually.
    """
    queued_at = Delivery.queued_at
    is_unchanged = queued_at.does_not_exist() | (queued_at < decided_at_ms)
    with models.ignore_condition_failure():
        Delivery(endpoint_id, message_id).update(
            actions=_complete_as(FAILED), condition=(Delivery.state == PENDING) & is_unchanged
        )


def _next_attempt_at_ms(delivery: Delivery, tries: int, outcome: Outcome, now_ms: int) -> int | None:
    """Return the time of the next attempt. The retry schedule starts when the delivery is created, and again when it is
    resent manually.
    """
    since_ms = delivery.queued_at or delivery.created_at
    return retry_schedule.next_attempt_at_ms(tries, now_ms, not_before_ms=outcome.not_before_ms, since_ms=since_ms)


def _update_health(endpoint: Endpoint, outcome: Outcome, now_ms: int) -> None:
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
    if outcome.is_unreachable:
        actions.append(Endpoint.quiet_until.set(retry_schedule.quiet_until_ms(endpoint.failures, now_ms)))
    _update(endpoint, actions)
    if retry_schedule.should_disable(endpoint.failures, endpoint.failing_since or now_ms, now_ms):
        endpoints.disable(endpoint, states.FAILING)


def _update(endpoint: Endpoint, actions: list[Action]) -> None:
    with models.ignore_condition_failure():
        endpoint.update(actions=actions, condition=Endpoint.created_at.exists())


def _complete_as(state: str) -> list[Action]:
    """Return the update that completes a delivery and removes it from the queue."""
    return [
        Delivery.state.set(state),
        Delivery.lane.remove(),
        Delivery.due_at.remove(),
        Delivery.claimed_until.remove(),
    ]
