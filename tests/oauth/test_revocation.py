"""Token revocation (RFC 7009) and introspection (RFC 7662), which accept only a client's own tokens."""

import pytest

from chalicelib.core import secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.oauth import revocation
from chalicelib.oauth.client_auth import authenticate
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.parameters import ClientCredentials
from infra import data
from tests.oauth.flow import CLIENT, ISSUER, App, User, basic, error_of, is_accepted, new_user, post, register_client
from tests.support.harness import TestApp


def introspect(app: App, token: str, **more: str) -> dict[str, object]:
    """Return the introspection response that a client gets for a token."""
    response = app.post("/oauth/introspect", token=token, **more)
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    assert response.header("Cache-Control") == "no-store"
    body: dict[str, object] = response.json()
    return body


INACTIVE = {"active": False}


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_revoking_an_access_token_keeps_its_grant(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str
) -> None:
    """Revoking an access token leaves its grant active. Revoking it again changes nothing (RFC 7009 §2.2)."""
    app: App = request.getfixturevalue(kind)
    token, refresh = ada.grant(app)
    assert is_accepted(latchkey, token)
    for _ in range(2):
        response = app.post("/oauth/revoke", token=token)
        assert (response.status, response.body, response.header("Content-Type")) == (200, b"{}", "application/json")
        assert not is_accepted(latchkey, token)
    assert app.refresh(refresh).status == 200


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_revoked_refresh_token_revokes_its_grant(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str
) -> None:
    """RFC 7009 §2.1: the grant's access tokens are revoked, too; the grant of another device stays active."""
    app: App = request.getfixturevalue(kind)
    (token, refresh), (other, _) = ada.grant(app), ada.grant(app)
    later = app.refresh(refresh).json()
    assert is_accepted(latchkey, token)
    assert app.post("/oauth/revoke", token=later["refresh_token"]).status == 200
    assert [is_accepted(latchkey, each) for each in (token, later["access_token"], other)] == [False, False, True]
    assert error_of(app.refresh(later["refresh_token"])) == (400, "invalid_grant")


def test_rotated_refresh_token_can_be_revoked(latchkey: TestApp, ada: User, app: App) -> None:
    """A client that lost the response to a refresh can still revoke the grant with its old refresh token."""
    _, refresh = ada.grant(app)
    later = app.refresh(refresh).json()["access_token"]
    assert app.post("/oauth/revoke", token=refresh).status == 200
    assert not is_accepted(latchkey, later)


def test_client_token_can_be_revoked(latchkey: TestApp, app: App) -> None:
    """A client token can be revoked, although it has no grant."""
    token = app.ask(CLIENT).json()["access_token"]
    assert is_accepted(latchkey, token)
    assert app.post("/oauth/revoke", token=token).status == 200
    assert not is_accepted(latchkey, token)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_wrong_token_type_hint_is_ignored(latchkey: TestApp, ada: User, app: App, hint: str) -> None:
    """A wrong token_type_hint is ignored, because the token's type is known (RFC 7009 §2.1, RFC 7662 §2.1)."""
    token, refresh = ada.grant(app)
    assert introspect(app, token, token_type_hint=hint)["active"] is True
    assert introspect(app, refresh, token_type_hint=hint)["active"] is True
    assert app.post("/oauth/revoke", token=token, token_type_hint=hint).status == 200
    assert not is_accepted(latchkey, token)
    assert app.post("/oauth/revoke", token=refresh, token_type_hint=hint).status == 200
    assert error_of(app.refresh(refresh)) == (400, "invalid_grant")


def test_token_of_another_client_is_not_revoked(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """Revoking another client's token is an error, and the token stays valid (RFC 7009 §2.1)."""
    token, refresh = ada.grant(app)
    for other in (register_client(latchkey), spa):
        assert error_of(other.post("/oauth/revoke", token=token)) == (400, "invalid_grant")
        assert error_of(other.post("/oauth/revoke", token=refresh)) == (400, "invalid_grant")
    assert is_accepted(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_unknown_token_counts_as_revoked(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 7009 §2.2: revoking an unknown token, or a secret that isn't a token, is a success."""
    key = latchkey.key(ada.account).secret
    for token in (secrets.mint("at"), secrets.mint("rt"), "nonsense", key, ada.code(app), str(app.secret)):
        assert app.post("/oauth/revoke", token=token).status == 200
    assert is_accepted(latchkey, key)
    assert error_of(app.post("/oauth/revoke")) == (400, "invalid_request")


def test_introspection_describes_a_token_of_the_client(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 7662 §2.2: the response contains the token's account, client, scope and expiry."""
    token, refresh = ada.grant(app, scope="read write", resource=f"{ISSUER}/v1")
    now_s = latchkey.clock.now_ms // 1000
    about = {
        "active": True,
        "scope": "read write",
        "client_id": app.id,
        "sub": ada.account.user_id,
        "account_id": ada.account.id,
        "iss": ISSUER,
        "aud": [f"{ISSUER}/v1"],
    }
    access = about | {"token_type": "Bearer", "iat": now_s, "exp": now_s + 3_600}
    assert introspect(app, token) == access
    assert introspect(app, refresh) == about | {"exp": now_s + 90 * 86_400}


def test_introspection_of_other_tokens_is_inactive(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """Another client's token, an API key, a code and an unknown token get `active: false` and no other field."""
    mine, others = register_client(latchkey), ada.grant(app)
    public, key = ada.grant(spa), latchkey.key(ada.account).secret
    for token in (*others, *public, key, ada.code(app), secrets.mint("at"), secrets.mint("rt"), "x", str(mine.secret)):
        assert introspect(mine, token) == INACTIVE
    assert error_of(mine.post("/oauth/introspect")) == (400, "invalid_request")


def test_introspection_requires_a_client_secret(latchkey: TestApp, ada: User, spa: App) -> None:
    """A client without a secret gets no introspection, because anyone could use its id to examine a stolen token."""
    token, _ = ada.grant(spa)
    assert error_of(spa.post("/oauth/introspect", token=token)) == (401, "invalid_client")


def test_introspection_of_invalid_tokens_is_inactive(latchkey: TestApp, ada: User, app: App) -> None:
    """An expired, rotated or revoked token is inactive."""
    token, first = ada.grant(app)
    second = app.refresh(first).json()["refresh_token"]
    assert introspect(app, first) == INACTIVE
    assert introspect(app, second)["active"] is True
    latchkey.clock.forward(3_600)
    assert introspect(app, token) == INACTIVE
    token, second = (app.refresh(second).json()[name] for name in ("access_token", "refresh_token"))
    app.post("/oauth/revoke", token=token)
    assert introspect(app, token) == INACTIVE
    token = app.refresh(second).json()["access_token"]
    ada.submit("/settings/connected", client_id=app.id)
    assert introspect(app, token) == INACTIVE


def test_introspection_agrees_with_the_api_on_suspended_accounts(latchkey: TestApp, ada: User, app: App) -> None:
    """A token of a suspended account is inactive until the account is reinstated."""
    tokens = ada.grant(app)
    ada.suspend()
    assert [introspect(app, token) for token in tokens] == [INACTIVE] * 2
    ada.reinstate()
    assert [introspect(app, token)["active"] for token in tokens] == [True] * 2
    ada.log_in_again()
    ada.delete_account()
    assert [introspect(app, token) for token in tokens] == [INACTIVE] * 2


def test_introspection_agrees_with_the_api_on_unverified_emails(latchkey: TestApp, app: App) -> None:
    """A token is inactive if its grant was approved before the email verification."""
    ada = new_user(latchkey, verified=False)
    tokens = ada.grant(app)
    latchkey.clock.forward(1)
    ada.verify_email()
    assert [introspect(app, token) for token in tokens] == [INACTIVE] * 2


def test_both_endpoints_accept_basic_authentication(latchkey: TestApp, ada: User, app: App) -> None:
    """Revocation and introspection accept HTTP Basic, like the token endpoint."""
    token, _ = ada.grant(app)
    header = basic(app.id, str(app.secret))
    assert post(latchkey, "/oauth/introspect", {"token": token}, headers=header).json()["active"] is True
    assert post(latchkey, "/oauth/revoke", {"token": token}, headers=header).status == 200
    assert not is_accepted(latchkey, token)


def test_revocation_without_invalidated_caches_is_unavailable(latchkey: TestApp, ada: User, app: App) -> None:
    """If cached policies can't be invalidated, the response is a 503. The token is revoked, but cached policies may
    accept it for another 5 minutes.
    """
    for token in ada.grant(app):
        presented = authenticate(ClientCredentials(app.id, app.secret), token).presented
        dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
        with pytest.raises(OAuthError, match="Try again") as unheard:
            revocation.revoke(app.client, presented)
        assert (unheard.value.status, unheard.value.error) == (503, "temporarily_unavailable")
        data.create_missing_tables()
        revocation.revoke(app.client, presented)
        assert not is_accepted(latchkey, token)
