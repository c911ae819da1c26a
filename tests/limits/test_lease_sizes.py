"""Leases: their size, their lifetime, and the subtraction of unspent admissions."""

from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.core.process_cache import CACHES
from chalicelib.limits import leases, local_cache
from chalicelib.limits.admission import NEVER_STALE
from chalicelib.limits.counter_items import Window, window_at
from chalicelib.limits.tiers import ENTERPRISE
from tests.support.harness import START_MS, TestApp

WHO, KEY = "acc_busy", "kaaaaaaa"
BEGIN_MS = START_MS + 60_000


def window(at_ms: int = 0) -> Window:
    """Return the window at a given time."""
    return window_at(WHO, ENTERPRISE, BEGIN_MS + at_ms)


def admit_requests(count: int, *, at_ms: int = -1_000) -> None:
    """Admit requests one by one, `at_ms` after the start; by default one second before it."""
    for _ in range(count):
        leases.record(window(at_ms), KEY, NEVER_STALE, leases.SINGLE, 0)


def reserved_size(at_ms: int = 0, *, burst_used: int = 0) -> int:
    """Return how many admissions the next write reserves."""
    here = window(at_ms)
    return leases.choose_reservation(here, KEY, local_cache.CachedItem(slots={here.slot: burst_used})).size


def spend_all(at_ms: int = 0, verified_at_ms: int = NEVER_STALE) -> list[int]:
    """Spend all admissions of the lease and return the burst usage that each reports."""
    found = []
    while (burst_used := leases.spend(window(at_ms), KEY, verified_at_ms)) is not None:
        found.append(burst_used)
    return found


@pytest.mark.parametrize(
    ("count", "at_ms", "size"),
    [
        (0, 0, 1),
        (19, 0, 1),
        (20, 0, 2),
        (29, 0, 2),
        (30, 0, 3),
        (100, 0, 10),
        (100, 900, 10),
        (100, 901, 9),
        (100, 980, 2),
        (100, 981, 1),
        (100, 999, 1),
    ],
)
def test_lease_is_a_tenth_of_the_last_second_and_of_the_rest_of_this_one(
    latchkey: TestApp, count: int, at_ms: int, size: int
) -> None:
    """A lease is a tenth of the last second's rate and of the remaining burst, and at least one admission."""
    admit_requests(count)
    assert reserved_size(at_ms) == size


@pytest.mark.parametrize(("burst_used", "size"), [(0, 10), (790, 10), (791, 1), (1_000, 1)])
def test_no_lease_exceeds_four_fifths_of_the_burst(latchkey: TestApp, burst_used: int, size: int) -> None:
    """A lease is reserved only if the burst usage, including the lease, is then at most four fifths of the burst."""
    admit_requests(100)
    assert reserved_size(burst_used=burst_used) == size


@pytest.mark.parametrize(("size", "below"), [(1, 1_000), (2, 799), (10, 791), (100, 701)])
def test_counter_must_have_room_for_the_whole_lease(latchkey: TestApp, size: int, below: int) -> None:
    """A single request may use the last admission of the burst. With a larger lease, the burst usage is at most four
    fifths of the burst.
    """
    assert leases.burst_bound(window(), size) == below


def test_rate_of_a_second_before_the_last_is_ignored(latchkey: TestApp) -> None:
    """The size of a lease depends on the rate of the previous second only, not on an older rate, nor on a later one
    after the clock was set back.
    """
    admit_requests(100, at_ms=-1_001)
    assert reserved_size() == 1
    admit_requests(100, at_ms=1_000)
    assert reserved_size() == 1


def test_one_thread_at_a_time_acquires_a_lease(latchkey: TestApp) -> None:
    """While one thread acquires a lease, other threads admit requests individually, until the lease is recorded or a
    second has passed.
    """
    with settings.override(replace(settings.current(), burst_window_s=10)):
        admit_requests(100, at_ms=-10_000)
        assert [reserved_size(at_ms) for at_ms in (0, 0, 999, 1_000, 1_000)] == [10, 1, 1, 10, 1]
        assert reserved_size(500) == 10, "the clock was set back"


def test_lease_is_spent_one_by_one_and_then_renewed(latchkey: TestApp) -> None:
    """The acquiring request spends the first admission, and each later request reports its own burst usage."""
    admit_requests(300)
    reservation = leases.choose_reservation(window(), KEY, local_cache.CachedItem())
    assert reservation == leases.Reservation(30)
    leases.record(window(), KEY, NEVER_STALE, reservation, burst_used=130)
    assert spend_all() == list(range(102, 131))
    assert leases.choose_reservation(window(), KEY, local_cache.CachedItem()) == leases.Reservation(30)
    # Thirty requests were admitted, so the next second's lease is a tenth of that.
    assert reserved_size(1_000) == 3


@pytest.mark.parametrize(
    ("after_ms", "earlier_ms", "is_good"),
    [(0, 0, True), (999, 0, True), (1_000, 0, False), (-1, 0, False), (0, 1, False), (0, -1, True)],
)
def test_lease_is_valid_for_a_second_and_for_no_earlier_verification(
    latchkey: TestApp, after_ms: int, earlier_ms: int, is_good: bool
) -> None:
    """A lease is valid for one second, even with a longer burst window. A caller with an earlier verification can't
    spend it.
    """
    with settings.override(replace(settings.current(), burst_window_s=10)):
        leases.record(window(5_000), KEY, START_MS, leases.Reservation(5), burst_used=5)
        assert spend_all(5_000 + after_ms, START_MS - earlier_ms) == ([2, 3, 4, 5] if is_good else [])


def test_lease_lifetime_starts_with_its_own_write(latchkey: TestApp) -> None:
    """The lifetime of a lease starts with the write that reserved it, not with an earlier write."""
    with settings.override(replace(settings.current(), burst_window_s=10)):
        leases.record(window(0), KEY, START_MS, leases.Reservation(2), burst_used=2)
        leases.record(window(900), KEY, START_MS + 5, leases.Reservation(3), burst_used=5)
        assert spend_all(1_899, START_MS + 4) == []
        assert spend_all(1_899, START_MS + 5) == [4, 5]


def test_single_admission_keeps_the_lease(latchkey: TestApp) -> None:
    """A caller that may not spend the lease is admitted individually, and the lease is unchanged."""
    leases.record(window(), KEY, START_MS + 5, leases.Reservation(5), burst_used=5)
    leases.record(window(900), KEY, START_MS, leases.SINGLE, burst_used=6)
    assert leases.choose_reservation(window(900), KEY, local_cache.CachedItem()) == leases.Reservation(1, returned=0)
    assert spend_all(900, START_MS) == []
    assert spend_all(1_000 - 1, START_MS + 5) == [2, 3, 4, 5]


def test_unspent_admissions_are_subtracted_once(latchkey: TestApp) -> None:
    """Unspent admissions of a replaced or expired lease are subtracted by the next write, and only once."""
    leases.record(window(), KEY, NEVER_STALE, leases.Reservation(5), burst_used=5)
    leases.record(window(), KEY, NEVER_STALE, leases.Reservation(4), burst_used=9)
    assert leases.choose_reservation(window(), KEY, local_cache.CachedItem()) == leases.Reservation(1, returned=4)
    later = window(3_000)
    reservation = leases.choose_reservation(later, KEY, local_cache.CachedItem())
    assert reservation == leases.Reservation(1, returned=4 + 3)
    leases.record(later, KEY, NEVER_STALE, reservation, burst_used=1)
    assert leases.choose_reservation(later, KEY, local_cache.CachedItem()) == leases.Reservation(1)


def test_lease_write_subtracts_unspent_admissions(latchkey: TestApp) -> None:
    """A write that reserves a new lease subtracts unspent admissions of the old lease as well."""
    admit_requests(100)
    leases.record(window(-1), KEY, NEVER_STALE, leases.Reservation(5), burst_used=5)
    reservation = leases.choose_reservation(window(), KEY, local_cache.CachedItem())
    assert reservation == leases.Reservation(10, returned=4)
    leases.record(window(), KEY, NEVER_STALE, reservation, burst_used=10)
    assert leases.choose_reservation(window(), KEY, local_cache.CachedItem()).returned == 0


def test_number_of_callers_in_memory_is_bounded(latchkey: TestApp) -> None:
    """When more callers than the maximum have leases, the lease of the oldest caller is dropped."""
    counters = [f"k{number:07}" for number in range(leases.CALLERS_MAX + 1)]

    def held() -> list[bool]:
        ends = (counters[0], counters[1], counters[-1])
        return [leases.spend(window(), counter, NEVER_STALE) is not None for counter in ends]

    for counter in counters[:-1]:
        leases.record(window(), counter, NEVER_STALE, leases.Reservation(5), burst_used=5)
    assert held() == [True, True, False]
    leases.record(window(), counters[-1], NEVER_STALE, leases.Reservation(5), burst_used=5)
    assert held() == [False, True, True]
    CACHES["limits.leases"].clear()
    assert held() == [False, False, False]
