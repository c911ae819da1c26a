"""New access and refresh tokens: their items in DynamoDB and the token response (RFC 6749 §5.1).

The items are built as DynamoDB JSON, because building pynamodb models takes longer than the request itself.
"""

from dataclasses import dataclass

from chalicelib.core import clock, ids, secrets, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import KEPT_AFTER_EXPIRY_S
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import grants
from chalicelib.oauth.resources import serves_this_api
from chalicelib.oauth.tables import Client, OneTimeToken

ACCESS_S = 3_600
CODE_S = 60
CODE_KIND, REFRESH_KIND = "ac", "rt"

TokenResponse = dict[str, object]


@dataclass(frozen=True, slots=True)
class Issuance:
    """The client, account, user and grant for which tokens are issued, and the access token's scopes and resources."""

    client: Client
    account_id: str
    user_id: str
    """The user who approved the grant, or the account's service user."""
    grant_id: str | None
    """The grant; None for an access token in the client's own name."""
    scopes: set[str]
    resources: set[str]
    base_url: str

    @property
    def scope(self) -> str:
        """Return the `scope` of the token response."""
        return scopes.join(self.scopes)


def access_token(issuance: Issuance) -> tuple[dynamodb.Json, str]:
    """Return the PutItem request of a new access token, and its secret."""
    secret = secrets.mint(secrets.ACCESS_TOKEN_KIND)
    now_ms = clock.now_ms()
    item = Credential.item(
        digest=secrets.digest(secret),
        id=ids.new("tok"),
        account_id=issuance.account_id,
        user_id=issuance.user_id,
        kind="token",
        name=issuance.client.name,
        hint=secrets.preview(secret),
        scopes=issuance.scopes,
        created_at=now_ms,
        expires_at=now_ms + ACCESS_S * 1000,
        client_id=issuance.client.client_id,
        grant_id=issuance.grant_id,
        resources=issuance.resources,
        for_this_api=serves_this_api(issuance.resources, issuance.base_url),
        dies_at=now_ms // 1000 + ACCESS_S + KEPT_AFTER_EXPIRY_S,
    )
    return _put(Credential, item), secret


def refresh_token(issuance: Issuance, spent: OneTimeToken) -> tuple[dynamodb.Json, str]:
    """Return the PutItem request of the refresh token that replaces `spent`, and its secret. `spent` is the consumed
    code or token.

    The new token has the scopes and resources of `spent`, even if the access token has fewer (RFC 6749 §6).
    """
    secret = secrets.mint(REFRESH_KIND)
    ends_at = spent.granted_at + grants.LIFETIME_MS
    item = OneTimeToken.item(
        digest=secrets.digest(secret),
        kind=REFRESH_KIND,
        client_id=issuance.client.client_id,
        account_id=issuance.account_id,
        user_id=issuance.user_id,
        member_since=spent.member_since,
        grant_id=issuance.grant_id,
        granted_at=spent.granted_at,
        scopes=spent.scopes,
        resources=spent.resources,
        expires_at=ends_at,
        # A used token is kept until the grant expires, so that its reuse is detected.
        dies_at=ends_at // 1000 + grants.KEPT_S,
    )
    return _put(OneTimeToken, item), secret


def build_response(issuance: Issuance, access_secret: str, refresh_secret: str | None) -> TokenResponse:
    """Return the token response (RFC 6749 §5.1), and count it in the metrics."""
    telemetry.count("TokensIssued")
    response: TokenResponse = {"access_token": access_secret, "token_type": "Bearer", "expires_in": ACCESS_S}
    if refresh_secret is not None:
        response["refresh_token"] = refresh_secret
    return response | {"scope": issuance.scope}


def _put(table: type[models.Table], item: dynamodb.Json) -> dynamodb.Json:
    """Return the PutItem request of a new item, whose key is the digest of its secret."""
    return {"TableName": table.Meta.table_name, "Item": item, "ConditionExpression": "attribute_not_exists(digest)"}
