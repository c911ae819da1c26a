"""Giving tokens back (RFC 7009) and asking about one's own (RFC 7662)."""

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, secrets, tables
from chalicelib.credentials import scopes
from chalicelib.credentials.tables import Credential
from chalicelib.limits import stale
from chalicelib.oauth import grants
from chalicelib.oauth.errors import OAuthError, invalid_grant
from chalicelib.oauth.tables import Client, Grant, Ticket
from chalicelib.oauth.tokens import REFRESH_KIND


def revoke(client: Client, secret: str) -> None:
    """End a token of the client's: an access token by itself, a refresh token with its whole grant.

    An unknown token is as good as revoked (RFC 7009 §2.2). Raises invalid_grant for another client's.
    """
    found = _found(secret)
    if found is None:
        return
    if found.client_id != client.client_id:
        raise invalid_grant("The token belongs to another client.")
    told = _end_token(found) if isinstance(found, Credential) else grants.revoke_by_id(str(found.grant_id))
    if not told:
        raise OAuthError(
            "temporarily_unavailable", "The token is revoked but may work for 5 minutes. Repeat.", status=503
        )


def introspect(client: Client, secret: str, issuer: str) -> dict[str, object]:
    """Return what a token of the client's is good for; of any other only that it isn't active (RFC 7662 §2.2)."""
    found = _found(secret)
    if found is None or found.client_id != client.client_id or not _is_live(found):
        return {"active": False}
    answer: dict[str, object] = {
        "active": True,
        "scope": " ".join(scopes.in_order(found.scopes or ())),
        "client_id": found.client_id,
        "token_type": "Bearer" if isinstance(found, Credential) else "refresh_token",
        "exp": (found.expires_at or 0) // 1000,
        "sub": str(found.account_id),
        "iss": issuer,
    }
    if isinstance(found, Credential):
        answer["iat"] = found.created_at // 1000
    if found.resources:
        answer["aud"] = sorted(found.resources)
    return answer


def _found(secret: str) -> Credential | Ticket | None:
    """Look where the token's own kind says; a client's token_type_hint could only be wrong."""
    kind, digest = secrets.kind_of(secret), secrets.digest(secret)
    if kind == secrets.ACCESS_TOKEN_KIND:
        return Credential.found(digest)
    return Ticket.found(digest) if kind == REFRESH_KIND else None


def _is_live(found: Credential | Ticket) -> bool:
    if isinstance(found, Credential):
        if not found.is_live():
            return False
    elif found.consumed_at is not None or found.expires_at <= clock.now_ms():
        return False
    account = Account.found(str(found.account_id))
    since_ms = found.created_at if isinstance(found, Credential) else found.granted_at or 0
    if account is None or account.status != "active" or account.credentials_since > since_ms:
        return False
    if not found.grant_id:
        return True
    grant = Grant.found(found.grant_id)
    return grant is not None and grant.is_live()


def _end_token(token: Credential) -> bool:
    with tables.may_be_refused():
        token.update(
            actions=[Credential.revoked_at.set(clock.now_ms())],
            condition=Credential.id.exists() & Credential.revoked_at.does_not_exist(),
        )
    return stale.mark(token.account_id)
