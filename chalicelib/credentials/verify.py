"""Is this secret good? Malformed: refused by its checksum without asking the database. Unknown: one read. Good: two.

Reads are consistent, so that a key works the moment it is made; the gateway would remember a wrong no for 300 s.
Written in the wire's own JSON: importing pynamodb would double the authorizer's cold start.
"""

from typing import Any

from chalicelib.core import clock, errors, http_syntax, secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import scopes
from chalicelib.credentials.principal import Principal
from chalicelib.limits import stale_marks, tiers

_AROUND = " \t\r\n"
_ENDED = frozenset(("revoked_at", "deleted_at", "owner_suspended_at"))
_ACCEPTED_KINDS = (*secrets.API_KEY_KINDS, secrets.ACCESS_TOKEN_KIND)


def bearer(authorization: str) -> str:
    """Return the secret of an Authorization header (RFC 6750 §2.1), the scheme in any case, spaces around it ignored.

    Raises MissingApiKey when another scheme, or no credential, stands there.
    """
    # A line's end isn't part of a header's value; a caller that passes one on has read the key from a file.
    scheme, secret = http_syntax.credentials(authorization.strip(_AROUND))
    if scheme != "bearer" or not secret:
        raise errors.MissingApiKey
    return secret


def presented(text: str) -> str:
    """Return the secret of what a service was shown: the secret alone, or the whole value of an Authorization header.

    Whitespace around it, a line's end included, belongs to a file or a header, not to the secret.
    """
    text = text.strip(_AROUND)
    scheme, secret = http_syntax.credentials(text)
    return secret if scheme == "bearer" and secret else text


def verify(secret: str, resource: str = "") -> Principal:
    """Return who `secret` speaks for and what it may do, as of now, at this API or at another `resource` (RFC 8707).

    Raises InvalidApiKey when it is malformed, unknown, revoked, of an account that isn't active, or an access token for
    elsewhere; TokenExpired when it is past its end.
    """
    if secrets.kind_of(secret) not in _ACCEPTED_KINDS:
        raise errors.InvalidApiKey
    verified_at_ms = stale_marks.verified_from(clock.now_ms())
    credential = _item("credentials", {"digest": {"S": secrets.digest(secret)}})
    if not credential or "revoked_at" in credential:
        raise errors.InvalidApiKey
    account, origins = _account_and_origins(credential)
    if not account or account["status"]["S"] != "active" or not _lives(origins):
        raise errors.InvalidApiKey
    if int(credential["created_at"]["N"]) < int(account.get("credentials_since", {"N": "0"})["N"]):
        raise errors.InvalidApiKey
    if not _is_for(credential, resource):
        raise errors.InvalidApiKey
    ends_at_ms = _ends_at_ms(credential)
    if 0 < ends_at_ms <= clock.now_ms():
        raise errors.TokenExpired
    admin = account.get("admin", {}).get("BOOL", False)
    return Principal(
        account_id=account["id"]["S"],
        credential_id=credential["id"]["S"],
        kind=credential["kind"]["S"],
        scopes=scopes.held_by(credential["scopes"]["SS"], admin=admin),
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
    """Return the account and, of an access token, its client and its grant, if it has one. One call."""
    if "client_id" not in credential:
        return _item("accounts", {"id": credential["account_id"]}), []
    accounts, grants, clients = (settings.current().table(name) for name in ("accounts", "grants", "clients"))
    keys = {accounts: {"id": credential["account_id"]}, clients: {"client_id": credential["client_id"]}}
    if "grant_id" in credential:
        keys[grants] = {"id": credential["grant_id"]}
    found = dynamodb.batch_get(keys)
    return found.get(accounts, {}), [found.get(table, {}) for table in keys if table != accounts]


def _lives(origins: list[dict[str, Any]]) -> bool:
    """A token dies with its grant and with its client, and a client with its owner's account."""
    return all(origin and _ENDED.isdisjoint(origin) for origin in origins)


def _lineage(credential: dict[str, Any]) -> str:
    """A token's is its grant or, without one, its client; a key's the first of its rotations, itself without any."""
    names = ("grant_id", "client_id", "lineage", "id")
    return next(str(credential[name]["S"]) for name in names if name in credential)


def _is_for(credential: dict[str, Any], resource: str) -> bool:
    """A key is good for all that is the owner's; an access token for the resources it names, or for this API."""
    if not resource:
        return bool(credential.get("for_this_api", {"BOOL": True})["BOOL"])
    return "client_id" not in credential or resource in credential.get("resources", {"SS": []})["SS"]


def _ends_at_ms(credential: dict[str, Any]) -> int:
    """A key ends when it expires or, rotated out, when its grace is over; 0: never."""
    ends = [int(credential[name]["N"]) for name in ("expires_at", "retires_at") if name in credential]
    return min(ends, default=0)
