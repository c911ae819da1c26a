"""Token revocation (RFC 7009) and token introspection (RFC 7662)."""

from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.credentials.revoke import revoke_token
from chalicelib.credentials.tables import Credential
from chalicelib.limits import stale_marks
from chalicelib.oauth import grants
from chalicelib.oauth.errors import OAuthError, invalid_grant
from chalicelib.oauth.issuance import REFRESH_KIND
from chalicelib.oauth.tables import Client, Grant, OneTimeToken

Token = Credential | OneTimeToken | None
"""The item of the presented token; None if the token is unknown."""


def revoke(client: Client, found: Token) -> None:
    """Revoke a token of the client. For an access token, only that token is revoked; for a refresh token, its whole
    grant.

    An unknown token counts as revoked (RFC 7009 §2.2). Raises invalid_grant for another client's token.
    """
    token = _only_access_or_refresh(found)
    if token is None:
        return
    if token.client_id != client.client_id:
        raise invalid_grant("The token belongs to another client.")
    is_marked = _revoke_token(token) if isinstance(token, Credential) else grants.revoke_by_id(str(token.grant_id))
    if not is_marked:
        raise OAuthError(
            "temporarily_unavailable", "The token is revoked but may work for 5 minutes. Try again.", status=503
        )


def introspect(client: Client, found: Token, issuer: str) -> dict[str, object]:
    """Return the metadata of an active token of this client. Any other token is reported as inactive (RFC 7662
    §2.2).
    """
    token = _only_access_or_refresh(found)
    if token is None or token.client_id != client.client_id or not _is_active(token):
        return {"active": False}
    # token_type is how a token is sent to a resource server (RFC 6749 §7.1). A refresh token is never sent to one.
    kind = {"token_type": "Bearer"} if isinstance(token, Credential) else {}
    response: dict[str, object] = {
        "active": True,
        "scope": scopes.join(token.scopes or ()),
        "client_id": token.client_id,
        **kind,
        "exp": token.expires_at // 1000,
        "sub": str(token.account_id),
        "iss": issuer,
    }
    if isinstance(token, Credential):
        response["iat"] = token.created_at // 1000
    if token.resources:
        response["aud"] = sorted(token.resources)
    return response


def _only_access_or_refresh(found: Token) -> Credential | OneTimeToken | None:
    """Return the token; None for a code, because codes can't be revoked or introspected."""
    return found if isinstance(found, Credential) or (found is not None and found.kind == REFRESH_KIND) else None


def _is_active(found: Credential | OneTimeToken) -> bool:
    if isinstance(found, Credential):
        if not found.is_live():
            return False
    elif found.consumed_at is not None or found.expires_at <= clock.now_ms():
        return False
    keys: dict[type[models.Table], dynamodb.Json] = {Account: Account.item(id=found.account_id)}
    if found.grant_id:
        keys[Grant] = Grant.item(id=found.grant_id)
    read = models.find_in_one_call(keys)
    if Account not in read or not _is_account_active(read[Account], found):
        return False
    return not found.grant_id or (Grant in read and read[Grant].is_active())


def _is_account_active(account: Account, found: Credential | OneTimeToken) -> bool:
    since_ms = found.created_at if isinstance(found, Credential) else found.granted_at
    return account.status == "active" and not account.predates_verification(since_ms)


def _revoke_token(token: Credential) -> bool:
    revoke_token(token)
    return stale_marks.mark(token.account_id)
