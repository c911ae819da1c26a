"""Tests of Authlib's clients for requests and for httpx."""

from typing import Any

import pytest
import requests
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from tests.oauth_clients.browser_user import AT_CLIENT_METHODS, CALLBACK, BrowserUser, parameter

pytestmark = pytest.mark.xdist_group("oauth_clients")

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(
    ("kind", "method"),
    [(OAuth2Session, method) for method in AT_CLIENT_METHODS] + [(OAuth2Client, "client_secret_basic")],
)
def test_code_flow(user: BrowserUser, kind: Any, method: str) -> None:
    """The code flow with PKCE, an API request, a refresh and a revocation work with each authentication method."""
    metadata = _discovered(user)
    application = user.register_client(method)
    with _client(kind, application, method) as client:
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=VERIFIER, scope="read write"
        )
        callback = user.allow(url)
        assert parameter(callback, "iss") == metadata["issuer"]
        token = client.fetch_token(
            metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=VERIFIER
        )
        assert (token["token_type"], token["scope"]) == ("Bearer", "read write")
        assert user.is_described_by(client.get(user.me).json())
        refreshed = client.refresh_token(metadata["token_endpoint"])
        assert refreshed["access_token"] != token["access_token"]
        assert user.is_described_by(client.get(user.me).json())
        gone = client.revoke_token(
            metadata["revocation_endpoint"], token=refreshed["refresh_token"], token_type_hint="refresh_token"
        )
        assert gone.status_code == 200
    assert user.is_rejected(refreshed["access_token"])


@pytest.mark.parametrize(
    ("kind", "method"), [(OAuth2Session, "client_secret_basic"), (OAuth2Client, "client_secret_post")]
)
def test_client_credentials_and_introspection(user: BrowserUser, kind: Any, method: str) -> None:
    """A client token acts for the client's account; introspection reports it as inactive after its revocation."""
    metadata = _discovered(user)
    application = user.register_client(method)
    with _client(kind, application, method) as client:
        token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="read")
        assert "refresh_token" not in token
        assert user.is_represented_by(client.get(user.me).json())
        live = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
        assert (live["active"], live["account_id"], live["client_id"]) == (True, user.person.id, application.client_id)
        assert client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).status_code == 200
        dead = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert dead == {"active": False}
    assert user.is_rejected(token["access_token"])


def test_device_flow(user: BrowserUser) -> None:
    """A device gets tokens after the user has entered its code."""
    metadata = _discovered(user)
    application = user.register_client("none")
    with _client(OAuth2Session, application, "none") as client:
        asked = {"client_id": application.client_id, "scope": "read"}
        shown = requests.post(metadata["device_authorization_endpoint"], data=asked, timeout=30).json()
        user.approve_device(shown["verification_uri_complete"])
        client.fetch_token(metadata["token_endpoint"], grant_type=DEVICE, device_code=shown["device_code"])
        assert user.is_described_by(client.get(user.me).json())


def _client(kind: Any, application: Any, method: str) -> Any:
    return kind(
        application.client_id,
        application.client_secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )


def _discovered(user: BrowserUser) -> AuthorizationServerMetadata:
    """Configure a client with the server's metadata, which Authlib validates."""
    response = requests.get(get_well_known_url(user.issuer, external=True), timeout=30)
    metadata = AuthorizationServerMetadata(response.json())
    metadata.validate()
    return metadata
