"""The tiers: how many requests an account may make in a clock hour, and how many in one burst window."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """A quota per clock hour (None: unlimited) and a burst limit; how long its counters are kept."""

    name: str
    quota: int | None
    burst: int
    kept_s: int = 31 * 24 * 3_600


FREE = Tier("free", 1_000, 50)
PRO = Tier("pro", 10_000, 200)
ENTERPRISE = Tier("enterprise", None, 1_000)
ANONYMOUS = Tier("anonymous", 3_600, 50, kept_s=2 * 3_600)
CLIENT = Tier("client", 36_000, 200, kept_s=2 * 3_600)
"""What an OAuth client that authenticates may ask of the token endpoint and its neighbours."""

OF_ACCOUNTS = (FREE, PRO, ENTERPRISE)
BY_NAME = {tier.name: tier for tier in (*OF_ACCOUNTS, ANONYMOUS)}
