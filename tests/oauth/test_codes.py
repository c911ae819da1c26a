"""Authorization codes: exchanged once within a minute, and bound to client, redirect URI and verifier."""

import hashlib
from base64 import urlsafe_b64encode

import pytest

from chalicelib.accounts.roles import service_user_of
from chalicelib.core import secrets
from tests.oauth.flow import (
    CALLBACK,
    CHALLENGE,
    CLIENT,
    DEVICE,
    LOOPBACK,
    PKCE,
    REFRESH,
    VERIFIER,
    App,
    User,
    as_json,
    error_of,
    is_accepted,
    register_client,
)
from tests.support.harness import TestApp

USED = (400, "invalid_grant")
OTHER_VERIFIER = "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag"
"""A verifier that doesn't match the challenge."""


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier, computed here from RFC 7636 §4.2."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def test_code_is_exchanged_for_tokens(latchkey: TestApp, ada: User, app: App) -> None:
    """The token response has the format of RFC 6749 §5.1, and the access token acts for the resource owner."""
    response = app.redeem(ada.code(app, scope="read write"))
    body = response.json()
    assert response.status == 200
    assert {name: body[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "read write",
    }
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (secrets.kind_of(body["access_token"]), secrets.kind_of(body["refresh_token"])) == ("at", "rt")
    assert response.header("Cache-Control") == "no-store"
    assert response.header("Pragma") == "no-cache"
    assert latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"] == ada.account.user_id


def test_code_exchange_works_as_published(latchkey: TestApp, ada: User, app: App) -> None:
    """The token request of the published documentation works: JSON with the secret in the body."""
    body = {"code": ada.code(app), "grant_type": "authorization_code", "redirect_uri": app.redirect_uri}
    response = as_json(latchkey, "/oauth/token", {**app.credentials, **body})
    assert response.status == 200
    assert is_accepted(latchkey, response.json()["access_token"])


def test_access_token_expires_after_an_hour(latchkey: TestApp, ada: User, app: App) -> None:
    """An access token expires after an hour; the API then responds with `token_expired`."""
    token, _ = ada.grant(app)
    latchkey.clock.forward(3_599.999)
    assert is_accepted(latchkey, token)
    latchkey.clock.forward(0.001)
    response = latchkey.call("GET", "/v1/limits", token)
    assert (response.status, response.json()["error"]) == (401, "token_expired")


def test_client_without_the_refresh_grant_gets_no_refresh_token(latchkey: TestApp, ada: User) -> None:
    """A client without the refresh_token grant gets an access token only."""
    app = register_client(latchkey, grant_types=["authorization_code"])
    assert "refresh_token" not in ada.tokens(app)


def test_code_expires_after_a_minute(latchkey: TestApp, ada: User, app: App) -> None:
    """A code expires after one minute; RFC 6749 §4.1.2 recommends ten at most."""
    early, late = ada.code(app), ada.code(app)
    latchkey.clock.forward(59.999)
    assert app.redeem(early).status == 200
    latchkey.clock.forward(0.001)
    assert error_of(app.redeem(late)) == USED


@pytest.mark.parametrize("later_s", [0, 59, 3_000], ids=["at-once", "within-a-minute", "much-later"])
@pytest.mark.parametrize("kind", ["app", "spa"])
def test_code_reuse_revokes_the_tokens_of_the_first_use(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str, later_s: float
) -> None:
    """RFC 6749 §4.1.2: a second use of a code revokes both tokens, however late it is."""
    app: App = request.getfixturevalue(kind)
    code = ada.code(app)
    tokens = app.redeem(code).json()
    assert is_accepted(latchkey, tokens["access_token"])
    latchkey.clock.forward(later_s)
    assert error_of(app.redeem(code)) == USED
    assert not is_accepted(latchkey, tokens["access_token"])
    assert error_of(app.refresh(tokens["refresh_token"])) == USED


def test_code_reuse_leaves_other_grants_active(latchkey: TestApp, ada: User, app: App) -> None:
    """Reuse of a code revokes only its own grant, so the user's other devices keep their access."""
    other, _ = ada.grant(app)
    code = ada.code(app)
    app.redeem(code)
    app.redeem(code)
    assert is_accepted(latchkey, other)


def test_code_reuse_with_a_wrong_verifier_revokes_nothing(latchkey: TestApp, ada: User, spa: App) -> None:
    """A second use with a wrong verifier isn't reuse, so an attacker without the verifier can't revoke a grant."""
    code = ada.code(spa)
    token = spa.redeem(code).json()["access_token"]
    assert error_of(spa.redeem(code, code_verifier=OTHER_VERIFIER)) == USED
    assert error_of(spa.redeem(code, redirect_uri="https://app.example.com/other")) == USED
    assert is_accepted(latchkey, token)


def test_code_of_another_client_is_invalid_and_not_consumed(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """A leaked code is useless to another client, and stays valid for its own client."""
    other, other_public = register_client(latchkey), register_client(latchkey, public=True)
    code = ada.code(app)
    assert error_of(other.redeem(code)) == USED
    assert error_of(other_public.redeem(code)) == USED
    assert app.redeem(code).status == 200
    code = ada.code(spa)
    assert error_of(other_public.redeem(code)) == USED
    assert error_of(other.redeem(code, code_verifier=VERIFIER)) == USED
    assert spa.redeem(code).status == 200


def test_stolen_code_is_not_consumed_by_another_grant_type(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """A client credentials request that contains another client's code or token doesn't consume it."""
    device = app.post("/oauth/device_authorization").json()["device_code"]
    _, refresh_token = ada.grant(spa)
    code = ada.code(spa)
    thief = register_client(latchkey)
    for stolen in ({"code": code}, {"refresh_token": refresh_token}, {"device_code": device}):
        body = thief.ask(CLIENT, **stolen).json()
        assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
        who = latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"]
        assert who == service_user_of(str(thief.client.account_id))
    assert error_of(thief.ask(REFRESH, refresh_token=code)) == USED
    assert error_of(thief.ask(REFRESH, refresh_token="x", code=refresh_token)) == USED
    assert error_of(thief.ask(DEVICE, device_code=refresh_token)) == USED
    assert spa.redeem(code).status == spa.refresh(refresh_token).status == 200


def test_code_with_another_redirect_uri_is_invalid_and_not_consumed(ada: User, app: App) -> None:
    """The redirect_uri of the authorization request must be repeated exactly (RFC 6749 §4.1.3)."""
    code = ada.code(app)
    for redirect_uri in (
        None,
        "",
        "https://app.example.com/cb/",
        "https://app.example.com/cb?x=1",
        "https://APP.example.com/cb",
        "https://app.example.com:443/cb",
        "https://app.example.com/other",
        "https://evil.example/cb",
        "http://app.example.com/cb",
    ):
        assert error_of(app.redeem(code, redirect_uri=redirect_uri)) == USED, redirect_uri
    assert app.redeem(code).status == 200


def test_code_is_bound_to_the_requested_redirect_uri(latchkey: TestApp, ada: User) -> None:
    """A code can't be exchanged with another redirect URI of its client, or with another port of a loopback URI."""
    app = register_client(latchkey, CALLBACK, "https://app.example.com/second")
    assert error_of(app.redeem(ada.code(app), redirect_uri="https://app.example.com/second")) == USED
    native = register_client(latchkey, LOOPBACK, public=True)
    code = ada.code(native, redirect_uri="http://127.0.0.1:50001/cb")
    assert error_of(native.redeem(code, redirect_uri="http://127.0.0.1:50002/cb")) == USED
    assert native.redeem(code, redirect_uri="http://127.0.0.1:50001/cb").status == 200


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_code_with_pkce_needs_no_redirect_uri(ada: User, request: pytest.FixtureRequest, kind: str) -> None:
    """OAuth 2.1 §10.2: with PKCE redirect_uri is optional, because the verifier binds the code. If it is sent, it must
    match.
    """
    app: App = request.getfixturevalue(kind)
    app.proof = PKCE
    code = ada.code(app)
    assert error_of(app.redeem(code, redirect_uri="https://app.example.com/other")) == USED
    assert error_of(app.redeem(code, redirect_uri=None, code_verifier=OTHER_VERIFIER)) == USED
    assert error_of(app.redeem(code, redirect_uri=None, code_verifier=None)) == (400, "invalid_request")
    assert app.redeem(code, redirect_uri=None).status == 200
    assert app.redeem(ada.code(app), redirect_uri="").status == 200


def test_client_with_one_redirect_uri_may_omit_it(ada: User, app: App) -> None:
    """If the authorization request had no redirect_uri, the token request needs none. If it is sent anyway, it must
    match.
    """
    code = ada.code(app, redirect_uri=None)
    assert error_of(app.redeem(code, redirect_uri="https://evil.example/cb")) == USED
    assert app.redeem(code, redirect_uri=None).status == 200
    assert app.redeem(ada.code(app, redirect_uri=None)).status == 200


WRONG_VERIFIERS = {
    None: "invalid_request",
    "": "invalid_request",
    VERIFIER[:42]: "invalid_request",
    "a" * 129: "invalid_request",
    VERIFIER[:42] + "+": "invalid_request",
    VERIFIER[:42] + " ": "invalid_request",
    VERIFIER + "\n": "invalid_request",
    VERIFIER[:42] + "é": "invalid_request",
    OTHER_VERIFIER: "invalid_grant",
    VERIFIER.lower(): "invalid_grant",
    CHALLENGE: "invalid_grant",
    VERIFIER + "a": "invalid_grant",
}


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_wrong_verifier_is_rejected_and_consumes_nothing(ada: User, request: pytest.FixtureRequest, kind: str) -> None:
    """RFC 7636 §4.1: a verifier has 43 to 128 unreserved characters, and its hash must equal the challenge."""
    app: App = request.getfixturevalue(kind)
    app.proof = PKCE
    code = ada.code(app)
    for verifier, expected in WRONG_VERIFIERS.items():
        assert error_of(app.redeem(code, code_verifier=verifier)) == (400, expected), verifier
    assert app.redeem(code).status == 200


def test_verifier_of_any_allowed_length_is_accepted(ada: User, spa: App) -> None:
    """RFC 7636 §4.1: a verifier may have 43 to 128 characters, with every unreserved character."""
    for length in (43, 128):
        verifier = ("abcXYZ019-._~" * 10)[:length]
        code = ada.code(spa, code_challenge=challenge_of(verifier))
        assert spa.redeem(code, code_verifier=verifier).status == 200


def test_verifier_without_a_challenge_is_rejected(ada: User, app: App) -> None:
    """RFC 9700 §4.8.2: a verifier without a stored challenge is an error, because it could be a PKCE
    downgrade attack.
    """
    code = ada.code(app)
    assert error_of(app.redeem(code, code_verifier=VERIFIER)) == (400, "invalid_request")


def test_injected_code_is_rejected(ada: User, spa: App) -> None:
    """A stolen code that is injected into another browser's flow fails because the verifier differs, and stays
    valid.
    """
    victims = ada.code(spa)
    assert error_of(spa.redeem(victims, code_verifier=OTHER_VERIFIER)) == USED
    attackers = ada.code(spa, code_challenge=challenge_of(OTHER_VERIFIER))
    assert error_of(spa.redeem(attackers)) == USED
    assert spa.redeem(victims).status == 200


def test_unknown_code_is_invalid(app: App) -> None:
    """A malformed, a mistyped and an unknown code get the same error."""
    for code in ("nonsense", "lk_ac_" + "0" * 36, secrets.mint("ac"), "x" * 5_000, 'a"b\\c'):
        assert error_of(app.redeem(code)) == USED
    assert error_of(app.redeem("é")) == (400, "invalid_request")


def test_other_secrets_are_not_codes(latchkey: TestApp, ada: User, app: App) -> None:
    """An access token, a refresh token, a device code or a client secret isn't accepted as a code."""
    access_token, refresh_token = ada.grant(app)
    device_code = app.post("/oauth/device_authorization").json()["device_code"]
    for other in (access_token, refresh_token, device_code, app.secret):
        assert error_of(app.redeem(str(other))) == USED
    assert is_accepted(latchkey, access_token)


def test_code_of_an_inactive_account_is_invalid(latchkey: TestApp, ada: User, app: App) -> None:
    """A code is invalid, but isn't consumed, while the account that approved it is suspended."""
    code = ada.code(app)
    ada.suspend()
    assert error_of(app.redeem(code)) == USED
    ada.reinstate()
    assert app.redeem(code).status == 200


def test_code_of_a_client_without_the_code_grant_is_rejected(latchkey: TestApp, app: App) -> None:
    """A client may use only the grant types that it was registered for."""
    machine = register_client(latchkey, grant_types=[CLIENT])
    assert error_of(machine.redeem(secrets.mint("ac"))) == (400, "unauthorized_client")
    assert error_of(machine.refresh(secrets.mint("rt"))) == (400, "unauthorized_client")
    assert error_of(machine.ask(DEVICE, device_code=secrets.mint("dc"))) == (400, "unauthorized_client")
