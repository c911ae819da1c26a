"""requests-oauthlib's session, and oauthlib's own client where the session offers nothing."""

import pytest
import requests
from oauthlib.oauth2 import BackendApplicationClient, DeviceClient, WebApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from tests.oauth_clients.someone import AT_CLIENT_METHODS, CALLBACK, Application, Someone

pytestmark = pytest.mark.xdist_group("oauth_clients")


@pytest.fixture(autouse=True)
def _without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """What oauthlib's documentation names for a server on loopback."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_code_flow(someone: Someone, method: str) -> None:
    """Code with PKCE, the API, refresh by itself when the token is old, revocation."""
    application = someone.registers(method)
    token_url = f"{someone.issuer}/oauth/token"
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
    url, _ = session.authorization_url(f"{someone.issuer}/oauth/authorize")
    token = session.fetch_token(
        token_url,
        authorization_response=someone.allows(url),
        client_secret=application.client_secret,
        include_client_id=method != "client_secret_basic",
    )
    assert token["scope"] == ["read", "write"]
    assert someone.is_named_by(session.get(someone.me).json())
    session.token = {**token, "expires_at": 1}
    assert someone.is_named_by(session.get(someone.me).json())
    assert refreshed["access_token"] != token["access_token"]
    _revoke(someone, application, refreshed["refresh_token"])
    assert someone.refuses(refreshed["access_token"])


def test_client_credentials(someone: Someone) -> None:
    """The client's own token acts for its owner."""
    application = someone.registers()
    session = OAuth2Session(client=BackendApplicationClient(application.client_id))
    token = session.fetch_token(f"{someone.issuer}/oauth/token", client_secret=application.client_secret)
    assert token["scope"] == ["read"]
    assert someone.is_named_by(session.get(someone.me).json())
    _revoke(someone, application, token["access_token"])
    assert someone.refuses(token["access_token"])


def test_device_flow(someone: Someone) -> None:
    """The person types the code, and the device gets its tokens."""
    application = someone.registers("none")
    client = DeviceClient(application.client_id)
    asked = {"client_id": application.client_id, "scope": "read"}
    shown = requests.post(f"{someone.issuer}/oauth/device_authorization", data=asked, timeout=30).json()
    someone.connects(shown["verification_uri_complete"])
    body = client.prepare_request_body(shown["device_code"], include_client_id=True)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{someone.issuer}/oauth/token", headers=headers, data=body, timeout=30)
    client.parse_request_body_response(answer.text)
    session = OAuth2Session(client=client, token=client.token)
    assert someone.is_named_by(session.get(someone.me).json())


def _secret(application: Application) -> dict[str, str]:
    return {} if application.client_secret is None else {"client_secret": application.client_secret}


def _revoke(someone: Someone, application: Application, token: str) -> None:
    """Revoke with the request that oauthlib prepares."""
    client = WebApplicationClient(application.client_id)
    url, headers, body = client.prepare_token_revocation_request(
        f"{someone.issuer}/oauth/revoke", token, token_type_hint=None, client_id=application.client_id
    )
    basic = None
    if application.client_secret is not None:
        basic = HTTPBasicAuth(application.client_id, application.client_secret)
    assert requests.post(url, headers=headers, data=body, auth=basic, timeout=30).status_code == 200
