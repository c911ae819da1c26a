"""Token revocation (RFC 7009) and token introspection (RFC 7662)."""

from chalicelib.accounts import invalidation, members, roles
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, Member, User
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

    Its scopes are those that the user's role in the account allows now.
    """
    token = _only_access_or_refresh(found)
    role = _active_role(token) if token is not None and token.client_id == client.client_id else ""
    if token is None or not role:
        return {"active": False}
    # token_type is how a token is sent to a resource server (RFC 6749 §7.1). A refresh token is never sent to one.
    kind = {"token_type": "Bearer"} if isinstance(token, Credential) else {}
    response: dict[str, object] = {
        "active": True,
        "scope": scopes.join(scopes.effective(token.scopes or (), role=role, admin=False)),
        "client_id": token.client_id,
        **kind,
        "exp": token.expires_at // 1000,
        "sub": str(token.user_id),
        "account_id": str(token.account_id),
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


def _active_role(token: Credential | OneTimeToken) -> str:
    """Return the role with which the token's user acts in the account now; "" if the token isn't active.

    Account, user, membership and grant are read in one database call. The client has already authenticated.
    """
    if not _is_usable(token):
        return ""
    account_id, user_id = str(token.account_id), str(token.user_id)
    is_service = roles.is_service_user(user_id, account_id)
    keys: dict[type[models.Table], dynamodb.Json] = {Account: Account.item(id=account_id)}
    if not is_service:
        keys |= {User: User.item(id=user_id), Member: Member.item(account_id=account_id, user_id=user_id)}
    if token.grant_id:
        keys[Grant] = Grant.item(id=token.grant_id)
    read = models.find_in_one_call(keys)
    subjects = [read.get(model) for model in (Account, User) if model in keys]
    if not all(subject is not None and _is_active_for(subject, token) for subject in subjects):
        return ""
    if token.grant_id and not (Grant in read and read[Grant].is_active()):
        return ""
    if is_service:
        return roles.ADMIN
    member = read.get(Member)
    if member is None or not members.is_valid(member, read[Account]) or not _is_of_membership(token, member):
        return ""
    return str(member.role)


def _is_usable(token: Credential | OneTimeToken) -> bool:
    if isinstance(token, Credential):
        return token.is_live()
    return token.consumed_at is None and bool(token.expires_at > clock.now_ms())


def _is_active_for(subject: Account | User, token: Credential | OneTimeToken) -> bool:
    made_at = token.created_at if isinstance(token, Credential) else token.granted_at
    return subject.status == ACTIVE and not subject.predates_verification(made_at)


def _is_of_membership(token: Credential | OneTimeToken, member: Member) -> bool:
    """Return whether a token isn't from an earlier membership of the user, as the API and `exchange` check it."""
    if isinstance(token, Credential):
        return bool(token.created_at >= member.since - stale_marks.CLOCK_SKEW_S * 1000)
    return bool(token.member_since == member.since)


def _revoke_token(token: Credential) -> bool:
    revoke_token(token)
    return invalidation.mark_account(token.account_id)
