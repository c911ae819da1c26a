"""Giving tokens back (RFC 7009) and asking about them (RFC 7662): one's own, and of others nothing."""

import pytest

from chalicelib.core import secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.oauth import revocation
from chalicelib.oauth.client_auth import authenticate
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.parameters import ClientCredentials
from infra import data
from tests.oauth.flow import CLIENT, ISSUER, App, Person, basic, post, refusal, registered, someone, works
from tests.support.harness import TestApp


def introspected(app: App, token: str, **more: str) -> dict[str, object]:
    """Return what a client hears of a token."""
    answer = app.post("/oauth/introspect", token=token, **more)
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    assert answer.header("Cache-Control") == "no-store"
    body: dict[str, object] = answer.json()
    return body


INACTIVE = {"active": False}


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_revoked_access_token_stops_by_itself(
    latchkey: TestApp, ada: Person, request: pytest.FixtureRequest, kind: str
) -> None:
    """At the next request; its grant goes on, and revoking it twice is harmless (RFC 7009 §2.2)."""
    app: App = request.getfixturevalue(kind)
    token, refresh = ada.grant(app)
    assert works(latchkey, token)
    for _ in range(2):
        answer = app.post("/oauth/revoke", token=token)
        assert (answer.status, answer.body, answer.header("Content-Type")) == (200, b"{}", "application/json")
        assert not works(latchkey, token)
    assert app.refresh(refresh).status == 200


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_revoked_refresh_token_ends_its_grant(
    latchkey: TestApp, ada: Person, request: pytest.FixtureRequest, kind: str
) -> None:
    """The access tokens that came from it stop as well (RFC 7009 §2.1); a grant of another device goes on."""
    app: App = request.getfixturevalue(kind)
    (token, refresh), (other, _) = ada.grant(app), ada.grant(app)
    later = app.refresh(refresh).json()
    assert works(latchkey, token)
    assert app.post("/oauth/revoke", token=later["refresh_token"]).status == 200
    assert [works(latchkey, each) for each in (token, later["access_token"], other)] == [False, False, True]
    assert refusal(app.refresh(later["refresh_token"])) == (400, "invalid_grant")


def test_refresh_token_that_was_rotated_out_can_still_be_given_back(latchkey: TestApp, ada: Person, app: App) -> None:
    """Whoever lost the answer to a refresh can still log out."""
    _, refresh = ada.grant(app)
    later = app.refresh(refresh).json()["access_token"]
    assert app.post("/oauth/revoke", token=refresh).status == 200
    assert not works(latchkey, later)


def test_token_of_a_client_itself_can_be_revoked(latchkey: TestApp, app: App) -> None:
    """It has no grant to go on."""
    token = app.ask(CLIENT).json()["access_token"]
    assert works(latchkey, token)
    assert app.post("/oauth/revoke", token=token).status == 200
    assert not works(latchkey, token)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_wrong_token_type_hint_does_no_harm(latchkey: TestApp, ada: Person, app: App, hint: str) -> None:
    """A token says itself what it is; the hint is one (RFC 7009 §2.1, RFC 7662 §2.1)."""
    token, refresh = ada.grant(app)
    assert introspected(app, token, token_type_hint=hint)["active"] is True
    assert introspected(app, refresh, token_type_hint=hint)["active"] is True
    assert app.post("/oauth/revoke", token=token, token_type_hint=hint).status == 200
    assert not works(latchkey, token)
    assert app.post("/oauth/revoke", token=refresh, token_type_hint=hint).status == 200
    assert refusal(app.refresh(refresh)) == (400, "invalid_grant")


def test_token_of_another_client_isnt_revoked(latchkey: TestApp, ada: Person, app: App, spa: App) -> None:
    """The client hears so, and the token goes on (RFC 7009 §2.1)."""
    token, refresh = ada.grant(app)
    for other in (registered(latchkey), spa):
        assert refusal(other.post("/oauth/revoke", token=token)) == (400, "invalid_grant")
        assert refusal(other.post("/oauth/revoke", token=refresh)) == (400, "invalid_grant")
    assert works(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_unknown_token_is_as_good_as_revoked(latchkey: TestApp, ada: Person, app: App) -> None:
    """RFC 7009 §2.2: nothing is left to do. That goes for what is none of the client's tokens at all."""
    key = latchkey.key(ada.account).secret
    for token in (secrets.mint("at"), secrets.mint("rt"), "nonsense", key, ada.code(app), str(app.secret)):
        assert app.post("/oauth/revoke", token=token).status == 200
    assert works(latchkey, key)
    assert refusal(app.post("/oauth/revoke")) == (400, "invalid_request")


def test_introspection_tells_a_client_about_its_own_token(latchkey: TestApp, ada: Person, app: App) -> None:
    """RFC 7662 §2.2: whose it is, for what, until when."""
    token, refresh = ada.grant(app, scope="read write", resource=f"{ISSUER}/v1")
    now_s = latchkey.clock.now_ms // 1000
    about = {
        "active": True,
        "scope": "read write",
        "client_id": app.id,
        "sub": ada.account.id,
        "iss": ISSUER,
        "aud": [f"{ISSUER}/v1"],
    }
    access = about | {"token_type": "Bearer", "iat": now_s, "exp": now_s + 3_600}
    assert introspected(app, token) == access
    assert introspected(app, refresh) == about | {"exp": now_s + 90 * 86_400}


def test_introspection_tells_nothing_of_others_tokens(latchkey: TestApp, ada: Person, app: App, spa: App) -> None:
    """Another client's token, a key, a code, and what never was look the same: `active` is false, and no more."""
    mine, others = registered(latchkey), ada.grant(app)
    public, key = ada.grant(spa), latchkey.key(ada.account).secret
    for token in (*others, *public, key, ada.code(app), secrets.mint("at"), secrets.mint("rt"), "x", str(mine.secret)):
        assert introspected(mine, token) == INACTIVE
    assert refusal(mine.post("/oauth/introspect")) == (400, "invalid_request")


def test_introspection_is_for_clients_with_a_secret(latchkey: TestApp, ada: Person, spa: App) -> None:
    """Anyone could pose as a public one, and ask about a token that was found."""
    token, _ = ada.grant(spa)
    assert refusal(spa.post("/oauth/introspect", token=token)) == (401, "invalid_client")


def test_introspection_knows_what_has_ended(latchkey: TestApp, ada: Person, app: App) -> None:
    """Expired, rotated out, revoked: inactive, and nothing besides."""
    token, first = ada.grant(app)
    second = app.refresh(first).json()["refresh_token"]
    assert introspected(app, first) == INACTIVE
    assert introspected(app, second)["active"] is True
    latchkey.clock.forward(3_600)
    assert introspected(app, token) == INACTIVE
    token, second = (app.refresh(second).json()[name] for name in ("access_token", "refresh_token"))
    app.post("/oauth/revoke", token=token)
    assert introspected(app, token) == INACTIVE
    token = app.refresh(second).json()["access_token"]
    ada.submit("/settings/connected", client_id=app.id)
    assert introspected(app, token) == INACTIVE


def test_introspection_agrees_with_the_api_about_accounts(latchkey: TestApp, ada: Person, app: App) -> None:
    """A token that the API refuses since its account is suspended isn't active, until it is reinstated."""
    tokens = ada.grant(app)
    ada.suspended()
    assert [introspected(app, token) for token in tokens] == [INACTIVE] * 2
    ada.reinstated()
    assert [introspected(app, token)["active"] for token in tokens] == [True] * 2
    ada.logs_in_again()
    ada.leaves()
    assert [introspected(app, token) for token in tokens] == [INACTIVE] * 2


def test_introspection_agrees_with_the_api_about_addresses(latchkey: TestApp, app: App) -> None:
    """What was granted before the address was proven is over."""
    ada = someone(latchkey, verified=False)
    tokens = ada.grant(app)
    latchkey.clock.forward(1)
    ada.proves_address()
    assert [introspected(app, token) for token in tokens] == [INACTIVE] * 2


def test_client_may_authenticate_by_basic_for_both(latchkey: TestApp, ada: Person, app: App) -> None:
    """As at the token endpoint."""
    token, _ = ada.grant(app)
    header = basic(app.id, str(app.secret))
    assert post(latchkey, "/oauth/introspect", {"token": token}, headers=header).json()["active"] is True
    assert post(latchkey, "/oauth/revoke", {"token": token}, headers=header).status == 200
    assert not works(latchkey, token)


def test_revocation_that_not_every_function_hears_of_is_to_be_repeated(
    latchkey: TestApp, ada: Person, app: App
) -> None:
    """The token is revoked; while the counters can't be written, a cached verdict might let it in for 5 minutes."""
    for token in ada.grant(app):
        presented = authenticate(ClientCredentials(app.id, app.secret), token).presented
        dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
        with pytest.raises(OAuthError, match="Try again") as unheard:
            revocation.revoke(app.client, presented)
        assert (unheard.value.status, unheard.value.error) == (503, "temporarily_unavailable")
        data.create_missing_tables()
        revocation.revoke(app.client, presented)
        assert not works(latchkey, token)
