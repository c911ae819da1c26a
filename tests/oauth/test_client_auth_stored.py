"""Client authentication without HTTP: the client, the presented token, and the rate limit that counts the request."""

from typing import Any

import pytest

from chalicelib.core import secrets
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import delete_client, parameters
from chalicelib.oauth.client_auth import AuthenticatedClient, authenticate, read_presented_secret
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.parameters import ClientCredentials
from chalicelib.oauth.tables import Client, OneTimeToken
from tests.oauth.flow import CLIENT, CODE, DEVICE, REFRESH, App, register_client
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import record_calls


@pytest.mark.parametrize(
    ("client", "subject"),
    [
        ({"auth_method": "client_secret_basic", "account_id": "acc_1"}, "client_app_1"),
        ({"auth_method": "none", "account_id": "acc_1"}, None),
        ({"auth_method": "client_secret_basic"}, None),
        ({"auth_method": "none"}, None),
    ],
)
def test_confidential_client_of_an_account_has_its_own_limit(client: dict[str, Any], subject: str | None) -> None:
    """Only a confidential client of an account has its own limit, because anyone can send a public client's id or
    register a client.
    """
    assert AuthenticatedClient(Client("app_1", **client), None).subject == subject


def test_one_time_token_is_a_presented_code_or_refresh_token() -> None:
    """A code or refresh token in the request is read as a one-time token; an access token isn't."""
    one_time_token = OneTimeToken("d")
    assert AuthenticatedClient(Client("app_1"), one_time_token).one_time_token is one_time_token
    assert AuthenticatedClient(Client("app_1"), Credential("d")).one_time_token is None
    assert AuthenticatedClient(Client("app_1"), None).one_time_token is None


@pytest.mark.parametrize(
    ("grant_type", "name"),
    [(CODE, "code"), (REFRESH, "refresh_token"), (DEVICE, "device_code"), (CLIENT, ""), ("", "")],
)
def test_presented_secret_is_the_one_of_the_grant_type(grant_type: str, name: str) -> None:
    """The presented code or token is read from the one parameter that belongs to the grant type."""
    presented = {each: [f"the {each}"] for each in ("code", "refresh_token", "device_code")}
    read = parameters.parse_query(presented | {"grant_type": [grant_type]})
    assert read_presented_secret(read) == (f"the {name}" if name else "")


def test_client_and_token_are_read_in_one_call(latchkey: TestApp, app: App) -> None:
    """Client and presented token are read in one DynamoDB call. Malformed values aren't looked up."""
    code, token = secrets.mint("ac"), app.ask(CLIENT).json()["access_token"]
    OneTimeToken(secrets.digest(code), kind="ac", client_id=app.id, expires_at=START_MS).save()
    credentials = ClientCredentials(app.id, app.secret)
    for presented, kind, tables in ((code, "ac", 2), (token, "token", 2), ("", None, 1), ("x", None, 1)):
        with record_calls() as calls:
            authenticated = authenticate(credentials, presented)
        assert authenticated.client.client_id == app.id
        assert (authenticated.presented.kind if authenticated.presented else None) == kind
        ((operation, request),) = calls
        assert (operation, len(request["RequestItems"])) == ("BatchGetItem", tables)
    assert authenticate(credentials, secrets.mint("ac")).presented is None


def test_client_authenticates_as_registered(latchkey: TestApp, app: App, spa: App) -> None:
    """A confidential client authenticates with its id and secret, and a public client with its id only. An inactive
    client can't authenticate.
    """
    assert authenticate(ClientCredentials(spa.id, None)).client.client_id == spa.id
    suspended = register_client(latchkey)
    suspended.client.update(actions=[Client.owner_suspended_at.set(START_MS)])
    for credentials in (
        ClientCredentials(app.id, None),
        ClientCredentials(app.id, f"{app.secret}x"),
        ClientCredentials(spa.id, "x"),
        ClientCredentials("app_" + "0" * 20, app.secret),
        ClientCredentials("x", app.secret),
        ClientCredentials("", None),
        ClientCredentials(suspended.id, suspended.secret),
    ):
        with pytest.raises(OAuthError) as raised:
            authenticate(credentials)
        assert (raised.value.error, raised.value.status) == ("invalid_client", 401)
    delete_client.delete(app.client)
    with pytest.raises(OAuthError):
        authenticate(ClientCredentials(app.id, app.secret))
