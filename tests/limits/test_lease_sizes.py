"""How large a lease is, how long it is good, and what becomes of the admissions that it leaves unspent."""

from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.limits import leases, local_cache
from chalicelib.limits.admission import NEVER_STALE
from chalicelib.limits.counter_items import Window, window_at
from chalicelib.limits.tiers import ENTERPRISE
from tests.support.harness import START_MS, TestApp

WHO, KEY = "acc_busy", "kaaaaaaa"
BEGIN_MS = START_MS + 60_000


def window(at_ms: int = 0) -> Window:
    """Return the window of a moment."""
    return window_at(WHO, ENTERPRISE, BEGIN_MS + at_ms)


def let_through(count: int, *, at_ms: int = -1_000) -> None:
    """Let so many requests through, one by one: in the second before, unless another moment is named."""
    for _ in range(count):
        leases.taken(window(at_ms), KEY, NEVER_STALE, leases.ONE, 0)


def size_wanted(at_ms: int = 0, *, burst_used: int = 0) -> int:
    """Return how many admissions the next write would take."""
    here = window(at_ms)
    return leases.wanted(here, KEY, local_cache.Seen(slots={here.slot: burst_used})).size


def spent(at_ms: int = 0, verified_at_ms: int = NEVER_STALE) -> list[int]:
    """Spend everything that is held, and return what each said of the burst."""
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
def test_lease_is_a_tenth_of_the_last_second_and_no_more_than_this_one_will_need(
    latchkey: TestApp, count: int, at_ms: int, size: int
) -> None:
    """At the rate just seen; a lease of one is none."""
    let_through(count)
    assert size_wanted(at_ms) == size


@pytest.mark.parametrize(("burst_used", "size"), [(0, 10), (790, 10), (791, 1), (1_000, 1)])
def test_no_lease_reaches_beyond_four_fifths_of_the_burst(latchkey: TestApp, burst_used: int, size: int) -> None:
    """Not by one."""
    let_through(100)
    assert size_wanted(burst_used=burst_used) == size


@pytest.mark.parametrize(("size", "below"), [(1, 1_000), (2, 799), (10, 791), (100, 701)])
def test_counter_must_have_room_for_all_of_a_lease(latchkey: TestApp, size: int, below: int) -> None:
    """One request may use the last of the burst, a lease the last of its four fifths."""
    assert leases.below(window(), size) == below


def test_rate_of_an_earlier_second_than_the_last_says_nothing(latchkey: TestApp) -> None:
    """Nor does that of a later one, when the clock is set back."""
    let_through(100, at_ms=-1_001)
    assert size_wanted() == 1
    let_through(100, at_ms=1_000)
    assert size_wanted() == 1


def test_one_thread_at_a_time_fetches_a_lease(latchkey: TestApp) -> None:
    """The others take one each until it is there, or a second after it should have been."""
    with settings.in_use(replace(settings.current(), burst_window_s=10)):
        let_through(100, at_ms=-10_000)
        assert [size_wanted(at_ms) for at_ms in (0, 0, 999, 1_000, 1_000)] == [10, 1, 1, 10, 1]
        assert size_wanted(500) == 10, "the clock was set back"


def test_lease_is_spent_one_by_one_and_the_next_may_be_fetched(latchkey: TestApp) -> None:
    """The first of it was the request's that fetched it; each of the others says what is used of the burst then."""
    let_through(300)
    take = leases.wanted(window(), KEY, local_cache.Seen())
    assert take == leases.Take(30)
    leases.taken(window(), KEY, NEVER_STALE, take, burst_used=130)
    assert spent() == list(range(102, 131))
    assert leases.wanted(window(), KEY, local_cache.Seen()) == leases.Take(30)
    # 30 were let through, so a tenth of that is the next second's.
    assert size_wanted(1_000) == 3


@pytest.mark.parametrize(
    ("after_ms", "earlier_ms", "is_good"),
    [(0, 0, True), (999, 0, True), (1_000, 0, False), (-1, 0, False), (0, 1, False), (0, -1, True)],
)
def test_lease_is_good_for_a_second_and_for_who_was_verified_no_earlier(
    latchkey: TestApp, after_ms: int, earlier_ms: int, is_good: bool
) -> None:
    """However long the burst's window is."""
    with settings.in_use(replace(settings.current(), burst_window_s=10)):
        leases.taken(window(5_000), KEY, START_MS, leases.Take(5), burst_used=5)
        assert spent(5_000 + after_ms, START_MS - earlier_ms) == ([2, 3, 4, 5] if is_good else [])


def test_lease_lives_from_the_moment_of_its_own_write(latchkey: TestApp) -> None:
    """Not from that of an earlier one."""
    with settings.in_use(replace(settings.current(), burst_window_s=10)):
        leases.taken(window(0), KEY, START_MS, leases.Take(2), burst_used=2)
        leases.taken(window(900), KEY, START_MS + 5, leases.Take(3), burst_used=5)
        assert spent(1_899, START_MS + 4) == []
        assert spent(1_899, START_MS + 5) == [4, 5]


def test_single_admission_leaves_a_lease_as_it_is(latchkey: TestApp) -> None:
    """It was taken by somebody who may not spend the lease, or for what the item had not seen."""
    leases.taken(window(), KEY, START_MS + 5, leases.Take(5), burst_used=5)
    leases.taken(window(900), KEY, START_MS, leases.ONE, burst_used=6)
    assert leases.wanted(window(900), KEY, local_cache.Seen()) == leases.Take(1, returned=0)
    assert spent(900, START_MS) == []
    assert spent(1_000 - 1, START_MS + 5) == [2, 3, 4, 5]


def test_what_was_lost_is_taken_off_once(latchkey: TestApp) -> None:
    """Of a lease that another has taken the place of, or whose second is over: by the next write, not by two."""
    leases.taken(window(), KEY, NEVER_STALE, leases.Take(5), burst_used=5)
    leases.taken(window(), KEY, NEVER_STALE, leases.Take(4), burst_used=9)
    assert leases.wanted(window(), KEY, local_cache.Seen()) == leases.Take(1, returned=4)
    later = window(3_000)
    take = leases.wanted(later, KEY, local_cache.Seen())
    assert take == leases.Take(1, returned=4 + 3)
    leases.taken(later, KEY, NEVER_STALE, take, burst_used=1)
    assert leases.wanted(later, KEY, local_cache.Seen()) == leases.Take(1)


def test_lease_takes_what_was_lost_off_too(latchkey: TestApp) -> None:
    """It is one write like any other."""
    let_through(100)
    leases.taken(window(-1), KEY, NEVER_STALE, leases.Take(5), burst_used=5)
    take = leases.wanted(window(), KEY, local_cache.Seen())
    assert take == leases.Take(10, returned=4)
    leases.taken(window(), KEY, NEVER_STALE, take, burst_used=10)
    assert leases.wanted(window(), KEY, local_cache.Seen()).returned == 0


def test_callers_are_not_remembered_without_end(latchkey: TestApp) -> None:
    """The one that came first is forgotten first, and only when there are too many."""
    counters = [f"k{number:07}" for number in range(leases.CALLERS_MAX + 1)]

    def held() -> list[bool]:
        ends = (counters[0], counters[1], counters[-1])
        return [leases.spend(window(), counter, NEVER_STALE) is not None for counter in ends]

    for counter in counters[:-1]:
        leases.taken(window(), counter, NEVER_STALE, leases.Take(5), burst_used=5)
    assert held() == [True, True, False]
    leases.taken(window(), counters[-1], NEVER_STALE, leases.Take(5), burst_used=5)
    assert held() == [False, True, True]
    leases.forget()
    assert held() == [False, False, False]
