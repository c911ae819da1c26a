"""Refresh tokens: rotation, the grace period for retries, the lifetime of the grant, and reuse."""

import io
import json

import pytest

from chalicelib.core import secrets, telemetry
from chalicelib.oauth import delete_client
from tests.oauth.flow import ISSUER, REFRESH, App, User, as_json, error_of, is_accepted, register_client
from tests.support.harness import TestApp

USED = (400, "invalid_grant")
DAY_S = 86_400
KINDS = pytest.mark.parametrize("kind", ["app", "spa"])


def test_refresh_returns_new_tokens(latchkey: TestApp, ada: User, spa: App) -> None:
    """A refresh returns new tokens, and the earlier access token stays valid until it expires."""
    access, refresh = ada.grant(spa, scope="read write")
    latchkey.clock.forward(1_800)
    body = spa.refresh(refresh).json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["expires_in"], body["scope"]) == (3600, "read write")
    assert {access, refresh}.isdisjoint({body["access_token"], body["refresh_token"]})
    assert is_accepted(latchkey, access)
    latchkey.clock.forward(1_800)
    assert is_accepted(latchkey, body["access_token"])


def test_json_refresh_request_is_accepted(latchkey: TestApp, ada: User, app: App) -> None:
    """A refresh request in JSON, as in the published documentation, is accepted."""
    _, refresh = ada.grant(app)
    body = {"grant_type": "refresh_token", "refresh_token": refresh, **app.credentials}
    assert as_json(latchkey, "/oauth/token", body).status == 200


def test_refresh_by_another_client_is_invalid_and_consumes_nothing(
    latchkey: TestApp, ada: User, app: App, spa: App
) -> None:
    """A leaked refresh token is useless to another client, and stays valid for its own client."""
    for own, other in ((app, register_client(latchkey)), (spa, register_client(latchkey, public=True)), (spa, app)):
        access, refresh = ada.grant(own)
        assert error_of(other.refresh(refresh)) == USED
        assert is_accepted(latchkey, access)
        assert own.refresh(refresh).status == 200


def test_refresh_with_fewer_scopes_keeps_the_granted_ones(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 6749 §6: a refresh with fewer scopes limits one access token, and not the next refresh."""
    _, refresh = ada.grant(app, scope="read write")
    narrow = app.refresh(refresh, scope="read").json()
    assert narrow["scope"] == "read"
    assert latchkey.call("PATCH", "/v1/users/me", narrow["access_token"], json_body={"name": "Eve"}).status == 403
    whole = app.refresh(narrow["refresh_token"]).json()
    assert whole["scope"] == "read write"
    assert latchkey.call("PATCH", "/v1/users/me", whole["access_token"], json_body={"name": "Ada L"}).status == 200


def test_refresh_with_more_scopes_is_invalid(ada: User, app: App) -> None:
    """A refresh for a scope without consent gets invalid_scope, even if the client may have the scope, and consumes
    nothing.
    """
    _, refresh = ada.grant(app, scope="read")
    for scope in ("read write", "write", "keys", "admin", "read nonsense", 're"ad'):
        assert error_of(app.refresh(refresh, scope=scope)) == (400, "invalid_scope"), scope
    assert app.refresh(refresh, scope="read").json()["scope"] == "read"


def test_openid_connect_scopes_are_ignored_in_a_refresh(ada: User, app: App) -> None:
    """OpenID Connect scopes are dropped, and a refresh with no other scope gets all granted scopes."""
    for scope, expected in (("openid profile offline_access", "read write"), ("openid read", "read")):
        _, refresh = ada.grant(app, scope="read write")
        assert app.refresh(refresh, scope=scope).json()["scope"] == expected


def test_reuse_is_logged_for_the_operator(latchkey: TestApp, ada: User, spa: App) -> None:
    """Reuse revokes the grant, because client and thief can't be distinguished, and logs the grant's id."""
    log = io.StringIO()
    telemetry.write_to(log)
    _, first = ada.grant(spa)
    after = spa.refresh(first).json()
    latchkey.clock.forward(10)
    assert error_of(spa.refresh(first)) == USED
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (warning,) = [line for line in lines if line["message"] == "token.reuse_detected"]
    assert (warning["client_id"], warning["account_id"], warning["level"]) == (spa.id, ada.account.id, "WARNING")
    assert not is_accepted(latchkey, after["access_token"])


GRACES = pytest.mark.parametrize(("kind", "grace_s"), [("app", 30), ("spa", 10)])


@GRACES
def test_refresh_retry_within_the_grace_period_gets_the_same_response(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str, grace_s: int
) -> None:
    """A retry within 30 s (10 s for a public client) gets the same tokens, and nothing is revoked."""
    app: App = request.getfixturevalue(kind)
    _, first = ada.grant(app)
    response = app.refresh(first).json()
    latchkey.clock.forward(grace_s - 0.001)
    again = app.refresh(first).json()
    assert again == response | {"expires_in": 3600 - (grace_s - 1)}
    assert is_accepted(latchkey, again["access_token"])
    assert app.refresh(again["refresh_token"]).status == 200


@GRACES
def test_refresh_retry_after_the_grace_period_revokes_the_grant(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str, grace_s: int
) -> None:
    """A refresh token used again after the grace period is reuse, because clients retry a lost response immediately."""
    app: App = request.getfixturevalue(kind)
    _, first = ada.grant(app)
    response = app.refresh(first).json()
    assert is_accepted(latchkey, response["access_token"])
    latchkey.clock.forward(grace_s)
    assert error_of(app.refresh(first)) == USED
    assert not is_accepted(latchkey, response["access_token"])
    assert error_of(app.refresh(response["refresh_token"])) == USED


@KINDS
def test_refresh_retry_after_its_successor_was_used_revokes_the_grant(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str
) -> None:
    """If the new refresh token was used, the client must have received it, so a retry with the old token is reuse."""
    app: App = request.getfixturevalue(kind)
    _, first = ada.grant(app)
    second = app.refresh(first).json()["refresh_token"]
    third = app.refresh(second).json()
    assert error_of(app.refresh(first)) == USED
    assert not is_accepted(latchkey, third["access_token"])
    assert error_of(app.refresh(third["refresh_token"])) == USED


def test_different_refresh_within_the_grace_period_is_an_error(latchkey: TestApp, ada: User, app: App) -> None:
    """A retry with another scope or resource is an error. It revokes nothing, because a client may send two requests
    concurrently.
    """
    _, refresh_token = ada.grant(app, scope="read write")
    first = app.ask(REFRESH, refresh_token=refresh_token)
    for more in ({"scope": "read"}, {"resource": f"{ISSUER}/v1"}):
        assert error_of(app.ask(REFRESH, refresh_token=refresh_token, **more)) == (400, "invalid_grant")
    again = app.ask(REFRESH, refresh_token=refresh_token, scope="write read")
    assert again.json()["access_token"] == first.json()["access_token"]
    assert is_accepted(latchkey, first.json()["access_token"])


def test_refresh_retry_after_the_revocation_is_invalid(latchkey: TestApp, ada: User, app: App) -> None:
    """A retry within the grace period is invalid if the grant has been revoked."""
    _, first = ada.grant(app)
    response = app.refresh(first).json()
    assert app.post("/oauth/revoke", token=response["refresh_token"]).status == 200
    assert error_of(app.refresh(first)) == USED


def test_refresh_token_of_a_deleted_client_is_invalid(latchkey: TestApp, ada: User, app: App) -> None:
    """A deleted client can't authenticate, so its refresh token is useless."""
    _, refresh = ada.grant(app)
    delete_client.delete(app.client)
    assert error_of(app.refresh(refresh)) == (401, "invalid_client")


@KINDS
def test_grant_expires_after_90_days(latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str) -> None:
    """A grant ends after 90 days, even if it is refreshed often, and the user must consent again."""
    app: App = request.getfixturevalue(kind)
    _, refresh = ada.grant(app)
    for _ in range(2):
        latchkey.clock.forward(44 * DAY_S)
        refresh = app.refresh(refresh).json()["refresh_token"]
    latchkey.clock.forward(2 * DAY_S - 0.001)
    refresh = app.refresh(refresh).json()["refresh_token"]
    latchkey.clock.forward(0.001)
    assert error_of(app.refresh(refresh)) == USED


def test_refresh_for_a_suspended_account_is_invalid_and_consumes_nothing(
    latchkey: TestApp, ada: User, app: App
) -> None:
    """A refresh fails while the account is suspended, and the same token works after the account is reinstated."""
    _, refresh = ada.grant(app)
    ada.suspend()
    assert error_of(app.refresh(refresh)) == USED
    ada.reinstate()
    assert app.refresh(refresh).status == 200


def test_refresh_for_a_deleted_account_is_invalid(latchkey: TestApp, ada: User, app: App) -> None:
    """Deleting an account deletes its grants, so its refresh tokens are invalid."""
    access, refresh = ada.grant(app)
    assert is_accepted(latchkey, access)
    ada.delete_account()
    assert error_of(app.refresh(refresh)) == USED
    assert not is_accepted(latchkey, access)


def test_other_secrets_are_not_refresh_tokens(latchkey: TestApp, ada: User, app: App) -> None:
    """An unknown token, a code, an access token and a client secret aren't accepted as refresh tokens."""
    access, _ = ada.grant(app)
    for other in (secrets.mint("rt"), ada.code(app), access, app.secret, "x", "lk_rt_" + "0" * 36):
        assert error_of(app.refresh(str(other))) == USED
    assert is_accepted(latchkey, access)
    assert error_of(app.refresh("")) == (400, "invalid_request")
