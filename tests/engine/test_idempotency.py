"""Of twenty concurrent requests with one Idempotency-Key one is executed, and all get its response."""

import json
from collections import Counter

import pytest

from chalicelib.credentials import find
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from chalicelib.webhooks import fan_out
from tests.engine.fleet import Fleet, Reply, Request, flatten
from tests.support.harness import START_MS, AccountOfTest, TestApp

pytestmark = pytest.mark.xdist_group("fleet")

MANY = 20


def body_of(name: str) -> bytes:
    """Return the body of a request for a key."""
    return json.dumps({"name": name, "scopes": ["read"]}).encode()


def send_all(fleet: Fleet, url: str, path: str, secret: str, bodies: list[bytes], key: str = "once") -> list[Reply]:
    """Send a request for each body concurrently, all with one Idempotency-Key and a verified credential."""
    fleet.everywhere(url, Request("GET", "/v1/limits", secret, START_MS - 2_000))
    return flatten(fleet.send(url, [Request("POST", path, secret, START_MS, body, key) for body in bodies]))


def count_events(account: AccountOfTest, kind: str) -> int:
    """Return how many events of a type an account has."""
    return len(record.newest_first(account.id, 100, kind=kind))


def test_one_request_sent_20_times_concurrently_creates_one_key(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 20 concurrent requests with one Idempotency-Key one creates a key. The others get the same response, or a 409
    while the request is in progress.
    """
    account = latchkey.account(tiers.ENTERPRISE)
    key = latchkey.key(account)
    replies = send_all(fleet, url, "/v1/keys", key.secret, [body_of("CI")] * MANY)
    assert {reply.status for reply in replies} <= {201, 409}
    made = [reply for reply in replies if reply.status == 201]
    assert len({(reply.body["id"], reply.body["secret"]) for reply in made}) == 1
    assert Counter("Idempotency-Replayed" in reply.headers for reply in made)[False] == 1
    assert {reply.body["error"] for reply in replies if reply.status == 409} <= {"request_in_progress"}
    assert len(list(find.keys_of(account.id))) == 2
    assert count_events(account, kinds.KEY_CREATED) == 2
    assert latchkey.call("GET", "/v1/users/me", made[0].body["secret"]).status == 200


def test_different_bodies_with_one_key_create_one_key(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 20 concurrent requests with one Idempotency-Key and several bodies one is executed. Requests with another body
    get an error that the Idempotency-Key was reused.
    """
    account = latchkey.account(tiers.ENTERPRISE)
    key = latchkey.key(account)
    replies = send_all(fleet, url, "/v1/keys", key.secret, [body_of(f"CI {number % 4}") for number in range(MANY)])
    assert {reply.status for reply in replies} <= {201, 409, 422}
    made = [reply for reply in replies if reply.status == 201]
    assert len({(reply.body["id"], reply.body["name"]) for reply in made}) == 1
    assert 422 in {reply.status for reply in replies}
    assert len(list(find.keys_of(account.id))) == 2


def test_rotation_sent_20_times_concurrently_creates_one_successor(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 20 concurrent rotations with one Idempotency-Key one creates a successor, and all get the same response."""
    account = latchkey.account(tiers.ENTERPRISE)
    keeper, key = latchkey.key(account), latchkey.key(account)
    replies = send_all(fleet, url, f"/v1/keys/{key.key.id}/rotate", keeper.secret, [b""] * MANY)
    assert {reply.status for reply in replies} <= {201, 409}
    made = [reply for reply in replies if reply.status == 201]
    assert len({(reply.body["id"], reply.body["secret"]) for reply in made}) == 1
    assert {reply.body["error"] for reply in replies if reply.status == 409} <= {"request_in_progress"}
    assert count_events(account, kinds.KEY_ROTATED) == 1


def test_test_message_requested_20_times_concurrently_is_sent_once(latchkey: TestApp, fleet: Fleet, url: str) -> None:
    """Of 20 concurrent requests for a test message with one Idempotency-Key one sends it. The others get the same
    response, or a 409 while the request is in progress.
    """
    account = latchkey.account(tiers.ENTERPRISE)
    secret = latchkey.key(account, "webhooks", "read").secret
    hook = {"url": "https://hooks.invalid/", "name": "Ledger"}
    with_secret = Request("POST", "/v1/webhooks", secret, START_MS - 1_000, json.dumps(hook).encode())
    (added,) = flatten(fleet.send(url, [with_secret]))
    replies = send_all(fleet, url, f"/v1/webhooks/{added.body['id']}/test", secret, [b""] * MANY)
    assert {reply.status for reply in replies} <= {200, 409}
    assert {reply.body["error"] for reply in replies if reply.status == 409} <= {"request_in_progress"}
    assert len({reply.body["id"] for reply in replies if reply.status == 200}) == 1
    assert len(list(fan_out.of_endpoint(added.body["id"], 10))) == 1
