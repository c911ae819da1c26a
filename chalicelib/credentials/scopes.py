"""Scopes of API keys and access tokens. A credential never has a scope that its creator lacked."""

from collections.abc import Iterable

READ, WRITE, KEYS, EVENTS, WEBHOOKS = "read", "write", "keys", "events", "webhooks"
ADMIN, VERIFY = "admin", "verify"

ORDINARY = (READ, WRITE, KEYS, EVENTS, WEBHOOKS)
ADMIN_ONLY = (ADMIN, VERIFY)
ALL = (*ORDINARY, *ADMIN_ONLY)

DESCRIPTIONS = {
    READ: "Read public profiles, your own profile and your limits.",
    WRITE: "Change your own name.",
    KEYS: "Create, rename, rotate and revoke the account's keys, and remove their scopes.",
    EVENTS: "Read the events of the account and its keys.",
    WEBHOOKS: "Manage webhooks, which receive the account's events.",
    ADMIN: "Create accounts, set tiers, suspend and reinstate accounts. For admins only.",
    VERIFY: "Verify other accounts' credentials. For admins only.",
}
"""The description of each scope in the API reference."""


def effective(scopes: Iterable[str], *, admin: bool) -> frozenset[str]:
    """Return those of `scopes` that an account may use now.

    Admin scopes are left out unless the account has the `admin` flag.
    """
    return frozenset(scopes) if admin else frozenset(scopes).difference(ADMIN_ONLY)


def in_order(scopes: Iterable[str]) -> list[str]:
    """Return `scopes` in the order of the documentation. Unknown scopes are omitted."""
    present = set(scopes)
    return [scope for scope in ALL if scope in present]


def join(scopes: Iterable[str]) -> str:
    """Return `scopes` as a space-delimited string (RFC 6749 §3.3), in the order of the documentation."""
    return " ".join(in_order(scopes))
