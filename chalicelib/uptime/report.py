"""What readers of the status page see: now, 90 days, incidents. It is readable when the database is down, too.

What was read last is kept for a crowd, for some seconds; and for an outage, as long as the process lives. That the
database is down is kept for some seconds, too: while it is silent, one reader waits for it and the others don't.
"""

from dataclasses import dataclass, field, replace

from pynamodb.exceptions import PynamoDBException

from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.uptime import days, incidents
from chalicelib.uptime.states import COMPONENTS, DEGRADED, DOWN, PARTLY_CHECKED, UNKNOWN, UP
from chalicelib.uptime.tables import Status

KEPT_MS = 15_000
DOWN_KEPT_MS = 5_000
FRESH_MINUTES = 5
"""After so many minutes without a check nobody knows how things are."""
NAMES = {"api": "API", "oauth": "Authorization server", "webhooks": "Webhooks", "database": "Database"}


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one component, in minutes."""

    day: str
    checked: int = 0
    degraded: int = 0
    down: int = 0

    @property
    def state(self) -> str:
        """Return what the day is shown as: the worst that lasted 5 minutes or more, or anything that was down."""
        if not self.checked:
            return UNKNOWN
        if self.down >= 5:
            return DOWN
        return DEGRADED if self.down or self.degraded >= 5 else UP


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the service."""

    id: str
    state: str
    days: tuple[Day, ...]

    @property
    def name(self) -> str:
        """Return what people call it."""
        return NAMES[self.id]

    @property
    def uptime_percent(self) -> float | None:
        """Return in how much of what was checked it was not down, None when nothing was."""
        checked = sum(day.checked for day in self.days)
        return round(100 - 100 * sum(day.down for day in self.days) / checked, 3) if checked else None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page."""

    components: tuple[Component, ...]
    incidents: tuple[Status, ...] = ()
    checked_at_ms: int | None = None
    is_readable: bool = True
    """Whether what happened before could be read."""
    read_at_ms: int = field(default=0, compare=False)

    @property
    def state(self) -> str:
        """Return the worst state that any component is in, and never more than is known."""
        states = {component.state for component in self.components}
        if states == {UP, UNKNOWN}:
            return PARTLY_CHECKED
        return next((state for state in (DOWN, DEGRADED, UP) if state in states), UNKNOWN)


_kept: list[Report] = []
_down: list[Report] = []


def report() -> Report:
    """Return how things are and were. Never raises because of the database: that it is down is what there is to say."""
    now_ms = clock.now_ms()
    for kept, for_ms in ((_kept, KEPT_MS), (_down, DOWN_KEPT_MS)):
        if kept and 0 <= now_ms - kept[0].read_at_ms < for_ms:
            return kept[0]
    try:
        made = _made(days.newest_first(now_ms // 1000), tuple(incidents.newest_first()), now_ms)
    except (WireError, PynamoDBException):
        # From now on, not from the request's arrival: waiting for the answer may have taken as long.
        _down[:] = [_without_database(clock.now_ms())]
        return _down[0]
    _kept[:] = [made]
    return made


def forget() -> None:
    """Forget what was read, as a new process would."""
    _kept.clear()
    _down.clear()


def _made(items: list[dynamodb.Json], told: tuple[Status, ...], now_ms: int) -> Report:
    by_day = {item["at"]["S"]: item for item in items}
    newest = items[0] if items else {}
    last_minute = _number(newest, "last_minute")
    is_fresh = 0 <= now_ms // 60_000 - last_minute <= FRESH_MINUTES
    wanted = [days.day_of(now_ms // 1000 - ago * clock.DAY_S) for ago in reversed(range(days.SHOWN))]
    components = tuple(
        Component(
            name,
            newest.get(f"now_{name}", {"S": UNKNOWN})["S"] if is_fresh else UNKNOWN,
            tuple(_day(day, by_day.get(day, {}), name) for day in wanted),
        )
        for name in COMPONENTS
    )
    return Report(components, told, last_minute * 60_000 if last_minute else None, read_at_ms=now_ms)


def _day(day: str, item: dynamodb.Json, name: str) -> Day:
    checked = _number(item, "minutes") - _number(item, f"{name}_{UNKNOWN}")
    return Day(day, checked, _number(item, f"{name}_{DEGRADED}"), _number(item, f"{name}_{DOWN}"))


def _without_database(now_ms: int) -> Report:
    known = _kept[0] if _kept else _made([], (), now_ms)
    components = tuple(replace(each, state=DOWN if each.id == "database" else UNKNOWN) for each in known.components)
    return replace(known, components=components, is_readable=bool(_kept), read_at_ms=now_ms)


def _number(item: dynamodb.Json, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0
