"""Decide whether to admit one request, with one conditional UpdateItem that checks the limits and counts the request.

The condition also fails if the caller must be verified again. No read precedes the write, so there is no race. A
rejected request consumes nothing, and the local cache repeats known rejections without a call, so a flood of rejected
requests costs almost nothing. For tiers without an hourly quota, one write may admit several requests (see `leases`).
The same write also records per-credential usage (see `recorded_usage`).
"""

from dataclasses import dataclass, replace

from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, Contended, Throttled, Unreachable
from chalicelib.limits import (
    burst,
    fail_open,
    hourly_quota,
    leases,
    local_cache,
    quota_thresholds,
    recorded_usage,
    recorded_usage_delta,
    rejection_counts,
)
from chalicelib.limits.counter_items import (
    OTHER,
    REJECTED,
    TABLE,
    Window,
    delete_at_s,
    item_key,
    number,
    window_at,
)
from chalicelib.limits.headers import Allowance, allowance, seconds_until
from chalicelib.limits.recorded_usage import RequestUsage
from chalicelib.limits.tiers import Tier

NEVER_STALE = 2**53


class Rejected(errors.RateLimited):
    """A limit is exhausted. `limit` is the name of this limit, and `left` contains what remains of both limits."""

    def __init__(self, limit: str, left: Allowance, retry_after_s: int) -> None:
        """Set `limit`, which is `quota`, `burst`, or `throttled` if DynamoDB throttled the counter itself."""
        super().__init__(retry_after_s)
        self.limit = limit
        self.left = left


class Stale(Exception):
    """The account, its credentials or its grants changed at `stale_at_ms`, after the caller was verified."""

    def __init__(self, stale_at_ms: int) -> None:
        """Store the mark.

        A verification that starts after the mark was read includes the change, even if clocks differ.
        """
        super().__init__("verified before the last change")
        self.stale_at_ms = stale_at_ms


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to admit a request: the caller's counter, the time of the caller's verification, and the usage to
    record.
    """

    counter: str | None = None
    verified_at_ms: int = NEVER_STALE
    usage: RequestUsage = recorded_usage.NO_USAGE


def admit(
    subject: str,
    tier: Tier,
    *,
    counter: str | None = None,
    verified_at_ms: int = NEVER_STALE,
    shown: RequestUsage = recorded_usage.NO_USAGE,
) -> Allowance:
    """Admit one request of `subject` and count it. If `counter` is given, the request is also counted under that name.

    `verified_at_ms` is the time at which the caller's credential was verified. The usage `shown` is recorded under
    `counter`. Raises Rejected when a limit is exhausted, and Stale when the account, its credentials or its grants have
    changed since the verification. If DynamoDB is unavailable, the request is admitted, because an outage of the
    limiter must not become an outage of the API.
    """
    attempt = Attempt(counter, verified_at_ms, shown)
    window = window_at(subject, tier, clock.now_ms())
    cached = local_cache.lookup(window)
    if (
        tier.quota is None
        and recorded_usage.is_already_recorded(cached.recorded, counter, shown)
        and (burst_used := leases.spend(window, counter, verified_at_ms)) is not None
    ):
        return allowance(window, used=cached.used, burst_used=burst_used)
    _reject_from_cache(window, cached, counter)
    if fail_open.is_active(window.now_ms):
        return allowance(window, used=cached.used, burst_used=0)
    reservation = leases.choose_reservation(window, counter, cached) if tier.quota is None else leases.SINGLE
    try:
        item, size = _count(window, cached, attempt, reservation)
    except Throttled:
        # If a throttled request were admitted, a flood of requests would be admitted too.
        left = allowance(window, used=cached.used, burst_used=tier.burst)
        raise Rejected("throttled", left, 1) from None
    except (Unreachable, Contended):
        # Use the current time and not that of the request's arrival, because waiting for the timeout may have taken
        # longer than the fail-open period.
        fail_open.start(clock.now_ms())
        telemetry.count("LimiterUnavailable")
        return allowance(window, used=cached.used, burst_used=0)
    used = number(item, "used")
    crossed = quota_thresholds.find_crossed(tier, known=cached.used, used=used)
    local_cache.store(window, item)
    return allowance(window, used=used, burst_used=number(item, window.slot) - size + 1, crossed=crossed)


def raise_cached_rejection(subject: str, tier: Tier) -> None:
    """Raise Rejected if the local cache says that a limit of `subject` is exhausted.

    No counter is read, and nothing is consumed.
    """
    window = window_at(subject, tier, clock.now_ms())
    _reject_from_cache(window, local_cache.lookup(window))


def _reject_from_cache(window: Window, cached: local_cache.CachedItem, counter: str | None = None) -> None:
    """Raise Rejected if a limit is cached as exhausted.

    Counters never decrease, so an exhausted limit remains exhausted until its window ends.
    """
    if cached.quota_is_exhausted(window.now_ms):
        raise _rejection("quota", window, counter, cached.used, cached.burst_used(window))
    if cached.burst_exhausted_in == window.slot:
        raise _rejection("burst", window, counter, cached.used, window.tier.burst)


def _count(
    window: Window, cached: local_cache.CachedItem, attempt: Attempt, reservation: leases.Reservation
) -> tuple[dynamodb.Json, int]:
    """Count the admissions of `reservation` in one write. If there is no room for a lease, count a single admission.

    Returns the updated item and the number of counted admissions.
    """
    try:
        with rejection_counts.flush_with(window) as rejections:
            request = _build_update(window, cached, attempt, rejections, reservation)
            item: dynamodb.Json = dynamodb.call("UpdateItem", request, dynamodb.FAIL_FAST)["Attributes"]
    except ConditionFailed as failure:
        if reservation.size > 1 and _has_room_for_one(window, failure.item, attempt.verified_at_ms):
            local_cache.store(window, failure.item)
            return _count(window, cached, attempt, replace(reservation, size=1))
        raise _explain(window, failure.item, attempt) from None
    if window.tier.quota is None:
        leases.record(window, attempt.counter, attempt.verified_at_ms, reservation, number(item, window.slot))
    return item, reservation.size


def _has_room_for_one(window: Window, item: dynamodb.Json, verified_at_ms: int) -> bool:
    """Return whether a lease was rejected only because of its size, so that a single admission may still succeed."""
    return number(item, window.slot) < window.tier.burst and number(item, "stale_at") <= verified_at_ms


def _build_update(
    window: Window,
    cached: local_cache.CachedItem,
    attempt: Attempt,
    rejections: rejection_counts.Counts,
    reservation: leases.Reservation,
) -> dynamodb.Json:
    """Build the UpdateItem request.

    Its condition checks the limits, so two functions can't both get the last admission.
    """
    delta = recorded_usage_delta.compute_delta(cached.recorded, attempt.counter, attempt.usage, rejections.by_name)
    names = {"#slot": window.slot, **delta.names}
    values: dynamodb.Json = {
        ":size": {"N": str(reservation.size)},
        ":used": {"N": str(reservation.size - reservation.returned)},
        ":below": {"N": str(leases.burst_bound(window, reservation.size))},
        ":verified_at": {"N": str(attempt.verified_at_ms)},
        ":dies_at": {"N": str(delete_at_s(window.tier, window.hour))},
        **delta.values,
    }
    condition = f"{burst.CONDITION} AND (attribute_not_exists(stale_at) OR stale_at <= :verified_at)"
    if window.tier.quota is not None:
        condition += f" AND {hourly_quota.CONDITION}"
        values[":quota"] = {"N": str(window.tier.quota)}
    update = f"SET dies_at = :dies_at{delta.sets} ADD used :used, #slot :size{delta.adds}"
    if attempt.counter is not None:
        names["#counter"] = attempt.counter if cached.has_room_for(attempt.counter) else OTHER
        update += ", #counter :used"
    if rejections.rejected:
        values[":refused"] = {"N": str(rejections.rejected)}
        update += f", {REJECTED} :refused"
    # Filter once more by the current time: if the clock was set back, a window that was past may be the current one
    # again.
    removed = (*burst.past_slots(cached.past, window), *delta.removes)
    if removed:
        update += " REMOVE " + ", ".join(removed)
    return {
        "TableName": settings.current().table(TABLE),
        "Key": item_key(window.subject, window.tier, window.hour),
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _explain(window: Window, item: dynamodb.Json, attempt: Attempt) -> Exception:
    """Return the error that explains a failed condition, given the item at that time.

    Stale is returned before any limit is checked, because the change may have set another tier.
    """
    if number(item, "stale_at") > attempt.verified_at_ms:
        return Stale(number(item, "stale_at"))
    local_cache.store(window, item)
    used, burst_used = number(item, "used"), number(item, window.slot)
    if hourly_quota.is_exhausted(window.tier, item):
        local_cache.mark_quota_exhausted(window)
        return _rejection("quota", window, attempt.counter, used, burst_used)
    local_cache.mark_burst_exhausted(window)
    return _rejection("burst", window, attempt.counter, used, burst_used)


def _rejection(limit: str, window: Window, counter: str | None, used: int, burst_used: int) -> Rejected:
    rejection_counts.record_rejection(window, counter)
    left = allowance(window, used=used, burst_used=burst_used)
    resets_ms = window.hour_ends_ms if limit == "quota" else window.slot_ends_ms
    return Rejected(limit, left, seconds_until(resets_ms, window.now_ms))
