"""How the counters lie in DynamoDB: one item a subject, tier and clock hour, so one write counts hour and burst.

`used` counts the hour. `s<n>` counts burst window n of the hour; those long past are removed by later writes. `k…` and
`c…` count one key or one OAuth client, `other` those that came when the item was full, `refused` the refusals (see
`refusals`). `stale_at` is the moment since
which nothing verified earlier may be trusted (see `stale`). The whole stays under 1 KB: one write unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chalicelib.core import clock, settings
from chalicelib.limits.tiers import Tier

TABLE = "windows"
SLOTS_KEPT_S = 8
"""How far behind another function's clock may be and still find its burst window: 6 s when one is 3 s fast and one 3 s
slow, and 2 s for a write that was sent twice."""
REMOVED_AT_ONCE = 100
"""An expression is at most 4 KB long; an hour has 3,600 burst windows. What is left goes with the next write."""
COUNTERS_MAX = 30
"""How many keys and clients one item counts by name: 30 names of 8 characters are 400 bytes."""
OTHER = "other"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Window:
    """Where one request at one moment is counted."""

    subject: str
    tier: Tier
    now_ms: int
    hour: int
    slot: str
    slot_start: int
    """The second in which the burst window began."""

    @property
    def item_key(self) -> tuple[str, int]:
        """Return what identifies the item within this process."""
        return partition(self.subject, self.tier), self.hour

    @property
    def hour_ends_ms(self) -> int:
        """Return when the quota is full again."""
        return (self.hour + clock.HOUR_S) * 1000

    @property
    def slot_ends_ms(self) -> int:
        """Return when the burst is full again."""
        return (self.slot_start + settings.current().burst_window_s) * 1000


def window_at(subject: str, tier: Tier, now_ms: int) -> Window:
    """Return the window that a request of `subject` counts in."""
    now_s = now_ms // 1000
    hour = clock.hour_of(now_s)
    index = (now_s - hour) // settings.current().burst_window_s
    return Window(subject, tier, now_ms, hour, f"s{index}", hour + index * settings.current().burst_window_s)


def partition(subject: str, tier: Tier) -> str:
    """Return the hash key of a subject's counters under a tier: a new tier starts with a full allowance."""
    return f"{subject}#{tier.name}"


def item_key(subject: str, tier: Tier, hour: int) -> dict[str, Any]:
    """Return the DynamoDB key of one item."""
    return {"subject": {"S": partition(subject, tier)}, "hour": {"N": str(hour)}}


def dies_at(tier: Tier, hour: int) -> int:
    """Return the second after which DynamoDB may delete an item."""
    return hour + tier.kept_s


def number(item: dict[str, Any], name: str) -> int:
    """Return a counter of a raw item; one that isn't there is 0."""
    return int(item[name]["N"]) if name in item else 0


def past_slots(names: Iterable[str], window: Window) -> tuple[str, ...]:
    """Return those `names` of burst counters that no function's clock can still be in, as many as one write removes."""
    oldest = (window.slot_start - window.hour - SLOTS_KEPT_S) // settings.current().burst_window_s
    past = (name for name in names if name[0] == "s" and name[1:].isdigit() and int(name[1:]) < oldest)
    return tuple(islice(past, REMOVED_AT_ONCE))


def counters(item: dict[str, Any]) -> frozenset[str]:
    """Return the names of the keys and clients that `item` counts."""
    return frozenset(name for name in item if name[0] in "kc" and len(name) == 8)


def counter_of(credential_id: str) -> str:
    """Return the counter of a key, or of an OAuth client: its kind and the random end of its id."""
    return ("k" if credential_id.startswith("key_") else "c") + credential_id[-7:]
