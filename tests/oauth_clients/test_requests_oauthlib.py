"""Tests of the session of requests-oauthlib, and of oauthlib's own client for requests that the session can't send."""

import pytest
import requests
from oauthlib.oauth2 import BackendApplicationClient, DeviceClient, WebApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from tests.oauth_clients.browser_user import AT_CLIENT_METHODS, CALLBACK, Application, BrowserUser

pytestmark = pytest.mark.xdist_group("oauth_clients")


@pytest.fixture(autouse=True)
def _without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variable with which oauthlib allows http on loopback."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_code_flow(user: BrowserUser, method: str) -> None:
    """A code flow with PKCE, an API request, the automatic refresh of an expired token and a revocation work."""
    application = user.register_client(method)
    token_url = f"{user.issuer}/oauth/token"
    refreshed: dict[str, str] = {}
    session = OAuth2Session(
        application.client_id,
        redirect_uri=CALLBACK,
        scope=["read", "write"],
        pkce="S256",
        auto_refresh_url=token_url,
        auto_refresh_kwargs={"client_id": application.client_id} | _secret(application),
        token_updater=refreshed.update,
    )
    url, _ = session.authorization_url(f"{user.issuer}/oauth/authorize")
    token = session.fetch_token(
        token_url,
        authorization_response=user.allow(url),
        client_secret=application.client_secret,
        include_client_id=method != "client_secret_basic",
    )
    assert token["scope"] == ["read", "write"]
    assert user.is_described_by(session.get(user.me).json())
    session.token = {**token, "expires_at": 1}
    assert user.is_described_by(session.get(user.me).json())
    assert refreshed["access_token"] != token["access_token"]
    _revoke(user, application, refreshed["refresh_token"])
    assert user.is_rejected(refreshed["access_token"])


def test_client_credentials(user: BrowserUser) -> None:
    """A client token acts for the client's account."""
    application = user.register_client()
    session = OAuth2Session(client=BackendApplicationClient(application.client_id))
    token = session.fetch_token(f"{user.issuer}/oauth/token", client_secret=application.client_secret)
    assert token["scope"] == ["read"]
    assert user.is_represented_by(session.get(user.me).json())
    _revoke(user, application, token["access_token"])
    assert user.is_rejected(token["access_token"])


def test_device_flow(user: BrowserUser) -> None:
    """A device gets tokens after the user has entered its code."""
    application = user.register_client("none")
    client = DeviceClient(application.client_id)
    asked = {"client_id": application.client_id, "scope": "read"}
    shown = requests.post(f"{user.issuer}/oauth/device_authorization", data=asked, timeout=30).json()
    user.approve_device(shown["verification_uri_complete"])
    body = client.prepare_request_body(shown["device_code"], include_client_id=True)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = requests.post(f"{user.issuer}/oauth/token", headers=headers, data=body, timeout=30)
    client.parse_request_body_response(response.text)
    session = OAuth2Session(client=client, token=client.token)
    assert user.is_described_by(session.get(user.me).json())


def _secret(application: Application) -> dict[str, str]:
    return {} if application.client_secret is None else {"client_secret": application.client_secret}


def _revoke(user: BrowserUser, application: Application, token: str) -> None:
    """Send the revocation request that oauthlib prepares."""
    client = WebApplicationClient(application.client_id)
    url, headers, body = client.prepare_token_revocation_request(
        f"{user.issuer}/oauth/revoke", token, token_type_hint=None, client_id=application.client_id
    )
    basic = None
    if application.client_secret is not None:
        basic = HTTPBasicAuth(application.client_id, application.client_secret)
    assert requests.post(url, headers=headers, data=body, auth=basic, timeout=30).status_code == 200
