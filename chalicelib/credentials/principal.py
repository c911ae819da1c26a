"""What a verification found: who calls, with what, and what they may do. It travels in the authorizer's context."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.credentials import scopes
from chalicelib.limits import counter_items, tiers

KEY = "key"


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified credential. Everything but `verified_at_ms` is as it was at that moment."""

    account_id: str
    credential_id: str
    kind: str
    """`key`, `token`, or `session` for a person in the console."""
    scopes: frozenset[str]
    tier: tiers.Tier
    client_id: str
    ends_at_ms: int
    """When it stops working by itself; 0: never."""
    verified_at_ms: int
    lineage: str = ""
    """What it shares with those that replace it: of a key the id of the first before it, of a token its grant."""
    session_epoch: int | None = None
    """The account's epoch that a session in the console is of; None for what comes through the gateway."""

    @property
    def counter(self) -> str:
        """Return what its requests are counted under: a key by itself, tokens by their client."""
        return counter_items.counter_of(self.client_id or self.credential_id)

    def verified_after(self, mark_ms: int) -> "Principal":
        """Return this verdict as one that has seen everything up to a stale mark."""
        return replace(self, verified_at_ms=mark_ms)

    def has_ended(self, now_ms: int) -> bool:
        """Tell whether the credential is past its end."""
        return 0 < self.ends_at_ms <= now_ms


def to_context(principal: Principal) -> dict[str, str]:
    """Return the authorizer context: API Gateway carries flat strings only."""
    return {
        "account_id": principal.account_id,
        "credential_id": principal.credential_id,
        "kind": principal.kind,
        "scopes": scopes.joined(principal.scopes),
        "tier": principal.tier.name,
        "client_id": principal.client_id,
        "ends_at_ms": str(principal.ends_at_ms),
        "verified_at_ms": str(principal.verified_at_ms),
        "lineage": principal.lineage,
    }


def from_context(context: Mapping[str, str]) -> Principal:
    """Return the verdict that the authorizer wrote into `context`."""
    return Principal(
        account_id=context["account_id"],
        credential_id=context["credential_id"],
        kind=context["kind"],
        scopes=frozenset(context["scopes"].split()),
        tier=tiers.BY_NAME[context["tier"]],
        client_id=context["client_id"],
        ends_at_ms=int(context["ends_at_ms"]),
        verified_at_ms=int(context["verified_at_ms"]),
        # For 300 s after a deployment, the gateway believes verdicts that were given without it.
        lineage=context.get("lineage") or context["credential_id"],
    )
