"""The number of DynamoDB calls of each request: one write if the policy is cached, and fewer for a rejection."""

import pytest

from chalicelib.core import secrets, telemetry
from chalicelib.limits import tiers
from tests.support.harness import TestApp

WRITE = ("UpdateItem", "latchkey-test-windows")
READ_KEY = ("GetItem", "latchkey-test-credentials")
READ_ACCOUNT = ("GetItem", "latchkey-test-accounts")
READ_STANDING = ("BatchGetItem", "")
"""The read of the account, the membership and the user in one call."""


def calls_of(
    latchkey: TestApp, secret: str | None, target: str = "/v1/limits", method: str = "GET"
) -> list[tuple[str, str]]:
    """Return the database calls of one request."""
    with telemetry.record_calls() as calls:
        latchkey.call(method, target, secret)
    return calls.made


def test_verified_request_costs_one_write(latchkey: TestApp) -> None:
    """A request with a cached policy costs one write and no read."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    assert calls_of(latchkey, secret) == [WRITE]


def test_view_adds_its_own_reads_only(latchkey: TestApp) -> None:
    """`GET /v1/users/me` adds one read, of the user it shows with the membership and the account."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    assert calls_of(latchkey, secret, "/v1/users/me") == [WRITE, READ_STANDING]


def test_first_request_of_a_key_costs_two_reads_and_a_write(latchkey: TestApp) -> None:
    """The authorizer reads the key, and in one call its account, membership and user, on the first request."""
    assert calls_of(latchkey, latchkey.key(latchkey.account()).secret) == [READ_KEY, READ_STANDING, WRITE]


def test_request_after_the_policy_cache_expired_is_verified_again(latchkey: TestApp) -> None:
    """The credential is verified again after 300 s, when the cached policy expires."""
    secret = latchkey.key(latchkey.account()).secret
    calls_of(latchkey, secret)
    latchkey.clock.forward(299.999)
    assert calls_of(latchkey, secret) == [WRITE]
    latchkey.clock.forward(0.001)
    assert calls_of(latchkey, secret) == [READ_KEY, READ_STANDING, WRITE]


def test_unknown_key_costs_one_read(latchkey: TestApp) -> None:
    """An unknown key costs one read. Further requests with the key cost none, because API Gateway caches the Deny."""
    secret = secrets.mint("test")
    assert calls_of(latchkey, secret) == [READ_KEY]
    assert calls_of(latchkey, secret) == []


@pytest.mark.parametrize("secret", [None, "nonsense", "lk_test_" + "0" * 36, "x" * 7_000])
def test_missing_or_malformed_key_costs_no_call(latchkey: TestApp, secret: str | None) -> None:
    """A missing key, or one with a wrong checksum, costs no database call."""
    assert calls_of(latchkey, secret) == []


@pytest.mark.parametrize("spent", [{"used": 1000}, {"burst": 50}], ids=["quota", "burst"])
def test_rejection_costs_one_write_and_then_none(latchkey: TestApp, spent: dict[str, int]) -> None:
    """The first rejection costs one write, and later ones no call, because the process caches it."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.set_counters(account.id, tiers.FREE, **spent)
    assert calls_of(latchkey, secret) == [WRITE]
    assert calls_of(latchkey, secret) == []
    assert calls_of(latchkey, secret) == []


def test_unknown_route_costs_no_call(latchkey: TestApp) -> None:
    """API Gateway responds to an unknown route without a database call."""
    assert calls_of(latchkey, latchkey.key(latchkey.account()).secret, "/v1/nothing") == []


def test_anonymous_request_costs_one_write(latchkey: TestApp) -> None:
    """An anonymous request to a public route costs one write, besides the reads of its view."""
    assert calls_of(latchkey, None, "/health") == [WRITE, READ_ACCOUNT]
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    assert calls_of(latchkey, None, "/health") == [WRITE]
    assert calls_of(latchkey, None, "/health") == []


def test_insufficient_scope_costs_one_write(latchkey: TestApp) -> None:
    """A request with insufficient scope costs one write, because the scopes are cached with the policy."""
    secret = latchkey.key(latchkey.account(), "read").secret
    latchkey.call("GET", "/v1/limits", secret)
    assert calls_of(latchkey, secret, "/v1/keys") == [WRITE]
