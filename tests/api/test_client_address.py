"""The client address of a request, and the URL it was sent to."""

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
    """The text written to the log."""
    log = io.StringIO()
    telemetry.write_to(log)
    yield log
    telemetry.write_to(None)


@pytest.fixture
def behind_cdn() -> Iterator[None]:
    """Configure the header in which the operator's CDN sends the client address."""
    with settings.override(Settings(client_ip_header="X-Forwarded-For")):
        yield


def request(headers: dict[str, str] | None = None, **context: Any) -> Request:
    """Return a request as API Gateway passes it on."""
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
def test_address_is_counted_by_network(address: str, network: str) -> None:
    """Each IPv4 address is counted separately, and IPv6 addresses are counted by their /64 in any spelling."""
    assert client_address.network(address) == network


def test_address_is_api_gateways_by_default() -> None:
    """No header changes the client address unless the operator configures one."""
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
def test_address_behind_a_cdn_is_the_last_one(behind_cdn: None, forwarded: str, subject: str) -> None:
    """Only the last address in the header of the CDN is trusted; the client may have sent the others."""
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
def test_address_is_parsed_without_port_brackets_and_zone(header: str, written: str, address: str) -> None:
    """Port, brackets and zone are removed from an address, and an embedded IPv4 address is extracted."""
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
def test_last_group_of_cloudfronts_header_is_the_port(written: str, address: str) -> None:
    """The last group of CloudFront's address header is the port, even after an IPv6 address without brackets."""
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
def test_malformed_address_header_falls_back_to_api_gateway(
    latchkey: TestApp, logged: io.StringIO, rubbish: str
) -> None:
    """If the address header is malformed, this is logged, and API Gateway's address is used."""
    with settings.override(replace(settings.current(), client_ip_header="CloudFront-Viewer-Address")):
        assert client_address.subject(request({"cloudfront-viewer-address": rubbish})) == "ip_203.0.113.7"
        client_address._parse_cdn_address.cache_clear()
        assert latchkey.call("GET", "/health", headers={"CloudFront-Viewer-Address": rubbish}).status == 200
    assert logged.getvalue().count('"ClientAddressUnreadable":1') == 1
    assert "client_address_unreadable" in logged.getvalue()


def test_missing_address_header_falls_back_to_api_gateway(behind_cdn: None) -> None:
    """If the address header is missing, API Gateway's address is used."""
    assert client_address.subject(request()) == "ip_203.0.113.7"


def test_base_url_is_the_configured_one() -> None:
    """The configured public URL takes precedence over the Host header."""
    with settings.override(Settings(public_url="https://api.acme.com/v0")):
        assert client_address.base_url(request({"Host": "evil.example"})) == "https://api.acme.com/v0"


@pytest.mark.parametrize(("path", "url"), [("/v1/users", ""), ("/api/v1/users", "/api"), ("/base/v1/users", "/base")])
def test_base_url_comes_from_the_request_context(path: str, url: str) -> None:
    """By default the base URL is built from the context's domain and path prefix, not from Host or X-Forwarded-*."""
    sent = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    with settings.override(Settings()):
        assert client_address.base_url(request(sent, path=path)) == f"https://api.example.com{url}"


def test_settings_override_ends_with_its_test() -> None:
    """Settings that a fixture overrides are restored before the next test."""
    with settings.override(replace(Settings(), stage="other")):
        assert settings.current().client_ip_header == ""
