"""What a credential may do. A credential never carries more than the one that made it."""

from collections.abc import Iterable

READ, WRITE, KEYS, EVENTS, WEBHOOKS = "read", "write", "keys", "events", "webhooks"
ADMIN, VERIFY = "admin", "verify"

ORDINARY = (READ, WRITE, KEYS, EVENTS, WEBHOOKS)
OF_ADMINS = (ADMIN, VERIFY)
ALL = (*ORDINARY, *OF_ADMINS)

ABOUT = {
    READ: "Read public profiles, your own profile and your limits.",
    WRITE: "Change your own name.",
    KEYS: "Create, rename, rotate and revoke the account's keys, and remove their scopes.",
    EVENTS: "Read the events of the account and its keys.",
    WEBHOOKS: "Manage webhooks, which receive the account's events.",
    ADMIN: "Create accounts, set tiers, suspend and reinstate accounts. For admins only.",
    VERIFY: "Verify other accounts' credentials. For admins only.",
}
"""What each allows, for the reference."""


def held_by(scopes: Iterable[str], *, admin: bool) -> frozenset[str]:
    """Return what of `scopes` an account may use now: an account that is no admin any more loses those at once."""
    return frozenset(scopes) if admin else frozenset(scopes).difference(OF_ADMINS)


def in_order(scopes: Iterable[str]) -> list[str]:
    """Return `scopes` in the order in which they are documented."""
    present = set(scopes)
    return [scope for scope in ALL if scope in present]


def joined(scopes: Iterable[str]) -> str:
    """Return `scopes` in that order as one text, a space between two (RFC 6749 §3.3)."""
    return " ".join(in_order(scopes))
