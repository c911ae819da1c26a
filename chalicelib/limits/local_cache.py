"""What this process remembers of the counters it has touched: enough to refuse without asking, and to tidy in passing.

Never consulted to let anything through.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from chalicelib.limits import recorded_usage
from chalicelib.limits.counter_items import COUNTERS_MAX, Window, counters, number, past_slots

ITEMS_MAX = 4_096
QUOTA_ASKED_AGAIN_MS = 10_000
"""A spent quota is believed for so long: a new tier or a reinstatement shows within 10 s even to a refused caller."""


@dataclass(slots=True)
class Seen:
    """The last known state of one item."""

    used: int = 0
    slots: dict[str, int] = field(default_factory=dict)
    past: tuple[str, ...] = ()
    counters: frozenset[str] = frozenset()
    known: recorded_usage.Known = recorded_usage.NOTHING_KNOWN
    quota_spent_at_ms: int = -QUOTA_ASKED_AGAIN_MS
    burst_spent_in: str = ""

    def has_room_for(self, counter: str) -> bool:
        """Tell whether `counter` may be counted by name."""
        return counter in self.counters or len(self.counters) < COUNTERS_MAX

    def quota_is_spent(self, now_ms: int) -> bool:
        """Tell whether the quota was found spent a moment ago. A clock that jumps back doesn't prolong the moment."""
        return self.quota_spent_at_ms <= now_ms < self.quota_spent_at_ms + QUOTA_ASKED_AGAIN_MS

    def burst_used(self, window: Window) -> int:
        """Return what this process knows to be used of the burst window."""
        return self.slots.get(window.slot, 0)


_items: OrderedDict[tuple[str, int], Seen] = OrderedDict()
_nothing = Seen()


def of(window: Window) -> Seen:
    """Return what is known of the item that `window` counts in."""
    return _items.get(window.item_key, _nothing)


def note(window: Window, item: dict[str, Any]) -> None:
    """Remember `item` as DynamoDB has just shown it."""
    seen = _remembered(window)
    seen.used = number(item, "used")
    seen.slots = {window.slot: number(item, window.slot)}
    seen.past = past_slots(item, window)
    seen.counters = counters(item)
    seen.known = recorded_usage.known(item)


def quota_is_spent(window: Window) -> None:
    """Refuse from memory until the hour ends, but ask again after 10 s."""
    _remembered(window).quota_spent_at_ms = window.now_ms


def burst_is_spent(window: Window) -> None:
    """Refuse from memory until this burst window ends."""
    _remembered(window).burst_spent_in = window.slot


def forget() -> None:
    """Forget everything, as a new process would."""
    _items.clear()


def _remembered(window: Window) -> Seen:
    seen = _items.get(window.item_key)
    if seen is None:
        seen = _items[window.item_key] = Seen()
        if len(_items) > ITEMS_MAX:
            _items.popitem(last=False)
    return seen
