"""Limit anonymous callers by network, for everything that costs CPU, an email, a fetch or a stored item.

Each attempt is counted for every network that contains the caller, narrowest first, so that a rejected customer uses up
none of their neighbours' allowance.
"""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.limits.admission import admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import Tier

WIDER = 4
"""The factor by which the limit of a /48 exceeds that of a /64: more than one customer's share, far less than
65,536.
"""


def admit_networks(networks: Sequence[str], tier: Tier) -> Allowance:
    """Count one attempt for each of a caller's `networks`, which are ordered narrowest first.

    Returns the remaining allowance of the narrowest. Raises Rejected when one of them exceeds `tier`.
    """
    left = admit(f"{tier.name}_{networks[0]}", tier)
    for network in networks[1:]:
        admit(f"{tier.name}_{network}", _wider(tier))
    return left


def _wider(tier: Tier) -> Tier:
    quota = None if tier.quota is None else tier.quota * WIDER
    return replace(tier, quota=quota, burst=tier.burst * WIDER)
