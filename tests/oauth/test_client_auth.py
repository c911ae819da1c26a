"""Client authentication at the OAuth endpoints: the supported methods, and the errors of failed attempts."""

import base64
import re

import pytest

from chalicelib.core import secrets
from chalicelib.oauth import clients, delete_client
from tests.oauth.flow import CLIENT, CODE, REFRESH, App, User, as_json, basic, error_of, post, register_client
from tests.support.harness import TestApp

ENDPOINTS = ("/oauth/token", "/oauth/device_authorization", "/oauth/revoke", "/oauth/introspect")
OURS = {"grant_type": CLIENT, "token": "nothing"}


def test_client_authenticates_by_basic_form_and_json(latchkey: TestApp, app: App) -> None:
    """A client may send its secret in HTTP Basic, in a form or in JSON."""
    assert app.secret
    responses = [
        post(latchkey, "/oauth/token", OURS, headers=basic(app.id, app.secret)),
        post(latchkey, "/oauth/token", {**OURS, **app.credentials}),
        as_json(latchkey, "/oauth/token", {**OURS, **app.credentials}),
    ]
    assert [response.status for response in responses] == [200, 200, 200]


def test_form_encoded_basic_credentials_are_accepted(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §2.3.1: client id and secret are form-encoded in the header, so `_` may be sent as %5F."""
    assert app.secret
    encoded = basic(app.id.replace("_", "%5F"), app.secret.replace("_", "%5f"))
    assert post(latchkey, "/oauth/token", OURS, headers=encoded).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YXBw",
        "Basic YXBwOg==",
        "Basic Og==",
        "Basic OnNlY3JldA==",
        "Basic YXBwOnNlY3JldA",
        "Basic é",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode("app:schlüssel".encode()).decode(),
        "Basic " + base64.b64encode(b"app:secret\n").decode(),
        "Bearer nothing",
        "Digest username=x",
        "nonsense",
    ],
)
def test_malformed_authorization_header_is_invalid_client(latchkey: TestApp, header: str) -> None:
    """An Authorization header with bad base64, invalid UTF-8, no colon, an empty part or another scheme is rejected."""
    for endpoint in ENDPOINTS:
        response = post(latchkey, endpoint, OURS, headers={"Authorization": header})
        assert error_of(response) == (401, "invalid_client")
        assert response.header("x-amzn-Remapped-WWW-Authenticate") == 'Basic realm="latchkey"'


def test_two_authentication_methods_are_invalid(latchkey: TestApp, app: App) -> None:
    """A request with a secret in the header and another in the body is an error, even if both are correct."""
    assert app.secret
    for endpoint in ENDPOINTS:
        response = post(latchkey, endpoint, {**OURS, **app.credentials}, headers=basic(app.id, app.secret))
        assert error_of(response) == (400, "invalid_request")


def test_client_id_in_the_body_must_match_basic(latchkey: TestApp, app: App, spa: App) -> None:
    """The client_id in the body must equal the one in the Basic header."""
    assert app.secret
    header = basic(app.id, app.secret)
    assert post(latchkey, "/oauth/token", {**OURS, "client_id": app.id}, headers=header).status == 200
    response = post(latchkey, "/oauth/token", {**OURS, "client_id": spa.id}, headers=header)
    assert error_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_wrong_or_missing_secret_is_invalid_client(latchkey: TestApp, app: App, endpoint: str) -> None:
    """An unknown secret, another client's secret, no secret and an unknown client get the same response."""
    other = register_client(latchkey)
    wrong: list[dict[str, str | None]] = [
        {"client_id": app.id, "client_secret": secrets.mint(clients.CLIENT_SECRET_KIND)},
        {"client_id": app.id, "client_secret": other.secret},
        {"client_id": app.id, "client_secret": app.client.secret_digest},
        {"client_id": app.id},
        {"client_id": app.id, "client_secret": ""},
        {"client_id": "app_" + "0" * 20, "client_secret": app.secret},
        {"client_id": "nobody", "client_secret": app.secret},
    ]
    responses = [post(latchkey, endpoint, {**OURS, **credentials}) for credentials in wrong]
    assert {error_of(response) for response in responses} == {(401, "invalid_client")}
    assert len({response.body for response in responses}) == 1


def test_request_without_a_client_is_invalid_client(latchkey: TestApp) -> None:
    """A request without a client_id and without an Authorization header is rejected."""
    assert {error_of(post(latchkey, endpoint, OURS)) for endpoint in ENDPOINTS} == {(401, "invalid_client")}


def test_public_client_with_a_secret_is_invalid_client(latchkey: TestApp, spa: App) -> None:
    """A request of a public client with a secret is an error, because no secret may be ignored and this client has none
    to compare.
    """
    assert error_of(post(latchkey, "/oauth/token", {**spa.credentials, "client_secret": "x"})) == (
        401,
        "invalid_client",
    )
    assert error_of(post(latchkey, "/oauth/token", {}, headers=basic(spa.id, "x"))) == (401, "invalid_client")


def test_rotated_secret_is_invalid_immediately(latchkey: TestApp, ada: User) -> None:
    """Rotating a secret makes the old one invalid immediately; tokens issued before stay valid."""
    app = register_client(latchkey, owner=ada.account)
    _, refresh_token = ada.grant(app)
    page = ada.submit(f"/settings/applications/{app.id}/secret", on=f"/settings/applications/{app.id}")
    (new,) = set(re.findall(r"lk_cs_[0-9A-Za-z]{36}", page.html))
    assert new != app.secret
    assert error_of(app.refresh(refresh_token)) == (401, "invalid_client")
    app.secret = new
    assert app.refresh(refresh_token).status == 200


def test_deleted_client_is_unknown(latchkey: TestApp, app: App) -> None:
    """The id and secret of a deleted client are invalid from the next request on."""
    delete_client.delete(app.client)
    assert error_of(app.ask(CLIENT)) == (401, "invalid_client")


@pytest.mark.parametrize("grant_type", [CODE, REFRESH])
def test_failed_authentication_consumes_nothing(latchkey: TestApp, ada: User, app: App, grant_type: str) -> None:
    """A thief without the client's secret can't use up a code or refresh token of the client."""
    code = ada.code(app) if grant_type == CODE else ""
    refresh_token = "" if code else ada.grant(app)[1]
    secret, app.secret = app.secret, secrets.mint(clients.CLIENT_SECRET_KIND)
    response = app.redeem(code) if code else app.refresh(refresh_token)
    assert error_of(response) == (401, "invalid_client")
    app.secret = secret
    response = app.redeem(code) if code else app.refresh(refresh_token)
    assert response.status == 200
