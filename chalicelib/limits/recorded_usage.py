"""Per-credential usage recorded on the counter item: source networks, routes and denied requests.

The write of an admission also records the usage that this process hasn't seen on the item yet, which is usually none.
The item must stay under 1 KB, so each kind has a size limit, and an attribute records that the limit was exceeded. No
address is stored: a network is a hash of it and of the counter. The hash hides addresses from casual view, but anyone
who can read the table could try all networks.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import randomness

NETWORKS_MAX = 8
"""The maximum number of pairs of a counter and a network that one item names: 8 of 17 bytes take 136."""
CREDENTIALS_MAX = 8
"""The maximum number of credentials whose failures one item counts, and the same for rejections."""
SHARED_BYTES = 230
"""The maximum number of bytes that routes, failures and rejections take together."""
NETWORKS_OTHER, ROUTES_OTHER, FAILED_OTHER = "n_other", "r_other", "f_other"
FAILED, REJECTED = "f", "q"
ROUTE_BYTES = 4 + 3
COUNTER_BYTES = 8 + 1
NUMBER_BYTES = 8 + 5
"""The size of an attribute with a name of 8 characters and a number of up to 8 digits."""


@dataclass(frozen=True, slots=True)
class RequestUsage:
    """The network and route of one request as attributes of the item. An empty value is not recorded."""

    network: str = ""
    route: str = ""


NO_USAGE = RequestUsage()


@dataclass(frozen=True, slots=True)
class RecordedUsage:
    """The usage that an item already names, and the remaining room."""

    names: frozenset[str] = frozenset()
    """Attribute names; a route's name is followed by the counter that used it."""
    networks: int = 0
    failed: int = 0
    rejected: int = 0
    room_bytes: int = SHARED_BYTES
    overflow: tuple[str, ...] = ()
    """Attributes beyond the limit, which concurrent processes have added. The next write removes them."""


NOTHING_RECORDED = RecordedUsage()


def usage_of(counter: str, *, network: str, route: str) -> RequestUsage:
    """Return the usage of a request under `counter`. `route` is its method and pattern; empty values are omitted."""
    return RequestUsage(network_name(counter, network) if network else "", route_name(route) if route else "")


def network_name(counter: str, network: str) -> str:
    """Return the attribute name of a counter and a network."""
    digest = hashlib.sha256(f"{counter}|{network}".encode()).digest()
    return "n" + base64.urlsafe_b64encode(digest[:6]).decode()


def route_name(route: str) -> str:
    """Return the attribute name of a route. Collisions are unlikely: 1 % for any two of 60 routes."""
    digest = hashlib.sha256(route.encode()).digest()
    return "r" + randomness.to_base62(int.from_bytes(digest[:8]), 3)


def parse(item: Mapping[str, Any]) -> RecordedUsage:
    """Return the usage that a raw item names."""
    names: set[str] = set()
    networks = failed = rejected = 0
    room = SHARED_BYTES
    for name, value in item.items():
        kind = name[0]
        if kind not in "nrfq":
            continue
        if kind == "n":
            names.add(name)
            networks += name != NETWORKS_OTHER
        elif kind == "r" and "SS" in value:
            names.update(name + counter for counter in value["SS"])
            room -= _route_bytes(value)
        elif kind in "fq" and len(name) == 8:
            names.add(name)
            failed += kind == FAILED
            rejected += kind == REJECTED
            room -= NUMBER_BYTES
        elif name == ROUTES_OTHER:
            names.add(name)
    overflow = tuple(_find_overflow(item)) if networks > NETWORKS_MAX or room < 0 else ()
    return RecordedUsage(frozenset(names), networks, failed, rejected, room, overflow)


def is_already_recorded(recorded: RecordedUsage, counter: str | None, usage: RequestUsage) -> bool:
    """Return whether a request adds nothing to the item, so that a lease may be spent on it."""
    return counter is None or is_recorded(
        recorded, counter, RequestUsage("" if recorded.networks >= NETWORKS_MAX else usage.network, usage.route)
    )


def networks_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the counter of each network that a raw item names."""
    return {name: value["S"] for name, value in item.items() if name[0] == "n" and "S" in value}


def routes_of(item: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the counters that used each route that a raw item names."""
    return {name: frozenset(value["SS"]) for name, value in item.items() if name[0] == "r" and "SS" in value}


def is_complete(item: Mapping[str, Any]) -> bool:
    """Return whether a raw item names every route that was used."""
    return ROUTES_OTHER not in item


def count_denials(item: Mapping[str, Any], kind: str, counter: str) -> int:
    """Return how often a credential's requests failed (`FAILED`) or were rejected (`REFUSED`), as a raw item counts
    them.
    """
    return int(item.get(kind + counter[-7:], {"N": "0"})["N"])


def is_recorded(recorded: RecordedUsage, counter: str, usage: RequestUsage) -> bool:
    """Return whether an item already has all of this usage.

    A ninth network is counted each time; a route for which there is no room is recorded once.
    """
    return (not usage.network or usage.network in recorded.names) and (
        not usage.route
        or usage.route + counter in recorded.names
        or (_is_full(recorded) and ROUTES_OTHER in recorded.names)
    )


def _is_full(recorded: RecordedUsage) -> bool:
    return recorded.room_bytes < ROUTE_BYTES + COUNTER_BYTES


def _route_bytes(value: Mapping[str, Any]) -> int:
    return ROUTE_BYTES + COUNTER_BYTES * len(value["SS"])


def _find_overflow(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the attributes beyond the limits. They are the last ones by name, so that all processes remove the same."""
    yield from sorted(networks_of(item))[NETWORKS_MAX:]
    room = SHARED_BYTES - NUMBER_BYTES * sum(name[0] in "fq" and len(name) == 8 for name in item)
    for name in sorted(routes_of(item)):
        room -= _route_bytes(item[name])
        if room < 0:
            yield name
