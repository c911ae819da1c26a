"""Read what each credential did in past hours: its requests, denials, rejections and networks.

The writes that admit requests record this in the counter items. The attribute `f…` is the number of 401 and 403
responses to a credential, and `q…` is the number of its 429 responses; the rest of the name is the last seven
characters of the credential's counter. For each network that a credential used in this hour, there is an attribute
`n…`. Its name is a hash of the credential and the network, and its value is the name of the credential's counter.
`n_other` is the number of times that the item had no room for such an attribute.
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
    """Hashes of the networks, which distinguish networks without containing their addresses."""
    networks_missed: bool = False
    """Whether a network of the account wasn't recorded in this hour, so that `networks` may be incomplete."""

    def __add__(self, other: "Hour") -> "Hour":
        """Return the sum of two hours. If an account changed its tier, it has two counter items for one hour."""
        return Hour(
            self.requests + other.requests,
            self.denials + other.denials,
            self.rejections + other.rejections,
            self.networks | other.networks,
            self.networks_missed or other.networks_missed,
        )


History = Mapping[int, Hour]
"""The recorded hours of a credential. The key is the epoch second at which an hour began."""


def of_account(items: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, Hour]]:
    """Return the history of each credential by its counter, from the raw counter items of an account."""
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
        # If all requests of a credential were rejected, the item contains networks of the credential but no count.
        for counter in counters(item) | networks.keys()
    }
