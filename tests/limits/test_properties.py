"""Properties of the limits for any clock and any caller, tested with Hypothesis."""

from collections import Counter
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core import clock
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import Tier
from tests.support import exhaustive
from tests.support.harness import TestApp

TIER = Tier("free", 12, 4)
NOT_FLAKY = settings(
    max_examples=exhaustive.examples(15),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SUBJECTS = (f"acc_{number}" for number in count())

BACK_S = 6
"""The greatest difference between the clocks of two functions: one 3 s fast, the other 3 s slow."""
NEARBY_MS = st.sampled_from([0, 0, 0, 250, 999, 1_000, 1_000, 2_000, 6_000, -1_000, -2_000, -BACK_S * 1000])
ANYWHERE_MS = st.integers(-BACK_S * 1000, clock.HOUR_S * 1000 // 4)
MOVES = st.lists(
    st.tuples(st.one_of(NEARBY_MS, NEARBY_MS, NEARBY_MS, ANYWHERE_MS), st.booleans()), min_size=15, max_size=40
)
"""For each request: how far the clock moves before it, and whether another process serves it."""


class Clocks:
    """A clock that is never set back by more than the greatest difference between two functions' clocks."""

    def __init__(self, latchkey: TestApp) -> None:
        """Start at the time of the harness."""
        self.latchkey, self.latest_ms = latchkey, latchkey.clock.now_ms

    def move(self, by_ms: int) -> None:
        """Move the clock forward or back."""
        earliest_ms = self.latest_ms - BACK_S * 1000
        self.latchkey.clock.now_ms = max(self.latchkey.clock.now_ms + by_ms, earliest_ms)
        self.latest_ms = max(self.latest_ms, self.latchkey.clock.now_ms)


def try_admit(subject: str) -> Allowance | Rejected:
    """Send a request and return the remaining quota and burst, or the rejection."""
    try:
        return admit(subject, TIER)
    except Rejected as rejection:
        return rejection


@NOT_FLAKY
@given(MOVES)
def test_limits_are_never_exceeded(latchkey: TestApp, moves: list[tuple[int, bool]]) -> None:
    """The quota is never exceeded in a clock hour, nor the burst in a clock second."""
    subject, clocks = next(SUBJECTS), Clocks(latchkey)
    hours, seconds = Counter[int](), Counter[int]()
    for by_ms, elsewhere in moves:
        clocks.move(by_ms)
        if elsewhere:
            latchkey.forget()
        admitted = isinstance(try_admit(subject), Allowance)
        hours[clock.hour_of(clock.now_s())] += admitted
        seconds[clock.now_s()] += admitted
    assert max(hours.values()) <= (TIER.quota or 0)
    assert max(seconds.values()) <= TIER.burst


@NOT_FLAKY
@given(MOVES)
def test_client_within_both_limits_is_never_rejected(latchkey: TestApp, moves: list[tuple[int, bool]]) -> None:
    """A client that stays within quota and burst gets no 429."""
    subject, clocks = next(SUBJECTS), Clocks(latchkey)
    hours, seconds = Counter[int](), Counter[int]()
    for by_ms, elsewhere in moves:
        clocks.move(by_ms)
        if elsewhere:
            latchkey.forget()
        hour, second = clock.hour_of(clock.now_s()), clock.now_s()
        if hours[hour] < (TIER.quota or 0) and seconds[second] < TIER.burst:
            assert isinstance(try_admit(subject), Allowance)
            hours[hour] += 1
            seconds[second] += 1


@NOT_FLAKY
@given(MOVES)
def test_remaining_never_increases_within_an_hour(latchkey: TestApp, moves: list[tuple[int, bool]]) -> None:
    """`X-RateLimit-Remaining` never increases within an hour."""
    subject, clocks = next(SUBJECTS), Clocks(latchkey)
    lowest: dict[int, int] = {}
    for by_ms, elsewhere in moves:
        clocks.move(by_ms)
        if elsewhere:
            latchkey.forget()
        hour = clock.hour_of(clock.now_s())
        response = try_admit(subject)
        left = response.left if isinstance(response, Rejected) else response
        assert left.remaining <= lowest.get(hour, TIER.quota or 0)
        lowest[hour] = left.remaining


@NOT_FLAKY
@given(st.integers(0, clock.HOUR_S * 1000 - 1), st.lists(st.integers(0, 300), min_size=8, max_size=16))
def test_next_request_succeeds_after_retry_after(latchkey: TestApp, into_the_hour_ms: int, steps_ms: list[int]) -> None:
    """A request succeeds after the seconds in Retry-After, and not a second earlier; the message states the same
    number.
    """
    subject = next(SUBJECTS)
    latchkey.clock.now_ms += into_the_hour_ms
    for step_ms in steps_ms:
        latchkey.clock.now_ms += step_ms
        response = try_admit(subject)
        if isinstance(response, Rejected):
            wait_s = response.retry_after_s
            assert response.message == f"Rate limit exceeded. Try again in {wait_s} seconds."
            assert response.headers == {"Retry-After": str(wait_s)}
            latchkey.clock.forward(wait_s - 1)
            assert isinstance(try_admit(subject), Rejected)
            latchkey.clock.forward(1)
            assert isinstance(try_admit(subject), Allowance)
