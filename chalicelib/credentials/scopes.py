"""Scopes of API keys and access tokens. A credential never has a scope that its creator doesn't have."""

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
"""Descriptions for the API reference."""


def effective(scopes: Iterable[str], *, admin: bool) -> frozenset[str]:
    """Return the `scopes` that an account may use now: without the flag `admin`, no scopes for admins only."""
    return frozenset(scopes) if admin else frozenset(scopes).difference(ADMIN_ONLY)


def in_order(scopes: Iterable[str]) -> list[str]:
    """Return `scopes` in documented order, without unknown ones."""
    present = set(scopes)
    return [scope for scope in ALL if scope in present]


def join(scopes: Iterable[str]) -> str:
    """Return `scopes` as a space-delimited string (RFC 6749 §3.3), in documented order."""
    return " ".join(in_order(scopes))
