"""An authorization code is worth one exchange, within a minute, to its client, with its redirect and its verifier."""

import hashlib
from base64 import urlsafe_b64encode

import pytest

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
    Person,
    as_json,
    refusal,
    registered,
    works,
)
from tests.support.harness import TestApp

USED = (400, "invalid_grant")
OTHER_VERIFIER = "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag"
"""RFC 7636 has it nowhere: as good a verifier as any, for another challenge."""


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier, made anew from RFC 7636 §4.2."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def test_code_is_exchanged_for_tokens(latchkey: TestApp, ada: Person, app: App) -> None:
    """The answer is RFC 6749 §5.1's, and its access token opens the API for whoever said yes."""
    answer = app.redeem(ada.code(app, scope="read write"))
    body = answer.json()
    assert answer.status == 200
    assert {name: body[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "read write",
    }
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (secrets.kind_of(body["access_token"]), secrets.kind_of(body["refresh_token"])) == ("at", "rt")
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Pragma") == "no-cache"
    assert latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"] == ada.account.id


def test_code_is_exchanged_as_the_published_page_shows(latchkey: TestApp, ada: Person, app: App) -> None:
    """The documented token request is JSON, its secret in the body."""
    body = {"code": ada.code(app), "grant_type": "authorization_code", "redirect_uri": app.redirect_uri}
    answer = as_json(latchkey, "/oauth/token", {**app.credentials, **body})
    assert answer.status == 200
    assert works(latchkey, answer.json()["access_token"])


def test_access_token_expires_after_an_hour(latchkey: TestApp, ada: Person, app: App) -> None:
    """It is a credential like any other: its end is `token_expired`."""
    token, _ = ada.grant(app)
    latchkey.clock.forward(3_599.999)
    assert works(latchkey, token)
    latchkey.clock.forward(0.001)
    answer = latchkey.call("GET", "/v1/limits", token)
    assert (answer.status, answer.json()["error"]) == (401, "token_expired")


def test_client_without_the_refresh_grant_gets_no_refresh_token(latchkey: TestApp, ada: Person) -> None:
    """It may have a code's access token, and no more."""
    app = registered(latchkey, grant_types=["authorization_code"])
    assert "refresh_token" not in ada.tokens(app)


def test_code_expires_after_a_minute(latchkey: TestApp, ada: Person, app: App) -> None:
    """It lives for 60 s (RFC 6749 §4.1.2 asks for 10 minutes at most)."""
    early, late = ada.code(app), ada.code(app)
    latchkey.clock.forward(59.999)
    assert app.redeem(early).status == 200
    latchkey.clock.forward(0.001)
    assert refusal(app.redeem(late)) == USED


@pytest.mark.parametrize("later_s", [0, 59, 3_000], ids=["at-once", "within-a-minute", "much-later"])
@pytest.mark.parametrize("kind", ["app", "spa"])
def test_code_used_twice_ends_what_its_first_use_issued(
    latchkey: TestApp, ada: Person, request: pytest.FixtureRequest, kind: str, later_s: float
) -> None:
    """One of two uses is a thief's (RFC 6749 §4.1.2): both tokens of the first die, whenever the second comes."""
    app: App = request.getfixturevalue(kind)
    code = ada.code(app)
    tokens = app.redeem(code).json()
    assert works(latchkey, tokens["access_token"])
    latchkey.clock.forward(later_s)
    assert refusal(app.redeem(code)) == USED
    assert not works(latchkey, tokens["access_token"])
    assert refusal(app.refresh(tokens["refresh_token"])) == USED


def test_code_used_twice_leaves_other_grants_alone(latchkey: TestApp, ada: Person, app: App) -> None:
    """Each approval is a grant of its own: what ends on one device goes on with the others."""
    other, _ = ada.grant(app)
    code = ada.code(app)
    app.redeem(code)
    app.redeem(code)
    assert works(latchkey, other)


def test_code_used_twice_with_a_wrong_proof_is_no_reuse(latchkey: TestApp, ada: Person, spa: App) -> None:
    """Whoever lacks verifier or redirect can't end what the client has: only a repeat that passes the checks can."""
    code = ada.code(spa)
    token = spa.redeem(code).json()["access_token"]
    assert refusal(spa.redeem(code, code_verifier=OTHER_VERIFIER)) == USED
    assert refusal(spa.redeem(code, redirect_uri="https://app.example.com/other")) == USED
    assert works(latchkey, token)


def test_code_of_another_client_is_refused_and_not_spent(latchkey: TestApp, ada: Person, app: App, spa: App) -> None:
    """A code that leaked to another client, confidential or public, is worth nothing there, and still its own's."""
    other, other_public = registered(latchkey), registered(latchkey, public=True)
    code = ada.code(app)
    assert refusal(other.redeem(code)) == USED
    assert refusal(other_public.redeem(code)) == USED
    assert app.redeem(code).status == 200
    code = ada.code(spa)
    assert refusal(other_public.redeem(code)) == USED
    assert refusal(other.redeem(code, code_verifier=VERIFIER)) == USED
    assert spa.redeem(code).status == 200


def test_stolen_ticket_is_not_spent_under_another_grant_type(
    latchkey: TestApp, ada: Person, app: App, spa: App
) -> None:
    """Client credentials with another client's code, refresh token or device code beside them bring one's own token."""
    device = app.post("/oauth/device_authorization").json()["device_code"]
    _, refresh_token = ada.grant(spa)
    code = ada.code(spa)
    thief = registered(latchkey)
    for stolen in ({"code": code}, {"refresh_token": refresh_token}, {"device_code": device}):
        body = thief.ask(CLIENT, **stolen).json()
        assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
        who = latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"]
        assert who == thief.client.account_id
    assert refusal(thief.ask(REFRESH, refresh_token=code)) == USED
    assert refusal(thief.ask(REFRESH, refresh_token="x", code=refresh_token)) == USED
    assert refusal(thief.ask(DEVICE, device_code=refresh_token)) == USED
    assert spa.redeem(code).status == spa.refresh(refresh_token).status == 200


def test_code_with_another_redirect_is_refused_and_not_spent(ada: Person, app: App) -> None:
    """What the authorization request named must be repeated to the letter (RFC 6749 §4.1.3)."""
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
        assert refusal(app.redeem(code, redirect_uri=redirect_uri)) == USED, redirect_uri
    assert app.redeem(code).status == 200


def test_code_is_bound_to_the_redirect_it_was_asked_for(latchkey: TestApp, ada: Person) -> None:
    """Another redirect of the same client doesn't do, nor another port of a loopback one."""
    app = registered(latchkey, CALLBACK, "https://app.example.com/second")
    assert refusal(app.redeem(ada.code(app), redirect_uri="https://app.example.com/second")) == USED
    native = registered(latchkey, LOOPBACK, public=True)
    code = ada.code(native, redirect_uri="http://127.0.0.1:50001/cb")
    assert refusal(native.redeem(code, redirect_uri="http://127.0.0.1:50002/cb")) == USED
    assert native.redeem(code, redirect_uri="http://127.0.0.1:50001/cb").status == 200


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_code_that_pkce_binds_needs_no_redirect(ada: Person, request: pytest.FixtureRequest, kind: str) -> None:
    """OAuth 2.1 §10.2: the verifier says who asked. But a redirect that is named must be the right one."""
    app: App = request.getfixturevalue(kind)
    app.proof = PKCE
    code = ada.code(app)
    assert refusal(app.redeem(code, redirect_uri="https://app.example.com/other")) == USED
    assert refusal(app.redeem(code, redirect_uri=None, code_verifier=OTHER_VERIFIER)) == USED
    assert refusal(app.redeem(code, redirect_uri=None, code_verifier=None)) == (400, "invalid_request")
    assert app.redeem(code, redirect_uri=None).status == 200
    assert app.redeem(ada.code(app), redirect_uri="").status == 200


def test_client_with_one_redirect_needs_to_name_it_nowhere(ada: Person, app: App) -> None:
    """What wasn't named in the first request needn't be in the second; if it is, it must be that one."""
    code = ada.code(app, redirect_uri=None)
    assert refusal(app.redeem(code, redirect_uri="https://evil.example/cb")) == USED
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
def test_wrong_verifier_is_refused_and_spends_nothing(ada: Person, request: pytest.FixtureRequest, kind: str) -> None:
    """RFC 7636 §4.1: 43 to 128 unreserved characters, and their hash is the challenge; a public client's or not."""
    app: App = request.getfixturevalue(kind)
    app.proof = PKCE
    code = ada.code(app)
    for verifier, expected in WRONG_VERIFIERS.items():
        assert refusal(app.redeem(code, code_verifier=verifier)) == (400, expected), verifier
    assert app.redeem(code).status == 200


def test_verifier_of_any_length_allowed_is_taken(ada: Person, spa: App) -> None:
    """Both ends of RFC 7636 §4.1, all characters."""
    for length in (43, 128):
        verifier = ("abcXYZ019-._~" * 10)[:length]
        code = ada.code(spa, code_challenge=challenge_of(verifier))
        assert spa.redeem(code, code_verifier=verifier).status == 200


def test_verifier_without_a_challenge_is_refused(ada: Person, app: App) -> None:
    """RFC 9700 §4.8.2: somebody took the challenge out of the authorization request."""
    code = ada.code(app)
    assert refusal(app.redeem(code, code_verifier=VERIFIER)) == (400, "invalid_request")


def test_injected_code_is_refused(ada: Person, spa: App) -> None:
    """A code put into another browser's flow meets another verifier, and the one who started it isn't harmed."""
    victims = ada.code(spa)
    assert refusal(spa.redeem(victims, code_verifier=OTHER_VERIFIER)) == USED
    attackers = ada.code(spa, code_challenge=challenge_of(OTHER_VERIFIER))
    assert refusal(spa.redeem(attackers)) == USED
    assert spa.redeem(victims).status == 200


def test_what_is_no_code_is_refused(app: App) -> None:
    """Malformed, mistyped or unknown: the same answer, or that it can't be read at all."""
    for code in ("nonsense", "lk_ac_" + "0" * 36, secrets.mint("ac"), "x" * 5_000, 'a"b\\c'):
        assert refusal(app.redeem(code)) == USED
    assert refusal(app.redeem("é")) == (400, "invalid_request")


def test_other_secrets_are_no_code(latchkey: TestApp, ada: Person, app: App) -> None:
    """An access token, a refresh token, a device code or a client's secret in a code's place is worth nothing."""
    access_token, refresh_token = ada.grant(app)
    device_code = app.post("/oauth/device_authorization").json()["device_code"]
    for other in (access_token, refresh_token, device_code, app.secret):
        assert refusal(app.redeem(str(other))) == USED
    assert works(latchkey, access_token)


def test_code_of_an_account_that_is_over_is_refused(latchkey: TestApp, ada: Person, app: App) -> None:
    """Suspended after its yes: the code is worth nothing, and is spent by nobody."""
    code = ada.code(app)
    ada.suspended()
    assert refusal(app.redeem(code)) == USED
    ada.reinstated()
    assert app.redeem(code).status == 200


def test_code_of_a_client_that_may_not_use_codes_is_refused(latchkey: TestApp, app: App) -> None:
    """The grant types that were registered are all that a client may use."""
    machine = registered(latchkey, grant_types=[CLIENT])
    assert refusal(machine.redeem(secrets.mint("ac"))) == (400, "unauthorized_client")
    assert refusal(machine.refresh(secrets.mint("rt"))) == (400, "unauthorized_client")
    assert refusal(machine.ask(DEVICE, device_code=secrets.mint("dc"))) == (400, "unauthorized_client")
