"""Where a request comes from, and which URL it was sent to."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from chalice.app import Request

from chalicelib.api import client_address
from chalicelib.core import settings, telemetry
from chalicelib.core.settings import Settings
from tests.support.harness import TestApp


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is written to the log."""
    log = io.StringIO()
    telemetry.write_to(log)
    yield log
    telemetry.write_to(None)


@pytest.fixture
def behind_cdn() -> Iterator[None]:
    """The operator's CDN passes the client address."""
    with settings.override(Settings(client_ip_header="X-Forwarded-For")):
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
        ("64:ff9b::c633:640a", "198.51.100.10"),
        ("", "unknown"),
        ("nonsense", "unknown"),
        ("203.0.113.7:443", "unknown"),
    ],
)
def test_address_is_counted_by_its_network(address: str, network: str) -> None:
    """An IPv4 address counts alone; of IPv6 one customer has a /64, however it is spelled."""
    assert client_address.network(address) == network


def test_address_is_the_gateways_word() -> None:
    """Without the setting no header is looked at."""
    with settings.override(Settings()):
        assert client_address.subject(request({"X-Forwarded-For": "198.51.100.1"})) == "ip_203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded", "subject"),
    [
        ("198.51.100.1", "ip_198.51.100.1"),
        ("6.6.6.6, 198.51.100.1", "ip_198.51.100.1"),
        ("6.6.6.6,2001:db8::1", "ip_2001:db8::/64"),
        ("198.51.100.1:46532", "ip_198.51.100.1"),
        ("6.6.6.6:1, [2001:db8::1]:443", "ip_2001:db8::/64"),
    ],
)
def test_address_behind_a_cdn_is_what_the_cdn_appended(behind_cdn: None, forwarded: str, subject: str) -> None:
    """Everything before the last comma was sent by the client and isn't trusted."""
    assert client_address.subject(request({"x-forwarded-for": forwarded})) == subject


@pytest.mark.parametrize("header", ["CloudFront-Viewer-Address", "X-Real-Ip"])
@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("198.51.100.10", "198.51.100.10"),
        ("198.51.100.10:46532", "198.51.100.10"),
        (" \t198.51.100.10:46532 ", "198.51.100.10"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::beef", "2001:db8::beef"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334:46532", "2001:db8:85a3::8a2e:370:7334"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:db8:85a3::8a2e:370:7334"),
        ("::ffff:198.51.100.10", "198.51.100.10"),
        ("[::ffff:198.51.100.10]:443", "198.51.100.10"),
        ("64:ff9b::c633:640a", "198.51.100.10"),
        ("[64:ff9b::198.51.100.10]:443", "198.51.100.10"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("6.6.6.6, 7.7.7.7:80, 198.51.100.10:46532", "198.51.100.10"),
    ],
)
def test_address_is_read_without_what_stands_around_it(header: str, written: str, address: str) -> None:
    """Port, brackets and zone are no part of it, and an IPv4 address is one in whatever form."""
    with settings.override(Settings(client_ip_header=header)):
        assert client_address.source_ip(request({header: written})) == address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("2001:db8::1:443", "2001:db8::1"),
        ("2001:db8:1:2:3:::46532", "2001:db8:1:2:3::"),
        ("2a09:bac1:76c0:98::1f1:2a:65535", "2a09:bac1:76c0:98::1f1:2a"),
        ("64:ff9b::c633:640a:46532", "198.51.100.10"),
        ("::ffff:198.51.100.10:46532", "198.51.100.10"),
    ],
)
def test_cloudfronts_last_group_is_the_port(written: str, address: str) -> None:
    """It writes IPv6 without brackets, and always a port behind it."""
    with settings.override(Settings(client_ip_header="cloudfront-viewer-address")):
        assert client_address.source_ip(request({"CloudFront-Viewer-Address": written})) == address


@pytest.mark.parametrize(
    "rubbish",
    [
        *("", "unknown", "nonsense", "198.51.100.10:port", "198.51.100.10:", "198.51.100.10:999999", "198.51.100", ","),
        *("[2001:db8::1", "2001:db8::1]:443", "[198.51.100.10]x", "198.51.100.10 x", "\xa0198.51.100.10", "x" * 5_000),
        *("198.51.100.1\u0660", "198.51.100.10:4_4", "_hidden", "198.51.100.10,"),
    ],
)
def test_header_without_an_address_is_counted_by_the_gateways_word(
    latchkey: TestApp, logged: io.StringIO, rubbish: str
) -> None:
    """Not all together as nobody; the log and a metric say that it is so."""
    with settings.override(replace(settings.current(), client_ip_header="CloudFront-Viewer-Address")):
        assert client_address.subject(request({"cloudfront-viewer-address": rubbish})) == "ip_203.0.113.7"
        client_address._written.cache_clear()
        assert latchkey.call("GET", "/health", headers={"CloudFront-Viewer-Address": rubbish}).status == 200
    assert logged.getvalue().count('"ClientAddressUnreadable":1') == 1
    assert "client_address_unreadable" in logged.getvalue()


def test_request_past_the_cdn_is_counted_by_the_gateways_word(behind_cdn: None) -> None:
    """A request without the header has the address that the gateway saw."""
    assert client_address.subject(request()) == "ip_203.0.113.7"


def test_base_url_is_the_configured_one() -> None:
    """Whatever the request says."""
    with settings.override(Settings(public_url="https://api.acme.com/v0")):
        assert client_address.base_url(request({"Host": "evil.example"})) == "https://api.acme.com/v0"


@pytest.mark.parametrize(("path", "url"), [("/v1/users", ""), ("/api/v1/users", "/api"), ("/base/v1/users", "/base")])
def test_base_url_is_taken_from_the_gateways_context(path: str, url: str) -> None:
    """A stage or a base path mapping belongs to the URL; Host and X-Forwarded-* don't."""
    sent = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    with settings.override(Settings()):
        assert client_address.base_url(request(sent, path=path)) == f"https://api.example.com{url}"


def test_settings_of_one_test_end_with_it() -> None:
    """The fixture above leaves nothing behind."""
    with settings.override(replace(Settings(), stage="other")):
        assert settings.current().client_ip_header == ""
