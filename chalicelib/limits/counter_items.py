"""Layout of the counter items in DynamoDB: one item per subject, tier and clock hour.

Since an item contains the counters of both limits, one write updates both. `used` counts the requests of the hour (see
`hourly_quota`). `s<n>` counts those of the hour's burst window n (see `burst`); later writes remove old counters. `k…`
and `c…` count the requests of one API key or OAuth client. `other` counts those of further keys and clients for which
the item has no room, and `refused` counts rejections (see `rejection_counts`). Verifications before the time `stale_at`
are no longer valid (see `stale_marks`). The item stays under 1 KB, so an update takes one write unit.
"""

from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock, settings
from chalicelib.limits.tiers import Tier

TABLE = "windows"
COUNTERS_MAX = 30
"""The maximum number of keys and clients for which one item has a counter. 30 counters with names of 8 characters take
400 bytes.
"""
OTHER = "other"
REJECTED = "refused"


@dataclass(frozen=True, slots=True)
class Window:
    """The counter item and the burst window in which a request is counted."""

    subject: str
    tier: Tier
    now_ms: int
    hour: int
    slot: str
    slot_start: int
    """The epoch second at which the burst window began."""

    @property
    def item_key(self) -> tuple[str, int]:
        """Return the key of the counter item in caches of this process."""
        return partition(self.subject, self.tier), self.hour

    @property
    def hour_ends_ms(self) -> int:
        """Return the time at which the hourly quota resets."""
        return (self.hour + clock.HOUR_S) * 1000

    @property
    def slot_ends_ms(self) -> int:
        """Return the time at which the burst limit resets."""
        return (self.slot_start + settings.current().burst_window_s) * 1000


def window_at(subject: str, tier: Tier, now_ms: int) -> Window:
    """Return the window in which a request of `subject` at `now_ms` is counted."""
    now_s = now_ms // 1000
    hour = clock.hour_of(now_s)
    index = (now_s - hour) // settings.current().burst_window_s
    return Window(subject, tier, now_ms, hour, f"s{index}", hour + index * settings.current().burst_window_s)


def partition(subject: str, tier: Tier) -> str:
    """Return the partition key of a subject's counters.

    It includes the tier, so that a new tier starts with a full allowance.
    """
    return f"{subject}#{tier.name}"


def item_key(subject: str, tier: Tier, hour: int) -> dict[str, Any]:
    """Return the DynamoDB key of a counter item."""
    return {"subject": {"S": partition(subject, tier)}, "hour": {"N": str(hour)}}


def delete_at_s(tier: Tier, hour: int) -> int:
    """Return the epoch second after which DynamoDB may delete a counter item."""
    return hour + tier.kept_s


def number(item: dict[str, Any], name: str) -> int:
    """Return the value of a counter in a raw item, or 0 if the item doesn't contain it."""
    return int(item[name]["N"]) if name in item else 0


def counters(item: dict[str, Any]) -> frozenset[str]:
    """Return the names of the counters for keys and clients in a raw item."""
    return frozenset(name for name in item if name[0] in "kc" and len(name) == 8)


def counter_of(credential_id: str) -> str:
    """Return the name of the counter for an API key or OAuth client: a letter for its type, and the last part of its
    id.
    """
    return ("k" if credential_id.startswith("key_") else "c") + credential_id[-7:]
