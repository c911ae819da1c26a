"""Authlib's client, over requests and over httpx."""

from typing import Any

import pytest
import requests
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from tests.oauth_clients.someone import AT_CLIENT_METHODS, CALLBACK, Someone, parameter

pytestmark = pytest.mark.xdist_group("oauth_clients")

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(
    ("kind", "method"),
    [(OAuth2Session, method) for method in AT_CLIENT_METHODS] + [(OAuth2Client, "client_secret_basic")],
)
def test_code_flow(someone: Someone, kind: Any, method: str) -> None:
    """Discovery, code with PKCE, the API, refresh, revocation: with each way of authenticating."""
    metadata = _discovered(someone)
    application = someone.registers(method)
    with _client(kind, application, method) as client:
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=VERIFIER, scope="read write"
        )
        callback = someone.allows(url)
        assert parameter(callback, "iss") == metadata["issuer"]
        token = client.fetch_token(
            metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=VERIFIER
        )
        assert (token["token_type"], token["scope"]) == ("Bearer", "read write")
        assert someone.is_named_by(client.get(someone.me).json())
        refreshed = client.refresh_token(metadata["token_endpoint"])
        assert refreshed["access_token"] != token["access_token"]
        assert someone.is_named_by(client.get(someone.me).json())
        gone = client.revoke_token(
            metadata["revocation_endpoint"], token=refreshed["refresh_token"], token_type_hint="refresh_token"
        )
        assert gone.status_code == 200
    assert someone.refuses(refreshed["access_token"])


@pytest.mark.parametrize(
    ("kind", "method"), [(OAuth2Session, "client_secret_basic"), (OAuth2Client, "client_secret_post")]
)
def test_client_credentials_and_introspection(someone: Someone, kind: Any, method: str) -> None:
    """The client's own token acts for its owner, is introspected as live, and as dead once it is revoked."""
    metadata = _discovered(someone)
    application = someone.registers(method)
    with _client(kind, application, method) as client:
        token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="read")
        assert "refresh_token" not in token
        assert someone.is_named_by(client.get(someone.me).json())
        live = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
        assert (live["active"], live["sub"], live["client_id"]) == (True, someone.person.id, application.client_id)
        assert client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).status_code == 200
        dead = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert dead == {"active": False}
    assert someone.refuses(token["access_token"])


def test_device_flow(someone: Someone) -> None:
    """The person types the code, and the device gets its tokens."""
    metadata = _discovered(someone)
    application = someone.registers("none")
    with _client(OAuth2Session, application, "none") as client:
        asked = {"client_id": application.client_id, "scope": "read"}
        shown = requests.post(metadata["device_authorization_endpoint"], data=asked, timeout=30).json()
        someone.connects(shown["verification_uri_complete"])
        client.fetch_token(metadata["token_endpoint"], grant_type=DEVICE, device_code=shown["device_code"])
        assert someone.is_named_by(client.get(someone.me).json())


def _client(kind: Any, application: Any, method: str) -> Any:
    return kind(
        application.client_id,
        application.client_secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )


def _discovered(someone: Someone) -> AuthorizationServerMetadata:
    """Find out what Authlib needs to know: where it looks, and whether it likes what it finds, is its own code."""
    answer = requests.get(get_well_known_url(someone.issuer, external=True), timeout=30)
    metadata = AuthorizationServerMetadata(answer.json())
    metadata.validate()
    return metadata
