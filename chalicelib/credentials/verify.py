"""Verify the secret of a credential.

A malformed secret fails its checksum without a database call; an unknown one costs one read, a valid one two. Reads are
consistent, so a new key works immediately: API Gateway would cache a wrong denial for 300 s. The requests are plain
DynamoDB JSON, because importing pynamodb would double the authorizer's cold start.
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
"""Attributes of a grant or a client that make its tokens invalid."""
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
    """Return the secret in `text`: either the bare secret, or the value of an Authorization header.

    Surrounding whitespace, newlines included, is removed.
    """
    text = text.strip(_WHITESPACE)
    scheme, secret = http_syntax.credentials(text)
    return secret if scheme == "bearer" and secret else text


def verify(secret: str, resource: str = "") -> Principal:
    """Return the principal of `secret`, for this API or for another `resource` (RFC 8707).

    Raises InvalidApiKey when the secret is malformed, unknown or revoked, its account isn't active, or it is an access
    token for another resource; TokenExpired when it has expired.
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
    """Return the account and, for an access token, its client and, if it has one, its grant, in one database call."""
    if "client_id" not in credential:
        return _item("accounts", {"id": credential["account_id"]}), []
    accounts, grants, clients = (settings.current().table(name) for name in ("accounts", "grants", "clients"))
    keys = {accounts: {"id": credential["account_id"]}, clients: {"client_id": credential["client_id"]}}
    if "grant_id" in credential:
        keys[grants] = {"id": credential["grant_id"]}
    found = dynamodb.batch_get(keys)
    return found.get(accounts, {}), [found.get(table, {}) for table in keys if table != accounts]


def _are_active(origins: list[dict[str, Any]]) -> bool:
    """Return whether a token's grant and client exist, and neither is revoked, deleted or of a suspended account."""
    return all(origin and _REVOKED_BY.isdisjoint(origin) for origin in origins)


def _lineage(credential: dict[str, Any]) -> str:
    """Return the lineage: of a token its grant or, without one, its client; of a key its first predecessor or
    itself.
    """
    names = ("grant_id", "client_id", "lineage", "id")
    return next(str(credential[name]["S"]) for name in names if name in credential)


def _is_valid_at(credential: dict[str, Any], resource: str) -> bool:
    """Return whether `resource` accepts the credential. Every resource accepts a key; a token is only for its
    audience.
    """
    if not resource:
        return bool(credential.get("for_this_api", {"BOOL": True})["BOOL"])
    return "client_id" not in credential or resource in credential.get("resources", {"SS": []})["SS"]


def _ends_at_ms(credential: dict[str, Any]) -> int:
    """Return when the credential expires: at its own expiry or, once rotated, at the end of its grace period; 0 is
    never.
    """
    ends = [int(credential[name]["N"]) for name in ("expires_at", "retires_at") if name in credential]
    return min(ends, default=0)
