"""Every change takes effect at the next request in every process, although each has cached the gateway's policy."""

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
"""The clock skew of each process in seconds, without skew and with up to 3 s."""
RENAMED = json.dumps({"name": "Grace"}).encode()
NARROWED = {"scopes": ["read", "keys"]}


class Everywhere:
    """A sender of one request from every thread of every process."""

    def __init__(self, latchkey: TestApp, fleet: Fleet, url: str, clocks_off_s: Sequence[int]) -> None:
        """Start at the time of the app's clock."""
        self.latchkey, self.fleet, self.url, self.clocks_off_s = latchkey, fleet, url, clocks_off_s

    def __call__(self, secret: str, method: str = "GET", target: str = "/v1/limits", body: bytes = b"") -> list[Reply]:
        """Return the 32 responses to one request, without moving the clock."""
        request = Request(method, target, secret, self.latchkey.clock.now_ms, body)
        return self.fleet.everywhere(self.url, request, self.clocks_off_s)


@pytest.fixture(params=list(CLOCKS.values()), ids=list(CLOCKS))
def ask(request: pytest.FixtureRequest, latchkey: TestApp, fleet: Fleet, url: str) -> Everywhere:
    """Return a sender to all processes, with and without clock skew."""
    latchkey.clock.forward(clock.HOUR_S / 2)
    return Everywhere(latchkey, fleet, url, request.param)


def key_and_manager(latchkey: TestApp) -> tuple[Issued, Issued]:
    """Return two keys of a new Pro account, of which one is used to change the other."""
    account = latchkey.account(tiers.PRO)
    return latchkey.key(account, "read", "write"), latchkey.key(account)


def admin(latchkey: TestApp) -> str:
    """Return the secret of an admin's key."""
    return latchkey.key(latchkey.account(tiers.PRO, admin=True), "admin", "read").secret


def find_common_status(replies: list[Reply]) -> set[int]:
    """Return the status that all responses have."""
    assert len(replies) == AT_ONCE
    return {reply.status for reply in replies}


def assert_rejected_by_the_app(replies: list[Reply]) -> None:
    """Assert that the app and not the gateway rejected the key: only the app's 401 has a renamed challenge header."""
    assert find_common_status(replies) == {401}
    for reply in replies:
        assert reply.body == {"error": "invalid_api_key", "message": "The API key provided is invalid."}
        assert "x-amzn-Remapped-WWW-Authenticate" in reply.headers


def test_revoked_key_is_rejected_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """After the response to DELETE no process accepts the key; the account's other key stays valid."""
    key, manager = key_and_manager(latchkey)
    assert find_common_status(ask(key.secret)) == {200}
    assert latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret).status == 204
    assert_rejected_by_the_app(ask(key.secret))
    assert find_common_status(ask(manager.secret)) == {200}


def test_key_rotated_without_grace_is_rejected_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """After a rotation with `grace_s` 0 every process rejects the old key and accepts the new one."""
    key = latchkey.key(latchkey.account(tiers.PRO))
    assert find_common_status(ask(key.secret)) == {200}
    rotated = latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret, json_body={"grace_s": 0})
    assert rotated.status == 201
    assert find_common_status(ask(key.secret)) == {401}
    assert find_common_status(ask(rotated.json()["secret"])) == {200}


def test_narrowed_key_cannot_write_anywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """After the response to PATCH no process accepts the removed scope; the remaining scope stays valid."""
    key, manager = key_and_manager(latchkey)
    assert find_common_status(ask(key.secret, "PATCH", "/v1/users/me", RENAMED)) == {200}
    narrowed = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read"]})
    assert narrowed.status == 200
    replies = ask(key.secret, "PATCH", "/v1/users/me", RENAMED)
    assert find_common_status(replies) == {403}
    assert {reply.body["error"] for reply in replies} == {"insufficient_scope"}
    assert find_common_status(ask(key.secret)) == {200}


def test_upgraded_account_has_its_new_quota_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """After an upgrade every process applies the new quota from the first request on."""
    account = latchkey.account(tiers.FREE)
    key = latchkey.key(account)
    assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {"1000"}
    upgraded = latchkey.call("PATCH", f"/v1/accounts/{account.id}", admin(latchkey), json_body={"tier": "pro"})
    assert upgraded.status == 200
    replies = ask(key.secret)
    assert find_common_status(replies) == {200}
    assert {reply.headers["X-RateLimit-Limit"] for reply in replies} == {"10000"}
    left = sorted(int(reply.headers["X-RateLimit-Remaining"]) for reply in replies)
    assert left == list(range(10_000 - AT_ONCE, 10_000))


def test_downgraded_account_loses_its_quota_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """After a downgrade no process applies the old quota."""
    account = latchkey.account(tiers.ENTERPRISE)
    key = latchkey.key(account)
    assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {"1000"}
    latchkey.call("PATCH", f"/v1/accounts/{account.id}", admin(latchkey), json_body={"tier": "pro"})
    assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {"10000"}


def test_suspension_and_reinstatement_take_effect_everywhere(latchkey: TestApp, ask: Everywhere) -> None:
    """Repeated suspensions and reinstatements take effect at the next request."""
    account = latchkey.account(tiers.ENTERPRISE)
    key, operator = latchkey.key(account), admin(latchkey)
    assert find_common_status(ask(key.secret)) == {200}
    for _ in range(2):
        suspended = latchkey.call("PATCH", f"/v1/accounts/{account.id}", operator, json_body={"status": "suspended"})
        assert suspended.status == 200
        assert_rejected_by_the_app(ask(key.secret))
        reinstated = latchkey.call("PATCH", f"/v1/accounts/{account.id}", operator, json_body={"status": "active"})
        assert reinstated.status == 200
        assert find_common_status(ask(key.secret)) == {200}


@pytest.mark.parametrize("seconds_to_the_hour", [1, -1, 240], ids=["before", "after", "well_before"])
def test_change_near_the_end_of_an_hour_holds_everywhere(
    latchkey: TestApp, ask: Everywhere, seconds_to_the_hour: int
) -> None:
    """A change just before or after the full hour takes effect in processes whose clocks are on either side of it."""
    latchkey.clock.now_ms = START_MS + (clock.HOUR_S - seconds_to_the_hour) * 1000
    key, manager = key_and_manager(latchkey)
    assert find_common_status(ask(key.secret)) == {200}
    assert latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret).status == 204
    assert_rejected_by_the_app(ask(key.secret))
    latchkey.clock.forward(280)
    assert_rejected_by_the_app(ask(key.secret))


def test_changes_in_one_millisecond_all_take_effect(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Each of several changes within one millisecond takes effect at the next request."""
    ask = Everywhere(latchkey, fleet, url, CLOCKS_AGREE)
    account = latchkey.account(tiers.ENTERPRISE)
    key, operator = latchkey.key(account), admin(latchkey)
    for turn, tier in zip(count(), ("pro", "enterprise", "pro", "enterprise", "pro"), strict=False):
        latchkey.call("PATCH", f"/v1/accounts/{account.id}", operator, json_body={"tier": tier})
        limit = {"pro": "10000", "enterprise": "1000"}[tier]
        assert {reply.headers["X-RateLimit-Limit"] for reply in ask(key.secret)} == {limit}, turn


def test_upgraded_account_with_exhausted_quota_is_admitted_within_10_s(
    latchkey: TestApp, fleet: Fleet, url: str
) -> None:
    """After an upgrade, a process that rejects requests from its local cache admits them within ten seconds."""
    account = latchkey.account(tiers.FREE)
    key = latchkey.key(account)
    counters.set_used(account, 1_000)
    ask = Everywhere(latchkey, fleet, url, CLOCKS_AGREE)
    assert find_common_status(ask(key.secret)) == {429}
    latchkey.call("PATCH", f"/v1/accounts/{account.id}", admin(latchkey), json_body={"tier": "pro"})
    latchkey.clock.forward(local_cache.QUOTA_RECHECK_MS / 1000)
    replies = ask(key.secret)
    assert {(reply.status, reply.headers["X-RateLimit-Limit"]) for reply in replies} == {(200, "10000")}
