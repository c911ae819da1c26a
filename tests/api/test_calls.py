"""What a request costs in DynamoDB calls: the steady state is one write, and what is refused costs less."""

import pytest

from chalicelib.core import secrets, telemetry
from chalicelib.limits import tiers
from tests.support.harness import TestApp

WRITE = ("UpdateItem", "latchkey-test-windows")
READ_KEY = ("GetItem", "latchkey-test-credentials")
READ_ACCOUNT = ("GetItem", "latchkey-test-accounts")


def cost(
    latchkey: TestApp, secret: str | None, target: str = "/v1/limits", method: str = "GET"
) -> list[tuple[str, str]]:
    """Return the calls that one request makes."""
    with telemetry.record_calls() as calls:
        latchkey.call(method, target, secret)
    return calls.made


def test_request_in_the_steady_state_is_one_write(latchkey: TestApp) -> None:
    """Whoever was verified costs one write and no read."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    assert cost(latchkey, secret) == [WRITE]


def test_view_adds_its_own_reads_only(latchkey: TestApp) -> None:
    """`/v1/users/me` reads the account it shows."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    assert cost(latchkey, secret, "/v1/users/me") == [WRITE, READ_ACCOUNT]


def test_first_request_of_a_key_is_two_reads_and_a_write(latchkey: TestApp) -> None:
    """The authorizer reads the key and its account."""
    assert cost(latchkey, latchkey.key(latchkey.account()).secret) == [READ_KEY, READ_ACCOUNT, WRITE]


def test_request_after_the_gateways_memory_ended_verifies_again(latchkey: TestApp) -> None:
    """Every 300 s, and not before."""
    secret = latchkey.key(latchkey.account()).secret
    cost(latchkey, secret)
    latchkey.clock.forward(299.999)
    assert cost(latchkey, secret) == [WRITE]
    latchkey.clock.forward(0.001)
    assert cost(latchkey, secret) == [READ_KEY, READ_ACCOUNT, WRITE]


def test_unknown_key_is_one_read_once(latchkey: TestApp) -> None:
    """The gateway remembers the no as well."""
    secret = secrets.mint("test")
    assert cost(latchkey, secret) == [READ_KEY]
    assert cost(latchkey, secret) == []


@pytest.mark.parametrize("secret", [None, "nonsense", "lk_test_" + "0" * 36, "x" * 7_000])
def test_missing_or_malformed_key_is_free(latchkey: TestApp, secret: str | None) -> None:
    """A guess is refused by its checksum."""
    assert cost(latchkey, secret) == []


@pytest.mark.parametrize("spent", [{"used": 1000}, {"burst": 50}], ids=["quota", "burst"])
def test_refusal_is_one_write_and_then_free(latchkey: TestApp, spent: dict[str, int]) -> None:
    """The first refusal asks the database, those after it only this process's memory."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.set_counters(account.id, tiers.FREE, **spent)
    assert cost(latchkey, secret) == [WRITE]
    assert cost(latchkey, secret) == []
    assert cost(latchkey, secret) == []


def test_unknown_route_is_free(latchkey: TestApp) -> None:
    """The gateway answers by itself."""
    assert cost(latchkey, latchkey.key(latchkey.account()).secret, "/v1/nothing") == []


def test_stranger_is_one_write(latchkey: TestApp) -> None:
    """A public route counts the network and reads its data."""
    assert cost(latchkey, None, "/health") == [WRITE, READ_ACCOUNT]
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    assert cost(latchkey, None, "/health") == [WRITE]
    assert cost(latchkey, None, "/health") == []


def test_too_little_scope_costs_no_more_than_the_admission(latchkey: TestApp) -> None:
    """The scopes come with the principal."""
    secret = latchkey.key(latchkey.account(), "read").secret
    latchkey.call("GET", "/v1/limits", secret)
    assert cost(latchkey, secret, "/v1/keys") == [WRITE]
