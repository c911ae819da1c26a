"""Pages of another origin call the API in a browser and can read responses and headers if their origin is allowed.

Every test runs twice: with every origin allowed, and with exactly one.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site, serve_site
from tests.examples.blocks import blocks_of
from tests.examples.served import Key, Served, served

pytestmark = pytest.mark.xdist_group("browser")

PROGRAMS = {
    block.heading: block.code for block in blocks_of("docs/authentication.md") if block.language == "javascript"
}

DESCRIPTION = "The API key or access token is malformed, unknown, revoked or expired."
METADATA = "/.well-known/oauth-protected-resource"
ASK = """async ({url, headers, method, body}) => {
    try {
        const response = await fetch(url, {headers, method, body});
        return {
            status: response.status,
            headers: Object.fromEntries(response.headers),
            body: await response.json().catch(() => null),
        };
    } catch (failure) {
        return {failure: String(failure)};
    }
}"""


@pytest.fixture(scope="module")
def allowed_site() -> Iterator[Site]:
    """A site whose origin is always allowed to call the API."""
    with serve_site() as serving:
        yield serving


@pytest.fixture(scope="module")
def other_site() -> Iterator[Site]:
    """A site whose origin may call the API only if all origins may."""
    with serve_site() as serving:
        yield serving


@pytest.fixture(scope="module", params=["every origin", "one origin"])
def allowed_origin(request: pytest.FixtureRequest, allowed_site: Site) -> str:
    """The API's setting of allowed origins."""
    return "*" if request.param == "every origin" else allowed_site.origin


@pytest.fixture(scope="module")
def api(allowed_origin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API, on a port of its own."""
    with served(tmp_path_factory.mktemp("server"), LATCHKEY_ALLOWED_ORIGIN=allowed_origin) as running:
        yield running


def test_guide_example_shows_data_and_limits(page: Page, allowed_site: Site, api: Served) -> None:
    """The guide's fetch example, unchanged, prints users and the remaining quota, which it reads from the headers."""
    key = api.key()
    _open(page, allowed_site, api, PROGRAMS["JavaScript"], key)
    expect(page.locator("pre")).to_contain_text(re.compile(r"usr_[0-9A-Za-z]{20} Ada\s+999 of 1000 requests left"))


def test_guide_example_with_a_refused_key_says_why(page: Page, allowed_site: Site, api: Served) -> None:
    """A page reads the error for an invalid key; without CORS headers it would see a network error."""
    _open(page, allowed_site, api, PROGRAMS["JavaScript"], "INVALID_KEY")
    expected = "401 invalid_api_key: The API key provided is invalid.\n0 of 0 requests left"
    expect(page.locator("pre")).to_contain_text(expected)


def test_patch_passes_its_preflight(page: Page, allowed_site: Site, api: Served) -> None:
    """A PATCH with JSON and a key, for which the browser sends a preflight, succeeds."""
    key = api.key()
    _open(page, allowed_site, api, PROGRAMS["Change your own name"], key)
    expect(page.locator("pre")).to_have_text("You are Ada Lovelace now\n")
    assert _ask(page, api, key)["body"]["name"] == "Ada Lovelace"


def test_every_limit_header_is_readable(page: Page, allowed_site: Site, api: Served) -> None:
    """A page reads each of the documented limit headers of a successful response."""
    page.goto(allowed_site.origin)
    read = _ask(page, api, api.key())
    assert read["status"] == 200
    assert {name: read["headers"][name] for name in read["headers"] if "ratelimit" in name} == {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": "999",
        "x-ratelimit-reset": read["headers"]["x-ratelimit-reset"],
        "ratelimit-policy": '"hour";q=1000;w=3600, "burst";q=50;w=1',
        "ratelimit": '"hour";r=999;t=3600, "burst";r=49;t=1',
    }


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (None, "missing_api_key", "No API key provided in the Authorization header."),
        ("INVALID_KEY", "invalid_api_key", "The API key provided is invalid."),
    ],
)
def test_401_is_readable(
    page: Page, allowed_site: Site, api: Served, key: str | None, error: str, message: str
) -> None:
    """A page reads status, body and limit headers of a 401 that API Gateway sends itself."""
    page.goto(allowed_site.origin)
    read = _ask(page, api, key)
    assert (read["status"], read["body"]) == (401, {"error": error, "message": message})
    assert [read["headers"][f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == ["0", "0", "0"]


def test_429_is_readable(page: Page, allowed_site: Site, api: Served) -> None:
    """A page reads the time to retry from a 429."""
    page.goto(allowed_site.origin)
    read = _ask(page, api, api.key_without_quota())
    assert (read["status"], read["body"]["error"]) == (429, "rate_limit_exceeded")
    assert read["headers"]["retry-after"] == "3600"
    assert (read["headers"]["x-ratelimit-limit"], read["headers"]["x-ratelimit-remaining"]) == ("1000", "0")


@pytest.mark.parametrize(
    ("key", "challenge"),
    [
        (None, "Bearer resource_metadata="),
        ("INVALID_KEY", f'Bearer error="invalid_token", error_description="{DESCRIPTION}", resource_metadata='),
    ],
)
def test_challenge_of_a_401_is_readable(
    page: Page, allowed_site: Site, api: Served, key: str | None, challenge: str
) -> None:
    """A client in a page finds the authorization server through the challenge of a 401 (RFC 9728 §5.1)."""
    page.goto(allowed_site.origin)
    assert _ask(page, api, key)["headers"]["www-authenticate"] == f'{challenge}"{api.url}{METADATA}"'


def test_challenge_of_a_403_is_readable_under_the_name_that_the_gateway_gives_it(
    page: Page, allowed_site: Site, api: Served
) -> None:
    """The challenge of a 403, in a header that API Gateway renames, names the scope that a new token needs."""
    page.goto(allowed_site.origin)
    read = _fetch(page, f"{api.url}/v1/events", api.key().secret)
    assert read["status"] == 403
    assert 'error="insufficient_scope"' in read["headers"]["x-amzn-remapped-www-authenticate"]
    assert 'scope="events"' in read["headers"]["x-amzn-remapped-www-authenticate"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/users/me", 200),
        ("HEAD", "/v1/users/me", 200),
        ("GET", METADATA, 200),
        ("GET", "/.well-known/oauth-authorization-server", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/status.json", 200),
        ("GET", "/health", 200),
        ("POST", "/oauth/token", 401),
        ("POST", "/oauth/register", 400),
        ("POST", "/oauth/revoke", 401),
    ],
)
def test_page_sends_what_clients_of_mcp_and_tracing_send(
    page: Page, allowed_site: Site, api: Served, method: str, path: str, status: int
) -> None:
    """Headers that MCP and tracing clients add pass the preflight of the API, the documents and the OAuth endpoints."""
    page.goto(allowed_site.origin)
    traced = f"00-{'1' * 32}-{'2' * 16}-01"
    sent = {"MCP-Protocol-Version": "2026-07-28", "traceparent": traced, "X-Requested-With": "fetch"}
    body = "{}" if method == "POST" else None
    read = _fetch(page, f"{api.url}{path}", api.key().secret if path.startswith("/v1") else None, method, body, sent)
    assert (read.get("failure"), read.get("status")) == (None, status)


def test_page_repeats_a_request_and_reads_that_it_was_made_before(page: Page, allowed_site: Site, api: Served) -> None:
    """A page can send an Idempotency-Key, and reads Idempotency-Replayed and Location."""
    page.goto(allowed_site.origin)
    secret, sent = api.key().secret, {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    body = '{"name": "CI", "scopes": ["read"]}'
    first, second = (_fetch(page, f"{api.url}/v1/keys", secret, "POST", body, sent) for _ in range(2))
    assert (first["status"], second["status"], second["body"]) == (201, 201, first["body"])
    assert [read["headers"].get("idempotency-replayed") for read in (first, second)] == [None, "true"]
    assert second["headers"]["location"] == f"{api.url}/v1/keys/{first['body']['id']}"


@pytest.mark.parametrize("key", [None, "INVALID_KEY"])
def test_page_of_another_origin_reads_a_refusal_only_where_all_may(
    page: Page, other_site: Site, api: Served, allowed_origin: str, key: str | None
) -> None:
    """A page whose origin isn't allowed can't read an error that API Gateway sends itself."""
    page.goto(other_site.origin)
    read = _ask(page, api, key)
    if allowed_origin == "*":
        assert read["status"] == 401
    else:
        assert read == {"failure": "TypeError: Failed to fetch"}


def test_page_of_another_origin_reads_data_only_where_all_may(
    page: Page, other_site: Site, api: Served, allowed_origin: str
) -> None:
    """A page whose origin isn't allowed can't read data, even with a valid key."""
    page.goto(other_site.origin)
    key = api.key()
    read = _ask(page, api, key)
    if allowed_origin == "*":
        assert read["body"]["account"] == key.account_id
    else:
        assert read == {"failure": "TypeError: Failed to fetch"}


def _open(page: Page, allowed_site: Site, api: Served, program: str, key: Key | str) -> None:
    environment = api.environment(key)
    allowed_site.show(program, {name: environment[name] for name in ("API_KEY", "BASE_URL")})
    page.goto(allowed_site.origin)


def _ask(page: Page, api: Served, key: Key | str | None) -> Any:
    return _fetch(page, f"{api.url}/v1/users/me", key.secret if isinstance(key, Key) else key)


def _fetch(
    page: Page,
    url: str,
    secret: str | None = None,
    method: str = "GET",
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    sent = dict(headers or {}) | ({} if secret is None else {"Authorization": f"Bearer {secret}"})
    if body is not None:
        sent["Content-Type"] = "application/json"
    return page.evaluate(ASK, {"url": url, "headers": sent, "method": method, "body": body})
