"""The usage that an admission adds to its counter item. Usage that the item already contains isn't written again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.limits import recorded_usage
from chalicelib.limits.recorded_usage import (
    CREDENTIALS_MAX,
    FAILED,
    FAILED_OTHER,
    NETWORKS_MAX,
    NETWORKS_OTHER,
    REJECTED,
    ROUTES_OTHER,
    RecordedUsage,
    RequestUsage,
)


@dataclass(frozen=True, slots=True)
class Delta:
    """The parts of an update expression that add new usage. Each clause begins with a comma."""

    sets: str = ""
    adds: str = ""
    removes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


NO_DELTA = Delta()


def compute_delta(
    recorded: RecordedUsage, counter: str | None, usage: RequestUsage, denials: Mapping[str, int]
) -> Delta:
    """Return the usage that a write for `counter` adds to an item: the usage of the request and the counts in
    `denials`.

    `denials` are counts of failures and rejections by attribute name, as in `rejection_counts`.
    """
    if (
        not denials
        and not recorded.overflow
        and (counter is None or recorded_usage.is_recorded(recorded, counter, usage))
    ):
        return NO_DELTA
    return _DeltaBuilder(recorded).build(counter, usage, denials)


class _DeltaBuilder:
    """A builder for the clauses of one update expression."""

    def __init__(self, recorded: RecordedUsage) -> None:
        self.recorded, self.room = recorded, recorded.room_bytes
        self.failed, self.rejected = recorded.failed, recorded.rejected
        self.sets: list[str] = []
        self.adds: list[str] = []
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def build(self, counter: str | None, usage: RequestUsage, denials: Mapping[str, int]) -> Delta:
        """Return the clauses for all new usage."""
        removes = self._remove_overflow()
        networks_left_out = sum(name[0] == "n" for name in self.recorded.overflow)
        routes_left_out = len(removes) > networks_left_out
        if counter is not None:
            networks_left_out += not self._add_network(counter, usage.network)
            routes_left_out = not self._add_route(counter, usage.route) or routes_left_out
        failed_left_out = self._add_denials(denials)
        if routes_left_out and ROUTES_OTHER not in self.recorded.names:
            self.sets.append(f"{ROUTES_OTHER} = :one")
            self.values[":one"] = {"N": "1"}
        for name, count in ((NETWORKS_OTHER, networks_left_out), (FAILED_OTHER, failed_left_out)):
            if count:
                self._add(name, f":{name}", {"N": str(count)})
        return Delta(_clauses(self.sets), _clauses(self.adds), removes, self.names, self.values)

    def _remove_overflow(self) -> tuple[str, ...]:
        self.names |= {f"#x{number}": name for number, name in enumerate(self.recorded.overflow)}
        return tuple(self.names)

    def _add_network(self, counter: str, name: str) -> bool:
        """Add a network to the item. Returns False if there is no room; the caller then only counts the network."""
        if not name or name in self.recorded.names:
            return True
        if self.recorded.networks >= NETWORKS_MAX:
            return False
        self.sets.append("#network = :network")
        self.names["#network"], self.values[":network"] = name, {"S": counter}
        return True

    def _add_route(self, counter: str, name: str) -> bool:
        """Add a route to the item. Returns False if there is no room."""
        if not name or name + counter in self.recorded.names:
            return True
        is_named = any(each.startswith(name) for each in self.recorded.names)
        needed = recorded_usage.COUNTER_BYTES if is_named else recorded_usage.ROUTE_BYTES + recorded_usage.COUNTER_BYTES
        if needed > self.room:
            return False
        self.room -= needed
        self.names["#route"] = name
        self._add("#route", ":route", {"SS": [counter]})
        return True

    def _add_denials(self, sums: Mapping[str, int]) -> int:
        """Add the counts of failures and rejections by credential. Returns the number of failures for which there was
        no room.

        Rejections without room aren't returned, because `refused` counts all of them.
        """
        left_out = 0
        for number, (name, count) in enumerate(sums.items()):
            if name not in self.recorded.names and not self._reserve_room(name[0]):
                left_out += count * (name[0] == FAILED)
                continue
            self.names[f"#no{number}"] = name
            self._add(f"#no{number}", f":no{number}", {"N": str(count)})
        return left_out

    def _reserve_room(self, kind: str) -> bool:
        count = self.failed if kind == FAILED else self.rejected
        if count >= CREDENTIALS_MAX or self.room < recorded_usage.NUMBER_BYTES:
            return False
        self.room -= recorded_usage.NUMBER_BYTES
        self.failed += kind == FAILED
        self.rejected += kind == REJECTED
        return True

    def _add(self, attribute: str, placeholder: str, value: Mapping[str, Any]) -> None:
        self.adds.append(f"{attribute} {placeholder}")
        self.values[placeholder] = value


def _clauses(parts: list[str]) -> str:
    return "".join(f", {part}" for part in parts)
