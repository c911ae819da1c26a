"""Unused headers, cookies, bodies and media types never cause an error.

Unknown URL parameters under /v1 do, because a misspelt parameter would otherwise be ignored silently.
"""

import pytest

from tests.support.harness import TestApp, error_of

TYPES = [
    "application/x-www-form-urlencoded",
    "text/plain;charset=UTF-8",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "image/png",
    "application/json; charset=latin1",
    "nonsense",
    "",
    ";;,",
]
HEADERS = {
    "Cookie": '=; a; b="; __Host-latchkey=x; é=1',
    "Accept": "image/png;q=x, ,,/",
    "Accept-Language": "fr-é",
    "Accept-Encoding": "br;q=2",
    "Content-Encoding": "gzip",
    "If-None-Match": "W/",
    "If-Modified-Since": "yesterday",
    "Range": "bytes=9-1",
    "Expect": "nothing",
    "Origin": "null",
    "Referer": "::",
    "X-Forwarded-For": "' OR 1=1",
    "Forwarded": "for=",
    "Host": "evil.example",
    "traceparent": "00-0-0",
    "Idempotency-Key": '"',
    "X-Http-Method-Override": "DELETE",
}


@pytest.mark.parametrize("media_type", TYPES)
def test_media_type_without_a_body_is_ignored(latchkey: TestApp, media_type: str) -> None:
    """A request without a body may have any Content-Type, because many clients send one with every POST."""
    account = latchkey.account()
    keeper, key = latchkey.key(account), latchkey.key(account)
    headers = {"Content-Type": media_type}
    assert latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", keeper.secret, headers=headers).status == 201


@pytest.mark.parametrize("media_type", TYPES)
def test_unused_body_is_ignored(latchkey: TestApp, media_type: str) -> None:
    """GET, HEAD and DELETE may have any body."""
    secret = latchkey.key(latchkey.account()).secret
    headers, body = {"Content-Type": media_type}, b'{"name": \xff'
    for method, target in (("GET", "/v1/users/me"), ("HEAD", "/v1/users/me"), ("GET", "/health"), ("GET", "/")):
        bearer = secret if target.startswith("/v1") else None
        assert latchkey.call(method, target, bearer, headers=headers, body=body).status == 200, (method, target)
    other = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "x", "scopes": ["read"]}).json()["id"]
    assert latchkey.call("DELETE", f"/v1/keys/{other}", secret, headers=headers, body=body).status == 204


@pytest.mark.parametrize(("name", "value"), HEADERS.items())
def test_unused_header_is_ignored(latchkey: TestApp, name: str, value: str) -> None:
    """A route ignores a malformed header that it doesn't use."""
    secret = latchkey.key(latchkey.account()).secret
    headers = {name: value}
    for target in ("/v1/users/me", "/health", "/openapi.json", "/.well-known/oauth-protected-resource", "/login"):
        bearer = secret if target.startswith("/v1") else None
        assert latchkey.call("GET", target, bearer, headers=headers).status == 200, target
    if name != "Idempotency-Key":
        made = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "x", "scopes": ["read"]}, headers=headers)
        assert made.status == 201


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        'application/json;charset="utf-8"',
        "application/json ; x=y",
        "application/json;",
    ],
)
def test_media_type_parameters_are_ignored(latchkey: TestApp, media_type: str) -> None:
    """JSON is read as UTF-8 with any declared charset (RFC 8259 §11)."""
    headers = {"Content-Type": media_type}
    response = latchkey.call(
        "PATCH", "/v1/users/me", latchkey.key(latchkey.account()).secret, json_body={"name": "é"}, headers=headers
    )
    assert (response.status, response.json()["name"]) == (200, "é")


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "text/plain", "application/jsonp", "nonsense"]
)
def test_media_type_of_a_used_body_must_be_json(latchkey: TestApp, media_type: str) -> None:
    """A route that reads a JSON body rejects any other media type with a 415."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call(
        "PATCH", "/v1/users/me", secret, body=b'{"name":"x"}', headers={"Content-Type": media_type}
    )
    assert error_of(response) == (415, "unsupported_media_type")
