"""What a counters' item knows beyond counts: from where each credential is used, for what, how often it was told no.

All of it travels in the admission's one write, and only what this process hasn't seen in the item yet: in the steady
state nothing. The item must stay under 1 KB, so each kind has its share of it, and where a share is used up a mark says
that the record isn't complete. No address is kept: a network is a hash of it and of the counter. Whoever can read the
table could try all networks; the hash keeps addresses out of sight, not out of reach.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import randomness

NETWORKS_MAX = 8
"""How many pairs of a counter and a network one item names: 8 of 17 bytes are 136."""
NAMED_MAX = 8
"""How many credentials one item counts failures of, and refusals."""
SHARED_BYTES = 230
"""What routes, failures and refusals take together at most."""
NETWORKS_OTHER, ROUTES_OTHER, FAILED_OTHER = "n_other", "r_other", "f_other"
FAILED, REFUSED = "f", "q"
ROUTE_BYTES = 4 + 3
COUNTER_BYTES = 8 + 1
NUMBER_BYTES = 8 + 5
"""A name of 8 characters and a number of up to 8 digits."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What one request shows besides its caller, as attributes of the item; "" is not recorded."""

    network: str = ""
    route: str = ""


NOTHING_SHOWN = Traits()


@dataclass(frozen=True, slots=True)
class Known:
    """What an item names already, and how much room is left."""

    names: frozenset[str] = frozenset()
    """Attributes; a route is followed by the counter that used it."""
    networks: int = 0
    failed: int = 0
    refused: int = 0
    room_bytes: int = SHARED_BYTES
    excess: tuple[str, ...] = ()
    """What goes with the next write: processes that didn't know the item yet have put too much into it."""


NOTHING_KNOWN = Known()


def shown_by(counter: str, *, network: str, route: str) -> Traits:
    """Return what a request under `counter` shows; `route` is its method and pattern, "" is left out."""
    return Traits(network_name(counter, network) if network else "", route_name(route) if route else "")


def network_name(counter: str, network: str) -> str:
    """Return the attribute of a counter and a network."""
    digest = hashlib.sha256(f"{counter}|{network}".encode()).digest()
    return "n" + base64.urlsafe_b64encode(digest[:6]).decode()


def route_name(route: str) -> str:
    """Return the attribute of a route. Two may share one: of 60 routes any two do with a chance of 1 %."""
    digest = hashlib.sha256(route.encode()).digest()
    return "r" + randomness.to_base62(int.from_bytes(digest[:8]), 3)


def known(item: Mapping[str, Any]) -> Known:
    """Return what a raw item names."""
    names: set[str] = set()
    networks = failed = refused = 0
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
            refused += kind == REFUSED
            room -= NUMBER_BYTES
        elif name == ROUTES_OTHER:
            names.add(name)
    excess = tuple(_excess(item)) if networks > NETWORKS_MAX or room < 0 else ()
    return Known(frozenset(names), networks, failed, refused, room, excess)


def is_old_news(known: Known, counter: str | None, shown: Traits) -> bool:
    """Tell whether an item needn't hear of a request again: then a lease may be spent on it."""
    return counter is None or is_known(
        known, counter, Traits("" if known.networks >= NETWORKS_MAX else shown.network, shown.route)
    )


def networks_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the counter of each network that a raw item names."""
    return {name: value["S"] for name, value in item.items() if name[0] == "n" and "S" in value}


def routes_of(item: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the counters that used each route that a raw item names."""
    return {name: frozenset(value["SS"]) for name, value in item.items() if name[0] == "r" and "SS" in value}


def is_complete(item: Mapping[str, Any]) -> bool:
    """Tell whether a raw item names every route that was used."""
    return ROUTES_OTHER not in item


def times_told_no(item: Mapping[str, Any], kind: str, counter: str) -> int:
    """Return how often an item says that a credential failed (`FAILED`) or was refused (`REFUSED`)."""
    return int(item.get(kind + counter[-7:], {"N": "0"})["N"])


def is_known(known: Known, counter: str, shown: Traits) -> bool:
    """Tell whether an item has all of it. A ninth network is counted each time, an unnamed route is marked once."""
    return (not shown.network or shown.network in known.names) and (
        not shown.route or shown.route + counter in known.names or (_is_full(known) and ROUTES_OTHER in known.names)
    )


def _is_full(known: Known) -> bool:
    return known.room_bytes < ROUTE_BYTES + COUNTER_BYTES


def _route_bytes(value: Mapping[str, Any]) -> int:
    return ROUTE_BYTES + COUNTER_BYTES * len(value["SS"])


def _excess(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is beyond the shares: the last by name, so that all processes agree."""
    yield from sorted(networks_of(item))[NETWORKS_MAX:]
    room = SHARED_BYTES - NUMBER_BYTES * sum(name[0] in "fq" and len(name) == 8 for name in item)
    for name in sorted(routes_of(item)):
        room -= _route_bytes(item[name])
        if room < 0:
            yield name
