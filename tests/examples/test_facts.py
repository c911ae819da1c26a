"""The errors and headers in docs/authentication.md are those that the API sends."""

import json
from typing import Any

import pytest

from chalicelib.api import responses
from chalicelib.core import errors
from chalicelib.limits import headers as limit_headers
from tests.examples.blocks import ROOT, blocks_of
from tests.examples.served import Key, Served

pytestmark = pytest.mark.xdist_group("examples")

GUIDE = "docs/authentication.md"
BLOCKS = blocks_of(GUIDE)


def test_errors_are_as_the_guide_says(api: Served) -> None:
    """The error bodies in the guide are those that the API sends, and each error has a body in the guide."""
    shown = [block.code for block in BLOCKS if block.heading == "Errors"]
    reader = api.key("read")
    answered = [
        _error_body(api, "GET", "/v1/users/me", None),
        _error_body(api, "GET", "/v1/users/me", "INVALID_KEY"),
        _error_body(api, "GET", "/v1/users/me", api.key(expires_in_s=0)),
        _error_body(api, "PATCH", "/v1/users/me", api.key(), json={"nme": "Ada"}),
        _error_body(api, "PATCH", "/v1/users/me", reader, json={"name": "Ada"}),
        _error_body(api, "GET", "/v1/users/nobody", reader),
        _serialize(errors.MethodNotAllowed("This path takes GET only.")),
        _existing_email(api),
        _error_body(api, "PATCH", "/v1/users/me", api.key(), data={"name": "Ada"}),
        _error_body(api, "GET", "/v1/users/me", api.key_without_quota()),
        _serialize(errors.InternalError("YOUR_REQUEST_ID")),
        _serialize(errors.Unavailable()),
    ]
    assert shown == answered


def test_every_error_is_in_the_table() -> None:
    """The table in the guide lists every error, and no other."""
    rows = (ROOT / GUIDE).read_text().splitlines()
    tabled = {tuple(cell.strip(" `") for cell in row.split("|")[1:3]) for row in rows if row[:3] in ("| 4", "| 5")}
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    kinds: list[Any] = [each for each in classes if issubclass(each, errors.LatchkeyError)]
    kinds.remove(errors.Unauthorized)  # the base class of all 401 errors
    assert tabled == {(str(kind.status), kind.error) for kind in kinds} | {("413, 431", "invalid_request")}


def test_limit_headers_are_as_the_guide_says(api: Served) -> None:
    """The block of headers in the guide equals the headers of a response, except for the time of the reset."""
    (shown,) = (block.code.splitlines() for block in BLOCKS if block.heading == "Rate limit headers")
    response = api.call("GET", "/v1/users/me", api.key())
    named = dict(line.split(": ", 1) for line in shown)
    assert [*named] == [name for name in limit_headers.NAMES if name != "Retry-After"]
    assert named | {"X-RateLimit-Reset": response.headers["X-RateLimit-Reset"]} == {
        name: response.headers[name] for name in named
    }


def _error_body(api: Served, method: str, path: str, key: Key | str | None, **sent: Any) -> str:
    response = api.call(method, path, key, **sent)
    assert response.status_code >= 400
    return response.text + "\n"


def _existing_email(api: Served) -> str:
    there, admin = api.key(), api.key("admin", admin=True)
    return _error_body(api, "POST", "/v1/accounts", admin, json={"email": there.email, "name": "Ada"})


def _serialize(error: errors.LatchkeyError) -> str:
    return json.dumps(responses.error_response(error).body, separators=(",", ":")) + "\n"
