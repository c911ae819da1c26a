"""What an admission adds to the recorded usage of its counter item: only what the item doesn't name yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.limits import recorded_usage
from chalicelib.limits.recorded_usage import (
    FAILED,
    FAILED_OTHER,
    NAMED_MAX,
    NETWORKS_MAX,
    NETWORKS_OTHER,
    REFUSED,
    ROUTES_OTHER,
    Known,
    Traits,
)


@dataclass(frozen=True, slots=True)
class Learnt:
    """The parts of the admission's expression that tell what is new; each clause begins with a comma."""

    sets: str = ""
    adds: str = ""
    removes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


NOTHING_LEARNT = Learnt()


def learnt(known: Known, counter: str | None, shown: Traits, told_no: Mapping[str, int]) -> Learnt:
    """Return what a write under `counter` adds to an item: what the request shows, and failures and refusals by name.

    `told_no` are the sums by attribute, as `refusals` holds them.
    """
    if not told_no and not known.excess and (counter is None or recorded_usage.is_known(known, counter, shown)):
        return NOTHING_LEARNT
    return _Telling(known).all(counter, shown, told_no)


class _Telling:
    """Collects the clauses of one write."""

    def __init__(self, known: Known) -> None:
        self.known, self.room = known, known.room_bytes
        self.failed, self.refused = known.failed, known.refused
        self.sets: list[str] = []
        self.adds: list[str] = []
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def all(self, counter: str | None, shown: Traits, told_no: Mapping[str, int]) -> Learnt:
        """Tell everything."""
        removes = self._excess()
        networks_left_out = sum(name[0] == "n" for name in self.known.excess)
        routes_left_out = len(removes) > networks_left_out
        if counter is not None:
            networks_left_out += not self._network(counter, shown.network)
            routes_left_out = not self._route(counter, shown.route) or routes_left_out
        failed_left_out = self._told_no(told_no)
        if routes_left_out and ROUTES_OTHER not in self.known.names:
            self.sets.append(f"{ROUTES_OTHER} = :one")
            self.values[":one"] = {"N": "1"}
        for name, count in ((NETWORKS_OTHER, networks_left_out), (FAILED_OTHER, failed_left_out)):
            if count:
                self._add(name, f":{name}", {"N": str(count)})
        return Learnt(_clauses(self.sets), _clauses(self.adds), removes, self.names, self.values)

    def _excess(self) -> tuple[str, ...]:
        self.names |= {f"#x{number}": name for number, name in enumerate(self.known.excess)}
        return tuple(self.names)

    def _network(self, counter: str, name: str) -> bool:
        """Name a network; return False when it can only be counted."""
        if not name or name in self.known.names:
            return True
        if self.known.networks >= NETWORKS_MAX:
            return False
        self.sets.append("#network = :network")
        self.names["#network"], self.values[":network"] = name, {"S": counter}
        return True

    def _route(self, counter: str, name: str) -> bool:
        """Name a route; return False when there is no room."""
        if not name or name + counter in self.known.names:
            return True
        is_there = any(known.startswith(name) for known in self.known.names)
        needed = recorded_usage.COUNTER_BYTES if is_there else recorded_usage.ROUTE_BYTES + recorded_usage.COUNTER_BYTES
        if needed > self.room:
            return False
        self.room -= needed
        self.names["#route"] = name
        self._add("#route", ":route", {"SS": [counter]})
        return True

    def _told_no(self, sums: Mapping[str, int]) -> int:
        """Name who was told no; return how many failures found no room. Unnamed refusals are in the account's sum."""
        left_out = 0
        for number, (name, count) in enumerate(sums.items()):
            if name not in self.known.names and not self._makes_room(name[0]):
                left_out += count * (name[0] == FAILED)
                continue
            self.names[f"#no{number}"] = name
            self._add(f"#no{number}", f":no{number}", {"N": str(count)})
        return left_out

    def _makes_room(self, kind: str) -> bool:
        count = self.failed if kind == FAILED else self.refused
        if count >= NAMED_MAX or self.room < recorded_usage.NUMBER_BYTES:
            return False
        self.room -= recorded_usage.NUMBER_BYTES
        self.failed += kind == FAILED
        self.refused += kind == REFUSED
        return True

    def _add(self, spelled: str, placeholder: str, value: Mapping[str, Any]) -> None:
        self.adds.append(f"{spelled} {placeholder}")
        self.values[placeholder] = value


def _clauses(parts: list[str]) -> str:
    return "".join(f", {part}" for part in parts)
