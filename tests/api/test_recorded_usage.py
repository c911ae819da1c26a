"""The middleware records the network and route of a request with its admission."""

from typing import Any

import pytest

from chalicelib.api import client_address
from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import counter_items, recorded_usage, tiers
from chalicelib.limits.counter_items import counter_of
from tests.support.harness import TestApp


def item_of(account_id: str) -> dict[str, Any]:
    """Return the account's DynamoDB counter item for this hour."""
    key = counter_items.item_key(account_id, tiers.FREE, clock.hour_of(clock.now_s()))
    item: dict[str, Any] = dynamodb.call("GetItem", {"TableName": settings.current().table("windows"), "Key": key})[
        "Item"
    ]
    return item


def test_request_records_its_network_and_route(latchkey: TestApp) -> None:
    """A request is recorded with its network and the pattern of its route."""
    account = latchkey.account()
    issued = latchkey.key(account)
    latchkey.call("GET", f"/v1/users/{account.user_id}", issued.secret, ip="198.51.100.9")
    counter, item = counter_of(issued.key.id), item_of(account.id)
    assert recorded_usage.routes_of(item) == {recorded_usage.route_name("GET /v1/users/{user_id}"): {counter}}
    assert recorded_usage.networks_of(item) == {recorded_usage.network_name(counter, "198.51.100.0/24"): counter}


def test_insufficient_scope_is_recorded_as_a_failure(latchkey: TestApp) -> None:
    """A 403 is recorded as a failure of the credential, not as a used route. The account's next admission writes the
    record.
    """
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    for _ in range(3):
        assert latchkey.call("GET", "/v1/keys", issued.secret).status == 403
    latchkey.call("GET", "/v1/limits", issued.secret)
    item = item_of(account.id)
    assert list(recorded_usage.routes_of(item)) == [recorded_usage.route_name("GET /v1/limits")]
    assert recorded_usage.count_denials(item, recorded_usage.FAILED, counter_of(issued.key.id)) == 3


def test_key_that_expired_while_cached_is_recorded_as_a_failure(latchkey: TestApp) -> None:
    """If a key expired while its policy was cached, its 401 is recorded as a failure by the account's
    next admission.
    """
    account = latchkey.account()
    short, other = latchkey.key(account, expires_in_s=60), latchkey.key(account)
    latchkey.call("GET", "/v1/limits", short.secret)
    latchkey.clock.forward(61)
    assert latchkey.call("GET", "/v1/limits", short.secret).status == 401
    latchkey.call("GET", "/v1/limits", other.secret)
    assert recorded_usage.count_denials(item_of(account.id), recorded_usage.FAILED, counter_of(short.key.id)) == 1


def test_verified_secret_records_no_network_or_route(latchkey: TestApp) -> None:
    """`POST /v1/verify` records neither network nor route for the verified secret."""
    account, admin = latchkey.account(), latchkey.account(admin=True)
    issued, service = latchkey.key(account), latchkey.key(admin, "verify")
    response = latchkey.call("POST", "/v1/verify", service.secret, json_body={"secret": issued.secret})
    assert response.status == 200
    item = item_of(account.id)
    assert (recorded_usage.networks_of(item), recorded_usage.routes_of(item)) == ({}, {})


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("not an address", ""),
    ],
)
def test_neighbourhood_is_a_24_or_48(address: str, network: str) -> None:
    """Usage is recorded by IPv4 /24 or IPv6 /48, and not for a malformed address."""
    assert client_address.neighbourhood(address) == network
