"""What a request costs in DynamoDB calls: the steady state is one write, and what is refused costs less."""

import pytest

from chalicelib.core import secrets, telemetry
from chalicelib.limits import tiers
from tests.house import House

WRITE = ("UpdateItem", "latchkey-test-windows")
READ_KEY = ("GetItem", "latchkey-test-credentials")
READ_ACCOUNT = ("GetItem", "latchkey-test-accounts")


def cost(home: House, secret: str | None, target: str = "/v1/limits", method: str = "GET") -> list[tuple[str, str]]:
    """Return the calls that one request makes."""
    with telemetry.calls_watched() as calls:
        home.call(method, target, secret)
    return calls.made


def test_request_in_the_steady_state_is_one_write(home: House) -> None:
    """Whoever was verified costs one write and no read."""
    secret = home.key(home.account()).secret
    home.call("GET", "/v1/limits", secret)
    assert cost(home, secret) == [WRITE]


def test_view_adds_its_own_reads_only(home: House) -> None:
    """`/v1/users/me` reads the account it shows."""
    secret = home.key(home.account()).secret
    home.call("GET", "/v1/limits", secret)
    assert cost(home, secret, "/v1/users/me") == [WRITE, READ_ACCOUNT]


def test_first_request_of_a_key_is_two_reads_and_a_write(home: House) -> None:
    """The authorizer reads the key and its account."""
    assert cost(home, home.key(home.account()).secret) == [READ_KEY, READ_ACCOUNT, WRITE]


def test_request_after_the_gateways_memory_ended_verifies_again(home: House) -> None:
    """Every 300 s, and not before."""
    secret = home.key(home.account()).secret
    cost(home, secret)
    home.clock.forward(299.999)
    assert cost(home, secret) == [WRITE]
    home.clock.forward(0.001)
    assert cost(home, secret) == [READ_KEY, READ_ACCOUNT, WRITE]


def test_unknown_key_is_one_read_once(home: House) -> None:
    """The gateway remembers the no as well."""
    secret = secrets.mint("test")
    assert cost(home, secret) == [READ_KEY]
    assert cost(home, secret) == []


@pytest.mark.parametrize("secret", [None, "nonsense", "lk_test_" + "0" * 36, "x" * 7_000])
def test_missing_or_malformed_key_is_free(home: House, secret: str | None) -> None:
    """A guess is refused by its checksum."""
    assert cost(home, secret) == []


@pytest.mark.parametrize("spent", [{"used": 1000}, {"burst": 50}], ids=["quota", "burst"])
def test_refusal_is_one_write_and_then_free(home: House, spent: dict[str, int]) -> None:
    """The first refusal asks the database, those after it only this process's memory."""
    account = home.account()
    secret = home.key(account).secret
    home.call("GET", "/v1/limits", secret)
    home.counted(account.id, tiers.FREE, **spent)
    assert cost(home, secret) == [WRITE]
    assert cost(home, secret) == []
    assert cost(home, secret) == []


def test_unknown_route_is_free(home: House) -> None:
    """The gateway answers by itself."""
    assert cost(home, home.key(home.account()).secret, "/v1/nothing") == []


def test_stranger_is_one_write(home: House) -> None:
    """A public route counts the visitor and reads what it shows."""
    assert cost(home, None, "/health") == [WRITE, READ_ACCOUNT]
    home.counted("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    assert cost(home, None, "/health") == [WRITE]
    assert cost(home, None, "/health") == []


def test_too_little_scope_costs_no_more_than_the_admission(home: House) -> None:
    """The scopes travel with the verdict."""
    secret = home.key(home.account(), "read").secret
    home.call("GET", "/v1/limits", secret)
    assert cost(home, secret, "/v1/keys") == [WRITE]
