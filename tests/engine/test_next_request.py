"""Every change takes effect at the next request, in every function, though each holds a cached yes of the gateway."""

import json
from collections.abc import Sequence
from itertools import count

import pytest

from chalicelib.core import clock
from chalicelib.credentials.issue import Issued
from chalicelib.limits import local_cache, tiers
from tests.engine import counters
from tests.engine.fleet import AT_ONCE, CLOCKS_AGREE, Fleet, Reply, Request
from tests.support.harness import START_MS, TestApp

pytestmark = pytest.mark.xdist_group("fleet")

CLOCKS = {
    "clocks_agree": CLOCKS_AGREE,
    "clocks_differ": (-3, -1, 1, 3),
    "change_by_the_slowest": (0, 2, 4, 6),
    "change_by_the_fastest": (-6, -4, -2, 0),
}
"""How far each function's clock is off that of the one that makes the change: any of them is up to 3 s fast or slow."""
RENAMED = json.dumps({"name": "Grace"}).encode()
NARROWED = {"scopes": ["read", "keys"]}


class Everywhere:
    """Asks every function at once."""

    def __init__(self, latchkey: TestApp, fleet: Fleet, url: str, clocks_off_s: Sequence[int]) -> None:
        """Begin at the time of the house's own clock."""
        self.latchkey, self.fleet, self.url, self.clocks_off_s = latchkey, fleet, url, clocks_off_s

    def __call__(self, secret: str, method: str = "GET", target: str = "/v1/limits", body: bytes = b"") -> list[Reply]:
        """Return the 32 answers to one request; what happens next happens in the same moment, for the clock stands."""
        request = Request(method, target, secret, self.latchkey.clock.now_ms, body)
        return self.fleet.everywhere(self.url, request, self.clocks_off_s)


@pytest.fixture(params=list(CLOCKS.values()), ids=list(CLOCKS))
def ask(request: pytest.FixtureRequest, latchkey: TestApp, fleet: Fleet, url: str) -> Everywhere:
    """Asks every function, with clocks that agree and with clocks up to 3 s fast or slow, in the middle of an hour."""
    latchkey.clock.forward(clock.HOUR_S / 2)
    return Everywhere(latchkey, fleet, url, request.param)


def key_and_manager(latchkey: TestApp) -> tuple[Issued, Issued]:
    """Return two keys of a new Pro account: one that changes, one that changes it."""
    account = latchkey.account(tiers.PRO)
    return latchkey.key(account, "read", "write"), latchkey.key(account)


def admin(latchkey: TestApp) -> str:
    """Return the secret of an admin."""
    return latchkey.key(latchkey.account(tiers.PRO, admin=True), "admin", "read").secret


def statuses(replies: list[Reply]) -> set[int]:
    """Return what was answered; every function must have said the same."""
    assert len(replies) == AT_ONCE
    return {reply.status for reply in replies}


def assert_refused_by_the_edge(replies: list[Reply]) -> None:
    """The app refuses the key behind a gateway that says yes: only the app's 401s have their challenge renamed."""
    assert statuses(replies) == {401}
    for reply in replies:
        assert reply.body == {"error": "invalid_api_key", "message": "The API key provided is invalid."}
        assert "x-amzn-Remapped-WWW-Authenticate" in reply.headers


def test_revoked_key_is_refused_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """Once DELETE has answered, no function accepts the key, though all have just done so; its neighbour works on."""
    key, manager = key_and_manager(latchkey)
    assert statuses(ask(key.secret)) == {200}
    assert latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret).status == 204
    assert_refused_by_the_edge(ask(key.secret))
    assert statuses(ask(manager.secret)) == {200}


def test_key_rotated_without_grace_is_refused_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """With `grace_s` 0 the old key is over when the answer arrives, and the new one works everywhere."""
    key = latchkey.key(latchkey.account(tiers.PRO))
    assert statuses(ask(key.secret)) == {200}
    rotated = latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret, json_body={"grace_s": 0})
    assert rotated.status == 201
    assert statuses(ask(key.secret)) == {401}
    assert statuses(ask(rotated.json()["secret"])) == {200}


def test_narrowed_key_cannot_write_anywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """Once PATCH has answered, no function lets the key do what was taken from it; what it kept it may do."""
    key, manager = key_and_manager(latchkey)
    assert statuses(ask(key.secret, "PATCH", "/v1/users/me", RENAMED)) == {200}
    narrowed = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read"]})
    assert narrowed.status == 200
    replies = ask(key.secret, "PATCH", "/v1/users/me", RENAMED)
    assert statuses(replies) == {403}
    assert {reply.body["error"] for reply in replies} == {"insufficient_scope"}
    assert statuses(ask(key.secret)) == {200}


def test_upgraded_account_has_its_new_quota_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """Once the tier is set, every function counts under it, and the first request takes the first place in it."""
    account = latchkey.account(tiers.FREE)
    key = latchkey.key(account)
    assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {"1000"}
    upgraded = latchkey.call("PATCH", f"/v1/users/{account.id}", admin(latchkey), json_body={"tier": "pro"})
    assert upgraded.status == 200
    replies = ask(key.secret)
    assert statuses(replies) == {200}
    assert {reply.headers["X-RateLimit-Limit"] for reply in replies} == {"10000"}
    left = sorted(int(reply.headers["X-RateLimit-Remaining"]) for reply in replies)
    assert left == list(range(10_000 - AT_ONCE, 10_000))


def test_downgraded_account_loses_its_quota_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """Once the tier is set, no function counts under the old one."""
    account = latchkey.account(tiers.ENTERPRISE)
    key = latchkey.key(account)
    assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {"1000"}
    latchkey.call("PATCH", f"/v1/users/{account.id}", admin(latchkey), json_body={"tier": "pro"})
    assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {"10000"}


def test_suspended_account_is_refused_and_reinstated_works_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """Suspension and reinstatement hold from the next request on, as often as they follow each other."""
    account = latchkey.account(tiers.ENTERPRISE)
    key, operator = latchkey.key(account), admin(latchkey)
    assert statuses(ask(key.secret)) == {200}
    for _ in range(2):
        suspended = latchkey.call("PATCH", f"/v1/users/{account.id}", operator, json_body={"status": "suspended"})
        assert suspended.status == 200
        assert_refused_by_the_edge(ask(key.secret))
        reinstated = latchkey.call("PATCH", f"/v1/users/{account.id}", operator, json_body={"status": "active"})
        assert reinstated.status == 200
        assert statuses(ask(key.secret)) == {200}


@pytest.mark.parametrize("seconds_to_the_hour", [1, -1, 240], ids=["before", "after", "well_before"])
def test_change_near_the_end_of_an_hour_holds_everywhere(
    latchkey: TestApp, ask: Everywhere, seconds_to_the_hour: int
) -> None:
    """A change just before, or just after, the hour is seen by functions on either side, and in the next hour."""
    latchkey.clock.now_ms = START_MS + (clock.HOUR_S - seconds_to_the_hour) * 1000
    key, manager = key_and_manager(latchkey)
    assert statuses(ask(key.secret)) == {200}
    assert latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret).status == 204
    assert_refused_by_the_edge(ask(key.secret))
    latchkey.clock.forward(280)
    assert_refused_by_the_edge(ask(key.secret))


def test_many_changes_at_one_moment_all_hold(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Changes that fall into one millisecond of the clock are told apart: each holds for the request after it."""
    ask = Everywhere(latchkey, fleet, url, CLOCKS_AGREE)
    account = latchkey.account(tiers.ENTERPRISE)
    key, operator = latchkey.key(account), admin(latchkey)
    for turn, tier in zip(count(), ("pro", "enterprise", "pro", "enterprise", "pro"), strict=False):
        latchkey.call("PATCH", f"/v1/users/{account.id}", operator, json_body={"tier": tier})
        limit = {"pro": "10000", "enterprise": "1000"}[tier]
        assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {limit}, turn


def test_account_upgraded_with_its_quota_spent_is_let_in_within_10_s(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """A function that refuses from memory asks again within ten seconds, and so learns of the new quota."""
    account = latchkey.account(tiers.FREE)
    key = latchkey.key(account)
    counters.set_used(account, 1_000)
    ask = Everywhere(latchkey, fleet, url, CLOCKS_AGREE)
    assert statuses(ask(key.secret)) == {429}
    latchkey.call("PATCH", f"/v1/users/{account.id}", admin(latchkey), json_body={"tier": "pro"})
    latchkey.clock.forward(local_cache.QUOTA_ASKED_AGAIN_MS / 1000)
    replies = ask(key.secret)
    assert {(reply.status, reply.headers["X-RateLimit-Limit"]) for reply in replies} == {(200, "10000")}
