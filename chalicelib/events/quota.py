"""Telling an account that the quota of an hour is nearly spent, or spent: once each, by who gets it there."""

from typing import Any

from chalicelib.core import clock
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.events import kinds, notable
from chalicelib.limits import quota_thresholds
from chalicelib.limits.counter_items import number
from chalicelib.limits.tiers import Tier

_KINDS = {quota_thresholds.NEARLY_SPENT: kinds.QUOTA_NEARLY_SPENT, quota_thresholds.SPENT: kinds.QUOTA_SPENT}


def tell(
    account_id: str, tier: Tier, hour: int, what: str, *, used: int, actor: str = notable.LATCHKEY, ip: str = ""
) -> bool:
    """Record what the quota of an hour has come to; tell whether this call did.

    Never raises for what the database says: it is told beside an answer that stands. The hourly look makes up for it.
    """
    try:
        return _tell(account_id, tier, hour, what, used=used, actor=actor, ip=ip)
    except WireError:
        # Counted and logged where it was raised.
        return False


def sweep_account(account_id: str, tier: Tier, hour: int, item: dict[str, Any]) -> int:
    """Record what an hour's raw counters have come to and no admission told; return how much that was.

    Raises WireError when the database didn't write it.
    """
    used = number(item, "used")
    return sum(_tell(account_id, tier, hour, what, used=used) for what in quota_thresholds.reached(tier, used))


def _tell(
    account_id: str, tier: Tier, hour: int, what: str, *, used: int, actor: str = notable.LATCHKEY, ip: str = ""
) -> bool:
    changed = {
        "tier": tier.name,
        "used": str(used),
        "quota": str(tier.quota),
        "resets_at": clock.iso((hour + clock.HOUR_S) * 1000),
    }
    return notable.tell_once(account_id, _KINDS[what], f"{tier.name}#{hour}", changed, actor=actor, ip=ip)
