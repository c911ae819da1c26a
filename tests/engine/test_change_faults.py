"""Changes during DynamoDB faults. Each change is made once or not at all, and the response is a 503 until the change
takes effect.
"""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.credentials import find
from chalicelib.credentials.issue import Issued
from chalicelib.limits import tiers
from infra.local_gateway.response import Response
from tests.engine.fault_proxy import (
    CANCELED_BY_CONFLICT,
    CONFLICT,
    SERVER_ERROR,
    THROTTLED,
    ConnectionFault,
    Fault,
    FaultProxy,
    Rule,
    fault_id,
    is_batch_get_item,
    is_get_item,
    is_stale_mark,
    is_transaction,
)
from tests.support import console_client
from tests.support.harness import TestApp

ONCE = [SERVER_ERROR, CANCELED_BY_CONFLICT, *ConnectionFault]


class Person:
    """An account with two keys, of which one is used to change the other."""

    def __init__(self, latchkey: TestApp) -> None:
        """Create the account and its keys, and have the gateway cache both keys' policies."""
        self.latchkey = latchkey
        self.account = latchkey.account(tiers.PRO)
        self.key, self.manager = latchkey.key(self.account, "read", "write"), latchkey.key(self.account)
        self.admin = latchkey.key(latchkey.account(tiers.PRO, admin=True), "admin").secret
        assert self.read(self.key).status == self.read(self.manager).status == 200

    def read(self, by: Issued) -> Response:
        """Send a GET with one of the keys."""
        return self.latchkey.call("GET", "/v1/limits", by.secret)

    def rename(self) -> Response:
        """Send a PATCH with the changed key."""
        return self.latchkey.call("PATCH", "/v1/users/me", self.key.secret, json_body={"name": "Grace"})

    def create(self) -> Response:
        """Create a third key."""
        return self._manage("POST", "/v1/keys", {"name": "Third", "scopes": ["read"]})

    def rotate(self) -> Response:
        """Rotate the key."""
        body = {"grace_s": 60}
        return self.latchkey.call("POST", f"/v1/keys/{self.manager.key.id}/rotate", self.manager.secret, json_body=body)

    def revoke(self) -> Response:
        """Revoke the key."""
        return self._manage("DELETE", f"/v1/keys/{self.key.key.id}", None)

    def narrow(self) -> Response:
        """Remove the key's write scope."""
        return self._manage("PATCH", f"/v1/keys/{self.key.key.id}", {"scopes": ["read"]})

    def suspend(self) -> Response:
        """Suspend the account."""
        return self._administer({"status": "suspended"})

    def upgrade(self) -> Response:
        """Upgrade the account."""
        return self._administer({"tier": "enterprise"})

    def keys(self) -> dict[str, bool]:
        """Return the ids of all keys, and whether each is active."""
        return {key.id: key.is_live() for key in find.keys_of(self.account.id)}

    def counted(self) -> set[str]:
        """Return the ids of the keys that count towards the limit of keys."""
        return set(Account.get(self.account.id).live_keys.attribute_values)

    def _manage(self, method: str, target: str, body: Any) -> Response:
        return self.latchkey.call(method, target, self.manager.secret, json_body=body)

    def _administer(self, body: Any) -> Response:
        return self.latchkey.call("PATCH", f"/v1/accounts/{self.account.id}", self.admin, json_body=body)


@pytest.fixture
def person(latchkey: TestApp) -> Person:
    """An account with two valid keys."""
    return Person(latchkey)


@pytest.mark.parametrize("fault", ONCE, ids=fault_id)
def test_rotation_that_fails_once_makes_one_successor(person: Person, proxy: FaultProxy, fault: Fault) -> None:
    """If the write of a rotation fails once, applied or not, one successor is created, and the response contains the
    secret.
    """
    with proxy.fail(is_transaction, fault, times=1) as sent:
        rotated = person.rotate()
    assert rotated.status == 201
    assert len(sent) == 2
    assert len({call.body["ClientRequestToken"] for call in sent}) == 1
    assert person.keys().keys() == {person.key.key.id, person.manager.key.id, rotated.json()["id"]}
    assert person.counted() == person.keys().keys()
    assert person.latchkey.call("GET", "/v1/limits", rotated.json()["secret"]).status == 200
    assert person.rotate().status == 409


@pytest.mark.parametrize("fault", ONCE, ids=fault_id)
def test_creation_that_fails_once_makes_one_key(person: Person, proxy: FaultProxy, fault: Fault) -> None:
    """If the write of a creation fails once, applied or not, one key is created and counted."""
    with proxy.fail(is_transaction, fault, times=1):
        created = person.create()
    assert created.status == 201
    assert len(person.keys()) == 3
    assert person.counted() == person.keys().keys()
    assert person.latchkey.call("GET", "/v1/limits", created.json()["secret"]).status == 200


@pytest.mark.parametrize("fault", ONCE, ids=fault_id)
def test_revocation_that_fails_once_is_applied(person: Person, proxy: FaultProxy, fault: Fault) -> None:
    """If the write of a revocation fails once, applied or not, the key is revoked and no longer counted."""
    with proxy.fail(is_transaction, fault, times=1):
        assert person.revoke().status == 204
    assert person.counted() == {person.manager.key.id}
    assert person.read(person.key).status == 401


def test_creation_with_repeated_conflicts_succeeds(person: Person, proxy: FaultProxy) -> None:
    """A transaction that conflicts several times is retried, and the key is counted once."""
    with proxy.fail(is_transaction, CANCELED_BY_CONFLICT, times=4) as sent:
        assert person.create().status == 201
    assert len(sent) == 5
    assert len(person.keys()) == 3


def test_creation_without_a_database_creates_no_key(person: Person, proxy: FaultProxy) -> None:
    """Without a database the response is a 5xx and nothing is stored."""
    with proxy.fail(is_transaction, ConnectionFault.DROPPED):
        assert person.create().status >= 500
    assert len(person.keys()) == 2


CHANGES: dict[str, tuple[Callable[[Person], Response], Callable[[Person], int], int, int]] = {
    "revoke": (Person.revoke, lambda person: person.read(person.key).status, 204, 401),
    "narrow": (Person.narrow, lambda person: person.rename().status, 200, 403),
    "suspend": (Person.suspend, lambda person: person.read(person.key).status, 200, 401),
}
"""Each change: its request, another request that it affects, and the expected status of both."""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("fault", [SERVER_ERROR, ConnectionFault.DROPPED], ids=fault_id)
def test_change_without_its_stale_mark_is_503_and_repeatable(
    person: Person, proxy: FaultProxy, fault: Fault, change: str
) -> None:
    """If the invalidation mark of a change can't be set, the response is a 503. The change is stored, and repeating it
    sets the mark.
    """
    make, look, done, refused = CHANGES[change]
    with proxy.fail(is_stale_mark, fault):
        lost = make(person)
        assert (lost.status, lost.header("Retry-After"), lost.json()["error"]) == (503, "1", "unavailable")
    assert make(person).status == done
    assert look(person) == refused


@pytest.mark.parametrize("fault", [SERVER_ERROR, ConnectionFault.DROPPED], ids=fault_id)
def test_deletion_without_its_stale_mark_is_503_and_stored(latchkey: TestApp, proxy: FaultProxy, fault: Fault) -> None:
    """If the invalidation mark of an account's deletion can't be set, the account is deleted, and the page says that
    its keys may be accepted for five more minutes.
    """
    account = console_client.new_account()
    key, ada = latchkey.key(account), console_client.log_in_as(latchkey, account)
    assert latchkey.call("GET", "/v1/limits", key.secret).status == 200
    page = ada.open("/settings/account")
    fields = ada.fill(page, "/settings/account/delete", {"password": console_client.PASSWORD})
    with proxy.fail(is_stale_mark, fault):
        response = ada.send("/settings/account/delete", fields)
    assert response.status == 503
    assert "5 more minutes" in response.text
    assert Account.get(account.id).status == "deleted"
    latchkey.gateway.cached.clear()
    latchkey.forget()
    assert latchkey.call("GET", "/v1/limits", key.secret).status == 401


@pytest.mark.parametrize(("tier_changed", "marks"), [(False, 2), (True, 6)])
def test_partly_marked_revocation_is_503_and_repeatable(
    person: Person, proxy: FaultProxy, tier_changed: bool, marks: int
) -> None:
    """A revocation gets a 503 until the invalidation mark is set on all counter items that an admission may check:
    those of the account's tier, and of every tier if the tier has changed recently.
    """
    person.latchkey.clock.forward(1_800)
    if tier_changed:
        assert person.upgrade().status == 200
    with proxy.fail(is_stale_mark, SERVER_ERROR) as tried:
        person.revoke()
    tries_a_mark = len(tried)
    for marks_set in range(1, marks):
        passed = 0

        def after_some(call: Any, limit: int = marks_set) -> bool:
            nonlocal passed
            passed += is_stale_mark(call)
            return is_stale_mark(call) and passed > limit

        with proxy.fail(after_some, SERVER_ERROR) as failed:
            assert person.revoke().status == 503
        assert len(failed) == tries_a_mark
    with proxy.fail(is_stale_mark, THROTTLED, times=0) as made:
        assert person.revoke().status == 204
    assert len({str(call.body["Key"]) for call in made}) == marks
    assert person.read(person.key).status == 401


@pytest.mark.parametrize("fault", [THROTTLED, CONFLICT], ids=fault_id)
def test_throttled_stale_mark_is_retried(person: Person, proxy: FaultProxy, fault: Fault) -> None:
    """A throttled or conflicting write of an invalidation mark is retried."""
    with proxy.fail(is_stale_mark, fault, times=3):
        assert person.revoke().status == 204
    assert person.read(person.key).status == 401


def test_no_transaction_touches_the_counters(person: Person, proxy: FaultProxy) -> None:
    """No transaction includes counters, because admissions would then fail with conflicts."""
    for change in (person.create, person.rotate, person.narrow, person.revoke, person.upgrade, person.suspend):
        assert change().status < 300
    sent = [call for call in proxy.seen if is_transaction(call)]
    assert len(sent) >= 3
    for call in sent:
        for item in call.body["TransactItems"]:
            assert all(not write["TableName"].endswith("-windows") for write in item.values())


@pytest.mark.parametrize("fault", [SERVER_ERROR, THROTTLED, ConnectionFault.DROPPED], ids=fault_id)
def test_stale_caller_that_cannot_be_verified_is_not_admitted(person: Person, proxy: FaultProxy, fault: Fault) -> None:
    """A request with a revoked key gets a 5xx while the key's record can't be read, and a 401 afterwards."""
    assert person.revoke().status == 204
    with proxy.fail(is_get_item, fault):
        assert person.read(person.key).status >= 500
    assert person.read(person.key).status == 401


@pytest.mark.parametrize("rule", [is_get_item, is_batch_get_item])
@pytest.mark.parametrize("fault", [SERVER_ERROR, THROTTLED, ConnectionFault.DROPPED], ids=fault_id)
def test_key_that_cannot_be_read_is_neither_accepted_nor_cached(
    person: Person, proxy: FaultProxy, fault: Fault, rule: Rule
) -> None:
    """An authorizer without a database fails with a 5xx, because the gateway would cache a denial."""
    fresh = person.latchkey.key(person.account)
    with proxy.fail(rule, fault):
        assert person.read(fresh).status >= 500
    assert person.read(fresh).status == 200


@pytest.mark.parametrize("fault", [SERVER_ERROR, ConnectionFault.DROPPED, ConnectionFault.SILENT], ids=fault_id)
def test_health_is_503_without_a_database(latchkey: TestApp, proxy: FaultProxy, fault: Fault) -> None:
    """The response of /health is a 503 while DynamoDB is unavailable, and a 200 afterwards."""
    with proxy.fail(is_get_item, fault):
        assert latchkey.call("GET", "/health").status == 503
    assert latchkey.call("GET", "/health").status == 200
