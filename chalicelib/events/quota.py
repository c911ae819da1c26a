"""Record events when the hourly quota of an account reaches 80 % and 100 %, once for each threshold and hour."""

from typing import Any

from chalicelib.core import clock
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.events import kinds, notable
from chalicelib.limits import quota_thresholds
from chalicelib.limits.counter_items import number
from chalicelib.limits.tiers import Tier

_KINDS = {quota_thresholds.NEARLY_SPENT: kinds.QUOTA_NEARLY_SPENT, quota_thresholds.SPENT: kinds.QUOTA_SPENT}


def record_threshold(
    account_id: str, tier: Tier, hour: int, threshold: str, *, used: int, actor: str = notable.SYSTEM, ip: str = ""
) -> bool:
    """Record that an account reached a quota threshold; return whether this call recorded it.

    Database errors aren't raised, because the request is admitted already. The hourly run records missing events.
    """
    try:
        return _record(account_id, tier, hour, threshold, used=used, actor=actor, ip=ip)
    except DynamoDBError:
        # `notable` has already counted and logged the error.
        return False


def sweep_account(account_id: str, tier: Tier, hour: int, item: dict[str, Any]) -> int:
    """Record the quota thresholds that an hour's counters have reached and no request has recorded; return their
    number.

    Raises DynamoDBError when DynamoDB fails.
    """
    used = number(item, "used")
    return sum(
        _record(account_id, tier, hour, threshold, used=used) for threshold in quota_thresholds.find_reached(tier, used)
    )


def _record(
    account_id: str, tier: Tier, hour: int, threshold: str, *, used: int, actor: str = notable.SYSTEM, ip: str = ""
) -> bool:
    changed = {
        "tier": tier.name,
        "used": str(used),
        "quota": str(tier.quota),
        "resets_at": clock.iso((hour + clock.HOUR_S) * 1000),
    }
    return notable.record_once(account_id, _KINDS[threshold], f"{tier.name}#{hour}", changed, actor=actor, ip=ip)
