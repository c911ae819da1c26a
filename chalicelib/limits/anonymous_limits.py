"""Limit anonymous callers by network, for every request that costs CPU time, an email, a fetch or a stored item.

Each attempt is counted for every network that contains the caller's address, narrowest first. If the narrowest network
is rejected, the attempt isn't counted for the wider ones, because these may also contain other customers of the
caller's internet provider. The limits are in `limits.tiers`.
"""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.limits.admission import admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import Tier

WIDER = 4
"""The factor by which the limit of a /48 exceeds that of a /64. A /48 may contain several customers, so its limit is
higher, but far lower than the sum of the limits of its 65,536 networks of size /64.
"""


def admit_networks(networks: Sequence[str], tier: Tier) -> Allowance:
    """Count one attempt for each of a caller's `networks`, which must be ordered narrowest first.

    Returns the remaining allowance of the narrowest network. Raises Rejected when a network has reached the limit of
    `tier`.
    """
    left = admit(f"{tier.name}_{networks[0]}", tier)
    for network in networks[1:]:
        admit(f"{tier.name}_{network}", _wider(tier))
    return left


def _wider(tier: Tier) -> Tier:
    quota = None if tier.quota is None else tier.quota * WIDER
    return replace(tier, quota=quota, burst=tier.burst * WIDER)
