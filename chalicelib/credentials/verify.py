"""Verify the secret of a credential.

If the checksum of a secret is wrong, it is rejected without a database call. Rejecting an unknown secret takes one
read, and accepting a valid one takes two: the credential, then together its account, user and membership, and for an
access token also its client and grant. The reads are consistent, so that a new key works immediately: a wrong denial
would be cached by API Gateway for 300 s. The requests are written in DynamoDB's JSON, because importing pynamodb would
double the authorizer's cold start.
"""

from typing import Any

from chalicelib.accounts import roles
from chalicelib.accounts.states import ACTIVE
from chalicelib.core import clock, errors, http_syntax, secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import scopes
from chalicelib.credentials.principal import Principal
from chalicelib.limits import stale_marks, tiers

_WHITESPACE = " \t\r\n"
_REVOKED_BY = frozenset(("revoked_at", "deleted_at", "owner_suspended_at"))
"""Attributes of a grant or a client. If one of them is set, the tokens of this grant or client are invalid."""
_ACCEPTED_KINDS = (*secrets.API_KEY_KINDS, secrets.ACCESS_TOKEN_KIND)


def bearer(authorization: str) -> str:
    """Return the secret of an Authorization header (RFC 6750 §2.1); the scheme is case-insensitive.

    Raises MissingApiKey when the header has another scheme or no credential.
    """
    # Clients that read a key from a file often send the newline at its end.
    scheme, secret = http_syntax.credentials(authorization.strip(_WHITESPACE))
    if scheme != "bearer" or not secret:
        raise errors.MissingApiKey
    return secret


def parse_secret(text: str) -> str:
    """Return the secret in `text`, which is either the secret alone or the value of an Authorization header.

    Whitespace around it is removed, including newlines.
    """
    text = text.strip(_WHITESPACE)
    scheme, secret = http_syntax.credentials(text)
    return secret if scheme == "bearer" and secret else text


def verify(secret: str, resource: str = "") -> Principal:
    """Return the principal of `secret`, for this API or for another `resource` (RFC 8707).

    Raises InvalidApiKey if the secret is malformed, unknown or revoked, the account isn't active, the user was deleted
    or left the account, or the secret is an access token that isn't valid for the resource. Raises TokenExpired if the
    credential has expired.
    """
    if secrets.kind_of(secret) not in _ACCEPTED_KINDS:
        raise errors.InvalidApiKey
    verified_at_ms = stale_marks.verified_from(clock.now_ms())
    credential = _item("credentials", {"digest": {"S": secrets.digest(secret)}})
    if not credential or "revoked_at" in credential:
        raise errors.InvalidApiKey
    issuers = _read_issuers(credential)
    account, user = issuers["accounts"], issuers.get("users", {})
    role = _active_role(credential, issuers)
    if not role or not _are_active(issuers):
        raise errors.InvalidApiKey
    if not _is_valid_at(credential, resource):
        raise errors.InvalidApiKey
    ends_at_ms = _ends_at_ms(credential)
    if 0 < ends_at_ms <= clock.now_ms():
        raise errors.TokenExpired
    admin = user.get("admin", {}).get("BOOL", False)
    return Principal(
        account_id=account["id"]["S"],
        user_id=credential["user_id"]["S"],
        role=role,
        credential_id=credential["id"]["S"],
        kind=credential["kind"]["S"],
        scopes=scopes.effective(credential["scopes"]["SS"], role=role, admin=admin),
        tier=tiers.BY_NAME[account["tier"]["S"]],
        client_id=credential.get("client_id", {}).get("S", ""),
        ends_at_ms=ends_at_ms,
        verified_at_ms=verified_at_ms,
        lineage=_lineage(credential),
    )


def _item(table: str, key: dict[str, Any]) -> dict[str, Any]:
    request = {"TableName": settings.current().table(table), "Key": key, "ConsistentRead": True}
    item: dict[str, Any] = dynamodb.call("GetItem", request).get("Item", {})
    return item


def _read_issuers(credential: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the items on which a credential depends, by table, in one database call; a missing item is {}.

    They are the account, the user and the membership, and of an access token the client and the grant. The service user
    has no items, and tokens from the client credentials grant type have no stored grant.
    """
    account_id, user_id = credential["account_id"], credential["user_id"]
    keys = {"accounts": {"id": account_id}}
    if not roles.is_service_user(user_id["S"], account_id["S"]):
        keys |= {"users": {"id": user_id}, "members": {"account_id": account_id, "user_id": user_id}}
    if "client_id" in credential:
        keys["clients"] = {"client_id": credential["client_id"]}
    if "grant_id" in credential:
        keys["grants"] = {"id": credential["grant_id"]}
    names = {settings.current().table(table): table for table in keys}
    found = dynamodb.batch_get({name: keys[table] for name, table in names.items()})
    return {table: found.get(name, {}) for name, table in names.items()}


def _active_role(credential: dict[str, Any], issuers: dict[str, dict[str, Any]]) -> str:
    """Return the role with which the credential's user acts in the account now, "" if the user may not act in it.

    The account and the user must be active. The credential and the membership must not predate the first verification
    of the address of the account's creator, and the credential not that of its user's address.
    """
    account, created_at_ms = issuers["accounts"], _number(credential, "created_at")
    if not _is_active(account) or created_at_ms < _number(account, "credentials_since"):
        return ""
    if "users" not in issuers:
        return str(credential.get("role", {"S": roles.ADMIN})["S"])
    user, member = issuers["users"], issuers["members"]
    if not _is_active(user) or created_at_ms < _number(user, "credentials_since"):
        return ""
    if not member or _number(member, "since") < _number(account, "credentials_since"):
        return ""
    # A credential from an earlier membership of the user stays invalid. The margin is for clocks that differ.
    is_of_membership = created_at_ms >= _number(member, "since") - stale_marks.CLOCK_SKEW_S * 1000
    return str(member["role"]["S"]) if is_of_membership else ""


def _is_active(item: dict[str, Any]) -> bool:
    return bool(item) and item["status"]["S"] == ACTIVE


def _are_active(issuers: dict[str, dict[str, Any]]) -> bool:
    """Return whether a token's client and grant exist and aren't revoked or deleted.

    If the account that registered the client is suspended, the result is False.
    """
    origins = [issuers[table] for table in ("clients", "grants") if table in issuers]
    return all(origin and _REVOKED_BY.isdisjoint(origin) for origin in origins)


def _number(item: dict[str, Any], name: str) -> int:
    return int(item.get(name, {"N": "0"})["N"])


def _lineage(credential: dict[str, Any]) -> str:
    """Return the lineage of a credential.

    The lineage of a token is the id of its grant, or of its client if the token has no stored grant. The lineage of a
    key is the id of its first predecessor, or the key's own id if it replaced no other key.
    """
    names = ("grant_id", "client_id", "lineage", "id")
    return next(str(credential[name]["S"]) for name in names if name in credential)


def _is_valid_at(credential: dict[str, Any], resource: str) -> bool:
    """Return whether a resource accepts the credential.

    Every resource accepts a key. An access token is accepted only by the resources that it lists.
    """
    if not resource:
        return bool(credential.get("for_this_api", {"BOOL": True})["BOOL"])
    return "client_id" not in credential or resource in credential.get("resources", {"SS": []})["SS"]


def _ends_at_ms(credential: dict[str, Any]) -> int:
    """Return when the credential expires (ms), or 0.

    If it was rotated, it expires at the latest when its grace period ends.
    """
    ends = [int(credential[name]["N"]) for name in ("expires_at", "retires_at") if name in credential]
    return min(ends, default=0)
