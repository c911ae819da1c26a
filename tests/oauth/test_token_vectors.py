"""Errors of the token endpoint, byte for byte: the order of checks, and status, error and description of each."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from chalicelib.core import secrets, settings
from chalicelib.oauth.tables import OneTimeToken
from infra.local_gateway.response import Response
from tests.oauth import token_vectors as vectors
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    CODE,
    DEVICE,
    ISSUER,
    PKCE,
    REFRESH,
    VERIFIER,
    App,
    Parameters,
    User,
    register_client,
)
from tests.oauth.test_device import decide, start_device
from tests.oauth.token_vectors import EVIL, Value, error_response, find_differing
from tests.support.harness import TestApp


@pytest.fixture(autouse=True)
def _files_are_a_resource(latchkey: TestApp) -> Iterable[None]:
    """Configure another API as a resource to which nobody has consented."""
    with settings.override(replace(settings.current(), resources=vectors.FILES)):
        yield


def test_missing_or_unknown_grant_type_is_rejected(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §5.2: a missing grant type gets invalid_request, and an unknown grant type gets
    unsupported_grant_type.
    """

    def ask(grant_type: Value, **more: Value) -> Response:
        latchkey.clock.forward(1)
        return app.post("/oauth/token", grant_type=grant_type, **more)

    assert find_differing(vectors.GRANT_TYPES, ask) == []


def test_unregistered_grant_type_is_rejected_before_its_parameters(latchkey: TestApp) -> None:
    """RFC 6749 §5.2: a client without the grant type gets unauthorized_client. Only a missing device code is reported
    first.
    """
    coder, machine = register_client(latchkey, grant_types=[CODE]), register_client(latchkey, grant_types=[CLIENT])
    wrong = {"scope": "nonsense", "resource": EVIL}
    for app, grant_type in ((machine, CODE), (machine, REFRESH), (coder, CLIENT)):
        for more in ({}, wrong):
            assert error_response(app.ask(grant_type, **more)) == vectors.NOT_REGISTERED[grant_type]
    assert error_response(machine.ask(DEVICE, device_code="x", **wrong)) == vectors.NOT_REGISTERED[DEVICE]
    assert error_response(machine.ask(DEVICE)) == vectors.NO_DEVICE_CODE


@pytest.mark.parametrize(("kind", "with_pkce"), [("app", False), ("app", True), ("spa", True)])
def test_first_error_of_a_code_exchange_is_returned(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str, with_pkce: bool
) -> None:
    """RFC 6749 §4.1.3 and RFC 7636 §4.6: code, redirect URI, verifier and resource are checked in this order."""
    client: App = request.getfixturevalue(kind)
    client.proof = PKCE if with_pkce else {}
    right: Parameters = {
        "code": ada.code(client),
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER if with_pkce else None,
    }

    def ask(**changed: Value) -> Response:
        latchkey.clock.forward(0.5)
        return client.ask(CODE, **{**right, **changed})

    assert find_differing(vectors.WITH_PKCE if with_pkce else vectors.WITHOUT_PKCE, ask) == []
    assert ask(scope="write").json()["scope"] == "read"


def test_code_without_a_redirect_uri_accepts_only_a_registered_one(ada: User, app: App) -> None:
    """Stricter than RFC 6749 §4.1.3: even where redirect_uri may be omitted, it must be the registered one if it is
    sent.
    """
    for named in ("https://evil.example/", f"{CALLBACK}/", "x"):
        assert error_response(app.redeem(ada.code(app, redirect_uri=None), redirect_uri=named)) == vectors.WRONG_CODE
    for right in (None, "", CALLBACK):
        assert app.redeem(ada.code(app, redirect_uri=None), redirect_uri=right).status == 200


def test_foreign_or_expired_code_is_an_invalid_code(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """RFC 6749 §5.2: another client's code, another type of token and an expired code get the same error."""
    thief, device_code = register_client(latchkey), start_device(app)[0]
    _, refresh_token = ada.grant(app)
    for code in (ada.code(spa), refresh_token, device_code, secrets.mint("ac")):
        assert error_response(thief.redeem(code)) == error_response(app.redeem(code)) == vectors.WRONG_CODE
    expired = ada.code(app)
    latchkey.clock.forward(60)
    assert error_response(app.redeem(expired)) == vectors.WRONG_CODE


def test_consumed_code_is_checked_before_it_counts_as_reuse(latchkey: TestApp, ada: User, spa: App) -> None:
    """RFC 6749 §4.1.2: a second use of a code revokes the grant only if the request is valid otherwise."""
    code = ada.code(spa)
    refresh_token = spa.redeem(code).json()["refresh_token"]
    latchkey.clock.forward(120)
    assert error_response(spa.redeem(code, redirect_uri=f"{CALLBACK}/")) == vectors.WRONG_REDIRECT
    assert error_response(spa.redeem(code, code_verifier=vectors.OTHER_VERIFIER)) == vectors.WRONG_VERIFIER
    assert error_response(spa.redeem(code, resource=EVIL)) == vectors.UNKNOWN_RESOURCE
    refresh_token = spa.refresh(refresh_token).json()["refresh_token"]
    assert error_response(spa.redeem(code)) == vectors.SPENT
    assert error_response(spa.refresh(refresh_token)) == vectors.SPENT


def test_first_error_of_a_refresh_is_returned(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """RFC 6749 §6: token, scope and resource are checked in this order, and an error doesn't consume the token."""
    for client in (app, spa):
        _, token = ada.grant(client, scope="read")

        def ask(client: App = client, token: str = token, **changed: Value) -> Response:
            latchkey.clock.forward(0.5)
            return client.ask(REFRESH, **{"refresh_token": token, **changed})

        assert find_differing(vectors.REFRESHES, ask) == []
        assert ask(scope=" read  read ").json()["scope"] == "read"


def test_foreign_or_expired_refresh_token_is_an_invalid_one(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 6749 §5.2: another client's token, another type of token and an expired token get the same error."""
    thief, code = register_client(latchkey), ada.code(app)
    _, token = ada.grant(app)
    assert error_response(thief.refresh(token)) == vectors.WRONG_REFRESH_TOKEN
    for other in (code, start_device(app)[0], secrets.mint("rt")):
        assert error_response(app.refresh(other)) == vectors.WRONG_REFRESH_TOKEN
    successor = app.refresh(token).json()["refresh_token"]
    latchkey.clock.forward(90 * 86_400)
    assert error_response(app.refresh(token)) == error_response(app.refresh(successor)) == vectors.WRONG_REFRESH_TOKEN


def test_first_error_of_client_credentials_is_returned(latchkey: TestApp) -> None:
    """RFC 6749 §4.4: a scope that OAuth never grants is reported first, then a scope that the client may not have, then
    the resource.
    """
    reader = register_client(latchkey, scopes=["read"])

    def ask(**sent: Value) -> Response:
        latchkey.clock.forward(0.5)
        return reader.ask(CLIENT, **sent)

    assert find_differing(vectors.OF_ITS_OWN, ask) == []
    assert ask(resource=[vectors.FILES, ISSUER], scope="read  write").json()["scope"] == "read"


def test_first_error_of_a_device_code_is_returned(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 8628 §3.5: client, expiry, decision, interval and resource are checked in this order."""
    thief, (device_code, user_code) = register_client(latchkey), start_device(app)
    ask = app.ask
    assert error_response(ask(DEVICE, device_code="")) == error_response(ask(DEVICE)) == vectors.NO_DEVICE_CODE
    for wrong in ("x", secrets.mint("dc"), user_code, ada.code(app)):
        assert error_response(ask(DEVICE, device_code=wrong, resource=EVIL)) == vectors.WRONG_DEVICE_CODE
    assert error_response(thief.ask(DEVICE, device_code=device_code)) == vectors.WRONG_DEVICE_CODE
    assert error_response(ask(DEVICE, device_code=device_code, resource=EVIL)) == vectors.PENDING
    assert error_response(ask(DEVICE, device_code=device_code)) == vectors.TOO_FAST
    decide(ada, user_code)
    assert error_response(ask(DEVICE, device_code=device_code, resource=EVIL)) == vectors.UNKNOWN_RESOURCE
    assert error_response(ask(DEVICE, device_code=device_code, resource=vectors.FILES)) == vectors.OTHER_RESOURCE
    assert ask(DEVICE, device_code=device_code, scope="write").json()["scope"] == "read"
    assert error_response(ask(DEVICE, device_code=device_code)) == vectors.SPENT


def test_expired_device_code_is_expired_token_unless_consumed(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 8628 §3.5: an expired device code gets expired_token if it was approved, denied or undecided. If it was
    already consumed, the request counts as reuse.
    """
    codes = [start_device(app) for _ in range(4)]
    for (_, user_code), decision in zip(codes[1:], ("deny", "allow", "allow"), strict=True):
        decide(ada, user_code, decision)
    assert error_response(app.ask(DEVICE, device_code=codes[1][0])) == vectors.DENIED
    refresh_token = app.ask(DEVICE, device_code=codes[2][0]).json()["refresh_token"]
    latchkey.clock.forward(600)
    left_alone, denied, redeemed, approved = (code for code, _ in codes)
    for code in (left_alone, denied, approved):
        assert error_response(app.ask(DEVICE, device_code=code)) == vectors.TOO_OLD
    assert error_response(app.ask(DEVICE, device_code=redeemed)) == vectors.SPENT
    assert app.refresh(refresh_token).status == 400


@pytest.mark.parametrize(("kind", "response"), [("app", vectors.SPENT), ("spa", vectors.NO_VERIFIER)])
def test_code_without_a_challenge_requires_a_client_secret(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str, response: vectors.ErrorResponse
) -> None:
    """RFC 9700 §2.1.1: a public client can't exchange a code that was issued without a challenge."""
    client: App = request.getfixturevalue(kind)
    code = ada.code(client)
    OneTimeToken(secrets.digest(code)).update(
        actions=[OneTimeToken.code_challenge.remove(), OneTimeToken.grant_id.set("gra_gone")]
    )
    assert error_response(client.redeem(code, redirect_uri=None, code_verifier=None)) == vectors.WRONG_REDIRECT
    assert error_response(client.redeem(code, code_verifier=None)) == response
    if kind == "spa":
        assert error_response(client.redeem(code, code_verifier=VERIFIER)) == vectors.NO_CHALLENGE
