"""Of several who claim one thing at once, as many win as there are things."""

import json
from collections import Counter

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.credentials import find
from chalicelib.limits import tiers
from tests.engine.fleet import PROCESSES, THREADS, Fleet, Reply, Request, flatten
from tests.support.harness import START_MS, TestApp

pytestmark = pytest.mark.xdist_group("fleet")


def at_once(fleet: Fleet, url: str, count: int, request: Request) -> list[Reply]:
    """Send the same request `count` times at once."""
    return flatten(fleet.send(url, [request] * count))


def warm(fleet: Fleet, url: str, secret: str) -> None:
    """Let every process verify a key beforehand, so that nothing but the claim itself takes time."""
    fleet.everywhere(url, Request("GET", "/v1/limits", secret, START_MS - 2_000))


def live(latchkey: TestApp, secret: str) -> list[str]:
    """Return the ids of an account's live keys."""
    keys = latchkey.call("GET", "/v1/keys?limit=100", secret).json()["data"]
    return [key["id"] for key in keys if key["state"] in ("live", "retiring")]


@pytest.mark.parametrize("tries", [2, 20])
def test_rotations_of_one_key_at_once_make_one_successor(latchkey: TestApp, fleet: Fleet, url: str, tries: int) -> None:
    """Of two, or twenty, rotations of one key at once one gets a successor; the others get 409 and leave nothing."""
    account = latchkey.account(tiers.PRO)
    key = latchkey.key(account)
    warm(fleet, url, key.secret)
    replies = at_once(fleet, url, tries, Request("POST", f"/v1/keys/{key.key.id}/rotate", key.secret, START_MS))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: tries - 1}
    won = next(reply.body for reply in replies if reply.status == 201)
    assert {reply.body["error"] for reply in replies if reply.status == 409} == {"conflict"}
    assert sorted(found.id for found in find.keys_of(account.id)) == sorted((key.key.id, won["id"]))
    assert latchkey.call("GET", "/v1/users/me", won["secret"]).status == 200


def test_rotations_by_the_successor_and_the_old_key_at_once_leave_two_live(
    latchkey: TestApp, fleet: Fleet, url: str
) -> None:
    """While both of a lineage live, neither can be rotated, by whichever of them, from however many places."""
    account = latchkey.account(tiers.PRO)
    old = latchkey.key(account)
    new = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret).json()
    targets = [(old.key.id, new["secret"]), (new["id"], old.secret)]
    rotations = [Request("POST", f"/v1/keys/{of}/rotate", by, START_MS) for of, by in targets * 8]
    assert {reply.status for reply in flatten(fleet.send(url, rotations))} == {409}
    assert sorted(live(latchkey, new["secret"])) == sorted((old.key.id, new["id"]))


def test_rotation_and_revocation_at_once_leave_no_dead_neighbour(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """However rotation and revocation of one key fall together, the key is dead and its successor can be rotated."""
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


def test_creations_at_once_leave_20_live_keys(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 25 keys made at once beside the one there is, 19 come to be and 6 get 409: 20 live keys, exactly."""
    account = latchkey.account(tiers.PRO)
    maker = latchkey.key(account)
    warm(fleet, url, maker.secret)
    body = json.dumps({"name": "Made at once", "scopes": ["read"]}).encode()
    replies = at_once(fleet, url, 25, Request("POST", "/v1/keys", maker.secret, START_MS, body))
    assert Counter(reply.status for reply in replies) == {201: 19, 409: 6}
    made = [reply.body["id"] for reply in replies if reply.status == 201]
    assert sorted(live(latchkey, maker.secret)) == sorted((maker.key.id, *made))
    assert len(Account.get(account.id).live_keys.attribute_values) == 20


def test_last_place_is_taken_once_though_expired_keys_make_room(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Keys that expired make room, and those who take it at once are not more than the room there is."""
    account = latchkey.account(tiers.PRO)
    maker = latchkey.key(account)
    for _ in range(19):
        latchkey.key(account, "read", expires_in_s=60)
    latchkey.clock.forward(61)
    body = json.dumps({"name": "Made at once", "scopes": ["read"]}).encode()
    replies = at_once(fleet, url, 25, Request("POST", "/v1/keys", maker.secret, latchkey.clock.now_ms, body))
    assert Counter(reply.status for reply in replies) == {201: 19, 409: 6}
    assert len(live(latchkey, maker.secret)) == 20


def test_revocations_of_one_key_at_once_all_succeed(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Revoking is idempotent: 32 at once all get 204, and the key's place is free once."""
    account = latchkey.account(tiers.PRO)
    keeper, doomed = latchkey.key(account), latchkey.key(account)
    replies = fleet.everywhere(url, Request("DELETE", f"/v1/keys/{doomed.key.id}", keeper.secret, START_MS))
    assert {reply.status for reply in replies} == {204}
    assert len(replies) == PROCESSES * THREADS
    assert list(Account.get(account.id).live_keys.attribute_values) == [keeper.key.id]


def test_accounts_claiming_one_email_at_once_one_wins(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """One address, spelled in two ways, is claimed 20 times at once: one account comes to be, the others get 409."""
    admin = latchkey.key(latchkey.account(tiers.PRO, admin=True), "admin", "read")
    warm(fleet, url, admin.secret)
    before = len(listed(latchkey, admin.secret))
    spellings = [
        json.dumps({"email": email, "name": "Eve"}).encode() for email in ("eve@example.com", "EVE@Example.com")
    ]
    claims = [Request("POST", "/v1/users", admin.secret, START_MS, spellings[at % 2]) for at in range(20)]
    replies = flatten(fleet.send(url, claims))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: 19}
    assert len(listed(latchkey, admin.secret)) == before + 1


def listed(latchkey: TestApp, secret: str) -> list[str]:
    """Return the ids of all accounts."""
    found: list[str] = []
    target = "/v1/users?limit=100"
    while True:
        page = latchkey.call("GET", target, secret).json()
        found += [user["id"] for user in page["data"]]
        if page["next_cursor"] is None:
            return found
        target = f"/v1/users?limit=100&cursor={page['next_cursor']}"
