"""HEAD is available wherever GET is. It returns the headers of GET without a body, and has no side effects."""

import io
import json
import re
from pathlib import Path

import pytest

from app import app
from chalicelib.api.openapi.document import document
from chalicelib.core import telemetry
from chalicelib.events import record
from chalicelib.limits import tiers
from infra.routes import of_latchkey
from tests.api.console.places import create_place
from tests.oauth.flow import new_user, register_client
from tests.support.harness import TestApp, error_of

GOT = sorted(path for path, methods in of_latchkey().items() if "GET" in methods)
DIFFERENT = {"x-amzn-requestid", "set-cookie", "content-length", "x-ratelimit-remaining", "ratelimit"}
"""Headers that differ between identical requests: ids, cookies and remaining limits."""


def headers_of(response: object) -> dict[str, str]:
    """Return the headers that don't change between two identical requests."""
    return {name.lower(): value for name, value in response.headers if name.lower() not in DIFFERENT}  # type: ignore[attr-defined]  # an Answer


def test_every_route_that_can_be_got_can_be_asked_for_by_head() -> None:
    """The middleware adds HEAD to every route that declares GET."""
    assert [path for path in GOT if "HEAD" not in app.routes[path]] == []


@pytest.mark.parametrize("path", GOT)
def test_head_has_the_headers_of_get_and_no_body(latchkey: TestApp, path: str) -> None:
    """HEAD returns the headers of GET, with the length of its content (RFC 9110 §8.6), and no body."""
    there = create_place(latchkey)
    secret = latchkey.key(there.admin, "read", "keys", "events", "webhooks").secret
    names = re.findall(r"{(\w+)}", path)
    ids = there.ids | dict.fromkeys(set(names) - there.ids.keys(), "v1") | {"user_id": there.admin.id}
    target = there.path(path.format(**ids)) if "{" not in path else path.format(**ids)
    sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in there.console.cookies.items())}
    if path.startswith("/v1/"):
        sent = {"Authorization": f"Bearer {secret}"}
    got, asked = (latchkey.call(method, target, headers=sent) for method in ("GET", "HEAD"))
    assert (asked.status, asked.body) == (got.status, b"")
    assert headers_of(asked) == headers_of(got)
    assert got.status in (204, 303, 304) or asked.header("Content-Length") == str(len(got.body))


def test_head_needs_the_credential_of_get(latchkey: TestApp) -> None:
    """HEAD requires the same credential and scopes as GET."""
    assert latchkey.call("HEAD", "/v1/users/me").status == 401
    assert latchkey.call("HEAD", "/v1/users/me", latchkey.key(latchkey.account(), "keys").secret).status == 403


def test_head_is_counted_and_recorded_as_get(latchkey: TestApp) -> None:
    """HEAD is admitted once, and is logged and recorded under the route of GET."""
    account = latchkey.account()
    issued = latchkey.key(account)
    log = io.StringIO()
    telemetry.write_to(log)
    latchkey.call("GET", "/v1/users/me", issued.secret)
    before = latchkey.counters(account.id)
    asked = latchkey.call("HEAD", "/v1/users/me", issued.secret)
    after = latchkey.counters(account.id)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["route"] for line in lines if "route" in line} == {"GET /v1/users/me"}
    assert (before["used"], after["used"]) == (1, 2)
    assert asked.header("X-RateLimit-Remaining") == "998"
    routes = {name for name in after if name.startswith("r")}
    assert routes == {name for name in before if name.startswith("r")}


def test_head_with_an_exhausted_quota_is_a_429(latchkey: TestApp) -> None:
    """HEAD is rejected when the quota is exhausted."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.set_counters(account.id, tiers.FREE, used=1000)
    response = latchkey.call("HEAD", "/v1/users/me", secret)
    assert (response.status, response.body, response.header("Retry-After")) == (429, b"", "3600")


def test_openapi_document_omits_head() -> None:
    """The OpenAPI document doesn't list HEAD."""
    paths = document(app.routes, "https://api.example.com")["paths"]
    assert [path for path, methods in paths.items() if "head" in methods] == []


def test_head_of_an_authorization_request_creates_no_grant(latchkey: TestApp) -> None:
    """HEAD of an authorization request creates no grant even if consent is stored, because link scanners send HEAD."""
    ada, client = new_user(latchkey), register_client(latchkey)
    ada.grant(client)
    asked_before = list(record.newest_first(ada.account.id, 50))
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in ada.cookies.items())}
    assert latchkey.call("HEAD", client.authorization_path(), headers=cookies).status == 200
    assert [event.id for event in record.newest_first(ada.account.id, 50)] == [event.id for event in asked_before]
    assert latchkey.call("GET", client.authorization_path(), headers=cookies).status == 303


@pytest.mark.parametrize("path", ["/verify", "/password"])
def test_head_of_an_email_link_does_not_use_it_up(latchkey: TestApp, path: str) -> None:
    """HEAD doesn't consume an email link, because mail scanners send it before the user's GET."""
    there = create_place(latchkey)
    for method in ("HEAD", "HEAD", "GET"):
        assert latchkey.call(method, there.path(path)).status == 200


def test_api_fits_one_api_gateway() -> None:
    """The API has fewer than 200 resources, one for each path segment; API Gateway allows 300."""
    paths = (*app.routes, "/{proxy+}")
    segments = {tuple(path.split("/")[:end]) for path in paths for end in range(1, path.count("/") + 2)}
    assert len(segments) < 200


def test_health_accepts_head(latchkey: TestApp) -> None:
    """The path `/health` accepts HEAD, which most monitors send, and the guide documents that."""
    assert latchkey.call("HEAD", "/health").status == 200
    assert "HEAD" in (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    assert error_of(latchkey.call("GET", "/nothing")) == (404, "not_found")
