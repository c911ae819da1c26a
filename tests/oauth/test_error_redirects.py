"""Errors of authorization requests, without HTTP: which errors are redirected, and to which URL."""

import pytest

from chalicelib.oauth import authorize, clients, consent, parameters
from chalicelib.oauth.errors import invalid_request
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CALLBACK, CLIENT, ISSUER, App, register_client
from tests.oauth.test_consents_stored import store_client
from tests.support.harness import AccountOfTest, TestApp


def test_error_is_redirected_to_verified_clients_without_a_decision(latchkey: TestApp, app: App) -> None:
    """Before a decision, an error is redirected only to a client of an active account, or at a redirect URI that the
    user allowed before (RFC 9700 §4.11.2).
    """
    account = latchkey.account()
    alone = clients.register(
        name="Mine",
        uris=[CALLBACK],
        auth_method="none",
        grant_types={clients.CODE},
        wanted=set(),
        registered_by="self",
    ).client

    def leads(client: Client, user: AccountOfTest | None) -> bool:
        back = authorize.ErrorRedirect(client, CALLBACK, f"{CALLBACK}?error=x", "No.")
        try:
            return back.location_for([user.membership] if user else []) == f"{CALLBACK}?error=x"
        except authorize.CannotRedirect as error:
            return (error.status, error.error, "No." in error.message) != (400, "invalid_request", True)

    assert [leads(app.client, user) for user in (None, account)] == [True, True]
    assert [leads(alone, user) for user in (None, account)] == [False, False]
    store_client(alone.client_id)
    consent.remember(account.membership, alone.client_id, {"https://app.example.com  read"})
    assert [leads(alone, user) for user in (None, account)] == [False, True]


@pytest.mark.parametrize(
    ("uri", "begins"),
    [
        ("https://a.example/cb", "https://a.example/cb?error="),
        ("https://a.example/cb?", "https://a.example/cb?error="),
        ("https://a.example/cb?x=1", "https://a.example/cb?x=1&error="),
        ("https://a.example/cb?x=1&", "https://a.example/cb?x=1&error="),
        ("app:/cb", "app:/cb?error="),
    ],
)
def test_response_is_appended_to_the_registered_redirect_uri(latchkey: TestApp, uri: str, begins: str) -> None:
    """The error is appended to the unchanged redirect URI, with the issuer as the last parameter."""
    request = authorize.AuthorizationRequest(Client("app_1"), uri, None, "", frozenset(), frozenset(), None, "")
    location = authorize.build_error_redirect(request, ISSUER, invalid_request("x")).location
    assert location == f"{begins}invalid_request&error_description=x&iss=https%3A%2F%2Fapi.example.com"


@pytest.mark.parametrize(
    ("sent_so", "why"),
    [
        ({"client_id": ["app_1", "app_2"]}, "client_id is repeated"),
        ({"redirect_uri": [CALLBACK, CALLBACK]}, "redirect_uri is repeated"),
        ({"client_id": ["app_" + "0" * 20]}, "unknown client_id"),
        ({"client_id": []}, "unknown client_id"),
        ({"redirect_uri": ["https://evil.example/"]}, "redirect_uri is not registered"),
    ],
)
def test_unknown_client_or_redirect_uri_is_shown_to_the_user(
    latchkey: TestApp, app: App, sent_so: dict[str, list[str]], why: str
) -> None:
    """RFC 6749 §4.1.2.1: an error page shows the reason, and the user isn't redirected."""
    query = {"client_id": [app.id], "redirect_uri": [CALLBACK], "response_type": ["code"]} | sent_so
    with pytest.raises(authorize.CannotRedirect, match=why) as raised:
        authorize.parse(parameters.parse_query(query), ISSUER)
    assert (raised.value.status, raised.value.error) == (400, "invalid_request")


def test_client_with_several_redirect_uris_must_name_one(latchkey: TestApp) -> None:
    """redirect_uri is required, unless the client has exactly one redirect URI."""
    several = register_client(latchkey, CALLBACK, "https://b.example/")
    query = {"client_id": [several.id], "response_type": ["code"]}
    with pytest.raises(authorize.CannotRedirect):
        authorize.parse(parameters.parse_query(query), ISSUER)
    request = authorize.parse(parameters.parse_query(query | {"redirect_uri": ["https://b.example/"]}), ISSUER)
    assert request.redirect_uri == "https://b.example/"


@pytest.mark.parametrize(
    "changed", [{"response_type": "token"}, {"response_type": ""}, {"scope": "keys"}, {"state": "é"}]
)
def test_error_of_a_valid_request_is_redirected_with_its_code(
    latchkey: TestApp, app: App, changed: dict[str, str]
) -> None:
    """If client and redirect URI are valid, any other error is redirected to the client."""
    query = {"client_id": [app.id], "redirect_uri": [CALLBACK], "response_type": ["code"]}
    with pytest.raises(authorize.ErrorRedirect) as raised:
        authorize.parse(parameters.parse_query(query | {name: [value] for name, value in changed.items()}), ISSUER)
    (wrong,) = changed.values()
    error = {"token": "unsupported_response_type", "keys": "invalid_scope"}.get(wrong, "invalid_request")
    assert f"?error={error}&" in raised.value.location
    no_codes = register_client(latchkey, grant_types=[CLIENT])
    with pytest.raises(authorize.ErrorRedirect) as raised:
        authorize.parse(parameters.parse_query(query | {"client_id": [no_codes.id]}), ISSUER)
    assert "?error=unauthorized_client&" in raised.value.location
