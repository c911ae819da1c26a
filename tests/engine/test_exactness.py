"""Quota and burst are exact when several processes count at the same time."""

from collections import Counter
from itertools import cycle

import pytest

from chalicelib.limits import counter_items, recorded_usage, tiers
from tests.engine import counters
from tests.engine.fleet import AT_ONCE, PROCESSES, Fleet, Reply, Request, flatten
from tests.limits.item_size import size_bytes
from tests.support.harness import START_MS, TestApp

pytestmark = pytest.mark.xdist_group("fleet")


def requests(secrets: list[str], count: int, *, second_of: int | None = None) -> list[Request]:
    """Return `count` requests that use the keys in turn, 32 in each second or, with `second_of`, all in that second."""
    keys = cycle(secrets)
    seconds = (at // AT_ONCE if second_of is None else second_of for at in range(count))
    return [Request("GET", "/v1/limits", next(keys), START_MS + second * 1000) for second in seconds]


def remaining(replies: list[Reply]) -> list[int]:
    """Return the remaining quota in each admitted response, in descending order."""
    return sorted(
        (int(reply.headers["X-RateLimit-Remaining"]) for reply in replies if reply.status == 200), reverse=True
    )


def test_quota_admits_exactly_1000_of_3000(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 3,000 requests from 32 threads exactly the quota is admitted, each with a different remaining number."""
    account = latchkey.account(tiers.FREE)
    replies = flatten(fleet.send(url, requests([latchkey.key(account).secret], 3_000)))
    assert Counter(reply.status for reply in replies) == {200: 1_000, 429: 2_000}
    assert remaining(replies) == list(range(999, -1, -1))
    assert counters.read_used(account) == 1_000


def test_quota_is_shared_by_the_keys_of_an_account(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Five keys of an account share its remaining quota."""
    account = latchkey.account(tiers.FREE)
    counters.set_used(account, 600)
    secrets = [latchkey.key(account).secret for _ in range(5)]
    replies = flatten(fleet.send(url, requests(secrets, 600)))
    assert Counter(reply.status for reply in replies) == {200: 400, 429: 200}
    assert remaining(replies) == list(range(399, -1, -1))


def test_quota_rejection_names_the_end_of_the_hour(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Every rejected request gets the same Retry-After, and a request at that time is admitted."""
    account = latchkey.account(tiers.FREE)
    counters.set_used(account, 1_000)
    secret = latchkey.key(account).secret
    moment = Request("GET", "/v1/limits", secret, START_MS + 600_500)
    for refused in fleet.everywhere(url, moment):
        assert (refused.status, refused.headers["Retry-After"]) == (429, "3000")
        assert refused.body["message"] == "Rate limit exceeded. Try again in 3000 seconds."
    retry = Request("GET", "/v1/limits", secret, moment.at_ms + 3_000_000)
    assert remaining(fleet.everywhere(url, retry)) == list(range(999, 999 - AT_ONCE, -1))


@pytest.mark.parametrize("tier", [tiers.FREE, tiers.PRO], ids=lambda tier: tier.name)
def test_burst_admits_exactly_its_number_each_second(
    latchkey: TestApp, fleet: Fleet, url: str, tier: tiers.Tier
) -> None:
    """In each of three seconds, exactly the burst of an account is admitted out of twice as many requests."""
    secret = latchkey.key(latchkey.account(tier)).secret
    for second in range(3):
        replies = flatten(fleet.send(url, requests([secret], 2 * tier.burst, second_of=second)))
        assert Counter(reply.status for reply in replies) == {200: tier.burst, 429: tier.burst}
        assert {reply.headers["Retry-After"] for reply in replies if reply.status == 429} == {"1"}


def test_burst_is_shared_by_the_keys_of_an_account(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Eight keys of one account share 50 requests a second, and requests are counted for each key."""
    account = latchkey.account(tiers.FREE)
    keys = [latchkey.key(account) for _ in range(8)]
    replies = flatten(fleet.send(url, requests([key.secret for key in keys], 200, second_of=0)))
    assert Counter(reply.status for reply in replies) == {200: 50, 429: 150}
    counted = counters.read_item(account)
    assert sum(counter_items.number(counted, counter_items.counter_of(key.key.id)) for key in keys) == 50


def test_burst_is_separate_for_each_account(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Each of two accounts gets 50 requests in the same second."""
    secrets = [latchkey.key(latchkey.account(tiers.FREE)).secret for _ in range(2)]
    replies = flatten(fleet.send(url, requests(secrets, 200, second_of=0)))
    assert Counter(reply.status for reply in replies) == {200: 100, 429: 100}


def test_leases_never_exceed_the_burst(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Processes that lease several admissions at once never exceed the burst of 1,000 together."""
    account = latchkey.account(tiers.ENTERPRISE)
    secret = latchkey.key(account).secret
    for second, asked in enumerate((640, 1_600, 1_600)):
        replies = flatten(fleet.send(url, requests([secret], asked, second_of=second)))
        admitted = sum(reply.status == 200 for reply in replies)
        assert admitted <= 1_000
        # A process loses the unused rest of its lease if it gets no more requests.
        assert admitted >= min(asked, 950)


def test_client_below_80_percent_of_the_burst_is_never_rejected(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """A client that stays below 80 % of the burst is never rejected, even if other processes hold unused leases."""
    secret = latchkey.key(latchkey.account(tiers.ENTERPRISE)).secret
    for second in range(3):
        replies = flatten(fleet.send(url, requests([secret], 790, second_of=second)))
        assert {reply.status for reply in replies} == {200}


CLOCKS_OFF_S = (-3, -1, 1, 3)


def test_quota_is_exact_with_clock_skew(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Clocks up to 3 s fast or slow don't change the quota."""
    account = latchkey.account(tiers.FREE)
    counters.set_used(account, 600)
    secret = latchkey.key(account).secret
    moments = (START_MS + 10_000 + at // AT_ONCE * 1000 for at in range(600))
    asked = [Request("GET", "/v1/limits", secret, at_ms) for at_ms in moments]
    replies = flatten(fleet.send(url, asked, CLOCKS_OFF_S))
    assert Counter(reply.status for reply in replies) == {200: 400, 429: 200}
    assert remaining(replies) == list(range(399, -1, -1))


def test_burst_is_never_exceeded_with_clock_skew(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Processes whose clocks differ by up to 3 s get at most the burst in each second of their own clock."""
    secret = latchkey.key(latchkey.account(tiers.PRO)).secret
    for second in (10, 20):
        each = fleet.send(url, requests([secret], 250 * PROCESSES, second_of=second), CLOCKS_OFF_S)
        assert [Counter(reply.status for reply in replies) for replies in each] == [{200: 200, 429: 50}] * PROCESSES


def test_window_item_stays_within_one_write_unit(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """With 20 used keys and many counted seconds, the item stays below 1 KB, the size of one write unit."""
    account = latchkey.account(tiers.PRO)
    secrets = [latchkey.key(account).secret for _ in range(20)]
    fleet.send(url, requests(secrets, 20 * AT_ONCE))
    counted = counters.read_item(account)
    assert size_bytes(counted) < 1_024


def test_each_rejection_is_counted_once_during_concurrent_admissions(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """A process adds the number of its rejections in exactly one of its eight concurrent writes, in total and for each
    key.
    """
    account = latchkey.account(tiers.FREE)
    key = latchkey.key(account)
    replies = flatten(fleet.send(url, requests([key.secret], 4 * AT_ONCE, second_of=0)))
    refused = sum(reply.status == 429 for reply in replies)
    assert refused == 4 * AT_ONCE - tiers.FREE.burst
    assert {reply.status for reply in flatten(fleet.send(url, requests([key.secret], AT_ONCE, second_of=1)))} == {200}
    counted = counters.read_item(account)
    assert counter_items.number(counted, counter_items.REJECTED) == refused
    assert (
        recorded_usage.count_denials(counted, recorded_usage.REJECTED, counter_items.counter_of(key.key.id)) == refused
    )
