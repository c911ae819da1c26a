"""What Authlib is told of clients and tickets, and what becomes of its own refusals."""

import logging
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Error

from chalicelib.core import secrets
from chalicelib.oauth import parameters
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.protocol import KnownClient, KnownDevice, KnownTicket, TokenServer
from chalicelib.oauth.tables import Client, Ticket
from tests.house import NOON_MS, House
from tests.oauth.flow import CALLBACK, CODE, ISSUER, App, Person, refusal

CLIENT = Client("app_1", scopes={"read", "write"}, grant_types={CODE}, redirect_uris=[CALLBACK])
TICKET = Ticket("d", client_id="app_1", scopes={"write", "read"}, user_code="BCDFGHJK", expires_at=NOON_MS)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("", "read"), ("write", "write"), ("write read", "read write"), ("read keys", "read"), ("keys", None)],
)
def test_client_is_allowed_what_it_registered_for(scope: str, allowed: str | None) -> None:
    """`read` where it asks for nothing; nothing left is none."""
    assert KnownClient(CLIENT).get_allowed_scope(scope) == allowed


def test_client_is_asked_about_as_it_is_stored() -> None:
    """Its id, where it is answered, and what it may use."""
    known = KnownClient(CLIENT)
    assert (known.get_client_id(), known.get_default_redirect_uri()) == ("app_1", CALLBACK)
    assert [known.check_redirect_uri(uri) for uri in (CALLBACK, f"{CALLBACK}/")] == [True, False]
    assert [known.check_response_type(each) for each in ("code", "token", "code token")] == [True, False, False]
    assert [known.check_grant_type(each) for each in (CODE, "refresh_token")] == [True, False]


def test_ticket_is_asked_about_as_it_is_stored(home: House) -> None:
    """Whose it is, what for, and by which proof it is bound."""
    known, bound = KnownTicket(TICKET), KnownTicket(Ticket("d", code_challenge="c"), CALLBACK)
    assert known.check_client(KnownClient(CLIENT))
    assert not known.check_client(KnownClient(Client("app_2")))
    assert (known.get_scope(), bound.get_scope()) == ("read write", "")
    assert (known.get_redirect_uri(), bound.get_redirect_uri()) == (None, CALLBACK)
    assert (known.code_challenge, known.code_challenge_method) == (None, None)
    assert (bound.code_challenge, bound.code_challenge_method) == ("c", "S256")
    device = KnownDevice(TICKET)
    assert (device.get_client_id(), device.get_scope(), device.get_user_code()) == ("app_1", "read write", "BCDFGHJK")
    assert device.is_expired()
    home.clock.now_ms -= 1
    assert not device.is_expired()


def server(client: Client = CLIENT, ticket: Ticket | None = None, **sent: str) -> TokenServer:
    """Return the token endpoint for one request."""
    read = parameters.of_query({name: [value] for name, value in sent.items()})
    return TokenServer(read, client, ticket, base_url=ISSUER)


@pytest.mark.parametrize(
    ("error", "description", "status"),
    [
        ("authorization_pending", "The person has not decided yet. Ask again after the interval.", 400),
        ("slow_down", "Asked too soon. Wait 5 seconds longer between two requests from now on.", 400),
        ("access_denied", "The person said no.", 400),
        ("expired_token", "The device code is too old. Start again.", 400),
        ("unsupported_grant_type", "grant_type is unknown here.", 400),
        ("invalid_request", "as Authlib says it", 400),
        ("invalid_client", "as Authlib says it", 401),
    ],
)
def test_refusal_of_authlibs_is_one_of_ours(error: str, description: str, status: int) -> None:
    """In our words where it has none, or repeats what was sent; with its status."""
    raised = OAuth2Error("as Authlib says it", status_code=status)
    raised.error = error
    with pytest.raises(OAuthError) as refused:
        server().handle_error_response(None, raised)
    assert (refused.value.error, refused.value.message, refused.value.status) == (error, description, status)


def test_refusal_that_says_nothing_says_its_code() -> None:
    """Rather than nothing."""
    silent = OAuth2Error()
    silent.error = "invalid_grant"
    with pytest.raises(OAuthError) as refused:
        server().handle_error_response(None, silent)
    assert refused.value.message


@pytest.mark.parametrize("grant_type", ["", "password", "implicit"])
def test_grant_type_is_one_of_four(grant_type: str) -> None:
    """Any other is unknown, and none is missing."""
    with pytest.raises(OAuthError) as refused:
        server(grant_type=grant_type).answer()
    assert refused.value.error == ("unsupported_grant_type" if grant_type else "invalid_request")


def stored_code(app: App, ada: Person, code: str, **more: Any) -> None:
    """Store a code as the authorization endpoint might have."""
    Ticket(
        secrets.digest(code),
        kind="ac",
        client_id=app.id,
        account_id=ada.account.id,
        grant_id="gra_" + "0" * 20,
        granted_at=NOON_MS,
        scopes={"read"},
        expires_at=NOON_MS + 60_000,
        **more,
    ).save()


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_code_of_a_public_client_is_worth_nothing_without_a_proof(
    home: House, ada: Person, request: pytest.FixtureRequest, kind: str
) -> None:
    """However it came to be without one: the token endpoint looks for itself. A confidential client shows a secret."""
    app: App = request.getfixturevalue(kind)
    code = secrets.mint("ac")
    stored_code(app, ada, code)
    answer = app.redeem(code, redirect_uri=None, code_verifier=None)
    # The grant isn't there, which is found out later.
    assert refusal(answer) == (400, "invalid_request" if kind == "spa" else "invalid_grant")


def test_code_that_named_no_redirect_is_redeemed_with_a_registered_one_alone(
    home: House, ada: Person, app: App
) -> None:
    """Or with none; Authlib would take any."""
    code = secrets.mint("ac")
    stored_code(app, ada, code)
    client = KnownClient(app.client)
    for named, found in ((None, True), (CALLBACK, True), ("https://evil.example/", False)):
        sent = {"grant_type": CODE, "code": code} | ({"redirect_uri": named} if named else {})
        grant = server(app.client, Ticket.get(secrets.digest(code)), **sent)
        grant_type = grant.get_token_grant(grant.create_oauth2_request(grant.parameters))
        assert (grant_type.query_authorization_code(code, client) is not None) == found


def test_authlib_logs_no_tokens() -> None:
    """It prints them at DEBUG."""
    assert server()
    assert logging.getLogger("authlib").level == logging.WARNING
    assert not logging.getLogger("authlib.oauth2").isEnabledFor(logging.INFO)
