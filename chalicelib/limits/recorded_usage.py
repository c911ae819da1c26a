"""Per-credential usage recorded on the counter item: source networks, routes and denied requests.

The write of an admission also records usage that this process hasn't seen on the item yet. Usually there is none. The
item must stay under 1 KB, so each kind of usage has a size limit, and an attribute records when the limit was exceeded.
No address is stored: a network is stored as a hash of the network and the counter. The hash hides networks from a
casual reader, but somebody who can read the table could find them by hashing every possible network.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import randomness

NETWORKS_MAX = 8
"""The maximum number of pairs of a network and a counter that one item contains. 8 pairs of 17 bytes take 136 bytes."""
CREDENTIALS_MAX = 8
"""The maximum number of credentials for which one item counts failures, and for which it counts rejections."""
SHARED_BYTES = 230
"""The maximum total size of the recorded routes, failures and rejections in one counter item, in bytes."""
NETWORKS_OTHER, ROUTES_OTHER, FAILED_OTHER = "n_other", "r_other", "f_other"
FAILED, REJECTED = "f", "q"
ROUTE_BYTES = 4 + 3
COUNTER_BYTES = 8 + 1
NUMBER_BYTES = 8 + 5
"""The size of an attribute whose name has 8 characters and whose value is a number of up to 8 digits."""


@dataclass(frozen=True, slots=True)
class RequestUsage:
    """The network and the route of one request, as attribute names of the item. An empty one is not recorded."""

    network: str = ""
    route: str = ""


NO_USAGE = RequestUsage()


@dataclass(frozen=True, slots=True)
class RecordedUsage:
    """The usage that an item contains, and the room that remains."""

    names: frozenset[str] = frozenset()
    """Names of the attributes. A name of a route is followed by the name of a counter that used the route."""
    networks: int = 0
    failed: int = 0
    rejected: int = 0
    room_bytes: int = SHARED_BYTES
    overflow: tuple[str, ...] = ()
    """Attributes beyond the size limit, because several processes added some concurrently. The next write removes them.
    """


NOTHING_RECORDED = RecordedUsage()


def usage_of(counter: str, *, network: str, route: str) -> RequestUsage:
    """Return the usage of a request that is counted under `counter`.

    `route` is the method and path pattern. If `network` or `route` is empty, it isn't recorded.
    """
    return RequestUsage(network_name(counter, network) if network else "", route_name(route) if route else "")


def network_name(counter: str, network: str) -> str:
    """Return the name of the attribute for a network that is used with a counter."""
    digest = hashlib.sha256(f"{counter}|{network}".encode()).digest()
    return "n" + base64.urlsafe_b64encode(digest[:6]).decode()


def route_name(route: str) -> str:
    """Return the name of the attribute for a route.

    For 60 routes, the probability that two have the same name is 1 %.
    """
    digest = hashlib.sha256(route.encode()).digest()
    return "r" + randomness.to_base62(int.from_bytes(digest[:8]), 3)


def parse(item: Mapping[str, Any]) -> RecordedUsage:
    """Return the usage that a raw counter item contains."""
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
    """Return whether a request adds nothing to the item, so that it can be admitted from a lease."""
    return counter is None or is_recorded(
        recorded, counter, RequestUsage("" if recorded.networks >= NETWORKS_MAX else usage.network, usage.route)
    )


def networks_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the networks in a raw counter item, each with the counter that it was used with."""
    return {name: value["S"] for name, value in item.items() if name[0] == "n" and "S" in value}


def routes_of(item: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the routes in a raw counter item, each with the counters that used it."""
    return {name: frozenset(value["SS"]) for name, value in item.items() if name[0] == "r" and "SS" in value}


def is_complete(item: Mapping[str, Any]) -> bool:
    """Return whether a raw counter item contains every route that was used."""
    return ROUTES_OTHER not in item


def count_denials(item: Mapping[str, Any], kind: str, counter: str) -> int:
    """Return the number of a credential's requests that failed or were rejected (`kind` is `FAILED` or `REJECTED`)."""
    return int(item.get(kind + counter[-7:], {"N": "0"})["N"])


def is_recorded(recorded: RecordedUsage, counter: str, usage: RequestUsage) -> bool:
    """Return whether the item already contains this usage, so that nothing must be written.

    If the item has no room for a network, the result is False, because each request then increases the counter
    `n_other`. If the item has no room for a route, the result is True once the item contains the attribute `r_other`.
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
    """Yield the attributes beyond the size limits.

    These are the last by name, so that all processes remove the same ones.
    """
    yield from sorted(networks_of(item))[NETWORKS_MAX:]
    room = SHARED_BYTES - NUMBER_BYTES * sum(name[0] in "fq" and len(name) == 8 for name in item)
    for name in sorted(routes_of(item)):
        room -= _route_bytes(item[name])
        if room < 0:
            yield name
