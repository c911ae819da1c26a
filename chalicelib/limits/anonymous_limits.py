"""Limits of what a stranger may do from one network: everything that costs CPU, mail, a fetch or a stored item.

Counted by each width of the caller's network, the narrowest first, so that one customer who is refused uses up nothing
of their neighbours'.
"""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.limits.admission import admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import Tier

WIDER = 4
"""A /48 may do so many times what one of its /64s may: more than one customer's share, and far from 65,536 shares."""


def admit_networks(networks: Sequence[str], tier: Tier) -> Allowance:
    """Count one attempt under every one of a caller's `networks`, which come narrowest first.

    Return what is left to the narrowest. Raises Refused when one of them has made as many this hour as `tier` allows.
    """
    left = admit(f"{tier.name}_{networks[0]}", tier)
    for network in networks[1:]:
        admit(f"{tier.name}_{network}", _wider(tier))
    return left


def _wider(tier: Tier) -> Tier:
    quota = None if tier.quota is None else tier.quota * WIDER
    return replace(tier, quota=quota, burst=tier.burst * WIDER)
