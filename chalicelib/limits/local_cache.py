"""This process's cache of the counter items. With it, the process rejects further requests without a DynamoDB call.

It also contains the names of old burst counters, which the next write removes. No request is admitted because of a
cached value.
"""

from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.process_cache import ProcessCache
from chalicelib.limits import recorded_usage
from chalicelib.limits.burst import past_slots
from chalicelib.limits.counter_items import COUNTERS_MAX, Window, counters, number

ITEMS_MAX = 4_096
QUOTA_RECHECK_MS = 10_000
"""How long an exhausted quota is cached. Thus a new tier or a reinstatement takes effect within 10 s."""


@dataclass(slots=True)
class CachedItem:
    """The last known state of one counter item."""

    used: int = 0
    slots: dict[str, int] = field(default_factory=dict)
    past: tuple[str, ...] = ()
    counters: frozenset[str] = frozenset()
    recorded: recorded_usage.RecordedUsage = recorded_usage.NOTHING_RECORDED
    quota_exhausted_at_ms: int = -QUOTA_RECHECK_MS
    burst_exhausted_in: str = ""

    def has_room_for(self, counter: str) -> bool:
        """Return whether the item contains the counter, or has room for it."""
        return counter in self.counters or len(self.counters) < COUNTERS_MAX

    def quota_is_exhausted(self, now_ms: int) -> bool:
        """Return whether the quota was found exhausted in the last 10 s. False if the clock was set back to before the
        quota was found exhausted.
        """
        return self.quota_exhausted_at_ms <= now_ms < self.quota_exhausted_at_ms + QUOTA_RECHECK_MS

    def burst_used(self, window: Window) -> int:
        """Return the cached usage of the burst window."""
        return self.slots.get(window.slot, 0)


_items: ProcessCache[tuple[str, int], CachedItem] = ProcessCache("limits.local_cache", ITEMS_MAX)
_EMPTY = CachedItem()


def lookup(window: Window) -> CachedItem:
    """Return the cached state of the item of `window`."""
    return _items.get(window.item_key, _EMPTY)


def store(window: Window, item: dict[str, Any]) -> None:
    """Cache `item` as DynamoDB returned it."""
    cached = _get_or_create(window)
    cached.used = number(item, "used")
    cached.slots = {window.slot: number(item, window.slot)}
    cached.past = past_slots(item, window)
    cached.counters = counters(item)
    cached.recorded = recorded_usage.parse(item)


def mark_quota_exhausted(window: Window) -> None:
    """Cache that the quota is exhausted. For 10 s, requests are then rejected without reading the counter."""
    _get_or_create(window).quota_exhausted_at_ms = window.now_ms


def mark_burst_exhausted(window: Window) -> None:
    """Cache that the burst limit is exhausted. Requests are rejected until this burst window ends."""
    _get_or_create(window).burst_exhausted_in = window.slot


def _get_or_create(window: Window) -> CachedItem:
    cached = _items.get(window.item_key)
    if cached is None:
        cached = _items[window.item_key] = CachedItem()
    return cached
