"""Tests of the client httpx-oauth. It supports only confidential clients, and its caller must create the
PKCE verifier.
"""

import base64
import hashlib
from typing import Literal

import pytest
import requests
from httpx_oauth.oauth2 import GetAccessTokenError, OAuth2

from tests.oauth_clients.browser_user import CALLBACK, BrowserUser, parameter
from tests.oauth_clients.coroutines import run_coroutine

pytestmark = pytest.mark.xdist_group("oauth_clients")

Method = Literal["client_secret_basic", "client_secret_post"]
METHODS: list[Method] = ["client_secret_basic", "client_secret_post"]
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@pytest.mark.parametrize("method", METHODS)
def test_code_flow(user: BrowserUser, method: Method) -> None:
    """A code flow with PKCE, an API request, a refresh and a revocation work."""
    run_coroutine(_whole_flow(user, method))


def test_wrong_verifier_is_rejected(user: BrowserUser) -> None:
    """A wrong verifier raises the library's own error, and the code can still be redeemed with the right one."""
    run_coroutine(_wrong_verifier(user))


async def _whole_flow(user: BrowserUser, method: Method) -> None:
    client = _client(user, method)
    url = await client.get_authorization_url(
        CALLBACK, state="af0ifjsldkj", scope=["read", "write"], code_challenge=CHALLENGE, code_challenge_method="S256"
    )
    callback = user.allow(url)
    assert parameter(callback, "state") == "af0ifjsldkj"
    token = await client.get_access_token(parameter(callback, "code"), CALLBACK, VERIFIER)
    assert not token.is_expired()
    assert _me(user, token["access_token"])
    refreshed = await client.refresh_token(token["refresh_token"])
    assert _me(user, refreshed["access_token"])
    await client.revoke_token(refreshed["refresh_token"], "refresh_token")
    assert user.is_rejected(refreshed["access_token"])


async def _wrong_verifier(user: BrowserUser) -> None:
    client = _client(user, "client_secret_post")
    url = await client.get_authorization_url(CALLBACK, code_challenge=CHALLENGE, code_challenge_method="S256")
    code = parameter(user.allow(url), "code")
    with pytest.raises(GetAccessTokenError) as refused:
        await client.get_access_token(code, CALLBACK, VERIFIER[::-1])
    assert refused.value.response is not None
    assert refused.value.response.json()["error"] == "invalid_grant"
    token = await client.get_access_token(code, CALLBACK, VERIFIER)
    assert _me(user, token["access_token"])


def _client(user: BrowserUser, method: Method) -> OAuth2:
    application = user.register_client(method)
    assert application.client_secret is not None
    return OAuth2(
        application.client_id,
        application.client_secret,
        f"{user.issuer}/oauth/authorize",
        f"{user.issuer}/oauth/token",
        f"{user.issuer}/oauth/token",
        f"{user.issuer}/oauth/revoke",
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )


def _me(user: BrowserUser, access_token: str) -> bool:
    response = requests.get(user.me, headers={"Authorization": f"Bearer {access_token}"}, timeout=30)
    return user.is_described_by(response.json())
