"""Read what the counters of past hours record about each credential: requests, denials, rejections and networks.

The write of an admission records all of it in the counter items. `f…` counts the 401 and 403 responses of a credential
and `q…` its 429 responses; the rest of the name is the last seven characters of its counter. `n…` is a pair of
credential and network first seen in that hour, and its value names the counter; `n_other` counts pairs beyond the size
limit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.limits.counter_items import counters, number
from chalicelib.limits.recorded_usage import FAILED, NETWORKS_OTHER, REJECTED, count_denials, networks_of


@dataclass(frozen=True, slots=True)
class Hour:
    """The activity of one credential in one clock hour."""

    requests: int = 0
    denials: int = 0
    rejections: int = 0
    networks: frozenset[str] = frozenset()
    """Keyed hashes of the networks: they distinguish networks without revealing them."""
    networks_missed: bool = False
    """Whether some network of the account was not recorded in this hour, so that `networks` may be incomplete."""

    def __add__(self, other: "Hour") -> "Hour":
        """Return the sum of two: an account that changed its tier has two items in one hour."""
        return Hour(
            self.requests + other.requests,
            self.denials + other.denials,
            self.rejections + other.rejections,
            self.networks | other.networks,
            self.networks_missed or other.networks_missed,
        )


History = Mapping[int, Hour]
"""The recorded hours of a credential, by the epoch second at which each began."""


def of_account(items: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, Hour]]:
    """Return the history of each credential of an account by counter, from the account's raw items."""
    found: dict[str, dict[int, Hour]] = defaultdict(dict)
    for item in items:
        at = int(item["hour"]["N"])
        for counter, hour in _parse_item(dict(item)).items():
            found[counter][at] = found[counter].get(at, Hour()) + hour
    return dict(found)


def _parse_item(item: dict[str, Any]) -> dict[str, Hour]:
    networks: dict[str, set[str]] = defaultdict(set)
    for name, counter in networks_of(item).items():
        networks[counter].add(name[1:])
    missed = number(item, NETWORKS_OTHER) > 0
    return {
        counter: Hour(
            requests=number(item, counter),
            denials=count_denials(item, FAILED, counter),
            rejections=count_denials(item, REJECTED, counter),
            networks=frozenset(networks[counter]),
            networks_missed=missed,
        )
        # A credential whose requests were all rejected has networks but no count.
        for counter in counters(item) | networks.keys()
    }
