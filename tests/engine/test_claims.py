"""Concurrent requests for the last free places: exactly as many succeed as there are places."""

import json
from collections import Counter

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.credentials import find
from chalicelib.limits import tiers
from tests.engine.fleet import PROCESSES, THREADS, Fleet, Reply, Request, flatten
from tests.support.harness import START_MS, TestApp

pytestmark = pytest.mark.xdist_group("fleet")


def send_at_once(fleet: Fleet, url: str, count: int, request: Request) -> list[Reply]:
    """Send the same request `count` times concurrently."""
    return flatten(fleet.send(url, [request] * count))


def warm_up(fleet: Fleet, url: str, secret: str) -> None:
    """Verify a key in every process, so that later requests only spend time on the claim itself."""
    fleet.everywhere(url, Request("GET", "/v1/limits", secret, START_MS - 2_000))


def list_active(latchkey: TestApp, secret: str) -> list[str]:
    """Return the ids of an account's active keys."""
    keys = latchkey.call("GET", "/v1/keys?limit=100", secret).json()["data"]
    return [key["id"] for key in keys if key["state"] in ("live", "retiring")]


@pytest.mark.parametrize("tries", [2, 20])
def test_concurrent_rotations_of_one_key_create_one_successor(
    latchkey: TestApp, fleet: Fleet, url: str, tries: int
) -> None:
    """Of 2 or 20 concurrent rotations of one key, one creates a successor and the others get a 409."""
    account = latchkey.account(tiers.PRO)
    key = latchkey.key(account)
    warm_up(fleet, url, key.secret)
    replies = send_at_once(fleet, url, tries, Request("POST", f"/v1/keys/{key.key.id}/rotate", key.secret, START_MS))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: tries - 1}
    won = next(reply.body for reply in replies if reply.status == 201)
    assert {reply.body["error"] for reply in replies if reply.status == 409} == {"conflict"}
    assert sorted(found.id for found in find.keys_of(account.id)) == sorted((key.key.id, won["id"]))
    assert latchkey.call("GET", "/v1/users/me", won["secret"]).status == 200


def test_concurrent_rotations_during_the_grace_leave_two_active_keys(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """While a key and its successor are both active, neither of them can be rotated, whichever key sends the
    request.
    """
    account = latchkey.account(tiers.PRO)
    old = latchkey.key(account)
    new = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret).json()
    targets = [(old.key.id, new["secret"]), (new["id"], old.secret)]
    rotations = [Request("POST", f"/v1/keys/{of}/rotate", by, START_MS) for of, by in targets * 8]
    assert {reply.status for reply in flatten(fleet.send(url, rotations))} == {409}
    assert sorted(list_active(latchkey, new["secret"])) == sorted((old.key.id, new["id"]))


def test_concurrent_rotation_and_revocation_keep_the_successor_rotatable(
    latchkey: TestApp, fleet: Fleet, url: str
) -> None:
    """In any order of rotation and revocation, the old key is revoked and its successor can be rotated."""
    account = latchkey.account(tiers.PRO)
    keeper = latchkey.key(account)
    for second in range(8):
        key = latchkey.key(account)
        path, at_ms = f"/v1/keys/{key.key.id}", START_MS + second * 1000
        both = [
            Request("POST", f"{path}/rotate", keeper.secret, at_ms),
            Request("DELETE", path, keeper.secret, at_ms),
        ]
        rotated, revoked = flatten(fleet.send(url, both))
        assert revoked.status == 204
        assert rotated.status in (201, 409)
        assert latchkey.call("GET", path, keeper.secret).json()["state"] == "revoked"
        if rotated.status == 201:
            successor = f"/v1/keys/{rotated.body['id']}"
            assert latchkey.call("POST", f"{successor}/rotate", keeper.secret, json_body={"grace_s": 0}).status == 201


def test_concurrent_creations_leave_20_active_keys(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 25 concurrent creations in an account with one key, 19 succeed and 6 get a 409, so 20 keys are active."""
    account = latchkey.account(tiers.PRO)
    maker = latchkey.key(account)
    warm_up(fleet, url, maker.secret)
    body = json.dumps({"name": "Made at once", "scopes": ["read"]}).encode()
    replies = send_at_once(fleet, url, 25, Request("POST", "/v1/keys", maker.secret, START_MS, body))
    assert Counter(reply.status for reply in replies) == {201: 19, 409: 6}
    made = [reply.body["id"] for reply in replies if reply.status == 201]
    assert sorted(list_active(latchkey, maker.secret)) == sorted((maker.key.id, *made))
    assert len(Account.get(account.id).live_keys.attribute_values) == 20


def test_place_of_an_expired_key_is_reused_once(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Concurrent creations that reuse the places of expired keys don't exceed the limit."""
    account = latchkey.account(tiers.PRO)
    maker = latchkey.key(account)
    for _ in range(19):
        latchkey.key(account, "read", expires_in_s=60)
    latchkey.clock.forward(61)
    body = json.dumps({"name": "Made at once", "scopes": ["read"]}).encode()
    replies = send_at_once(fleet, url, 25, Request("POST", "/v1/keys", maker.secret, latchkey.clock.now_ms, body))
    assert Counter(reply.status for reply in replies) == {201: 19, 409: 6}
    assert len(list_active(latchkey, maker.secret)) == 20


def test_concurrent_revocations_of_one_key_all_succeed(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 32 concurrent revocations all get a 204, and one place becomes free."""
    account = latchkey.account(tiers.PRO)
    keeper, doomed = latchkey.key(account), latchkey.key(account)
    replies = fleet.everywhere(url, Request("DELETE", f"/v1/keys/{doomed.key.id}", keeper.secret, START_MS))
    assert {reply.status for reply in replies} == {204}
    assert len(replies) == PROCESSES * THREADS
    assert list(Account.get(account.id).live_keys.attribute_values) == [keeper.key.id]


def test_concurrent_accounts_with_one_email_one_succeeds(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 20 concurrent creations with two spellings of one address, one succeeds and the others get a 409."""
    admin = latchkey.key(latchkey.account(tiers.PRO, admin=True), "admin", "read")
    warm_up(fleet, url, admin.secret)
    before = len(list_users(latchkey, admin.secret))
    spellings = [
        json.dumps({"email": email, "name": "Eve"}).encode() for email in ("eve@example.com", "EVE@Example.com")
    ]
    claims = [Request("POST", "/v1/accounts", admin.secret, START_MS, spellings[at % 2]) for at in range(20)]
    replies = flatten(fleet.send(url, claims))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: 19}
    assert len(list_users(latchkey, admin.secret)) == before + 1


def list_users(latchkey: TestApp, secret: str) -> list[str]:
    """Return the ids of all users."""
    found: list[str] = []
    target = "/v1/users?limit=100"
    while True:
        page = latchkey.call("GET", target, secret).json()
        found += [user["id"] for user in page["data"]]
        if page["next_cursor"] is None:
            return found
        target = f"/v1/users?limit=100&cursor={page['next_cursor']}"
