"""The MCP SDK's client: from nothing but the API's address to an answer, by discovery and registration."""

from dataclasses import dataclass, field

import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.oauth_clients.loop import finished
from tests.oauth_clients.someone import AT_CLIENT_METHODS, CALLBACK, Someone, parameter, with_parameter

pytestmark = pytest.mark.xdist_group("oauth_clients")

OTHER_ISSUER = "https://mix-up.example.com"


@dataclass
class Storage:
    """Where the SDK keeps what it learns."""

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
    """What the person is asked, and how the client is answered."""

    someone: Someone
    asked: list[str] = field(default_factory=list)
    issuer: str = ""
    """Put in place of the real one in the answer, if it is not empty."""

    async def redirect(self, url: str) -> None:
        self.asked.append(url)

    async def callback(self) -> AuthorizationCodeResult:
        url = self.someone.allows(self.asked[-1])
        if self.issuer:
            url = with_parameter(url, "iss", self.issuer)
        return AuthorizationCodeResult(
            code=parameter(url, "code"), state=parameter(url, "state"), iss=parameter(url, "iss")
        )


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_discovery_registration_and_code_flow(someone: Someone, method: str) -> None:
    """A 401 leads to the metadata, to a registration, to consent with PKCE and resource, and to the answer."""
    finished(_whole_flow(someone, method))


def test_answer_of_another_issuer_is_refused(someone: Someone) -> None:
    """The metadata announce `iss`, so the client takes no answer with another one (RFC 9207)."""
    with pytest.raises(OAuthFlowError, match="iss"):
        finished(_mixed_up(someone))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_credentials(someone: Someone, method: str) -> None:
    """A client of one's own needs nobody at a browser."""
    finished(_by_itself(someone, method))


async def _whole_flow(someone: Someone, method: str) -> None:
    storage, answered = Storage(), Answered(someone)
    provider = _provider(someone, storage, answered, method)
    async with httpx2.AsyncClient(auth=provider) as client:
        assert someone.is_named_by((await client.get(someone.me)).json())
        first = storage.tokens
        assert first is not None
        # The SDK refreshes before a request when it takes its token for old.
        provider.context.token_expiry_time = 1.0
        assert someone.is_named_by((await client.get(someone.me)).json())
    (url,) = answered.asked
    assert parameter(url, "code_challenge_method") == "S256"
    assert parameter(url, "resource").rstrip("/") in (someone.issuer, f"{someone.issuer}/v1")
    assert storage.client is not None
    assert (storage.client.token_endpoint_auth_method, storage.client.client_name) == (method, "MCP client")
    assert storage.tokens is not None
    assert storage.tokens.access_token != first.access_token
    assert storage.tokens.refresh_token != first.refresh_token


async def _mixed_up(someone: Someone) -> None:
    answered = Answered(someone, issuer=OTHER_ISSUER)
    async with httpx2.AsyncClient(auth=_provider(someone, Storage(), answered, "none")) as client:
        await client.get(someone.me)


async def _by_itself(someone: Someone, method: str) -> None:
    application = someone.registers(method)
    assert application.client_secret is not None
    provider = ClientCredentialsOAuthProvider(
        someone.me,
        Storage(),
        application.client_id,
        application.client_secret,
        "client_secret_basic" if method == "client_secret_basic" else "client_secret_post",
        scope="read",
        issuer=someone.issuer,
    )
    async with httpx2.AsyncClient(auth=provider) as client:
        assert someone.is_named_by((await client.get(someone.me)).json())


def _provider(someone: Someone, storage: Storage, answered: Answered, method: str) -> OAuthClientProvider:
    described = OAuthClientMetadata.model_validate(
        {
            "client_name": "MCP client",
            "redirect_uris": [AnyUrl(CALLBACK)],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": method,
        }
    )
    return OAuthClientProvider(someone.me, described, storage, answered.redirect, answered.callback)
