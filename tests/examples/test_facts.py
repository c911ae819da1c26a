"""What docs/authentication.md says of errors and headers is what the API sends."""

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
    """Each error body in the guide is what the API answers, and each error has one."""
    shown = [block.code for block in BLOCKS if block.heading == "Errors"]
    reader = api.key("read")
    answered = [
        _refused(api, "GET", "/v1/users/me", None),
        _refused(api, "GET", "/v1/users/me", "INVALID_KEY"),
        _refused(api, "GET", "/v1/users/me", api.key(expires_in_s=0)),
        _refused(api, "PATCH", "/v1/users/me", api.key(), json={"nme": "Ada"}),
        _refused(api, "PATCH", "/v1/users/me", reader, json={"name": "Ada"}),
        _refused(api, "GET", "/v1/users/nobody", reader),
        _as_sent(errors.MethodNotAllowed("This path takes GET only.")),
        _existing_email(api),
        _refused(api, "PATCH", "/v1/users/me", api.key(), data={"name": "Ada"}),
        _refused(api, "GET", "/v1/users/me", api.key_without_quota()),
        _as_sent(errors.InternalError("YOUR_REQUEST_ID")),
        _as_sent(errors.Unavailable()),
    ]
    assert shown == answered


def test_every_error_is_in_the_table() -> None:
    """No error is missing from the guide, and it lists none that doesn't exist."""
    rows = (ROOT / GUIDE).read_text().splitlines()
    tabled = {tuple(cell.strip(" `") for cell in row.split("|")[1:3]) for row in rows if row[:3] in ("| 4", "| 5")}
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    kinds: list[Any] = [each for each in classes if issubclass(each, errors.LatchkeyError)]
    kinds.remove(errors.Unauthorized)  # what the 401s have in common
    assert tabled == {(str(kind.status), kind.error) for kind in kinds} | {("413, 431", "invalid_request")}


def test_limit_headers_are_as_the_guide_says(api: Served) -> None:
    """The block of headers in the guide is what an answer carries, but for the time of the reset."""
    (shown,) = (block.code.splitlines() for block in BLOCKS if block.heading == "Rate limit headers")
    response = api.call("GET", "/v1/users/me", api.key())
    named = dict(line.split(": ", 1) for line in shown)
    assert [*named] == [name for name in limit_headers.NAMES if name != "Retry-After"]
    assert named | {"X-RateLimit-Reset": response.headers["X-RateLimit-Reset"]} == {
        name: response.headers[name] for name in named
    }


def _refused(api: Served, method: str, path: str, key: Key | str | None, **sent: Any) -> str:
    response = api.call(method, path, key, **sent)
    assert response.status_code >= 400
    return response.text + "\n"


def _existing_email(api: Served) -> str:
    there, admin = api.key(), api.key("admin", admin=True)
    return _refused(api, "POST", "/v1/users", admin, json={"email": there.email, "name": "Ada"})


def _as_sent(error: errors.LatchkeyError) -> str:
    return json.dumps(responses.error_response(error).body, separators=(",", ":")) + "\n"
