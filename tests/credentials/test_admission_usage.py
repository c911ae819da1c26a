"""Admissions record usage and quota events, and /v1/verify caches the principals of secrets."""

from typing import Any

import pytest

from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import revoke
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.revocation_check import Use, admit_caller, admit_presented, record_failure
from chalicelib.credentials.verify import verify
from chalicelib.events import actors, kinds, record
from chalicelib.limits import counter_items, recorded_usage
from chalicelib.limits.tiers import FREE
from tests.support.harness import START_MS, TestApp

NETWORK, ROUTE = "203.0.113.0/24", "GET /v1/users"


def admit(issued: Issued, *, network: str = NETWORK, scopes: tuple[str, ...] = ("read",)) -> None:
    """Admit one request."""
    admit_caller(verify(issued.secret), f"Bearer {issued.secret}", use=Use(network, ROUTE, scopes))


def item_of(issued: Issued) -> dict[str, Any]:
    """Return the raw counter item of the account."""
    key = counter_items.item_key(issued.key.account_id, FREE, START_MS // 1000)
    request = {"TableName": settings.current().table(counter_items.TABLE), "Key": key, "ConsistentRead": True}
    item: dict[str, Any] = dynamodb.call("GetItem", request)["Item"]
    return item


def test_admission_is_recorded_for_its_credential(latchkey: TestApp) -> None:
    """An admission is recorded with the credential, the network of the request and the route."""
    issued = latchkey.key(latchkey.account(), "read")
    admit(issued)
    counter, item = counter_items.counter_of(issued.key.id), item_of(issued)
    assert latchkey.counters(issued.key.account_id)[counter] == 1
    assert recorded_usage.routes_of(item) == {recorded_usage.route_name(ROUTE): {counter}}
    assert recorded_usage.networks_of(item) == {recorded_usage.network_name(counter, NETWORK): counter}


def test_route_that_the_scopes_dont_allow_is_not_recorded(latchkey: TestApp) -> None:
    """A route is recorded only if the scopes allow it; the network is always recorded."""
    issued = latchkey.key(latchkey.account(), "read")
    admit(issued, scopes=("read", "keys"))
    item = item_of(issued)
    assert recorded_usage.routes_of(item) == {}
    assert len(recorded_usage.networks_of(item)) == 1


def test_failures_are_written_with_the_next_admission(latchkey: TestApp) -> None:
    """A failed request is counted for its credential by the next admission."""
    issued = latchkey.key(latchkey.account(), "read")
    for _ in range(2):
        record_failure(verify(issued.secret))
    admit(issued)
    assert (
        recorded_usage.count_denials(item_of(issued), recorded_usage.FAILED, counter_items.counter_of(issued.key.id))
        == 2
    )


@pytest.mark.parametrize(("used", "kind"), [(800, kinds.QUOTA_NEARLY_SPENT), (1_000, kinds.QUOTA_SPENT)])
@pytest.mark.parametrize(("network", "source_ip"), [(NETWORK, "203.0.113.7"), ("", None)])
def test_crossed_quota_threshold_is_recorded_as_an_event(
    latchkey: TestApp, network: str, source_ip: str | None, used: int, kind: str
) -> None:
    """The event of a reached quota threshold names the credential and, if it is known, the client address."""
    issued = latchkey.key(latchkey.account())
    latchkey.clock.forward(1_800)
    latchkey.set_counters(issued.key.account_id, FREE, used=used - 1)
    with actors.act_anonymously("203.0.113.7"):
        admit(issued, network=network)
    (event,) = record.newest_first(issued.key.account_id, 9, kind=kind)
    assert (event.actor, event.source_ip) == (issued.key.id, source_ip)
    assert event.changed.as_dict() == {
        "tier": "free",
        "used": str(used),
        "quota": "1000",
        "resets_at": "2021-12-20T11:00:00Z",
    }


@pytest.mark.parametrize(
    ("seconds", "reads"), [(0, 0), (59.999, 0), (60, 2), (-8, 0), (-8.001, 2)], ids=lambda value: str(value)
)
def test_presented_secret_is_cached_for_60_seconds(latchkey: TestApp, seconds: float, reads: int) -> None:
    """A secret that a service presents is verified again after 60 seconds, and after the clock was set back."""
    issued = latchkey.key(latchkey.account())
    admit_presented(issued.secret, "")
    latchkey.clock.forward(seconds)
    with telemetry.record_calls() as calls:
        admit_presented(issued.secret, "")
    assert [operation in ("GetItem", "BatchGetItem") for operation, _ in calls.made].count(True) == reads


def test_presented_secret_is_verified_again_after_a_change(latchkey: TestApp) -> None:
    """A presented secret's cached principal is used only for the same resource, and not after a revocation."""
    issued = latchkey.key(latchkey.account())
    principal, left = admit_presented(issued.secret, "https://files.example.com")
    assert (principal.credential_id, left.quota_left) == (issued.key.id, 999)
    with telemetry.record_calls() as calls:
        admit_presented(issued.secret, "")
    assert ("GetItem", "latchkey-test-credentials") in calls.made
    revoke.revoke(issued.key.account_id, issued.key.id)
    with pytest.raises(errors.InvalidApiKey):
        admit_presented(issued.secret, "https://files.example.com")
