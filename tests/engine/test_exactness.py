"""Quota and burst are exact, however many functions count at once."""

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
    """Return `count` requests by these keys in turn, 32 in each second, or all in the second `second_of`."""
    keys = cycle(secrets)
    seconds = (at // AT_ONCE if second_of is None else second_of for at in range(count))
    return [Request("GET", "/v1/limits", next(keys), START_MS + second * 1000) for second in seconds]


def remaining(replies: list[Reply]) -> list[int]:
    """Return what each admitted request was told to be left, most first."""
    return sorted(
        (int(reply.headers["X-RateLimit-Remaining"]) for reply in replies if reply.status == 200), reverse=True
    )


def test_quota_admits_exactly_1000_of_3000(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """32 threads in four processes get exactly the quota, each admitted request a different place in it."""
    account = latchkey.account(tiers.FREE)
    replies = flatten(fleet.send(url, requests([latchkey.key(account).secret], 3_000)))
    assert Counter(reply.status for reply in replies) == {200: 1_000, 429: 2_000}
    assert remaining(replies) == list(range(999, -1, -1))
    assert counters.read_used(account) == 1_000


def test_quota_is_shared_by_the_keys_of_an_account(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Five keys get what is left of one quota together, whoever of them asks."""
    account = latchkey.account(tiers.FREE)
    counters.set_used(account, 600)
    secrets = [latchkey.key(account).secret for _ in range(5)]
    replies = flatten(fleet.send(url, requests(secrets, 600)))
    assert Counter(reply.status for reply in replies) == {200: 400, 429: 200}
    assert remaining(replies) == list(range(399, -1, -1))


def test_quota_refusal_names_the_end_of_the_hour(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Every refused request of every process learns the same second in which the next one succeeds, and it does."""
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
    """In each of three seconds running, twice the burst is asked for and exactly the burst is let through."""
    secret = latchkey.key(latchkey.account(tier)).secret
    for second in range(3):
        replies = flatten(fleet.send(url, requests([secret], 2 * tier.burst, second_of=second)))
        assert Counter(reply.status for reply in replies) == {200: tier.burst, 429: tier.burst}
        assert {reply.headers["Retry-After"] for reply in replies if reply.status == 429} == {"1"}


def test_burst_is_shared_by_the_keys_of_an_account(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Eight keys of one account get 50 requests a second together, and each is counted by name."""
    account = latchkey.account(tiers.FREE)
    keys = [latchkey.key(account) for _ in range(8)]
    replies = flatten(fleet.send(url, requests([key.secret for key in keys], 200, second_of=0)))
    assert Counter(reply.status for reply in replies) == {200: 50, 429: 150}
    counted = counters.read_item(account)
    assert sum(counter_items.number(counted, counter_items.counter_of(key.key.id)) for key in keys) == 50


def test_burst_of_accounts_is_their_own(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Two accounts asking in the same second get 50 each."""
    secrets = [latchkey.key(latchkey.account(tiers.FREE)).secret for _ in range(2)]
    replies = flatten(fleet.send(url, requests(secrets, 200, second_of=0)))
    assert Counter(reply.status for reply in replies) == {200: 100, 429: 100}


def test_leases_never_exceed_the_burst(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Functions that have seen a high rate take many admissions at once, all of them together no more than 1,000."""
    account = latchkey.account(tiers.ENTERPRISE)
    secret = latchkey.key(account).secret
    for second, asked in enumerate((640, 1_600, 1_600)):
        replies = flatten(fleet.send(url, requests([secret], asked, second_of=second)))
        admitted = sum(reply.status == 200 for reply in replies)
        assert admitted <= 1_000
        # What a thread has left when its process has no more requests is lost.
        assert admitted >= min(asked, 950)


def test_client_under_four_fifths_of_the_burst_is_never_refused(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Whatever the functions hold unspent."""
    secret = latchkey.key(latchkey.account(tiers.ENTERPRISE)).secret
    for second in range(3):
        replies = flatten(fleet.send(url, requests([secret], 790, second_of=second)))
        assert {reply.status for reply in replies} == {200}


CLOCKS_OFF_S = (-3, -1, 1, 3)


def test_quota_is_exact_though_clocks_differ(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Clocks up to 3 s fast or slow change neither the quota nor who may have it."""
    account = latchkey.account(tiers.FREE)
    counters.set_used(account, 600)
    secret = latchkey.key(account).secret
    moments = (START_MS + 10_000 + at // AT_ONCE * 1000 for at in range(600))
    asked = [Request("GET", "/v1/limits", secret, at_ms) for at_ms in moments]
    replies = flatten(fleet.send(url, asked, CLOCKS_OFF_S))
    assert Counter(reply.status for reply in replies) == {200: 400, 429: 200}
    assert remaining(replies) == list(range(399, -1, -1))


def test_burst_is_never_exceeded_though_clocks_differ(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Functions whose clocks are up to 3 s fast or slow each get the whole burst of the second they are in, no more."""
    secret = latchkey.key(latchkey.account(tiers.PRO)).secret
    for second in (10, 20):
        each = fleet.send(url, requests([secret], 250 * PROCESSES, second_of=second), CLOCKS_OFF_S)
        assert [Counter(reply.status for reply in replies) for replies in each] == [{200: 200, 429: 50}] * PROCESSES


def test_window_item_stays_within_one_write_unit(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """With 20 keys in use and second after second counted, the counters still fit the 1 KB that one write costs."""
    account = latchkey.account(tiers.PRO)
    secrets = [latchkey.key(account).secret for _ in range(20)]
    fleet.send(url, requests(secrets, 20 * AT_ONCE))
    counted = counters.read_item(account)
    assert size_bytes(counted) < 1_024


def test_each_refusal_is_counted_once_though_many_are_admitted_at_once(
    latchkey: TestApp, fleet: Fleet, url: str
) -> None:
    """What a process holds is carried by one of the eight writes that it sends at the same moment, by name too."""
    account = latchkey.account(tiers.FREE)
    key = latchkey.key(account)
    replies = flatten(fleet.send(url, requests([key.secret], 4 * AT_ONCE, second_of=0)))
    refused = sum(reply.status == 429 for reply in replies)
    assert refused == 4 * AT_ONCE - tiers.FREE.burst
    assert {reply.status for reply in flatten(fleet.send(url, requests([key.secret], AT_ONCE, second_of=1)))} == {200}
    counted = counters.read_item(account)
    assert counter_items.number(counted, counter_items.REFUSED) == refused
    assert (
        recorded_usage.times_told_no(counted, recorded_usage.REFUSED, counter_items.counter_of(key.key.id)) == refused
    )
