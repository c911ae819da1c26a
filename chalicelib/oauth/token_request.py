"""A token request of an authenticated client, the input of every grant type (RFC 6749 §3.2)."""

from dataclasses import dataclass

from chalicelib.oauth import resources
from chalicelib.oauth.issuance import Issuance
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tables import Client, OneTimeToken


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token request: its parameters, its client, and the item of the presented code or refresh token."""

    parameters: Parameters
    client: Client
    one_time_token: OneTimeToken | None
    base_url: str

    def get_own(self, kind: str) -> OneTimeToken | None:
        """Return the presented code or token; None unless it is of this kind and was issued to this client."""
        one_time_token = self.one_time_token
        if one_time_token is None or one_time_token.kind != kind or one_time_token.client_id != self.client.client_id:
            return None
        return one_time_token

    def issuance(self, one_time_token: OneTimeToken, scopes: set[str]) -> Issuance:
        """Return the Issuance for this request; raise invalid_target for a resource that was not granted."""
        requested = self.parameters.get_all("resource")
        return Issuance(
            client=self.client,
            account_id=str(one_time_token.account_id),
            user_id=str(one_time_token.user_id),
            grant_id=one_time_token.grant_id,
            scopes=scopes,
            resources=resources.select_granted(requested, set(one_time_token.resources or ()), self.base_url),
            base_url=self.base_url,
        )
