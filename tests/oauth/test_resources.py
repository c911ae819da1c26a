"""Resource indicators (RFC 8707): a token is valid only for resources that were requested and consented to."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.core import settings
from tests.oauth.flow import CLIENT, ISSUER, App, User, error_of, is_accepted, query_of
from tests.support.harness import TestApp

V1, USERS = f"{ISSUER}/v1", f"{ISSUER}/v1/users"
FILES, MAPS = "https://files.example.com", "https://maps.example.com/api"
UNGRANTED = (400, "invalid_target")


@pytest.fixture
def elsewhere(latchkey: TestApp) -> Iterator[None]:
    """Configure two other APIs that accept tokens of this authorization server."""
    with settings.override(replace(settings.current(), resources=f"{FILES} {MAPS}")):
        yield


def read_audience(app: App, token: str) -> object:
    """Return the audience that introspection reports for a token."""
    return app.post("/oauth/introspect", token=token).json().get("aud")


def test_resource_may_be_repeated(latchkey: TestApp, ada: User, app: App) -> None:
    """A token for this API and another one is valid here, and its audience contains both."""
    token, _ = ada.grant(app, resource=[V1, USERS])
    assert read_audience(app, token) == [V1, USERS]
    assert is_accepted(latchkey, token)


def test_token_without_a_resource_is_for_this_api(latchkey: TestApp, ada: User, app: App) -> None:
    """A token without a resource is for this API and has no audience."""
    token, _ = ada.grant(app)
    assert read_audience(app, token) is None
    assert is_accepted(latchkey, token)


def test_unknown_resource_is_rejected(ada: User, app: App) -> None:
    """An unknown API, a similar URL, a URL with a fragment and an empty text are rejected."""
    for resource in (
        "https://evil.example",
        "https://api.example.com.evil.example/v1",
        "https://api.example.comevil",
        "https://api.example.com@evil.example",
        "http://api.example.com/v1",
        "https://API.example.com/v1",
        f"{V1}#part",
        "/v1",
        "urn:x",
        FILES,
    ):
        assert query_of(ada.open_authorization(app, resource=resource).location)["error"] == "invalid_target", resource
        assert query_of(ada.open_authorization(app, resource=[V1, resource]).location)["error"] == "invalid_target", (
            resource
        )
        assert error_of(app.ask(CLIENT, resource=resource)) == UNGRANTED


def test_code_exchange_may_request_fewer_resources(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 8707 §2.2: if an exchange requests fewer resources, only the access token is limited to them. The refresh
    token stays valid for all granted resources.
    """
    body = app.redeem(ada.code(app, resource=[V1, USERS]), resource=V1).json()
    assert read_audience(app, body["access_token"]) == [V1]
    assert read_audience(app, body["refresh_token"]) == [V1, USERS]
    body = app.refresh(body["refresh_token"], resource=USERS).json()
    assert read_audience(app, body["access_token"]) == [USERS]
    assert read_audience(app, app.refresh(body["refresh_token"]).json()["access_token"]) == [V1, USERS]


def test_exchange_may_not_request_more_resources(latchkey: TestApp, ada: User, app: App) -> None:
    """A request for more resources than granted gets invalid_target, at the exchange and at each refresh, and consumes
    nothing.
    """
    code = ada.code(app, resource=V1)
    assert error_of(app.redeem(code, resource=USERS)) == UNGRANTED
    assert error_of(app.redeem(code, resource=[V1, USERS])) == UNGRANTED
    refresh = app.redeem(code).json()["refresh_token"]
    assert error_of(app.refresh(refresh, resource=USERS)) == UNGRANTED
    assert app.refresh(refresh).status == 200


@pytest.mark.usefixtures("elsewhere")
def test_token_for_another_api_is_invalid_here(latchkey: TestApp, ada: User, app: App) -> None:
    """A token for another API isn't accepted here if it leaks; the other API can introspect it."""
    token, _ = ada.grant(app, resource=FILES)
    assert read_audience(app, token) == [FILES]
    response = latchkey.call("GET", "/v1/limits", token)
    assert (response.status, response.json()["error"]) == (401, "invalid_api_key")


@pytest.mark.usefixtures("elsewhere")
def test_token_for_this_api_and_another_is_valid_here(latchkey: TestApp, ada: User, app: App) -> None:
    """A token for this API and another is accepted by this one."""
    token, _ = ada.grant(app, resource=[FILES, V1])
    assert read_audience(app, token) == [V1, FILES]
    assert is_accepted(latchkey, token)


@pytest.mark.usefixtures("elsewhere")
def test_resource_of_another_api_needs_consent(latchkey: TestApp, ada: User, app: App) -> None:
    """Without consent for another API, no exchange or refresh returns a token for it."""
    ada.allow(app)
    page = ada.open_authorization(app, resource=FILES)
    assert (page.status, FILES in page.text) == (200, True)
    code = ada.code(app)
    assert error_of(app.redeem(code, resource=FILES)) == UNGRANTED
    refresh = app.redeem(code, resource=V1).json()["refresh_token"]
    assert error_of(app.refresh(refresh, resource=[V1, MAPS])) == UNGRANTED


@pytest.mark.usefixtures("elsewhere")
def test_token_limited_to_another_api_is_invalid_here(latchkey: TestApp, ada: User, app: App) -> None:
    """A token that was limited to another API isn't accepted here, although its grant covers both."""
    _, refresh = ada.grant(app, resource=[V1, FILES])
    token = app.refresh(refresh, resource=FILES).json()["access_token"]
    assert not is_accepted(latchkey, token)


def test_json_resource_may_be_a_list(latchkey: TestApp, ada: User, app: App) -> None:
    """JSON can't repeat a name, so `resource` may be a list."""
    code = ada.code(app, resource=[V1, USERS])
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri, **app.credentials}
    response = latchkey.call("POST", "/oauth/token", json_body={**body, "resource": [V1, USERS]})
    assert read_audience(app, response.json()["access_token"]) == [V1, USERS]
    response = latchkey.call(
        "POST", "/oauth/token", json_body={**app.credentials, "grant_type": CLIENT, "resource": V1}
    )
    assert read_audience(app, response.json()["access_token"]) == [V1]
