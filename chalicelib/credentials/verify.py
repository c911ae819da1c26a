"""Verify the secret of a credential.

If the checksum of a secret is wrong, it is rejected without a database call. Rejecting an unknown secret takes one
read, and accepting a valid one takes two. The reads are consistent, so that a new key works immediately: a wrong denial
would be cached by API Gateway for 300 s. The requests are written in DynamoDB's JSON, because importing pynamodb would
double the authorizer's cold start.
"""

from typing import Any

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

    Raises InvalidApiKey if the secret is malformed, unknown or revoked, the account isn't active, or the secret is an
    access token that isn't valid for the resource. Raises TokenExpired if the credential has expired.
    """
    if secrets.kind_of(secret) not in _ACCEPTED_KINDS:
        raise errors.InvalidApiKey
    verified_at_ms = stale_marks.verified_from(clock.now_ms())
    credential = _item("credentials", {"digest": {"S": secrets.digest(secret)}})
    if not credential or "revoked_at" in credential:
        raise errors.InvalidApiKey
    account, origins = _account_and_origins(credential)
    if not account or account["status"]["S"] != ACTIVE or not _are_active(origins):
        raise errors.InvalidApiKey
    if int(credential["created_at"]["N"]) < int(account.get("credentials_since", {"N": "0"})["N"]):
        raise errors.InvalidApiKey
    if not _is_valid_at(credential, resource):
        raise errors.InvalidApiKey
    ends_at_ms = _ends_at_ms(credential)
    if 0 < ends_at_ms <= clock.now_ms():
        raise errors.TokenExpired
    admin = account.get("admin", {}).get("BOOL", False)
    return Principal(
        account_id=account["id"]["S"],
        credential_id=credential["id"]["S"],
        kind=credential["kind"]["S"],
        scopes=scopes.effective(credential["scopes"]["SS"], admin=admin),
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


def _account_and_origins(credential: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the account of a credential and, if it is an access token, its client and its grant, in one database call.

    Tokens from the client credentials grant type have no stored grant.
    """
    if "client_id" not in credential:
        return _item("accounts", {"id": credential["account_id"]}), []
    accounts, grants, clients = (settings.current().table(name) for name in ("accounts", "grants", "clients"))
    keys = {accounts: {"id": credential["account_id"]}, clients: {"client_id": credential["client_id"]}}
    if "grant_id" in credential:
        keys[grants] = {"id": credential["grant_id"]}
    found = dynamodb.batch_get(keys)
    return found.get(accounts, {}), [found.get(table, {}) for table in keys if table != accounts]


def _are_active(origins: list[dict[str, Any]]) -> bool:
    """Return whether a token's client and grant exist and aren't revoked or deleted.

    If the account that registered the client is suspended, the result is False.
    """
    return all(origin and _REVOKED_BY.isdisjoint(origin) for origin in origins)


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
