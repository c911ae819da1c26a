"""The principal of a request: the account, user, scopes and tier of its verified credential.

The authorizer writes the principal to its context, from which the API reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.credentials import scopes
from chalicelib.limits import counter_items, tiers

KEY = "key"


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified credential, as it was at `verified_at_ms`."""

    account_id: str
    user_id: str
    """The user who created the key, approved the grant or is logged in, or the account's service user."""
    role: str
    """The role that the user has in the account now."""
    credential_id: str
    kind: str
    """The kind of credential: `key`, `token`, or `session` for a user in the console."""
    scopes: frozenset[str]
    tier: tiers.Tier
    client_id: str
    ends_at_ms: int
    """When the credential expires; 0 means never."""
    verified_at_ms: int
    lineage: str = ""
    """The id that a credential shares with its successors. For a key it is the id of its first predecessor, for a token
    that of its grant.
    """
    session_epoch: int | None = None
    """The epoch of a console session; None for other credentials."""

    @property
    def counter(self) -> str:
        """Return the name of the counter for this credential.

        Each key has its own counter; all tokens of a client share one.
        """
        return counter_items.counter_of(self.client_id or self.credential_id)

    def verified_after(self, mark_ms: int) -> "Principal":
        """Return this principal with `mark_ms`, the time of an invalidation mark, as the time of its verification."""
        return replace(self, verified_at_ms=mark_ms)

    def is_expired(self, now_ms: int) -> bool:
        """Return whether the credential has expired."""
        return 0 < self.ends_at_ms <= now_ms


def to_context(principal: Principal) -> dict[str, str]:
    """Return the principal as an authorizer context. API Gateway allows no nested values there."""
    return {
        "account_id": principal.account_id,
        "user_id": principal.user_id,
        "role": principal.role,
        "credential_id": principal.credential_id,
        "kind": principal.kind,
        "scopes": scopes.join(principal.scopes),
        "tier": principal.tier.name,
        "client_id": principal.client_id,
        "ends_at_ms": str(principal.ends_at_ms),
        "verified_at_ms": str(principal.verified_at_ms),
        "lineage": principal.lineage,
    }


def from_context(context: Mapping[str, str]) -> Principal:
    """Return the principal that the authorizer wrote to `context`."""
    return Principal(
        account_id=context["account_id"],
        # For 300 s after an upgrade, API Gateway may also have contexts without a user.
        user_id=context.get("user_id", ""),
        role=context.get("role", ""),
        credential_id=context["credential_id"],
        kind=context["kind"],
        scopes=frozenset(context["scopes"].split()),
        tier=tiers.BY_NAME[context["tier"]],
        client_id=context["client_id"],
        ends_at_ms=int(context["ends_at_ms"]),
        verified_at_ms=int(context["verified_at_ms"]),
        # For 300 s after an upgrade of the service, API Gateway may still have contexts without a lineage in its cache.
        lineage=context.get("lineage") or context["credential_id"],
    )
