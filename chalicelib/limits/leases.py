"""Leases: admit several requests with one write, for an account without an hourly quota that sends many requests.

The write reserves admissions, and this process then admits requests from memory until the lease is spent. A lease
contains at most a tenth as many admissions as the process made in the last burst window. It expires after one second,
or when its window ends. Unspent admissions are lost, and the next write subtracts them from the usage. All leases of a
window together contain at most a tenth of the burst limit, and none is granted above 80 % of that limit. Thus a client
that stays below 80 % is never rejected because of unspent admissions.
"""

from dataclasses import dataclass, field

from chalicelib.core import settings
from chalicelib.core.process_cache import ProcessCache
from chalicelib.limits import local_cache
from chalicelib.limits.counter_items import Window

FRACTION = 10
"""The divisor for the size of a lease: at most one tenth of the requests admitted in the last window."""
FILLED_PERCENT = 80
"""Leases are granted only up to this percentage of the burst limit. Above it, each request is counted by its own write.
"""
LIFETIME_MS = 1_000
"""How long a lease is valid. A revocation takes effect at the latest after this time."""
CALLERS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Reservation:
    """The number of admissions that a write counts, and the number of unspent ones that it subtracts from the usage."""

    size: int
    returned: int = 0


SINGLE = Reservation(1)

_Key = tuple[tuple[str, int], str | None]
"""The key of a counter item, and the name of a counter in it. Each counter has its own lease."""


@dataclass(slots=True)
class _Caller:
    """The state of one caller in this process: the numbers of requests admitted in this and in the previous window, and
    the lease.
    """

    slot_start: int
    count: int = 0
    previous_count: int = 0
    verified_at_ms: int = 0
    acquired_ms: int = 0
    is_acquiring: bool = False
    held: list[int] = field(default_factory=list)
    """For each remaining admission of the lease, the usage of the burst window after this admission is spent. The last
    element is used next.
    """
    unspent: int = 0
    """The number of admissions of expired leases that were counted as used but never spent."""

    def is_usable(self, verified_at_ms: int, now_ms: int) -> bool:
        """Return whether the lease is unexpired and was acquired with the same or an earlier verification of the
        caller.
        """
        return verified_at_ms >= self.verified_at_ms and 0 <= now_ms - self.acquired_ms < LIFETIME_MS


_callers: ProcessCache[_Key, _Caller] = ProcessCache("limits.leases", CALLERS_MAX)


def spend(window: Window, counter: str | None, verified_at_ms: int) -> int | None:
    """Spend one admission of the lease; return the usage of the burst window after it, or None if no lease is valid."""
    caller = _callers.get((window.item_key, counter))
    if caller is None or caller.slot_start != window.slot_start or not caller.is_usable(verified_at_ms, window.now_ms):
        return None
    try:
        # `pop` is atomic, so two threads never spend the same admission.
        burst_used = caller.held.pop()
    except IndexError:
        return None
    caller.count += 1
    return burst_used


def choose_reservation(window: Window, counter: str | None, cached: local_cache.CachedItem) -> Reservation:
    """Return what the next write should reserve: a single admission, or a lease sized by the recent rate."""
    caller = _get_or_create(window, counter)
    single = Reservation(1, caller.unspent)
    if caller.is_acquiring and 0 <= window.now_ms - caller.acquired_ms < LIFETIME_MS:
        # Another thread is already acquiring a lease.
        return single
    window_ms = settings.current().burst_window_s * 1000
    until_end = caller.previous_count * (window.slot_ends_ms - window.now_ms) // window_ms
    size = min(caller.previous_count // FRACTION, until_end)
    if size < 2 or cached.burst_used(window) >= burst_bound(window, size):
        return single
    caller.is_acquiring, caller.acquired_ms = True, window.now_ms
    return Reservation(size, caller.unspent)


def burst_bound(window: Window, size: int) -> int:
    """Return the exclusive upper bound of the burst counter for a write that reserves `size` admissions.

    The write fails if the counter has reached this bound before.
    """
    return window.tier.burst if size == 1 else window.tier.burst * FILLED_PERCENT // 100 - size + 1


def record(window: Window, counter: str | None, verified_at_ms: int, reservation: Reservation, burst_used: int) -> None:
    """Record a reservation that succeeded. The current request has spent one of its admissions.

    `burst_used` is the value of the burst counter after the write.
    """
    caller = _get_or_create(window, counter)
    caller.count += 1
    caller.unspent -= reservation.returned
    if reservation.size > 1:
        caller.unspent += len(caller.held)
        caller.verified_at_ms, caller.acquired_ms, caller.is_acquiring = verified_at_ms, window.now_ms, False
        caller.held = [burst_used - left for left in range(reservation.size - 1)]


def _get_or_create(window: Window, counter: str | None) -> _Caller:
    """Return a caller's state in this window. If the state is from an earlier window, its lease is removed."""
    key = window.item_key, counter
    previous = _callers.get(key)
    if previous is not None and previous.slot_start == window.slot_start:
        return previous
    caller = _callers[key] = _Caller(window.slot_start)
    if previous is not None:
        caller.unspent = previous.unspent + len(previous.held)
        if previous.slot_start + settings.current().burst_window_s == window.slot_start:
            caller.previous_count = previous.count
    return caller
