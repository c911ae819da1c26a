"""What an admission records of its caller, tells its account, and remembers of a secret that a service was shown."""

from typing import Any

import pytest

from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import revoke
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.revocation_check import Use, admit_caller, admit_presented, note_failure
from chalicelib.credentials.verify import verify
from chalicelib.events import actors, kinds, record
from chalicelib.limits import counter_items, recorded_usage
from chalicelib.limits.tiers import FREE
from tests.support.harness import NOON_MS, TestApp

NETWORK, ROUTE = "203.0.113.0/24", "GET /v1/users"


def admit(issued: Issued, *, network: str = NETWORK, scopes: tuple[str, ...] = ("read",)) -> None:
    """Let one request through."""
    admit_caller(verify(issued.secret), f"Bearer {issued.secret}", use=Use(network, ROUTE, scopes))


def item_of(issued: Issued) -> dict[str, Any]:
    """Return the raw item of the account's counters."""
    key = counter_items.item_key(issued.key.account_id, FREE, NOON_MS // 1000)
    request = {"TableName": settings.current().table(counter_items.TABLE), "Key": key, "ConsistentRead": True}
    item: dict[str, Any] = dynamodb.call("GetItem", request)["Item"]
    return item


def test_admission_is_counted_and_recorded_under_its_credential(latchkey: TestApp) -> None:
    """With the network that it came from and the route it was for."""
    issued = latchkey.key(latchkey.account(), "read")
    admit(issued)
    counter, item = counter_items.counter_of(issued.key.id), item_of(issued)
    assert latchkey.counters(issued.key.account_id)[counter] == 1
    assert recorded_usage.routes_of(item) == {recorded_usage.route_name(ROUTE): {counter}}
    assert recorded_usage.networks_of(item) == {recorded_usage.network_name(counter, NETWORK): counter}


def test_route_that_the_scopes_dont_allow_is_not_used(latchkey: TestApp) -> None:
    """The request is refused after its admission; where it came from is known all the same."""
    issued = latchkey.key(latchkey.account(), "read")
    admit(issued, scopes=("read", "keys"))
    item = item_of(issued)
    assert recorded_usage.routes_of(item) == {}
    assert len(recorded_usage.networks_of(item)) == 1


def test_failures_are_written_with_the_next_admission(latchkey: TestApp) -> None:
    """By the credential's name."""
    issued = latchkey.key(latchkey.account(), "read")
    for _ in range(2):
        note_failure(verify(issued.secret))
    admit(issued)
    assert (
        recorded_usage.times_told_no(item_of(issued), recorded_usage.FAILED, counter_items.counter_of(issued.key.id))
        == 2
    )


@pytest.mark.parametrize(("used", "kind"), [(800, kinds.QUOTA_NEARLY_SPENT), (1_000, kinds.QUOTA_SPENT)])
@pytest.mark.parametrize(("network", "source_ip"), [(NETWORK, "203.0.113.7"), ("", None)])
def test_account_is_told_what_its_quota_has_come_to(
    latchkey: TestApp, network: str, source_ip: str | None, used: int, kind: str
) -> None:
    """By whom and from where; where a service asks for its caller, the address is the service's and isn't told."""
    issued = latchkey.key(latchkey.account())
    latchkey.clock.forward(1_800)
    latchkey.counted(issued.key.account_id, FREE, used=used - 1)
    with actors.stranger_from("203.0.113.7"):
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
def test_presented_secret_is_believed_for_60_seconds(latchkey: TestApp, seconds: float, reads: int) -> None:
    """Then it is read anew, as where the clock was set back to before it was."""
    issued = latchkey.key(latchkey.account())
    admit_presented(issued.secret, "")
    latchkey.clock.forward(seconds)
    with telemetry.calls_watched() as calls:
        admit_presented(issued.secret, "")
    assert [operation for operation, _ in calls.made].count("GetItem") == reads


def test_presented_secret_is_believed_no_longer_than_until_something_changes(latchkey: TestApp) -> None:
    """And for one resource, not for any other."""
    issued = latchkey.key(latchkey.account())
    principal, left = admit_presented(issued.secret, "https://files.example.com")
    assert (principal.credential_id, left.quota_left) == (issued.key.id, 999)
    with telemetry.calls_watched() as calls:
        admit_presented(issued.secret, "")
    assert ("GetItem", "latchkey-test-credentials") in calls.made
    revoke.revoke(issued.key.account_id, issued.key.id)
    with pytest.raises(errors.InvalidApiKey):
        admit_presented(issued.secret, "https://files.example.com")
