"""Where a request comes from, and which URL it was sent to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from chalice.app import Request

from chalicelib.api import visitor
from chalicelib.core import settings
from chalicelib.core.settings import Settings


@pytest.fixture
def behind_cdn() -> Iterator[None]:
    """The owner's CDN passes the visitor's address on."""
    with settings.in_use(Settings(client_ip_header="X-Forwarded-For")):
        yield


def request(headers: dict[str, str] | None = None, **context: Any) -> Request:
    """Return a request as the gateway passes it on."""
    event: dict[str, Any] = {
        "headers": headers or {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "path": "/v1/users",
        "requestContext": {
            "resourcePath": "/v1/users",
            "httpMethod": "GET",
            "path": "/v1/users",
            "domainName": "api.example.com",
            "identity": {"sourceIp": "203.0.113.7"},
        }
        | context,
    }
    return Request(event)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
        ("203.0.113.7:443", "unknown"),
    ],
)
def test_address_is_counted_by_its_network(address: str, network: str) -> None:
    """An IPv4 address counts alone; of IPv6 one customer has a /64, however it is spelled."""
    assert visitor.network(address) == network


def test_address_is_the_gateways_word() -> None:
    """Without the setting no header is looked at."""
    with settings.in_use(Settings()):
        assert visitor.subject(request({"X-Forwarded-For": "198.51.100.1"})) == "ip_203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded", "subject"),
    [
        ("198.51.100.1", "ip_198.51.100.1"),
        ("6.6.6.6, 198.51.100.1", "ip_198.51.100.1"),
        ("6.6.6.6,2001:db8::1", "ip_2001:db8::/64"),
        ("nonsense", "ip_unknown"),
        ("", "ip_unknown"),
    ],
)
def test_address_behind_a_cdn_is_what_the_cdn_appended(behind_cdn: None, forwarded: str, subject: str) -> None:
    """What stands before the last comma came from the visitor and is worth nothing."""
    assert visitor.subject(request({"x-forwarded-for": forwarded})) == subject


def test_request_past_the_cdn_is_counted_by_the_gateways_word(behind_cdn: None) -> None:
    """A request without the header has the address that the gateway saw."""
    assert visitor.subject(request()) == "ip_203.0.113.7"


def test_base_url_is_the_configured_one() -> None:
    """Whatever the request says."""
    with settings.in_use(Settings(public_url="https://api.acme.com/v0")):
        assert visitor.base_url(request({"Host": "evil.example"})) == "https://api.acme.com/v0"


@pytest.mark.parametrize(("path", "url"), [("/v1/users", ""), ("/api/v1/users", "/api"), ("/base/v1/users", "/base")])
def test_base_url_is_taken_from_the_gateways_context(path: str, url: str) -> None:
    """A stage or a base path mapping belongs to the URL; Host and X-Forwarded-* don't."""
    sent = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    with settings.in_use(Settings()):
        assert visitor.base_url(request(sent, path=path)) == f"https://api.example.com{url}"


def test_settings_of_one_test_end_with_it() -> None:
    """The fixture above leaves nothing behind."""
    with settings.in_use(replace(Settings(), stage="other")):
        assert settings.current().client_ip_header == ""
