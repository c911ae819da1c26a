"""Repeated header lines: lists are combined, and contradictory single values are rejected."""

import base64
from urllib.parse import urlencode

import pytest

from chalicelib.core import telemetry
from infra.local_gateway.response import Response
from tests.oauth.flow import register_client
from tests.support.console_client import FORM, ORIGIN, log_in_as, new_account
from tests.support.harness import TestApp

Lines = list[tuple[str, str]]
JSON = ("Content-Type", "application/json")
KEY = b'{"name": "CI", "scopes": ["read"]}'


def send_lines(
    latchkey: TestApp, method: str, target: str, *lines: tuple[str, str], body: bytes = b""
) -> tuple[Response, str]:
    """Send header lines unchanged; return the response and its error."""
    response = latchkey.gateway.handle(method, target, lines, body, "203.0.113.7")
    is_json = (response.header("Content-Type") or "").startswith("application/json") and response.body
    return response, response.json().get("error", "") if is_json else ""


@pytest.mark.parametrize("names", [("Cookie", "Cookie"), ("cookie", "cookie"), ("Cookie", "cookie")])
@pytest.mark.parametrize("place", [0, 1])
def test_cookies_may_be_split_over_several_fields(latchkey: TestApp, names: tuple[str, str], place: int) -> None:
    """A session cookie is found in any Cookie field, because HTTP/2 clients may split the header (RFC 9113 §8.2.3)."""
    console = log_in_as(latchkey, new_account())
    values = ["a=b; c=d", "e=f"]
    values[place] += f"; {console.cookie_name('latchkey')}={console.session}"
    response, _ = send_lines(latchkey, "GET", "/settings/account", *zip(names, values, strict=True))
    assert response.status == 200


def test_two_credentials_are_rejected(latchkey: TestApp) -> None:
    """Two different Authorization headers are a 400 (RFC 6750 §3.1: invalid_request)."""
    account = latchkey.account()
    first, second = (f"Bearer {latchkey.key(account).secret}" for _ in range(2))
    one, other = ("Authorization", first), ("authorization", second)
    for lines in ((one, other), (other, one), (one, ("Authorization", second))):
        response, error = send_lines(latchkey, "GET", "/v1/users/me", *lines)
        assert (response.status, error) == (400, "invalid_request")
        assert "Send one Authorization header." in response.json()["message"]
    assert send_lines(latchkey, "GET", "/v1/users/me", one, one)[0].status == 200


def test_two_credentials_are_counted_by_address(latchkey: TestApp) -> None:
    """A request with two credentials is counted for the client address, not for either account."""
    account = latchkey.account()
    lines = [("Authorization", f"Bearer {latchkey.key(account).secret}") for _ in range(2)]
    with telemetry.record_calls() as calls:
        statuses = [send_lines(latchkey, "GET", "/v1/users/me", *lines)[0].status for _ in range(60)]
    assert set(statuses) == {400, 429}
    assert latchkey.counters(account.id) == {}
    assert {table for operation, table in calls.made if operation == "UpdateItem"} == {"latchkey-test-windows"}


def test_two_client_credentials_are_rejected(latchkey: TestApp) -> None:
    """Two different Authorization headers at the token endpoint are `invalid_request`."""
    app = register_client(latchkey)
    right = base64.b64encode(f"{app.id}:{app.secret}".encode()).decode()
    lines: Lines = [("Content-Type", FORM), ("Authorization", f"Basic {right}")]
    body = b"grant_type=client_credentials"
    assert send_lines(latchkey, "POST", "/oauth/token", *lines, body=body)[0].status == 200
    wrong = base64.b64encode(f"{app.id}:wrong".encode()).decode()
    response, error = send_lines(
        latchkey, "POST", "/oauth/token", *lines, ("Authorization", f"Basic {wrong}"), body=body
    )
    assert (response.status, error) == (400, "invalid_request")


@pytest.mark.parametrize("kinds", [("application/json", "text/plain"), ("text/plain", "application/json")])
def test_two_media_types_are_rejected_when_a_body_is_read(latchkey: TestApp, kinds: tuple[str, str]) -> None:
    """Two different Content-Types are a 400 on a route that reads a body, and ignored on others."""
    secret = ("Authorization", f"Bearer {latchkey.key(latchkey.account()).secret}")
    lines = [secret, *(("Content-Type", kind) for kind in kinds)]
    response, error = send_lines(latchkey, "POST", "/v1/keys", *lines, body=KEY)
    assert (response.status, error) == (400, "invalid_request")
    assert response.json()["message"] == "Send one Content-Type header."
    assert send_lines(latchkey, "GET", "/v1/keys", *lines)[0].status == 200
    assert send_lines(latchkey, "POST", "/v1/keys", secret, JSON, JSON, body=KEY)[0].status == 201


def test_two_idempotency_keys_are_rejected(latchkey: TestApp) -> None:
    """Two different Idempotency-Keys are a 400; the same key twice is accepted."""
    secret = ("Authorization", f"Bearer {latchkey.key(latchkey.account()).secret}")
    keys = [("Idempotency-Key", key) for key in "ab"]
    response, error = send_lines(latchkey, "POST", "/v1/keys", secret, JSON, *keys, body=KEY)
    assert (response.status, error) == (400, "invalid_request")
    assert response.json()["message"] == "Send one Idempotency-Key."
    assert send_lines(latchkey, "POST", "/v1/keys", secret, JSON, keys[0], keys[0], body=KEY)[0].status == 201


def test_two_origins_are_rejected(latchkey: TestApp) -> None:
    """A form with two different Origin headers is a 400, in either order."""
    console = log_in_as(latchkey, new_account())
    tokens = console.token_fields()
    cookie = ("Cookie", f"{console.cookie_name('latchkey')}={console.session}")
    body = urlencode({**tokens, "name": "Eve"}).encode()
    for others in (["https://evil.example"], []):
        for origins in ([ORIGIN, *others], [*others, ORIGIN]):
            lines = [cookie, ("Content-Type", FORM), *(("Origin", origin) for origin in origins)]
            assert send_lines(latchkey, "POST", "/settings/account/name", *lines, body=body)[0].status == (
                400 if others else 303
            )


def test_list_headers_are_combined(latchkey: TestApp) -> None:
    """The values of repeated If-None-Match and Accept headers are combined."""
    etag = latchkey.call("GET", "/openapi.json").header("ETag") or ""
    for lines in ([f'"other", {etag}'], ["*"], [f"W/{etag}"], [etag, '"other"'], ['"other"', etag]):
        assert (
            send_lines(latchkey, "GET", "/openapi.json", *(("If-None-Match", each) for each in lines))[0].status == 304
        ), lines
    response, _ = send_lines(
        latchkey, "GET", "/v1/nothing", ("Accept", "application/json"), ("Sec-Fetch-Dest", "document")
    )
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    for lines in (["text/html", "*/*;q=0.1"], ["*/*;q=0.1", "text/html"]):
        response, _ = send_lines(latchkey, "GET", "/settings/nothing/at/all", *(("Accept", each) for each in lines))
        assert response.header("Content-Type") == "text/html; charset=utf-8"
