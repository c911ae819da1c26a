"""What the counters of past hours say of each credential: requests, denials, refusals, and the networks they came from.

All of it is written by the admission's one write, into the items that count. `f…` counts the 401s and 403s of a
credential and `q…` its 429s, named by the seven characters in which its counter ends; `n…` stands for a pair of a
credential and a network that was first seen in that hour, and names the counter; `n_other` counts the pairs that found
no room.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.limits.counter_items import counters, number
from chalicelib.limits.recorded_usage import FAILED, NETWORKS_OTHER, REFUSED, networks_of, times_told_no


@dataclass(frozen=True, slots=True)
class Hour:
    """What one credential did in one clock hour."""

    requests: int = 0
    denials: int = 0
    refusals: int = 0
    networks: frozenset[str] = frozenset()
    """The marks of the networks: they tell two apart and never say which they are."""
    networks_missed: bool = False
    """Whether some network of the account found no room in this hour: then `networks` may not be all."""

    def __add__(self, other: "Hour") -> "Hour":
        """Return both together: an account that changes its tier has two items in one hour."""
        return Hour(
            self.requests + other.requests,
            self.denials + other.denials,
            self.refusals + other.refusals,
            self.networks | other.networks,
            self.networks_missed or other.networks_missed,
        )


History = Mapping[int, Hour]
"""The hours in which something was noted of a credential, by the second in which each began."""


def of_account(items: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, Hour]]:
    """Return the history of each credential of an account, by its counter, from the account's raw items."""
    found: dict[str, dict[int, Hour]] = defaultdict(dict)
    for item in items:
        at = int(item["hour"]["N"])
        for counter, hour in _of_item(dict(item)).items():
            found[counter][at] = found[counter].get(at, Hour()) + hour
    return dict(found)


def _of_item(item: dict[str, Any]) -> dict[str, Hour]:
    networks: dict[str, set[str]] = defaultdict(set)
    for name, counter in networks_of(item).items():
        networks[counter].add(name[1:])
    missed = number(item, NETWORKS_OTHER) > 0
    return {
        counter: Hour(
            requests=number(item, counter),
            denials=times_told_no(item, FAILED, counter),
            refusals=times_told_no(item, REFUSED, counter),
            networks=frozenset(networks[counter]),
            networks_missed=missed,
        )
        # A credential all of whose requests were refused has a network and no count.
        for counter in counters(item) | networks.keys()
    }
