"""Scopes of API keys and access tokens. A credential never has a scope that its creator lacked.

Its rights are those of its scopes that its user's role allows when the credential is verified.
"""

from collections.abc import Iterable

from chalicelib.accounts import roles

READ, WRITE, KEYS, EVENTS, WEBHOOKS, MEMBERS = "read", "write", "keys", "events", "webhooks", "members"
ADMIN, VERIFY = "admin", "verify"

ORDINARY = (READ, WRITE, KEYS, EVENTS, WEBHOOKS, MEMBERS)
ADMIN_ONLY = (ADMIN, VERIFY)
ALL = (*ORDINARY, *ADMIN_ONLY)

OF_ROLE = {
    roles.OWNER: frozenset(ORDINARY),
    roles.ADMIN: frozenset(ORDINARY),
    roles.DEVELOPER: frozenset((READ, WRITE, KEYS, EVENTS)),
    roles.VIEWER: frozenset((READ, EVENTS)),
}
"""The scopes that the credentials of each role can have, beside those for administrators."""

DESCRIPTIONS = {
    READ: "Read the users of the account, your own profile and your limits.",
    WRITE: "Change your own name.",
    KEYS: "Create, rename, rotate and revoke the account's keys, and remove their scopes.",
    EVENTS: "Read the events of the account and its keys.",
    WEBHOOKS: "Manage webhooks, which receive the account's events.",
    MEMBERS: "Manage the account's members and invitations.",
    ADMIN: "Create accounts, set tiers, suspend and reinstate accounts. For admins only.",
    VERIFY: "Verify other accounts' credentials. For admins only.",
}
"""The description of each scope in the API reference."""


def effective(scopes: Iterable[str], *, role: str, admin: bool) -> frozenset[str]:
    """Return those of `scopes` that a user with this role in the account may use now.

    `admin` is the user's flag, which the scopes for administrators need.
    """
    allowed = OF_ROLE.get(role, frozenset())
    return frozenset(scopes) & (allowed.union(ADMIN_ONLY) if admin else allowed)


def role_without(scope: str, role: str) -> str:
    """Return `role` if it doesn't allow a scope that other roles do, else ""."""
    return role if scope in ORDINARY and scope not in OF_ROLE.get(role, ORDINARY) else ""


def in_order(scopes: Iterable[str]) -> list[str]:
    """Return `scopes` in the order of the documentation. Unknown scopes are omitted."""
    present = set(scopes)
    return [scope for scope in ALL if scope in present]


def join(scopes: Iterable[str]) -> str:
    """Return `scopes` as a space-delimited string (RFC 6749 §3.3), in the order of the documentation."""
    return " ".join(in_order(scopes))
