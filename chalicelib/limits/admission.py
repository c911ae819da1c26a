"""The decision to let one request through: one conditional UpdateItem decides quota, burst and staleness, and counts.

Nothing is read first, so nothing can change in between; a refused request consumes nothing. What this process has seen
refused it refuses again from memory, so a flood of refused requests costs next to nothing. Without an hourly quota, one
write may take several admissions (see `leases`). The same write tells what the request shows (see `traits`).
"""

from dataclasses import dataclass, replace

from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, Contended, Throttled, Unreachable
from chalicelib.limits import (
    fail_open,
    leases,
    local_cache,
    quota_thresholds,
    recorded_usage,
    recorded_usage_delta,
    rejection_counts,
)
from chalicelib.limits.counter_items import (
    OTHER,
    REFUSED,
    TABLE,
    Window,
    dies_at,
    item_key,
    number,
    past_slots,
    window_at,
)
from chalicelib.limits.headers import Allowance, allowance, seconds_until
from chalicelib.limits.recorded_usage import Traits
from chalicelib.limits.tiers import Tier

NEVER_STALE = 2**53


class Refused(errors.RateLimited):
    """A limit is spent: which one, and what is left of both."""

    def __init__(self, limit: str, left: Allowance, retry_after_s: int) -> None:
        """Name the `limit`: `quota`, `burst`, or `throttled` when the counter itself had no capacity."""
        super().__init__(retry_after_s)
        self.limit = limit
        self.left = left


class Stale(Exception):
    """Something about the subject changed at `stale_at_ms`, after what the caller knows was verified."""

    def __init__(self, stale_at_ms: int) -> None:
        """Carry the mark: whoever verifies after seeing it has seen the change, whatever the clocks say."""
        super().__init__("verified before the last change")
        self.stale_at_ms = stale_at_ms


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, besides the subject: what one admission is counted under and judged by."""

    counter: str | None = None
    verified_at_ms: int = NEVER_STALE
    shown: Traits = recorded_usage.NOTHING_SHOWN


def admit(
    subject: str,
    tier: Tier,
    *,
    counter: str | None = None,
    verified_at_ms: int = NEVER_STALE,
    shown: Traits = recorded_usage.NOTHING_SHOWN,
) -> Allowance:
    """Let one request of `subject` through and count it, under `counter` too when one is named.

    `verified_at_ms` is when the caller's credential was verified; what the request has `shown` is recorded under its
    counter. Raises Refused when a limit is spent, and Stale when
    account, credentials or grants changed since. When DynamoDB can't answer, the request passes: a limiter outage must
    not be an API outage.
    """
    asked = Asked(counter, verified_at_ms, shown)
    window = window_at(subject, tier, clock.now_ms())
    seen = local_cache.of(window)
    if (
        tier.quota is None
        and recorded_usage.is_old_news(seen.known, counter, shown)
        and (burst_used := leases.spend(window, counter, verified_at_ms)) is not None
    ):
        return allowance(window, used=seen.used, burst_used=burst_used)
    _refuse_what_was_refused(window, seen, counter)
    if fail_open.lasts(window.now_ms):
        return allowance(window, used=seen.used, burst_used=0)
    take = leases.wanted(window, counter, seen) if tier.quota is None else leases.ONE
    try:
        item, size = _counted(window, seen, asked, take)
    except Throttled:
        # Letting it through would reward a flood with a free pass.
        left = allowance(window, used=seen.used, burst_used=tier.burst)
        raise Refused("throttled", left, 1) from None
    except (Unreachable, Contended):
        # From now on, not from the request's arrival: waiting for the answer may have taken longer than that.
        fail_open.begins(clock.now_ms())
        telemetry.count("LimiterUnavailable")
        return allowance(window, used=seen.used, burst_used=0)
    used = number(item, "used")
    crossed = quota_thresholds.crossed(tier, known=seen.used, used=used)
    local_cache.note(window, item)
    return allowance(window, used=used, burst_used=number(item, window.slot) - size + 1, crossed=crossed)


def recall(subject: str, tier: Tier) -> None:
    """Raise Refused when this process knows that a limit of `subject` is spent; ask nobody and count nothing."""
    window = window_at(subject, tier, clock.now_ms())
    _refuse_what_was_refused(window, local_cache.of(window))


def _refuse_what_was_refused(window: Window, seen: local_cache.Seen, counter: str | None = None) -> None:
    """A counter only grows: what was spent stays spent until its window ends, or the quota until it is asked again."""
    if seen.quota_is_spent(window.now_ms):
        raise _refusal("quota", window, counter, seen.used, seen.burst_used(window))
    if seen.burst_spent_in == window.slot:
        raise _refusal("burst", window, counter, seen.used, window.tier.burst)


def _counted(window: Window, seen: local_cache.Seen, asked: Asked, take: leases.Take) -> tuple[dynamodb.Json, int]:
    """Take `take` in one write, or one admission where there is no room for a lease.

    Returns the item after it and how many were taken.
    """
    try:
        with rejection_counts.taken(window) as told_no:
            request = _request(window, seen, asked, told_no, take)
            item: dynamodb.Json = dynamodb.call("UpdateItem", request, dynamodb.AT_ONCE)["Attributes"]
    except ConditionFailed as refusal:
        if take.size > 1 and _is_short_of_room(window, refusal.item, asked.verified_at_ms):
            local_cache.note(window, refusal.item)
            return _counted(window, seen, asked, replace(take, size=1))
        raise _explain(window, refusal.item, asked) from None
    if window.tier.quota is None:
        leases.taken(window, asked.counter, asked.verified_at_ms, take, number(item, window.slot))
    return item, take.size


def _is_short_of_room(window: Window, item: dynamodb.Json, verified_at_ms: int) -> bool:
    """Tell whether only the lease was too much: one request may still pass."""
    return number(item, window.slot) < window.tier.burst and number(item, "stale_at") <= verified_at_ms


def _request(
    window: Window, seen: local_cache.Seen, asked: Asked, told_no: rejection_counts.Sum, take: leases.Take
) -> dynamodb.Json:
    """Build the one write. Its condition is the rule, and wins every race between functions for the last admission."""
    learnt = recorded_usage_delta.learnt(seen.known, asked.counter, asked.shown, told_no.by_name)
    names = {"#slot": window.slot, **learnt.names}
    values: dynamodb.Json = {
        ":size": {"N": str(take.size)},
        ":used": {"N": str(take.size - take.returned)},
        ":below": {"N": str(leases.below(window, take.size))},
        ":verified_at": {"N": str(asked.verified_at_ms)},
        ":dies_at": {"N": str(dies_at(window.tier, window.hour))},
        **learnt.values,
    }
    condition = (
        "(attribute_not_exists(#slot) OR #slot < :below)"
        " AND (attribute_not_exists(stale_at) OR stale_at <= :verified_at)"
    )
    if window.tier.quota is not None:
        condition += " AND (attribute_not_exists(used) OR used < :quota)"
        values[":quota"] = {"N": str(window.tier.quota)}
    update = f"SET dies_at = :dies_at{learnt.sets} ADD used :used, #slot :size{learnt.adds}"
    if asked.counter is not None:
        names["#counter"] = asked.counter if seen.has_room_for(asked.counter) else OTHER
        update += ", #counter :used"
    if told_no.refused:
        values[":refused"] = {"N": str(told_no.refused)}
        update += f", {REFUSED} :refused"
    # Judged again by this moment's clock: one that was set back may count in a window that seemed past.
    gone = (*past_slots(seen.past, window), *learnt.removes)
    if gone:
        update += " REMOVE " + ", ".join(gone)
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


def _explain(window: Window, item: dynamodb.Json, asked: Asked) -> Exception:
    """Name what refused, from the item the condition was judged on. Staleness first: it may change the limits."""
    if number(item, "stale_at") > asked.verified_at_ms:
        return Stale(number(item, "stale_at"))
    local_cache.note(window, item)
    used, burst_used = number(item, "used"), number(item, window.slot)
    if window.tier.quota is not None and used >= window.tier.quota:
        local_cache.quota_is_spent(window)
        return _refusal("quota", window, asked.counter, used, burst_used)
    local_cache.burst_is_spent(window)
    return _refusal("burst", window, asked.counter, used, burst_used)


def _refusal(limit: str, window: Window, counter: str | None, used: int, burst_used: int) -> Refused:
    rejection_counts.note(window, counter)
    left = allowance(window, used=used, burst_used=burst_used)
    full_again_ms = window.hour_ends_ms if limit == "quota" else window.slot_ends_ms
    return Refused(limit, left, seconds_until(full_again_ms, window.now_ms))
