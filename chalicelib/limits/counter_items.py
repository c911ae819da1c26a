"""Layout of the counter items in DynamoDB: one item per subject, tier and clock hour.

One write thus counts both the hour and the burst. `used` counts the hour (see `hourly_quota`). `s<n>` counts burst
window n of the hour (see `burst`); later writes remove old ones. `k…` and `c…` count one API key or OAuth client,
`other` those beyond the item's capacity, `refused` the rejections (see `rejection_counts`). `stale_at` is the time
before which verifications are no longer valid (see `stale_marks`). The item stays under 1 KB, so an update takes one
write unit.
"""

from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock, settings
from chalicelib.limits.tiers import Tier

TABLE = "windows"
COUNTERS_MAX = 30
"""The maximum number of keys and clients that one item counts by name: 30 names of 8 characters take 400 bytes."""
OTHER = "other"
REJECTED = "refused"


@dataclass(frozen=True, slots=True)
class Window:
    """The item and burst window in which a request is counted."""

    subject: str
    tier: Tier
    now_ms: int
    hour: int
    slot: str
    slot_start: int
    """The second in which the burst window began."""

    @property
    def item_key(self) -> tuple[str, int]:
        """Return the key of the item in process-local caches."""
        return partition(self.subject, self.tier), self.hour

    @property
    def hour_ends_ms(self) -> int:
        """Return the time at which the quota resets."""
        return (self.hour + clock.HOUR_S) * 1000

    @property
    def slot_ends_ms(self) -> int:
        """Return the time at which the burst resets."""
        return (self.slot_start + settings.current().burst_window_s) * 1000


def window_at(subject: str, tier: Tier, now_ms: int) -> Window:
    """Return the window in which a request of `subject` is counted."""
    now_s = now_ms // 1000
    hour = clock.hour_of(now_s)
    index = (now_s - hour) // settings.current().burst_window_s
    return Window(subject, tier, now_ms, hour, f"s{index}", hour + index * settings.current().burst_window_s)


def partition(subject: str, tier: Tier) -> str:
    """Return the partition key of a subject's counters in a tier. A new tier starts with a full allowance."""
    return f"{subject}#{tier.name}"


def item_key(subject: str, tier: Tier, hour: int) -> dict[str, Any]:
    """Return the DynamoDB key of an item."""
    return {"subject": {"S": partition(subject, tier)}, "hour": {"N": str(hour)}}


def delete_at_s(tier: Tier, hour: int) -> int:
    """Return the epoch second after which DynamoDB may delete an item."""
    return hour + tier.kept_s


def number(item: dict[str, Any], name: str) -> int:
    """Return a counter of a raw item, 0 if absent."""
    return int(item[name]["N"]) if name in item else 0


def counters(item: dict[str, Any]) -> frozenset[str]:
    """Return the names of the keys and clients that `item` counts."""
    return frozenset(name for name in item if name[0] in "kc" and len(name) == 8)


def counter_of(credential_id: str) -> str:
    """Return the name of the counter of an API key or OAuth client: its kind and the random end of its id."""
    return ("k" if credential_id.startswith("key_") else "c") + credential_id[-7:]
