"""httpx-oauth's client. It is for confidential clients only, and leaves PKCE's verifier to its caller."""

import base64
import hashlib
from typing import Literal

import pytest
import requests
from httpx_oauth.oauth2 import GetAccessTokenError, OAuth2

from tests.oauth_clients.loop import finished
from tests.oauth_clients.someone import CALLBACK, Someone, parameter

pytestmark = pytest.mark.xdist_group("oauth_clients")

Method = Literal["client_secret_basic", "client_secret_post"]
METHODS: list[Method] = ["client_secret_basic", "client_secret_post"]
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@pytest.mark.parametrize("method", METHODS)
def test_code_flow(someone: Someone, method: Method) -> None:
    """Code with PKCE, the API, refresh, revocation."""
    finished(_whole_flow(someone, method))


def test_wrong_verifier_is_refused(someone: Someone) -> None:
    """The client hears of it as its own error, and the code is still good with the right one."""
    finished(_wrong_verifier(someone))


async def _whole_flow(someone: Someone, method: Method) -> None:
    client = _client(someone, method)
    url = await client.get_authorization_url(
        CALLBACK, state="af0ifjsldkj", scope=["read", "write"], code_challenge=CHALLENGE, code_challenge_method="S256"
    )
    callback = someone.allows(url)
    assert parameter(callback, "state") == "af0ifjsldkj"
    token = await client.get_access_token(parameter(callback, "code"), CALLBACK, VERIFIER)
    assert not token.is_expired()
    assert _me(someone, token["access_token"])
    refreshed = await client.refresh_token(token["refresh_token"])
    assert _me(someone, refreshed["access_token"])
    await client.revoke_token(refreshed["refresh_token"], "refresh_token")
    assert someone.refuses(refreshed["access_token"])


async def _wrong_verifier(someone: Someone) -> None:
    client = _client(someone, "client_secret_post")
    url = await client.get_authorization_url(CALLBACK, code_challenge=CHALLENGE, code_challenge_method="S256")
    code = parameter(someone.allows(url), "code")
    with pytest.raises(GetAccessTokenError) as refused:
        await client.get_access_token(code, CALLBACK, VERIFIER[::-1])
    assert refused.value.response is not None
    assert refused.value.response.json()["error"] == "invalid_grant"
    token = await client.get_access_token(code, CALLBACK, VERIFIER)
    assert _me(someone, token["access_token"])


def _client(someone: Someone, method: Method) -> OAuth2:
    application = someone.registers(method)
    assert application.client_secret is not None
    return OAuth2(
        application.client_id,
        application.client_secret,
        f"{someone.issuer}/oauth/authorize",
        f"{someone.issuer}/oauth/token",
        f"{someone.issuer}/oauth/token",
        f"{someone.issuer}/oauth/revoke",
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )


def _me(someone: Someone, access_token: str) -> bool:
    answer = requests.get(someone.me, headers={"Authorization": f"Bearer {access_token}"}, timeout=30)
    return someone.is_named_by(answer.json())
