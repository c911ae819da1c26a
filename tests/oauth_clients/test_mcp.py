"""Tests of the MCP SDK's client, which discovers the authorization server from the URL of the API and registers
itself.
"""

from dataclasses import dataclass, field

import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.oauth_clients.browser_user import AT_CLIENT_METHODS, CALLBACK, BrowserUser, parameter, with_parameter
from tests.oauth_clients.coroutines import run_coroutine

pytestmark = pytest.mark.xdist_group("oauth_clients")

OTHER_ISSUER = "https://mix-up.example.com"


@dataclass
class Storage:
    """Storage in which the SDK keeps its client and its tokens."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Answered:
    """The handlers of an authorization: they record the URL for the user and return the response to the client."""

    user: BrowserUser
    asked: list[str] = field(default_factory=list)
    issuer: str = ""
    """The issuer to use in place of the one in the response; empty for no replacement."""

    async def redirect(self, url: str) -> None:
        self.asked.append(url)

    async def callback(self) -> AuthorizationCodeResult:
        url = self.user.allow(self.asked[-1])
        if self.issuer:
            url = with_parameter(url, "iss", self.issuer)
        return AuthorizationCodeResult(
            code=parameter(url, "code"), state=parameter(url, "state"), iss=parameter(url, "iss")
        )


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_discovery_registration_and_code_flow(user: BrowserUser, method: str) -> None:
    """After a 401, the client discovers the metadata, registers, gets consent with PKCE and resource, and calls the
    API.
    """
    run_coroutine(_whole_flow(user, method))


def test_response_of_another_issuer_is_rejected(user: BrowserUser) -> None:
    """The client rejects a response with another `iss`, because the metadata announces `iss` (RFC 9207)."""
    with pytest.raises(OAuthFlowError, match="iss"):
        run_coroutine(_mixed_up(user))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_credentials(user: BrowserUser, method: str) -> None:
    """The client gets a token for its own account without a browser."""
    run_coroutine(_by_itself(user, method))


async def _whole_flow(user: BrowserUser, method: str) -> None:
    storage, answered = Storage(), Answered(user)
    provider = _provider(user, storage, answered, method)
    async with httpx2.AsyncClient(auth=provider) as client:
        assert user.is_described_by((await client.get(user.me)).json())
        first = storage.tokens
        assert first is not None
        # The SDK refreshes an expired token before its next request.
        provider.context.token_expiry_time = 1.0
        assert user.is_described_by((await client.get(user.me)).json())
    (url,) = answered.asked
    assert parameter(url, "code_challenge_method") == "S256"
    assert parameter(url, "resource").rstrip("/") in (user.issuer, f"{user.issuer}/v1")
    assert storage.client is not None
    assert (storage.client.token_endpoint_auth_method, storage.client.client_name) == (method, "MCP client")
    assert storage.tokens is not None
    assert storage.tokens.access_token != first.access_token
    assert storage.tokens.refresh_token != first.refresh_token


async def _mixed_up(user: BrowserUser) -> None:
    answered = Answered(user, issuer=OTHER_ISSUER)
    async with httpx2.AsyncClient(auth=_provider(user, Storage(), answered, "none")) as client:
        await client.get(user.me)


async def _by_itself(user: BrowserUser, method: str) -> None:
    application = user.register_client(method)
    assert application.client_secret is not None
    provider = ClientCredentialsOAuthProvider(
        user.me,
        Storage(),
        application.client_id,
        application.client_secret,
        "client_secret_basic" if method == "client_secret_basic" else "client_secret_post",
        scope="read",
        issuer=user.issuer,
    )
    async with httpx2.AsyncClient(auth=provider) as client:
        assert user.is_represented_by((await client.get(user.me)).json())


def _provider(user: BrowserUser, storage: Storage, answered: Answered, method: str) -> OAuthClientProvider:
    described = OAuthClientMetadata.model_validate(
        {
            "client_name": "MCP client",
            "redirect_uris": [AnyUrl(CALLBACK)],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": method,
        }
    )
    return OAuthClientProvider(user.me, described, storage, answered.redirect, answered.callback)
