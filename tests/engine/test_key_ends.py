"""During its rotation a key creates no key that expires later than itself, in any order of the writes.

In the tests with "during" in their name, creations are held at their own write until the rotation has finished.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from chalicelib.credentials import find, revoke
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.verify import verify
from chalicelib.limits import tiers
from tests.engine.fault_proxy import Call
from tests.engine.hold_calls import HoldingProxy, run_concurrently
from tests.support.harness import TestApp

TWENTY = 20
GRACE_S = 600
NAME = "Made by a key"


def is_creation(call: Call) -> bool:
    """Return whether a call stores a key that POST /v1/keys creates."""
    puts = [item["Put"]["Item"] for item in call.body.get("TransactItems", []) if "Put" in item]
    return any(put.get("name") == {"S": NAME} for put in puts)


def is_rotation(call: Call) -> bool:
    """Return whether a call stores the end of a key's grace period."""
    updates = [item["Update"] for item in call.body.get("TransactItems", []) if "Update" in item]
    return any("retires_at" in update.get("ExpressionAttributeNames", {}).values() for update in updates)


def build_creation(latchkey: TestApp, key: Issued) -> Callable[[], int]:
    """Return a function that creates a key with another key."""
    body = {"name": NAME, "scopes": ["read", "keys"]}
    return lambda: latchkey.call("POST", "/v1/keys", key.secret, json_body=body).status


def list_unexpiring(account_id: str, *but: str) -> list[str]:
    """Return the active keys of an account without an expiry, except those in `but`."""
    return [key.id for key in find.keys_of(account_id) if key.is_live() and key.ends_at is None and key.id not in but]


def test_keys_created_during_their_makers_rotation_are_rejected(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Twenty creations have read the creating key without an expiry; none succeeds after its rotation is written."""
    account = latchkey.account()
    owner, leaving = latchkey.key(account), latchkey.key(account)
    with proxy.hold(is_creation) as held, ThreadPoolExecutor(TWENTY) as threads:
        asked = [threads.submit(build_creation(latchkey, leaving)) for _ in range(TWENTY)]
        held.wait_for(TWENTY)
        successor = rotate(verify(owner.secret), leaving.key.id, GRACE_S)
        held.release()
        assert Counter(each.result() for each in asked) == {409: TWENTY}
    assert list_unexpiring(account.id, owner.key.id, successor.key.id) == []


def test_rotation_decided_before_the_grace_creates_no_key_that_outlives_it(
    latchkey: TestApp, proxy: HoldingProxy
) -> None:
    """A key's rotation of itself fails if, between the check and the write, another key rotates it and the successor is
    revoked.
    """
    account = latchkey.account()
    owner, leaving = latchkey.key(account), latchkey.key(account)
    by_owner = verify(owner.secret)
    with proxy.hold(is_rotation) as held, ThreadPoolExecutor(1) as thread:
        own = thread.submit(latchkey.call, "POST", f"/v1/keys/{leaving.key.id}/rotate", leaving.secret)
        held.wait_for(1)
        held.rule = is_creation
        revoke.revoke(account.id, rotate(by_owner, leaving.key.id, GRACE_S).key.id)
        held.release()
        assert own.result().status == 409
    assert list_unexpiring(account.id, owner.key.id) == []


def test_concurrent_creations_and_rotation_leave_no_key_without_expiry(latchkey: TestApp) -> None:
    """After concurrent creations and a rotation, every key that the rotated key creates has an expiry."""
    account = latchkey.account(tiers.PRO)
    owner, leaving = latchkey.key(account), latchkey.key(account)
    room = LIVE_MAX - 4
    rotated = partial(latchkey.call, "POST", f"/v1/keys/{leaving.key.id}/rotate", owner.secret)
    run_concurrently([*[build_creation(latchkey, leaving)] * room, lambda: rotated().status])
    before = {key.id for key in find.keys_of(account.id)}
    statuses = run_concurrently([build_creation(latchkey, leaving)] * TWENTY)
    assert set(statuses) <= {201, 409}
    assert list_unexpiring(account.id, *before) == []
