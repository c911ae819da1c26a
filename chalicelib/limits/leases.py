"""Several admissions in one write, for an account without an hourly quota that asks often: a lease, spent from memory.

A lease is at most a tenth of what this process let through in the last burst window, and is good for one second of its
own window at most; what is left then is lost, and taken off the usage by the next write. So all leases of a window hold
at most a tenth of the burst, and none reaches beyond 80 % of it: a client that keeps under 80 % is never refused for
what was left unspent.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from chalicelib.core import settings
from chalicelib.limits import local_cache
from chalicelib.limits.counter_items import Window

PART = 10
"""A lease is at most one part in so many of what was let through in the last window."""
FILLED_PERCENT = 80
"""How far leases may fill the burst; above that every request is counted by itself."""
LIVES_MS = 1_000
"""How long a lease is good for, and so how late a revocation may be noticed."""
CALLERS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Take:
    """What one write takes: how many admissions, and how many unspent ones of the past it takes off what was used."""

    size: int
    returned: int = 0


ONE = Take(1)

_Key = tuple[tuple[str, int], str | None]
"""An item and the counter under which a caller is counted in it: no key spends what another was given."""


@dataclass(slots=True)
class _Caller:
    """What this process let through for one caller in this window and the last, and what it holds for the caller."""

    slot_start: int
    count: int = 0
    count_before: int = 0
    verified_at_ms: int = 0
    taken_ms: int = 0
    is_taking: bool = False
    held: list[int] = field(default_factory=list)
    """How much of the burst was used once each admission is spent, the next one last."""
    unspent: int = 0
    """How many admissions of earlier leases were lost: counted as used, and not."""

    def holds_for(self, verified_at_ms: int, now_ms: int) -> bool:
        """Tell whether what is held is good for a caller verified then: no earlier than who took it, nor too late."""
        return verified_at_ms >= self.verified_at_ms and 0 <= now_ms - self.taken_ms < LIVES_MS


_callers: OrderedDict[_Key, _Caller] = OrderedDict()


def spend(window: Window, counter: str | None, verified_at_ms: int) -> int | None:
    """Spend one admission that is held for a caller; return how much of the burst is used then, None without one."""
    caller = _callers.get((window.item_key, counter))
    if caller is None or caller.slot_start != window.slot_start or not caller.holds_for(verified_at_ms, window.now_ms):
        return None
    try:
        # One step, so no two threads spend the same.
        burst_used = caller.held.pop()
    except IndexError:
        return None
    caller.count += 1
    return burst_used


def wanted(window: Window, counter: str | None, seen: local_cache.Seen) -> Take:
    """Return what the next write for a caller should take: one admission, or a lease by the rate just seen."""
    caller = _of(window, counter)
    one = Take(1, caller.unspent)
    if caller.is_taking and 0 <= window.now_ms - caller.taken_ms < LIVES_MS:
        # Another thread is about to bring one.
        return one
    window_ms = settings.current().burst_window_s * 1000
    until_end = caller.count_before * (window.slot_ends_ms - window.now_ms) // window_ms
    size = min(caller.count_before // PART, until_end)
    if size < 2 or seen.burst_used(window) >= below(window, size):
        return one
    caller.is_taking, caller.taken_ms = True, window.now_ms
    return Take(size, caller.unspent)


def below(window: Window, size: int) -> int:
    """Return what the burst window's counter must be below for `size` admissions to be taken at once."""
    return window.tier.burst if size == 1 else window.tier.burst * FILLED_PERCENT // 100 - size + 1


def taken(window: Window, counter: str | None, verified_at_ms: int, take: Take, burst_used: int) -> None:
    """Note that a write took `take`, one admission of which is spent; the burst's counter shows `burst_used`."""
    caller = _of(window, counter)
    caller.count += 1
    caller.unspent -= take.returned
    if take.size > 1:
        caller.unspent += len(caller.held)
        caller.verified_at_ms, caller.taken_ms, caller.is_taking = verified_at_ms, window.now_ms, False
        caller.held = [burst_used - left for left in range(take.size - 1)]


def forget() -> None:
    """Forget everything, as a new process would."""
    _callers.clear()


def _of(window: Window, counter: str | None) -> _Caller:
    """Return a caller in this window; what was held for the last one is dropped."""
    key = window.item_key, counter
    known = _callers.get(key)
    if known is not None and known.slot_start == window.slot_start:
        return known
    caller = _callers[key] = _Caller(window.slot_start)
    if known is not None:
        caller.unspent = known.unspent + len(known.held)
        if known.slot_start + settings.current().burst_window_s == window.slot_start:
            caller.count_before = known.count
    if len(_callers) > CALLERS_MAX:
        _callers.popitem(last=False)
    return caller
